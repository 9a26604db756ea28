//! The exported interface `raft-log`.
//!
//! The resource `raft-log` alone keeps the log open; tickets only know of it, and answer `closed` when it is gone.

use crate::{
    Component,
    bindings::exports::annals::log::{raft_log as wit, types},
    convert,
    host::WasmHost,
};
use alloc::{
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use annals_logs::{
    error::Error,
    raft_log::{self, Entries, Entry, HardState, LogId, Options, RaftLog, SyncTicket},
};
use core::cell::{RefCell, RefMut};

type Log = RefCell<RaftLog<WasmHost>>;
type Answer<T> = Result<T, types::Error>;

/// Calls do not overlap, so nothing is ever borrowed twice; should a host manage it, it gets an error.
fn borrow<T>(cell: &RefCell<T>) -> Result<RefMut<'_, T>, Error> {
    cell.try_borrow_mut().map_err(|_| Error::Other("the log is in use by another call".into()))
}

impl wit::Guest for Component {
    type RaftLog = OpenRaftLog;
    type SyncTicket = Ticket;

    fn destroy(name: String) -> Answer<()> {
        raft_log::destroy(&WasmHost, &name).map_err(convert::error)
    }
}

pub(crate) struct OpenRaftLog(Rc<Log>);

impl OpenRaftLog {
    fn call<T>(&self, call: impl FnOnce(&mut RaftLog<WasmHost>) -> Result<T, Error>) -> Answer<T> {
        borrow(&self.0).and_then(|mut log| call(&mut log)).map_err(convert::error)
    }
}

impl wit::GuestRaftLog for OpenRaftLog {
    fn open(name: String, options: wit::Options) -> Answer<wit::RaftLog> {
        let log = RaftLog::open(WasmHost, &name, &options_from_wit(options)).map_err(convert::error)?;
        Ok(wit::RaftLog::new(OpenRaftLog(Rc::new(RefCell::new(log)))))
    }

    fn persist(&self, entries: Vec<wit::Entry>) -> Answer<()> {
        self.call(|log| log.persist(&entries_from_wit(entries)))
    }

    fn persist_packed(&self, entries: wit::Entries) -> Answer<()> {
        self.call(|log| log.persist_packed(&packed_from_wit(entries)))
    }

    fn entry(&self, index: u64) -> Answer<Option<wit::Entry>> {
        self.call(|log| log.entry(index)).map(|entry| entry.map(entry_to_wit))
    }

    fn get_entries(&self, first: u64, last: u64, limits: types::Limits) -> Answer<wit::Entries> {
        let limits = convert::limits_from_wit(limits);
        self.call(|log| log.get_entries(first, last, limits)).map(packed_to_wit)
    }

    fn term_of(&self, index: u64) -> Answer<Option<u64>> {
        self.call(|log| log.term_of(index))
    }

    fn first_index(&self) -> Answer<Option<u64>> {
        self.call(RaftLog::first_index)
    }

    fn last_index(&self) -> Answer<u64> {
        self.call(|log| log.last_index())
    }

    fn truncate(&self, first: u64) -> Answer<()> {
        self.call(|log| log.truncate(first))
    }

    fn replace_range(&self, first: u64, entries: Vec<wit::Entry>) -> Answer<()> {
        self.call(|log| log.replace_range(first, &entries_from_wit(entries)))
    }

    fn replace_range_packed(&self, first: u64, entries: wit::Entries) -> Answer<()> {
        self.call(|log| log.replace_range_packed(first, &packed_from_wit(entries)))
    }

    fn purge(&self, up_to: wit::LogId) -> Answer<()> {
        self.call(|log| log.purge(id_from_wit(up_to)))
    }

    fn purge_boundary(&self) -> Answer<Option<wit::LogId>> {
        self.call(|log| log.purge_boundary()).map(|id| id.map(id_to_wit))
    }

    fn reset(&self) -> Answer<()> {
        self.call(RaftLog::reset)
    }

    fn save_hard_state(&self, state: wit::HardState) -> Answer<()> {
        let wit::HardState { term, vote, extra } = state;
        self.call(|log| log.save_hard_state(&HardState { term, vote, extra }))
    }

    fn load_hard_state(&self) -> Answer<Option<wit::HardState>> {
        self.call(|log| log.load_hard_state())
            .map(|state| state.map(|HardState { term, vote, extra }| wit::HardState { term, vote, extra }))
    }

    fn is_write_durable(&self) -> bool {
        self.call(|log| Ok(log.is_write_durable())).unwrap_or(false)
    }

    fn flush(&self) -> Answer<()> {
        self.call(RaftLog::flush)
    }

    fn sync(&self) -> Answer<types::Token> {
        self.call(RaftLog::sync).map(convert::token)
    }

    fn begin_sync(&self) -> Answer<wit::SyncTicket> {
        let ticket = self.call(RaftLog::begin_sync)?;
        Ok(wit::SyncTicket::new(Ticket { log: Rc::downgrade(&self.0), ticket }))
    }

    fn close(&self) -> Answer<types::Token> {
        self.call(RaftLog::close).map(convert::token)
    }
}

fn options_from_wit(options: wit::Options) -> Options {
    Options {
        mode: convert::mode_from_wit(options.mode),
        expect: options.expect.map(convert::token_from_wit),
        sync_on_persist: options.sync_on_persist,
        allow_gaps: options.allow_gaps,
        segment_bytes: options.segment_bytes,
        lock_wait_ms: options.lock_wait_ms,
    }
}

fn id_from_wit(id: wit::LogId) -> LogId {
    LogId { term: id.term, index: id.index }
}

fn id_to_wit(id: LogId) -> wit::LogId {
    wit::LogId { term: id.term, index: id.index }
}

fn entries_from_wit(entries: Vec<wit::Entry>) -> Vec<Entry> {
    entries.into_iter().map(|entry| Entry { id: id_from_wit(entry.id), payload: entry.payload }).collect()
}

fn entry_to_wit(entry: Entry) -> wit::Entry {
    wit::Entry { id: id_to_wit(entry.id), payload: entry.payload }
}

fn packed_from_wit(entries: wit::Entries) -> Entries {
    let wit::Entries { indexes, terms, ends, bytes } = entries;
    Entries { indexes, terms, ends, bytes }
}

fn packed_to_wit(entries: Entries) -> wit::Entries {
    let Entries { indexes, terms, ends, bytes } = entries;
    wit::Entries { indexes, terms, ends, bytes }
}

pub(crate) struct Ticket {
    log: Weak<Log>,
    ticket: SyncTicket,
}

impl Ticket {
    fn call<T>(
        &self,
        call: impl FnOnce(&mut RaftLog<WasmHost>, &SyncTicket) -> Result<T, Error>,
    ) -> Answer<T> {
        let log = self.log.upgrade().ok_or(Error::Closed).map_err(convert::error)?;
        borrow(&log).and_then(|mut log| call(&mut log, &self.ticket)).map_err(convert::error)
    }
}

impl wit::GuestSyncTicket for Ticket {
    fn poll(&self) -> Answer<Option<types::Token>> {
        self.call(|log, ticket| log.poll_sync(ticket)).map(|token| token.map(convert::token))
    }

    fn wait(&self) -> Answer<types::Token> {
        self.call(|log, ticket| log.wait_sync(ticket)).map(convert::token)
    }
}
