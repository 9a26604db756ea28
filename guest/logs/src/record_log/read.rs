//! Finding items by position and reading them, in the newest segment and in sealed ones.
//!
//! The owner of a position is the last segment whose floor is not above it; floors of the segments that hold anything
//! ascend. Within a segment the index names a run, and the frames of a run are walked from its start.

use super::history::History;
use super::index::{Entry, Index};
use super::items::{BadPart, FrameItems, Source};
use super::scan::Scanner;
use super::survey::{After, Survey};
use super::window::{file_size, read_failed};
use super::{RecordLog, View};
use crate::error::{Damage, Error, Result};
use crate::format::frame::Place;
use crate::format::segment::Run;
use crate::storage::{File, Host, StorageError};
use alloc::{string::String, vec::Vec};

/// Sealed segments that are held open.
const HELD: usize = 8;

/// Which window a read uses, and how far it reads ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Single items, anywhere.
    Point = 0,
    /// Many items in order.
    Stream = 1,
}

impl Lane {
    fn ahead(self) -> usize {
        match self {
            Lane::Point => 8 << 10,
            Lane::Stream => 256 << 10,
        }
    }
}

/// An older segment, open, with its index.
pub(super) struct Sealed<F> {
    pub(super) number: u64,
    pub(super) file: F,
    pub(super) name: String,
    pub(super) index: Index,
    /// Bytes of frames.
    pub(super) size: u64,
}

/// The frame read last.
pub(super) struct Cursor {
    items: FrameItems,
    /// The run it belongs to, and the position behind the last one of it that can be read.
    run: u64,
    end: u64,
}

impl Cursor {
    fn holds(&self, position: u64) -> bool {
        self.items.header.first <= position && position < self.items.header.next().min(self.end)
    }
}

impl<H: Host, V: View> RecordLog<H, V> {
    pub(super) fn remember(&mut self, sealed: Sealed<H::File>) {
        if self.sealed.len() >= HELD {
            self.sealed.remove(0);
        }
        self.sealed.push(sealed);
    }

    /// An older segment, opened if it is not.
    pub(super) fn sealed(&mut self, number: u64) -> Result<&Sealed<H::File>> {
        match self.sealed.iter().position(|s| s.number == number) {
            // Most recently used last.
            Some(at) => self.sealed[at..].rotate_left(1),
            None => {
                let sealed = self.load(number)?;
                self.remember(sealed);
            }
        }
        self.sealed.last().ok_or(Error::Closed)
    }

    /// The floor of an older segment.
    pub(super) fn floor(&mut self, number: u64) -> Result<u64> {
        if let Some(floor) = self.floors.get(&number) {
            return Ok(*floor);
        }
        let floor = self.sealed(number)?.index.floor;
        self.floors.insert(number, floor);
        Ok(floor)
    }

    /// Opens an older segment and finds its index in the footer, or makes one of what verifies.
    fn load(&self, number: u64) -> Result<Sealed<H::File>> {
        let name = self.segment_name(number);
        let file = self.host.open(&name).map_err(|e| match e {
            StorageError::NotFound => Error::Damaged(missing(&name)),
            e => read_failed(&name, e),
        })?;
        let place = Place { segment: number, ..self.place };
        let mut scanner = Scanner::without_fill(&file, &name, place)?;
        if let Some(last) = scanner.last_index()?
            && let Some(body) = crate::format::segment::IndexBody::decode(&last.payload)
        {
            let size = scanner.size;
            return Ok(Sealed { number, index: Index::from_body(&body), size, name, file });
        }
        let before = self.before(number, 8)?;
        let mut survey = Survey::<V>::new(&mut scanner, Some(before), true, self.after(number)?)?;
        survey.run(&mut scanner)?;
        let index = survey.history.map(|h| h.index).unwrap_or_default();
        let size = scanner.size;
        Ok(Sealed { number, file, name, index, size })
    }

    /// The history at the end of the segment before this one, as far as it can be known; `depth` bounds how many
    /// segments with damaged headers are read for it.
    pub(super) fn before(&self, number: u64, depth: u32) -> Result<History<V>> {
        let at = self.older.partition_point(|n| *n < number);
        let segment = at.checked_sub(1).and_then(|at| self.older.get(at)).copied();
        if let (Some(segment), Some(depth)) = (segment, depth.checked_sub(1)) {
            let (name, place) = (self.segment_name(segment), Place { segment, ..self.place });
            if let Ok(file) = self.host.open(&name) {
                let mut scanner = Scanner::without_fill(&file, &name, place)?;
                let first = scanner.frame_at(0)?;
                let header = first.ok().and_then(|first| History::<V>::header(&first, place));
                if let Some(header) = header.clone()
                    && let Some(last) = scanner.last_index()?
                    && let Some(history) = History::at_index(header, &last, place)
                {
                    return Ok(history);
                }
                let earlier = if header.is_none() { Some(self.before(segment, depth)?) } else { None };
                let mut survey = Survey::<V>::new(&mut scanner, earlier, true, self.after(segment)?)?;
                survey.run(&mut scanner)?;
                if let Some(history) = survey.history {
                    return Ok(history);
                }
            }
        }
        // Nothing is known: it began somewhere at or above the boundary.
        let mut history = self.history.clone();
        history.view.skip_to(history.view.boundary());
        Ok(history)
    }

