//! The state of a log as its frames tell it, one frame at a time: what recovery rebuilds and the writer goes on from.

use super::View;
use super::index::Index;
use super::scan::Frame;
use crate::format::HEADER;
use crate::format::frame::{FrameHeader, Kind, NONE, Place, Promise};
use crate::format::segment::{Checkpoint, IndexBody, Meta, SegmentHeader, SegmentRange};
use alloc::vec::Vec;

/// The end of what was written: what the next frame builds on.
#[derive(Clone, Debug)]
pub(super) struct Tip {
    pub(super) place: Place,
    /// Where the next frame goes.
    pub(super) offset: u64,
    /// The last frame: kind, address, number, chain value.
    pub(super) kind: Kind,
    pub(super) last: u64,
    pub(super) number: u64,
    pub(super) chain: u128,
    pub(super) epoch: u64,
    /// Lowest position superseded in this segment.
    pub(super) low: u64,
    /// The highest promise that was read.
    pub(super) promise: Promise,
}

impl Tip {
    fn at(frame: &FrameHeader, place: Place, offset: u64) -> Tip {
        Tip {
            place,
            offset: offset.saturating_add(frame.len()),
            kind: frame.kind,
            last: offset,
            number: frame.number,
            chain: frame.chain,
            epoch: frame.epoch,
            low: if frame.kind == Kind::Header { NONE } else { frame.low.min(frame.supersedes()) },
            promise: frame.promise,
        }
    }

    /// The address behind the last frame, as a promise.
    pub(super) fn address(&self) -> Promise {
        Promise { segment: self.place.segment, offset: self.offset, number: self.number.saturating_add(1) }
    }
}

/// What the frames of the newest segment, up to some frame, say.
#[derive(Clone, Debug)]
pub(super) struct History<V> {
    pub(super) header: SegmentHeader,
    pub(super) tip: Tip,
    pub(super) index: Index,
    pub(super) retained: Vec<SegmentRange>,
    pub(super) view: V,
}

impl<V: View> History<V> {
    /// The history that a segment's header frame begins with.
    pub(super) fn begin(frame: &Frame, place: Place) -> Option<History<V>> {
        let header = Self::header(frame, place)?;
        let view = V::restore(&header.options, &header.checkpoint.view)?;
        let retained = header.checkpoint.retained.clone();
        let index = Index::new(view.next(), frame.header.number);
        Some(History { tip: Tip::at(&frame.header, place, frame.offset), header, index, retained, view })
    }

    /// The history of a segment whose header is lost, if nothing else is known.
    pub(super) fn blank(place: Place) -> History<V> {
        let view = V::blank();
        let header = SegmentHeader {
            kind: V::KIND,
            id: place.log,
            generation: place.generation,
            segment: place.segment,
            begun_ms: 0,
            segment_bytes: 0,
            options: Vec::new(),
            checkpoint: Checkpoint { view: view.save(), retained: Vec::new() },
        };
        let (kind, promise) = (Kind::Header, Promise::default());
        let tip = Tip { place, offset: 0, kind, last: 0, number: 0, chain: 0, epoch: 0, low: NONE, promise };
        History { header, tip, index: Index::new(view.next(), 0), retained: Vec::new(), view }
    }

    /// The history at a frame with an index, of a segment with this header.
    pub(super) fn at_index(header: SegmentHeader, frame: &Frame, place: Place) -> Option<History<V>> {
        let body = IndexBody::decode(&frame.payload)?;
        let view = V::restore(&header.options, &body.checkpoint.view)?;
        let index = Index::from_body(&body);
        let retained = body.checkpoint.retained;
        Some(History { tip: Tip::at(&frame.header, place, frame.offset), header, index, retained, view })
    }

    /// What a segment's header frame says.
    pub(super) fn header(frame: &Frame, place: Place) -> Option<SegmentHeader> {
        let whole = frame.header.kind == Kind::Header && frame.offset == 0;
        whole.then(|| SegmentHeader::decode(&frame.payload, place)).flatten()
    }

    /// Whether this is the next frame of the chain.
    pub(super) fn follows(&self, frame: &FrameHeader) -> bool {
        self.tip.number.checked_add(1) == Some(frame.number)
            && self.tip.chain == frame.previous
            && (self.tip.epoch == frame.epoch || frame.epoch_start)
            && frame.promise >= self.tip.promise
            && frame.promise <= self.tip.address()
    }

