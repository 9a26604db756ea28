//! Looking at and tampering with what a simulated disk holds, behind the logs' backs. None of this is a numbered call.

use super::disk::Kept;
use super::{SECTOR, SimDisk};
use annals_logs::storage::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that reads of a disk would see, byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Values of cells by name.
    pub cells: BTreeMap<String, Vec<u8>>,
}

impl SimDisk {
    /// Names of all files.
    pub fn file_names(&self) -> Vec<String> {
        self.state().names.keys().map(|name| name.to_string()).collect()
    }

    /// Names of all cells.
    pub fn cell_names(&self) -> Vec<String> {
        self.state().cells.keys().cloned().collect()
    }

    /// Size of a file; 0 if there is none.
    pub fn file_size(&self, name: &str) -> u64 {
        self.peek(name, |kept| kept.body.size())
    }

    /// Bytes of a file; none if there is none.
    pub fn file_bytes(&self, name: &str) -> Vec<u8> {
        self.peek(name, |kept| kept.body.read(0, kept.body.size()))
    }

    /// Value of a cell.
    pub fn cell_value(&self, name: &str) -> Option<Vec<u8>> {
        self.state().cells.get(name).map(|cell| cell.value.clone())
    }

    /// Everything, for comparisons.
    pub fn image(&self) -> Image {
        let state = self.state();
        let files = state.named().map(|(name, body)| (name.to_string(), body.read(0, body.size())));
        let cells = state.cells.iter().map(|(name, cell)| (name.clone(), cell.value.clone()));
        Image { files: files.collect(), cells: cells.collect() }
    }

    /// A number that tells disks apart: all contents, what is on the disk and what is pending, and the cells' versions.
    pub fn hash(&self) -> u64 {
        self.state().hash()
    }

    /// Makes everything durable, as an idle machine does in time.
    pub fn settle(&self) {
        self.state().files.values_mut().for_each(|kept| kept.body_mut().make_durable());
    }

    /// Makes or replaces a file of `size` zeros, which may be huge.
    pub fn put_file(&self, name: &str, size: u64) {
        let mut state = self.state();
        state.unname(name);
        let id = state.fresh();
        let mut kept = Kept { named: true, ..Kept::default() };
        kept.body_mut().reserve(size);
        kept.body_mut().make_durable();
        state.names.insert(Arc::from(name), id);
        state.files.insert(id, kept);
    }

    /// Changes bytes of a file; it grows if they reach behind its end.
    pub fn overwrite(&self, name: &str, offset: u64, bytes: &[u8]) {
        self.poke(name, |kept| kept.body_mut().overwrite(offset, bytes));
    }

    /// Flips one bit of a file.
    pub fn flip_bit(&self, name: &str, bit: u64) {
        self.poke(name, |kept| {
            let mut byte = kept.body.read(bit / 8, 1);
            if let Some(byte) = byte.first_mut() {
                *byte ^= 1 << (bit % 8);
            }
            kept.body_mut().overwrite(bit / 8, &byte);
        });
    }

    /// Makes the sector around `offset` zero.
    pub fn zero_sector(&self, name: &str, offset: u64) {
        let start = offset / SECTOR * SECTOR;
        let len = self.file_size(name).saturating_sub(start).min(SECTOR);
        self.overwrite(name, start, &vec![0; len as usize]);
    }

    /// Cuts a file.
    pub fn cut_file(&self, name: &str, size: u64) {
        self.poke(name, |kept| kept.body_mut().truncate(size));
    }

    /// Removes a file if it is there.
    pub fn remove_file(&self, name: &str) {
        self.state().unname(name);
    }

    /// Puts a copy of a file of `other` here, under a name.
    pub fn copy_file(&self, other: &SimDisk, from: &str, to: &str) {
        let bytes = other.file_bytes(from);
        self.put_file(to, bytes.len() as u64);
        self.overwrite(to, 0, &bytes);
    }

    /// Sets a cell's value; its version stays, or is a new one if there was none.
    pub fn put_cell(&self, name: &str, value: &[u8]) {
        let mut state = self.state();
        let version = state.cells.get(name).map(|cell| cell.version);
        let version = version.unwrap_or_else(|| state.fresh_version());
        state.cells.insert(name.to_string(), Cell { version, value: value.to_vec() });
    }

    /// Flips one bit of a cell.
    pub fn flip_cell_bit(&self, name: &str, bit: u64) {
        if let Some(mut value) = self.cell_value(name) {
            value[(bit / 8) as usize] ^= 1 << (bit % 8);
            self.put_cell(name, &value);
        }
    }

    /// Removes a cell.
    pub fn remove_cell(&self, name: &str) {
        self.state().cells.remove(name);
    }

    /// Writing back what a file was given fails in the background: its pages are clean, and not on the disk. Its next sync
    /// says so, after it has written what came later. False if there was nothing to write.
    pub fn fail_writeback(&self, name: &str) -> bool {
        let mut state = self.state();
        let id = state.names.get(name).copied();
        if let Some(kept) = id.and_then(|id| state.files.get_mut(&id)) {
            let (seq, pending) = (kept.body.seq(), kept.body.pending().count());
            kept.body_mut().fail_sync(seq, |_| false);
            kept.late |= pending > 0;
            return pending > 0;
        }
        false
    }

    fn peek<T: Default>(&self, name: &str, look: impl FnOnce(&Kept) -> T) -> T {
        let state = self.state();
        let kept = state.names.get(name).and_then(|id| state.files.get(id));
        kept.map(look).unwrap_or_default()
    }

    fn poke(&self, name: &str, change: impl FnOnce(&mut Kept)) {
        let mut state = self.state();
        let id = state.names.get(name).copied();
        let kept = id.and_then(|id| state.files.get_mut(&id));
        change(kept.unwrap_or_else(|| panic!("no file {name} to tamper with")));
    }
}
