//! What the handle of a Raft log adds to the component: sharing, caching, order of ending, checks before crossing; and how
//! little memory a long log takes.

mod common;

use annals::{
    Config, Error, Limits, RaftLog, Runtime,
    error::Limit,
    limits,
    raft_log::{Entries, Entry, EntryStream, HardState, LogId, Options, SyncTicket},
    storage::{self, Directory, Memory, Storage},
};
use common::Hooked;
use std::{
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn raft_log(storage: &Arc<Memory>) -> RaftLog {
    RUNTIME.raft_log(storage.clone(), "log", &Options::default()).unwrap()
}

fn entries(indexes: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    indexes.map(|index| Entry::new(1, index, format!("entry {index}"))).collect()
}

#[test]
fn handles_can_go_anywhere() {
    fn shared<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    fn sent<T: std::fmt::Debug + Send + Sync + 'static>() {}
    shared::<RaftLog>();
    shared::<Entries>();
    shared::<HardState>();
    sent::<EntryStream>();
    sent::<SyncTicket>();
}

#[test]
fn the_last_index_follows_every_change_and_is_the_same_after_reopening() {
    let mut log = raft_log(&Arc::new(Memory::new()));
    assert_eq!(log.last_index(), Ok(0));
    type Change = fn(&RaftLog) -> Result<(), Error>;
    let changes: [(Change, u64); 11] = [
        (|log| log.persist(&entries(1..=10)), 10),
        (|log| log.persist(&entries(3..=4)), 10),
        (|log| log.persist(&[]), 10),
        (|log| log.truncate(9), 8),
        (|log| log.truncate(20), 8),
        (|log| log.replace_range(5, &entries(5..=6)), 6),
        (|log| log.replace_range(6, &[]), 5),
        (|log| log.purge(LogId { term: 1, index: 3 }), 5),
        (|log| log.purge(LogId { term: 2, index: 30 }), 30),
        (|log| log.persist(&entries(31..=31)), 31),
        (RaftLog::reset, 0),
    ];
    for (number, (change, last)) in changes.into_iter().enumerate() {
        change(&log).unwrap();
        assert_eq!(log.last_index(), Ok(last), "change {number}");
        let again = log.reopen().unwrap();
        assert_eq!((again.last_index(), log.last_index()), (Ok(last), Err(Error::Closed)), "change {number}");
        log = again;
    }
    assert!(matches!(log.persist(&entries(5..=5)), Err(Error::Gap(_))), "a mistake");
    assert_eq!(log.last_index(), Ok(0));
}

#[test]
fn clones_share_one_log_and_many_threads_may_use_it() {
    let log = raft_log(&Arc::new(Memory::new()));
    log.persist(&entries(1..=100)).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let log = log.clone();
            scope.spawn(move || {
                for index in (1 + thread..=100).step_by(4) {
                    log.persist(&[Entry::new(2, index, "again")]).unwrap();
                    assert_eq!(log.term_of(index), Ok(Some(2)));
                }
            });
        }
    });
    assert_eq!(log.stream(1, 100).map(|batch| batch.unwrap().len()).sum::<usize>(), 100);
    assert!(
        log.get_entries(1, 100, Limits::default()).unwrap().iter().all(|(_, payload)| payload == b"again")
    );
}

#[test]
fn after_close_everything_answers_closed_and_the_lock_is_free() {
    let storage = Arc::new(Memory::new());
    let log = raft_log(&storage);
    log.persist(&entries(1..=3)).unwrap();
    let (ticket, mut stream) = (log.begin_sync().unwrap(), log.stream(1, 3));
    assert_eq!(RUNTIME.raft_log(storage.clone(), "log", &Options::open()).unwrap_err(), Error::Locked);
    log.clone().close().unwrap();
    let closed = Some(Error::Closed);
    assert_eq!(log.persist(&entries(4..=4)).err(), closed);
    assert_eq!(log.persist(&[Entry::new(1, 4, vec![0; limits::ITEM_BYTES])]).err(), closed);
    assert_eq!(log.entry(1).err(), closed);
    assert_eq!(log.load_hard_state().err(), closed);
    assert_eq!(
        (log.flush().err(), log.sync().err(), log.close().err()),
        (closed.clone(), closed.clone(), closed)
    );
    assert!(!log.is_write_durable());
    assert_eq!((stream.next(), stream.next()), (Some(Err(Error::Closed)), None));
    assert_eq!((ticket.poll(), ticket.wait()), (Err(Error::Closed), Err(Error::Closed)));
    assert_eq!(raft_log(&storage).last_index(), Ok(3));
}

