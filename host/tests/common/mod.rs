//! Memory that misbehaves as a test tells it.

#![allow(unreachable_pub, dead_code)] // a module of several tests; it is reachable from nowhere

use annals::storage::{Cell, File, Lock, Memory, PendingSync, Result, Storage, Swap};
use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// What a test wants to happen. Clones share it.
#[derive(Clone)]
pub struct Hooks {
    /// Asked before each write and each sync.
    pub before: Arc<dyn Fn() -> Result<()> + Send + Sync>,
    /// If set, syncs that were begun end one by one as this is told.
    pub ends: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
    /// How many syncs there were.
    pub syncs: Arc<AtomicU64>,
    /// How long each sync that is begun takes, if it takes any time.
    pub takes: Option<Duration>,
    /// If set and true, syncs that are begun fail, with these words.
    pub fails: Option<(Arc<AtomicBool>, &'static str)>,
}

impl Default for Hooks {
    fn default() -> Hooks {
        let before = Arc::new(|| Ok(()));
        Hooks { before, ends: None, syncs: Arc::default(), takes: None, fails: None }
    }
}

/// Memory with hooks.
pub struct Hooked(pub Memory, pub Hooks);

impl Hooked {
    /// Asks `before` each write and each sync.
    pub fn before(before: impl Fn() -> Result<()> + Send + Sync + 'static) -> Hooked {
        Hooked(Memory::new(), Hooks { before: Arc::new(before), ..Hooks::default() })
    }

    /// Ends syncs as the sender tells.
    pub fn slow(memory: Memory) -> (mpsc::Sender<()>, Hooked) {
        let (tell, told) = mpsc::channel();
        let ends = Some(Arc::new(Mutex::new(told)));
        (tell, Hooked(memory, Hooks { ends, ..Hooks::default() }))
    }

    /// Counts syncs; those that are begun take so long.
    pub fn counting(memory: Memory, takes: Duration) -> (Arc<AtomicU64>, Hooked) {
        let hooks = Hooks { takes: Some(takes), ..Hooks::default() };
        (hooks.syncs.clone(), Hooked(memory, hooks))
    }

    /// Lets syncs that are begun while this is true fail.
    #[must_use]
    pub fn failing(mut self, fails: Arc<AtomicBool>, what: &'static str) -> Hooked {
        self.1.fails = Some((fails, what));
        self
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
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        self.0.sync()
    }
    fn begin_sync(&self) -> Result<Arc<dyn PendingSync>> {
        (self.1.before)()?;
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        let failure = self.1.fails.as_ref().filter(|(fails, _)| fails.load(Ordering::Relaxed));
        let outcome = failure.map_or(Ok(()), |(_, what)| Err(annals::storage::Error::Io((*what).into())));
        let slow = Arc::new(SlowSync::default());
        let (ending, ends, takes) = (slow.clone(), self.1.ends.clone(), self.1.takes);
        if ends.is_none() && takes.is_none() && outcome.is_ok() {
            return self.0.begin_sync();
        }
        thread::spawn(move || {
            thread::sleep(takes.unwrap_or_default());
            if let Some(ends) = ends {
                let _ = ends.lock().unwrap().recv();
            }
            *ending.outcome.lock().unwrap() = Some(outcome);
            ending.ended.notify_all();
        });
        Ok(slow)
    }
}

#[derive(Default)]
struct SlowSync {
    outcome: Mutex<Option<Result<()>>>,
    ended: Condvar,
}

impl PendingSync for SlowSync {
    fn poll(&self) -> Option<Result<()>> {
        self.outcome.lock().unwrap().clone()
    }
    fn wait(&self) -> Result<()> {
        let outcome = self.ended.wait_while(self.outcome.lock().unwrap(), |outcome| outcome.is_none());
        outcome.unwrap().clone().unwrap_or(Ok(()))
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
