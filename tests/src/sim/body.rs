//! One simulated file: what reads see, what no crash takes back, and what lies between the two.
//!
//! *Cache* is what reads see. *Disk* is what survives everything. A sector that was written since the last sync is
//! *pending*, and remembers each of its contents since then: writeback may have caught any of them. A sync moves
//! pending sectors to the disk. A failed sync marks them clean without that: reads still see them, later syncs do not
//! write them, a loss of power takes them. Writing a sector makes the whole of it pending again. The size is metadata
//! of its own: after a loss of power it is one of those the file had since the last sync, or any sector boundary between.

use super::content::{Hash, SECTOR, Sector, Sectors};
use crate::rng::SplitMix64;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// One content of a pending sector.
#[derive(Clone, Debug)]
struct Version {
    /// Number of the write that made it.
    seq: u64,
    bytes: Arc<Sector>,
}

/// Those that differ from the one before: a sector may be written again with the same bytes.
fn contents(versions: &[Version]) -> impl Iterator<Item = &Version> {
    let again = |at: usize| at > 0 && Sector::same(&versions[at - 1].bytes, &versions[at].bytes);
    versions.iter().enumerate().filter(move |(at, _)| !again(*at)).map(|(_, version)| version)
}

/// Which content of a pending sector is on the disk after a loss of power.
pub(crate) enum Kept {
    /// The one before.
    Old,
    /// The newest one.
    New,
    /// Any of them.
    Any(u64),
}

/// Which size the file has after a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeKept {
    /// The last synced one.
    Old,
    /// The newest one.
    New,
    /// The smallest one that shows all surviving sectors.
    Fit,
    /// Any that the file had since, or any sector boundary between old and new.
    Random,
}

/// A file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    cache: Sectors,
    size: u64,
    disk: Sectors,
    disk_size: u64,
    pending: BTreeMap<u64, Vec<Version>>,
    sizes: Vec<(u64, u64)>,
    seq: u64,
    /// Reads may see something clean that the disk has not.
    split: bool,
}

