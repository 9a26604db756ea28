//! A disk that remembers what was written to it, and when it was asked to flush.
//!
//! It is a file (`fuse.rs`) below a loop device that bypasses the page cache, so what the file system above sends down
//! arrives here in its order, and its barriers arrive as `fsync`.

use crate::fuse::{Device, Mounted};
use std::{
    io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What reached the disk.
pub(crate) enum Event {
    /// These bytes, at this offset; in the disk's own memory until the next flush.
    Write(u64, Box<[u8]>),
    /// Everything before is safe.
    Flush,
}

/// What the disk holds now, and how that came about.
struct Disk {
    bytes: Vec<u8>,
    events: Vec<Event>,
}

impl Disk {
    fn range(&self, offset: u64, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.bytes.len()).then_some(start..end)
    }
}

/// A handle of the disk.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<Disk>>);

impl Recorder {
    /// A disk that holds this.
    pub(crate) fn new(bytes: Vec<u8>) -> Recorder {
        Recorder(Arc::new(Mutex::new(Disk { bytes, events: Vec::new() })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events there were.
    pub(crate) fn now(&self) -> usize {
        self.disk().events.len()
    }

    /// All events so far; it starts anew.
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.disk().events)
    }

    /// Puts the file into `place`, a directory.
    pub(crate) fn mount(&self, place: &Path) -> io::Result<Mounted> {
        Mounted::new(self.clone(), place)
    }
}

impl Device for Recorder {
    fn size(&self) -> u64 {
        self.disk().bytes.len() as u64
    }

    fn read(&self, offset: u64, len: u32) -> Vec<u8> {
        let disk = self.disk();
        disk.range(offset, len as usize).map(|range| disk.bytes[range].to_vec()).unwrap_or_default()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut disk = self.disk();
        let Some(range) = disk.range(offset, bytes.len()) else { return false };
        disk.bytes[range].copy_from_slice(bytes);
        disk.events.push(Event::Write(offset, bytes.into()));
        true
    }

    fn flush(&self) {
        self.disk().events.push(Event::Flush);
    }
}
