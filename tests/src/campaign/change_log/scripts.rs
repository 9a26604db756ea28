//! What is done to change logs in sweeps, and what is left at rest for tampering.

use super::{Change, ChangeLog, Op, Start, Step, item};
use crate::campaign::trial::{Script, StepOf};

type ChangeStep = StepOf<ChangeLog>;

fn change(number: u64, len: usize) -> Change {
    Change { payload: item(number, len).to_vec(), cleanup_after_ms: None }
}

fn open(name: &'static str) -> ChangeStep {
    Step::Open(Start { name, ..Start::default() })
}

/// Opens it when so much time has passed since the start.
fn open_after(name: &'static str, ms: u64) -> ChangeStep {
    Step::Open(Start { name, now: Start::default().now + ms })
}

fn record(name: &'static str, id: u8, number: u64, len: usize) -> ChangeStep {
    Step::Do(Op::Record(name, id, change(number, len)))
}

fn remove(name: &'static str, origin: &str, id: u8) -> ChangeStep {
    Step::Do(Op::Remove(name, (origin.into(), vec![id])))
}

fn join(name: &'static str) -> ChangeStep {
    Step::Do(Op::Join(name))
}

fn leave(name: &'static str) -> ChangeStep {
    Step::Do(Op::Leave(name))
}

fn die(name: &'static str) -> ChangeStep {
    Step::Do(Op::Die(name))
}

fn beat(name: &'static str) -> ChangeStep {
    Step::Do(Op::Beat(name))
}

fn recover(name: &'static str, stale_after: u64) -> ChangeStep {
    Step::Do(Op::Recover(name, stale_after))
}

fn scan(name: &'static str) -> ChangeStep {
    Step::Do(Op::Scan(name, true))
}

fn clock(ms: u64) -> ChangeStep {
    Step::Do(Op::Clock(Start::default().now + ms))
}

/// The scripts of the sweeps.
pub(super) fn all() -> Vec<Script<ChangeLog>> {
    let deferred = Change { cleanup_after_ms: Some(Start::default().now + 5000), ..change(7, 40) };
    vec![
        Script::usual(
            "one instance records, replaces and removes",
            [
                open("a"),
                record("a", 0, 1, 30),
                record("a", 1, 2, 700),
                record("a", 0, 3, 60),
                remove("a", "a", 1),
                Step::Do(Op::Record("a", 2, deferred)),
                Step::Do(Op::Scan("a", false)),
                clock(5000),
                Step::Do(Op::Scan("a", false)),
                record("a", 3, 4, 5000),
                clock(15_000),
                remove("a", "a", 5),
                beat("a"),
                remove("a", "a", 0),
                record("a", 1, 5, 20),
            ],
        ),
        Script::usual(
            "who dies is taken over, and its changes removed",
            [
                open("a"),
                record("a", 0, 1, 30),
                record("a", 1, 2, 900),
                join("b"),
                record("b", 0, 3, 40),
                die("a"),
                recover("b", 60_000),
                clock(60_000),
                recover("b", 60_000),
                scan("b"),
                remove("b", "a", 1),
                join("c"),
                record("b", 1, 4, 50),
                recover("c", 0),
                scan("c"),
                record("b", 2, 5, 50),
                remove("c", "b", 0),
                scan("c"),
            ],
        ),
        Script::usual(
            "three that take over from each other in turn",
            [
                open("a"),
                join("b"),
                join("c"),
                record("a", 0, 1, 30),
                record("b", 0, 2, 30),
                record("c", 0, 3, 30),
                recover("a", 0),
                record("a", 1, 4, 30),
                beat("b"),
                join("b"),
                record("b", 0, 5, 300),
                recover("b", 0),
                remove("b", "c", 0),
                scan("b"),
                beat("c"),
                join("c"),
                recover("c", 0),
                scan("c"),
                Step::Do(Op::Instances),
            ],
        ),
        Script::usual(
            "names that are used again, closed and not",
            [
                open("a"),
                record("a", 0, 1, 30),
                record("a", 1, 2, 30),
                Step::Drop,
                open_after("a", 10),
                record("a", 0, 3, 500),
                Step::Close,
                open_after("b", 20),
                record("b", 0, 4, 30),
                recover("b", 60_000),
                scan("b"),
                join("a"),
                record("a", 1, 5, 30),
                leave("a"),
                join("a"),
                remove("a", "a", 1),
                leave("a"),
                scan("b"),
                Step::Close,
            ],
        ),
        Script::usual(
            "files that fill up, and are given up",
            [
                open("a"),
                record("a", 0, 1, 15_000),
                record("a", 1, 2, 15_000),
                record("a", 2, 3, 15_000),
                record("a", 0, 4, 16_000),
                record("a", 1, 5, 15_000),
                remove("a", "a", 2),
                record("a", 0, 6, 15_000),
                record("a", 1, 7, 15_000),
                join("b"),
                record("b", 0, 8, 100),
                recover("b", 0),
                record("b", 1, 9, 15_000),
                record("b", 1, 10, 15_000),
                record("b", 1, 11, 15_000),
                scan("b"),
                remove("b", "a", 0),
                remove("b", "a", 1),
                Step::Close,
            ],
        ),
        Script::usual(
            "leaving with nothing, and a log that is made anew",
            [
                open("a"),
                join("b"),
                record("a", 0, 1, 30),
                leave("b"),
                remove("a", "a", 0),
                leave("a"),
                join("c"),
                record("c", 0, 2, 30),
                Step::Close,
                Step::Destroy,
                open("a"),
                record("a", 0, 3, 30),
                join("z"),
                record("z", 0, 4, 30),
                Step::Drop,
                open_after("z", 100),
                recover("z", 50),
                scan("z"),
            ],
        ),
    ]
}

/// Small logs for tampering, cleanly closed and not.
pub(super) fn at_rest() -> Vec<Script<ChangeLog>> {
    let one = || {
        vec![
            open("a"),
            record("a", 0, 1, 30),
            record("a", 1, 2, 200),
            record("a", 2, 3, 40),
            record("a", 0, 4, 60),
            remove("a", "a", 2),
            record("a", 3, 5, 20),
        ]
    };
    let several = || {
        vec![
            open("a"),
            record("a", 0, 1, 30),
            record("a", 1, 2, 40),
            join("b"),
            record("b", 0, 3, 30),
            leave("a"),
            recover("b", 60_000),
            remove("b", "a", 0),
            join("z"),
            record("z", 1, 4, 50),
            record("b", 1, 5, 30),
        ]
    };
    let rolled = || {
        vec![
            open("a"),
            record("a", 0, 1, 15_000),
            record("a", 1, 2, 15_000),
            record("a", 2, 3, 15_000),
            record("a", 3, 4, 15_000),
            record("a", 4, 5, 15_000),
            remove("a", "a", 0),
            record("a", 5, 6, 30),
        ]
    };
    let mut scripts = Vec::new();
    for (name, steps, ends) in [
        ("one instance, closed", one(), vec![Step::Close]),
        ("one instance, not closed", one(), vec![scan("a")]),
        ("several instances, closed", several(), vec![Step::Close]),
        ("several instances, not closed", several(), vec![scan("b")]),
        ("segments, closed", rolled(), vec![Step::Close]),
    ] {
        scripts.push(Script::usual(name, steps.into_iter().chain(ends)));
    }
    scripts
}
