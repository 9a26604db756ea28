//! What only a directory can get wrong: links, other processes, leftovers, damage, reopening.

use super::{super::*, *};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A path of its own for a test, removed at the end.
pub(in crate::storage) struct Place(PathBuf);

impl Place {
    pub(in crate::storage) fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("annals-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Place(path)
    }

    pub(in crate::storage) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn swapped(swap: Result<Swap>) -> u64 {
    match swap {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("not swapped: {other:?}"),
    }
}

#[test]
fn everything_is_there_again_after_reopening() {
    let place = Place::new();
    let first = Directory::open(place.path()).unwrap();
    first.create("f").unwrap().write(0, b"bytes").unwrap();
    let version = swapped(first.swap_cell("c", None, Some(b"value")));
    let gone = swapped(first.swap_cell("gone", None, Some(b"x")));
    swapped(first.swap_cell("gone", Some(gone), None));
    drop(first);

    let second = Directory::open(place.path()).unwrap();
    assert_eq!(second.open("f").unwrap().read(0, 9).unwrap(), b"bytes");
    assert_eq!(second.read_cell("c"), Ok(Some(Cell { version, value: b"value".to_vec() })));
    assert!(swapped(second.swap_cell("gone", None, Some(b"y"))) > gone, "a version returned");
}

#[test]
fn missing_parents_are_made_and_only_the_user_may_look() {
    let place = Place::new();
    let directory = Directory::open(place.path().join("some/where")).unwrap();
    directory.create("f").unwrap();
    directory.swap_cell("c", None, Some(b"")).unwrap();
    drop(directory.lock("l", 0).unwrap());
    let mode = |path: &str| fs::metadata(place.path().join("some/where").join(path)).unwrap().mode() & 0o777;
    assert_eq!([mode("."), mode("files"), mode("cells"), mode("locks")], [0o700; 4]);
    assert_eq!([mode("files/f"), mode("cells/c"), mode("locks/l")], [0o600; 3]);
}

#[test]
fn an_existing_directory_is_opened_without_changing_it() {
    let place = Place::new();
    assert!(Directory::open_existing(place.path()).is_err());
    assert!(!place.path().exists());
    fs::create_dir(place.path()).unwrap();
    assert!(Directory::open_existing(place.path()).is_err());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);

    let directory = Directory::open(place.path()).unwrap();
    directory.create("f").unwrap().write(0, b"x").unwrap();
    let there = Directory::open_existing(place.path()).unwrap();
    assert_eq!(there.open("f").unwrap().read(0, 9).unwrap(), b"x");
}

#[test]
fn a_file_in_place_of_the_directory_is_an_error() {
    let place = Place::new();
    fs::write(place.path(), "a file").unwrap();
    assert!(matches!(Directory::open(place.path()), Err(crate::Error::Storage(_))));
    assert!(matches!(Directory::open_existing(place.path()), Err(crate::Error::Storage(_))));
    fs::remove_file(place.path()).unwrap();
}

#[test]
fn what_is_not_a_plain_file_is_refused() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    let secret = place.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let at = |name: &str| place.path().join(name);
    for kind in ["files", "cells", "locks"] {
        symlink(&secret, at(&format!("{kind}/link"))).unwrap();
        symlink("nowhere", at(&format!("{kind}/dangling"))).unwrap();
        fs::create_dir(at(&format!("{kind}/dir"))).unwrap();
        fs::hard_link(&secret, at(&format!("{kind}/hard"))).unwrap();
        let fifo = Command::new("mkfifo").arg(at(&format!("{kind}/fifo"))).status().unwrap();
        assert!(fifo.success());
    }
    for name in ["link", "dangling", "dir", "hard", "fifo"] {
        assert!(matches!(directory.open(name), Err(Error::Io(_))), "open {name}");
        assert!(matches!(directory.create(name), Err(Error::Exists)), "create {name}");
        assert!(directory.read_cell(name).is_err(), "read {name}");
        assert!(directory.swap_cell(name, None, Some(b"x")).is_err(), "swap {name}");
        assert!(directory.lock(name, 0).is_err(), "lock {name}");
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    assert!(!at("files/nowhere").exists() && !at("locks/nowhere").exists());
    assert_eq!(
        directory.list("", None, 99).unwrap(),
        ["hard"],
        "links, pipes and directories are not listed"
    );
}

