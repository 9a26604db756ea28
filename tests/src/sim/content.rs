//! Bytes of a simulated file, kept as sparse pages: zeros cost nothing, so files of 10 GB are cheap.
//!
//! Pages are shared between copies until one of them changes, so a crash image of a whole disk is cheap too.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The unit that a disk writes whole or not at all.
pub const SECTOR: u64 = 512;
/// The unit in which content is kept; a multiple of [`SECTOR`].
pub const PAGE: u64 = 4096;

/// One sector's bytes.
pub(crate) type Sector = [u8; SECTOR as usize];

/// Bytes by offset; those that are not kept are zeros. It has no size: that is the file's matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    map: BTreeMap<u64, Arc<Page>>,
}

/// A page, and its hash once somebody asked for it.
#[derive(Debug)]
struct Page {
    bytes: [u8; PAGE as usize],
    hash: OnceLock<u64>,
}

impl Page {
    fn zeros() -> Page {
        Page { bytes: [0; PAGE as usize], hash: OnceLock::new() }
    }

    fn bytes_mut(page: &mut Arc<Page>) -> &mut [u8] {
        let page = Arc::make_mut(page);
        page.hash = OnceLock::new();
        &mut page.bytes
    }

    /// Zero for a page of zeros.
    fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| {
            let mut hash = Hash::new();
            hash.bytes(&self.bytes);
            if self.bytes.iter().fold(0, |any, byte| any | byte) == 0 { 0 } else { hash.value().max(1) }
        })
    }
}

impl Clone for Page {
    /// Who copies a page is about to change it.
    fn clone(&self) -> Self {
        Page { bytes: self.bytes, hash: OnceLock::new() }
    }
}

impl Pages {
    /// Fills `out` with the bytes at `offset`.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) {
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let (page, start, len) = piece(at, out.len() - done);
            match self.map.get(&page) {
                Some(page) => out[done..done + len].copy_from_slice(&page.bytes[start..start + len]),
                None => out[done..done + len].fill(0),
            }
            done += len;
        }
    }

    /// Puts `bytes` at `offset`.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (page, start, len) = piece(at, bytes.len() - done);
            let part = &bytes[done..done + len];
            if self.map.contains_key(&page) || part.iter().any(|&byte| byte != 0) {
                let kept = self.map.entry(page).or_insert_with(|| Arc::new(Page::zeros()));
                Page::bytes_mut(kept)[start..start + len].copy_from_slice(part);
            }
            done += len;
        }
    }

    /// Whether nothing but zeros was ever written to this page.
    pub(crate) fn is_untouched(&self, page: u64) -> bool {
        !self.map.contains_key(&page)
    }

    /// Makes everything at and after `offset` zero.
    pub(crate) fn zero_from(&mut self, offset: u64) {
        let (page, start, _) = piece(offset, 1);
        self.map.split_off(&(page + u64::from(start > 0)));
        if start > 0
            && let Some(kept) = self.map.get_mut(&page)
        {
            Page::bytes_mut(kept)[start..].fill(0);
        }
    }

    /// The bytes of sector number `sector`.
    pub(crate) fn sector(&self, sector: u64) -> Sector {
        let mut bytes = [0; SECTOR as usize];
        self.read(sector * SECTOR, &mut bytes);
        bytes
    }

    /// Feeds what is not zero to a hash.
    pub(crate) fn hash(&self, hash: &mut Hash) {
        for (number, page) in &self.map {
            let of_page = page.hash();
            if of_page != 0 {
                hash.number(*number);
                hash.number(of_page);
            }
        }
        hash.number(u64::MAX);
    }
}

/// Page number, start in the page and length of what a run of `left` bytes at `at` has in its first page.
fn piece(at: u64, left: usize) -> (u64, usize, usize) {
    let start = (at % PAGE) as usize;
    (at / PAGE, start, left.min(PAGE as usize - start))
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
        for word in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..word.len()].copy_from_slice(word);
            self.number(u64::from_le_bytes(eight));
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
