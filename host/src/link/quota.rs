//! What a component may take of its host: the maxima, what is in use, and what was exceeded.
//!
//! Bytes, files, cells and locks are counted per storage: all instances that share one [`Account`] fill it together. What
//! other processes do to the storage is seen when it is counted anew, which happens before anything is refused (once per
//! second at most, or when files were removed). A file that was removed while it is open counts until it is closed.

use crate::{
    error::Bound,
    storage::{Error, Result, Storage, Usage},
};
use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How often it is worth counting anew.
const STALE: Duration = Duration::from_secs(1);

/// What a component may take of its host. Beyond a maximum it is told out-of-space or an i/o error, or it is stopped;
/// in each case [`Context::overrun`](super::Context::overrun) tells what happened. [`Config`](crate::Config) takes one for
/// the logs of Rust programs.
///
/// ```
/// let mut quota = annals::link::Quota::default();
/// quota.stored_bytes = 10 << 30;
/// assert_eq!(quota.file_bytes, 4 << 30);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Bytes of one file; 4 GiB unless told. Beyond it: out-of-space.
    pub file_bytes: u64,
    /// Bytes of all files in the storage; 1 TiB unless told. Beyond it: out-of-space.
    pub stored_bytes: u64,
    /// Files in the storage; 1,048,576 unless told. Beyond it: out-of-space.
    pub files: u64,
    /// Cells in the storage, of up to 64 KiB each; 1,048,576 unless told. Beyond it: out-of-space.
    pub cells: u64,
    /// Different names of locks that were ever taken here; each may leave an empty file behind. 1,048,576 unless told.
    /// Beyond it: out-of-space.
    pub locks: u64,
    /// Bytes of one read, write or list; 128 MiB unless told, more than any frame has. Beyond it: an i/o error.
    pub transfer_bytes: u32,
    /// Calls of the storage, the clock and the randomness during one call into the component; 16,777,216 unless told.
    /// Beyond it the component is stopped. Counted if [`Context::begin_call`](super::Context::begin_call) is told.
    pub calls: u64,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota {
            file_bytes: 4 << 30,
            stored_bytes: 1 << 40,
            files: 1 << 20,
            cells: 1 << 20,
            locks: 1 << 20,
            transfer_bytes: 128 << 20,
            calls: 1 << 24,
        }
    }
}

/// A maximum that was exceeded.
///
/// ```
/// use annals::{error::Bound, link::Overrun};
///
/// let overrun = Overrun { what: Bound::Files, allowed: 1000 };
/// assert_eq!(overrun.to_string(), "the host allows 1000 files");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// Which one.
    pub what: Bound,
    /// The maximum.
    pub allowed: u64,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host allows {} {}", self.allowed, self.what)
    }
}

impl std::error::Error for Overrun {}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is in use of one storage. Clones share it: give one to all contexts over the same storage, so that their maxima
/// hold for all of them together.
///
/// ```
/// use annals::{link::{Account, Context}, storage::Memory};
///
/// let (storage, account) = (std::sync::Arc::new(Memory::new()), Account::default());
/// let one = Context::new(storage.clone()).account(account.clone());
/// let other = Context::new(storage).account(account);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<Mutex<Used>>);

#[derive(Debug, Default)]
struct Used {
    counted: Option<Instant>,
    /// Files were removed: what is in use is less than known.
    freed: bool,
    there: Usage,
    /// Bytes of removed files that are still open.
    removed: u64,
    locks: HashSet<String>,
}

impl Used {
    fn count(&mut self, storage: &dyn Storage) -> Result<()> {
        self.there = storage.usage()?;
        self.counted = Some(Instant::now());
        self.freed = false;
        Ok(())
    }

    fn get(&self, what: Bound) -> u64 {
        match what {
            Bound::StoredBytes => self.there.bytes.saturating_add(self.removed),
            Bound::Files => self.there.files,
            Bound::Cells => self.there.cells,
            _ => 0,
        }
    }

    fn add(&mut self, what: Bound, more: u64) {
        let part = match what {
            Bound::StoredBytes => &mut self.there.bytes,
            Bound::Files => &mut self.there.files,
            Bound::Cells => &mut self.there.cells,
            _ => return,
        };
        *part = part.saturating_add(more);
    }
}

impl Account {
    /// Claims `more` of something, or tells that it would be too much.
    pub(super) fn claim(
        &self,
        storage: &dyn Storage,
        what: Bound,
        allowed: u64,
        more: u64,
    ) -> Result<std::result::Result<(), Overrun>> {
        let mut used = guard(&self.0);
        if used.counted.is_none() {
            used.count(storage)?;
        }
        let fits = |used: &Used| used.get(what).checked_add(more).is_some_and(|sum| sum <= allowed);
        if !fits(&used) && (used.freed || used.counted.is_none_or(|at| at.elapsed() > STALE)) {
            used.count(storage)?;
        }
        if !fits(&used) {
            return Ok(Err(Overrun { what, allowed }));
        }
        used.add(what, more);
        Ok(Ok(()))
    }

