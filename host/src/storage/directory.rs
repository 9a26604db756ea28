//! Files, cells and locks in a directory of the file system.
//!
//! ```text
//! DIR/files/NAME      one file each, as the log wrote it
//! DIR/cells/NAME      one cell each: version, value, checksum (see `cells.rs`)
//! DIR/cells/.floor    the highest version of any removed cell
//! DIR/cells/.spare    room for one more cell, for a full disk
//! DIR/locks/NAME      empty; the kernel lock on it is the lock; never removed
//! DIR/locks/.cells    the same, held while a cell changes
//! ```
//!
//! Only this process's user can read them (modes 0700 and 0600). Names are single path components that do not start with
//! a dot, and everything is opened relative to the three held directories, without following symbolic links; what is not
//! a regular file, or has a second hard link, is refused. So nothing outside of `DIR` is ever touched, and a log never
//! changes a copy of itself. Other files in there are left alone.
//!
//! *Durability*: a name is durable when `create`, `remove` or a cell's change returns, because the directory was synced.
//! What another process did is synced before it is told, by syncing the directory at the first open of a file and the
//! first look at a version of a cell. After a failed sync of a file all its open handles refuse writes and syncs; handles
//! opened later start afresh, because the log that opens them writes what was not promised again.
//!
//! A plain copy of `DIR`, made while nothing writes, holds the same logs.

mod cells;
mod file;
mod lock;
mod sys;