impl Body {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let len = len.min(self.size.saturating_sub(offset));
        self.cache.read(offset, len as usize)
    }

    /// Writes those sectors of `bytes` that `arrives` lets through (by number within the write).
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8], mut arrives: impl FnMut(u64) -> bool) {
        self.seq += 1;
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let len = ((SECTOR - at % SECTOR) as usize).min(bytes.len() - done);
            if arrives(at / SECTOR - offset / SECTOR) {
                self.put(at, &bytes[done..done + len]);
                self.grow(at + len as u64);
            }
            done += len;
        }
    }

    /// A sector has new content. If that is what the disk has anyway, its fate is not open.
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let sector = at / SECTOR;
        let content = self.cache.write(at, bytes);
        let (disk, pending) = (self.disk.get(sector), self.pending.entry(sector));
        let open = matches!(pending, Entry::Occupied(_))
            || match (content, disk) {
                (Some(content), Some(disk)) => !Sector::same(content, disk),
                (Some(one), None) | (None, Some(one)) => one.hash() != 0,
                // Zeros where nothing else was ever written: huge files of them cost nothing.
                (None, None) => false,
            };
        if open {
            let bytes = content.cloned().unwrap_or_default();
            pending.or_default().push(Version { seq: self.seq, bytes });
        }
    }

    /// Extends the file with zeros.
    pub(crate) fn reserve(&mut self, size: u64) {
        self.seq += 1;
        self.grow(size);
    }

    fn grow(&mut self, size: u64) {
        if size > self.size {
            self.size = size;
            match self.sizes.last_mut() {
                Some(last) if last.0 == self.seq => last.1 = size,
                _ => self.sizes.push((self.seq, size)),
            }
        }
    }

    /// Drops everything at and after `size`, everywhere.
    pub(crate) fn truncate(&mut self, size: u64) {
        if size >= self.size {
            return;
        }
        self.size = size;
        self.disk_size = self.disk_size.min(size);
        self.cache.zero_from(size);
        self.disk.zero_from(size);
        self.pending.split_off(&size.div_ceil(SECTOR));
        if let Some(versions) = self.pending.get_mut(&(size / SECTOR)) {
            let end = (size % SECTOR) as usize;
            versions.iter_mut().for_each(|version| Sector::zero_from(&mut version.bytes, end));
        }
        self.sizes.iter_mut().for_each(|entry| entry.1 = entry.1.min(size));
        let floor = self.disk_size;
        self.sizes.retain(|entry| entry.1 > floor);
    }

    /// Number of the newest write: what a sync that begins now covers.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Brings every write up to `upto` to the disk.
    pub(crate) fn sync(&mut self, upto: u64) {
        self.settle(upto, |_| true);
        let synced = self.sizes.partition_point(|entry| entry.0 <= upto);
        if let Some((_, size)) = self.sizes.drain(..synced).next_back() {
            self.disk_size = size;
        }
        if self.is_settled() && !self.split {
            self.disk = self.cache.clone(); // the same bytes, kept once
        }
    }

    /// A sync that fails: those sectors up to `upto` that `arrives` lets through are on the disk, and all are clean.
    pub(crate) fn fail_sync(&mut self, upto: u64, arrives: impl FnMut(u64) -> bool) {
        self.settle(upto, arrives);
        self.split = true;
    }

    /// A sync during which the machine stops: some sectors up to `upto` are on the disk, the others stay pending.
    pub(crate) fn part_sync(&mut self, upto: u64, mut arrives: impl FnMut(u64) -> bool) {
        for (sector, versions) in &mut self.pending {
            let covered = versions.partition_point(|version| version.seq <= upto);
            if covered > 0 && arrives(*sector) {
                let last = versions.drain(..covered).next_back();
                last.into_iter().for_each(|version| self.disk.put(*sector, version.bytes));
            }
        }
        self.pending.retain(|_, versions| !versions.is_empty());
    }

    fn settle(&mut self, upto: u64, mut arrives: impl FnMut(u64) -> bool) {
        for (sector, versions) in &mut self.pending {
            let covered = versions.partition_point(|version| version.seq <= upto);
            let last = versions.drain(..covered).next_back();
            if let Some(version) = last
                && arrives(*sector)
            {
                self.disk.put(*sector, version.bytes);
            }
        }
        self.pending.retain(|_, versions| !versions.is_empty());
    }

    /// Numbers of the sectors whose fate is open.
    pub(crate) fn pending(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.keys().copied()
    }

    /// How many contents each of them had since the last sync.
    pub(crate) fn versions(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.values().map(|versions| contents(versions).count() as u64)
    }

    /// Whether the size waits for a sync.
    pub(crate) fn has_grown(&self) -> bool {
        !self.sizes.is_empty()
    }

    /// Whether a loss of power could change anything here.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.sizes.is_empty()
    }

    /// Whether a loss of power leaves anything but what reads see.
    pub(crate) fn loses_something(&self) -> bool {
        !self.is_settled() || self.split
    }

    /// The file after a loss of power.
    pub(crate) fn after_power_loss(
        &self,
        mut kept: impl FnMut(u64, u64) -> Kept,
        size: SizeKept,
        rng: &mut SplitMix64,
    ) -> Body {
        let mut disk = self.disk.clone();
        let mut end = 0;
        for (sector, versions) in &self.pending {
            let count = contents(versions).count();
            let index = match kept(*sector, count as u64) {
                Kept::Old => 0,
                Kept::New => count,
                Kept::Any(number) => (number % (count as u64 + 1)) as usize,
            };
            if let Some(version) = index.checked_sub(1).and_then(|index| contents(versions).nth(index)) {
                disk.put(*sector, version.bytes.clone());
                end = (sector + 1) * SECTOR;
            }
        }
        let newest = self.sizes.last().map_or(self.disk_size, |entry| entry.1);
        let size = match size {
            SizeKept::Old => self.disk_size,
            SizeKept::New => newest,
            SizeKept::Fit => end.clamp(self.disk_size.min(newest), newest),
            SizeKept::Random => self.random_size(newest, rng),
        };
        disk.zero_from(size);
        Body { cache: disk.clone(), size, disk, disk_size: size, ..Body::default() }
    }

    fn random_size(&self, newest: u64, rng: &mut SplitMix64) -> u64 {
        let inner = (newest / SECTOR).saturating_sub(self.disk_size / SECTOR);
        match rng.below(4) {
            0 => self.disk_size,
            1 if inner > 0 => (self.disk_size / SECTOR + 1 + rng.below(inner)) * SECTOR,
            2 if !self.sizes.is_empty() => self.sizes[rng.below(self.sizes.len() as u64) as usize].1,
            _ => newest,
        }
    }

    /// Forgets clean pages: reads see the disk there, as they may after a failed sync.
    pub(crate) fn evict(&mut self) {
        self.cache = self.disk.clone();
        self.split = false;
        for (sector, versions) in &self.pending {
            versions.last().into_iter().for_each(|last| self.cache.put(*sector, last.bytes.clone()));
        }
        self.cache.zero_from(self.size);
    }

    /// Changes bytes behind everybody's back, on the disk and in the cache. May extend the file.
    pub(crate) fn overwrite(&mut self, offset: u64, bytes: &[u8]) {
        self.write(offset, bytes, |_| true);
        let first = offset / SECTOR;
        let last = (offset + bytes.len() as u64).div_ceil(SECTOR);
        for sector in first..last {
            if let Some(version) = self.pending.remove(&sector).and_then(|mut versions| versions.pop()) {
                self.disk.put(sector, version.bytes);
            }
        }
        self.disk_size = self.disk_size.max((offset + bytes.len() as u64).min(self.size));
        let floor = self.disk_size;
        self.sizes.retain(|entry| entry.1 > floor);
    }

    /// Makes everything that reads see durable.
    pub(crate) fn make_durable(&mut self) {
        self.disk = self.cache.clone();
        self.disk_size = self.size;
        self.pending.clear();
        self.sizes.clear();
        self.split = false;
    }

    /// Feeds everything that can make a difference later to a hash.
    pub(crate) fn hash(&self, hash: &mut Hash) {
        hash.number(self.size);
        self.cache.hash(hash);
        hash.number(self.disk_size);
        self.disk.hash(hash);
        for (sector, versions) in &self.pending {
            hash.number(*sector);
            contents(versions).for_each(|version| hash.number(version.bytes.hash()));
        }
        self.sizes.iter().for_each(|entry| hash.number(entry.1));
    }
}
