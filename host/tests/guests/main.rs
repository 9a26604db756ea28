//! Guests in Python and C: each opens, writes and reads all logs through the contract as its language sees it; the files
//! they leave behind are read with the command. Both must say the same, line by line: `tests/guests/expected.txt`.
//!
//! Without their tools they are skipped, and say so: see [`tools`].

#![allow(unreachable_pub)] // a module of a test is reachable from nowhere

mod tools;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A directory for one test, removed at its end unless the test failed.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let place = tools::kept().join(format!("{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).expect("a directory for the test");
        Place(place)
    }

    /// `annals …` on the logs here. What it compiles is kept.
    fn annals(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command.env("ANNALS_CACHE", tools::kept().join("compiled")).current_dir(&self.0);
        command.args(args).output().expect("annals starts")
    }

    /// The same, with the logs in a directory. It must succeed, and has nothing to complain about.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let output = self.annals(&[&["--dir", "logs"], args].concat());
        let (out, complaint) = texts(&output);
        assert!(output.status.success() && complaint.is_empty(), "annals {args:?}\n{out}{complaint}");
        out
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn texts(output: &Output) -> (String, String) {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).into()
}

/// Without tokens, which are never twice the same.
fn without_tokens(text: &str) -> String {
    let line = |line: &str| match line.split_once(": token ") {
        Some((part, _)) => format!("{part}: token …\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// What the line `PART: token TOKEN` says.
#[track_caller]
fn token<'a>(said: &'a str, part: &str) -> &'a str {
    let line = format!("{part}: token ");
    said.lines()
        .find_map(|found| found.strip_prefix(&line))
        .unwrap_or_else(|| panic!("no '{line}' in {said}"))
}

fn uses_all_logs(language: &str, app: &Path) {
    let place = Place::new(language);
    let app = app.to_str().expect("UTF-8");
    let expected =
        fs::read_to_string(tools::root().join("tests/guests/expected.txt")).expect("what guests say");

    let said = place.ok(&["run", app]);
    assert_eq!(without_tokens(&said), expected, "what the guest in {language} says");

    // Its files are ordinary logs.
    let checked = place.ok(&["verify"]);
    assert_eq!(checked.lines().filter(|line| line.starts_with("ok ")).count(), 6, "{checked}");
    let read =
        |args: &[&str], part: &str| place.ok(&[args, &["--expect-token", token(&said, part)]].concat());
    assert_eq!(read(&["journal", "replay", "journal"], "journal"), "three\n\nagain\n");
    let events = "10\tten\n15\tlate\n22\tc\n23\td\n30\tthirty\n";
    assert_eq!(read(&["event", "iterate", "events"], "event-log"), events);
    assert_eq!(read(&["raft", "entries", "raft"], "raft-log"), "1\t8\tanew\n");
    assert_eq!(read(&["snapshot", "range", "fold"], "snapshot"), "a/1\tuno\nd\tfour\n");
    assert_eq!(place.ok(&["snapshot", "range", "copy"]), "a/1\tuno\nd\tfour\n");
    assert!(place.ok(&["change", "scan", "changes", "--deferred"]).contains("later"));

    // It makes its logs, so it fails where they are, and its exit code is the command's.
    let again = place.annals(&["--dir", "logs", "run", app]);
    assert_eq!((again.status.code(), texts(&again)), (Some(1), (String::new(), "journal: exists\n".into())));

    // In memory they are gone at the end; arguments name what it is to do.
    for _ in 0..2 {
        let some = place.annals(&["run", "--memory", app, "--", "journal"]);
        let (said, complaint) = texts(&some);
        assert_eq!((some.status.code(), complaint.as_str()), (Some(0), ""));
        assert!(
            said.lines().all(|line| line.starts_with("journal: ")) && said.lines().count() > 10,
            "{said}"
        );
    }
}

#[test]
fn a_guest_in_c_uses_all_logs() {
    if let Some(app) = tools::c() {
        uses_all_logs("c", &app);
    }
}

#[test]
fn a_guest_in_python_uses_all_logs() {
    if let Some(app) = tools::python() {
        uses_all_logs("python", &app);
    }
}
