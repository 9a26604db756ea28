//! Importing: the files of an artifact, written to a log that is not there until every byte of them was checked.
//!
//! Bytes become frames as they come, so that nothing is held but the entry and the piece under way. The root cell says
//! `creating` until the end; if it never comes to that, everything is swept.

use super::artifact::{
    BACKEND, BACKEND_VERSION, CURSOR, ENTRY_HEAD, SCHEMA_VERSION, entries_path, entry_lengths, is_path,
};
use super::fold::copy;
use super::pieces::Pieces;
use super::state::State;
use super::types::{ArtifactFile, Manifest};
use crate::error::{ArtifactFault, Error, Result, Token};
use crate::format::MAX_CURSOR;
use crate::limits::{SEGMENT_BYTES, check_segment_bytes};
use crate::record_log::{Create, RecordLog, Unborn, exhausted};
use crate::storage::Host;
use alloc::{string::String, vec::Vec};
use core::mem;

/// An import under way.
pub struct Import<H: Host> {
    host: H,
    name: String,
    log: RecordLog<H, State>,
    unborn: Unborn,
    pieces: Pieces,
    cursor: Vec<u8>,
    files: Vec<ArtifactFile>,
    /// Number of files that are complete; the next one is under way.
    complete: usize,
    /// Bytes of the file under way, and whether anybody wrote to it.
    written: u64,
    begun: bool,
    hasher: blake3::Hasher,
    /// The beginning of an entry of which not all is there.
    part: Vec<u8>,
    /// The last key.
    last: Option<Vec<u8>>,
    /// What was written to the file under way makes no sense, or is another cursor.
    senseless: bool,
    over: bool,
}

/// Bytes of the entry that begins with these, or of its head if not all of that is there; none if it makes no sense.
fn length(bytes: &[u8]) -> Option<usize> {
    let Some(head) = bytes.first_chunk::<ENTRY_HEAD>() else { return Some(ENTRY_HEAD) };
    entry_lengths(head).map(|[key, value, version]| ENTRY_HEAD + key + value + version)
}

/// A fault of the manifest, if it has one.
fn fault_of(manifest: &Manifest) -> Option<ArtifactFault> {
    let files = &manifest.files;
    let numbered = |(number, file): (u64, &ArtifactFile)| file.path == entries_path(number);
    let sound = files.first().is_some_and(|file| file.path == CURSOR)
        && (0..).zip(files.iter().skip(1)).all(numbered)
        && files.iter().all(|file| file.blake3.len() == blake3::OUT_LEN)
        && manifest.cursor.len() as u64 <= MAX_CURSOR;
    Some(match manifest {
        _ if manifest.schema_version != SCHEMA_VERSION => ArtifactFault::SchemaVersion,
        _ if manifest.backend != BACKEND => ArtifactFault::Backend,
        _ if manifest.backend_version != BACKEND_VERSION => ArtifactFault::BackendVersion,
        _ if !files.iter().all(|file| is_path(&file.path)) => ArtifactFault::Path,
        _ if !sound => ArtifactFault::Manifest,
        _ => return None,
    })
}

impl<H: Host> Import<H> {
    /// Begins an import.
    pub fn start(host: H, name: &str, manifest: &Manifest, segment_bytes: Option<u64>) -> Result<Self> {
        check_segment_bytes("segment-bytes", segment_bytes)?;
        let segment_bytes = segment_bytes.unwrap_or(SEGMENT_BYTES);
        if let Some(fault) = fault_of(manifest) {
            return Err(Error::Artifact(fault));
        }
        let pieces = Pieces::new(&manifest.cursor)?;
        let create = Create { segment_bytes, options: Vec::new(), view: State::default() };
        let (log, unborn) = RecordLog::conceive(host.clone(), name, &create)?;
        Ok(Import {
            host,
            name: name.into(),
            log,
            unborn,
            pieces,
            cursor: manifest.cursor.clone(),
            files: manifest.files.clone(),
            complete: 0,
            written: 0,
            begun: false,
            hasher: blake3::Hasher::new(),
            part: Vec::new(),
            last: None,
            senseless: false,
            over: false,
        })
    }

