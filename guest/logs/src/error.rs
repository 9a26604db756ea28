//! Everything that can go wrong, in one enum for all logs: the mirror of `error` in `wit/types.wit`.
//!
//! Three kinds, never mixed: mistakes of the caller and damage change nothing; a failed write or sync of the storage
//! closes the log. [`Error::class`] tells which.

use alloc::string::String;

/// What every operation returns.
pub type Result<T> = core::result::Result<T, Error>;

/// A half-open range of positions, ids or indexes: `start <= x < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// First one inside.
    pub start: u64,
    /// First one behind.
    pub end: u64,
}

/// A point in the history of one log: a frame, by number and chain value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Id of the log.
    pub log: u128,
    /// Number of the frame.
    pub frame: u64,
    /// Chain value of the frame.
    pub check: u128,
}

/// What is damaged, where, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// File or cell.
    pub file: String,
    /// First damaged byte, or start of the smallest checked part that is damaged.
    pub offset: u64,
    /// Lowest position that is lost; none when no item is.
    pub lowest: Option<u64>,
    /// First one after it that is intact.
    pub next: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

impl Damage {
    /// The same in a log of this size: behind its end nothing is intact.
    pub(crate) fn within(self, size: u64) -> Damage {
        Damage { next: self.next.filter(|next| *next < size), ..self }
    }
}

/// Which maximum was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it; the numbers are in `limits`
pub enum Limit {
    ItemSize,
    BatchSize,
    BatchCount,
    KeySize,
    VersionSize,
    CursorSize,
    Name,
    Handles,
    BytesStored,
}

/// What is wrong with an artifact that was to be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum ArtifactFault {
    Manifest,
    SchemaVersion,
    Backend,
    BackendVersion,
    Path,
    UndeclaredFile,
    MissingFile,
    NotAFile,
    Size,
    Checksum,
    Cursor,
}

/// Every way in which a call can fail. `wit/types.wit` says what each one means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Error {
    NotFound,
    Exists,
    Locked,
    OtherKind(String),
    OptionsDiffer(String),
    InvalidArgument(String),
    OutOfRange(Bounds),
    Pruned(Bounds),
    InvalidRewind(Bounds),
    Conflict(u64),
    Gap(Bounds),
    Deleted(Bounds),
    TooLarge { what: Limit, allowed: u64, got: u64 },
    Fenced,
    Artifact(ArtifactFault),
    ReadOnly,
    Damaged(Damage),
    RolledBack(Token),
    UnknownFormat(u32),
    OutOfSpace,
    Storage(String),
    Closed,
    Other(String),
}

/// The three kinds of error, and what each one means for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The caller's mistake: nothing was changed.
    Caller,
    /// Stored bytes are not what was written: nothing was changed.
    Damage,
    /// The storage failed.
    Storage,
}

impl Error {
    /// Which of the three kinds this is.
    pub fn class(&self) -> Class {
        match self {
            Error::Damaged(_) | Error::RolledBack(_) | Error::UnknownFormat(_) => Class::Damage,
            Error::OutOfSpace | Error::Storage(_) | Error::Closed | Error::Other(_) => Class::Storage,
            _ => Class::Caller,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl core::error::Error for Error {}
