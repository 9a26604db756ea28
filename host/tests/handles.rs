//! What the handles add to the component: sharing, caching, order of ending, and what is left after it fails.

mod common;

use annals::{
    Config, Error, Journal, Limits, Runtime,
    environment::{FixedClock, Random, SeededRandom},
    error::{Bound, Class, Limit},
    journal::Options,
    storage::{self, Memory, Storage},
};
use common::Hooked;
use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn journal(storage: &Arc<Memory>) -> Journal {
    RUNTIME.journal(storage.clone(), "log", &Options::default()).unwrap()
}

fn shared<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}

#[test]
fn handles_can_go_anywhere() {
    shared::<Journal>();
    shared::<Runtime>();
    shared::<annals::Admin>();
    fn sent<T: std::fmt::Debug + Send + Sync + 'static>() {}
    sent::<annals::journal::Replay>();
    sent::<annals::journal::SyncTicket>();
    sent::<annals::admin::Verifier>();
}

#[test]
fn clones_share_one_journal_and_many_threads_may_append() {
    let storage = Arc::new(Memory::new());
    let log = journal(&storage);
    thread::scope(|scope| {
        for _ in 0..4 {
            let log = log.clone();
            scope.spawn(move || (0..250).for_each(|_| assert!(log.append(b"item").is_ok())));
        }
    });
    assert_eq!(log.size(), Ok(1000));
    let batches: Vec<_> =
        log.replay(0).unwrap().limits(Limits::new(300, 1 << 20)).collect::<Result<_, _>>().unwrap();
    assert_eq!(batches.iter().map(annals::Batch::len).sum::<usize>(), 1000);
    assert!(batches.iter().all(|batch| batch.len() <= 300));
}

#[test]
fn getters_follow_every_change() {
    let log =
        RUNTIME.journal(Arc::new(Memory::new()), "log", &Options::default().items_per_section(2)).unwrap();
    let state = || (log.size().unwrap(), log.oldest().unwrap(), log.boundary().unwrap());
    assert_eq!(state(), (0, None, 0));
    log.append(b"a").unwrap();
    assert_eq!(state(), (1, Some(0), 0));
    log.append_batch(&["b", "c", "d"]).unwrap();
    assert_eq!(state(), (4, Some(0), 0));
    assert_eq!(log.prune(2), Ok(true));
    assert_eq!(state(), (4, Some(2), 2));
    log.rewind(3).unwrap();
    assert_eq!(state(), (3, Some(2), 2));
    log.rewind(2).unwrap();
    assert_eq!(state(), (2, None, 2));
    log.append_packed(&[1], b"x").unwrap();
    assert_eq!(state(), (3, Some(2), 2));
    log.close().unwrap();
    assert_eq!(
        (log.size(), log.oldest(), log.boundary()),
        (Err(Error::Closed), Err(Error::Closed), Err(Error::Closed))
    );
}

#[test]
fn after_close_everything_answers_closed_and_the_lock_is_free() {
    let storage = Arc::new(Memory::new());
    let log = journal(&storage);
    log.append_batch(&["a"]).unwrap();
    let mut replay = log.replay(0).unwrap();
    let ticket = log.begin_sync().unwrap();
    assert_eq!(RUNTIME.journal(storage.clone(), "log", &Options::open()).unwrap_err(), Error::Locked);
    log.clone().close().unwrap();
    assert_eq!(log.append(b"b"), Err(Error::Closed));
    assert_eq!(log.close(), Err(Error::Closed));
    assert_eq!(replay.next(), Some(Err(Error::Closed)));
    assert_eq!(replay.next(), None);
    assert_eq!((ticket.poll(), ticket.wait()), (Err(Error::Closed), Err(Error::Closed)));
    assert_eq!(RUNTIME.journal(storage, "log", &Options::open()).unwrap().size(), Ok(1));
}

