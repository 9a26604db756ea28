//! Journals.

use super::{Component, Host, Native, STREAM, failed};
use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use annals_logs::types::{Limits, unpack};
use anyhow::Result;
use std::time::{Duration, Instant};

impl Numbered for Component<annals::Journal> {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (log, table) = (&self.0, &work.table);
        let end = work.first + work.count;
        match work.how {
            How::Batches(size) | How::Synced(size) => {
                let (ends, sync) = (table.ends(size), matches!(work.how, How::Synced(_)));
                let start = Instant::now();
                for first in (work.first..end).step_by(size as usize) {
                    log.append_packed(&ends, table.packed(first, size))?;
                    if sync {
                        log.sync_data()?;
                    }
                }
                Ok(start.elapsed())
            }
            How::Gathered => {
                let appender = log.appender()?;
                let start = Instant::now();
                for position in work.first..end {
                    appender.append(table.item(position))?;
                }
                appender.flush()?;
                Ok(start.elapsed())
            }
            How::Direct => {
                let start = Instant::now();
                for position in work.first..end {
                    log.append(table.item(position))?;
                }
                log.flush()?;
                Ok(start.elapsed())
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync()?;
        Ok(())
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        match work {
            Read::All(_) => {
                for batch in self.0.replay(0)? {
                    batch?.iter().for_each(|(_, item)| seen.add(item));
                }
            }
            Read::Ranges(starts, count) => {
                for first in starts.iter() {
                    let batch = self.0.read_range(*first, annals::Limits::new(*count as u32, u32::MAX))?;
                    batch.iter().for_each(|(_, item)| seen.add(item));
                }
            }
            Read::Each(positions) => {
                for position in positions.iter() {
                    seen.add(&self.0.read(*position)?);
                }
            }
            Read::Many(positions, count) => {
                for some in positions.chunks(*count) {
                    self.0.read_many(some, u32::MAX)?.iter().for_each(|(_, item)| seen.add(item));
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()?;
        Ok(())
    }
}

impl Numbered for Native<annals_logs::journal::Journal<Host>> {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (log, table) = (&mut self.0, &work.table);
        let end = work.first + work.count;
        match work.how {
            How::Batches(size) | How::Synced(size) => {
                let (ends, sync) = (table.ends(size), matches!(work.how, How::Synced(_)));
                let start = Instant::now();
                for first in (work.first..end).step_by(size as usize) {
                    log.append_packed(&ends, table.packed(first, size)).map_err(failed)?;
                    if sync {
                        log.sync_data().map_err(failed)?;
                    }
                }
                Ok(start.elapsed())
            }
            How::Gathered | How::Direct => {
                let start = Instant::now();
                for position in work.first..end {
                    log.append(table.item(position)).map_err(failed)?;
                }
                log.flush().map_err(failed)?;
                Ok(start.elapsed())
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync().map(drop).map_err(failed)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let log = &mut self.0;
        let start = Instant::now();
        match work {
            Read::All(_) => {
                let mut replay = log.replay(0).map_err(failed)?;
                while let Some(batch) = log.replay_next(&mut replay, STREAM).map_err(failed)? {
                    unpack(&batch.ends, &batch.bytes).for_each(|item| seen.add(item));
                }
            }
            Read::Ranges(starts, count) => {
                let limits = Limits { count: *count as u32, bytes: u32::MAX };
                for first in starts.iter() {
                    let batch = log.read_range(*first, limits).map_err(failed)?;
                    unpack(&batch.ends, &batch.bytes).for_each(|item| seen.add(item));
                }
            }
            Read::Each(positions) => {
                for position in positions.iter() {
                    seen.add(&log.read(*position).map_err(failed)?);
                }
            }
            Read::Many(positions, count) => {
                for some in positions.chunks(*count) {
                    let items = log.read_many(some, u32::MAX).map_err(failed)?;
                    unpack(&items.ends, &items.bytes).for_each(|item| seen.add(item));
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.0.close().map(drop).map_err(failed)
    }
}
