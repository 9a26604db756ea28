//! Plain values that all logs share: the mirror of the records in `wit/types.wit` that are not about errors.

use alloc::vec::Vec;

/// How much one read may return; it returns at least one item if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Number of items; 0 counts as 1.
    pub count: u32,
    /// Bytes of items.
    pub bytes: u32,
}

/// How to open a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It must not exist.
    Create,
    /// It must exist.
    Open,
    /// Whichever it is.
    OpenOrCreate,
    /// It must exist; no lock, no change, no repair.
    ReadOnly,
}

/// Consecutive items, packed: item `i` has position `first + i` and is `bytes[ends[i-1]..ends[i]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Position of the first item.
    pub first: u64,
    /// Where each item ends.
    pub ends: Vec<u32>,
    /// The items, one behind the other.
    pub bytes: Vec<u8>,
}

/// Items with their positions, packed likewise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Position of each item.
    pub ids: Vec<u64>,
    /// Where each item ends.
    pub ends: Vec<u32>,
    /// The items, one behind the other.
    pub bytes: Vec<u8>,
}

/// The items of a packed list.
pub fn unpack<'a>(ends: &'a [u32], bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
    let mut start = 0;
    ends.iter().map(move |&end| {
        let item = bytes.get(start..end as usize).unwrap_or(&[]);
        start = end as usize;
        item
    })
}
