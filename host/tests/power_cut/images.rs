//! Images of the disk as a cut of the power may leave it.
//!
//! What was flushed is there. Of what was written since, any part may be: the disk has a memory of its own, and writes it
//! back as it likes, block by block, or, where a block was being written at that moment, sector by sector.

use crate::{common::Random, device::Event};
use std::ops::Range;

const BLOCK: usize = 4096;
const SECTOR: usize = 512;
/// Ext4 keeps its first superblock here. It is the one structure whose writing the file system relies on to be atomic.
const SUPERBLOCK: Range<u64> = 1024..2048;

/// All that may be on the disk, moment by moment; it only goes on.
pub(crate) struct Images<'a> {
    events: &'a [Event],
    /// What is there for certain: all events before `flushed`.
    bytes: Vec<u8>,
    flushed: usize,
}

/// Which part of what was not flushed reached the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// None of it.
    Nothing,
    /// All of it.
    All,
    /// Each block or not, in equal parts.
    Half,
    /// Each sector or not, in equal parts.
    Torn,
    /// All but one of about eight blocks.
    Most,
    /// One of about eight blocks.
    Few,
}

impl Part {
    pub(crate) const ALL: [Part; 6] =
        [Part::Nothing, Part::All, Part::Half, Part::Torn, Part::Most, Part::Few];

    fn unit(self) -> usize {
        if matches!(self, Part::Torn) { SECTOR } else { BLOCK }
    }

    fn keeps(self, random: &mut Random) -> bool {
        match self {
            Part::Nothing => false,
            Part::All => true,
            Part::Half | Part::Torn => random.below(2) == 0,
            Part::Most => random.below(8) > 0,
            Part::Few => random.below(8) == 0,
        }
    }
}

fn put(bytes: &mut [u8], offset: u64, part: &[u8]) {
    let start = offset as usize;
    bytes[start..start + part.len()].copy_from_slice(part);
}

impl<'a> Images<'a> {
    /// Begins with what the disk held before any event.
    pub(crate) fn new(bytes: Vec<u8>, events: &'a [Event]) -> Images<'a> {
        Images { events, bytes, flushed: 0 }
    }

    /// How many events there are between the last flush before this moment and it.
    pub(crate) fn pending(&self, cut: usize) -> usize {
        let flush = self.events[..cut].iter().rposition(|event| matches!(event, Event::Flush));
        cut - flush.map_or(0, |flush| flush + 1)
    }

    /// The disk if the power was cut behind so many events, not fewer than the last time.
    pub(crate) fn at(&mut self, cut: usize, part: Part, random: &mut Random) -> Vec<u8> {
        let flushed = cut - self.pending(cut);
        for event in &self.events[self.flushed..flushed] {
            if let Event::Write(offset, bytes) = event {
                put(&mut self.bytes, *offset, bytes);
            }
        }
        self.flushed = flushed.max(self.flushed);
        let mut image = self.bytes.clone();
        for event in &self.events[flushed..cut] {
            let Event::Write(offset, bytes) = event else { continue };
            let mut kept = false;
            for (number, piece) in bytes.chunks(part.unit()).enumerate() {
                let at = offset + (number * part.unit()) as u64;
                let goes_with_the_last = SUPERBLOCK.contains(&at) && at != SUPERBLOCK.start;
                kept = if goes_with_the_last { kept } else { part.keeps(random) };
                if kept {
                    put(&mut image, at, piece);
                }
            }
        }
        image
    }
}
