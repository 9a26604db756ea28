//! The structured payloads: segment headers, indexes (in footers and seals), meta frames. See [`super`].
//!
//! All are postcard encodings of the structures here, in the order of their fields. Decoding takes hostile bytes: it
//! returns none for anything but one whole structure with ranges and runs that can be (a number may take more bytes than
//! it needs), and no length is believed beyond the bytes given.

use super::frame::{Kind, Place};
use super::{ALIGN, MAX_STRUCTURE, root};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Consecutive segment numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRange {
    /// First number.
    pub first: u64,
    /// Last number.
    pub last: u64,
}

/// Everything that older frames have to say about the present: with it they need not be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The state of the log's view; its own postcard structure.
    pub view: Vec<u8>,
    /// The retained segments before this one, ascending.
    pub retained: Vec<SegmentRange>,
}

/// Payload of a `header`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHeader {
    /// Kind of the log.
    pub kind: root::Kind,
    /// Id of the log.
    pub id: u128,
    /// Generation of its files.
    pub generation: u64,
    /// Number of this segment.
    pub segment: u64,
    /// Unix time in milliseconds when it was begun. For people only.
    pub begun_ms: u64,
    /// Size at which a segment is full.
    pub segment_bytes: u64,
    /// The fixed options of the log's view; its own postcard structure.
    pub options: Vec<u8>,
    /// State before the first item of this segment.
    pub checkpoint: Checkpoint,
}

/// Items that can be found from one place: ascending positions in frames one behind the other. Other frames may stand
/// between them. The frames may hold more positions on both sides, which a later frame has superseded; and positions in
/// between may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First position.
    pub first: u64,
    /// Positions from the first to the last one, at least 1.
    pub count: u64,
    /// Where the frame with the first one starts.
    pub offset: u64,
    /// Number of that frame.
    pub number: u64,
}

impl Run {
    /// The position behind the last one.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// Payload of a `footer` and a `seal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexBody {
    /// State behind the last frame before this one.
    pub checkpoint: Checkpoint,
    /// No position below it was written or superseded in this segment.
    pub floor: u64,
    /// Every position from it on that can be read stands in this segment or a later one.
    pub cut: u64,
    /// Number of this segment's header frame.
    pub first_number: u64,
    /// The items of this segment that can be read, ascending by position.
    pub runs: Vec<Run>,
}

/// How [`IndexBody`] is stored: each run as differences to the one before (positions: to its end).
#[derive(Serialize, Deserialize)]
struct StoredIndex {
    checkpoint: Checkpoint,
    floor: u64,
    cut: u64,
    first_number: u64,
    runs: Vec<(u64, u64, u64, u64)>,
}

/// Most bytes that one run takes in the encoding of an index.
pub const MAX_RUN: u64 = 40;

/// Payload of a `meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// A change that the log's view understands; its own postcard structure. May be empty.
    pub view: Vec<u8>,
    /// Segments that are no longer retained; their files may be removed once this frame is durable.
    pub removed: Vec<SegmentRange>,
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Cannot fail: the output grows, and no sequence here is of unknown length.
    postcard::to_allocvec(value).unwrap_or_default()
}

fn decode_whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

fn ascending(ranges: &[SegmentRange], below: u64) -> bool {
    let mut least = 1;
    ranges.iter().all(|r| {
        let good = r.first >= least && r.last >= r.first && r.last < below;
        least = r.last.saturating_add(2);
        good
    })
}

impl SegmentHeader {
    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Where a segment with this payload of its header says that it belongs.
    pub fn place_of(payload: &[u8]) -> Option<Place> {
        let SegmentHeader { id, generation, segment, .. } = decode_whole(payload)?;
        Some(Place { log: id, generation, segment })
    }

    /// The header in this payload of a frame at this place.
    pub fn decode(payload: &[u8], place: Place) -> Option<SegmentHeader> {
        let header: SegmentHeader = decode_whole(payload)?;
        let here = Place { log: header.id, generation: header.generation, segment: header.segment };
        (here == place && ascending(&header.checkpoint.retained, header.segment)).then_some(header)
    }
}