#[test]
fn foreign_names_are_left_alone() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    for name in ["README", ".hidden", "with space", "ümlaut"] {
        fs::write(place.path().join("files").join(name), "foreign").unwrap();
        fs::write(place.path().join("cells").join(name), "foreign").unwrap();
    }
    directory.create("ours").unwrap();
    swapped(directory.swap_cell("ours", None, Some(b"")));
    assert_eq!(directory.list("", None, 99).unwrap(), ["ours"]);
    assert_eq!(directory.list_cells("", None, 99).unwrap(), ["ours"]);
}

#[test]
fn a_damaged_cell_is_damage_and_not_an_older_or_empty_cell() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    swapped(directory.swap_cell("c", None, Some(b"value")));
    let path = place.path().join("cells/c");
    let good = fs::read(&path).unwrap();
    let mut bad: Vec<Vec<u8>> = (0..good.len() * 8)
        .map(|bit| {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        })
        .collect();
    bad.extend((0..good.len()).map(|len| good[..len].to_vec()));
    bad.push([&good[..], b"\0"].concat());
    for bytes in bad {
        fs::write(&path, &bytes).unwrap();
        let Err(Error::Damaged(what)) = directory.read_cell("c") else { panic!("read {bytes:?}") };
        assert!(what.contains("the cell is damaged"), "{what}");
        assert!(directory.swap_cell("c", Some(1), Some(b"new")).is_err());
        assert_eq!(fs::read(&path).unwrap(), bytes, "a damaged cell was changed");
    }
}

#[test]
fn a_damaged_floor_stops_what_depends_on_it() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    let version = swapped(directory.swap_cell("c", None, Some(b"x")));
    let floor = place.path().join("cells/.floor");
    let good = fs::read(&floor).unwrap();
    fs::write(&floor, &good[..19]).unwrap();
    assert!(directory.swap_cell("d", None, Some(b"x")).is_err());
    assert!(directory.swap_cell("c", Some(version), None).is_err());
    assert!(directory.read_cell("c").unwrap().is_some());
    fs::write(&floor, &good).unwrap();
    swapped(directory.swap_cell("c", Some(version), None));
}

#[test]
fn a_lost_floor_is_made_no_lower_than_the_cells() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    let first = swapped(directory.swap_cell("c", None, Some(b"x")));
    let second = swapped(directory.swap_cell("c", Some(first), Some(b"x")));
    fs::remove_file(place.path().join("cells/.floor")).unwrap();
    let directory = Directory::open(place.path()).unwrap();
    assert!(swapped(directory.swap_cell("d", None, Some(b"x"))) > second);
}

#[test]
fn leftovers_of_a_crash_do_no_harm() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    swapped(directory.swap_cell("c", None, Some(b"old")));
    fs::write(place.path().join("cells/.new"), "half of a cel").unwrap();
    fs::write(place.path().join("cells/.spare"), "short").unwrap();
    let directory = Directory::open(place.path()).unwrap();
    assert_eq!(directory.read_cell("c").unwrap().unwrap().value, b"old");
    swapped(directory.swap_cell("d", None, Some(b"new")));
    assert!(fs::metadata(place.path().join("cells/.spare")).unwrap().len() > CELL_BYTES as u64);
}

