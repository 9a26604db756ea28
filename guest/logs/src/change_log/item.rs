//! The items that an instance writes. The format is described in [`super`].
//!
//! Decoding takes hostile bytes: anything that is not exactly what encoding writes is no item.

use crate::error::Result;
use crate::record_log::room;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Whose change it is, and when to clean up after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tag<'a> {
    /// The instance that recorded it.
    pub(super) origin: &'a str,
    /// Epoch of that instance: of two changes with one key, that of the higher epoch stands.
    pub(super) epoch: u64,
    pub(super) id: &'a [u8],
    pub(super) cleanup_after_ms: Option<u64>,
}

/// What an item says; the payload of a change follows behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Item<'a> {
    /// This change is outstanding, whatever was said of its key before.
    #[serde(borrow)]
    Put(Tag<'a>),
    /// This change was taken over; it counts from the next `Adopted` on that covers it.
    #[serde(borrow)]
    Adopt(Tag<'a>),
    /// The change of this origin and id is not outstanding any more.
    Remove { origin: &'a str, id: &'a [u8] },
    /// Everything that was outstanding in these epochs is here: what was adopted from this position on counts.
    Adopted { since: u64, epochs: Vec<u64> },
}

/// Bytes that the head of an item takes at most besides its origin and id.
const FIELDS: usize = 64;

impl<'a> Item<'a> {
    /// The item's bytes, up to the payload.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let len = match self {
            Item::Put(tag) | Item::Adopt(tag) => tag.origin.len() + tag.id.len(),
            Item::Remove { origin, id } => origin.len() + id.len(),
            Item::Adopted { epochs, .. } => 10 * epochs.len(),
        };
        let mut bytes: Vec<u8> = room(len + FIELDS)?;
        bytes.resize(len + FIELDS, 0);
        // Cannot fail: it fits.
        let used = postcard::to_slice(self, &mut bytes).map_or(0, |used| used.len());
        bytes.truncate(used);
        Ok(bytes)
    }

    /// The item in these bytes, and where its payload begins.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<(Item<'a>, usize)> {
        let (item, payload) = postcard::take_from_bytes::<Item<'_>>(bytes).ok()?;
        let bare = matches!(item, Item::Remove { .. } | Item::Adopted { .. });
        (!bare || payload.is_empty()).then_some((item, bytes.len() - payload.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_survive_the_round_trip_and_nothing_else_is_one() {
        let tag = Tag { origin: "a-1", epoch: u64::MAX, id: &[0, 1, 255], cleanup_after_ms: Some(u64::MAX) };
        let remove = Item::Remove { origin: "", id: &[] };
        for item in [
            Item::Put(tag),
            Item::Adopt(tag),
            remove,
            Item::Adopted { since: u64::MAX, epochs: alloc::vec![u64::MAX; 9] },
        ] {
            let mut bytes = item.encode().unwrap();
            assert_eq!(Item::decode(&bytes), Some((item.clone(), bytes.len())));
            for len in 0..bytes.len() {
                assert_eq!(Item::decode(&bytes[..len]), None, "{len} bytes of {item:?}");
            }
            let len = bytes.len();
            bytes.push(7);
            let payload = matches!(item, Item::Put(_) | Item::Adopt(_));
            assert_eq!(Item::decode(&bytes), payload.then_some((item, len)));
        }
    }

    #[test]
    fn decoding_takes_any_bytes() {
        for first in 0..=255u8 {
            let _ = Item::decode(&[first; 40]);
        }
        assert_eq!(Item::decode(&[3, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), None);
    }
}
