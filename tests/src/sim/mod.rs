//! A simulated disk: the storage contract's worst behaviour that is still allowed, reproducible to the bit.
//!
//! [`SimDisk`] is a handle; clones share one disk. Its calls are those of `annals_logs::storage`, which it implements,
//! together with a fixed clock and seeded random numbers; they are inherent too, so that a host can wrap them.
//!
//! What the contract calls durable on return is durable on return. Everything else waits for a sync, sector by sector
//! ([`SECTOR`] bytes, whole or not at all), and so does a file's growth. Every call has a number; [`SimDisk::plan_crash`]
//! stops the machine at one of them, [`SimDisk::inject`] makes calls fail. After a crash the old handles answer errors,
//! and [`SimDisk::reboot`] gives the disk that the next start finds. Breaches of the contract by the user (writing
//! backwards, writing without the lock, bad names) panic.
//!
//! It does not model time: locks are refused at once, and a begun sync ends when somebody asks for it.

mod at_rest;
mod body;
mod content;
mod disk;
mod file;
mod host;
mod interleave;
mod left;
mod lie;
mod moments;
mod plan;
mod record;
#[cfg(test)]
mod tests;

pub use at_rest::Image;
pub use body::SizeKept;
pub(crate) use content::Hash as Fingerprint;
pub use content::SECTOR;
pub use disk::Counters;
pub use file::{SimFile, SimPending};
pub use lie::{Lie, Wrong};
pub use moments::{Moment, Partial, What};
pub use plan::{Call, Crash, CrashPlan, Fault, Point, Survivors};

use crate::rng::SplitMix64;
use annals_logs::storage::{Cell, StorageError, Swap};
use disk::{Disk, Kept, Step, breach, crashed, is_name, is_name_byte, owner_of_cell, owner_of_file};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most bytes of a cell.
const CELL: usize = 65_536;

/// A handle of a simulated disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    inner: Arc<Mutex<Disk>>,
    /// Tells disks apart.
    id: u64,
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct SimLock {
    disk: SimDisk,
    name: String,
    id: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.disk.state();
        if disk.locks.get(&self.name) == Some(&self.id) {
            disk.locks.remove(&self.name);
        }
    }
}