#[test]
fn two_openings_of_one_directory_see_the_same() {
    let place = Place::new();
    let (one, two) = (Directory::open(place.path()).unwrap(), Directory::open(place.path()).unwrap());
    let version = swapped(one.swap_cell("c", None, Some(b"1")));
    assert_eq!(two.read_cell("c").unwrap().unwrap().version, version);
    let version = swapped(two.swap_cell("c", Some(version), Some(b"2")));
    assert_eq!(one.read_cell("c").unwrap().unwrap().version, version);
    let held = one.lock("l", 0).unwrap();
    assert!(matches!(two.lock("l", 0), Err(Error::Locked)));
    drop(held);
    two.lock("l", 0).unwrap();
    one.create("f").unwrap().write(0, b"x").unwrap();
    two.remove("f").unwrap();
    assert!(matches!(one.open("f"), Err(Error::NotFound)));
}

#[test]
fn a_fork_goes_its_own_way() {
    let place = Place::new();
    let directory = Directory::open(place.path().join("one")).unwrap();
    let file = directory.create("f").unwrap();
    file.write(0, b"both").unwrap();
    let version = swapped(directory.swap_cell("c", None, Some(b"both")));
    let _held = directory.lock("l", 0).unwrap();
    let fork = directory.fork(place.path().join("two")).unwrap();
    file.write(0, b"here").unwrap();
    assert_eq!(fork.open("f").unwrap().read(0, 9).unwrap(), b"both");
    assert_eq!(fork.read_cell("c").unwrap().unwrap(), Cell { version, value: b"both".to_vec() });
    fork.lock("l", 0).unwrap();
    assert!(directory.fork(place.path().join("two")).is_err());
}

/// Holds a lock until told to stop: run as a process of its own by the test below.
#[test]
fn helper_process() {
    let Some(path) = std::env::var_os("ANNALS_TEST_LOCK_HOLDER") else { return };
    let directory = Directory::open(path).unwrap();
    let _held = directory.lock("l", 0).unwrap();
    fs::write(directory.path().join("held"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(120));
}

#[test]
fn a_lock_excludes_other_processes_until_their_death() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "storage::directory::tests::helper_process"])
        .env("ANNALS_TEST_LOCK_HOLDER", place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !place.path().join("held").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the other process did not take the lock");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(matches!(directory.lock("l", 50), Err(Error::Locked)));
    child.kill().unwrap();
    child.wait().unwrap();
    directory.lock("l", 5_000).unwrap();
}

#[test]
fn a_directory_that_may_only_be_read_can_be_read() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    directory.create("f").unwrap().write(0, b"x").unwrap();
    fs::set_permissions(place.path().join("files/f"), fs::Permissions::from_mode(0o400)).unwrap();
    let file = Directory::open_existing(place.path()).unwrap().open("f").unwrap();
    assert_eq!(file.read(0, 9).unwrap(), b"x");
}

#[test]
fn after_a_failed_sync_its_handles_refuse_and_later_ones_do_not() {
    let place = Place::new();
    let directory = Directory::open(place.path()).unwrap();
    // Syncing a pipe fails, which stands in for a disk that does.
    let inodes = directory.shared.inodes.clone();
    let real = sys::create(&directory.shared.files, "f").unwrap();
    let inode = Inode::of(&real).unwrap();
    let (pipe, _other_end) = std::io::pipe().unwrap();
    let failing = OpenFile::new("f", fs::File::from(std::os::fd::OwnedFd::from(pipe)), inode, &inodes);
    let beside = directory.open("f").unwrap();
    beside.write(0, b"x").unwrap();
    assert!(matches!(failing.sync(), Err(Error::Io(_))));
    for file in [&failing as &dyn File, &*beside] {
        assert!(matches!(file.sync(), Err(Error::Io(_))));
        assert!(matches!(file.write(1, b"y"), Err(Error::Io(_))));
        assert!(matches!(file.reserve(9_000), Err(Error::Io(_))));
        assert!(matches!(file.truncate(0), Err(Error::Io(_))));
        assert!(file.begin_sync().is_err());
    }
    assert_eq!(beside.read(0, 9).unwrap(), b"x", "reading goes on");
    let later = directory.open("f").unwrap();
    later.write(0, b"z").unwrap();
    later.sync().unwrap();
}
