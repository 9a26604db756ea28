//! The handle: every call, its checks, and what it promises.

use super::{Events, Options, Outcome, Sealed, Stats, SyncTicket};
use crate::{
    bindings::{
        Annals,
        exports::annals::log::event_log::{GuestEventLog, GuestSyncTicket},
    },
    convert,
    error::Error,
    handle::{Answer, Handle, Live, Log, TicketCalls},
    limits,
    runtime::{Runtime, State},
    storage::Storage,
    token::Token,
    types::Mode,
};
use std::{fmt, sync::Arc};
use wasmtime::{Store, component::ResourceAny};

/// Marks the [`Handle`] of an event log.
enum EventLogKind {}

impl Log for EventLogKind {
    type Options = Options;
    /// The next event id, as far as this handle knows.
    type Known = u64;

    fn open(annals: &Annals, store: &mut Store<State>, name: &str, options: &Options) -> Answer<ResourceAny> {
        methods(annals).call_open(store, name, options.to_wit())
    }

    fn again(options: &Options) -> Options {
        options.again()
    }

    fn is_read_only(options: &Options) -> bool {
        options.mode == Mode::ReadOnly
    }

    fn ask(live: &mut Live) -> Result<u64, Error> {
        live.call(|annals, store, log| methods(annals).call_next_event_id(store, log))
    }
}

fn methods(annals: &Annals) -> GuestEventLog<'_> {
    annals.annals_log_event_log().event_log()
}

fn ticket(annals: &Annals) -> GuestSyncTicket<'_> {
    annals.annals_log_event_log().sync_ticket()
}

const TICKET: TicketCalls = TicketCalls {
    poll: |annals, store, of| ticket(annals).call_poll(store, of),
    wait: |annals, store, of| ticket(annals).call_wait(store, of),
};

/// An open event log.
///
/// Clones share it; dropping the last one hands over what waits in memory, as [`flush`](EventLog::flush) does, and lets go
/// of the lock, but syncs nothing and reports nothing: call [`close`](EventLog::close) for both.
///
/// *Durability*: what an append promises when it returns is the [`Policy`](super::Policy) of the handle. A batch is one
/// frame: after any crash all of its new events are there or none. Events become durable in the order in which they were
/// handed over.
///
/// *Retries*: an event that is there already with the same bytes is not written again, and the answer is
/// [`Outcome::Duplicate`]; after any doubt about an append, append it once more.
///
/// ```
/// use annals::{Error, Runtime, event_log::{Options, Outcome}, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Error> {
/// let log = Runtime::new()?.event_log(Arc::new(Memory::new()), "orders", &Options::default())?;
/// log.append(1000, b"ordered")?;
/// log.append_batch(1002, &["packed", "shipped"])?;
/// assert_eq!(log.append(1001, b"paid")?, Outcome::Appended); // late, and seen in its place
/// assert_eq!(log.append(1001, b"refunded"), Err(Error::Conflict(1001)));
/// log.sync()?; // all survive the loss of power, if the storage is durable
///
/// for batch in log.iterate(1001, None)? {
///     for (id, event) in batch?.iter() {
///         println!("{id}: {}", String::from_utf8_lossy(event));
///     }
/// }
///
/// assert_eq!(log.delete_range(0, 1001)?, 2); // both ends inclusive
/// assert_eq!((log.oldest_event_id()?, log.next_event_id()?), (Some(1002), 1004));
/// assert!(matches!(log.append(1000, b"ordered"), Err(Error::Deleted(_))));
/// log.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EventLog {
    handle: Handle<EventLogKind>,
    storage: Arc<dyn Storage>,
}

impl EventLog {
    pub(crate) fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<EventLog, Error> {
        Ok(EventLog { handle: Handle::open(runtime, storage.clone(), name, options)?, storage })
    }

