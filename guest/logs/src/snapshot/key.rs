//! A key in memory. Short ones stand in the map's nodes themselves, so that finding one follows few pointers.

use super::fold::copy;
use crate::error::Result;
use alloc::{boxed::Box, vec::Vec};
use core::borrow::Borrow;
use core::cmp::Ordering;

/// Bytes that fit into the space of a vector on 64 bits.
const SHORT: usize = 22;

/// Bytes, ordered as such.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// The first `len` of these.
    Short {
        len: u8,
        bytes: [u8; SHORT],
    },
    Long(Box<[u8]>),
}

impl Key {
    /// A copy, or an error where there is no memory for it.
    pub(super) fn new(key: &[u8]) -> Result<Key> {
        let mut bytes = [0; SHORT];
        Ok(match bytes.get_mut(..key.len()) {
            Some(place) => {
                place.copy_from_slice(key);
                Key::Short { len: key.len() as u8, bytes }
            }
            None => Key::Long(copy(key)?.into_boxed_slice()),
        })
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Key::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Key::Long(bytes) => bytes,
        }
    }

    /// The bytes as a vector.
    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Key::Short { .. } => self.as_slice().to_vec(),
            Key::Long(bytes) => bytes.into_vec(),
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_lengths_come_back_and_are_ordered_by_their_bytes() {
        assert!(size_of::<Key>() <= 24);
        let bytes: Vec<Vec<u8>> = (0..60).map(|n: u8| alloc::vec![n % 3; usize::from(n)]).collect();
        let keys: Vec<Key> = bytes.iter().map(|bytes| Key::new(bytes).unwrap()).collect();
        for (a, key) in bytes.iter().zip(&keys) {
            assert_eq!((key.as_slice(), &key.clone().into_vec()), (a.as_slice(), a));
            assert!(matches!(key, Key::Short { .. }) == (a.len() <= SHORT));
            for (b, other) in bytes.iter().zip(&keys) {
                assert_eq!((key.cmp(other), key == other), (a.cmp(b), a == b));
            }
        }
    }
}
