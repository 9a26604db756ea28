//! SQLite through rusqlite: write-ahead log, a table without row ids, prepared statements, a transaction for a batch.
//!
//! Durable is `synchronous = FULL`, which syncs the log at every commit; otherwise `NORMAL`, which its documentation
//! recommends with a write-ahead log and which syncs at checkpoints only.

use crate::kinds::keyed::{Keyed, Pairs};
use anyhow::{Result, ensure};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// A database with one table.
pub(crate) struct Sqlite {
    connection: Connection,
    full: bool,
}

impl Sqlite {
    /// Opens it.
    pub(crate) fn open(directory: &Path) -> Result<Sqlite> {
        let connection = Connection::open(directory.join("items.sqlite"))?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        ensure!(mode == "wal", "SQLite uses the journal mode '{mode}'");
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS items (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Sqlite { connection, full: false })
    }

    fn show(&mut self, from: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        let query = "SELECT key, value FROM items WHERE key >= ?1 ORDER BY key LIMIT ?2";
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query(params![from, most as i64])?;
        while let Some(row) = rows.next()? {
            if !see(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?) {
                break;
            }
        }
        Ok(())
    }
}

impl Keyed for Sqlite {
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration> {
        let start = Instant::now();
        if durable != self.full {
            let level = if durable { "FULL" } else { "NORMAL" };
            self.connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
            self.full = durable;
        }
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO items VALUES (?1, ?2)")?;
            for (key, value) in pairs {
                insert.execute(params![key, value])?;
            }
        }
        transaction.commit()?;
        Ok(start.elapsed())
    }

    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM items WHERE key = ?1")?;
        let found = statement.query_row(params![key], |row| {
            see(row.get_ref(0)?.as_blob()?);
            Ok(())
        });
        Ok(found.optional()?.is_some())
    }

    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.show(prefix, most, &mut |key, value| {
            let inside = key.starts_with(prefix);
            if inside {
                see(key, value);
            }
            inside
        })
    }

    fn from(&mut self, key: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.show(key, most, &mut |key, value| {
            see(key, value);
            true
        })
    }

    fn sync(&mut self) -> Result<()> {
        // Copies the log into the database and syncs both.
        let query = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self.connection.query_row(query, [], |row| row.get(0))?;
        ensure!(busy == 0, "SQLite could not finish its checkpoint");
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        Keyed::sync(&mut *self)?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
