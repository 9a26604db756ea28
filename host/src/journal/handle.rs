//! The handle: every call, its checks, and what it promises.

use super::{
    Appender, ItemStream, Options, Replay, SyncTicket,
    inner::{Inner, JournalCalls as _, begin_sync, is_open, ticket},
};
use crate::{
    convert,
    error::Error,
    handle::{Child, Home as _},
    limits,
    runtime::Runtime,
    storage::Storage,
    token::Token,
    types::{Batch, Bounds, Items, Limits, Mode},
};
use std::{fmt, sync::Arc};

/// An open journal.
///
/// Clones share it; dropping the last one hands over what waits in memory and lets go of the lock, but syncs nothing and
/// reports nothing: call [`close`](Journal::close) for both.
///
/// *Durability*: an append is in the hands of the storage after [`flush`](Journal::flush), after any batch call, and once
/// a section fills up; it is durable after [`sync_data`](Journal::sync_data), [`sync`](Journal::sync),
/// [`close`](Journal::close), or when a [`SyncTicket`] says so. A batch is there as a whole or not at all after any
/// crash. Appends become durable in order.
///
/// *Order*: calls take effect one after the other, as if there were one thread; items of an [`Appender`] when they were
/// appended to it. Size and bounds are answered from memory and never wait for a sync.
///
/// ```
/// use annals::{Error, Runtime, journal::Options, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Error> {
/// let journal = Runtime::new()?.journal(Arc::new(Memory::new()), "readings", &Options::default())?;
/// assert_eq!(journal.append(b"17.5")?, 0);
/// journal.flush()?; // it survives the death of this process
/// assert_eq!(journal.append_batch(&["17.6", "17.9"])?, 1);
/// journal.sync_data()?; // all survive the loss of power, if the storage is durable
/// assert_eq!((journal.name(), journal.read(2)?), ("readings", b"17.9".to_vec()));
///
/// for item in journal.items(1)? {
///     let item = item?;
///     println!("{}: {}", item.position(), String::from_utf8_lossy(&item));
/// }
///
/// journal.rewind(1)?;
/// assert_eq!((journal.size()?, journal.oldest()?, journal.boundary()?), (1, Some(0), 0));
/// journal.close()?;
/// assert_eq!(journal.append(b"18.0"), Err(Error::Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Journal {
    pub(super) inner: Arc<Inner>,
}

impl Journal {
    pub(crate) fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<Journal, Error> {
        Ok(Journal { inner: Arc::new(Inner::new(runtime, storage, name, options)?) })
    }

