//! The imports for instances that are called with `async`: each call of the storage is awaited, wherever it is made.

use super::{HeldLock, OpenFile, Pending, View, offload};
use crate::{bindings::asynchronous::annals::storage::storage as wit, storage};
use wasmtime::component::Resource;

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl View<'_> {
    /// Makes a call that passed its checks.
    async fn make<T: Send + 'static>(
        &mut self,
        checked: storage::Result<impl FnOnce() -> storage::Result<T> + Send + 'static>,
    ) -> storage::Result<T> {
        let (offload, running) = (self.context.offload.clone(), self.context.running.clone());
        offload::run(offload, running, checked?).await
    }
}

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
    async fn is_durable(&mut self) -> wasmtime::Result<bool> {
        View::is_durable(self)
    }

    async fn remove(&mut self, name: String) -> Answer<()> {
        let call = View::remove(self, &name)?;
        let outcome = self.make(call).await;
        answer(self.removed(&name, outcome))
    }

    async fn list(&mut self, prefix: String, after: Option<String>, max: u32) -> Answer<Vec<String>> {
        let call = View::list(self, prefix, after, max, false)?;
        let names = self.make(call).await;
        answer(self.listed(names))
    }

    async fn list_cells(&mut self, prefix: String, after: Option<String>, max: u32) -> Answer<Vec<String>> {
        let call = View::list(self, prefix, after, max, true)?;
        let names = self.make(call).await;
        answer(self.listed(names))
    }

    async fn read_cell(&mut self, name: String) -> Answer<Option<wit::Cell>> {
        let call = View::read_cell(self, name)?;
        answer(self.make(call).await.map(|cell| cell.map(cell_to_wit)))
    }

    async fn swap_cell(
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
        let swap = self.make(Ok(call)).await;
        answer(self.swapped(makes, removes, swap).map(swap_to_wit))
    }
}

impl wit::HostFile for View<'_> {
    async fn create(&mut self, name: String) -> Answer<Resource<OpenFile>> {
        let call = match View::create(self, &name)? {
            Ok(call) => call,
            Err(error) => return answer(Err(error)),
        };
        let file = self.make(Ok(call)).await;
        answer(self.created(&name, file))
    }

    async fn open(&mut self, name: String) -> Answer<Resource<OpenFile>> {
        let call = View::open(self, &name)?;
        let file = self.make(call).await;
        answer(self.opened(&name, file))
    }

    async fn size(&mut self, file: Resource<OpenFile>) -> Answer<u64> {
        let call = View::size(self, &file)?;
        answer(self.make(call).await)
    }

    async fn read(&mut self, file: Resource<OpenFile>, offset: u64, len: u32) -> Answer<Vec<u8>> {
        let call = View::read(self, &file, offset, len)?;
        answer(self.make(call).await)
    }

    async fn write(&mut self, file: Resource<OpenFile>, offset: u64, bytes: Vec<u8>) -> Answer<()> {
        let call = View::write(self, &file, offset, bytes)?;
        answer(self.make(call).await)
    }

    async fn reserve(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        let call = View::reserve(self, &file, size)?;
        answer(self.make(call).await)
    }

    async fn truncate(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        let call = View::truncate(self, &file, size)?;
        answer(self.make(call).await)
    }

    async fn sync(&mut self, file: Resource<OpenFile>) -> Answer<()> {
        let call = View::sync(self, &file)?;
        answer(self.make(call).await)
    }

    async fn begin_sync(&mut self, file: Resource<OpenFile>) -> Answer<Resource<Pending>> {
        answer(View::begin_sync(self, &file)?)
    }

    async fn drop(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table.delete(file)?;
        Ok(())
    }
}

impl wit::HostPendingSync for View<'_> {
    async fn poll(&mut self, sync: Resource<Pending>) -> wasmtime::Result<Option<Result<(), wit::Error>>> {
        Ok(View::poll(self, &sync)?.map(|ended| ended.map_err(error_to_wit)))
    }

    async fn wait(&mut self, sync: Resource<Pending>) -> Answer<()> {
        let call = View::wait(self, &sync)?;
        answer(self.make(call).await)
    }

    async fn drop(&mut self, sync: Resource<Pending>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table.delete(sync)?;
        Ok(())
    }
}

impl wit::HostLock for View<'_> {
    async fn acquire(&mut self, name: String, wait_ms: u32) -> Answer<Resource<HeldLock>> {
        let call = View::acquire(self, name, wait_ms)?;
        let lock = self.make(call).await;
        answer(self.acquired(lock))
    }

    async fn drop(&mut self, lock: Resource<HeldLock>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table.delete(lock)?;
        Ok(())
    }
}
