//! A stream of batches.

use crate::{
    convert,
    error::{Class, Error},
    handle::Child,
    types::{Batch, Limits},
};
use std::fmt;

/// The items of a journal as it was at [`Journal::replay`](super::Journal::replay), in batches.
///
/// It does not keep the journal open: once that is closed or dropped, the answer is [`Error::Closed`]. Items that were
/// pruned or rewound since end it with [`Error::Pruned`] or [`Error::OutOfRange`]. [`Error::Damaged`] is answered once
/// for a damaged stretch, and the next batch is the one behind it; every other error is the last answer.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// # use annals::Limits;
/// journal.append_batch(&["a", "b", "c"])?;
/// let mut replay = journal.replay(0)?.limits(Limits::new(2, 1 << 20));
/// assert_eq!(replay.next_batch()?.map(|batch| batch.len()), Some(2));
/// replay.set_limits(Limits::default());
/// for batch in replay {
///     assert_eq!(batch?.first, 2);
/// }
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Replay {
    /// None once the end was told.
    reader: Option<Child>,
    limits: Limits,
}

impl Replay {
    pub(super) fn new(reader: Child) -> Replay {
        Replay { reader: Some(reader), limits: Limits::default() }
    }

    /// Sets how much one batch may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Replay {
        self.limits = limits;
        self
    }

    /// Sets how much the following batches may hold.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The next batch, or none at the end. Unlike the iterator, it goes on after an error: a failed read can be tried
    /// again.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed), [`Pruned`](Error::Pruned), [`OutOfRange`](Error::OutOfRange): the last ones for good.
    /// [`Damaged`](Error::Damaged): the next call goes on behind it. [`Storage`](Error::Storage): the next call tries
    /// again.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let limits = convert::limits_to_wit(self.limits);
        reader.checked(
            |annals, store, reader| annals.annals_log_journal().reader().call_next(store, reader, limits),
            |batch| batch.map(convert::batch).transpose(),
        )
    }
}

impl Iterator for Replay {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Result<Batch, Error>> {
        self.reader.as_ref()?;
        let answer = self.next_batch().transpose();
        let goes_on = match &answer {
            Some(Ok(_)) => true,
            Some(Err(error)) => error.class() == Class::Damage,
            None => false,
        };
        if !goes_on {
            self.reader = None;
        }
        answer
    }
}

impl std::iter::FusedIterator for Replay {}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("limits", &self.limits).finish_non_exhaustive()
    }
}
