//! The handle: what each call checks, caches and closes.

use super::{Options, Replay, SyncTicket};
use crate::{
    bindings::exports::annals::log::journal::GuestJournal,
    convert,
    error::Error,
    limits,
    runtime::{Instance, Runtime, WitError},
    storage::Storage,
    token::Token,
    types::{Batch, Items, Limits, Mode},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use wasmtime::{Store, component::ResourceAny};

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
/// ```
/// use annals::{Error, Runtime, journal::Options, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Error> {
/// let journal = Runtime::new()?.journal(Arc::new(Memory::new()), "readings", &Options::default())?;
/// assert_eq!(journal.append(b"17.5")?, 0);
/// assert_eq!(journal.append_batch(&["17.6", "17.9"])?, 1);
/// journal.sync_data()?;
///
/// let items: Vec<Vec<u8>> = journal
///     .replay(1)?
///     .flat_map(|batch| batch.map(|batch| batch.iter().map(|(_, item)| item.to_vec()).collect::<Vec<_>>()))
///     .flatten()
///     .collect();
/// assert_eq!(items, [b"17.6", b"17.9"]);
///
/// journal.rewind(1)?;
/// assert_eq!((journal.size()?, journal.oldest()?), (1, Some(0)));
/// journal.close()?;
/// assert_eq!(journal.append(b"18.0"), Err(Error::Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Journal {
    pub(super) inner: Arc<Inner>,
}

/// What clones share.
pub(super) struct Inner {
    runtime: Runtime,
    storage: Arc<dyn Storage>,
    name: String,
    options: Options,
    live: Mutex<Option<Box<Live>>>,
    known: Mutex<Known>,
}

/// The instance and the resource in it.
pub(super) struct Live {
    pub(super) instance: Instance,
    journal: ResourceAny,
}

/// What is known of the journal without asking the component.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    size: Option<u64>,
    oldest: Option<Option<u64>>,
    boundary: Option<u64>,
}

/// Makes the component be asked again, after an error or a panic.
struct Forget<'a>(&'a Inner);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        *self.0.known() = Known::default();
    }
}

type Answer<T> = wasmtime::Result<Result<T, WitError>>;

impl Inner {
    fn live(&self) -> MutexGuard<'_, Option<Box<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the live instance. If the component traps, or the storage panics beneath it, the instance is
    /// dropped, and the handle is closed.
    pub(super) fn with_live<T>(
        &self,
        work: impl FnOnce(&mut Live, &mut Known) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.live();
        let mut live = slot.take().ok_or(Error::Closed)?;
        let mut known = *self.known();
        let forget = Forget(self);
        let answer = work(&mut live, &mut known);
        if answer.is_ok() {
            *self.known() = known;
            std::mem::forget(forget);
        }
        if !matches!(answer, Err(Error::Trap(_))) {
            *slot = Some(live);
        }
        answer
    }

    /// Calls a method of the journal.
    pub(super) fn call<T>(
        &self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<crate::runtime::State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.with_live(|live, _| live.call(call))
    }

