//! `Directory` and `Memory` under any calls: both answer the same, nothing panics, and nothing outside of the directory
//! is touched, whatever is planted in it.

use crate::storage::{Cell, Directory, Error, File, Lock, Memory, Result, Storage, Swap, check_name};
use annals_tests::campaign::draw::Draw;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, os::unix::fs::symlink, process};

/// Most calls of one run.
const CALLS: usize = 60;
/// Files get no larger, so that no disk fills up.
const LARGEST: u64 = 1 << 17;

/// Somewhere to work, removed at the end.
struct Base(PathBuf);

impl Drop for Base {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The two under test, what is open in them, and the versions that each gave.
struct Run {
    directory: Directory,
    memory: Memory,
    files: Vec<[Box<dyn File>; 2]>,
    locks: Vec<(String, [Box<dyn Lock>; 2])>,
    /// Something was planted: from then on only the directory is under test, for it has to refuse what the other has not.
    planted: bool,
}

/// Any sequence of calls.
pub fn run(draw: &mut Draw) {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let name = format!("annals-fuzz-{}-{}", process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
    let base = Base(env::temp_dir().join(name));
    fs::create_dir(&base.0).unwrap_or_else(|error| panic!("{}: {error}", base.0.display()));
    fs::write(base.0.join("outside"), "outside").unwrap_or_else(|error| panic!("{error}"));
    let directory = Directory::open(base.0.join("root")).unwrap_or_else(|error| panic!("{error}"));
    let mut run =
        Run { directory, memory: Memory::new(), files: Vec::new(), locks: Vec::new(), planted: false };
    for _ in 0..CALLS {
        if draw.is_used_up() {
            break;
        }
        run.call(draw, &base.0);
    }
    run.files.clear();
    let mut left: Vec<_> =
        fs::read_dir(&base.0).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    left.sort();
    assert_eq!(left, ["outside", "root"], "something was made outside");
    assert_eq!(
        fs::read(base.0.join("outside")).unwrap_or_default(),
        b"outside",
        "something was written outside"
    );
}

fn name(draw: &mut Draw) -> String {
    match draw.below(8) {
        0 => String::from_utf8_lossy(&draw.bytes(12)).into_owned(),
        1 => draw.one_of(&["", ".", "..", "../outside", "/tmp", "a/b", ".new", ".cells", "a\0b", "A"]).into(),
        2 => "x".repeat(198 + draw.below(5) as usize),
        _ => ["a", "b", "c-1", "a.b_2", "log.x"][draw.below(5) as usize].into(),
    }
}

/// The same answer, whatever the words of an error and the numbers of a version.
fn agree<T: PartialEq + std::fmt::Debug>(directory: &Result<T>, memory: &Result<T>, what: &str) {
    match (directory, memory) {
        (Err(Error::Io(_)), Err(Error::Io(_))) => {}
        (directory, memory) => assert_eq!(directory, memory, "{what}"),
    }
}

fn value(cell: &Cell) -> Vec<u8> {
    cell.value.clone()
}

impl Run {
    fn both(&self) -> [&dyn Storage; 2] {
        [&self.directory, &self.memory]
    }

    /// Calls both and compares, if there is something to compare.
    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, call: impl Fn(&dyn Storage) -> Result<T>) {
        let [directory, memory] = self.both().map(call);
        if !self.planted {
            agree(&directory, &memory, what);
        }
    }

    fn call(&mut self, draw: &mut Draw, base: &Path) {
        let name = name(draw);
        match draw.below(16) {
            0 | 1 => self.file(&name, |storage| storage.create(&name)),
            2 => self.file(&name, |storage| storage.open(&name)),
            3 => self.same("remove", |storage| storage.remove(&name)),
            4 => {
                let (prefix, max) =
                    (["", "a", "log.", "\u{e9}", "z"][draw.below(5) as usize], draw.below(5) as u32);
                let after = draw.chance(50).then_some(&*name);
                self.same("list", |storage| storage.list(prefix, after, max));
                self.same("list cells", |storage| storage.list_cells(prefix, after, max));
            }
            5 | 6 => self.swap(draw, &name),
            7 => self.same("read cell", |storage| Ok(storage.read_cell(&name)?.as_ref().map(value))),
            8 => self.lock(draw, &name),
            9 => self.same("usage", |storage| storage.usage()),
            10 if draw.chance(20) => self.plant(draw, &name, base),
            11 if draw.chance(20) => {
                // Another process: nothing that this one knows.
                self.files.clear();
                self.locks.clear();
                if let Ok(directory) = Directory::open(self.directory.path()) {
                    self.directory = directory;
                }
            }
            _ => self.io(draw),
        }
    }

    fn file(&mut self, name: &str, call: impl Fn(&dyn Storage) -> Result<Box<dyn File>>) {
        let [directory, memory] = self.both().map(call);
        if !self.planted {
            let made = |file: &Result<Box<dyn File>>| file.as_ref().map(drop).map_err(Clone::clone);
            agree(&made(&directory), &made(&memory), name);
        }
        assert!(check_name(name).is_ok() || directory.is_err(), "{name:?} was taken for a name");
        if let (Ok(directory), Ok(memory)) = (directory, memory) {
            self.files.push([directory, memory]);
            if self.files.len() > 8 {
                self.files.remove(0);
            }
        }
    }

    fn swap(&self, draw: &mut Draw, name: &str) {
        let len = draw.one_of(&[0, 5, 300, 65_536, 65_537]) as usize;
        let new = draw.chance(75).then(|| vec![draw.below(256) as u8; len]);
        let which = draw.below(3);
        self.same("swap cell", |storage| {
            let expected = match which {
                0 => None,
                1 => Some(u64::MAX),
                _ => storage.read_cell(name)?.map(|cell| cell.version),
            };
            Ok(match storage.swap_cell(name, expected, new.as_deref())? {
                Swap::Swapped(_) => Ok(()),
                Swap::Stale(cell) => Err(cell.as_ref().map(value)),
            })
        });
    }

    fn lock(&mut self, draw: &mut Draw, name: &str) {
        if draw.chance(40) {
            self.locks.retain(|(held, _)| held != name);
            return;
        }
        let [directory, memory] = self.both().map(|storage| storage.lock(name, 0));
        if !self.planted {
            let taken = |lock: &Result<Box<dyn Lock>>| lock.as_ref().map(drop).map_err(Clone::clone);
            agree(&taken(&directory), &taken(&memory), name);
        }
        if let (Ok(directory), Ok(memory)) = (directory, memory) {
            self.locks.push((name.into(), [directory, memory]));
        }
    }

    fn io(&self, draw: &mut Draw) {
        if self.files.is_empty() {
            return;
        }
        let files = &self.files[draw.below(self.files.len() as u64) as usize];
        // Any number where nothing grows.
        let any = if draw.chance(80) { draw.below(LARGEST) } else { draw.number() };
        let small = draw.below(LARGEST);
        let len = draw.one_of(&[0, 1, 512, 70_000, u32::MAX]);
        let bytes = vec![draw.below(256) as u8; draw.below(3000) as usize];
        let kind = draw.below(8);
        let answers = files.each_ref().map(|file| match kind {
            0 => file.size().map(|size| size.to_le_bytes().to_vec()),
            1 | 2 => file.read(any, len),
            3 | 4 => file.write(small, &bytes).map(|()| Vec::new()),
            5 => file.reserve(small).map(|()| Vec::new()),
            6 => file.truncate(any).map(|()| Vec::new()),
            _ => {
                file.begin_sync().and_then(|sync| sync.wait()).and_then(|()| file.sync()).map(|()| Vec::new())
            }
        });
        // Where a file can have no byte an error is as good as none.
        let nowhere = kind < 3 && any > i64::MAX as u64;
        if !self.planted && !nowhere {
            agree(&answers[0], &answers[1], &format!("call {kind} of a file, {any}, {small}, {len}"));
        }
    }

    /// Puts something there that no log makes.
    fn plant(&mut self, draw: &mut Draw, name: &str, base: &Path) {
        if check_name(name).is_err() {
            return;
        }
        self.planted = true;
        let place =
            self.directory.path().join(["files", "cells", "locks"][draw.below(3) as usize]).join(name);
        let _ = match draw.below(6) {
            0 => symlink(base.join("outside"), place),
            1 => fs::hard_link(base.join("outside"), place),
            2 => fs::create_dir(place),
            3 => symlink("..", place),
            4 => symlink(base.join("nowhere"), place),
            // Not through a link that was planted before.
            _ => fs::File::create_new(place).and_then(|mut file| file.write_all(&draw.bytes(60))),
        };
    }
}
