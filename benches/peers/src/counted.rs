//! A provider that counts what it is asked to make durable.

use annals::storage::{Cell, File, Lock, PendingSync, Result, Storage, Swap};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Another provider, and how often it was asked to sync: syncs of files, and calls that are durable when they return
/// (create, remove, truncate, reserve, swap), each of which costs a directory at least one.
pub(crate) struct Counted {
    inner: Arc<dyn Storage>,
    counts: Arc<Counts>,
}

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Counts(AtomicU64);

impl Counts {
    /// Syncs of files and other calls that are durable when they return.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counted {
    /// Around a provider.
    pub(crate) fn new(inner: Arc<dyn Storage>) -> (Arc<Counted>, Arc<Counts>) {
        let counts = Arc::new(Counts::default());
        (Arc::new(Counted { inner, counts: counts.clone() }), counts)
    }

    fn file(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(CountedFile { inner: file, counts: self.counts.clone() })
    }
}

struct CountedFile {
    inner: Box<dyn File>,
    counts: Arc<Counts>,
}

impl Storage for Counted {
    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }
    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        self.counts.count();
        self.inner.create(name).map(|file| self.file(file))
    }
    fn open(&self, name: &str) -> Result<Box<dyn File>> {
        self.inner.open(name).map(|file| self.file(file))
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.counts.count();
        self.inner.remove(name)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        self.inner.list(prefix, after, max)
    }
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        self.inner.list_cells(prefix, after, max)
    }
    fn read_cell(&self, name: &str) -> Result<Option<Cell>> {
        self.inner.read_cell(name)
    }
    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap> {
        self.counts.count();
        self.inner.swap_cell(name, expected, value)
    }
    fn lock(&self, name: &str, wait_ms: u32) -> Result<Box<dyn Lock>> {
        self.inner.lock(name, wait_ms)
    }
    fn local_path(&self, name: &str) -> Option<PathBuf> {
        self.inner.local_path(name)
    }
}

impl File for CountedFile {
    fn size(&self) -> Result<u64> {
        self.inner.size()
    }
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>> {
        self.inner.read(offset, len)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.inner.write(offset, bytes)
    }
    fn reserve(&self, size: u64) -> Result<()> {
        // A directory syncs the zeros that it writes.
        if size > self.inner.size()? {
            self.counts.count();
        }
        self.inner.reserve(size)
    }
    fn truncate(&self, size: u64) -> Result<()> {
        self.counts.count();
        self.inner.truncate(size)
    }
    fn sync(&self) -> Result<()> {
        self.counts.count();
        self.inner.sync()
    }
    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>> {
        self.counts.count();
        self.inner.begin_sync()
    }
}
