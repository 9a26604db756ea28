//! Bytes of a simulated file, kept sector by sector: zeros cost nothing, so files of 10 GB are cheap.
//!
//! Sectors are shared between copies until one of them changes, and so is the hash of each, once somebody asked for it: a
//! crash image of a whole disk is cheap too.

use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xxhash_rust::xxh3::xxh3_64;

/// The unit that a disk writes whole or not at all, and in which content is kept.
pub const SECTOR: u64 = 512;

const LEN: usize = SECTOR as usize;

/// Bytes by offset; those that are not kept are zeros. It has no size: that is the file's matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sectors {
    /// By number, in ascending order.
    list: Vec<(u64, Arc<Sector>)>,
}

/// One sector's bytes, and their hash once somebody asked for it.
#[derive(Debug)]
pub(crate) struct Sector {
    bytes: [u8; LEN],
    /// [`UNKNOWN`] until then.
    hash: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Default for Sector {
    fn default() -> Self {
        Sector { bytes: [0; LEN], hash: AtomicU64::new(0) }
    }
}

impl Sector {
    fn bytes_mut(sector: &mut Arc<Sector>) -> &mut [u8] {
        let sector = Arc::make_mut(sector);
        *sector.hash.get_mut() = UNKNOWN;
        &mut sector.bytes
    }

    /// Makes everything at and after `start` zero.
    pub(crate) fn zero_from(sector: &mut Arc<Sector>, start: usize) {
        Sector::bytes_mut(sector)[start..].fill(0);
    }

    /// Zero for zeros.
    pub(crate) fn hash(&self) -> u64 {
        let known = self.hash.load(Relaxed);
        if known != UNKNOWN {
            return known;
        }
        let zeros = self.bytes == [0; LEN];
        let hash = if zeros { 0 } else { xxh3_64(&self.bytes).clamp(1, UNKNOWN - 1) };
        self.hash.store(hash, Relaxed);
        hash
    }

    /// Whether both hold the same.
    pub(crate) fn same(a: &Arc<Sector>, b: &Arc<Sector>) -> bool {
        Arc::ptr_eq(a, b) || a.bytes == b.bytes
    }
}

impl Clone for Sector {
    /// Who copies a sector is about to change it.
    fn clone(&self) -> Self {
        Sector { bytes: self.bytes, hash: AtomicU64::new(UNKNOWN) }
    }
}

impl Sectors {
    /// Where this sector is in the list, or would be.
    fn place(&self, sector: u64) -> Result<usize, usize> {
        match self.list.last() {
            // Files are written from the front to the back.
            Some((last, _)) if *last >= sector => {
                self.list.binary_search_by_key(&sector, |(number, _)| *number)
            }
            _ => Err(self.list.len()),
        }
    }

    /// The sector of this number, if it is kept.
    pub(crate) fn get(&self, sector: u64) -> Option<&Arc<Sector>> {
        self.place(sector).ok().map(|at| &self.list[at].1)
    }

    /// Makes this the content of a sector.
    pub(crate) fn put(&mut self, sector: u64, content: Arc<Sector>) {
        match self.place(sector) {
            Ok(at) => self.list[at].1 = content,
            Err(at) => self.list.insert(at, (sector, content)),
        }
    }

    /// The `len` bytes at `offset`.
    pub(crate) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len);
        let mut next = self.place(offset / SECTOR).unwrap_or_else(|at| at);
        while out.len() < len {
            let Some((number, sector)) = self.list.get(next) else {
                out.resize(len, 0);
                break;
            };
            next += 1;
            let (first, at) = (number * SECTOR, offset + out.len() as u64);
            if first > at {
                let zeros = (first - at).min((len - out.len()) as u64) as usize;
                out.resize(out.len() + zeros, 0);
            }
            let start = at.saturating_sub(first) as usize;
            let end = LEN.min(start + len - out.len());
            out.extend_from_slice(&sector.bytes[start..end]);
        }
        out
    }

    /// Puts `bytes` at `offset`; they reach into one sector only, whose content is returned, if it is kept.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Option<&Arc<Sector>> {
        let (number, start) = (offset / SECTOR, (offset % SECTOR) as usize);
        let at = match self.place(number) {
            Ok(at) => at,
            Err(_) if bytes.iter().all(|&byte| byte == 0) => return None,
            Err(at) => {
                self.list.insert(at, (number, Arc::default()));
                at
            }
        };
        let kept = &mut self.list[at].1;
        if kept.bytes[start..start + bytes.len()] != *bytes {
            Sector::bytes_mut(kept)[start..start + bytes.len()].copy_from_slice(bytes);
        }
        Some(kept)
    }

    /// Makes everything at and after `offset` zero.
    pub(crate) fn zero_from(&mut self, offset: u64) {
        let start = (offset % SECTOR) as usize;
        let end = self.place(offset.div_ceil(SECTOR)).unwrap_or_else(|at| at);
        self.list.truncate(end);
        if start > 0
            && let Ok(at) = self.place(offset / SECTOR)
        {
            Sector::zero_from(&mut self.list[at].1, start);
        }
    }

    /// Feeds what is not zero to a hash.
    pub(crate) fn hash(&self, hash: &mut Hash) {
        for (number, sector) in &self.list {
            let content = sector.hash();
            if content != 0 {
                hash.number(*number);
                hash.number(content);
            }
        }
        hash.number(u64::MAX);
    }
}

/// A 64-bit hash that tells images apart; not for adversaries.
#[derive(Clone, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn number(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.number(xxh3_64(bytes));
    }

    pub(crate) fn value(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

impl Hasher for Hash {
    fn finish(&self) -> u64 {
        self.value()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.number(number);
    }
}
