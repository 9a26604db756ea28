//! Entries that are to be written: checked as a whole, then one frame.

use super::state::{MAX_INDEX, State};
use super::types::{Entries, Entry, LogId};
use crate::error::{Bounds, Error, Result};
use crate::format::frame::Kind;
use crate::limits::check_batch;
use crate::record_log::{NewFrame, RecordLog, room};
use crate::storage::Host;
use crate::types::unpack;
use alloc::vec::Vec;

/// Bytes of an item before its payload.
pub(super) const TERM: usize = 8;

/// Entries at ascending indexes, as the parts of a frame.
pub(super) struct Batch<'a> {
    indexes: Vec<u64>,
    terms: Vec<u8>,
    payloads: Vec<&'a [u8]>,
}

fn invalid<T>(what: &str) -> Result<T> {
    Err(Error::InvalidArgument(what.into()))
}

impl<'a> Batch<'a> {
    /// These entries.
    pub(super) fn of(entries: &'a [Entry]) -> Result<Self> {
        Self::new(entries.len(), entries.iter().map(|entry| (entry.id, entry.payload.as_slice())))
    }

    /// The same, packed.
    pub(super) fn of_packed(entries: &'a Entries) -> Result<Self> {
        let Entries { indexes, terms, ends, bytes } = entries;
        if indexes.len() != terms.len() || indexes.len() != ends.len() {
            return invalid("entries: as many indexes as terms and ends");
        }
        if !ends.is_sorted() || ends.last().map_or(0, |end| *end as usize) != bytes.len() {
            return invalid("ends: must ascend to the number of bytes");
        }
        let ids = indexes.iter().zip(terms).map(|(&index, &term)| LogId { term, index });
        Self::new(indexes.len(), ids.zip(unpack(ends, bytes)))
    }

    fn new(count: usize, entries: impl Iterator<Item = (LogId, &'a [u8])>) -> Result<Self> {
        let mut ids = room(count)?;
        let mut payloads: Vec<&[u8]> = room(count)?;
        for (id, payload) in entries {
            ids.push(id);
            payloads.push(payload);
        }
        if count > 0 {
            check_batch(count as u64, payloads.iter().map(|payload| (payload.len() + TERM) as u64))?;
        }
        let (mut indexes, mut terms) = (room(count)?, room(count * TERM)?);
        let mut least = 1;
        for LogId { term, index } in ids {
            if !(least..=MAX_INDEX).contains(&index) {
                return invalid("entries: indexes must ascend from 1 to 2^64 - 3");
            }
            least = index + 1;
            indexes.push(index);
            terms.extend_from_slice(&term.to_le_bytes());
        }
        Ok(Batch { indexes, terms, payloads })
    }

    /// The lowest index; none if there are no entries.
    pub(super) fn first(&self) -> Option<u64> {
        self.indexes.first().copied()
    }

    /// The first indexes that would be left out behind the last one, if `next` is the one behind that.
    pub(super) fn gap(&self, mut next: u64) -> Option<Bounds> {
        for &index in &self.indexes {
            if index > next {
                return Some(Bounds { start: next, end: index });
            }
            next = next.max(index + 1);
        }
        None
    }
}

impl Batch<'_> {
    /// Writes them as one frame; there is at least one.
    pub(super) fn write<H: Host>(&self, log: &mut RecordLog<H, State>, kind: Kind) -> Result<()> {
        let count = self.indexes.len();
        let mut ends = room(count * 4)?;
        let mut parts: Vec<&[u8]> = room(1 + count * 2)?;
        let mut end = 0u32;
        for payload in &self.payloads {
            end += (payload.len() + TERM) as u32; // at most 64 MiB: checked
            ends.extend_from_slice(&end.to_le_bytes());
        }
        parts.push(&ends);
        for (term, payload) in self.terms.chunks_exact(TERM).zip(&self.payloads) {
            parts.extend([term, payload]);
        }
        let first = self.first().unwrap_or_default();
        let (ids, parts) = (Some(self.indexes.as_slice()), parts.as_slice());
        log.write_frame(&NewFrame { kind, first, count: count as u32, ids, parts, kept: false })
    }
}
