//! Frames: header, checks, encoding, decoding. The bytes are described in [`super`].
//!
//! Invariants: what [`FrameHeader::decode`] returns was checked against CRC and address; its lengths are within the
//! format's maxima. Nothing here reads storage or decides what a bad frame means.

use super::{BLOCK, HEADER, MAX_ITEMS, MAX_PAYLOAD, MAX_STRUCTURE, VERSION, blocks, frame_len};
use alloc::{collections::TryReserveError, vec::Vec};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const MAGIC: u8 = 0xA5;
const END: u8 = 0xFF;
const EPOCH_START: u8 = 1;
const BLOCK_TABLE: u8 = 2;
const LISTED: u8 = 4;

/// The payload is stored as it is.
pub const PLAIN: u8 = 0;
/// The payload is stored in the LZ4 block format.
pub const LZ4: u8 = 1;
/// LZ4 makes at most this many bytes of one.
const LZ4_EXPANSION: u64 = 256;

/// Bytes that the frame check covers; it follows them.
const CHECKED: usize = 128;
/// Bytes that the CRC covers; it follows them.
const CRC: usize = 136;

/// No position was superseded.
pub const NONE: u64 = u64::MAX;

/// What a frame is and what it supersedes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// First frame of a segment: a checkpoint.
    Header = 1,
    /// Items behind all others; supersedes nothing.
    Append = 2,
    /// Items among others; supersedes what their positions held.
    Put = 3,
    /// Items or none; supersedes everything from the first position on.
    Truncate = 4,
    /// A change of state that the log's view understands, and removed segments.
    Meta = 5,
    /// A checkpoint and the index of the segment, when that is full.
    Footer = 6,
    /// The same, at a clean close.
    Seal = 7,
}

impl Kind {
    /// The kind with that number.
    pub fn from_byte(byte: u8) -> Option<Kind> {
        use Kind::*;
        [Header, Append, Put, Truncate, Meta, Footer, Seal].into_iter().find(|k| *k as u8 == byte)
    }

    /// Whether the payload is a list of items.
    pub fn has_items(self) -> bool {
        matches!(self, Kind::Append | Kind::Put | Kind::Truncate)
    }

    /// Whether the payload is an [`super::segment::IndexBody`] with a trailer.
    pub fn has_index(self) -> bool {
        matches!(self, Kind::Footer | Kind::Seal)
    }

    /// The kind's name, as `admin.frame-info` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Header => "header",
            Kind::Append => "append",
            Kind::Put => "put",
            Kind::Truncate => "truncate",
            Kind::Meta => "meta",
            Kind::Footer => "footer",
            Kind::Seal => "seal",
        }
    }
}

/// Whose frames these are: what the checks depend on besides the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Id of the log.
    pub log: u128,
    /// Generation of its files.
    pub generation: u64,
    /// Number of the segment.
    pub segment: u64,
}

/// An address in a log: everything below it was durable. Ordered by segment, then offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// Segment number.
    pub segment: u64,
    /// First byte in it that is not promised.
    pub offset: u64,
    /// First frame number that is not promised.
    pub number: u64,
}

/// The fields of a frame's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What it is.
    pub kind: Kind,
    /// How the payload is stored: [`PLAIN`] or [`LZ4`].
    pub codec: u8,
    /// First frame of its epoch.
    pub epoch_start: bool,
    /// Number of the frame.
    pub number: u64,
    /// Its epoch.
    pub epoch: u64,
    /// The positions are listed in the payload, because they are not consecutive.
    pub listed: bool,
    /// First position; 0 without items.
    pub first: u64,
    /// The position behind the last one; `first` without items.
    pub end: u64,
    /// The position behind the log's last item, before this frame.
    pub before: u64,
    /// Lowest position superseded since the segment began, before this frame, or [`NONE`].
    pub low: u64,
    /// Number of items.
    pub count: u32,
    /// Bytes of body.
    pub body: u32,
    /// Bytes of decoded payload.
    pub decoded: u32,
    /// Everything below was durable when this was written.
    pub promise: Promise,
    /// Chain value of the frame before.
    pub previous: u128,
    /// Chain value of this frame.
    pub chain: u128,
}

