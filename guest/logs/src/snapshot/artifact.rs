//! What an artifact's payload looks like.
//!
//! `data/cursor` holds the cursor. `data/entries-00000000`, `data/entries-00000001` and so on hold the entries in ascending
//! order of their keys: for each the lengths of key, value and version as 4 bytes (little endian), then the three. A file
//! ends before the entry that would make it longer than [`FILE_BYTES`]. So equal folds have equal payloads.

use crate::format::{MAX_ITEM, MAX_KEY, MAX_VERSION};
use alloc::{format, string::String};

/// Version of the manifest.
pub const SCHEMA_VERSION: u32 = 1;
/// What writes such payloads.
pub const BACKEND: &str = "annals-snapshot";
/// Version of the payload's format.
pub const BACKEND_VERSION: &str = "1";
/// Most bytes in a file of entries.
pub const FILE_BYTES: u64 = 64 << 20;

/// The file with the cursor.
pub(super) const CURSOR: &str = "data/cursor";
const ENTRIES: &str = "data/entries-";
/// Bytes before the key of an entry.
pub(super) const ENTRY_HEAD: usize = 12;

/// The file number `number` with entries.
pub(super) fn entries_path(number: u64) -> String {
    format!("{ENTRIES}{number:08}")
}

/// Whether a payload may have a file of this path.
pub(super) fn is_path(path: &str) -> bool {
    let number = path.strip_prefix(ENTRIES).and_then(|digits| digits.parse().ok());
    path == CURSOR || number.is_some_and(|number| entries_path(number) == path)
}

/// What comes before an entry's key.
pub(super) fn entry_head(key: &[u8], value: &[u8], version: &[u8]) -> [u8; ENTRY_HEAD] {
    let mut head = [0; ENTRY_HEAD];
    for (place, part) in head.as_chunks_mut::<4>().0.iter_mut().zip([key, value, version]) {
        *place = (part.len() as u32).to_le_bytes();
    }
    head
}

/// The lengths of key, value and version; none if one is above its maximum.
pub(super) fn entry_lengths(head: &[u8; ENTRY_HEAD]) -> Option<[usize; 3]> {
    let most = [MAX_KEY, MAX_ITEM, MAX_VERSION];
    let mut lengths = [0; 3];
    for ((length, bytes), most) in lengths.iter_mut().zip(head.as_chunks::<4>().0).zip(most) {
        *length = u32::from_le_bytes(*bytes) as usize;
        if *length as u64 > most {
            return None;
        }
    }
    Some(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_paths_are_paths() {
        assert!(
            is_path("data/cursor") && is_path("data/entries-00000000") && is_path("data/entries-123456789")
        );
        for bad in [
            "",
            "cursor",
            "/data/cursor",
            "data/../data/cursor",
            "data//cursor",
            "data\\cursor",
            "data/cursor/",
            "DATA/cursor",
            "data/entries-0",
            "data/entries-0000000a",
            "data/entries-+0000000",
            "data/entries-000000001",
            "../data/entries-00000000",
        ] {
            assert!(!is_path(bad), "{bad}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let head = entry_head(b"key", b"v", b"");
        assert_eq!(entry_lengths(&head), Some([3, 1, 0]));
        assert_eq!(entry_lengths(&[0xFF; ENTRY_HEAD]), None);
    }
}
