//! Segments of a log that is not dense of which nothing can be read any more.

use super::index::Index;
use super::locate::Located;
use super::{RecordLog, View};
use crate::error::{Bounds, Error, Result};
use crate::storage::Host;
use alloc::vec::Vec;

impl<H: Host, V: View> RecordLog<H, V> {
    /// The lowest existing position from `from` on, below `below`, of what waits too.
    pub(crate) fn first_between(&mut self, from: u64, below: u64) -> Result<Option<u64>> {
        let written = self.first_from(from, below)?;
        Ok(written.or_else(|| self.first_held(from, below)))
    }

    /// The older segments that reach below `below` and hold no position within the stretches that `kept` names of the
    /// positions given to it.
    pub(crate) fn dead(&mut self, below: u64, kept: &dyn Fn(Bounds) -> Vec<Bounds>) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        for number in self.older.clone() {
            let dead = match self.floor(number) {
                Ok(floor) => floor < below && !self.holds_any(number, kept)?,
                Err(Error::Damaged(_)) => false, // nobody knows what it holds; it stays
                Err(error) => return Err(error),
            };
            if dead {
                found.push(number);
            }
        }
        Ok(found)
    }

    /// The same question about the newest segment.
    pub(crate) fn newest_holds_any(&mut self, kept: &dyn Fn(Bounds) -> Vec<Bounds>) -> Result<bool> {
        self.holds_any(self.place.segment, kept)
    }

    fn holds_any(&mut self, segment: u64, kept: &dyn Fn(Bounds) -> Vec<Bounds>) -> Result<bool> {
        let Index { runs, lost, .. } = self.index_of(segment)?;
        let runs = runs.iter().map(|run| Bounds { start: run.first, end: run.end() });
        let stretches: Vec<Bounds> = runs.flat_map(kept).collect();
        if lost.iter().any(|lost| !kept(lost.bounds).is_empty()) {
            return Ok(true);
        }
        for Bounds { start, end } in stretches {
            let mut from = start;
            while from < end {
                match self.locate(from)? {
                    Located::Run { segment: owner, run } => {
                        let stop = run.end().min(end).max(from + 1);
                        if owner == segment && self.any_between(from, stop)? {
                            return Ok(true);
                        }
                        from = stop;
                    }
                    Located::Lost(_) => return Ok(true),
                    Located::Absent(around) => from = around.end.max(from + 1),
                }
            }
        }
        Ok(false)
    }

    /// Whether there is any position in this range; damaged ones are.
    fn any_between(&mut self, from: u64, below: u64) -> Result<bool> {
        match self.first_between(from, below) {
            Ok(first) => Ok(first.is_some()),
            Err(Error::Damaged(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