#[test]
fn a_failed_sync_closes_the_log_and_reopening_recovers_it() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let storage = Hooked::before(move || match failing.load(Ordering::Relaxed) {
        true => Err(storage::Error::Io("the disk is gone".into())),
        false => Ok(()),
    });
    let log = RUNTIME.raft_log(Arc::new(storage), "log", &Options::default()).unwrap();
    log.persist(&entries(1..=3)).unwrap();
    let vote = HardState { term: 3, vote: Some(2), extra: b"extra".to_vec() };
    log.save_hard_state(&vote).unwrap();
    fails.store(true, Ordering::Relaxed);
    assert!(matches!(log.persist(&entries(4..=4)), Err(Error::Storage(_))));
    assert_eq!((log.last_index(), log.flush()), (Err(Error::Closed), Err(Error::Closed)));
    fails.store(false, Ordering::Relaxed);
    let log = log.reopen().unwrap();
    assert_eq!((log.last_index(), log.load_hard_state()), (Ok(3), Ok(Some(vote))));
    log.persist(&entries(4..=4)).unwrap();
}

#[test]
fn what_is_too_large_is_refused_before_it_crosses_and_changes_nothing() {
    let storage = Arc::new(Memory::new());
    let log = raft_log(&storage);
    let most = vec![7; limits::ITEM_BYTES - 8];
    log.persist(&[Entry::new(1, 1, most.clone())]).unwrap();
    let over = log.persist(&[Entry::new(1, 2, [most.clone(), vec![7]].concat())]);
    assert!(matches!(over, Err(Error::TooLarge { what: Limit::ItemSize, .. })), "{over:?}");
    let five: Vec<Entry> = (2..=6).map(|index| Entry::new(1, index, most.clone())).collect();
    let over = log.replace_range(2, &five);
    assert!(matches!(over, Err(Error::TooLarge { what: Limit::BatchSize, .. })), "{over:?}");
    let extra = vec![1; limits::HARD_STATE_BYTES];
    let state = |extra| HardState { term: 1, vote: None, extra };
    log.save_hard_state(&state(extra.clone())).unwrap();
    let over = log.save_hard_state(&state([extra.clone(), vec![1]].concat()));
    assert!(matches!(over, Err(Error::TooLarge { allowed: 4096, got: 4097, .. })), "{over:?}");
    assert_eq!((log.last_index(), log.load_hard_state()), (Ok(1), Ok(Some(state(extra)))));
    assert_eq!(log.entry(1).unwrap().map(|entry| entry.payload), Some(most.clone()));
    log.close().unwrap();
    let reader = RUNTIME.raft_log(storage, "log", &Options::read_only()).unwrap();
    let over = reader.persist(&[Entry::new(1, 2, [most, vec![7]].concat())]);
    assert_eq!(over, Err(Error::ReadOnly), "nothing can be written comes first");
}

