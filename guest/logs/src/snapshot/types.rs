//! What goes into a snapshot and what comes out of it: the mirror of the records in `wit/snapshot.wit`.

use crate::error::Token;
use crate::types::Mode;
use alloc::{string::String, vec::Vec};

/// What a key has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// Its value; may be empty.
    pub value: Vec<u8>,
    /// Its version; may be empty.
    pub version: Vec<u8>,
}

/// One change. Delete and purge do the same to the fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Update<'a> {
    /// The key has this value and version now.
    Put { key: &'a [u8], value: &'a [u8], version: &'a [u8] },
    /// The key is gone.
    Delete { key: &'a [u8], version: &'a [u8] },
    /// The key is gone, and the stream forgot its past.
    Purge { key: &'a [u8], version: &'a [u8] },
}

impl<'a> Update<'a> {
    /// The key that it is about.
    pub fn key(&self) -> &'a [u8] {
        match *self {
            Update::Put { key, .. } | Update::Delete { key, .. } | Update::Purge { key, .. } => key,
        }
    }

    /// Its version.
    pub fn version(&self) -> &'a [u8] {
        match *self {
            Update::Put { version, .. } | Update::Delete { version, .. } | Update::Purge { version, .. } => {
                version
            }
        }
    }

    /// Its value; empty unless it is a put.
    pub fn value(&self) -> &'a [u8] {
        match *self {
            Update::Put { value, .. } => value,
            _ => &[],
        }
    }
}

/// Kind of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UpdateKind {
    Put,
    Delete,
    Purge,
}

/// Entries in ascending order of keys, packed: three ends for each, of key, value and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Where key, value and version of each end.
    pub ends: Vec<u32>,
    /// The bytes, one behind the other.
    pub bytes: Vec<u8>,
}

impl Entries {
    /// The entries: key, value, version.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
        let mut parts = crate::types::unpack(&self.ends, &self.bytes);
        core::iter::from_fn(move || Some((parts.next()?, parts.next()?, parts.next()?)))
    }
}

/// How to open a snapshot; `wit/snapshot.wit` says what each option means.
#[derive(Clone, Debug)]
pub struct Options {
    /// Create, open, either, or read only.
    pub mode: Mode,
    /// Refuse a log whose history does not contain this.
    pub expect: Option<Token>,
    /// Fixed: size of a full segment.
    pub segment_bytes: Option<u64>,
    /// Whether `apply` returns without a sync.
    pub relaxed: bool,
    /// Dead bytes from which on the log is compacted.
    pub compact_at: Option<u64>,
    /// Keep only keys in memory.
    pub values_on_disk: bool,
    /// How long to wait for another writer.
    pub lock_wait_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::OpenOrCreate,
            expect: None,
            segment_bytes: None,
            relaxed: false,
            compact_at: None,
            values_on_disk: false,
            lock_wait_ms: 0,
        }
    }
}

/// What there is; `wit/snapshot.wit` says what each number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stats {
    pub entries: u64,
    pub live_bytes: u64,
    pub dead_bytes: u64,
    pub generation: u64,
}

/// A file of an artifact and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ArtifactPath {
    pub path: String,
    pub size: u64,
}

/// A file of an artifact as its manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ArtifactFile {
    pub path: String,
    pub size: u64,
    /// BLAKE3 of its bytes: 32 bytes in a manifest that makes sense.
    pub blake3: Vec<u8>,
}

/// What an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Manifest {
    pub schema_version: u32,
    pub backend: String,
    pub backend_version: String,
    pub cursor: Vec<u8>,
    pub created_at_unix: u64,
    pub files: Vec<ArtifactFile>,
}

/// Bytes of one file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ArtifactChunk {
    pub path: String,
    pub bytes: Vec<u8>,
}
