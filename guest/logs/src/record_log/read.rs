//! Reading items by position, in the newest segment and in sealed ones.
//!
//! `locate` names the run that a position is in, and the frames of a run are walked from its start.

use super::history::History;
use super::index::{Extent, Index};
use super::items::{BadPart, FrameItems, Source};
use super::locate::Located;
use super::scan::Scanner;
use super::survey::{After, Survey};
use super::window::{file_size, read_failed};
use super::{RecordLog, View};
use crate::error::{Damage, Error, Result};
use crate::format::frame::{NONE, Place};
use crate::format::segment::Run;
use crate::storage::{File, Host, StorageError};
use alloc::{string::String, sync::Arc, vec::Vec};

/// Sealed segments that are held open at most because they were read, and the runs of all their indexes; but always as many
/// as `FEW`, which is all that stay open because they were written.
const HELD: usize = 32;
const HELD_RUNS: usize = 64 << 10;
const FEW: usize = 8;

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
    /// When it was used last.
    used: u64,
}

impl<F> Sealed<F> {
    pub(super) fn new(number: u64, file: F, name: String, index: Index, size: u64) -> Self {
        Sealed { number, file, name, index, size, used: 0 }
    }
}

/// The frame read last.
pub(super) struct Cursor {
    pub(super) items: Arc<FrameItems>,
    /// The run it belongs to, as far as that can be read, and where its frames end at the latest.
    pub(super) run: Run,
    limit: u64,
}

impl Cursor {
    pub(super) fn end(&self) -> u64 {
        self.items.header.end.min(self.run.end())
    }

    fn holds(&self, position: u64) -> bool {
        self.items.header.first.max(self.run.first) <= position && position < self.end()
    }

    /// Where the frame behind this one starts, and the position that this one ends with.
    fn behind(&self) -> (u64, u64) {
        (self.items.offset + self.items.header.len(), self.items.header.end)
    }
}

/// What became of looking for a position.
#[allow(clippy::large_enum_variant)] // it does not live long
pub(super) enum Sought {
    Frame(Cursor),
    /// There is no such position, nor any below this one.
    Absent(u64),
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Holds a segment that was written open.
    pub(super) fn remember(&mut self, sealed: Sealed<H::File>) {
        self.hold_open(sealed, FEW);
    }

    fn hold_open(&mut self, sealed: Sealed<H::File>, most: usize) {
        loop {
            let (held, runs) =
                self.sealed.values().fold((0, 0), |(n, runs), s| (n + 1, runs + s.index.runs.len()));
            if held < FEW || (held < most && runs < HELD_RUNS) {
                break;
            }
            let Some(oldest) = self.sealed.values().min_by_key(|s| s.used).map(|s| s.number) else { break };
            self.sealed.remove(&oldest);
        }
        self.sealed.insert(sealed.number, sealed);
    }

    /// An older segment, opened if it is not.
    pub(super) fn sealed(&mut self, number: u64) -> Result<&Sealed<H::File>> {
        if !self.sealed.contains_key(&number) {
            let sealed = self.load(number)?;
            self.hold_open(sealed, HELD);
        }
        self.uses += 1;
        let sealed = self.sealed.get_mut(&number).ok_or(Error::Closed)?;
        sealed.used = self.uses;
        Ok(sealed)
    }

    /// Forgets the frames that were read.
    pub(super) fn forget(&mut self) {
        self.cursor = None;
        self.frames.clear();
    }

    /// The floor of an older segment.
    pub(super) fn floor(&mut self, number: u64) -> Result<u64> {
        Ok(self.extent(number)?.floor)
    }

