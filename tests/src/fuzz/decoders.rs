//! Every decoder of `annals_logs::format`: nothing panics, what decodes is written again as the same bytes, and what is
//! encoded decodes as what it was.

use super::forge;
use crate::campaign::draw::Draw;
use annals_logs::format::frame::{self, FrameHeader, HeaderError, Kind, Place, Promise};
use annals_logs::format::instance::{Claimer, Found, Instance, Life};
use annals_logs::format::names::{self, FileName};
use annals_logs::format::root::{self, Root, State};
use annals_logs::format::segment::{self, Checkpoint, IndexBody, Meta, Run, SegmentHeader, SegmentRange};
use annals_logs::format::{BLOCK, HEADER, MAX_ITEMS, MAX_PAYLOAD, MAX_STRUCTURE, frame_len};

/// Everything that is left.
fn rest(draw: &mut Draw) -> Vec<u8> {
    draw.bytes(usize::MAX)
}

fn text(draw: &mut Draw, most: u64) -> String {
    let len = draw.below(most) as usize;
    String::from_utf8_lossy(&draw.bytes(len)).into_owned()
}

/// A number of any size: small ones, ones near the maximum, any.
fn number(draw: &mut Draw) -> u64 {
    match draw.below(4) {
        0 => draw.below(256),
        1 => draw.below(1 << 16),
        2 => u64::MAX - draw.below(256),
        _ => draw.number(),
    }
}

fn wide(draw: &mut Draw) -> u128 {
    u128::from(number(draw)) << 64 | u128::from(number(draw))
}

/// Names of files, logs, cells and locks.
pub fn names(draw: &mut Draw) {
    let log = text(draw, 80);
    let name = FileName { log, id: wide(draw), generation: number(draw), segment: number(draw) };
    let parsed = FileName::parse(&name.text());
    assert_eq!(parsed.is_some(), names::is_log_name(&name.log), "{name:?}");
    assert!(parsed.is_none_or(|parsed| parsed == name));
    let holder = text(draw, 80);
    let cell = names::instance(&name.log, &holder, name.segment);
    if let Some(parsed) = names::parse_instance(&name.log, &cell) {
        assert!(names::is_log_name(parsed.0) && names::instance(&name.log, parsed.0, parsed.1) == cell);
    }
    if names::is_log_name(&holder) {
        assert_eq!(names::parse_instance(&name.log, &cell), Some((&*holder, name.segment)));
    }
    let any = String::from_utf8_lossy(&rest(draw)).into_owned();
    if let Some(name) = FileName::parse(&any) {
        assert_eq!(name.text(), any);
    }
    if let Some((holder, epoch)) = names::parse_instance("a", &any) {
        assert_eq!(names::instance("a", holder, epoch), any);
    }
}

/// Root cells and cells of instances.
pub fn cells(draw: &mut Draw) {
    const NAME: &str = "log.a";
    let value = match draw.below(4) {
        // Any bytes.
        0 => rest(draw),
        // Any bytes with the check that belongs to them: whoever may write could write it.
        1 => forge::cell(NAME, &[&[1], &*rest(draw)].concat()),
        2 => {
            use root::Kind::*;
            let state = draw.one_of(&[State::Creating, State::Live, State::Destroying]);
            let kind = draw.one_of(&[Journal, EventLog, RaftLog, Snapshot, ChangeLog]);
            let root = Root { state, kind, id: wide(draw), generation: number(draw) };
            let value = root.encode(NAME);
            assert_eq!(Root::decode(NAME, &value), Ok(root));
            value
        }
        _ => {
            let instance = instance(draw);
            let value = instance.encode(NAME);
            assert_eq!(Instance::decode(NAME, &value), Ok(instance));
            value
        }
    };
    if let Ok(root) = Root::decode(NAME, &value) {
        assert_eq!(Root::decode(NAME, &root.encode(NAME)), Ok(root));
    }
    if let Ok(instance) = Instance::decode(NAME, &value) {
        assert_eq!(Instance::decode(NAME, &instance.encode(NAME)), Ok(instance));
    }
    assert!(Root::decode("log.b", &value).is_err(), "a cell of another name passes");
}

fn instance(draw: &mut Draw) -> Instance {
    let claimer = Claimer { instance: text(draw, 70), epoch: number(draw) };
    let life = match draw.below(4) {
        0 => Life::Live,
        1 => Life::Closed,
        2 => Life::Claimed(claimer),
        _ => Life::Damaged(claimer),
    };
    let damage = draw.chance(50).then(|| Found {
        file: text(draw, 70),
        offset: number(draw),
        lowest: draw.chance(50).then(|| number(draw)),
        next: draw.chance(50).then(|| number(draw)),
        what: text(draw, 70),
    });
    Instance {
        log: wide(draw),
        slot: draw.chance(50).then(|| number(draw) as u32),
        beat_ms: number(draw),
        heartbeat_ms: number(draw) as u32,
        frame: number(draw),
        check: wide(draw),
        life,
        damage,
    }
}

