//! One table of claims, for every provider.

use super::*;
use std::{thread, time::Instant};

fn value(swap: Result<Swap>) -> u64 {
    match swap {
        Ok(Swap::Swapped(version)) => version,
        other => panic!("not swapped: {other:?}"),
    }
}

fn files_are_created_once_and_opened_by_name(storage: &dyn Storage) {
    assert!(matches!(storage.open("a"), Err(Error::NotFound)));
    let file = storage.create("a").unwrap();
    assert_eq!(file.size(), Ok(0));
    assert!(matches!(storage.create("a"), Err(Error::Exists)));
    file.write(0, b"one").unwrap();
    assert_eq!(storage.open("a").unwrap().read(0, 10).unwrap(), b"one");
}

fn reads_end_where_the_file_ends(storage: &dyn Storage) {
    let file = storage.create("a").unwrap();
    file.write(0, b"0123456789").unwrap();
    assert_eq!(file.read(4, 3).unwrap(), b"456");
    assert_eq!(file.read(8, 100).unwrap(), b"89");
    assert_eq!(file.read(10, 1).unwrap(), b"");
    assert_eq!(file.read(u64::MAX, u32::MAX).unwrap(), b"");
    assert_eq!(file.read(0, 0).unwrap(), b"");
}

fn bytes_never_written_read_as_zeros(storage: &dyn Storage) {
    let file = storage.create("a").unwrap();
    file.write(5, b"x").unwrap();
    assert_eq!(file.read(0, 10).unwrap(), b"\0\0\0\0\0x");
    file.reserve(3_000_000).unwrap();
    assert_eq!(file.size(), Ok(3_000_000));
    assert_eq!(file.read(2_999_999, 9).unwrap(), b"\0");
    file.reserve(7).unwrap();
    assert_eq!(file.size(), Ok(3_000_000), "reserve never shortens");
    file.truncate(4_000_000).unwrap();
    assert_eq!(file.size(), Ok(3_000_000), "truncate never extends");
    file.truncate(6).unwrap();
    assert_eq!(file.read(0, 10).unwrap(), b"\0\0\0\0\0x");
    assert!(file.write(u64::MAX, b"xx").is_err());
    assert!(file.reserve(u64::MAX).is_err());
    assert_eq!(file.size(), Ok(6));
}

fn a_write_of_nothing_changes_nothing(storage: &dyn Storage) {
    let file = storage.create("f").unwrap();
    file.write(65_536, b"").unwrap();
    assert_eq!(file.size(), Ok(0));
}

fn removed_files_stay_readable_through_open_handles(storage: &dyn Storage) {
    let file = storage.create("a").unwrap();
    file.write(0, b"old").unwrap();
    storage.remove("a").unwrap();
    assert_eq!(storage.remove("a"), Err(Error::NotFound));
    let new = storage.create("a").unwrap();
    assert_eq!((file.read(0, 9).unwrap(), new.size()), (b"old".to_vec(), Ok(0)));
}

fn syncs_end_and_may_be_asked_again(storage: &dyn Storage) {
    let file = storage.create("a").unwrap();
    file.write(0, b"x").unwrap();
    file.sync().unwrap();
    let pending = file.begin_sync().unwrap();
    file.write(1, b"y").unwrap();
    assert_eq!(pending.wait(), Ok(()));
    assert_eq!((pending.wait(), pending.poll()), (Ok(()), Some(Ok(()))));
    let left_alone = file.begin_sync().unwrap();
    drop((left_alone, file));
}

