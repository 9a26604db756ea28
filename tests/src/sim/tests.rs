//! The simulated disk keeps its own promises, and breaks all others.

use super::*;
use annals_logs::storage::StorageError;

fn locked() -> (SimDisk, SimLock) {
    let disk = SimDisk::new(1);
    let lock = disk.lock("log.a", 0).unwrap();
    (disk, lock)
}

/// A disk with the file `a.1`: "old" synced, then `writes` unsynced.
fn with_pending(writes: &[(u64, &[u8])]) -> SimDisk {
    let (disk, _lock) = locked();
    let file = disk.create("a.1").unwrap();
    file.write(0, b"old").unwrap();
    file.sync().unwrap();
    for (offset, bytes) in writes {
        file.write(*offset, bytes).unwrap();
    }
    disk
}

#[test]
fn synced_bytes_survive_a_loss_of_power_and_unsynced_ones_need_not() {
    let disk = with_pending(&[(3, b"new")]);
    assert_eq!(disk.file_bytes("a.1"), b"oldnew");
    assert_eq!(disk.fork().reboot(Crash::LOSE_ALL).file_bytes("a.1"), b"old");
    assert_eq!(disk.fork().reboot(Crash::KEEP_ALL).file_bytes("a.1"), b"oldnew");
    assert_eq!(disk.fork().reboot(Crash::ZEROS).file_bytes("a.1"), b"old\0\0\0");
    assert_eq!(disk.reboot(Crash::Process).file_bytes("a.1"), b"oldnew");
}

#[test]
fn the_page_cache_survives_the_process_but_stays_unsynced() {
    let after = with_pending(&[(3, b"new")]).reboot(Crash::Process);
    assert_eq!(after.file_bytes("a.1"), b"oldnew");
    assert_eq!(after.reboot(Crash::LOSE_ALL).file_bytes("a.1"), b"old");
}

#[test]
fn each_sector_survives_alone() {
    let disk = with_pending(&[(512, &[7; 1024])]);
    assert_eq!(disk.pending_sectors(), 2);
    let only = |index| {
        let crash = Crash::Power { survivors: Survivors::Only(index), size: SizeKept::New };
        let bytes = disk.fork().reboot(crash).file_bytes("a.1");
        (bytes[512], bytes[1024])
    };
    assert_eq!((only(0), only(1)), ((7, 0), (0, 7)));
}

#[test]
fn a_sector_may_keep_any_content_it_had_since_the_sync() {
    let disk = with_pending(&[(3, b"1"), (4, b"2")]);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..64 {
        seen.insert(disk.fork().reboot(Crash::random(seed)).file_bytes("a.1"));
    }
    for bytes in [&b"old"[..], b"old1", b"old12", b"old1\0", b"old\0\0", b"old\0"] {
        assert!(seen.contains(bytes), "{bytes:?} not in {seen:?}");
    }
    assert!(
        !seen.contains(&b"old\x002"[..]),
        "a later write never survives without an earlier one of its sector"
    );
}

#[test]
fn a_size_may_survive_partway() {
    let (disk, _lock) = locked();
    let file = disk.create("a.1").unwrap();
    file.reserve(4096).unwrap();
    let sizes: std::collections::BTreeSet<u64> =
        (0..200).map(|seed| disk.fork().reboot(Crash::random(seed)).file_size("a.1")).collect();
    assert!(sizes.contains(&0) && sizes.contains(&4096) && sizes.contains(&1024), "{sizes:?}");
    assert!(sizes.iter().all(|size| size % 512 == 0));
}

#[test]
fn a_failed_sync_leaves_clean_pages_that_no_later_sync_writes() {
    let disk = with_pending(&[(3, b"new")]);
    let _lock = disk.lock("log.a", 0).unwrap();
    let file = disk.open("a.1").unwrap();
    disk.inject(Fault::next(Call::Sync));
    assert!(matches!(file.sync(), Err(StorageError::Io(_))));
    file.sync().unwrap();
    assert_eq!(disk.file_bytes("a.1"), b"oldnew");
    assert_eq!(disk.fork().reboot(Crash::LOSE_ALL).file_bytes("a.1"), b"old\0\0\0");
    let evicted = disk.fork();
    evicted.evict();
    assert_eq!(evicted.file_bytes("a.1"), b"old\0\0\0");
    file.write(3, b"new").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.reboot(Crash::LOSE_ALL).file_bytes("a.1"), b"oldnew");
}