    /// Opens the log again, after a failure or a close, and recovers it. This handle and its clones are closed first if
    /// they are not; what waits in their memory is handed over if the storage still takes it.
    ///
    /// ```
    /// # use annals::{Error, Runtime, event_log::Options, storage::Memory};
    /// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.append(7, b"event")?;
    /// let again = log.reopen()?;
    /// assert_eq!((again.next_event_id(), log.next_event_id()), (Ok(8), Err(Error::Closed)));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::event_log`].
    pub fn reopen(&self) -> Result<EventLog, Error> {
        Ok(EventLog { handle: self.handle.reopen()?, storage: self.storage.clone() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// Appends one event. An id below the next one that is free is taken too, and seen in its place.
    ///
    /// # Errors
    /// [`Conflict`](Error::Conflict) if the id is there with other bytes, [`Deleted`](Error::Deleted) if it lies in a
    /// deleted range, [`InvalidArgument`](Error::InvalidArgument) for the id `u64::MAX`, [`TooLarge`](Error::TooLarge),
    /// [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace), and in shared mode [`Locked`](Error::Locked) if
    /// the turn did not come in time: nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is
    /// closed; append it again after [`reopen`](EventLog::reopen).
    pub fn append(&self, id: u64, event: &[u8]) -> Result<Outcome, Error> {
        limits::item(event).map_err(|error| self.handle.rather(error))?;
        let outcome = self.handle.learning(
            |annals, store, log| methods(annals).call_append_with_id(store, log, id, event),
            |next, _| *next = id.saturating_add(1).max(*next),
        )?;
        Ok(Outcome::from_wit(outcome))
    }

    /// Appends events with the ids `first`, `first` + 1, … in one frame, which is there as a whole or not at all after a
    /// crash. Those that are there already with the same bytes are skipped. If any one is refused, nothing is written.
    ///
    /// ```
    /// # use annals::{Runtime, event_log::{Options, Outcome}, storage::Memory};
    /// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.append_batch(1, &["a", "b", "c"])?;
    /// assert_eq!(log.append_batch(2, &["b", "c", "d"])?, Outcome::Appended); // the last one only
    /// assert_eq!(log.append_batch(1, &["a", "b", "c", "d"])?, Outcome::Duplicate);
    /// assert_eq!(log.next_event_id()?, 5);
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`append`](EventLog::append); [`InvalidArgument`](Error::InvalidArgument) if there are no events.
    pub fn append_batch<E: AsRef<[u8]>>(&self, first: u64, events: &[E]) -> Result<Outcome, Error> {
        let total =
            limits::batch(events.iter().map(AsRef::as_ref)).map_err(|error| self.handle.rather(error))?;
        let mut bytes = Vec::with_capacity(total);
        let mut ends = Vec::with_capacity(events.len());
        for event in events {
            bytes.extend_from_slice(event.as_ref());
            // The total fits, it was checked above.
            ends.push(bytes.len() as u32);
        }
        self.append_packed(first, &ends, &bytes)
    }

    /// The same for packed events: event `i` is `bytes[ends[i - 1]..ends[i]]`, from 0 for the first one.
    ///
    /// ```
    /// # use annals::{Runtime, event_log::Options, storage::Memory};
    /// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.append_packed(7, &[2, 2, 5], b"abcde")?;
    /// assert_eq!((log.get(8)?, log.get(9)?), (Some(b"".to_vec()), Some(b"cde".to_vec())));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`append`](EventLog::append); [`InvalidArgument`](Error::InvalidArgument) if there are no events, or if `ends`
    /// do not ascend to the length of `bytes`.
    pub fn append_packed(&self, first: u64, ends: &[u32], bytes: &[u8]) -> Result<Outcome, Error> {
        limits::packed(ends, bytes).map_err(|error| self.handle.rather(error))?;
        let outcome = self.handle.learning(
            |annals, store, log| methods(annals).call_append_packed_with_ids(store, log, first, ends, bytes),
            |next, _| *next = first.saturating_add(ends.len() as u64).max(*next),
        )?;
        Ok(Outcome::from_wit(outcome))
    }

    /// The id behind the highest one that was ever appended: deleting does not take it back. 0 in a new log. Answered from
    /// memory; in shared mode the log is asked, because others may have appended.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed); in shared mode [`Storage`](Error::Storage) too.
    pub fn next_event_id(&self) -> Result<u64, Error> {
        match self.handle.options().shared {
            false => self.handle.known(),
            true => self.handle.call(|annals, store, log| methods(annals).call_next_event_id(store, log)),
        }
    }

    /// Lowest id that can be read; none when there is none.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage): nothing was changed. [`Closed`](Error::Closed).
    pub fn oldest_event_id(&self) -> Result<Option<u64>, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_oldest_event_id(store, log))
    }

