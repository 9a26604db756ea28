//! raft-engine, TiKV's log: one group, entries with the protocol buffers of the `raft` crates as its examples have them.
//!
//! Compression is off, as in its examples and for everybody here; all else is as it comes (files of 128 MB).

use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};
use raft_proto::eraftpb::Entry;
use std::{
    path::Path,
    time::{Duration, Instant},
};

const GROUP: u64 = 1;
/// Entries that are fetched at once when everything is read: as many as a batch of the others has.
const FETCH: u64 = 10_000;

struct Typed;

impl MessageExt for Typed {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

/// An engine.
pub(crate) struct RaftEngine(Engine);

impl RaftEngine {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<RaftEngine> {
        let config = Config {
            dir: directory.to_str().context("the directory has no name in UTF-8")?.to_owned(),
            batch_compression_threshold: ReadableSize::kb(0),
            ..Config::default()
        };
        Ok(RaftEngine(Engine::open(config)?))
    }

    fn fetch(&self, first: u64, count: u64, entries: &mut Vec<Entry>, seen: &mut Seen) -> Result<()> {
        entries.clear();
        self.0.fetch_entries_to::<Typed>(GROUP, first + 1, first + 1 + count, None, entries)?;
        entries.iter().for_each(|entry| seen.add(&entry.data));
        Ok(())
    }
}

impl Numbered for RaftEngine {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
        let items = work.table.map(Bytes::copy_from_slice);
        let entry = |position: u64| Entry {
            term: 1,
            // Its first index is 1.
            index: position + 1,
            data: items[position as usize % items.len()].clone(),
            ..Entry::new()
        };
        let mut batch = LogBatch::with_capacity(size as usize);
        let mut took = Duration::ZERO;
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            let entries: Vec<Entry> = (first..first + size).map(entry).collect();
            let start = Instant::now();
            batch.add_entries::<Typed>(GROUP, &entries)?;
            self.0.write(&mut batch, matches!(work.how, How::Synced(_)))?;
            took += start.elapsed();
        }
        Ok(took)
    }

    fn sync(&mut self) -> Result<()> {
        Ok(self.0.sync()?)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let mut entries = Vec::new();
        let start = Instant::now();
        match work {
            Read::All(count) => {
                for first in (0..*count).step_by(FETCH as usize) {
                    self.fetch(first, FETCH.min(count - first), &mut entries, seen)?;
                }
            }
            Read::Ranges(starts, count) => {
                for first in starts.iter() {
                    self.fetch(*first, *count, &mut entries, seen)?;
                }
            }
            Read::Each(positions) | Read::Many(positions, _) => {
                for position in positions.iter() {
                    let entry = self.0.get_entry::<Typed>(GROUP, position + 1)?.context("no such entry")?;
                    seen.add(&entry.data);
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.sync()?)
    }
}
