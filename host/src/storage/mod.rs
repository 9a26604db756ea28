//! What a log needs from its host: bytes in named files, small atomic cells, an exclusive lock.
//!
//! The traits are `annals:storage` (`wit/deps/storage/storage.wit`) in Rust; that file says what each call promises, and
//! a provider must keep all of it, or logs lose data. [`Directory`] keeps it on a directory, [`Memory`] for tests and
//! for logs that need not outlive the process. To keep bytes elsewhere, implement [`Storage`] and its three companions.

#[cfg(unix)]
mod directory;
mod memory;
#[cfg(test)]
mod tests;

#[cfg(unix)]
pub use directory::Directory;
pub use memory::Memory;

use std::{fmt, path::PathBuf, sync::Arc};

/// Bytes of a cell value: 64 KiB.
pub const CELL_BYTES: usize = 64 << 10;
/// Bytes of a name.
pub const NAME_BYTES: usize = 200;

/// Why the storage did not do it.
///
/// ```
/// use annals::storage::{Error, Memory, Storage};
///
/// assert_eq!(Memory::new().open("missing").err(), Some(Error::NotFound));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// No file of that name.
    NotFound,
    /// There is a file of that name already.
    Exists,
    /// Somebody else holds the lock, and still did when the wait was over.
    Locked,
    /// No room for more bytes or files, or a quota is used up. What was there before still is.
    OutOfSpace,
    /// The name does not follow the rules.
    InvalidName,
    /// What is stored is not what was written, and the storage knows it; what and where, in words for a person.
    Damaged(String),
    /// Anything else, in words for a person.
    Io(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound => f.write_str("no file of that name"),
            Error::Exists => f.write_str("there is a file of that name already"),
            Error::Locked => f.write_str("somebody else holds the lock"),
            Error::OutOfSpace => f.write_str("no room left"),
            Error::InvalidName => f.write_str("the name does not follow the rules"),
            Error::Damaged(what) | Error::Io(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// What the operations of a storage return.
///
/// ```
/// use annals::storage::{File, Result};
///
/// fn is_empty(file: &dyn File) -> Result<bool> {
///     Ok(file.size()? == 0)
/// }
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// A small value that changes atomically.
///
/// ```
/// use annals::storage::{Memory, Storage};
///
/// let memory = Memory::new();
/// memory.swap_cell("cell", None, Some(b"value"))?;
/// assert_eq!(memory.read_cell("cell")?.map(|cell| cell.value), Some(b"value".to_vec()));
/// # Ok::<(), annals::storage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Never used twice for a name, not even after removal.
    pub version: u64,
    /// At most [`CELL_BYTES`] bytes.
    pub value: Vec<u8>,
}

/// How an attempt to change a cell ended.
///
/// ```
/// use annals::storage::{Memory, Storage, Swap};
///
/// let memory = Memory::new();
/// let Swap::Swapped(version) = memory.swap_cell("cell", None, Some(b"1"))? else { unreachable!() };
/// assert!(matches!(memory.swap_cell("cell", None, Some(b"2"))?, Swap::Stale(Some(_)))); // too late
/// assert!(matches!(memory.swap_cell("cell", Some(version), None)?, Swap::Swapped(_)));
/// # Ok::<(), annals::storage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Done; the new version (the removed one's, when the cell was removed).
    Swapped(u64),
    /// Nothing was changed; what is there instead.
    Stale(Option<Cell>),
}

/// How much is in a storage.
///
/// ```
/// use annals::storage::{Memory, Storage, Usage};
///
/// let memory = Memory::new();
/// memory.create("file")?.write(0, b"12345")?;
/// assert_eq!(memory.usage()?, Usage { bytes: 5, files: 1, cells: 0 });
/// # Ok::<(), annals::storage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all files, space reserved ahead included.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Number of cells.
    pub cells: u64,
}

