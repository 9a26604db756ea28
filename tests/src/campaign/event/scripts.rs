//! What is done to event logs in sweeps, and what is left at rest for tampering.

use super::{EventLog, Op, Policy, Shape, Step, item};
use crate::campaign::trial::{Script, StepOf};

type EventStep = StepOf<EventLog>;

fn append(id: u64) -> EventStep {
    Step::Do(Op::Append(id, item(id, 20)))
}

fn batch(ids: std::ops::Range<u64>, len: usize) -> EventStep {
    Step::Do(Op::Batch(ids.start, ids.map(|id| item(id, len)).collect()))
}

fn delete(first: u64, last: u64) -> EventStep {
    Step::Do(Op::Delete(first, last))
}

const SYNC: EventStep = Step::Do(Op::Sync);
const FLUSH: EventStep = Step::Do(Op::Flush);
const ROTATE: EventStep = Step::Do(Op::Rotate);
const OPEN: EventStep = Step::Open(());

fn with(
    policy: Policy,
    handles: usize,
    name: &'static str,
    steps: impl IntoIterator<Item = EventStep>,
) -> Script<EventLog> {
    Script { name, shape: Shape { policy, handles }, steps: steps.into_iter().collect() }
}

/// Late ids, retries, deletions and rotations.
fn everything() -> Vec<EventStep> {
    vec![
        OPEN,
        append(0),
        append(3),
        append(1),
        batch(5..9, 300),
        SYNC,
        append(12),
        batch(0..4, 20),
        // Some of it is there.
        batch(7..14, 300),
        delete(1, 2),
        append(20),
        batch(15..19, 1100),
        ROTATE,
        append(19),
        append(4),
        delete(0, 8),
        append(21),
        SYNC,
        append(14),
        append(30),
    ]
}

/// Several files, some of which go.
fn files() -> Vec<EventStep> {
    vec![
        OPEN,
        batch(0..2, 14_000),
        batch(2..4, 14_000),
        SYNC,
        batch(4..6, 14_000),
        batch(7..9, 14_000),
        batch(6..7, 14_000),
        delete(1, 1),
        batch(9..12, 14_000),
        delete(0, 6),
        batch(12..15, 14_000),
        SYNC,
        delete(2, 13),
        batch(15..17, 14_000),
    ]
}

/// The scripts of the sweeps.
pub(super) fn all() -> Vec<Script<EventLog>> {
    let reopening = [
        OPEN,
        append(0),
        append(2),
        Step::Close,
        OPEN,
        append(1),
        Step::Drop,
        OPEN,
        batch(3..5, 800),
        Step::Drop,
        OPEN,
        delete(1, 1),
        Step::Drop,
        OPEN,
        SYNC,
        Step::Drop,
        OPEN,
        append(6),
        Step::Close,
        Step::Destroy,
        OPEN,
        append(100),
        SYNC,
    ];
    let syncs = [
        OPEN,
        batch(0..2, 600),
        Step::Do(Op::BeginSync),
        batch(3..5, 600),
        append(2),
        Step::Do(Op::WaitSync),
        append(5),
        Step::Do(Op::BeginSync),
        Step::Do(Op::BeginSync),
        batch(6..8, 600),
        Step::Do(Op::WaitSync),
        Step::Do(Op::BeginSync),
        ROTATE,
        append(8),
        Step::Do(Op::WaitSync),
        SYNC,
    ];
    let waiting = [OPEN, append(0), append(4), append(5), FLUSH, append(8), append(9), append(2), append(10)];
    let more = [SYNC, append(13), append(14), delete(8, 9), append(15), batch(14..18, 30), append(20), FLUSH];
    vec![
        with(Policy::Flushed, 0, "everything, flushed", everything()),
        with(Policy::Synced, 0, "everything, synced", everything()),
        with(Policy::Flushed, 1, "everything, in shared mode", everything()),
        with(Policy::Synced, 2, "everything, two handles, synced", everything()),
        with(Policy::Flushed, 3, "everything, three handles", everything()),
        with(Policy::Buffered, 0, "everything, buffered", everything()),
        with(Policy::Flushed, 0, "files that go", files()),
        with(Policy::Flushed, 2, "files that go, two handles", files()),
        Script::usual("closing, dropping, destroying and opening again", reopening.clone()),
        with(Policy::Flushed, 2, "the same with two handles", reopening),
        Script::usual("syncs that take their time", syncs.clone()),
        with(Policy::Flushed, 2, "the same with two handles", syncs),
        with(Policy::Buffered, 0, "events that wait", waiting.into_iter().chain(more)),
    ]
}

/// Small logs at rest.
pub(super) fn at_rest() -> Vec<Script<EventLog>> {
    vec![
        Script::usual("an empty log, closed", [OPEN, Step::Close]),
        Script::usual(
            "events and a batch, closed",
            [OPEN].into_iter().chain((0..5).map(append)).chain([
                batch(5..8, 60),
                SYNC,
                append(8),
                Step::Close,
            ]),
        ),
        Script::usual(
            // No gap is left: of an id that was never there nobody could tell whether it was lost.
            "late events and a deletion, closed",
            [
                OPEN,
                append(0),
                append(3),
                append(1),
                append(2),
                batch(5..9, 40),
                delete(6, 6),
                append(4),
                append(9),
                Step::Close,
            ],
        ),
        Script::usual(
            "two files, closed",
            [OPEN, batch(0..4, 14_000), batch(4..8, 14_000), batch(8..9, 200), Step::Close],
        ),
        Script::usual(
            "synced events and more, not closed",
            [OPEN, batch(0..3, 40), SYNC, batch(4..6, 300), SYNC, append(3), batch(6..8, 300)],
        ),
        with(
            Policy::Flushed,
            2,
            "two handles, not closed",
            [OPEN, batch(0..3, 40), append(5), SYNC, append(4), append(7), append(9)],
        ),
        Script::usual("nothing synced, not closed", [OPEN, batch(0..3, 400), append(5), append(4)]),
    ]
}
