//! What is done to journals in sweeps, and what is left at rest for tampering.

use super::{Journal, Op, Shape, Step, item};
use crate::campaign::trial::{Script, StepOf, Trial};

type JournalStep = StepOf<Journal>;

fn append(number: u64) -> JournalStep {
    Step::Do(Op::Append(item(number, 20)))
}

fn batch(numbers: std::ops::Range<u64>, len: usize) -> JournalStep {
    Step::Do(Op::Batch(numbers.map(|number| item(number, len)).collect()))
}

fn appends(numbers: std::ops::Range<u64>) -> impl Iterator<Item = JournalStep> {
    numbers.map(append)
}

/// The scripts of the sweeps.
pub(super) fn all() -> Vec<Script<Journal>> {
    vec![
        Script::usual(
            "single appends, flushed and synced",
            [Step::Open(None)]
                .into_iter()
                .chain(appends(0..3))
                .chain([Step::Do(Op::Flush)])
                .chain(appends(3..5))
                .chain([Step::Do(Op::SyncData)])
                .chain(appends(5..12))
                .chain([Step::Do(Op::Sync), append(12), Step::Do(Op::Flush), append(13)]),
        ),
        Script::usual(
            "batches of several sectors",
            [
                Step::Open(None),
                batch(0..1, 700),
                batch(1..4, 300),
                Step::Do(Op::SyncData),
                batch(4..6, 1100),
                batch(6..7, 40),
                append(7),
                batch(8..9, 5000),
                Step::Do(Op::Sync),
                batch(9..10, 900),
            ],
        ),
        Script::usual(
            "rewinds and what follows them",
            [
                Step::Open(None),
                batch(0..8, 100),
                Step::Do(Op::SyncData),
                Step::Do(Op::Rewind(5)),
                batch(100..103, 100),
                Step::Do(Op::Rewind(6)),
                append(106),
                Step::Do(Op::SyncData),
                append(107),
                Step::Do(Op::Rewind(2)),
                Step::Do(Op::Sync),
                batch(202..205, 300),
                Step::Do(Op::Rewind(0)),
                append(300),
                Step::Do(Op::Flush),
            ],
        ),
        Script::usual(
            "pruning",
            [
                Step::Open(None),
                batch(0..25, 30),
                Step::Do(Op::Prune(17)),
                append(25),
                append(26),
                Step::Do(Op::Prune(99)),
                Step::Do(Op::Rewind(22)),
                batch(122..131, 30),
                Step::Do(Op::Prune(30)),
                append(131),
                Step::Close,
                Step::Open(None),
                Step::Do(Op::Prune(30)),
                append(132),
                Step::Do(Op::SyncData),
            ],
        ),
        Script::usual(
            "rolling over, rewinding and pruning across segments",
            [
                Step::Open(None),
                batch(0..2, 14_000),
                batch(2..4, 14_000),
                Step::Do(Op::SyncData),
                batch(4..6, 14_000),
                batch(6..9, 14_000),
                Step::Do(Op::Rewind(3)),
                batch(103..106, 14_000),
                batch(106..112, 14_000),
                Step::Do(Op::Prune(10)),
                batch(112..115, 14_000),
                Step::Do(Op::Sync),
                batch(115..117, 14_000),
            ],
        ),
        Script::usual(
            "starting in the middle of a section",
            [
                Step::Open(Some(15)),
                append(15),
                append(16),
                append(17),
                Step::Do(Op::Sync),
                Step::Do(Op::Rewind(15)),
                Step::Close,
                Step::Open(Some(33)),
                batch(33..36, 600),
                Step::Close,
                Step::Open(None),
                batch(36..44, 60),
                Step::Do(Op::Prune(41)),
                Step::Drop,
                Step::Open(None),
                append(44),
                Step::Do(Op::Flush),
            ],
        ),
        Script::usual(
            "closing, dropping and opening again",
            [
                Step::Open(None),
                append(0),
                Step::Close,
                Step::Open(None),
                Step::Close,
                Step::Open(None),
                append(1),
                append(2),
                Step::Drop,
                Step::Open(None),
                batch(3..5, 800),
                Step::Drop,
                Step::Open(None),
                Step::Do(Op::Rewind(3)),
                Step::Drop,
                Step::Open(None),
                Step::Do(Op::Sync),
                Step::Drop,
                Step::Open(None),
                append(6),
                Step::Close,
            ],
        ),
        Script::usual(
            "destroying and making anew",
            [
                Step::Open(None),
                batch(0..3, 14_000),
                batch(3..6, 14_000),
                Step::Close,
                Step::Destroy,
                Step::Open(None),
                append(100),
                Step::Do(Op::SyncData),
                Step::Drop,
                Step::Destroy,
                Step::Open(Some(7)),
                append(107),
                Step::Do(Op::Flush),
            ],
        ),
        Script::usual(
            "syncs that take their time",
            [
                Step::Open(None),
                batch(0..2, 600),
                Step::Do(Op::BeginSync),
                batch(2..4, 600),
                append(4),
                Step::Do(Op::WaitSync),
                append(5),
                Step::Do(Op::BeginSync),
                Step::Do(Op::BeginSync),
                batch(6..8, 600),
                Step::Do(Op::WaitSync),
                Step::Do(Op::BeginSync),
                Step::Do(Op::Rewind(4)),
                Step::Do(Op::WaitSync),
                batch(104..106, 14_000),
                Step::Do(Op::BeginSync),
                batch(106..110, 14_000),
                Step::Do(Op::WaitSync),
                append(110),
                Step::Do(Op::SyncData),
            ],
        ),
        Script {
            name: "small sections, synced as they fill",
            shape: Shape { items_per_section: 3, ..Journal::USUAL },
            steps: [Step::Open(None)]
                .into_iter()
                .chain(appends(0..8))
                .chain([
                    batch(8..13, 200),
                    Step::Do(Op::Rewind(11)),
                    append(111),
                    append(112),
                    Step::Do(Op::Prune(8)),
                    Step::Close,
                ])
                .collect(),
        },
        Script {
            name: "a small write buffer, sections not synced",
            shape: Shape { items_per_section: 5, sync_sections: false, write_buffer: 100 },
            steps: [Step::Open(None)]
                .into_iter()
                .chain(appends(0..30))
                .chain([Step::Do(Op::SyncData)])
                .chain(appends(30..45))
                .chain([
                    Step::Do(Op::Rewind(40)),
                    append(140),
                    Step::Drop,
                    Step::Open(None),
                    append(141),
                    Step::Do(Op::Sync),
                ])
                .collect(),
        },
    ]
}

