//! Files, cells and locks in memory: for tests, and for logs that need not outlive the process.

use super::{
    CELL_BYTES, Cell, Error, File, Lock, PendingSync, Result, Storage, Swap, Synced, Usage, check_name, page,
};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A storage in memory. Clones share it; it ends with the last of them. Syncs do nothing, and
/// [`is_durable`](Storage::is_durable) is false.
///
/// ```
/// use annals::storage::{Memory, Storage};
///
/// let memory = Memory::new();
/// memory.create("file")?.write(0, b"before")?;
/// let copy = memory.fork(); // as a crash of the process now would leave it
/// memory.open("file")?.write(6, b" and after")?;
/// assert_eq!(copy.open("file")?.read(0, 100)?, b"before");
/// # Ok::<(), annals::storage::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    locks: Mutex<HashSet<String>>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Vec<u8>>>>,
    cells: BTreeMap<String, Cell>,
    /// The highest version that was ever given, for any cell.
    version: u64,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// An empty one.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// An independent copy of what is there now, with no lock held: what a crash of the process would leave behind.
    #[must_use]
    pub fn fork(&self) -> Memory {
        let state = guard(&self.shared.state);
        let files = state.files.iter();
        let copy = State {
            files: files
                .map(|(name, bytes)| (name.clone(), Arc::new(Mutex::new(guard(bytes).clone()))))
                .collect(),
            cells: state.cells.clone(),
            version: state.version,
        };
        Memory { shared: Arc::new(Shared { state: Mutex::new(copy), ..Shared::default() }) }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = guard(&self.shared.state);
        f.debug_struct("Memory")
            .field("files", &state.files.keys())
            .field("cells", &state.cells.keys())
            .finish()
    }
}

impl Storage for Memory {
    fn is_durable(&self) -> bool {
        false
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        check_name(name)?;
        let mut state = guard(&self.shared.state);
        if state.files.contains_key(name) {
            return Err(Error::Exists);
        }
        let bytes = Arc::new(Mutex::new(Vec::new()));
        state.files.insert(name.to_owned(), bytes.clone());
        Ok(Box::new(MemoryFile(bytes)))
    }

    fn open(&self, name: &str) -> Result<Box<dyn File>> {
        check_name(name)?;
        let state = guard(&self.shared.state);
        let bytes = state.files.get(name).ok_or(Error::NotFound)?;
        Ok(Box::new(MemoryFile(bytes.clone())))
    }

    fn remove(&self, name: &str) -> Result<()> {
        check_name(name)?;
        guard(&self.shared.state).files.remove(name).map(drop).ok_or(Error::NotFound)
    }

    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        Ok(page(guard(&self.shared.state).files.keys().cloned(), prefix, after, max))
    }

    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        Ok(page(guard(&self.shared.state).cells.keys().cloned(), prefix, after, max))
    }

    fn read_cell(&self, name: &str) -> Result<Option<Cell>> {
        check_name(name)?;
        Ok(guard(&self.shared.state).cells.get(name).cloned())
    }

    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap> {
        check_name(name)?;
        if value.is_some_and(|value| value.len() > CELL_BYTES) {
            return Err(Error::Io(format!("cell {name} may have at most 64 KiB")));
        }
        let mut state = guard(&self.shared.state);
        let current = state.cells.get(name);
        if current.map(|cell| cell.version) != expected {
            return Ok(Swap::Stale(current.cloned()));
        }
        let Some(value) = value else {
            return match state.cells.remove(name) {
                Some(removed) => Ok(Swap::Swapped(removed.version)),
                None => Ok(Swap::Stale(None)),
            };
        };
        let version =
            state.version.checked_add(1).ok_or_else(|| Error::Io("cell versions are used up".into()))?;
        state.version = version;
        state.cells.insert(name.to_owned(), Cell { version, value: value.to_vec() });
        Ok(Swap::Swapped(version))
    }

    fn lock(&self, name: &str, wait_ms: u32) -> Result<Box<dyn Lock>> {
        check_name(name)?;
        let end = Instant::now() + Duration::from_millis(wait_ms.into());
        let mut locks = guard(&self.shared.locks);
        while locks.contains(name) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Locked);
            }
            let waited = self.shared.released.wait_timeout(locks, left);
            locks = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        locks.insert(name.to_owned());
        Ok(Box::new(MemoryLock { shared: self.shared.clone(), name: name.to_owned() }))
    }

    fn usage(&self) -> Result<Usage> {
        let state = guard(&self.shared.state);
        let bytes = state.files.values().map(|bytes| guard(bytes).len() as u64).sum();
        Ok(Usage { bytes, files: state.files.len() as u64, cells: state.cells.len() as u64 })
    }
}

struct MemoryLock {
    shared: Arc<Shared>,
    name: String,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        guard(&self.shared.locks).remove(&self.name);
        self.shared.released.notify_all();
    }
}

struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl MemoryFile {
    fn grow(bytes: &mut Vec<u8>, size: usize) -> Result<()> {
        let more = size.saturating_sub(bytes.len());
        bytes.try_reserve(more).map_err(|_| Error::OutOfSpace)?;
        if more > 0 {
            bytes.resize(size, 0);
        }
        Ok(())
    }
}

impl File for MemoryFile {
    fn size(&self) -> Result<u64> {
        Ok(guard(&self.0).len() as u64)
    }

    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>> {
        let bytes = guard(&self.0);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(len as usize).min(bytes.len());
        Ok(bytes.get(start..end).unwrap_or_default().to_vec())
    }

    fn write(&self, offset: u64, new: &[u8]) -> Result<()> {
        if new.is_empty() {
            return Ok(()); // as in a directory, where the file would not grow
        }
        let mut bytes = guard(&self.0);
        let start = usize::try_from(offset).map_err(|_| Error::OutOfSpace)?;
        let end = start.checked_add(new.len()).ok_or(Error::OutOfSpace)?;
        MemoryFile::grow(&mut bytes, end)?;
        if let Some(place) = bytes.get_mut(start..end) {
            place.copy_from_slice(new);
        }
        Ok(())
    }

    fn reserve(&self, size: u64) -> Result<()> {
        let size = usize::try_from(size).map_err(|_| Error::OutOfSpace)?;
        MemoryFile::grow(&mut guard(&self.0), size)
    }

    fn truncate(&self, size: u64) -> Result<()> {
        guard(&self.0).truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>> {
        Ok(Arc::new(Synced(Ok(()))))
    }
}
