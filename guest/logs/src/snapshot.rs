//! The snapshot: the fold of a stream of changes, key to value and version, and the cursor at which it is exact. A thin
//! view over the record log; `wit/snapshot.wit` says what each operation promises.
//!
//! Format: each batch is one `append` frame of items (`item`), the first of which is the cursor. A compaction writes the
//! fold as frames of another shape (`pieces`) into files of the next generation, and so does an import (`import`) into
//! those of a new log. The view's checkpoint is a postcard `state::State`; there are no fixed options but the size of
//! segments. What an artifact looks like is said in `artifact`.

mod artifact;
mod compact;
mod export;
mod fold;
mod import;
mod item;
mod key;
mod loss;
mod pieces;
mod range;
mod rebuild;
mod state;
mod types;

pub use artifact::{BACKEND, BACKEND_VERSION, FILE_BYTES, SCHEMA_VERSION};
pub use compact::{COMPACT_AT, MIN_COMPACT_AT};
pub use export::Export;
pub use import::Import;
pub use range::Range;
pub use types::*;

use crate::error::{Error, Result, Token};
use crate::format::{frame, root};
use crate::limits::{
    SEGMENT_BYTES, check_cursor, check_fixed, check_item, check_key, check_room, check_segment_bytes,
    check_total, check_version,
};
use crate::record_log::{self, Create, NewFrame, RecordLog, Request, View, room};
use crate::storage::Host;
use crate::types::Mode;
use alloc::vec::Vec;
use fold::{Fold, Slot, check_memory, copy, frame_bytes};
use item::{HEAD, Item, Kind};
use key::Key;
use range::{Ahead, Readers, Sources};
pub(crate) use state::State;

/// An open snapshot.
pub struct Snapshot<H: Host> {
    log: RecordLog<H, State>,
    fold: Fold,
    readers: Readers,
    /// Generations before, as long as a range needs them.
    retired: Vec<RecordLog<H, State>>,
    ahead: Ahead,
    /// Files of other generations may be there.
    unfinished: bool,
    relaxed: bool,
    compact_at: Option<u64>,
    /// After a failed compaction: dead bytes from which on to try again.
    retry_at: u64,
}

impl<H: Host> Snapshot<H> {
    /// Creates, opens or recovers a snapshot.
    pub fn open(host: H, name: &str, options: &Options) -> Result<Self> {
        check_segment_bytes("segment-bytes", options.segment_bytes)?;
        let segment_bytes = options.segment_bytes.unwrap_or(SEGMENT_BYTES);
        if options.compact_at.is_some_and(|at| at < MIN_COMPACT_AT) {
            return Err(Error::InvalidArgument("compact-at: at least 64 KiB".into()));
        }
        let request = Request {
            mode: options.mode,
            expect: options.expect,
            lock_wait_ms: options.lock_wait_ms,
            create: Create { segment_bytes, options: Vec::new(), view: State::default() },
            accept: &|header, _| check_fixed("segment-bytes", options.segment_bytes, header.segment_bytes),
        };
        let mut snapshot = if options.mode == Mode::ReadOnly {
            Self::open_read_only(&host, name, options, &request)?
        } else {
            Self::open_once(host, name, options, &request)?
        };
        if snapshot.log.check_writable().is_ok() {
            snapshot.compact_if_due();
            snapshot.log.check_open()?;
        }
        Ok(snapshot)
    }

    fn open_once(host: H, name: &str, options: &Options, request: &Request<'_, State>) -> Result<Self> {
        let (on_disk, lenient) = (options.values_on_disk, options.mode == Mode::ReadOnly);
        let mut fold = Fold { on_disk, ..Fold::default() };
        let log = RecordLog::open_examined(host, name, request, &mut |log| {
            fold = rebuild::rebuild(log, on_disk, lenient)?;
            Ok(())
        })?;
        Ok(Snapshot {
            log,
            fold,
            readers: Readers::default(),
            retired: Vec::new(),
            ahead: Ahead::default(),
            unfinished: false,
            relaxed: options.relaxed,
            compact_at: options.compact_at,
            retry_at: 0,
        })
    }

