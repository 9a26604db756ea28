//! The format of a log in storage, version 1: every byte, so that another program could read and write it. Pure: nothing
//! here touches files.
//!
//! All integers are little endian. `XXH3-64` and `XXH3-128` are the hashes of xxHash 0.8 with seed 0, `CRC-32` is the one
//! of zlib. *postcard* is the postcard wire format, version 1; structures are given by their Rust definitions.
//!
//! # Names ([`names`])
//!
//! A log `NAME` has one cell `log.NAME`, one lock `log.NAME`, and files `NAME.ID.GENERATION.SEGMENT`: the log id as 32,
//! generation as 8 and segment number as 16 lowercase hexadecimal digits. Segment numbers start at 1.
//!
//! # Root cell ([`root`])
//!
//! One byte version (1), a postcard [`root::Root`], and 8 bytes XXH3-64 over the cell's name and all bytes before.
//!
//! # Instance cell ([`instance`])
//!
//! A change log counts its root's generation up at each open; that number is the *epoch* of the instance, and the
//! generation of its files. The instance `HOLDER` has one cell `change.NAME.HOLDER.EPOCH`, the epoch as 16 lowercase
//! hexadecimal digits, which is stored as the root cell is. Its lock is `change.NAME.HOLDER`, or with a random name
//! `change.NAME._SLOT`, a decimal number. Items of its files are described in [`crate::change_log`].
//!
//! # Segment
//!
//! A file of frames, back to back from offset 0, then zeros. The first frame is a `header`. Every frame starts and ends
//! at a multiple of 8 bytes.
//!
//! # Frame ([`frame`])
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | 0xA5 |
//! | 1 | 1 | format version, 1 |
//! | 2 | 1 | kind: 1 header, 2 append, 3 put, 4 truncate, 5 meta, 6 footer, 7 seal |
//! | 3 | 1 | codec of the payload: 0 as it is, 1 LZ4 block format (frames with items only) |
//! | 4 | 1 | flags: 1 = first frame of an epoch, 2 = the body starts with a block table, 4 = positions are listed |
//! | 5 | 3 | 0 |
//! | 8 | 8 | frame number: 1 for the first frame of a log, then one more each |
//! | 16 | 8 | epoch: random, changes only at a frame with flag 1 |
//! | 24 | 8 | first position; 0 without items, except in a truncate |
//! | 32 | 8 | the position behind the last one; the first one without items |
//! | 40 | 8 | lowest position superseded since this segment began, by frames before this one; in a header: in the segment before; all ones if none |
//! | 48 | 8 | the position behind the last item of the log, before this frame |
//! | 56 | 4 | count of items |
//! | 60 | 4 | bytes of the body |
//! | 64 | 4 | bytes of the decoded payload |
//! | 68 | 4 | 0 |
//! | 72 | 24 | promise: segment, offset, frame number. All frames below it were durable when this one was written |
//! | 96 | 16 | chain value of the previous frame (of the log, not of the file); the log id for frame 1 |
//! | 112 | 16 | chain value |
//! | 128 | 8 | frame check |
//! | 136 | 4 | CRC-32 of bytes 0 to 135 |
//! | 140 | 3 | 0 |
//! | 143 | 1 | 0xFF |
//! | 144 | | body, then 0 to 7 bytes of zeros, then 0xFF |
//!
//! *Kinds* say what a frame supersedes: `append` nothing, its positions lie behind all others; `put` what its own
//! positions held, some of which lie before the last item; `truncate` everything from its first position on. The other
//! kinds hold no items and supersede nothing.
//!
//! *Body*: a payload of more than 4096 bytes is preceded by a block table: for each 4096 bytes of the payload (the last
//! block may be shorter) its XXH3-64. So a body of `n` bytes with flag 2 has `ceil(n / 4104)` blocks.
//!
//! With codec 1 the payload is stored compressed; block table and chain value are over what is stored.
//!
//! *Payload* of a frame with items: for each item the offset of its end as 4 bytes, counted from where the items
//! begin; with flag 4, then for each item its position as 8 bytes, ascending; then the items. Without flag 4 positions are
//! consecutive. Other payloads are postcard structures.
//!
//! *Chain value*: XXH3-128 over log id (16), frame number, epoch, first, end, before (8 each), kind, codec, flags, 0 (1 each),
//! count, body bytes, decoded bytes (4 each), previous chain value (16), then the block table, or the payload if there is
//! none. It does not depend on where the frame stands.
//!
//! *Frame check*: XXH3-64 over bytes 0 to 127, then log id (16), generation, segment number, offset (8 each). So a frame
//! verifies only where it was written.
//!
//! # Structured payloads ([`segment`])
//!
//! `header`: a [`segment::SegmentHeader`]. `footer`, `seal`: a [`segment::IndexBody`], zeros, and a trailer of
//! 16 bytes: the offset of this frame, and XXH3-64 over log id, generation, segment, offset and kind; the payload's size
//! is chosen so that the trailer ends right before the frame's last byte. So the frame can be found from the end of the
//! file, and its kind is known even when its header is damaged. `meta`: a [`segment::Meta`].
//!
//! What it does not do: decide what to believe. That is `record_log::recovery`.

pub mod frame;
pub mod instance;
pub mod names;
pub mod root;
pub mod segment;

/// Bytes of a frame's header.
pub const HEADER: usize = 144;
/// Bytes of payload that share one check.
pub const BLOCK: usize = 4096;
/// Bytes that a disk writes as a whole or not at all.
pub const SECTOR: u64 = 512;
/// Format version of everything here.
pub const VERSION: u8 = 1;
/// Most bytes in one item.
pub const MAX_ITEM: u64 = 16 << 20;
/// Most bytes in a key.
pub const MAX_KEY: u64 = 64 << 10;
/// Most bytes in a version.
pub const MAX_VERSION: u64 = 4 << 10;
/// Most bytes in a cursor.
pub const MAX_CURSOR: u64 = 4 << 10;
/// Most bytes of items in one batch.
pub const MAX_BATCH: u64 = 64 << 20;
/// Most items in one batch.
pub const MAX_COUNT: u64 = 1 << 20;
/// Most items in one frame: a batch, and one item of the log's own.
pub const MAX_ITEMS: u64 = MAX_COUNT + 1;
/// Most bytes in the payload of a frame with items.
pub const MAX_PAYLOAD: u64 = MAX_BATCH + 12 * MAX_COUNT;
/// Most bytes in a structured payload.
pub const MAX_STRUCTURE: u64 = 1 << 20;

/// Frames start at multiples of this.
pub const ALIGN: u64 = 8;

/// Bytes of a frame with a body of this many bytes.
pub const fn frame_len(body: u64) -> u64 {
    (HEADER as u64 + body + 1).div_ceil(ALIGN) * ALIGN
}

/// Number of blocks in a payload of this many bytes; none if it needs no table.
pub const fn blocks(payload: u64) -> u64 {
    if payload > BLOCK as u64 { payload.div_ceil(BLOCK as u64) } else { 0 }
}
