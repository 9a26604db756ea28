//! Memory that misbehaves as a test tells it.

#![allow(unreachable_pub)] // a module of a test is reachable from nowhere

use annals::storage::{Cell, File, Lock, Memory, PendingSync, Result, Storage, Swap};
use std::sync::{Arc, Mutex, mpsc};

/// What a test wants to happen. Clones share it.
#[derive(Clone)]
pub struct Hooks {
    /// Asked before each write and each sync.
    pub before: Arc<dyn Fn() -> Result<()> + Send + Sync>,
    /// If set, syncs that were begun end one by one as this is told.
    pub ends: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
}

/// Memory with hooks.
pub struct Hooked(pub Memory, pub Hooks);

impl Hooked {
    /// Asks `before` each write and each sync.
    pub fn before(before: impl Fn() -> Result<()> + Send + Sync + 'static) -> Hooked {
        Hooked(Memory::new(), Hooks { before: Arc::new(before), ends: None })
    }

    /// Ends syncs as the sender tells.
    pub fn slow(memory: Memory) -> (mpsc::Sender<()>, Hooked) {
        let (tell, told) = mpsc::channel();
        let ends = Some(Arc::new(Mutex::new(told)));
        (tell, Hooked(memory, Hooks { before: Arc::new(|| Ok(())), ends }))
    }

    fn file(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(HookedFile(file, self.1.clone()))
    }
}

impl Storage for Hooked {
    fn is_durable(&self) -> bool {
        self.0.is_durable()
    }
    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        Ok(self.file(self.0.create(name)?))
    }
    fn open(&self, name: &str) -> Result<Box<dyn File>> {
        Ok(self.file(self.0.open(name)?))
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.0.remove(name)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        self.0.list(prefix, after, max)
    }
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>> {
        self.0.list_cells(prefix, after, max)
    }
    fn read_cell(&self, name: &str) -> Result<Option<Cell>> {
        self.0.read_cell(name)
    }
    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap> {
        self.0.swap_cell(name, expected, value)
    }
    fn lock(&self, name: &str, wait_ms: u32) -> Result<Box<dyn Lock>> {
        self.0.lock(name, wait_ms)
    }
}

struct HookedFile(Box<dyn File>, Hooks);

impl File for HookedFile {
    fn size(&self) -> Result<u64> {
        self.0.size()
    }
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>> {
        self.0.read(offset, len)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        (self.1.before)()?;
        self.0.write(offset, bytes)
    }
    fn reserve(&self, size: u64) -> Result<()> {
        self.0.reserve(size)
    }
    fn truncate(&self, size: u64) -> Result<()> {
        self.0.truncate(size)
    }
    fn sync(&self) -> Result<()> {
        (self.1.before)()?;
        self.0.sync()
    }
    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>> {
        (self.1.before)()?;
        match &self.1.ends {
            Some(ends) => Ok(Arc::new(SlowSync(Mutex::new(false), ends.clone()))),
            None => self.0.begin_sync(),
        }
    }
}

struct SlowSync(Mutex<bool>, Arc<Mutex<mpsc::Receiver<()>>>);

impl PendingSync for SlowSync {
    fn poll(&self) -> Option<Result<()>> {
        // Whoever waits holds the lock: then it has not ended.
        self.0.try_lock().is_ok_and(|ended| *ended).then_some(Ok(()))
    }
    fn wait(&self) -> Result<()> {
        let mut ended = self.0.lock().unwrap();
        if !*ended {
            let _ = self.1.lock().unwrap().recv();
            *ended = true;
        }
        Ok(())
    }
}
