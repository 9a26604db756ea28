//! Snapshots of the component as a subject.

use super::{Component, convert, convert::error};
use annals::snapshot as host;
use annals_logs::error::{Result, Token};
use annals_logs::types::Limits;
use annals_tests::subject::snapshot::{
    ArtifactChunk, ArtifactFile, ArtifactPath, ArtifactReaderSubject, ArtifactWriterSubject, Entries, Entry,
    Manifest, Options, RangeSubject, SnapshotSubject, Snapshots, Stats, Update, UpdateKind,
};
use std::cell::RefCell;

impl Snapshots for Component {
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn SnapshotSubject>> {
        let options = host::Options {
            mode: convert::mode(options.mode),
            expect: options.expect.map(convert::token_to_host),
            segment_bytes: options.segment_bytes,
            relaxed: options.relaxed,
            compact_at: options.compact_at,
            values_on_disk: options.values_on_disk,
            lock_wait_ms: options.lock_wait_ms,
        };
        let snapshot = self.runtime.snapshot(self.storage(), name, &options).map_err(error)?;
        Ok(Box::new(Open(snapshot)))
    }
    fn import(
        &self,
        name: &str,
        manifest: &Manifest,
        segment_bytes: Option<u64>,
    ) -> Result<Box<dyn ArtifactWriterSubject>> {
        let file = |file: &ArtifactFile| host::ArtifactFile {
            path: file.path.clone(),
            size: file.size,
            blake3: file.blake3.clone(),
        };
        let manifest = host::Manifest {
            schema_version: manifest.schema_version,
            backend: manifest.backend.clone(),
            backend_version: manifest.backend_version.clone(),
            cursor: manifest.cursor.clone(),
            created_at_unix: manifest.created_at_unix,
            files: manifest.files.iter().map(file).collect(),
        };
        let import = self.runtime.import_snapshot(self.storage(), name, &manifest, segment_bytes);
        Ok(Box::new(Import(import.map_err(error)?)))
    }
    fn destroy(&self, name: &str) -> Result<()> {
        self.runtime.destroy_snapshot(self.storage(), name).map_err(error)
    }
}

struct Open(annals::Snapshot);

fn update<'a>(update: &Update<'a>) -> host::Update<'a> {
    match *update {
        Update::Put { key, value, version } => host::Update::Put { key, value, version },
        Update::Delete { key, version } => host::Update::Delete { key, version },
        Update::Purge { key, version } => host::Update::Purge { key, version },
    }
}

impl SnapshotSubject for Open {
    fn cursor(&self) -> Result<Vec<u8>> {
        self.0.cursor().map_err(error)
    }
    fn apply(&self, updates: &[Update<'_>], cursor: &[u8]) -> Result<Option<Token>> {
        let updates: Vec<host::Update<'_>> = updates.iter().map(update).collect();
        let token = self.0.apply(&updates, cursor).map_err(error)?;
        Ok(token.map(convert::token))
    }
    fn apply_packed(
        &self,
        kinds: &[UpdateKind],
        ends: &[u32],
        bytes: &[u8],
        cursor: &[u8],
    ) -> Result<Option<Token>> {
        let kind = |kind: &UpdateKind| match kind {
            UpdateKind::Put => host::UpdateKind::Put,
            UpdateKind::Delete => host::UpdateKind::Delete,
            UpdateKind::Purge => host::UpdateKind::Purge,
        };
        let kinds: Vec<host::UpdateKind> = kinds.iter().map(kind).collect();
        let updates = host::Updates::from_parts(&kinds, ends.to_vec(), bytes.to_vec());
        let token = self.0.apply_packed(&updates, cursor).map_err(error)?;
        Ok(token.map(convert::token))
    }
    fn get(&self, key: &[u8]) -> Result<Option<Entry>> {
        let entry = self.0.get(key).map_err(error)?;
        Ok(entry.map(|host::Entry { key, value, version }| Entry { key, value, version }))
    }
    fn range(&self, prefix: &[u8]) -> Result<Box<dyn RangeSubject>> {
        Ok(Box::new(Range(RefCell::new(self.0.range(prefix).map_err(error)?))))
    }
    fn has_entries(&self) -> Result<bool> {
        self.0.has_entries().map_err(error)
    }
    fn stats(&self) -> Result<Stats> {
        let host::Stats { entries, live_bytes, dead_bytes, generation } = self.0.stats().map_err(error)?;
        Ok(Stats { entries, live_bytes, dead_bytes, generation })
    }
    fn compact(&self) -> Result<()> {
        self.0.compact().map_err(error)
    }
    fn export(&self) -> Result<Box<dyn ArtifactReaderSubject>> {
        Ok(Box::new(Export(self.0.export().map_err(error)?)))
    }
    fn sync(&self) -> Result<Token> {
        self.0.sync().map(convert::token).map_err(error)
    }
    fn close(&self) -> Result<Token> {
        self.0.close().map(convert::token).map_err(error)
    }
}

struct Range(RefCell<host::Range>);

impl RangeSubject for Range {
    fn next(&self, limits: Limits) -> Result<Option<Entries>> {
        let mut range = self.0.borrow_mut();
        range.set_limits(convert::limits(limits));
        let Some(entries) = range.next_batch().map_err(error)? else { return Ok(None) };
        let mut packed = Entries::default();
        for host::EntryRef { key, value, version } in entries.iter() {
            for part in [key, value, version] {
                packed.bytes.extend_from_slice(part);
                packed.ends.push(packed.bytes.len() as u32);
            }
        }
        Ok(Some(packed))
    }
}

struct Export(host::Export);

impl ArtifactReaderSubject for Export {
    fn files(&self) -> Result<Vec<ArtifactPath>> {
        let files = self.0.files().map_err(error)?;
        Ok(files.into_iter().map(|host::ArtifactPath { path, size }| ArtifactPath { path, size }).collect())
    }
    fn next(&self, max_bytes: u32) -> Result<Option<ArtifactChunk>> {
        let chunk = self.0.next_chunk(max_bytes).map_err(error)?;
        Ok(chunk.map(|host::Chunk { path, bytes }| ArtifactChunk { path, bytes }))
    }
    fn manifest(&self) -> Result<Manifest> {
        let manifest = self.0.manifest().map_err(error)?;
        let file = |host::ArtifactFile { path, size, blake3 }| ArtifactFile { path, size, blake3 };
        Ok(Manifest {
            schema_version: manifest.schema_version,
            backend: manifest.backend,
            backend_version: manifest.backend_version,
            cursor: manifest.cursor,
            created_at_unix: manifest.created_at_unix,
            files: manifest.files.into_iter().map(file).collect(),
        })
    }
}

struct Import(host::Import);

impl ArtifactWriterSubject for Import {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.0.write(path, bytes).map_err(error)
    }
    fn finish(&self) -> Result<Token> {
        self.0.finish().map(convert::token).map_err(error)
    }
}