    /// What an older segment reaches over.
    pub(super) fn extent(&mut self, number: u64) -> Result<Extent> {
        if let Some(extent) = self.extents.get(&number) {
            return Ok(*extent);
        }
        let extent = self.sealed(number)?.index.extent();
        self.extents.insert(number, extent);
        Ok(extent)
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
            return Ok(Sealed::new(number, file, name, Index::from_body(&body), size));
        }
        let before = self.before(number, 8)?;
        // If the segment behind does not tell either, anything up to the log's end may have been here.
        let view = &self.history.view;
        let unknown = || After { next: view.next(), low: view.boundary(), number: u64::MAX };
        let after = self.after(number)?.unwrap_or_else(unknown);
        let mut survey = Survey::<V>::new(&mut scanner, Some(before), true, Some(after))?;
        survey.run(&mut scanner)?;
        let index = survey.history.index;
        let size = scanner.size;
        Ok(Sealed::new(number, file, name, index, size))
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
                return Ok(survey.history);
            }
        }
        // Nothing is known: it began somewhere at or above the boundary.
        let mut history = self.history.clone();
        history.view.skip_to(history.view.boundary());
        history.tip.number = 0;
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

    pub(super) fn with_source<R>(
        &mut self,
        segment: u64,
        lane: Lane,
        read: impl FnOnce(&mut Source<'_, H::File>) -> Result<R>,
    ) -> Result<R> {
        let mut taken =
            (core::mem::take(&mut self.windows[lane as usize]), core::mem::take(&mut self.blocks));
        let place = Place { segment, ..self.place };
        let newest = segment == self.place.segment;
        let found = if newest {
            self.file.as_ref().map(|file| (file, &self.file_name)).ok_or(Error::Closed)
        } else {
            self.sealed(segment).map(|sealed| (&sealed.file, &sealed.name))
        };
        let outcome = found.and_then(|(file, name)| {
            let (window, blocks) = (&mut taken.0, (lane == Lane::Point).then_some(&mut taken.1));
            read(&mut Source { file, name, place, window, ahead: lane.ahead(), blocks })
        });
        (self.windows[lane as usize], self.blocks) = taken;
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
        let cursor = match self.seek(position, lane)? {
            Sought::Frame(cursor) => cursor,
            Sought::Absent(_) => {
                let (file, what) =
                    (self.file_name.clone(), "no frame that verifies holds this position".into());
                return Err(Error::Damaged(Damage {
                    file,
                    offset: 0,
                    lowest: Some(position),
                    next: None,
                    what,
                }));
            }
        };
        let (items, end) = (&cursor.items, cursor.end());
        let (from, count) = (position - items.header.first, count.min(end - position));
        let outcome = self.with_source(items.segment, lane, |source| {
            match items.read(source, from, count, most, ends, bytes)? {
                Ok(n) => Ok(n),
                Err(bad) => Err(Error::Damaged(stretch(items, source, from, end, bad)?)),
            }
        });
        self.cursor = Some(cursor);
        outcome
    }

    /// The frame of this run that holds a position, if it was opened before: frames that were superseded since are outside
    /// of every run's part of its file, or the run ends before what they lost. Where positions may be superseded one by one,
    /// only the first frame of a run is known to be the one.
    fn opened(&mut self, segment: u64, run: Run, limit: u64, position: u64) -> Option<Arc<FrameItems>> {
        let items = if V::DENSE {
            self.frames.nearest((segment, position)).filter(|f| (run.offset..limit).contains(&f.offset))
        } else {
            self.frames.get((segment, run.offset))
        };
        items.filter(|f| (f.header.first..f.header.end).contains(&position))
    }

    /// Finds the frame that holds a position, or would if the position were there.
    pub(super) fn seek(&mut self, position: u64, lane: Lane) -> Result<Sought> {
        let last = match self.cursor.take() {
            Some(cursor) if cursor.holds(position) => return Ok(Sought::Frame(cursor)),
            other => other,
        };
        let goes_on = last.as_ref().filter(|c| c.items.header.end <= position && position < c.run.end());
        let (segment, run, limit) = match goes_on {
            Some(c) => (c.items.segment, c.run, c.limit),
            None => match self.locate(position)? {
                Located::Run { segment, run } => {
                    let newest = segment == self.place.segment;
                    let (index, end) = if newest {
                        (&self.history.index, self.history.tip.offset)
                    } else {
                        let sealed = self.sealed(segment)?;
                        (&sealed.index, sealed.size)
                    };
                    (segment, run, index.limit(&run).min(end))
                }
                Located::Lost(damage) => return Err(Error::Damaged(damage)),
                Located::Absent(around) => return Ok(Sought::Absent(around.end)),
            },
        };
        if lane == Lane::Point
            && let Some(items) = self.opened(segment, run, limit, position)
        {
            return Ok(Sought::Frame(Cursor { items, run, limit }));
        }
        let mut start = (run.offset, run.first);
        if let Some(c) = &last
            && c.items.segment == segment
            && c.run.offset == run.offset
            && c.items.header.end <= position
        {
            start = c.behind();
        }
        let walked =
            self.with_source(segment, lane, |source| walk(source, run, start, limit, position, V::DENSE))?;
        Ok(match walked {
            Walked::Found(items) => {
                let items = Arc::new(items);
                if lane == Lane::Point {
                    let header = &items.header;
                    let name = if V::DENSE { header.first } else { items.offset };
                    self.frames.insert((segment, name), items.clone());
                }
                Sought::Frame(Cursor { items, run, limit })
            }
            Walked::Absent(next) => Sought::Absent(next.min(run.end())),
        })
    }
}

