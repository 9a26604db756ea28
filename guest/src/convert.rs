//! Between the generated types and those of the library. They mirror each other; there is nothing to decide here.

use crate::bindings::{annals::storage::storage as store, exports::annals::log::types as wit};
use annals_logs::{
    error::{ArtifactFault, Bounds, Damage, Error, Limit, Token},
    storage::{Cell, StorageError},
    types::{Batch, Items, Limits, Mode},
};

pub(crate) fn storage_error(error: store::Error) -> StorageError {
    match error {
        store::Error::NotFound => StorageError::NotFound,
        store::Error::Exists => StorageError::Exists,
        store::Error::Locked => StorageError::Locked,
        store::Error::OutOfSpace => StorageError::OutOfSpace,
        store::Error::InvalidName => StorageError::InvalidName,
        store::Error::Damaged(what) => StorageError::Damaged(what),
        store::Error::Io(what) => StorageError::Io(what),
    }
}

pub(crate) fn cell_from_wit(cell: store::Cell) -> Cell {
    Cell { version: cell.version, value: cell.value }
}

fn wide((high, low): (u64, u64)) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

fn halves(wide: u128) -> (u64, u64) {
    ((wide >> 64) as u64, wide as u64)
}

pub(crate) fn token_from_wit(token: wit::Token) -> Token {
    Token { log: wide(token.log), frame: token.frame, check: wide(token.check) }
}

pub(crate) fn token(token: Token) -> wit::Token {
    wit::Token { log: halves(token.log), frame: token.frame, check: halves(token.check) }
}

pub(crate) fn mode_from_wit(mode: wit::Mode) -> Mode {
    match mode {
        wit::Mode::Create => Mode::Create,
        wit::Mode::Open => Mode::Open,
        wit::Mode::OpenOrCreate => Mode::OpenOrCreate,
        wit::Mode::ReadOnly => Mode::ReadOnly,
    }
}

pub(crate) fn limits_from_wit(limits: wit::Limits) -> Limits {
    Limits { count: limits.count, bytes: limits.bytes }
}

pub(crate) fn batch(batch: Batch) -> wit::Batch {
    wit::Batch { first: batch.first, ends: batch.ends, bytes: batch.bytes }
}

pub(crate) fn items(items: Items) -> wit::Items {
    wit::Items { ids: items.ids, ends: items.ends, bytes: items.bytes }
}

fn bounds(bounds: Bounds) -> wit::Bounds {
    wit::Bounds { start: bounds.start, end: bounds.end }
}

pub(crate) fn damage(damage: Damage) -> wit::Damage {
    let Damage { file, offset, lowest, next, what } = damage;
    wit::Damage { file, offset, lowest, next, what }
}

/// Not inlined: every exported function has it.
#[cold]
#[inline(never)]
pub(crate) fn error(error: Error) -> wit::Error {
    use wit::Error as E;
    match error {
        Error::NotFound => E::NotFound,
        Error::Exists => E::Exists,
        Error::Locked => E::Locked,
        Error::OtherKind(kind) => E::OtherKind(kind),
        Error::OptionsDiffer(what) => E::OptionsDiffer(what),
        Error::InvalidArgument(what) => E::InvalidArgument(what),
        Error::OutOfRange(range) => E::OutOfRange(bounds(range)),
        Error::Pruned(range) => E::Pruned(bounds(range)),
        Error::InvalidRewind(range) => E::InvalidRewind(bounds(range)),
        Error::Conflict(id) => E::Conflict(id),
        Error::Gap(range) => E::Gap(bounds(range)),
        Error::Deleted(range) => E::Deleted(bounds(range)),
        Error::TooLarge { what, allowed, got } => {
            E::TooLarge(wit::Exceeded { what: limit(what), allowed, got })
        }
        Error::Fenced => E::Fenced,
        Error::Artifact(fault) => E::Artifact(artifact_fault(fault)),
        Error::ReadOnly => E::ReadOnly,
        Error::Damaged(what) => E::Damaged(damage(what)),
        Error::RolledBack(last) => E::RolledBack(token(last)),
        Error::UnknownFormat(version) => E::UnknownFormat(version),
        Error::OutOfSpace => E::OutOfSpace,
        Error::Storage(what) => E::Storage(what),
        Error::Closed => E::Closed,
        Error::Other(what) => E::Other(what),
    }
}

fn limit(limit: Limit) -> wit::Limit {
    match limit {
        Limit::ItemSize => wit::Limit::ItemSize,
        Limit::BatchSize => wit::Limit::BatchSize,
        Limit::BatchCount => wit::Limit::BatchCount,
        Limit::KeySize => wit::Limit::KeySize,
        Limit::VersionSize => wit::Limit::VersionSize,
        Limit::CursorSize => wit::Limit::CursorSize,
        Limit::Name => wit::Limit::Name,
        Limit::Handles => wit::Limit::Handles,
        Limit::BytesStored => wit::Limit::BytesStored,
    }
}

fn artifact_fault(fault: ArtifactFault) -> wit::ArtifactFault {
    use wit::ArtifactFault as F;
    match fault {
        ArtifactFault::Manifest => F::Manifest,
        ArtifactFault::SchemaVersion => F::SchemaVersion,
        ArtifactFault::Backend => F::Backend,
        ArtifactFault::BackendVersion => F::BackendVersion,
        ArtifactFault::Path => F::Path,
        ArtifactFault::UndeclaredFile => F::UndeclaredFile,
        ArtifactFault::MissingFile => F::MissingFile,
        ArtifactFault::NotAFile => F::NotAFile,
        ArtifactFault::Size => F::Size,
        ArtifactFault::Checksum => F::Checksum,
        ArtifactFault::Cursor => F::Cursor,
    }
}
