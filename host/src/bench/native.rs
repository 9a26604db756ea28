//! The library inside the component, compiled natively, over the same provider.

use super::subject::Subject;
use annals::{
    Error,
    environment::{Clock as _, Random as _, SystemClock, SystemRandom},
    storage as host,
};
use annals_logs::{
    journal::{Journal, Options},
    storage::{Cell, Clock, File, PendingSync, Random, Storage, StorageError, Swap},
    types::{Limits, Mode, unpack},
};
use std::{hint::black_box, sync::Arc};

/// A provider of the host as the library wants it.
#[derive(Clone)]
pub(crate) struct Native(pub(crate) Arc<dyn host::Storage>);
pub(crate) struct NativeFile(Box<dyn host::File>);
pub(crate) struct NativeSync(Arc<dyn host::PendingSync>);

fn error(error: host::Error) -> StorageError {
    match error {
        host::Error::NotFound => StorageError::NotFound,
        host::Error::Exists => StorageError::Exists,
        host::Error::Locked => StorageError::Locked,
        host::Error::OutOfSpace => StorageError::OutOfSpace,
        host::Error::InvalidName => StorageError::InvalidName,
        host::Error::Damaged(what) => StorageError::Damaged(what),
        host::Error::Io(what) => StorageError::Io(what),
    }
}

fn cell(cell: host::Cell) -> Cell {
    Cell { version: cell.version, value: cell.value }
}

impl Storage for Native {
    type File = NativeFile;
    type Lock = Box<dyn host::Lock>;

    fn is_durable(&self) -> bool {
        self.0.is_durable()
    }
    fn create(&self, name: &str) -> Result<NativeFile, StorageError> {
        self.0.create(name).map(NativeFile).map_err(error)
    }
    fn open(&self, name: &str) -> Result<NativeFile, StorageError> {
        self.0.open(name).map(NativeFile).map_err(error)
    }
    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.0.remove(name).map_err(error)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        self.0.list(prefix, after, max).map_err(error)
    }
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        self.0.list_cells(prefix, after, max).map_err(error)
    }
    fn read_cell(&self, name: &str) -> Result<Option<Cell>, StorageError> {
        self.0.read_cell(name).map(|found| found.map(cell)).map_err(error)
    }
    fn swap_cell(
        &self,
        name: &str,
        expected: Option<u64>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StorageError> {
        self.0.swap_cell(name, expected, value).map_err(error).map(|swap| match swap {
            host::Swap::Swapped(version) => Swap::Swapped(version),
            host::Swap::Stale(found) => Swap::Stale(found.map(cell)),
        })
    }
    fn lock(&self, name: &str, wait_ms: u32) -> Result<Self::Lock, StorageError> {
        self.0.lock(name, wait_ms).map_err(error)
    }
}

impl File for NativeFile {
    type Pending = NativeSync;

    fn size(&self) -> Result<u64, StorageError> {
        self.0.size().map_err(error)
    }
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>, StorageError> {
        self.0.read(offset, len).map_err(error)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.write(offset, bytes).map_err(error)
    }
    fn reserve(&self, size: u64) -> Result<(), StorageError> {
        self.0.reserve(size).map_err(error)
    }
    fn truncate(&self, size: u64) -> Result<(), StorageError> {
        self.0.truncate(size).map_err(error)
    }
    fn sync(&self) -> Result<(), StorageError> {
        self.0.sync().map_err(error)
    }
    fn begin_sync(&self) -> Result<NativeSync, StorageError> {
        self.0.begin_sync().map(NativeSync).map_err(error)
    }
}

impl PendingSync for NativeSync {
    fn poll(&self) -> Option<Result<(), StorageError>> {
        self.0.poll().map(|ended| ended.map_err(error))
    }
    fn wait(&self) -> Result<(), StorageError> {
        self.0.wait().map_err(error)
    }
}

impl Clock for Native {
    fn now_ms(&self) -> u64 {
        SystemClock.now().as_millis() as u64
    }
}

impl Random for Native {
    fn draw(&self) -> u64 {
        SystemRandom.next_u64().unwrap_or_default()
    }
}

/// Opens a journal of the native library.
pub(super) fn open(storage: &Arc<dyn host::Storage>, name: &str) -> Result<Journal<Native>, Error> {
    let options = Options { mode: Mode::OpenOrCreate, sync_sections: Some(false), ..Options::default() };
    Journal::open(Native(storage.clone()), name, &options).map_err(failed)
}

fn failed(error: annals_logs::error::Error) -> Error {
    Error::Other(format!("the native library: {error:?}"))
}

impl Subject for Journal<Native> {
    fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<(), Error> {
        Journal::append_packed(self, ends, bytes).map(drop).map_err(failed)
    }

    fn append(&mut self, item: &[u8]) -> Result<(), Error> {
        Journal::append(self, item).map(drop).map_err(failed)
    }

    fn append_each(&mut self, item: &[u8], count: u64) -> Result<(), Error> {
        for _ in 0..count {
            Journal::append(self, black_box(item)).map_err(failed)?;
        }
        self.flush().map_err(failed)
    }

    fn sync(&mut self) -> Result<(), Error> {
        Journal::sync(self).map(drop).map_err(failed)
    }

    fn replay(&mut self) -> Result<u64, Error> {
        let mut replay = Journal::replay(self, 0).map_err(failed)?;
        let (mut count, limits) = (0, Limits { count: 1 << 16, bytes: 1 << 20 });
        while let Some(batch) = self.replay_next(&mut replay, limits).map_err(failed)? {
            for item in unpack(&batch.ends, &batch.bytes) {
                black_box(item);
                count += 1;
            }
        }
        Ok(count)
    }

    fn read_range(&mut self, start: u64, count: u32) -> Result<(), Error> {
        let limits = Limits { count, bytes: u32::MAX };
        black_box(Journal::read_range(self, start, limits).map_err(failed)?);
        Ok(())
    }

    fn read(&mut self, position: u64) -> Result<(), Error> {
        black_box(Journal::read(self, position).map_err(failed)?);
        Ok(())
    }

    fn read_many(&mut self, positions: &[u64]) -> Result<(), Error> {
        black_box(Journal::read_many(self, positions, u32::MAX).map_err(failed)?);
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<(), Error> {
        Journal::close(&mut self).map(drop).map_err(failed)
    }
}