/// Small logs at rest.
pub(super) fn at_rest() -> Vec<Script<Journal>> {
    let short = |number| Step::Do(Op::Append(item(number, 15)));
    vec![
        Script::usual("an empty log, closed", [Step::Open(None), Step::Close]),
        Script::usual(
            "appends and a batch, closed",
            [Step::Open(None)].into_iter().chain((0..5).map(short)).chain([
                batch(5..8, 60),
                Step::Do(Op::Sync),
                short(8),
                Step::Close,
            ]),
        ),
        Script::usual(
            "rewinds and a prune, closed",
            [
                Step::Open(None),
                batch(0..14, 12),
                Step::Do(Op::Rewind(11)),
                batch(111..113, 12),
                Step::Do(Op::Prune(10)),
                Step::Do(Op::Rewind(12)),
                short(200),
                Step::Close,
            ],
        ),
        Script::usual(
            "two segments, closed",
            [Step::Open(None), batch(0..4, 14_000), batch(4..8, 14_000), batch(8..9, 200), Step::Close],
        ),
        Script::usual(
            "synced data and more, not closed",
            [
                Step::Open(None),
                batch(0..3, 40),
                Step::Do(Op::SyncData),
                batch(3..5, 300),
                Step::Do(Op::SyncData),
                batch(5..7, 300),
            ],
        ),
        Script::usual(
            "synced with an index, not closed",
            [
                Step::Open(None),
                batch(0..3, 40),
                Step::Do(Op::Rewind(2)),
                Step::Do(Op::Sync),
                batch(102..104, 40),
            ],
        ),
        Script::usual(
            "nothing synced, not closed",
            [Step::Open(None), batch(0..3, 400), Step::Do(Op::Rewind(1))],
        ),
    ]
}
