//! The values of an event log.

use crate::bindings::exports::annals::log::event_log as wit;
use std::path::PathBuf;

/// How an append ended.
///
/// ```
/// # use annals::{Runtime, event_log::{Options, Outcome}, storage::Memory};
/// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// assert_eq!(log.append(1, b"event")?, Outcome::Appended);
/// assert_eq!(log.append(1, b"event")?, Outcome::Duplicate); // a retry does no harm
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// All events, or those of the batch that were not there yet, were appended.
    Appended,
    /// They were there already, with the same bytes. Nothing was written. Said only once the first copies are as durable
    /// as the policy promises.
    Duplicate,
}

impl Outcome {
    pub(super) fn from_wit(outcome: wit::Outcome) -> Outcome {
        match outcome {
            wit::Outcome::Appended => Outcome::Appended,
            wit::Outcome::Duplicate => Outcome::Duplicate,
        }
    }
}

/// What there is.
///
/// ```
/// # use annals::{Runtime, event_log::Options, storage::Memory};
/// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// log.append_batch(10, &["a", "b"])?;
/// let stats = log.stats()?;
/// assert_eq!((stats.events, stats.oldest, stats.newest, stats.files), (2, Some(10), Some(11), 1));
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stats {
    /// Events that can be read (damaged ones included).
    pub events: u64,
    /// Lowest id of them.
    pub oldest: Option<u64>,
    /// Highest id of them.
    pub newest: Option<u64>,
    /// Bytes of the log's files, space claimed ahead included.
    pub bytes: u64,
    /// Number of files.
    pub files: u32,
}

impl Stats {
    pub(super) fn from_wit(stats: wit::Stats) -> Stats {
        let wit::Stats { events, oldest, newest, bytes, files } = stats;
        Stats { events, oldest, newest, bytes, files }
    }
}

/// A sealed file: nothing will be added to it, and it can be read on its own. Copy it; it leaves the log only by
/// [`delete_range`](crate::EventLog::delete_range).
///
/// ```
/// # use annals::{Runtime, event_log::Options, storage::Memory};
/// # let log = Runtime::new()?.event_log(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// log.append(1, b"event")?;
/// let sealed = log.rotate()?;
/// assert!(!sealed.file.is_empty() && sealed.path.is_none()); // it is in memory
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sealed {
    /// Its name in the storage.
    pub file: String,
    /// Where it is, if the storage is a directory.
    pub path: Option<PathBuf>,
}
