//! The small scopes of the event log: all policies, alone and shared.

use super::{EventLog, Op, Policy, Shape, Step, item};
use crate::campaign::states::{Letter, Scope};
use crate::event::model::Model;

/// The lowest id that is missing below the next one, if there is one; a late event goes there.
fn gap(model: &Model) -> u64 {
    (0..model.next()).find(|id| model.get(*id).is_none()).unwrap_or(model.next())
}

fn letters() -> Vec<Letter<EventLog>> {
    let mut letters = vec![
        Letter::op("append", |model: &Model, turn| Op::Append(model.next(), item(turn, 20))),
        Letter::op("skip", |model: &Model, turn| Op::Append(model.next() + 2, item(turn, 25))),
        Letter::op("late", |model: &Model, turn| Op::Append(gap(model), item(turn, 15))),
        Letter::op("batch", |model: &Model, turn| {
            Op::Batch(model.next(), vec![item(turn << 8, 15), item(turn << 8 | 1, 600)])
        }),
        Letter::op("large", |model: &Model, turn| Op::Batch(model.next(), vec![item(turn, 1500)])),
        // The newest one stays: what is deleted can be found out below it.
        Letter::op("delete", |model: &Model, _| match model.newest() {
            Some(newest) if newest > 0 => Op::Delete(0, newest - 1),
            _ => Op::Delete(1, 0),
        }),
        Letter::op("rotate", |_, _| Op::Rotate),
        Letter::op("sync", |_, _| Op::Sync),
        Letter::op("begin-sync", |_, _| Op::BeginSync),
        Letter::op("wait-sync", |_, _| Op::WaitSync),
    ];
    letters.extend(Letter::life());
    letters
}

/// All of them.
pub(super) fn scopes() -> Vec<Scope<EventLog>> {
    let scope = |name, policy, handles, prelude| Scope {
        name,
        shape: Shape { policy, handles },
        prelude,
        letters: letters(),
    };
    let filler = |id, len| Step::Do(Op::Batch(id, vec![item(1000 + id, len)]));
    let full = || vec![Step::Open(()), filler(0, 64_300), filler(1, 100), Step::Do(Op::Sync)];
    vec![
        scope("flushed", Policy::Flushed, 0, Vec::new()),
        scope("buffered", Policy::Buffered, 0, Vec::new()),
        scope("synced", Policy::Synced, 0, Vec::new()),
        scope("shared", Policy::Flushed, 2, Vec::new()),
        scope("full", Policy::Flushed, 0, full()),
    ]
}
