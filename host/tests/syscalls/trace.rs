//! Reads what strace wrote.

use std::{collections::HashMap, path::PathBuf};

/// A call of the system that changes something, or opens something, or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// What opens or looks at a file: the directory (none: the working directory), the path, the flags.
    Open { at: Option<String>, path: String, flags: String },
    /// A path used otherwise: the call, the directory, the path.
    Path { call: String, at: Option<String>, path: String },
    /// A new name that must not exist: file.
    Created(String),
    /// Written: file, offset, length, and whether the first bytes are zeros, as those of space that was only claimed are.
    Written { file: String, offset: u64, len: u64, zeros: bool },
    /// Cut or extended: file.
    Cut(String),
    /// Synced: file or directory.
    Synced(String),
    /// Renamed: from, to.
    Renamed(String, String),
    /// Removed: file.
    Removed(String),
    /// What the process said.
    Mark(String),
}

/// What was done, in order, between the mark `begin` and the last mark.
pub(crate) struct Trace {
    /// The directory of the storage.
    pub(crate) root: String,
    pub(crate) events: Vec<Event>,
}

impl Trace {
    /// Reads the output of `strace -f -y -o`.
    pub(crate) fn parse(text: &str, root: PathBuf) -> Trace {
        let mut events = Vec::new();
        let mut unfinished: HashMap<&str, String> = HashMap::new();
        for line in text.lines() {
            let (process, call) = line.trim_start().split_once(' ').unwrap_or(("", line));
            let call = call.trim_start();
            if let Some(start) = call.strip_suffix("<unfinished ...>") {
                unfinished.insert(process, start.trim_end().to_owned());
                continue;
            }
            let whole = match call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
                Some((_, rest)) => unfinished.remove(process).unwrap_or_default() + rest,
                None => call.to_owned(),
            };
            if let Some((name, args, result)) = parts(&whole) {
                events.extend(event(name, &args, result));
            }
        }
        let begin =
            events.iter().position(|event| *event == Event::Mark("begin".into())).expect("a beginning");
        let end = events.iter().rposition(|event| matches!(event, Event::Mark(_))).expect("an end");
        let events = events[begin + 1..=end].to_vec();
        Trace { root: root.to_str().expect("UTF-8").to_owned(), events }
    }
}

/// Name, arguments and result of a call. Quotes keep commas; bytes in them are cut by strace.
fn parts(call: &str) -> Option<(&str, Vec<String>, &str)> {
    let (name, rest) = call.split_once('(')?;
    let close = rest.rfind(") ").or_else(|| rest.rfind(')'))?;
    let (inside, result) = (&rest[..close], rest[close + 1..].trim_start().strip_prefix('=')?.trim_start());
    let (mut args, mut arg, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for char in inside.chars() {
        match char {
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => args.push(std::mem::take(&mut arg).trim().to_owned()),
            _ => {}
        }
        if char != ',' || quoted {
            arg.push(char);
        }
        escaped = char == '\\' && !escaped;
    }
    args.push(arg.trim().to_owned());
    Some((name, args, result))
}

/// The path that `-y` shows for a descriptor.
fn shown(descriptor: &str) -> Option<String> {
    let (_, path) = descriptor.split_once('<')?;
    Some(path.strip_suffix('>')?.trim_end_matches(" (deleted)").to_owned())
}

fn text(quoted: &str) -> String {
    quoted.trim_end_matches("...").trim_matches('"').to_owned()
}

fn event(name: &str, args: &[String], result: &str) -> Vec<Event> {
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    // Relative to the working directory, `-y` shows AT_FDCWD with its path.
    let at = |index: usize| shown(arg(index)).filter(|_| !arg(index).starts_with("AT_FDCWD"));
    let under = |directory: &Option<String>, name: &str| match directory {
        Some(directory) => format!("{directory}/{name}"),
        None => name.to_owned(),
    };
    let failed = result.starts_with('-');
    match name {
        "openat" => {
            let (at, path, flags) = (at(0), text(arg(1)), arg(2).to_owned());
            let created = flags.contains("O_EXCL") && !failed;
            let made = created.then(|| Event::Created(under(&at, &path)));
            [Event::Open { at, path, flags }].into_iter().chain(made).collect()
        }
        "open" | "creat" | "openat2" => {
            vec![Event::Open { at: None, path: text(arg(0)), flags: arg(1).to_owned() }]
        }
        "pwrite64" if !failed => {
            let (len, offset) = (result.split(' ').next().unwrap_or_default(), arg(3));
            let file = shown(arg(0)).unwrap_or_default();
            let zeros = arg(1).starts_with("\"\\0\\0\\0\\0\\0\\0\\0\\0");
            vec![Event::Written {
                file,
                offset: offset.parse().unwrap_or(0),
                len: len.parse().unwrap_or(0),
                zeros,
            }]
        }
        "write" if arg(1).starts_with("\"MARK ") => {
            vec![Event::Mark(text(arg(1)).trim_start_matches("MARK ").trim_end_matches("\\n").to_owned())]
        }
        "write" | "writev" | "pwritev" | "pwritev2" | "copy_file_range" | "sendfile" if !failed => {
            let file = shown(arg(0)).unwrap_or_default();
            vec![Event::Written { file, offset: u64::MAX, len: 0, zeros: false }]
        }
        "fallocate" if !failed => {
            let number = |index| arg(index).parse().unwrap_or(0);
            let file = shown(arg(0)).unwrap_or_default();
            vec![Event::Written { file, offset: number(2), len: number(3), zeros: true }]
        }
        "ftruncate" if !failed => vec![Event::Cut(shown(arg(0)).unwrap_or_default())],
        "fsync" | "fdatasync" if !failed => vec![Event::Synced(shown(arg(0)).unwrap_or_default())],
        "renameat" | "renameat2" => {
            let (from, to) = (under(&at(0), &text(arg(1))), under(&at(2), &text(arg(3))));
            let paths = [0, 2].map(|index| Event::Path {
                call: name.into(),
                at: at(index),
                path: text(arg(index + 1)),
            });
            let renamed = (!failed).then_some(Event::Renamed(from, to));
            paths.into_iter().chain(renamed).collect()
        }
        "unlinkat" => {
            let file = under(&at(0), &text(arg(1)));
            let path = Event::Path { call: name.into(), at: at(0), path: text(arg(1)) };
            [path].into_iter().chain((!failed).then_some(Event::Removed(file))).collect()
        }
        // An empty path is the descriptor itself.
        "newfstatat" | "statx" if text(arg(1)).is_empty() => vec![],
        "newfstatat" | "statx" => {
            let flags = if name == "statx" { arg(2) } else { args.last().map_or("", String::as_str) };
            vec![Event::Open { at: at(0), path: text(arg(1)), flags: flags.to_owned() }]
        }
        "mkdirat" | "linkat" | "symlinkat" | "readlinkat" | "faccessat" | "faccessat2" | "fchmodat"
        | "utimensat" => vec![Event::Path { call: name.into(), at: at(0), path: text(arg(1)) }],
        "stat" | "lstat" | "rename" | "unlink" | "mkdir" | "rmdir" | "link" | "symlink" | "truncate"
        | "chdir" | "access" | "readlink" | "chmod" => {
            vec![Event::Path { call: name.into(), at: None, path: text(arg(0)) }]
        }
        _ => vec![],
    }
}
