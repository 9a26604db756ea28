//! A sync that fails, at every place where one happens: the command says so, and the next one recovers.

use crate::{has_strace, scenario::Place};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

fn annals(logs: &Path, args: &[&str], input: &str, inject: Option<(&Path, String)>) -> Output {
    let mut command = match inject {
        Some((trace, fault)) => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-y", "-o"]).arg(trace).arg(format!("--inject={fault}"));
            strace.arg("--trace=fsync,fdatasync").arg(env!("CARGO_BIN_EXE_annals"));
            strace
        }
        None => Command::new(env!("CARGO_BIN_EXE_annals")),
    };
    command.arg("--dir").arg(logs).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn fine(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// How many items are in the log, each of which must be one that was appended, in order.
fn items(logs: &Path) -> usize {
    let text = fine(annals(logs, &["journal", "replay", "log"], "", None));
    for (number, line) in text.lines().enumerate() {
        assert!(line.ends_with(&format!("item {number}")), "{text}");
    }
    text.lines().count()
}

fn numbered(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("item {number}\n")).collect()
}

fn every_place(call: &str) {
    if !has_strace() {
        return;
    }
    let mut failures = 0;
    for place in 1.. {
        let stage = Place::new();
        let (logs, trace) = (stage.path("logs"), stage.path("trace"));
        fine(annals(&logs, &["journal", "append", "log", "-"], &numbered(0..5), None));
        let fault = format!("{call}:error=EIO:when={place}");
        let args = ["journal", "append", "log", "-"];
        let output = annals(&logs, &args, &numbered(5..9), Some((&trace, fault)));
        let injected = fs::read_to_string(&trace).unwrap().contains("(INJECTED)");
        if !injected {
            assert!(output.status.success(), "{output:?}");
            assert_eq!(items(&logs), 9);
            break;
        }
        failures += 1;
        assert!(place < 100, "there is no end to it");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{call} {place} failed, and nobody was told: {output:?}");
        assert!(text.contains("sync") && text.contains("error"), "{call} {place}: {text}");

        // Before recovery, read-only, and after it: what was durable is there, and all that is there is right.
        let before = items(&logs);
        assert!((5..=9).contains(&before), "{before} items");
        let verified = annals(&logs, &["verify"], "", None);
        assert!(verified.status.success(), "{call} {place}: {verified:?}");
        fine(annals(&logs, &["journal", "append", "log", "-"], &numbered(before..12), None));
        assert_eq!(items(&logs), 12);
    }
    println!("{call} failed at {failures} places");
    assert!(failures > 0, "the command calls no {call}");
}

#[test]
fn an_fdatasync_that_fails_is_told_and_reopening_recovers() {
    every_place("fdatasync");
}

#[test]
fn an_fsync_that_fails_is_told_and_reopening_recovers() {
    every_place("fsync");
}
