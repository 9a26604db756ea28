//! A disk that is really full: ext4 of 24 MiB, mounted for the test. Where it cannot be mounted (no root, no loop
//! devices) the tests say so and count as passed; `ANNALS_TEST_NEED_MOUNT=1` makes that a failure.
#![cfg(target_os = "linux")]

use annals::storage::{self, Cell, Directory, Storage, Swap};
use annals::{Error, Journal, Runtime, journal::Options};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock},
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A small file system, unmounted at the end.
struct Disk {
    image: PathBuf,
    root: PathBuf,
}

fn run(command: &str, args: &[&Path]) -> bool {
    let mut words = command.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).args(args).output();
    status.is_ok_and(|output| output.status.success())
}

impl Disk {
    fn new(name: &str) -> Option<Disk> {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let (image, root) = (place.with_extension("img"), place.with_extension("mnt"));
        fs::create_dir_all(&root).unwrap();
        fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
        let mounted =
            run("mkfs.ext4 -q -F -b 4096 -m 0", &[&image]) && run("mount -o loop", &[&image, &root]);
        let needed = std::env::var_os("ANNALS_TEST_NEED_MOUNT").is_some();
        assert!(mounted || !needed, "cannot mount a small file system here");
        let disk = Disk { image, root };
        if !mounted {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: a small file system cannot be mounted here (needs root and loop devices)"
            );
            return None;
        }
        Some(disk)
    }

    fn storage(&self) -> Arc<Directory> {
        Arc::new(Directory::open(self.root.join("logs")).unwrap())
    }

    /// Takes every block that is left.
    fn fill(&self) {
        let mut filler =
            fs::File::options().append(true).create(true).open(self.root.join("filler")).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![1; size]).is_ok() {}
        }
        // Delayed allocation would find out only now.
        let _ = filler.sync_all();
        while filler.write_all(&[1]).is_ok() && filler.sync_all().is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.root.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[&self.root]);
        let _ = fs::remove_file(&self.image);
        let _ = fs::remove_dir(&self.root);
    }
}

fn options() -> Options {
    Options::new().items_per_section(100).segment_bytes(1 << 20)
}

fn item(position: u64) -> Vec<u8> {
    position.to_le_bytes().repeat(125)
}

/// Appends and syncs batches until there is no room, and checks that the journal ends with what was acknowledged.
fn append_until_full(log: &Journal) -> u64 {
    let start = log.size().unwrap();
    let mut size = start;
    loop {
        let batch: Vec<_> = (size..size + 10).map(item).collect();
        match log.append_batch(&batch).and_then(|_| log.sync()) {
            Ok(_) => size += 10,
            Err(Error::OutOfSpace) => break,
            Err(error) => panic!("at {size}: {error:?}"),
        }
    }
    let there = log.size().unwrap();
    assert!(there == size || there == size + 10, "{there} items where {size} were acknowledged");
    check(log);
    there
}

/// Every item is there, and what it should be.
fn check(log: &Journal) {
    let mut next = log.boundary().unwrap();
    for batch in log.replay(next).unwrap() {
        for (position, bytes) in batch.unwrap().iter() {
            assert_eq!((position, bytes), (next, &item(position)[..]));
            next += 1;
        }
    }
    assert_eq!(next, log.size().unwrap());
}

#[test]
fn a_full_disk_loses_nothing_and_prune_frees_it() {
    let Some(disk) = Disk::new("prune") else { return };
    let log = RUNTIME.journal(disk.storage(), "log", &options()).unwrap();
    let size = append_until_full(&log);
    assert!(size > 10_000, "only {size} items of 1000 bytes fitted on 24 MiB");
    println!("{size} items of 1000 bytes filled 24 MiB");

    disk.fill();
    assert_eq!(log.append_batch(&vec![item(0); 500]), Err(Error::OutOfSpace));
    assert_eq!(log.append_batch(&vec![item(0); 5000]), Err(Error::OutOfSpace), "and again");
    assert_eq!(log.size(), Ok(size));
    log.sync().unwrap();
    check(&log);

    assert!(log.prune(size / 2).unwrap(), "a full disk could not be freed");
    let more = append_until_full(&log);
    assert!(more > size + 1000, "after the prune {} items fitted", more - size);
    log.close().unwrap();
    let log = RUNTIME.journal(disk.storage(), "log", &options()).unwrap();
    assert_eq!(log.size(), Ok(more));
    check(&log);
}

