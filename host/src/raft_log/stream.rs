//! A stream of entries.

use super::{Entries, RaftLog};
use crate::{error::Error, types::Limits};
use std::{fmt, iter::FusedIterator};

/// The entries of a range of indexes, in batches: see [`RaftLog::stream`].
///
/// Each batch shows the log as of its read. [`Error::Damaged`] is answered once for a damaged stretch, and the next batch
/// is the one behind it; every other error is the last answer. It keeps the log open.
///
/// ```
/// # use annals::{Limits, Runtime, raft_log::{Entry, Options}, storage::Memory};
/// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// log.persist(&[Entry::new(1, 1, "a"), Entry::new(1, 2, "b"), Entry::new(1, 3, "c")])?;
/// let batches = log.stream(1, 3).limits(Limits::new(2, 1 << 20));
/// assert_eq!(batches.map(|batch| Ok(batch?.len())).collect::<Result<Vec<_>, annals::Error>>()?, [2, 1]);
/// # Ok::<(), annals::Error>(())
/// ```
pub struct EntryStream {
    log: RaftLog,
    /// None once the end was told.
    next: Option<u64>,
    last: u64,
    limits: Limits,
}

impl EntryStream {
    pub(super) fn new(log: RaftLog, first: u64, last: u64) -> EntryStream {
        EntryStream { log, next: Some(first), last, limits: Limits::default() }
    }

    /// Sets how much one batch may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> EntryStream {
        self.limits = limits;
        self
    }
}

impl Iterator for EntryStream {
    type Item = Result<Entries, Error>;

    fn next(&mut self) -> Option<Result<Entries, Error>> {
        let from = self.next.take().filter(|from| *from <= self.last)?;
        match self.log.get_entries(from, self.last, self.limits) {
            Ok(entries) => {
                self.next = entries.last_index()?.checked_add(1);
                Some(Ok(entries))
            }
            Err(Error::Damaged(damage)) => {
                // Never back, and never the same once more.
                self.next = damage.next.filter(|next| *next > from);
                Some(Err(Error::Damaged(damage)))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

impl FusedIterator for EntryStream {}

impl fmt::Debug for EntryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryStream")
            .field("next", &self.next)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
