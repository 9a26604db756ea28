//! Snapshots under test; `wit/snapshot.wit` says what each call does.

use annals_logs::error::{Result, Token};
use annals_logs::types::Limits;

pub use annals_logs::snapshot::{
    ArtifactChunk, ArtifactFile, ArtifactPath, Entries, Entry, Manifest, Options, Stats, Update, UpdateKind,
};

/// What there is besides the resources.
#[allow(missing_docs)]
pub trait Snapshots {
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn SnapshotSubject>>;
    fn import(
        &self,
        name: &str,
        manifest: &Manifest,
        segment_bytes: Option<u64>,
    ) -> Result<Box<dyn ArtifactWriterSubject>>;
    fn destroy(&self, name: &str) -> Result<()>;
}

/// An open snapshot.
#[allow(missing_docs)]
pub trait SnapshotSubject {
    fn cursor(&self) -> Result<Vec<u8>>;
    fn apply(&self, updates: &[Update<'_>], cursor: &[u8]) -> Result<Option<Token>>;
    fn apply_packed(
        &self,
        kinds: &[UpdateKind],
        ends: &[u32],
        bytes: &[u8],
        cursor: &[u8],
    ) -> Result<Option<Token>>;
    fn get(&self, key: &[u8]) -> Result<Option<Entry>>;
    fn range(&self, prefix: &[u8]) -> Result<Box<dyn RangeSubject>>;
    fn has_entries(&self) -> Result<bool>;
    fn stats(&self) -> Result<Stats>;
    fn compact(&self) -> Result<()>;
    fn export(&self) -> Result<Box<dyn ArtifactReaderSubject>>;
    fn sync(&self) -> Result<Token>;
    fn close(&self) -> Result<Token>;
}

/// A range under way.
#[allow(missing_docs)]
pub trait RangeSubject {
    fn next(&self, limits: Limits) -> Result<Option<Entries>>;
}

/// An export under way.
#[allow(missing_docs)]
pub trait ArtifactReaderSubject {
    fn files(&self) -> Result<Vec<ArtifactPath>>;
    fn next(&self, max_bytes: u32) -> Result<Option<ArtifactChunk>>;
    fn manifest(&self) -> Result<Manifest>;
}

/// An import under way.
#[allow(missing_docs)]
pub trait ArtifactWriterSubject {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()>;
    fn finish(&self) -> Result<Token>;
}
