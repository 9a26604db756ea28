//! Forging: bytes of anybody's making with all checks right, computed from the format's description and not by the
//! library. A check keeps accidents out; what is behind it must stand liars too.

use crate::sim::SimDisk;
use annals_logs::format::frame::{FrameHeader, Place, block_check};
use annals_logs::format::names::FileName;
use annals_logs::format::{BLOCK, HEADER, frame_len};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The value of a cell of this name that starts with these bytes.
pub fn cell(name: &str, start: &[u8]) -> Vec<u8> {
    let mut hash = Xxh3::new();
    hash.update(name.as_bytes());
    hash.update(start);
    [start, &hash.digest().to_le_bytes()].concat()
}

/// The CRC of these bytes of a header, as it stands behind them.
pub fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// Puts fixed bytes, frame check and CRC of a header right.
pub fn header(bytes: &mut [u8; HEADER], place: Place, offset: u64) {
    (bytes[0], bytes[1]) = (0xA5, 1);
    let mut checked = bytes[..128].to_vec();
    checked.extend(place.log.to_le_bytes());
    for field in [place.generation, place.segment, offset] {
        checked.extend(field.to_le_bytes());
    }
    bytes[128..136].copy_from_slice(&xxh3_64(&checked).to_le_bytes());
    let crc = crc(&bytes[..136]);
    bytes[136..140].copy_from_slice(&crc);
    bytes[140..].copy_from_slice(&[0, 0, 0, 0xFF]);
}

/// A file of frames, to be changed and written again.
#[derive(Clone, Debug)]
pub struct Frames {
    name: String,
    place: Place,
    /// Header and stored payload of each.
    pub frames: Vec<(FrameHeader, Vec<u8>)>,
}

impl Frames {
    /// All files of logs on the disk, in order of their names, as far as they can be read.
    pub fn of(disk: &SimDisk) -> Vec<Frames> {
        let files = disk.file_names().into_iter();
        files
            .filter_map(|name| {
                Some(Frames { place: place_of(&name)?, frames: read(&disk.file_bytes(&name)), name })
            })
            .collect()
    }

    /// Writes the file again, with every size, check and chain value right, and, if asked, numbers that follow each other.
    pub fn write(&self, disk: &SimDisk, renumber: bool) {
        let (mut bytes, mut before) = (Vec::new(), None::<FrameHeader>);
        for (fields, payload) in &self.frames {
            let (mut fields, mut payload, offset) = (fields.clone(), payload.clone(), bytes.len() as u64);
            if let Some(before) = &before {
                fields.previous = before.chain;
                if renumber {
                    fields.number = before.number.wrapping_add(1);
                }
            }
            let body = payload.len().saturating_sub(16);
            if fields.kind.has_index() && body > 0 {
                payload.truncate(body);
                payload.extend(offset.to_le_bytes());
                payload.extend(trailer(self.place, offset, fields.kind as u8));
            }
            bytes.extend(frame(&mut fields, self.place, offset, &payload));
            before = Some(fields);
        }
        disk.cut_file(&self.name, 0);
        disk.overwrite(&self.name, 0, &bytes);
        disk.settle();
    }
}

fn place_of(file: &str) -> Option<Place> {
    let name = FileName::parse(file)?;
    Some(Place { log: name.id, generation: name.generation, segment: name.segment })
}

fn read(bytes: &[u8]) -> Vec<(FrameHeader, Vec<u8>)> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk::<HEADER>()) {
        let Ok(header) = FrameHeader::decode_anywhere(header) else { break };
        let start = at + HEADER + header.table() as usize;
        let Some(payload) = bytes.get(start..start + header.payload() as usize) else { break };
        at += header.len() as usize;
        frames.push((header, payload.to_vec()));
    }
    frames
}

fn trailer(place: Place, offset: u64, kind: u8) -> [u8; 8] {
    let mut bytes = place.log.to_le_bytes().to_vec();
    for field in [place.generation, place.segment, offset] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.push(kind);
    xxh3_64(&bytes).to_le_bytes()
}

/// The frame's bytes; its header's sizes and chain value become those that belong to the payload.
fn frame(fields: &mut FrameHeader, place: Place, offset: u64, payload: &[u8]) -> Vec<u8> {
    let table: Vec<u8> = match payload.len() > BLOCK {
        true => payload.chunks(BLOCK).flat_map(block_check).collect(),
        false => Vec::new(),
    };
    fields.body = (table.len() + payload.len()) as u32;
    if fields.codec == 0 {
        fields.decoded = payload.len() as u32;
    }
    fields.chain = fields.chain_value(place.log, if table.is_empty() { payload } else { &table });
    let mut bytes = fields.encode(place, offset).to_vec();
    bytes.extend(table);
    bytes.extend_from_slice(payload);
    bytes.resize(frame_len(u64::from(fields.body)) as usize - 1, 0);
    bytes.push(0xFF);
    bytes
}
