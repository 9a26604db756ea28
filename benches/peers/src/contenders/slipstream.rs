//! beyond-slipstream's snapshot store over an append log, its default backend, with its default threshold.
//!
//! It keeps the fold in memory too, and finds a prefix by going through all of it. No apply is synced; what syncs is a
//! compaction (each 10 MiB that are written, unless told otherwise).

use crate::kinds::keyed::{Keyed, Pairs};
use anyhow::{Context as _, Result, ensure};
use slipstream::{AppendLogSnapshot, KvEntry, KvUpdate, SnapshotStore, VersionToken, WatchCursor};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// A store, and how many batches it took.
pub(crate) struct Slipstream {
    store: AppendLogSnapshot,
    batches: u64,
}

impl Slipstream {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<Slipstream> {
        let (_, store) = <AppendLogSnapshot as SnapshotStore>::load(&directory.join("fold.snap"))?;
        Ok(Slipstream { store, batches: 0 })
    }
}

fn text(key: &[u8]) -> Result<&str> {
    std::str::from_utf8(key).context("its keys are text")
}

impl Keyed for Slipstream {
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration> {
        ensure!(!durable, "it syncs no apply");
        let update = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let version = VersionToken::from_u64(self.batches);
            anyhow::Ok(KvUpdate::Put(KvEntry { key: text(key)?.to_owned(), value: value.clone(), version }))
        };
        let updates = pairs.iter().map(update).collect::<Result<Vec<_>>>()?;
        self.batches += 1;
        let cursor = WatchCursor::from_u64(self.batches);
        let start = Instant::now();
        self.store.apply(&updates, &cursor)?;
        Ok(start.elapsed())
    }

    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.store.get(text(key)?)?.map(|entry| see(&entry.value)).is_some())
    }

    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let entries = self.store.range(text(prefix)?)?;
        entries.iter().take(most).for_each(|entry| see(entry.key.as_bytes(), &entry.value));
        Ok(())
    }

    fn from(&mut self, _: &[u8], _: usize, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        anyhow::bail!("it finds prefixes only")
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
