//! The simulated disk as a storage, a clock and a source of randomness of the host.

use annals::environment::{Clock, Random};
use annals::storage::{self, Cell, File, Lock, PendingSync, Result, Storage, Swap, Usage};
use annals_logs::storage as logs;
use annals_tests::sim::{SimDisk, SimFile, SimLock, SimPending};
use std::sync::Arc;
use std::time::Duration;

fn error(error: logs::StorageError) -> storage::Error {
    use logs::StorageError::*;
    match error {
        NotFound => storage::Error::NotFound,
        Exists => storage::Error::Exists,
        Locked => storage::Error::Locked,
        OutOfSpace => storage::Error::OutOfSpace,
        InvalidName => storage::Error::InvalidName,
        Damaged(what) => storage::Error::Damaged(what),
        Io(what) => storage::Error::Io(what),
    }
}

fn cell(cell: logs::Cell) -> Cell {
    Cell { version: cell.version, value: cell.value }
}

/// Clock and randomness of a disk.
#[derive(Debug)]
pub struct Environment(pub SimDisk);

impl Clock for Environment {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

impl Random for Environment {
    fn next_u64(&self) -> std::result::Result<u64, String> {
        Ok(self.0.draw())
    }
}

/// Files, cells and locks of a disk.
pub struct Simulated(pub SimDisk);

struct Handle(SimFile);
struct Held(#[allow(dead_code)] SimLock); // held until it is dropped
struct Pending(SimPending);

impl Lock for Held {}

impl Storage for Simulated {
    fn is_durable(&self) -> bool {
        self.0.is_durable()
    }
    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        Ok(Box::new(Handle(self.0.create(name).map_err(error)?)))
    }
    fn open(&self, name: &str) -> Result<Box<dyn File>> {
        Ok(Box::new(Handle(self.0.open(name).map_err(error)?)))
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.0.remove(name).map_err(error)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        self.0.list(prefix, after, max).map_err(error)
    }
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        self.0.list_cells(prefix, after, max).map_err(error)
    }
    fn read_cell(&self, name: &str) -> Result<Option<Cell>> {
        Ok(self.0.read_cell(name).map_err(error)?.map(cell))
    }
    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap> {
        Ok(match self.0.swap_cell(name, expected, value).map_err(error)? {
            logs::Swap::Swapped(version) => Swap::Swapped(version),
            logs::Swap::Stale(is) => Swap::Stale(is.map(cell)),
        })
    }
    // Looked up behind the numbered calls: when the host counts depends on the clock, and runs must repeat.
    fn usage(&self) -> Result<Usage> {
        let (files, cells) = (self.0.file_names().len() as u64, self.0.cell_names().len() as u64);
        Ok(Usage { bytes: self.0.used(), files, cells })
    }
    fn lock(&self, name: &str, wait_ms: u32) -> Result<Box<dyn Lock>> {
        Ok(Box::new(Held(self.0.lock(name, wait_ms).map_err(error)?)))
    }
}

impl File for Handle {
    fn size(&self) -> Result<u64> {
        self.0.size().map_err(error)
    }
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>> {
        self.0.read(offset, len).map_err(error)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.0.write(offset, bytes).map_err(error)
    }
    fn reserve(&self, size: u64) -> Result<()> {
        self.0.reserve(size).map_err(error)
    }
    fn truncate(&self, size: u64) -> Result<()> {
        self.0.truncate(size).map_err(error)
    }
    fn sync(&self) -> Result<()> {
        self.0.sync().map_err(error)
    }
    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>> {
        Ok(Arc::new(Pending(self.0.begin_sync().map_err(error)?)))
    }
}

impl PendingSync for Pending {
    fn poll(&self) -> Option<Result<()>> {
        self.0.poll().map(|outcome| outcome.map_err(error))
    }
    fn wait(&self) -> Result<()> {
        self.0.wait().map_err(error)
    }
}
