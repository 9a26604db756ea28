//! A window on a file: the bytes read last, so that neighbouring small reads cost one call.
//!
//! What the storage answers is checked: more bytes than asked for is an error. Fewer bytes come
//! back only where the file ends; what that means is up to the reader.

use crate::error::{Damage, Error, Result};
use crate::storage::{File, StorageError};
use alloc::{collections::TryReserveError, format, string::String, vec::Vec};

/// The error for damage that the storage itself knows of.
pub(super) fn known_damage(file: &str, what: String) -> Error {
    Error::Damaged(Damage { file: file.into(), offset: 0, lowest: None, next: None, what })
}

/// The error for a failed read: it closes nothing.
pub(super) fn read_failed(file: &str, error: StorageError) -> Error {
    match error {
        StorageError::Damaged(what) => known_damage(file, what),
        StorageError::Io(what) => Error::Storage(format!("reading {file}: {what}")),
        other => Error::Storage(format!("reading {file}: {other:?}")),
    }
}

/// No file is as large as this; sums of offsets and lengths below it cannot overflow.
const IMPOSSIBLE: u64 = 1 << 60;

/// Bytes in a file.
pub(super) fn file_size<F: File>(file: &F, name: &str) -> Result<u64> {
    match file.size().map_err(|e| read_failed(name, e))? {
        size if size < IMPOSSIBLE => Ok(size),
        size => Err(Error::Storage(format!("reading {name}: an impossible size, {size}"))),
    }
}

/// The error for memory that is not to be had.
pub(crate) fn exhausted(_: TryReserveError) -> Error {
    Error::Other("memory exhausted".into())
}

/// Room for `len` bytes, or an error instead of an abort.
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(exhausted)?;
    Ok(vec)
}

/// `len` bytes at `offset`, fewer where the file ends.
pub(super) fn read<F: File>(file: &F, name: &str, offset: u64, len: u32) -> Result<Vec<u8>> {
    let bytes = file.read(offset, len).map_err(|e| read_failed(name, e))?;
    if bytes.len() > len as usize {
        return Err(Error::Storage(format!("reading {name}: more bytes than asked for")));
    }
    Ok(bytes)
}

/// Bytes of one file from `start` on.
#[derive(Debug, Default)]
pub(super) struct Window {
    segment: u64,
    start: u64,
    bytes: Vec<u8>,
    /// How far the last read went ahead.
    ahead: usize,
}

/// How far a read goes ahead that does not continue the one before.
const FIRST_AHEAD: usize = 4096;

impl Window {
    /// Forgets what it holds of this segment from `offset` on, because it was written or cut.
    pub(super) fn forget(&mut self, segment: u64, offset: u64) {
        if self.segment == segment && offset < self.start + self.bytes.len() as u64 {
            self.bytes.clear();
        }
    }

    /// `len` bytes at `offset`, fewer where the file ends. If it must read, it reads ahead: more with each read that
    /// continues the one before, up to `most` bytes.
    pub(super) fn get<F: File>(
        &mut self,
        file: &F,
        name: &str,
        segment: u64,
        offset: u64,
        len: usize,
        most: usize,
    ) -> Result<&[u8]> {
        let inside = self.segment == segment && offset >= self.start;
        let at = if inside { offset - self.start } else { u64::MAX };
        let held = at.checked_add(len as u64).is_some_and(|end| end <= self.bytes.len() as u64);
        if !held {
            let goes_on = inside && offset - self.start <= self.bytes.len() as u64 && !self.bytes.is_empty();
            self.ahead = if goes_on { self.ahead.saturating_mul(4) } else { FIRST_AHEAD }.min(most);
            let want =
                u32::try_from(len.max(self.ahead)).map_err(|_| Error::Other("read too large".into()))?;
            self.bytes.clear();
            let bytes = read(file, name, offset, want)?;
            (self.segment, self.start, self.bytes) = (segment, offset, bytes);
        }
        let at = (offset - self.start) as usize; // inside `bytes` or at its start
        let end = self.bytes.len().min(at + len);
        Ok(self.bytes.get(at..end).unwrap_or(&[]))
    }
}
