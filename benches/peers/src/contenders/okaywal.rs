//! okaywal: an entry is a batch, a chunk of it an item; a commit syncs always.
//!
//! What it keeps is read by recovering it, which also has it dropped afterwards: a log is read once. Its files are made large enough ahead (its documentation advises that) that
//! none is given back to be written again, which would drop what was written.

use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use anyhow::{Result, bail};
use okaywal::{Configuration, Entry, EntryId, LogManager, ReadChunkResult, SegmentReader, WriteAheadLog};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes of a file, zeros from the start.
const FILE: u32 = 64 << 20;

/// A write-ahead log.
pub(crate) struct OkayWal {
    log: Option<WriteAheadLog>,
    directory: PathBuf,
}

/// Who is told what a log has.
#[derive(Clone, Default)]
struct Reader(Option<Arc<Mutex<Seen>>>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl LogManager for Reader {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            let bytes = chunk.read_all()?;
            if !chunk.check_crc()? {
                return Err(io::Error::other("a chunk does not verify"));
            }
            if let Some(seen) = &self.0 {
                seen.lock().unwrap_or_else(PoisonError::into_inner).add(&bytes);
            }
        }
        Ok(())
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Ok(())
    }
}

fn open(directory: &Path, reader: Reader) -> io::Result<WriteAheadLog> {
    Configuration::default_for(directory)
        .preallocate_bytes(FILE)
        .checkpoint_after_bytes(u64::MAX)
        .open(reader)
}

impl OkayWal {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<OkayWal> {
        Ok(OkayWal { log: Some(open(directory, Reader::default())?), directory: directory.to_owned() })
    }

    fn shut(&mut self) -> Result<()> {
        if let Some(log) = self.log.take() {
            log.shutdown()?;
        }
        Ok(())
    }
}

impl Numbered for OkayWal {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Synced(size), Some(log)) = (work.how, &self.log) else { bail!("it syncs always") };
        let start = Instant::now();
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            let mut entry = log.begin_entry()?;
            for position in first..first + size {
                entry.write_chunk(work.table.item(position))?;
            }
            entry.commit()?;
        }
        Ok(start.elapsed())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let Read::All(_) = work else { bail!("it is read as a whole, once") };
        self.shut()?;
        let reading = Arc::new(Mutex::new(std::mem::replace(seen, Seen::quick())));
        let start = Instant::now();
        let log = open(&self.directory, Reader(Some(reading.clone())))?;
        let took = start.elapsed();
        self.log = Some(log);
        let mut read = reading.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = std::mem::replace(&mut *read, Seen::quick());
        Ok(took)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.shut()
    }
}
