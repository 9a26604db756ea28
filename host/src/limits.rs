//! The maxima of the logs, checked here before arguments cross into the component.
//!
//! The component checks them again; checking on this side spares copying what would be refused anyway, and keeps a
//! caller's mistake from using up the component's memory.

use crate::error::{Error, Limit};

/// Bytes of one item: 16 MiB.
pub const ITEM_BYTES: usize = 16 << 20;
/// Bytes of all items of one batch together: 64 MiB.
pub const BATCH_BYTES: usize = 64 << 20;
/// Items of one batch: 1,048,576. Also the number of positions of one `read_many`.
pub const BATCH_COUNT: usize = 1 << 20;
/// Bytes of a key of a snapshot, or of an id of a change: 64 KiB.
pub const KEY_BYTES: usize = 64 << 10;
/// Bytes of a version of a snapshot's entry: 4 KiB.
pub const VERSION_BYTES: usize = 4 << 10;
/// Bytes of a cursor of a snapshot: 4 KiB.
pub const CURSOR_BYTES: usize = 4 << 10;
/// Bytes of a log name.
pub const NAME_BYTES: usize = 64;
/// Bytes of what a Raft log's hard state holds besides term and vote: 4 KiB.
pub const HARD_STATE_BYTES: usize = 4 << 10;

fn check(what: Limit, allowed: usize, got: usize) -> Result<(), Error> {
    if got <= allowed {
        return Ok(());
    }
    Err(Error::TooLarge { what, allowed: allowed as u64, got: got as u64 })
}

pub(crate) fn item(item: &[u8]) -> Result<(), Error> {
    item_bytes(item.len())
}

/// The same for an item of so many bytes.
pub(crate) fn item_bytes(bytes: usize) -> Result<(), Error> {
    check(Limit::ItemSize, ITEM_BYTES, bytes)
}

/// So many bytes of items together.
pub(crate) fn batch_bytes(bytes: usize) -> Result<(), Error> {
    check(Limit::BatchSize, BATCH_BYTES, bytes)
}

pub(crate) fn hard_state(extra: &[u8]) -> Result<(), Error> {
    check(Limit::BytesStored, HARD_STATE_BYTES, extra.len())
}

pub(crate) fn count(count: usize) -> Result<(), Error> {
    check(Limit::BatchCount, BATCH_COUNT, count)
}

pub(crate) fn name(name: &str) -> Result<(), Error> {
    check(Limit::Name, NAME_BYTES, name.len())
}

pub(crate) fn key(key: &[u8]) -> Result<(), Error> {
    check(Limit::KeySize, KEY_BYTES, key.len())
}

pub(crate) fn cursor(cursor: &[u8]) -> Result<(), Error> {
    check(Limit::CursorSize, CURSOR_BYTES, cursor.len())
}

/// Key, value and version of an update of a snapshot.
pub(crate) fn update([key, value, version]: [&[u8]; 3]) -> Result<(), Error> {
    self::key(key)?;
    check(Limit::VersionSize, VERSION_BYTES, version.len())?;
    item(value)
}

pub(crate) fn batch<'a>(items: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<usize, Error> {
    count(items.len())?;
    let mut bytes = 0_usize;
    for item in items {
        self::item(item)?;
        bytes = bytes.saturating_add(item.len());
    }
    check(Limit::BatchSize, BATCH_BYTES, bytes)?;
    Ok(bytes)
}

/// Sizes of items are left to the component: they only mean something once the ends were found to ascend.
pub(crate) fn packed(ends: &[u32], bytes: &[u8]) -> Result<(), Error> {
    count(ends.len())?;
    check(Limit::BatchSize, BATCH_BYTES, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_maximum_is_allowed_and_one_more_is_not() {
        let big = vec![0_u8; ITEM_BYTES + 1];
        assert!(item(&big[..ITEM_BYTES]).is_ok());
        assert!(matches!(
            item(&big),
            Err(Error::TooLarge { what: Limit::ItemSize, allowed: 0x100_0000, .. })
        ));

        let full = &big[..ITEM_BYTES];
        assert_eq!(batch([full; 4].into_iter()), Ok(BATCH_BYTES));
        let over = batch([full, full, full, full, &[0]].into_iter());
        assert!(matches!(over, Err(Error::TooLarge { what: Limit::BatchSize, .. })));

        assert!(count(BATCH_COUNT).is_ok());
        assert!(matches!(count(BATCH_COUNT + 1), Err(Error::TooLarge { what: Limit::BatchCount, .. })));
        assert!(name(&"a".repeat(64)).is_ok());
        assert!(matches!(name(&"a".repeat(65)), Err(Error::TooLarge { what: Limit::Name, got: 65, .. })));
    }
}
