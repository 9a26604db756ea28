//! Appending: what is there already is compared first, what is new is written as one frame.

use super::{EventLog, Outcome, Policy, WRITE_BUFFER};
use crate::error::{Error, Limit, Result};
use crate::format::MAX_COUNT;
use crate::format::frame::Kind;
use crate::record_log::{Lane, NewFrame, room};
use crate::storage::Host;
use crate::types::{Items, unpack};
use alloc::vec::Vec;

/// Most separate stretches that the new events of a batch may fall into: each needs a place in the file's index.
const MAX_STRETCHES: usize = 1000;

/// Bytes that are read at a time to be compared.
const COMPARED: u64 = 1 << 20;

/// An error unless a value is within its limit.
pub(super) fn within(what: Limit, allowed: u64, got: u64) -> Result<()> {
    if got > allowed { Err(Error::TooLarge { what, allowed, got }) } else { Ok(()) }
}

/// An error unless so many ids from `first` on are below the highest one.
fn check_ids(first: u64, count: u64) -> Result<()> {
    match first.checked_add(count) {
        Some(_) => Ok(()),
        None => {
            Err(Error::InvalidArgument("id: the highest one, 18446744073709551615, is not for events".into()))
        }
    }
}

/// The events of a batch, packed.
#[derive(Clone, Copy)]
struct Batch<'a> {
    first: u64,
    ends: &'a [u32],
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    /// The event with this id.
    fn event(&self, id: u64) -> Option<&'a [u8]> {
        let at = usize::try_from(id.checked_sub(self.first)?).ok()?;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start as usize..*self.ends.get(at)? as usize)
    }
}

impl<H: Host> EventLog<H> {
    /// Appends one event.
    pub fn append_with_id(&mut self, id: u64, event: &[u8]) -> Result<Outcome> {
        self.log.check_writable()?;
        within(Limit::ItemSize, self.max_event, event.len() as u64)?;
        check_ids(id, 1)?;
        let batch = Batch { first: id, ends: &[event.len() as u32], bytes: event };
        self.writing(|log| {
            if log.policy == Policy::Buffered && id >= log.log.next() {
                return log.wait(id, event);
            }
            log.append(batch, log.policy == Policy::Buffered)
        })
    }

    /// Appends events with consecutive ids.
    pub fn append_batch_with_ids<B: AsRef<[u8]>>(&mut self, first: u64, events: &[B]) -> Result<Outcome> {
        self.log.check_writable()?;
        let lens = || events.iter().map(|event| event.as_ref().len() as u64);
        self.check_batch(first, events.len() as u64, lens())?;
        let mut ends: Vec<u32> = room(events.len())?;
        let mut bytes = room(lens().sum::<u64>() as usize)?;
        for event in events {
            bytes.extend_from_slice(event.as_ref());
            ends.push(bytes.len() as u32);
        }
        self.writing(|log| log.append(Batch { first, ends: &ends, bytes: &bytes }, false))
    }

    /// The same, packed.
    pub fn append_packed_with_ids(&mut self, first: u64, ends: &[u32], bytes: &[u8]) -> Result<Outcome> {
        self.log.check_writable()?;
        if !ends.is_sorted() || ends.last().is_some_and(|end| *end as usize != bytes.len()) {
            return Err(Error::InvalidArgument("ends: must ascend to the number of bytes".into()));
        }
        self.check_batch(first, ends.len() as u64, unpack(ends, bytes).map(|event| event.len() as u64))?;
        self.writing(|log| log.append(Batch { first, ends, bytes }, false))
    }

    fn check_batch(&self, first: u64, count: u64, lens: impl Iterator<Item = u64>) -> Result<()> {
        if count == 0 {
            return Err(Error::InvalidArgument("events: a batch has at least one".into()));
        }
        within(Limit::BatchCount, MAX_COUNT, count)?;
        let mut total = 0;
        for len in lens {
            within(Limit::ItemSize, self.max_event, len)?;
            total += len;
        }
        within(Limit::BatchSize, self.max_batch, total)?;
        check_ids(first, count)
    }

