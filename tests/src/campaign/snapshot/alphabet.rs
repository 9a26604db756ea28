//! The small scopes of the snapshot.

use super::op::key;
use super::{Change, Op, Shape, Snapshot, Step};
use crate::campaign::draw::item;
use crate::campaign::states::{Letter, Scope};

fn put(turn: u64, number: u64, len: usize) -> Change {
    Change::put(&key(number), &item(turn << 8 | number, len), &[turn as u8])
}

fn letters() -> Vec<Letter<Snapshot>> {
    let mut letters = vec![
        Letter::op("put", |_, turn| Op::Apply(vec![put(turn, 1, 20)], at(turn))),
        Letter::op("batch", |_, turn| Op::Apply(vec![put(turn, 1, 15), put(turn, 2, 600)], at(turn))),
        Letter::op("large", |_, turn| Op::Apply(vec![put(turn, 3, 1450)], at(turn))),
        Letter::op("delete", |_, turn| {
            let (first, second) = (Change::Delete(key(1), at(turn)), Change::Purge(key(2), at(turn)));
            Op::Apply(vec![first, second], Vec::new())
        }),
        Letter::op("cursor", |_, turn| Op::Apply(Vec::new(), at(turn))),
        Letter::op("compact", |_, _| Op::Compact),
        Letter::op("sync", |_, _| Op::Sync),
    ];
    letters.extend(Letter::life());
    letters
}

fn at(turn: u64) -> Vec<u8> {
    turn.to_string().into_bytes()
}

/// All of them.
pub(super) fn scopes() -> Vec<Scope<Snapshot>> {
    let usual = Shape { relaxed: false, on_disk: false, compact_at: u64::MAX };
    let relaxed = Shape { relaxed: true, on_disk: true, ..usual };
    let filler = |turn, len| Step::Do(Op::Apply(vec![put(turn, 4, len)], at(turn)));
    let full = || vec![Step::Open(()), filler(98, 64_300), filler(99, 100), Step::Do(Op::Sync)];
    let scope = |name, shape, prelude| Scope { name, shape, prelude, letters: letters() };
    vec![
        scope("new", usual, Vec::new()),
        scope("relaxed", relaxed, Vec::new()),
        scope("full", usual, full()),
        // What died is compacted by the next opening.
        scope("full, compacting", Shape { compact_at: 64 << 10, ..relaxed }, full()),
    ]
}
