//! Open files.

use super::{
    super::{Error, File, PendingSync, Result, Synced},
    guard, sys,
};
use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    os::unix::fs::{FileExt, MetadataExt},
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

/// How many zeros are written at once.
const ZEROS: &[u8] = &[0; 1 << 20];

/// Syncs between two reservations from which on the next one is prepared for more of them. One comes with a new segment.
const OFTEN: u32 = 2;

/// Reads up to this size just read; for larger ones it is found out first how much is there.
const SMALL: usize = 64 << 10;

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub(super) fn of(file: &fs::File) -> Result<Inode> {
        let metadata = file.metadata().map_err(sys::failure)?;
        Ok(Inode { device: metadata.dev(), number: metadata.ino() })
    }
}

/// Whether a sync failed while these handles were open: shared by all of one inode that were opened before it.
type Failed = AtomicBool;

/// The flags of the files that are open. A failed sync takes its flag out, so that later handles get a new one.
#[derive(Default)]
pub(super) struct Inodes(Mutex<HashMap<Inode, Weak<Failed>>>);

impl Inodes {
    fn flag(&self, inode: Inode) -> Arc<Failed> {
        let mut flags = guard(&self.0);
        if let Some(flag) = flags.get(&inode).and_then(Weak::upgrade) {
            return flag;
        }
        flags.retain(|_, flag| flag.strong_count() > 0);
        let flag = Arc::new(Failed::new(false));
        flags.insert(inode, Arc::downgrade(&flag));
        flag
    }

    /// Takes this flag out, if it is still the one that later handles would get.
    fn forget(&self, inode: Inode, failed: &Arc<Failed>) {
        let mut flags = guard(&self.0);
        if flags.get(&inode).is_some_and(|flag| std::ptr::eq(flag.as_ptr(), Arc::as_ptr(failed))) {
            flags.remove(&inode);
        }
    }
}

/// What a handle and the syncs it started share.
struct Handle {
    name: String,
    file: fs::File,
    inode: Inode,
    failed: Arc<Failed>,
    inodes: Arc<Inodes>,
    /// Syncs since space was reserved last.
    syncs: AtomicU32,
}

pub(super) struct OpenFile(Arc<Handle>);

impl OpenFile {
    pub(super) fn new(name: &str, file: fs::File, inode: Inode, inodes: &Arc<Inodes>) -> OpenFile {
        let failed = inodes.flag(inode);
        OpenFile(Arc::new(Handle {
            name: name.to_owned(),
            file,
            inode,
            failed,
            inodes: inodes.clone(),
            syncs: AtomicU32::new(0),
        }))
    }
}

impl Handle {
    fn check(&self) -> Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(Error::Io(format!("{}: an earlier sync failed; open the log again", self.name)));
        }
        Ok(())
    }

    fn failure(&self, error: std::io::Error) -> Error {
        self.named(sys::failure(error))
    }

    fn named(&self, error: Error) -> Error {
        match error {
            Error::Io(what) => Error::Io(format!("{}: {what}", self.name)),
            error => error,
        }
    }

    fn size(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|error| self.failure(error))?.len())
    }

    fn sync(&self, sync: impl FnOnce(&fs::File) -> std::io::Result<()>) -> Result<()> {
        self.check()?;
        sync(&self.file).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            self.inodes.forget(self.inode, &self.failed);
            // Whatever the system calls it, what was written is lost: there is nothing that making room would mend.
            Error::Io(format!("{}: cannot sync: {error}", self.name))
        })?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        // A sync of another handle that failed meanwhile may have been told what this one was not.
        self.check()
    }

    /// Up to `len` bytes; fewer only where the file ends.
    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let len = if len > SMALL {
            usize::try_from(self.size()?.saturating_sub(offset)).unwrap_or(usize::MAX).min(len)
        } else {
            len
        };
        bytes.try_reserve_exact(len).map_err(|_| Error::Io(format!("no memory to read {len} bytes")))?;
        bytes.resize(len, 0);
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(error)),
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }

    fn zeros(&self, mut offset: u64, end: u64) -> Result<()> {
        while offset < end {
            let len = usize::try_from(end - offset).unwrap_or(usize::MAX).min(ZEROS.len());
            let zeros = ZEROS.get(..len).unwrap_or_default();
            self.file.write_all_at(zeros, offset).map_err(|error| self.failure(error))?;
            offset += len as u64;
        }
        Ok(())
    }
}

impl File for OpenFile {
    fn size(&self) -> Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>> {
        self.0.read(offset, len as usize)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.0.check()?;
        self.0.file.write_all_at(bytes, offset).map_err(|error| self.0.failure(error))
    }

    fn reserve(&self, size: u64) -> Result<()> {
        self.0.check()?;
        let old = self.0.size()?;
        if size <= old {
            return Ok(());
        }
        if sys::obviously_too_much(&self.0.file, size - old) {
            return Err(Error::OutOfSpace);
        }
        // From then on writes below neither move the end of the file nor can fail for lack of room. Where syncs are
        // frequent the zeros are really written, and on the disk: then syncing what is written over them changes nothing
        // about the file and is cheap. Without syncs that would only be one write, and one wait, too many.
        let often_synced = self.0.syncs.swap(0, Ordering::Relaxed) >= OFTEN;
        let claimed = sys::allocate(&self.0.file, old, size).map_err(|error| self.0.named(error));
        let reserved = match claimed {
            Ok(true) if !often_synced => return Ok(()),
            Ok(_) => self.0.zeros(old, size),
            Err(error) => Err(error),
        };
        if reserved.is_err() {
            // Give back what was taken. If that fails too, the file is longer than before, which the caller expects.
            let _ = self.0.file.set_len(old);
            return reserved;
        }
        self.0.sync(fs::File::sync_data)
    }

    fn truncate(&self, size: u64) -> Result<()> {
        self.0.check()?;
        if size < self.0.size()? {
            self.0.file.set_len(size).map_err(|error| self.0.failure(error))?;
        }
        self.0.sync(fs::File::sync_all)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync(fs::File::sync_data)
    }

    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>> {
        self.0.check()?;
        let pending = Arc::new(Pending::default());
        let (handle, ending) = (self.0.clone(), pending.clone());
        let run = move || ending.end(handle.sync(fs::File::sync_data));
        match thread::Builder::new().name("annals-sync".into()).spawn(run) {
            Ok(_) => Ok(pending),
            // No thread to be had: then here and now.
            Err(_) => Ok(Arc::new(Synced(self.0.sync(fs::File::sync_data)))),
        }
    }
}

#[derive(Default)]
struct Pending {
    outcome: Mutex<Option<Result<()>>>,
    ended: Condvar,
}

impl Pending {
    fn end(&self, outcome: Result<()>) {
        *guard(&self.outcome) = Some(outcome);
        self.ended.notify_all();
    }
}

impl PendingSync for Pending {
    fn poll(&self) -> Option<Result<()>> {
        guard(&self.outcome).clone()
    }

    fn wait(&self) -> Result<()> {
        let mut outcome = guard(&self.outcome);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = self.ended.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