    /// Opens the journal again, after a failure or a close, and recovers it. This handle and its clones are closed first
    /// if they are not; what waits in their memory is handed over if the storage still takes it.
    ///
    /// ```
    /// # use annals::{Error, Runtime, journal::Options, storage::Memory};
    /// # fn main() -> Result<(), Error> {
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append(b"item")?;
    /// let again = journal.reopen()?;
    /// assert_eq!((again.size(), journal.size()), (Ok(1), Err(Error::Closed)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::journal`].
    pub fn reopen(&self) -> Result<Journal, Error> {
        self.inner.end();
        let Inner { runtime, storage, name, options, .. } = &*self.inner;
        Journal::open(runtime, storage.clone(), name, &options.again())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Appends one item and returns its position. It may wait in memory until the next
    /// [`flush`](Journal::flush) or sync. For many items, an [`appender`](Journal::appender) is ten times faster.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace): nothing was
    /// changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the journal is closed; whether the item is there
    /// shows when it is opened again.
    pub fn append(&self, item: &[u8]) -> Result<u64, Error> {
        limits::item(item).map_err(|error| self.inner.rather(error))?;
        self.inner.with_live(|live| {
            self.inner.appending(live, 1, |live| {
                live.journal(|journal, store, resource| journal.call_append(store, resource, item))
            })
        })
    }

    /// Appends items as one frame, which is there as a whole or not at all after a crash, hands it to the storage, and
    /// returns the position of the first.
    ///
    /// # Errors
    /// As [`append`](Journal::append); [`InvalidArgument`](Error::InvalidArgument) if there are no items.
    pub fn append_batch<I: AsRef<[u8]>>(&self, items: &[I]) -> Result<u64, Error> {
        let total =
            limits::batch(items.iter().map(AsRef::as_ref)).map_err(|error| self.inner.rather(error))?;
        let mut bytes = Vec::with_capacity(total);
        let mut ends = Vec::with_capacity(items.len());
        for item in items {
            bytes.extend_from_slice(item.as_ref());
            // The total fits, it was checked above.
            ends.push(bytes.len() as u32);
        }
        self.append_packed(&ends, &bytes)
    }

    /// The same for packed items: item `i` is `bytes[ends[i - 1]..ends[i]]`, from 0 for the first one.
    ///
    /// ```
    /// # use annals::{Error, Runtime, journal::Options, storage::Memory};
    /// # fn main() -> Result<(), Error> {
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append_packed(&[2, 2, 5], b"abcde")?;
    /// assert_eq!(journal.read(0)?, b"ab");
    /// assert_eq!(journal.read(1)?, b"");
    /// assert_eq!(journal.read(2)?, b"cde");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`append`](Journal::append); [`InvalidArgument`](Error::InvalidArgument) if there are no items, or if `ends`
    /// do not ascend to the length of `bytes`.
    pub fn append_packed(&self, ends: &[u32], bytes: &[u8]) -> Result<u64, Error> {
        limits::packed(ends, bytes).map_err(|error| self.inner.rather(error))?;
        self.inner.with_live(|live| {
            self.inner.appending(live, ends.len() as u64, |live| live.append_packed(ends, bytes))
        })
    }

    /// An appender: gathers single items on this side and crosses into the component once for many.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// let appender = journal.appender()?;
    /// appender.append(b"gathered")?;
    /// assert_eq!(journal.size()?, 1);
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Closed`](Error::Closed), [`ReadOnly`](Error::ReadOnly).
    pub fn appender(&self) -> Result<Appender, Error> {
        match self.inner.options.mode {
            Mode::ReadOnly => Err(self.inner.rather(Error::ReadOnly)),
            _ => self.size().map(|_| Appender::new(self.clone())),
        }
    }

    /// Appends one item, waits until it is durable, and returns its position. When several threads do so, one sync
    /// serves all who came while the one before was running: their items become one frame.
    ///
    /// ```
    /// # use annals::{Error, Runtime, journal::Options, storage::Memory};
    /// # fn main() -> Result<(), Error> {
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// std::thread::scope(|scope| {
    ///     for _ in 0..8 {
    ///         scope.spawn(|| journal.append_durable(b"acknowledged"));
    ///     }
    /// });
    /// assert_eq!(journal.size()?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`append`](Journal::append). A failed sync fails everyone whom it was to serve, and closes the journal.
    pub fn append_durable(&self, item: &[u8]) -> Result<u64, Error> {
        limits::item(item).map_err(|error| self.inner.rather(error))?;
        self.inner.commits.append(&self.inner, item)
    }

    /// Waits until everything before it is durable, as [`sync`](Journal::sync) does, but shares one sync with all threads
    /// that wait, and lets other calls go on meanwhile.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append(b"one")?;
    /// journal.append(b"two")?;
    /// let token = journal.commit()?; // both are durable
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Journal::flush). A failed sync fails everyone whom it was to serve, and closes the journal.
    pub fn commit(&self) -> Result<Token, Error> {
        self.inner.commits.commit(&self.inner)
    }

    /// Reads one item.
    ///
    /// # Errors
    /// [`OutOfRange`](Error::OutOfRange) at or above the size, [`Pruned`](Error::Pruned) below the boundary,
    /// [`Damaged`](Error::Damaged), [`Storage`](Error::Storage): nothing was changed.
    pub fn read(&self, position: u64) -> Result<Vec<u8>, Error> {
        let end = position.saturating_add(1);
        self.inner.reading(end, |live| {
            live.journal(|journal, store, resource| journal.call_read(store, resource, position))
        })
    }

