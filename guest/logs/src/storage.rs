//! What a log needs from outside: bytes in named files, small atomic cells, a lock, a clock, random numbers.
//!
//! The traits mirror `wit/deps/storage/storage.wit`, which says what each call promises; answers are hostile until
//! checked. Nothing else in this crate reaches the outside.

use alloc::{string::String, vec::Vec};

/// Why the storage did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// No file of that name.
    NotFound,
    /// There is a file of that name already.
    Exists,
    /// Somebody else holds the lock.
    Locked,
    /// No room; what was there before still is.
    OutOfSpace,
    /// The name does not follow the rules.
    InvalidName,
    /// Not what was written, and the storage knows it; in words.
    Damaged(String),
    /// Anything else, in words.
    Io(String),
}

/// A small value that changes atomically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Never used twice for a name.
    pub version: u64,
    /// At most 65,536 bytes.
    pub value: Vec<u8>,
}

/// How an attempt to change a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Done; the new version.
    Swapped(u64),
    /// Not changed; what is there instead.
    Stale(Option<Cell>),
}

/// An open file. Dropping it closes it.
pub trait File {
    /// A sync under way.
    type Pending: PendingSync;
    /// Bytes that can be read now.
    fn size(&self) -> Result<u64, StorageError>;
    /// Up to `len` bytes; fewer only where the file ends.
    fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>, StorageError>;
    /// All of `bytes` at `offset`, never below what this handle wrote before.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError>;
    /// Extends with zeros up to `size` and claims the space.
    fn reserve(&self, size: u64) -> Result<(), StorageError>;
    /// Drops everything at and after `size`, durably.
    fn truncate(&self, size: u64) -> Result<(), StorageError>;
    /// Makes everything written before durable.
    fn sync(&self) -> Result<(), StorageError>;
    /// Starts the same.
    fn begin_sync(&self) -> Result<Self::Pending, StorageError>;
}

/// A sync under way.
pub trait PendingSync {
    /// The outcome, or none while it is running.
    fn poll(&self) -> Option<Result<(), StorageError>>;
    /// Waits for the outcome.
    fn wait(&self) -> Result<(), StorageError>;
}

/// Files, cells and locks by name.
pub trait Storage {
    /// An open file.
    type File: File;
    /// A held lock; dropping it releases it.
    type Lock;
    /// Whether a completed sync survives the loss of power.
    fn is_durable(&self) -> bool;
    /// A new, empty file; name durable on return.
    fn create(&self, name: &str) -> Result<Self::File, StorageError>;
    /// An existing file.
    fn open(&self, name: &str) -> Result<Self::File, StorageError>;
    /// Removes a file, durably.
    fn remove(&self, name: &str) -> Result<(), StorageError>;
    /// Names of files with that prefix, after `after`, ascending, at most `max`.
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError>;
    /// Names of cells, likewise.
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StorageError>;
    /// The cell, if there is one.
    fn read_cell(&self, name: &str) -> Result<Option<Cell>, StorageError>;
    /// Changes a cell that is at version `expected`; value none removes it. Atomic and durable.
    fn swap_cell(
        &self,
        name: &str,
        expected: Option<u64>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StorageError>;
    /// Takes an exclusive lock, waiting at most `wait_ms`.
    fn lock(&self, name: &str, wait_ms: u32) -> Result<Self::Lock, StorageError>;
}

/// Wall-clock time. One call per draw.
pub trait Clock {
    /// Unix time in milliseconds.
    fn now_ms(&self) -> u64;
}

/// Randomness. One call per draw.
pub trait Random {
    /// A random number, unpredictable unless a test seeded it.
    fn draw(&self) -> u64;
}

/// All of it together: what a log is given when it is opened.
pub trait Host: Storage + Clock + Random + Clone {}

impl<T: Storage + Clock + Random + Clone> Host for T {}