    /// What the header of the segment behind this one says, if it verifies.
    pub(super) fn after(&self, number: u64) -> Result<Option<After>> {
        let next = Place { segment: number + 1, ..self.place };
        let name = self.segment_name(next.segment);
        let file = match self.host.open(&name) {
            Ok(file) => file,
            Err(StorageError::NotFound) => return Ok(None),
            Err(e) => return Err(read_failed(&name, e)),
        };
        let size = file_size(&file, &name)?;
        let Ok(frame) = Scanner::new(&file, &name, next, size).frame_at(0)? else { return Ok(None) };
        let history = History::<V>::begin(&frame, next);
        let after =
            |h: History<V>| After { next: h.view.next(), low: frame.header.low, number: frame.header.number };
        Ok(history.map(after))
    }

    /// The segment that owns a position below the next one.
    fn owner(&mut self, position: u64) -> Result<u64> {
        if position >= self.history.index.floor || self.older.is_empty() {
            return Ok(self.place.segment);
        }
        let (mut low, mut high) = (0, self.older.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let number = self.older.get(middle).copied().unwrap_or_default();
            if self.floor(number)? <= position { low = middle + 1 } else { high = middle }
        }
        Ok(self.older.get(low.saturating_sub(1)).copied().unwrap_or(self.place.segment))
    }

