//! What the handle of a change log adds to the component: the heart that beats on its own, what a fenced instance meets,
//! reopening under one's name, order of ending.

mod common;

use annals::{
    ChangeLog, Error, Runtime,
    change_log::{Change, InstanceState, Options, Outstanding},
    environment::FixedClock,
    error::{Class, Limit},
    limits,
    storage::{self, Memory},
};
use common::Hooked;
use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn open(storage: &Arc<Memory>, options: Options) -> ChangeLog {
    RUNTIME.change_log(storage.clone(), "steps", &options).unwrap()
}

fn named(name: &str) -> Options {
    Options::new().instance(name)
}

fn scanned(log: &ChangeLog) -> Vec<Outstanding> {
    log.scan(true).unwrap().map(Result::unwrap).collect()
}

fn change(payload: &str) -> Change {
    Change::new(payload)
}

#[test]
fn the_heart_keeps_an_idle_instance_alive_and_without_it_it_is_fenced() {
    let storage = Arc::new(Memory::new());
    let alive = open(&storage, named("alive").heartbeat_ms(150));
    let silent = open(&storage, named("silent").heartbeat_ms(150).background_heartbeat(false));
    for log in [&alive, &silent] {
        log.record(b"1", &change("blob")).unwrap();
    }
    let other = open(&storage, named("other"));
    // On a machine that is busy with other things a beat may come late: then it is tried again.
    let started = Instant::now();
    let dead = loop {
        thread::sleep(Duration::from_millis(300));
        let beat = RUNTIME.instances(storage.clone(), "steps").unwrap();
        let of = |name: &str| beat.iter().find(|info| info.instance == name).unwrap().heartbeat_at_ms;
        if of("alive").saturating_sub(of("silent")) > 1500 {
            break other.recover(1400).unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it does not beat");
    };
    let names: Vec<&str> = dead.iter().map(|dead| &*dead.instance).collect();
    assert!(names.contains(&"silent"), "{names:?}");
    assert_eq!(silent.record(b"2", &change("late")), Err(Error::Fenced));
    if !names.contains(&"alive") {
        alive.record(b"2", &change("in time")).unwrap();
        assert_eq!(scanned(&other).len(), 1);
    }
}

#[test]
fn a_fenced_instance_answers_fenced_and_may_come_back_under_its_name() {
    let storage = Arc::new(Memory::new());
    let log = open(&storage, named("one").heartbeat_ms(60_000));
    log.record(b"1", &change("taken over")).unwrap();
    let other = open(&storage, named("other"));
    assert_eq!(other.recover(0).unwrap()[0].changes, 1);
    assert_eq!(log.heartbeat(), Err(Error::Fenced));
    assert_eq!(log.record(b"2", &change("")), Err(Error::Fenced));
    assert_eq!(log.remove(None, b"1"), Err(Error::Fenced));
    assert_eq!(log.get(None, b"1"), Err(Error::Fenced));
    assert_eq!(log.recover(0), Err(Error::Fenced));
    assert_eq!(log.clone().close().map(drop), Err(Error::Fenced));
    assert_eq!(log.heartbeat(), Err(Error::Closed), "it was closed nevertheless");
    let again = log.reopen().unwrap();
    assert_eq!((again.instance(), scanned(&again)), ("one", vec![]));
    again.record(b"1", &change("another one")).unwrap();
    let [held] = &scanned(&other)[..] else { panic!("one was taken over") };
    assert_eq!((&*held.origin, &held.change), ("one", &change("taken over")));
}

#[test]
fn the_heart_finds_out_that_it_is_fenced_and_ends() {
    let storage = Arc::new(Memory::new());
    let clock = Arc::new(FixedClock::new(1_000_000));
    let runtime = RUNTIME.with_clock(clock.clone());
    let log = runtime.change_log(storage.clone(), "steps", &named("one").heartbeat_ms(30)).unwrap();
    let other = runtime.change_log(storage.clone(), "steps", &named("other").heartbeat_ms(60_000)).unwrap();
    assert_eq!(other.recover(0).unwrap().len(), 1);
    let started = Instant::now();
    while log.get(None, b"1") != Err(Error::Fenced) {
        assert!(started.elapsed() < Duration::from_secs(60), "the heart does not notice");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn dropping_the_last_clone_ends_the_instance_at_once_and_its_name_gets_the_changes_back() {
    let storage = Arc::new(Memory::new());
    let log = open(&storage, named("one").heartbeat_ms(3));
    log.record(b"1", &change("blob")).unwrap();
    let clone = log.clone();
    drop(log);
    let again = RUNTIME.change_log(storage.clone(), "steps", &named("one"));
    assert_eq!(again.map(drop), Err(Error::Locked));
    drop(clone);
    let log = open(&storage, named("one"));
    assert_eq!(log.get(None, b"1"), Ok(Some(change("blob"))));
    // Nobody else finds anything.
    let other = open(&storage, Options::open());
    assert_eq!(other.get(Some("one"), b"1"), Ok(None));
}

#[test]
fn an_instance_without_a_name_keeps_the_one_that_it_drew() {
    let storage = Arc::new(Memory::new());
    let mut log = open(&storage, Options::create());
    let name = log.instance().to_owned();
    for number in 0..5_u8 {
        log.record(&[number], &change("blob")).unwrap();
        log = log.reopen().unwrap();
        assert_eq!((log.instance(), scanned(&log).len()), (&*name, usize::from(number) + 1));
    }
    let token = log.close().unwrap();
    let info = RUNTIME.instances(storage.clone(), "steps").unwrap();
    assert_eq!((info.len(), &*info[0].instance, info[0].state), (1, &*name, InstanceState::Closed));
    let log = open(&storage, Options::open().expect(token));
    assert_eq!(log.recover(u64::MAX).unwrap()[0].changes, 5, "a closed one need not be stale");
}

#[test]
fn after_close_everything_answers_closed() {
    let log = open(&Arc::new(Memory::new()), named("one").heartbeat_ms(3));
    log.record(b"1", &change("blob")).unwrap();
    let mut scan = log.scan(true).unwrap();
    log.close().unwrap();
    assert_eq!(log.record(b"2", &change("")), Err(Error::Closed));
    assert_eq!(log.remove(None, b"1"), Err(Error::Closed));
    assert_eq!(log.get(None, b"1"), Err(Error::Closed));
    assert_eq!(log.scan(true).map(drop), Err(Error::Closed));
    assert_eq!(log.heartbeat(), Err(Error::Closed));
    assert_eq!(log.recover(0), Err(Error::Closed));
    assert_eq!(log.discard("two"), Err(Error::Closed));
    assert_eq!(log.close(), Err(Error::Closed));
    assert_eq!(scan.next_batch(), Err(Error::Closed));
}

#[test]
fn what_is_too_large_does_not_cross_and_reading_only_comes_first() {
    let storage = Arc::new(Memory::new());
    let log = open(&storage, named("one"));
    let big = vec![0; limits::ITEM_BYTES + 1];
    let long = "a".repeat(65);
    let id = &big[..limits::KEY_BYTES + 1];
    for (answer, limit) in [
        (log.record(id, &change("")), Limit::KeySize),
        (log.record(b"1", &Change::new(&big)), Limit::ItemSize),
        (log.remove(None, id).map(drop), Limit::KeySize),
        (log.remove(Some(&long), b"1").map(drop), Limit::Name),
        (log.get(Some(&long), b"1").map(drop), Limit::Name),
        (log.discard(&long).map(drop), Limit::Name),
        (RUNTIME.change_log(storage.clone(), "steps", &named(&long)).map(drop), Limit::Name),
        (RUNTIME.change_log(storage.clone(), &long, &named("one")).map(drop), Limit::Name),
    ] {
        assert!(
            matches!(answer, Err(Error::TooLarge { what, .. }) if what == limit),
            "{limit:?}: {answer:?}"
        );
    }
    log.record(b"1", &change("blob")).unwrap();
    let all = open(&storage, Options::read_only());
    assert_eq!((all.instance(), scanned(&all).len()), ("", 1));
    assert_eq!(all.record(id, &change("")), Err(Error::ReadOnly));
    assert_eq!(all.heartbeat(), Err(Error::ReadOnly));
    assert_eq!(all.get(Some("one"), b"1"), Ok(Some(change("blob"))));
}

#[test]
fn threads_share_an_instance() {
    let log = open(&Arc::new(Memory::new()), named("one").heartbeat_ms(3));
    thread::scope(|scope| {
        for writer in 0..4_u8 {
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..50_u8 {
                    log.record(&[writer, number], &change("blob")).unwrap();
                    if number % 2 == 0 {
                        assert_eq!(log.remove(None, &[writer, number]), Ok(true));
                    }
                }
            });
        }
    });
    assert_eq!(scanned(&log).len(), 100);
}

#[test]
fn a_failed_sync_closes_the_instance_and_reopening_tells_what_is_there() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let storage = Arc::new(Hooked::before(move || match failing.load(Ordering::Relaxed) {
        true => Err(storage::Error::Io("told to".into())),
        false => Ok(()),
    }));
    let log = RUNTIME.change_log(storage, "steps", &named("one")).unwrap();
    log.record(b"1", &change("blob")).unwrap();
    fails.store(true, Ordering::Relaxed);
    assert_eq!(log.record(b"2", &change("blob")).unwrap_err().class(), Class::Storage);
    assert_eq!(log.get(None, b"1"), Err(Error::Closed));
    fails.store(false, Ordering::Relaxed);
    let log = log.reopen().unwrap();
    assert_eq!(log.get(None, b"1"), Ok(Some(change("blob"))));
}

#[test]
fn a_panic_beneath_a_call_closes_the_log_and_its_heart_ends() {
    let panics = Arc::new(AtomicBool::new(false));
    let told = panics.clone();
    let storage = Arc::new(Hooked::before(move || {
        assert!(!told.load(Ordering::Relaxed), "told to");
        Ok(())
    }));
    let log = RUNTIME.change_log(storage, "steps", &named("one").heartbeat_ms(30)).unwrap();
    log.record(b"1", &change("blob")).unwrap();
    panics.store(true, Ordering::Relaxed);
    let failed = thread::scope(|scope| scope.spawn(|| log.record(b"2", &change("blob"))).join());
    assert!(failed.is_err());
    panics.store(false, Ordering::Relaxed);
    assert_eq!(log.heartbeat(), Err(Error::Closed));
    let log = log.reopen().unwrap();
    assert_eq!(log.get(None, b"1"), Ok(Some(change("blob"))));
}
