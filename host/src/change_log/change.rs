//! What is recorded, and what is told about instances: the host's form of the records in `wit/change-log.wit`.

use crate::{bindings::exports::annals::log::change_log as wit, convert, types::Damage};
use std::fmt;

/// What is about to be done.
///
/// ```
/// use annals::change_log::Change;
///
/// let change = Change::new(b"blobs/17").cleanup_after_ms(1_700_000_000_000);
/// assert_eq!(change.cleanup_after_ms, Some(1_700_000_000_000));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Whatever helps to clean up; at most 16 MiB.
    pub payload: Vec<u8>,
    /// Unix time in milliseconds before which nobody should clean up. None: at once.
    pub cleanup_after_ms: Option<u64>,
}

impl Change {
    /// With this payload, to be cleaned up at once.
    pub fn new(payload: impl AsRef<[u8]>) -> Change {
        Change { payload: payload.as_ref().to_vec(), cleanup_after_ms: None }
    }

    /// Sets [`cleanup_after_ms`](Change::cleanup_after_ms).
    #[must_use]
    pub fn cleanup_after_ms(mut self, unix_ms: u64) -> Change {
        self.cleanup_after_ms = Some(unix_ms);
        self
    }

    pub(super) fn of(change: wit::Change) -> Change {
        let wit::Change { payload, cleanup_after_ms } = change;
        Change { payload, cleanup_after_ms }
    }

    pub(super) fn to_wit(&self) -> wit::Change {
        wit::Change { payload: self.payload.clone(), cleanup_after_ms: self.cleanup_after_ms }
    }
}

/// A change that was recorded and not removed.
///
/// ```
/// use annals::change_log::{Change, Outstanding};
///
/// let left = Outstanding { origin: "worker-1".into(), id: b"17".to_vec(), change: Change::new(b"blobs/17") };
/// println!("{}: clean up {:?}", left.origin, left.change.payload);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The instance that recorded it.
    pub origin: String,
    /// Its id there.
    pub id: Vec<u8>,
    /// What it is.
    pub change: Change,
}

impl Outstanding {
    pub(super) fn of(outstanding: wit::Outstanding) -> Outstanding {
        let wit::Outstanding { origin, id, change } = outstanding;
        Outstanding { origin, id, change: Change::of(change) }
    }
}

/// An instance that [`recover`](super::ChangeLog::recover) found dead.
///
/// ```
/// let recovered = annals::change_log::Recovered { instance: "worker-1".into(), changes: 2, damaged: None };
/// assert!(recovered.damaged.is_none()); // all of its changes were taken over
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its name.
    pub instance: String,
    /// How many outstanding changes were taken over from it.
    pub changes: u64,
    /// It is damaged: some of its changes are lost, or some that it had removed are back. Its files are kept, and every
    /// recover reports it again, until [`discard`](super::ChangeLog::discard).
    pub damaged: Option<Damage>,
}

impl Recovered {
    pub(super) fn of(recovered: wit::Recovered) -> Recovered {
        let wit::Recovered { instance, changes, damaged } = recovered;
        Recovered { instance, changes, damaged: damaged.map(convert::damage) }
    }
}

/// Where an instance is in its life.
///
/// ```
/// assert_eq!(annals::change_log::InstanceState::Claimed.to_string(), "claimed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// It is open, or its holder died.
    Live,
    /// It was closed with changes outstanding, which wait for somebody to recover them.
    Closed,
    /// Another instance is taking its changes over.
    Claimed,
    /// It is damaged. What could be read was taken over; its files are kept.
    Damaged,
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            InstanceState::Live => "live",
            InstanceState::Closed => "closed",
            InstanceState::Claimed => "claimed",
            InstanceState::Damaged => "damaged",
        })
    }
}

/// One instance at a glance. A name that was used again before its earlier use was cleaned up is there more than once.
///
/// ```
/// # use annals::{Runtime, change_log::{InstanceState, Options}, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// let log = runtime.change_log(storage.clone(), "steps", &Options::create().instance("worker-1"))?;
/// let [info] = &runtime.instances(storage, "steps")?[..] else { panic!("one instance") };
/// assert_eq!((&*info.instance, info.state), ("worker-1", InstanceState::Live));
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceInfo {
    /// Its name.
    pub instance: String,
    /// Counts the instances of this log, in the order in which they were opened. Part of the names of its files.
    pub epoch: u64,
    /// Where it is in its life.
    pub state: InstanceState,
    /// By whom it was claimed.
    pub claimed_by: Option<String>,
    /// Its last heartbeat, in Unix milliseconds by its own clock.
    pub heartbeat_at_ms: u64,
    /// How often it said that there would be one.
    pub heartbeat_ms: u32,
    /// What is wrong with it.
    pub damaged: Option<Damage>,
}

impl InstanceInfo {
    pub(super) fn of(info: wit::InstanceInfo) -> InstanceInfo {
        InstanceInfo {
            instance: info.instance,
            epoch: info.epoch,
            state: match info.state {
                wit::State::Live => InstanceState::Live,
                wit::State::Closed => InstanceState::Closed,
                wit::State::Claimed => InstanceState::Claimed,
                wit::State::Damaged => InstanceState::Damaged,
            },
            claimed_by: info.claimed_by,
            heartbeat_at_ms: info.heartbeat_at_ms,
            heartbeat_ms: info.heartbeat_ms,
            damaged: info.damaged.map(convert::damage),
        }
    }
}
