//! What was seen before, by hash. Threads share it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keys are hashes already.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Itself>>;

/// A map in parts, each with a lock of its own.
pub(super) struct Memo<V> {
    parts: Vec<Mutex<Map<V>>>,
}

const PARTS: usize = 64;

impl<V: Copy> Memo<V> {
    pub(super) fn new() -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }

    fn part(&self, key: u64) -> MutexGuard<'_, Map<V>> {
        // The map itself goes by the lowest and the highest bits.
        let part = &self.parts[(key >> 40) as usize % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: u64) -> Option<V> {
        self.part(key).get(&key).copied()
    }

    /// Remembers it. False if something was remembered before: that stays.
    pub(super) fn put(&self, key: u64, value: V) -> bool {
        match self.part(key).entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                true
            }
        }
    }
}

/// One hash of two.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b;
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 32)
}