#[test]
fn on_a_full_disk_logs_close_reopen_rewind_and_go() {
    let Some(disk) = Disk::new("close") else { return };
    let log = RUNTIME.journal(disk.storage(), "log", &options()).unwrap();
    for first in (0..3000).step_by(10) {
        log.append_batch(&(first..first + 10).map(item).collect::<Vec<_>>()).unwrap();
    }
    log.sync().unwrap();
    disk.fill();
    let close = log.close();
    assert!(close.is_ok(), "{close:?}");

    let storage = disk.storage();
    let log = RUNTIME.journal(storage.clone(), "log", &options()).unwrap();
    assert_eq!(log.size(), Ok(3000));
    check(&log);
    log.rewind(2990).unwrap();
    log.sync().unwrap();
    // As a crash would leave it: dropped, not closed.
    drop(log);
    let log = RUNTIME.journal(storage.clone(), "log", &options()).unwrap();
    assert_eq!(log.size(), Ok(2990));
    check(&log);

    // Another log does not fit, and what was begun of it is no harm.
    let other = RUNTIME.journal(storage.clone(), "other", &Options::default());
    assert_eq!(other.unwrap_err(), Error::OutOfSpace);
    let token = log.close().unwrap();
    let log = RUNTIME.journal(storage.clone(), "log", &options().expect(token)).unwrap();
    check(&log);
    log.close().unwrap();

    RUNTIME.destroy_journal(storage.clone(), "log").unwrap();
    let left = annals::storage::Storage::list(&*storage, "log.", None, 9).unwrap();
    assert_eq!(left, [""; 0], "its files are still there");
    disk.free();
    let log = RUNTIME.journal(storage, "other", &options()).unwrap();
    assert_eq!(log.append(&item(0)), Ok(0));
    log.close().unwrap();
}

fn swapped(swap: storage::Result<Swap>) -> u64 {
    match swap {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("not swapped: {other:?}"),
    }
}

#[test]
fn on_a_full_disk_cells_still_change_and_files_stay_as_they_are() {
    let Some(disk) = Disk::new("cells") else { return };
    let directory = disk.storage();
    let mut version = swapped(directory.swap_cell("c", None, Some(b"before")));
    let file = directory.create("f").unwrap();
    file.write(0, b"kept").unwrap();
    file.reserve(1 << 20).unwrap();

    // First more than there is, then every last block.
    assert_eq!(file.reserve(1 << 40), Err(storage::Error::OutOfSpace));
    assert_eq!(file.size(), Ok(1 << 20), "what could not be reserved was given back");
    let filler = directory.create("filler").unwrap();
    let mut size = 0;
    for step in [1 << 20, 1 << 16, 1 << 12] {
        while filler.reserve(size + step).is_ok() {
            size += step;
        }
        assert_eq!(filler.size(), Ok(size));
    }
    disk.fill();

    file.write(4, b"within what was reserved").unwrap();
    file.sync().unwrap();
    for round in 0..50_u32 {
        let value = round.to_le_bytes().repeat(if round % 5 == 0 { 16 << 10 } else { 100 });
        version = swapped(directory.swap_cell("c", Some(version), Some(&value)));
        assert_eq!(directory.read_cell("c").unwrap().unwrap(), Cell { version, value });
    }
    assert_eq!(swapped(directory.swap_cell("c", Some(version), None)), version);
    disk.free();
    directory.remove("filler").unwrap();
    assert!(swapped(directory.swap_cell("c", None, Some(b"after"))) > version);
    assert_eq!(file.read(0, 8).unwrap(), b"keptwith");
}
