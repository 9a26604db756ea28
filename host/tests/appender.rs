//! The appender: one order with everything else, one crossing for many items, and nothing lost without a word.

mod common;
#[path = "component/disk.rs"]
#[allow(dead_code, unreachable_pub)]
mod disk;

use annals::{
    Error, Journal, Limits, Runtime,
    error::Class,
    journal::Options,
    storage::{self, Memory},
};
use annals_tests::sim::SimDisk;
use common::{Hooked, Random};
use disk::Simulated;
use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn journal(storage: Arc<dyn storage::Storage>) -> Journal {
    RUNTIME.journal(storage, "log", &Options::default()).unwrap()
}

fn all(log: &Journal) -> Vec<Vec<u8>> {
    log.items(log.boundary().unwrap()).unwrap().map(|item| item.unwrap().to_vec()).collect()
}

#[test]
fn positions_are_known_at_once_and_items_of_any_size_come_back() {
    let log = journal(Arc::new(Memory::new()));
    let appender = log.appender().unwrap().gather(4 << 10);
    let sizes = [0, 1, 100, 4095, 4096, 4097, 0, 70_000, 3, 1 << 20, 5];
    let items: Vec<Vec<u8>> = (0..200).map(|n| vec![n as u8; sizes[n % sizes.len()]]).collect();
    for (position, item) in items.iter().enumerate() {
        assert_eq!(appender.append(item), Ok(position as u64));
        assert_eq!(log.size(), Ok(position as u64 + 1));
    }
    assert!(all(&log) == items);
}

#[test]
fn many_empty_items_cross_before_there_are_too_many() {
    let log = journal(Arc::new(Memory::new()));
    let appender = log.appender().unwrap();
    for position in 0..150_000 {
        assert_eq!(appender.append(b""), Ok(position));
    }
    assert_eq!(log.items(0).unwrap().count(), 150_000);
}

#[test]
fn ten_thousand_appends_are_a_handful_of_writes() {
    let writes = Arc::new(AtomicU64::new(0));
    let counted = writes.clone();
    let storage = Hooked::before(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let log = journal(Arc::new(storage));
    writes.store(0, Ordering::Relaxed);
    let appender = log.appender().unwrap();
    for _ in 0..10_000 {
        appender.append(&[7; 100]).unwrap();
    }
    appender.flush().unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 8, "1,000,000 bytes, 128 KiB at a time");
}

/// What a journal with 10 items per section holds.
#[derive(Default)]
struct Model {
    items: Vec<Vec<u8>>,
    boundary: usize,
}