impl SimDisk {
    /// An empty disk whose random numbers start from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::of(Disk::new(seed))
    }

    fn of(disk: Disk) -> Self {
        static DISKS: AtomicU64 = AtomicU64::new(0);
        Self { inner: Arc::new(Mutex::new(disk)), id: DISKS.fetch_add(1, Ordering::Relaxed) }
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> MutexGuard<'_, Disk> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What is to go wrong.

    /// Stops the machine at a call.
    pub fn plan_crash(&self, plan: CrashPlan) {
        self.state().crash = Some(plan);
    }

    /// At a call the disk becomes as the other one is now: a process that holds the lock was at work.
    pub fn plan_change(&self, call: u64, later: &SimDisk) {
        let later = later.state().clone();
        self.state().change = Some((call, Arc::new(later)));
    }

    /// Stops the machine now: every later call through this disk's handles fails.
    pub fn crash_now(&self) {
        self.state().crashed = true;
    }

    /// Whether it has stopped.
    pub fn has_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Makes calls fail.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// No call fails any more. Returns how many faults had yet to happen.
    pub fn clear_faults(&self) -> usize {
        std::mem::take(&mut self.state().faults).len()
    }

    /// The most bytes that all files together may have.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.state().quota = bytes;
    }

    /// Bytes of all files, also of removed ones that a handle keeps.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// What [`SimDisk::is_durable`] answers.
    pub fn set_durable(&self, durable: bool) {
        self.state().durable = durable;
    }

    /// How often a begun sync answers that it is still running.
    pub fn set_polls(&self, polls: u32) {
        self.state().polls = polls;
    }

    /// Sets the clock.
    pub fn set_now_ms(&self, now_ms: u64) {
        self.state().now_ms = now_ms;
    }

    /// Makes syncs answer that they are done without doing anything: tests of tests must notice.
    pub fn set_lying(&self, lies: bool) {
        self.state().lies = lies;
    }

    /// Makes answers wrong now and then, against the contract, from this seed. Breaches are not looked for any more.
    pub fn set_hostile(&self, seed: Option<u64>) {
        let mut state = self.state();
        state.hostile = seed.map(SplitMix64::new);
        state.check_locks &= seed.is_none();
    }

    /// Panics if there are more calls than that.
    pub fn limit_calls(&self, most: u64) {
        self.state().most_calls = most;
    }

    /// Whether changing a log's files or cell without its lock is a breach. It is unless this is switched off.
    pub fn set_lock_check(&self, on: bool) {
        self.state().check_locks = on;
    }

    /// Reads see the disk wherever nothing is pending: what was lost by a failed sync shows.
    pub fn evict(&self) {
        self.state().files.values_mut().for_each(|kept| kept.body_mut().evict());
    }

    // What happened.

    /// Number of the last call.
    pub fn calls(&self) -> u64 {
        self.state().number
    }

    /// All calls, the first one first.
    pub fn calls_made(&self) -> Vec<Call> {
        self.state().made.clone()
    }

    /// What was asked since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.state().counters.clone()
    }

    /// Names of all locks that were ever taken.
    pub fn locks_taken(&self) -> Vec<String> {
        self.state().locks_taken.iter().cloned().collect()
    }

    /// Starts counting from zero.
    pub fn reset_counters(&self) {
        self.state().counters = Counters::default();
    }

    /// The last calls, one per line.
    pub fn trace(&self) -> String {
        self.state().trace()
    }

    /// Number of sectors that a loss of power may take or leave.
    pub fn pending_sectors(&self) -> usize {
        self.state().named().map(|(_, body)| body.pending().count()).sum()
    }

    /// In how many ways a loss of power may take or leave those: each with any of its contents since the last sync. The
    /// numbers below it are those of [`Survivors::Choice`].
    pub fn choices(&self) -> u64 {
        let state = self.state();
        let each = state.named().flat_map(|(_, body)| body.versions()).map(|versions| versions + 1);
        each.fold(1, u64::saturating_mul)
    }

    /// Whether the size of a file waits for a sync.
    pub fn has_grown(&self) -> bool {
        self.state().named().any(|(_, body)| body.has_grown())
    }

    /// Whether nothing stored waits for a sync, sizes included.
    pub fn is_settled(&self) -> bool {
        self.state().named().all(|(_, body)| body.is_settled())
    }

    // Crashes.

    /// Stops the machine, if it has not stopped yet, and gives the disk that the next start finds.
    pub fn reboot(&self, crash: Crash) -> SimDisk {
        let mut old = self.state();
        old.crashed = true;
        Self::of(old.after(crash))
    }

    /// A disk of its own with the same contents, pending ones too; nothing is open or locked there, no fault waits.
    pub fn fork(&self) -> SimDisk {
        self.after(Crash::Process)
    }

    // The storage interface.

    /// Whether a completed sync survives the loss of power.
    pub fn is_durable(&self) -> bool {
        self.state().durable
    }

    /// A new, empty file.
    pub fn create(&self, name: &str) -> Result<SimFile, StorageError> {
        self.interleave();
        let mut disk = self.state();
        let (name, step) = disk.named_call(Call::Create, name)?;
        disk.need_lock(&name, owner_of_file(&name))?;
        let happens = step.happens()?;
        if disk.names.contains_key(&name) {
            return step.result(Err(StorageError::Exists));
        }
        if happens {
            let id = disk.fresh();
            disk.names.insert(name.clone(), id);
            disk.files.insert(id, Kept { named: true, ..Kept::default() });
        }
        step.result(Ok(()))?;
        drop(disk);
        self.handle(&name)
    }

    /// An existing file.
    pub fn open(&self, name: &str) -> Result<SimFile, StorageError> {
        self.interleave();
        let (name, step) = self.state().named_call(Call::Open, name)?;
        step.result(Ok(()))?;
        self.handle(&name)
    }

    fn handle(&self, name: &Arc<str>) -> Result<SimFile, StorageError> {
        let mut disk = self.state();
        let id = *disk.names.get(name).ok_or(StorageError::NotFound)?;
        let kept = disk.files.get_mut(&id).ok_or(StorageError::NotFound)?;
        kept.handles += 1;
        Ok(SimFile::new(self.clone(), id, name.clone()))
    }

    /// Removes a file. Open handles keep reading it, and until they are dropped it counts against the quota.
    pub fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.interleave();
        let mut disk = self.state();
        let (name, step) = disk.named_call(Call::Remove, name)?;
        disk.need_lock(&name, owner_of_file(&name))?;
        let happens = step.happens()?;
        if !disk.names.contains_key(&name) {
            return step.result(Err(StorageError::NotFound));
        }
        if happens {
            disk.unname(&name);
        }
        step.result(Ok(()))
    }

    /// Names of files with that prefix.
    pub fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError> {
        self.interleave();
        let mut disk = self.state();
        disk.prefix_call(Call::List, prefix)?;
        let names = disk.names.keys().map(|name| name.to_string());
        let names =
            names.filter(|name| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after));
        let mut names: Vec<String> = names.take(max as usize).collect();
        disk.twist_names(&mut names);
        disk.bend_names(prefix, max, &mut names);
        Ok(names)
    }

    /// Names of cells with that prefix.
    pub fn list_cells(
        &self,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Result<Vec<String>, StorageError> {
        self.interleave();
        let mut disk = self.state();
        disk.prefix_call(Call::ListCells, prefix)?;
        let names = disk.cells.keys();
        let names =
            names.filter(|name| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after));
        let mut names: Vec<String> = names.take(max as usize).cloned().collect();
        disk.twist_names(&mut names);
        disk.bend_names(prefix, max, &mut names);
        Ok(names)
    }

    /// The cell, if there is one.
    pub fn read_cell(&self, name: &str) -> Result<Option<Cell>, StorageError> {
        self.interleave();
        let mut disk = self.state();
        let (name, step) = disk.named_call(Call::ReadCell, name)?;
        let mut cell = disk.cells.get(&*name).cloned();
        if let Some(cell) = &mut cell {
            disk.twist_bytes(&mut cell.value);
            disk.bend_cell(&mut cell.value);
            cell.version = disk.twist(cell.version);
        }
        step.result(Ok(cell))
    }

    /// Changes a cell that is at version `expected`.
    pub fn swap_cell(
        &self,
        name: &str,
        expected: Option<u64>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StorageError> {
        self.interleave();
        let mut disk = self.state();
        let (name, step) = disk.named_call(Call::SwapCell, name)?;
        disk.need_lock(&name, owner_of_cell(&name))?;
        if value.is_some_and(|value| value.len() > CELL) {
            return Err(breach(format!("a cell {name} of more than {CELL} bytes")));
        }
        let happens = step.happens()?;
        let found = disk.cells.get(&*name).cloned();
        if found.as_ref().map(|cell| cell.version) != expected {
            return step.result(Ok(Swap::Stale(found)));
        }
        if !happens {
            return step.result(Ok(Swap::Stale(found)));
        }
        let answer = match (value, expected) {
            (Some(value), _) => {
                let version = disk.fresh_version();
                disk.cells.insert(name.to_string(), Cell { version, value: value.to_vec() });
                version
            }
            (None, expected) => {
                disk.cells.remove(&*name);
                expected.unwrap_or_default()
            }
        };
        step.result(Ok(Swap::Swapped(answer)))
    }

    /// Takes a lock. Nobody lets go of it while this waits, so it does not wait.
    pub fn lock(&self, name: &str, wait_ms: u32) -> Result<SimLock, StorageError> {
        self.interleave();
        let mut disk = self.state();
        disk.counters.lock_wait_ms = wait_ms;
        let (name, step) = disk.named_call(Call::Lock, name)?;
        step.result(Ok(()))?;
        if disk.locks.contains_key(&*name) {
            return Err(StorageError::Locked);
        }
        let id = disk.fresh();
        disk.locks.insert(name.to_string(), id);
        disk.locks_taken.insert(name.to_string());
        Ok(SimLock { disk: self.clone(), name: name.to_string(), id })
    }

    /// Unix time in milliseconds: always the same until it is set.
    pub fn now_ms(&self) -> u64 {
        self.state().now_ms
    }

    /// A random number from the seed.
    pub fn draw(&self) -> u64 {
        self.state().rng.draw()
    }
}

