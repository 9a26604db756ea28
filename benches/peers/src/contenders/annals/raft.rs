//! Raft logs. Index 1 is the first one.

use super::{Component, Host, Native, failed};
use crate::{
    items::{Seen, Table},
    kinds::numbered::{Append, How, Numbered, Read},
};
use annals_logs::types::{Limits, unpack};
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};

/// Bytes that one call may return.
const MOST: u32 = u32::MAX;

/// Indexes, terms, ends and bytes of a batch.
fn packed(table: &Table, first: u64, count: u64) -> (Vec<u64>, Vec<u64>, Vec<u32>, Vec<u8>) {
    let bytes = (first..first + count).flat_map(|position| table.item(position)).copied().collect();
    ((first + 1..=first + count).collect(), vec![1; count as usize], table.ends(count), bytes)
}

/// Persists all batches, each made before its time is taken.
fn persist<B>(
    work: &Append,
    make: impl Fn(u64, u64) -> Result<B>,
    mut write: impl FnMut(&B, bool) -> Result<()>,
) -> Result<Duration> {
    let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
    let sync = matches!(work.how, How::Synced(_));
    let mut took = Duration::ZERO;
    for first in (work.first..work.first + work.count).step_by(size as usize) {
        let batch = make(first, size)?;
        let start = Instant::now();
        write(&batch, sync)?;
        took += start.elapsed();
    }
    Ok(took)
}

/// Reads ranges; `range` shows what is there from an index to another one and says how many that were.
fn ranges(
    work: &Read,
    seen: &mut Seen,
    mut range: impl FnMut(u64, u64, &mut Seen) -> Result<u64>,
) -> Result<Duration> {
    let start = Instant::now();
    let mut all = |first: u64, count: u64, seen: &mut Seen| {
        let (mut index, end) = (first + 1, first + count);
        while index <= end {
            match range(index, end, seen)? {
                0 => bail!("there is no entry {index}"),
                some => index += some,
            }
        }
        Ok(())
    };
    match work {
        Read::All(count) => all(0, *count, seen)?,
        Read::Ranges(starts, count) => starts.iter().try_for_each(|first| all(*first, *count, seen))?,
        Read::Each(_) | Read::Many(..) => bail!("it is read by ranges here"),
    }
    Ok(start.elapsed())
}

impl Numbered for Component<annals::RaftLog> {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let make = |first, count| {
            let (indexes, terms, ends, bytes) = packed(&work.table, first, count);
            annals::raft_log::Entries::from_parts(indexes, terms, ends, bytes)
                .context("they do not fit together")
        };
        persist(work, make, |entries, sync| {
            self.0.persist_packed(entries)?;
            if sync {
                self.0.sync()?;
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync()?;
        Ok(())
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        ranges(work, seen, |first, last, seen| {
            let entries = self.0.get_entries(first, last, annals::Limits::new(1 << 20, MOST))?;
            entries.iter().for_each(|(_, payload)| seen.add(payload));
            Ok(entries.len() as u64)
        })
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()?;
        Ok(())
    }
}

impl Numbered for Native<annals_logs::raft_log::RaftLog<Host>> {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let make = |first, count| {
            let (indexes, terms, ends, bytes) = packed(&work.table, first, count);
            Ok(annals_logs::raft_log::Entries { indexes, terms, ends, bytes })
        };
        persist(work, make, |entries, sync| {
            self.0.persist_packed(entries).map_err(failed)?;
            if sync {
                self.0.sync().map_err(failed)?;
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync().map(drop).map_err(failed)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        ranges(work, seen, |first, last, seen| {
            let limits = Limits { count: 1 << 20, bytes: MOST };
            let entries = self.0.get_entries(first, last, limits).map_err(failed)?;
            unpack(&entries.ends, &entries.bytes).for_each(|payload| seen.add(payload));
            Ok(entries.indexes.len() as u64)
        })
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.0.close().map(drop).map_err(failed)
    }
}
