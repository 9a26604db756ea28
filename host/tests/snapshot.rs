//! What the handle of a snapshot adds to the component: sharing, caching, order of ending, checks before crossing; and
//! how little memory a large fold takes. Directories have tests of their own (`artifacts.rs`).

mod common;

use annals::{
    Config, Error, Runtime, Snapshot,
    error::{Bound, Class, Limit},
    limits,
    snapshot::{Options, Update, Updates},
    storage::{Directory, Memory, Storage},
};
use common::Hooked;
use std::{
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn fold(storage: &Arc<Memory>) -> Snapshot {
    RUNTIME.snapshot(storage.clone(), "fold", &Options::default()).unwrap()
}

fn keys(fold: &Snapshot, prefix: &[u8]) -> Vec<Vec<u8>> {
    fold.entries(prefix).unwrap().map(|entry| entry.unwrap().key).collect()
}

#[test]
fn the_cursor_follows_every_batch_and_is_the_same_after_reopening() {
    let mut fold = fold(&Arc::new(Memory::new()));
    assert_eq!((fold.cursor(), fold.has_entries()), (Ok(vec![]), Ok(false)));
    for cursor in [&b"7"[..], b"3", b"", b"7"] {
        fold.apply(&[Update::put(b"k", cursor)], cursor).unwrap();
        assert_eq!(fold.cursor(), Ok(cursor.to_vec()));
        assert!(fold.apply(&[Update::put(&[0; limits::KEY_BYTES + 1], b"")], b"other").is_err());
        assert_eq!(fold.cursor(), Ok(cursor.to_vec()), "a refused batch moves nothing");
        fold = fold.reopen().unwrap();
        assert_eq!(fold.cursor(), Ok(cursor.to_vec()));
        assert_eq!(fold.get(b"k").unwrap().map(|entry| entry.value), Some(cursor.to_vec()));
    }
}

#[test]
fn threads_share_a_handle_and_every_batch_is_whole() {
    let fold = fold(&Arc::new(Memory::new()));
    thread::scope(|scope| {
        for writer in 0..4_u8 {
            let fold = fold.clone();
            scope.spawn(move || {
                for round in 0..50_u8 {
                    let value = [writer, round];
                    fold.apply(&[Update::put(b"a", &value), Update::put(b"b", &value)], &value).unwrap();
                }
            });
        }
        let fold = fold.clone();
        scope.spawn(move || {
            for _ in 0..100 {
                let values: Vec<Vec<u8>> =
                    fold.entries(b"").unwrap().map(|entry| entry.unwrap().value).collect();
                assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{values:?}");
            }
        });
    });
    assert_eq!(fold.cursor().unwrap(), fold.get(b"a").unwrap().unwrap().value);
}

#[test]
fn a_range_shows_one_state_while_batches_and_compactions_go_on() {
    let fold = fold(&Arc::new(Memory::new()));
    let mut updates = Updates::new();
    for number in 0..2000_u32 {
        updates.push(Update::put(&number.to_be_bytes(), &[1; 100])).unwrap();
    }
    fold.apply_packed(&updates, b"1").unwrap();
    let mut range = fold.range(b"").unwrap().limits(annals::Limits::new(10, 1 << 20));
    let mut seen = 0;
    while let Some(entries) = range.next_batch().unwrap() {
        assert!(entries.iter().all(|entry| entry.value == [1; 100]));
        seen += entries.len();
        fold.apply(&[Update::put(&(seen as u32).to_be_bytes(), b"2"), Update::delete(&[255])], b"2").unwrap();
        if seen % 500 == 0 {
            fold.compact().unwrap();
        }
    }
    assert_eq!((seen, fold.stats().unwrap().generation), (2000, 4));
}

#[test]
fn after_close_everything_answers_closed_and_another_may_open() {
    let storage = Arc::new(Memory::new());
    let fold = fold(&storage);
    let clone = fold.clone();
    fold.apply(&[Update::put(b"a", b"1")], b"1").unwrap();
    let (mut range, export) = (fold.range(b"").unwrap(), fold.export().unwrap());
    assert_eq!(
        RUNTIME.snapshot(storage.clone(), "fold", &Options::open()).unwrap_err(),
        Error::Locked,
        "one writer at a time"
    );
    let token = fold.close().unwrap();
    assert_eq!(clone.cursor(), Err(Error::Closed));
    assert_eq!(clone.apply(&[], b""), Err(Error::Closed));
    assert_eq!(clone.apply(&[Update::put(b"", &[0; limits::ITEM_BYTES + 1])], b""), Err(Error::Closed));
    assert_eq!(clone.get(b"a"), Err(Error::Closed));
    assert_eq!(clone.range(b"").map(drop), Err(Error::Closed));
    assert_eq!(clone.has_entries(), Err(Error::Closed));
    assert_eq!(clone.stats(), Err(Error::Closed));
    assert_eq!(clone.compact(), Err(Error::Closed));
    assert_eq!(clone.sync(), Err(Error::Closed));
    assert_eq!(clone.close(), Err(Error::Closed));
    assert_eq!(range.next_batch(), Err(Error::Closed));
    assert_eq!(export.next_chunk(1).map(drop), Err(Error::Closed));
    let again = RUNTIME.snapshot(storage, "fold", &Options::open().expect(token)).unwrap();
    assert_eq!(again.cursor(), Ok(b"1".to_vec()));
}

#[test]
fn dropping_the_last_clone_lets_go_of_the_lock() {
    let storage = Arc::new(Memory::new());
    let one = fold(&storage);
    let other = one.clone();
    drop(one);
    assert_eq!(RUNTIME.snapshot(storage.clone(), "fold", &Options::open()).map(drop), Err(Error::Locked));
    drop(other);
    assert!(RUNTIME.snapshot(storage, "fold", &Options::open()).is_ok());
}

#[test]
fn what_is_too_large_does_not_cross_and_changes_nothing() {
    let storage = Arc::new(Memory::new());
    let log = fold(&storage);
    let big = vec![0; limits::ITEM_BYTES + 1];
    let key = &big[..limits::KEY_BYTES + 1];
    for (answer, limit) in [
        (log.apply(&[Update::put(b"k", &big)], b"").map(drop), Limit::ItemSize),
        (log.apply(&[Update::delete(key)], b"").map(drop), Limit::KeySize),
        (log.apply(&[Update::put(b"k", b"").version(&big[..5000])], b"").map(drop), Limit::VersionSize),
        (log.apply(&[], &big[..5000]).map(drop), Limit::CursorSize),
        (log.apply(&[Update::put(b"k", &big[1..]); 5], b"").map(drop), Limit::BatchSize),
        (log.get(key).map(drop), Limit::KeySize),
        (log.range(key).map(drop), Limit::KeySize),
    ] {
        assert!(
            matches!(answer, Err(Error::TooLarge { what, .. }) if what == limit),
            "{limit:?}: {answer:?}"
        );
    }
    assert_eq!((log.cursor(), log.has_entries()), (Ok(vec![]), Ok(false)));
    log.close().unwrap();
    let reading = RUNTIME.snapshot(storage, "fold", &Options::read_only()).unwrap();
    assert_eq!(reading.apply(&[Update::put(b"k", &big)], b""), Err(Error::ReadOnly));
    assert_eq!(reading.compact(), Err(Error::ReadOnly));
}

#[test]
fn a_failed_sync_closes_the_log_and_the_batch_is_there_or_not() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let storage = Arc::new(Hooked::before(move || match failing.load(Ordering::Relaxed) {
        true => Err(annals::storage::Error::Io("told to".into())),
        false => Ok(()),
    }));
    let fold = RUNTIME.snapshot(storage, "fold", &Options::default()).unwrap();
    fold.apply(&[Update::put(b"a", b"1")], b"1").unwrap();
    fails.store(true, Ordering::Relaxed);
    let failed = fold.apply(&[Update::put(b"a", b"2")], b"2").unwrap_err();
    assert_eq!(failed.class(), Class::Storage);
    assert_eq!((fold.cursor(), fold.get(b"a")), (Err(Error::Closed), Err(Error::Closed)));
    fails.store(false, Ordering::Relaxed);
    let fold = fold.reopen().unwrap();
    let value = fold.get(b"a").unwrap().unwrap().value;
    assert_eq!(fold.cursor().unwrap(), value, "a batch and its cursor are one");
}

