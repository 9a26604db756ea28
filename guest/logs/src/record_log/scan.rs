//! Reading frames of one segment in order and checking every byte of them.
//!
//! A frame either verifies as a whole or comes back as [`Bad`], with the parts that fail. Missing bytes read as zeros.
//! What a bad frame means is decided elsewhere; [`Scanner::torn`] only tells whether it looks like an interrupted write.

use super::window::{Window, file_size, read_failed, room};
use crate::error::{Error, Result};
use crate::format::frame::{FrameHeader, HeaderError, Place, block_check, is_end};
use crate::format::segment::{TRAILER, read_trailer};
use crate::format::{ALIGN, BLOCK, HEADER, SECTOR, frame::Kind};
use crate::storage::File;
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

const AHEAD: usize = 256 << 10;
/// How often the size of a file may change while its end is looked for.
const SIZES: u32 = 4;

/// A frame that verifies.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    /// Only of frames without items.
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.header.len())
    }
}

/// Something that does not verify where a frame should stand.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) offset: u64,
    /// The header, if it verifies, so that only the body is bad.
    pub(super) header: Option<FrameHeader>,
    /// Written in another version of the format.
    pub(super) version: Option<u8>,
    /// Addresses of the parts that fail: the header, or of the body the block table, blocks, or the end.
    pub(super) failing: Vec<Range<u64>>,
    pub(super) what: &'static str,
}

impl Bad {
    fn header_of(offset: u64, error: HeaderError) -> Bad {
        let (version, what) = match error {
            HeaderError::Damaged => (None, "the header of a frame is damaged"),
            HeaderError::Misplaced => (None, "a frame stands where it does not belong"),
            HeaderError::Version(v) => (Some(v), "a frame of another format version"),
        };
        let failing = alloc::vec![offset..offset + HEADER as u64];
        Bad { offset, header: None, version, failing, what }
    }

    /// Where the scan should go on: behind the frame if its size is known, else at the next possible start.
    pub(super) fn behind(&self) -> u64 {
        self.offset.saturating_add(self.header.as_ref().map_or(ALIGN, FrameHeader::len))
    }
}

/// Where verified bytes go: their address, then the bytes.
pub(super) type Sink<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<()>;

/// Reads the frames of one file.
#[derive(Debug)]
pub(super) struct Scanner<'a, F> {
    pub(super) file: &'a F,
    pub(super) name: &'a str,
    pub(super) place: Place,
    /// Behind this address everything is taken for zeros.
    pub(super) size: u64,
    window: Window,
}

/// Where the last byte that is not zero stands. Looks at many at a time: the fill of a log can be megabytes of zeros.
fn last_byte(bytes: &[u8]) -> Option<usize> {
    let mut left = bytes;
    while let Some((before, last)) = left.split_last_chunk::<64>()
        && last.iter().fold(0, |any, byte| any | byte) == 0
    {
        left = before;
    }
    left.iter().rposition(|byte| *byte != 0)
}

impl<'a, F: File> Scanner<'a, F> {
    /// A scanner of the first `size` bytes of a file.
    pub(super) fn new(file: &'a F, name: &'a str, place: Place, size: u64) -> Self {
        Scanner { file, name, place, size, window: Window::default() }
    }

    /// A scanner that ends where the zeros at the end of the file begin.
    pub(super) fn without_fill(file: &'a F, name: &'a str, place: Place) -> Result<Self> {
        let mut scanner = Scanner::new(file, name, place, file_size(file, name)?);
        for _ in 0..SIZES {
            let size = scanner.size;
            match scanner.end_of_data(0, 1) {
                Ok(end) => {
                    scanner.size = end;
                    return Ok(scanner);
                }
                // A writer may have cut the fill in between, or added to it.
                Err(error) => {
                    scanner.size = file_size(file, name)?;
                    if scanner.size == size {
                        return Err(error);
                    }
                }
            }
        }
        Err(Error::Storage(format!("reading {name}: its size keeps changing")))
    }

