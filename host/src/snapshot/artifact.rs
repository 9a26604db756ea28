//! Artifacts: a fold as files that can be checked, carried and imported elsewhere.
//!
//! ```text
//! DIR/MANIFEST.json        what it is; written last, so that a directory without one is no artifact
//! DIR/data/…               the payload, as the component wrote it: equal folds have the same bytes
//! ```
//!
//! The component makes and checks all bytes of the payload. This side owns directories, links and renames: nothing
//! outside of a directory is read or written whatever the manifest says or the directory holds.

mod manifest;
#[cfg(unix)]
mod read;
#[cfg(unix)]
mod staging;
#[cfg(unix)]
mod tree;

#[cfg(unix)]
pub use read::Artifact;

use crate::{
    bindings::exports::annals::log::snapshot as wit, convert, error::Error, handle::Child, limits,
    runtime::Runtime, storage::Storage, token::Token,
};
use std::{fmt, sync::Arc};

/// Why an artifact was not imported, and at which file of it that was found.
///
/// ```
/// use annals::{Error, error::ArtifactFault, snapshot::Manifest};
///
/// let refused = Manifest::from_json(br#"{ "schema_version": 7 }"#).unwrap_err();
/// assert_eq!(refused.error, Error::Artifact(ArtifactFault::SchemaVersion));
/// assert_eq!(&*refused.what, "MANIFEST.json, its schema_version 7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// What went wrong.
    pub error: Error,
    /// Where, in words.
    pub what: Box<str>,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

impl std::error::Error for ImportError {}

impl From<ImportError> for Error {
    fn from(refused: ImportError) -> Error {
        refused.error
    }
}

/// A file of an artifact as its manifest declares it.
///
/// ```
/// let file = annals::snapshot::ArtifactFile { path: "data/cursor".into(), size: 0, blake3: vec![0; 32] };
/// assert!(file.path.starts_with("data/"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Its path, with `/` between the parts.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE3 of its bytes, 32 bytes.
    pub blake3: Vec<u8>,
}

/// A file of an artifact that is being exported.
///
/// ```
/// let path = annals::snapshot::ArtifactPath { path: "data/cursor".into(), size: 0 };
/// assert_eq!(path.size, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactPath {
    /// Its path, with `/` between the parts.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What an artifact is: the contents of its `MANIFEST.json`.
///
/// ```
/// # use annals::{Runtime, snapshot::{Manifest, Options}, storage::Memory};
/// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
/// let export = fold.export()?;
/// while export.next_chunk(1 << 20)?.is_some() {}
/// let manifest = export.manifest()?;
/// assert_eq!((manifest.schema_version, &*manifest.backend), (1, "annals-snapshot"));
/// assert_eq!(Manifest::from_json(&manifest.to_json()), Ok(manifest));
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Version of the manifest: 1.
    pub schema_version: u32,
    /// What wrote the payload: `annals-snapshot`.
    pub backend: String,
    /// Version of the payload's format: `1`.
    pub backend_version: String,
    /// The cursor at which the payload is exact.
    pub cursor: Vec<u8>,
    /// When the export began, in seconds. For people only.
    pub created_at_unix: u64,
    /// The payload, in the order in which it is exported and imported.
    pub files: Vec<ArtifactFile>,
}

impl Manifest {
    /// Bytes of the whole payload.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

/// Bytes of one file of an artifact; they follow those of the chunk before if that is of the same file.
///
/// ```
/// let chunk = annals::snapshot::Chunk { path: "data/cursor".into(), bytes: b"17".to_vec() };
/// assert_eq!(chunk.bytes.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Path of the file.
    pub path: String,
    /// Its next bytes; at least one.
    pub bytes: Vec<u8>,
}

/// An export under way: the fold as it was when the export was begun, streamed once.
///
/// It does not keep the log open: once that is closed or dropped, the answer is [`Error::Closed`].
///
/// ```
/// # use annals::{Runtime, snapshot::{Options, Update}, storage::Memory};
/// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
/// fold.apply(&[Update::put(b"a", b"1")], b"9")?;
/// let export = fold.export()?;
/// let mut bytes = 0;
/// while let Some(chunk) = export.next_chunk(1 << 20)? {
///     bytes += chunk.bytes.len() as u64; // send it somewhere
/// }
/// assert_eq!(export.files()?.iter().map(|file| file.size).sum::<u64>(), bytes);
/// assert_eq!(export.manifest()?.bytes(), bytes);
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Export {
    reader: Child,
}

impl Export {
    pub(super) fn new(reader: Child) -> Export {
        Export { reader }
    }

