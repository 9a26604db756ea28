//! What the handle of an event log adds to the component: sharing, caching, order of ending, checks before crossing,
//! several handles on one log, and sealed files that lie anywhere.

mod common;

use annals::{
    Config, Error, EventLog, Limits, Runtime,
    error::Limit,
    event_log::{Events, Options, Outcome, Policy, SyncTicket},
    limits,
    storage::{self, Directory, Memory, Storage},
};
use common::Hooked;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn event_log(storage: &Arc<Memory>, options: &Options) -> EventLog {
    RUNTIME.event_log(storage.clone(), "log", options).unwrap()
}

fn all(events: Events) -> Vec<(u64, Vec<u8>)> {
    let batches: Vec<_> = events.collect::<Result<_, _>>().unwrap();
    batches.iter().flat_map(|batch| batch.iter().map(|(id, event)| (id, event.to_vec()))).collect()
}

fn ids(log: &EventLog) -> Vec<u64> {
    all(log.iterate(0, None).unwrap()).into_iter().map(|(id, _)| id).collect()
}

/// A path for one test, where nothing is.
fn path(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("event-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

#[test]
fn handles_can_go_anywhere() {
    fn shared<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    fn sent<T: std::fmt::Debug + Send + Sync + 'static>() {}
    shared::<EventLog>();
    sent::<Events>();
    sent::<SyncTicket>();
}

#[test]
fn the_next_id_follows_every_change_and_is_the_same_after_reopening() {
    let mut log = event_log(&Arc::new(Memory::new()), &Options::create());
    assert_eq!(log.next_event_id(), Ok(0));
    type Change = fn(&EventLog) -> Result<(), Error>;
    let changes: [(Change, u64); 7] = [
        (|log| log.append(7, b"a").map(drop), 8),
        (|log| log.append(3, b"late").map(drop), 8),
        (|log| log.append(7, b"a").map(drop), 8),
        (|log| log.append_batch(6, &["x", "a", "y"]).map(drop), 9),
        (|log| log.append_packed(100, &[1, 2], b"bc").map(drop), 102),
        (|log| log.delete_range(50, 200).map(drop), 102),
        (|log| log.rotate().map(drop), 102),
    ];
    for (number, (change, next)) in changes.into_iter().enumerate() {
        change(&log).unwrap();
        assert_eq!(log.next_event_id(), Ok(next), "change {number}");
        let again = log.reopen().unwrap();
        assert_eq!(
            (again.next_event_id(), log.next_event_id()),
            (Ok(next), Err(Error::Closed)),
            "change {number}"
        );
        log = again;
    }
    assert_eq!(log.append(3, b"other"), Err(Error::Conflict(3)), "a mistake");
    assert_eq!(
        (log.next_event_id(), log.newest_event_id(), log.oldest_event_id()),
        (Ok(102), Ok(Some(8)), Ok(Some(3)))
    );
}

#[test]
fn clones_share_one_log_and_many_threads_may_append() {
    let log = event_log(&Arc::new(Memory::new()), &Options::create().policy(Policy::Buffered));
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let log = log.clone();
            scope.spawn(move || {
                for id in (thread..1000).step_by(4) {
                    assert_eq!(log.append(id, &id.to_le_bytes()), Ok(Outcome::Appended));
                }
            });
        }
    });
    assert_eq!(ids(&log), (0..1000).collect::<Vec<_>>());
    assert_eq!(log.stats().unwrap().events, 1000);
}

#[test]
fn after_close_everything_answers_closed_and_the_lock_is_free() {
    let storage = Arc::new(Memory::new());
    let log = event_log(&storage, &Options::create());
    log.append(1, b"a").unwrap();
    let (ticket, mut events) = (log.begin_sync().unwrap(), log.iterate(0, None).unwrap());
    assert_eq!(RUNTIME.event_log(storage.clone(), "log", &Options::open()).unwrap_err(), Error::Locked);
    log.clone().close().unwrap();
    let closed = Some(Error::Closed);
    assert_eq!(log.append(2, b"b").err(), closed);
    assert_eq!(log.append(2, &vec![0; limits::ITEM_BYTES + 1]).err(), closed);
    assert_eq!(
        (log.get(1).err(), log.stats().err(), log.rotate().err()),
        (closed.clone(), closed.clone(), closed.clone())
    );
    assert_eq!(
        (log.flush().err(), log.sync().err(), log.close().err()),
        (closed.clone(), closed.clone(), closed)
    );
    assert_eq!((events.next(), events.next()), (Some(Err(Error::Closed)), None));
    assert_eq!((ticket.poll(), ticket.wait()), (Err(Error::Closed), Err(Error::Closed)));
    assert_eq!(ids(&event_log(&storage, &Options::open())), [1]);
}

