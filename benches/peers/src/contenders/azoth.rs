//! azoth's file log of events, as it comes but for the sync at every append, which is asked for where it is wanted.
//!
//! It looks for an event by reading its file from the start.

use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use anyhow::{Context as _, Result, bail};
use azoth_core::event_log::EventLog as _;
use azoth_file_log::{FileEventLog, FileEventLogConfig};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// A log.
pub(crate) struct Azoth(FileEventLog);

impl Azoth {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<Azoth> {
        let config = FileEventLogConfig {
            base_dir: directory.to_owned(),
            sync_on_commit: false,
            ..FileEventLogConfig::default()
        };
        Ok(Azoth(FileEventLog::open(config)?))
    }

    fn show(&self, first: u64, end: u64, seen: &mut Seen) -> Result<()> {
        for event in self.0.iter_range(first, Some(end))? {
            seen.add(&event?.1);
        }
        Ok(())
    }
}

impl Numbered for Azoth {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
        let events = work.table.map(<[u8]>::to_vec);
        let start = Instant::now();
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            let at = first as usize % events.len();
            self.0.append_batch_with_ids(first, &events[at..at + size as usize])?;
            if matches!(work.how, How::Synced(_)) {
                self.0.sync()?;
            }
        }
        Ok(start.elapsed())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(self.0.sync()?)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        match work {
            Read::All(count) => self.show(0, *count, seen)?,
            Read::Ranges(starts, count) => {
                for first in starts.iter() {
                    self.show(*first, first + count, seen)?;
                }
            }
            Read::Each(positions) | Read::Many(positions, _) => {
                for position in positions.iter() {
                    seen.add(&self.0.get(*position)?.context("no such event")?);
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.sync()?)
    }
}
