//! The imports for instances that are called without `async`: the storage is called in place. Clock and randomness too,
//! which never wait.

use super::{HeldLock, OpenFile, Pending, RANDOM_BYTES, View};
use crate::{bindings::annals::storage::storage as wit, storage};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::{clocks::wall_clock, random::random};

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

fn answer<T>(result: storage::Result<T>) -> Answer<T> {
    Ok(result.map_err(error_to_wit))
}

fn error_to_wit(error: storage::Error) -> wit::Error {
    match error {
        storage::Error::NotFound => wit::Error::NotFound,
        storage::Error::Exists => wit::Error::Exists,
        storage::Error::Locked => wit::Error::Locked,
        storage::Error::OutOfSpace => wit::Error::OutOfSpace,
        storage::Error::InvalidName => wit::Error::InvalidName,
        storage::Error::Damaged(what) => wit::Error::Damaged(what),
        storage::Error::Io(what) => wit::Error::Io(what),
    }
}

fn cell_to_wit(cell: storage::Cell) -> wit::Cell {
    wit::Cell { version: cell.version, value: cell.value }
}

fn swap_to_wit(swap: storage::Swap) -> wit::Swap {
    match swap {
        storage::Swap::Swapped(version) => wit::Swap::Swapped(version),
        storage::Swap::Stale(cell) => wit::Swap::Stale(cell.map(cell_to_wit)),
    }
}

impl wit::Host for View<'_> {
    fn is_durable(&mut self) -> wasmtime::Result<bool> {
        View::is_durable(self)
    }

    fn remove(&mut self, name: String) -> Answer<()> {
        let call = View::remove(self, &name)?;
        let outcome = call.and_then(|call| call());
        answer(self.removed(&name, outcome))
    }

    fn list(&mut self, prefix: String, after: Option<String>, max: u32) -> Answer<Vec<String>> {
        let call = View::list(self, prefix, after, max, false)?;
        let names = call.and_then(|call| call());
        answer(self.listed(names))
    }

    fn list_cells(&mut self, prefix: String, after: Option<String>, max: u32) -> Answer<Vec<String>> {
        let call = View::list(self, prefix, after, max, true)?;
        let names = call.and_then(|call| call());
        answer(self.listed(names))
    }

    fn read_cell(&mut self, name: String) -> Answer<Option<wit::Cell>> {
        let call = View::read_cell(self, name)?;
        answer(call.and_then(|call| call()).map(|cell| cell.map(cell_to_wit)))
    }

    fn swap_cell(
        &mut self,
        name: String,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Answer<wit::Swap> {
        let (makes, removes) = (expected.is_none() && value.is_some(), value.is_none());
        let call = match View::swap_cell(self, name, expected, value)? {
            Ok(call) => call,
            Err(error) => return answer(Err(error)),
        };
        let swap = call();
        answer(self.swapped(makes, removes, swap).map(swap_to_wit))
    }
}

impl wit::HostFile for View<'_> {
    fn create(&mut self, name: String) -> Answer<Resource<OpenFile>> {
        let call = match View::create(self, &name)? {
            Ok(call) => call,
            Err(error) => return answer(Err(error)),
        };
        let file = call();
        answer(self.created(&name, file))
    }

    fn open(&mut self, name: String) -> Answer<Resource<OpenFile>> {
        let call = View::open(self, &name)?;
        let file = call.and_then(|call| call());
        answer(self.opened(&name, file))
    }

    fn size(&mut self, file: Resource<OpenFile>) -> Answer<u64> {
        let call = View::size(self, &file)?;
        answer(call.and_then(|call| call()))
    }

    fn read(&mut self, file: Resource<OpenFile>, offset: u64, len: u32) -> Answer<Vec<u8>> {
        let call = View::read(self, &file, offset, len)?;
        answer(call.and_then(|call| call()))
    }

    fn write(&mut self, file: Resource<OpenFile>, offset: u64, bytes: Vec<u8>) -> Answer<()> {
        let call = View::write(self, &file, offset, bytes)?;
        answer(call.and_then(|call| call()))
    }

    fn reserve(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        let call = View::reserve(self, &file, size)?;
        answer(call.and_then(|call| call()))
    }

    fn truncate(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        let call = View::truncate(self, &file, size)?;
        answer(call.and_then(|call| call()))
    }

    fn sync(&mut self, file: Resource<OpenFile>) -> Answer<()> {
        let call = View::sync(self, &file)?;
        answer(call.and_then(|call| call()))
    }

    fn begin_sync(&mut self, file: Resource<OpenFile>) -> Answer<Resource<Pending>> {
        answer(View::begin_sync(self, &file)?)
    }

    fn drop(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table.delete(file)?;
        Ok(())
    }
}

impl wit::HostPendingSync for View<'_> {
    fn poll(&mut self, sync: Resource<Pending>) -> wasmtime::Result<Option<Result<(), wit::Error>>> {
        Ok(View::poll(self, &sync)?.map(|ended| ended.map_err(error_to_wit)))
    }

    fn wait(&mut self, sync: Resource<Pending>) -> Answer<()> {
        let call = View::wait(self, &sync)?;
        answer(call.and_then(|call| call()))
    }

    fn drop(&mut self, sync: Resource<Pending>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table.delete(sync)?;
        Ok(())
    }
}

impl wit::HostLock for View<'_> {
    fn acquire(&mut self, name: String, wait_ms: u32) -> Answer<Resource<HeldLock>> {
        let call = View::acquire(self, name, wait_ms)?;
        let lock = call.and_then(|call| call());
        answer(self.acquired(lock))
    }

    fn drop(&mut self, lock: Resource<HeldLock>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table.delete(lock)?;
        Ok(())
    }
}

impl wall_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        self.enter()?;
        let now = self.context.clock.now();
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        self.enter()?;
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl random::Host for View<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.enter()?;
        if len > RANDOM_BYTES {
            return Err(wasmtime::Error::msg(format!("{len} random bytes are too many for one call")));
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            bytes.extend_from_slice(&self.random_u64()?.to_le_bytes());
        }
        bytes.truncate(len as usize);
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        self.random_u64()
    }
}

impl View<'_> {
    fn random_u64(&mut self) -> wasmtime::Result<u64> {
        self.context.random.next_u64().map_err(wasmtime::Error::msg)
    }
}
