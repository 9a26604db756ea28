//! Reading a Raft log: entries, terms, bounds, the hard state. Nothing here reads more than it answers with.

use super::RaftLog;
use super::batch::TERM;
use super::types::{Entries, Entry, HardState, LogId};
use crate::error::{Bounds, Damage, Error, Result};
use crate::record_log::{Lane, View};
use crate::storage::Host;
use crate::types::Limits;
use alloc::string::String;

impl<H: Host> RaftLog<H> {
    /// One entry.
    pub fn entry(&mut self, index: u64) -> Result<Option<Entry>> {
        let mut found = self.read(index, index, Limits { count: 1, bytes: u32::MAX }, Lane::Point)?;
        let (Some(&index), Some(&term)) = (found.indexes.first(), found.terms.first()) else {
            return Ok(None);
        };
        Ok(Some(Entry { id: LogId { term, index }, payload: core::mem::take(&mut found.bytes) }))
    }

    /// The entries from `first` to `last`, as many as fit.
    pub fn get_entries(&mut self, first: u64, last: u64, limits: Limits) -> Result<Entries> {
        self.read(first, last, limits, Lane::Stream)
    }

    /// The term of an entry, or of the purge boundary.
    pub fn term_of(&mut self, index: u64) -> Result<Option<u64>> {
        match self.log.view().boundary {
            Some(boundary) if boundary.index == index => self.log.check_open().map(|()| Some(boundary.term)),
            _ => Ok(self.entry(index)?.map(|entry| entry.id.term)),
        }
    }

    /// The lowest index of an entry.
    pub fn first_index(&mut self) -> Result<Option<u64>> {
        self.log.check_open()?;
        let Bounds { start, end } = self.bounds();
        if self.log.view().gaps {
            self.log.first_from(start, end)
        } else {
            Ok((start < end).then_some(start))
        }
    }

    /// The highest index of an entry or of the purge boundary.
    pub fn last_index(&self) -> Result<u64> {
        self.log.check_open().map(|()| self.log.view().next() - 1)
    }

    /// The last entry that was purged.
    pub fn purge_boundary(&self) -> Result<Option<LogId>> {
        self.log.check_open()?;
        self.known(self.log.view().hidden.boundary).map(|()| self.log.view().boundary)
    }

    /// The hard state saved last.
    pub fn load_hard_state(&self) -> Result<Option<HardState>> {
        self.log.check_open()?;
        self.known(self.log.view().hidden.hard).map(|()| self.log.view().hard.clone())
    }

    /// An error if damage hides a part of the state, or may have cut off a later one.
    fn known(&self, hidden: bool) -> Result<()> {
        let found = self.log.cut_short().or(self.log.damage().first().filter(|_| hidden));
        let (lowest, next, what) = (None, None, "a frame that may have changed this is lost".into());
        let unnamed = hidden.then(|| Damage { file: String::new(), offset: 0, lowest, next, what });
        found.cloned().or(unnamed).map_or(Ok(()), |damage| Err(Error::Damaged(damage)))
    }

    fn read(&mut self, first: u64, last: u64, limits: Limits, lane: Lane) -> Result<Entries> {
        self.log.check_open()?;
        let Bounds { start, end } = self.bounds();
        let (mut from, below) = (first.max(start), last.saturating_add(1).min(end));
        let mut entries = Entries::default();
        while from < below && (entries.indexes.len() as u64) < u64::from(limits.count.max(1)) {
            let count = u64::from(limits.count.max(1)) - entries.indexes.len() as u64;
            let Entries { indexes, ends, bytes, .. } = &mut entries;
            let (most, had) = (u64::from(limits.bytes), indexes.len());
            match self.log.read_sparse(from, below, count, most, lane, indexes, ends, bytes) {
                Ok(next) if next > from => from = next,
                Ok(_) => break, // no more fit
                Err(Error::Damaged(_)) if had > 0 => break,
                Err(Error::Damaged(damage)) => return Err(self.log.overtaken(from, damage)),
                Err(error) => return Err(error),
            }
        }
        // In a damaged log that may have held more entries than are known, the end must not look like one.
        if entries.indexes.is_empty()
            && first <= last
            && last >= end
            && let Some(damage) = self.log.cut_short()
        {
            return Err(Error::Damaged(damage.clone()));
        }
        take_terms(&mut entries)?;
        Ok(entries)
    }
}

/// Takes the terms out of the items.
fn take_terms(entries: &mut Entries) -> Result<()> {
    let Entries { terms, ends, bytes, indexes } = entries;
    terms.try_reserve(ends.len()).map_err(|_| Error::Other("out of memory".into()))?;
    let (mut start, mut kept) = (0, 0);
    for (end, index) in ends.iter_mut().zip(indexes) {
        let item = start..*end as usize;
        let Some(term) = bytes.get(item.clone()).and_then(|item| item.first_chunk::<TERM>()) else {
            // It verifies, but nothing here writes such an entry.
            let (lowest, what) = (Some(*index), "an entry without a term".into());
            return Err(Error::Damaged(Damage { file: String::new(), offset: 0, lowest, next: None, what }));
        };
        terms.push(u64::from_le_bytes(*term));
        bytes.copy_within(item.start + TERM..item.end, kept);
        kept += item.len() - TERM;
        start = item.end;
        *end = kept as u32;
    }
    bytes.truncate(kept);
    Ok(())
}
