//! What is done to a Raft log, one operation at a time.

use super::{Draw, Step};
use crate::raft::model::Model;
use crate::raft::{Entries, Entry, HardState, LogId, entry};
use annals_logs::types::Limits;

/// One operation.
#[derive(Clone)]
#[allow(missing_docs)] // named after the calls of the Raft log
pub enum Op {
    Persist(Vec<Entry>),
    Replace(u64, Vec<Entry>),
    Truncate(u64),
    Purge(LogId),
    Reset,
    HardState(HardState),
    Entry(u64),
    Term(u64),
    First,
    Range(u64, u64, Limits),
    Flush,
    Sync,
    BeginSync,
    /// Waits for the sync that was begun last, if it is not over.
    WaitSync,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |entries: &[Entry]| {
            let one = |entry: &Entry| {
                let Entry { id: LogId { term, index }, payload } = entry;
                format!("{index} of term {term} ({} bytes)", payload.len())
            };
            entries.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        match self {
            Op::Persist(entries) => write!(f, "persist {}", list(entries)),
            Op::Replace(first, entries) => write!(f, "replace-range {first}: {}", list(entries)),
            Op::Truncate(first) => write!(f, "truncate {first}"),
            Op::Purge(up_to) => write!(f, "purge {up_to:?}"),
            Op::Reset => f.write_str("reset"),
            Op::HardState(HardState { term, vote, extra }) => {
                write!(f, "save-hard-state of term {term}, vote {vote:?}, {} bytes", extra.len())
            }
            Op::Entry(index) => write!(f, "entry {index}"),
            Op::Term(index) => write!(f, "term-of {index}"),
            Op::First => f.write_str("first-index"),
            Op::Range(first, last, limits) => write!(f, "get-entries {first} {last} {limits:?}"),
            Op::Flush => f.write_str("flush"),
            Op::Sync => f.write_str("sync"),
            Op::BeginSync => f.write_str("begin-sync"),
            Op::WaitSync => f.write_str("wait-sync"),
        }
    }
}

/// What an operation answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// What it should; nothing more is to be said.
    Right,
    /// An entry.
    Entry(Option<Entry>),
    /// A term or an index.
    Term(Option<u64>),
    /// Entries.
    Entries(Entries),
}

/// Draws a step for a log that was opened with or without gaps.
pub(super) fn draw(draw: &mut Draw, model: &Model, gaps: bool) -> Step<(), Op> {
    let next = model.last_index() + 1;
    let op = match draw.below(100) {
        0..22 => {
            let skipped = if gaps && draw.chance(20) || draw.chance(3) { draw.below(5) } else { 0 };
            let count = 1 + draw.below(5);
            Op::Persist(run(draw, next + skipped, count))
        }
        22..34 => {
            let (first, count) = (inside(draw, model), draw.below(7));
            Op::Persist(run(draw, first, count))
        }
        34..39 => Op::Persist(scattered(draw, model)),
        39..47 => {
            let (first, count) = (inside(draw, model), draw.below(6));
            let off = u64::from(draw.chance(4));
            Op::Replace(first, run(draw, first + off, count))
        }
        47..53 => Op::Truncate(inside(draw, model)),
        53..58 => Op::Purge(LogId { term: draw.below(9), index: near_the_front(draw, model) }),
        58 => Op::Reset,
        59..65 => Op::HardState(HardState {
            term: draw.below(1000),
            vote: draw.chance(70).then_some(draw.below(9)),
            extra: vec![draw.below(250) as u8; draw.one_of(&[0, 1, 10, 100, 4000, 4096, 4097])],
        }),
        65..71 => Op::Entry(inside(draw, model)),
        71..74 => Op::Term(inside(draw, model)),
        74..76 => Op::First,
        76..84 => {
            let limits = Limits {
                count: draw.one_of(&[0, 1, 2, 10, u32::MAX]),
                bytes: draw.one_of(&[0, 10, 100, 5000, u32::MAX]),
            };
            let first = inside(draw, model);
            let last =
                if draw.chance(80) { first.saturating_add(draw.below(12)) } else { inside(draw, model) };
            Op::Range(first, last, limits)
        }
        84..85 => Op::Flush,
        85..90 => Op::Sync,
        90..93 => Op::BeginSync,
        93..95 => Op::WaitSync,
        95..97 => return Step::Close,
        _ => return Step::Drop,
    };
    Step::Do(op)
}

/// Entries from `first` on, of one term.
fn run(draw: &mut Draw, first: u64, count: u64) -> Vec<Entry> {
    let term = 1 + draw.below(1000);
    (0..count).map(|number| entry(term, first.saturating_add(number), draw.item().to_vec())).collect()
}

/// Entries at some of the indexes that are there, and a few behind.
fn scattered(draw: &mut Draw, model: &Model) -> Vec<Entry> {
    let (term, end) = (1 + draw.below(1000), model.last_index() + 2);
    let mut index = inside(draw, model).min(end);
    let mut entries = Vec::new();
    while entries.len() < 6 && index < end {
        entries.push(entry(term, index, draw.item().to_vec()));
        index += 1 + draw.below(4);
    }
    entries
}

/// Mostly an index above the boundary, up to the one behind the last.
fn inside(draw: &mut Draw, model: &Model) -> u64 {
    let bounds = model.bounds();
    match draw.below(16) {
        0 => draw.number(),
        1 => bounds.start.saturating_sub(1),
        2 => bounds.end,
        3 => bounds.end.saturating_add(1),
        4 => 0,
        5..11 => bounds.end - draw.below(8).min(bounds.end - bounds.start),
        _ => bounds.start + draw.below(bounds.end - bounds.start + 1),
    }
}

/// Mostly an index of the older half, now and then one above the last.
fn near_the_front(draw: &mut Draw, model: &Model) -> u64 {
    let bounds = model.bounds();
    match draw.below(10) {
        0 => draw.below(3),
        1 => bounds.end + draw.below(4),
        2 => bounds.end - 1,
        _ => bounds.start + draw.below((bounds.end - bounds.start) / 2 + 1),
    }
}
