//! Where a position is: which segment, which run of it, or why nowhere.
//!
//! In a dense log each position has one owner, the last segment whose floor is not above it: floors of the segments that
//! hold anything ascend. In others the newest segment that knows of a position decides, and an older one is asked only
//! below the cut of each that does not.

use super::index::{Entry, Extent, Index, Lost};
use super::{RecordLog, View};
use crate::error::{Bounds, Damage, Error, Result};
use crate::format::segment::Run;
use crate::storage::Host;

/// Where a position is.
#[derive(Debug)]
pub(super) enum Located {
    /// Within this run, as far as no later segment has superseded that.
    Run { segment: u64, run: Run },
    /// What it held is lost.
    Lost(Damage),
    /// Nowhere; nor is any position in these bounds.
    Absent(Bounds),
}

fn lost(lost: &Lost, within: Bounds) -> Located {
    let (lowest, next) = (lost.bounds.start.max(within.start), lost.bounds.end.min(within.end));
    Located::Lost(Damage { lowest: Some(lowest), next: Some(next), ..lost.damage.clone() })
}

fn holds(bounds: Bounds, position: u64) -> bool {
    bounds.start <= position && position < bounds.end
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// The index of a segment.
    pub(super) fn index_of(&mut self, segment: u64) -> Result<&Index> {
        if segment == self.place.segment { Ok(&self.history.index) } else { Ok(&self.sealed(segment)?.index) }
    }

    fn extent_of(&mut self, segment: u64) -> Result<Extent> {
        if segment == self.place.segment { Ok(self.history.index.extent()) } else { self.extent(segment) }
    }

    /// Where a position below the next one is.
    pub(super) fn locate(&mut self, position: u64) -> Result<Located> {
        if V::DENSE { self.locate_dense(position) } else { self.locate_newest(position) }
    }

    fn locate_dense(&mut self, position: u64) -> Result<Located> {
        if let Some((_, missing)) = self.lost.iter().find(|(_, lost)| holds(lost.bounds, position)) {
            return Ok(Located::Lost(missing.damage.clone()));
        }
        let segment = self.owner(position)?;
        // A later segment may have superseded what the index of this one still names.
        let end = self.owned_below(segment)?;
        Ok(match self.index_of(segment)?.find(position) {
            Entry::Run(run) => Located::Run {
                segment,
                run: Run { count: run.end().min(end).saturating_sub(run.first), ..run },
            },
            Entry::Lost(it) => lost(it, Bounds { start: 0, end: u64::MAX }),
            Entry::Absent(around) | Entry::Older(around) => Located::Absent(around),
        })
    }

    fn locate_newest(&mut self, position: u64) -> Result<Located> {
        let mut around = Bounds { start: 0, end: u64::MAX };
        // The newest segment, the older ones from the back, and what is missing before all of them.
        for back in 0..self.older.len() + 2 {
            let segment = match back {
                0 => Some(self.place.segment),
                _ => self.older.len().checked_sub(back).and_then(|at| self.older.get(at).copied()),
            };
            // What the segments behind a missing one do not tell it may have held, whatever else is older.
            let between = |number: u64| segment.is_none_or(|segment| number > segment);
            if let Some((_, missing)) = self.lost.iter().find(|(number, _)| between(*number)) {
                return Ok(lost(missing, around));
            }
            let Some(segment) = segment else { break };
            if let Some(here) = self.extent_of(segment)?.passes(position) {
                around = Bounds { start: here.start.max(around.start), end: here.end.min(around.end) };
                continue;
            }
            match self.index_of(segment)?.find(position) {
                Entry::Run(run) => {
                    let (first, end) = (run.first.max(around.start), run.end().min(around.end));
                    return Ok(Located::Run {
                        segment,
                        run: Run { first, count: end.saturating_sub(first), ..run },
                    });
                }
                Entry::Lost(it) => return Ok(lost(it, around)),
                Entry::Absent(here) => {
                    let (start, end) = (here.start.max(around.start), here.end.min(around.end));
                    return Ok(Located::Absent(Bounds { start, end }));
                }
                Entry::Older(here) => {
                    around = Bounds { start: here.start.max(around.start), end: here.end.min(around.end) };
                }
            }
        }
        Ok(Located::Absent(around))
    }

    /// The segment that owns a position below the next one.
    fn owner(&mut self, position: u64) -> Result<u64> {
        if position >= self.history.index.floor {
            return Ok(self.place.segment);
        }
        let (mut low, mut high) = (0, self.older.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let number = self.older.get(middle).copied().unwrap_or_default();
            if self.floor(number)? <= position { low = middle + 1 } else { high = middle }
        }
        Ok(self.older.get(low.saturating_sub(1)).copied().unwrap_or(self.place.segment))
    }

    /// The lowest position that a segment behind this one owns.
    pub(super) fn owned_below(&mut self, segment: u64) -> Result<u64> {
        if segment == self.place.segment {
            return Ok(u64::MAX);
        }
        let newest = self.history.index.floor;
        let at = self.older.partition_point(|n| *n <= segment);
        match self.older.get(at).copied() {
            Some(next) => Ok(self.floor(next)?.min(newest)),
            None => Ok(newest),
        }
    }

    /// The first segment that is needed if everything below `boundary` is pruned: the last one whose floor is not above
    /// it.
    pub(crate) fn first_needed(&mut self, boundary: u64) -> Result<Option<u64>> {
        let mut needed = None;
        for number in self.older.clone() {
            match self.floor(number) {
                Ok(floor) if floor > boundary => break,
                Ok(_) => needed = Some(number),
                // What it holds is not known; a later one may tell that it is not needed.
                Err(Error::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let newest = self.history.index.floor <= boundary;
        Ok(if newest { Some(self.place.segment) } else { needed })
    }

    /// The same in a log that is not dense: the first segment that knows of a position from `boundary` on.
    pub(crate) fn first_holding(&mut self, boundary: u64) -> Result<u64> {
        for number in self.older.clone() {
            match self.extent(number) {
                Ok(extent) if extent.ceiling <= boundary => {}
                Ok(_) => return Ok(number),
                // Nobody knows what it holds; it stays.
                Err(Error::Damaged(_)) => return Ok(number),
                Err(error) => return Err(error),
            }
        }
        Ok(self.place.segment)
    }
}
