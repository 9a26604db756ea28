//! The native library's change log as a subject.

use super::{Change, ChangeLogSubject, ChangeReaderSubject, Options, Outstanding, Recovered};
use crate::sim::SimDisk;
use annals_logs::change_log::{ChangeLog, Scan};
use annals_logs::error::{Error, Result, Token};
use annals_logs::types::Limits;
use std::cell::RefCell;
use std::rc::Rc;

/// Opens an instance on this disk.
pub fn open(disk: &SimDisk, name: &str, options: &Options) -> Result<Box<dyn ChangeLogSubject>> {
    let log = ChangeLog::open(disk.clone(), name, options)?;
    Ok(Box::new(Open(Rc::new(RefCell::new(Some(log))))))
}

/// An open instance, which readers share until the handle is dropped.
type Shared = Rc<RefCell<Option<ChangeLog<SimDisk>>>>;

fn with<T>(shared: &Shared, run: impl FnOnce(&mut ChangeLog<SimDisk>) -> Result<T>) -> Result<T> {
    shared.borrow_mut().as_mut().map_or(Err(Error::Closed), run)
}

struct Open(Shared);

impl Drop for Open {
    fn drop(&mut self) {
        let log = self.0.borrow_mut().take();
        drop(log);
    }
}

impl ChangeLogSubject for Open {
    fn instance(&self) -> String {
        with(&self.0, |log| Ok(log.instance().into())).unwrap_or_default()
    }
    fn record(&self, id: &[u8], change: &Change) -> Result<()> {
        with(&self.0, |log| log.record(id, change))
    }
    fn remove(&self, origin: Option<&str>, id: &[u8]) -> Result<bool> {
        with(&self.0, |log| log.remove(origin, id))
    }
    fn get(&self, origin: Option<&str>, id: &[u8]) -> Result<Option<Change>> {
        with(&self.0, |log| log.get(origin, id))
    }
    fn scan(&self, include_deferred: bool) -> Result<Box<dyn ChangeReaderSubject>> {
        let scan = with(&self.0, |log| log.scan(include_deferred))?;
        Ok(Box::new(Reader { shared: self.0.clone(), scan: RefCell::new(scan) }))
    }
    fn heartbeat(&self) -> Result<()> {
        with(&self.0, |log| log.heartbeat())
    }
    fn recover(&self, stale_after_ms: u64) -> Result<Vec<Recovered>> {
        with(&self.0, |log| log.recover(stale_after_ms))
    }
    fn discard(&self, instance: &str) -> Result<bool> {
        with(&self.0, |log| log.discard(instance))
    }
    fn close(&self) -> Result<Token> {
        with(&self.0, |log| log.close())
    }
}

struct Reader {
    shared: Shared,
    scan: RefCell<Scan>,
}

impl ChangeReaderSubject for Reader {
    fn next(&self, limits: Limits) -> Result<Option<Vec<Outstanding>>> {
        with(&self.shared, |log| log.scan_next(&mut self.scan.borrow_mut(), limits))
    }
}