impl Disk {
    fn named_call(&mut self, call: Call, name: &str) -> Result<(Arc<str>, Step), StorageError> {
        if !is_name(name) {
            breach(format!("{call:?} of the name {name:?}"));
            return Err(StorageError::InvalidName);
        }
        let name = Arc::from(name);
        let step = self.call(call, &name, 0, 0);
        Ok((name, step))
    }

    fn prefix_call(&mut self, call: Call, prefix: &str) -> Result<(), StorageError> {
        if prefix.len() > 200 || !prefix.bytes().all(is_name_byte) {
            breach(format!("{call:?} of the prefix {prefix:?}"));
            return Err(StorageError::InvalidName);
        }
        self.call(call, &Arc::from(prefix), 0, 0).result(Ok(()))
    }

    /// Changing a file or cell of a log needs the lock of that log.
    fn need_lock(&self, name: &str, owner: &str) -> Result<(), StorageError> {
        let held = || self.locks.keys().any(|lock| owner_of_cell(lock) == owner);
        if self.check_locks && !self.crashed && !held() {
            return Err(breach(format!("{name} changed without holding its lock\n{}", self.trace())));
        }
        Ok(())
    }

    /// Takes a file's name away; it goes with its last handle.
    fn unname(&mut self, name: &str) {
        if let Some(id) = self.names.remove(name) {
            if let Some(kept) = self.files.get_mut(&id) {
                kept.named = false;
            }
            self.sweep(id);
        }
    }
}

impl Step {
    /// Whether a call that happens whole or not at all happens; the error at once if the machine had stopped before.
    fn happens(&self) -> Result<bool, StorageError> {
        match self {
            Step::Go | Step::Fail { point: Point::After, .. } => Ok(true),
            Step::Fail { point: Point::Partway(seed), .. } => Ok(SplitMix64::new(*seed).draw() & 1 == 1),
            Step::Fail { point: Point::Before, error, .. } => Err(error.clone()),
        }
    }

    /// What the caller hears.
    fn result<T>(self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        match self {
            Step::Go => result,
            Step::Fail { error, .. } => Err(error),
        }
    }

    /// The same where the step is still needed.
    fn error(&self) -> Option<StorageError> {
        match self {
            Step::Go => None,
            Step::Fail { error, .. } => Some(error.clone()),
        }
    }
}