#[test]
fn writes_are_said_to_be_durable_only_where_they_are() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("raft-durable-{}", std::process::id()));
    let directory: Arc<dyn Storage> = Arc::new(Directory::open(&path).unwrap());
    let open =
        |storage: &Arc<dyn Storage>, options| RUNTIME.raft_log(storage.clone(), "log", &options).unwrap();
    let durable = |storage, options| open(storage, options).is_write_durable();
    assert!(durable(&directory, Options::new()));
    assert!(!durable(&directory, Options::new().sync_on_persist(false)));
    assert!(!durable(&directory, Options::read_only()));
    let memory: Arc<dyn Storage> = Arc::new(Memory::new());
    assert!(!durable(&memory, Options::new()));
    let log = open(&directory, Options::new());
    log.close().unwrap();
    assert!(!log.is_write_durable());
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_stream_names_damage_once_and_goes_on_behind_it() {
    let storage = Arc::new(Memory::new());
    let log = raft_log(&storage);
    for start in [1, 1001, 2001] {
        log.persist(&entries(start..=start + 999)).unwrap();
    }
    log.close().unwrap();
    let name = &RUNTIME.admin(storage.clone()).unwrap().segments("log").unwrap()[0].file;
    let file = storage.open(name).unwrap();
    let bytes = file.read(0, u32::MAX).unwrap();
    let at = bytes.windows(10).position(|bytes| bytes == b"entry 1500").unwrap() as u64;
    file.write(at, b"E").unwrap();
    let log = RUNTIME.raft_log(storage.clone(), "log", &Options::read_only()).unwrap();
    let (mut found, mut damages) = (Vec::new(), Vec::new());
    for batch in log.stream(0, u64::MAX).limits(Limits::new(100, 1 << 20)) {
        match batch {
            Ok(batch) => found.extend(batch.iter().map(|(id, _)| id.index)),
            Err(Error::Damaged(damage)) => damages.push(damage),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(damages.len(), 1, "{damages:?}");
    let lost = damages[0].lowest.unwrap()..damages[0].next.unwrap();
    assert!(lost.contains(&1500) && lost.end - lost.start < 400, "{lost:?}");
    assert!(found.iter().copied().eq((1..lost.start).chain(lost.end..=3000)));
}

/// Bytes of an instance that must be enough.
const MEMORY: usize = 64 << 20;

#[test]
fn ten_million_entries_take_less_than_64_mib_of_memory_and_open_in_no_time() {
    const ENTRIES: u64 = 10_000_000;
    const BATCH: u64 = 10_000;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("raft-long-{}", std::process::id()));
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(&path).unwrap());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = Runtime::with_config(Config::new().memory_bytes(MEMORY).cache(cache)).unwrap();
    let options = Options::new().sync_on_persist(false);
    let payload = |index: u64| index.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();

    let started = Instant::now();
    let log = runtime.raft_log(storage.clone(), "long", &options).unwrap();
    let mut batch = Entries::new();
    for first in (1..=ENTRIES).step_by(BATCH as usize) {
        batch.clear();
        for index in first..first + BATCH {
            batch.push(LogId { term: index / 1_000_000, index }, &payload(index)).unwrap();
        }
        log.persist_packed(&batch).unwrap();
    }
    log.close().unwrap();
    let written = started.elapsed();

    let started = Instant::now();
    let log = runtime.raft_log(storage.clone(), "long", &options).unwrap();
    let opened = started.elapsed();
    assert_eq!((log.first_index(), log.last_index()), (Ok(Some(1)), Ok(ENTRIES)));

    let check = |entries: &Entries, first: u64| {
        for ((id, found), index) in entries.iter().zip(first..) {
            assert_eq!((id.index, id.term, found), (index, index / 1_000_000, &payload(index)[..]));
        }
        entries.len() as u64
    };
    // Ranges from everywhere, then single ones, then all of it.
    let started = Instant::now();
    for number in 0..1000_u64 {
        let first = 1 + number.wrapping_mul(7_777_777) % (ENTRIES - 100);
        let found = log.get_entries(first, first + 99, Limits::default()).unwrap();
        assert_eq!(check(&found, first), 100);
        let index = 1 + number.wrapping_mul(9_999_991) % ENTRIES;
        assert_eq!(log.term_of(index), Ok(Some(index / 1_000_000)));
    }
    let ranges = started.elapsed();
    let started = Instant::now();
    let mut next = 1;
    for batch in log.stream(1, ENTRIES) {
        next += check(&batch.unwrap(), next);
    }
    assert_eq!(next, ENTRIES + 1);
    let read = started.elapsed();

    // It is open and all of it was read; the front goes, and the rest of it stays as quick.
    log.purge(LogId { term: 8, index: 8_500_000 }).unwrap();
    assert_eq!(check(&log.get_entries(8_500_001, ENTRIES, Limits::default()).unwrap(), 8_500_001), 1 << 16);
    drop(log);
    let started = Instant::now();
    let log = runtime.raft_log(storage, "long", &Options::read_only()).unwrap();
    let again = started.elapsed();
    assert_eq!((log.first_index(), log.last_index()), (Ok(Some(8_500_001)), Ok(ENTRIES)));
    println!(
        "10 million entries: written in {written:?}, opened in {opened:?} (after a purge and no close: {again:?}), 1000 \
         ranges of 100 and 1000 terms in {ranges:?}, all read in {read:?}"
    );
    assert!(opened < Duration::from_secs(1), "{opened:?}");
    std::fs::remove_dir_all(path).unwrap();
}
