//! Stores of values by key.

use super::numbered::{Append, How, Numbered, Read};
use crate::items::Seen;
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};

/// Keys and values of one batch.
pub(crate) type Pairs<'a> = &'a [(Vec<u8>, Vec<u8>)];

/// A store. All its batches are atomic.
pub(crate) trait Keyed {
    /// Writes a batch, in the hands of the operating system on return, or durable if asked for; how long that took.
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration>;
    /// Shows the value of a key; whether there is one.
    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool>;
    /// Shows at most `most` keys with this prefix and their values in ascending order.
    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;
    /// Shows `most` keys and values in ascending order from a key on.
    fn from(&mut self, key: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;
    /// Makes everything durable.
    fn sync(&mut self) -> Result<()>;
    /// Closes it. Everything is durable then.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A store of values by key as a log: keys are positions, most significant byte first.
pub(crate) struct ByNumber(pub(crate) Box<dyn Keyed>);

fn key(position: u64) -> [u8; 8] {
    position.to_be_bytes()
}

impl Numbered for ByNumber {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
        let sync = matches!(work.how, How::Synced(_));
        let mut took = Duration::ZERO;
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            let pair = |position| (key(position).to_vec(), work.table.item(position).to_vec());
            let pairs: Vec<_> = (first..first + size).map(pair).collect();
            took += self.0.put(&pairs, sync)?;
        }
        Ok(took)
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync()
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        match work {
            Read::All(count) => self.0.from(&key(0), *count as usize, &mut |_, item| seen.add(item))?,
            Read::Ranges(starts, count) => {
                for first in starts.iter() {
                    self.0.from(&key(*first), *count as usize, &mut |_, item| seen.add(item))?;
                }
            }
            Read::Each(positions) | Read::Many(positions, _) => {
                for position in positions.iter() {
                    let found = self.0.get(&key(*position), &mut |item| seen.add(item))?;
                    found.then_some(()).context("no such key")?;
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()
    }
}
