//! The items of a snapshot's frames.
//!
//! Format: 3 bytes length of the key, 1 byte kind, 2 bytes length of the version (little endian), then key, version and
//! value. Kinds: 1 the cursor of a batch, 2 the cursor of a piece of a fold (both have it as their value, and neither key
//! nor version), 3 an entry of a fold, 4 put, 5 delete, 6 purge (without value). The first item of each frame is a cursor
//! and tells what the others are: entries, or updates.

use crate::format::{MAX_CURSOR, MAX_ITEM, MAX_KEY, MAX_VERSION};
use alloc::vec::Vec;

/// Bytes before the key.
pub(super) const HEAD: usize = 6;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Begins a batch.
    Cursor = 1,
    /// Begins a piece of a fold.
    Fold = 2,
    Entry = 3,
    Put = 4,
    Delete = 5,
    Purge = 6,
}

/// An item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) kind: Kind,
    pub(super) key: &'a [u8],
    pub(super) version: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Item<'a> {
    /// A cursor.
    pub(super) fn cursor(kind: Kind, cursor: &'a [u8]) -> Self {
        Item { kind, key: &[], version: &[], value: cursor }
    }

    /// Bytes of the item.
    pub(super) fn len(&self) -> usize {
        HEAD + self.key.len() + self.version.len() + self.value.len()
    }

    /// The bytes before the key. Lengths are within the limits.
    pub(super) fn head(&self) -> [u8; HEAD] {
        let [a, b, c, _] = (self.key.len() as u32).to_le_bytes();
        let [d, e] = (self.version.len() as u16).to_le_bytes();
        [a, b, c, self.kind as u8, d, e]
    }

    /// Appends the item's bytes, for which there is room.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head());
        for part in [self.key, self.version, self.value] {
            out.extend_from_slice(part);
        }
    }

    /// The item in these bytes.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Item<'a>> {
        let (&[a, b, c, kind, d, e], rest) = bytes.split_first_chunk::<HEAD>()?;
        let kind = [Kind::Cursor, Kind::Fold, Kind::Entry, Kind::Put, Kind::Delete, Kind::Purge]
            .into_iter()
            .find(|k| *k as u8 == kind)?;
        let (key, version) = (u32::from_le_bytes([a, b, c, 0]) as usize, u16::from_le_bytes([d, e]) as usize);
        let (key, rest) = rest.split_at_checked(key)?;
        let (version, value) = rest.split_at_checked(version)?;
        let sizes = [key, version, value].map(|part| part.len() as u64);
        let most = match kind {
            Kind::Cursor | Kind::Fold => [0, 0, MAX_CURSOR],
            Kind::Entry | Kind::Put => [MAX_KEY, MAX_VERSION, MAX_ITEM],
            Kind::Delete | Kind::Purge => [MAX_KEY, MAX_VERSION, 0],
        };
        let fits = sizes.iter().zip(most).all(|(size, most)| *size <= most);
        fits.then_some(Item { kind, key, version, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(item: Item<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        assert_eq!(bytes.len(), item.len());
        bytes
    }

    #[test]
    fn items_survive_the_round_trip() {
        let (key, version) = (alloc::vec![7; MAX_KEY as usize], alloc::vec![8; MAX_VERSION as usize]);
        for item in [
            Item::cursor(Kind::Cursor, b""),
            Item::cursor(Kind::Fold, b"cursor"),
            Item { kind: Kind::Put, key: b"", version: b"", value: b"" },
            Item { kind: Kind::Put, key: &key, version: &version, value: b"value" },
            Item { kind: Kind::Delete, key: b"k", version: b"v", value: b"" },
            Item { kind: Kind::Purge, key: &key, version: b"", value: b"" },
        ] {
            assert_eq!(Item::decode(&encode(item)), Some(item));
        }
    }

    #[test]
    fn decoding_takes_any_bytes() {
        let good = encode(Item { kind: Kind::Put, key: b"key", version: b"ver", value: b"value" });
        for len in 0..good.len() {
            let _ = Item::decode(&good[..len]);
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = !bad[at];
            let _ = Item::decode(&bad);
        }
        for bad in [&[0, 0, 0, 0, 0, 0][..], &[1, 0, 0, 1, 0, 0, 9], &[0, 0, 0, 5, 0, 0, 9], &[255; 6], &[1]]
        {
            assert_eq!(Item::decode(bad), None, "{bad:?}");
        }
    }
}
