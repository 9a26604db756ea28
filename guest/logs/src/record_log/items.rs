//! The items of one frame, a few blocks at a time: each block is checked before a byte of it is used.

use super::recent::Blocks;
use super::window::{Window, exhausted, read, room};
use crate::error::Result;
use crate::format::frame::{FrameHeader, PLAIN, Place, block_check};
use crate::format::{BLOCK, HEADER};
use crate::storage::File;
use alloc::vec::Vec;
use core::ops::Range;

/// A file to read from, through a window, with this read-ahead.
pub(super) struct Source<'a, F> {
    pub(super) file: &'a F,
    pub(super) name: &'a str,
    pub(super) place: Place,
    pub(super) window: &'a mut Window,
    pub(super) ahead: usize,
    /// Where blocks are likely to be read again.
    pub(super) blocks: Option<&'a mut Blocks>,
}

impl<F: File> Source<'_, F> {
    pub(super) fn get(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        self.window.get(self.file, self.name, self.place.segment, offset, len, self.ahead)
    }

    /// The block at this address, if it passes its check.
    fn block(&mut self, at: u64, len: usize, check: &[u8], likely: bool) -> Result<Option<&[u8]>> {
        let (file, name, segment) = (self.file, self.name, self.place.segment);
        let passes = |bytes: &[u8]| bytes.len() == len && block_check(bytes) == check;
        let Some(blocks) = self.blocks.as_deref_mut() else {
            let bytes = self.window.get(file, name, segment, at, len, self.ahead)?;
            return Ok(Some(bytes).filter(|bytes| passes(bytes)));
        };
        let key = check.try_into().map_or(0, u64::from_le_bytes);
        let found = blocks.find(segment, at, key).filter(|place| blocks.bytes(*place).len() == len);
        let place = match found {
            Some(place) => place,
            None => {
                let bytes = read(file, name, at, len as u32)?;
                if !passes(&bytes) {
                    return Ok(None);
                }
                blocks.insert((segment, at, key), bytes, likely)?
            }
        };
        Ok(Some(blocks.bytes(place)))
    }

    /// The header at this address, if one verifies there.
    pub(super) fn header_at(&mut self, offset: u64) -> Result<Option<FrameHeader>> {
        let place = self.place;
        let bytes = self.get(offset, HEADER)?;
        Ok(<&[u8; HEADER]>::try_from(bytes)
            .ok()
            .and_then(|bytes| FrameHeader::decode(bytes, place, offset).ok()))
    }
}

/// A part of a frame fails its check: its address in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPart(pub(super) u64);

/// Outcome of reading checked bytes: the storage may fail, the bytes may be bad.
pub(super) type Checked<T> = Result<core::result::Result<T, BadPart>>;

/// A frame whose header verified, and its block table or, without one, its whole payload.
#[derive(Debug)]
pub(super) struct FrameItems {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    /// The block table, or the whole decoded payload.
    head: Vec<u8>,
    whole: bool,
}

impl FrameItems {
    /// Opens the frame with this header at this offset.
    pub(super) fn open<F: File>(
        source: &mut Source<'_, F>,
        offset: u64,
        header: FrameHeader,
    ) -> Checked<Self> {
        let (start, log) = (offset + HEADER as u64, source.place.log);
        let len = if header.blocks() > 0 { header.table() } else { header.payload() } as usize;
        let mut head = room(len)?; // at most 136 KiB, or one block
        head.extend_from_slice(source.get(start, len)?);
        if head.len() < len || header.chain_value(log, &head) != header.chain {
            return Ok(Err(BadPart(start)));
        }
        let whole = header.blocks() == 0;
        let items = FrameItems { segment: source.place.segment, offset, header, head, whole };
        if items.header.codec == PLAIN { Ok(Ok(items)) } else { items.decode(source) }
    }

    /// Reads and decodes all of a compressed payload. Its decoded size was bounded with the header.
    fn decode<F: File>(mut self, source: &mut Source<'_, F>) -> Checked<Self> {
        let mut stored = room(self.header.payload() as usize)?;
        if let Err(bad) = self.copy(source, 0..self.header.payload(), &mut stored)? {
            return Ok(Err(bad));
        }
        let mut plain = room(self.header.decoded as usize)?;
        plain.resize(self.header.decoded as usize, 0);
        let decoded = lz4_flex::block::decompress_into(&stored, &mut plain);
        if !decoded.is_ok_and(|len| len == plain.len()) {
            return Ok(Err(BadPart(self.offset))); // it was written so
        }
        (self.head, self.whole) = (plain, true);
        Ok(Ok(self))
    }

