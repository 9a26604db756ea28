//! What is outstanding: keys in memory, payloads where they stand in files.
//!
//! A key is origin, a zero byte, id: no origin holds a zero, so keys are ordered by origin and then id. Invariant: what is
//! held never exceeds [`MAX_HELD`] changes and [`MAX_KEYS`] bytes of keys, so that it fits into memory.

use super::item::Tag;
use crate::error::{Error, Limit, Result};
use crate::format::MAX_COUNT;
use crate::record_log::room;
use alloc::{collections::BTreeMap, rc::Rc, vec::Vec};

/// Most changes that are outstanding in one instance.
pub(super) const MAX_HELD: u64 = MAX_COUNT;
/// Most bytes of keys of those.
pub(super) const MAX_KEYS: u64 = 64 << 20;

/// Origin, zero, id.
pub(super) type Key = Rc<[u8]>;

/// The key of this origin and id.
pub(super) fn key(origin: &str, id: &[u8]) -> Result<Vec<u8>> {
    let mut key = room(origin.len() + 1 + id.len())?;
    key.extend_from_slice(origin.as_bytes());
    key.push(0);
    key.extend_from_slice(id);
    Ok(key)
}

/// Origin and id of a key.
pub(super) fn split(key: &[u8]) -> (&str, &[u8]) {
    let at = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
    let (origin, rest) = key.split_at_checked(at).unwrap_or((key, &[]));
    (core::str::from_utf8(origin).unwrap_or(""), rest.get(1..).unwrap_or(&[]))
}

/// Where a change is, and what must be known of it without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Which of the open files.
    pub(super) source: usize,
    pub(super) position: u64,
    /// The position at which it came here: it tells changes with one key apart, also after they were moved.
    pub(super) serial: u64,
    /// Epoch of the instance that recorded it.
    pub(super) epoch: u64,
    /// Bytes of the whole item.
    pub(super) size: u64,
    pub(super) cleanup_after_ms: Option<u64>,
}

impl Entry {
    /// The entry of an item at this position.
    pub(super) fn at(source: usize, position: u64, size: u64, tag: &Tag<'_>) -> Entry {
        let Tag { epoch, cleanup_after_ms, .. } = *tag;
        Entry { source, position, serial: position, epoch, size, cleanup_after_ms }
    }
}

/// The changes that are outstanding.
#[derive(Debug, Default)]
pub(super) struct Held {
    map: BTreeMap<Key, Entry>,
    keys: u64,
}

impl Held {
    pub(super) fn len(&self) -> u64 {
        self.map.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.map.get(key)
    }

    /// In the order of keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.map.iter()
    }

    /// An error if there is no room for `count` more changes with `keys` bytes of keys.
    pub(super) fn check_room(&self, count: u64, keys: u64) -> Result<()> {
        let what = Limit::BytesStored;
        for (allowed, got) in [(MAX_HELD, self.len() + count), (MAX_KEYS, self.keys + keys)] {
            if got > allowed {
                return Err(Error::TooLarge { what, allowed, got });
            }
        }
        Ok(())
    }

    /// Whether a change of this epoch would stand against what is held under its key.
    pub(super) fn yields(&self, key: &[u8], epoch: u64) -> bool {
        self.map.get(key).is_none_or(|held| held.epoch <= epoch)
    }

    /// Holds a change; whatever was under its key before goes.
    pub(super) fn put(&mut self, key: Key, entry: Entry) {
        let len = key.len() as u64;
        if self.map.insert(key, entry).is_none() {
            self.keys += len;
        }
    }

    /// Lets go of a change.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let gone = self.map.remove(key);
        if gone.is_some() {
            self.keys -= key.len() as u64;
        }
        gone
    }

    pub(super) fn clear(&mut self) {
        *self = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_by_origin_and_then_id_and_come_apart_again() {
        let keys = [("a", &b"\xff"[..]), ("a-b", b""), ("a-b", b"\0"), ("ab", b"\0\0"), ("b", b"")];
        let made: Vec<_> = keys.iter().map(|(origin, id)| key(origin, id).unwrap()).collect();
        assert!(made.is_sorted());
        for (made, (origin, id)) in made.iter().zip(keys) {
            assert_eq!(split(made), (origin, id));
        }
        assert_eq!(split(b"no zero"), ("no zero", &b""[..]));
    }

    #[test]
    fn what_is_held_is_bounded_in_number_and_bytes() {
        let mut held = Held::default();
        let tag = Tag { origin: "a", epoch: 1, id: b"", cleanup_after_ms: None };
        held.put(Rc::from(&b"a\0key"[..]), Entry::at(0, 0, 1, &tag));
        assert_eq!(held.check_room(MAX_HELD - 1, MAX_KEYS - 5), Ok(()));
        assert!(held.check_room(MAX_HELD, 0).is_err() && held.check_room(0, MAX_KEYS - 4).is_err());
        assert!(held.remove(b"a\0key").is_some() && held.keys == 0);
    }
}
