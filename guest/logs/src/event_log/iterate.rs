//! Streaming events in the order of their ids, as they were when the stream was begun.

use super::EventLog;
use super::deleted::Deleted;
use crate::error::{Error, Result};
use crate::record_log::Lane;
use crate::storage::Host;
use crate::types::{Items, Limits};

/// An iteration under way: shows the log as it was when it was begun.
#[derive(Clone, Debug)]
pub struct Iterate {
    next: u64,
    end: u64,
    /// The last frame of that time. Later frames with late ids are not shown; those with ids in order lie behind the end.
    frame: u64,
    /// What was deleted at that time.
    deleted: Deleted,
    over: bool,
}

impl<H: Host> EventLog<H> {
    /// Begins to stream the events from `start` on, below `end`.
    pub fn iterate(&mut self, start: u64, end: Option<u64>) -> Result<Iterate> {
        self.log.follow()?;
        let next = self.log.next();
        Ok(Iterate {
            next: start,
            end: end.unwrap_or(next).min(next),
            frame: self.log.token().frame,
            deleted: self.log.view().deleted.clone(),
            // Behind what is known there may have been more, of which damage is to be told.
            over: end.is_some_and(|end| start >= end),
        })
    }

    /// The next events of an iteration, or none at its end.
    pub fn iterate_next(&mut self, iterate: &mut Iterate, limits: Limits) -> Result<Option<Items>> {
        self.log.follow()?;
        if iterate.over {
            return Ok(None);
        }
        match self.some(iterate, limits) {
            Ok(items) if !items.ids.is_empty() => Ok(Some(items)),
            Ok(_) => {
                iterate.over = true;
                let deleted = self.deleted_since(iterate).map(|(_, range)| Error::Deleted(range));
                // What is not known to be the end must not look like one.
                deleted.or_else(|| self.cut_short()).map_or(Ok(None), Err)
            }
            Err(error @ (Error::Damaged(_) | Error::Storage(_))) => Err(error),
            Err(error) => {
                iterate.over = true;
                Err(error)
            }
        }
    }

    fn deleted_since(&self, iterate: &Iterate) -> Option<(u64, crate::error::Bounds)> {
        self.log.view().deleted.since(&iterate.deleted, iterate.next, iterate.end)
    }

    /// The next events; none where there are none, or from where on some were deleted since.
    fn some(&mut self, iterate: &mut Iterate, limits: Limits) -> Result<Items> {
        let mut items = Items::default();
        let stop = self.deleted_since(iterate).map_or(iterate.end, |(id, _)| id);
        let most = u64::from(limits.count.max(1));
        let bytes_most = u64::from(limits.bytes);
        let mut at = iterate.next;
        while (items.ids.len() as u64) < most {
            let Some(stretch) = iterate.deleted.next_kept(at, stop) else {
                break;
            };
            let Items { ids, ends, bytes } = &mut items;
            let left = most - ids.len() as u64;
            let read = self.log.read_as_of(
                iterate.frame,
                stretch.start,
                stretch.end,
                left,
                bytes_most,
                Lane::Stream,
                ids,
                ends,
                bytes,
            );
            match read {
                Ok(next) if next == stretch.start => break, // nothing of it fits any more
                Ok(next) => at = next,
                Err(Error::Damaged(_)) if !items.ids.is_empty() => break,
                Err(Error::Damaged(damage)) => {
                    let lowest = damage.lowest.unwrap_or(stretch.start);
                    // What was deleted before the iteration began is none of its events.
                    let known = iterate.deleted.holding(lowest).is_some();
                    if let Some(range) = self.overtaken(lowest).filter(|_| !known) {
                        return Err(Error::Deleted(range));
                    }
                    // Said once; the next call goes on behind it.
                    let next = damage.next.unwrap_or(stretch.end);
                    iterate.next = next.clamp(stretch.start + 1, stop);
                    return Err(Error::Damaged(damage));
                }
                Err(error) => return Err(error),
            }
        }
        iterate.next = items.ids.last().map_or(iterate.next, |id| id + 1);
        Ok(items)
    }
}
