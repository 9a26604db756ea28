//! Which items of one segment can be read, and where: runs of ascending positions, and stretches that are lost.
//!
//! Invariants: runs ascend by position and do not overlap each other or a lost stretch; none reaches below `floor`. A
//! position between `floor` and `cut` that is in neither stands in an older segment, if anywhere; from `cut` on it stands
//! nowhere.

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
    /// No position from it on stands in an older segment.
    pub(super) cut: u64,
    /// Number of the segment's first frame.
    pub(super) first_number: u64,
    pub(super) runs: Vec<Run>,
    pub(super) lost: Vec<Lost>,
    /// The last run goes on with the next frame: no frame has superseded anything since its last one.
    open: bool,
}

/// What a segment reaches over: enough to tell without its index that it does not know of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) floor: u64,
    pub(super) ceiling: u64,
    pub(super) cut: u64,
}

impl Extent {
    /// The positions around this one that only an older segment can tell of, if it is such a one.
    pub(super) fn passes(&self, position: u64) -> Option<Bounds> {
        if position < self.floor {
            return Some(Bounds { start: 0, end: self.floor });
        }
        let above = self.ceiling <= position && position < self.cut;
        above.then_some(Bounds { start: self.ceiling, end: self.cut })
    }
}

/// What an index knows about a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// It lies within this run; a run may leave positions out.
    Run(Run),
    /// What it held is lost.
    Lost(&'a Lost),
    /// It is in no segment up to this one, nor is any in this half-open range around it.
    Absent(Bounds),
    /// The same in this segment; an older one may hold it.
    Older(Bounds),
}

impl Index {
    /// The index of a segment that begins when the next position is `next`.
    pub(super) fn new(next: u64, first_number: u64) -> Index {
        Index { floor: next, cut: next, first_number, ..Index::default() }
    }

    /// The index as a footer or seal holds it.
    pub(super) fn from_body(body: &IndexBody) -> Index {
        let IndexBody { floor, cut, first_number, ref runs, .. } = *body;
        Index { floor, cut, first_number, runs: runs.clone(), ..Index::default() }
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
            && header.kind != Kind::Put
            && last.end() <= header.first
            && offset.saturating_add(header.len()) - last.offset <= RUN_BYTES
        {
            // Positions between them that the log leaves out are in no older segment either.
            last.count = header.end - last.first;
            return;
        }
        let span = Bounds { start: header.first, end: header.end };
        self.carve(span);
        let at = self.runs.partition_point(|r| r.first < span.start);
        self.open = at == self.runs.len() && header.kind != Kind::Put;
        let count = span.end - span.start;
        self.runs.insert(at, Run { first: span.start, count, offset, number: header.number });
    }

    /// The same of a frame whose positions are these, each of which may supersede one, and none in between.
    pub(super) fn scatter(&mut self, header: &FrameHeader, offset: u64, ids: &[u64]) {
        let mut rest = ids;
        while let Some(&first) = rest.first() {
            let n = rest.iter().zip(first..).take_while(|(id, next)| **id == *next).count();
            let count = n as u32;
            self.add(&FrameHeader { first, end: first + n as u64, count, ..header.clone() }, offset);
            rest = rest.get(n..).unwrap_or(&[]);
        }
    }

    /// Takes note that what these positions hold is lost; others are as they were.
    pub(super) fn lose_between(&mut self, bounds: Bounds, damage: Damage) {
        self.floor = self.floor.min(bounds.start);
        self.open = false;
        self.carve(bounds);
        self.lost.push(Lost { bounds, damage });
        self.lost.sort_by_key(|lost| lost.bounds.start);
    }

    /// Takes these positions out of runs and lost stretches.
    fn carve(&mut self, gone: Bounds) {
        let first = self.runs.partition_point(|r| r.end() <= gone.start);
        let end = first + self.runs.iter().skip(first).take_while(|r| r.first < gone.end).count();
        let left = self.runs.get(first).filter(|r| first < end && r.first < gone.start);
        let right = end.checked_sub(1).and_then(|at| self.runs.get(at));
        let right = right.filter(|r| first < end && r.end() > gone.end);
        let left = left.map(|r| Run { count: gone.start - r.first, ..*r });
        let right = right.map(|r| Run { first: gone.end, count: r.end() - gone.end, ..*r });
        self.runs.splice(first..end, left.into_iter().chain(right));
        let mut lost = Vec::new();
        for l in self.lost.drain(..) {
            let Bounds { start, end } = l.bounds;
            for bounds in
                [Bounds { start, end: end.min(gone.start) }, Bounds { start: start.max(gone.end), end }]
            {
                if bounds.start < bounds.end {
                    lost.push(Lost { bounds, damage: l.damage.clone() });
                }
            }
        }
        self.lost = lost;
    }