    /// Copies payload bytes; stops before the first bad block.
    fn copy<F: File>(&self, source: &mut Source<'_, F>, range: Range<u64>, out: &mut Vec<u8>) -> Checked<()> {
        if self.whole {
            // In memory, and checked.
            out.extend_from_slice(self.head.get(range.start as usize..range.end as usize).unwrap_or(&[]));
            return Ok(Ok(()));
        }
        let (start, payload) = (self.offset + HEADER as u64 + self.header.table(), self.header.payload());
        let mut at = range.start;
        while at < range.end {
            let block = at / BLOCK as u64;
            let from = block * BLOCK as u64;
            let len = (payload - from).min(BLOCK as u64) as usize;
            let check = self.head.get(block as usize * 8..block as usize * 8 + 8).unwrap_or(&[]);
            // Where items end is asked before each of them.
            let likely = from < self.header.lists();
            let Some(bytes) = source.block(start + from, len, check, likely)? else {
                return Ok(Err(BadPart(start + from)));
            };
            let to = range.end.min(from + len as u64);
            out.extend_from_slice(bytes.get((at - from) as usize..(to - from) as usize).unwrap_or(&[]));
            at = to;
        }
        Ok(Ok(()))
    }

    /// Bytes of memory, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<FrameItems>() + self.head.capacity()
    }

    /// A frame with no meaning and a table of so many bytes.
    #[cfg(test)]
    pub(super) fn of_weight(offset: u64, len: usize) -> Self {
        let header = super::write::fields(crate::format::frame::Kind::Append, 0, 0);
        FrameItems { segment: 0, offset, header, head: alloc::vec![0; len], whole: true }
    }

    /// The number of the first item whose position is not below this one.
    pub(super) fn number_of<F: File>(&self, source: &mut Source<'_, F>, position: u64) -> Checked<u64> {
        let FrameHeader { first, count, listed, .. } = self.header;
        if !listed {
            return Ok(Ok(position.saturating_sub(first).min(u64::from(count))));
        }
        let (mut low, mut high) = (0, u64::from(count));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.positions(source, middle..middle + 1)? {
                Ok(at) if at.first().is_some_and(|at| *at < position) => low = middle + 1,
                Ok(_) => high = middle,
                Err(bad) => return Ok(Err(bad)),
            }
        }
        Ok(Ok(low))
    }

    /// The positions of the items `range`.
    pub(super) fn positions<F: File>(
        &self,
        source: &mut Source<'_, F>,
        range: Range<u64>,
    ) -> Checked<Vec<u64>> {
        let FrameHeader { first, end, count, listed, .. } = self.header;
        let mut positions = room((range.end - range.start) as usize)?;
        if !listed {
            positions.extend(range.map(|number| first.saturating_add(number)));
            return Ok(Ok(positions));
        }
        let base = 4 * u64::from(count);
        let mut bytes = room(((range.end - range.start) * 8) as usize)?; // at most 8 MiB
        if let Err(bad) = self.copy(source, base + range.start * 8..base + range.end * 8, &mut bytes)? {
            return Ok(Err(bad));
        }
        positions.extend(bytes.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)));
        let ordered = positions.is_sorted() && positions.iter().all(|at| first <= *at && *at < end);
        // Checked bytes that make no sense were written so; treat them as bad all the same.
        Ok(if ordered { Ok(positions) } else { Err(BadPart(self.offset)) })
    }

    /// Positions from the first of these items to the one behind the last: at least those, where they cannot be told.
    pub(super) fn span<F: File>(&self, source: &mut Source<'_, F>, items: &Range<u64>) -> Result<Range<u64>> {
        let one = |source: &mut Source<'_, F>, number: u64| -> Result<Option<u64>> {
            Ok(self.positions(source, number..number + 1)?.ok().and_then(|at| at.first().copied()))
        };
        let mut start = self.header.first;
        if let Some(before) = items.start.checked_sub(1) {
            start = match one(source, items.start)? {
                Some(at) => at,
                None => one(source, before)?.map_or(start, |at| at.saturating_add(1)),
            };
        }
        let more = items.end < u64::from(self.header.count);
        let end = if more { one(source, items.end)? } else { None };
        Ok(start..end.unwrap_or(self.header.end).max(start))
    }

    /// Where the items `range` end, counted from the end of the list; one more in front: where the first one starts.
    fn ends<F: File>(&self, source: &mut Source<'_, F>, range: Range<u64>) -> Checked<Vec<u64>> {
        let from = range.start.saturating_sub(1);
        let mut bytes = room(((range.end - from) * 4) as usize)?; // at most 4 MiB
        if let Err(bad) = self.copy(source, from * 4..range.end * 4, &mut bytes)? {
            return Ok(Err(bad));
        }
        let mut ends = room((range.end - range.start + 1) as usize)?;
        if range.start == 0 {
            ends.push(0);
        }
        ends.extend(bytes.as_chunks::<4>().0.iter().map(|b| u64::from(u32::from_le_bytes(*b))));
        let most = u64::from(self.header.decoded) - self.header.lists();
        let ordered = ends.is_sorted() && ends.last().is_none_or(|last| *last <= most);
        // Checked bytes that make no sense were written so; treat them as bad all the same.
        Ok(if ordered { Ok(ends) } else { Err(BadPart(self.offset)) })
    }

    /// Appends items from number `from` on to `ends` and `bytes`: at most `count` of them, and no more than fit into
    /// `most` bytes in all of `bytes`, unless `bytes` holds no item yet. Returns how many; a bad part that ends it early
    /// is returned only if there were none.
    pub(super) fn read<F: File>(
        &self,
        source: &mut Source<'_, F>,
        from: u64,
        count: u64,
        most: u64,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Checked<u64> {
        // A piece of the list at a time, so that little of it is read in vain.
        const PIECE: u64 = 4096;
        let last =
            from.saturating_add(count).min(u64::from(self.header.count)).min(from.saturating_add(PIECE));
        let mut last = last.max(from + 1);
        let list = loop {
            match self.ends(source, from..last)? {
                Ok(list) => break list,
                // The first one alone may still have its piece of the list.
                Err(_) if last > from + 1 => last = from + 1,
                Err(bad) => return Ok(Err(bad)),
            }
        };
        let (start, held) = (list.first().copied().unwrap_or(0), bytes.len() as u64);
        let fit = |end: u64| held + (end - start) <= most;
        let mut n = list.iter().skip(1).take_while(|end| fit(**end)).count();
        if n == 0 {
            if !ends.is_empty() {
                return Ok(Ok(0));
            }
            n = 1;
        }
        let base = self.header.lists();
        let total = list.get(n).copied().unwrap_or(start) - start;
        bytes.try_reserve(total as usize).map_err(exhausted)?;
        ends.try_reserve(n).map_err(exhausted)?;
        let bad = self.copy(source, base + start..base + start + total, bytes)?.err();
        let good = bytes.len() as u64 - held;
        let whole = list.iter().skip(1).take(n).take_while(|end| **end - start <= good).count();
        // An empty item at a bad block's start is whole, but only what was asked for counts.
        ends.extend(list.iter().skip(1).take(whole).map(|end| (held + end - start) as u32));
        bytes.truncate((held + list.get(whole).copied().unwrap_or(start) - start) as usize);
        Ok(match bad {
            Some(bad) if whole == 0 => Err(bad),
            _ => Ok(whole as u64),
        })
    }

    /// The first bad part that reading this item meets, if any.
    fn fault<F: File>(&self, source: &mut Source<'_, F>, item: u64) -> Result<Option<BadPart>> {
        if let Err(bad) = self.positions(source, item..item + 1)? {
            return Ok(Some(bad));
        }
        Ok(self.read(source, item, 1, 0, &mut Vec::new(), &mut Vec::new())?.err())
    }

    /// The stretch of damaged items that this damaged item is part of, as item numbers, and its first bad part.
    pub(super) fn stretch<F: File>(
        &self,
        source: &mut Source<'_, F>,
        item: u64,
    ) -> Result<(Range<u64>, BadPart)> {
        let count = u64::from(self.header.count);
        let (mut first, mut end, mut bad) = (item, item + 1, BadPart(self.offset));
        if let Some(part) = self.fault(source, item)? {
            bad = part;
        }
        while let Some(before) = first.checked_sub(1)
            && let Some(part) = self.fault(source, before)?
        {
            (first, bad) = (before, BadPart(bad.0.min(part.0)));
        }
        while end < count && self.fault(source, end)?.is_some() {
            end += 1;
        }
        Ok((first..end, bad))
    }

    /// The stretches of items that a bad block at address `part` costs: those whose place in the list it holds, and those
    /// whose bytes it holds.
    pub(super) fn stretches<F: File>(
        &self,
        source: &mut Source<'_, F>,
        part: u64,
    ) -> Result<Vec<Range<u64>>> {
        let (count, list) = (u64::from(self.header.count), self.header.lists());
        let at = part.saturating_sub(self.offset + HEADER as u64 + self.header.table());
        let behind = at + BLOCK as u64;
        let mut found: Vec<Range<u64>> = Vec::new();
        if behind > list {
            // The first item whose bytes end behind the start of the block, found by halving.
            let (mut low, mut high) = (0, count);
            while low < high && at > list {
                let middle = low + (high - low) / 2;
                match self.ends(source, middle..middle + 1)? {
                    Ok(ends) if ends.last().is_some_and(|end| list + end <= at) => low = middle + 1,
                    _ => high = middle,
                }
            }
            while low < count
                && self.fault(source, low)?.is_none()
                && self.starts_below(source, low, behind - list)?
            {
                low += 1;
            }
            if low < count && self.fault(source, low)?.is_some() {
                found.push(self.stretch(source, low)?.0);
            }
        }
        // An item needs the entry before its own, too; and its position.
        let ends = at / 4..count.min(behind / 4 + 1);
        let (from, to) = (at.saturating_sub(4 * count), behind.saturating_sub(4 * count));
        let listed = if self.header.listed { from / 8..count.min(to.div_ceil(8)) } else { 0..0 };
        for item in ends.chain(listed) {
            let known = found.iter().any(|stretch| stretch.contains(&item));
            if !known && self.fault(source, item)?.is_some() {
                found.push(self.stretch(source, item)?.0);
            }
        }
        found.sort_by_key(|stretch| stretch.start);
        Ok(found)
    }

    fn starts_below<F: File>(&self, source: &mut Source<'_, F>, item: u64, offset: u64) -> Result<bool> {
        Ok(self
            .ends(source, item..item + 1)?
            .is_ok_and(|ends| ends.first().is_some_and(|start| *start < offset)))
    }
}
