//! Listing the frames of one file, for people: what verifies by its header, in the order of the file.

use super::items::Source;
use super::scan::Scanner;
use super::window::{Window, read_failed};
use crate::error::{Error, Result};
use crate::format::frame::{FrameHeader, Place, Promise};
use crate::format::{ALIGN, HEADER};
use crate::storage::{Host, StorageError};
use alloc::{string::String, vec::Vec};

/// A list under way.
pub(crate) struct FrameList<H: Host> {
    file: H::File,
    name: String,
    place: Place,
    window: Window,
    size: u64,
    offset: u64,
    promise: Promise,
    /// What can be read of this file: positions from, to, and the address from which on.
    live: Vec<(u64, u64, u64)>,
}

impl<H: Host> FrameList<H> {
    /// Opens a file.
    pub(crate) fn open(host: &H, name: &str, place: Place, live: Vec<(u64, u64, u64)>) -> Result<Self> {
        let file = host.open(name).map_err(|e| match e {
            StorageError::NotFound => Error::NotFound,
            e => read_failed(name, e),
        })?;
        let mut scanner = Scanner::without_fill(&file, name, place)?;
        // Promises only grow: the last one covers what all of them do.
        let (mut offset, mut promise) = (0, Promise::default());
        while let Some((at, header)) = scanner.next_header(offset)? {
            promise = promise.max(header.promise);
            offset = at.saturating_add(header.len());
        }
        let size = scanner.size;
        let (name, window) = (name.into(), Window::default());
        Ok(FrameList { file, name, place, window, size, offset: 0, promise, live })
    }

    /// The next frames: offset, header, whether it is promised, whether it holds items that can be read.
    pub(crate) fn next(&mut self, most: usize) -> Result<Vec<(u64, FrameHeader, bool, bool)>> {
        let mut found = Vec::new();
        let (file, name, place) = (&self.file, &self.name, self.place);
        let mut source =
            Source { file, name, place, window: &mut self.window, ahead: 64 << 10, blocks: None };
        while found.len() < most && self.offset.saturating_add(HEADER as u64) <= self.size {
            let offset = self.offset;
            let Some(header) = source.header_at(offset)? else {
                self.offset += ALIGN;
                continue;
            };
            self.offset = offset.saturating_add(header.len());
            let address = Promise { segment: place.segment, offset: self.offset, number: 0 };
            let promised = (self.promise.segment, self.promise.offset) >= (address.segment, address.offset);
            // A frame is live if the run that covers its positions begins at or before it.
            let live = header.count > 0
                && self
                    .live
                    .iter()
                    .any(|(first, end, from)| header.first < *end && *first < header.end && *from <= offset);
            found.push((offset, header, promised, live));
        }
        Ok(found)
    }
}
