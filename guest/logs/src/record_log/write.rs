//! Writing frames, and the space for them.
//!
//! A frame is written with one call, at the end of the newest segment; nothing is written twice. Space is claimed before
//! it is needed; what is kept back of it is for the frames that free or finish a log. A failed write or sync closes the
//! log at once; running out of space while claiming some does not.

use super::history::{History, Tip};
use super::index::{Index, MAX_RUNS};
use super::open::Create;
use super::shared::AHEAD;
use super::{RecordLog, View, exhausted, failed, place_name, room};
use crate::error::{Error, Limit, Result, Token};
use crate::format::frame::{self, FrameHeader, Kind, NONE, Place, Promise};
use crate::format::segment::{Checkpoint, MAX_RUN, SegmentHeader};
use crate::format::{HEADER, SECTOR, frame_len};
use crate::storage::{File, Host, StorageError};
use alloc::{string::String, vec::Vec};

/// Most zeros written ahead at a time.
const FILL_STEP: u64 = 4 << 20;
/// Zeros written ahead at first.
pub(super) const FIRST_FILL: u64 = 64 << 10;
/// A frame of up to so many bytes leaves its memory to the next one.
const MAX_SCRATCH: usize = 1 << 20;
/// Bytes that stay free for small frames.
const SPARE: u64 = 4096;

/// A segment file with its header written and durable.
pub(super) struct SegmentFile<F, V> {
    pub(super) file: F,
    pub(super) name: String,
    pub(super) history: History<V>,
    pub(super) fill: u64,
}

/// What is to be written: kind, positions, and the parts of the payload.
pub(crate) struct NewFrame<'a> {
    pub(crate) kind: Kind,
    pub(crate) first: u64,
    pub(crate) count: u32,
    /// The positions, ascending, unless they are consecutive.
    pub(crate) ids: Option<&'a [u64]>,
    /// Of items: where they end, as little-endian `u32`s; then the items.
    pub(crate) parts: &'a [&'a [u8]],
    /// It may use the space that is kept back.
    pub(crate) kept: bool,
}

impl NewFrame<'_> {
    /// The positions, if they are not consecutive.
    fn listed(&self) -> Option<&[u64]> {
        self.ids.filter(|ids| self.end() - self.first != ids.len() as u64)
    }

    /// An error if the index of a segment could not hold where its items are.
    fn check_stretches(&self) -> Result<()> {
        let Some(ids) = self.listed().filter(|_| self.kind == Kind::Put) else { return Ok(()) };
        let breaks = |pair: &&[u64]| pair.first().map(|id| id + 1) != pair.last().copied();
        let (allowed, got) = (MAX_RUNS as u64, 1 + ids.windows(2).filter(breaks).count() as u64);
        if got > allowed { Err(Error::TooLarge { what: Limit::BatchCount, allowed, got }) } else { Ok(()) }
    }

    /// The position behind the last one.
    fn end(&self) -> u64 {
        match self.ids.and_then(<[u64]>::last) {
            Some(last) => last.saturating_add(1),
            None => self.first.saturating_add(u64::from(self.count)),
        }
    }
}

impl<F: File, V: View> SegmentFile<F, V> {
    /// The first segment of a new log or generation, behind the frame with this number and chain value.
    pub(super) fn first<H: Host<File = F>>(
        host: &H,
        log: &str,
        place: Place,
        epoch: u64,
        create: &Create<V>,
        (number, chain): (u64, u128),
    ) -> Result<Self> {
        let name = place_name(log, place);
        let file = host.create(&name).map_err(|e| failed("creating", &name, e))?;
        let header = SegmentHeader {
            kind: V::KIND,
            id: place.log,
            generation: place.generation,
            segment: place.segment,
            begun_ms: host.now_ms(),
            segment_bytes: create.segment_bytes,
            options: create.options.clone(),
            checkpoint: Checkpoint { view: create.view.save(), retained: Vec::new() },
        };
        let fields = FrameHeader {
            epoch_start: true,
            epoch,
            before: create.view.next(),
            promise: Promise { segment: place.segment, offset: 0, number: number + 1 },
            ..fields(Kind::Header, number, chain)
        };
        file.reserve(FIRST_FILL).map_err(|e| failed("claiming space in", &name, e))?;
        Self::write(file, name, place, header, fields, create.view.clone(), FIRST_FILL)
    }

