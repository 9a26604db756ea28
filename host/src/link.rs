//! What the component imports: `annals:storage`, `wasi:clocks/wall-clock` and `wasi:random/random`, for any linker.
//!
//! [`Runtime`](crate::Runtime) uses this for the logs of Rust programs. A host of other components that uses the logs
//! from them links the component itself: keep a [`Context`] and a `ResourceTable` in the store's state, and call
//! [`add_to_linker`].
//!
//! ```
//! use annals::{link, storage::Memory};
//! use std::sync::Arc;
//! use wasmtime::{Engine, component::{Linker, ResourceTable}};
//!
//! struct State { logs: link::Context, table: ResourceTable }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let mut linker = Linker::<State>::new(&Engine::default());
//! link::add_to_linker(&mut linker, |state| link::View { context: &mut state.logs, table: &mut state.table })?;
//! let context = link::Context::new(Arc::new(Memory::new()));
//! # drop(context);
//! # Ok(())
//! # }
//! ```
//!
//! What the component asks for is not trusted: names are checked, sizes are bounded, and nothing here panics on it.

use crate::{
    bindings::annals::storage::storage as wit,
    environment::{Clock, Random, SystemClock, SystemRandom},
    storage::{self, Storage, check_name},
};
use std::sync::{Arc, Weak};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::{clocks::wall_clock, random::random};

/// Most that one `read` of the component may ask for: more than any frame has.
const READ_BYTES: u32 = 128 << 20;
/// Most random bytes at once.
const RANDOM_BYTES: u64 = 1 << 16;

/// What the imports of one component instance reach.
pub struct Context {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    max_file_bytes: u64,
    /// Syncs that were started and may still be running: a lock is not let go before they have ended.
    running: Vec<Weak<dyn storage::PendingSync>>,
}

impl Context {
    /// Serves `storage`, with the clock and the randomness of the system.
    pub fn new(storage: Arc<dyn Storage>) -> Context {
        Context {
            storage,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            max_file_bytes: 4 << 30,
            running: Vec::new(),
        }
    }

    /// Uses another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Context {
        self.clock = clock;
        self
    }

    /// Uses other randomness.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Context {
        self.random = random;
        self
    }

    /// Size above which no file may grow; 4 GiB unless told. Beyond it the answer is out-of-space.
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: u64) -> Context {
        self.max_file_bytes = bytes;
        self
    }

    /// The sync that was started last, if it may still be running.
    pub(crate) fn last_sync(&self) -> Option<Arc<dyn storage::PendingSync>> {
        self.running.last()?.upgrade()
    }

    fn remember(&mut self, sync: &Arc<dyn storage::PendingSync>) {
        self.running.retain(|old| old.upgrade().is_some_and(|old| old.poll().is_none()));
        self.running.push(Arc::downgrade(sync));
    }

    fn wait_for_running(&mut self) {
        for sync in self.running.drain(..).filter_map(|sync| sync.upgrade()) {
            // Whoever started it is told how it ended; here only the end matters.
            let _ = sync.wait();
        }
    }

    fn check_end(&self, offset: u64, len: u64) -> storage::Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.max_file_bytes => Ok(()),
            _ => Err(storage::Error::OutOfSpace),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.wait_for_running();
    }
}

/// What the imports work on during a call: parts of the store's state.
pub struct View<'a> {
    /// What they reach.
    pub context: &'a mut Context,
    /// Where their resources live.
    pub table: &'a mut ResourceTable,
}

/// A file that the component has open.
pub struct OpenFile(Box<dyn storage::File>);

/// A sync that the component has started.
pub struct Pending(Arc<dyn storage::PendingSync>);

/// A lock that the component holds.
pub struct HeldLock(#[expect(dead_code, reason = "held for its drop")] Box<dyn storage::Lock>);

struct HasView;

impl HasData for HasView {
    type Data<'a> = View<'a>;
}

/// Adds everything that the component imports.
///
/// # Errors
/// When the linker has one of the three interfaces already: allow shadowing, or add [`add_storage_to_linker`] only.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    add_storage_to_linker(linker, view)?;
    wall_clock::add_to_linker::<T, HasView>(linker, view)?;
    random::add_to_linker::<T, HasView>(linker, view)
}

/// Adds `annals:storage` only, for linkers that have clock and randomness from WASI.
///
/// # Errors
/// When the linker has it already.
pub fn add_storage_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    wit::add_to_linker::<T, HasView>(linker, view)
}

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
        storage::Error::Io(what) => wit::Error::Io(what),
    }
}

fn cell_to_wit(cell: storage::Cell) -> wit::Cell {
    wit::Cell { version: cell.version, value: cell.value }
}

/// Tables are full when the component has too many resources open; that is its mistake, not a reason to trap.
fn push<T: Send + 'static>(table: &mut ResourceTable, entry: T) -> storage::Result<Resource<T>> {
    table.push(entry).map_err(|_| storage::Error::Io("too many files, syncs and locks are open".into()))
}

