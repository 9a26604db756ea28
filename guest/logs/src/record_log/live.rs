//! Which items of each segment can be read: those that the view keeps and no later segment holds or took back.

use super::index::Index;
use super::window::{file_size, read_failed};
use super::{RecordLog, View};
use crate::error::{Bounds, Error, Result};
use crate::storage::{Host, StorageError};
use alloc::{string::String, vec::Vec};

/// What the segments behind one have to say about its positions.
#[derive(Debug)]
struct Later {
    /// Each position from here on is theirs.
    from: u64,
    /// So are these: ascending, apart from each other.
    held: Vec<Bounds>,
}

impl Later {
    fn nothing() -> Later {
        Later { from: u64::MAX, held: Vec::new() }
    }

    /// Takes note of another one of them.
    fn add(&mut self, index: &Index, dense: bool) {
        self.from = self.from.min(if dense { index.floor } else { index.cut });
        if dense {
            return;
        }
        self.held.extend(index.runs.iter().map(|run| Bounds { start: run.first, end: run.end() }));
        self.held.sort_unstable_by_key(|bounds| bounds.start);
        let mut merged: Vec<Bounds> = Vec::new();
        for bounds in self.held.drain(..) {
            match merged.last_mut() {
                Some(last) if bounds.start <= last.end => last.end = last.end.max(bounds.end),
                _ => merged.push(bounds),
            }
        }
        self.held = merged;
    }

    /// What they leave of these bounds.
    fn leave(&self, bounds: Bounds) -> Vec<Bounds> {
        let end = bounds.end.min(self.from);
        let (mut left, mut start) = (Vec::new(), bounds.start);
        let at = self.held.partition_point(|held| held.end <= start);
        for held in self.held.iter().skip(at).take_while(|held| held.start < end) {
            if start < held.start {
                left.push(Bounds { start, end: held.start });
            }
            start = held.end;
        }
        if start < end {
            left.push(Bounds { start, end });
        }
        left
    }
}

/// What `admin` tells of a segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct SegmentFacts {
    pub(crate) file: String,
    pub(crate) sealed: bool,
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) frames: u64,
    pub(crate) first: u64,
    pub(crate) next: u64,
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// What can be read of a segment: positions from, to, and the address from which on.
    pub(crate) fn live_runs(&mut self, segment: u64) -> Result<Vec<(u64, u64, u64)>> {
        let newest = self.place.segment;
        if segment != newest && self.older.binary_search(&segment).is_err() {
            return Ok(Vec::new());
        }
        let mut later = Later::nothing();
        let behind: Vec<u64> = self.older.iter().copied().filter(|number| *number > segment).collect();
        for number in behind.into_iter().chain([newest]).filter(|number| *number > segment) {
            later.add(self.index_of(number)?, V::DENSE);
        }
        self.live_of(segment, &later)
    }

    fn live_of(&mut self, segment: u64, later: &Later) -> Result<Vec<(u64, u64, u64)>> {
        let runs = self.index_of(segment)?.runs.clone();
        let mut live = Vec::new();
        for run in runs {
            for left in later.leave(Bounds { start: run.first, end: run.end() }) {
                let kept = self.history.view.kept(left).into_iter();
                live.extend(kept.map(|bounds| (bounds.start, bounds.end, run.offset)));
            }
        }
        Ok(live)
    }

    /// Sizes of the log's files and the bytes of those with items that can be read, segment by segment, oldest first.
    pub(crate) fn segment_facts(&mut self) -> Result<Vec<SegmentFacts>> {
        let mut facts = Vec::new();
        let mut later = Later::nothing();
        let numbers: Vec<u64> = self.older.iter().copied().chain([self.place.segment]).collect();
        for number in numbers.into_iter().rev() {
            facts.push(match self.facts(number, &mut later) {
                Ok(facts) => facts,
                Err(Error::Damaged(damage)) => {
                    SegmentFacts { file: damage.file, sealed: true, ..SegmentFacts::default() }
                }
                Err(error) => return Err(error),
            });
        }
        facts.reverse();
        Ok(facts)
    }

    fn facts(&mut self, number: u64, later: &mut Later) -> Result<SegmentFacts> {
        let newest = number == self.place.segment;
        let live = self.live_of(number, later)?;
        later.add(self.index_of(number)?, V::DENSE);
        let first = live.iter().map(|run| run.0).min().unwrap_or(0);
        let next = live.iter().map(|run| run.1).max().unwrap_or(first);
        let bytes = if newest {
            file_size(self.file()?, &self.file_name)?
        } else {
            let sealed = self.sealed(number)?;
            file_size(&sealed.file, &sealed.name)?
        };
        // From run to run; the last one to the end of the file.
        let mut offsets: Vec<u64> = live.into_iter().map(|run| run.2).collect();
        offsets.sort_unstable();
        let index = self.index_of(number)?;
        let runs = index.runs.iter().filter(|run| offsets.binary_search(&run.offset).is_ok());
        let live_bytes = runs.map(|run| index.limit(run).min(bytes).saturating_sub(run.offset)).sum();
        let (file, frames) = (self.segment_name(number), self.count_frames(number)?);
        Ok(SegmentFacts { file, sealed: !newest, bytes, live_bytes, frames, first, next })
    }

    fn count_frames(&mut self, number: u64) -> Result<u64> {
        let last = if number == self.place.segment {
            Some(self.history.tip.number)
        } else {
            self.after(number)?.map(|after| after.number.saturating_sub(1))
        };
        let first = self.index_of(number)?.first_number;
        Ok(last.map_or(0, |last| last.saturating_add(1).saturating_sub(first)))
    }

    /// Bytes in the log's files, and how many there are.
    pub(crate) fn space(&mut self) -> Result<(u64, u32)> {
        let mut bytes = file_size(self.file()?, &self.file_name)?;
        for number in &self.older {
            let name = self.segment_name(*number);
            bytes = bytes.saturating_add(match self.host.open(&name) {
                Ok(file) => file_size(&file, &name)?,
                Err(StorageError::NotFound) => 0, // given up since, or missing
                Err(error) => return Err(read_failed(&name, error)),
            });
        }
        Ok((bytes, self.older.len() as u32 + 1))
    }

    /// When the newest segment was begun, in Unix milliseconds.
    pub(crate) fn begun_ms(&self) -> u64 {
        self.history.header.begun_ms
    }
}
