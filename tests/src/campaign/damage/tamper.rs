//! Everything that is done to a log at rest: to its bits, sectors, files and cells.

use super::Form;
use crate::campaign::rest::Rest;
use crate::campaign::trial::Trial;
use crate::rng::SplitMix64;
use crate::sim::{SECTOR, SimDisk};

/// One damage.
pub(super) struct Tampering<'a> {
    /// What is counted together.
    pub(super) kind: &'static str,
    /// What it is, exactly.
    pub(super) what: String,
    /// Whether this is done at every place, as opposed to some.
    pub(super) exhausted: bool,
    apply: Box<dyn Fn(&SimDisk) + 'a>,
}

impl Tampering<'_> {
    pub(super) fn apply(&self, disk: &SimDisk) {
        (self.apply)(disk);
    }
}

type Boxed<'a> = Box<dyn Iterator<Item = Tampering<'a>> + 'a>;

fn tampering<'a>(
    kind: &'static str,
    what: impl Into<String>,
    apply: impl Fn(&SimDisk) + 'a,
) -> Tampering<'a> {
    Tampering { kind, what: format!("{kind}: {}", what.into()), exhausted: true, apply: Box::new(apply) }
}

/// A log at rest, and from where else bytes may come.
pub(super) struct World<'a, T: Trial> {
    pub(super) rest: &'a Rest<T>,
    /// Other logs of the same kind.
    pub(super) others: &'a [SimDisk],
    pub(super) seed: u64,
    pub(super) form: Form,
}

impl<'a, T: Trial> World<'a, T> {
    /// All damage, in a fixed order.
    pub(super) fn all(&'a self) -> impl Iterator<Item = Tampering<'a>> {
        let files = self.rest.disk.file_names();
        let per_file = files.into_iter().flat_map(|file| {
            let file: &'a str = Box::leak(file.into_boxed_str());
            self.bits(file).chain(self.sectors(file)).chain(self.file(file))
        });
        let cells = self.rest.disk.cell_names().into_iter().flat_map(|cell| {
            let cell: &'a str = Box::leak(cell.into_boxed_str());
            self.cell(cell)
        });
        per_file.chain(cells).chain(self.storage())
    }

    fn disk(&self) -> &'a SimDisk {
        &self.rest.disk
    }

    /// Up to two earlier states of the storage: an early one and the last one.
    fn older(&self) -> impl Iterator<Item = &'a SimDisk> + use<'a, T> {
        let older = &self.rest.older;
        let picks = [older.len() / 2, older.len().saturating_sub(1)];
        let count = if picks[0] == picks[1] { 1 } else { 2 };
        picks.into_iter().take(count).filter_map(|at| older.get(at))
    }