/// Why bytes are not a header that belongs where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The CRC or a fixed byte is wrong, or a field is out of bounds.
    Damaged,
    /// A whole header, but of another place or log.
    Misplaced,
    /// A whole header of another version.
    Version(u8),
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; HEADER], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn u128_at(bytes: &[u8; HEADER], at: usize) -> u128 {
    u128::from(u64_at(bytes, at)) | u128::from(u64_at(bytes, at + 8)) << 64
}

fn frame_check(header: &[u8], place: Place, offset: u64) -> u64 {
    let mut bytes = [0u8; CHECKED + 40];
    bytes[..CHECKED].copy_from_slice(&header[..CHECKED]);
    bytes[CHECKED..CHECKED + 16].copy_from_slice(&place.log.to_le_bytes());
    for (at, field) in [place.generation, place.segment, offset].into_iter().enumerate() {
        bytes[CHECKED + 16 + at * 8..CHECKED + 24 + at * 8].copy_from_slice(&field.to_le_bytes());
    }
    xxh3_64(&bytes)
}

impl FrameHeader {
    /// Bytes of the whole frame.
    pub fn len(&self) -> u64 {
        frame_len(u64::from(self.body))
    }

    /// Never true: a frame has at least its header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Number of blocks of the payload; 0 if it has no table.
    pub fn blocks(&self) -> u64 {
        // A body with a table is longer than BLOCK; so is no body without.
        if u64::from(self.body) > BLOCK as u64 { u64::from(self.body).div_ceil(BLOCK as u64 + 8) } else { 0 }
    }

    /// Bytes of the block table.
    pub fn table(&self) -> u64 {
        self.blocks() * 8
    }

    /// Bytes of the stored payload.
    pub fn payload(&self) -> u64 {
        u64::from(self.body).saturating_sub(self.table())
    }

    /// Bytes of payload before the first item: where the items end, and their positions if those are listed.
    pub fn lists(&self) -> u64 {
        u64::from(self.count) * if self.listed { 12 } else { 4 }
    }

    /// Whether only the payload tells which positions it supersedes.
    pub fn scattered(&self) -> bool {
        self.kind == Kind::Put && self.listed
    }

    /// The listed positions, in a payload or the first bytes of one.
    pub fn listed(&self, payload: &[u8]) -> Option<Vec<u64>> {
        let (start, end) = (4 * self.count as usize, self.lists() as usize);
        let ids: Vec<u64> =
            payload.get(start..end)?.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
        let ascend = ids.is_sorted_by(|a, b| a < b);
        let good =
            ids.first() == Some(&self.first) && ids.last().and_then(|id| id.checked_add(1)) == Some(self.end);
        (self.listed && ascend && good).then_some(ids)
    }

    /// Lowest position that this frame supersedes, or [`NONE`].
    pub fn supersedes(&self) -> u64 {
        match self.kind {
            Kind::Put | Kind::Truncate => self.first,
            _ => NONE,
        }
    }

