//! Deleting ranges of ids, and the files that hold nothing else.

use super::EventLog;
use super::append::within;
use super::state::{Change, MAX_STATE};
use crate::error::{Bounds, Error, Limit, Result};
use crate::record_log::View;
use crate::storage::Host;
use alloc::vec::Vec;

impl<H: Host> EventLog<H> {
    /// Deletes events, both ends inclusive; returns how many.
    pub fn delete_range(&mut self, first: u64, last: u64) -> Result<u64> {
        self.log.check_writable()?;
        if first > last {
            return Ok(0);
        }
        self.writing(|log| {
            // A full disk must not keep what waits from being written after, nor the deletion from going first.
            let waits = match log.log.flush() {
                Ok(()) => false,
                Err(Error::OutOfSpace) => true,
                Err(error) => return Err(error),
            };
            let written = log.log.view().next();
            let mut events = log.delete_written(first, last)?;
            if waits {
                log.log.flush()?;
                events += log.delete_written(first.max(written), last)?;
                log.log.sync_frames()?;
            }
            Ok(events)
        })
    }

    /// Deletes those of them that stand in frames.
    fn delete_written(&mut self, first: u64, last: u64) -> Result<u64> {
        let next = self.log.view().next();
        let Some(highest) = next.checked_sub(1).filter(|highest| first <= *highest) else { return Ok(0) };
        let range = Bounds { start: first, end: last.min(highest) + 1 };
        let before = self.log.view().deleted.clone();
        let fresh = before.kept(range.start, range.end);
        if fresh.is_empty() {
            return Ok(0);
        }
        let deleted = before.with(range);
        let after = super::State { deleted: deleted.clone(), ..self.log.view().clone() };
        within(Limit::BytesStored, MAX_STATE, after.weight())?;
        let mut events = 0;
        for stretch in fresh {
            events += self.count(stretch)?;
        }
        let keeps = |id: Option<u64>| id.filter(|id| *id < range.start || *id >= range.end);
        let (was_oldest, was_newest) = (self.log.view().oldest, self.log.view().newest);
        let mut oldest = keeps(was_oldest);
        let mut newest = keeps(was_newest);
        if was_oldest.is_some() && oldest.is_none() {
            oldest = self.lowest(deleted.kept(range.end, next))?;
        }
        if was_newest.is_some() && newest.is_none() {
            newest = self.highest(deleted.kept(0, range.start))?;
        }
        // Both or neither: what is left is between them.
        let ends = (oldest.or(newest), newest.or(oldest));
        let gone = self.log.dead(range.end, &|bounds| deleted.kept(bounds.start, bounds.end))?;
        let change = Change::Delete { first, last: range.end - 1, events, oldest: ends.0, newest: ends.1 };
        let bytes = postcard::to_allocvec(&change).unwrap_or_default(); // cannot fail: a few numbers
        self.log.write_meta_without(bytes, gone)?;
        Ok(events)
    }

    /// Number of events in a stretch; those in damaged parts are not known and not counted.
    fn count(&mut self, stretch: Bounds) -> Result<u64> {
        let (mut from, mut events) = (stretch.start, 0);
        while from < stretch.end {
            match self.log.count_between(from, stretch.end) {
                Ok(count) => return Ok(events + count),
                Err(Error::Damaged(damage)) => {
                    let lost = damage.lowest.unwrap_or(from).clamp(from, stretch.end);
                    if lost > from {
                        events += self.log.count_between(from, lost)?;
                    }
                    from = damage.next.unwrap_or(stretch.end).max(lost + 1);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(events)
    }

    fn lowest(&mut self, stretches: Vec<Bounds>) -> Result<Option<u64>> {
        for stretch in stretches {
            match self.log.first_between(stretch.start, stretch.end) {
                Ok(None) => {}
                Err(Error::Damaged(damage)) => return Ok(Some(damage.lowest.unwrap_or(stretch.start))),
                other => return other,
            }
        }
        Ok(None)
    }

    fn highest(&mut self, stretches: Vec<Bounds>) -> Result<Option<u64>> {
        for stretch in stretches.into_iter().rev() {
            match self.log.last_below(stretch.start, stretch.end) {
                Ok(None) => {}
                Err(Error::Damaged(damage)) => {
                    return Ok(Some(damage.next.unwrap_or(stretch.end).min(stretch.end) - 1));
                }
                other => return other,
            }
        }
        Ok(None)
    }
}