    /// Drops the resource, then the instance with its files and its lock.
    fn end(&self) {
        let ended = {
            let mut live = self.live();
            *self.known() = Known::default();
            live.take()
        };
        if let Some(mut live) = ended {
            // Nobody is left to be told; `close` reports.
            let _ = live.instance.drop_resource(live.journal);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

impl Live {
    fn call<T>(
        &mut self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<crate::runtime::State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        let journal = self.journal;
        self.instance.call(|annals, store| call(&annals.annals_log_journal().journal(), store, journal))
    }
}

impl Journal {
    pub(crate) fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<Journal, Error> {
        limits::name(name)?;
        let mut instance = runtime.instance(storage.clone())?;
        let wit_options = options.to_wit();
        let journal = instance.call(|annals, store| {
            annals.annals_log_journal().journal().call_open(store, name, wit_options)
        })?;
        let inner = Inner {
            runtime: runtime.clone(),
            storage,
            name: name.to_owned(),
            options: options.clone(),
            live: Mutex::new(Some(Box::new(Live { instance, journal }))),
            known: Mutex::new(Known::default()),
        };
        Ok(Journal { inner: Arc::new(inner) })
    }

    /// Opens the journal again, after a failure or a close, and recovers it. This handle and its clones are closed first
    /// if they are not; what waits in their memory is handed over if the storage still takes it.
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
    /// [`flush`](Journal::flush) or sync.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace): nothing was
    /// changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the journal is closed; whether the item is there
    /// shows when it is opened again.
    pub fn append(&self, item: &[u8]) -> Result<u64, Error> {
        limits::item(item).map_err(|error| self.rather(error))?;
        self.appending(1, |journal, store, resource| journal.call_append(store, resource, item))
    }

    /// Appends items as one frame, which is there as a whole or not at all after a crash, hands it to the storage, and
    /// returns the position of the first.
    ///
    /// # Errors
    /// As [`append`](Journal::append); [`InvalidArgument`](Error::InvalidArgument) if there are no items.
    pub fn append_batch<I: AsRef<[u8]>>(&self, items: &[I]) -> Result<u64, Error> {
        let total = limits::batch(items.iter().map(AsRef::as_ref)).map_err(|error| self.rather(error))?;
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
    /// # Errors
    /// As [`append`](Journal::append); [`InvalidArgument`](Error::InvalidArgument) if there are no items, or if `ends`
    /// do not ascend to the length of `bytes`.
    pub fn append_packed(&self, ends: &[u32], bytes: &[u8]) -> Result<u64, Error> {
        limits::packed(ends, bytes).map_err(|error| self.rather(error))?;
        self.appending(ends.len() as u64, |journal, store, resource| {
            journal.call_append_packed(store, resource, ends, bytes)
        })
    }

    /// That nothing can be appended at all comes before what is wrong with this item, as in the component.
    fn rather(&self, error: Error) -> Error {
        match self.inner.live().is_some() {
            false => Error::Closed,
            true if self.inner.options.mode == Mode::ReadOnly => Error::ReadOnly,
            true => error,
        }
    }

    fn appending(
        &self,
        count: u64,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<crate::runtime::State>, ResourceAny) -> Answer<u64>,
    ) -> Result<u64, Error> {
        self.inner.with_live(|live, known| {
            let first = live.call(call)?;
            known.size = first.checked_add(count);
            known.oldest = known.oldest.filter(Option::is_some);
            Ok(first)
        })
    }

    /// Reads one item.
    ///
    /// # Errors
    /// [`OutOfRange`](Error::OutOfRange) at or above the size, [`Pruned`](Error::Pruned) below the boundary,
    /// [`Damaged`](Error::Damaged), [`Storage`](Error::Storage): nothing was changed.
    pub fn read(&self, position: u64) -> Result<Vec<u8>, Error> {
        self.inner.call(|journal, store, resource| journal.call_read(store, resource, position))
    }

    /// Reads items at the given positions, in the given order, as many as fit into `max_bytes` but at least one.
    ///
    /// # Errors
    /// As [`read`](Journal::read); [`TooLarge`](Error::TooLarge) for more than 1,048,576 positions.
    pub fn read_many(&self, positions: &[u64], max_bytes: u32) -> Result<Items, Error> {
        limits::count(positions.len())?;
        let max_bytes = convert::max_bytes(max_bytes);
        self.inner.with_live(|live, _| {
            let items = live.call(|journal, store, resource| {
                journal.call_read_many(store, resource, positions, max_bytes)
            })?;
            convert::items(items)
        })
    }

    /// Reads consecutive items from `start` on. Empty only at `start` = size. It ends before a damaged item.
    ///
    /// # Errors
    /// [`OutOfRange`](Error::OutOfRange) above the size, [`Pruned`](Error::Pruned) below the boundary,
    /// [`Damaged`](Error::Damaged) if the first item is, [`Storage`](Error::Storage): nothing was changed.
    pub fn read_range(&self, start: u64, limits: Limits) -> Result<Batch, Error> {
        let limits = convert::limits_to_wit(limits);
        self.inner.with_live(|live, _| {
            let batch = live
                .call(|journal, store, resource| journal.call_read_range(store, resource, start, limits))?;
            convert::batch(batch)
        })
    }

    /// Streams the items from `start` to the size as of now, in batches.
    ///
    /// # Errors
    /// [`OutOfRange`](Error::OutOfRange) above the size, [`Pruned`](Error::Pruned) below the boundary.
    pub fn replay(&self, start: u64) -> Result<Replay, Error> {
        let reader =
            self.inner.call(|journal, store, resource| journal.call_replay(store, resource, start))?;
        Ok(Replay::new(&self.inner, reader))
    }

    /// Number of items ever appended and not rewound, pruned ones included: the next position.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn size(&self) -> Result<u64, Error> {
        self.ask(|known| &mut known.size, |journal, store, resource| journal.call_size(store, resource))
    }

    /// Lowest position that can be read; none when there is none.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn oldest(&self) -> Result<Option<u64>, Error> {
        self.ask(|known| &mut known.oldest, |journal, store, resource| journal.call_oldest(store, resource))
    }

    /// The pruning boundary: every position below it is pruned.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn boundary(&self) -> Result<u64, Error> {
        self.ask(
            |known| &mut known.boundary,
            |journal, store, resource| journal.call_boundary(store, resource),
        )
    }

