//! What is done to a journal, one operation at a time.

use super::{Draw, Step};
use crate::model::{Item, Model, show};
use crate::subject::{Options, SEGMENT};
use annals_logs::types::{Limits, Mode};

/// One operation.
#[derive(Clone)]
#[allow(missing_docs)] // named after the calls of the journal
pub enum Op {
    Append(Item),
    Batch(Vec<Item>),
    Read(u64),
    ReadMany(Vec<u64>, u32),
    Range(u64, Limits),
    /// Begins to replay; the stream stays open.
    Replay(u64),
    /// The next batch of the stream of this number.
    Next(usize, Limits),
    Prune(u64),
    Rewind(u64),
    Flush,
    SyncData,
    Sync,
    BeginSync,
    /// Waits for the sync that was begun last, if it is not over.
    WaitSync,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Append(item) => write!(f, "append {}", show(item)),
            Op::Batch(items) => {
                let items: Vec<String> = items.iter().map(|item| show(item)).collect();
                write!(f, "batch of {}: {}", items.len(), items.join(", "))
            }
            Op::Read(position) => write!(f, "read {position}"),
            Op::ReadMany(positions, bytes) => write!(f, "read-many {positions:?} {bytes}"),
            Op::Range(start, limits) => write!(f, "read-range {start} {limits:?}"),
            Op::Replay(start) => write!(f, "replay {start}"),
            Op::Next(stream, limits) => write!(f, "next of stream {stream} {limits:?}"),
            Op::Prune(min) => write!(f, "prune {min}"),
            Op::Rewind(size) => write!(f, "rewind {size}"),
            Op::Flush => f.write_str("flush"),
            Op::SyncData => f.write_str("sync-data"),
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
    /// The position of what was appended.
    Position(u64),
    /// Whether a prune moved the boundary.
    Moved(bool),
    /// The item read.
    Item(Vec<u8>),
}

/// What the journals of a run are made with.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Items in a section.
    pub items_per_section: u64,
    /// Whether sections are synced.
    pub sync_sections: bool,
    /// Bytes of single appends that may wait.
    pub write_buffer: u32,
}

impl Shape {
    /// Options that make such a journal, or open it.
    pub(super) fn options(&self, mode: Mode) -> Options {
        Options {
            mode,
            items_per_section: Some(self.items_per_section),
            segment_bytes: Some(SEGMENT),
            sync_sections: Some(self.sync_sections),
            write_buffer: Some(self.write_buffer),
            ..Options::default()
        }
    }
}

/// Draws a step for a journal with so many open streams.
pub(super) fn draw(draw: &mut Draw, model: &Model, streams: usize) -> Step<Option<u64>, Op> {
    let op = match draw.below(100) {
        0..25 => Op::Append(draw.item()),
        25..40 => Op::Batch((0..=draw.below(6)).map(|_| draw.item()).collect()),
        40..47 => Op::Read(position(draw, model)),
        47..50 => Op::ReadMany((0..draw.below(5)).map(|_| position(draw, model)).collect(), bytes(draw)),
        50..56 => Op::Range(position(draw, model), limits(draw)),
        56..59 => Op::Replay(position(draw, model)),
        59..67 if streams > 0 => Op::Next(draw.below(streams as u64) as usize, limits(draw)),
        59..70 => Op::Prune(position(draw, model)),
        70..77 => Op::Rewind(near_the_end(draw, model)),
        77..81 => Op::Flush,
        81..86 => Op::SyncData,
        86..90 => Op::Sync,
        90..93 => Op::BeginSync,
        93..95 => Op::WaitSync,
        95..97 => return Step::Close,
        _ => return Step::Drop,
    };
    Step::Do(op)
}

fn position(draw: &mut Draw, model: &Model) -> u64 {
    match draw.below(12) {
        0 => draw.number(),
        1 => model.size(),
        2 => model.boundary(),
        3 => model.boundary().saturating_sub(1),
        4 => model.size().saturating_add(1),
        _ => model.boundary() + draw.below(model.size() - model.boundary() + 1),
    }
}

fn near_the_end(draw: &mut Draw, model: &Model) -> u64 {
    let back = draw.below(8).min(model.size() - model.boundary());
    if draw.chance(80) { model.size() - back } else { position(draw, model) }
}

fn bytes(draw: &mut Draw) -> u32 {
    draw.one_of(&[0, 10, 100, 5000, 1 << 20])
}

fn limits(draw: &mut Draw) -> Limits {
    Limits { count: draw.one_of(&[0, 1, 2, 10, u32::MAX]), bytes: bytes(draw) }
}
