//! Snapshots.

use super::{Component, Host, Native, STREAM, failed};
use crate::kinds::keyed::{Keyed, Pairs};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

impl Keyed for Component<annals::Snapshot> {
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration> {
        use annals::snapshot::Update;
        let updates: Vec<_> = pairs.iter().map(|(key, value)| Update::put(key, value)).collect();
        let start = Instant::now();
        self.0.apply(&updates, b"cursor")?;
        if durable {
            self.0.sync()?;
        }
        Ok(start.elapsed())
    }

    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.0.get(key)?.map(|entry| see(&entry.value)).is_some())
    }

    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut left = most;
        for entries in self.0.range(prefix)? {
            let entries = entries?;
            entries.iter().take(left).for_each(|entry| see(entry.key, entry.value));
            left = left.saturating_sub(entries.len());
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn from(&mut self, _: &[u8], _: usize, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        bail!("it finds prefixes only")
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()?;
        Ok(())
    }
}

impl Keyed for Native<annals_logs::snapshot::Snapshot<Host>> {
    fn put(&mut self, pairs: Pairs<'_>, durable: bool) -> Result<Duration> {
        use annals_logs::snapshot::Update;
        let updates = pairs.iter().map(|(key, value)| Update::Put { key, value, version: &[] });
        let updates: Vec<_> = updates.collect();
        let start = Instant::now();
        self.0.apply(&updates, b"cursor").map_err(failed)?;
        if durable {
            self.0.sync().map_err(failed)?;
        }
        Ok(start.elapsed())
    }

    fn get(&mut self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.0.get(key).map_err(failed)?.map(|entry| see(&entry.value)).is_some())
    }

    fn scan(&mut self, prefix: &[u8], most: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut range = self.0.range(prefix).map_err(failed)?;
        let mut left = most;
        while let Some(entries) = self.0.range_next(&mut range, STREAM).map_err(failed)? {
            for (key, value, _) in entries.iter().take(left) {
                see(key, value);
            }
            left = left.saturating_sub(entries.ends.len() / 3);
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn from(&mut self, _: &[u8], _: usize, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        bail!("it finds prefixes only")
    }

    fn sync(&mut self) -> Result<()> {
        self.0.sync().map(drop).map_err(failed)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.0.close().map(drop).map_err(failed)
    }
}
