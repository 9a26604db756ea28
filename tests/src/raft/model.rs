//! A naive Raft log: entries in a map, no storage. It knows the exact answer to every call, errors and their bounds
//! included. `wit/raft-log.wit` and DESIGN.md §3 are its specification.

use super::{Entries, Entry, HardState, LogId, pack};
use crate::campaign::trial::id_of;
use crate::model::{MAX_BATCH, MAX_COUNT, MAX_ITEM};
use annals_logs::error::{Bounds, Error, Limit, Result};
use annals_logs::types::Limits;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that an entry counts more than its payload.
pub const TERM: u64 = 8;
/// Most bytes of a hard state's `extra`.
pub const MAX_EXTRA: u64 = 4096;

/// What a Raft log holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Model {
    entries: BTreeMap<u64, (u64, Arc<[u8]>)>,
    boundary: Option<LogId>,
    hard: Option<HardState>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ends = (self.entries.keys().next(), self.entries.keys().next_back());
        let (count, boundary, hard) = (self.entries.len(), self.boundary, &self.hard);
        write!(f, "{count} entries {ends:?}, boundary {boundary:?}, hard state {hard:?}")
    }
}

fn invalid<T>(what: &str) -> Result<T> {
    Err(Error::InvalidArgument(what.into()))
}

fn too_large(what: Limit, allowed: u64, got: u64) -> Result<()> {
    if got > allowed { Err(Error::TooLarge { what, allowed, got }) } else { Ok(()) }
}

fn check(entries: &[Entry]) -> Result<()> {
    too_large(Limit::BatchCount, MAX_COUNT, entries.len() as u64)?;
    let sizes = entries.iter().map(|entry| entry.payload.len() as u64 + TERM);
    sizes.clone().try_for_each(|size| too_large(Limit::ItemSize, MAX_ITEM, size))?;
    too_large(Limit::BatchSize, MAX_BATCH, sizes.sum())?;
    let indexes: Vec<u64> = entries.iter().map(|entry| entry.id.index).collect();
    let ascending = indexes.windows(2).all(|pair| pair[0] < pair[1]);
    let within = indexes.iter().all(|index| (1..=u64::MAX - 2).contains(index));
    if ascending && within { Ok(()) } else { invalid("indexes") }
}

impl Model {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// A number that tells it from others.
    pub fn id(&self) -> u64 {
        let boundary = self.boundary.map(|LogId { term, index }| (term, index));
        let hard = self.hard.as_ref().map(|HardState { term, vote, extra }| (term, vote, extra));
        id_of((&self.entries, boundary, hard))
    }

    /// One that holds these entries.
    pub fn holding(entries: &[Entry]) -> Self {
        let mut model = Self::new();
        model.insert(entries);
        model
    }

    /// One that says of itself what a log says of itself.
    pub fn saying(entries: &[Entry], boundary: Option<LogId>, hard: Option<HardState>) -> Self {
        Self { boundary, hard, ..Self::holding(entries) }
    }

