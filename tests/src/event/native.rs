//! The native event log as a subject.

use super::subject::{EventLogs, EventReader, EventSubject, Options, Outcome, Stats};
use crate::native::Native;
use crate::subject::TicketSubject;
use annals_logs::error::{Error, Result, Token};
use annals_logs::event_log::{self, Archive, EventLog, Iterate, SyncTicket};
use annals_logs::types::{Items, Limits};
use std::cell::RefCell;
use std::rc::Rc;

use crate::sim::SimDisk;

impl EventLogs for Native {
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn EventSubject>> {
        let log = EventLog::open(self.disk.clone(), name, options)?;
        Ok(Box::new(Open(Rc::new(RefCell::new(Some(log))))))
    }
    fn open_archive(&self, file: &str) -> Result<Box<dyn EventReader>> {
        Ok(Box::new(OfFile(RefCell::new(Archive::open(self.disk.clone(), file)?))))
    }
    fn destroy(&self, name: &str) -> Result<()> {
        event_log::destroy(&self.disk, name)
    }
}

/// An open log, which readers and tickets share until the handle is dropped.
type Shared = Rc<RefCell<Option<EventLog<SimDisk>>>>;

fn with<T>(shared: &Shared, run: impl FnOnce(&mut EventLog<SimDisk>) -> Result<T>) -> Result<T> {
    shared.borrow_mut().as_mut().map_or(Err(Error::Closed), run)
}

struct Open(Shared);

impl Drop for Open {
    fn drop(&mut self) {
        let log = self.0.borrow_mut().take();
        drop(log);
    }
}

impl EventSubject for Open {
    fn append_with_id(&self, id: u64, event: &[u8]) -> Result<Outcome> {
        with(&self.0, |log| log.append_with_id(id, event))
    }
    fn append_batch_with_ids(&self, first: u64, events: &[&[u8]]) -> Result<Outcome> {
        with(&self.0, |log| log.append_batch_with_ids(first, events))
    }
    fn append_packed_with_ids(&self, first: u64, ends: &[u32], bytes: &[u8]) -> Result<Outcome> {
        with(&self.0, |log| log.append_packed_with_ids(first, ends, bytes))
    }
    fn next_event_id(&self) -> Result<u64> {
        with(&self.0, EventLog::next_event_id)
    }
    fn oldest_event_id(&self) -> Result<Option<u64>> {
        with(&self.0, EventLog::oldest_event_id)
    }
    fn newest_event_id(&self) -> Result<Option<u64>> {
        with(&self.0, EventLog::newest_event_id)
    }
    fn get(&self, id: u64) -> Result<Option<Vec<u8>>> {
        with(&self.0, |log| log.get(id))
    }
    fn iterate(&self, start: u64, end: Option<u64>) -> Result<Box<dyn EventReader>> {
        let iterate = with(&self.0, |log| log.iterate(start, end))?;
        Ok(Box::new(OfLog { shared: self.0.clone(), iterate: RefCell::new(iterate) }))
    }
    fn delete_range(&self, first: u64, last: u64) -> Result<u64> {
        with(&self.0, |log| log.delete_range(first, last))
    }
    fn rotate(&self) -> Result<String> {
        with(&self.0, EventLog::rotate)
    }
    fn flush(&self) -> Result<()> {
        with(&self.0, EventLog::flush)
    }
    fn sync(&self) -> Result<Token> {
        with(&self.0, EventLog::sync)
    }
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>> {
        let ticket = with(&self.0, EventLog::begin_sync)?;
        Ok(Box::new(Ticket { shared: self.0.clone(), ticket }))
    }
    fn stats(&self) -> Result<Stats> {
        with(&self.0, EventLog::stats)
    }
    fn close(&self) -> Result<Token> {
        with(&self.0, EventLog::close)
    }
}

struct OfLog {
    shared: Shared,
    iterate: RefCell<Iterate>,
}

impl EventReader for OfLog {
    fn next(&self, limits: Limits) -> Result<Option<Items>> {
        with(&self.shared, |log| log.iterate_next(&mut self.iterate.borrow_mut(), limits))
    }
}

struct OfFile(RefCell<Archive<SimDisk>>);

impl EventReader for OfFile {
    fn next(&self, limits: Limits) -> Result<Option<Items>> {
        self.0.borrow_mut().next(limits)
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
