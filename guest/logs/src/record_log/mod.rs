//! The record log: segments of frames in files, the substrate of all five logs. Only this module touches files.
//!
//! A log is opened ([`mod@open`]), read ([`mod@read`]) and written ([`mod@write`]) through a [`RecordLog`], which knows positions
//! and items but not what a log makes of them: that is its [`View`], a small state that frames change and that
//! checkpoints save. Opening rebuilds the view from the newest segment alone.
//!
//! Invariants:
//! * one writer at a time, who holds the log's lock; a reader holds none and changes nothing;
//! * what was written is never written again with other bytes, and offsets only grow;
//! * `durable` never runs ahead of a sync that succeeded; frames promise no more than it;
//! * after a failed write or sync nothing more is written: every call answers `closed`.

mod archive;
mod beside;
mod dead;
mod frames;
mod gaps;
mod generation;
mod history;
mod index;
mod items;
mod life;
mod live;
mod locate;
mod open;
mod part;
mod read;
mod recent;
mod recovery;
mod repair;
mod roll;
mod salvage;
mod scan;
mod shared;
#[cfg(test)]
mod sparse;
mod stale;
mod survey;
mod sync;
mod token;
pub(crate) mod verify;
mod waiting;
mod window;
mod write;

pub(crate) use frames::FrameList;
pub(crate) use generation::Unborn;
pub(crate) use life::{ROOT_WAIT_MS, check_name, destroy, destroy_unless, lock_root, logs, root_of};
pub(crate) use open::{Create, Request};
pub(crate) use part::{lock, next_generation, parts, remove_part, side_cells};
pub(crate) use read::Lane;
pub(crate) use salvage::{has_files, kind_in_files};
pub(crate) use sync::Ticket;
pub(crate) use window::{exhausted, room};
pub(crate) use write::NewFrame;

use crate::error::{Bounds, Damage, Error, Result};
use crate::format::frame::{FrameHeader, Place, Promise};
use crate::format::names::FileName;
use crate::format::root;
use crate::format::segment::SegmentHeader;
use crate::storage::{Host, StorageError};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::{format, string::String, vec::Vec};
use history::History;
use index::{Extent, Lost};
use read::{Cursor, Sealed};
use recent::{Blocks, Frames};
use shared::Shared;
use window::Window;

/// What a log makes of its frames: a small state, changed by each of them, saved in checkpoints.
pub(crate) trait View: Clone {
    /// The kind of log this is a view of.
    const KIND: root::Kind;
    /// Whether positions leave nothing out and frames supersede nothing but what lies behind them: no `put`.
    const DENSE: bool;
    /// The state of a log of which nothing is known.
    fn blank() -> Self;
    /// The state saved in these bytes.
    fn restore(options: &[u8], saved: &[u8]) -> Option<Self>;
    /// The state as bytes.
    fn save(&self) -> Vec<u8>;
    /// The position behind the last item.
    fn next(&self) -> u64;
    /// Positions below it are gone for good.
    fn boundary(&self) -> u64;
    /// A frame with items. False if it makes no sense in this state.
    fn items(&mut self, frame: &FrameHeader) -> bool;
    /// A change of the view's own. False if it makes no sense in this state.
    fn meta(&mut self, change: &[u8]) -> bool;
    /// Damage hides what happened up to here.
    fn skip_to(&mut self, next: u64);
    /// The most bytes that `save` gives in this state.
    fn weight(&self) -> u64 {
        64
    }
    /// Number of items that can be read, damaged ones included.
    fn live(&self) -> u64 {
        self.next() - self.boundary()
    }
    /// Whether `live` and `oldest` are exact; otherwise they hold if no position between the boundary and `next` is missing.
    fn counts(&self) -> bool {
        true
    }
    /// The parts of these bounds whose items can be read, if they are there.
    fn kept(&self, bounds: Bounds) -> Vec<Bounds> {
        let Bounds { start, end } = bounds;
        let start = start.max(self.boundary());
        (start < end).then_some(Bounds { start, end }).into_iter().collect()
    }
    /// The lowest position that can be read.
    fn oldest(&self) -> Option<u64> {
        (self.boundary() < self.next()).then(|| self.boundary())
    }
}

