//! Group commit: one sync serves many threads, and what was acknowledged is there, whatever happens then.

mod common;
#[path = "component/disk.rs"]
#[allow(dead_code, unreachable_pub)]
mod disk;

use annals::{
    Error, Journal, Runtime,
    journal::Options,
    storage::{Directory, Memory, Storage},
};
use annals_tests::sim::{Crash, SimDisk};
use common::{Hooked, Random};
use disk::Simulated;
use std::{
    collections::HashSet,
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

const THREADS: u64 = 16;
const EACH: u64 = 10_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn journal(storage: Arc<dyn Storage>) -> Journal {
    RUNTIME.journal(storage, "log", &Options::default()).unwrap()
}

/// The item that a thread appends as its `number`th.
fn item(thread: u64, number: u64) -> Vec<u8> {
    format!("thread {thread} item {number:060}").into_bytes()
}

/// Lets threads append `each` items, and tells `acknowledge` of each one that is durable. Ends early on an error.
fn append(log: &Journal, each: u64, acknowledge: &(impl Fn(u64, u64, u64) + Sync)) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for number in 0..each {
                    match log.append_durable(&item(thread, number)) {
                        Ok(position) => acknowledge(thread, number, position),
                        Err(_) => return,
                    }
                }
            });
        }
    });
}

/// Asserts that what was acknowledged is there, once, and that nothing else is there that was not asked for.
fn check(log: &Journal, acknowledged: &[(u64, u64, u64)]) {
    let there: Vec<Vec<u8>> = log.items(0).unwrap().map(|item| item.unwrap().to_vec()).collect();
    for &(thread, number, position) in acknowledged {
        let found = there.get(position as usize).map(|item| String::from_utf8_lossy(item));
        assert_eq!(found.as_deref().map(str::as_bytes), Some(&item(thread, number)[..]), "{position}");
    }
    assert_eq!(there.iter().collect::<HashSet<_>>().len(), there.len(), "an item is there twice");
    assert!(there.len() <= acknowledged.len() + THREADS as usize, "each thread has one under way");
}

#[test]
fn one_sync_serves_many_and_all_of_it_survives() {
    let memory = Memory::new();
    let (syncs, storage) = Hooked::counting(memory.clone(), Duration::from_micros(100));
    let log = journal(Arc::new(storage));
    syncs.store(0, Ordering::Relaxed);
    let acknowledged = Mutex::new(Vec::new());
    append(&log, EACH, &|thread, number, position| {
        acknowledged.lock().unwrap().push((thread, number, position))
    });
    let (acknowledged, syncs) = (acknowledged.into_inner().unwrap(), syncs.load(Ordering::Relaxed));
    println!("{} durable appends, {syncs} syncs", acknowledged.len());
    assert_eq!(acknowledged.len() as u64, THREADS * EACH);
    assert!(syncs * 4 <= THREADS * EACH, "{syncs} syncs");
    // As a crash of the process leaves it: no close, no drop.
    check(&journal(Arc::new(memory.fork())), &acknowledged);
}

#[test]
fn a_loss_of_power_takes_nothing_that_was_acknowledged() {
    let seed = annals_tests::seed(1);
    println!("ANNALS_SEED={seed}");
    for round in 0..30 {
        let mut random = Random(seed + round);
        let disk = SimDisk::new(round);
        let log = journal(Arc::new(Simulated(disk.clone())));
        let (acknowledged, stop) = (Mutex::new(Vec::new()), random.below(2000));
        append(&log, 150, &|thread, number, position| {
            let mut acknowledged = acknowledged.lock().unwrap();
            // What comes later is not counted: the power is gone by then.
            if !disk.has_crashed() {
                acknowledged.push((thread, number, position));
            }
            if acknowledged.len() as u64 == stop {
                disk.crash_now();
            }
        });
        let acknowledged = acknowledged.into_inner().unwrap();
        let disk = disk.reboot(if round % 2 == 0 { Crash::LOSE_ALL } else { Crash::random(random.next()) });
        check(&journal(Arc::new(Simulated(disk))), &acknowledged);
    }
}