impl Meta {
    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The change in this payload.
    pub fn decode(payload: &[u8]) -> Option<Meta> {
        let meta: Meta = decode_whole(payload)?;
        ascending(&meta.removed, u64::MAX).then_some(meta)
    }
}

fn trailer_check(place: Place, offset: u64, kind: Kind) -> u64 {
    let mut bytes = [0u8; 41];
    bytes[..16].copy_from_slice(&place.log.to_le_bytes());
    bytes[16..24].copy_from_slice(&place.generation.to_le_bytes());
    bytes[24..32].copy_from_slice(&place.segment.to_le_bytes());
    bytes[32..40].copy_from_slice(&offset.to_le_bytes());
    bytes[40] = kind as u8;
    xxh3_64(&bytes)
}

/// Bytes of a trailer and of the frame's last byte behind it.
pub const TRAILER: usize = 17;

/// Kind and offset of the frame whose last bytes these are, if a trailer is among them.
pub fn read_trailer(last: &[u8; TRAILER], place: Place) -> Option<(Kind, u64)> {
    let (mut offset, mut check) = ([0u8; 8], [0u8; 8]);
    offset.copy_from_slice(&last[..8]);
    check.copy_from_slice(&last[8..16]);
    let offset = u64::from_le_bytes(offset);
    let kinds = [Kind::Footer, Kind::Seal];
    let kind = kinds.into_iter().find(|k| trailer_check(place, offset, *k).to_le_bytes() == check)?;
    (last[16] == 0xFF).then_some((kind, offset))
}

impl IndexBody {
    /// The payload's bytes for a frame of this kind at this place and offset.
    pub fn encode(&self, place: Place, offset: u64, kind: Kind) -> Vec<u8> {
        let mut before = Run { first: 0, count: 0, offset: 0, number: 0 };
        let stored = StoredIndex {
            checkpoint: self.checkpoint.clone(),
            floor: self.floor,
            cut: self.cut,
            first_number: self.first_number,
            runs: (self.runs.iter())
                .map(|run| {
                    // Wrapping, for indexes whose offsets do not ascend.
                    let difference = (
                        run.first.wrapping_sub(before.end()),
                        run.count,
                        run.offset.wrapping_sub(before.offset),
                        run.number.wrapping_sub(before.number),
                    );
                    before = *run;
                    difference
                })
                .collect(),
        };
        let mut payload = encode(&stored);
        // Zeros, so that the trailer ends right before the frame's last byte.
        // (Header and block table are multiples of its alignment themselves.)
        payload.resize((payload.len() + TRAILER).next_multiple_of(ALIGN as usize) - TRAILER, 0);
        payload.extend_from_slice(&offset.to_le_bytes());
        payload.extend_from_slice(&trailer_check(place, offset, kind).to_le_bytes());
        payload
    }

