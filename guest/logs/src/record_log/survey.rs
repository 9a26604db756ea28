//! Reading a segment to its end whatever is wrong with it: what verifies is taken, what does not is named.
//!
//! Used where nothing is changed: read-only opens, indexes of damaged segments, `verify`. After a stretch that does not
//! verify, positions that a lost frame may have superseded or held count as lost; the `low` field of the next frame
//! tells which those can be. If nothing follows, and nothing else tells what the lost frame was, that is all of them.

use super::View;
use super::history::History;
use super::index::Index;
use super::items::{FrameItems, Source};
use super::scan::{Bad, Scanner};
use super::window::Window;
use crate::error::{Bounds, Damage, Result};
use crate::format::frame::{FrameHeader, Kind, NONE, Promise};
use crate::format::segment::IndexBody;
use crate::storage::File;
use alloc::vec::Vec;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more.
    More,
    /// The end.
    Done,
}

/// The state of the log when the next segment began, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    /// Its next position.
    pub(super) next: u64,
    /// Lowest position superseded in this segment.
    pub(super) low: u64,
    /// Number of its header frame.
    pub(super) number: u64,
}

/// A stretch that does not verify, until the frame behind it is known.
#[derive(Debug)]
struct Gap {
    offset: u64,
    what: &'static str,
}

/// A survey of one segment under way.
#[derive(Debug)]
pub(super) struct Survey<V> {
    pub(super) history: History<V>,
    pub(super) damage: Vec<Damage>,
    /// Where the next frame should start.
    pub(super) offset: u64,
    /// More items may have stood behind the last frame that verifies; why they are lost.
    pub(super) cut_short: Option<Damage>,
    /// It ended at bytes that look like an interrupted write and that nothing promises.
    pub(super) torn: bool,
    sealed: bool,
    after: Option<After>,
    gap: Option<Gap>,
    /// The state was guessed; the next checkpoint tells it.
    blank: bool,
    /// The last frame changed the state in a way that is lost.
    blind: bool,
}

impl<V: View> Survey<V> {
    /// A survey of a segment. If its header does not verify, `before` takes its place: the history at the end of the
    /// segment before. A `sealed` segment ends with a footer; `after` is what the header of the next one says.
    pub(super) fn new<F: File>(
        scanner: &mut Scanner<'_, F>,
        before: Option<History<V>>,
        sealed: bool,
        after: Option<After>,
    ) -> Result<Self> {
        let (mut damage, mut gap, mut begun) = (Vec::new(), None, None);
        let offset = match scanner.frame_at(0)? {
            Ok(frame) => {
                begun = History::begin(&frame, scanner.place);
                if begun.is_none() {
                    let what = "the header of a segment makes no sense".into();
                    damage.push(Damage {
                        file: scanner.file_name(),
                        offset: 0,
                        lowest: None,
                        next: None,
                        what,
                    });
                }
                frame.end()
            }
            Err(bad) => {
                gap = Some(Gap { offset: 0, what: "the header of a segment is damaged" });
                bad.behind()
            }
        };
        let blank = begun.is_none() && before.is_none();
        let history = begun.unwrap_or_else(|| {
            let mut history = before.unwrap_or_else(|| History::blank(scanner.place));
            history.index = Index::new(history.view.next(), history.tip.number.saturating_add(1));
            (history.tip.low, history.tip.place, history.tip.offset) = (NONE, scanner.place, 0);
            history
        });
        let (cut_short, torn, blind) = (None, false, false);
        Ok(Survey { history, damage, offset, cut_short, torn, sealed, after, gap, blank, blind })
    }

    fn report<F: File>(
        &mut self,
        scanner: &Scanner<'_, F>,
        offset: u64,
        lost: Option<(u64, Option<u64>)>,
        what: &str,
    ) -> Damage {
        let (lowest, next) = lost.map_or((None, None), |(lowest, next)| (Some(lowest), next));
        let damage = Damage { file: scanner.file_name(), offset, lowest, next, what: what.into() };
        self.damage.push(damage.clone());
        damage
    }

    /// Surveys the whole segment.
    pub(super) fn run<F: File>(&mut self, scanner: &mut Scanner<'_, F>) -> Result<()> {
        while self.step(scanner)? == Step::More {}
        Ok(())
    }

    /// Takes the next frame, or finds out what stands in its place.
    pub(super) fn step<F: File>(&mut self, scanner: &mut Scanner<'_, F>) -> Result<Step> {
        if self.gap.is_some() {
            return self.cross(scanner);
        }
        match scanner.frame_at(self.offset)? {
            Ok(frame) => {
                self.offset = frame.end();
                let at = frame.offset;
                self.take(scanner, &frame.header, at, Some(&frame.payload), false);
                Ok(Step::More)
            }
            Err(bad) => self.bad(scanner, bad),
        }
    }

