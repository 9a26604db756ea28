//! How to open an event log.

use crate::error::{Error, Result, Token};
use crate::format::{MAX_BATCH, MAX_ITEM};
use crate::limits::check_segment_bytes;
use crate::types::Mode;

/// Bytes of single events that may wait in memory.
pub const WRITE_BUFFER: usize = 64 << 10;

/// What an append promises when it returns; `wit/event-log.wit` says it in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Single events may wait in memory.
    Buffered,
    /// Handed to the host.
    #[default]
    Flushed,
    /// Durable.
    Synced,
}

/// How to open an event log; `wit/event-log.wit` says what each option means.
#[derive(Clone, Debug)]
pub struct Options {
    /// Create, open, either, or read only.
    pub mode: Mode,
    /// Refuse a log whose history does not contain this.
    pub expect: Option<Token>,
    /// What an append promises.
    pub policy: Policy,
    /// Several processes write it.
    pub shared: bool,
    /// How long to wait for another writer.
    pub lock_wait_ms: u32,
    /// Fixed: size at which a file is rotated.
    pub rotate_at: Option<u64>,
    /// Most bytes of an event.
    pub max_event: Option<u32>,
    /// Most bytes of a batch.
    pub max_batch: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::OpenOrCreate,
            expect: None,
            policy: Policy::default(),
            shared: false,
            lock_wait_ms: 0,
            rotate_at: None,
            max_event: None,
            max_batch: None,
        }
    }
}

impl Options {
    /// An error if they make no sense.
    pub(super) fn check(&self) -> Result<()> {
        let invalid = |what: &str| Err(Error::InvalidArgument(what.into()));
        check_segment_bytes("rotate-at", self.rotate_at)?;
        if self.max_event.is_some_and(|bytes| u64::from(bytes) > MAX_ITEM) {
            return invalid("max-event: at most 16 MiB");
        }
        if self.max_batch.is_some_and(|bytes| u64::from(bytes) > MAX_BATCH) {
            return invalid("max-batch: at most 64 MiB");
        }
        if self.shared && self.policy == Policy::Buffered {
            return invalid(
                "policy: buffered events would be seen by this process alone, so not in shared mode",
            );
        }
        if self.shared && self.mode == Mode::ReadOnly {
            return invalid("shared: not when opening for reading only");
        }
        Ok(())
    }
}
