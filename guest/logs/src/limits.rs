//! What a caller may ask for: sizes of items, batches and files, checked before anything is written.

use crate::error::{Error, Limit, Result};
use crate::format::{MAX_BATCH, MAX_COUNT, MAX_CURSOR, MAX_ITEM, MAX_KEY, MAX_VERSION};
use alloc::format;
use core::{fmt::Display, ops::RangeInclusive};

/// Size of a full segment, by default.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 20;
/// Smallest and largest size of a full segment.
const SEGMENT_BYTES_RANGE: RangeInclusive<u64> = 64 << 10..=1 << 30;

/// An error if a segment cannot be of the size that this option asks for.
pub(crate) fn check_segment_bytes(option: &str, asked: Option<u64>) -> Result<()> {
    match asked {
        Some(bytes) if !SEGMENT_BYTES_RANGE.contains(&bytes) => {
            Err(Error::InvalidArgument(format!("{option}: from 64 KiB to 1 GiB")))
        }
        _ => Ok(()),
    }
}

/// An error if a fixed option was asked for and differs from the log's.
pub(crate) fn check_fixed<T: Display + PartialEq>(option: &str, asked: Option<T>, is: T) -> Result<()> {
    match asked {
        Some(asked) if asked != is => {
            Err(Error::OptionsDiffer(format!("{option}: the log has {is}, asked for {asked}")))
        }
        _ => Ok(()),
    }
}

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
