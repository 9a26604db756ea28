//! What an operator gets piece by piece is the same in pieces of any size.

use annals_logs::admin::{self, FrameInfo};
use annals_logs::error::Damage;
use annals_logs::types::{Limits, Mode};
use annals_tests::change_log::{Change, named};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::{Options, options};

const JOURNAL: &str = "journal";
const CHANGES: &str = "changes";

/// A journal of several segments and a change log of two instances, each with a flipped bit.
fn logs() -> SimDisk {
    let subject = native(SimDisk::new(1));
    let log =
        subject.open(JOURNAL, &Options { sync_sections: Some(false), ..options(Mode::Create) }).unwrap();
    for number in 0..90u8 {
        log.append_batch(&[&[number; 700], &[number; 900]]).unwrap();
    }
    log.close().unwrap();
    for name in ["one", "two"] {
        let log = subject.open_change_log(CHANGES, &named(Mode::OpenOrCreate, name)).unwrap();
        for number in 0..40u8 {
            log.record(&[number], &Change { payload: vec![number; 2000], cleanup_after_ms: None }).unwrap();
        }
        log.close().unwrap();
    }
    let disk = subject.disk().fork();
    for name in [JOURNAL, CHANGES] {
        let file = disk.file_names().into_iter().find(|file| file.starts_with(name)).unwrap();
        disk.flip_bit(&file, 20_000 * 8);
    }
    disk
}

/// All that a check of a log finds, in steps of so many bytes; how many steps; that it never goes back and comes to its end.
fn verify(disk: &SimDisk, name: &str, bytes: u32) -> (Vec<Damage>, u32) {
    let mut verifier = admin::verify(disk, name).unwrap();
    let (mut found, mut steps, mut last, mut end) = (Vec::new(), 0, 0, 0);
    while let Some(progress) = verifier.next(Limits { count: u32::MAX, bytes }).unwrap() {
        // What looks damaged is read once more before it is told.
        assert!(progress.checked >= last || progress.checked + 70_000 >= last, "{progress:?} behind {last}");
        (last, end) = (progress.checked, progress.total);
        found.extend(progress.damage);
        steps += 1;
    }
    assert_eq!(last, end, "everything was checked");
    (found, steps)
}

#[test]
fn a_check_in_small_steps_finds_what_a_check_at_once_finds() {
    let disk = logs();
    for name in [JOURNAL, CHANGES] {
        let (found, few) = verify(&disk, name, u32::MAX);
        assert_eq!(found.len(), 1, "{found:?}");
        for bytes in [0, 1000, 5000, 50_000] {
            let (again, steps) = verify(&disk, name, bytes);
            assert_eq!(again, found, "{name} in steps of {bytes}");
            assert!(steps >= few && (bytes > 5000 || steps > 20), "{name} in {steps} steps of {bytes}");
        }
    }
}

#[test]
fn frames_are_the_same_however_many_are_asked_for() {
    let disk = logs();
    for file in disk.file_names() {
        let list = |count: u32| -> (Vec<FrameInfo>, usize) {
            let mut reader = admin::frames(&disk, &file).unwrap();
            let (mut frames, mut most) = (Vec::new(), 0);
            while let Some(some) = reader.next(Limits { count, bytes: u32::MAX }).unwrap() {
                most = most.max(some.len());
                frames.extend(some);
            }
            (frames, most)
        };
        let (all, _) = list(1000);
        assert!(all.len() > 10, "{file}: {all:?}");
        for count in [1, 2, 7] {
            let (again, most) = list(count);
            assert_eq!(again, all, "{file}, {count} at a time");
            assert_eq!(most, count as usize);
        }
    }
}