#[test]
fn dropping_the_last_handle_hands_over_what_waits() {
    let storage = Arc::new(Memory::new());
    let log = event_log(&storage, &Options::create().policy(Policy::Buffered));
    log.append(1, b"waits").unwrap();
    let events = log.iterate(0, None).unwrap();
    drop(log);
    assert_eq!(events.collect::<Vec<_>>(), [Err(Error::Closed)]);
    assert_eq!(ids(&event_log(&storage, &Options::open())), [1]);
}

#[test]
fn a_failed_write_closes_the_log_and_the_same_append_is_right_after_reopening() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let storage = Hooked::before(move || match failing.load(Ordering::Relaxed) {
        true => Err(storage::Error::Io("the disk is gone".into())),
        false => Ok(()),
    });
    let log = RUNTIME.event_log(Arc::new(storage), "log", &Options::default()).unwrap();
    log.append(1, b"a").unwrap();
    fails.store(true, Ordering::Relaxed);
    assert!(matches!(log.append_batch(1, &["a", "b"]), Err(Error::Storage(_))));
    assert_eq!((log.next_event_id(), log.flush()), (Err(Error::Closed), Err(Error::Closed)));
    fails.store(false, Ordering::Relaxed);
    let log = log.reopen().unwrap();
    log.append_batch(1, &["a", "b"]).unwrap();
    assert_eq!(log.append_batch(1, &["a", "b"]), Ok(Outcome::Duplicate));
    assert_eq!(ids(&log), [1, 2]);
}

#[test]
fn what_is_too_large_is_refused_before_it_crosses_and_changes_nothing() {
    let storage = Arc::new(Memory::new());
    let log = event_log(&storage, &Options::create());
    let most = vec![7; limits::ITEM_BYTES];
    let over = [most.clone(), vec![7]].concat();
    log.append(1, &most).unwrap();
    for refused in [log.append(2, &over), log.append_batch(2, &[&over])] {
        assert!(matches!(refused, Err(Error::TooLarge { what: Limit::ItemSize, .. })), "{refused:?}");
    }
    let refused = log.append_batch(2, &[&most[..], &most, &most, &most, b"x"]);
    assert!(matches!(refused, Err(Error::TooLarge { what: Limit::BatchSize, .. })), "{refused:?}");
    assert!(matches!(log.append_batch::<&[u8]>(2, &[]), Err(Error::InvalidArgument(_))));
    assert!(matches!(log.append(u64::MAX, b"x"), Err(Error::InvalidArgument(_))));
    assert_eq!(
        (log.next_event_id(), log.get(1).unwrap().map(|event| event.len())),
        (Ok(2), Some(most.len()))
    );
    log.close().unwrap();
    let small = event_log(&storage, &Options::open().max_event(10).max_batch(15));
    assert!(matches!(
        small.append(2, &[0; 11]),
        Err(Error::TooLarge { what: Limit::ItemSize, allowed: 10, .. })
    ));
    assert!(matches!(
        small.append_batch(2, &[[0; 8], [0; 8]]),
        Err(Error::TooLarge { what: Limit::BatchSize, allowed: 15, got: 16 })
    ));
    small.close().unwrap();
    let reader = event_log(&storage, &Options::read_only());
    assert_eq!(reader.append(2, &over), Err(Error::ReadOnly), "nothing can be written comes first");
}

#[test]
fn handles_in_shared_mode_see_what_the_others_wrote() {
    let storage = Arc::new(Memory::new());
    let options = Options::new().shared(true).lock_wait_ms(10_000);
    let (a, b) = (event_log(&storage, &options), event_log(&storage, &options));
    a.append(1, b"of a").unwrap();
    assert_eq!((b.next_event_id(), b.get(1)), (Ok(2), Ok(Some(b"of a".to_vec()))));
    assert_eq!(b.append(1, b"of a"), Ok(Outcome::Duplicate));
    assert_eq!(b.append(1, b"of b"), Err(Error::Conflict(1)));
    b.append(5, b"of b").unwrap();
    assert_eq!((a.next_event_id(), a.newest_event_id(), a.stats().unwrap().events), (Ok(6), Ok(Some(5)), 2));
    a.delete_range(0, 1).unwrap();
    assert_eq!((b.get(1), b.oldest_event_id()), (Ok(None), Ok(Some(5))));
    let sealed = b.rotate().unwrap();
    a.append(6, b"in the next file").unwrap();
    assert_eq!(all(RUNTIME.event_archive(storage.clone(), &sealed.file).unwrap()).len(), 1);
    thread::scope(|scope| {
        for (log, first) in [(&a, 100), (&b, 101)] {
            scope.spawn(move || {
                for id in (first..500).step_by(2) {
                    log.append(id, b"together").unwrap();
                }
            });
        }
    });
    assert_eq!(ids(&a), [5, 6].into_iter().chain(100..500).collect::<Vec<_>>());
    assert_eq!(ids(&b), ids(&a));
    // Who opens it alone keeps the others out until it lets go.
    let hasty = event_log(&storage, &Options::new().shared(true));
    let alone = event_log(&storage, &Options::open());
    assert_eq!(hasty.append(1000, b"x"), Err(Error::Locked));
    alone.append(999, b"alone").unwrap();
    drop(alone);
    assert_eq!(hasty.append(1000, b"x"), Ok(Outcome::Appended));
    assert_eq!((a.get(999), a.next_event_id()), (Ok(Some(b"alone".to_vec())), Ok(1001)));
    RUNTIME.destroy_event_log(storage, "log").unwrap();
    assert_eq!((a.append(1001, b"x"), b.get(5)), (Err(Error::Closed), Err(Error::Closed)));
}