    fn bits(&'a self, file: &'a str) -> Boxed<'a> {
        let size = self.disk().file_size(file) * 8;
        let step = if size <= self.form.exhausted * 8 { 1 } else { self.form.bit_step };
        let first = SplitMix64::new(self.seed).below(step);
        Box::new((first..size).step_by(step as usize).map(move |bit| Tampering {
            exhausted: step == 1,
            ..tampering("bit flipped", format!("{bit} of {file}"), move |disk| {
                disk.flip_bit(file, bit);
            })
        }))
    }

    fn sectors(&'a self, file: &'a str) -> Boxed<'a> {
        let size = self.disk().file_size(file);
        Box::new((0..size.div_ceil(SECTOR)).flat_map(move |sector| self.sector(file, sector)))
    }

    fn sector(&'a self, file: &'a str, sector: u64) -> Vec<Tampering<'a>> {
        let at = sector * SECTOR;
        let bytes = self.disk().file_bytes(file);
        let all = bytes.len() as u64 / SECTOR;
        let own = piece(&bytes, at);
        let len = own.len();
        let mut rng = SplitMix64::new(SplitMix64::derive(self.seed, sector));
        let what = |more: &str| format!("sector {sector} of {file}{more}");
        let put = |kind, more: &str, mut content: Vec<u8>| {
            content.truncate(len);
            tampering(kind, what(more), move |disk| disk.overwrite(file, at, &content))
        };
        let mut list = vec![
            put("sector zeroed", "", vec![0; len]),
            put("sector garbage", "", rng.bytes(len)),
            put("sector garbage", ", ones", vec![0xFF; len]),
        ];
        for (age, old) in self.older().enumerate() {
            let old = old.file_bytes(file);
            if !old.is_empty() {
                let mut content = piece(&old, at);
                content.resize(len, 0);
                list.push(put("sector stale", &format!(", {age}"), content));
            }
        }
        // Two sectors are exchanged, or what was for one was written to the other and is missing there.
        let partners = [sector + 1, rng.below(all.max(1)), rng.below(all.max(1))];
        for partner in partners.into_iter().filter(|partner| *partner != sector && *partner < all) {
            let (to, other) = (partner * SECTOR, piece(&bytes, partner * SECTOR));
            let (mine, theirs) = (own.clone(), other);
            list.push(tampering("sectors swapped", what(&format!(" with {partner}")), move |disk| {
                disk.overwrite(file, at, &theirs[..len]);
                disk.overwrite(file, to, &mine);
            }));
            let mine = own.clone();
            let mut stale =
                self.older().last().map(|old| piece(&old.file_bytes(file), at)).unwrap_or_default();
            stale.resize(len, 0);
            list.push(tampering("sector misdirected", what(&format!(" to {partner}")), move |disk| {
                disk.overwrite(file, at, &stale);
                disk.overwrite(file, to, &mine);
            }));
        }
        let files = self.disk().file_names();
        for from in files.iter().filter(|from| *from != file) {
            let content = piece(&self.disk().file_bytes(from), at);
            if content.len() == len {
                list.push(put("sector of another file", &format!(" from {from}"), content));
            }
        }
        for (log, other) in self.others.iter().enumerate() {
            for from in other.file_names() {
                let content = piece(&other.file_bytes(&from), at);
                if content.len() == len && from.ends_with(suffix(file)) {
                    list.push(put("sector of another log", &format!(" from {from} of log {log}"), content));
                }
            }
        }
        list
    }

    fn file(&'a self, file: &'a str) -> Boxed<'a> {
        let size = self.disk().file_size(file);
        let mut list = vec![
            tampering("file missing", file, move |disk| disk.remove_file(file)),
            tampering("file emptied", file, move |disk| disk.cut_file(file, 0)),
        ];
        for to in neighbours(file) {
            if !self.disk().file_names().contains(&to) {
                list.push(tampering("file duplicated", format!("{file} as {to}"), move |disk| {
                    disk.copy_file(&disk.clone(), file, &to);
                }));
            }
        }
        for (age, old) in self.older().enumerate() {
            if old.file_names().iter().any(|name| name == file) {
                list.push(tampering("file of an older copy", format!("{file}, {age}"), move |disk| {
                    disk.copy_file(old, file, file);
                }));
            }
        }
        for (log, other) in self.others.iter().enumerate() {
            for from in other.file_names().into_iter().filter(|from| from.ends_with(suffix(file))) {
                list.push(tampering(
                    "file of another log",
                    format!("{from} of {log} as {file}"),
                    move |disk| {
                        disk.copy_file(other, &from, file);
                    },
                ));
            }
        }
        for with in self.disk().file_names().into_iter().filter(|with| with.as_str() > file) {
            list.push(tampering("files swapped", format!("{file} and {with}"), move |disk| {
                let whole = disk.fork();
                disk.copy_file(&whole, file, &with);
                disk.copy_file(&whole, &with, file);
            }));
        }
        let ends = (1..size.div_ceil(SECTOR)).map(|sector| sector * SECTOR);
        let frames = self.rest.frames.get(file).into_iter().flatten().map(|frame| frame.offset);
        list.extend(ends.chain(frames).map(|end| {
            tampering("file cut", format!("{file} at {end}"), move |disk| disk.cut_file(file, end))
        }));
        let bytes = self.disk().file_bytes(file);
        let tail = bytes[bytes.len().saturating_sub(SECTOR as usize)..].to_vec();
        let garbage = SplitMix64::new(self.seed).bytes(SECTOR as usize);
        for (more, with) in
            [("zeros", vec![0; 5000]), ("garbage", garbage), ("its end", tail), ("itself", bytes)]
        {
            list.push(tampering("file extended", format!("{file} by {more}"), move |disk| {
                disk.overwrite(file, size, &with);
            }));
        }
        Box::new(list.into_iter())
    }

    fn cell(&'a self, cell: &'a str) -> Boxed<'a> {
        let value = self.disk().cell_value(cell).unwrap_or_default();
        let mut list = vec![tampering("cell missing", cell, move |disk| disk.remove_cell(cell))];
        let mut put = |kind, what: String, value: Vec<u8>| {
            list.push(tampering(kind, format!("{cell}{what}"), move |disk| disk.put_cell(cell, &value)));
        };
        for len in 0..value.len() {
            put("cell cut", format!(" at {len}"), value[..len].to_vec());
        }
        put("cell extended", String::new(), [&value[..], &[0]].concat());
        for (age, old) in self.older().enumerate() {
            if let Some(value) = old.cell_value(cell) {
                put("cell of an older copy", format!(", {age}"), value);
            }
        }
        for (log, other) in self.others.iter().enumerate() {
            for from in other.cell_names().into_iter().filter(|from| is_root(from) == is_root(cell)) {
                if let Some(value) = other.cell_value(&from) {
                    put("cell of another log", format!(" from {from} of {log}"), value);
                }
            }
        }
        for from in self.disk().cell_names().into_iter().filter(|from| from != cell) {
            if let Some(value) = self.disk().cell_value(&from) {
                put("cell of another", format!(" from {from}"), value);
            }
        }
        let bits = value.len() as u64 * 8;
        list.extend((0..bits).map(|bit| {
            tampering("cell bit flipped", format!("{bit} of {cell}"), move |disk| {
                disk.flip_cell_bit(cell, bit)
            })
        }));
        Box::new(list.into_iter())
    }

    /// What happens to files and cells together: all of the storage goes back in time, or all cells, or all files.
    fn storage(&'a self) -> Boxed<'a> {
        Box::new(self.rest.older.iter().enumerate().flat_map(|(age, old)| {
            let files = move |disk: &SimDisk| {
                disk.file_names().iter().for_each(|file| disk.remove_file(file));
                old.file_names().iter().for_each(|file| disk.copy_file(old, file, file));
            };
            let cells = move |disk: &SimDisk| {
                disk.cell_names().iter().for_each(|cell| disk.remove_cell(cell));
                for cell in old.cell_names() {
                    disk.put_cell(&cell, &old.cell_value(&cell).unwrap_or_default());
                }
            };
            [
                tampering("storage of an older copy", format!("step {age}"), move |disk| {
                    files(disk);
                    cells(disk);
                }),
                tampering("all files older", format!("step {age}"), files),
                tampering("all cells older", format!("step {age}"), cells),
            ]
        }))
    }
}