impl wit::Host for View<'_> {
    fn is_durable(&mut self) -> wasmtime::Result<bool> {
        Ok(self.context.storage.is_durable())
    }

    fn remove(&mut self, name: String) -> Answer<()> {
        answer(check_name(&name).and_then(|()| self.context.storage.remove(&name)))
    }

    fn list(&mut self, prefix: String, after: Option<String>, max: u32) -> Answer<Vec<String>> {
        answer(self.context.storage.list(&prefix, after.as_deref(), max))
    }

    fn list_cells(&mut self, prefix: String, after: Option<String>, max: u32) -> Answer<Vec<String>> {
        answer(self.context.storage.list_cells(&prefix, after.as_deref(), max))
    }

    fn read_cell(&mut self, name: String) -> Answer<Option<wit::Cell>> {
        let cell = check_name(&name).and_then(|()| self.context.storage.read_cell(&name));
        answer(cell.map(|cell| cell.map(cell_to_wit)))
    }

    fn swap_cell(
        &mut self,
        name: String,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Answer<wit::Swap> {
        let swap = check_name(&name).and_then(|()| {
            if value.as_ref().is_some_and(|value| value.len() > storage::CELL_BYTES) {
                return Err(storage::Error::Io(format!("cell {name} may have at most 64 KiB")));
            }
            self.context.storage.swap_cell(&name, expected, value.as_deref())
        });
        answer(swap.map(|swap| match swap {
            storage::Swap::Swapped(version) => wit::Swap::Swapped(version),
            storage::Swap::Stale(cell) => wit::Swap::Stale(cell.map(cell_to_wit)),
        }))
    }
}

impl wit::HostFile for View<'_> {
    fn create(&mut self, name: String) -> Answer<Resource<OpenFile>> {
        let file = check_name(&name).and_then(|()| self.context.storage.create(&name));
        answer(file.and_then(|file| push(self.table, OpenFile(file))))
    }

    fn open(&mut self, name: String) -> Answer<Resource<OpenFile>> {
        let file = check_name(&name).and_then(|()| self.context.storage.open(&name));
        answer(file.and_then(|file| push(self.table, OpenFile(file))))
    }

    fn size(&mut self, file: Resource<OpenFile>) -> Answer<u64> {
        answer(self.table.get(&file)?.0.size())
    }

    fn read(&mut self, file: Resource<OpenFile>, offset: u64, len: u32) -> Answer<Vec<u8>> {
        let file = self.table.get(&file)?;
        if len > READ_BYTES {
            return answer(Err(storage::Error::Io(format!("{len} bytes are too many for one read"))));
        }
        let mut bytes = file.0.read(offset, len);
        if let Ok(bytes) = &mut bytes {
            bytes.truncate(len as usize);
        }
        answer(bytes)
    }

    fn write(&mut self, file: Resource<OpenFile>, offset: u64, bytes: Vec<u8>) -> Answer<()> {
        let file = self.table.get(&file)?;
        let room = self.context.check_end(offset, bytes.len() as u64);
        answer(room.and_then(|()| file.0.write(offset, &bytes)))
    }

    fn reserve(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        let file = self.table.get(&file)?;
        answer(self.context.check_end(size, 0).and_then(|()| file.0.reserve(size)))
    }

    fn truncate(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        answer(self.table.get(&file)?.0.truncate(size))
    }

    fn sync(&mut self, file: Resource<OpenFile>) -> Answer<()> {
        answer(self.table.get(&file)?.0.sync())
    }

    fn begin_sync(&mut self, file: Resource<OpenFile>) -> Answer<Resource<Pending>> {
        let sync = match self.table.get(&file)?.0.begin_sync() {
            Ok(sync) => sync,
            Err(error) => return answer(Err(error)),
        };
        self.context.remember(&sync);
        answer(push(self.table, Pending(sync)))
    }

    fn drop(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<()> {
        self.table.delete(file)?;
        Ok(())
    }
}

impl wit::HostPendingSync for View<'_> {
    fn poll(&mut self, sync: Resource<Pending>) -> wasmtime::Result<Option<Result<(), wit::Error>>> {
        Ok(self.table.get(&sync)?.0.poll().map(|ended| ended.map_err(error_to_wit)))
    }

    fn wait(&mut self, sync: Resource<Pending>) -> Answer<()> {
        answer(self.table.get(&sync)?.0.wait())
    }

    fn drop(&mut self, sync: Resource<Pending>) -> wasmtime::Result<()> {
        self.table.delete(sync)?;
        Ok(())
    }
}

impl wit::HostLock for View<'_> {
    fn acquire(&mut self, name: String, wait_ms: u32) -> Answer<Resource<HeldLock>> {
        let lock = check_name(&name).and_then(|()| self.context.storage.lock(&name, wait_ms));
        answer(lock.and_then(|lock| push(self.table, HeldLock(lock))))
    }

    fn drop(&mut self, lock: Resource<HeldLock>) -> wasmtime::Result<()> {
        let lock = self.table.delete(lock)?;
        self.context.wait_for_running();
        drop(lock);
        Ok(())
    }
}

impl wall_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let now = self.context.clock.now();
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl random::Host for View<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES {
            return Err(wasmtime::Error::msg(format!("{len} random bytes are too many for one call")));
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            bytes.extend_from_slice(&self.get_random_u64()?.to_le_bytes());
        }
        bytes.truncate(len as usize);
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.context.random.next_u64().map_err(wasmtime::Error::msg)
    }
}