    /// Takes note of the next frame; `payload` is none where only its header is known, and of items only as long as it
    /// says where they are. False if it makes no sense here.
    pub(super) fn apply(&mut self, frame: &FrameHeader, offset: u64, payload: Option<&[u8]>) -> bool {
        if frame.before != self.view.next() {
            return false;
        }
        let fits = match frame.kind {
            Kind::Header => false,
            kind if kind.has_items() => {
                let fits = self.view.items(frame);
                match payload.map(|payload| frame.listed(payload)) {
                    _ if !fits => {}
                    Some(Some(ids)) if frame.scattered() => self.index.scatter(frame, offset, &ids),
                    Some(None) if frame.scattered() => return false,
                    None if frame.scattered() => {} // the survey takes note of it as lost
                    _ => self.index.add(frame, offset),
                }
                fits
            }
            Kind::Meta => match payload.map(Meta::decode) {
                Some(Some(meta)) => {
                    remove(&mut self.retained, &meta.removed);
                    meta.view.is_empty() || self.view.meta(&meta.view)
                }
                Some(None) => false,
                None => true,
            },
            // A checkpoint may leave out segments that held nothing any more: they are gone for good.
            _ => match payload.map(IndexBody::decode) {
                Some(Some(body)) => {
                    self.retained = body.checkpoint.retained;
                    true
                }
                Some(None) => false,
                None => true,
            },
        };
        if fits {
            self.moved(frame, offset);
        }
        fits
    }

    /// Puts the end behind this frame.
    pub(super) fn moved(&mut self, frame: &FrameHeader, offset: u64) {
        self.tip = Tip::at(frame, self.tip.place, offset);
    }
}

/// Takes segment numbers out of ascending ranges.
pub(super) fn remove(from: &mut Vec<SegmentRange>, gone: &[SegmentRange]) {
    for gone in gone {
        let mut left = Vec::new();
        for range in from.drain(..) {
            if range.last < gone.first || range.first > gone.last {
                left.push(range);
                continue;
            }
            if range.first < gone.first {
                left.push(SegmentRange { first: range.first, last: gone.first - 1 });
            }
            if range.last > gone.last {
                left.push(SegmentRange { first: gone.last + 1, last: range.last });
            }
        }
        *from = left;
    }
}

/// Ascending numbers as ranges.
pub(super) fn ranges(numbers: impl IntoIterator<Item = u64>) -> Vec<SegmentRange> {
    let mut out: Vec<SegmentRange> = Vec::new();
    for number in numbers {
        match out.last_mut() {
            Some(last) if last.last.checked_add(1) == Some(number) => last.last = number,
            _ => out.push(SegmentRange { first: number, last: number }),
        }
    }
    out
}

/// A frame's header takes at least this much: no frame starts below it.
pub(super) const FIRST_FRAME: u64 = HEADER as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::State;

    #[test]
    fn the_next_frame_has_the_next_number_the_chain_the_epoch_and_a_promise_within_reach() {
        let (place, segment) = (Place { log: 1, generation: 0, segment: 2 }, 2);
        let mut history = History::<State>::blank(place);
        (history.tip.offset, history.tip.number, history.tip.chain, history.tip.epoch) = (200, 7, 42, 5);
        history.tip.promise = Promise { segment, offset: 136, number: 6 };
        let good = FrameHeader {
            kind: Kind::Append,
            codec: 0,
            epoch_start: false,
            number: 8,
            epoch: 5,
            listed: false,
            first: 0,
            end: 0,
            before: 0,
            low: NONE,
            count: 0,
            body: 0,
            decoded: 0,
            promise: Promise { segment, offset: 200, number: 8 },
            previous: 42,
            chain: 0,
        };
        assert!(history.follows(&good));
        assert!(history.follows(&FrameHeader { epoch: 6, epoch_start: true, ..good.clone() }));
        let promise = |segment, offset, number| Promise { segment, offset, number };
        for (what, bad) in [
            ("number", FrameHeader { number: 9, ..good.clone() }),
            ("chain", FrameHeader { previous: 43, ..good.clone() }),
            ("epoch", FrameHeader { epoch: 6, ..good.clone() }),
            ("promise of itself", FrameHeader { promise: promise(segment, 208, 9), ..good.clone() }),
            ("promise taken back", FrameHeader { promise: promise(1, 900, 3), ..good.clone() }),
        ] {
            assert!(!history.follows(&bad), "{what}");
        }
    }

    #[test]
    fn removal_cuts_ranges_where_it_must() {
        let range = |first, last| SegmentRange { first, last };
        let mut kept = alloc::vec![range(1, 10), range(12, 12), range(20, 30)];
        remove(&mut kept, &[range(1, 2), range(5, 5), range(12, 12), range(25, 40)]);
        assert_eq!(kept, [range(3, 4), range(6, 10), range(20, 24)]);
        assert_eq!(ranges([1, 2, 3, 7, 9, 10]), [range(1, 3), range(7, 7), range(9, 10)]);
    }
}
