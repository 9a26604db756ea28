//! The simulated disk as a host of the native library: each method is the inherent one of the same name.

use super::{SimDisk, SimFile, SimLock, SimPending};
use annals_logs::storage::{Cell, Clock, File, PendingSync, Random, Storage, StorageError, Swap};

impl Storage for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn is_durable(&self) -> bool {
        self.is_durable()
    }
    fn create(&self, name: &str) -> Result<SimFile, StorageError> {
        self.create(name)
    }
    fn open(&self, name: &str) -> Result<SimFile, StorageError> {
        self.open(name)
    }
    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.remove(name)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        self.list(prefix, after, max)
    }
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        self.list_cells(prefix, after, max)
    }
    fn read_cell(&self, name: &str) -> Result<Option<Cell>, StorageError> {
        self.read_cell(name)
    }
    fn swap_cell(
        &self,
        name: &str,
        expected: Option<u64>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StorageError> {
        self.swap_cell(name, expected, value)
    }
    fn lock(&self, name: &str, wait_ms: u32) -> Result<SimLock, StorageError> {
        self.lock(name, wait_ms)
    }
}

impl File for SimFile {
    type Pending = SimPending;

    fn size(&self) -> Result<u64, StorageError> {
        self.size()
    }
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>, StorageError> {
        self.read(offset, len)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.write(offset, bytes)
    }
    fn reserve(&self, size: u64) -> Result<(), StorageError> {
        self.reserve(size)
    }
    fn truncate(&self, size: u64) -> Result<(), StorageError> {
        self.truncate(size)
    }
    fn sync(&self) -> Result<(), StorageError> {
        self.sync()
    }
    fn begin_sync(&self) -> Result<SimPending, StorageError> {
        self.begin_sync()
    }
}

impl PendingSync for SimPending {
    fn poll(&self) -> Option<Result<(), StorageError>> {
        self.poll()
    }
    fn wait(&self) -> Result<(), StorageError> {
        self.wait()
    }
}

impl Clock for SimDisk {
    fn now_ms(&self) -> u64 {
        self.now_ms()
    }
}

impl Random for SimDisk {
    fn draw(&self) -> u64 {
        self.draw()
    }
}
