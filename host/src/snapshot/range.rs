//! Streams of entries.

use super::{Entries, Entry};
use crate::{
    bindings::exports::annals::log::snapshot as wit,
    convert,
    error::Error,
    handle::{Child, Stream},
    types::Limits,
};
use std::{fmt, iter::FusedIterator};

/// How much is read at first, so that the first entry comes soon.
const FIRST: Limits = Limits { count: 64, bytes: 16 << 10 };
/// How much is read at most, after some doublings.
const MOST: Limits = Limits { count: 1 << 15, bytes: 1 << 20 };

/// Entries of a snapshot as it was at [`Snapshot::range`](super::Snapshot::range), in batches, whatever is applied and
/// compacted meanwhile.
///
/// It does not keep the log open: once that is closed or dropped, the answer is [`Error::Closed`]. [`Error::Damaged`] is
/// answered once for each entry that cannot be read, and the next batch is the one behind it; every other error is the
/// last answer.
///
/// ```
/// # use annals::{Limits, Runtime, snapshot::{Options, Update}, storage::Memory};
/// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
/// fold.apply(&[Update::put(b"b", b"2"), Update::put(b"a", b"1")], b"")?;
/// let mut range = fold.range(b"")?.limits(Limits::new(1, 1 << 20));
/// assert_eq!(range.next_batch()?.map(|entries| entries.len()), Some(1));
/// range.set_limits(Limits::default());
/// for entries in range {
///     assert_eq!(entries?.get(0).map(|entry| entry.key), Some(&b"b"[..]));
/// }
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Range(Stream);

impl Range {
    pub(super) fn new(reader: Child) -> Range {
        Range(Stream::new(reader))
    }

    /// Sets how much one batch may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Range {
        self.0.limits = limits;
        self
    }

    /// Sets how much the following batches may hold.
    pub fn set_limits(&mut self, limits: Limits) {
        self.0.limits = limits;
    }

    /// The next entries, or none at the end. Unlike the iterator, it goes on after an error: a failed read can be tried
    /// again.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed): for good. [`Damaged`](Error::Damaged): the next call goes on behind it.
    /// [`Storage`](Error::Storage): the next call tries again.
    pub fn next_batch(&mut self) -> Result<Option<Entries>, Error> {
        self.0.read(
            |annals, store, reader, limits| {
                annals.annals_log_snapshot().reader().call_next(store, reader, limits)
            },
            |wit::Entries { ends, bytes }| {
                Entries::new(ends, bytes).ok_or_else(|| convert::nonsense("entries"))
            },
        )
    }
}

impl Iterator for Range {
    type Item = Result<Entries, Error>;

    fn next(&mut self) -> Option<Result<Entries, Error>> {
        let answer = self.next_batch();
        self.0.step(answer)
    }
}

impl FusedIterator for Range {}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

/// Entries of a snapshot as it was at [`Snapshot::entries`](super::Snapshot::entries), one by one.
///
/// It reads ahead, a little at first and more as it goes on, up to 1 MiB. It ends as [`Range`] does.
///
/// ```
/// # use annals::{Error, Runtime, snapshot::{Options, Update}, storage::Memory};
/// # fn main() -> Result<(), Error> {
/// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
/// fold.apply(&[Update::put(b"a/2", b""), Update::put(b"b", b""), Update::put(b"a/1", b"")], b"")?;
/// let keys: Vec<Vec<u8>> = fold.entries(b"a/")?.map(|entry| Ok(entry?.key)).collect::<Result<_, Error>>()?;
/// assert_eq!(keys, [b"a/1", b"a/2"]);
/// # Ok(())
/// # }
/// ```
pub struct EntryStream {
    range: Range,
    limits: Limits,
    batch: Entries,
    given: usize,
}

impl EntryStream {
    pub(super) fn new(range: Range) -> EntryStream {
        EntryStream { range: range.limits(FIRST), limits: FIRST, batch: Entries::default(), given: 0 }
    }
}

impl Iterator for EntryStream {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Result<Entry, Error>> {
        loop {
            if let Some(entry) = self.batch.get(self.given) {
                self.given += 1;
                return Some(Ok(entry.to_owned()));
            }
            match self.range.next()? {
                Ok(batch) => (self.batch, self.given) = (batch, 0),
                Err(error) => return Some(Err(error)),
            }
            let Limits { count, bytes } = self.limits;
            self.limits = Limits::new((count * 2).min(MOST.count), (bytes * 2).min(MOST.bytes));
            self.range.set_limits(self.limits);
        }
    }
}

impl FusedIterator for EntryStream {}

impl fmt::Debug for EntryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryStream").field("range", &self.range).finish_non_exhaustive()
    }
}
