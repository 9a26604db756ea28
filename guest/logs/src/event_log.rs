//! The event log: events under ids that the caller allocated. A thin view over the record log; `wit/event-log.wit` says
//! what each operation promises.

mod options;

pub use options::{Options, Policy, ROTATE_AT, ROTATE_AT_RANGE, WRITE_BUFFER};

use crate::error::{Error, Result, Token};
use crate::storage::Host;
use crate::types::{Items, Limits};
use alloc::{string::String, vec::Vec};

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All events, or those that were not there yet, were appended.
    Appended,
    /// They were there already.
    Duplicate,
}

/// What there is; `wit/event-log.wit` says what each field means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stats {
    pub events: u64,
    pub oldest: Option<u64>,
    pub newest: Option<u64>,
    pub bytes: u64,
    pub files: u32,
}

/// An iteration under way: shows the log as it was when it was begun.
#[derive(Clone, Debug)]
pub struct Iterate(());

/// A sync under way.
pub struct SyncTicket(());

/// An open event log.
pub struct EventLog<H: Host>(H);

/// A sealed file that is read on its own.
pub struct Archive<H: Host>(H);

fn soon<T>() -> Result<T> {
    Err(Error::Other("being built".into()))
}

impl<H: Host> EventLog<H> {
    /// Creates, opens or recovers an event log.
    pub fn open(_host: H, _name: &str, options: &Options) -> Result<Self> {
        options.check()?;
        soon()
    }
    /// Appends one event.
    pub fn append_with_id(&mut self, _id: u64, _event: &[u8]) -> Result<Outcome> {
        soon()
    }
    /// Appends events with consecutive ids.
    pub fn append_batch_with_ids<B: AsRef<[u8]>>(&mut self, _first: u64, _events: &[B]) -> Result<Outcome> {
        soon()
    }
    /// The same, packed.
    pub fn append_packed_with_ids(&mut self, _first: u64, _ends: &[u32], _bytes: &[u8]) -> Result<Outcome> {
        soon()
    }
    /// The id behind the highest one ever appended.
    pub fn next_event_id(&mut self) -> Result<u64> {
        soon()
    }
    /// Lowest id that can be read.
    pub fn oldest_event_id(&mut self) -> Result<Option<u64>> {
        soon()
    }
    /// Highest id that can be read.
    pub fn newest_event_id(&mut self) -> Result<Option<u64>> {
        soon()
    }
    /// The event with this id.
    pub fn get(&mut self, _id: u64) -> Result<Option<Vec<u8>>> {
        soon()
    }
    /// Begins to stream events.
    pub fn iterate(&mut self, _start: u64, _end: Option<u64>) -> Result<Iterate> {
        soon()
    }
    /// The next events of an iteration, or none at its end.
    pub fn iterate_next(&mut self, _iterate: &mut Iterate, _limits: Limits) -> Result<Option<Items>> {
        soon()
    }
    /// Deletes events, both ends inclusive.
    pub fn delete_range(&mut self, _first: u64, _last: u64) -> Result<u64> {
        soon()
    }
    /// Seals the file that is written to.
    pub fn rotate(&mut self) -> Result<String> {
        soon()
    }
    /// Hands waiting events to the host.
    pub fn flush(&mut self) -> Result<()> {
        soon()
    }
    /// Makes every append before it durable.
    pub fn sync(&mut self) -> Result<Token> {
        soon()
    }
    /// Hands over what waits and starts to make it durable.
    pub fn begin_sync(&mut self) -> Result<SyncTicket> {
        soon()
    }
    /// The token, once that sync has succeeded.
    pub fn poll_sync(&mut self, _ticket: &SyncTicket) -> Result<Option<Token>> {
        soon()
    }
    /// Waits for it.
    pub fn wait_sync(&mut self, _ticket: &SyncTicket) -> Result<Token> {
        soon()
    }
    /// What there is.
    pub fn stats(&mut self) -> Result<Stats> {
        soon()
    }
    /// Syncs, seals, and lets go of the lock.
    pub fn close(&mut self) -> Result<Token> {
        soon()
    }
}

impl<H: Host> Archive<H> {
    /// Opens a sealed file and checks every byte of it.
    pub fn open(_host: H, _file: &str) -> Result<Self> {
        soon()
    }
    /// The next events, or none at the end.
    pub fn next(&mut self, _limits: Limits) -> Result<Option<Items>> {
        soon()
    }
}

/// Removes an event log and its files.
pub fn destroy<H: Host>(_host: &H, _name: &str) -> Result<()> {
    soon()
}