/// Files, cells and locks by name. Names are checked ([`check_name`]) before a provider sees them.
///
/// ```
/// use annals::storage::{Memory, Storage};
///
/// let storage = Memory::new();
/// let lock = storage.lock("writer", 0)?;
/// storage.create("file")?.write(0, b"bytes")?;
/// assert_eq!(storage.open("file")?.read(0, 100)?, b"bytes");
/// storage.swap_cell("cell", None, Some(b"value"))?;
/// assert_eq!(storage.list("f", None, 10)?, ["file"]);
/// assert_eq!(storage.list_cells("", None, 10)?, ["cell"]);
/// storage.remove("file")?;
/// assert!(storage.usage()?.files == 0 && storage.read_cell("cell")?.is_some() && !storage.is_durable());
/// # Ok::<(), annals::storage::Error>(())
/// ```
pub trait Storage: Send + Sync + 'static {
    /// Whether a completed sync survives the loss of power.
    fn is_durable(&self) -> bool;
    /// Makes a new, empty file. The name and the empty file are durable on return.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::OutOfSpace`], [`Error::InvalidName`], [`Error::Io`].
    fn create(&self, name: &str) -> Result<Box<dyn File>>;
    /// Opens a file for reading and writing. That the name exists is durable on return.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidName`], [`Error::Io`].
    fn open(&self, name: &str) -> Result<Box<dyn File>>;
    /// Removes a file, durably; open handles keep reading it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidName`], [`Error::Io`].
    fn remove(&self, name: &str) -> Result<()>;
    /// Names of files that start with `prefix`, those after `after` only, ascending, at most `max`.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>>;
    /// Names of cells, likewise.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>>;
    /// The cell, if there is one. What this returned once no crash takes back.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::Damaged`], [`Error::Io`].
    fn read_cell(&self, name: &str) -> Result<Option<Cell>>;
    /// Changes a cell that is at version `expected` (none: if there is none); value none removes it. Atomic, and durable
    /// on return. A lost race is [`Swap::Stale`], not an error.
    ///
    /// # Errors
    /// [`Error::OutOfSpace`], [`Error::InvalidName`], [`Error::Io`]: the outcome is unknown; read it again.
    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap>;
    /// Takes an exclusive lock, waiting for at most `wait_ms` milliseconds.
    ///
    /// # Errors
    /// [`Error::Locked`] if somebody else holds it still, [`Error::OutOfSpace`], [`Error::InvalidName`], [`Error::Io`].
    fn lock(&self, name: &str, wait_ms: u32) -> Result<Box<dyn Lock>>;
    /// Where the file `name` is, for other programs to read or copy it; none if it is no file of this machine.
    fn local_path(&self, name: &str) -> Option<PathBuf> {
        let _ = name;
        None
    }
    /// How much is in it. Asked for once, before something is added, and again before it is refused for lack of room.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn usage(&self) -> Result<Usage> {
        let names = self.list("", None, u32::MAX)?;
        let mut bytes = 0_u64;
        for name in &names {
            // Names that a provider lists are no more to be trusted than those that a component asks for.
            check_name(name).map_err(|_| Error::Io("a name against the rules was listed".into()))?;
            match self.open(name).and_then(|file| file.size()) {
                Ok(size) => bytes = bytes.saturating_add(size),
                // Removed since it was listed.
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let cells = self.list_cells("", None, u32::MAX)?.len() as u64;
        Ok(Usage { bytes, files: names.len() as u64, cells })
    }
}