#[test]
fn dropping_the_last_handle_hands_over_what_waits_and_frees_the_lock() {
    let storage = Arc::new(Memory::new());
    let log = journal(&storage);
    let clone = log.clone();
    let mut replay = log.replay(0).unwrap();
    log.append(b"waits").unwrap();
    drop(log);
    clone.append(b"too").unwrap();
    drop(clone);
    assert_eq!(replay.next(), Some(Err(Error::Closed)));
    let log = journal(&storage);
    assert_eq!((log.read(0), log.size()), (Ok(b"waits".to_vec()), Ok(2)));
}

#[test]
fn reopening_an_open_journal_closes_the_old_handle() {
    let log = RUNTIME.journal(Arc::new(Memory::new()), "log", &Options::create()).unwrap();
    log.append(b"a").unwrap();
    let again = log.reopen().unwrap();
    assert_eq!(log.size(), Err(Error::Closed));
    assert_eq!(again.size(), Ok(1));
}

#[test]
fn what_is_too_large_does_not_cross() {
    let log = journal(&Arc::new(Memory::new()));
    let big = vec![0; (16 << 20) + 1];
    let what = |error: Error| match error {
        Error::TooLarge { what, .. } => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(log.append(&big).unwrap_err()), Limit::ItemSize);
    assert_eq!(what(log.append_batch(&[&big]).unwrap_err()), Limit::ItemSize);
    assert_eq!(what(log.append_batch(&[&big[1..]; 5]).unwrap_err()), Limit::BatchSize);
    assert_eq!(what(log.append_batch(&[[]; (1 << 20) + 1]).unwrap_err()), Limit::BatchCount);
    assert_eq!(what(log.read_many(&vec![0; (1 << 20) + 1], 9).unwrap_err()), Limit::BatchCount);
    let name = "n".repeat(65);
    let opened = RUNTIME.journal(Arc::new(Memory::new()), &name, &Options::default());
    assert_eq!(what(opened.unwrap_err()), Limit::Name);
    assert_eq!(log.size(), Ok(0));
    log.close().unwrap();
    assert_eq!(log.append(&big), Err(Error::Closed));
}

#[test]
fn an_empty_batch_and_bad_packing_are_refused() {
    let log = journal(&Arc::new(Memory::new()));
    assert!(matches!(log.append_batch::<&[u8]>(&[]), Err(Error::InvalidArgument(_))));
    for (ends, bytes) in [(&[][..], &b""[..]), (&[2, 1], b"a"), (&[1], b"ab"), (&[3], b"ab"), (&[], b"a")] {
        let answer = log.append_packed(ends, bytes);
        assert!(matches!(answer, Err(Error::InvalidArgument(_))), "{ends:?} {answer:?}");
    }
    assert_eq!(log.size(), Ok(0));
}

#[test]
fn the_largest_batch_crosses_and_comes_back() {
    let log = journal(&Arc::new(Memory::new()));
    let item = vec![7_u8; 16 << 20];
    log.append_batch(&[&item; 4]).unwrap();
    let all = log.read_range(0, Limits::new(10, u32::MAX)).unwrap();
    assert!(all.len() >= 3, "64 MiB fit into one answer, give or take");
    assert!(all.iter().all(|(_, there)| there == item));
    let small = vec![[1_u8; 1]; 1 << 20];
    assert_eq!(log.append_batch(&small), Ok(4));
    assert_eq!(log.size(), Ok(4 + (1 << 20)));
}

#[test]
fn one_seed_and_one_clock_give_one_outcome() {
    let run = |seed| {
        let runtime =
            RUNTIME.with_random(Arc::new(SeededRandom::new(seed))).with_clock(Arc::new(FixedClock::new(5)));
        let storage = Arc::new(Memory::new());
        let log = runtime.journal(storage.clone(), "log", &Options::default()).unwrap();
        log.append_batch(&["a", "b"]).unwrap();
        let token = log.close().unwrap();
        let files = storage.list("", None, 99).unwrap();
        let read = |name: &String| storage.open(name).unwrap().read(0, u32::MAX).unwrap();
        let bytes: Vec<Vec<u8>> = files.iter().map(read).collect();
        (token, files, bytes)
    };
    assert!(run(1) == run(1), "the same seed gave something else");
    assert_ne!(run(1).0.log, run(2).0.log);
}