#[test]
fn a_prefix_selects_what_starts_with_it() {
    let fold = fold(&Arc::new(Memory::new()));
    for key in [&b"b"[..], b"a/2", b"", b"a/", b"a/1", b"a0", &[0xff, 0xff], &[0xff]] {
        fold.apply(&[Update::put(key, b"")], b"").unwrap();
    }
    assert_eq!(keys(&fold, b"a/"), [&b"a/"[..], b"a/1", b"a/2"]);
    assert_eq!(keys(&fold, &[0xff]), [vec![0xff], vec![0xff, 0xff]]);
    assert_eq!(keys(&fold, b"").len(), 8);
    assert_eq!(keys(&fold, b"c"), Vec::<Vec<u8>>::new());
}

/// Bytes of a value, and how many of them there are.
const VALUE: usize = 16 << 10;
const VALUES: u32 = 4_000;

#[test]
fn a_fold_of_ten_times_the_memory_limit_can_be_iterated_with_values_on_disk() {
    let limit = VALUE * VALUES as usize / 10;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = Runtime::with_config(Config::new().memory_bytes(limit).cache(cache)).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("snapshot-large-{}", std::process::id()));
    let storage: Arc<dyn Storage> = Arc::new(Directory::open(&path).unwrap());
    let options = Options::create().values_on_disk(true).relaxed(true);
    let fold = runtime.snapshot(storage.clone(), "fold", &options).unwrap();
    let value = |number: u32| {
        let mut value = vec![number as u8; VALUE];
        value[..4].copy_from_slice(&number.to_be_bytes());
        value
    };
    let mut updates = Updates::new();
    for number in 0..VALUES {
        updates.push(Update::put(&number.to_be_bytes(), &value(number))).unwrap();
        if updates.len() == 32 {
            fold.apply_packed(&updates, &number.to_be_bytes()).unwrap();
            updates.clear();
        }
    }
    let whole = |fold: &Snapshot| {
        let mut next = 0;
        for entry in fold.entries(b"").unwrap() {
            assert!(entry.unwrap().value == value(next), "{next}");
            next += 1;
        }
        assert_eq!(next, VALUES);
    };
    whole(&fold);
    fold.compact().unwrap();
    whole(&fold);
    let exported = path.join("exported");
    let manifest = fold.export_to(&exported).unwrap();
    assert!(manifest.bytes() > 10 * limit as u64);
    fold.close().unwrap();
    annals::snapshot::Artifact::open(&exported)
        .unwrap()
        .import(&runtime, storage.clone(), "imported", None, |_| {})
        .unwrap();
    for name in ["fold", "imported"] {
        let options = Options::open().values_on_disk(true);
        whole(&runtime.snapshot(storage.clone(), name, &options).unwrap());
    }

    // The limit is real: with values in memory the same fold does not fit.
    let refused = runtime.snapshot(storage.clone(), "fold", &Options::open()).unwrap_err();
    assert_eq!(refused, Error::Limit { what: Bound::Memory, allowed: limit as u64 });
    drop(storage);
    std::fs::remove_dir_all(path).unwrap();
}