    /// The chain value that belongs to these fields and `head`: the block table, or the payload if there is none.
    pub fn chain_value(&self, log: u128, head: &[u8]) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&self.chained_fields(log));
        hash.update(head);
        hash.digest128()
    }

    fn flags(&self) -> u8 {
        u8::from(self.epoch_start) * EPOCH_START
            + u8::from(self.blocks() > 0) * BLOCK_TABLE
            + u8::from(self.listed) * LISTED
    }

    fn chained_fields(&self, log: u128) -> [u8; 88] {
        let mut bytes = [0u8; 88];
        bytes[..16].copy_from_slice(&log.to_le_bytes());
        let fields = [self.number, self.epoch, self.first, self.end, self.before];
        for (at, field) in fields.into_iter().enumerate() {
            bytes[16 + at * 8..24 + at * 8].copy_from_slice(&field.to_le_bytes());
        }
        bytes[56..60].copy_from_slice(&[self.kind as u8, self.codec, self.flags(), 0]);
        bytes[60..64].copy_from_slice(&self.count.to_le_bytes());
        bytes[64..68].copy_from_slice(&self.body.to_le_bytes());
        bytes[68..72].copy_from_slice(&self.decoded.to_le_bytes());
        bytes[72..88].copy_from_slice(&self.previous.to_le_bytes());
        bytes
    }

    /// The header's bytes for this place and offset.
    pub fn encode(&self, place: Place, offset: u64) -> [u8; HEADER] {
        let mut bytes = [0u8; HEADER];
        bytes[..5].copy_from_slice(&[MAGIC, VERSION, self.kind as u8, self.codec, self.flags()]);
        let fields = [self.number, self.epoch, self.first, self.end, self.low, self.before];
        for (at, field) in fields.into_iter().enumerate() {
            bytes[8 + at * 8..16 + at * 8].copy_from_slice(&field.to_le_bytes());
        }
        for (at, field) in [self.count, self.body, self.decoded].into_iter().enumerate() {
            bytes[56 + at * 4..60 + at * 4].copy_from_slice(&field.to_le_bytes());
        }
        let Promise { segment, offset: below, number } = self.promise;
        for (at, field) in [segment, below, number].into_iter().enumerate() {
            bytes[72 + at * 8..80 + at * 8].copy_from_slice(&field.to_le_bytes());
        }
        bytes[96..112].copy_from_slice(&self.previous.to_le_bytes());
        bytes[112..128].copy_from_slice(&self.chain.to_le_bytes());
        let check = frame_check(&bytes, place, offset);
        bytes[CHECKED..CRC].copy_from_slice(&check.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC]);
        bytes[CRC..CRC + 4].copy_from_slice(&crc.to_le_bytes());
        bytes[HEADER - 1] = END;
        bytes
    }

    /// Whether these bytes could start a frame: a quick look before the checks.
    pub fn could_start(bytes: &[u8]) -> bool {
        bytes.len() >= HEADER && bytes[0] == MAGIC && bytes[1] == VERSION && bytes[HEADER - 1] == END
    }

    /// The header in these bytes, if they are one and belong to this place and offset.
    pub fn decode(bytes: &[u8; HEADER], place: Place, offset: u64) -> Result<FrameHeader, HeaderError> {
        Self::check(bytes)?;
        if frame_check(bytes, place, offset) != u64_at(bytes, CHECKED) {
            return Err(HeaderError::Misplaced);
        }
        Self::fields(bytes)
    }

    /// The header in these bytes, if they are one, wherever it belongs: for finding out just that.
    pub fn decode_anywhere(bytes: &[u8; HEADER]) -> Result<FrameHeader, HeaderError> {
        Self::check(bytes)?;
        Self::fields(bytes)
    }

    fn check(bytes: &[u8; HEADER]) -> Result<(), HeaderError> {
        if bytes[0] != MAGIC
            || bytes[CRC + 4..] != [0, 0, 0, END]
            || crc32fast::hash(&bytes[..CRC]) != u32_at(bytes, CRC)
        {
            return Err(HeaderError::Damaged);
        }
        if bytes[1] == VERSION { Ok(()) } else { Err(HeaderError::Version(bytes[1])) }
    }

    fn fields(bytes: &[u8; HEADER]) -> Result<FrameHeader, HeaderError> {
        // Nothing but this crate writes a header that passes both checks; still no field is believed unseen.
        let kind = Kind::from_byte(bytes[2]).ok_or(HeaderError::Damaged)?;
        let header = FrameHeader {
            kind,
            codec: bytes[3],
            epoch_start: bytes[4] & EPOCH_START != 0,
            number: u64_at(bytes, 8),
            epoch: u64_at(bytes, 16),
            listed: bytes[4] & LISTED != 0,
            first: u64_at(bytes, 24),
            end: u64_at(bytes, 32),
            low: u64_at(bytes, 40),
            before: u64_at(bytes, 48),
            count: u32_at(bytes, 56),
            body: u32_at(bytes, 60),
            decoded: u32_at(bytes, 64),
            promise: Promise {
                segment: u64_at(bytes, 72),
                offset: u64_at(bytes, 80),
                number: u64_at(bytes, 88),
            },
            previous: u128_at(bytes, 96),
            chain: u128_at(bytes, 112),
        };
        header.plausible(bytes).then_some(header).ok_or(HeaderError::Damaged)
    }

    fn plausible(&self, bytes: &[u8; HEADER]) -> bool {
        let most = if self.kind.has_items() { MAX_PAYLOAD } else { MAX_STRUCTURE };
        bytes[4] == self.flags()
            && bytes[5..8] == [0; 3]
            && bytes[68..72] == [0; 4]
            && self.payload() <= most
            && self.blocks() == blocks(self.payload())
            && match self.codec {
                PLAIN => u64::from(self.decoded) == self.payload(),
                LZ4 => {
                    self.kind.has_items()
                        && u64::from(self.decoded) <= MAX_PAYLOAD.min(self.payload() * LZ4_EXPANSION)
                }
                _ => false,
            }
            && u64::from(self.count) <= MAX_ITEMS
            && (self.kind.has_items() || self.count == 0)
            && match self.end.checked_sub(self.first) {
                Some(span) if self.listed => self.count > 0 && span > u64::from(self.count),
                span => span == Some(u64::from(self.count)),
            }
            && u64::from(self.decoded) >= self.lists()
    }

    /// The header that one flipped bit turned into these bytes, if that is what happened. Only for reading: the frame
    /// check leaves no doubt, but nothing is ever repaired on the strength of it.
    pub fn decode_flipped(bytes: &[u8; HEADER], place: Place, offset: u64) -> Option<FrameHeader> {
        (0..HEADER * 8).find_map(|bit| {
            let mut fixed = *bytes;
            fixed[bit / 8] ^= 1 << (bit % 8);
            FrameHeader::decode(&fixed, place, offset).ok()
        })
    }
}

