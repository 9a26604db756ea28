//! d-engine's file store of Raft entries, the one that needs no RocksDB.
//!
//! It keeps all entries in memory too. `persist_entries` hands them to the operating system; what syncs is `flush`.

use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
};
use anyhow::{Context as _, Result, bail};
use d_engine_server::{
    FileStorageEngine, LogStore, StorageEngine as _,
    common::{Entry, EntryPayload, entry_payload::Payload},
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

type Store = <FileStorageEngine as d_engine_server::StorageEngine>::LogStore;

/// A store.
pub(crate) struct DEngine {
    store: Arc<Store>,
    runtime: Runtime,
}

impl DEngine {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<DEngine> {
        let runtime = Builder::new_current_thread().build()?;
        Ok(DEngine { store: FileStorageEngine::new(directory.to_owned())?.log_store(), runtime })
    }
}

fn show(entry: &Entry, seen: &mut Seen) {
    if let Some(Payload::Command(bytes)) = entry.payload.as_ref().and_then(|payload| payload.payload.as_ref())
    {
        seen.add(bytes);
    }
}

impl Numbered for DEngine {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else { bail!("it is given batches") };
        let mut took = Duration::ZERO;
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            let entry = |position| {
                let payload = Payload::Command(work.table.item(position).to_vec().into());
                // Its first index is 1.
                Entry { index: position + 1, term: 1, payload: Some(EntryPayload { payload: Some(payload) }) }
            };
            let entries: Vec<Entry> = (first..first + size).map(entry).collect();
            let start = Instant::now();
            self.runtime.block_on(self.store.persist_entries(entries))?;
            if matches!(work.how, How::Synced(_)) {
                self.store.flush()?;
            }
            took += start.elapsed();
        }
        Ok(took)
    }

    fn sync(&mut self) -> Result<()> {
        Ok(self.store.flush()?)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let start = Instant::now();
        let range = |first: u64, count: u64, seen: &mut Seen| {
            let entries = self.store.get_entries(first + 1..=first + count)?;
            entries.iter().for_each(|entry| show(entry, seen));
            anyhow::Ok(())
        };
        match work {
            Read::All(count) => range(0, *count, seen)?,
            Read::Ranges(starts, count) => {
                for first in starts.iter() {
                    range(*first, *count, seen)?;
                }
            }
            Read::Each(positions) | Read::Many(positions, _) => {
                for position in positions.iter() {
                    let entry = self.runtime.block_on(self.store.entry(position + 1))?;
                    show(&entry.context("no such entry")?, seen);
                }
            }
        }
        Ok(start.elapsed())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.store.flush()?)
    }
}
