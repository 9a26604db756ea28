//! What a journal knows and holds on this side of the component: its bounds, and items that were gathered.
//!
//! Invariants, which hold whenever nobody holds both locks of `inner`:
//! * bounds are known exactly while the journal is open, and they are the component's;
//! * gathered items follow them: item `i` has position `known.end + i`;
//! * while a call that may move the end is under way, the front is not *steady*: nothing is gathered.

use crate::{error::Error, types::Bounds};

/// Items that wait, packed as the component takes them.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) ends: Vec<u32>,
    pub(super) bytes: Vec<u8>,
}

impl Packed {
    /// Takes an item. The caller sees to it that all of them fit into a batch.
    #[inline]
    pub(super) fn add(&mut self, item: &[u8]) {
        self.bytes.extend_from_slice(item);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }
}

/// See above.
pub(super) struct Front {
    known: Option<Bounds>,
    steady: bool,
    gathered: Packed,
    /// Why the journal is closed, until an appender is told.
    failure: Option<Error>,
}

impl Front {
    pub(super) fn new(known: Bounds) -> Front {
        Front { known: Some(known), steady: true, gathered: Packed::default(), failure: None }
    }

    /// The bounds, gathered items included.
    pub(super) fn bounds(&self) -> Result<Bounds, Error> {
        let known = self.known.ok_or(Error::Closed)?;
        Ok(Bounds { end: known.end.saturating_add(self.gathered.ends.len() as u64), ..known })
    }

    pub(super) fn is_open(&self) -> bool {
        self.known.is_some()
    }

    /// Whether a reader of positions below `end` needs items that were gathered.
    pub(super) fn holds_below(&self, end: u64) -> bool {
        !self.gathered.is_empty() && self.known.is_some_and(|known| known.end < end)
    }

    /// Gathers an item and returns its position; none if it does not fit, or not now.
    #[inline]
    pub(super) fn gather(&mut self, item: &[u8], max_bytes: usize, max_count: usize) -> Option<u64> {
        let count = self.gathered.ends.len();
        let fits = item.len() <= max_bytes.saturating_sub(self.gathered.bytes.len()) && count < max_count;
        let position = self.known?.end.checked_add(count as u64)?;
        // Positions end before `u64::MAX`; the component says so.
        if !fits || !self.steady || position >= u64::MAX - 1 {
            return None;
        }
        self.gathered.add(item);
        Some(position)
    }

    /// Takes what was gathered, to be handed over, as if that had succeeded already. Not steady from now on.
    pub(super) fn take(&mut self) -> Option<(u64, Packed)> {
        let known = self.known.as_mut().filter(|_| !self.gathered.is_empty())?;
        let first = known.end;
        known.end = first.saturating_add(self.gathered.ends.len() as u64);
        self.steady = false;
        Some((first, std::mem::take(&mut self.gathered)))
    }

    /// It was handed over: its memory comes back for the next items.
    pub(super) fn taken(&mut self, mut memory: Packed) {
        memory.clear();
        self.gathered = memory;
        self.steady = true;
    }

    /// It was not handed over, but nothing else happened either.
    pub(super) fn put_back(&mut self, first: u64, packed: Packed) {
        if let Some(known) = &mut self.known {
            known.end = first;
            self.gathered = packed;
        }
        self.steady = true;
    }

    /// A call is to begin that moves the end: nothing is gathered until it has ended. What was gathered before is to be
    /// handed over first; then this is called again, as others may have been faster.
    pub(super) fn halt(&mut self) -> Option<(u64, Packed)> {
        let gathered = self.take();
        self.steady = false;
        gathered
    }

    /// It has ended, and these are the bounds now.
    pub(super) fn settle(&mut self, known: Bounds) {
        self.known = Some(known);
        self.steady = true;
    }

    /// It has ended and appended these positions.
    pub(super) fn appended(&mut self, first: u64, count: u64) {
        if let Some(known) = &mut self.known {
            known.end = first.saturating_add(count);
        }
        self.steady = true;
    }

    /// It has ended without changing anything.
    pub(super) fn unchanged(&mut self) {
        self.steady = true;
    }

    /// The journal is closed, and what was gathered is lost if it was not handed over.
    pub(super) fn shut(&mut self, failure: Option<Error>) {
        if self.known.take().is_some() {
            self.failure = failure;
        }
        self.gathered = Packed::default();
        self.steady = false;
    }

    /// What closed the journal, once.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }
}
