//! Limits of the host as users of honest logs meet them: a typed error, nothing lost, the log open or to be reopened, and
//! every other log as before.

use annals::{
    Config, Error, Journal, Runtime,
    error::{Bound, Class},
    journal::Options,
    link::Quota,
    storage::{Memory, Storage},
};
use std::sync::{Arc, LazyLock};

/// Compiled once; limits differ by test, so each makes its own from the cache in the target directory.
fn runtime(config: Config) -> Runtime {
    static CACHE: LazyLock<std::path::PathBuf> =
        LazyLock::new(|| std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
    Runtime::with_config(config.cache(&*CACHE)).unwrap()
}

fn quota(set: impl FnOnce(&mut Quota)) -> Config {
    let mut quota = Quota::default();
    set(&mut quota);
    Config::new().quota(quota)
}

fn small() -> Options {
    Options::new().segment_bytes(64 << 10).items_per_section(10)
}

/// Appends and syncs batches of ten items of 1000 bytes until a limit is met.
fn append_until_limit(log: &Journal) -> (u64, Error) {
    loop {
        let size = log.size().unwrap();
        if let Err(error) = log.append_batch(&[[7; 1000]; 10]).and_then(|_| log.sync()) {
            return (size, error);
        }
        assert!(size < 100_000, "no limit was met");
    }
}

fn check(log: &Journal) {
    let items: usize = log.replay(log.boundary().unwrap()).unwrap().map(|batch| batch.unwrap().len()).sum();
    assert_eq!(items as u64, log.size().unwrap() - log.boundary().unwrap());
}

#[test]
fn bytes_are_counted_over_all_logs_of_a_storage_and_prune_makes_room() {
    let runtime = runtime(quota(|quota| quota.stored_bytes = 2 << 20));
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let log = runtime.journal(storage.clone(), "log", &small()).unwrap();
    let (size, error) = append_until_limit(&log);
    assert_eq!(error, Error::Limit { what: Bound::StoredBytes, allowed: 2 << 20 });
    assert_eq!(error.class(), Class::Storage);
    assert!(size > 1500, "{size} items of 1000 bytes in 2 MiB");
    check(&log);
    assert!(storage.usage().unwrap().bytes <= 2 << 20);

    let beside = runtime.journal(storage.clone(), "beside", &small());
    assert_eq!(beside.unwrap_err(), error, "the storage is full for all logs in it");
    let elsewhere = runtime.journal(Arc::new(Memory::new()), "log", &small()).unwrap();
    elsewhere.append_batch(&[[7; 1000]; 100]).unwrap();

    assert!(log.prune(size / 2).unwrap());
    let (more, again) = append_until_limit(&log);
    assert!(more > size + 500 && again == error, "{} more after the prune", more - size);
    log.close().unwrap();
    let log = runtime.journal(storage.clone(), "log", &Options::open()).unwrap();
    check(&log);
    drop(log);
    runtime.destroy_journal(storage.clone(), "log").unwrap();
    runtime.journal(storage, "beside", &small()).unwrap();
}

#[test]
fn what_another_program_frees_can_be_used() {
    let memory = Memory::new();
    let limited = runtime(quota(|quota| quota.stored_bytes = 2 << 20));
    memory.create("foreign").unwrap().reserve(1 << 20).unwrap();
    let log = limited.journal(Arc::new(memory.clone()), "log", &small()).unwrap();
    let (size, _) = append_until_limit(&log);
    memory.remove("foreign").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let (more, _) = append_until_limit(&log);
    assert!(size < 1100 && more > size + 900, "{size}, then {more}");
}

#[test]
fn files_are_counted() {
    let runtime = runtime(quota(|quota| quota.files = 4));
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let log = runtime.journal(storage.clone(), "log", &small()).unwrap();
    let (size, error) = append_until_limit(&log);
    assert_eq!(error, Error::Limit { what: Bound::Files, allowed: 4 });
    assert_eq!(storage.usage().unwrap().files, 4);
    check(&log);
    assert!(log.prune(size).unwrap());
    assert!(append_until_limit(&log).0 > size);
}

#[test]
fn file_sizes_cells_handles_transfers_and_calls_are_bounded() {
    for (what, config) in [
        (Bound::FileBytes, quota(|quota| quota.file_bytes = 1000)),
        (Bound::Cells, quota(|quota| quota.cells = 0)),
        (Bound::Locks, quota(|quota| quota.locks = 0)),
        (Bound::Transfer, quota(|quota| quota.transfer_bytes = 10)),
        (Bound::Calls, quota(|quota| quota.calls = 3)),
        (Bound::Handles, Config::new().handles(1)),
        (Bound::Memory, Config::new().memory_bytes(1 << 16)),
    ] {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let opened = runtime(config).journal(storage.clone(), "log", &Options::default());
        match opened {
            Err(Error::Limit { what: met, .. }) if met == what => {}
            other => panic!("{what:?}: {other:?}"),
        }
        // What was begun is finished where there is more to be had.
        let log = runtime(Config::new()).journal(storage, "log", &Options::default()).unwrap();
        assert_eq!(log.append(b"item"), Ok(0));
    }
}

#[test]
fn after_being_stopped_a_journal_is_closed_and_reopens() {
    let runtime = runtime(quota(|quota| quota.calls = 200));
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let log = runtime.journal(storage.clone(), "log", &small()).unwrap();
    for _ in 0..60 {
        // Each has calls of its own.
        log.append_batch(&[[7; 1000]; 10]).unwrap();
    }
    log.sync().unwrap();
    let positions: Vec<u64> = (0..600).flat_map(|position| [position, 599 - position]).collect();
    let stopped = log.read_many(&positions, u32::MAX);
    assert_eq!(stopped.unwrap_err(), Error::Limit { what: Bound::Calls, allowed: 200 });
    assert_eq!(log.append(b"x"), Err(Error::Closed));
    let log = log.reopen().unwrap();
    assert_eq!(log.size(), Ok(600));
    check(&log);
}
