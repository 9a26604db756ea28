//! Rebuilding the fold by reading all items of a generation: first the pieces of the fold that a compaction or an import
//! wrote, if there are any, their keys ascending; then the batches.

use super::fold::{Fold, Slot, check_memory, copy, frame_bytes};
use super::item::{Item, Kind};
use super::key::Key;
use super::loss::Loss;
use super::state::State;
use crate::error::{Damage, Error, Result};
use crate::record_log::{Lane, RecordLog, View};
use crate::storage::Host;
use alloc::vec::Vec;

/// Bytes of items that are read at a time.
const CHUNK: u64 = 256 << 10;

/// The frame that is being read.
struct Frame {
    /// Bytes of its payload, and those of puts among them.
    payload: u64,
    puts: u64,
    /// It is a piece of a fold.
    piece: bool,
}

/// A loss among the pieces, until what follows is known.
struct Gap {
    after: Option<Vec<u8>>,
    /// It lies within one piece, so no batch is among what is lost.
    within: bool,
    damage: Damage,
}

struct Rebuild {
    fold: Fold,
    frame: Option<Frame>,
    /// A batch was read: no piece follows.
    batches: bool,
    /// The last key of the pieces.
    last: Option<Vec<u8>>,
    gap: Option<Gap>,
}

/// Reads all items. Damage is an error, or in a `lenient` read a loss.
pub(super) fn rebuild<H: Host>(log: &mut RecordLog<H, State>, on_disk: bool, lenient: bool) -> Result<Fold> {
    let fold = Fold { on_disk, ..Fold::default() };
    let mut rebuild = Rebuild { fold, frame: None, batches: false, last: None, gap: None };
    let (mut position, next) = (log.view().boundary(), log.view().next());
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    if let Some(damage) = log.lost_fold() {
        if !lenient {
            return Err(Error::Damaged(damage));
        }
        rebuild.lose_all(&damage, true);
    }
    while position < next {
        ends.clear();
        bytes.clear();
        match log.read_frame(position, u64::MAX, CHUNK, Lane::Stream, &mut ends, &mut bytes) {
            Ok(_) => {}
            Err(Error::Damaged(damage)) if lenient => {
                let behind = damage.next.unwrap_or(next).max(position + 1);
                // Items of the frame that is being read, or who knows what.
                let frame = log.last_frame().filter(|f| f.first < position && position < f.end);
                position = frame.as_ref().map_or(behind, |f| behind.min(f.end));
                rebuild.damaged(damage, frame.is_some());
                continue;
            }
            Err(error) => return Err(error),
        }
        check_memory(ends.len(), bytes.len())?;
        if ends.is_empty() {
            return Err(Error::Other("a frame without its items was read".into()));
        }
        for item in crate::types::unpack(&ends, &bytes) {
            if !rebuild.take(position, item)? {
                let damage = nonsense(log, position);
                if !lenient {
                    return Err(Error::Damaged(damage));
                }
                rebuild.damaged(damage, false);
            }
            position += 1;
        }
    }
    rebuild.end_frame();
    rebuild.end_pieces();
    if let Some(damage) = log.cut_short() {
        rebuild.lose_all(damage, true);
    }
    Ok(rebuild.fold)
}

/// The damage of an item that verifies and makes no sense where it stands.
pub(super) fn nonsense<H: Host>(log: &RecordLog<H, State>, position: u64) -> Damage {
    let (file, offset) = log.last_frame().map_or_else(Default::default, |frame| (frame.file, frame.offset));
    let what = "an item makes no sense where it stands".into();
    Damage { file, offset, lowest: Some(position), next: Some(position + 1), what }
}

impl Rebuild {
    /// The frame that was read ends.
    fn end_frame(&mut self) {
        if let Some(Frame { payload, puts, piece }) = self.frame.take() {
            let bytes = frame_bytes(payload);
            self.fold.bytes += bytes;
            // A fold needs its pieces: what holds the puts together there is live.
            self.fold.live += if piece { bytes - puts } else { 0 };
        }
    }

    /// The pieces end.
    fn end_pieces(&mut self) {
        match self.gap.take() {
            Some(Gap { after, within: true, damage }) => self.loss(&damage).hole(after, None, damage.clone()),
            Some(gap) => self.lose_all(&gap.damage, false),
            None => {}
        }
    }

    /// Takes the next item. False if it makes no sense.
    fn take(&mut self, position: u64, bytes: &[u8]) -> Result<bool> {
        let Some(item) = Item::decode(bytes) else { return Ok(false) };
        let size = 4 + bytes.len() as u64;
        if let Kind::Cursor | Kind::Fold = item.kind {
            self.end_frame();
            let piece = item.kind == Kind::Fold;
            if piece && self.batches {
                return Ok(false);
            }
            if !piece && !self.batches {
                self.end_pieces();
            }
            self.batches |= !piece;
            self.fold.cursor = copy(item.value)?;
            if let Some(loss) = &mut self.fold.loss {
                loss.cursor = None;
            }
            self.frame = Some(Frame { payload: size, puts: 0, piece });
            return Ok(true);
        }
        let entry = item.kind == Kind::Entry;
        match &mut self.frame {
            Some(frame) if frame.piece != entry => return Ok(false),
            Some(frame) => {
                frame.payload += size;
                frame.puts += if entry { size } else { 0 };
            }
            // Its cursor is lost.
            None if self.fold.loss.is_some() => {}
            None => return Ok(false),
        }
        if entry {
            if self.batches || self.last.as_deref().is_some_and(|last| last >= item.key) {
                return Ok(false);
            }
            if let Some(Gap { after, damage, .. }) = self.gap.take() {
                let before = Some(copy(item.key)?);
                self.loss(&damage).hole(after, before, damage.clone());
            }
            let last = self.last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(item.key);
        } else if !self.batches {
            self.end_pieces();
            self.batches = true;
        }
        self.keep(position, &item, bytes)
    }

    fn keep(&mut self, position: u64, item: &Item<'_>, encoded: &[u8]) -> Result<bool> {
        let put = matches!(item.kind, Kind::Entry | Kind::Put);
        let slot = put.then(|| Slot::of(item, encoded, position, self.fold.on_disk));
        self.fold.set(Key::new(item.key)?, slot);
        Ok(true)
    }

    fn loss(&mut self, damage: &Damage) -> &mut Loss {
        self.fold.loss.get_or_insert_with(|| Loss::new(damage))
    }

    /// Items are lost, either of one frame or of who knows how many.
    fn damaged(&mut self, damage: Damage, one: bool) {
        let within = one && self.frame.is_some();
        if self.batches {
            self.lose_all(&damage, !within);
        } else {
            self.loss(&damage);
            let after = self.last.clone();
            let gap = self.gap.get_or_insert_with(|| Gap { after, within, damage: damage.clone() });
            gap.within &= within;
        }
        if !within {
            self.loss(&damage).cursor = Some(damage.clone());
            self.frame = None;
        }
    }

    /// No key is certain any more, nor the cursor if that may be lost too.
    fn lose_all(&mut self, damage: &Damage, cursor: bool) {
        self.fold.entries.clear();
        self.fold.live = 0;
        let loss = self.loss(damage);
        loss.all();
        if cursor {
            loss.cursor = Some(damage.clone());
        }
    }
}
