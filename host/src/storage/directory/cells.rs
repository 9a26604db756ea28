//! Cells: one small file each, replaced as a whole.
//!
//! A cell file is `ANNCELL1`, the version (u64), the length of the value (u32), a CRC-32 of all of that and the value
//! (u32), and the value; numbers are little-endian. A file in which any of this does not fit is damage, never an older or
//! an empty cell.
//!
//! A change happens under the kernel lock `locks/.cells`: read, compare, write `.new`, sync it, rename it over the cell,
//! sync the directory. A crash before the rename leaves the old cell, one after it the new one; nobody else writes
//! meanwhile.
//!
//! **A version never returns.** Each change of a cell adds one to its version. Before a cell is removed, its version is
//! made durable in `.floor` unless something higher is there, and a new cell starts one above the floor: above every
//! version that any cell of that name ever had. (A change that failed half-way may leave a version that another attempt
//! gives again; nobody was told of it, since `read` answers only what it has made durable.) The floor is 20 bytes in one
//! sector, overwritten in place, so removing needs no room on the disk.
//!
//! **A full disk**: `.spare` is as large as the largest cell, and its blocks are claimed. If there is no room for `.new`,
//! the new cell is written into the spare, which is then cut to size and renamed; a new spare is made from the room that
//! this gives back, as large as it gets.

use super::{
    super::{CELL_BYTES, Cell, Error, Result, Swap},
    Shared, guard,
    lock::{self, Held},
    sys,
};
use std::{fs, os::unix::fs::FileExt, time::Duration};

const CELL_MAGIC: &[u8; 8] = b"ANNCELL1";
const FLOOR_MAGIC: &[u8; 8] = b"ANNFLOR1";
const HEADER: usize = 24;
const FLOOR_BYTES: usize = 20;
/// The largest cell, in whole blocks.
const SPARE_BYTES: u64 = (HEADER + CELL_BYTES).next_multiple_of(4096) as u64;

const LOCK: &str = ".cells";
const NEW: &str = ".new";
const SPARE: &str = ".spare";
const FLOOR: &str = ".floor";

/// A change takes milliseconds; whoever takes longer than this is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

fn encode(version: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + value.len());
    bytes.extend_from_slice(CELL_MAGIC);
    bytes.extend_from_slice(&version.to_le_bytes());
    // At most 64 KiB, as the caller checked.
    bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    let check = check(&bytes, value);
    bytes.extend_from_slice(&check.to_le_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn check(head: &[u8], value: &[u8]) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(head);
    check.update(value);
    check.finalize()
}

fn decode(bytes: &[u8]) -> std::result::Result<Cell, &'static str> {
    let (header, value) = bytes.split_first_chunk::<HEADER>().ok_or("it is too short")?;
    let (head, sum) = header.split_at(HEADER - 4);
    let (magic, numbers) = head.split_at(8);
    if magic != CELL_MAGIC {
        return Err("it does not begin as a cell does");
    }
    if sum != check(head, value).to_le_bytes() {
        return Err("its check fails");
    }
    let (version, len) = numbers.split_first_chunk::<8>().ok_or("it is too short")?;
    if len != (value.len() as u32).to_le_bytes() || value.len() > CELL_BYTES {
        return Err("its length is wrong");
    }
    Ok(Cell { version: u64::from_le_bytes(*version), value: value.to_vec() })
}

impl Shared {
    fn lock_cells(&self) -> Result<Held> {
        lock::acquire(&self.locks, LOCK, PATIENCE).map_err(|error| match error {
            Error::Locked => Error::Io(format!(
                "another process has been changing cells for {} seconds; see whether it is stuck",
                PATIENCE.as_secs()
            )),
            error => error,
        })
    }

    /// What must be there before the first change.
    pub(super) fn prepare_cells(&self) -> Result<()> {
        let _lock = self.lock_cells()?;
        match sys::open(&self.cells, FLOOR) {
            Ok(_) => {}
            Err(Error::NotFound) => self.make_floor()?,
            Err(error) => return Err(error),
        }
        self.fill_spare();
        Ok(())
    }

    pub(super) fn read_cell(&self, name: &str) -> Result<Option<Cell>> {
        let cell = self.load(name)?;
        self.settle(name, cell.as_ref())?;
        Ok(cell)
    }

    pub(super) fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> Result<Swap> {
        if value.is_some_and(|value| value.len() > CELL_BYTES) {
            return Err(Error::Io(format!("cell {name} may have at most 64 KiB")));
        }
        let _lock = self.lock_cells()?;
        let current = self.load(name)?;
        let version = current.as_ref().map(|cell| cell.version);
        let swapped = match (version, value) {
            (Some(version), None) if expected == Some(version) => self.remove(name, version)?,
            (version, Some(value)) if expected == version => self.replace(name, version, value)?,
            _ => {
                self.settle(name, current.as_ref())?;
                return Ok(Swap::Stale(current));
            }
        };
        self.fill_spare();
        Ok(Swap::Swapped(swapped))
    }

    /// What is there, durable or not. A file is complete before it gets its name, so this needs no lock.
    fn load(&self, name: &str) -> Result<Option<Cell>> {
        let file = match sys::open(&self.cells, name) {
            Err(Error::NotFound) => return Ok(None),
            file => file?,
        };
        let bytes = read(&file, HEADER + CELL_BYTES + 1)?;
        decode(&bytes).map(Some).map_err(|why| Error::Damaged(format!("the cell is damaged: {why}")))
    }