#[test]
fn a_begun_sync_covers_what_was_written_before_it() {
    let (disk, _lock) = locked();
    let file = disk.create("a.1").unwrap();
    file.write(0, b"one").unwrap();
    let pending = file.begin_sync().unwrap();
    file.write(600, b"two").unwrap();
    assert_eq!(disk.fork().reboot(Crash::LOSE_ALL).file_bytes("a.1"), b"");
    assert_eq!(pending.poll(), None);
    assert_eq!(pending.poll(), Some(Ok(())));
    assert_eq!(pending.wait(), Ok(()));
    assert_eq!(disk.reboot(Crash::LOSE_ALL).file_bytes("a.1"), b"one");
}

#[test]
fn names_and_cuts_and_cells_are_durable_at_once() {
    let (disk, _lock) = locked();
    let file = disk.create("a.1").unwrap();
    disk.create("a.2").unwrap();
    file.write(0, b"12345678").unwrap();
    file.sync().unwrap();
    file.truncate(4).unwrap();
    disk.remove("a.2").unwrap();
    disk.swap_cell("log.a", None, Some(b"v")).unwrap();
    let after = disk.reboot(Crash::LOSE_ALL);
    assert_eq!(after.file_names(), ["a.1"]);
    assert_eq!(after.file_bytes("a.1"), b"1234");
    assert_eq!(after.read_cell("log.a").unwrap().unwrap().value, b"v");
}

