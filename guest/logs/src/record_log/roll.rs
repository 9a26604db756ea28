//! What frames do to files: the next segment, the removal of older ones, the seal.
//!
//! A segment ends with a footer, a closed log with a seal; both hold the index. Files go last: the frame that says so is
//! durable before they are removed.

use super::life;
use super::read::Sealed;
use super::write::{FIRST_FILL, NewFrame, SegmentFile, fields};
use super::{RecordLog, View, history::ranges, place_name};
use crate::error::{Error, Limit, Result, Token};
use crate::format::frame::{FrameHeader, Kind, Place};
use crate::format::frame_len;
use crate::format::segment::{Checkpoint, IndexBody, Meta, SegmentHeader};
use crate::storage::{File, Host, StorageError};
use alloc::{string::String, vec::Vec};

/// Most bytes of a segment header's payload.
const MAX_CHECKPOINT: u64 = 64 << 10;

impl<H: Host, V: View> RecordLog<H, V> {
    fn checkpoint(&self, segments: impl IntoIterator<Item = u64>) -> Checkpoint {
        Checkpoint { view: self.history.view.save(), retained: ranges(segments) }
    }

    /// Writes a frame with the index. Segments that hold nothing are not retained any longer.
    fn write_index(&mut self, kind: Kind) -> Result<()> {
        let body = IndexBody {
            checkpoint: self.checkpoint(self.older.iter().copied()),
            floor: self.history.index.floor,
            cut: self.history.index.cut,
            first_number: self.history.index.first_number,
            runs: self.history.index.runs.clone(),
        };
        let payload = body.encode(self.place, self.history.tip.offset, kind);
        let len = frame_len(payload.len() as u64 + 8 * crate::format::blocks(payload.len() as u64));
        self.claim(len, true)?;
        self.put(&NewFrame { kind, first: 0, count: 0, ids: None, parts: &[&payload], kept: true })
    }

    /// Begins the next segment. If there is no space for it, nothing is changed.
    pub(super) fn roll(&mut self) -> Result<()> {
        let next = Place { segment: self.place.segment + 1, ..self.place };
        self.bury()?;
        let name = place_name(&self.name, next);
        let spare = self.writer()?.spare == Some(next.segment);
        let opened = if spare { self.host.open(&name) } else { self.host.create(&name) };
        let file = match opened {
            Ok(file) => file,
            Err(StorageError::OutOfSpace) => return Err(Error::OutOfSpace),
            Err(StorageError::Exists) if self.is_shared() => {
                // Another process began to roll and did not get far.
                self.recover_here()?;
                return if self.writer()?.spare == Some(next.segment) { self.roll() } else { Ok(()) };
            }
            Err(error) => return self.broken("creating the file after", error),
        };
        self.writer()?.spare = Some(next.segment);
        let header = SegmentHeader {
            segment: next.segment,
            begun_ms: self.host.now_ms(),
            checkpoint: self.checkpoint(self.older.iter().copied().chain([self.place.segment])),
            ..self.history.header.clone()
        };
        let size = header.encode().len() as u64;
        if size > MAX_CHECKPOINT {
            return Err(Error::TooLarge { what: Limit::BytesStored, allowed: MAX_CHECKPOINT, got: size });
        }
        let fill = FIRST_FILL.max(frame_len(size + 8 * crate::format::blocks(size)) + 4 * 4096);
        match file.reserve(fill) {
            Ok(()) => {}
            Err(StorageError::OutOfSpace) => return Err(Error::OutOfSpace),
            Err(error) => return self.broken("claiming space after", error),
        }
        self.write_index(Kind::Footer)?;
        self.sync_frames()?;
        let end = self.history.tip.offset;
        let fields = FrameHeader {
            epoch: self.history.tip.epoch,
            low: self.history.tip.low,
            before: self.history.view.next(),
            promise: self.history.tip.address(),
            ..fields(Kind::Header, self.history.tip.number, self.history.tip.chain)
        };
        let new = match SegmentFile::write(file, name, next, header, fields, self.history.view.clone(), fill)
        {
            Ok(new) => new,
            Err(error) => {
                self.shut();
                return Err(match error {
                    Error::OutOfSpace => {
                        Error::Storage("no space for a segment header, although it was claimed".into())
                    }
                    error => error,
                });
            }
        };
        self.switch(next, new, end)
    }

    /// Seals the newest segment and begins the next one; returns the name of the sealed file.
    pub(crate) fn rotate(&mut self) -> Result<String> {
        self.check_writable()?;
        let name = self.file_name.clone();
        self.roll()?;
        Ok(name)
    }