    fn get(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(&[]);
        }
        let (len, ahead) = (len.min(left), AHEAD.min(left));
        let bytes = self.window.get(self.file, self.name, self.place.segment, offset, len, ahead)?;
        // Nothing is concluded from bytes that should be there and were not returned.
        if bytes.len() < len {
            return Err(Error::Storage(format!("reading {}: fewer bytes than the file has", self.name)));
        }
        Ok(bytes)
    }

    /// The address behind the last byte, not below `from`, that is not zero; rounded up to where a frame may start. The
    /// first read asks for `more` bytes than the file should have: a size that is too small would make a log look cut.
    fn end_of_data(&mut self, from: u64, more: u64) -> Result<u64> {
        let (mut end, mut step, mut more) = (self.size, 4096, more);
        while end > from || more > 0 {
            let start = end.saturating_sub(step).max(from);
            let len = (end - start) as usize;
            let asked = (len as u64 + more) as u32;
            let bytes = self.file.read(start, asked).map_err(|e| read_failed(self.name, e))?;
            if bytes.len() != len {
                return Err(Error::Storage(format!(
                    "reading {}: not as many bytes as it should have",
                    self.name
                )));
            }
            if let Some(last) = last_byte(&bytes) {
                return Ok((start + last as u64 + 1).next_multiple_of(ALIGN).min(self.size));
            }
            (end, step, more) = (start, AHEAD as u64, 0);
        }
        Ok(from)
    }

    /// Whether everything from `offset` on is zeros.
    pub(super) fn zeros_from(&mut self, offset: u64) -> Result<bool> {
        Ok(offset >= self.size || self.end_of_data(offset, 0)? <= offset)
    }

    /// Whether the `len` bytes from `offset` on, or as many as the file has, are zeros.
    pub(super) fn is_nothing(&mut self, offset: u64, len: usize) -> Result<bool> {
        Ok(self.get(offset, len)?.iter().all(|byte| *byte == 0))
    }

    /// The header at this address.
    pub(super) fn header_at(
        &mut self,
        offset: u64,
    ) -> Result<core::result::Result<FrameHeader, HeaderError>> {
        let (place, mut bytes) = (self.place, [0; HEADER]);
        let have = self.get(offset, HEADER)?;
        bytes[..have.len()].copy_from_slice(have);
        Ok(FrameHeader::decode(&bytes, place, offset))
    }

    /// The header at this address, if one flipped bit is all that is wrong with it.
    pub(super) fn flipped_header_at(&mut self, offset: u64) -> Result<Option<FrameHeader>> {
        let (place, mut bytes) = (self.place, [0; HEADER]);
        let have = self.get(offset, HEADER)?;
        bytes[..have.len()].copy_from_slice(have);
        Ok(FrameHeader::decode_flipped(&bytes, place, offset))
    }

    /// The frame at this address.
    pub(super) fn frame_at(&mut self, offset: u64) -> Result<core::result::Result<Frame, Bad>> {
        self.copy_frame(offset, &mut |_, _| Ok(()))
    }

    /// The same; passes every part on that was checked. Of a frame without block table nothing is passed on unless all
    /// of it verifies.
    pub(super) fn copy_frame(
        &mut self,
        offset: u64,
        sink: Sink<'_>,
    ) -> Result<core::result::Result<Frame, Bad>> {
        let (log, place, size) = (self.place.log, self.place, self.size);
        let header = match self.header_at(offset)? {
            Ok(header) => header,
            Err(error) => return Ok(Err(Bad::header_of(offset, error))),
        };
        let mut failing = Vec::new();
        let mut payload = Vec::new();
        // Of items only the lists that tell what they supersede.
        let keep = match header.kind.has_items() {
            true if header.scattered() => header.lists(),
            true => 0,
            false => header.payload(),
        } as usize; // at most MAX_STRUCTURE, or 12 MiB
        let start = offset + HEADER as u64;
        let encoded = header.encode(place, offset);
        if header.blocks() == 0 {
            let body = self.get(start, header.body as usize)?;
            if body.len() < header.body as usize || header.chain_value(log, body) != header.chain {
                failing.push(start..start + u64::from(header.body));
            } else {
                sink(offset, &encoded)?;
                sink(start, body)?;
                payload.extend_from_slice(body.get(..keep).unwrap_or(body));
            }
        } else {
            let table_len = header.table() as usize; // at most 136 KiB
            let mut table = room(table_len)?;
            table.extend_from_slice(self.get(start, table_len)?);
            if table.len() < table_len || header.chain_value(log, &table) != header.chain {
                failing.push(start..start + table_len as u64);
            } else {
                sink(offset, &encoded)?;
                sink(start, &table)?;
                payload = room((keep as u64).min(size) as usize)?;
                let (mut at, mut left) = (start + table_len as u64, header.payload());
                for check in table.chunks_exact(8) {
                    let len = left.min(BLOCK as u64) as usize;
                    let block = self.get(at, len)?;
                    if block.len() < len || block_check(block) != check {
                        failing.push(at..at + len as u64);
                    } else {
                        sink(at, block)?;
                        let more = keep.saturating_sub(payload.len());
                        payload.extend_from_slice(block.get(..more).unwrap_or(block));
                    }
                    (at, left) = (at + len as u64, left - len as u64);
                }
            }
        }
        let (end, len) =
            (start + u64::from(header.body), header.len() - HEADER as u64 - u64::from(header.body));
        let bytes = self.get(end, len as usize)?;
        if bytes.len() as u64 == len && is_end(bytes) {
            sink(end, bytes)?;
        } else {
            failing.push(end..end + len);
        }
        if failing.is_empty() {
            Ok(Ok(Frame { offset, header, payload }))
        } else {
            let what = "the body of a frame is damaged";
            Ok(Err(Bad { offset, header: Some(header), version: None, failing, what }))
        }
    }

    /// The next address from `from` on at which a header verifies.
    pub(super) fn next_header(&mut self, from: u64) -> Result<Option<(u64, FrameHeader)>> {
        let mut offset = from.next_multiple_of(ALIGN);
        while offset.saturating_add(HEADER as u64) <= self.size {
            let place = self.place;
            let bytes = self.get(offset, HEADER)?;
            if FrameHeader::could_start(bytes)
                && let Ok(bytes) = <&[u8; HEADER]>::try_from(bytes)
                && let Ok(header) = FrameHeader::decode(bytes, place, offset)
            {
                return Ok(Some((offset, header)));
            }
            offset += ALIGN;
        }
        Ok(None)
    }

    /// Whether a bad frame looks like a write of which some sectors did not reach the disk: each part that fails has a
    /// sector that reads as zeros, or the frame reads as zeros from within that part to its end. If the header fails,
    /// only its own bytes count, never the fill behind.
    pub(super) fn torn(&mut self, bad: &Bad) -> Result<bool> {
        let end = match &bad.header {
            Some(header) => bad.offset.saturating_add(header.len()),
            None => bad.offset + HEADER as u64,
        };
        if bad.version.is_some() {
            return Ok(false);
        }
        let mut zeros_from = end;
        if self.is_zero(end - 1..end)? {
            // Walk back over whole sectors of zeros, then within the one before.
            while zeros_from > bad.offset {
                let start = ((zeros_from - 1) / SECTOR * SECTOR).max(bad.offset);
                if !self.is_zero(start..zeros_from)? {
                    while self.is_zero(zeros_from - 1..zeros_from)? {
                        zeros_from -= 1;
                    }
                    break;
                }
                zeros_from = start;
            }
        }
        for part in &bad.failing {
            let mut torn = part.end > zeros_from;
            let mut at = part.start;
            while at < part.end && !torn {
                // A sector's share of the frame, as far as it is in this part.
                let next = ((at / SECTOR + 1) * SECTOR).min(part.end);
                torn = self.is_zero(at..next)?;
                at = next;
            }
            if !torn {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_zero(&mut self, range: Range<u64>) -> Result<bool> {
        Ok(self.get(range.start, (range.end - range.start) as usize)?.iter().all(|b| *b == 0))
    }

    /// Kind and address of the last frame in the data, if it ends in a trailer.
    pub(super) fn trailer(&mut self) -> Result<Option<(Kind, u64)>> {
        let (place, Some(at)) = (self.place, self.size.checked_sub(TRAILER as u64)) else { return Ok(None) };
        let last = self.get(at, TRAILER)?;
        let trailer = <&[u8; TRAILER]>::try_from(last).ok().and_then(|last| read_trailer(last, place));
        Ok(trailer.filter(|(_, offset)| *offset < at && offset.is_multiple_of(ALIGN)))
    }

    /// The last frame, if it has an index and verifies and ends where the data ends.
    pub(super) fn last_index(&mut self) -> Result<Option<Frame>> {
        let Some((kind, offset)) = self.trailer()? else { return Ok(None) };
        let frame = self.frame_at(offset)?.ok();
        Ok(frame.filter(|f| f.header.kind == kind && f.end() == self.size))
    }

    /// The file's name, for messages.
    pub(super) fn file_name(&self) -> String {
        self.name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::last_byte;

    #[test]
    fn the_last_byte_is_found_wherever_it_stands_and_only_if_it_is_there() {
        for len in 0..300 {
            let mut bytes = alloc::vec![0; len];
            assert_eq!(last_byte(&bytes), None);
            for at in 0..len {
                bytes[at] = 1 << (at % 8);
                assert_eq!(last_byte(&bytes), Some(at));
            }
        }
    }
}
