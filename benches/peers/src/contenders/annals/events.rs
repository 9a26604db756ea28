//! Event logs.

use super::{Component, Host, Native, STREAM, failed};
use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use annals_logs::types::unpack;
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};

/// Ranges of ids that are read, from one to before another one.
fn spans(work: &Read) -> Vec<(u64, u64)> {
    match work {
        Read::All(count) => vec![(0, *count)],
        Read::Ranges(starts, count) => starts.iter().map(|first| (*first, first + count)).collect(),
        Read::Each(_) | Read::Many(..) => Vec::new(),
    }
}

impl Numbered for Component<annals::EventLog> {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
        let ends = work.table.ends(size);
        let start = Instant::now();
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            self.0.append_packed(first, &ends, work.table.packed(first, size))?;
            if matches!(work.how, How::Synced(_)) {
                self.0.sync()?;
            }
        }
        Ok(start.elapsed())
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync()?;
        Ok(())
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        for (first, end) in spans(work) {
            for items in self.0.iterate(first, Some(end))? {
                items?.iter().for_each(|(_, event)| seen.add(event));
            }
        }
        if let Read::Each(ids) | Read::Many(ids, _) = work {
            for id in ids.iter() {
                seen.add(&self.0.get(*id)?.context("no such event")?);
            }
        }
        Ok(start.elapsed())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()?;
        Ok(())
    }
}

impl Numbered for Native<annals_logs::event_log::EventLog<Host>> {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
        let ends = work.table.ends(size);
        let start = Instant::now();
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            self.0.append_packed_with_ids(first, &ends, work.table.packed(first, size)).map_err(failed)?;
            if matches!(work.how, How::Synced(_)) {
                self.0.sync().map_err(failed)?;
            }
        }
        Ok(start.elapsed())
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync().map(drop).map_err(failed)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        for (first, end) in spans(work) {
            let mut stream = self.0.iterate(first, Some(end)).map_err(failed)?;
            while let Some(items) = self.0.iterate_next(&mut stream, STREAM).map_err(failed)? {
                unpack(&items.ends, &items.bytes).for_each(|event| seen.add(event));
            }
        }
        if let Read::Each(ids) | Read::Many(ids, _) = work {
            for id in ids.iter() {
                seen.add(&self.0.get(*id).map_err(failed)?.context("no such event")?);
            }
        }
        Ok(start.elapsed())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.0.close().map(drop).map_err(failed)
    }
}