    /// Reads items at the given positions, in the given order, as many as fit into `max_bytes` but at least one.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append_batch(&["a", "b", "c"])?;
    /// let items = journal.read_many(&[2, 0], 1 << 20)?;
    /// assert!(items.iter().eq([(2, &b"c"[..]), (0, b"a")]));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`read`](Journal::read); [`TooLarge`](Error::TooLarge) for more than 1,048,576 positions.
    pub fn read_many(&self, positions: &[u64], max_bytes: u32) -> Result<Items, Error> {
        limits::count(positions.len())?;
        let max_bytes = convert::max_bytes(max_bytes);
        let end = positions.iter().max().map_or(0, |highest| highest.saturating_add(1));
        self.inner.reading(end, |live| {
            let items = live.journal(|journal, store, resource| {
                journal.call_read_many(store, resource, positions, max_bytes)
            })?;
            convert::items(items)
        })
    }

    /// Reads consecutive items from `start` on. Empty only at `start` = size. It ends before a damaged item.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append_batch(&["a", "b", "c"])?;
    /// let batch = journal.read_range(1, annals::Limits::new(100, 1 << 20))?;
    /// assert!(batch.iter().eq([(1, &b"b"[..]), (2, b"c")]));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfRange`](Error::OutOfRange) above the size, [`Pruned`](Error::Pruned) below the boundary,
    /// [`Damaged`](Error::Damaged) if the first item is, [`Storage`](Error::Storage): nothing was changed.
    pub fn read_range(&self, start: u64, limits: Limits) -> Result<Batch, Error> {
        let limits = convert::limits_to_wit(limits);
        self.inner.reading(u64::MAX, |live| {
            let batch = live.journal(|journal, store, resource| {
                journal.call_read_range(store, resource, start, limits)
            })?;
            convert::batch(batch)
        })
    }