    /// Opens for reading only. A compaction meanwhile, by another process, looks like damage: then it is opened again.
    fn open_read_only(host: &H, name: &str, options: &Options, request: &Request<'_, State>) -> Result<Self> {
        let mut again = 3;
        loop {
            let before = record_log::root_of(host, name).ok().flatten();
            let opened = Self::open_once(host.clone(), name, options, request);
            let suspicious = match &opened {
                Ok(snapshot) => snapshot.fold.loss.is_some() || !snapshot.log.damage().is_empty(),
                Err(error) => matches!(error, Error::Damaged(_) | Error::Storage(_)),
            };
            if !suspicious || again == 0 || record_log::root_of(host, name).ok().flatten() == before {
                return opened;
            }
            again -= 1;
        }
    }

    /// The cursor of the newest batch.
    pub fn cursor(&self) -> Result<Vec<u8>> {
        self.log.check_open()?;
        copy(self.fold.cursor()?)
    }

    /// Applies updates and moves the cursor, as one frame.
    pub fn apply(&mut self, updates: &[Update<'_>], cursor: &[u8]) -> Result<Option<Token>> {
        self.log.check_writable()?;
        self.apply_all(updates.len(), |i| updates.get(i).copied(), cursor)
    }

    /// The same, packed: three ends for each update, of key, value and version.
    pub fn apply_packed(
        &mut self,
        kinds: &[UpdateKind],
        ends: &[u32],
        bytes: &[u8],
        cursor: &[u8],
    ) -> Result<Option<Token>> {
        self.log.check_writable()?;
        let whole = ends.last().map_or(0, |end| *end as usize) == bytes.len();
        if kinds.len().checked_mul(3) != Some(ends.len()) || !ends.is_sorted() || !whole {
            let what = "ends: three for each kind, which ascend to the number of bytes";
            return Err(Error::InvalidArgument(what.into()));
        }
        let values = kinds.iter().zip(ends.as_chunks::<3>().0);
        if values.clone().any(|(kind, ends)| *kind != UpdateKind::Put && ends[0] != ends[1]) {
            return Err(Error::InvalidArgument("ends: only a put has a value".into()));
        }
        let at = |i: usize| {
            let start =
                i.checked_mul(3)?.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
            let [key, value, version] = *ends.as_chunks::<3>().0.get(i)?;
            let part = |start: u32, end: u32| bytes.get(start as usize..end as usize);
            let (key, value, version) = (part(start, key)?, part(key, value)?, part(value, version)?);
            Some(match kinds.get(i)? {
                UpdateKind::Put => Update::Put { key, value, version },
                UpdateKind::Delete => Update::Delete { key, version },
                UpdateKind::Purge => Update::Purge { key, version },
            })
        };
        self.apply_all(kinds.len(), at, cursor)
    }

    fn apply_all<'a>(
        &mut self,
        count: usize,
        at: impl Fn(usize) -> Option<Update<'a>>,
        cursor: &[u8],
    ) -> Result<Option<Token>> {
        let updates = || (0..count).filter_map(&at);
        let mut total = 0;
        check_cursor(cursor.len() as u64)?;
        for update in updates() {
            let (key, value, version) = (update.key(), update.value(), update.version());
            check_key(key.len() as u64)?;
            check_version(version.len() as u64)?;
            check_item(value.len() as u64)?;
            total += (key.len() + value.len() + version.len()) as u64;
        }
        check_total(count as u64, total)?;
        let first = self.log.view().next();
        check_room(first, count as u64 + 1)?;
        let (payload, changes) = self.prepare(first, count, total as usize, updates(), cursor)?;
        // First everything that needs memory: behind the frame nothing may fail.
        let cursor = copy(cursor)?;
        check_memory(count * (1 + self.readers.count()), 0)?;
        self.readers.keep(&self.fold, self.log.generation(), updates().map(|update| update.key()))?;
        let (kind, parts) = (frame::Kind::Append, [payload.as_slice()]);
        self.log.write_frame(&NewFrame {
            kind,
            first,
            count: count as u32 + 1,
            ids: None,
            parts: &parts,
            kept: false,
        })?;
        self.fold.bytes += frame_bytes(payload.len() as u64);
        drop(payload);
        self.fold.cursor = cursor;
        for (key, slot) in changes {
            self.fold.set(key, slot);
        }
        let token = if self.relaxed { None } else { Some(self.log.sync_frames()?) };
        self.compact_if_due();
        Ok(token)
    }

