//! commitlog: segments of messages with memory-mapped indexes, as they come but for room for enough messages.
//!
//! Its flush writes back the index but does not sync its segments (`Segment::flush_sync` calls `File::flush`, which does
//! nothing): it takes no part where something has to be durable.

use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use anyhow::{Result, anyhow, bail};
use commitlog::{
    CommitLog, LogOptions, ReadLimit,
    message::{MessageBuf, MessageSet as _},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Bytes of one read of many messages.
const READ: usize = 1 << 20;
/// What a message has beside its payload.
const HEADER: usize = 20;

/// A log.
pub(crate) struct Log(CommitLog);

impl Log {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<Log> {
        let mut options = LogOptions::new(directory);
        options.index_max_items(10_000_000);
        Ok(Log(CommitLog::new(options)?))
    }

    /// Shows `count` items from `first` on.
    fn show(&self, first: u64, count: u64, seen: &mut Seen) -> Result<()> {
        let (mut next, end) = (first, first + count);
        while next < end {
            let messages =
                self.0.read(next, ReadLimit::max_bytes(READ)).map_err(|error| anyhow!("{error}"))?;
            let before = next;
            for message in messages.iter().take((end - next) as usize) {
                seen.add(message.payload());
                next += 1;
            }
            if next == before {
                bail!("it ends at {next}");
            }
        }
        Ok(())
    }
}

impl Numbered for Log {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let How::Batches(size) = work.how else { bail!("its flush does not sync") };
        let mut batch = MessageBuf::default();
        let start = Instant::now();
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            batch.clear();
            for position in first..first + size {
                batch.push(work.table.item(position)).map_err(|error| anyhow!("{error:?}"))?;
            }
            self.0.append(&mut batch).map_err(|error| anyhow!("{error}"))?;
        }
        Ok(start.elapsed())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        match work {
            Read::All(count) => self.show(0, *count, seen)?,
            Read::Ranges(starts, count) => {
                for first in starts.iter() {
                    self.show(*first, *count, seen)?;
                }
            }
            Read::Each(positions) | Read::Many(positions, _) => {
                // The limit is for the message as a whole; items of the bench have one size.
                let limit = crate::bench::ITEM + HEADER;
                for position in positions.iter() {
                    let read = self.0.read(*position, ReadLimit::max_bytes(limit));
                    let messages = read.map_err(|error| anyhow!("{error}"))?;
                    messages.iter().take(1).for_each(|message| seen.add(message.payload()));
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        Numbered::sync(&mut *self)
    }
}