/// An open file. Dropping it closes it and syncs nothing.
///
/// ```
/// use annals::storage::{Memory, Storage};
///
/// let file = Memory::new().create("file")?;
/// file.write(0, b"bytes")?;
/// file.sync()?;
/// file.reserve(100)?;
/// assert_eq!((file.read(3, 2)?, file.size()?), (b"es".to_vec(), 100));
/// file.truncate(5)?;
/// file.begin_sync()?.wait()?;
/// # Ok::<(), annals::storage::Error>(())
/// ```
pub trait File: Send + Sync + 'static {
    /// Bytes that can be read now.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn size(&self) -> Result<u64>;
    /// `len` bytes at `offset`; fewer only where the file ends.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>>;
    /// Writes all of `bytes` at `offset`, which is never below the end of what this handle wrote before. Durable after a
    /// sync.
    ///
    /// # Errors
    /// [`Error::OutOfSpace`], [`Error::Io`]: any part of it may be there.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Extends with zeros to `size` bytes and claims the space. Never shortens.
    ///
    /// # Errors
    /// [`Error::OutOfSpace`], [`Error::Io`]: the file may have grown by any part of it.
    fn reserve(&self, size: u64) -> Result<()>;
    /// Drops everything at and after `size`, durably. Never extends.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn truncate(&self, size: u64) -> Result<()>;
    /// Makes everything written to this file before, through any handle, durable.
    ///
    /// # Errors
    /// [`Error::OutOfSpace`], [`Error::Io`]: any part of what was written may be lost, whatever later syncs say.
    fn sync(&self) -> Result<()>;
    /// Starts the same and returns at once.
    ///
    /// # Errors
    /// [`Error::Io`]: it was not started. How it ended is for [`PendingSync`] to tell.
    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>>;
}

/// A sync under way. Dropping it does not stop it.
///
/// ```
/// use annals::storage::{Memory, Storage};
///
/// let sync = Memory::new().create("file")?.begin_sync()?;
/// sync.wait()?;
/// assert_eq!(sync.poll(), Some(Ok(())));
/// # Ok::<(), annals::storage::Error>(())
/// ```
pub trait PendingSync: Send + Sync + 'static {
    /// The outcome, or none while it is still running. May be asked again.
    fn poll(&self) -> Option<Result<()>>;
    /// Waits for the outcome. May be asked again.
    ///
    /// # Errors
    /// As [`File::sync`].
    fn wait(&self) -> Result<()>;
}

/// A held lock; dropping it releases it.
///
/// ```
/// use annals::storage::{Error, Memory, Storage};
///
/// let memory = Memory::new();
/// let lock = memory.lock("writer", 0)?;
/// assert_eq!(memory.lock("writer", 0).err(), Some(Error::Locked));
/// drop(lock);
/// memory.lock("writer", 0)?;
/// # Ok::<(), annals::storage::Error>(())
/// ```
pub trait Lock: Send + Sync + 'static {}

/// A sync that has ended already: for providers whose `begin_sync` syncs at once.
///
/// ```
/// use annals::storage::{PendingSync, Synced};
///
/// assert_eq!(Synced(Ok(())).poll(), Some(Ok(())));
/// ```
#[derive(Clone, Debug)]
pub struct Synced(
    /// How it ended.
    pub Result<()>,
);

impl PendingSync for Synced {
    fn poll(&self) -> Option<Result<()>> {
        Some(self.0.clone())
    }

    fn wait(&self) -> Result<()> {
        self.0.clone()
    }
}

/// The rules for names: 1 to 200 bytes of `a-z`, `0-9`, `-`, `_`, `.`, not starting with a dot.
///
/// ```
/// use annals::storage::{Error, check_name};
///
/// assert_eq!(check_name("orders-2.seg"), Ok(()));
/// assert_eq!(check_name("../orders"), Err(Error::InvalidName));
/// ```
///
/// # Errors
/// [`Error::InvalidName`].
pub fn check_name(name: &str) -> Result<()> {
    let narrow = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
    if narrow && (1..=NAME_BYTES).contains(&name.len()) && !name.starts_with('.') {
        Ok(())
    } else {
        Err(Error::InvalidName)
    }
}

/// One page of `names`, which may come in any order.
pub(crate) fn page(
    names: impl Iterator<Item = String>,
    prefix: &str,
    after: Option<&str>,
    max: u32,
) -> Vec<String> {
    let mut page: Vec<String> = names
        .filter(|name| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after))
        .collect();
    page.sort_unstable();
    page.truncate(max as usize);
    page
}
