//! The values of a Raft log.

use crate::{
    bindings::exports::annals::log::raft_log as wit,
    error::{Cause, Error},
    limits,
    types::is_packed,
};
use std::fmt;

/// Bytes that an entry counts more than its payload, for its term.
const TERM_BYTES: usize = 8;

/// An entry's name: its index, and the term in which it was proposed.
///
/// ```
/// let id = annals::raft_log::LogId { term: 3, index: 17 };
/// assert_eq!(id.to_string(), "17 of term 3");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogId {
    /// The term in which it was proposed.
    pub term: u64,
    /// Its index, from 1.
    pub index: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of term {}", self.index, self.term)
    }
}

impl LogId {
    pub(super) fn to_wit(self) -> wit::LogId {
        wit::LogId { term: self.term, index: self.index }
    }

    pub(super) fn from_wit(id: wit::LogId) -> LogId {
        LogId { term: id.term, index: id.index }
    }
}

/// An entry.
///
/// ```
/// use annals::raft_log::{Entry, LogId};
///
/// let entry = Entry::new(3, 17, "set x to 1");
/// assert_eq!((entry.id, entry.payload), (LogId { term: 3, index: 17 }, b"set x to 1".to_vec()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its term and index.
    pub id: LogId,
    /// What the state machine makes something of; the log does not look into it. It may be empty.
    pub payload: Vec<u8>,
}

impl Entry {
    /// The entry at `index`, of `term`.
    pub fn new(term: u64, index: u64, payload: impl Into<Vec<u8>>) -> Entry {
        Entry { id: LogId { term, index }, payload: payload.into() }
    }

    pub(super) fn from_wit(entry: wit::Entry) -> Entry {
        Entry { id: LogId::from_wit(entry.id), payload: entry.payload }
    }
}

/// What a node must remember before it answers a vote or an append.
///
/// ```
/// use annals::raft_log::HardState;
///
/// let state = HardState { term: 4, vote: Some(2), ..HardState::default() };
/// assert!(state.extra.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardState {
    /// The current term.
    pub term: u64,
    /// Whom it voted for in that term.
    pub vote: Option<u64>,
    /// Whatever else belongs to it, at most [`limits::HARD_STATE_BYTES`].
    pub extra: Vec<u8>,
}

impl HardState {
    pub(super) fn to_wit(&self) -> wit::HardState {
        wit::HardState { term: self.term, vote: self.vote, extra: self.extra.clone() }
    }

    pub(super) fn from_wit(state: wit::HardState) -> HardState {
        HardState { term: state.term, vote: state.vote, extra: state.extra }
    }
}

/// Entries, packed into one piece of memory.
///
/// ```
/// use annals::raft_log::{Entries, LogId};
///
/// let mut entries = Entries::new();
/// entries.push(LogId { term: 1, index: 1 }, b"first")?;
/// entries.push(LogId { term: 2, index: 2 }, b"")?;
/// assert_eq!((entries.len(), entries.first_index(), entries.last_index()), (2, Some(1), Some(2)));
/// assert_eq!(entries.get(0), Some((LogId { term: 1, index: 1 }, &b"first"[..])));
/// assert!(entries.iter().all(|(id, payload)| id.term == 1 || payload.is_empty()));
/// entries.clear();
/// assert!(entries.is_empty());
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone)]
pub struct Entries {
    /// Its lists fit together.
    packed: wit::Entries,
}

impl Entries {
    /// None.
    pub fn new() -> Entries {
        let (indexes, terms, ends, bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Entries { packed: wit::Entries { indexes, terms, ends, bytes } }
    }

    /// Entry `i` has index `indexes[i]`, term `terms[i]`, and payload `bytes[ends[i - 1]..ends[i]]`, from 0 for the first
    /// one.
    ///
    /// ```
    /// use annals::{Error, raft_log::Entries};
    ///
    /// let entries = Entries::from_parts(vec![7, 8], vec![1, 1], vec![2, 5], b"abcde".to_vec())?;
    /// assert_eq!(entries.get(1).map(|(_, payload)| payload), Some(&b"cde"[..]));
    /// assert!(matches!(Entries::from_parts(vec![7], vec![], vec![0], vec![]), Err(Error::InvalidArgument(_))));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) if the lists do not fit together.
    pub fn from_parts(
        indexes: Vec<u64>,
        terms: Vec<u64>,
        ends: Vec<u32>,
        bytes: Vec<u8>,
    ) -> Result<Entries, Error> {
        if indexes.len() != terms.len() || indexes.len() != ends.len() {
            return Err(Error::InvalidArgument("entries: as many indexes as terms and ends".into()));
        }
        if !is_packed(&ends, bytes.len()) {
            return Err(Error::InvalidArgument("ends: must ascend to the number of bytes".into()));
        }
        Ok(Entries { packed: wit::Entries { indexes, terms, ends, bytes } })
    }

    /// Adds an entry at the end.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge) if the entry, or all of them together, are more than one call may write: nothing was
    /// added.
    pub fn push(&mut self, id: LogId, payload: &[u8]) -> Result<(), Error> {
        let packed = &mut self.packed;
        limits::count(packed.indexes.len() + 1)?;
        limits::item_bytes(payload.len().saturating_add(TERM_BYTES))?;
        let end = packed.bytes.len() + payload.len();
        limits::batch_bytes(end + (packed.indexes.len() + 1) * TERM_BYTES)?;
        packed.indexes.push(id.index);
        packed.terms.push(id.term);
        packed.bytes.extend_from_slice(payload);
        // A batch is far below 4 GiB.
        packed.ends.push(end as u32);
        Ok(())
    }

    /// Drops all of them, and keeps their memory.
    pub fn clear(&mut self) {
        let wit::Entries { indexes, terms, ends, bytes } = &mut self.packed;
        indexes.clear();
        terms.clear();
        ends.clear();
        bytes.clear();
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.packed.indexes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packed.indexes.is_empty()
    }

    /// The `number`th of them (not: the one at that index).
    pub fn get(&self, number: usize) -> Option<(LogId, &[u8])> {
        let wit::Entries { indexes, terms, ends, bytes } = &self.packed;
        let id = LogId { term: *terms.get(number)?, index: *indexes.get(number)? };
        let start = match number.checked_sub(1) {
            Some(before) => *ends.get(before)?,
            None => 0,
        };
        Some((id, bytes.get(start as usize..*ends.get(number)? as usize)?))
    }

    /// Entries with their payloads.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (LogId, &[u8])> + '_ {
        (0..self.len()).map(|number| self.get(number).unwrap_or_default())
    }