/// What only a writer has.
struct Writer<H: Host> {
    /// Held until the log is closed; in shared mode while a call writes.
    lock: Option<H::Lock>,
    /// What only shared mode needs.
    shared: Option<Shared>,
    epoch: u64,
    /// The next frame starts the epoch.
    epoch_starts: bool,
    /// Everything below is known to be durable.
    durable: Promise,
    /// Bytes in the newest file, zeros ahead included.
    fill: u64,
    /// A file for the next segment that is there already, empty.
    spare: Option<u64>,
    /// Segments that hold nothing any more; to be named in the next checkpoint and then removed.
    dying: Vec<u64>,
}

/// Single appends that wait to become a frame.
#[derive(Default)]
struct Waiting {
    ends: Vec<u32>,
    bytes: Vec<u8>,
    /// Their positions, ascending; empty where they are consecutive.
    ids: Vec<u64>,
}

/// An open log.
pub(crate) struct RecordLog<H: Host, V: View> {
    host: H,
    name: String,
    place: Place,
    /// What the newest segment says.
    history: History<V>,
    /// Its file; none once the log is closed.
    file: Option<H::File>,
    file_name: String,
    /// Segment and offset at which the one before ends, as the newest one's header promises.
    start: Option<(u64, u64)>,
    /// Older segments that hold something, ascending.
    older: Vec<u64>,
    sealed: BTreeMap<u64, Sealed<H::File>>,
    /// Number of times that one of them was used.
    uses: u64,
    /// What older segments reach over, as far as that was needed; it never changes.
    extents: BTreeMap<u64, Extent>,
    windows: [Window; 2],
    blocks: Blocks,
    frames: Frames,
    cursor: Option<Cursor>,
    waiting: Waiting,
    /// Memory for the next frame.
    scratch: Vec<u8>,
    /// Whether frames with items are stored compressed where that makes them smaller.
    compress: bool,
    /// None in a log that was opened for reading only.
    writer: Option<Writer<H>>,
    /// Syncs under way, how many were begun, and the last one that is known to have succeeded.
    syncs: VecDeque<sync::Running<H>>,
    begun: u64,
    ended: u64,
    /// What a read-only open found.
    damage: Vec<Damage>,
    /// Numbers of missing files, and positions that they held.
    lost: Vec<(u64, Lost)>,
    /// Why items may be missing behind the last one that is known.
    cut_short: Option<Damage>,
    clean: bool,
}

fn place_name(name: &str, place: Place) -> String {
    let Place { log: id, generation, segment } = place;
    FileName { log: name.into(), id, generation, segment }.text()
}

/// The error for a failed call other than a read.
pub(crate) fn failed(what: &str, name: &str, error: StorageError) -> Error {
    match error {
        StorageError::OutOfSpace => Error::OutOfSpace,
        StorageError::Locked => Error::Locked,
        StorageError::Damaged(why) => window::known_damage(name, why),
        StorageError::Io(why) => Error::Storage(format!("{what} {name}: {why}")),
        other => Error::Storage(format!("{what} {name}: {other:?}")),
    }
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// The view, waiting appends not included.
    pub(crate) fn view(&self) -> &V {
        &self.history.view
    }

    /// The newest segment's header, with the log's options.
    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.history.header
    }

    /// The position that the next append gets.
    pub(crate) fn next(&self) -> u64 {
        match self.waiting.ids.last() {
            Some(last) => last.saturating_add(1),
            None => self.history.view.next() + self.waiting.ends.len() as u64,
        }
    }

    /// From now on frames with items are stored compressed where that makes them smaller.
    pub(crate) fn compress(&mut self) {
        self.compress = true;
    }

    /// An error if the log was closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        self.file().map(drop)
    }

    fn file(&self) -> Result<&H::File> {
        self.file.as_ref().ok_or(Error::Closed)
    }

    /// An error if nothing may be written.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.writer.is_some() { Ok(()) } else { Err(Error::ReadOnly) }
    }

    /// What a read-only open found damaged.
    pub(crate) fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The damage behind the last known item, if there may have been more items.
    pub(crate) fn cut_short(&self) -> Option<&Damage> {
        self.cut_short.as_ref()
    }

    /// Whether it was cleanly closed before.
    pub(crate) fn was_clean(&self) -> bool {
        self.clean
    }
}

impl<H: Host, V: View> Drop for RecordLog<H, V> {
    /// Hands over what waits. Nothing is synced, nothing is reported: `close` does both.
    fn drop(&mut self) {
        if self.writer.is_some() {
            let _ = self.flush();
        }
    }
}
