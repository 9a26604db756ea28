//! Everything that can go wrong, in one enum for all logs: `error` of `wit/types.wit`, and what only a host can meet.
//!
//! [`Error::class`] tells the three kinds apart: mistakes of the caller and damage change nothing and leave the log
//! open; after a failure of the storage or the component the log is closed, and
//! [`reopen`](crate::Journal::reopen) recovers it.

use crate::{
    token::Token,
    types::{Bounds, Damage},
};
use std::{fmt, sync::Arc};

/// Which maximum was exceeded.
///
/// ```
/// use annals::error::{Error, Limit};
///
/// let error = Error::TooLarge { what: Limit::Name, allowed: 64, got: 65 };
/// assert_eq!(
///     error.to_string(),
///     "the log name is too large, 65 where 64 are allowed; use 1 to 64 of a-z, 0-9 and -"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// One item, event, entry or value: 16 MiB.
    ItemSize,
    /// All items of one batch together: 64 MiB.
    BatchSize,
    /// Number of items in one batch: 1,048,576.
    BatchCount,
    /// A key: 64 KiB.
    KeySize,
    /// A version: 4 KiB.
    VersionSize,
    /// A cursor: 4 KiB.
    CursorSize,
    /// A log name: 1 to 64 of `a-z`, `0-9`, `-`.
    Name,
    /// Open handles.
    Handles,
    /// Bytes in the storage, or state that must fit into a segment header.
    BytesStored,
}

/// What a host bounds, whatever the component does: see [`Config`](crate::Config).
///
/// ```
/// assert_eq!(annals::error::Bound::Memory.to_string(), "bytes of memory for a log");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// Bytes of memory of one opened log.
    Memory,
    /// Milliseconds of one call.
    Time,
    /// Bytes of all files in the storage.
    StoredBytes,
    /// Bytes of one file.
    FileBytes,
    /// Files in the storage.
    Files,
    /// Cells in the storage.
    Cells,
    /// Names of locks in the storage.
    Locks,
    /// Open files, syncs, locks and readers of one opened log.
    Handles,
    /// Bytes of one read, write or list.
    Transfer,
    /// Calls of the storage during one call.
    Calls,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Bound::Memory => "bytes of memory for a log",
            Bound::Time => "milliseconds for a call",
            Bound::StoredBytes => "bytes in all files together",
            Bound::FileBytes => "bytes in one file",
            Bound::Files => "files",
            Bound::Cells => "cells",
            Bound::Locks => "names of locks",
            Bound::Handles => "open handles for a log",
            Bound::Transfer => "bytes for one read, write or list",
            Bound::Calls => "calls of the storage during one call",
        })
    }
}

/// What is wrong with an artifact that was to be imported.
///
/// ```
/// use annals::error::{ArtifactFault, Class, Error};
///
/// assert_eq!(Error::Artifact(ArtifactFault::Checksum).class(), Class::Caller);
/// assert_eq!(ArtifactFault::Backend.to_string(), "it was made by another backend");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArtifactFault {
    /// The manifest is missing or not well-formed.
    Manifest,
    /// The manifest has a schema version that is not known.
    SchemaVersion,
    /// It was made by another backend.
    Backend,
    /// It was made by a version of the backend that is not known.
    BackendVersion,
    /// A path leads out of the artifact or is not plain.
    Path,
    /// There is a file that the manifest does not name.
    UndeclaredFile,
    /// A file that the manifest names is missing.
    MissingFile,
    /// Something that should be a file is none.
    NotAFile,
    /// A file has another size.
    Size,
    /// A file has another checksum.
    Checksum,
    /// The cursor is not the one of the manifest.
    Cursor,
}

impl fmt::Display for ArtifactFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ArtifactFault::Manifest => "its manifest is missing or not well-formed",
            ArtifactFault::SchemaVersion => "its manifest is of a version that is not known",
            ArtifactFault::Backend => "it was made by another backend",
            ArtifactFault::BackendVersion => "it was made by a version of the backend that is not known",
            ArtifactFault::Path => "it declares a path that no export has",
            ArtifactFault::UndeclaredFile => "it holds a file that its manifest does not declare",
            ArtifactFault::MissingFile => "a file that its manifest declares is missing",
            ArtifactFault::NotAFile => {
                "it holds a link, a directory or something else where only files belong"
            }
            ArtifactFault::Size => "a file has another size than its manifest declares",
            ArtifactFault::Checksum => "a file has another checksum than its manifest declares",
            ArtifactFault::Cursor => "its cursor is not the one that its manifest declares",
        })
    }
}