    /// Takes an event to wait, which lies behind all others.
    fn wait(&mut self, id: u64, event: &[u8]) -> Result<Outcome> {
        self.log.hold_at(id, event)?;
        if self.log.held() >= WRITE_BUFFER
            && let Err(error) = self.log.flush()
        {
            self.log.take_back();
            return Err(error);
        }
        Ok(Outcome::Appended)
    }

    /// Appends what is not there yet. Where that is all there, it may go on to wait only if `may_wait`.
    fn append(&mut self, batch: Batch<'_>, may_wait: bool) -> Result<Outcome> {
        let missing = self.missing(batch)?;
        if missing.is_empty() && may_wait {
            return Ok(Outcome::Duplicate);
        }
        self.log.flush()?;
        let synced = self.policy == Policy::Synced;
        if synced {
            self.log.renew()?;
        }
        if !missing.is_empty() {
            self.write(batch, &missing)?;
        }
        if synced {
            // Of a duplicate too: the first copy must be as durable as a new one would be.
            self.log.sync_frames()?;
        }
        Ok(if missing.is_empty() { Outcome::Duplicate } else { Outcome::Appended })
    }

    /// The stretches of a batch's ids that are not there yet: first and behind the last one. An error if one is deleted,
    /// or there with other bytes.
    fn missing(&mut self, batch: Batch<'_>) -> Result<Vec<(u64, u64)>> {
        let end = batch.first + batch.count();
        let known = end.min(self.log.next());
        // The lowest id that is refused decides.
        let deleted = self.log.view().deleted.first_from(batch.first).filter(|(id, _)| *id < end);
        let stop = deleted.map_or(known, |(id, _)| id.min(known));
        let mut missing: Vec<(u64, u64)> = Vec::new();
        let mut next = batch.first;
        let mut from = batch.first;
        while from < stop {
            let Items { mut ids, mut ends, mut bytes } = Items::default();
            let most = u64::from(u32::MAX);
            from = self.log.read_sparse(
                from,
                stop,
                most,
                COMPARED,
                Lane::Stream,
                &mut ids,
                &mut ends,
                &mut bytes,
            )?;
            for (id, event) in ids.iter().zip(unpack(&ends, &bytes)) {
                if batch.event(*id) != Some(event) {
                    return Err(Error::Conflict(*id));
                }
                if next < *id {
                    missing.push((next, *id));
                }
                next = id + 1;
            }
        }
        if let Some((_, range)) = deleted {
            return Err(Error::Deleted(range));
        }
        if next < end {
            missing.push((next, end));
        }
        within(Limit::BatchCount, MAX_STRETCHES as u64, missing.len() as u64)?;
        Ok(missing)
    }

    /// Writes these stretches of a batch as one frame.
    fn write(&mut self, batch: Batch<'_>, missing: &[(u64, u64)]) -> Result<()> {
        let first = missing.first().map_or(batch.first, |(first, _)| *first);
        let kind = if first >= self.log.next() { Kind::Append } else { Kind::Put };
        let count = missing.iter().map(|(from, to)| to - from).sum::<u64>();
        let mut ids: Vec<u64> = room(if missing.len() > 1 { count as usize } else { 0 })?;
        let mut list: Vec<u8> = room(count as usize * 4)?;
        let mut parts: Vec<&[u8]> = room(missing.len() + 1)?;
        let mut end = 0u32;
        for &(from, to) in missing {
            let mut stretch: Option<usize> = None;
            let mut len = 0;
            for id in from..to {
                let event = batch.event(id).unwrap_or(&[]);
                end += event.len() as u32;
                len += event.len();
                list.extend_from_slice(&end.to_le_bytes());
                if missing.len() > 1 {
                    ids.push(id);
                }
                if stretch.is_none() {
                    let before = id.checked_sub(batch.first + 1).and_then(|at| batch.ends.get(at as usize));
                    stretch = Some(before.copied().unwrap_or(0) as usize);
                }
            }
            let start = stretch.unwrap_or(0);
            parts.push(batch.bytes.get(start..start + len).unwrap_or(&[]));
        }
        let mut all: Vec<&[u8]> = room(parts.len() + 1)?;
        all.push(&list);
        all.extend(parts);
        let ids = (!ids.is_empty()).then_some(&ids[..]);
        self.log.write_frame(&NewFrame { kind, first, count: count as u32, ids, parts: &all, kept: false })
    }
}
