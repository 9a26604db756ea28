//! Snapshots of the native library.

use super::Native;
use crate::sim::SimDisk;
use crate::subject::snapshot::{
    ArtifactChunk, ArtifactPath, ArtifactReaderSubject, ArtifactWriterSubject, Entries, Entry, Manifest,
    Options, RangeSubject, SnapshotSubject, Snapshots, Stats, Update, UpdateKind,
};
use annals_logs::error::{Error, Result, Token};
use annals_logs::snapshot::{self, Export, Import, Range, Snapshot};
use annals_logs::types::Limits;
use std::cell::RefCell;
use std::rc::Rc;

impl Snapshots for Native {
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn SnapshotSubject>> {
        let snapshot = Snapshot::open(self.disk.clone(), name, options)?;
        Ok(Box::new(Open(Rc::new(RefCell::new(Some(snapshot))))))
    }
    fn import(
        &self,
        name: &str,
        manifest: &Manifest,
        segment_bytes: Option<u64>,
    ) -> Result<Box<dyn ArtifactWriterSubject>> {
        let import = Import::start(self.disk.clone(), name, manifest, segment_bytes)?;
        Ok(Box::new(Writer(RefCell::new(import))))
    }
    fn destroy(&self, name: &str) -> Result<()> {
        snapshot::destroy(&self.disk, name)
    }
}

/// An open snapshot, which readers share until the handle is dropped.
type Shared = Rc<RefCell<Option<Snapshot<SimDisk>>>>;

fn with<T>(shared: &Shared, run: impl FnOnce(&mut Snapshot<SimDisk>) -> Result<T>) -> Result<T> {
    shared.borrow_mut().as_mut().map_or(Err(Error::Closed), run)
}

struct Open(Shared);

impl Drop for Open {
    fn drop(&mut self) {
        let snapshot = self.0.borrow_mut().take();
        drop(snapshot);
    }
}

impl SnapshotSubject for Open {
    fn cursor(&self) -> Result<Vec<u8>> {
        with(&self.0, |snapshot| snapshot.cursor())
    }
    fn apply(&self, updates: &[Update<'_>], cursor: &[u8]) -> Result<Option<Token>> {
        with(&self.0, |snapshot| snapshot.apply(updates, cursor))
    }
    fn apply_packed(
        &self,
        kinds: &[UpdateKind],
        ends: &[u32],
        bytes: &[u8],
        cursor: &[u8],
    ) -> Result<Option<Token>> {
        with(&self.0, |snapshot| snapshot.apply_packed(kinds, ends, bytes, cursor))
    }
    fn get(&self, key: &[u8]) -> Result<Option<Entry>> {
        with(&self.0, |snapshot| snapshot.get(key))
    }
    fn range(&self, prefix: &[u8]) -> Result<Box<dyn RangeSubject>> {
        let range = with(&self.0, |snapshot| snapshot.range(prefix))?;
        Ok(Box::new(Reader { shared: self.0.clone(), range: RefCell::new(range) }))
    }
    fn has_entries(&self) -> Result<bool> {
        with(&self.0, |snapshot| snapshot.has_entries())
    }
    fn stats(&self) -> Result<Stats> {
        with(&self.0, |snapshot| snapshot.stats())
    }
    fn compact(&self) -> Result<()> {
        with(&self.0, Snapshot::compact)
    }
    fn export(&self) -> Result<Box<dyn ArtifactReaderSubject>> {
        let export = with(&self.0, Snapshot::export)?;
        Ok(Box::new(Artifact { shared: self.0.clone(), export: RefCell::new(export) }))
    }
    fn sync(&self) -> Result<Token> {
        with(&self.0, Snapshot::sync)
    }
    fn close(&self) -> Result<Token> {
        with(&self.0, Snapshot::close)
    }
}

struct Reader {
    shared: Shared,
    range: RefCell<Range>,
}

impl RangeSubject for Reader {
    fn next(&self, limits: Limits) -> Result<Option<Entries>> {
        with(&self.shared, |snapshot| snapshot.range_next(&mut self.range.borrow_mut(), limits))
    }
}

struct Artifact {
    shared: Shared,
    export: RefCell<Export>,
}

impl ArtifactReaderSubject for Artifact {
    fn files(&self) -> Result<Vec<ArtifactPath>> {
        with(&self.shared, |snapshot| snapshot.export_files(&self.export.borrow()))
    }
    fn next(&self, max_bytes: u32) -> Result<Option<ArtifactChunk>> {
        with(&self.shared, |snapshot| snapshot.export_next(&mut self.export.borrow_mut(), max_bytes))
    }
    fn manifest(&self) -> Result<Manifest> {
        with(&self.shared, |snapshot| snapshot.export_manifest(&self.export.borrow()))
    }
}

struct Writer(RefCell<Import<SimDisk>>);

impl ArtifactWriterSubject for Writer {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.0.borrow_mut().write(path, bytes)
    }
    fn finish(&self) -> Result<Token> {
        self.0.borrow_mut().finish()
    }
}