    /// The payload of a batch, and what it changes.
    #[allow(clippy::type_complexity)] // used once
    fn prepare<'a>(
        &self,
        first: u64,
        count: usize,
        total: usize,
        updates: impl Iterator<Item = Update<'a>>,
        cursor: &[u8],
    ) -> Result<(Vec<u8>, Vec<(Key, Option<Slot>)>)> {
        let list = 4 * (count + 1);
        let mut payload: Vec<u8> = room(list + HEAD * (count + 1) + cursor.len() + total)?;
        payload.resize(list, 0);
        let mut changes = room(count)?;
        check_memory(count, total)?;
        Item::cursor(Kind::Cursor, cursor).encode(&mut payload);
        let put_end = |i: usize, payload: &mut Vec<u8>| {
            let end = (payload.len() - list) as u32;
            if let Some(place) = payload.get_mut(4 * i..4 * i + 4) {
                place.copy_from_slice(&end.to_le_bytes());
            }
        };
        put_end(0, &mut payload);
        for (i, update) in (1..).zip(updates) {
            let kind = match update {
                Update::Put { .. } => Kind::Put,
                Update::Delete { .. } => Kind::Delete,
                Update::Purge { .. } => Kind::Purge,
            };
            let item = Item { kind, key: update.key(), version: update.version(), value: update.value() };
            let at = payload.len();
            item.encode(&mut payload);
            put_end(i, &mut payload);
            let encoded = payload.get(at..).unwrap_or_default();
            let slot =
                (kind == Kind::Put).then(|| Slot::of(&item, encoded, first + i as u64, self.fold.on_disk));
            changes.push((Key::new(item.key)?, slot));
        }
        Ok((payload, changes))
    }

    /// What a key has.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Entry>> {
        self.log.check_open()?;
        check_key(key.len() as u64)?;
        let Some(slot) = self.fold.get(key)? else { return Ok(None) };
        let generation = self.log.generation();
        let mut sources = Sources { log: &mut self.log, retired: &mut [], ahead: &mut Ahead::default() };
        let found = sources.read(generation, key, slot, |version, value| {
            Ok(Entry { key: copy(key)?, value: copy(value)?, version: copy(version)? })
        });
        self.checked(found).map(Some)
    }

    /// Begins to stream the entries whose keys have this prefix.
    pub fn range(&mut self, prefix: &[u8]) -> Result<Range> {
        self.log.check_open()?;
        check_key(prefix.len() as u64)?;
        self.readers.begin(prefix)
    }

    /// Whether any key is there.
    pub fn has_entries(&self) -> Result<bool> {
        self.log.check_open()?;
        if self.fold.entries.is_empty() {
            self.fold.check_whole()?;
        }
        Ok(!self.fold.entries.is_empty())
    }

    /// What there is.
    pub fn stats(&self) -> Result<Stats> {
        self.log.check_open()?;
        self.fold.check_whole()?;
        Ok(Stats {
            entries: self.fold.entries.len() as u64,
            live_bytes: self.fold.live,
            dead_bytes: self.fold.dead(),
            generation: self.log.generation(),
        })
    }

    /// Makes every batch before it durable.
    pub fn sync(&mut self) -> Result<Token> {
        self.log.check_writable()?;
        self.log.sync_frames()
    }

    /// Syncs, seals, and lets go of the lock.
    pub fn close(&mut self) -> Result<Token> {
        self.log.check_open()?;
        self.forget_readers();
        self.log.close()
    }

    /// No range goes on from here.
    fn forget_readers(&mut self) {
        self.readers = Readers::default();
        self.release();
    }
}

impl<H: Host> Drop for Snapshot<H> {
    /// Removes what only ranges kept, while the lock is held.
    fn drop(&mut self) {
        if self.log.check_writable().is_ok() {
            self.forget_readers();
        }
    }
}

/// Removes a snapshot and its files.
pub fn destroy<H: Host>(host: &H, name: &str) -> Result<()> {
    record_log::destroy(host, name, root::Kind::Snapshot)
}

/// A request to look at a snapshot without changing it.
pub(crate) fn look() -> Request<'static, State> {
    Request::reading(State::default())
}
