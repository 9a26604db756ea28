//! The small scopes of the Raft log.

use super::{Op, Raft, Shape, Step, entry};
use crate::campaign::draw::item;
use crate::campaign::states::{Letter, Scope};
use crate::raft::model::Model;
use crate::raft::{Entry, HardState, LogId};

/// Entries from `first` on, of the term of this turn.
fn entries(turn: u64, first: u64, lens: &[usize]) -> Vec<Entry> {
    let bytes = |at: usize, len: usize| item(turn << 8 | at as u64, len).to_vec();
    let entry = |(at, &len)| entry(turn, first + at as u64, bytes(at, len));
    lens.iter().enumerate().map(entry).collect()
}

fn letters() -> Vec<Letter<Raft>> {
    let mut letters = vec![
        Letter::op("persist", |model: &Model, turn| {
            Op::Persist(entries(turn, model.last_index() + 1, &[20]))
        }),
        Letter::op("large", |model: &Model, turn| {
            Op::Persist(entries(turn, model.last_index() + 1, &[10, 1450]))
        }),
        Letter::op("overwrite", |model: &Model, turn| {
            Op::Persist(entries(turn, model.bounds().start, &[25]))
        }),
        Letter::op("replace", |model: &Model, turn| {
            let bounds = model.bounds();
            Op::Replace(
                bounds.end.saturating_sub(1).max(bounds.start),
                entries(turn, bounds.end.saturating_sub(1).max(bounds.start), &[5, 600]),
            )
        }),
        Letter::op("truncate", |model: &Model, _| Op::Truncate(model.last_index())),
        Letter::op("purge", |model: &Model, turn| {
            Op::Purge(LogId { term: turn, index: model.bounds().start })
        }),
        Letter::op("hard-state", |_, turn| {
            Op::HardState(HardState { term: turn, vote: Some(turn), extra: vec![turn as u8; 12] })
        }),
        Letter::op("reset", |_, _| Op::Reset),
        Letter::op("sync", |_, _| Op::Sync),
        Letter::op("begin-sync", |_, _| Op::BeginSync),
        Letter::op("wait-sync", |_, _| Op::WaitSync),
    ];
    letters.extend(Letter::life());
    letters
}

/// All of them.
pub(super) fn scopes() -> Vec<Scope<Raft>> {
    let scope = |name, gaps, synced, prelude| Scope {
        name,
        shape: Shape { gaps, synced },
        prelude,
        letters: letters(),
    };
    let filler = |first, len| Step::Do(Op::Persist(entries(99, first, &[len])));
    let full = vec![Step::Open(()), filler(1, 64_300), filler(2, 100), Step::Do(Op::Sync)];
    vec![
        scope("new", false, false, Vec::new()),
        scope("synced", true, true, Vec::new()),
        scope("full", false, false, full),
    ]
}