    /// The first segment that is needed if everything below `boundary` is pruned: the last one whose floor is not above
    /// it.
    pub(crate) fn first_needed(&mut self, boundary: u64) -> Result<Option<u64>> {
        let mut needed = None;
        for number in self.older.clone() {
            match self.floor(number) {
                Ok(floor) if floor > boundary => break,
                Ok(_) => needed = Some(number),
                // What it holds is not known; a later one may tell that it is not needed.
                Err(Error::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let newest = self.history.index.floor <= boundary;
        Ok(if newest { Some(self.place.segment) } else { needed })
    }

    /// The boundary as of now, in a log that another process may be writing.
    pub(crate) fn boundary_now(&self) -> Result<u64> {
        let request = super::Request {
            mode: crate::types::Mode::ReadOnly,
            expect: None,
            lock_wait_ms: 0,
            create: super::Create { segment_bytes: 0, options: Vec::new(), view: self.history.view.clone() },
            accept: &|_, _| Ok(()),
        };
        let log = RecordLog::<H, V>::open(self.host.clone(), &self.name, &request)?;
        Ok(log.view().boundary())
    }

    /// The lowest position that a segment behind this one owns.
    pub(super) fn owned_below(&mut self, segment: u64) -> Result<u64> {
        if segment == self.place.segment {
            return Ok(u64::MAX);
        }
        let newest = self.history.index.floor;
        let at = self.older.partition_point(|n| *n <= segment);
        match self.older.get(at).copied() {
            Some(next) => Ok(self.floor(next)?.min(newest)),
            None => Ok(newest),
        }
    }

    fn with_source<R>(
        &mut self,
        segment: u64,
        lane: Lane,
        read: impl FnOnce(&mut Source<'_, H::File>) -> Result<R>,
    ) -> Result<R> {
        let mut window = core::mem::take(&mut self.windows[lane as usize]);
        let place = Place { segment, ..self.place };
        let outcome = if segment == self.place.segment {
            let file = self.file.as_ref().ok_or(Error::Closed)?;
            let name = &self.file_name;
            read(&mut Source { file, name, place, window: &mut window, ahead: lane.ahead() })
        } else {
            self.sealed(segment).and_then(|sealed| {
                let (file, name) = (&sealed.file, &sealed.name);
                read(&mut Source { file, name, place, window: &mut window, ahead: lane.ahead() })
            })
        };
        self.windows[lane as usize] = window;
        outcome
    }

    /// Reads items of one frame from `position` on, which must be below the end of the frames and not pruned: at most
    /// `count`, and as many as fit into `most` bytes of `bytes` (one at least, if `bytes` holds none). Returns how many.
    pub(crate) fn read_frame(
        &mut self,
        position: u64,
        count: u64,
        most: u64,
        lane: Lane,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        let size = self.next();
        self.try_read_frame(position, count, most, lane, ends, bytes).map_err(|error| match error {
            Error::Damaged(damage) => Error::Damaged(damage.within(size)),
            error => error,
        })
    }

    fn try_read_frame(
        &mut self,
        position: u64,
        count: u64,
        most: u64,
        lane: Lane,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        let cursor = match self.cursor.take() {
            Some(cursor) if cursor.holds(position) => cursor,
            other => {
                if let Some(lost) =
                    self.lost.iter().find(|l| l.bounds.start <= position && position < l.bounds.end)
                {
                    return Err(Error::Damaged(lost.damage.clone()));
                }
                self.seek(position, lane, other)?
            }
        };
        let (first, end) = (cursor.items.header.first, cursor.end);
        let (from, count) = (position - first, count.min(end - position));
        let items = &cursor.items;
        let outcome = self.with_source(items.segment, lane, |source| {
            match items.read(source, from, count, most, ends, bytes)? {
                Ok(n) => Ok(n),
                Err(bad) => Err(Error::Damaged(stretch(items, source, from, end, bad)?)),
            }
        });
        self.cursor = Some(cursor);
        outcome
    }

    /// Finds the frame that holds a position.
    fn seek(&mut self, position: u64, lane: Lane, last: Option<Cursor>) -> Result<Cursor> {
        let segment = match &last {
            // The next frame is mostly in the same segment.
            Some(c) if c.items.header.next() == position && position < c.end => c.items.segment,
            _ => self.owner(position)?,
        };
        let end_of_frames = self.history.tip.offset;
        let newest = segment == self.place.segment;
        // A later segment may have superseded what the index of this one still names.
        let owned = self.owned_below(segment)?;
        let index = if newest { &self.history.index } else { &self.sealed(segment)?.index };
        let run = match index.find(position) {
            Entry::Run(run) => Run { count: run.end().min(owned).saturating_sub(run.first), ..run },
            Entry::Lost(lost) => {
                let (lowest, next) = (Some(lost.bounds.start), Some(lost.bounds.end));
                return Err(Error::Damaged(Damage { lowest, next, ..lost.damage.clone() }));
            }
            Entry::Absent => {
                let file = self.segment_name(segment);
                let what = "no frame that verifies holds this position".into();
                return Err(Error::Damaged(Damage {
                    file,
                    offset: 0,
                    lowest: Some(position),
                    next: None,
                    what,
                }));
            }
        };
        let limit = index.limit(&run);
        let limit = limit.min(if newest { end_of_frames } else { self.sealed(segment)?.size });
        let (mut offset, mut next) = (run.offset, run.first);
        if let Some(c) = &last
            && c.items.segment == segment
            && c.run == run.first
            && c.items.header.next() <= position
        {
            (offset, next) = (c.items.offset + c.items.header.len(), c.items.header.next());
        }
        self.with_source(segment, lane, |source| walk(source, run, (offset, next), limit, position))
    }
}

/// The frame that was read last.
pub(crate) struct LastFrame {
    pub(crate) file: String,
    pub(crate) offset: u64,
    /// Its first position, and the one behind its last.
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// The frame that was read last, if the next read may go on in it.
    pub(crate) fn last_frame(&self) -> Option<LastFrame> {
        let items = &self.cursor.as_ref()?.items;
        let file = self.segment_name(items.segment);
        Some(LastFrame { file, offset: items.offset, first: items.header.first, end: items.header.next() })
    }
}

/// Walks the frames of a run from this address, whose first position is `next`, to the one that holds `position`.
fn walk<F: File>(
    source: &mut Source<'_, F>,
    run: Run,
    (mut offset, mut next): (u64, u64),
    limit: u64,
    position: u64,
) -> Result<Cursor> {
    let mut gap = None;
    let damage = |source: &Source<'_, F>, offset, lowest, next, what: &str| {
        let file = source.name.into();
        Error::Damaged(Damage { file, offset, lowest: Some(lowest), next: Some(next), what: what.into() })
    };
    while offset < limit {
        let Some(header) = source.header_at(offset)? else {
            // Damage: go on at the next header, a frame at least behind.
            gap.get_or_insert(offset);
            offset += crate::format::ALIGN;
            continue;
        };
        let holds_items = header.kind.has_items() && header.count > 0 && header.next() > run.first;
        if holds_items {
            if position < header.first {
                let at = gap.unwrap_or(offset);
                return Err(damage(source, at, next, header.first, "the header of a frame is damaged"));
            }
            gap = None;
            if position < header.next() {
                let end = header.next().min(run.end());
                return match FrameItems::open(source, offset, header.clone())? {
                    Ok(items) => Ok(Cursor { items, run: run.first, end: run.end() }),
                    Err(BadPart(at)) => {
                        Err(damage(source, at, header.first, end, "the body of a frame is damaged"))
                    }
                };
            }
            next = header.next();
        }
        offset = offset.saturating_add(header.len());
    }
    let at = gap.unwrap_or(offset);
    Err(damage(source, at, next.min(position), run.end(), "the header of a frame is damaged"))
}

/// The damage that the stretch of bad items around this one amounts to.
fn stretch<F: File>(
    items: &FrameItems,
    source: &mut Source<'_, F>,
    item: u64,
    end: u64,
    bad: BadPart,
) -> Result<Damage> {
    let first = items.header.first;
    let (stretch, part) = items.stretch(source, item)?;
    Ok(Damage {
        file: source.name.into(),
        offset: if part.0 == items.offset { bad.0 } else { part.0 },
        lowest: Some(first + stretch.start),
        next: Some((first + stretch.end).min(end)),
        what: "a part of a frame's body is damaged".into(),
    })
}

pub(super) fn missing(file: &str) -> Damage {
    Damage { file: file.into(), offset: 0, lowest: None, next: None, what: "the file is missing".into() }
}
