//! Headers and frames as bytes: what decodes, and what must not.

use super::*;

/// A frame that is made in memory of its own.
fn encode(fields: FrameHeader, place: Place, offset: u64, parts: &[&[u8]]) -> (FrameHeader, Vec<u8>) {
    let mut frame = Vec::new();
    (super::encode(fields, place, offset, parts, &mut frame).unwrap(), frame)
}

const PLACE: Place = Place { log: 0x1111_2222_3333_4444_5555_6666_7777_8888, generation: 0, segment: 3 };

fn fields(kind: Kind, count: u32) -> FrameHeader {
    FrameHeader {
        kind,
        codec: 0,
        epoch_start: true,
        number: 9,
        epoch: 77,
        listed: false,
        first: if count > 0 { 1000 } else { 0 },
        end: if count > 0 { 1000 + u64::from(count) } else { 0 },
        before: 1000,
        low: NONE,
        count,
        body: 0,
        decoded: 0,
        promise: Promise { segment: 3, offset: 136, number: 8 },
        previous: 42,
        chain: 0,
    }
}

fn header_of(frame: &[u8]) -> [u8; HEADER] {
    frame[..HEADER].try_into().unwrap()
}

#[test]
fn sizes_follow_from_the_body() {
    for payload in [0, 1, 7, 100, 4095, 4096, 4097, 8192, 8193, 4096 * 7, 1 << 20] {
        let (header, frame) = encode(fields(Kind::Meta, 0), PLACE, 136, &[&alloc::vec![7; payload]]);
        assert_eq!(frame.len() as u64, header.len());
        assert_eq!(frame.len() % 8, 0);
        assert_eq!(header.payload(), payload as u64);
        assert_eq!(header.blocks(), blocks(payload as u64));
        assert_eq!(FrameHeader::decode(&header_of(&frame), PLACE, 136), Ok(header));
        assert_eq!(frame.last(), Some(&0xFF));
    }
}

#[test]
fn every_flipped_bit_of_a_header_is_noticed_and_can_be_read_through() {
    let (header, frame) = encode(fields(Kind::Append, 1), PLACE, 136, &[&4u32.to_le_bytes(), b"abcd"]);
    for bit in 0..HEADER * 8 {
        let mut bad = header_of(&frame);
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(FrameHeader::decode(&bad, PLACE, 136).is_err(), "bit {bit}");
        assert_eq!(FrameHeader::decode_flipped(&bad, PLACE, 136).as_ref(), Some(&header), "bit {bit}");
    }
}

#[test]
fn what_a_header_claims_of_sizes_and_counts_is_bounded() {
    let payload = [7u8; 100];
    let right = FrameHeader { codec: LZ4, decoded: 100 * 255, ..fields(Kind::Append, 1) };
    let decoded = |fields: &FrameHeader| {
        let (_, frame) = encode(fields.clone(), PLACE, 136, &[&payload]);
        FrameHeader::decode(&header_of(&frame), PLACE, 136).map(|header| header.decoded)
    };
    assert_eq!(decoded(&right), Ok(100 * 255));
    for (what, wrong) in [
        ("more than LZ4 makes of it", FrameHeader { decoded: 100 * 256 + 1, ..right.clone() }),
        ("more than any payload", FrameHeader { decoded: u32::MAX, ..right.clone() }),
        ("less than the ends of its items", FrameHeader { decoded: 3, ..right.clone() }),
        ("more items than allowed", FrameHeader { count: u32::MAX, ..right.clone() }),
        ("another span than its items", FrameHeader { end: u64::MAX, ..right.clone() }),
        ("a compressed structure", FrameHeader { kind: Kind::Meta, count: 0, ..right.clone() }),
        ("an unknown codec", FrameHeader { codec: 9, ..right.clone() }),
    ] {
        assert_eq!(decoded(&wrong), Err(HeaderError::Damaged), "{what}");
    }
}