const PLACE: Place = Place { log: 0x1234_5678, generation: 3, segment: 7 };

/// A header with fields as they come.
pub(super) fn header(draw: &mut Draw) -> FrameHeader {
    let kind = Kind::from_byte(1 + draw.below(7) as u8).unwrap_or(Kind::Append);
    let count = if kind.has_items() { draw.below(1 << 16) as u32 } else { 0 };
    let first = number(draw);
    let (codec, listed) = (draw.below(3) as u8, kind.has_items() && draw.chance(40));
    let behind = if listed { draw.below(1 << 20) } else { 0 };
    FrameHeader {
        kind,
        codec,
        epoch_start: draw.chance(50),
        number: number(draw),
        epoch: number(draw),
        listed,
        first,
        end: first.saturating_add(u64::from(count)).saturating_add(behind),
        before: number(draw),
        low: number(draw),
        count,
        body: 0,
        decoded: number(draw) as u32,
        promise: Promise { segment: number(draw), offset: number(draw), number: number(draw) },
        previous: wide(draw),
        chain: wide(draw),
    }
}

/// Headers of frames, whole frames, block checks, lists of positions.
pub fn frames(draw: &mut Draw) {
    match draw.below(3) {
        0 => {
            let mut bytes = [0; HEADER];
            let given = draw.bytes(HEADER);
            bytes[..given.len()].copy_from_slice(&given);
            if draw.chance(70) {
                // The fixed bytes and both checks are right; everything between is as it comes.
                forge::header(&mut bytes, PLACE, 136);
            }
            one_header(&bytes, &rest(draw));
        }
        1 => {
            let fields = header(draw);
            let cut = draw.below(3000) as usize;
            let payload = rest(draw);
            let parts = [&payload[..cut.min(payload.len())], &payload[cut.min(payload.len())..]];
            one_frame(fields, &parts);
        }
        _ => {
            // Long payloads, with a block table.
            let fields = FrameHeader { count: 0, listed: false, codec: 0, ..header(draw) };
            let fields = FrameHeader { end: fields.first, ..fields };
            let (byte, len) = (draw.below(256) as u8, draw.below(5 * BLOCK as u64) as usize);
            one_frame(fields, &[&rest(draw), &vec![byte; len]]);
        }
    }
}

fn one_header(bytes: &[u8; HEADER], payload: &[u8]) {
    let (here, anywhere) = (FrameHeader::decode(bytes, PLACE, 136), FrameHeader::decode_anywhere(bytes));
    let Ok(header) = &anywhere else {
        assert_eq!(here, anywhere);
        return;
    };
    assert!(FrameHeader::could_start(bytes));
    match here {
        Ok(_) => assert_eq!(header.encode(PLACE, 136), *bytes, "a second way to write {header:?}"),
        Err(error) => assert_eq!(error, HeaderError::Misplaced),
    }
    let most = if header.kind.has_items() { MAX_PAYLOAD } else { MAX_STRUCTURE };
    assert!(header.payload() <= most && u64::from(header.decoded) <= MAX_PAYLOAD);
    assert!(u64::from(header.count) <= MAX_ITEMS && header.lists() <= u64::from(header.decoded));
    assert_eq!(header.table() + header.payload(), u64::from(header.body));
    assert_eq!((header.len(), header.is_empty()), (frame_len(u64::from(header.body)), false));
    assert!(header.end - header.first >= u64::from(header.count));
    let _ = (header.supersedes(), header.scattered(), header.kind.name(), header.kind.has_index());
    if let Some(ids) = header.listed(payload) {
        assert!(ids.len() == header.count as usize && ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids.first(), Some(&header.first));
        assert!(ids.iter().all(|id| (header.first..header.end).contains(id)));
    }
    let _ = header.chain_value(PLACE.log, payload);
}

