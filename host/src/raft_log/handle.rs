//! The handle: every call, its checks, and what it promises.

use super::{Entries, Entry, EntryStream, HardState, LogId, Options, SyncTicket};
use crate::{
    bindings::{
        Annals,
        exports::annals::log::raft_log::{GuestRaftLog, GuestSyncTicket},
    },
    convert,
    error::Error,
    handle::{Answer, Handle, Live, Log, TicketCalls},
    limits,
    runtime::{Runtime, State},
    storage::Storage,
    token::Token,
    types::{Limits, Mode},
};
use std::{fmt, sync::Arc};
use wasmtime::{Store, component::ResourceAny};

/// Marks the [`Handle`] of a Raft log.
enum RaftLogKind {}

impl Log for RaftLogKind {
    type Options = Options;
    /// The last index.
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
        live.call(|annals, store, log| methods(annals).call_last_index(store, log))
    }
}

fn methods(annals: &Annals) -> GuestRaftLog<'_> {
    annals.annals_log_raft_log().raft_log()
}

fn ticket(annals: &Annals) -> GuestSyncTicket<'_> {
    annals.annals_log_raft_log().sync_ticket()
}

const TICKET: TicketCalls = TicketCalls {
    poll: |annals, store, of| ticket(annals).call_poll(store, of),
    wait: |annals, store, of| ticket(annals).call_wait(store, of),
};

/// An open Raft log.
///
/// Clones share it; dropping the last one lets go of the lock, but syncs nothing and reports nothing: call
/// [`close`](RaftLog::close) for both.
///
/// *Durability*: every call that writes has handed one frame to the storage when it returns, which is there as a whole or
/// not at all after any crash. [`purge`](RaftLog::purge), [`reset`](RaftLog::reset) and
/// [`save_hard_state`](RaftLog::save_hard_state) are durable when they return. [`persist`](RaftLog::persist),
/// [`replace_range`](RaftLog::replace_range) and [`truncate`](RaftLog::truncate) are so with
/// [`Options::sync_on_persist`], which is the default, otherwise after [`sync`](RaftLog::sync),
/// [`close`](RaftLog::close), or when a [`SyncTicket`] says so. Calls become durable in order.
///
/// *Indexes* start at 1; 0 means none. The bounds in [`Error::Pruned`] are the indexes above the purge boundary up to the
/// last one.
///
/// ```
/// use annals::{Limits, Runtime, raft_log::{Entry, HardState, LogId, Options}, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), annals::Error> {
/// let log = Runtime::new()?.raft_log(Arc::new(Memory::new()), "node-1", &Options::default())?;
/// log.save_hard_state(&HardState { term: 1, vote: Some(1), extra: Vec::new() })?; // before the vote is answered
/// log.persist(&[Entry::new(1, 1, "x = 1"), Entry::new(1, 2, "y = 2"), Entry::new(1, 3, "z = 3")])?;
/// assert_eq!((log.name(), log.last_index()?, log.term_of(3)?), ("node-1", 3, Some(1)));
///
/// // A new leader knows better from index 3 on: one frame drops what is there and writes the rest.
/// log.replace_range(3, &[Entry::new(2, 3, "z = 4"), Entry::new(2, 4, "x = 5")])?;
/// let entries = log.get_entries(2, 4, Limits::default())?;
/// assert!(entries.iter().map(|(id, _)| (id.index, id.term)).eq([(2, 1), (3, 2), (4, 2)]));
///
/// // A snapshot covers the first three.
/// log.purge(LogId { term: 2, index: 3 })?;
/// assert_eq!((log.first_index()?, log.purge_boundary()?), (Some(4), Some(LogId { term: 2, index: 3 })));
/// assert_eq!(log.load_hard_state()?.and_then(|state| state.vote), Some(1));
/// log.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RaftLog {
    handle: Handle<RaftLogKind>,
}

impl RaftLog {
    pub(crate) fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<RaftLog, Error> {
        Ok(RaftLog { handle: Handle::open(runtime, storage, name, options)? })
    }