    /// Index of the first of them.
    pub fn first_index(&self) -> Option<u64> {
        self.packed.indexes.first().copied()
    }

    /// Index of the last of them.
    pub fn last_index(&self) -> Option<u64> {
        self.packed.indexes.last().copied()
    }

    /// All payloads, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.packed.bytes
    }

    /// Packs entries.
    ///
    /// # Errors
    /// As [`push`](Entries::push).
    pub(super) fn of(entries: &[Entry]) -> Result<Entries, Error> {
        let mut packed = Entries::new();
        limits::count(entries.len())?;
        entries
            .iter()
            .try_for_each(|entry| limits::item_bytes(entry.payload.len().saturating_add(TERM_BYTES)))?;
        let payloads = entries.iter().map(|entry| entry.payload.len()).fold(0, usize::saturating_add);
        limits::batch_bytes(payloads.saturating_add(entries.len() * TERM_BYTES))?;
        packed.packed.bytes.reserve_exact(payloads);
        entries.iter().try_for_each(|entry| packed.push(entry.id, &entry.payload))?;
        Ok(packed)
    }

    /// Whether one call may write all of them.
    pub(super) fn check(&self) -> Result<(), Error> {
        limits::count(self.len())?;
        self.iter()
            .try_for_each(|(_, payload)| limits::item_bytes(payload.len().saturating_add(TERM_BYTES)))?;
        limits::batch_bytes(self.packed.bytes.len().saturating_add(self.len() * TERM_BYTES))
    }

    pub(super) fn as_wit(&self) -> &wit::Entries {
        &self.packed
    }

    /// What the component answered; an error if that is nonsense.
    pub(super) fn answered(packed: wit::Entries) -> Result<Entries, Error> {
        let wit::Entries { indexes, terms, ends, bytes } = packed;
        let ascend = indexes.is_sorted_by(|a, b| a < b);
        match Entries::from_parts(indexes, terms, ends, bytes) {
            Ok(entries) if ascend => Ok(entries),
            _ => Err(Error::Trap(Cause::new("the component answered entries that do not fit together"))),
        }
    }
}

impl Default for Entries {
    fn default() -> Entries {
        Entries::new()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Entries) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries")
            .field("first", &self.first_index())
            .field("last", &self.last_index())
            .field("len", &self.len())
            .field("bytes", &self.packed.bytes.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Limit;

    #[test]
    fn an_entry_counts_eight_bytes_more_than_its_payload() {
        let mut entries = Entries::new();
        let payload = vec![7; limits::ITEM_BYTES];
        let (id, most) = (LogId { term: 1, index: 1 }, limits::ITEM_BYTES - TERM_BYTES);
        let over = entries.push(id, &payload[..=most]);
        assert!(
            matches!(over, Err(Error::TooLarge { what: Limit::ItemSize, got: 0x100_0001, .. })),
            "{over:?}"
        );
        assert!(entries.is_empty());
        for index in 1..=4 {
            entries.push(LogId { term: 1, index }, &payload[..most]).unwrap();
        }
        let over = entries.push(LogId { term: 1, index: 5 }, b"");
        assert!(matches!(over, Err(Error::TooLarge { what: Limit::BatchSize, .. })), "{over:?}");
        assert_eq!((entries.len(), entries.check()), (4, Ok(())));
        let entries: Vec<Entry> = (1..=4).map(|index| Entry::new(1, index, &payload[..most])).collect();
        assert!(Entries::of(&entries).is_ok());
        let last = Entry::new(1, 5, "");
        assert!(matches!(
            Entries::of(&[entries, vec![last]].concat()),
            Err(Error::TooLarge { what: Limit::BatchSize, .. })
        ));
    }

    #[test]
    fn answers_that_do_not_ascend_are_nonsense() {
        let answer = |indexes: [u64; 2]| {
            let (terms, ends) = (vec![1, 1], vec![0, 0]);
            Entries::answered(wit::Entries { indexes: indexes.to_vec(), terms, ends, bytes: Vec::new() })
        };
        assert!(answer([1, 2]).is_ok());
        for indexes in [[1, 1], [2, 1]] {
            assert!(matches!(answer(indexes), Err(Error::Trap(_))), "{indexes:?}");
        }
    }
}
