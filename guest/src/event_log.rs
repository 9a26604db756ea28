//! The exported interface `event-log`.
//!
//! The resource `event-log` alone keeps the log open; readers and tickets only know of it, and answer `closed` when it is
//! gone. A reader of an archive keeps its file itself.

use crate::{
    Component,
    bindings::exports::annals::log::{event_log as wit, types},
    convert,
    host::WasmHost,
};
use alloc::{
    boxed::Box,
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use annals_logs::{
    error::Error,
    event_log::{self, Archive, EventLog, Iterate, Options, Outcome, Policy, Stats, SyncTicket},
};
use core::cell::{RefCell, RefMut};

type Log = RefCell<EventLog<WasmHost>>;
type Answer<T> = Result<T, types::Error>;

/// Calls do not overlap, so nothing is ever borrowed twice; should a host manage it, it gets an error.
fn borrow<T>(cell: &RefCell<T>) -> Result<RefMut<'_, T>, Error> {
    cell.try_borrow_mut().map_err(|_| Error::Other("the log is in use by another call".into()))
}

impl wit::Guest for Component {
    type EventLog = OpenEventLog;
    type Reader = Reader;
    type SyncTicket = Ticket;

    fn open_archive(file: String) -> Answer<wit::Reader> {
        let archive = Archive::open(WasmHost, &file).map_err(convert::error)?;
        Ok(wit::Reader::new(Reader::OfFile(Box::new(RefCell::new(archive)))))
    }

    fn destroy(name: String) -> Answer<()> {
        event_log::destroy(&WasmHost, &name).map_err(convert::error)
    }
}

pub(crate) struct OpenEventLog(Rc<Log>);

impl OpenEventLog {
    fn call<T>(&self, call: impl FnOnce(&mut EventLog<WasmHost>) -> Result<T, Error>) -> Answer<T> {
        borrow(&self.0).and_then(|mut log| call(&mut log)).map_err(convert::error)
    }
}

impl Drop for OpenEventLog {
    fn drop(&mut self) {
        // Nobody is left to be told: `close` reports.
        let _ = self.call(EventLog::flush);
    }
}

impl wit::GuestEventLog for OpenEventLog {
    fn open(name: String, options: wit::Options) -> Answer<wit::EventLog> {
        let log = EventLog::open(WasmHost, &name, &options_from_wit(options)).map_err(convert::error)?;
        Ok(wit::EventLog::new(OpenEventLog(Rc::new(RefCell::new(log)))))
    }

    fn append_with_id(&self, id: u64, event: Vec<u8>) -> Answer<wit::Outcome> {
        self.call(|log| log.append_with_id(id, &event)).map(outcome)
    }

    fn append_batch_with_ids(&self, first: u64, events: Vec<Vec<u8>>) -> Answer<wit::Outcome> {
        self.call(|log| log.append_batch_with_ids(first, &events)).map(outcome)
    }

    fn append_packed_with_ids(&self, first: u64, ends: Vec<u32>, bytes: Vec<u8>) -> Answer<wit::Outcome> {
        self.call(|log| log.append_packed_with_ids(first, &ends, &bytes)).map(outcome)
    }

    fn next_event_id(&self) -> Answer<u64> {
        self.call(EventLog::next_event_id)
    }

    fn oldest_event_id(&self) -> Answer<Option<u64>> {
        self.call(EventLog::oldest_event_id)
    }

    fn newest_event_id(&self) -> Answer<Option<u64>> {
        self.call(EventLog::newest_event_id)
    }

    fn get(&self, id: u64) -> Answer<Option<Vec<u8>>> {
        self.call(|log| log.get(id))
    }

    fn iterate(&self, start: u64, end: Option<u64>) -> Answer<wit::Reader> {
        let iterate = self.call(|log| log.iterate(start, end))?;
        Ok(wit::Reader::new(Reader::OfLog(Rc::downgrade(&self.0), RefCell::new(iterate))))
    }

    fn delete_range(&self, first: u64, last: u64) -> Answer<u64> {
        self.call(|log| log.delete_range(first, last))
    }

    fn rotate(&self) -> Answer<String> {
        self.call(EventLog::rotate)
    }

    fn flush(&self) -> Answer<()> {
        self.call(EventLog::flush)
    }

    fn sync(&self) -> Answer<types::Token> {
        self.call(EventLog::sync).map(convert::token)
    }

    fn begin_sync(&self) -> Answer<wit::SyncTicket> {
        let ticket = self.call(EventLog::begin_sync)?;
        Ok(wit::SyncTicket::new(Ticket { log: Rc::downgrade(&self.0), ticket: RefCell::new(ticket) }))
    }

    fn stats(&self) -> Answer<wit::Stats> {
        self.call(EventLog::stats).map(stats)
    }

    fn close(&self) -> Answer<types::Token> {
        self.call(EventLog::close).map(convert::token)
    }
}

fn options_from_wit(options: wit::Options) -> Options {
    Options {
        mode: convert::mode_from_wit(options.mode),
        expect: options.expect.map(convert::token_from_wit),
        policy: match options.policy {
            wit::Policy::Buffered => Policy::Buffered,
            wit::Policy::Flushed => Policy::Flushed,
            wit::Policy::Synced => Policy::Synced,
        },
        shared: options.shared,
        lock_wait_ms: options.lock_wait_ms,
        rotate_at: options.rotate_at,
        max_event: options.max_event,
        max_batch: options.max_batch,
    }
}

fn outcome(outcome: Outcome) -> wit::Outcome {
    match outcome {
        Outcome::Appended => wit::Outcome::Appended,
        Outcome::Duplicate => wit::Outcome::Duplicate,
    }
}

fn stats(stats: Stats) -> wit::Stats {
    let Stats { events, oldest, newest, bytes, files } = stats;
    wit::Stats { events, oldest, newest, bytes, files }
}

/// Runs `call` on the log, if it is still there, and on what belongs to it.
fn with<P, T>(
    log: &Weak<Log>,
    part: &RefCell<P>,
    call: impl FnOnce(&mut EventLog<WasmHost>, &mut P) -> Result<T, Error>,
) -> Answer<T> {
    let run = || {
        let log = log.upgrade().ok_or(Error::Closed)?;
        let mut log = borrow(&log)?;
        call(&mut log, &mut *borrow(part)?)
    };
    run().map_err(convert::error)
}

pub(crate) enum Reader {
    OfLog(Weak<Log>, RefCell<Iterate>),
    OfFile(Box<RefCell<Archive<WasmHost>>>),
}

impl wit::GuestReader for Reader {
    fn next(&self, limits: types::Limits) -> Answer<Option<types::Items>> {
        let limits = convert::limits_from_wit(limits);
        match self {
            Reader::OfLog(log, iterate) => {
                with(log, iterate, |log, iterate| log.iterate_next(iterate, limits))
            }
            Reader::OfFile(archive) => {
                borrow(archive).and_then(|mut archive| archive.next(limits)).map_err(convert::error)
            }
        }
        .map(|items| items.map(convert::items))
    }
}

pub(crate) struct Ticket {
    log: Weak<Log>,
    ticket: RefCell<SyncTicket>,
}

impl wit::GuestSyncTicket for Ticket {
    fn poll(&self) -> Answer<Option<types::Token>> {
        with(&self.log, &self.ticket, |log, ticket| log.poll_sync(ticket))
            .map(|token| token.map(convert::token))
    }

    fn wait(&self) -> Answer<types::Token> {
        with(&self.log, &self.ticket, |log, ticket| log.wait_sync(ticket)).map(convert::token)
    }
}
