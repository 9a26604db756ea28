//! The journal: a dense log. Positions 0, 1, 2, … are given by the log; items are pruned from the front in sections and
//! rewound from the back. A thin view over the record log; `wit/journal.wit` says what each operation promises.
//!
//! Format: items are `append` frames with their positions; a rewind is a `truncate` frame without items; pruning and
//! starting at a position are `meta` frames with a postcard `state::Change`. The view's checkpoint is a postcard
//! `state::State`, the fixed options are a postcard `options::Fixed`.

mod options;
mod state;

pub use options::{ITEMS_PER_SECTION, Options, WRITE_BUFFER};

use crate::error::{Bounds, Error, Result, Token};
use crate::format::frame::Kind;
use crate::format::root;
use crate::limits::{SEGMENT_BYTES, check_batch, check_fixed, check_item, check_room, check_segment_bytes};
use crate::record_log::{self, Create, Lane, NewFrame, RecordLog, Request, Ticket, room};
use crate::storage::Host;
use crate::types::{Batch, Items, Limits, Mode};
use alloc::vec::Vec;
use options::{Fixed, fixed_of};
use state::Change;
pub(crate) use state::State;

/// A replay under way: shows the journal as it was when it was begun.
#[derive(Clone, Debug)]
pub struct Replay {
    next: u64,
    end: u64,
    /// How many rewinds there had been.
    rewinds: u64,
    over: bool,
}

/// A sync under way.
pub struct SyncTicket(Ticket);

/// An open journal.
pub struct Journal<H: Host> {
    log: RecordLog<H, State>,
    fixed: Fixed,
    write_buffer: usize,
    /// Rewinds so far, and for those that matter to some replay: number and position, both ascending.
    rewinds: u64,
    rewound: Vec<(u64, u64)>,
}

impl<H: Host> Journal<H> {
    /// Creates, opens or recovers a journal.
    pub fn open(host: H, name: &str, options: &Options) -> Result<Self> {
        let invalid = |what: &str| Err(Error::InvalidArgument(what.into()));
        let segment_bytes = options.segment_bytes.unwrap_or(SEGMENT_BYTES);
        check_segment_bytes("segment-bytes", options.segment_bytes)?;
        if options.items_per_section == Some(0) {
            return invalid("items-per-section: at least 1");
        }
        if options.mode == Mode::ReadOnly && options.start_at.is_some() {
            return invalid("start-at: not when opening for reading only");
        }
        let start = options.start_at.unwrap_or(0);
        let fixed = Fixed {
            items_per_section: options.items_per_section.unwrap_or(ITEMS_PER_SECTION),
            sync_sections: options.sync_sections.unwrap_or(true),
            compression: options.compression.unwrap_or(false),
        };
        let request = Request {
            mode: options.mode,
            expect: options.expect,
            lock_wait_ms: options.lock_wait_ms,
            create: Create {
                segment_bytes,
                options: postcard::to_allocvec(&fixed).unwrap_or_default(), // cannot fail: three numbers
                view: State { size: start, boundary: start },
            },
            accept: &|header, view| {
                let has = fixed_of(&header.options)?;
                check_fixed("items-per-section", options.items_per_section, has.items_per_section)?;
                check_fixed("sync-sections", options.sync_sections, has.sync_sections)?;
                check_fixed("compression", options.compression, has.compression)?;
                check_fixed("segment-bytes", options.segment_bytes, header.segment_bytes)?;
                match options.start_at {
                    Some(at) if !view.may_start_at(at) => Err(Error::Exists),
                    _ => Ok(()),
                }
            },
        };
        let mut log = RecordLog::open(host, name, &request)?;
        let fixed = fixed_of(&log.header().options)?;
        if fixed.compression {
            log.compress();
        }
        let write_buffer = options.write_buffer.unwrap_or(WRITE_BUFFER) as usize;
        let mut journal = Journal { log, fixed, write_buffer, rewinds: 0, rewound: Vec::new() };
        if let Some(at) = options.start_at
            && at != journal.log.view().size
        {
            journal.change(Change::Start(at), None)?;
        }
        Ok(journal)
    }

    fn change(&mut self, change: Change, keep: Option<u64>) -> Result<()> {
        let bytes = postcard::to_allocvec(&change).unwrap_or_default(); // cannot fail: one number
        self.log.write_meta(bytes, keep)
    }