    /// Writes the header into a file and syncs it.
    pub(super) fn write(
        file: F,
        name: String,
        place: Place,
        header: SegmentHeader,
        fields: FrameHeader,
        view: V,
        fill: u64,
    ) -> Result<Self> {
        let mut bytes = Vec::new();
        let header_frame =
            frame::encode(fields, place, 0, &[&header.encode()], &mut bytes).map_err(exhausted)?;
        file.write(0, &bytes).map_err(|e| failed("writing", &name, e))?;
        file.sync().map_err(|e| failed("syncing", &name, e))?;
        let offset = header_frame.len();
        let history = History {
            tip: Tip {
                place,
                offset,
                kind: Kind::Header,
                last: 0,
                number: header_frame.number,
                chain: header_frame.chain,
                epoch: header_frame.epoch,
                low: NONE,
                promise: header_frame.promise,
            },
            index: Index::new(view.next(), header_frame.number),
            retained: header.checkpoint.retained.clone(),
            header,
            view,
        };
        Ok(SegmentFile { file, name, history, fill: fill.max(offset) })
    }
}

/// The parts compressed, and their size before; none unless that saves an eighth.
fn pack(parts: &[&[u8]]) -> Result<Option<(Vec<u8>, u32)>> {
    let len = parts.iter().map(|part| part.len()).sum();
    let mut plain: Vec<u8> = room(len)?;
    parts.iter().for_each(|part| plain.extend_from_slice(part));
    let most = lz4_flex::block::get_maximum_output_size(len);
    let mut packed = room(most)?;
    packed.resize(most, 0);
    let size = lz4_flex::block::compress_into(&plain, &mut packed).unwrap_or(most);
    packed.truncate(size);
    Ok((size + size / 8 < len).then_some((packed, len as u32)))
}