#[test]
fn an_appender_and_everything_else_have_one_order() {
    let seed = annals_tests::seed(1);
    println!("ANNALS_SEED={seed}");
    for round in 0..20 {
        let mut random = Random(seed + round);
        let storage = Arc::new(Memory::new());
        let options = Options::default().items_per_section(10);
        let mut log = RUNTIME.journal(storage, "log", &options).unwrap();
        let mut appenders = vec![log.appender().unwrap().gather(4 << 10)];
        let mut model = Model::default();
        for step in 0..400_u64 {
            let size = model.items.len();
            let item = |n: u64| format!("{step}.{n}{}", "x".repeat((step % 300) as usize)).into_bytes();
            match random.below(24) {
                0..10 => {
                    let appender = &appenders[random.below(appenders.len() as u64) as usize];
                    assert_eq!(appender.append(&item(0)), Ok(size as u64));
                    model.items.push(item(0));
                }
                10 | 11 => {
                    assert_eq!(log.append(&item(0)), Ok(size as u64));
                    model.items.push(item(0));
                }
                12 => {
                    let items = [item(0), item(1), item(2)];
                    assert_eq!(log.append_batch(&items), Ok(size as u64));
                    model.items.extend(items);
                }
                13 => {
                    assert_eq!(log.append_durable(&item(0)), Ok(size as u64));
                    model.items.push(item(0));
                }
                14 if size > 0 => {
                    let position = random.below(size as u64);
                    match log.read(position) {
                        Ok(item) => assert_eq!(item, model.items[position as usize]),
                        Err(error) => assert!(
                            matches!(error, Error::Pruned(_)) && position < model.boundary as u64,
                            "{error:?}"
                        ),
                    }
                }
                15 if size > model.boundary => {
                    let read = log.read_many(&[size as u64 - 1, model.boundary as u64], 1 << 20).unwrap();
                    let read: Vec<&[u8]> = read.iter().map(|(_, item)| item).collect();
                    assert_eq!(read, [&model.items[size - 1], &model.items[model.boundary]]);
                }
                16 => {
                    let read = log.read_range(model.boundary as u64, Limits::new(9999, 1 << 20)).unwrap();
                    assert_eq!(read.len(), size - model.boundary);
                }
                17 => {
                    let to = model.boundary + random.below((size - model.boundary) as u64 + 1) as usize;
                    assert_eq!(log.rewind(to as u64), Ok(()));
                    model.items.truncate(to);
                }
                18 => {
                    let to = random.below(size as u64 + 5) as usize;
                    let boundary = (to.min(size) / 10 * 10).max(model.boundary);
                    assert_eq!(log.prune(to as u64), Ok(boundary > model.boundary));
                    model.boundary = boundary;
                }
                19 => drop(log.sync().unwrap()),
                20 => appenders[0].flush().unwrap(),
                21 => appenders.push(appenders[0].clone()),
                22 => drop((appenders.len() > 1).then(|| appenders.pop())),
                23 if random.below(4) == 0 => {
                    let again = log.reopen().unwrap();
                    assert_eq!((log.size(), log.oldest()), (Err(Error::Closed), Err(Error::Closed)));
                    assert_eq!(appenders[0].append(b"x"), Err(Error::Closed));
                    appenders = vec![again.appender().unwrap().gather(4 << 10)];
                    log = again;
                }
                _ => assert_eq!(log.read(size as u64 + 1).unwrap_err().class(), Class::Caller),
            }
            let (size, boundary) = (model.items.len() as u64, model.boundary as u64);
            let told = (log.size(), log.boundary(), log.oldest());
            assert_eq!(told, (Ok(size), Ok(boundary), Ok((boundary < size).then_some(boundary))), "{step}");
        }
        assert!(all(&log) == model.items[model.boundary..]);
    }
}

