//! A stream of batches.

use crate::{
    convert,
    error::Error,
    handle::{Child, Stream},
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
pub struct Replay(Stream);

impl Replay {
    pub(super) fn new(reader: Child) -> Replay {
        Replay(Stream::new(reader))
    }

    /// Sets how much one batch may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Replay {
        self.0.limits = limits;
        self
    }

    /// Sets how much the following batches may hold.
    pub fn set_limits(&mut self, limits: Limits) {
        self.0.limits = limits;
    }

    /// The next batch, or none at the end. Unlike the iterator, it goes on after an error: a failed read can be tried
    /// again.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed), [`Pruned`](Error::Pruned), [`OutOfRange`](Error::OutOfRange): the last ones for good.
    /// [`Damaged`](Error::Damaged): the next call goes on behind it. [`Storage`](Error::Storage): the next call tries
    /// again.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        self.0.read(
            |annals, store, reader, limits| {
                annals.annals_log_journal().reader().call_next(store, reader, limits)
            },
            convert::batch,
        )
    }
}

impl Iterator for Replay {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Result<Batch, Error>> {
        let answer = self.next_batch();
        self.0.step(answer)
    }
}

impl std::iter::FusedIterator for Replay {}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