#[test]
fn admin_lists_and_verifies_a_journal_in_use() {
    let storage = Arc::new(Memory::new());
    let log = journal(&storage);
    log.append_batch(&["a", "b"]).unwrap();
    log.sync().unwrap();
    let admin = RUNTIME.admin(storage).unwrap();
    let logs = admin.list().unwrap();
    assert_eq!(logs.iter().map(|log| log.name.as_str()).collect::<Vec<_>>(), ["log"]);
    assert_eq!(admin.info("log").unwrap().kind, annals::admin::Kind::Journal);
    assert_eq!(admin.info("other").unwrap_err(), Error::NotFound);
    let progress = admin.verify("log").unwrap().run().unwrap();
    assert!(progress.checked > 0 && progress.checked <= progress.total, "{progress:?}");
    assert_eq!(progress.damage, []);
    for segment in admin.segments("log").unwrap() {
        admin.frames(&segment.file).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    }
    assert!(admin.frames("../etc/passwd").is_err());
}

#[test]
fn a_failed_write_closes_the_journal_and_reopening_recovers_it() {
    let fail = Arc::new(AtomicBool::new(false));
    let told = fail.clone();
    let before = move || match told.load(Ordering::Relaxed) {
        true => Err(storage::Error::Io("the cable is out".into())),
        false => Ok(()),
    };
    let storage = Arc::new(Hooked::before(before));
    let log = RUNTIME.journal(storage, "log", &Options::default()).unwrap();
    log.append_batch(&["kept"]).unwrap();
    log.sync().unwrap();
    fail.store(true, Ordering::Relaxed);
    let error = log.append_batch(&["lost"]).and_then(|_| log.sync()).unwrap_err();
    assert!(matches!(&error, Error::Storage(what) if what.contains("cable")), "{error:?}");
    assert_eq!(error.class(), Class::Storage);
    assert_eq!((log.size(), log.append(b"x")), (Err(Error::Closed), Err(Error::Closed)));
    fail.store(false, Ordering::Relaxed);
    let log = log.reopen().unwrap();
    assert_eq!(log.read(0), Ok(b"kept".to_vec()));
}

#[test]
fn a_call_that_takes_too_long_traps_and_reopening_recovers() {
    let slow = Arc::new(AtomicBool::new(false));
    let told = slow.clone();
    let before = move || {
        if told.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(600));
        }
        Ok(())
    };
    let storage = Arc::new(Hooked::before(before));
    let runtime = Runtime::with_config(Config::new().call_time(Duration::from_millis(200))).unwrap();
    let log = runtime.journal(storage, "log", &Options::default()).unwrap();
    log.append_batch(&["kept"]).unwrap();
    log.sync().unwrap();
    thread::sleep(Duration::from_millis(400));
    assert_eq!(log.append_batch(&["each call has its own time"]), Ok(1));
    let mut replay = log.replay(0).unwrap();

    slow.store(true, Ordering::Relaxed);
    let error = log.append_batch(&["too slow"]).and_then(|_| log.sync()).unwrap_err();
    assert_eq!(error, Error::Limit { what: Bound::Time, allowed: 200 });
    assert_eq!((log.size(), log.append(b"x")), (Err(Error::Closed), Err(Error::Closed)));
    assert_eq!(replay.next(), Some(Err(Error::Closed)));
    slow.store(false, Ordering::Relaxed);
    assert_eq!(log.reopen().unwrap().read(0), Ok(b"kept".to_vec()));
}