    /// Goes on in the next segment, whose header is durable.
    fn switch(&mut self, next: Place, new: SegmentFile<H::File, V>, end: u64) -> Result<()> {
        let writer = self.writer()?;
        let (had, dying) = (writer.fill, core::mem::take(&mut writer.dying));
        writer.spare = None;
        writer.fill = new.fill;
        writer.durable = new.history.tip.address();
        if let Some(shared) = &mut writer.shared {
            shared.written = new.history.tip.offset;
        }
        let number = self.place.segment;
        self.place = next;
        let index = core::mem::replace(&mut self.history, new.history).index;
        let Some(file) = self.file.replace(new.file) else { return Err(Error::Closed) };
        let name = core::mem::replace(&mut self.file_name, new.name);
        if had > end
            && let Err(error) = file.truncate(end)
        {
            return self.broken("cutting the file before", error);
        }
        self.older.push(number);
        self.remember(Sealed::new(number, file, name, index, end));
        self.remove_segments(&dying)
    }

    fn remove_segments(&mut self, numbers: &[u64]) -> Result<()> {
        for &number in numbers {
            self.sealed.remove(&number);
            self.extents.remove(&number);
            if let Err(error) = life::remove_file(&self.host, &self.segment_name(number)) {
                self.shut();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes a change of the view, durable when this returns, and gives up the older segments below `keep`.
    pub(crate) fn write_meta(&mut self, change: Vec<u8>, keep: Option<u64>) -> Result<()> {
        let below = |n: &&u64| keep.is_some_and(|keep| **n < keep);
        let gone = self.older.iter().filter(below).copied().collect();
        self.write_meta_without(change, gone)
    }

    /// Writes a change of the view, durable when this returns, and gives up these older segments.
    pub(crate) fn write_meta_without(&mut self, change: Vec<u8>, mut gone: Vec<u64>) -> Result<()> {
        self.check_writable()?;
        if self.history.tip.offset >= self.history.header.segment_bytes {
            // Changes alone fill a segment too. Where there is no room for another one this change has to make it.
            match self.roll() {
                Ok(()) | Err(Error::OutOfSpace | Error::TooLarge { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        gone.extend(&self.writer()?.dying);
        gone.sort_unstable();
        let payload = Meta { view: change, removed: ranges(gone.iter().copied()) }.encode();
        self.write_frame(&NewFrame {
            kind: Kind::Meta,
            first: 0,
            count: 0,
            ids: None,
            parts: &[&payload],
            kept: true,
        })?;
        self.sync_frames()?;
        self.writer()?.dying.clear();
        self.older.retain(|n| gone.binary_search(n).is_err());
        self.remove_segments(&gone)
    }

    /// Writes a change of the view that frees nothing, so not into the space that is kept back. Durable when this returns.
    pub(crate) fn write_change(&mut self, change: Vec<u8>) -> Result<()> {
        let payload = Meta { view: change, removed: Vec::new() }.encode();
        let (kind, ids) = (Kind::Meta, None);
        self.write_frame(&NewFrame { kind, first: 0, count: 0, ids, parts: &[&payload], kept: false })?;
        self.sync_frames().map(drop)
    }

    /// Takes note of older segments that hold nothing, be it that they were truncated: they go with the next checkpoint.
    pub(crate) fn bury(&mut self) -> Result<()> {
        let cut = self.history.index.cut;
        while let Some(&number) = self.older.last() {
            if self.floor(number)? < cut {
                break;
            }
            self.older.pop();
            let writer = self.writer()?;
            writer.dying.push(number);
            writer.dying.sort_unstable();
        }
        Ok(())
    }

    /// Seals a log that was written, cuts the unused fill, lets go of the lock.
    pub(crate) fn close(&mut self) -> Result<Token> {
        self.check_open()?;
        if self.writer.is_none() {
            self.shut();
            return Ok(self.token());
        }
        let outcome = self.seal();
        let token = self.token();
        self.shut();
        outcome.map(|()| token)
    }

    /// Syncs everything and writes a seal, durable too, which promises it.
    pub(super) fn write_seal(&mut self) -> Result<()> {
        self.sync_frames()?;
        if self.history.tip.kind != Kind::Seal {
            self.write_index(Kind::Seal)?;
            self.sync_frames()?;
        }
        Ok(())
    }

    /// Syncs everything and finishes the file, so that the next open has nothing to recover.
    pub(crate) fn seal(&mut self) -> Result<()> {
        match self.write_seal() {
            Ok(()) => {}
            Err(Error::OutOfSpace) => return Ok(()), // everything is durable all the same
            Err(error) => return Err(error),
        }
        let end = self.history.tip.offset;
        if self.writer()?.fill > end
            && let Err(error) = self.file()?.truncate(end)
        {
            return self.broken("cutting", error);
        }
        let dying = core::mem::take(&mut self.writer()?.dying);
        self.remove_segments(&dying)?;
        if let Some(spare) = self.writer()?.spare.take() {
            self.remove_segments(&[spare])?;
        }
        Ok(())
    }
}