    /// The next bytes of a file.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let outcome = self.check_open().and_then(|()| self.try_write(path, bytes));
        self.end_if(outcome)
    }

    /// Checks that everything is there; then the log appears, closed.
    pub fn finish(&mut self) -> Result<Token> {
        let outcome = self.check_open().and_then(|()| self.try_finish());
        self.over |= outcome.is_ok();
        self.end_if(outcome)
    }

    fn check_open(&self) -> Result<()> {
        if self.over { Err(Error::Closed) } else { self.log.check_open() }
    }

    /// Ends the import unless it can go on.
    fn end_if<T>(&mut self, outcome: Result<T>) -> Result<T> {
        match &outcome {
            Ok(_) | Err(Error::InvalidArgument(_)) => {}
            Err(_) => self.end(),
        }
        outcome
    }

    /// Removes what was written.
    fn end(&mut self) {
        if !mem::replace(&mut self.over, true) {
            self.log.shut();
            // What stays is swept when a log of that name is opened.
            let _ = self.unborn.abandon(&self.host, &self.name);
        }
    }

    fn try_write(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.complete_files()?;
        let Some(number) = self.files.iter().position(|file| file.path == path) else {
            return Err(Error::Artifact(ArtifactFault::UndeclaredFile));
        };
        if number < self.complete && bytes.is_empty() {
            return Ok(());
        }
        if number > self.complete {
            return Err(Error::InvalidArgument("path: the file before it is not complete".into()));
        }
        let size = self.files.get(number).map_or(0, |file| file.size);
        if number < self.complete || size - self.written < bytes.len() as u64 {
            return Err(Error::Artifact(ArtifactFault::Size));
        }
        self.begun = true;
        self.hasher.update(bytes);
        if number == 0 {
            let at = usize::try_from(self.written).unwrap_or(usize::MAX);
            let wanted = self.cursor.get(at..at.saturating_add(bytes.len()));
            self.senseless |= wanted != Some(bytes);
        } else if !self.senseless {
            self.take(bytes)?;
        }
        self.written += bytes.len() as u64;
        self.complete_files()
    }

    /// Checks the file under way if it has its size, and those behind it that are empty.
    fn complete_files(&mut self) -> Result<()> {
        while let Some(file) = self.files.get(self.complete)
            && file.size == self.written
        {
            let hash = mem::replace(&mut self.hasher, blake3::Hasher::new()).finalize();
            let fault = if hash.as_bytes() != file.blake3.as_slice() {
                Some(ArtifactFault::Checksum)
            } else if self.complete == 0 {
                let other = self.senseless || self.written != self.cursor.len() as u64;
                other.then_some(ArtifactFault::Cursor)
            } else {
                (self.senseless || !self.part.is_empty()).then_some(ArtifactFault::Manifest)
            };
            if let Some(fault) = fault {
                return Err(Error::Artifact(fault));
            }
            self.complete += 1;
            (self.written, self.begun, self.senseless) = (0, false, false);
        }
        Ok(())
    }

    /// Takes bytes of entries.
    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        // First what is missing of the entry whose beginning is there.
        while !self.part.is_empty() && !bytes.is_empty() {
            let Some(need) = length(&self.part) else {
                self.senseless = true;
                return Ok(());
            };
            let missing = need.saturating_sub(self.part.len()).min(bytes.len());
            let (now, rest) = bytes.split_at_checked(missing).unwrap_or_default();
            self.part.try_reserve(missing).map_err(exhausted)?;
            self.part.extend_from_slice(now);
            bytes = rest;
            // The head alone tells how much more there is.
            if self.part.len() >= ENTRY_HEAD && length(&self.part) == Some(self.part.len()) {
                let part = mem::take(&mut self.part);
                self.entry(&part)?;
            }
        }
        while !bytes.is_empty() && !self.senseless {
            let Some(need) = length(bytes) else {
                self.senseless = true;
                return Ok(());
            };
            if need > bytes.len() {
                self.part = copy(bytes)?;
                return Ok(());
            }
            let (entry, rest) = bytes.split_at_checked(need).unwrap_or_default();
            self.entry(entry)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Takes a whole entry.
    fn entry(&mut self, bytes: &[u8]) -> Result<()> {
        let parts = || {
            let (head, rest) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
            let [key, value, _] = entry_lengths(head)?;
            let (key, rest) = rest.split_at_checked(key)?;
            let (value, version) = rest.split_at_checked(value)?;
            Some((key, value, version))
        };
        let Some((key, value, version)) = parts() else { return Ok(()) };
        if self.last.as_deref().is_some_and(|last| last >= key) {
            self.senseless = true;
            return Ok(());
        }
        let last = self.last.get_or_insert_default();
        last.clear();
        last.try_reserve(key.len()).map_err(exhausted)?;
        last.extend_from_slice(key);
        self.pieces.add(&mut self.log, key, version, value)
    }

    fn try_finish(&mut self) -> Result<Token> {
        self.complete_files()?;
        if self.complete < self.files.len() {
            let fault = if self.begun { ArtifactFault::Size } else { ArtifactFault::MissingFile };
            return Err(Error::Artifact(fault));
        }
        self.pieces.finish(&mut self.log)?;
        self.log.bear(&self.unborn)
    }
}

impl<H: Host> Drop for Import<H> {
    /// An import that was not finished leaves nothing.
    fn drop(&mut self) {
        self.end();
    }
}
