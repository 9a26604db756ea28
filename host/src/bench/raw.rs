//! A plain file, prepared as a log prepares its own: space is claimed by the same storage, in the same steps.
//!
//! It writes as many bytes as a log does, ends and headers included, but computes nothing: what is left is the disk.

use super::{BATCH, ITEM, subject::Subject};
use annals::{
    Error,
    storage::{self, File, Storage},
};
use std::{hint::black_box, sync::Arc};

/// What a log writes beside the items of a batch, about.
const HEADER: usize = 160;
const END: usize = 4;
/// How far space is claimed ahead.
const STEPS: (u64, u64) = (64 << 10, 4 << 20);
/// Bytes that are gathered when appending one by one, and read at once.
const GATHER: usize = 128 << 10;
const READ: u32 = 1 << 20;

/// See above.
pub(super) struct Raw {
    file: Box<dyn File>,
    size: u64,
    fill: u64,
    buffer: Vec<u8>,
}

fn failed(error: storage::Error) -> Error {
    Error::Storage(error.to_string())
}

fn file_name(name: &str) -> String {
    format!("raw-{name}")
}

pub(super) fn destroy(storage: &Arc<dyn Storage>, name: &str) -> Result<(), Error> {
    storage.remove(&file_name(name)).map_err(failed)
}

impl Raw {
    pub(super) fn open(storage: &Arc<dyn Storage>, name: &str) -> Result<Raw, Error> {
        let name = file_name(name);
        let file = match storage.open(&name) {
            Err(storage::Error::NotFound) => storage.create(&name),
            opened => opened,
        };
        let file = file.map_err(failed)?;
        let size = file.size().map_err(failed)?;
        Ok(Raw { file, size, fill: size, buffer: Vec::new() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.size + bytes.len() as u64;
        if end > self.fill {
            self.fill = end.max(self.fill + self.size.clamp(STEPS.0, STEPS.1));
            self.file.reserve(self.fill).map_err(failed)?;
        }
        self.file.write(self.size, bytes).map_err(failed)?;
        self.size = end;
        Ok(())
    }

    fn read_at(&self, offset: u64, len: u32) -> Result<usize, Error> {
        self.file.read(offset, len).map(|bytes| black_box(bytes).len()).map_err(failed)
    }

    /// Where an item of a log that was written in batches is.
    fn offset(position: u64) -> u64 {
        let (batch, index) = (position / BATCH as u64, position % BATCH as u64);
        batch * (BATCH * (ITEM + END) + HEADER) as u64 + index * ITEM as u64
    }
}

impl Subject for Raw {
    fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<(), Error> {
        // Once filled, it stays as it is: only the write counts.
        let len = bytes.len() + ends.len() * END + HEADER;
        if self.buffer.len() != len {
            self.buffer.clear();
            self.buffer.extend_from_slice(bytes);
            self.buffer.resize(len, 0xff);
        }
        let buffer = std::mem::take(&mut self.buffer);
        let written = self.write(&buffer);
        self.buffer = buffer;
        written
    }

    fn append(&mut self, item: &[u8]) -> Result<(), Error> {
        self.write(item)
    }

    fn append_each(&mut self, item: &[u8], count: u64) -> Result<(), Error> {
        let mut gathered = Vec::with_capacity(GATHER);
        for _ in 0..count {
            if gathered.len() + item.len() + END > GATHER {
                self.write(&gathered)?;
                gathered.clear();
            }
            gathered.extend_from_slice(black_box(item));
            gathered.extend_from_slice(&[0xff; END]);
        }
        self.write(&gathered)
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.file.sync().map_err(failed)
    }

    fn replay(&mut self) -> Result<u64, Error> {
        let mut offset = 0;
        while self.read_at(offset, READ)? == READ as usize {
            offset += u64::from(READ);
        }
        Ok(self.size / (BATCH * (ITEM + END) + HEADER) as u64 * BATCH as u64)
    }

    fn read_range(&mut self, start: u64, count: u32) -> Result<(), Error> {
        self.read_at(Raw::offset(start), count * ITEM as u32).map(drop)
    }

    fn read(&mut self, position: u64) -> Result<(), Error> {
        self.read_at(Raw::offset(position), ITEM as u32).map(drop)
    }

    fn read_many(&mut self, positions: &[u64]) -> Result<(), Error> {
        positions.iter().try_for_each(|position| self.read(*position))
    }

    fn close(self: Box<Self>) -> Result<(), Error> {
        self.file.truncate(self.size).map_err(failed)
    }
}