/// What walking came to.
enum Walked {
    Found(FrameItems),
    /// The position lies between two frames; where the second one begins.
    Absent(u64),
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
        Some(LastFrame { file, offset: items.offset, first: items.header.first, end: items.header.end })
    }
}

/// Walks the frames of a run from this address, whose first position is `next`, to the one that holds `position`.
fn walk<F: File>(
    source: &mut Source<'_, F>,
    run: Run,
    (mut offset, mut next): (u64, u64),
    limit: u64,
    position: u64,
    dense: bool,
) -> Result<Walked> {
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
        if offset != run.offset && header.supersedes() != NONE {
            break; // a run ends where something is superseded
        }
        let holds_items = header.kind.has_items() && header.count > 0 && header.end > run.first;
        if holds_items {
            if position < header.first {
                let behind = header.first.min(run.end());
                if gap.is_none() && !dense {
                    return Ok(Walked::Absent(behind));
                }
                let at = gap.unwrap_or(offset);
                return Err(damage(source, at, next, behind, "the header of a frame is damaged"));
            }
            gap = None;
            if position < header.end {
                let end = header.end.min(run.end());
                return match FrameItems::open(source, offset, header.clone())? {
                    Ok(items) => Ok(Walked::Found(items)),
                    Err(BadPart(at)) => {
                        let first = header.first.max(run.first);
                        Err(damage(source, at, first, end, "the body of a frame is damaged"))
                    }
                };
            }
            next = header.end;
        }
        offset = offset.saturating_add(header.len());
    }
    if gap.is_none() && !dense {
        return Ok(Walked::Absent(run.end()));
    }
    let at = gap.unwrap_or(offset);
    Err(damage(source, at, next.min(position), run.end(), "the header of a frame is damaged"))
}

/// The damage that a bad list of positions amounts to.
pub(super) fn whole<F: File>(
    items: &FrameItems,
    source: &Source<'_, F>,
    from: u64,
    end: u64,
    bad: BadPart,
) -> Error {
    let lowest = Some(items.header.first.max(from));
    let what = "a part of a frame's body is damaged".into();
    Error::Damaged(Damage { file: source.name.into(), offset: bad.0, lowest, next: Some(end), what })
}

/// The damage that the stretch of bad items around this one amounts to.
pub(super) fn stretch<F: File>(
    items: &FrameItems,
    source: &mut Source<'_, F>,
    item: u64,
    end: u64,
    bad: BadPart,
) -> Result<Damage> {
    let (stretch, part) = items.stretch(source, item)?;
    let span = items.span(source, &stretch)?;
    Ok(Damage {
        file: source.name.into(),
        offset: if part.0 == items.offset { bad.0 } else { part.0 },
        lowest: Some(span.start),
        next: Some(span.end.min(end)),
        what: "a part of a frame's body is damaged".into(),
    })
}

pub(super) fn missing(file: &str) -> Damage {
    Damage { file: file.into(), offset: 0, lowest: None, next: None, what: "the file is missing".into() }
}
