//! Runs the built `annals` command in a directory of its own. Shared by the tests of this program.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A directory for one test, removed at its end unless the test failed.
pub(crate) struct Place {
    path: PathBuf,
}

impl Place {
    /// An empty directory whose name contains `test`.
    pub(crate) fn new(test: &str) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}-{next}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the test");
        Place { path }
    }

    /// The directory of the logs, which does not exist at first.
    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Makes a file beside the logs.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path.join(name);
        fs::write(&path, bytes).expect("a file for the test");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// `annals --dir <logs> …`, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
        command.arg("--dir").arg(self.logs()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("annals starts"), args)
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        ran.expect(0);
        ran.text()
    }

    /// Runs a command with `input` as its standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("annals starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.to_vec();
        // A command that refuses its input early closes the pipe.
        let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
        let output = child.wait_with_output().expect("annals ends");
        writer.join().expect("the writer does not panic");
        Ran::of(output, args)
    }

    /// Appends `input` to `log`, which must succeed.
    pub(crate) fn append(&self, log: &str, input: impl AsRef<[u8]>) -> String {
        let ran = self.feed(&["journal", "append", log, "-"], input.as_ref());
        ran.expect(0);
        ran.text()
    }

    /// Every file below the directory of the logs with its bytes.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut pending = vec![self.logs()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory).expect("the directory of the logs") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => pending.push(path),
                    false => found.push((path.clone(), fs::read(&path).expect("a file"))),
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// How a command ended.
pub(crate) struct Ran {
    args: String,
    /// Exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output, args: &[&str]) -> Ran {
        Ran {
            args: args.join(" "),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit code, and that nothing panicked.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) {
        let shown = format!("annals {}\n{}{}", self.args, self.text(), self.stderr);
        assert_eq!(self.code, Some(code), "{shown}");
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("backtrace"), "{shown}");
        if code == 0 && !self.stderr.is_empty() {
            panic!("a command that succeeds has nothing to complain about: {shown}");
        }
    }

    /// Asserts that standard error says all of this.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stderr.contains(part), "annals {} should say '{part}': {}", self.args, self.stderr);
        }
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The value of the line `key value` in what a command printed.
#[track_caller]
pub(crate) fn value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines()
        .rev()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        .map(str::trim)
        .unwrap_or_else(|| panic!("no line '{key} …' in: {text}"))
}

/// Reads from a child's standard output until a whole line is there.
#[track_caller]
pub(crate) fn read_line(child: &mut Child) -> String {
    let stdout = child.stdout.as_mut().expect("stdout is piped");
    let mut line = Vec::new();
    let mut byte = [0];
    while stdout.read(&mut byte).expect("stdout can be read") == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("UTF-8")
}
