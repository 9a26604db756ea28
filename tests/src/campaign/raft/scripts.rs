//! What is done to Raft logs in sweeps, and what is left at rest for tampering.

use super::{Op, Raft, Shape, Step, Trial, entry};
use crate::campaign::draw::item;
use crate::campaign::trial::{Script, StepOf};
use crate::raft::{Entry, HardState, LogId};

type RaftStep = StepOf<Raft>;

fn entries(term: u64, range: std::ops::Range<u64>, len: usize) -> Vec<Entry> {
    range.map(|index| entry(term, index, item(term << 20 | index, len).to_vec())).collect()
}

fn persist(term: u64, range: std::ops::Range<u64>, len: usize) -> RaftStep {
    Step::Do(Op::Persist(entries(term, range, len)))
}

/// Entries at these indexes only.
fn at(term: u64, indexes: &[u64], len: usize) -> RaftStep {
    Step::Do(Op::Persist(indexes.iter().flat_map(|&index| entries(term, index..index + 1, len)).collect()))
}

fn replace(term: u64, range: std::ops::Range<u64>, len: usize) -> RaftStep {
    Step::Do(Op::Replace(range.start, entries(term, range, len)))
}

fn truncate(first: u64) -> RaftStep {
    Step::Do(Op::Truncate(first))
}

fn purge(term: u64, index: u64) -> RaftStep {
    Step::Do(Op::Purge(LogId { term, index }))
}

fn hard(term: u64, len: usize) -> RaftStep {
    Step::Do(Op::HardState(HardState { term, vote: Some(term % 5), extra: item(term, len).to_vec() }))
}

/// The scripts of the sweeps.
pub(super) fn all() -> Vec<Script<Raft>> {
    let sync = || Step::Do(Op::Sync);
    vec![
        Script::usual(
            "persisting and overwriting",
            [
                Step::Open(()),
                persist(1, 1..5, 30),
                sync(),
                persist(1, 5..9, 700),
                persist(2, 3..7, 100),
                at(3, &[2, 5, 8, 9], 60),
                sync(),
                persist(3, 8..12, 400),
                Step::Do(Op::BeginSync),
                persist(4, 1..2, 30),
                Step::Do(Op::WaitSync),
                persist(4, 12..13, 5000),
            ],
        ),
        Script::usual(
            "truncating and replacing",
            [
                Step::Open(()),
                persist(1, 1..12, 100),
                sync(),
                truncate(9),
                persist(2, 9..11, 100),
                replace(3, 6..9, 900),
                persist(3, 9..10, 50),
                sync(),
                replace(4, 2..20, 40),
                truncate(15),
                Step::Do(Op::Replace(14, Vec::new())),
                truncate(1),
                persist(5, 1..3, 300),
                Step::Do(Op::Flush),
            ],
        ),
        Script::usual(
            "hard states between entries",
            [
                Step::Open(()),
                hard(1, 10),
                persist(1, 1..4, 50),
                hard(2, 900),
                persist(2, 2..6, 50),
                truncate(4),
                hard(3, 4000),
                hard(4, 0),
                Step::Drop,
                Step::Open(()),
                hard(5, 30),
                persist(5, 4..5, 30),
                Step::Close,
                Step::Open(()),
                hard(6, 30),
            ],
        ),
        Script::usual(
            "purging and resetting",
            [
                Step::Open(()),
                hard(1, 10),
                persist(1, 1..20, 60),
                purge(1, 7),
                persist(2, 12..25, 60),
                purge(2, 24),
                purge(3, 40),
                persist(4, 41..45, 60),
                Step::Drop,
                Step::Open(()),
                purge(4, 43),
                persist(5, 44..50, 60),
                Step::Do(Op::Reset),
                persist(6, 1..5, 60),
                Step::Do(Op::Reset),
                Step::Close,
                Step::Destroy,
                Step::Open(()),
                persist(7, 1..3, 30),
            ],
        ),
        Script::usual(
            "segments that roll",
            [
                Step::Open(()),
                hard(1, 100),
                persist(1, 1..5, 15_000),
                persist(1, 5..9, 15_000),
                persist(2, 2..7, 14_000),
                sync(),
                replace(3, 6..9, 20_000),
                persist(3, 9..13, 15_000),
                purge(3, 4),
                truncate(10),
                persist(4, 10..14, 16_000),
                purge(4, 13),
                persist(5, 14..18, 15_000),
                Step::Do(Op::Reset),
                persist(6, 1..6, 14_000),
                Step::Close,
            ],
        ),
        Script {
            name: "gaps, each call durable",
            shape: Shape { gaps: true, synced: true },
            steps: vec![
                Step::Open(()),
                at(1, &[3, 4, 9], 50),
                persist(1, 20..24, 300),
                at(2, &[1, 9, 15, 30], 200),
                truncate(17),
                persist(3, 40..42, 30),
                purge(3, 12),
                replace(4, 14..16, 700),
                truncate(13),
                persist(5, 50..52, 30),
            ],
        },
    ]
}

/// Small logs for tampering, cleanly closed and not.
pub(super) fn at_rest() -> Vec<Script<Raft>> {
    let changes = || {
        vec![
            Step::Open(()),
            hard(1, 20),
            persist(1, 1..6, 40),
            persist(2, 4..9, 30),
            hard(2, 20),
            at(3, &[2, 6, 9], 25),
            replace(4, 8..11, 60),
            purge(1, 1),
            persist(5, 11..13, 40),
            truncate(12),
            persist(6, 12..14, 30),
        ]
    };
    let rolled = || {
        vec![
            Step::Open(()),
            hard(1, 20),
            persist(1, 1..6, 12_000),
            persist(2, 3..5, 11_000),
            persist(2, 6..10, 13_000),
            replace(3, 9..11, 12_000),
            hard(3, 50),
        ]
    };
    let gappy = Shape { gaps: true, ..Raft::USUAL };
    let mut scripts = Vec::new();
    for (name, steps, shape, ends) in [
        ("changes, closed", changes(), Raft::USUAL, vec![Step::Close]),
        ("changes, synced", changes(), Raft::USUAL, vec![Step::Do(Op::Sync)]),
        ("segments, closed", rolled(), Raft::USUAL, vec![Step::Close]),
        ("segments, synced", rolled(), Raft::USUAL, vec![Step::Do(Op::Sync)]),
        (
            "gaps, closed",
            vec![Step::Open(()), at(1, &[3, 5], 30), persist(1, 9..12, 30)],
            gappy,
            vec![Step::Close],
        ),
    ] {
        scripts.push(Script { name, shape, steps: steps.into_iter().chain(ends).collect() });
    }
    scripts
}
