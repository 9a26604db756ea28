//! The values of a Raft log: the mirror of the records in `wit/raft-log.wit`.

use crate::error::Token;
use crate::types::Mode;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// An entry's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogId {
    /// The term in which it was proposed.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its term and index.
    pub id: LogId,
    /// What the state machine makes something of.
    pub payload: Vec<u8>,
}

/// Entries, packed: number `i` has index `indexes[i]`, term `terms[i]` and payload `bytes[ends[i-1]..ends[i]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Index of each entry, ascending.
    pub indexes: Vec<u64>,
    /// Term of each entry.
    pub terms: Vec<u64>,
    /// Where each payload ends.
    pub ends: Vec<u32>,
    /// The payloads, one behind the other.
    pub bytes: Vec<u8>,
}

/// What a node must remember before it answers a vote or an append.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    /// The current term.
    pub term: u64,
    /// Whom it voted for in that term.
    pub vote: Option<u64>,
    /// Whatever else belongs to it.
    pub extra: Vec<u8>,
}

/// How to open a Raft log; `wit/raft-log.wit` says what each option means.
#[derive(Clone, Debug)]
pub struct Options {
    /// Create, open, either, or read only.
    pub mode: Mode,
    /// Refuse a log whose history does not contain this.
    pub expect: Option<Token>,
    /// Whether entries are durable when the call that wrote them returns.
    pub sync_on_persist: bool,
    /// Whether indexes may be left out.
    pub allow_gaps: bool,
    /// Fixed: size of a full segment.
    pub segment_bytes: Option<u64>,
    /// How long to wait for another writer.
    pub lock_wait_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::OpenOrCreate,
            expect: None,
            sync_on_persist: true,
            allow_gaps: false,
            segment_bytes: None,
            lock_wait_ms: 0,
        }
    }
}