    /// Forgets all positions from `first` on.
    pub(super) fn truncate(&mut self, first: u64) {
        self.floor = self.floor.min(first);
        self.cut = self.cut.min(first);
        self.open = false;
        self.carve(Bounds { start: first, end: u64::MAX });
    }

    /// Takes note that what these positions hold is lost, and that there are none behind them.
    pub(super) fn lose(&mut self, bounds: Bounds, damage: Damage) {
        self.truncate(bounds.start);
        if bounds.start < bounds.end {
            self.lost.push(Lost { bounds, damage });
        }
    }

    /// What it knows about a position.
    pub(super) fn find(&self, position: u64) -> Entry<'_> {
        let at = self.runs.partition_point(|r| r.first <= position);
        let before = at.checked_sub(1).and_then(|at| self.runs.get(at));
        if let Some(run) = before.filter(|run| position < run.end()) {
            return Entry::Run(*run);
        }
        let mut around = Bounds { start: before.map_or(0, Run::end), end: u64::MAX };
        around.end = self.runs.get(at).map_or(u64::MAX, |next| next.first);
        for lost in &self.lost {
            if lost.bounds.start <= position && position < lost.bounds.end {
                return Entry::Lost(lost);
            }
            if lost.bounds.end <= position {
                around.start = around.start.max(lost.bounds.end);
            } else {
                around.end = around.end.min(lost.bounds.start);
            }
        }
        if position >= self.cut {
            around.start = around.start.max(self.cut);
            Entry::Absent(around)
        } else {
            around.end = around.end.min(self.cut);
            Entry::Older(around)
        }
    }

    /// The position behind the last one that it knows of; 0 if there is none.
    pub(super) fn ceiling(&self) -> u64 {
        let lost = self.lost.last().map_or(0, |l| l.bounds.end);
        self.runs.last().map_or(0, Run::end).max(lost)
    }

    /// What it reaches over.
    pub(super) fn extent(&self) -> Extent {
        Extent { floor: self.floor, ceiling: self.ceiling(), cut: self.cut }
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
            listed: false,
            first,
            end: first + u64::from(count),
            before: 0,
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
        assert_eq!(index.find(9), Entry::Older(Bounds { start: 0, end: 10 }));
        assert_eq!(index.find(2010), Entry::Absent(Bounds { start: 2010, end: u64::MAX }));
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
    #[test]
    fn a_put_takes_its_positions_from_a_run_and_leaves_the_rest() {
        let mut index = Index::new(0, 1);
        index.add(&frame(Kind::Append, 1, 0, 10), 200);
        index.add(&frame(Kind::Append, 2, 10, 10), 440);
        index.add(&frame(Kind::Put, 3, 5, 2), 680);
        let parts: Vec<_> = index.runs.iter().map(|r| (r.first, r.end(), r.offset)).collect();
        assert_eq!(parts, [(0, 5, 200), (5, 7, 680), (7, 20, 200)]);
        index.add(&frame(Kind::Put, 4, 18, 4), 920);
        index.add(&frame(Kind::Append, 5, 30, 1), 1160);
        let parts: Vec<_> = index.runs.iter().map(|r| (r.first, r.end(), r.offset)).collect();
        assert_eq!(parts, [(0, 5, 200), (5, 7, 680), (7, 18, 200), (18, 22, 920), (30, 31, 1160)]);
        index.add(&frame(Kind::Put, 6, 0, 40), 1400);
        assert_eq!(index.runs.len(), 1);
    }

    #[test]
    fn positions_left_out_are_looked_for_in_older_segments_only_below_the_cut() {
        let mut index = Index::new(100, 1);
        index.add(&frame(Kind::Put, 1, 50, 1), 200);
        index.add(&frame(Kind::Append, 2, 120, 1), 440);
        assert_eq!(index.find(49), Entry::Older(Bounds { start: 0, end: 50 }));
        assert_eq!(index.find(51), Entry::Older(Bounds { start: 51, end: 100 }));
        assert_eq!(index.find(110), Entry::Absent(Bounds { start: 100, end: 120 }));
        index.add(&frame(Kind::Truncate, 3, 70, 0), 680);
        assert_eq!(index.find(80), Entry::Absent(Bounds { start: 70, end: u64::MAX }));
        assert_eq!((index.floor, index.cut, index.ceiling()), (50, 70, 51));
    }
}