    /// Opens the log again, after a failure or a close, and recovers it. This handle and its clones are closed first if
    /// they are not.
    ///
    /// ```
    /// # use annals::{Error, Runtime, raft_log::{Entry, Options}, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.persist(&[Entry::new(1, 1, "entry")])?;
    /// let again = log.reopen()?;
    /// assert_eq!((again.last_index(), log.last_index()), (Ok(1), Err(Error::Closed)));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::raft_log`].
    pub fn reopen(&self) -> Result<RaftLog, Error> {
        Ok(RaftLog { handle: self.handle.reopen()? })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// Writes entries, each at its index: new ones, and others in place of those that are there. Entries at other indexes
    /// stay, later ones too, so the last index never drops. One frame; none at all writes nothing.
    ///
    /// Their indexes must ascend, without doubles, from 1 to 2^64 - 3. Unless gaps are allowed, one above the last index
    /// is the next one.
    ///
    /// ```
    /// # use annals::{Error, Runtime, raft_log::{Entry, Options}, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.persist(&[Entry::new(1, 1, "a"), Entry::new(1, 2, "b")])?;
    /// log.persist(&[Entry::new(2, 1, "c")])?;
    /// assert_eq!((log.last_index()?, log.entry(1)?), (2, Some(Entry::new(2, 1, "c"))));
    /// assert!(matches!(log.persist(&[Entry::new(2, 4, "d")]), Err(Error::Gap(_))));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Pruned`](Error::Pruned) if one is at or below the purge boundary, [`Gap`](Error::Gap),
    /// [`InvalidArgument`](Error::InvalidArgument), [`TooLarge`](Error::TooLarge), [`ReadOnly`](Error::ReadOnly),
    /// [`OutOfSpace`](Error::OutOfSpace): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the
    /// log is closed; whether the entries are there shows when it is opened again.
    pub fn persist(&self, entries: &[Entry]) -> Result<(), Error> {
        self.put(&Entries::of(entries).map_err(|error| self.handle.rather(error))?)
    }

    /// The same for packed entries: nothing is copied on this side, so it is the faster one.
    ///
    /// ```
    /// # use annals::{Runtime, raft_log::{Entries, LogId, Options}, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// let mut entries = Entries::new();
    /// for index in 1..=1000 {
    ///     entries.push(LogId { term: 1, index }, &index.to_le_bytes())?;
    /// }
    /// log.persist_packed(&entries)?;
    /// assert_eq!(log.last_index()?, 1000);
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`persist`](RaftLog::persist).
    pub fn persist_packed(&self, entries: &Entries) -> Result<(), Error> {
        entries.check().map_err(|error| self.handle.rather(error))?;
        self.put(entries)
    }

    /// Sizes were checked.
    fn put(&self, entries: &Entries) -> Result<(), Error> {
        self.handle.learning(
            |annals, store, log| methods(annals).call_persist_packed(store, log, entries.as_wit()),
            |last, ()| *last = entries.last_index().unwrap_or(0).max(*last),
        )
    }

    /// One entry; none where there is none, so also at and below the purge boundary.
    ///
    /// # Errors
    /// [`Damaged`](Error::Damaged), [`Storage`](Error::Storage): nothing was changed.
    pub fn entry(&self, index: u64) -> Result<Option<Entry>, Error> {
        let entry = self.handle.call(|annals, store, log| methods(annals).call_entry(store, log, index))?;
        Ok(entry.map(Entry::from_wit))
    }

    /// The entries from `first` to `last`, both inclusive, as many as fit into `limits` but at least one. Missing indexes
    /// are skipped, so empty means that there is none; an inverted range has none. It ends before a damaged entry.
    ///
    /// # Errors
    /// [`Damaged`](Error::Damaged) if the first one is: reading goes on at its `next`. [`Storage`](Error::Storage):
    /// nothing was changed.
    pub fn get_entries(&self, first: u64, last: u64, limits: Limits) -> Result<Entries, Error> {
        let limits = convert::limits_to_wit(limits);
        self.handle.checked(
            |annals, store, log| methods(annals).call_get_entries(store, log, first, last, limits),
            Entries::answered,
        )
    }

    /// Streams the entries from `first` to `last`, both inclusive, in batches.
    pub fn stream(&self, first: u64, last: u64) -> EntryStream {
        EntryStream::new(self.clone(), first, last)
    }

