//! The exported interface `change-log`.
//!
//! The resource `change-log` alone keeps the log open; readers only know of it, and answer `closed` when it is gone.

use crate::{
    Component,
    bindings::exports::annals::log::{change_log as wit, types},
    convert,
    host::WasmHost,
};
use alloc::{
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use annals_logs::{
    change_log::{
        self, Change, ChangeLog, InstanceInfo, InstanceState, Options, Outstanding, Recovered, Scan,
    },
    error::Error,
};
use core::cell::{RefCell, RefMut};

type Log = RefCell<ChangeLog<WasmHost>>;
type Answer<T> = Result<T, types::Error>;

/// Calls do not overlap, so nothing is ever borrowed twice; should a host manage it, it gets an error.
fn borrow<T>(cell: &RefCell<T>) -> Result<RefMut<'_, T>, Error> {
    cell.try_borrow_mut().map_err(|_| Error::Other("the log is in use by another call".into()))
}

impl wit::Guest for Component {
    type ChangeLog = OpenChangeLog;
    type Reader = Reader;

    fn instances(name: String) -> Answer<Vec<wit::InstanceInfo>> {
        change_log::instances(&WasmHost, &name)
            .map(|infos| infos.into_iter().map(instance_info).collect())
            .map_err(convert::error)
    }

    fn destroy(name: String) -> Answer<()> {
        change_log::destroy(&WasmHost, &name).map_err(convert::error)
    }
}

pub(crate) struct OpenChangeLog(Rc<Log>);

impl OpenChangeLog {
    fn call<T>(&self, call: impl FnOnce(&mut ChangeLog<WasmHost>) -> Result<T, Error>) -> Answer<T> {
        borrow(&self.0).and_then(|mut log| call(&mut log)).map_err(convert::error)
    }
}

impl wit::GuestChangeLog for OpenChangeLog {
    fn open(name: String, options: wit::Options) -> Answer<wit::ChangeLog> {
        let log = ChangeLog::open(WasmHost, &name, &options_from_wit(options)).map_err(convert::error)?;
        Ok(wit::ChangeLog::new(OpenChangeLog(Rc::new(RefCell::new(log)))))
    }

    fn instance(&self) -> String {
        borrow(&self.0).map(|log| log.instance().into()).unwrap_or_default()
    }

    fn record(&self, id: Vec<u8>, change: wit::Change) -> Answer<()> {
        self.call(|log| log.record(&id, &change_from_wit(change)))
    }

    fn remove(&self, origin: Option<String>, id: Vec<u8>) -> Answer<bool> {
        self.call(|log| log.remove(origin.as_deref(), &id))
    }

    fn get(&self, origin: Option<String>, id: Vec<u8>) -> Answer<Option<wit::Change>> {
        self.call(|log| log.get(origin.as_deref(), &id)).map(|found| found.map(change))
    }

    fn scan(&self, include_deferred: bool) -> Answer<wit::Reader> {
        let scan = self.call(|log| log.scan(include_deferred))?;
        Ok(wit::Reader::new(Reader { log: Rc::downgrade(&self.0), scan: RefCell::new(scan) }))
    }

    fn heartbeat(&self) -> Answer<()> {
        self.call(ChangeLog::heartbeat)
    }

    fn recover(&self, stale_after_ms: u64) -> Answer<Vec<wit::Recovered>> {
        self.call(|log| log.recover(stale_after_ms)).map(|found| found.into_iter().map(recovered).collect())
    }

    fn discard(&self, instance: String) -> Answer<bool> {
        self.call(|log| log.discard(&instance))
    }

    fn close(&self) -> Answer<types::Token> {
        self.call(ChangeLog::close).map(convert::token)
    }
}

pub(crate) struct Reader {
    log: Weak<Log>,
    scan: RefCell<Scan>,
}

impl wit::GuestReader for Reader {
    fn next(&self, limits: types::Limits) -> Answer<Option<Vec<wit::Outstanding>>> {
        let limits = convert::limits_from_wit(limits);
        let run = || {
            let log = self.log.upgrade().ok_or(Error::Closed)?;
            let mut log = borrow(&log)?;
            log.scan_next(&mut *borrow(&self.scan)?, limits)
        };
        run()
            .map(|found| found.map(|found| found.into_iter().map(outstanding).collect()))
            .map_err(convert::error)
    }
}

fn options_from_wit(options: wit::Options) -> Options {
    Options {
        mode: convert::mode_from_wit(options.mode),
        instance: options.instance,
        heartbeat_ms: options.heartbeat_ms,
        segment_bytes: options.segment_bytes,
        expect: options.expect.map(convert::token_from_wit),
        lock_wait_ms: options.lock_wait_ms,
    }
}

fn change_from_wit(change: wit::Change) -> Change {
    Change { payload: change.payload, cleanup_after_ms: change.cleanup_after_ms }
}

fn change(change: Change) -> wit::Change {
    wit::Change { payload: change.payload, cleanup_after_ms: change.cleanup_after_ms }
}

fn outstanding(found: Outstanding) -> wit::Outstanding {
    wit::Outstanding { origin: found.origin, id: found.id, change: change(found.change) }
}

fn recovered(found: Recovered) -> wit::Recovered {
    wit::Recovered {
        instance: found.instance,
        changes: found.changes,
        damaged: found.damaged.map(convert::damage),
    }
}

fn instance_info(info: InstanceInfo) -> wit::InstanceInfo {
    wit::InstanceInfo {
        instance: info.instance,
        epoch: info.epoch,
        state: match info.state {
            InstanceState::Live => wit::State::Live,
            InstanceState::Closed => wit::State::Closed,
            InstanceState::Claimed => wit::State::Claimed,
            InstanceState::Damaged => wit::State::Damaged,
        },
        claimed_by: info.claimed_by,
        heartbeat_at_ms: info.heartbeat_at_ms,
        heartbeat_ms: info.heartbeat_ms,
        damaged: info.damaged.map(convert::damage),
    }
}