/// The three kinds of error, and what each one means for the log.
///
/// ```
/// use annals::error::{Class, Error};
///
/// assert_eq!(Error::NotFound.class(), Class::Caller);
/// assert_eq!(Error::UnknownFormat(9).class(), Class::Damage);
/// assert_eq!(Error::Closed.class(), Class::Storage); // time for `reopen`
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The caller's mistake: nothing was changed, the log stays open.
    Caller,
    /// Stored bytes are not what was written: nothing was changed, the log stays open.
    Damage,
    /// The storage or the component failed.
    Storage,
}

/// What is behind a failure of the host side, for logs and debuggers.
///
/// ```
/// use annals::{Error, Runtime};
///
/// let error = Runtime::from_component(b"no component").unwrap_err();
/// assert!(matches!(&error, Error::Setup(cause) if !format!("{cause:?}").is_empty()));
/// assert!(std::error::Error::source(&error).is_some());
/// ```
#[derive(Clone)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Cause {
        Cause(Arc::from(error.into()))
    }
}

impl PartialEq for Cause {
    /// The very same failure.
    fn eq(&self, other: &Cause) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cause {}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Every way in which a call can fail.
///
/// ```
/// # use annals::{Error, Runtime, error::Class, journal::Options, storage::Memory};
/// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// match journal.read(0) {
///     Ok(item) => println!("{} bytes", item.len()),
///     Err(Error::OutOfRange(bounds)) => println!("there is {bounds}"),
///     Err(error) if error.class() == Class::Storage => drop(journal.reopen()?),
///     Err(error) => println!("{error}"), // a sentence that says what to do
/// }
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no log (or file) of that name.
    NotFound,
    /// There is one already.
    Exists,
    /// Somebody else has the log open for writing.
    Locked,
    /// The log is of another kind; which one.
    OtherKind(String),
    /// A fixed option differs from what the log was made with; which one, and both values.
    OptionsDiffer(String),
    /// An argument makes no sense; which one and why.
    InvalidArgument(String),
    /// There is no such position (yet). The bounds of what is there.
    OutOfRange(Bounds),
    /// The position was pruned. The bounds of what is there.
    Pruned(Bounds),
    /// A rewind to a size above the current one. The bounds of what is there.
    InvalidRewind(Bounds),
    /// The id is there already, with other bytes.
    Conflict(u64),
    /// The index leaves a gap, and gaps are not allowed. The bounds of the gap.
    Gap(Bounds),
    /// The id lies in a deleted range. The bounds of that range.
    Deleted(Bounds),
    /// A maximum was exceeded.
    TooLarge {
        /// Which one.
        what: Limit,
        /// The maximum.
        allowed: u64,
        /// What was asked for.
        got: u64,
    },
    /// This instance was declared dead by another one and its changes were taken over.
    Fenced,
    /// The artifact is not what its manifest says.
    Artifact(ArtifactFault),
    /// The log was opened for reading only.
    ReadOnly,
    /// Stored bytes are not what was written.
    Damaged(Damage),
    /// The log does not contain the expected token: it was rolled back, shortened or swapped. The token of its last
    /// frame.
    RolledBack(Token),
    /// Written in a format version that this component does not know; which one.
    UnknownFormat(u32),
    /// No room. From an append: nothing was changed and the log stays open, so that pruning can make room.
    OutOfSpace,
    /// The storage answered an error; its words.
    Storage(String),
    /// The log was closed, by `close` or by a failure.
    Closed,
    /// Something else.
    Other(String),
    /// The component reached a limit that the [`Config`](crate::Config) sets. Where it could be told so (space, files,
    /// handles, bytes of one call), what the call's documentation says of [`OutOfSpace`](Error::OutOfSpace) and
    /// [`Storage`](Error::Storage) holds. Where it had to be stopped (time, calls, mostly memory), its state was dropped,
    /// and handles answer [`Closed`](Error::Closed) from now on. Other logs are not affected.
    Limit {
        /// Which one.
        what: Bound,
        /// The maximum.
        allowed: u64,
    },
    /// The component trapped, or answered nonsense. Its state was dropped; handles
    /// answer [`Closed`](Error::Closed) from now on.
    Trap(Cause),
    /// The component could not be compiled, linked or started.
    Setup(Cause),
}

