//! Changes of what is stored, between two calls: sectors, files and cells.

use crate::rng::SplitMix64;
use crate::sim::{SECTOR, SimDisk};

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tamper {
    FlipBit,
    ZeroSector,
    GarbageSector,
    StaleSector,
    SwapSectors,
    CopySector,
    ZeroFile,
    GarbageFile,
    EmptyFile,
    StaleFile,
    SwapFiles,
    ForeignFile,
    FileGone,
    FlipCell,
    ZeroCell,
    StaleCell,
    ForeignCell,
    CellGone,
}

/// Bytes that are put somewhere. Put there again and again it is what a stuck disk does.
#[derive(Clone, Debug)]
pub(super) enum Patch {
    Bytes(String, u64, Vec<u8>),
    File(String, Option<Vec<u8>>),
    Cell(String, Option<Vec<u8>>),
}

/// Disks that wrong bytes come from.
pub(super) struct Sources<'a> {
    /// The same disk some calls ago.
    pub(super) older: &'a SimDisk,
    /// A disk with another log of the same kind.
    pub(super) foreign: &'a SimDisk,
}

impl Patch {
    /// Puts it there, if there is still something of that name. False if that changed nothing.
    pub(super) fn apply(&self, disk: &SimDisk) -> bool {
        let before = disk.hash();
        match self {
            Patch::Bytes(file, offset, bytes) => {
                let room = disk.file_size(file).saturating_sub(*offset).min(bytes.len() as u64);
                if room > 0 {
                    disk.overwrite(file, *offset, &bytes[..room as usize]);
                }
            }
            Patch::File(name, None) => disk.remove_file(name),
            Patch::File(name, Some(bytes)) => {
                if disk.file_names().contains(name) && disk.file_bytes(name) != *bytes {
                    disk.cut_file(name, 0);
                    disk.overwrite(name, 0, bytes);
                }
            }
            Patch::Cell(name, None) => disk.remove_cell(name),
            Patch::Cell(name, Some(value)) => {
                if disk.cell_value(name).is_some() {
                    disk.put_cell(name, value);
                }
            }
        }
        disk.hash() != before
    }
}

impl Tamper {
    /// What to put where on this disk; nothing if there is nothing to tamper with.
    pub(super) fn patches(self, disk: &SimDisk, sources: &Sources<'_>, rng: &mut SplitMix64) -> Vec<Patch> {
        let (files, cells) = (disk.file_names(), disk.cell_names());
        let file = pick(&files, rng);
        let cell = pick(&cells, rng);
        let patches = match self {
            Tamper::FlipBit
            | Tamper::ZeroSector
            | Tamper::GarbageSector
            | Tamper::StaleSector
            | Tamper::SwapSectors
            | Tamper::CopySector => file.and_then(|file| self.sectors(disk, file, sources, rng)),
            Tamper::ZeroFile | Tamper::GarbageFile | Tamper::EmptyFile | Tamper::FileGone => {
                file.map(|file| vec![Patch::File(file.clone(), self.new_file(disk, file, rng))])
            }
            Tamper::StaleFile => {
                let changed = |name: &&String| {
                    sources.older.file_names().contains(name)
                        && sources.older.file_bytes(name) != disk.file_bytes(name)
                };
                let changed: Vec<String> = files.iter().filter(changed).cloned().collect();
                let name = pick(&changed, rng);
                name.map(|name| vec![Patch::File(name.clone(), Some(sources.older.file_bytes(name)))])
            }
            Tamper::SwapFiles => {
                file.zip(pick(&files, rng)).filter(|(one, two)| one != two).map(|(one, two)| {
                    let swapped =
                        |to: &String, from: &String| Patch::File(to.clone(), Some(disk.file_bytes(from)));
                    vec![swapped(one, two), swapped(two, one)]
                })
            }
            Tamper::ForeignFile => file.zip(pick(&sources.foreign.file_names(), rng)).map(|(file, other)| {
                vec![Patch::File(file.clone(), Some(sources.foreign.file_bytes(other)))]
            }),
            _ => cell.and_then(|cell| self.cell(disk, cell, sources, rng)),
        };
        patches.unwrap_or_default()
    }

