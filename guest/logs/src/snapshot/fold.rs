//! The fold in memory: which keys there are, and what each has or where that stands; how many bytes of the log's frames
//! are needed for it.

use super::item::{HEAD, Item};
use super::key::Key;
use super::loss::Loss;
use crate::error::{Error, Result};
use crate::format::{blocks, frame_len};
use crate::record_log::room;
use alloc::collections::BTreeMap;
use alloc::{rc::Rc, vec::Vec};

/// Memory that a key takes at most besides its own bytes and those of its version and value: its place in a node of the
/// map, which is half full at least, and a counted vector.
const PER_KEY: usize = 2 * (size_of::<Key>() + size_of::<Slot>()) + size_of::<Vec<u8>>() + 32;

/// What a key has, or where it stands.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// The first `version` bytes are the version, the others the value.
    Memory { version: u16, bytes: Rc<[u8]> },
    /// Position of the item, and its size.
    Disk { position: u64, len: u32 },
}

impl Slot {
    /// What a put leaves that stands at this position: the item, and what it was decoded from. There is memory for it.
    pub(super) fn of(item: &Item<'_>, encoded: &[u8], position: u64, on_disk: bool) -> Slot {
        if on_disk {
            return Slot::Disk { position, len: item.len() as u32 };
        }
        // Version and value, one behind the other.
        let bytes = encoded.get(HEAD + item.key.len()..).unwrap_or_default();
        Slot::Memory { version: item.version.len() as u16, bytes: Rc::from(bytes) }
    }

    /// Bytes of key, version and value, if the key has that many.
    pub(super) fn content(&self, key: usize) -> u64 {
        match self {
            Slot::Memory { bytes, .. } => (key + bytes.len()) as u64,
            Slot::Disk { len, .. } => u64::from(*len) - HEAD as u64,
        }
    }

    /// Bytes that the put takes in its frame.
    fn cost(&self, key: usize) -> u64 {
        4 + HEAD as u64 + self.content(key)
    }
}

/// A copy, or an error instead of an abort.
pub(super) fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = room(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// An error unless there is memory for that many more keys with so many bytes: the map allocates without asking.
pub(super) fn check_memory(keys: usize, bytes: usize) -> Result<()> {
    room::<u8>(keys.saturating_mul(PER_KEY).saturating_add(bytes)).map(drop)
}

/// Bytes of a frame with a payload of this size.
pub(super) fn frame_bytes(payload: u64) -> u64 {
    frame_len(payload + 8 * blocks(payload))
}

/// The fold.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) entries: BTreeMap<Key, Slot>,
    pub(super) cursor: Vec<u8>,
    pub(super) on_disk: bool,
    /// What is lost of a damaged log.
    pub(super) loss: Option<Loss>,
    /// Bytes of all frames with items, and of what they hold of the fold.
    pub(super) bytes: u64,
    pub(super) live: u64,
}

impl Fold {
    /// Bytes of frames that a compaction would free.
    pub(super) fn dead(&self) -> u64 {
        self.bytes.saturating_sub(self.live)
    }

    /// Changes what a key has. There is memory for it.
    pub(super) fn set(&mut self, key: Key, slot: Option<Slot>) {
        let len = key.as_slice().len();
        let cost = slot.as_ref().map_or(0, |slot| slot.cost(len));
        let was = match slot {
            Some(slot) => self.entries.insert(key, slot),
            None => {
                let was = self.entries.remove(&key);
                if let Some(loss) = &mut self.loss {
                    loss.gone.insert(key.into_vec());
                }
                was
            }
        };
        self.live = (self.live + cost).saturating_sub(was.map_or(0, |slot| slot.cost(len)));
    }

    /// What a key has; `damaged` if that is not certain.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<&Slot>> {
        let slot = self.entries.get(key);
        match self.loss.as_ref().and_then(|loss| loss.of(key)) {
            Some(damage) if slot.is_none() => Err(Error::Damaged(damage.clone())),
            _ => Ok(slot),
        }
    }

    /// The cursor; `damaged` if it is not known.
    pub(super) fn cursor(&self) -> Result<&[u8]> {
        match self.loss.as_ref().and_then(|loss| loss.cursor.as_ref()) {
            Some(damage) => Err(Error::Damaged(damage.clone())),
            None => Ok(&self.cursor),
        }
    }

    /// An error if anything is lost.
    pub(super) fn check_whole(&self) -> Result<()> {
        match &self.loss {
            Some(loss) => Err(Error::Damaged(loss.damage.clone())),
            None => Ok(()),
        }
    }

    /// After a compaction: where the puts of each piece stand, which began at this position.
    pub(super) fn renumber(&mut self, mut position: u64, pieces: &[u32], bytes: u64) {
        let mut pieces = pieces.iter();
        let mut left = 0;
        for slot in self.entries.values_mut() {
            while left == 0 {
                let Some(count) = pieces.next() else { return };
                (left, position) = (*count, position + 1); // each piece begins with a cursor
            }
            if let Slot::Disk { position: at, .. } = slot {
                *at = position;
            }
            (left, position) = (left - 1, position + 1);
        }
        (self.bytes, self.live) = (bytes, bytes);
    }
}
