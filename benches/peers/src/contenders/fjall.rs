//! fjall, an LSM tree: one keyspace with its defaults; a batch is a write batch of its own.
//!
//! Compression of its journal and tables stays as it comes (LZ4), as its documentation has it; the items are random
//! bytes, which do not become smaller.

use crate::kinds::keyed::{Keyed, Pairs};
use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// A database with one keyspace.
pub(crate) struct Fjall {
    database: Database,
    items: Keyspace,
}

impl Fjall {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<Fjall> {
        let database = Database::builder(directory).open()?;
        let items = database.keyspace("items", KeyspaceCreateOptions::default)?;
        Ok(Fjall { database, items })
    }
}

fn show(entries: fjall::Iter, most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
    for entry in entries.take(most) {
        let (key, value) = entry.into_inner()?;
        see(&key, &value);
    }
    Ok(())
}

impl Keyed for Fjall {
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration> {
        let start = Instant::now();
        // As its default says, which survives the death of the process; or as a sync of data.
        let mode = if durable { PersistMode::SyncData } else { PersistMode::Buffer };
        let mut batch = self.database.batch().durability(Some(mode));
        for (key, value) in pairs {
            batch.insert(&self.items, key.as_slice(), value.as_slice());
        }
        batch.commit()?;
        Ok(start.elapsed())
    }

    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.items.get(key)?.map(|value| see(&value)).is_some())
    }

    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        show(self.items.prefix(prefix), most, see)
    }

    fn from(&mut self, key: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        show(self.items.range(key..), most, see)
    }

    fn sync(&mut self) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