pub(super) fn fields(kind: Kind, number: u64, previous: u128) -> FrameHeader {
    FrameHeader {
        kind,
        codec: 0,
        epoch_start: false,
        number: number + 1,
        epoch: 0,
        listed: false,
        first: 0,
        end: 0,
        before: 0,
        low: NONE,
        count: 0,
        body: 0,
        decoded: 0,
        promise: Promise::default(),
        previous,
        chain: 0,
    }
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// After this every call answers `closed`; files and lock are let go of.
    pub(crate) fn shut(&mut self) {
        self.writer = None;
        self.syncs.clear();
        self.file = None;
        self.sealed.clear();
        self.forget();
        self.blocks.clear();
    }

    /// The storage failed while writing: nothing is known about the end of the file any more.
    pub(super) fn broken<T>(&mut self, what: &str, error: StorageError) -> Result<T> {
        self.shut();
        let name = &self.file_name;
        Err(match failed(what, name, error) {
            Error::OutOfSpace => {
                Error::Storage(alloc::format!("{what} {name}: no space, although it was claimed"))
            }
            error => error,
        })
    }

    pub(super) fn writer(&mut self) -> Result<&mut super::Writer<H>> {
        self.check_open()?;
        let writer = self.writer.as_mut().ok_or(Error::ReadOnly)?;
        // In shared mode whoever writes has entered; a successor is written under the lock of the log before it.
        if writer.lock.is_some() || writer.shared.is_none() {
            Ok(writer)
        } else {
            Err(Error::Other("the log is not locked".into()))
        }
    }

    /// The token of the last frame.
    pub(crate) fn token(&self) -> Token {
        let tip = &self.history.tip;
        Token { log: self.place.log, frame: tip.number, check: tip.chain }
    }

    /// Space that must stay free behind every ordinary frame: for frames that prune, finish a segment, seal the log.
    fn kept_back(&self) -> u64 {
        let (retained, runs) = (self.history.retained.len() as u64, self.history.index.runs.len() as u64);
        let index = HEADER as u64 + 512 + self.history.view.weight() + 24 * retained + MAX_RUN * (1 + runs);
        SPARE + 3 * index
    }

    pub(super) fn claim(&mut self, len: u64, kept: bool) -> Result<()> {
        let (offset, back) = (self.history.tip.offset, self.kept_back());
        let full = self.history.header.segment_bytes.saturating_add(back);
        let fill = self.writer()?.fill;
        let need = offset + len + if kept { 0 } else { back };
        if need <= fill {
            return Ok(());
        }
        let step = offset.clamp(FIRST_FILL, FILL_STEP);
        for goal in [need.max((fill + step).min(full)), need] {
            match self.file()?.reserve(goal) {
                Ok(()) => {
                    self.writer()?.fill = goal;
                    return Ok(());
                }
                Err(StorageError::OutOfSpace) => {}
                Err(error) => return self.broken("claiming space in", error),
            }
        }
        Err(Error::OutOfSpace)
    }

    /// Writes a frame. When this returns, the host has it.
    pub(crate) fn write_frame(&mut self, new: &NewFrame<'_>) -> Result<()> {
        self.check_writable()?;
        new.check_stretches()?;
        let ids = new.listed().map_or(0, |ids| 8 * ids.len() as u64);
        let payload: u64 = new.parts.iter().map(|p| p.len() as u64).sum::<u64>() + ids;
        let len = frame_len(payload + 8 * crate::format::blocks(payload));
        if !new.kept {
            let full = self.history.tip.offset + len > self.history.header.segment_bytes
                || self.history.index.runs.len() >= MAX_RUNS;
            if full && self.history.tip.kind != Kind::Header {
                self.roll()?;
            }
        }
        // Positions in many stretches make the index longer.
        let stretches = match (new.kind, new.listed()) {
            (Kind::Put, Some(ids)) => ids.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count() as u64,
            _ => 0,
        };
        self.claim(len + 3 * MAX_RUN * stretches, new.kept)?;
        self.put(new)
    }

    /// Writes a frame for which there is space.
    pub(super) fn put(&mut self, new: &NewFrame<'_>) -> Result<()> {
        let (tip, place, before) = (self.history.tip.clone(), self.place, self.history.view.next());
        let writer = self.writer()?;
        let mut fields = FrameHeader {
            epoch_start: writer.epoch_starts,
            epoch: writer.epoch,
            listed: new.listed().is_some(),
            first: new.first,
            end: new.end(),
            count: new.count,
            promise: writer.durable,
            low: tip.low,
            before,
            ..fields(new.kind, tip.number, tip.chain)
        };
        let mut list: Vec<u8>;
        let mut parts = new.parts;
        let mut listed: Vec<&[u8]> = Vec::new();
        if let (Some(ids), Some((ends, items))) = (new.listed(), new.parts.split_first()) {
            list = room(8 * ids.len())?;
            list.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
            listed.extend([ends, &list[..]]);
            listed.extend(items);
            parts = &listed;
        }
        let pack_it = self.compress && new.kind.has_items() && !fields.scattered();
        let packed = if pack_it { pack(parts)? } else { None };
        let packed_parts: [&[u8]; 1];
        let stored = match &packed {
            Some((packed, decoded)) => {
                (fields.codec, fields.decoded) = (frame::LZ4, *decoded);
                packed_parts = [packed];
                &packed_parts
            }
            None => parts,
        };
        let mut bytes = core::mem::take(&mut self.scratch);
        let header = frame::encode(fields, place, tip.offset, stored, &mut bytes).map_err(exhausted)?;
        // In shared mode what a failed write leaves must show where others look.
        // No sector is written in two steps: half of one would not look like a tear.
        let ahead = (tip.offset + AHEAD as u64) / SECTOR * SECTOR - tip.offset;
        let head = if self.is_shared() { bytes.len().min(ahead as usize) } else { bytes.len() };
        let (head, rest) = bytes.split_at(head);
        for (offset, part) in [(tip.offset, head), (tip.offset + head.len() as u64, rest)] {
            if !part.is_empty()
                && let Err(error) = self.file()?.write(offset, part)
            {
                return self.broken("writing", error);
            }
        }
        for window in &mut self.windows {
            window.forget(place.segment, tip.offset);
        }
        if bytes.capacity() <= MAX_SCRATCH {
            self.scratch = bytes;
        }
        if let Some(writer) = self.writer.as_mut() {
            let end = tip.offset + header.len();
            writer.epoch_starts = false;
            writer.fill = writer.fill.max(end);
            if let Some(shared) = &mut writer.shared {
                shared.written = end;
            }
        }
        // Where its items are, or all of it.
        let lists = if header.scattered() { parts.get(..2).unwrap_or(&[]).concat() } else { Vec::new() };
        let payload = if header.scattered() { &lists } else { new.parts.first().copied().unwrap_or(&[]) };
        if !self.history.apply(&header, tip.offset, Some(payload)) {
            // A frame that its own writer does not understand: a defect here. Nothing more may be written.
            self.shut();
            return Err(Error::Other("a frame was written that makes no sense".into()));
        }
        if header.supersedes() != NONE {
            self.cursor = None;
        }
        Ok(())
    }
}
