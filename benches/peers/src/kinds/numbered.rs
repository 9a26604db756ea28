//! Logs of items by number: journals, and Raft and event logs, whose numbers the caller gives.

use crate::items::{Positions, Seen, Table};
use anyhow::Result;
use std::{sync::Arc, time::Duration};

/// How items are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// In batches of so many.
    Batches(u64),
    /// In batches of so many, each durable before the next one.
    Synced(u64),
    /// One by one, in the cheapest way that the contender has for that.
    Gathered,
    /// One by one, each handed to the log by a call.
    Direct,
}

/// What to append.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) table: Arc<Table>,
    /// Position of the first item, a multiple of the batch.
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) how: How,
}

/// What to read.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    /// Everything, in order; so many items.
    All(u64),
    /// At each of these positions so many consecutive items in one call.
    Ranges(Arc<[u64]>, u64),
    /// The item at each position, by a call of its own.
    Each(Arc<[u64]>),
    /// The items at these positions, so many in one call.
    Many(Arc<[u64]>, usize),
}

impl Read {
    /// Positions in the order in which they are read.
    pub(crate) fn positions(&self) -> Positions {
        match self.clone() {
            Read::All(count) => Box::new(0..count),
            Read::Ranges(starts, count) => {
                Box::new((0..starts.len()).flat_map(move |n| starts[n]..starts[n] + count))
            }
            Read::Each(positions) | Read::Many(positions, _) => {
                Box::new((0..positions.len()).map(move |n| positions[n]))
            }
        }
    }
}

/// An open log.
pub(crate) trait Numbered {
    /// Appends, and says how long it took.
    fn append(&mut self, work: &Append) -> Result<Duration>;
    /// Makes everything durable.
    fn sync(&mut self) -> Result<()>;
    /// Reads, shows what it read, and says how long it took.
    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration>;
    /// Closes it. Everything is durable then.
    fn close(self: Box<Self>) -> Result<()>;
    /// Makes everything durable and goes away without closing it, as a process does that dies.
    fn leave(mut self: Box<Self>) -> Result<()> {
        self.sync()
    }
}
