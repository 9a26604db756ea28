//! The small scopes of the change log: one instance, another one beside it, and what a dead one left.

use super::{Change, ChangeLog, Op, Shape, Start, State, Step, item};
use crate::campaign::states::{Letter, Scope};

fn change(number: u64, len: usize) -> Change {
    Change { payload: item(number, len).to_vec(), cleanup_after_ms: None }
}

fn letters() -> Vec<Letter<ChangeLog>> {
    let mut letters = vec![
        Letter::op("record", |_: &State, turn| Op::Record("a", 1, change(turn, 20))),
        Letter::op("large", |_: &State, turn| Op::Record("a", 2, change(turn, 1450))),
        Letter::op("remove", |_: &State, _| Op::Remove("a", ("a".into(), vec![1]))),
        // Nobody else may remove what was taken over.
        Letter::op("remove-taken", |_: &State, _| Op::Remove("a", ("b".into(), vec![1]))),
        Letter::op("beat", |_: &State, _| Op::Beat("a")),
        Letter::op("recover", |_: &State, _| Op::Recover("a", 0)),
        Letter::op("join-b", |_: &State, _| Op::Join("b")),
        Letter::op("record-b", |_: &State, turn| Op::Record("b", 1, change(turn, 600))),
        Letter::op("recover-b", |_: &State, _| Op::Recover("b", 0)),
        Letter::op("die-b", |_: &State, _| Op::Die("b")),
        Letter::op("leave-b", |_: &State, _| Op::Leave("b")),
    ];
    letters.extend(Letter::life());
    letters
}

/// All of them.
pub(super) fn scopes() -> Vec<Scope<ChangeLog>> {
    let scope =
        |name, prelude| Scope { name, shape: Shape { heartbeat_ms: 30_000 }, prelude, letters: letters() };
    let open = || Step::Open(Start::default());
    let dead = vec![
        open(),
        Step::Do(Op::Join("b")),
        Step::Do(Op::Record("b", 1, change(1001, 30))),
        Step::Do(Op::Record("b", 3, change(1003, 700))),
        Step::Do(Op::Record("a", 3, change(1004, 30))),
        Step::Do(Op::Die("b")),
    ];
    let full = vec![
        open(),
        Step::Do(Op::Record("a", 4, change(1005, 64_000))),
        Step::Do(Op::Record("a", 3, change(1006, 100))),
    ];
    vec![scope("new", Vec::new()), scope("dead", dead), scope("full", full)]
}
