//! What is done to an event log, one operation at a time.

use super::{Draw, Step};
use crate::event::model::Model;
use crate::event::subject::{Options, Outcome, Policy};
use crate::model::{Item, show};
use crate::subject::SEGMENT;
use annals_logs::error::Token;
use annals_logs::types::{Limits, Mode};

/// One operation.
#[derive(Clone)]
#[allow(missing_docs)] // named after the calls of the event log
pub enum Op {
    Append(u64, Item),
    Batch(u64, Vec<Item>),
    Get(u64),
    /// Begins to iterate; the stream stays open.
    Iterate(u64, Option<u64>),
    /// The next events of the stream of this number.
    Next(usize, Limits),
    Delete(u64, u64),
    Rotate,
    Stats,
    Flush,
    Sync,
    BeginSync,
    /// Waits for the sync that was begun last, if it is not over.
    WaitSync,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Append(id, event) => write!(f, "append {id}: {}", show(event)),
            Op::Batch(first, events) => {
                let events: Vec<String> = events.iter().map(|event| show(event)).collect();
                write!(f, "batch of {} from {first}: {}", events.len(), events.join(", "))
            }
            Op::Get(id) => write!(f, "get {id}"),
            Op::Iterate(start, end) => write!(f, "iterate {start} to {end:?}"),
            Op::Next(stream, limits) => write!(f, "next of stream {stream} {limits:?}"),
            Op::Delete(first, last) => write!(f, "delete {first} to {last}"),
            Op::Rotate => f.write_str("rotate"),
            Op::Stats => f.write_str("stats"),
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
    /// How an append ended.
    Outcome(Outcome),
    /// Events deleted.
    Count(u64),
    /// The event read.
    Event(Option<Vec<u8>>),
}

/// What the logs of a run are opened with.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What appends promise.
    pub policy: Policy,
    /// Number of handles in shared mode; 0: not in shared mode.
    pub handles: usize,
}

impl Shape {
    /// Options that make such a log, or open it. Without a shape it is opened as it is.
    pub(super) fn options(&self, mode: Mode, made: bool, expect: Option<Token>) -> Options {
        Options {
            mode,
            expect,
            policy: self.policy,
            shared: self.handles > 0,
            rotate_at: made.then_some(SEGMENT),
            ..Options::default()
        }
    }
}

/// Draws a step for a log with so many open streams. The event before the next id is never deleted: whoever reads the log
/// then finds out what was deleted below it.
pub(super) fn draw(draw: &mut Draw, model: &Model, streams: usize) -> Step<(), Op> {
    let op = match draw.below(100) {
        0..25 => append(draw, model),
        25..42 => batch(draw, model),
        42..50 => Op::Get(id(draw, model)),
        50..54 => Op::Iterate(id(draw, model), draw.chance(50).then(|| id(draw, model))),
        54..65 if streams > 0 => Op::Next(draw.below(streams as u64) as usize, limits(draw)),
        54..70 => delete(draw, model),
        70..75 => Op::Rotate,
        75..77 => Op::Stats,
        77..81 => Op::Flush,
        81..90 => Op::Sync,
        90..93 => Op::BeginSync,
        93..95 => Op::WaitSync,
        95..97 => return Step::Close,
        _ => return Step::Drop,
    };
    Step::Do(op)
}

fn append(draw: &mut Draw, model: &Model) -> Op {
    let next = model.next();
    match draw.below(10) {
        0..6 => Op::Append(next + draw.below(3) * draw.below(3), draw.item()),
        6 => again(draw, model, 1).map_or(Op::Flush, |(id, mut events)| Op::Append(id, events.remove(0))),
        _ => Op::Append(id(draw, model), draw.item()),
    }
}

fn batch(draw: &mut Draw, model: &Model) -> Op {
    let next = model.next();
    let mut events: Vec<Item> = Vec::new();
    let first = match draw.below(10) {
        0..6 => next + draw.below(2) * draw.below(3),
        // What is there already, and some more.
        6..9 => {
            let count = 1 + draw.below(6);
            let Some((first, there)) = again(draw, model, count) else { return Op::Flush };
            events = there;
            first
        }
        _ => id(draw, model),
    };
    events.extend((0..=draw.below(5)).map(|_| draw.item()));
    Op::Batch(first, events)
}

/// Events from some id on, as they are where they are there.
fn again(draw: &mut Draw, model: &Model, count: u64) -> Option<(u64, Vec<Item>)> {
    let first =
        model.events().keys().nth(draw.below(model.events().len().max(1) as u64) as usize).copied()?;
    let event = |id| model.get(id).cloned().unwrap_or_else(|| draw.item());
    Some((first, (first..first + count).map(event).collect()))
}

fn delete(draw: &mut Draw, model: &Model) -> Op {
    let Some(newest) = model.newest().filter(|newest| *newest > 0) else { return Op::Flush };
    let first = if draw.chance(30) { 0 } else { draw.below(newest) };
    let last = (first + draw.below(8)).min(newest - 1);
    if draw.chance(5) { Op::Delete(last + 1, first) } else { Op::Delete(first, last) }
}

fn id(draw: &mut Draw, model: &Model) -> u64 {
    match draw.below(12) {
        0 => model.next(),
        1 => model.next() + 1,
        2 => model.oldest().unwrap_or(0),
        _ => draw.below(model.next() + 1),
    }
}

fn limits(draw: &mut Draw) -> Limits {
    let bytes = draw.one_of(&[0, 10, 100, 5000, 1 << 20]);
    Limits { count: draw.one_of(&[0, 1, 2, 10, u32::MAX]), bytes }
}