    /// Sees to it that no crash takes back what was found.
    fn settle(&self, name: &str, cell: Option<&Cell>) -> Result<()> {
        let Some(cell) = cell else {
            return sys::sync_directory(&self.cells);
        };
        if guard(&self.versions).get(name) != Some(&cell.version) {
            sys::sync_directory(&self.cells)?;
            guard(&self.versions).insert(name.to_owned(), cell.version);
        }
        Ok(())
    }

    fn replace(&self, name: &str, old: Option<u64>, value: &[u8]) -> Result<u64> {
        let version = match old {
            Some(version) => version,
            None => self.floor()?.1,
        };
        let version = version.checked_add(1).ok_or_else(|| Error::Io("cell versions are used up".into()))?;
        guard(&self.versions).remove(name);
        let written = self.write_aside(&encode(version, value))?;
        sys::rename(&self.cells, written, name)?;
        sys::sync_directory(&self.cells)?;
        guard(&self.versions).insert(name.to_owned(), version);
        Ok(version)
    }

    fn remove(&self, name: &str, version: u64) -> Result<u64> {
        let (file, floor) = self.floor()?;
        if floor < version {
            file.write_all_at(&encode_floor(version), 0).map_err(sys::failure)?;
            file.sync_data().map_err(sys::failure)?;
        }
        guard(&self.versions).remove(name);
        sys::unlink(&self.cells, name)?;
        sys::sync_directory(&self.cells)?;
        Ok(version)
    }

    /// Writes a file that will be renamed, and syncs it. Which one it became.
    fn write_aside(&self, bytes: &[u8]) -> Result<&'static str> {
        match self.write_new(bytes) {
            Ok(()) => Ok(NEW),
            Err(Error::OutOfSpace) => {
                let _ = sys::unlink(&self.cells, NEW);
                self.write_spare(bytes).map(|()| SPARE)
            }
            Err(error) => Err(error),
        }
    }

    fn write_new(&self, bytes: &[u8]) -> Result<()> {
        match sys::unlink(&self.cells, NEW) {
            Ok(()) | Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
        let file = sys::create(&self.cells, NEW)?;
        file.write_all_at(bytes, 0).map_err(sys::failure)?;
        file.sync_all().map_err(sys::failure)
    }

    fn write_spare(&self, bytes: &[u8]) -> Result<()> {
        let file = match sys::open(&self.cells, SPARE) {
            Err(Error::NotFound) => return Err(Error::OutOfSpace),
            file => file?,
        };
        file.write_all_at(bytes, 0).map_err(sys::failure)?;
        file.set_len(bytes.len() as u64).map_err(sys::failure)?;
        file.sync_all().map_err(sys::failure)
    }

    /// Makes the spare as large as there is room for. That there is none is no error: it is missed only on a full disk.
    fn fill_spare(&self) {
        let fill = || {
            let file = match sys::open(&self.cells, SPARE) {
                Err(Error::NotFound) => sys::create(&self.cells, SPARE)?,
                file => file?,
            };
            let mut size = file.metadata().map_err(sys::failure)?.len();
            if size >= SPARE_BYTES {
                return Ok(());
            }
            while size < SPARE_BYTES && file.write_all_at(&[0; 4096], size).is_ok() {
                size += 4096;
            }
            file.sync_all().map_err(sys::failure)
        };
        let _: Result<()> = fill();
    }

    /// The highest version of any removed cell, and the file that it is in.
    fn floor(&self) -> Result<(fs::File, u64)> {
        let file = match sys::open(&self.cells, FLOOR) {
            Err(Error::NotFound) => {
                self.make_floor()?;
                sys::open(&self.cells, FLOOR)?
            }
            file => file?,
        };
        let floor = decode_floor(&read(&file, FLOOR_BYTES)?)
            .ok_or_else(|| Error::Damaged(format!("cells/{FLOOR} is damaged; restore it from a copy")))?;
        Ok((file, floor))
    }

    /// Makes the floor where there is none, also in a copy that lost it: no lower than any cell that is there.
    fn make_floor(&self) -> Result<()> {
        let mut floor = 0;
        for name in sys::names(&self.cells, false)? {
            floor = floor.max(self.load(&name)?.map_or(0, |cell| cell.version));
        }
        self.write_new(&encode_floor(floor))?;
        sys::rename(&self.cells, NEW, FLOOR)?;
        sys::sync_directory(&self.cells)
    }
}

fn encode_floor(floor: u64) -> [u8; FLOOR_BYTES] {
    let mut bytes = [0; FLOOR_BYTES];
    let (magic, rest) = bytes.split_at_mut(8);
    let (number, sum) = rest.split_at_mut(8);
    magic.copy_from_slice(FLOOR_MAGIC);
    number.copy_from_slice(&floor.to_le_bytes());
    sum.copy_from_slice(&check(FLOOR_MAGIC, &floor.to_le_bytes()).to_le_bytes());
    bytes
}

fn decode_floor(bytes: &[u8]) -> Option<u64> {
    let floor = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    (encode_floor(floor) == bytes).then_some(floor)
}

/// At most `max` bytes from the start.
fn read(file: &fs::File, max: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    file.take(max as u64).read_to_end(&mut bytes).map_err(sys::failure)?;
    Ok(bytes)
}