#[test]
fn a_storage_that_panics_closes_the_journal_and_nothing_else() {
    let panics = Arc::new(AtomicBool::new(false));
    let told = panics.clone();
    let storage = Arc::new(Hooked::before(move || {
        assert!(!told.load(Ordering::Relaxed), "told to panic");
        Ok(())
    }));
    let log = RUNTIME.journal(storage, "log", &Options::default()).unwrap();
    log.append_batch(&["kept"]).unwrap();
    let mut replay = log.replay(0).unwrap();
    panics.store(true, Ordering::Relaxed);
    let clone = log.clone();
    assert!(thread::spawn(move || clone.sync()).join().is_err());
    assert_eq!((log.size(), log.append(b"x")), (Err(Error::Closed), Err(Error::Closed)));
    assert_eq!(replay.next(), Some(Err(Error::Closed)));
    panics.store(false, Ordering::Relaxed);
    assert_eq!(log.reopen().unwrap().read(0), Ok(b"kept".to_vec()));
}

#[test]
fn memory_is_bounded() {
    let runtime = Runtime::with_config(Config::new().memory_bytes(8 << 20)).unwrap();
    let storage = Arc::new(Memory::new());
    let log = runtime.journal(storage.clone(), "log", &Options::default()).unwrap();
    log.append_batch(&["kept"]).unwrap();
    let error = log.append(&vec![1; 16 << 20]).unwrap_err();
    assert_eq!(error.class(), Class::Storage, "{error:?}");
    drop(log);
    assert_eq!(journal(&storage).read(0), Ok(b"kept".to_vec()));
}

#[test]
fn a_component_that_is_none_is_refused() {
    for bytes in [&b""[..], b"nonsense", b"\0asm\x01\0\0\0"] {
        assert!(matches!(Runtime::from_component(bytes), Err(Error::Setup(_))));
    }
}

#[derive(Debug, Default)]
struct NoRandomness(AtomicU64);

impl Random for NoRandomness {
    fn next_u64(&self) -> Result<u64, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err("the dice are lost".into())
    }
}

#[test]
fn without_randomness_no_log_is_made() {
    let random = Arc::new(NoRandomness::default());
    let runtime = RUNTIME.with_random(random.clone());
    let opened = runtime.journal(Arc::new(Memory::new()), "log", &Options::default());
    assert!(matches!(opened.unwrap_err(), Error::Trap(_)));
    assert_eq!(random.0.load(Ordering::Relaxed), 1);
}

#[test]
fn appends_go_on_while_a_ticket_is_waited_for() {
    let memory = Memory::new();
    let (tell, storage) = Hooked::slow(memory.clone());
    let log = RUNTIME.journal(Arc::new(storage), "log", &Options::default()).unwrap();
    log.append(b"a").unwrap();
    let ticket = log.begin_sync().unwrap();
    assert_eq!(ticket.poll(), Ok(None));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| ticket.wait());
        thread::sleep(Duration::from_millis(50));
        assert_eq!(log.append(b"b"), Ok(1));
        assert_eq!((log.read(0), log.size()), (Ok(b"a".to_vec()), Ok(2)));
        assert!(!waiting.is_finished());
        tell.send(()).unwrap();
        let token = waiting.join().unwrap().unwrap();
        assert_eq!((ticket.wait(), ticket.poll()), (Ok(token), Ok(Some(token))));
    });
}

#[test]
fn a_lock_is_not_let_go_before_running_syncs_have_ended() {
    let memory = Memory::new();
    let (tell, storage) = Hooked::slow(memory.clone());
    let log = RUNTIME.journal(Arc::new(storage), "log", &Options::default()).unwrap();
    log.append(b"a").unwrap();
    let ticket = log.begin_sync().unwrap();
    let opened = Options::open().lock_wait_ms(10);
    let start = Instant::now();
    thread::scope(|scope| {
        let ending = scope.spawn(|| drop(log));
        thread::sleep(Duration::from_millis(50));
        assert!(!ending.is_finished());
        let second = RUNTIME.journal(Arc::new(memory.clone()), "log", &opened);
        assert_eq!(second.unwrap_err(), Error::Locked);
        tell.send(()).unwrap();
        ending.join().unwrap();
    });
    assert!(start.elapsed() >= Duration::from_millis(50));
    drop(ticket);
    assert_eq!(RUNTIME.journal(Arc::new(memory), "log", &opened).unwrap().size(), Ok(1));
}