    /// Answers from what is known, or asks the component and remembers the answer.
    fn ask<T: Copy>(
        &self,
        part: impl Fn(&mut Known) -> &mut Option<T>,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<crate::runtime::State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        if let Some(answer) = *part(&mut self.inner.known()) {
            return Ok(answer);
        }
        self.inner.with_live(|live, known| {
            let answer = live.call(call)?;
            *part(known) = Some(answer);
            Ok(answer)
        })
    }

    /// Prunes whole sections below `min`, which is capped at the size. True if the boundary moved. Durable on return,
    /// and so is every append before it; files that hold nothing else are removed.
    ///
    /// # Errors
    /// [`ReadOnly`](Error::ReadOnly): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the
    /// journal is closed; whether it was pruned shows when it is opened again.
    pub fn prune(&self, min: u64) -> Result<bool, Error> {
        self.changing(|journal, store, resource| journal.call_prune(store, resource, min))
    }

    /// Drops the newest items so that `size` remain. In the hands of the storage on return, durable with the next sync.
    ///
    /// # Errors
    /// [`InvalidRewind`](Error::InvalidRewind) above the size, [`Pruned`](Error::Pruned) below the boundary,
    /// [`ReadOnly`](Error::ReadOnly): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the
    /// journal is closed; whether it was rewound shows when it is opened again.
    pub fn rewind(&self, size: u64) -> Result<(), Error> {
        self.changing(|journal, store, resource| journal.call_rewind(store, resource, size))
    }

    fn changing<T>(
        &self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<crate::runtime::State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.inner.with_live(|live, known| {
            *known = Known::default();
            live.call(call)
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
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn sync(&self) -> Result<Token, Error> {
        self.inner.call(|journal, store, resource| journal.call_sync(store, resource)).map(convert::token)
    }

    /// Hands over what waits and starts to make it durable. Reads and appends go on meanwhile.
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn begin_sync(&self) -> Result<SyncTicket, Error> {
        let (ticket, running) = self.inner.with_live(|live, _| {
            let ticket = live.call(|journal, store, resource| journal.call_begin_sync(store, resource))?;
            Ok((ticket, live.instance.store.data().context.last_sync()))
        })?;
        Ok(SyncTicket::new(&self.inner, ticket, running))
    }

    /// Syncs, seals the journal, so that the next open has nothing to recover, and lets go of the lock. Afterwards every
    /// call on this handle and its clones answers [`Closed`](Error::Closed), whatever this one returned.
    ///
    /// # Errors
    /// As [`flush`](Journal::flush), but the journal is closed in any case.
    pub fn close(&self) -> Result<Token, Error> {
        let token = self.inner.call(|journal, store, resource| journal.call_close(store, resource));
        self.inner.end();
        token.map(convert::token)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