    /// Highest id that can be read; none when there is none.
    ///
    /// # Errors
    /// As [`oldest_event_id`](EventLog::oldest_event_id).
    pub fn newest_event_id(&self) -> Result<Option<u64>, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_newest_event_id(store, log))
    }

    /// The event with this id; none if there is none, or it was deleted.
    ///
    /// # Errors
    /// [`Damaged`](Error::Damaged), [`Storage`](Error::Storage): nothing was changed.
    pub fn get(&self, id: u64) -> Result<Option<Vec<u8>>, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_get(store, log, id))
    }

    /// Streams the events with `start` <= id < `end` (none: to the newest as of now) in ascending order of ids.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage): nothing was changed. [`Closed`](Error::Closed).
    pub fn iterate(&self, start: u64, end: Option<u64>) -> Result<Events, Error> {
        let reader =
            self.handle.child(|annals, store, log| methods(annals).call_iterate(store, log, start, end))?;
        Ok(Events::new(reader))
    }

    /// Deletes the events with `first` <= id <= `last`, both ends inclusive, and returns how many those were. Nothing if
    /// `first` is above `last`. From then on ids in the range are refused with [`Deleted`](Error::Deleted); ids from the
    /// next one on are not affected. Durable on return, and so is every append before it. Files of which all events are
    /// deleted are removed.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge) if the log would have to remember too many separate ranges, about 1,600,
    /// [`ReadOnly`](Error::ReadOnly): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is
    /// closed; whether they were deleted shows when it is opened again.
    pub fn delete_range(&self, first: u64, last: u64) -> Result<u64, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_delete_range(store, log, first, last))
    }

    /// Seals the file that is written to and begins the next one. Everything in the sealed one is durable. It can be
    /// copied, and the copy read with [`Runtime::event_archive_file`].
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) if there are no events in it, [`ReadOnly`](Error::ReadOnly),
    /// [`OutOfSpace`](Error::OutOfSpace): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log
    /// is closed.
    pub fn rotate(&self) -> Result<Sealed, Error> {
        let file = self.handle.call(|annals, store, log| methods(annals).call_rotate(store, log))?;
        let path = self.storage.local_path(&file);
        Ok(Sealed { file, path })
    }

    /// Hands waiting events to the storage: they survive the death of this process, but not yet the loss of power.
    ///
    /// # Errors
    /// [`OutOfSpace`](Error::OutOfSpace): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the
    /// log is closed.
    pub fn flush(&self) -> Result<(), Error> {
        self.handle.call(|annals, store, log| methods(annals).call_flush(store, log))
    }

    /// Makes every append before it durable; in shared mode those of all processes.
    ///
    /// # Errors
    /// As [`flush`](EventLog::flush).
    pub fn sync(&self) -> Result<Token, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_sync(store, log)).map(convert::token)
    }

    /// Hands over what waits and starts to make it durable; reads and appends go on meanwhile. In shared mode it has ended
    /// when this returns.
    ///
    /// ```
    /// # use annals::{Runtime, event_log::Options, storage::Memory};
    /// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.append(1, b"covered")?;
    /// let ticket = log.begin_sync()?;
    /// log.append(2, b"the next one's")?;
    /// let token = ticket.wait()?;
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`flush`](EventLog::flush).
    pub fn begin_sync(&self) -> Result<SyncTicket, Error> {
        self.handle.begin_sync(|annals, store, log| methods(annals).call_begin_sync(store, log), TICKET)
    }

    /// What there is, of all processes in shared mode.
    ///
    /// # Errors
    /// As [`oldest_event_id`](EventLog::oldest_event_id).
    pub fn stats(&self) -> Result<Stats, Error> {
        let stats = self.handle.call(|annals, store, log| methods(annals).call_stats(store, log))?;
        Ok(Stats::from_wit(stats))
    }

    /// Syncs, seals the log, so that the next open has nothing to recover, and lets go of the lock. Afterwards every call
    /// on this handle and its clones answers [`Closed`](Error::Closed), whatever this one returned.
    ///
    /// # Errors
    /// As [`flush`](EventLog::flush), but the log is closed in any case.
    pub fn close(&self) -> Result<Token, Error> {
        self.handle.close(|annals, store, log| methods(annals).call_close(store, log)).map(convert::token)
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog")
            .field("name", &self.name())
            .field("next_event_id", &self.handle.known().ok())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Creates, opens or recovers an event log, as `options` say.
    ///
    /// Whatever a log that was opened for writing reports is durable. A torn tail, which only a crash leaves behind, is
    /// cut.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`Locked`](Error::Locked),
    /// [`OtherKind`](Error::OtherKind), [`OptionsDiffer`](Error::OptionsDiffer), [`TooLarge`](Error::TooLarge),
    /// [`InvalidArgument`](Error::InvalidArgument), [`RolledBack`](Error::RolledBack), [`Damaged`](Error::Damaged),
    /// [`UnknownFormat`](Error::UnknownFormat): nothing was changed. [`Storage`](Error::Storage) and
    /// [`OutOfSpace`](Error::OutOfSpace): creation or recovery may be half done; the next open finishes it.
    pub fn event_log(
        &self,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<EventLog, Error> {
        EventLog::open(self, storage, name, options)
    }

    /// Removes an event log and its files, durably. While it is open in shared mode only, its handles answer
    /// [`Closed`](Error::Closed) from then on. A crash in the middle is finished by the next open or destroy.
    ///
    /// # Errors
    /// As [`destroy_journal`](Runtime::destroy_journal).
    pub fn destroy_event_log(&self, storage: Arc<dyn Storage>, name: &str) -> Result<(), Error> {
        limits::name(name)?;
        self.instance(storage)?.call(|annals, store| annals.annals_log_event_log().call_destroy(store, name))
    }
}

/// Handles go anywhere.
const _: () = {
    const fn anywhere<T: fmt::Debug + Send + Sync + 'static>() {}
    const fn shared<T: Clone + fmt::Debug + Send + Sync + 'static>() {}
    shared::<EventLog>();
    shared::<Options>();
    anywhere::<Events>();
};
