//! redb, a copy-on-write B-tree: one table, a write transaction for a batch.
//!
//! Durable is its default, `Immediate`, which syncs. Otherwise `None`, its only other choice: such a commit is not handed
//! to the operating system in a form that a new process would find, so it promises less than the others do without a sync.

use crate::kinds::keyed::{Keyed, Pairs};
use anyhow::Result;
use redb::{Database, Durability, ReadableDatabase as _, TableDefinition};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const ITEMS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("items");

/// A database with one table.
pub(crate) struct Redb(Database);

impl Redb {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<Redb> {
        let database = Database::create(directory.join("items.redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(ITEMS)?;
        transaction.commit()?;
        Ok(Redb(database))
    }
}

impl Keyed for Redb {
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration> {
        let start = Instant::now();
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        {
            let mut items = transaction.open_table(ITEMS)?;
            for (key, value) in pairs {
                items.insert(key.as_slice(), value.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(start.elapsed())
    }

    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let items = self.0.begin_read()?.open_table(ITEMS)?;
        Ok(items.get(key)?.map(|value| see(value.value())).is_some())
    }

    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let items = self.0.begin_read()?.open_table(ITEMS)?;
        for entry in items.range(prefix..)?.take(most) {
            let (key, value) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            see(key.value(), value.value());
        }
        Ok(())
    }

    fn from(&mut self, key: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let items = self.0.begin_read()?.open_table(ITEMS)?;
        for entry in items.range(key..)?.take(most) {
            let (key, value) = entry?;
            see(key.value(), value.value());
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        // A durable commit makes those before it durable too.
        self.put(&[], true).map(drop)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        Keyed::sync(&mut *self)
    }
}
