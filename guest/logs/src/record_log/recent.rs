//! What was read recently and passed its checks: blocks and tables of frames, bounded in bytes.
//!
//! Nothing here is trusted for its address alone: a block is asked for with the check that the frame's table demands, so
//! one that was overwritten since is read anew.

use super::items::FrameItems;
use super::window::room;
use crate::error::Result;
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::mem;

/// Sets of blocks, and blocks in each: 8 MiB of blocks in all, when as many were read.
const SETS: usize = 512;
const WAYS: usize = 4;

/// Blocks that were verified, by address.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    slots: Vec<Block>,
    /// Number of times that one was used.
    uses: u64,
}

#[derive(Clone, Debug, Default)]
struct Block {
    segment: u64,
    at: u64,
    check: u64,
    /// When it was used last; 0 if there is none, 1 if it was read once.
    used: u64,
    bytes: Vec<u8>,
}

impl Blocks {
    fn set(segment: u64, at: u64) -> usize {
        // Fibonacci hashing, of which the upper bits depend on all others: neighbours are spread over all sets.
        let mixed = (segment.rotate_left(40) ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 48) as usize % SETS * WAYS
    }

    /// Where the block of this segment at this address is, if it is here and passed this check.
    pub(super) fn find(&mut self, segment: u64, at: u64, check: u64) -> Option<usize> {
        let set = Self::set(segment, at);
        let slots = self.slots.get_mut(set..set + WAYS)?;
        let is = |block: &Block| {
            block.at == at && block.segment == segment && block.check == check && block.used > 0
        };
        let way = slots.iter().position(is)?;
        self.uses += 1;
        if let Some(block) = slots.get_mut(way) {
            block.used = 1 + self.uses;
        }
        Some(set + way)
    }

    /// Takes in a block in place of the one of its set that was not used for longest. One that is `likely` to be needed again
    /// counts as used just now; another one goes next, unless it is found before.
    pub(super) fn insert(
        &mut self,
        (segment, at, check): (u64, u64, u64),
        bytes: Vec<u8>,
        likely: bool,
    ) -> Result<usize> {
        if self.slots.is_empty() {
            self.slots = room(SETS * WAYS)?;
            self.slots.resize(SETS * WAYS, Block::default());
        }
        self.uses += 1;
        let used = if likely { 1 + self.uses } else { 1 };
        let set = Self::set(segment, at);
        let oldest = (set..set + WAYS).min_by_key(|at| self.slots.get(*at).map_or(0, |block| block.used));
        let place = oldest.unwrap_or(set);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Block { segment, at, check, used, bytes };
        }
        Ok(place)
    }

    /// The bytes of the block that is there.
    pub(super) fn bytes(&self, place: usize) -> &[u8] {
        self.slots.get(place).map_or(&[], |block| &block.bytes)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Blocks::default();
    }
}

/// Most bytes of tables in each of two halves.
const HALF: usize = 512 << 10;

/// Segment, and what names a frame in it.
type Key = (u64, u64);

/// Frames that were opened. Of two halves the older one goes when the younger one is full.
#[derive(Debug, Default)]
pub(super) struct Frames {
    young: BTreeMap<Key, Arc<FrameItems>>,
    old: BTreeMap<Key, Arc<FrameItems>>,
    /// Of the younger half.
    weight: usize,
}

impl Frames {
    /// Takes note of one; not of one that takes half of the room.
    pub(super) fn insert(&mut self, key: Key, frame: Arc<FrameItems>) {
        let weight = frame.weight();
        if weight > HALF / 2 {
            return;
        }
        if self.weight + weight > HALF {
            self.old = mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, frame);
    }

    /// The one with this key.
    pub(super) fn get(&mut self, key: Key) -> Option<Arc<FrameItems>> {
        if let Some(frame) = self.young.get(&key) {
            return Some(frame.clone());
        }
        let frame = self.old.remove(&key)?;
        self.insert(key, frame.clone());
        Some(frame)
    }

    /// The nearest one of the segment at this key or below.
    pub(super) fn nearest(&mut self, key: Key) -> Option<Arc<FrameItems>> {
        let below = |map: &BTreeMap<Key, Arc<FrameItems>>| {
            map.range((key.0, 0)..=key).next_back().map(|(key, _)| *key)
        };
        let key = below(&self.young).max(below(&self.old))?;
        self.get(key)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Frames::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn get(blocks: &mut Blocks, segment: u64, at: u64, check: u64) -> Option<Vec<u8>> {
        blocks.find(segment, at, check).map(|place| blocks.bytes(place).to_vec())
    }

    #[test]
    fn a_block_is_served_only_for_its_address_and_check() {
        let mut blocks = Blocks::default();
        assert_eq!(get(&mut blocks, 0, 0, 0), None);
        let place = blocks.insert((1, 4096, 7), vec![1], false).unwrap();
        assert_eq!(blocks.bytes(place), [1]);
        assert_eq!(get(&mut blocks, 1, 4096, 7), Some(vec![1]));
        for (segment, at, check) in [(2, 4096, 7), (1, 8192, 7), (1, 4096, 8), (0, 0, 0)] {
            assert_eq!(get(&mut blocks, segment, at, check), None);
        }
        blocks.insert((1, 4096, 8), vec![2], false).unwrap();
        assert_eq!(get(&mut blocks, 1, 4096, 8), Some(vec![2]), "it was written anew");
    }

    #[test]
    fn what_is_used_or_likely_stays_and_the_number_of_blocks_is_bounded() {
        let mut blocks = Blocks::default();
        for n in 0..SETS as u64 {
            blocks.insert((1, n, 0), vec![0], true).unwrap();
        }
        blocks.insert((2, 0, 0), vec![1], false).unwrap();
        for n in 0..100_000 {
            blocks.insert((3, n * 4096, n), vec![2], false).unwrap();
            assert!(blocks.find(2, 0, 0).is_some(), "{n}");
        }
        let likely = (0..SETS as u64).filter(|n| blocks.find(1, *n, 0).is_some()).count();
        let others = (0..100_000).filter(|n| blocks.find(3, n * 4096, *n).is_some()).count();
        assert!(likely > SETS * 9 / 10, "{likely} of {SETS}");
        assert!(others > SETS / 2 && likely + others < blocks.slots.len(), "{others}");
        assert_eq!(blocks.slots.len(), SETS * WAYS);
    }

    #[test]
    fn the_nearest_frame_is_of_the_same_segment_and_not_above() {
        let mut frames = Frames::default();
        for first in [10, 20, 30] {
            frames.insert((2, first), Arc::new(FrameItems::of_weight(first, 1)));
        }
        for (at, found) in [(9, None), (10, Some(10)), (25, Some(20)), (99, Some(30))] {
            assert_eq!(frames.nearest((2, at)).map(|frame| frame.offset), found);
            assert!(frames.nearest((1, at)).is_none());
        }
    }

    #[test]
    fn the_frame_used_last_stays_and_their_weight_is_bounded() {
        let mut frames = Frames::default();
        let frame = |offset| Arc::new(FrameItems::of_weight(offset, HALF / 8));
        frames.insert((1, 0), frame(0));
        for at in 1..100 {
            frames.insert((1, at), frame(at));
            assert_eq!(frames.get((1, 0)).map(|frame| frame.offset), Some(0), "{at}");
            assert!(frames.young.len() <= 8 && frames.old.len() <= 8);
        }
        assert!(frames.get((1, 50)).is_none());
        frames.insert((1, 200), Arc::new(FrameItems::of_weight(200, HALF)));
        assert!(frames.get((1, 200)).is_none(), "more than half of the room");
    }
}