    fn bad<F: File>(&mut self, scanner: &mut Scanner<'_, F>, bad: Bad) -> Result<Step> {
        if scanner.zeros_from(bad.offset)? {
            return self.end(scanner);
        }
        if !self.sealed && !promised(scanner, &bad)? && scanner.torn(&bad)? {
            self.torn = true;
            return Ok(Step::Done);
        }
        match bad.header.clone() {
            Some(header) => {
                self.offset = bad.behind();
                self.body(scanner, &header, &bad)?;
                self.take(scanner, &header, bad.offset, None, false);
                Ok(Step::More)
            }
            None => {
                self.offset = bad.behind();
                self.gap = Some(Gap { offset: bad.offset, what: bad.what });
                Ok(Step::More)
            }
        }
    }

    /// Names the items that a damaged body costs. The index keeps the frame: its blocks are checked one by one.
    fn body<F: File>(&mut self, scanner: &Scanner<'_, F>, header: &FrameHeader, bad: &Bad) -> Result<()> {
        let offset = bad.failing.first().map_or(bad.offset, |part| part.start);
        if !header.kind.has_items() {
            self.report(scanner, offset, None, bad.what);
            return Ok(());
        }
        let mut window = Window::default();
        let mut source = Source {
            file: scanner.file,
            name: scanner.name,
            place: scanner.place,
            window: &mut window,
            ahead: 0,
            blocks: None,
        };
        match FrameItems::open(&mut source, bad.offset, header.clone())? {
            Err(_) => {
                let lost = (header.count > 0).then_some((header.first, Some(header.end)));
                self.report(scanner, offset, lost, bad.what);
            }
            Ok(items) => {
                let mut named = Vec::new();
                for part in &bad.failing {
                    let stretches = items.stretches(&mut source, part.start)?;
                    if stretches.is_empty() {
                        self.report(scanner, part.start, None, bad.what);
                    }
                    for stretch in stretches {
                        // Neighbouring blocks may cost the same items.
                        if !named.contains(&stretch) {
                            let span = items.span(&mut source, &stretch)?;
                            self.report(scanner, part.start, Some((span.start, Some(span.end))), bad.what);
                            named.push(stretch);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks for the frame behind a gap.
    fn cross<F: File>(&mut self, scanner: &mut Scanner<'_, F>) -> Result<Step> {
        let Some((offset, header)) = scanner.next_header(self.offset)? else { return self.end(scanner) };
        self.offset = offset;
        match scanner.frame_at(offset)? {
            Ok(frame) => {
                self.bridge(scanner, &header, Some(&frame.payload));
                self.offset = frame.end();
                self.take(scanner, &header, offset, Some(&frame.payload), true);
            }
            Err(bad) => {
                self.bridge(scanner, &header, None);
                self.body(scanner, &header, &bad)?;
                self.offset = bad.behind();
                self.take(scanner, &header, offset, None, true);
            }
        }
        Ok(Step::More)
    }

    /// Closes a gap at the frame behind it, as far as that frame tells what was lost.
    fn bridge<F: File>(&mut self, scanner: &Scanner<'_, F>, frame: &FrameHeader, payload: Option<&[u8]>) {
        let Some(gap) = self.gap.take() else { return };
        let history = &self.history;
        let body = payload.filter(|_| frame.kind.has_index()).and_then(IndexBody::decode);
        let restored = body.and_then(|body| {
            let view = V::restore(&history.header.options, &body.checkpoint.view)?;
            Some((view, body.checkpoint.retained))
        });
        // What a truncation is about to supersede need not be known.
        let behind = if frame.kind == Kind::Truncate { frame.first.min(frame.before) } else { frame.before };
        let lowest = if frame.low == NONE { history.view.next() } else { frame.low.min(history.view.next()) };
        let (offset, what) = (gap.offset, gap.what);
        let lost = (lowest < behind).then_some((lowest, Some(behind)));
        self.lose(scanner, lowest, behind, offset, lost, what);
        let history = &mut self.history;
        if let Some((view, retained)) = restored {
            (history.view, history.retained) = (view, retained);
        } else if history.view.next() != frame.before {
            history.view.skip_to(frame.before);
        }
    }

    fn lose<F: File>(
        &mut self,
        scanner: &Scanner<'_, F>,
        from: u64,
        behind: u64,
        offset: u64,
        lost: Option<(u64, Option<u64>)>,
        what: &str,
    ) {
        let damage = self.report(scanner, offset, lost, what);
        let end = behind.max(from);
        self.history.index.lose(Bounds { start: from.min(end), end }, damage);
        self.history.view.skip_to(end);
    }

    /// Takes a frame. Only the first one behind a gap need not continue the chain.
    fn take<F: File>(
        &mut self,
        scanner: &Scanner<'_, F>,
        header: &FrameHeader,
        offset: u64,
        payload: Option<&[u8]>,
        bridged: bool,
    ) {
        let history = &mut self.history;
        let follows = bridged || history.follows(header);
        if core::mem::take(&mut self.blind) && follows {
            history.view.skip_to(header.before);
        }
        if (self.blank || follows)
            && header.kind.has_index()
            && let Some(body) = payload.and_then(IndexBody::decode)
            && let Some(view) = V::restore(&history.header.options, &body.checkpoint.view)
        {
            (history.view, self.blank) = (view, false);
        }
        self.blind = header.kind == Kind::Meta && payload.is_none();
        if !follows {
            // Of another history of this log: what stood here is lost, and what stands here is not to be served.
            self.gap = Some(Gap { offset, what: "a frame does not continue the one before" });
        } else if !history.apply(header, offset, payload) {
            history.moved(header, offset);
            let lost = (header.count > 0).then_some((header.first, Some(header.end)));
            self.report(scanner, offset, lost, "a frame makes no sense where it stands");
        } else if header.scattered()
            && payload.is_none()
            && let Some(damage) = self.damage.last()
        {
            // Which of them it superseded is lost.
            history.index.lose_between(Bounds { start: header.first, end: header.end }, damage.clone());
        }
    }

    /// Settles what a gap at the end may have cost, and what is missing altogether.
    fn end<F: File>(&mut self, scanner: &mut Scanner<'_, F>) -> Result<Step> {
        let gap = self.gap.take();
        let history = &mut self.history;
        let next = history.view.next();
        if self.blind {
            // The last frame changed the view, nobody knows how.
            history.view.skip_to(next);
        }
        let missing = self.after.filter(|after| after.number > history.tip.number.saturating_add(1));
        let (offset, what) = match (&gap, missing) {
            (Some(gap), _) => (gap.offset, gap.what),
            (None, Some(_)) => (self.offset, "frames are missing at the end of a segment"),
            (None, None) => return Ok(Step::Done),
        };
        if let Some(after) = self.after {
            let lowest = if after.low == NONE { next } else { after.low.min(next) };
            let lost = (lowest < after.next).then_some((lowest, Some(after.next)));
            self.lose(scanner, lowest, after.next, offset, lost, what);
            return Ok(Step::Done);
        }
        // A trailer tells that the lost frame superseded nothing, even where its header is gone. So does a header that
        // is one flipped bit away.
        if let Some((_, at)) = scanner.trailer()?
            && at == offset
        {
            self.report(scanner, offset, None, what);
            return Ok(Step::Done);
        }
        if let Some(header) = scanner.flipped_header_at(offset)?
            && history.follows(&header)
        {
            let next_offset = offset.saturating_add(header.len());
            if scanner.zeros_from(next_offset)? {
                self.flipped(scanner, &header, offset, what);
                return Ok(Step::Done);
            }
        }
        let from = history.view.boundary();
        self.lose(scanner, from, next, offset, Some((from, None)), what);
        self.cut_short = self.damage.last().cloned();
        Ok(Step::Done)
    }

    /// The last frame is lost, but what it was is known.
    fn flipped<F: File>(&mut self, scanner: &Scanner<'_, F>, header: &FrameHeader, offset: u64, what: &str) {
        match header.kind {
            // What it held, and nothing behind it.
            Kind::Put => {
                let damage = self.report(scanner, offset, Some((header.first, Some(header.end))), what);
                let bounds = Bounds { start: header.first, end: header.end };
                self.history.index.lose_between(bounds, damage);
                if header.end > self.history.view.next() {
                    self.history.view.skip_to(header.end);
                }
            }
            kind if kind.has_items() => {
                let lost = (header.count > 0).then_some((header.first, None));
                self.lose(scanner, header.first, header.end, offset, lost, what);
            }
            kind => {
                self.report(scanner, offset, None, what);
                if kind == Kind::Meta {
                    self.history.view.skip_to(self.history.view.next());
                }
            }
        }
    }
}

/// The highest promise that a header behind a bad frame makes, or its own if its header verifies.
pub(super) fn highest_promise<F: File>(scanner: &mut Scanner<'_, F>, bad: &Bad) -> Result<Option<Promise>> {
    let mut highest = bad.header.as_ref().map(|header| header.promise);
    let mut offset = bad.behind();
    while let Some((at, header)) = scanner.next_header(offset)? {
        highest = highest.max(Some(header.promise));
        offset = at.saturating_add(header.len());
    }
    Ok(highest)
}

/// Whether a frame behind a bad one says that it was durable.
pub(super) fn promised<F: File>(scanner: &mut Scanner<'_, F>, bad: &Bad) -> Result<bool> {
    let here = (scanner.place.segment, bad.offset);
    Ok(highest_promise(scanner, bad)?.is_some_and(|promise| (promise.segment, promise.offset) > here))
}