    /// The term of an entry, or of the purge boundary at just its index; none elsewhere.
    ///
    /// # Errors
    /// As [`entry`](RaftLog::entry).
    pub fn term_of(&self, index: u64) -> Result<Option<u64>, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_term_of(store, log, index))
    }

    /// Lowest index of an entry; none when there is none.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage): nothing was changed. [`Closed`](Error::Closed).
    pub fn first_index(&self) -> Result<Option<u64>, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_first_index(store, log))
    }

    /// Highest index of an entry, or that of the purge boundary if it is higher; 0 when there is neither. Answered from
    /// memory: it never waits for a sync.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn last_index(&self) -> Result<u64, Error> {
        self.handle.known()
    }

    /// Drops every entry from `first` on. Above the last index nothing happens.
    ///
    /// # Errors
    /// [`Pruned`](Error::Pruned) at or below the purge boundary; else as [`persist`](RaftLog::persist).
    pub fn truncate(&self, first: u64) -> Result<(), Error> {
        self.handle.changing(|annals, store, log| methods(annals).call_truncate(store, log, first))
    }

    /// Drops every entry from `first` on and writes these instead, in one frame; after a crash it is either the old tail
    /// or the new one. None at all: as [`truncate`](RaftLog::truncate).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) if the first one is not at `first`; [`Gap`](Error::Gap), unless gaps
    /// are allowed, if `first` is above the last index + 1 or an index is left out; else as [`persist`](RaftLog::persist).
    pub fn replace_range(&self, first: u64, entries: &[Entry]) -> Result<(), Error> {
        self.replace(first, &Entries::of(entries).map_err(|error| self.handle.rather(error))?)
    }

    /// The same for packed entries.
    ///
    /// ```
    /// # use annals::{Runtime, raft_log::{Entries, LogId, Options}, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// let mut entries = Entries::new();
    /// entries.push(LogId { term: 2, index: 1 }, b"first")?;
    /// log.replace_range_packed(1, &entries)?;
    /// log.replace_range_packed(1, &Entries::new())?; // drops it again
    /// assert_eq!(log.last_index()?, 0);
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`replace_range`](RaftLog::replace_range).
    pub fn replace_range_packed(&self, first: u64, entries: &Entries) -> Result<(), Error> {
        entries.check().map_err(|error| self.handle.rather(error))?;
        self.replace(first, entries)
    }

    /// Sizes were checked.
    fn replace(&self, first: u64, entries: &Entries) -> Result<(), Error> {
        self.handle.changing(|annals, store, log| {
            methods(annals).call_replace_range_packed(store, log, first, entries.as_wit())
        })
    }

    /// Drops every entry up to this one, inclusive, and remembers it as the purge boundary. Index 0, or one at or below
    /// the boundary, changes nothing; one above the last index becomes that (after a snapshot was installed). Its term is
    /// taken as given. Durable on return, and so is every call before it; only then files that hold nothing else are
    /// removed. The hard state stays.
    ///
    /// ```
    /// # use annals::{Runtime, raft_log::{Entry, LogId, Options}, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// log.persist(&[Entry::new(1, 1, "a"), Entry::new(1, 2, "b")])?;
    /// log.purge(LogId { term: 3, index: 10 })?; // everything
    /// let log = log.reopen()?;
    /// assert_eq!((log.first_index()?, log.last_index()?, log.term_of(10)?), (None, 10, Some(3)));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) if no index is left behind it, [`ReadOnly`](Error::ReadOnly): nothing
    /// was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is closed; whether it was purged shows
    /// when it is opened again.
    pub fn purge(&self, up_to: LogId) -> Result<(), Error> {
        self.handle.changing(|annals, store, log| methods(annals).call_purge(store, log, up_to.to_wit()))
    }

    /// The last entry that was purged.
    ///
    /// # Errors
    /// [`Damaged`](Error::Damaged): what is lost may have been a later one. [`Closed`](Error::Closed).
    pub fn purge_boundary(&self) -> Result<Option<LogId>, Error> {
        let boundary =
            self.handle.call(|annals, store, log| methods(annals).call_purge_boundary(store, log))?;
        Ok(boundary.map(LogId::from_wit))
    }

    /// Drops all entries and the purge boundary: the last index is 0, and the next entry has index 1. Durable on return.
    /// The hard state stays.
    ///
    /// ```
    /// # use annals::{Runtime, raft_log::{Entry, HardState, LogId, Options}, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// let vote = HardState { term: 7, vote: Some(3), extra: b"more".to_vec() };
    /// log.save_hard_state(&vote)?;
    /// log.purge(LogId { term: 6, index: 100 })?;
    /// log.reset()?;
    /// assert_eq!((log.last_index()?, log.purge_boundary()?, log.load_hard_state()?), (0, None, Some(vote)));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`persist`](RaftLog::persist).
    pub fn reset(&self) -> Result<(), Error> {
        self.handle.changing(|annals, store, log| methods(annals).call_reset(store, log))
    }

    /// Replaces the hard state. Durable on return, and so is every call before it; after a crash in the middle it is the
    /// old one or the new one.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace): nothing was
    /// changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is closed; which one it is shows when it is
    /// opened again.
    pub fn save_hard_state(&self, state: &HardState) -> Result<(), Error> {
        limits::hard_state(&state.extra).map_err(|error| self.handle.rather(error))?;
        let state = state.to_wit();
        self.handle.call(|annals, store, log| methods(annals).call_save_hard_state(store, log, &state))
    }

    /// The hard state saved last; none if none ever was.
    ///
    /// # Errors
    /// [`Damaged`](Error::Damaged): what is lost may have been a newer one; never an older one instead.
    /// [`Closed`](Error::Closed).
    pub fn load_hard_state(&self) -> Result<Option<HardState>, Error> {
        let state =
            self.handle.call(|annals, store, log| methods(annals).call_load_hard_state(store, log))?;
        Ok(state.map(HardState::from_wit))
    }

    /// Whether entries survive the loss of power once [`persist`](RaftLog::persist) has returned: the log was opened for
    /// writing with [`Options::sync_on_persist`], is still open, and the storage says that its syncs are durable.
    ///
    /// ```
    /// # use annals::{Runtime, raft_log::Options, storage::Memory};
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
    /// assert!(!log.is_write_durable()); // it is in memory only
    /// # Ok::<(), annals::Error>(())
    /// ```
    pub fn is_write_durable(&self) -> bool {
        self.handle
            .call(|annals, store, log| methods(annals).call_is_write_durable(store, log).map(Ok))
            .unwrap_or(false)
    }

    /// Does nothing but to answer whether the log is still open for writing: every call has handed over what it wrote
    /// when it returns.
    ///
    /// # Errors
    /// [`ReadOnly`](Error::ReadOnly), [`Closed`](Error::Closed).
    pub fn flush(&self) -> Result<(), Error> {
        self.handle.call(|annals, store, log| methods(annals).call_flush(store, log))
    }

    /// Makes every call before it durable.
    ///
    /// # Errors
    /// [`ReadOnly`](Error::ReadOnly): nothing was changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is
    /// closed.
    pub fn sync(&self) -> Result<Token, Error> {
        self.handle.call(|annals, store, log| methods(annals).call_sync(store, log)).map(convert::token)
    }

    /// Starts the same; reads and writes go on meanwhile.
    ///
    /// ```
    /// # use annals::{Runtime, raft_log::{Entry, Options}, storage::Memory};
    /// # let options = Options::create().sync_on_persist(false);
    /// # let log = Runtime::new()?.raft_log(std::sync::Arc::new(Memory::new()), "log", &options)?;
    /// log.persist(&[Entry::new(1, 1, "covered")])?;
    /// let ticket = log.begin_sync()?;
    /// log.persist(&[Entry::new(1, 2, "the next one's")])?;
    /// let token = ticket.wait()?;
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`sync`](RaftLog::sync).
    pub fn begin_sync(&self) -> Result<SyncTicket, Error> {
        self.handle.begin_sync(|annals, store, log| methods(annals).call_begin_sync(store, log), TICKET)
    }

    /// Syncs, seals the log, so that the next open has nothing to recover, and lets go of the lock. Afterwards every call
    /// on this handle and its clones answers [`Closed`](Error::Closed) (`is_write_durable`: false), whatever this one
    /// returned.
    ///
    /// # Errors
    /// As [`sync`](RaftLog::sync), but the log is closed in any case.
    pub fn close(&self) -> Result<Token, Error> {
        self.handle.close(|annals, store, log| methods(annals).call_close(store, log)).map(convert::token)
    }
}

impl fmt::Debug for RaftLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftLog")
            .field("name", &self.name())
            .field("last_index", &self.handle.known().ok())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Creates, opens or recovers a Raft log, as `options` say.
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
    pub fn raft_log(
        &self,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<RaftLog, Error> {
        RaftLog::open(self, storage, name, options)
    }

    /// Removes a Raft log and its files, durably. A crash in the middle is finished by the next open or destroy.
    ///
    /// # Errors
    /// As [`destroy_journal`](Runtime::destroy_journal).
    pub fn destroy_raft_log(&self, storage: Arc<dyn Storage>, name: &str) -> Result<(), Error> {
        limits::name(name)?;
        self.instance(storage)?.call(|annals, store| annals.annals_log_raft_log().call_destroy(store, name))
    }
}

/// Handles go anywhere.
const _: () = {
    const fn anywhere<T: fmt::Debug + Send + Sync + 'static>() {}
    const fn shared<T: Clone + fmt::Debug + Send + Sync + 'static>() {}
    shared::<RaftLog>();
    shared::<Options>();
    shared::<Entries>();
    anywhere::<EntryStream>();
};
