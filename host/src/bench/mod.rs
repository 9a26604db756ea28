//! Measurements: the same work done by the component, by the native library and by plain file writes, side by side.
//!
//! Every subject works through the same provider on the same directory, so they differ in what stands above it only.
//! Rounds are interleaved, subjects take turns at going first, and medians are reported: a disk that is slow for a while
//! is slow for everyone. Nothing here is a test; nothing is asserted about time.

mod native;
mod raw;
mod subject;
mod work;

pub(crate) use work::WORKS;

use annals::{Error, Runtime, storage::Storage};
use std::{sync::Arc, time::Duration};
use subject::{Component, Subject};

/// Bytes of an item.
pub(crate) const ITEM: usize = 100;
/// Items of a batch.
pub(crate) const BATCH: usize = 1000;

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Plain writes and reads of a file that is prepared as a log prepares its own.
    Raw,
    /// The library inside the component, compiled natively.
    Native,
    /// The component.
    Component,
}

/// All of them, in the order of the columns.
pub(crate) const ALL: [Who; 3] = [Who::Raw, Who::Native, Who::Component];

/// What measurements need.
pub(crate) struct Bench {
    runtime: Runtime,
    storage: Arc<dyn Storage>,
    /// Items of the log that is read.
    pub(crate) items: u64,
    /// One batch.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

/// What one subject took for a unit of one work, in nanoseconds, in each round.
pub(crate) type Times = Vec<f64>;

/// A row of the table: medians in nanoseconds for [`ALL`].
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) medians: [Option<f64>; 3],
}

impl Bench {
    /// Prepares a log with `items` items, once for all who read.
    pub(crate) fn new(runtime: Runtime, storage: Arc<dyn Storage>, items: u64) -> Result<Bench, Error> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let bytes = (0..ITEM * BATCH).map(|_| byte()).collect();
        let ends = (1..=BATCH).map(|n| (n * ITEM) as u32).collect();
        let bench = Bench { runtime, storage, items, ends, bytes };
        bench.prepare()?;
        Ok(bench)
    }

    fn prepare(&self) -> Result<(), Error> {
        for (name, items) in [(work::READ, self.items), (work::SMALL, 10)] {
            for who in [Who::Raw, Who::Component] {
                let mut log = self.open(who, name)?;
                let mut left = items as usize;
                while left > 0 {
                    let count = left.min(BATCH);
                    log.append_packed(&self.ends[..count], &self.bytes[..count * ITEM])?;
                    left -= count;
                }
                log.close()?;
            }
        }
        Ok(())
    }

    /// Opens a log, which is made if there is none.
    fn open(&self, who: Who, name: &str) -> Result<Box<dyn Subject>, Error> {
        Ok(match who {
            Who::Raw => Box::new(raw::Raw::open(&self.storage, name)?),
            Who::Native => Box::new(native::open(&self.storage, name)?),
            Who::Component => Box::new(Component::open(&self.runtime, &self.storage, name)?),
        })
    }

    /// Removes a log that was closed.
    fn destroy(&self, who: Who, name: &str) -> Result<(), Error> {
        match who {
            Who::Raw => raw::destroy(&self.storage, name),
            Who::Native | Who::Component => self.runtime.destroy_journal(self.storage.clone(), name),
        }
    }

    /// Runs all rounds of one work.
    pub(crate) fn run(&self, work: &work::Work, rounds: usize, done: &mut dyn FnMut()) -> Result<Row, Error> {
        let mut times: [Times; 3] = Default::default();
        for round in 0..rounds {
            for turn in 0..ALL.len() {
                let index = (turn + round) % ALL.len();
                if let Some(time) = (work.run)(self, ALL[index])? {
                    times[index].push(time);
                }
                done();
            }
        }
        Ok(Row { name: work.name, unit: work.unit, medians: times.map(median) })
    }
}

fn median(mut times: Times) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// Nanoseconds for each of `count`.
fn each(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}
