//! Changes of the fold, one by one and packed.

use crate::{bindings::exports::annals::log::snapshot as wit, error::Error, limits};
use std::fmt;

/// One change. Delete and purge do the same to the fold: the key is gone, whether it was there or not.
///
/// ```
/// use annals::snapshot::Update;
///
/// let put = Update::put(b"key", b"value").version(b"7");
/// assert_eq!(put, Update::Put { key: b"key", value: b"value", version: b"7" });
/// assert_eq!(Update::delete(b"key"), Update::Delete { key: b"key", version: b"" });
/// assert_eq!(Update::purge(b"key").key(), b"key");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update<'a> {
    /// The key has this value and version now.
    Put {
        /// The key.
        key: &'a [u8],
        /// Its value; an empty one is one.
        value: &'a [u8],
        /// Its version; may be empty.
        version: &'a [u8],
    },
    /// The key is gone.
    Delete {
        /// The key.
        key: &'a [u8],
        /// The version of the deletion.
        version: &'a [u8],
    },
    /// The key is gone, and the stream forgot its past.
    Purge {
        /// The key.
        key: &'a [u8],
        /// The version of the deletion.
        version: &'a [u8],
    },
}

impl<'a> Update<'a> {
    /// A put with an empty version.
    pub fn put(key: &'a [u8], value: &'a [u8]) -> Update<'a> {
        Update::Put { key, value, version: &[] }
    }

    /// A delete with an empty version.
    pub fn delete(key: &'a [u8]) -> Update<'a> {
        Update::Delete { key, version: &[] }
    }

    /// A purge with an empty version.
    pub fn purge(key: &'a [u8]) -> Update<'a> {
        Update::Purge { key, version: &[] }
    }

    /// The same with this version.
    #[must_use]
    pub fn version(mut self, new: &'a [u8]) -> Update<'a> {
        let (Update::Put { version, .. } | Update::Delete { version, .. } | Update::Purge { version, .. }) =
            &mut self;
        *version = new;
        self
    }

    /// Whose it is.
    pub fn key(&self) -> &'a [u8] {
        let (Update::Put { key, .. } | Update::Delete { key, .. } | Update::Purge { key, .. }) = self;
        key
    }

    /// Key, value and version; the value of a delete or purge is empty.
    fn parts(&self) -> [&'a [u8]; 3] {
        match *self {
            Update::Put { key, value, version } => [key, value, version],
            Update::Delete { key, version } | Update::Purge { key, version } => [key, &[], version],
        }
    }

    fn kind(&self) -> UpdateKind {
        match self {
            Update::Put { .. } => UpdateKind::Put,
            Update::Delete { .. } => UpdateKind::Delete,
            Update::Purge { .. } => UpdateKind::Purge,
        }
    }
}

/// What an [`Update`] is.
///
/// ```
/// use annals::snapshot::{UpdateKind, Updates};
///
/// let updates = Updates::from_parts(&[UpdateKind::Delete], vec![3, 3, 3], b"key".to_vec());
/// assert_eq!(updates.len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateKind {
    /// The key has this value and version now.
    Put,
    /// The key is gone.
    Delete,
    /// The key is gone, and the stream forgot its past.
    Purge,
}

/// Updates, packed into one piece of memory: a batch that grows bit by bit.
///
/// ```
/// use annals::snapshot::{Update, Updates};
///
/// let mut updates = Updates::new();
/// updates.push(Update::put(b"a", b"1"))?;
/// updates.push(Update::delete(b"b"))?;
/// assert_eq!((updates.len(), updates.bytes(), updates.is_empty()), (2, 3, false));
/// updates.clear();
/// assert!(updates.is_empty());
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone)]
pub struct Updates(pub(super) wit::Updates);

impl Updates {
    /// None yet.
    pub fn new() -> Updates {
        Updates(wit::Updates { kinds: Vec::new(), ends: Vec::new(), bytes: Vec::new() })
    }

    /// What was packed elsewhere: update `i` has the three ends `ends[3 * i]` to `ends[3 * i + 2]` of its key, value and
    /// version in `bytes`. Whether that fits together is checked when it is applied.
    pub fn from_parts(kinds: &[UpdateKind], ends: Vec<u32>, bytes: Vec<u8>) -> Updates {
        let kinds = kinds.iter().map(|kind| kind.to_wit()).collect();
        Updates(wit::Updates { kinds, ends, bytes })
    }

    /// Adds an update behind the others.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge): it is, or the batch would be; nothing was added.
    pub fn push(&mut self, update: Update<'_>) -> Result<(), Error> {
        limits::count(self.len() + 1)?;
        let parts = update.parts();
        limits::update(parts)?;
        let total = parts.iter().fold(self.bytes(), |total, part| total.saturating_add(part.len()));
        limits::batch_bytes(total)?;
        self.0.kinds.push(update.kind().to_wit());
        for part in parts {
            self.0.bytes.extend_from_slice(part);
            // The total fits, it was checked above.
            self.0.ends.push(self.0.bytes.len() as u32);
        }
        Ok(())
    }

    /// Number of updates.
    pub fn len(&self) -> usize {
        self.0.kinds.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.kinds.is_empty()
    }

    /// Bytes of all keys, values and versions together.
    pub fn bytes(&self) -> usize {
        self.0.bytes.len()
    }

    /// Removes all; the memory stays for the next ones.
    pub fn clear(&mut self) {
        self.0.kinds.clear();
        self.0.ends.clear();
        self.0.bytes.clear();
    }
}

impl Default for Updates {
    fn default() -> Updates {
        Updates::new()
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").field("len", &self.len()).field("bytes", &self.bytes()).finish()
    }
}

impl UpdateKind {
    fn to_wit(self) -> wit::UpdateKind {
        match self {
            UpdateKind::Put => wit::UpdateKind::Put,
            UpdateKind::Delete => wit::UpdateKind::Delete,
            UpdateKind::Purge => wit::UpdateKind::Purge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Limit;

    #[test]
    fn what_is_too_large_is_not_added() {
        let big = vec![0; limits::ITEM_BYTES + 1];
        let mut updates = Updates::new();
        for (update, limit) in [
            (Update::put(b"k", &big), Limit::ItemSize),
            (Update::put(&big[..limits::KEY_BYTES + 1], b""), Limit::KeySize),
            (Update::delete(&big[..limits::KEY_BYTES + 1]), Limit::KeySize),
            (Update::purge(b"k").version(&big[..limits::VERSION_BYTES + 1]), Limit::VersionSize),
        ] {
            assert!(matches!(updates.push(update), Err(Error::TooLarge { what, .. }) if what == limit));
        }
        let full = &big[..limits::ITEM_BYTES];
        for _ in 0..4 {
            updates.push(Update::put(b"", full)).unwrap();
        }
        let more = updates.push(Update::put(b"k", b""));
        assert!(matches!(more, Err(Error::TooLarge { what: Limit::BatchSize, .. })));
        assert_eq!((updates.len(), updates.bytes()), (4, limits::BATCH_BYTES));
        updates.clear();
        for _ in 0..limits::BATCH_COUNT {
            updates.push(Update::delete(b"")).unwrap();
        }
        let more = updates.push(Update::delete(b""));
        assert!(matches!(more, Err(Error::TooLarge { what: Limit::BatchCount, .. })));
    }
}