    fn insert(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.entries.insert(entry.id.index, (entry.id.term, entry.payload.as_slice().into()));
        }
    }

    /// The highest index of an entry or of the boundary.
    pub fn last_index(&self) -> u64 {
        let last = self.entries.keys().next_back().copied().unwrap_or(0);
        last.max(self.boundary.map_or(0, |id| id.index))
    }

    /// The lowest index of an entry.
    pub fn first_index(&self) -> Option<u64> {
        self.entries.keys().next().copied()
    }

    /// The last purged entry.
    pub fn boundary(&self) -> Option<LogId> {
        self.boundary
    }

    /// The hard state.
    pub fn hard(&self) -> Option<&HardState> {
        self.hard.as_ref()
    }

    /// Number of entries.
    pub fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The bounds that `pruned` names.
    pub fn bounds(&self) -> Bounds {
        Bounds { start: self.boundary.map_or(1, |id| id.index + 1), end: self.last_index() + 1 }
    }

    /// All entries.
    pub fn all(&self) -> Vec<Entry> {
        let of =
            |(&index, (term, payload)): (&u64, &(u64, Arc<[u8]>))| super::entry(*term, index, &payload[..]);
        self.entries.iter().map(of).collect()
    }

    /// One entry.
    pub fn entry(&self, index: u64) -> Option<Entry> {
        let (term, payload) = self.entries.get(&index)?;
        Some(super::entry(*term, index, &payload[..]))
    }

    /// The term of an entry or of the boundary.
    pub fn term_of(&self, index: u64) -> Option<u64> {
        let boundary = self.boundary.filter(|id| id.index == index).map(|id| id.term);
        boundary.or(self.entries.get(&index).map(|(term, _)| *term))
    }

    /// Entries from `first` to `last`, as many as fit.
    pub fn get_entries(&self, first: u64, last: u64, limits: Limits) -> Entries {
        let mut found = Vec::new();
        let mut bytes = 0;
        if first <= last {
            for &index in self.entries.range(first..=last).map(|(index, _)| index) {
                let Some(entry) = self.entry(index) else { continue };
                bytes += entry.payload.len() as u64 + TERM;
                let full =
                    found.len() as u64 >= u64::from(limits.count.max(1)) || bytes > u64::from(limits.bytes);
                if full && !found.is_empty() {
                    break;
                }
                found.push(entry);
            }
        }
        pack(&found)
    }

    fn not_purged(&self, index: u64) -> Result<()> {
        let bounds = self.bounds();
        if index < bounds.start { Err(Error::Pruned(bounds)) } else { Ok(()) }
    }

    fn no_gap(&self, entries: &[Entry], mut next: u64, gaps: bool) -> Result<()> {
        for entry in entries {
            if entry.id.index > next && !gaps {
                return Err(Error::Gap(Bounds { start: next, end: entry.id.index }));
            }
            next = next.max(entry.id.index + 1);
        }
        Ok(())
    }

    /// Writes entries at their indexes.
    pub fn persist(&mut self, entries: &[Entry], gaps: bool) -> Result<()> {
        check(entries)?;
        let Some(first) = entries.first() else { return Ok(()) };
        self.not_purged(first.id.index)?;
        self.no_gap(entries, self.last_index() + 1, gaps)?;
        self.insert(entries);
        Ok(())
    }

    /// Drops entries from the back.
    pub fn truncate(&mut self, first: u64) -> Result<()> {
        self.not_purged(first.max(1))?;
        self.entries.retain(|index, _| *index < first);
        Ok(())
    }

    /// Drops entries from the back and writes others.
    pub fn replace_range(&mut self, first: u64, entries: &[Entry], gaps: bool) -> Result<()> {
        check(entries)?;
        if entries.is_empty() {
            return self.truncate(first);
        }
        if entries[0].id.index != first {
            return invalid("entries");
        }
        self.not_purged(first)?;
        self.no_gap(entries, first.min(self.last_index() + 1), gaps)?;
        self.truncate(first)?;
        self.insert(entries);
        Ok(())
    }

    /// Drops entries from the front.
    pub fn purge(&mut self, up_to: LogId) -> Result<()> {
        if up_to.index < self.bounds().start {
            return Ok(());
        }
        if up_to.index > u64::MAX - 2 {
            return invalid("up-to");
        }
        self.boundary = Some(up_to);
        self.entries.retain(|index, _| *index > up_to.index);
        Ok(())
    }

    /// Drops everything but the hard state.
    pub fn reset(&mut self) {
        (self.boundary, self.entries) = (None, BTreeMap::new());
    }

    /// Replaces the hard state.
    pub fn save_hard_state(&mut self, state: &HardState) -> Result<()> {
        too_large(Limit::BytesStored, MAX_EXTRA, state.extra.len() as u64)?;
        self.hard = Some(state.clone());
        Ok(())
    }
}
