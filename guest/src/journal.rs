//! The exported interface `journal`.
//!
//! The resource `journal` alone keeps the log open; readers and tickets only know of it, and answer `closed` when it is
//! gone.

use crate::{
    Component,
    bindings::exports::annals::log::{journal as wit, types},
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
    journal::{self, Journal, Options, Replay, SyncTicket},
};
use core::cell::{RefCell, RefMut};

type Log = RefCell<Journal<WasmHost>>;
type Answer<T> = Result<T, types::Error>;

/// Calls do not overlap, so nothing is ever borrowed twice; should a host manage it, it gets an error.
fn borrow<T>(cell: &RefCell<T>) -> Result<RefMut<'_, T>, Error> {
    cell.try_borrow_mut().map_err(|_| Error::Other("the log is in use by another call".into()))
}

impl wit::Guest for Component {
    type Journal = OpenJournal;
    type Reader = Reader;
    type SyncTicket = Ticket;

    fn destroy(name: String) -> Answer<()> {
        journal::destroy(&WasmHost, &name).map_err(convert::error)
    }
}

pub(crate) struct OpenJournal(Rc<Log>);

impl OpenJournal {
    fn call<T>(&self, call: impl FnOnce(&mut Journal<WasmHost>) -> Result<T, Error>) -> Answer<T> {
        borrow(&self.0).and_then(|mut journal| call(&mut journal)).map_err(convert::error)
    }
}

impl Drop for OpenJournal {
    fn drop(&mut self) {
        // Nobody is left to be told: `close` reports.
        let _ = self.call(Journal::flush);
    }
}

impl wit::GuestJournal for OpenJournal {
    fn open(name: String, options: wit::Options) -> Answer<wit::Journal> {
        let journal = Journal::open(WasmHost, &name, &options_from_wit(options)).map_err(convert::error)?;
        Ok(wit::Journal::new(OpenJournal(Rc::new(RefCell::new(journal)))))
    }

    fn append(&self, item: Vec<u8>) -> Answer<u64> {
        self.call(|journal| journal.append(&item))
    }

    fn append_batch(&self, items: Vec<Vec<u8>>) -> Answer<u64> {
        self.call(|journal| journal.append_batch(&items))
    }

    fn append_packed(&self, ends: Vec<u32>, bytes: Vec<u8>) -> Answer<u64> {
        self.call(|journal| journal.append_packed(&ends, &bytes))
    }

    fn read(&self, position: u64) -> Answer<Vec<u8>> {
        self.call(|journal| journal.read(position))
    }

    fn read_many(&self, positions: Vec<u64>, max_bytes: u32) -> Answer<types::Items> {
        self.call(|journal| journal.read_many(&positions, max_bytes)).map(convert::items)
    }

    fn read_range(&self, start: u64, limits: types::Limits) -> Answer<types::Batch> {
        self.call(|journal| journal.read_range(start, convert::limits_from_wit(limits))).map(convert::batch)
    }

    fn replay(&self, start: u64) -> Answer<wit::Reader> {
        let replay = self.call(|journal| journal.replay(start))?;
        Ok(wit::Reader::new(Reader { journal: Rc::downgrade(&self.0), replay: RefCell::new(replay) }))
    }

    fn size(&self) -> Answer<u64> {
        self.call(|journal| journal.size())
    }

    fn oldest(&self) -> Answer<Option<u64>> {
        self.call(|journal| journal.oldest())
    }

    fn boundary(&self) -> Answer<u64> {
        self.call(|journal| journal.boundary())
    }

    fn prune(&self, min: u64) -> Answer<bool> {
        self.call(|journal| journal.prune(min))
    }

    fn rewind(&self, size: u64) -> Answer<()> {
        self.call(|journal| journal.rewind(size))
    }

    fn flush(&self) -> Answer<()> {
        self.call(Journal::flush)
    }

    fn sync_data(&self) -> Answer<types::Token> {
        self.call(Journal::sync_data).map(convert::token)
    }

    fn sync(&self) -> Answer<types::Token> {
        self.call(Journal::sync).map(convert::token)
    }

    fn begin_sync(&self) -> Answer<wit::SyncTicket> {
        let ticket = self.call(Journal::begin_sync)?;
        Ok(wit::SyncTicket::new(Ticket { journal: Rc::downgrade(&self.0), ticket: RefCell::new(ticket) }))
    }

    fn close(&self) -> Answer<types::Token> {
        self.call(Journal::close).map(convert::token)
    }
}

fn options_from_wit(options: wit::Options) -> Options {
    Options {
        mode: convert::mode_from_wit(options.mode),
        start_at: options.start_at,
        expect: options.expect.map(convert::token_from_wit),
        items_per_section: options.items_per_section,
        segment_bytes: options.segment_bytes,
        compression: options.compression,
        sync_sections: options.sync_sections,
        write_buffer: options.write_buffer,
        lock_wait_ms: options.lock_wait_ms,
    }
}

/// Runs `call` on the journal, if it is still there, and on what belongs to it.
fn with<P, T>(
    journal: &Weak<Log>,
    part: &RefCell<P>,
    call: impl FnOnce(&mut Journal<WasmHost>, &mut P) -> Result<T, Error>,
) -> Answer<T> {
    let run = || {
        let journal = journal.upgrade().ok_or(Error::Closed)?;
        let mut journal = borrow(&journal)?;
        call(&mut journal, &mut *borrow(part)?)
    };
    run().map_err(convert::error)
}

pub(crate) struct Reader {
    journal: Weak<Log>,
    replay: RefCell<Replay>,
}

impl wit::GuestReader for Reader {
    fn next(&self, limits: types::Limits) -> Answer<Option<types::Batch>> {
        let limits = convert::limits_from_wit(limits);
        with(&self.journal, &self.replay, |journal, replay| journal.replay_next(replay, limits))
            .map(|batch| batch.map(convert::batch))
    }
}

pub(crate) struct Ticket {
    journal: Weak<Log>,
    ticket: RefCell<SyncTicket>,
}

impl wit::GuestSyncTicket for Ticket {
    fn poll(&self) -> Answer<Option<types::Token>> {
        with(&self.journal, &self.ticket, |journal, ticket| journal.poll_sync(ticket))
            .map(|token| token.map(convert::token))
    }

    fn wait(&self) -> Answer<types::Token> {
        with(&self.journal, &self.ticket, |journal, ticket| journal.wait_sync(ticket)).map(convert::token)
    }
}