    fn bounds(&self) -> Bounds {
        Bounds { start: self.log.view().boundary, end: self.log.next() }
    }

    /// An error unless this position can be read.
    fn check_position(&self, position: u64) -> Result<()> {
        let bounds = self.bounds();
        if position >= bounds.end {
            return Err(self.cut_short().unwrap_or(Error::OutOfRange(bounds)));
        }
        if position < bounds.start { Err(Error::Pruned(bounds)) } else { Ok(()) }
    }

    /// In a damaged log that may have held more items than are known: the damage.
    fn cut_short(&self) -> Option<Error> {
        self.log.cut_short().map(|damage| Error::Damaged(damage.clone()))
    }

    /// Appends an item. It may wait in memory.
    pub fn append(&mut self, item: &[u8]) -> Result<u64> {
        self.log.check_writable()?;
        check_item(item.len() as u64)?;
        let position = self.log.next();
        check_room(position, 1)?;
        self.log.hold(item)?;
        let ends_section = self.ends_section(position, 1);
        if (ends_section || self.log.held() >= self.write_buffer)
            && let Err(error) = self.log.flush()
        {
            self.log.take_back();
            return Err(error);
        }
        if ends_section {
            self.log.sync_frames()?;
        }
        Ok(position)
    }

    /// Appends items as one frame; returns the first position.
    pub fn append_batch<B: AsRef<[u8]>>(&mut self, items: &[B]) -> Result<u64> {
        self.log.check_writable()?;
        let lens = items.iter().map(|item| item.as_ref().len() as u64);
        check_batch(items.len() as u64, lens)?;
        let mut end = 0u32;
        let mut list = record_log::room(items.len() * 4)?;
        for item in items {
            end += item.as_ref().len() as u32;
            list.extend_from_slice(&end.to_le_bytes());
        }
        let mut parts: Vec<&[u8]> = record_log::room(items.len() + 1)?;
        parts.push(&list);
        parts.extend(items.iter().map(AsRef::as_ref));
        self.append_parts(items.len() as u32, &parts)
    }

    /// The same, packed.
    pub fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<u64> {
        self.log.check_writable()?;
        if !ends.is_sorted() || ends.last().is_some_and(|end| *end as usize != bytes.len()) {
            return Err(Error::InvalidArgument("ends: must ascend to the number of bytes".into()));
        }
        let starts = [0].into_iter().chain(ends.iter().copied());
        check_batch(ends.len() as u64, ends.iter().zip(starts).map(|(end, start)| u64::from(end - start)))?;
        let mut list = record_log::room(ends.len() * 4)?;
        list.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
        self.append_parts(ends.len() as u32, &[&list, bytes])
    }

    fn append_parts(&mut self, count: u32, parts: &[&[u8]]) -> Result<u64> {
        let first = self.log.next();
        check_room(first, u64::from(count))?;
        self.log.flush()?;
        self.log.write_frame(&NewFrame {
            kind: Kind::Append,
            first,
            count,
            ids: None,
            parts,
            kept: false,
        })?;
        if self.ends_section(first, u64::from(count)) {
            self.log.sync_frames()?;
        }
        Ok(first)
    }

    /// Whether these items fill up a section that is to be synced.
    fn ends_section(&self, first: u64, count: u64) -> bool {
        let section = self.fixed.items_per_section;
        self.fixed.sync_sections && first / section != (first + count) / section
    }

