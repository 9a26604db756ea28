//! Single appends at the price of batches.

use super::{Journal, inner::JournalCalls as _};
use crate::{error::Error, handle::Home as _, limits, token::Token};
use std::fmt;

/// Bytes that are gathered unless told.
const BYTES: usize = 128 << 10;
/// Items that are gathered at most, however small.
const COUNT: usize = 1 << 16;

/// Gathers single appends in the memory of this process, and crosses into the component once for many: ten times faster
/// than [`Journal::append`] for small items.
///
/// *Order*: an appender is a part of its journal, not a queue before it. An item has its position when
/// [`append`](Appender::append) returns, is counted by [`size`](Journal::size) from then on, and is handed over before
/// any call on the journal that could tell: other appends, rewinds and prunes, reads that reach it, replays, syncs,
/// commits, closing. Any number of appenders and other handles may be mixed; clones share what is gathered.
///
/// *Durability*: that of [`Journal::append`]. What is gathered is handed over when so many bytes (128 KiB unless told) or
/// 65,536 items are there, and by [`flush`](Appender::flush), [`sync`](Appender::sync), drop, and calls on the journal as
/// above. Each time it becomes one frame.
///
/// *Errors*: when handing over fails for lack of space, everything stays gathered; whoever caused it is told, and so is
/// everyone after them until there is space. After any other failure the journal is closed; the next call on an appender
/// says why, and calls after that answer [`Closed`](Error::Closed). So once `flush` or `sync` has succeeded, every item
/// before it is there.
///
/// ```
/// use annals::{Runtime, journal::Options, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), annals::Error> {
/// let journal = Runtime::new()?.journal(Arc::new(Memory::new()), "log", &Options::default())?;
/// let appender = journal.appender()?.gather(64 << 10);
/// for number in 0..1000_u64 {
///     assert_eq!(appender.append(&number.to_le_bytes())?, number);
/// }
/// assert_eq!(journal.append(b"and one more")?, 1000); // goes behind them
/// appender.append(b"and another")?;
/// appender.flush()?; // all survive the death of this process
/// assert_eq!(appender.journal().size()?, 1002);
/// appender.sync()?; // and the loss of power, if the storage is durable
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Appender {
    journal: Journal,
    bytes: usize,
}

impl Appender {
    pub(super) fn new(journal: Journal) -> Appender {
        Appender { journal, bytes: BYTES }
    }

    /// Gathers up to so many bytes: from 4 KiB to 16 MiB; what is outside of that counts as the nearer end.
    #[must_use]
    pub fn gather(mut self, bytes: usize) -> Appender {
        self.bytes = bytes.clamp(4 << 10, 16 << 20);
        self
    }

    /// Its journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Appends one item and returns its position.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`OutOfSpace`](Error::OutOfSpace): this item was not taken, those before it still
    /// are gathered. [`Storage`](Error::Storage), [`Trap`](Error::Trap), [`Closed`](Error::Closed): the journal is
    /// closed; which items are there shows when it is opened again.
    #[inline]
    pub fn append(&self, item: &[u8]) -> Result<u64, Error> {
        let gathered = self.journal.inner.front().gather(item, self.bytes, COUNT);
        gathered.map_or_else(|| self.make_room(item), Ok)
    }

    /// Hands over what was gathered, and appends.
    #[cold]
    fn make_room(&self, item: &[u8]) -> Result<u64, Error> {
        let inner = &self.journal.inner;
        limits::item(item).map_err(|error| inner.rather(error))?;
        let appended = inner.with_live(|live| {
            inner.hand_over(live)?;
            // It still may not fit: it may be large, or others may have been faster.
            if let Some(position) = inner.front().gather(item, self.bytes, COUNT) {
                return Ok(position);
            }
            let end = [item.len() as u32]; // it was checked above
            inner.appending(live, 1, |live| live.append_packed(&end, item))
        });
        appended.map_err(|error| self.cause(error))
    }

    /// Instead of `closed` the failure that closed the journal, if no appender was told yet.
    fn cause(&self, error: Error) -> Error {
        let failure = self.journal.inner.front().take_failure();
        match error {
            Error::Closed => failure.unwrap_or(Error::Closed),
            error => error,
        }
    }

    /// Hands over what was gathered to the storage: it survives the death of this process.
    ///
    /// # Errors
    /// As [`append`](Appender::append).
    pub fn flush(&self) -> Result<(), Error> {
        self.journal.flush().map_err(|error| self.cause(error))
    }

    /// Makes every append before it durable.
    ///
    /// # Errors
    /// As [`append`](Appender::append).
    pub fn sync(&self) -> Result<Token, Error> {
        self.journal.sync().map_err(|error| self.cause(error))
    }
}

impl Drop for Appender {
    /// What cannot be handed over for lack of space stays gathered in the journal.
    fn drop(&mut self) {
        if self.journal.inner.front().holds_below(u64::MAX) {
            let inner = &self.journal.inner;
            let _ = inner.with_live(|live| inner.hand_over(live));
        }
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").field("journal", &self.journal).field("bytes", &self.bytes).finish()
    }
}
