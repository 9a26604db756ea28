//! Between the generated types and the public ones. What the component answers is checked here.

use crate::{
    bindings::exports::annals::log::types as wit,
    error::{ArtifactFault, Cause, Error, Limit},
    limits,
    token::Token,
    types::{Batch, Bounds, Damage, Items, Limits, Mode},
};

fn wide((high, low): (u64, u64)) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

fn halves(wide: u128) -> (u64, u64) {
    ((wide >> 64) as u64, wide as u64)
}

pub(crate) fn token(token: wit::Token) -> Token {
    Token { log: wide(token.log), frame: token.frame, check: wide(token.check) }
}

pub(crate) fn token_to_wit(token: Token) -> wit::Token {
    wit::Token { log: halves(token.log), frame: token.frame, check: halves(token.check) }
}

pub(crate) fn mode_to_wit(mode: Mode) -> wit::Mode {
    match mode {
        Mode::Create => wit::Mode::Create,
        Mode::Open => wit::Mode::Open,
        Mode::OpenOrCreate => wit::Mode::OpenOrCreate,
        Mode::ReadOnly => wit::Mode::ReadOnly,
    }
}

pub(crate) fn limits_to_wit(limits: Limits) -> wit::Limits {
    wit::Limits { count: limits.count, bytes: max_bytes(limits.bytes) }
}

/// An answer may always be shorter, so asking for more than a batch can have is asking for a batch.
pub(crate) fn max_bytes(bytes: u32) -> u32 {
    bytes.min(limits::BATCH_BYTES as u32)
}

pub(crate) fn batch(batch: wit::Batch) -> Result<Batch, Error> {
    Batch::new(batch.first, batch.ends, batch.bytes).ok_or_else(|| nonsense("a batch"))
}

pub(crate) fn items(items: wit::Items) -> Result<Items, Error> {
    Items::new(items.ids, items.ends, items.bytes).ok_or_else(|| nonsense("items"))
}

pub(crate) fn damage(damage: wit::Damage) -> Damage {
    let wit::Damage { file, offset, lowest, next, what } = damage;
    Damage { file, offset, lowest, next, what }
}

fn bounds(bounds: wit::Bounds) -> Bounds {
    Bounds { start: bounds.start, end: bounds.end }
}

pub(crate) fn error(error: wit::Error) -> Error {
    use wit::Error as E;
    match error {
        E::NotFound => Error::NotFound,
        E::Exists => Error::Exists,
        E::Locked => Error::Locked,
        E::OtherKind(kind) => Error::OtherKind(kind),
        E::OptionsDiffer(what) => Error::OptionsDiffer(what),
        E::InvalidArgument(what) => Error::InvalidArgument(what),
        E::OutOfRange(range) => Error::OutOfRange(bounds(range)),
        E::Pruned(range) => Error::Pruned(bounds(range)),
        E::InvalidRewind(range) => Error::InvalidRewind(bounds(range)),
        E::Conflict(id) => Error::Conflict(id),
        E::Gap(range) => Error::Gap(bounds(range)),
        E::Deleted(range) => Error::Deleted(bounds(range)),
        E::TooLarge(wit::Exceeded { what, allowed, got }) => {
            Error::TooLarge { what: limit(what), allowed, got }
        }
        E::Fenced => Error::Fenced,
        E::Artifact(fault) => Error::Artifact(artifact_fault(fault)),
        E::ReadOnly => Error::ReadOnly,
        E::Damaged(what) => Error::Damaged(damage(what)),
        E::RolledBack(last) => Error::RolledBack(token(last)),
        E::UnknownFormat(version) => Error::UnknownFormat(version),
        E::OutOfSpace => Error::OutOfSpace,
        E::Storage(what) => Error::Storage(what),
        E::Closed => Error::Closed,
        E::Other(what) => Error::Other(what),
    }
}

fn limit(limit: wit::Limit) -> Limit {
    match limit {
        wit::Limit::ItemSize => Limit::ItemSize,
        wit::Limit::BatchSize => Limit::BatchSize,
        wit::Limit::BatchCount => Limit::BatchCount,
        wit::Limit::KeySize => Limit::KeySize,
        wit::Limit::VersionSize => Limit::VersionSize,
        wit::Limit::CursorSize => Limit::CursorSize,
        wit::Limit::Name => Limit::Name,
        wit::Limit::Handles => Limit::Handles,
        wit::Limit::BytesStored => Limit::BytesStored,
    }
}

fn artifact_fault(fault: wit::ArtifactFault) -> ArtifactFault {
    use wit::ArtifactFault as F;
    match fault {
        F::Manifest => ArtifactFault::Manifest,
        F::SchemaVersion => ArtifactFault::SchemaVersion,
        F::Backend => ArtifactFault::Backend,
        F::BackendVersion => ArtifactFault::BackendVersion,
        F::Path => ArtifactFault::Path,
        F::UndeclaredFile => ArtifactFault::UndeclaredFile,
        F::MissingFile => ArtifactFault::MissingFile,
        F::NotAFile => ArtifactFault::NotAFile,
        F::Size => ArtifactFault::Size,
        F::Checksum => ArtifactFault::Checksum,
        F::Cursor => ArtifactFault::Cursor,
    }
}

pub(crate) fn nonsense(what: &str) -> Error {
    Error::Trap(Cause::new(format!("the component answered {what} that does not fit together")))
}
