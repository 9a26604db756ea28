//! What each import checks and charges before the storage is called, and what it does with the answer. The call itself is
//! made by `synchronous` or `asynchronous`.

use super::{HeldLock, OpenFile, Overrun, Pending, View, quota::Charged};
use crate::{
    error::Bound,
    storage::{self, CELL_BYTES, Cell, File, Lock, Result, Swap, check_name},
};
use std::{
    sync::{Arc, Weak},
    time::Instant,
};
use wasmtime::component::Resource;

/// What is left to do after the checks: a call of the storage, or nothing since they failed. The outer error stops the
/// component.
pub(super) type Checked<C> = wasmtime::Result<Result<C>>;

/// From how many names on those of closed files are forgotten now and then.
const NAMES: usize = 64;

/// A file and its size.
pub(super) type SizedFile = (Box<dyn File>, u64);

/// What growing a file has to do with its account.
pub(super) type Growth = (Arc<dyn File>, Arc<Charged>);

impl View<'_> {
    /// Counts a call.
    pub(super) fn enter(&mut self) -> wasmtime::Result<()> {
        let Some(calls) = &mut self.context.calls else { return Ok(()) };
        *calls += 1;
        let allowed = self.context.quota.calls;
        if *calls > allowed {
            let overrun = Overrun { what: Bound::Calls, allowed };
            self.context.overrun = Some(overrun);
            return Err(wasmtime::Error::new(overrun));
        }
        Ok(())
    }

    fn transfer(&mut self, bytes: usize) -> Result<()> {
        let allowed = self.context.quota.transfer_bytes;
        match bytes <= allowed as usize {
            true => Ok(()),
            false => Err(self.context.over(Bound::Transfer, allowed.into())),
        }
    }

    fn claim(&mut self, what: Bound, allowed: u64) -> Result<()> {
        let context = &mut *self.context;
        match context.account.claim(&*context.storage, what, allowed, 1)? {
            Ok(()) => Ok(()),
            Err(overrun) => Err(context.over(overrun.what, overrun.allowed)),
        }
    }

    fn push<T: Send + 'static>(&mut self, entry: T) -> Result<Resource<T>> {
        // Tables are full when too many resources are open; that is an answer, not a reason to trap.
        match self.table.push(entry) {
            Ok(resource) => Ok(resource),
            Err(_) => Err(self.context.over(Bound::Handles, self.table.max_capacity() as u64)),
        }
    }

    fn file(&mut self, file: &Resource<OpenFile>) -> wasmtime::Result<Arc<dyn File>> {
        self.enter()?;
        Ok(self.table.get(file)?.file.clone())
    }

    pub(super) fn is_durable(&mut self) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.context.storage.is_durable())
    }

    pub(super) fn create(
        &mut self,
        name: &str,
    ) -> Checked<impl FnOnce() -> Result<SizedFile> + Send + use<>> {
        self.enter()?;
        let files = self.context.quota.files;
        let checked = check_name(name).and_then(|()| self.claim(Bound::Files, files));
        let (storage, name) = (self.context.storage.clone(), name.to_owned());
        Ok(checked.map(|()| move || Ok((storage.create(&name)?, 0))))
    }

    pub(super) fn open(&mut self, name: &str) -> Checked<impl FnOnce() -> Result<SizedFile> + Send + use<>> {
        self.enter()?;
        let (storage, owned) = (self.context.storage.clone(), name.to_owned());
        Ok(check_name(name).map(|()| {
            move || {
                let file = storage.open(&owned)?;
                let size = file.size()?;
                Ok((file, size))
            }
        }))
    }

    pub(super) fn created(&mut self, name: &str, file: Result<SizedFile>) -> Result<Resource<OpenFile>> {
        if file.is_err() {
            self.context.account.give_back(Bound::Files, 1);
        }
        self.opened(name, file)
    }

    pub(super) fn opened(&mut self, name: &str, file: Result<SizedFile>) -> Result<Resource<OpenFile>> {
        let (file, size) = file?;
        let context = &mut *self.context;
        let charged = match context.open.get(name).and_then(Weak::upgrade) {
            Some(charged) => charged,
            None => {
                if context.open.len() >= NAMES && context.open.len().is_power_of_two() {
                    context.open.retain(|_, charged| charged.strong_count() > 0);
                }
                let charged = Charged::new(&context.account, size);
                context.open.insert(name.to_owned(), Arc::downgrade(&charged));
                charged
            }
        };
        self.push(OpenFile { file: Arc::from(file), charged })
    }

    pub(super) fn remove(&mut self, name: &str) -> Checked<impl FnOnce() -> Result<()> + Send + use<>> {
        self.enter()?;
        let (storage, owned) = (self.context.storage.clone(), name.to_owned());
        Ok(check_name(name).map(|()| move || storage.remove(&owned)))
    }

    pub(super) fn removed(&mut self, name: &str, outcome: Result<()>) -> Result<()> {
        outcome?;
        if let Some(charged) = self.context.open.remove(name).and_then(|charged| charged.upgrade()) {
            charged.remove();
        }
        self.context.account.give_back(Bound::Files, 1);
        self.context.account.freed();
        Ok(())
    }

    pub(super) fn list(
        &mut self,
        prefix: String,
        after: Option<String>,
        max: u32,
        cells: bool,
    ) -> Checked<impl FnOnce() -> Result<Vec<String>> + Send + use<>> {
        self.enter()?;
        let storage = self.context.storage.clone();
        // Any more names would be too many bytes.
        let max = max.min(self.context.quota.transfer_bytes);
        Ok(Ok(move || match cells {
            false => storage.list(&prefix, after.as_deref(), max),
            true => storage.list_cells(&prefix, after.as_deref(), max),
        }))
    }

    pub(super) fn listed(&mut self, names: Result<Vec<String>>) -> Result<Vec<String>> {
        let names = names?;
        // What the component needs to hold a name: its bytes, and where they are.
        self.transfer(names.iter().map(|name| name.len() + 8).sum())?;
        Ok(names)
    }

    pub(super) fn read_cell(
        &mut self,
        name: String,
    ) -> Checked<impl FnOnce() -> Result<Option<Cell>> + Send + use<>> {
        self.enter()?;
        let storage = self.context.storage.clone();
        Ok(check_name(&name).map(|()| move || storage.read_cell(&name)))
    }

    pub(super) fn swap_cell(
        &mut self,
        name: String,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Checked<impl FnOnce() -> Result<Swap> + Send + use<>> {
        self.enter()?;
        let makes = expected.is_none() && value.is_some();
        let cells = self.context.quota.cells;
        let checked = check_name(&name).and_then(|()| {
            if value.as_ref().is_some_and(|value| value.len() > CELL_BYTES) {
                return Err(storage::Error::Io(format!("a cell may have at most {CELL_BYTES} bytes")));
            }
            if makes { self.claim(Bound::Cells, cells) } else { Ok(()) }
        });
        let storage = self.context.storage.clone();
        Ok(checked.map(|()| move || storage.swap_cell(&name, expected, value.as_deref())))
    }

    /// `made` and `removes`: whether a cell was to appear, or to go.
    pub(super) fn swapped(&mut self, made: bool, removes: bool, swap: Result<Swap>) -> Result<Swap> {
        let done = matches!(swap, Ok(Swap::Swapped(_)));
        if (made && !done) || (removes && done) {
            self.context.account.give_back(Bound::Cells, 1);
        }
        swap
    }

    pub(super) fn size(
        &mut self,
        file: &Resource<OpenFile>,
    ) -> Checked<impl FnOnce() -> Result<u64> + Send + use<>> {
        let file = self.file(file)?;
        Ok(Ok(move || file.size()))
    }

    pub(super) fn read(
        &mut self,
        file: &Resource<OpenFile>,
        offset: u64,
        len: u32,
    ) -> Checked<impl FnOnce() -> Result<Vec<u8>> + Send + use<>> {
        let file = self.file(file)?;
        Ok(self.transfer(len as usize).map(|()| {
            move || {
                let mut bytes = file.read(offset, len)?;
                bytes.truncate(len as usize);
                Ok(bytes)
            }
        }))
    }

    /// Charges growth to `end`.
    fn growing(&mut self, file: &Resource<OpenFile>, end: Option<u64>) -> Checked<Growth> {
        let OpenFile { file, charged } = self.table.get(file)?;
        let (file, charged) = (file.clone(), charged.clone());
        let context = &mut *self.context;
        let grown = charged.grow(&*context.storage, end.unwrap_or(u64::MAX), &context.quota);
        Ok(grown.and_then(|grown| match grown {
            Ok(()) => Ok((file, charged)),
            Err(overrun) => Err(context.over(overrun.what, overrun.allowed)),
        }))
    }

    pub(super) fn write(
        &mut self,
        file: &Resource<OpenFile>,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Checked<impl FnOnce() -> Result<()> + Send + use<>> {
        self.enter()?;
        if let Err(error) = self.transfer(bytes.len()) {
            return Ok(Err(error));
        }
        let growth = self.growing(file, offset.checked_add(bytes.len() as u64))?;
        Ok(growth.map(|(file, charged)| {
            move || {
                let written = file.write(offset, &bytes);
                if written.is_err() {
                    charged.settle(file.size());
                }
                written
            }
        }))
    }

    pub(super) fn reserve(
        &mut self,
        file: &Resource<OpenFile>,
        size: u64,
    ) -> Checked<impl FnOnce() -> Result<()> + Send + use<>> {
        self.enter()?;
        Ok(self.growing(file, Some(size))?.map(|(file, charged)| {
            move || {
                let reserved = file.reserve(size);
                if reserved.is_err() {
                    charged.settle(file.size());
                }
                reserved
            }
        }))
    }

    pub(super) fn truncate(
        &mut self,
        file: &Resource<OpenFile>,
        size: u64,
    ) -> Checked<impl FnOnce() -> Result<()> + Send + use<>> {
        self.enter()?;
        Ok(self.growing(file, Some(0))?.map(|(file, charged)| {
            move || {
                let cut = file.truncate(size);
                charged.settle(file.size());
                cut
            }
        }))
    }

    pub(super) fn sync(
        &mut self,
        file: &Resource<OpenFile>,
    ) -> Checked<impl FnOnce() -> Result<()> + Send + use<>> {
        let file = self.file(file)?;
        Ok(Ok(move || file.sync()))
    }

    /// Starts at once, so this is made in place.
    pub(super) fn begin_sync(
        &mut self,
        file: &Resource<OpenFile>,
    ) -> wasmtime::Result<Result<Resource<Pending>>> {
        let file = self.file(file)?;
        self.context.running.make_room();
        Ok(file.begin_sync().and_then(|sync| {
            self.context.running.remember(&sync);
            self.push(Pending(sync))
        }))
    }

    pub(super) fn poll(&mut self, sync: &Resource<Pending>) -> wasmtime::Result<Option<Result<()>>> {
        self.enter()?;
        Ok(self.table.get(sync)?.0.poll())
    }

    pub(super) fn wait(
        &mut self,
        sync: &Resource<Pending>,
    ) -> Checked<impl FnOnce() -> Result<()> + Send + use<>> {
        self.enter()?;
        let sync = self.table.get(sync)?.0.clone();
        Ok(Ok(move || sync.wait()))
    }

    pub(super) fn acquire(
        &mut self,
        name: String,
        wait_ms: u32,
    ) -> Checked<impl FnOnce() -> Result<Box<dyn Lock>> + Send + use<>> {
        self.enter()?;
        let locks = self.context.quota.locks;
        let checked = check_name(&name).and_then(|()| match self.context.account.lock(&name, locks) {
            Ok(()) => Ok(()),
            Err(overrun) => Err(self.context.over(overrun.what, overrun.allowed)),
        });
        let left = self.context.deadline.map(|end| end.saturating_duration_since(Instant::now()).as_millis());
        let wait_ms = left.map_or(wait_ms, |left| u32::try_from(left).unwrap_or(u32::MAX).min(wait_ms));
        let storage = self.context.storage.clone();
        Ok(checked.map(|()| move || storage.lock(&name, wait_ms)))
    }

    pub(super) fn acquired(&mut self, lock: Result<Box<dyn Lock>>) -> Result<Resource<HeldLock>> {
        let running = self.context.running.clone();
        lock.and_then(|lock| self.push(HeldLock { running, lock }))
    }
}