fn piece(bytes: &[u8], at: u64) -> Vec<u8> {
    let start = (at as usize).min(bytes.len());
    bytes[start..(start + SECTOR as usize).min(bytes.len())].to_vec()
}

/// Generation and segment of a file's name.
fn suffix(file: &str) -> &str {
    &file[file.len().saturating_sub(26)..]
}

fn is_root(cell: &str) -> bool {
    cell.starts_with("log.")
}

/// Names that a file of the same log may have: the next segment and the one after it, the next generation, another id.
fn neighbours(file: &str) -> Vec<String> {
    let parts: Vec<&str> = file.split('.').collect();
    let [log, id, generation, segment] = parts[..] else { return Vec::new() };
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
    let (next, after) = (number(segment) + 1, number(segment) + 2);
    let other_id: String = id.chars().rev().collect();
    let mut names = vec![
        format!("{log}.{id}.{generation}.{next:016x}"),
        format!("{log}.{id}.{generation}.{after:016x}"),
        format!("{log}.{id}.{:08x}.{segment}", number(generation) + 1),
        format!("{log}.{other_id}.{generation}.{segment}"),
    ];
    if number(segment) > 1 {
        names.push(format!("{log}.{id}.{generation}.{:016x}", number(segment) - 1));
    }
    names
}
