//! The values of a change log: how to open one, what it holds, what it tells of its instances. Mirrors of the records in
//! `wit/change-log.wit`, which says what each means.

use crate::error::{Damage, Error, Limit, Result, Token};
use crate::format::names;
use crate::limits::check_segment_bytes;
use crate::types::Mode;
use alloc::{string::String, vec::Vec};

/// How often an instance shows that it is alive, by default, in milliseconds.
pub const HEARTBEAT_MS: u32 = 30_000;
/// Size of a full file, by default.
pub const SEGMENT_BYTES: u64 = 4 << 20;

/// How to open a change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Create, open, either, or read only.
    pub mode: Mode,
    /// Name of this instance; none for a random one.
    pub instance: Option<String>,
    /// How often this instance shows that it is alive.
    pub heartbeat_ms: Option<u32>,
    /// Size of a full file.
    pub segment_bytes: Option<u64>,
    /// Refuse a storage that is older than this.
    pub expect: Option<Token>,
    /// How long to wait while an instance of this name is open.
    pub lock_wait_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::OpenOrCreate,
            instance: None,
            heartbeat_ms: None,
            segment_bytes: None,
            expect: None,
            lock_wait_ms: 0,
        }
    }
}

impl Options {
    /// An error if they make no sense.
    pub(super) fn check(&self) -> Result<()> {
        let invalid = |what: &str| Err(Error::InvalidArgument(what.into()));
        if let Some(instance) = &self.instance {
            check_instance(instance)?;
        }
        check_segment_bytes("segment-bytes", self.segment_bytes)?;
        if self.heartbeat_ms == Some(0) {
            return invalid("heartbeat-ms: at least 1");
        }
        Ok(())
    }
}

/// An error unless an instance can have this name.
pub(super) fn check_instance(instance: &str) -> Result<()> {
    if instance.len() > names::MAX_NAME {
        let (allowed, got) = (names::MAX_NAME as u64, instance.len() as u64);
        return Err(Error::TooLarge { what: Limit::Name, allowed, got });
    }
    if !names::is_log_name(instance) {
        return Err(Error::InvalidArgument("instance: a name is 1 to 64 of a-z, 0-9 and -".into()));
    }
    Ok(())
}

/// What is about to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Whatever helps to clean up.
    pub payload: Vec<u8>,
    /// Unix time in milliseconds before which nobody should clean up.
    pub cleanup_after_ms: Option<u64>,
}

/// A change that was recorded and not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The instance that recorded it.
    pub origin: String,
    /// Its id.
    pub id: Vec<u8>,
    /// The change itself.
    pub change: Change,
}

/// An instance that `recover` found dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its name.
    pub instance: String,
    /// How many changes were taken over from it.
    pub changes: u64,
    /// What is damaged.
    pub damaged: Option<Damage>,
}

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Open, or its holder died.
    Live,
    /// Closed with changes outstanding.
    Closed,
    /// Another one is taking its changes over.
    Claimed,
    /// What could be read was taken over; its files are kept.
    Damaged,
}

/// One instance at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceInfo {
    /// Its name.
    pub instance: String,
    /// Its number among all instances of this log.
    pub epoch: u64,
    /// Where it is in its life.
    pub state: InstanceState,
    /// By whom it was claimed.
    pub claimed_by: Option<String>,
    /// Its last heartbeat, Unix time in milliseconds.
    pub heartbeat_at_ms: u64,
    /// How often it said that there would be one.
    pub heartbeat_ms: u32,
    /// What is damaged.
    pub damaged: Option<Damage>,
}
