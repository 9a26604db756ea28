//! The native library's Raft log as a subject.

use super::{Entries, Entry, HardState, LogId, Options, RaftSubject};
use crate::sim::SimDisk;
use crate::subject::TicketSubject;
use annals_logs::error::{Error, Result, Token};
use annals_logs::raft_log::{RaftLog, SyncTicket};
use annals_logs::types::Limits;
use std::cell::RefCell;
use std::rc::Rc;

/// Opens a Raft log on this disk.
pub fn open(disk: &SimDisk, name: &str, options: &Options) -> Result<Box<dyn RaftSubject>> {
    let log = RaftLog::open(disk.clone(), name, options)?;
    Ok(Box::new(Open(Rc::new(RefCell::new(Some(log))))))
}

/// An open log, which tickets share until the handle is dropped.
type Shared = Rc<RefCell<Option<RaftLog<SimDisk>>>>;

fn with<T>(shared: &Shared, run: impl FnOnce(&mut RaftLog<SimDisk>) -> Result<T>) -> Result<T> {
    shared.borrow_mut().as_mut().map_or(Err(Error::Closed), run)
}

struct Open(Shared);

impl Drop for Open {
    fn drop(&mut self) {
        let log = self.0.borrow_mut().take();
        drop(log);
    }
}

impl RaftSubject for Open {
    fn persist(&self, entries: &[Entry]) -> Result<()> {
        with(&self.0, |log| log.persist(entries))
    }
    fn persist_packed(&self, entries: &Entries) -> Result<()> {
        with(&self.0, |log| log.persist_packed(entries))
    }
    fn entry(&self, index: u64) -> Result<Option<Entry>> {
        with(&self.0, |log| log.entry(index))
    }
    fn get_entries(&self, first: u64, last: u64, limits: Limits) -> Result<Entries> {
        with(&self.0, |log| log.get_entries(first, last, limits))
    }
    fn term_of(&self, index: u64) -> Result<Option<u64>> {
        with(&self.0, |log| log.term_of(index))
    }
    fn first_index(&self) -> Result<Option<u64>> {
        with(&self.0, |log| log.first_index())
    }
    fn last_index(&self) -> Result<u64> {
        with(&self.0, |log| log.last_index())
    }
    fn truncate(&self, first: u64) -> Result<()> {
        with(&self.0, |log| log.truncate(first))
    }
    fn replace_range(&self, first: u64, entries: &[Entry]) -> Result<()> {
        with(&self.0, |log| log.replace_range(first, entries))
    }
    fn replace_range_packed(&self, first: u64, entries: &Entries) -> Result<()> {
        with(&self.0, |log| log.replace_range_packed(first, entries))
    }
    fn purge(&self, up_to: LogId) -> Result<()> {
        with(&self.0, |log| log.purge(up_to))
    }
    fn purge_boundary(&self) -> Result<Option<LogId>> {
        with(&self.0, |log| log.purge_boundary())
    }
    fn reset(&self) -> Result<()> {
        with(&self.0, |log| log.reset())
    }
    fn save_hard_state(&self, state: &HardState) -> Result<()> {
        with(&self.0, |log| log.save_hard_state(state))
    }
    fn load_hard_state(&self) -> Result<Option<HardState>> {
        with(&self.0, |log| log.load_hard_state())
    }
    fn is_write_durable(&self) -> bool {
        with(&self.0, |log| Ok(log.is_write_durable())).unwrap_or(false)
    }
    fn flush(&self) -> Result<()> {
        with(&self.0, |log| log.flush())
    }
    fn sync(&self) -> Result<Token> {
        with(&self.0, |log| log.sync())
    }
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>> {
        let ticket = with(&self.0, |log| log.begin_sync())?;
        Ok(Box::new(Ticket { shared: self.0.clone(), ticket }))
    }
    fn close(&self) -> Result<Token> {
        with(&self.0, |log| log.close())
    }
}

struct Ticket {
    shared: Shared,
    ticket: SyncTicket,
}

impl TicketSubject for Ticket {
    fn poll(&self) -> Result<Option<Token>> {
        with(&self.shared, |log| log.poll_sync(&self.ticket))
    }
    fn wait(&self) -> Result<Token> {
        with(&self.shared, |log| log.wait_sync(&self.ticket))
    }
}
