//! What is under test of an event log, behind object-safe traits; `wit/event-log.wit` says what each call does.

use crate::subject::{SEGMENT, TicketSubject};
use annals_logs::error::{Result, Token};
use annals_logs::types::{Items, Limits, Mode};

pub use annals_logs::event_log::{Options, Outcome, Policy, Stats};

/// What an implementation has of event logs, on its disk.
#[allow(missing_docs)]
pub trait EventLogs {
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn EventSubject>>;
    fn open_archive(&self, file: &str) -> Result<Box<dyn EventReader>>;
    fn destroy(&self, name: &str) -> Result<()>;
}

/// An open event log.
#[allow(missing_docs)]
pub trait EventSubject {
    fn append_with_id(&self, id: u64, event: &[u8]) -> Result<Outcome>;
    fn append_batch_with_ids(&self, first: u64, events: &[&[u8]]) -> Result<Outcome>;
    fn append_packed_with_ids(&self, first: u64, ends: &[u32], bytes: &[u8]) -> Result<Outcome>;
    fn next_event_id(&self) -> Result<u64>;
    fn oldest_event_id(&self) -> Result<Option<u64>>;
    fn newest_event_id(&self) -> Result<Option<u64>>;
    fn get(&self, id: u64) -> Result<Option<Vec<u8>>>;
    fn iterate(&self, start: u64, end: Option<u64>) -> Result<Box<dyn EventReader>>;
    fn delete_range(&self, first: u64, last: u64) -> Result<u64>;
    fn rotate(&self) -> Result<String>;
    fn flush(&self) -> Result<()>;
    fn sync(&self) -> Result<Token>;
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>>;
    fn stats(&self) -> Result<Stats>;
    fn close(&self) -> Result<Token>;
}

/// An iteration under way, or an archive.
#[allow(missing_docs)]
pub trait EventReader {
    fn next(&self, limits: Limits) -> Result<Option<Items>>;
}

/// Options that make a new event log with small files, or open one as it is in that mode.
pub fn options(mode: Mode) -> Options {
    let new = matches!(mode, Mode::Create | Mode::OpenOrCreate);
    Options { mode, rotate_at: new.then_some(SEGMENT), ..Options::default() }
}
