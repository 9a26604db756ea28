//! Reading in a log whose positions leave gaps: what is there, how much, the first and the last of it.

use super::locate::Located;
use super::read::{Lane, Sought, stretch, whole};
use super::window::exhausted;
use super::{RecordLog, View};
use crate::error::{Damage, Error, Result};
use crate::format::frame::Kind;
use crate::storage::Host;
use alloc::vec::Vec;

impl<H: Host, V: View> RecordLog<H, V> {
    /// Reads existing items with positions from `from` on, below `below`, in ascending order, from one frame or from what
    /// waits: at most `count`, and as many as fit into `most` bytes of `bytes` (one at least, if `ids` is empty). Returns
    /// where to go on: `below` if there are no more. A lost stretch is `damaged`; go on behind it.
    #[allow(clippy::too_many_arguments)] // what is asked, how much of it, and where it goes
    pub(crate) fn read_sparse(
        &mut self,
        from: u64,
        below: u64,
        count: u64,
        most: u64,
        lane: Lane,
        ids: &mut Vec<u64>,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        self.read_as_of(u64::MAX, from, below, count, most, lane, ids, ends, bytes)
    }

    /// The same without what stands in `put` frames behind frame number `last`. In a log whose frames supersede nothing,
    /// below the next position of that time, this is what there was then.
    #[allow(clippy::too_many_arguments)] // as above
    pub(crate) fn read_as_of(
        &mut self,
        last: u64,
        mut from: u64,
        below: u64,
        count: u64,
        most: u64,
        lane: Lane,
        ids: &mut Vec<u64>,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        let written = self.history.view.next();
        while from < below {
            if from >= written {
                return self.read_held_ids(from, below, count, most, ids, ends, bytes);
            }
            let cursor = match self.seek(from, lane)? {
                Sought::Frame(cursor) => cursor,
                Sought::Absent(next) => {
                    from = next.max(from + 1).min(written).min(below);
                    continue;
                }
            };
            let (items, end, start) = (&cursor.items, cursor.end().min(below), cursor.run.first);
            if items.header.kind == Kind::Put && items.header.number > last {
                from = end;
                self.cursor = Some(cursor);
                continue;
            }
            let outcome = self.with_source(items.segment, lane, |source| {
                let first = match items.number_of(source, from)? {
                    Ok(first) => first,
                    Err(bad) => return Err(whole(items, source, from, end, bad)),
                };
                let last = match items.number_of(source, end)? {
                    Ok(last) => last.min(first.saturating_add(count)),
                    Err(bad) => return Err(whole(items, source, from, end, bad)),
                };
                if first >= last {
                    return Ok(None);
                }
                let n = match items.read(source, first, last - first, most, ends, bytes)? {
                    Ok(n) => n,
                    Err(bad) => {
                        let damage = stretch(items, source, first, end, bad)?;
                        // What the frame held before that was superseded.
                        let lowest = damage.lowest.map(|lowest| lowest.max(start));
                        return Err(Error::Damaged(Damage { lowest, ..damage }));
                    }
                };
                match items.positions(source, first..first + n)? {
                    Ok(positions) => Ok(Some(positions)),
                    Err(bad) => Err(whole(items, source, from, end, bad)),
                }
            });
            self.cursor = Some(cursor);
            match outcome? {
                // Nothing of it fits any more.
                Some(positions) if positions.is_empty() => return Ok(from),
                Some(positions) => {
                    let next = positions.last().map_or(from, |last| last + 1);
                    ids.try_reserve(positions.len()).map_err(exhausted)?;
                    ids.extend(positions);
                    return Ok(next.min(below));
                }
                None => from = end,
            }
        }
        Ok(below)
    }

    /// Number of existing items with positions from `from` on, below `below`.
    pub(crate) fn count_between(&mut self, mut from: u64, below: u64) -> Result<u64> {
        let mut found = self.held_ids(from, below);
        let below = below.min(self.history.view.next());
        while from < below {
            let cursor = match self.seek(from, Lane::Stream)? {
                Sought::Frame(cursor) => cursor,
                Sought::Absent(next) => {
                    from = next.max(from + 1);
                    continue;
                }
            };
            let (items, end) = (&cursor.items, cursor.end().min(below));
            let outcome = self.with_source(items.segment, Lane::Stream, |source| {
                match (items.number_of(source, from)?, items.number_of(source, end)?) {
                    (Ok(first), Ok(last)) => Ok(last.saturating_sub(first)),
                    (Err(bad), _) | (_, Err(bad)) => Err(whole(items, source, from, end, bad)),
                }
            });
            self.cursor = Some(cursor);
            (found, from) = (found + outcome?, end);
        }
        Ok(found)
    }

    /// The lowest existing position from `from` on, below `below`, of what was written.
    pub(crate) fn first_from(&mut self, mut from: u64, below: u64) -> Result<Option<u64>> {
        let below = below.min(self.history.view.next());
        while from < below {
            let cursor = match self.seek(from, Lane::Point)? {
                Sought::Frame(cursor) => cursor,
                Sought::Absent(next) => {
                    from = next.max(from + 1);
                    continue;
                }
            };
            let (items, end) = (&cursor.items, cursor.end().min(below));
            let outcome = self.with_source(items.segment, Lane::Point, |source| {
                let first = match items.number_of(source, from)? {
                    Ok(first) => first..(first + 1).min(u64::from(items.header.count)),
                    Err(bad) => return Err(whole(items, source, from, end, bad)),
                };
                match items.positions(source, first)? {
                    Ok(positions) => Ok(positions.first().copied().filter(|position| *position < end)),
                    Err(bad) => Err(whole(items, source, from, end, bad)),
                }
            });
            self.cursor = Some(cursor);
            match outcome? {
                Some(found) => return Ok(Some(found)),
                None => from = end,
            }
        }
        Ok(None)
    }

    /// The highest existing position from `low` on, below `below`, of what was written.
    pub(crate) fn last_below(&mut self, low: u64, below: u64) -> Result<Option<u64>> {
        let mut below = below.min(self.history.view.next());
        while low < below {
            match self.locate(below - 1)? {
                Located::Absent(around) => below = around.start.min(below - 1),
                Located::Lost(damage) => return Err(Error::Damaged(damage)),
                Located::Run { run, .. } => {
                    let first = run.first.max(low);
                    if let Some(found) = self.last_in_run(first, below)? {
                        return Ok(Some(found));
                    }
                    below = first;
                }
            }
        }
        Ok(None)
    }

    /// The highest existing position of one run, from `from` on, below `below`.
    fn last_in_run(&mut self, mut from: u64, below: u64) -> Result<Option<u64>> {
        let mut found = None;
        while from < below {
            let cursor = match self.seek(from, Lane::Point)? {
                Sought::Frame(cursor) => cursor,
                Sought::Absent(next) => {
                    from = next.max(from + 1);
                    continue;
                }
            };
            let (items, end) = (&cursor.items, cursor.end().min(below));
            let outcome = self.with_source(items.segment, Lane::Point, |source| {
                let (first, last) = match (items.number_of(source, from)?, items.number_of(source, end)?) {
                    (Ok(first), Ok(last)) => (first, last),
                    (Err(bad), _) | (_, Err(bad)) => return Err(whole(items, source, from, end, bad)),
                };
                if first >= last {
                    return Ok(None);
                }
                match items.positions(source, last - 1..last)? {
                    Ok(positions) => Ok(positions.last().copied()),
                    Err(bad) => Err(whole(items, source, from, end, bad)),
                }
            });
            self.cursor = Some(cursor);
            (found, from) = (outcome?.or(found), end);
        }
        Ok(found)
    }
}