    /// Streams the items from `start` to the size as of now, in batches.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append_batch(&["a", "b", "c"])?;
    /// for batch in journal.replay(0)? {
    ///     assert_eq!(batch?.bytes(), b"abc");
    /// }
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfRange`](Error::OutOfRange) above the size, [`Pruned`](Error::Pruned) below the boundary.
    pub fn replay(&self, start: u64) -> Result<Replay, Error> {
        let reader = self.inner.reading(u64::MAX, |live| {
            live.journal(|journal, store, resource| journal.call_replay(store, resource, start))
        })?;
        Ok(Replay::new(Child::new(&self.inner, reader)))
    }

    /// Streams the items from `start` to the size as of now, one by one.
    ///
    /// # Errors
    /// As [`replay`](Journal::replay).
    pub fn items(&self, start: u64) -> Result<ItemStream, Error> {
        self.replay(start).map(ItemStream::new)
    }

    /// Number of items ever appended and not rewound, pruned ones included: the next position.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn size(&self) -> Result<u64, Error> {
        self.inner.front().bounds().map(|bounds| bounds.end)
    }

    /// Lowest position that can be read; none when there is none.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn oldest(&self) -> Result<Option<u64>, Error> {
        self.inner.front().bounds().map(|bounds| (!bounds.is_empty()).then_some(bounds.start))
    }

    /// The pruning boundary: every position below it is pruned.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn boundary(&self) -> Result<u64, Error> {
        self.inner.front().bounds().map(|bounds| bounds.start)
    }

    /// Boundary and size, as of one moment.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append_batch(&["a", "b", "c"])?;
    /// assert_eq!(journal.bounds()?, annals::Bounds { start: 0, end: 3 });
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn bounds(&self) -> Result<Bounds, Error> {
        self.inner.front().bounds()
    }

    /// Prunes whole sections below `min`, which is capped at the size. True if the boundary moved. Durable on return,
    /// and so is every append before it; files that hold nothing else are removed.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// let sections = Options::create().items_per_section(2);
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &sections)?;
    /// journal.append_batch(&["a", "b", "c", "d"])?;
    /// assert!(journal.prune(3)?);
    /// assert_eq!((journal.boundary()?, journal.oldest()?), (2, Some(2))); // whole sections
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ReadOnly`](Error::ReadOnly): nothing was changed. [`OutOfSpace`](Error::OutOfSpace): it was pruned, as far as
    /// the boundary tells, but items that wait in memory still do. [`Storage`](Error::Storage), [`Trap`](Error::Trap):
    /// the journal is closed; whether it was pruned shows when it is opened again.
    pub fn prune(&self, min: u64) -> Result<bool, Error> {
        let inner = &self.inner;
        inner.with_live(|live| {
            // A full disk must not keep a prune, which makes room, from going first.
            let waits = match inner.hand_over(live) {
                Ok(()) => false,
                Err(_) if is_open(live) => true,
                Err(error) => return Err(error),
            };
            let moved = inner.moving(live, |live| {
                live.journal(|journal, store, resource| journal.call_prune(store, resource, min))
            })?;
            if waits {
                inner.hand_over(live)?;
                live.journal(|journal, store, resource| journal.call_sync_data(store, resource))?;
            }
            Ok(moved)
        })
    }

    /// Drops the newest items so that `size` remain. In the hands of the storage on return, durable with the next sync.
    ///
    /// # Errors
    /// [`InvalidRewind`](Error::InvalidRewind) above the size, [`Pruned`](Error::Pruned) below the boundary,
    /// [`ReadOnly`](Error::ReadOnly): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the
    /// journal is closed; whether it was rewound shows when it is opened again.
    pub fn rewind(&self, size: u64) -> Result<(), Error> {
        let inner = &self.inner;
        inner.with_live(|live| {
            inner.halt(live)?;
            inner.moving(live, |live| {
                live.journal(|journal, store, resource| journal.call_rewind(store, resource, size))
            })
        })
    }

    /// Hands waiting appends to the storage: they survive the death of this process, but not yet the loss of power.
    ///
    /// # Errors
    /// [`OutOfSpace`](Error::OutOfSpace): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the
    /// journal is closed.
    pub fn flush(&self) -> Result<(), Error> {
        self.inner.call(|journal, store, resource| journal.call_flush(store, resource))
    }

    /// Makes every append, rewind and prune before it durable.
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn sync_data(&self) -> Result<Token, Error> {
        self.inner
            .call(|journal, store, resource| journal.call_sync_data(store, resource))
            .map(convert::token)
    }

    /// The same, and makes the index of the newest segment durable too, so that the next open need not rebuild it.
    ///
    /// ```
    /// # use annals::{Runtime, journal::Options, storage::Memory};
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append(b"item")?;
    /// let token = journal.sync()?; // keep it elsewhere; `Options::expect` checks it later
    /// println!("{token}");
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn sync(&self) -> Result<Token, Error> {
        self.inner.call(|journal, store, resource| journal.call_sync(store, resource)).map(convert::token)
    }

    /// Hands over what waits and starts to make it durable. Reads and appends go on meanwhile.
    ///
    /// ```
    /// # use annals::{Error, Runtime, journal::Options, storage::Memory};
    /// # fn main() -> Result<(), Error> {
    /// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// journal.append(b"covered")?;
    /// let ticket = journal.begin_sync()?;
    /// journal.append(b"the next one's")?;
    /// let token = ticket.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn begin_sync(&self) -> Result<SyncTicket, Error> {
        let begun = self.inner.with_live(|live| {
            self.inner.hand_over(live)?;
            begin_sync(live)
        })?;
        Ok(ticket(&self.inner, begun))
    }

    /// Syncs, seals the journal, so that the next open has nothing to recover, and lets go of the lock. Afterwards every
    /// call on this handle and its clones answers [`Closed`](Error::Closed), whatever this one returned.
    ///
    /// # Errors
    /// As [`flush`](Journal::flush), but the journal is closed in any case.
    pub fn close(&self) -> Result<Token, Error> {
        let token = self.inner.with_live(|live| {
            let waiting = self.inner.halt(live);
            let closed = live.journal(|journal, store, resource| journal.call_close(store, resource));
            waiting.and(closed)
        });
        self.inner.end();
        token.map(convert::token)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("name", &self.inner.name)
            .field("bounds", &self.inner.front().bounds().ok())
            .finish_non_exhaustive()
    }
}

/// Handles go anywhere.
const _: () = {
    const fn anywhere<T: fmt::Debug + Send + Sync + 'static>() {}
    const fn shared<T: Clone + fmt::Debug + Send + Sync + 'static>() {}
    shared::<Journal>();
    shared::<Appender>();
    shared::<Options>();
    anywhere::<Replay>();
    anywhere::<ItemStream>();
    anywhere::<SyncTicket>();
};