#[test]
fn bytes_that_no_writer_writes_are_damage_although_the_checks_are_right() {
    let (header, frame) = encode(fields(Kind::Append, 1), PLACE, 136, &[&4u32.to_le_bytes(), b"abcd"]);
    let resealed = |change: &dyn Fn(&mut [u8; HEADER])| {
        let mut bytes = header_of(&frame);
        change(&mut bytes);
        let check = frame_check(&bytes, PLACE, 136);
        bytes[CHECKED..CRC].copy_from_slice(&check.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC]);
        bytes[CRC..CRC + 4].copy_from_slice(&crc.to_le_bytes());
        FrameHeader::decode(&bytes, PLACE, 136)
    };
    assert_eq!(resealed(&|_| {}), Ok(header));
    let put = |bytes: &mut [u8; HEADER], at: usize, value: u32| {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    for (what, change) in [
        ("an unknown kind", &(|b: &mut [u8; HEADER]| b[2] = 8) as &dyn Fn(&mut [u8; HEADER])),
        ("a block table where there is none", &|b| b[4] |= BLOCK_TABLE),
        ("an unknown flag", &|b| b[4] |= 8),
        ("reserved bytes", &|b| b[6] = 1),
        ("more reserved bytes", &|b| b[70] = 1),
        ("listed without items", &|b| (b[4] |= LISTED, put(b, 56, 0)).1),
        ("listed positions that leave nothing out", &|b| b[4] |= LISTED),
        ("a body of no number of blocks", &|b| (b[4] |= BLOCK_TABLE, put(b, 60, 4097), put(b, 64, 4081)).1),
        ("a longer body than any payload", &|b| (b[4] |= BLOCK_TABLE, put(b, 60, u32::MAX)).1),
    ] {
        assert_eq!(resealed(change), Err(HeaderError::Damaged), "{what}");
    }
    assert!(!FrameHeader::could_start(&frame[..HEADER - 1]) && FrameHeader::could_start(&frame));
}

#[test]
fn a_header_verifies_only_where_it_was_written() {
    let (_, frame) = encode(fields(Kind::Append, 0), PLACE, 136, &[]);
    let bytes = header_of(&frame);
    assert_eq!(FrameHeader::decode(&bytes, PLACE, 144), Err(HeaderError::Misplaced));
    for place in [Place { segment: 4, ..PLACE }, Place { log: 1, ..PLACE }, Place { generation: 1, ..PLACE }]
    {
        assert_eq!(FrameHeader::decode(&bytes, place, 136), Err(HeaderError::Misplaced));
    }
}

#[test]
fn another_version_is_named_only_by_a_whole_header() {
    let (_, frame) = encode(fields(Kind::Append, 0), PLACE, 136, &[]);
    let mut bytes = header_of(&frame);
    bytes[1] = 2;
    assert_eq!(FrameHeader::decode(&bytes, PLACE, 136), Err(HeaderError::Damaged));
    let crc = crc32fast::hash(&bytes[..CRC]);
    bytes[CRC..CRC + 4].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(FrameHeader::decode(&bytes, PLACE, 136), Err(HeaderError::Version(2)));
}

#[test]
fn the_chain_depends_on_log_number_kind_body_and_predecessor_but_not_on_the_address() {
    let chain = |f: FrameHeader, p: Place, at: u64, body: &[u8]| encode(f, p, at, &[body]).0.chain;
    let base = chain(fields(Kind::Append, 0), PLACE, 136, b"x");
    assert_eq!(base, chain(fields(Kind::Append, 0), Place { segment: 9, generation: 5, ..PLACE }, 800, b"x"));
    let other = |change: fn(&mut FrameHeader)| {
        let mut f = fields(Kind::Append, 0);
        change(&mut f);
        chain(f, PLACE, 136, b"x")
    };
    for changed in [
        other(|f| f.number += 1),
        other(|f| f.kind = Kind::Truncate),
        other(|f| f.epoch += 1),
        other(|f| f.first += 1),
        other(|f| f.end += 1),
        other(|f| f.before += 1),
        other(|f| f.listed = true),
        other(|f| f.previous += 1),
        other(|f| f.epoch_start = false),
        chain(fields(Kind::Append, 0), PLACE, 136, b"y"),
        chain(fields(Kind::Append, 0), Place { log: 5, ..PLACE }, 136, b"x"),
    ] {
        assert_ne!(base, changed);
    }
}

#[test]
fn no_frame_lists_the_highest_number_which_nothing_is_behind() {
    // Found while a fuzz target was written: the position behind it overflowed.
    let header = FrameHeader { listed: true, first: 7, end: u64::MAX, ..fields(Kind::Put, 2) };
    let payload = |last: u64| [[0; 8], 7u64.to_le_bytes(), last.to_le_bytes()].concat();
    assert_eq!(header.listed(&payload(u64::MAX - 1)), Some(alloc::vec![7, u64::MAX - 1]));
    assert_eq!(header.listed(&payload(u64::MAX)), None);
    // Nor positions that do not ascend.
    let header = FrameHeader { first: 7, end: 8, ..header };
    assert_eq!(header.listed(&payload(7)), None);
}

#[test]
fn zeros_are_not_a_frame() {
    assert_eq!(FrameHeader::decode(&[0; HEADER], PLACE, 0), Err(HeaderError::Damaged));
    assert!(!is_end(&[0]) && !is_end(&[]) && is_end(&[0, 0xFF]) && !is_end(&[1, 0xFF]));
}