#[test]
fn a_failed_sync_fails_everyone_it_was_to_serve_and_closes_the_journal() {
    let fail = Arc::new(AtomicBool::new(false));
    let memory = Memory::new();
    let (_, storage) = Hooked::counting(memory.clone(), Duration::from_millis(20));
    let storage = storage.failing(fail.clone(), "the disk is on fire");
    let log = journal(Arc::new(storage));
    assert_eq!(log.append_durable(b"before"), Ok(0));
    fail.store(true, Ordering::Relaxed);
    let errors: Vec<Error> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                scope.spawn({
                    let log = &log;
                    move || log.append_durable(&item(n, 0))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap_err()).collect()
    });
    let told = |error: &&Error| matches!(error, Error::Storage(what) if what.contains("fire"));
    // The first group may be small; everyone in it is told why, the others find the journal closed.
    let failed = errors.iter().filter(told).count();
    assert!(failed >= 1 && errors.iter().all(|error| told(&error) || *error == Error::Closed), "{errors:?}");
    assert_eq!((log.size(), log.commit().map(drop)), (Err(Error::Closed), Err(Error::Closed)));
    fail.store(false, Ordering::Relaxed);
    let log = log.reopen().unwrap();
    assert_eq!(log.read(0), Ok(b"before".to_vec()));
    assert!(log.append_durable(b"after").is_ok());
}

#[test]
fn all_members_of_a_group_are_told_the_same() {
    let (tell, storage) = Hooked::slow(Memory::new());
    let fail = Arc::new(AtomicBool::new(false));
    let log = journal(Arc::new(storage.failing(fail.clone(), "no more")));
    thread::scope(|scope| {
        let log = &log;
        let first = scope.spawn(|| log.append_durable(b"alone"));
        until(|| log.size() == Ok(1));
        // These wait for the first one's sync to end, so they are one group.
        let group: Vec<_> = (1..9).map(|n| scope.spawn(move || log.append_durable(&item(n, 0)))).collect();
        thread::sleep(Duration::from_millis(100));
        assert_eq!((log.size(), log.read(0)), (Ok(1), Ok(b"alone".to_vec())), "reads go on");
        assert_eq!(log.append(b"in between"), Ok(1), "appends go on");
        assert!(!first.is_finished());
        fail.store(true, Ordering::Relaxed);
        tell.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(0), "its sync had begun before");
        tell.send(()).unwrap();
        for member in group {
            let error = member.join().unwrap().unwrap_err();
            assert!(matches!(&error, Error::Storage(what) if what.contains("no more")), "{error:?}");
        }
    });
    assert_eq!(log.size(), Err(Error::Closed));
}

#[test]
fn a_storage_that_panics_leaves_nobody_waiting() {
    let panics = Arc::new(AtomicBool::new(false));
    let told = panics.clone();
    let (tell, mut storage) = Hooked::slow(Memory::new());
    storage.1.before = Arc::new(move || {
        assert!(!told.load(Ordering::Relaxed), "told to panic");
        Ok(())
    });
    let log = journal(Arc::new(storage));
    thread::scope(|scope| {
        let log = &log;
        let first = scope.spawn(|| log.append_durable(b"kept"));
        until(|| log.size() == Ok(1));
        // One group, which waits for the first one's sync to end; then one of them leads, and panics.
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || log.append_durable(&item(n, 0)))).collect();
        thread::sleep(Duration::from_millis(100));
        panics.store(true, Ordering::Relaxed);
        tell.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(0));
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        assert_eq!(ended.iter().filter(|ended| ended.is_err()).count(), 1, "one leads and panics");
        assert!(ended.into_iter().flatten().all(|answer| answer == Err(Error::Closed)));
    });
    assert_eq!(log.append_durable(b"x"), Err(Error::Closed));
    panics.store(false, Ordering::Relaxed);
    assert_eq!(log.reopen().unwrap().size(), Ok(1));
}

