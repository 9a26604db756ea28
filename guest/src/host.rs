//! What the logs need from outside, over the imports.

use crate::{
    bindings::annals::storage::storage as wit,
    convert::{cell_from_wit, storage_error},
};
use alloc::{string::String, vec::Vec};
use annals_logs::storage::{Cell, Clock, File, PendingSync, Random, Storage, StorageError, Swap};

/// The imports. They have no state on this side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WasmHost;

impl Storage for WasmHost {
    type File = WasmFile;
    type Lock = wit::Lock;

    fn is_durable(&self) -> bool {
        wit::is_durable()
    }

    fn create(&self, name: &str) -> Result<WasmFile, StorageError> {
        wit::File::create(name).map(WasmFile).map_err(storage_error)
    }

    fn open(&self, name: &str) -> Result<WasmFile, StorageError> {
        wit::File::open(name).map(WasmFile).map_err(storage_error)
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        wit::remove(name).map_err(storage_error)
    }

    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        wit::list(prefix, after, max).map_err(storage_error)
    }

    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        wit::list_cells(prefix, after, max).map_err(storage_error)
    }

    fn read_cell(&self, name: &str) -> Result<Option<Cell>, StorageError> {
        wit::read_cell(name).map(|cell| cell.map(cell_from_wit)).map_err(storage_error)
    }

    fn swap_cell(
        &self,
        name: &str,
        expected: Option<u64>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StorageError> {
        match wit::swap_cell(name, expected, value) {
            Ok(wit::Swap::Swapped(version)) => Ok(Swap::Swapped(version)),
            Ok(wit::Swap::Stale(cell)) => Ok(Swap::Stale(cell.map(cell_from_wit))),
            Err(error) => Err(storage_error(error)),
        }
    }

    fn lock(&self, name: &str, wait_ms: u32) -> Result<wit::Lock, StorageError> {
        wit::Lock::acquire(name, wait_ms).map_err(storage_error)
    }
}

/// An open file of the host.
pub(crate) struct WasmFile(wit::File);

impl File for WasmFile {
    type Pending = WasmSync;

    fn size(&self) -> Result<u64, StorageError> {
        self.0.size().map_err(storage_error)
    }

    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>, StorageError> {
        self.0.read(offset, len).map_err(storage_error)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.write(offset, bytes).map_err(storage_error)
    }

    fn reserve(&self, size: u64) -> Result<(), StorageError> {
        self.0.reserve(size).map_err(storage_error)
    }

    fn truncate(&self, size: u64) -> Result<(), StorageError> {
        self.0.truncate(size).map_err(storage_error)
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.0.sync().map_err(storage_error)
    }

    fn begin_sync(&self) -> Result<WasmSync, StorageError> {
        self.0.begin_sync().map(WasmSync).map_err(storage_error)
    }
}

/// A sync of the host that is under way.
pub(crate) struct WasmSync(wit::PendingSync);

impl PendingSync for WasmSync {
    fn poll(&self) -> Option<Result<(), StorageError>> {
        self.0.poll().map(|ended| ended.map_err(storage_error))
    }

    fn wait(&self) -> Result<(), StorageError> {
        self.0.wait().map_err(storage_error)
    }
}

impl Clock for WasmHost {
    fn now_ms(&self) -> u64 {
        let now = wasip2::clocks::wall_clock::now();
        now.seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds / 1_000_000))
    }
}

impl Random for WasmHost {
    fn draw(&self) -> u64 {
        wasip2::random::random::get_random_u64()
    }
}