#[test]
fn a_crash_in_a_call_leaves_the_old_or_the_new_state() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let (disk, _lock) = locked();
        disk.plan_crash(CrashPlan { call: 2, point: Point::Partway(seed) });
        assert!(disk.create("a.1").is_err());
        seen.insert(disk.reboot(Crash::LOSE_ALL).file_names().len());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn any_sectors_of_a_write_that_a_crash_cuts_short_may_arrive() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..256 {
        let (disk, _lock) = locked();
        let file = disk.create("a.1").unwrap();
        disk.plan_crash(CrashPlan { call: 3, point: Point::Partway(seed) });
        assert!(file.write(0, &[1; 1024]).is_err());
        assert!(disk.has_crashed() && file.size().is_err() && disk.open("a.1").is_err());
        let mut bytes = disk.reboot(Crash::Process).file_bytes("a.1");
        bytes.resize(1024, 0);
        seen.insert((bytes[0], bytes[512]));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn a_full_disk_says_so_and_a_removed_file_frees_its_space_with_its_last_handle() {
    let (disk, _lock) = locked();
    disk.set_quota(Some(1000));
    let file = disk.create("a.1").unwrap();
    file.reserve(900).unwrap();
    let other = disk.create("a.2").unwrap();
    assert_eq!(other.write(0, &[1; 200]), Err(StorageError::OutOfSpace));
    file.write(0, &[1; 900]).unwrap();
    disk.remove("a.1").unwrap();
    assert_eq!(file.read(899, 9).unwrap(), [1]);
    assert_eq!(other.reserve(300), Err(StorageError::OutOfSpace));
    drop(file);
    other.reserve(300).unwrap();
}

#[test]
fn a_cell_version_never_returns() {
    let (disk, _lock) = locked();
    let Ok(Swap::Swapped(first)) = disk.swap_cell("log.a", None, Some(b"1")) else { panic!() };
    assert!(matches!(disk.swap_cell("log.a", None, Some(b"2")), Ok(Swap::Stale(Some(_)))));
    assert_eq!(disk.swap_cell("log.a", Some(first), None), Ok(Swap::Swapped(first)));
    let Ok(Swap::Swapped(second)) = disk.swap_cell("log.a", None, Some(b"1")) else { panic!() };
    assert_ne!(first, second);
}

#[test]
fn a_lock_excludes_until_it_is_dropped_or_the_machine_stops() {
    let (disk, lock) = locked();
    assert_eq!(disk.lock("log.a", 5).map(|_| ()), Err(StorageError::Locked));
    assert_eq!(disk.counters().lock_wait_ms, 5);
    let other = disk.fork();
    other.lock("log.a", 0).unwrap();
    drop(lock);
    disk.lock("log.a", 0).unwrap();
}

#[test]
#[should_panic(expected = "written at 0 after 3")]
fn writing_backwards_is_a_breach() {
    let (disk, _lock) = locked();
    let file = disk.create("a.1").unwrap();
    file.write(0, b"abc").unwrap();
    let _ = file.write(0, b"abc");
}

#[test]
#[should_panic(expected = "without holding its lock")]
fn writing_without_the_lock_is_a_breach() {
    let disk = SimDisk::new(1);
    let _ = disk.create("a.1");
}

#[test]
#[should_panic(expected = "the name")]
fn bad_names_are_a_breach() {
    let _ = SimDisk::new(1).open("a/b");
}

#[test]
fn huge_files_of_zeros_cost_nothing_and_hashes_tell_bits_apart() {
    let disk = SimDisk::new(1);
    disk.put_file("a.1", 10 << 30);
    let before = disk.hash();
    disk.overwrite("a.1", 5 << 30, b"x");
    assert_ne!(disk.hash(), before);
    disk.flip_bit("a.1", (5 << 33) + 3);
    assert_eq!(disk.open("a.1").unwrap().read((5 << 30) - 1, 3).unwrap(), [0, b'x' ^ 8, 0]);
    disk.cut_file("a.1", 5 << 30);
    disk.overwrite("a.1", 10 << 30, b"");
    assert_eq!(disk.file_size("a.1"), 5 << 30);
}

#[test]
fn equal_seeds_draw_equal_numbers_across_reboots() {
    let (one, two) = (SimDisk::new(9), SimDisk::new(9));
    let two = {
        two.draw();
        two.reboot(Crash::Process)
    };
    one.draw();
    assert_eq!(one.draw(), two.draw());
}

#[test]
fn a_step_in_between_happens_right_before_its_call() {
    let disk = SimDisk::new(1);
    let (other, seen) = (disk.clone(), std::rc::Rc::new(std::cell::RefCell::new(Vec::new())));
    let note = seen.clone();
    disk.before_call(3, move || {
        note.borrow_mut().push(other.list("", None, 9).unwrap());
    });
    let _lock = disk.lock("log.a", 0).unwrap();
    disk.create("a.1").unwrap();
    assert!(seen.borrow().is_empty());
    disk.create("a.2").unwrap();
    assert_eq!(*seen.borrow(), [["a.1"]]);
    disk.before_call(1, || panic!("it was forgotten"));
    assert_eq!(disk.forget_steps(), 1);
    disk.list("", None, 9).unwrap();
}

#[test]
fn each_choice_leaves_another_image_and_all_choices_are_all_images() {
    let disk = with_pending(&[(512, &[1; 20]), (532, &[2; 600])]);
    // Of the first sector two contents, of the second one, and those before.
    assert_eq!(disk.choices(), 6);
    let image = |survivors, size| disk.after(Crash::Power { survivors, size }).image();
    let chosen: Vec<_> = (0..6).map(|choice| image(Survivors::Choice(choice), SizeKept::New)).collect();
    assert!((1..6).all(|at| !chosen[..at].contains(&chosen[at])));
    for seed in 0..64 {
        assert!(chosen.contains(&image(Survivors::Random(seed), SizeKept::New)));
    }
    assert!(!disk.has_crashed());
}

#[test]
fn the_same_bytes_written_again_are_no_choice_of_their_own_but_wait_for_a_sync_again() {
    let disk = with_pending(&[(512, &[1; 20])]);
    let (file, _lock) = (disk.open("a.1").unwrap(), disk.lock("log.a", 0).unwrap());
    let before = file.begin_sync().unwrap();
    file.write(512, &[1; 20]).unwrap();
    assert_eq!(disk.choices(), 2);
    before.wait().unwrap();
    assert_eq!(disk.pending_sectors(), 1);
}

#[test]
fn moments_are_what_a_crash_before_each_call_leaves() {
    let run = |disk: &SimDisk| {
        let _lock = disk.lock("log.a", 0)?;
        let file = disk.create("a.1")?;
        file.write(0, &[1; 1500])?;
        file.size()?;
        file.sync()?;
        disk.remove("a.1")
    };
    let disk = SimDisk::new(1);
    disk.record();
    run(&disk).unwrap();
    let moments = disk.take_moments();
    assert_eq!(moments.len() as u64, disk.calls());
    let mut last = SimDisk::new(1);
    for (moment, partial) in moments {
        let stopped = SimDisk::new(1);
        stopped.plan_crash(CrashPlan { call: moment.call, point: Point::Before });
        run(&stopped).unwrap_err();
        if let What::Disk(disk) = moment.what {
            last = disk;
        }
        assert_eq!(last.hash(), stopped.reboot(Crash::Process).hash(), "call {}", moment.call);
        assert_eq!(partial.is_some(), moment.kind == Call::Write);
        if let Some(partial) = partial {
            assert_eq!(partial.sectors(), 3);
            let bytes = partial.arrived(0b101).file_bytes("a.1");
            assert_eq!((bytes.len(), bytes[0], bytes[512], bytes[1024]), (1500, 1, 0, 1));
        }
    }
}
