//! The same for Raft logs: ten million entries.

use super::MOST;
use annals_logs::types::{Limits, Mode};
use annals_tests::native::native;
use annals_tests::raft::{Entries, HardState, LogId, Options, RaftSubject, entry, options};
use annals_tests::sim::{Crash, SimDisk};
use annals_tests::subject::Subject;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

const COUNT: u64 = 10_000_000;
const BATCH: u64 = 250_000;
const LEN: usize = 100;

fn entries(first: u64, count: u64) -> Entries {
    Entries {
        indexes: (first..first + count).collect(),
        terms: vec![0; count as usize],
        ends: (1..=count as u32).map(|number| number * LEN as u32).collect(),
        bytes: vec![0; count as usize * LEN],
    }
}

/// Ten million entries in segments of the usual size, and a hard state that was saved before all of them.
fn large(disk: &SimDisk) -> Box<dyn Subject> {
    let subject = native(disk.clone());
    let with = Options { sync_on_persist: false, ..Options { mode: Mode::Create, ..Options::default() } };
    let log = subject.open_raft("large", &with).unwrap();
    log.save_hard_state(&HardState { term: 5, vote: Some(2), extra: vec![] }).unwrap();
    for batch in 0..COUNT / BATCH {
        log.persist_packed(&entries(1 + batch * BATCH, BATCH)).unwrap();
    }
    log.persist(&[entry(5, COUNT / 2, "changed")]).unwrap();
    log.close().unwrap();
    subject
}

/// What the disk was asked for meanwhile, in bytes, and how long it took.
fn costs<T>(disk: &SimDisk, run: impl FnOnce() -> T) -> (T, u64, Duration) {
    disk.reset_counters();
    let start = Instant::now();
    let out = run();
    (out, disk.counters().bytes_read, start.elapsed())
}

fn state(log: &dyn RaftSubject) -> (Option<u64>, u64, Option<LogId>, Option<u64>) {
    let hard = log.load_hard_state().unwrap();
    (
        log.first_index().unwrap(),
        log.last_index().unwrap(),
        log.purge_boundary().unwrap(),
        hard.and_then(|hard| hard.vote),
    )
}

#[test]
fn ten_million_raft_entries_open_in_milliseconds_and_are_read_in_ranges() {
    let disk = SimDisk::new(1);
    let subject = large(&disk);
    assert!(disk.used() > 1 << 30);
    for mode in [Mode::Open, Mode::ReadOnly] {
        let subject = subject.on(disk.fork());
        let disk = subject.disk();
        let (log, read, took) = costs(disk, || subject.open_raft("large", &options(mode)).unwrap());
        let _ = writeln!(stdout(), "{} bytes, {mode:?}: {read} bytes read in {took:?}", disk.used());
        assert!(read <= MOST, "{mode:?} read {read} bytes");
        assert!(took < Duration::from_millis(250), "{mode:?} took {took:?}");
        let (told, read, _) = costs(disk, || state(&*log));
        assert_eq!((told, read), ((Some(1), COUNT, None, Some(2)), 0));
        for first in [1, COUNT / 3, COUNT / 2 - 500, COUNT - 999] {
            let limits = Limits { count: 1000, bytes: u32::MAX };
            let (some, read, took) = costs(disk, || log.get_entries(first, COUNT, limits).unwrap());
            assert_eq!(some.indexes, (first..first + 1000).collect::<Vec<_>>());
            let _ = writeln!(stdout(), "a thousand from {first}: {read} bytes read in {took:?}");
            // The window, and the indexes of the segments behind, once each.
            assert!(read <= MOST, "reading a thousand entries from {first} read {read} bytes");
        }
        let (term, read, _) = costs(disk, || log.term_of(COUNT / 2).unwrap());
        assert_eq!(term, Some(5));
        assert!(read <= 64 << 10, "a term took {read} bytes");
    }
}

#[test]
fn a_purge_of_ten_million_raft_entries_keeps_the_hard_state_and_the_last_index() {
    let disk = SimDisk::new(1);
    let subject = large(&disk);
    let log = subject.open_raft("large", &options(Mode::Open)).unwrap();
    log.purge(LogId { term: 5, index: COUNT }).unwrap();
    let boundary = Some(LogId { term: 5, index: COUNT });
    assert_eq!(state(&*log), (None, COUNT, boundary, Some(2)));
    assert!(disk.used() < 64 << 20, "{} bytes are left", disk.used());
    let subject = subject.on(disk.reboot(Crash::LOSE_ALL));
    let log = subject.open_raft("large", &options(Mode::Open)).unwrap();
    assert_eq!(state(&*log), (None, COUNT, boundary, Some(2)));
}
