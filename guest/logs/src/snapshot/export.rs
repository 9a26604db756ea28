//! Exporting: the fold as it was when the export was begun, as the files of an artifact, streamed once.
//!
//! The files' sizes follow from the sizes of the entries, which are in memory; so they are known before anything is read.

use super::Snapshot;
use super::artifact::{
    BACKEND, BACKEND_VERSION, CURSOR, ENTRY_HEAD, FILE_BYTES, SCHEMA_VERSION, entries_path, entry_head,
};
use super::fold::copy;
use super::range::Range;
use super::types::{ArtifactChunk, ArtifactFile, ArtifactPath, Manifest};
use crate::error::{Error, Result};
use crate::record_log::exhausted;
use crate::storage::Host;
use crate::types::Limits;
use alloc::vec::Vec;
use core::mem;

/// An export under way.
#[derive(Debug)]
pub struct Export {
    range: Range,
    paths: Vec<ArtifactPath>,
    cursor: Vec<u8>,
    created_at_unix: u64,
    /// The files that are done; the next one is under way.
    done: Vec<ArtifactFile>,
    hasher: blake3::Hasher,
    /// Bytes of the file under way that were returned.
    returned: u64,
    /// Bytes that come next, from `at` on.
    pending: Vec<u8>,
    at: usize,
    /// Why it cannot go on.
    failed: Option<Error>,
}

impl<H: Host> Snapshot<H> {
    /// Begins to export the fold as of now.
    pub fn export(&mut self) -> Result<Export> {
        self.log.check_open()?;
        self.fold.check_whole()?;
        let mut sizes: Vec<u64> = Vec::new();
        for (key, slot) in &self.fold.entries {
            let entry = ENTRY_HEAD as u64 + slot.content(key.as_slice().len());
            match sizes.last_mut() {
                Some(size) if *size + entry <= FILE_BYTES => *size += entry,
                _ => {
                    sizes.try_reserve(1).map_err(exhausted)?;
                    sizes.push(entry);
                }
            }
        }
        let mut paths = Vec::new();
        paths.try_reserve_exact(sizes.len() + 1).map_err(exhausted)?;
        paths.push(ArtifactPath { path: CURSOR.into(), size: self.fold.cursor.len() as u64 });
        paths.extend((0..).zip(sizes).map(|(i, size)| ArtifactPath { path: entries_path(i), size }));
        let cursor = copy(&self.fold.cursor)?;
        Ok(Export {
            range: self.readers.begin(&[])?,
            paths,
            pending: copy(&cursor)?,
            cursor,
            created_at_unix: self.log.now_ms() / 1000,
            done: Vec::new(),
            hasher: blake3::Hasher::new(),
            returned: 0,
            at: 0,
            failed: None,
        })
    }

    /// All files with their sizes, in order.
    pub fn export_files(&self, export: &Export) -> Result<Vec<ArtifactPath>> {
        self.log.check_open()?;
        Ok(export.paths.clone())
    }

    /// The next bytes of an export, all of one file; none at the end.
    pub fn export_next(&mut self, export: &mut Export, max_bytes: u32) -> Result<Option<ArtifactChunk>> {
        self.log.check_open()?;
        if let Some(error) = &export.failed {
            return Err(error.clone());
        }
        let outcome = self.chunk(export, max_bytes.max(1));
        if let Err(error) = &outcome
            && !matches!(error, Error::Storage(_))
        {
            export.failed = Some(error.clone());
        }
        outcome
    }

    fn chunk(&mut self, export: &mut Export, most: u32) -> Result<Option<ArtifactChunk>> {
        // Files end when they have their size; empty ones at once.
        while let Some(file) = export.paths.get(export.done.len())
            && file.size == export.returned
        {
            let hash = mem::replace(&mut export.hasher, blake3::Hasher::new()).finalize();
            let blake3 = hash.as_bytes().to_vec();
            export.done.push(ArtifactFile { path: file.path.clone(), size: file.size, blake3 });
            export.returned = 0;
        }
        let Some(file) = export.paths.get(export.done.len()) else { return Ok(None) };
        if export.at == export.pending.len() {
            let limits = Limits { count: u32::MAX, bytes: most };
            let Some(entries) = self.range_next(&mut export.range, limits)? else {
                return Err(Error::Other("the fold has fewer bytes than its entries".into()));
            };
            export.pending.clear();
            export.at = 0;
            for (key, value, version) in entries.iter() {
                let len = ENTRY_HEAD + key.len() + value.len() + version.len();
                export.pending.try_reserve(len).map_err(exhausted)?;
                export.pending.extend_from_slice(&entry_head(key, value, version));
                for part in [key, value, version] {
                    export.pending.extend_from_slice(part);
                }
            }
        }
        let left = usize::try_from(file.size - export.returned).unwrap_or(usize::MAX);
        let len = (most as usize).min(left).min(export.pending.len() - export.at);
        let bytes = copy(export.pending.get(export.at..export.at + len).unwrap_or_default())?;
        export.hasher.update(&bytes);
        export.at += len;
        export.returned += len as u64;
        Ok(Some(ArtifactChunk { path: file.path.clone(), bytes }))
    }

    /// The manifest of an export that has come to its end.
    pub fn export_manifest(&self, export: &Export) -> Result<Manifest> {
        self.log.check_open()?;
        if export.done.len() < export.paths.len() {
            return Err(Error::InvalidArgument("manifest: not before every file was read to its end".into()));
        }
        Ok(Manifest {
            schema_version: SCHEMA_VERSION,
            backend: BACKEND.into(),
            backend_version: BACKEND_VERSION.into(),
            cursor: export.cursor.clone(),
            created_at_unix: export.created_at_unix,
            files: export.done.clone(),
        })
    }
}
