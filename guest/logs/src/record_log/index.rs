//! Which items of one segment can be read, and where: runs of consecutive positions, and stretches that are lost.
//!
//! Invariants: runs ascend by position and do not overlap each other or a lost stretch; none reaches below `floor`.
//! For now positions in a log ascend from frame to frame except where a `truncate` takes them back.

use crate::error::{Bounds, Damage};
use crate::format::frame::{FrameHeader, Kind};
use crate::format::segment::{IndexBody, Run};
use alloc::vec::Vec;

/// Frames of up to this many bytes share a run, so that finding an item reads no more than this.
pub(super) const RUN_BYTES: u64 = 64 << 10;
/// A segment with so many runs is full: its footer must stay small.
pub(super) const MAX_RUNS: usize = 4096;

/// Positions that are lost to damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) bounds: Bounds,
    pub(super) damage: Damage,
}

/// The index of one segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// No position below it was written or superseded in this segment.
    pub(super) floor: u64,
    /// Number of the segment's first frame.
    pub(super) first_number: u64,
    pub(super) runs: Vec<Run>,
    pub(super) lost: Vec<Lost>,
    /// The last run goes on with the next frame: no frame has superseded anything since its last one.
    open: bool,
}

/// Where a position is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Run(Run),
    Lost(&'a Lost),
    Absent,
}

impl Index {
    /// The index of a segment that begins when the next position is `floor`.
    pub(super) fn new(floor: u64, first_number: u64) -> Index {
        Index { floor, first_number, ..Index::default() }
    }

    /// The index as a footer or seal holds it.
    pub(super) fn from_body(body: &IndexBody) -> Index {
        let IndexBody { floor, first_number, ref runs, .. } = *body;
        Index { floor, first_number, runs: runs.clone(), ..Index::default() }
    }

    /// Takes note of a frame with items at this offset.
    pub(super) fn add(&mut self, header: &FrameHeader, offset: u64) {
        if header.kind == Kind::Truncate {
            self.truncate(header.first);
        }
        if header.count == 0 {
            return;
        }
        self.floor = self.floor.min(header.first);
        if let Some(last) = self.runs.last_mut()
            && self.open
            && last.end() == header.first
            && offset + header.len() - last.offset <= RUN_BYTES
        {
            last.count += u64::from(header.count);
        } else {
            let count = u64::from(header.count);
            self.runs.push(Run { first: header.first, count, offset, number: header.number });
            self.open = true;
        }
    }

    /// Forgets all positions from `first` on.
    pub(super) fn truncate(&mut self, first: u64) {
        self.floor = self.floor.min(first);
        self.open = false;
        self.runs.retain(|r| r.first < first);
        if let Some(last) = self.runs.last_mut() {
            last.count = last.count.min(first - last.first);
        }
        self.lost.retain(|l| l.bounds.start < first);
        if let Some(last) = self.lost.last_mut() {
            last.bounds.end = last.bounds.end.min(first);
        }
    }

    /// Takes note that what these positions hold is lost.
    pub(super) fn lose(&mut self, bounds: Bounds, damage: Damage) {
        self.truncate(bounds.start);
        if bounds.start < bounds.end {
            self.lost.push(Lost { bounds, damage });
        }
    }

    /// Where a position is.
    pub(super) fn find(&self, position: u64) -> Entry<'_> {
        let at = self.runs.partition_point(|r| r.first <= position);
        if let Some(run) = at.checked_sub(1).and_then(|at| self.runs.get(at))
            && position < run.end()
        {
            return Entry::Run(*run);
        }
        let within = |l: &&Lost| l.bounds.start <= position && position < l.bounds.end;
        self.lost.iter().find(within).map_or(Entry::Absent, Entry::Lost)
    }

    /// Where the frames of a run end at the latest: at the next run's start.
    pub(super) fn limit(&self, run: &Run) -> u64 {
        let at = self.runs.partition_point(|r| r.first <= run.first);
        self.runs
            .get(at)
            .map_or(u64::MAX, |next| if next.offset > run.offset { next.offset } else { u64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::frame::{NONE, Promise};

    fn frame(kind: Kind, number: u64, first: u64, count: u32) -> FrameHeader {
        FrameHeader {
            kind,
            codec: 0,
            epoch_start: false,
            number,
            epoch: 0,
            first,
            end: 0,
            low: NONE,
            count,
            body: 100,
            decoded: 100,
            promise: Promise::default(),
            previous: 0,
            chain: 0,
        }
    }

    #[test]
    fn consecutive_frames_share_a_run_until_it_is_long() {
        let mut index = Index::new(10, 1);
        for i in 0..1000 {
            index.add(&frame(Kind::Append, i, 10 + i * 2, 2), 136 + i * 240);
        }
        assert_eq!(index.runs.len(), 1000 / (RUN_BYTES as usize / 240) + 1);
        assert_eq!(index.runs.iter().map(|r| r.count).sum::<u64>(), 2000);
        let Entry::Run(run) = index.find(1000) else { panic!() };
        assert!(run.first <= 1000 && 1000 < run.end());
        assert_eq!(index.find(9), Entry::Absent);
        assert_eq!(index.find(2010), Entry::Absent);
    }

    #[test]
    fn truncation_takes_positions_back_and_new_ones_start_a_run() {
        let mut index = Index::new(0, 1);
        index.add(&frame(Kind::Append, 1, 0, 10), 200);
        index.add(&frame(Kind::Truncate, 2, 4, 0), 440);
        index.add(&frame(Kind::Append, 3, 4, 3), 600);
        assert_eq!(index.runs[0].count, 4);
        assert_eq!(index.runs[1], Run { first: 4, count: 3, offset: 600, number: 3 });
        index.add(&frame(Kind::Truncate, 4, 2, 1), 840);
        assert_eq!(index.runs[0].count, 2);
        assert_eq!(index.runs[1], Run { first: 2, count: 1, offset: 840, number: 4 });
        assert_eq!(index.limit(&index.runs[0]), 840);
    }

    #[test]
    fn a_truncation_to_the_end_still_ends_the_run() {
        // Its frames would otherwise be walked over the truncate frame, which is harmless, but a run must be readable
        // without knowing what a later truncation superseded.
        let mut index = Index::new(0, 1);
        index.add(&frame(Kind::Append, 1, 0, 10), 200);
        index.add(&frame(Kind::Truncate, 2, 10, 0), 440);
        index.add(&frame(Kind::Append, 3, 10, 1), 600);
        assert_eq!(index.runs.len(), 2);
    }
}