use super::{Cell, Error, File, Lock, Result, Storage, Swap, Usage, check_name, page};
use file::{Inode, Inodes, OpenFile};
use std::{
    collections::HashMap,
    fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A storage in a directory. Clones share it; several processes may use the same directory.
///
/// ```
/// use annals::storage::{Directory, Storage};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("annals-doc-{}", std::process::id()));
/// let directory = Directory::open(&path)?;
/// let file = directory.create("greeting")?;
/// file.write(0, b"hello")?;
/// file.sync()?;
/// assert_eq!(std::fs::read(directory.path_of("greeting")?)?, b"hello");
/// assert_eq!(directory.path(), path);
///
/// # let backup = path.join("backup");
/// directory.fork(&backup)?; // while nothing writes
/// assert_eq!(Directory::open_existing(&backup)?.open("greeting")?.size()?, 5);
/// # std::fs::remove_dir_all(path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    files: OwnedFd,
    cells: OwnedFd,
    locks: OwnedFd,
    /// Names of files that are known to be durable, with their inodes.
    names: Mutex<HashMap<String, Inode>>,
    /// Versions of cells that are known to be durable.
    versions: Mutex<HashMap<String, u64>>,
    inodes: Arc<Inodes>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    /// Opens the directory at `path`, which is created, durably and with its parents, if it is missing.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage): what is wrong with it. [`Error::OutOfSpace`](crate::Error::OutOfSpace).
    pub fn open(path: impl AsRef<Path>) -> std::result::Result<Directory, crate::Error> {
        let path = path.as_ref();
        sys::create_root(path)
            .and_then(|()| Directory::at(path, true))
            .and_then(|directory| {
                directory.shared.prepare_cells()?;
                Ok(directory)
            })
            .map_err(|error| failure(path, error))
    }

    /// Opens the directory at `path`, which must have been made by [`open`](Directory::open), and changes nothing.
    /// For commands that only read; it works on a read-only file system.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage): what is wrong with it.
    pub fn open_existing(path: impl AsRef<Path>) -> std::result::Result<Directory, crate::Error> {
        let path = path.as_ref();
        Directory::at(path, false).map_err(|error| match error {
            Error::NotFound => crate::Error::Storage(format!(
                "{} holds no logs: it is not a directory made by Annals; check the path",
                path.display()
            )),
            error => failure(path, error),
        })
    }

    fn at(path: &Path, create: bool) -> Result<Directory> {
        let root = sys::open_directory(path)?;
        let open = |name| {
            if create {
                sys::create_directory(&root, name)?;
            }
            sys::open_directory_at(&root, name)
        };
        let (files, cells, locks) = (open("files")?, open("cells")?, open("locks")?);
        if create {
            sys::sync_directory(&root)?;
        }
        let shared = Shared {
            path: path.to_owned(),
            files,
            cells,
            locks,
            names: Mutex::default(),
            versions: Mutex::default(),
            inodes: Arc::default(),
        };
        Ok(Directory { shared: Arc::new(shared) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Where the file `name` is: to copy it, or to look at it with other tools. Never write to it.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn path_of(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        Ok(self.shared.path.join("files").join(name))
    }

    /// Copies what is there now to a new directory at `path`, with no lock held: what a crash of the process, though not
    /// of the machine, would leave behind. For tests, and for backups while nothing writes.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage): `path` exists already, or copying failed half-way.
    /// [`Error::OutOfSpace`](crate::Error::OutOfSpace): there was no room half-way.
    pub fn fork(&self, path: impl AsRef<Path>) -> std::result::Result<Directory, crate::Error> {
        let path = path.as_ref();
        if path.exists() {
            return Err(failure(path, Error::Exists));
        }
        let copy = Directory::open(path)?;
        self.shared.copy_to(&copy.shared).map_err(|error| failure(path, error))?;
        Ok(copy)
    }
}

fn failure(path: &Path, error: Error) -> crate::Error {
    match error {
        Error::OutOfSpace => crate::Error::OutOfSpace,
        Error::Exists => crate::Error::Storage(format!("{} exists already", path.display())),
        error => crate::Error::Storage(format!("{}: {error}", path.display())),
    }
}

impl Shared {
    fn copy_to(&self, other: &Shared) -> Result<()> {
        for (from, to) in [(&self.files, &other.files), (&self.cells, &other.cells)] {
            for name in sys::names(from, true)? {
                sys::copy(from, to, &name)?;
            }
            sys::sync_directory(to)?;
        }
        Ok(())
    }
}

impl Storage for Directory {
    fn is_durable(&self) -> bool {
        true
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        check_name(name)?;
        let fd = sys::create(&self.shared.files, name)?;
        let made = fd.sync_all().map_err(sys::failure).and_then(|()| sys::sync_directory(&self.shared.files));
        if let Err(error) = made {
            // As if it had not been made, as far as that can still be had.
            let _ = sys::unlink(&self.shared.files, name);
            return Err(error);
        }
        let inode = Inode::of(&fd)?;
        guard(&self.shared.names).insert(name.to_owned(), inode);
        Ok(Box::new(OpenFile::new(name, fd, inode, &self.shared.inodes)))
    }

    fn open(&self, name: &str) -> Result<Box<dyn File>> {
        check_name(name)?;
        let fd = sys::open(&self.shared.files, name)?;
        let inode = Inode::of(&fd)?;
        if guard(&self.shared.names).get(name) != Some(&inode) {
            sys::sync_directory(&self.shared.files)?;
            guard(&self.shared.names).insert(name.to_owned(), inode);
        }
        Ok(Box::new(OpenFile::new(name, fd, inode, &self.shared.inodes)))
    }

    fn remove(&self, name: &str) -> Result<()> {
        check_name(name)?;
        guard(&self.shared.names).remove(name);
        sys::unlink(&self.shared.files, name)?;
        sys::sync_directory(&self.shared.files)
    }

    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        Ok(page(sys::names(&self.shared.files, false)?.into_iter(), prefix, after, max))
    }

    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        Ok(page(sys::names(&self.shared.cells, false)?.into_iter(), prefix, after, max))
    }

    fn read_cell(&self, name: &str) -> Result<Option<Cell>> {
        check_name(name)?;
        self.shared.read_cell(name)
    }

    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap> {
        check_name(name)?;
        self.shared.swap_cell(name, expected, value)
    }

    fn lock(&self, name: &str, wait_ms: u32) -> Result<Box<dyn Lock>> {
        check_name(name)?;
        let lock = lock::acquire(&self.shared.locks, name, std::time::Duration::from_millis(wait_ms.into()))?;
        Ok(Box::new(lock))
    }

    fn local_path(&self, name: &str) -> Option<PathBuf> {
        self.path_of(name).ok()
    }

    fn usage(&self) -> Result<Usage> {
        let names = sys::names(&self.shared.files, false)?;
        let mut bytes = 0_u64;
        for name in &names {
            bytes = bytes.saturating_add(sys::size_of(&self.shared.files, name)?);
        }
        let cells = sys::names(&self.shared.cells, false)?.len() as u64;
        Ok(Usage { bytes, files: names.len() as u64, cells })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Directory").field(&self.shared.path).finish()
    }
}

#[cfg(test)]
pub(super) mod tests;
