//! What is done to snapshots in sweeps, and what is left at rest for tampering.

use super::op::key;
use super::{Change, Op, Shape, Snapshot, Step, Trial};
use crate::campaign::draw::item;
use crate::campaign::trial::{Script, StepOf};
use annals_logs::types::Limits;

type SnapshotStep = StepOf<Snapshot>;

/// Puts of these keys with values of that size.
fn puts(turn: u64, keys: std::ops::Range<u64>, len: usize) -> Vec<Change> {
    keys.map(|number| Change::put(&key(number), &item(turn << 20 | number, len), turn.to_string().as_bytes()))
        .collect()
}

fn apply(turn: u64, keys: std::ops::Range<u64>, len: usize) -> SnapshotStep {
    Step::Do(Op::Apply(puts(turn, keys, len), format!("turn {turn}").into_bytes()))
}

/// Some puts, and two keys that go.
fn mixed(turn: u64, keys: std::ops::Range<u64>, len: usize) -> SnapshotStep {
    let mut changes = puts(turn, keys.clone(), len);
    changes.push(Change::Delete(key(keys.start), b"gone".to_vec()));
    changes.push(Change::Purge(key(keys.end), Vec::new()));
    Step::Do(Op::Apply(changes, format!("turn {turn}").into_bytes()))
}

fn cursor(cursor: &str) -> SnapshotStep {
    Step::Do(Op::Apply(Vec::new(), cursor.into()))
}

fn compact() -> SnapshotStep {
    Step::Do(Op::Compact)
}

fn range(prefix: &str) -> SnapshotStep {
    Step::Do(Op::Range(prefix.into()))
}

fn read_on(count: u32) -> SnapshotStep {
    Step::Do(Op::ReadOn(Limits { count, bytes: u32::MAX }))
}

/// The scripts of the sweeps.
pub(super) fn all() -> Vec<Script<Snapshot>> {
    let relaxed = Shape { relaxed: true, on_disk: true, ..Snapshot::USUAL };
    let automatic = Shape { compact_at: 64 << 10, on_disk: true, ..Snapshot::USUAL };
    vec![
        Script::usual(
            "batches",
            [
                Step::Open(()),
                apply(1, 0..5, 30),
                mixed(2, 3..9, 100),
                cursor("only the cursor"),
                apply(3, 0..1, 5000),
                cursor(""),
                Step::Drop,
                Step::Open(()),
                mixed(4, 1..3, 0),
                Step::Close,
                Step::Open(()),
                apply(5, 2..4, 700),
            ],
        ),
        Script {
            name: "relaxed batches",
            shape: relaxed,
            steps: vec![
                Step::Open(()),
                apply(1, 0..5, 30),
                mixed(2, 3..9, 900),
                Step::Do(Op::Sync),
                apply(3, 0..3, 100),
                cursor("on"),
                compact(),
                mixed(4, 1..4, 60),
                Step::Do(Op::Sync),
                apply(5, 1..2, 60),
                Step::Drop,
            ],
        },
        Script::usual(
            "compactions",
            [
                Step::Open(()),
                compact(),
                apply(1, 0..8, 100),
                mixed(2, 2..6, 300),
                compact(),
                mixed(3, 5..9, 50),
                compact(),
                compact(),
                Step::Drop,
                Step::Open(()),
                apply(4, 0..2, 2000),
                compact(),
                Step::Close,
                Step::Destroy,
                Step::Open(()),
                apply(5, 0..2, 30),
                compact(),
            ],
        ),
        Script {
            name: "ranges beside compactions",
            shape: Shape { on_disk: true, ..Snapshot::USUAL },
            steps: vec![
                Step::Open(()),
                apply(1, 0..9, 200),
                range(""),
                read_on(2),
                mixed(2, 1..7, 100),
                compact(),
                range("b"),
                mixed(3, 4..9, 100),
                compact(),
                read_on(3),
                read_on(100),
                read_on(1),
                read_on(100),
                read_on(1),
                compact(),
                Step::Close,
            ],
        },
        Script {
            name: "segments that roll, and compactions by threshold",
            shape: automatic,
            steps: vec![
                Step::Open(()),
                apply(1, 0..3, 12_000),
                apply(2, 3..6, 13_000),
                apply(3, 0..3, 12_000),
                apply(4, 2..6, 12_000),
                mixed(5, 1..4, 14_000),
                compact(),
                apply(6, 4..8, 16_000),
                Step::Drop,
                Step::Open(()),
                apply(7, 0..2, 20_000),
                Step::Close,
            ],
        },
    ]
}

/// Small logs for tampering, cleanly closed and not.
pub(super) fn at_rest() -> Vec<Script<Snapshot>> {
    let batches = || {
        vec![
            Step::Open(()),
            apply(1, 0..6, 40),
            mixed(2, 4..8, 60),
            cursor("in between"),
            apply(3, 0..2, 900),
            mixed(4, 1..3, 20),
        ]
    };
    let compacted = || {
        vec![
            Step::Open(()),
            apply(1, 0..12, 700),
            mixed(2, 4..8, 60),
            compact(),
            mixed(3, 1..3, 50),
            apply(4, 5..6, 30),
        ]
    };
    let rolled =
        || vec![Step::Open(()), apply(1, 0..3, 12_000), apply(2, 2..5, 11_000), mixed(3, 0..4, 12_000)];
    let mut scripts = Vec::new();
    for (name, steps, ends) in [
        ("batches, closed", batches(), vec![Step::Close]),
        ("batches, not closed", batches(), vec![Step::Do(Op::Sync)]),
        ("compacted, closed", compacted(), vec![Step::Close]),
        ("compacted, not closed", compacted(), vec![Step::Do(Op::Sync)]),
        ("segments, closed", rolled(), vec![Step::Close]),
    ] {
        scripts.push(Script::usual(name, steps.into_iter().chain(ends)));
    }
    scripts
}
