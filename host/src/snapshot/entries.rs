//! What comes out of the fold.

use crate::types::{is_packed, item};
use std::fmt;

/// What a key has.
///
/// ```
/// let entry = annals::snapshot::Entry { key: b"k".to_vec(), value: b"v".to_vec(), version: vec![] };
/// assert_eq!(entry.as_ref().value, b"v");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// Its value; may be empty.
    pub value: Vec<u8>,
    /// Its version; may be empty.
    pub version: Vec<u8>,
}

impl Entry {
    /// The same, borrowed.
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef { key: &self.key, value: &self.value, version: &self.version }
    }
}

/// An entry among [`Entries`].
///
/// ```
/// let entry = annals::snapshot::EntryRef { key: b"k", value: b"v", version: b"" };
/// assert_eq!(entry.to_owned().as_ref(), entry);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value; may be empty.
    pub value: &'a [u8],
    /// Its version; may be empty.
    pub version: &'a [u8],
}

impl EntryRef<'_> {
    /// An entry that owns its bytes.
    pub fn to_owned(&self) -> Entry {
        Entry { key: self.key.to_vec(), value: self.value.to_vec(), version: self.version.to_vec() }
    }
}

/// Entries in ascending order of their keys, packed into one piece of memory.
///
/// ```
/// use annals::snapshot::Entries;
///
/// let entries = Entries::new(vec![1, 2, 2, 3, 4, 6], b"a1b2v7".to_vec()).unwrap();
/// assert_eq!((entries.len(), entries.is_empty()), (2, false));
/// let last = entries.iter().last().unwrap();
/// assert_eq!((last.key, last.value, last.version), (&b"b"[..], &b"2"[..], &b"v7"[..]));
/// assert_eq!(entries.get(1), Some(last));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entries {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Entries {
    /// Packs entries: three ends for each, of key, value and version. `None` if they do not fit together.
    pub fn new(ends: Vec<u32>, bytes: Vec<u8>) -> Option<Entries> {
        (ends.len().is_multiple_of(3) && is_packed(&ends, bytes.len())).then_some(Entries { ends, bytes })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.ends.len() / 3
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The `index`th of them.
    pub fn get(&self, index: usize) -> Option<EntryRef<'_>> {
        let part = |part| item(&self.ends, &self.bytes, index.checked_mul(3)?.checked_add(part)?);
        Some(EntryRef { key: part(0)?, value: part(1)?, version: part(2)? })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        (0..self.len()).map_while(|index| self.get(index))
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("len", &self.len()).field("bytes", &self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inconsistent_packing_is_refused() {
        for (ends, bytes) in [
            (vec![1], vec![0]),
            (vec![1, 1], vec![0]),
            (vec![1, 1, 2], vec![0]),
            (vec![1, 0, 1], vec![0]),
            (vec![], vec![0]),
        ] {
            assert!(Entries::new(ends, bytes).is_none());
        }
        assert_eq!(Entries::new(vec![], vec![]), Some(Entries::default()));
    }
}
