//! A stream of outstanding changes.

use super::Outstanding;
use crate::{
    error::Error,
    handle::{Child, Stream},
    types::Limits,
};
use std::{fmt, iter::FusedIterator, vec};

/// What was outstanding at [`ChangeLog::scan`](super::ChangeLog::scan), in the order of origins and then ids.
///
/// It does not keep the log open: once that is closed or dropped, the answer is [`Error::Closed`]. If a change was removed
/// since, and its bytes are gone, it ends with [`Error::Pruned`]. [`Error::Damaged`] is answered once for each damaged
/// change or instance, and the next answer is what is behind it; every other error is the last answer.
///
/// ```
/// # use annals::{Limits, Runtime, change_log::{Change, Options}, storage::Memory};
/// # let log = Runtime::new()?.change_log(std::sync::Arc::new(Memory::new()), "steps", &Options::create())?;
/// log.record(b"1", &Change::new(b"blobs/1"))?;
/// log.record(b"2", &Change::new(b"blobs/2"))?;
/// let mut scan = log.scan(false)?.limits(Limits::new(1, 1 << 20));
/// assert_eq!(scan.next_batch()?.map(|changes| changes.len()), Some(1));
/// for outstanding in scan {
///     assert_eq!(outstanding?.change.payload, b"blobs/2");
/// }
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Scan {
    stream: Stream,
    batch: vec::IntoIter<Outstanding>,
}

impl Scan {
    pub(super) fn new(reader: Child) -> Scan {
        Scan { stream: Stream::new(reader), batch: Vec::new().into_iter() }
    }

    /// Sets how much is read at once.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Scan {
        self.set_limits(limits);
        self
    }

    /// Sets how much is read at once from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.stream.limits = limits;
    }

    /// The next changes, or none at the end, apart from those that the iterator has read already. Unlike that, it goes on
    /// after an error: a failed read can be tried again.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed), [`Pruned`](Error::Pruned): for good. [`Damaged`](Error::Damaged): the next call goes on
    /// behind it. [`Storage`](Error::Storage): the next call tries again.
    pub fn next_batch(&mut self) -> Result<Option<Vec<Outstanding>>, Error> {
        self.stream.read(
            |annals, store, reader, limits| {
                annals.annals_log_change_log().reader().call_next(store, reader, limits)
            },
            |changes| Ok(changes.into_iter().map(Outstanding::of).collect()),
        )
    }
}

impl Iterator for Scan {
    type Item = Result<Outstanding, Error>;

    fn next(&mut self) -> Option<Result<Outstanding, Error>> {
        loop {
            if let Some(outstanding) = self.batch.next() {
                return Some(Ok(outstanding));
            }
            let answer = self.next_batch();
            match self.stream.step(answer)? {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl FusedIterator for Scan {}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("limits", &self.stream.limits).finish_non_exhaustive()
    }
}