#[test]
fn a_stream_names_damage_once_and_goes_on_behind_it() {
    let storage = Arc::new(Memory::new());
    let log = event_log(&storage, &Options::create());
    for first in [1000, 3000, 5000] {
        let events: Vec<String> = (first..first + 1000).map(|id| format!("event {id}")).collect();
        log.append_batch(first, &events).unwrap();
    }
    log.close().unwrap();
    let name = &RUNTIME.admin(storage.clone()).unwrap().segments("log").unwrap()[0].file;
    let file = storage.open(name).unwrap();
    let bytes = file.read(0, u32::MAX).unwrap();
    let at = bytes.windows(10).position(|bytes| bytes == b"event 3500").unwrap() as u64;
    file.write(at, b"E").unwrap();
    let log = event_log(&storage, &Options::read_only());
    let (mut found, mut damages) = (Vec::new(), Vec::new());
    for batch in log.iterate(0, None).unwrap().limits(Limits::new(100, 1 << 20)) {
        match batch {
            Ok(batch) => found.extend(batch.iter().map(|(id, _)| id)),
            Err(Error::Damaged(damage)) => damages.push(damage),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(damages.len(), 1, "{damages:?}");
    let lost = damages[0].lowest.unwrap()..damages[0].next.unwrap();
    assert!(lost.contains(&3500) && lost.end - lost.start < 500, "{lost:?}");
    let intact = (1000..2000).chain(3000..4000).chain(5000..6000).filter(|id| !lost.contains(id));
    assert!(found.into_iter().eq(intact));
}

#[test]
fn sealed_files_of_a_directory_have_a_path_and_their_copies_need_no_log() {
    let path = path("sealed");
    let directory = Arc::new(Directory::open(path.join("logs")).unwrap());
    let log = RUNTIME.event_log(directory.clone(), "log", &Options::create()).unwrap();
    log.append_batch(10, &["a", "b", "c"]).unwrap();
    let sealed = log.rotate().unwrap();
    let sealed_path = sealed.path.unwrap();
    assert_eq!(sealed_path, directory.path_of(&sealed.file).unwrap());
    log.append(13, b"d").unwrap();
    let copy = path.join("Some Copy");
    fs::copy(&sealed_path, &copy).unwrap();
    let expected = [(10, b"a".to_vec()), (11, b"b".to_vec()), (12, b"c".to_vec())];
    assert_eq!(all(RUNTIME.event_archive_file(&copy).unwrap()), expected);
    log.delete_range(0, 12).unwrap();
    assert!(!sealed_path.exists(), "nothing in it is left");
    log.close().unwrap();
    RUNTIME.destroy_event_log(directory, "log").unwrap();
    let mut archive = RUNTIME.event_archive_file(&copy).unwrap().limits(Limits::new(1, 1));
    fs::remove_file(&copy).unwrap();
    assert_eq!(archive.by_ref().map(|batch| batch.unwrap().len()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(archive.next(), None);

    assert_eq!(RUNTIME.event_archive_file(path.join("nothing")).err(), Some(Error::NotFound));
    assert!(matches!(RUNTIME.event_archive_file(&path), Err(Error::Storage(_))));
    fs::write(&copy, b"something else").unwrap();
    assert!(matches!(RUNTIME.event_archive_file(&copy), Err(Error::Damaged(_))));
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_million_events_take_less_than_64_mib_of_memory() {
    const EVENTS: u64 = 1_000_000;
    let path = path("many");
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(&path).unwrap());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = Runtime::with_config(Config::new().memory_bytes(64 << 20).cache(cache)).unwrap();
    let log = runtime.event_log(storage.clone(), "log", &Options::create()).unwrap();
    // Every thousandth id comes late, in a frame of its own.
    for first in (0..EVENTS).step_by(1000) {
        let events: Vec<[u8; 8]> = (first + 1..first + 1000).map(u64::to_le_bytes).collect();
        log.append_batch(first + 1, &events).unwrap();
    }
    for id in (0..EVENTS).step_by(1000) {
        log.append(id, &id.to_le_bytes()).unwrap();
    }
    let log = log.reopen().unwrap();
    let mut next = 0_u64;
    for batch in log.iterate(0, None).unwrap() {
        for (id, event) in batch.unwrap().iter() {
            assert_eq!((id, event), (next, &next.to_le_bytes()[..]));
            next += 1;
        }
    }
    assert_eq!((next, log.stats().unwrap().events), (EVENTS, EVENTS));
    log.close().unwrap();
    fs::remove_dir_all(path).unwrap();
}