    /// Reads one item.
    pub fn read(&mut self, position: u64) -> Result<Vec<u8>> {
        self.log.check_open()?;
        self.check_position(position)?;
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        self.read_some(position, 1, u64::MAX, Lane::Point, &mut ends, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads items at these positions, as many as fit but at least one.
    pub fn read_many(&mut self, positions: &[u64], max_bytes: u32) -> Result<Items> {
        self.log.check_open()?;
        for position in positions {
            self.check_position(*position)?;
        }
        if let Some(items) = self.read_sorted(positions, max_bytes)? {
            return Ok(items);
        }
        let mut items = Items::default();
        for &position in positions {
            let Items { ids, ends, bytes } = &mut items;
            match self.read_some(position, 1, u64::from(max_bytes), Lane::Point, ends, bytes) {
                Ok(0) => break,
                Ok(_) => ids.push(position),
                Err(error) => return Err(error),
            }
        }
        Ok(items)
    }

    /// All items at these positions, read in ascending order, so that neighbours cost little. None if they do not fit or
    /// cannot all be read.
    fn read_sorted(&mut self, positions: &[u64], max_bytes: u32) -> Result<Option<Items>> {
        let mut order: Vec<(u64, u32)> = room(positions.len())?;
        order.extend(positions.iter().copied().zip(0..));
        order.sort_unstable();
        // Where each item is in what was read, by its number among the positions.
        let mut places: Vec<(u32, u32)> = room(positions.len())?;
        places.resize(positions.len(), (0, 0));
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        for (position, number) in order {
            let start = bytes.len() as u32;
            let read = self.read_some(position, 1, u64::from(max_bytes), Lane::Point, &mut ends, &mut bytes);
            if !read.is_ok_and(|n| n == 1) || bytes.len() > max_bytes as usize {
                return Ok(None);
            }
            if let Some(place) = places.get_mut(number as usize) {
                *place = (start, bytes.len() as u32);
            }
        }
        let mut items =
            Items { ids: room(positions.len())?, ends: room(positions.len())?, bytes: room(bytes.len())? };
        items.ids.extend_from_slice(positions);
        for (start, end) in places {
            items.bytes.extend_from_slice(bytes.get(start as usize..end as usize).unwrap_or(&[]));
            items.ends.push(items.bytes.len() as u32);
        }
        Ok(Some(items))
    }

    /// Reads consecutive items.
    pub fn read_range(&mut self, start: u64, limits: Limits) -> Result<Batch> {
        self.check_start(start)?;
        match self.cut_short() {
            Some(damage) if start == self.log.next() => Err(damage),
            _ => self.batch(start, self.log.next(), limits),
        }
    }

    fn check_start(&self, start: u64) -> Result<()> {
        self.log.check_open()?;
        let bounds = self.bounds();
        if start > bounds.end {
            return Err(Error::OutOfRange(bounds));
        }
        if start < bounds.start { Err(Error::Pruned(bounds)) } else { Ok(()) }
    }

    /// Items from `start` on, below `end`; stops before a damaged one unless that is the first.
    fn batch(&mut self, start: u64, end: u64, limits: Limits) -> Result<Batch> {
        let mut batch = Batch { first: start, ..Batch::default() };
        let most = u64::from(limits.count.max(1)).min(end - start);
        while (batch.ends.len() as u64) < most {
            let position = start + batch.ends.len() as u64;
            let Batch { ends, bytes, .. } = &mut batch;
            let left = most - ends.len() as u64;
            match self.read_some(position, left, u64::from(limits.bytes), Lane::Stream, ends, bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(Error::Damaged(_)) if !batch.ends.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(batch)
    }

    /// Reads from one frame, or from what waits.
    fn read_some(
        &mut self,
        position: u64,
        count: u64,
        most: u64,
        lane: Lane,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        if position >= self.log.view().size {
            return self.log.read_held(position - self.log.view().size, count, most, ends, bytes);
        }
        match self.log.read_frame(position, count, most, lane, ends, bytes) {
            Err(Error::Damaged(damage)) => Err(self.log.overtaken(position, damage)),
            other => other,
        }
    }

    /// Begins to replay from `start` to the size as of now.
    pub fn replay(&mut self, start: u64) -> Result<Replay> {
        self.check_start(start)?;
        Ok(Replay { next: start, end: self.log.next(), rewinds: self.rewinds, over: false })
    }

    /// The next items of a replay, or none at its end.
    pub fn replay_next(&mut self, replay: &mut Replay, limits: Limits) -> Result<Option<Batch>> {
        self.log.check_open()?;
        if replay.over || replay.next >= replay.end {
            // Said once: what is not known to be the end must not look like one.
            let damage = self.cut_short().filter(|_| !replay.over);
            replay.over = true;
            return damage.map_or(Ok(None), Err);
        }
        let bounds = self.bounds();
        if replay.next < bounds.start {
            replay.over = true;
            return Err(Error::Pruned(bounds));
        }
        // Positions from here on may hold other items than they did.
        let after = self.rewound.partition_point(|(number, _)| *number <= replay.rewinds);
        let end = self.rewound.get(after).map_or(replay.end, |(_, position)| replay.end.min(*position));
        if replay.next >= end {
            replay.over = true;
            return Err(Error::OutOfRange(bounds));
        }
        match self.batch(replay.next, end, limits) {
            Ok(batch) => {
                replay.next += batch.ends.len() as u64;
                Ok(Some(batch))
            }
            Err(Error::Damaged(damage)) => {
                // Said once; the next call goes on behind it.
                replay.next = damage.next.unwrap_or(replay.end).max(replay.next + 1);
                Err(Error::Damaged(damage))
            }
            Err(error @ Error::Storage(_)) => Err(error),
            Err(error) => {
                replay.over = true;
                Err(error)
            }
        }
    }

    /// The next position.
    pub fn size(&self) -> Result<u64> {
        self.log.check_open().map(|()| self.log.next())
    }

    /// The lowest position that can be read.
    pub fn oldest(&self) -> Result<Option<u64>> {
        self.log.check_open()?;
        let Bounds { start, end } = self.bounds();
        Ok((start < end).then_some(start))
    }

    /// Everything below is pruned.
    pub fn boundary(&self) -> Result<u64> {
        self.log.check_open().map(|()| self.log.view().boundary)
    }

    /// Prunes whole sections below `min`.
    pub fn prune(&mut self, min: u64) -> Result<bool> {
        self.log.check_writable()?;
        // A full disk must not keep what waits from being written after, nor the prune from going first.
        let waits = match self.log.flush() {
            Ok(()) => false,
            Err(Error::OutOfSpace) => true,
            Err(error) => return Err(error),
        };
        let min = min.min(self.log.view().size);
        let to = min - min % self.fixed.items_per_section;
        if to <= self.log.view().boundary {
            return if waits { Err(Error::OutOfSpace) } else { Ok(false) };
        }
        let keep = self.log.first_needed(to)?;
        self.change(Change::Prune(to), keep)?;
        if waits {
            self.sync_data()?;
        }
        Ok(true)
    }

    /// Drops the newest items.
    pub fn rewind(&mut self, size: u64) -> Result<()> {
        self.log.check_writable()?;
        let bounds = self.bounds();
        if size > bounds.end {
            return Err(Error::InvalidRewind(bounds));
        }
        if size < bounds.start {
            return Err(Error::Pruned(bounds));
        }
        if size == bounds.end {
            return Ok(());
        }
        self.log.flush()?;
        self.log.write_frame(&NewFrame {
            kind: Kind::Truncate,
            first: size,
            count: 0,
            ids: None,
            parts: &[],
            kept: false,
        })?;
        self.rewinds += 1;
        // Only the lowest position of all later rewinds matters to a replay.
        self.rewound.retain(|(_, position)| *position < size);
        self.rewound.push((self.rewinds, size));
        // What cannot be read now is looked at again before the next segment begins.
        let _ = self.log.bury();
        Ok(())
    }

    /// Hands waiting appends to the host.
    pub fn flush(&mut self) -> Result<()> {
        self.log.check_writable()?;
        self.log.flush()
    }

    /// Makes everything before it durable.
    pub fn sync_data(&mut self) -> Result<Token> {
        self.flush()?;
        self.log.sync_frames()
    }

    /// The same: the index is a part of the frames.
    pub fn sync(&mut self) -> Result<Token> {
        self.sync_data()
    }

    /// Hands over what waits and starts to make it durable.
    pub fn begin_sync(&mut self) -> Result<SyncTicket> {
        self.flush()?;
        self.log.begin_sync_frames().map(SyncTicket)
    }

    /// The token, once that sync has succeeded.
    pub fn poll_sync(&mut self, ticket: &SyncTicket) -> Result<Option<Token>> {
        self.log.poll_sync(&ticket.0)
    }

    /// Waits for it.
    pub fn wait_sync(&mut self, ticket: &SyncTicket) -> Result<Token> {
        self.log.wait_sync(&ticket.0)
    }

    /// Syncs, seals, and lets go of the lock.
    pub fn close(&mut self) -> Result<Token> {
        self.log.check_open()?;
        let waiting = if self.log.check_writable().is_ok() { self.log.flush() } else { Ok(()) };
        let closed = self.log.close();
        waiting.and(closed)
    }
}

/// Removes a journal and its files.
pub fn destroy<H: Host>(host: &H, name: &str) -> Result<()> {
    record_log::destroy(host, name, root::Kind::Journal)
}

/// A request to look at a journal without changing it.
pub(crate) fn look() -> Request<'static, State> {
    Request::reading(State::default())
}
