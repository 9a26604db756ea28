//! The small scopes of the journal. Sections are of two items, so that they fill up and can be pruned at once.

use super::{Journal, Model, Op, Shape, Step, item};
use crate::campaign::states::{Letter, Scope};

const SHAPE: Shape = Shape { items_per_section: 2, sync_sections: true, write_buffer: 64 << 10 };

fn letters() -> Vec<Letter<Journal>> {
    let mut letters = vec![
        Letter::op("append", |_, turn| Op::Append(item(turn, 20))),
        Letter::op("batch", |_, turn| Op::Batch(vec![item(turn << 8, 15), item(turn << 8 | 1, 600)])),
        Letter::op("large", |_, turn| Op::Batch(vec![item(turn, 1500)])),
        Letter::op("rewind", |model: &Model, _| {
            Op::Rewind(model.size().saturating_sub(1).max(model.boundary()))
        }),
        Letter::op("prune", |model: &Model, _| Op::Prune(model.boundary() + 2)),
        Letter::op("sync", |_, _| Op::SyncData),
        Letter::op("begin-sync", |_, _| Op::BeginSync),
        Letter::op("wait-sync", |_, _| Op::WaitSync),
    ];
    letters.extend(Letter::life());
    letters
}

/// All of them.
pub(super) fn scopes() -> Vec<Scope<Journal>> {
    let plain = Shape { items_per_section: 1000, write_buffer: 0, sync_sections: false };
    let filler = |number, len| Step::Do(Op::Batch(vec![item(number, len)]));
    vec![
        Scope { name: "new", shape: SHAPE, prelude: Vec::new(), letters: letters() },
        Scope { name: "unbuffered", shape: plain, prelude: Vec::new(), letters: letters() },
        Scope {
            name: "full",
            shape: SHAPE,
            prelude: vec![Step::Open(None), filler(1000, 64_300), filler(1001, 100), Step::Do(Op::Sync)],
            letters: letters(),
        },
    ]
}