impl Error {
    /// Which of the three kinds this is.
    pub fn class(&self) -> Class {
        use Error::*;
        match self {
            Damaged(_) | RolledBack(_) | UnknownFormat(_) => Class::Damage,
            OutOfSpace | Storage(_) | Closed | Other(_) | Limit { .. } | Trap(_) | Setup(_) => Class::Storage,
            _ => Class::Caller,
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Trap(cause) | Error::Setup(cause) => Some(&*cause.0),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Error::*;
        match self {
            NotFound => f.write_str("there is no log of that name; check the name, or create the log by appending to it"),
            Exists => f.write_str("there is a log of that name already, and it is not empty; open it, or choose another name"),
            Locked => f.write_str("another program has this log open for writing; wait until it has finished, or open the log read-only"),
            OtherKind(kind) => write!(f, "the log is of another kind ({kind}); open it as what it is, or choose another name"),
            OptionsDiffer(what) => write!(f, "the log was made with other options: {what}; leave that option out, or give the log's value"),
            InvalidArgument(what) => write!(f, "an argument makes no sense: {what}"),
            OutOfRange(bounds) => write!(f, "there is no such position; the log holds {bounds}"),
            Pruned(bounds) => write!(f, "that position was pruned; the log holds {bounds}"),
            InvalidRewind(bounds) => write!(f, "cannot rewind to more than there is; the log holds {bounds}"),
            Conflict(id) => write!(f, "id {id} is there already, with other bytes; nothing was written"),
            Gap(bounds) => write!(f, "writing there would leave a gap: {bounds} missing; write those first, or allow gaps"),
            Deleted(bounds) => write!(f, "that id lies in a deleted range, {bounds}; use an id outside of it"),
            TooLarge { what, allowed, got } => too_large(f, *what, *allowed, *got),
            Fenced => f.write_str("this instance was declared dead by another one, which took over its changes; open a new instance"),
            Artifact(fault) => write!(f, "the artifact is refused: {fault}; nothing was imported, export it again"),
            ReadOnly => f.write_str("the log was opened for reading only; open it for writing"),
            Damaged(damage) => write!(f, "damage in {damage}; nothing was changed: read the intact part with a read-only open, or restore the files from a copy"),
            RolledBack(last) => write!(f, "the log does not contain the expected token: it was rolled back, shortened or swapped (its last token is {last}); restore the right files, or open it without a token to accept what is there"),
            UnknownFormat(version) => write!(f, "the log is written in format version {version}, which this version of Annals does not know; use a newer one"),
            OutOfSpace => f.write_str("no room left in the storage; make room (prune, destroy a log, or free the disk) and try again"),
            Storage(what) => write!(f, "the storage failed: {what}; see to the cause, then open the log again"),
            Closed => f.write_str("the log is closed, by a close or after a failure; open it again"),
            Other(what) => write!(f, "unexpected: {what}"),
            Limit { what, allowed } => write!(f, "a limit of the host was reached: at most {allowed} {what}; raise it if the log is to be trusted with more, then open the log again"),
            Trap(_) => f.write_str("the log component failed and its memory was dropped; open the log again, it recovers what was handed over"),
            Setup(_) => f.write_str("the log component could not be started; check that it belongs to this version of Annals"),
        }
    }
}

fn too_large(f: &mut fmt::Formatter<'_>, what: Limit, allowed: u64, got: u64) -> fmt::Result {
    let (name, hint) = match what {
        Limit::ItemSize => ("item", "split it"),
        Limit::BatchSize => ("batch", "split it"),
        Limit::BatchCount => ("number of items in a batch", "split it"),
        Limit::KeySize => ("key", "shorten it"),
        Limit::VersionSize => ("version", "shorten it"),
        Limit::CursorSize => ("cursor", "shorten it"),
        Limit::Name => ("log name", "use 1 to 64 of a-z, 0-9 and -"),
        Limit::Handles => ("number of open handles", "close some"),
        Limit::BytesStored => ("amount of stored bytes", "make room first"),
    };
    write!(f, "the {name} is too large, {got} where {allowed} are allowed; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_for_people() {
        let damage = Damage {
            file: "f".into(),
            offset: 4096,
            lowest: Some(3),
            next: Some(9),
            what: "check fails".into(),
        };
        let text = Error::Damaged(damage).to_string();
        assert!(
            text.contains("f at byte 4096: check fails; lost from position 3 on, intact again at 9"),
            "{text}"
        );
        assert_eq!(
            Error::OutOfRange(Bounds { start: 0, end: 5 }).to_string(),
            "there is no such position; the log holds 0 to 4"
        );
        let text = Error::TooLarge { what: Limit::Name, allowed: 64, got: 65 }.to_string();
        assert_eq!(text, "the log name is too large, 65 where 64 are allowed; use 1 to 64 of a-z, 0-9 and -");
    }

    #[test]
    fn a_trap_keeps_its_cause() {
        let error = Error::Trap(Cause::new("out of bounds"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "out of bounds");
        assert_eq!(error.clone(), error);
        assert_eq!(error.class(), Class::Storage);
    }
}
