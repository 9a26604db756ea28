//! Writing a fold as pieces: frames that begin with the cursor and hold entries in ascending order of their keys.

use super::fold::frame_bytes;
use super::item::{HEAD, Item, Kind};
use super::state::State;
use crate::error::Result;
use crate::format::frame;
use crate::record_log::{NewFrame, RecordLog, View, room};
use crate::storage::Host;
use alloc::vec::Vec;

/// Bytes of entries in a piece, unless one alone has more.
const PIECE: usize = 256 << 10;

/// The piece that is being filled, and how many entries those before it hold.
pub(super) struct Pieces {
    /// The item that begins every piece.
    cursor: Vec<u8>,
    /// Where the items of the piece end, as they are written.
    ends: Vec<u8>,
    items: Vec<u8>,
    pub(super) counts: Vec<u32>,
    /// Bytes of the frames.
    pub(super) bytes: u64,
}

impl Pieces {
    /// No piece yet, of a fold with this cursor.
    pub(super) fn new(cursor: &[u8]) -> Result<Pieces> {
        let mut item = room(HEAD + cursor.len())?;
        Item::cursor(Kind::Fold, cursor).encode(&mut item);
        Ok(Pieces { cursor: item, ends: Vec::new(), items: Vec::new(), counts: Vec::new(), bytes: 0 })
    }

    /// Adds an entry. What is full is written.
    pub(super) fn add<H: Host>(
        &mut self,
        log: &mut RecordLog<H, State>,
        key: &[u8],
        version: &[u8],
        value: &[u8],
    ) -> Result<()> {
        let item = Item { kind: Kind::Entry, key, version, value };
        if !self.items.is_empty() && self.items.len() + item.len() > PIECE {
            self.write(log)?;
        }
        let left = PIECE.max(item.len()) - self.items.len();
        self.items.try_reserve_exact(left).map_err(crate::record_log::exhausted)?;
        item.encode(&mut self.items);
        self.ends.try_reserve(4).map_err(crate::record_log::exhausted)?;
        let end = (self.cursor.len() + self.items.len()) as u32;
        self.ends.extend_from_slice(&end.to_le_bytes());
        Ok(())
    }

    fn write<H: Host>(&mut self, log: &mut RecordLog<H, State>) -> Result<()> {
        let (first, entries) = (log.view().next(), (self.ends.len() / 4) as u32);
        let end = (self.cursor.len() as u32).to_le_bytes();
        let parts: [&[u8]; 4] = [&end, &self.ends, &self.cursor, &self.items];
        let payload = parts.iter().map(|part| part.len() as u64).sum();
        self.counts.try_reserve(1).map_err(crate::record_log::exhausted)?;
        let (kind, count) = (frame::Kind::Append, entries + 1);
        log.write_frame(&NewFrame { kind, first, count, ids: None, parts: &parts, kept: false })?;
        self.counts.push(entries);
        self.bytes += frame_bytes(payload);
        self.ends.clear();
        self.items.clear();
        Ok(())
    }

    /// Writes what is left, without entries only if there are none at all: the cursor needs a piece.
    pub(super) fn finish<H: Host>(&mut self, log: &mut RecordLog<H, State>) -> Result<()> {
        self.write(log)
    }
}