#[test]
fn a_commit_covers_every_kind_of_append_before_it() {
    let disk = SimDisk::new(3);
    let log = journal(Arc::new(Simulated(disk.clone())));
    let appender = log.appender().unwrap();
    appender.append(b"gathered").unwrap();
    log.append(b"waits").unwrap();
    appender.append(b"gathered too").unwrap();
    let token = log.commit().unwrap();
    assert_eq!(log.commit(), Ok(token), "nothing new, same token");
    let after = disk.fork().reboot(Crash::LOSE_ALL);
    let options = Options::open().expect(token);
    let again = RUNTIME.journal(Arc::new(Simulated(after)), "log", &options).unwrap();
    assert_eq!(again.size(), Ok(3));

    assert!(matches!(log.append_durable(&vec![0; (16 << 20) + 1]), Err(Error::TooLarge { .. })));
    log.close().unwrap();
    assert_eq!((log.append_durable(b"x"), log.commit()), (Err(Error::Closed), Err(Error::Closed)));
    let reader = RUNTIME.journal(Arc::new(Simulated(disk)), "log", &Options::read_only()).unwrap();
    assert_eq!((reader.append_durable(b"x"), reader.commit()), (Err(Error::ReadOnly), Err(Error::ReadOnly)));
}

fn until(what: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if what() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("it never came");
}

/// A directory that is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(what: &str) -> Scratch {
        let path = env::temp_dir().join(format!("annals-{what}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CHILD: &str = "ANNALS_GROUP_COMMIT_CHILD";

/// Not a test by itself: the process that the test below kills. It says what is durable, and then waits to be killed.
#[test]
fn child() {
    let Ok(dir) = env::var(CHILD) else { return };
    let log = journal(Arc::new(Directory::open(dir).unwrap()));
    let out = Mutex::new(std::io::stdout());
    append(&log, EACH, &|thread, number, position| {
        let line = format!("durable {thread} {number} {position}\n");
        out.lock().unwrap().write_all(line.as_bytes()).unwrap();
    });
    println!("all");
    thread::sleep(Duration::from_secs(600));
}

/// Runs the child until it has told everything, or so long after its first word, and kills it with SIGKILL.
fn kill(dir: &Path, after: Option<Duration>) -> Vec<(u64, u64, u64)> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let mut durable = Vec::new();
    let child = Mutex::new(child);
    thread::scope(|scope| {
        for line in lines.by_ref() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                // The harness says what runs on the same line.
                [.., "durable", thread, number, position] => {
                    if durable.is_empty()
                        && let Some(after) = after
                    {
                        scope.spawn({
                            let child = &child;
                            move || {
                                thread::sleep(after);
                                child.lock().unwrap().kill().unwrap();
                            }
                        });
                    }
                    let number_of = |text: &str| text.parse::<u64>().unwrap();
                    durable.push((number_of(thread), number_of(number), number_of(position)));
                }
                ["all"] => child.lock().unwrap().kill().unwrap(),
                _ => {}
            }
        }
    });
    let status = child.into_inner().unwrap().wait().unwrap();
    assert!(!status.success(), "it was killed");
    durable
}

#[test]
fn what_a_killed_process_called_durable_is_there() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut random = Random(now.as_nanos() as u64);
    let moments = (0..3).map(|_| Some(Duration::from_micros(random.below(500_000))));
    for after in moments.chain([None]) {
        let scratch = Scratch::new("group-commit");
        let durable = kill(&scratch.0, after);
        let log = journal(Arc::new(Directory::open(&scratch.0).unwrap()));
        println!("killed after {after:?}: {} durable, {} there", durable.len(), log.size().unwrap());
        check(&log, &durable);
        assert!(after.is_some() || durable.len() as u64 == THREADS * EACH);
    }
}
