//! Raft logs under test: the trait between cases and an implementation, and what goes with it.

pub mod model;
pub mod native;

use crate::subject::{SEGMENT, TicketSubject};
use annals_logs::error::{Result, Token};
use annals_logs::types::{Limits, Mode};

pub use annals_logs::raft_log::{Entries, Entry, HardState, LogId, Options};

/// An open Raft log; `wit/raft-log.wit` says what each call does.
#[allow(missing_docs)]
pub trait RaftSubject {
    fn persist(&self, entries: &[Entry]) -> Result<()>;
    fn persist_packed(&self, entries: &Entries) -> Result<()>;
    fn entry(&self, index: u64) -> Result<Option<Entry>>;
    fn get_entries(&self, first: u64, last: u64, limits: Limits) -> Result<Entries>;
    fn term_of(&self, index: u64) -> Result<Option<u64>>;
    fn first_index(&self) -> Result<Option<u64>>;
    fn last_index(&self) -> Result<u64>;
    fn truncate(&self, first: u64) -> Result<()>;
    fn replace_range(&self, first: u64, entries: &[Entry]) -> Result<()>;
    fn replace_range_packed(&self, first: u64, entries: &Entries) -> Result<()>;
    fn purge(&self, up_to: LogId) -> Result<()>;
    fn purge_boundary(&self) -> Result<Option<LogId>>;
    fn reset(&self) -> Result<()>;
    fn save_hard_state(&self, state: &HardState) -> Result<()>;
    fn load_hard_state(&self) -> Result<Option<HardState>>;
    fn is_write_durable(&self) -> bool;
    fn flush(&self) -> Result<()>;
    fn sync(&self) -> Result<Token>;
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>>;
    fn close(&self) -> Result<Token>;
}

/// Options that make a new Raft log with small segments, or open one as it is in that mode; nothing is synced unless
/// asked for, and gaps are refused.
pub fn options(mode: Mode) -> Options {
    let new = matches!(mode, Mode::Create | Mode::OpenOrCreate);
    Options { mode, segment_bytes: new.then_some(SEGMENT), sync_on_persist: false, ..Options::default() }
}

/// The same, and entries are durable when the call that wrote them returns.
pub fn synced(mode: Mode) -> Options {
    Options { sync_on_persist: true, ..options(mode) }
}

/// The same, and indexes may be left out.
pub fn gappy(mode: Mode) -> Options {
    Options { allow_gaps: true, ..options(mode) }
}

/// An entry.
pub fn entry(term: u64, index: u64, payload: impl Into<Vec<u8>>) -> Entry {
    Entry { id: LogId { term, index }, payload: payload.into() }
}

/// The same entries, packed.
pub fn pack(entries: &[Entry]) -> Entries {
    let mut packed = Entries::default();
    for entry in entries {
        packed.indexes.push(entry.id.index);
        packed.terms.push(entry.id.term);
        packed.bytes.extend_from_slice(&entry.payload);
        packed.ends.push(packed.bytes.len() as u32);
    }
    packed
}

/// The entries of a packed list.
pub fn unpack(packed: &Entries) -> Vec<Entry> {
    let ids = packed.indexes.iter().zip(&packed.terms);
    let payloads = annals_logs::types::unpack(&packed.ends, &packed.bytes);
    ids.zip(payloads).map(|((&index, &term), payload)| entry(term, index, payload)).collect()
}
