//! Event logs of the component as a subject.

use super::{Component, Ticket, convert, convert::error};
use annals::event_log::{self, EventLog, Events};
use annals_logs::error::{Result, Token};
use annals_logs::types::{Items, Limits};
use annals_tests::event::subject::{EventLogs, EventReader, EventSubject, Options, Outcome, Policy, Stats};
use annals_tests::subject::TicketSubject;
use std::cell::RefCell;

impl EventLogs for Component {
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn EventSubject>> {
        let options = event_log::Options {
            mode: convert::mode(options.mode),
            expect: options.expect.map(convert::token_to_host),
            policy: match options.policy {
                Policy::Buffered => event_log::Policy::Buffered,
                Policy::Flushed => event_log::Policy::Flushed,
                Policy::Synced => event_log::Policy::Synced,
            },
            shared: options.shared,
            lock_wait_ms: options.lock_wait_ms,
            rotate_at: options.rotate_at,
            max_event: options.max_event,
            max_batch: options.max_batch,
        };
        let log = self.runtime.event_log(self.storage(), name, &options).map_err(error)?;
        Ok(Box::new(Open(log)))
    }
    fn open_archive(&self, file: &str) -> Result<Box<dyn EventReader>> {
        Ok(reader(self.runtime.event_archive(self.storage(), file).map_err(error)?))
    }
    fn destroy(&self, name: &str) -> Result<()> {
        self.runtime.destroy_event_log(self.storage(), name).map_err(error)
    }
}

struct Open(EventLog);

fn outcome(outcome: event_log::Outcome) -> Outcome {
    match outcome {
        event_log::Outcome::Appended => Outcome::Appended,
        event_log::Outcome::Duplicate => Outcome::Duplicate,
    }
}

fn reader(events: Events) -> Box<dyn EventReader> {
    Box::new(Reader(RefCell::new(events)))
}

impl EventSubject for Open {
    fn append_with_id(&self, id: u64, event: &[u8]) -> Result<Outcome> {
        self.0.append(id, event).map(outcome).map_err(error)
    }
    fn append_batch_with_ids(&self, first: u64, events: &[&[u8]]) -> Result<Outcome> {
        self.0.append_batch(first, events).map(outcome).map_err(error)
    }
    fn append_packed_with_ids(&self, first: u64, ends: &[u32], bytes: &[u8]) -> Result<Outcome> {
        self.0.append_packed(first, ends, bytes).map(outcome).map_err(error)
    }
    fn next_event_id(&self) -> Result<u64> {
        self.0.next_event_id().map_err(error)
    }
    fn oldest_event_id(&self) -> Result<Option<u64>> {
        self.0.oldest_event_id().map_err(error)
    }
    fn newest_event_id(&self) -> Result<Option<u64>> {
        self.0.newest_event_id().map_err(error)
    }
    fn get(&self, id: u64) -> Result<Option<Vec<u8>>> {
        self.0.get(id).map_err(error)
    }
    fn iterate(&self, start: u64, end: Option<u64>) -> Result<Box<dyn EventReader>> {
        self.0.iterate(start, end).map(reader).map_err(error)
    }
    fn delete_range(&self, first: u64, last: u64) -> Result<u64> {
        self.0.delete_range(first, last).map_err(error)
    }
    fn rotate(&self) -> Result<String> {
        self.0.rotate().map(|sealed| sealed.file).map_err(error)
    }
    fn flush(&self) -> Result<()> {
        self.0.flush().map_err(error)
    }
    fn sync(&self) -> Result<Token> {
        self.0.sync().map(convert::token).map_err(error)
    }
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>> {
        Ok(Box::new(Ticket(self.0.begin_sync().map_err(error)?)))
    }
    fn stats(&self) -> Result<Stats> {
        let stats = self.0.stats().map_err(error)?;
        let event_log::Stats { events, oldest, newest, bytes, files } = stats;
        Ok(Stats { events, oldest, newest, bytes, files })
    }
    fn close(&self) -> Result<Token> {
        self.0.close().map(convert::token).map_err(error)
    }
}

struct Reader(RefCell<Events>);

impl EventReader for Reader {
    fn next(&self, limits: Limits) -> Result<Option<Items>> {
        let mut events = self.0.borrow_mut();
        events.set_limits(convert::limits(limits));
        events.next_batch().map(|items| items.map(convert::items)).map_err(error)
    }
}
