//! What a caller may ask for: sizes of items and batches, checked before anything is written.

use crate::error::{Error, Limit, Result};
use crate::format::{MAX_BATCH, MAX_COUNT, MAX_CURSOR, MAX_ITEM, MAX_KEY, MAX_VERSION};

/// An error if an item is too large.
pub(crate) fn check_item(len: u64) -> Result<()> {
    too_large(Limit::ItemSize, MAX_ITEM, len)
}

fn too_large(what: Limit, allowed: u64, got: u64) -> Result<()> {
    if got > allowed { Err(Error::TooLarge { what, allowed, got }) } else { Ok(()) }
}

/// An error if a key is too large.
pub(crate) fn check_key(len: u64) -> Result<()> {
    too_large(Limit::KeySize, MAX_KEY, len)
}

/// An error if a version is too large.
pub(crate) fn check_version(len: u64) -> Result<()> {
    too_large(Limit::VersionSize, MAX_VERSION, len)
}

/// An error if a cursor is too large.
pub(crate) fn check_cursor(len: u64) -> Result<()> {
    too_large(Limit::CursorSize, MAX_CURSOR, len)
}

/// An error if a batch, which may be empty, has too many items or bytes.
pub(crate) fn check_total(count: u64, bytes: u64) -> Result<()> {
    too_large(Limit::BatchCount, MAX_COUNT, count)?;
    too_large(Limit::BatchSize, MAX_BATCH, bytes)
}

/// An error if a batch is empty or too large.
pub(crate) fn check_batch(count: u64, lens: impl Iterator<Item = u64>) -> Result<()> {
    if count == 0 {
        return Err(Error::InvalidArgument("items: a batch has at least one".into()));
    }
    too_large(Limit::BatchCount, MAX_COUNT, count)?;
    let mut total = 0;
    for len in lens {
        check_item(len)?;
        total += len;
    }
    too_large(Limit::BatchSize, MAX_BATCH, total)
}

/// An error if there are not as many positions left: they end before `u64::MAX`.
pub(crate) fn check_room(next: u64, count: u64) -> Result<()> {
    match next.checked_add(count) {
        Some(end) if end < u64::MAX => Ok(()),
        _ => Err(Error::InvalidArgument("items: no positions left".into())),
    }
}
