//! What is under test: a journal implementation on a simulated disk, behind object-safe traits.
//!
//! The native library ([`crate::native`]) is one subject, the component behind the host's runtime another. Cases and
//! campaigns know only these traits, so that both do the same calls in the same order, and leave the same bytes.

pub mod snapshot;

use crate::change_log::{self, ChangeLogSubject, InstanceInfo};
use crate::raft::{self, RaftSubject};
use crate::sim::SimDisk;
use annals_logs::error::{Damage, Result, Token};
use annals_logs::types::{Batch, Items, Limits, Mode};

pub use crate::event::subject::{EventLogs, EventSubject};
pub use annals_logs::admin::{FrameInfo, LogInfo, SegmentInfo};
pub use annals_logs::journal::Options;

/// Makes a subject on a disk.
pub type Factory<'a> = &'a dyn Fn(SimDisk) -> Box<dyn Subject>;

/// An implementation of logs, on one disk.
pub trait Subject {
    /// The disk under it.
    fn disk(&self) -> &SimDisk;
    /// The same implementation started anew on another disk (as after a crash).
    fn on(&self, disk: SimDisk) -> Box<dyn Subject>;
    /// Opens a journal.
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn JournalSubject>>;
    /// Destroys a journal.
    fn destroy(&self, name: &str) -> Result<()>;
    /// Opens a Raft log.
    fn open_raft(&self, name: &str, options: &raft::Options) -> Result<Box<dyn RaftSubject>>;
    /// Destroys a Raft log.
    fn destroy_raft(&self, name: &str) -> Result<()>;
    /// Opens a change log as an instance.
    fn open_change_log(&self, name: &str, options: &change_log::Options)
    -> Result<Box<dyn ChangeLogSubject>>;
    /// The instances of a change log.
    fn change_log_instances(&self, name: &str) -> Result<Vec<InstanceInfo>>;
    /// Destroys a change log.
    fn destroy_change_log(&self, name: &str) -> Result<()>;
    /// Snapshots.
    fn snapshots(&self) -> &dyn snapshot::Snapshots;
    /// All logs.
    fn list(&self) -> Result<Vec<LogInfo>>;
    /// One log.
    fn info(&self, name: &str) -> Result<LogInfo>;
    /// Its files.
    fn segments(&self, name: &str) -> Result<Vec<SegmentInfo>>;
    /// Checks every byte and returns all damage.
    fn verify(&self, name: &str) -> Result<Vec<Damage>>;
    /// All frames of a file.
    fn frames(&self, file: &str) -> Result<Vec<FrameInfo>>;
    /// What it has of event logs.
    fn events(&self) -> &dyn EventLogs;
}

/// An open journal; `wit/journal.wit` says what each call does.
#[allow(missing_docs)]
pub trait JournalSubject {
    fn append(&self, item: &[u8]) -> Result<u64>;
    fn append_batch(&self, items: &[&[u8]]) -> Result<u64>;
    fn append_packed(&self, ends: &[u32], bytes: &[u8]) -> Result<u64>;
    fn read(&self, position: u64) -> Result<Vec<u8>>;
    fn read_many(&self, positions: &[u64], max_bytes: u32) -> Result<Items>;
    fn read_range(&self, start: u64, limits: Limits) -> Result<Batch>;
    fn replay(&self, start: u64) -> Result<Box<dyn ReaderSubject>>;
    fn size(&self) -> Result<u64>;
    fn oldest(&self) -> Result<Option<u64>>;
    fn boundary(&self) -> Result<u64>;
    fn prune(&self, min: u64) -> Result<bool>;
    fn rewind(&self, size: u64) -> Result<()>;
    fn flush(&self) -> Result<()>;
    fn sync_data(&self) -> Result<Token>;
    fn sync(&self) -> Result<Token>;
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>>;
    fn close(&self) -> Result<Token>;
}

/// A replay under way.
#[allow(missing_docs)]
pub trait ReaderSubject {
    fn next(&self, limits: Limits) -> Result<Option<Batch>>;
}

/// A sync under way.
#[allow(missing_docs)]
pub trait TicketSubject {
    fn poll(&self) -> Result<Option<Token>>;
    fn wait(&self) -> Result<Token>;
}

/// Options that make a new journal with small segments, or open one as it is in that mode.
pub fn options(mode: Mode) -> Options {
    let new = matches!(mode, Mode::Create | Mode::OpenOrCreate);
    Options {
        mode,
        items_per_section: new.then_some(10),
        segment_bytes: new.then_some(SEGMENT),
        ..Options::default()
    }
}

/// The smallest segment size that a journal may be made with.
pub const SEGMENT: u64 = 64 << 10;

/// Limits that do not limit the reads of tests.
pub const ALL: Limits = Limits { count: u32::MAX, bytes: u32::MAX };