    fn sectors(
        self,
        disk: &SimDisk,
        file: &str,
        sources: &Sources<'_>,
        rng: &mut SplitMix64,
    ) -> Option<Vec<Patch>> {
        let bytes = disk.file_bytes(file);
        let used = bytes.iter().rposition(|&byte| byte != 0)? as u64 + 1;
        let sectors = used.div_ceil(SECTOR);
        let content = |number: u64| {
            let start = (number * SECTOR) as usize;
            bytes[start..bytes.len().min(start + SECTOR as usize)].to_vec()
        };
        let at = |number: u64, bytes: Vec<u8>| Patch::Bytes(file.to_string(), number * SECTOR, bytes);
        let one = rng.below(sectors);
        let other = (one + 1 + rng.below(sectors.saturating_sub(1).max(1))) % sectors;
        let len = content(one).len();
        Some(match self {
            Tamper::FlipBit => {
                let bit = rng.below(used * 8);
                let flipped = bytes[(bit / 8) as usize] ^ (1 << (bit % 8));
                vec![Patch::Bytes(file.to_string(), bit / 8, vec![flipped])]
            }
            Tamper::ZeroSector => vec![at(one, vec![0; len])],
            Tamper::GarbageSector => vec![at(one, rng.bytes(len))],
            Tamper::StaleSector => {
                let mut old = sources.older.file_bytes(file);
                old.resize(bytes.len().max(old.len()), 0);
                let old_of =
                    |number: u64| old[(number * SECTOR) as usize..][..content(number).len()].to_vec();
                let changed: Vec<u64> =
                    (0..sectors).filter(|number| content(*number) != old_of(*number)).collect();
                let number = *pick(&changed, rng)?;
                vec![at(number, old_of(number))]
            }
            Tamper::SwapSectors => vec![at(one, content(other)), at(other, content(one))],
            _ => vec![at(other, content(one))],
        })
    }

    fn new_file(self, disk: &SimDisk, file: &str, rng: &mut SplitMix64) -> Option<Vec<u8>> {
        let size = disk.file_size(file) as usize;
        match self {
            Tamper::ZeroFile => Some(vec![0; size]),
            Tamper::GarbageFile => Some(rng.bytes(size.min(1 << 15))),
            Tamper::EmptyFile => Some(Vec::new()),
            _ => None,
        }
    }

    fn cell(
        self,
        disk: &SimDisk,
        cell: &str,
        sources: &Sources<'_>,
        rng: &mut SplitMix64,
    ) -> Option<Vec<Patch>> {
        let mut value = disk.cell_value(cell)?;
        let value = match self {
            Tamper::FlipCell => {
                let bit = rng.below((value.len() as u64 * 8).max(1));
                *value.get_mut((bit / 8) as usize)? ^= 1 << (bit % 8);
                Some(value)
            }
            Tamper::ZeroCell => Some(vec![0; value.len()]),
            Tamper::StaleCell => Some(sources.older.cell_value(cell)?),
            Tamper::ForeignCell => {
                // A log's root cell is the one that sorts first.
                let root = |name: &String| name.matches('.').count() == cell.matches('.').count();
                let names: Vec<String> = sources.foreign.cell_names().into_iter().filter(root).collect();
                Some(sources.foreign.cell_value(pick(&names, rng)?)?)
            }
            _ => None,
        };
        Some(vec![Patch::Cell(cell.to_string(), value)])
    }
}

fn pick<'a, T>(from: &'a [T], rng: &mut SplitMix64) -> Option<&'a T> {
    from.get(rng.below((from.len() as u64).max(1)) as usize)
}
