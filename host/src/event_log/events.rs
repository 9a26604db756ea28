//! A stream of events.

use crate::{
    convert,
    error::Error,
    handle::{Child, Stream},
    types::{Items, Limits},
};
use std::fmt;

/// Events in ascending order of ids, in batches: those of a log as it was at
/// [`EventLog::iterate`](crate::EventLog::iterate), or those of a sealed file.
///
/// It does not keep the log open: once that is closed or dropped, the answer is [`Error::Closed`]. A range deleted since,
/// of which ids are still to come, ends it with [`Error::Deleted`]. [`Error::Damaged`] is answered once for a damaged
/// stretch, and the next batch is the one behind it; every other error is the last answer.
///
/// ```
/// # use annals::{Limits, Runtime, event_log::Options, storage::Memory};
/// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// log.append_batch(7, &["a", "b", "c"])?;
/// let mut events = log.iterate(0, None)?.limits(Limits::new(2, 1 << 20));
/// assert_eq!(events.next_batch()?.map(|batch| batch.len()), Some(2));
/// events.set_limits(Limits::default());
/// for batch in events {
///     assert!(batch?.iter().eq([(9, &b"c"[..])]));
/// }
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Events(Stream);

impl Events {
    pub(super) fn new(reader: Child) -> Events {
        Events(Stream::new(reader))
    }

    /// Sets how much one batch may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Events {
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
    /// [`Closed`](Error::Closed), [`Deleted`](Error::Deleted): the last ones for good. [`Damaged`](Error::Damaged): the
    /// next call goes on behind it. [`Storage`](Error::Storage): the next call tries again.
    pub fn next_batch(&mut self) -> Result<Option<Items>, Error> {
        self.0.read(
            |annals, store, reader, limits| {
                annals.annals_log_event_log().reader().call_next(store, reader, limits)
            },
            convert::items,
        )
    }
}

impl Iterator for Events {
    type Item = Result<Items, Error>;

    fn next(&mut self) -> Option<Result<Items, Error>> {
        let answer = self.next_batch();
        self.0.step(answer)
    }
}

impl std::iter::FusedIterator for Events {}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