fn lists_come_in_pages(storage: &dyn Storage) {
    for name in ["b-2", "a", "b-1", "b", "c", "b_", "b.x"] {
        storage.create(name).unwrap();
        storage.swap_cell(name, None, Some(b"")).unwrap();
    }
    type List<'a> = &'a dyn Fn(&str, Option<&str>, u32) -> Result<Vec<String>>;
    let lists: [List<'_>; 2] =
        [&|prefix, after, max| storage.list(prefix, after, max), &|prefix, after, max| {
            storage.list_cells(prefix, after, max)
        }];
    for list in lists {
        assert_eq!(list("", None, 100).unwrap(), ["a", "b", "b-1", "b-2", "b.x", "b_", "c"]);
        assert_eq!(list("b", None, 2).unwrap(), ["b", "b-1"]);
        assert_eq!(list("b", Some("b-1"), u32::MAX).unwrap(), ["b-2", "b.x", "b_"]);
        assert_eq!(list("b", Some("b_"), 9).unwrap(), [""; 0]);
        assert_eq!(list("", Some("a"), 0).unwrap(), [""; 0]);
    }
}

fn cells_change_only_at_the_expected_version(storage: &dyn Storage) {
    assert_eq!(storage.read_cell("c"), Ok(None));
    assert_eq!(storage.swap_cell("c", Some(1), Some(b"x")), Ok(Swap::Stale(None)));
    assert_eq!(storage.swap_cell("c", None, None), Ok(Swap::Stale(None)));
    let first = value(storage.swap_cell("c", None, Some(b"x")));
    let there = Cell { version: first, value: b"x".to_vec() };
    assert_eq!(storage.read_cell("c"), Ok(Some(there.clone())));
    assert_eq!(storage.swap_cell("c", None, Some(b"y")), Ok(Swap::Stale(Some(there.clone()))));
    assert_eq!(storage.swap_cell("c", None, None), Ok(Swap::Stale(Some(there.clone()))));
    assert_eq!(storage.swap_cell("c", Some(first + 1), None), Ok(Swap::Stale(Some(there))));
    let second = value(storage.swap_cell("c", Some(first), Some(&[7; CELL_BYTES])));
    assert_ne!(first, second);
    assert_eq!(storage.read_cell("c").unwrap().unwrap().value.len(), CELL_BYTES);
    assert!(storage.swap_cell("c", Some(second), Some(&[7; CELL_BYTES + 1])).is_err());
    assert_eq!(value(storage.swap_cell("c", Some(second), None)), second);
    assert_eq!(storage.read_cell("c"), Ok(None));
}

fn versions_never_return(storage: &dyn Storage) {
    let mut seen = std::collections::HashSet::new();
    for round in 0..20 {
        let mut version = None;
        for _ in 0..=round % 4 {
            let new = value(storage.swap_cell("c", version, Some(b"x")));
            assert!(seen.insert(new), "version {new} returned");
            version = Some(new);
        }
        // Another name moves on meanwhile.
        let other = storage.read_cell("d").unwrap().map(|cell| cell.version);
        value(storage.swap_cell("d", other, if round % 3 == 2 { None } else { Some(b"y") }));
        value(storage.swap_cell("c", version, None));
    }
}

fn names_are_narrow(storage: &dyn Storage) {
    let long = "a".repeat(201);
    for name in ["", ".", "..", ".a", "a/b", "/a", "A", "ä", "a b", "a\0", "../x", long.as_str()] {
        assert!(matches!(storage.create(name), Err(Error::InvalidName)), "{name:?}");
        assert!(matches!(storage.open(name), Err(Error::InvalidName)));
        assert_eq!(storage.remove(name), Err(Error::InvalidName));
        assert_eq!(storage.read_cell(name), Err(Error::InvalidName));
        assert_eq!(storage.swap_cell(name, None, Some(b"")), Err(Error::InvalidName));
        assert!(matches!(storage.lock(name, 0), Err(Error::InvalidName)));
    }
    for name in ["a", "0", "-", "_", "a.b..c", &long[..200]] {
        storage.create(name).unwrap();
        value(storage.swap_cell(name, None, Some(b"")));
        storage.lock(name, 0).unwrap();
    }
}

fn a_lock_excludes_until_it_is_dropped(storage: &dyn Storage) {
    let held = storage.lock("l", 0).unwrap();
    assert!(matches!(storage.lock("l", 0), Err(Error::Locked)));
    let other = storage.lock("m", 0).unwrap();
    let start = Instant::now();
    assert!(matches!(storage.lock("l", 60), Err(Error::Locked)));
    assert!(start.elapsed().as_millis() >= 60);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| storage.lock("l", 60_000).map(drop));
        drop(held);
        assert_eq!(waiting.join().unwrap(), Ok(()));
    });
    drop(other);
    storage.lock("l", 0).unwrap();
}

fn of_many_swaps_at_once_one_wins(storage: &dyn Storage) {
    value(storage.swap_cell("c", None, Some(&0_u32.to_le_bytes())));
    // Each adds one so many times. Whoever is too late is told so, and nothing else, and tries again.
    let add = || {
        let mut cell = storage.read_cell("c").unwrap().unwrap();
        loop {
            let number = u32::from_le_bytes(cell.value.try_into().unwrap()) + 1;
            match storage.swap_cell("c", Some(cell.version), Some(&number.to_le_bytes())).unwrap() {
                Swap::Swapped(_) => return,
                Swap::Stale(now) => cell = now.unwrap(),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| add()));
        }
    });
    assert_eq!(
        storage.read_cell("c").unwrap().unwrap().value,
        200_u32.to_le_bytes(),
        "each of them won once"
    );
}

macro_rules! claims {
    ($($claim:ident)*) => {
        mod memory {
            $(#[test] fn $claim() { super::$claim(&super::Memory::new()); })*
        }
        #[cfg(unix)]
        mod directory {
            $(#[test] fn $claim() {
                let place = super::super::directory::tests::Place::new();
                super::$claim(&super::Directory::open(place.path()).unwrap());
            })*
        }
    };
}

claims! {
    files_are_created_once_and_opened_by_name
    reads_end_where_the_file_ends
    bytes_never_written_read_as_zeros
    a_write_of_nothing_changes_nothing
    removed_files_stay_readable_through_open_handles
    syncs_end_and_may_be_asked_again
    lists_come_in_pages
    cells_change_only_at_the_expected_version
    versions_never_return
    names_are_narrow
    a_lock_excludes_until_it_is_dropped
    of_many_swaps_at_once_one_wins
}

#[test]
fn a_fork_of_memory_goes_its_own_way() {
    let memory = Memory::new();
    let file = memory.create("f").unwrap();
    file.write(0, b"both").unwrap();
    let version = value(memory.swap_cell("c", None, Some(b"both")));
    let _held = memory.lock("l", 0).unwrap();

    let fork = memory.fork();
    file.write(0, b"here").unwrap();
    value(memory.swap_cell("c", Some(version), None));
    fork.create("g").unwrap();

    assert_eq!(fork.open("f").unwrap().read(0, 9).unwrap(), b"both");
    assert_eq!(fork.read_cell("c").unwrap().unwrap().value, b"both");
    fork.lock("l", 0).unwrap();
    assert!(memory.open("g").is_err());
}