fn one_frame(fields: FrameHeader, parts: &[&[u8]]) {
    let mut bytes = Vec::new();
    let Ok(header) = frame::encode(fields, PLACE, 136, parts, &mut bytes) else { return };
    assert_eq!(bytes.len() as u64, header.len());
    let Some((head, body)) = bytes.split_first_chunk::<HEADER>() else { panic!("a frame without a header") };
    match FrameHeader::decode(head, PLACE, 136) {
        Ok(decoded) => assert_eq!(decoded, header),
        // Only what no writer would ask for is refused.
        Err(error) => assert_eq!(error, HeaderError::Damaged, "{header:?}"),
    }
    assert!(frame::is_end(&body[header.body as usize..]));
    let (table, payload) = body[..header.body as usize].split_at(header.table() as usize);
    assert_eq!(payload, parts.concat());
    for (check, block) in table.chunks(8).zip(payload.chunks(BLOCK)) {
        assert_eq!(check, frame::block_check(block));
    }
    let covered = if table.is_empty() { payload } else { table };
    assert_eq!(header.chain_value(PLACE.log, covered), header.chain);
    assert!(matches!(
        FrameHeader::decode(head, PLACE, 144),
        Err(HeaderError::Misplaced | HeaderError::Damaged)
    ));
}

fn ranges(draw: &mut Draw) -> Vec<SegmentRange> {
    let mut least = 1;
    let many = draw.below(6);
    (0..many)
        .map(|_| {
            let first = least + draw.below(1 << 16);
            let last = first + draw.below(1 << 16);
            least = last + 2;
            SegmentRange { first, last }
        })
        .collect()
}

fn checkpoint(draw: &mut Draw) -> Checkpoint {
    let len = draw.below(100) as usize;
    Checkpoint { view: draw.bytes(len), retained: ranges(draw) }
}

/// Payloads of headers, footers, seals and metas; trailers.
pub fn structures(draw: &mut Draw) {
    match draw.below(5) {
        0 => {
            let payload = rest(draw);
            if let Some(place) = SegmentHeader::place_of(&payload)
                && let Some(header) = SegmentHeader::decode(&payload, place)
            {
                assert_eq!(SegmentHeader::decode(&header.encode(), place), Some(header));
            }
            if let Some(meta) = Meta::decode(&payload) {
                assert_eq!(Meta::decode(&meta.encode()), Some(meta));
            }
            if let Some(index) = IndexBody::decode(&payload) {
                assert_eq!(IndexBody::decode(&index.encode(PLACE, 136, Kind::Seal)), Some(index));
            }
        }
        1 => {
            let place = Place { segment: 1 << 40, ..PLACE };
            let len = draw.below(100) as usize;
            let header = SegmentHeader {
                kind: root::Kind::Journal,
                id: place.log,
                generation: place.generation,
                segment: place.segment,
                begun_ms: number(draw),
                segment_bytes: number(draw),
                options: draw.bytes(len),
                checkpoint: checkpoint(draw),
            };
            let payload = header.encode();
            assert_eq!(SegmentHeader::place_of(&payload), Some(place));
            assert_eq!(SegmentHeader::decode(&payload, place), Some(header));
            assert_eq!(SegmentHeader::decode(&payload, PLACE), None);
        }
        2 => {
            let len = draw.below(100) as usize;
            let meta = Meta { view: draw.bytes(len), removed: ranges(draw) };
            assert_eq!(Meta::decode(&meta.encode()), Some(meta));
        }
        3 => index(draw),
        _ => {
            let mut last = [0xFF; segment::TRAILER];
            let given = draw.bytes(segment::TRAILER);
            last[..given.len()].copy_from_slice(&given);
            assert_eq!(segment::read_trailer(&last, PLACE), None, "any bytes are a trailer");
        }
    }
}

fn index(draw: &mut Draw) {
    let (checkpoint, many) = (checkpoint(draw), draw.below(40));
    let mut next = draw.below(1000);
    let runs = (0..many).map(|_| {
        let (first, count) = (next.saturating_add(number(draw)), 1 + draw.below(1 << 16));
        next = first.saturating_add(count);
        Run { first, count, offset: draw.below(1 << 40) * 8, number: number(draw) }
    });
    let runs: Vec<Run> = runs.collect();
    let index =
        IndexBody { checkpoint, floor: number(draw), cut: number(draw), first_number: number(draw), runs };
    let (offset, kind) = (number(draw), draw.one_of(&[Kind::Footer, Kind::Seal]));
    let payload = index.encode(PLACE, offset, kind);
    let fits = index.runs.iter().all(|run| run.first.checked_add(run.count).is_some());
    assert_eq!(IndexBody::decode(&payload), fits.then_some(index));
    let mut last = [0xFF; segment::TRAILER];
    last[..16].copy_from_slice(&payload[payload.len() - 16..]);
    assert_eq!(segment::read_trailer(&last, PLACE), Some((kind, offset)));
}