    /// The index in this payload.
    pub fn decode(payload: &[u8]) -> Option<IndexBody> {
        if payload.len() as u64 > MAX_STRUCTURE {
            return None;
        }
        let payload = payload.get(..payload.len().checked_sub(TRAILER - 1)?)?;
        let (stored, rest) = postcard::take_from_bytes::<StoredIndex>(payload).ok()?;
        if rest.len() >= ALIGN as usize || rest.iter().any(|b| *b != 0) {
            return None;
        }
        let mut before = Run { first: 0, count: 0, offset: 0, number: 0 };
        let mut runs = Vec::new();
        runs.try_reserve_exact(stored.runs.len()).ok()?;
        for (skip, count, offset, number) in stored.runs {
            let run = Run {
                first: before.end().checked_add(skip)?,
                count,
                offset: before.offset.wrapping_add(offset),
                number: before.number.wrapping_add(number),
            };
            run.first.checked_add(count)?;
            if count == 0 || !run.offset.is_multiple_of(ALIGN) {
                return None;
            }
            runs.push(run);
            before = run;
        }
        let StoredIndex { checkpoint, floor, cut, first_number, .. } = stored;
        ascending(&checkpoint.retained, u64::MAX).then_some(IndexBody {
            checkpoint,
            floor,
            cut,
            first_number,
            runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FrameHeader, NONE, Promise, encode as encode_frame};
    use super::*;

    const PLACE: Place = Place { log: 99, generation: 0, segment: 2 };

    fn index(runs: u64) -> IndexBody {
        IndexBody {
            checkpoint: Checkpoint {
                view: alloc::vec![1, 2, 3],
                retained: alloc::vec![SegmentRange { first: 1, last: 1 }],
            },
            floor: 5,
            cut: 7,
            first_number: 17,
            runs: (0..runs)
                .map(|i| Run { first: 10 + i * 3, count: 2, offset: 136 + i * 800, number: 18 + i })
                .collect(),
        }
    }

    #[test]
    fn an_index_survives_the_round_trip_and_its_trailer_ends_the_frame() {
        for runs in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 1000, 4096] {
            let payload = index(runs).encode(PLACE, 136, Kind::Footer);
            assert_eq!(IndexBody::decode(&payload), Some(index(runs)));
            let fields = FrameHeader {
                kind: Kind::Footer,
                codec: 0,
                epoch_start: false,
                number: 1,
                epoch: 1,
                listed: false,
                first: 0,
                end: 0,
                before: 0,
                low: NONE,
                count: 0,
                body: 0,
                decoded: 0,
                promise: Promise::default(),
                previous: 0,
                chain: 0,
            };
            let mut frame = Vec::new();
            encode_frame(fields, PLACE, 136, &[&payload], &mut frame).unwrap();
            let last: [u8; TRAILER] = frame[frame.len() - TRAILER..].try_into().unwrap();
            assert_eq!(read_trailer(&last, PLACE), Some((Kind::Footer, 136)), "{runs} runs");
            assert_eq!(read_trailer(&last, Place { segment: 3, ..PLACE }), None);
        }
    }

    #[test]
    fn decoding_takes_any_bytes() {
        let good = index(9).encode(PLACE, 136, Kind::Seal);
        for at in 0..good.len() {
            let _ = IndexBody::decode(&good[..at]);
            let mut bad = good.clone();
            bad[at] = !bad[at];
            let _ = IndexBody::decode(&bad);
            let _ = SegmentHeader::decode(&bad, PLACE);
            let _ = Meta::decode(&bad);
        }
        // A length far beyond the bytes allocates nothing.
        assert_eq!(IndexBody::decode(&[0xFF; 64]), None);
    }

    #[test]
    fn runs_that_no_writer_writes_are_refused() {
        let with = |run| IndexBody { runs: alloc::vec![run], ..index(0) }.encode(PLACE, 136, Kind::Seal);
        let good = Run { first: 10, count: 2, offset: 136, number: 18 };
        assert!(IndexBody::decode(&with(good)).is_some());
        for bad in [
            Run { count: 0, ..good },
            Run { offset: 137, ..good },
            Run { first: u64::MAX - 1, count: 2, ..good },
        ] {
            assert_eq!(IndexBody::decode(&with(bad)), None, "{bad:?}");
        }
        let of_view = |len: u64| {
            let view = alloc::vec![0; len as usize];
            let checkpoint = Checkpoint { view, ..Checkpoint::default() };
            IndexBody { checkpoint, ..index(0) }.encode(PLACE, 136, Kind::Seal)
        };
        assert!(IndexBody::decode(&of_view(MAX_STRUCTURE - 100)).is_some());
        assert_eq!(IndexBody::decode(&of_view(MAX_STRUCTURE)), None);
    }

    #[test]
    fn segment_ranges_must_ascend_without_touching() {
        let range = |first, last| SegmentRange { first, last };
        assert!(ascending(&[range(1, 3), range(5, 5)], 6));
        for bad in [
            &[range(0, 1)][..],
            &[range(2, 1)],
            &[range(1, 3), range(4, 4)],
            &[range(5, 5), range(1, 1)],
            &[range(1, 6)],
        ] {
            assert!(!ascending(bad, 6), "{bad:?}");
        }
    }
}