    /// Gives back what was claimed and not used.
    pub(super) fn give_back(&self, what: Bound, less: u64) {
        let mut used = guard(&self.0);
        let part = match what {
            Bound::StoredBytes => &mut used.there.bytes,
            Bound::Files => &mut used.there.files,
            Bound::Cells => &mut used.there.cells,
            _ => return,
        };
        *part = part.saturating_sub(less);
    }

    /// Notes the name of a lock.
    pub(super) fn lock(&self, name: &str, allowed: u64) -> std::result::Result<(), Overrun> {
        let locks = &mut guard(&self.0).locks;
        if !locks.contains(name) {
            if locks.len() as u64 >= allowed {
                return Err(Overrun { what: Bound::Locks, allowed });
            }
            locks.insert(name.to_owned());
        }
        Ok(())
    }

    fn removed(&self, more: u64) {
        let mut used = guard(&self.0);
        used.removed = used.removed.saturating_add(more);
    }

    fn closed(&self, less: u64) {
        let mut used = guard(&self.0);
        used.removed = used.removed.saturating_sub(less);
    }

    pub(super) fn freed(&self) {
        guard(&self.0).freed = true;
    }
}

/// Size of an open file as far as it was charged: shared by its handles in one instance.
#[derive(Debug)]
pub(super) struct Charged {
    account: Account,
    size: AtomicU64,
    removed: AtomicBool,
}

impl Charged {
    pub(super) fn new(account: &Account, size: u64) -> Arc<Charged> {
        let (size, removed) = (AtomicU64::new(size), AtomicBool::new(false));
        Arc::new(Charged { account: account.clone(), size, removed })
    }

    /// Charges growth to `end`, before it happens.
    pub(super) fn grow(
        &self,
        storage: &dyn Storage,
        end: u64,
        quota: &Quota,
    ) -> Result<std::result::Result<(), Overrun>> {
        if end > quota.file_bytes {
            return Ok(Err(Overrun { what: Bound::FileBytes, allowed: quota.file_bytes }));
        }
        let more = end.saturating_sub(self.size.load(Ordering::Relaxed));
        if more == 0 {
            return Ok(Ok(()));
        }
        let claimed = self.account.claim(storage, Bound::StoredBytes, quota.stored_bytes, more)?;
        if claimed.is_ok() {
            self.size.fetch_add(more, Ordering::Relaxed);
            if self.removed.load(Ordering::Relaxed) {
                self.account.give_back(Bound::StoredBytes, more);
                self.account.removed(more);
            }
        }
        Ok(claimed)
    }

    /// What is there after all: after a failure, or when it was cut.
    pub(super) fn settle(&self, size: Result<u64>) {
        let Ok(size) = size else { return };
        let less = self.size.load(Ordering::Relaxed).saturating_sub(size);
        self.size.fetch_sub(less, Ordering::Relaxed);
        match self.removed.load(Ordering::Relaxed) {
            true => self.account.closed(less),
            false => self.account.give_back(Bound::StoredBytes, less),
        }
    }

    /// Its name is gone, its bytes are not before it is closed.
    pub(super) fn remove(&self) {
        if !self.removed.swap(true, Ordering::Relaxed) {
            self.account.removed(self.size.load(Ordering::Relaxed));
        }
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        if self.removed.load(Ordering::Relaxed) {
            self.account.closed(self.size.load(Ordering::Relaxed));
        }
    }
}

/// The accounts of the storages that are in use, by address.
#[derive(Clone, Default)]
pub(crate) struct Accounts(Arc<Mutex<Vec<Known>>>);

type Known = (Weak<dyn Storage>, Account);

impl Accounts {
    pub(crate) fn of(&self, storage: &Arc<dyn Storage>) -> Account {
        let mut accounts = guard(&self.0);
        accounts.retain(|(storage, _)| storage.strong_count() > 0);
        let same = |other: &Weak<dyn Storage>| std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(storage));
        if let Some((_, account)) = accounts.iter().find(|(other, _)| same(other)) {
            return account.clone();
        }
        let account = Account::default();
        accounts.push((Arc::downgrade(storage), account.clone()));
        account
    }
}

/// What the component is told.
pub(super) fn told(overrun: Overrun) -> Error {
    match overrun.what {
        Bound::FileBytes | Bound::StoredBytes | Bound::Files | Bound::Cells | Bound::Locks => {
            Error::OutOfSpace
        }
        _ => Error::Io(overrun.to_string()),
    }
}