    /// All files with their sizes, in the order in which [`next_chunk`](Export::next_chunk) returns them.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn files(&self) -> Result<Vec<ArtifactPath>, Error> {
        let files = self.reader.call(|annals, store, reader| {
            annals.annals_log_snapshot().artifact_reader().call_files(store, reader)
        })?;
        Ok(files.into_iter().map(|wit::ArtifactPath { path, size }| ArtifactPath { path, size }).collect())
    }

    /// The next bytes, at most `max_bytes` but at least one, all of one file; none at the end. Empty files have no chunk.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage): it may be called again. [`Closed`](Error::Closed), [`Damaged`](Error::Damaged): the
    /// export has ended.
    pub fn next_chunk(&self, max_bytes: u32) -> Result<Option<Chunk>, Error> {
        let max_bytes = convert::max_bytes(max_bytes);
        let chunk = self.reader.call(|annals, store, reader| {
            annals.annals_log_snapshot().artifact_reader().call_next(store, reader, max_bytes)
        })?;
        Ok(chunk.map(|wit::ArtifactChunk { path, bytes }| Chunk { path, bytes }))
    }

    /// The manifest; only once [`next_chunk`](Export::next_chunk) has returned none.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument): it is too early. [`Closed`](Error::Closed).
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let manifest = self.reader.call(|annals, store, reader| {
            annals.annals_log_snapshot().artifact_reader().call_manifest(store, reader)
        })?;
        Ok(Manifest::from_wit(manifest))
    }

    /// Exports to the directory `path`, which must not exist; its parent must. `progress` is told how many bytes of how
    /// many are done.
    ///
    /// Everything is written to a hidden directory beside it (`.NAME.partial`), synced, the manifest last, and then
    /// renamed and synced. So `path` appears whole and durable. After a crash it is not there, and the hidden directory
    /// is removed by the next export to `path`.
    ///
    /// ```
    /// # use annals::{Runtime, snapshot::{Options, Update}, storage::Memory};
    /// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
    /// # let dir = std::env::temp_dir().join(format!("annals-doc-to-{}", std::process::id()));
    /// fold.apply(&[Update::put(b"a", b"1")], b"9")?;
    /// fold.export()?.to_directory(&dir, |done, total| println!("{done} of {total} bytes"))?;
    /// assert!(dir.join("MANIFEST.json").exists());
    /// # std::fs::remove_dir_all(dir).unwrap();
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Exists`](Error::Exists): there is something at `path`. [`Locked`](Error::Locked): another export to it is under
    /// way. [`InvalidArgument`](Error::InvalidArgument): the path names no directory that could be made.
    /// [`OutOfSpace`](Error::OutOfSpace), [`Storage`](Error::Storage) and what [`next_chunk`](Export::next_chunk)
    /// answers: nothing is left behind; only when the very last sync fails, `path` may be there. None of them closes the
    /// log unless that has failed itself.
    #[cfg(unix)]
    pub fn to_directory(
        self,
        path: impl AsRef<std::path::Path>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Manifest, Error> {
        staging::export(&self, path.as_ref(), progress)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").finish_non_exhaustive()
    }
}

/// An import under way, of bytes that come from anywhere. There is no log of that name until
/// [`finish`](Import::finish) has returned; dropped before, or after a crash, nothing is left of it.
///
/// ```
/// # use annals::{Runtime, snapshot::{Options, Update}, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # let fold = runtime.snapshot(storage.clone(), "fold", &Options::create())?;
/// # fold.apply(&[Update::put(b"a", b"1")], b"9")?;
/// # let export = fold.export()?;
/// # let mut chunks = Vec::new();
/// # while let Some(chunk) = export.next_chunk(1 << 20)? {
/// #     chunks.push(chunk);
/// # }
/// # let manifest = export.manifest()?;
/// let import = runtime.import_snapshot(storage.clone(), "copy", &manifest, None)?;
/// for chunk in chunks {
///     import.write(&chunk.path, &chunk.bytes)?;
/// }
/// import.finish()?;
/// assert_eq!(runtime.snapshot(storage, "copy", &Options::open())?.cursor()?, b"9");
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Import {
    writer: Child,
}

impl Import {
    pub(super) fn start(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        manifest: &Manifest,
        segment_bytes: Option<u64>,
    ) -> Result<Import, Error> {
        limits::name(name)?;
        let manifest = manifest.to_wit();
        let writer = Child::alone(runtime, storage, |annals, store| {
            let writer = annals.annals_log_snapshot().artifact_writer();
            writer.call_start(store, name, &manifest, segment_bytes)
        })?;
        Ok(Import { writer })
    }

    /// The next bytes of a file. Files are written one after the other, in the order of the manifest.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument): another file is next. [`TooLarge`](Error::TooLarge): more than 64 MiB
    /// at once. [`Artifact`](Error::Artifact), [`Storage`](Error::Storage), [`OutOfSpace`](Error::OutOfSpace): the import
    /// is over, and from now on every call answers [`Closed`](Error::Closed).
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        limits::batch_bytes(bytes.len())?;
        self.writer.call(|annals, store, writer| {
            annals.annals_log_snapshot().artifact_writer().call_write(store, writer, path, bytes)
        })
    }

    /// Checks that everything is there. Then the log appears under its name, closed and durable; its token. Afterwards
    /// every call answers [`Closed`](Error::Closed).
    ///
    /// # Errors
    /// [`Artifact`](Error::Artifact): a file is missing or not complete; the import is over.
    /// [`Storage`](Error::Storage), [`OutOfSpace`](Error::OutOfSpace): likewise.
    pub fn finish(&self) -> Result<Token, Error> {
        self.writer
            .call(|annals, store, writer| {
                annals.annals_log_snapshot().artifact_writer().call_finish(store, writer)
            })
            .map(convert::token)
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").finish_non_exhaustive()
    }
}
