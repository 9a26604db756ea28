//! A stream of single items.

use super::Replay;
use crate::{
    error::Error,
    types::{BatchItems, Item, Limits},
};
use std::{fmt, iter::FusedIterator};

/// How much is read at first, so that the first item comes soon.
const FIRST: Limits = Limits { count: 64, bytes: 16 << 10 };
/// How much is read at most, after some doublings.
const MOST: Limits = Limits { count: 1 << 15, bytes: 1 << 20 };

/// The items of a journal as it was at [`Journal::items`](super::Journal::items), one by one.
///
/// It reads ahead, a little at first and more as it goes on, up to 1 MiB. Items share the memory of what was read at
/// once; none is copied. It ends as [`Replay`] does.
///
/// ```
/// # use annals::{Error, Runtime, journal::Options, storage::Memory};
/// # fn main() -> Result<(), Error> {
/// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// journal.append_batch(&["a", "bc", "def"])?;
/// let lengths: Vec<usize> = journal.items(1)?.map(|item| Ok(item?.len())).collect::<Result<_, Error>>()?;
/// assert_eq!(lengths, [2, 3]);
/// # Ok(())
/// # }
/// ```
pub struct ItemStream {
    replay: Replay,
    limits: Limits,
    batch: BatchItems,
}

impl ItemStream {
    pub(super) fn new(replay: Replay) -> ItemStream {
        ItemStream { replay: replay.limits(FIRST), limits: FIRST, batch: BatchItems::default() }
    }
}

impl Iterator for ItemStream {
    type Item = Result<Item, Error>;

    #[inline]
    fn next(&mut self) -> Option<Result<Item, Error>> {
        loop {
            if let Some(item) = self.batch.next() {
                return Some(Ok(item));
            }
            match self.replay.next()? {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => return Some(Err(error)),
            }
            let Limits { count, bytes } = self.limits;
            self.limits = Limits::new((count * 2).min(MOST.count), (bytes * 2).min(MOST.bytes));
            self.replay.set_limits(self.limits);
        }
    }
}

impl FusedIterator for ItemStream {}

impl fmt::Debug for ItemStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemStream").field("replay", &self.replay).finish_non_exhaustive()
    }
}