/// A whole frame as bytes, in place of what is in `frame`: `fields` completed with sizes and chain value, then the body made
/// of `parts`, one behind the other, as they are to be stored. Returns the completed header. With codec [`LZ4`] `fields`
/// tells the decoded size. Fails where there is no memory for it.
pub fn encode(
    mut fields: FrameHeader,
    place: Place,
    offset: u64,
    parts: &[&[u8]],
    frame: &mut Vec<u8>,
) -> Result<FrameHeader, TryReserveError> {
    let payload: usize = parts.iter().map(|p| p.len()).sum();
    let table = blocks(payload as u64) as usize * 8;
    fields.body = (table + payload) as u32;
    if fields.codec == PLAIN {
        fields.decoded = payload as u32;
    }
    let start = HEADER + table;
    frame.clear();
    frame.try_reserve_exact(fields.len() as usize)?;
    frame.resize(start, 0);
    for part in parts {
        frame.extend_from_slice(part);
    }
    for (at, block) in (HEADER..start).step_by(8).zip(0..) {
        let from = start + block * BLOCK;
        let check = xxh3_64(&frame[from..frame.len().min(from + BLOCK)]);
        frame[at..at + 8].copy_from_slice(&check.to_le_bytes());
    }
    let head = if table > 0 { &frame[HEADER..start] } else { &frame[start..] };
    fields.chain = fields.chain_value(place.log, head);
    frame.resize(fields.len() as usize - 1, 0);
    frame.push(END);
    frame[..HEADER].copy_from_slice(&fields.encode(place, offset));
    Ok(fields)
}

/// Whether these bytes are what ends a frame behind its body: zeros and a last byte.
pub fn is_end(bytes: &[u8]) -> bool {
    bytes.split_last().is_some_and(|(last, zeros)| *last == END && zeros.iter().all(|b| *b == 0))
}

/// The check of one block, as it stands in the block table.
pub fn block_check(block: &[u8]) -> [u8; 8] {
    xxh3_64(block).to_le_bytes()
}

#[cfg(test)]
impl FrameHeader {
    /// A frame with so many consecutive items, for tests of what becomes of it.
    pub(crate) fn sample(kind: Kind, first: u64, count: u32) -> FrameHeader {
        FrameHeader {
            kind,
            codec: PLAIN,
            epoch_start: false,
            number: 1,
            epoch: 1,
            listed: false,
            first,
            end: first + u64::from(count),
            before: first,
            low: NONE,
            count,
            body: 0,
            decoded: 0,
            promise: Promise::default(),
            previous: 0,
            chain: 0,
        }
    }
}

#[cfg(test)]
mod tests;