#[test]
fn threads_share_one_order() {
    let log = journal(Arc::new(Memory::new()));
    let appender = log.appender().unwrap().gather(4 << 10);
    let placed: Vec<(u64, Vec<u8>)> = thread::scope(|scope| {
        let run = |thread: u64| {
            let (log, appender) = (log.clone(), appender.clone());
            move || {
                let mut placed = Vec::new();
                for number in 0..20_000_u64 {
                    let item = format!("{thread}:{number}").into_bytes();
                    let position = match (thread, number % 50) {
                        (0, _) => log.append(&item).unwrap(),
                        (1, 0) => log.append_batch(&[&item]).unwrap(),
                        (2, 0) => log.append_durable(&item).unwrap(),
                        _ => appender.append(&item).unwrap(),
                    };
                    assert!(log.size().unwrap() > position);
                    if number % 997 == 0 {
                        assert_eq!(log.read(position).unwrap(), item);
                        log.sync().unwrap();
                    }
                    placed.push((position, item));
                }
                placed
            }
        };
        let threads: Vec<_> = (0..5).map(|thread| scope.spawn(run(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let there = all(&log);
    assert_eq!(there.len(), placed.len());
    for (position, item) in placed {
        assert_eq!(there[position as usize], item);
    }
}

#[test]
fn dropping_an_appender_hands_over() {
    let storage = Arc::new(Memory::new());
    let log = journal(storage.clone());
    let appender = log.appender().unwrap();
    appender.append(b"gathered").unwrap();
    assert_eq!(journal(Arc::new(storage.fork())).size(), Ok(0));
    drop(appender);
    assert_eq!(journal(Arc::new(storage.fork())).size(), Ok(1));
    // An appender is a handle: the journal lives as long as it does.
    let appender = log.appender().unwrap();
    drop(log);
    appender.append(b"still").unwrap();
    drop(appender);
    assert_eq!(all(&journal(storage)), [&b"gathered"[..], b"still"]);
}

#[test]
fn a_failure_that_somebody_else_met_is_told_to_the_appender() {
    let fail = Arc::new(AtomicBool::new(false));
    let told = fail.clone();
    let storage = Arc::new(Hooked::before(move || match told.load(Ordering::Relaxed) {
        true => Err(storage::Error::Io("the cable is out".into())),
        false => Ok(()),
    }));
    for by_other in [false, true] {
        let log = journal(storage.clone());
        let appender = log.appender().unwrap();
        let first = appender.append(b"kept").unwrap();
        appender.sync().unwrap();
        fail.store(true, Ordering::Relaxed);
        appender.append(b"lost").unwrap();
        if by_other {
            assert!(matches!(log.read(first + 1), Err(Error::Storage(_))));
        }
        let error = appender.sync().unwrap_err();
        assert!(matches!(&error, Error::Storage(what) if what.contains("cable")), "{error:?}");
        assert_eq!(appender.append(b"x"), Err(Error::Closed));
        assert_eq!((appender.flush(), log.size()), (Err(Error::Closed), Err(Error::Closed)));
        fail.store(false, Ordering::Relaxed);
        assert_eq!(log.reopen().unwrap().size(), Ok(first + 1));
    }
}

#[test]
fn on_a_full_disk_what_was_gathered_stays_and_a_prune_frees_it() {
    let disk = SimDisk::new(1);
    let options = Options::default().segment_bytes(64 << 10).items_per_section(100);
    let log = RUNTIME.journal(Arc::new(Simulated(disk.clone())), "log", &options).unwrap();
    disk.set_quota(Some(400 << 10));
    let appender = log.appender().unwrap().gather(8 << 10);
    let item = |n: u64| [n.to_le_bytes().as_slice(), &[9; 92]].concat();
    let mut taken = 0;
    let full = loop {
        match appender.append(&item(taken)) {
            Ok(position) => taken = position + 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, Error::OutOfSpace);
    assert!(taken > 2000, "{taken}");
    assert_eq!((log.size(), appender.append(&item(taken))), (Ok(taken), Err(Error::OutOfSpace)));
    assert_eq!((appender.flush(), log.append(b"x")), (Err(Error::OutOfSpace), Err(Error::OutOfSpace)));
    assert_eq!(log.read(0), Ok(item(0)), "what needs nothing gathered can be read");
    assert_eq!(log.size(), Ok(taken));
    assert_eq!(log.prune(1500), Ok(true));
    assert_eq!(appender.append(&item(taken)), Ok(taken));
    appender.sync().unwrap();
    let there = all(&log);
    assert_eq!(there.len() as u64, taken + 1 - 1500);
    assert!(there.iter().zip(1500..).all(|(there, n)| *there == item(n)));
}

#[test]
fn where_nothing_can_be_appended_there_is_no_appender() {
    let storage = Arc::new(Memory::new());
    let log = journal(storage.clone());
    let appender = log.appender().unwrap();
    assert!(matches!(appender.append(&vec![0; (16 << 20) + 1]), Err(Error::TooLarge { .. })));
    appender.append(b"a").unwrap();
    log.close().unwrap();
    assert_eq!(appender.append(b"b"), Err(Error::Closed));
    assert_eq!(log.appender().unwrap_err(), Error::Closed);
    let reader = RUNTIME.journal(storage, "log", &Options::read_only()).unwrap();
    assert_eq!(reader.appender().unwrap_err(), Error::ReadOnly);
    assert_eq!(reader.size(), Ok(1));
}

#[test]
fn at_the_end_of_all_positions_nothing_wraps() {
    let options = Options::create().start_at(u64::MAX - 3);
    let log = RUNTIME.journal(Arc::new(Memory::new()), "log", &options).unwrap();
    let (direct, appender) = (log.append(b"a"), log.appender().unwrap());
    assert_eq!(direct, Ok(u64::MAX - 3));
    let mut positions = Vec::new();
    while let Ok(position) = appender.append(b"b") {
        positions.push(position);
        assert!(positions.len() < 4);
    }
    assert!(positions.is_sorted() && positions.iter().all(|position| *position < u64::MAX));
    assert_eq!(log.size(), Ok(u64::MAX - 2 + positions.len() as u64));
    appender.flush().unwrap();
    assert_eq!(log.append(b"c").unwrap_err().class(), Class::Caller);
}
