//! What is recorded: a process of its own that uses a directory, and tells where it is by writing marks.

use crate::trace::Trace;
use annals::{
    Config, Runtime,
    journal::Options,
    storage::{Directory, Storage, Swap},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

const PLACE: &str = "ANNALS_TEST_SYSCALLS";

/// Bytes of a segment: the smallest, so that logs roll soon.
const SEGMENT: u64 = 64 << 10;

/// A directory for one test, removed at its end unless it failed.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("syscalls-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Place(path.canonicalize().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Runs `part` in a process of its own under strace.
pub(crate) fn record(part: &str) -> Trace {
    let place = Place::new();
    let trace = place.path("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "40", "-o"])
        .arg(&trace)
        .arg("--trace=%file,%desc")
        .arg(env::current_exe().unwrap())
        .args(["--exact", "scenario::in_a_process_of_its_own", "--nocapture", "--test-threads=1"])
        .env(PLACE, format!("{part}:{}", place.path("logs").display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Trace::parse(&fs::read_to_string(trace).unwrap(), place.path("logs"))
}

/// Says in the trace that what is named has been done. One write, past the capture of the test harness.
fn mark(what: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("MARK {what}\n").as_bytes()).unwrap();
}

/// Does nothing unless it is told to by [`record`].
#[test]
fn in_a_process_of_its_own() {
    let Ok(told) = env::var(PLACE) else { return };
    let (part, path) = told.split_once(':').unwrap();
    let directory = Arc::new(Directory::open(path).unwrap());
    let cache = annals::cache::default_dir().into_iter().fold(Config::new(), Config::cache);
    let runtime = Runtime::with_config(cache).unwrap();
    match part {
        "life" => life(&runtime, &directory),
        "storage" => storage(&*directory),
        "appends" => appends(&runtime, &directory),
        "others" => others(&directory),
        "export" => export(&runtime, &directory),
        other => panic!("no part {other}"),
    }
}

fn options() -> Options {
    Options::new().segment_bytes(SEGMENT).items_per_section(100)
}

/// A log from its creation to its destruction.
fn life(runtime: &Runtime, directory: &Arc<Directory>) {
    mark("begin");
    let log = runtime.journal(directory.clone(), "log", &options()).unwrap();
    mark("durable: created");
    for _ in 0..3 {
        log.append_batch(&[[1; 100]; 10]).unwrap();
        log.sync().unwrap();
        mark("durable: synced");
    }
    log.append(b"ticket").unwrap();
    let ticket = log.begin_sync().unwrap();
    ticket.wait().unwrap();
    mark("durable: ticket");
    for _ in 0..30 {
        log.append_batch(&[[2; 100]; 100]).unwrap();
    }
    log.sync().unwrap();
    mark("durable: rolled");
    assert!(log.prune(2500).unwrap());
    mark("durable: pruned");
    log.rewind(2900).unwrap();
    log.append(b"after").unwrap();
    log.close().unwrap();
    mark("durable: closed");
    let log = runtime.journal(directory.clone(), "log", &Options::open()).unwrap();
    mark("durable: opened");
    assert_eq!(log.read(2900).unwrap(), b"after");
    drop(log);
    runtime.destroy_journal(directory.clone(), "log").unwrap();
    mark("durable: destroyed");
}

fn swapped(swap: annals::storage::Result<Swap>) -> u64 {
    match swap.unwrap() {
        Swap::Swapped(version) => version,
        Swap::Stale(there) => panic!("{there:?}"),
    }
}

/// Each call of the storage by itself.
fn storage(directory: &dyn Storage) {
    mark("begin");
    let file = directory.create("file").unwrap();
    mark("durable: file created");
    file.write(0, b"bytes").unwrap();
    file.sync().unwrap();
    mark("durable: file synced");
    file.write(5, b"more").unwrap();
    file.begin_sync().unwrap().wait().unwrap();
    mark("durable: file synced by a thread");
    file.reserve(1 << 20).unwrap();
    mark("durable: file reserved");
    file.truncate(5).unwrap();
    mark("durable: file cut");
    let version = swapped(directory.swap_cell("cell", None, Some(b"value")));
    mark("durable: cell made");
    let version = swapped(directory.swap_cell("cell", Some(version), Some(b"other")));
    mark("durable: cell changed");
    swapped(directory.swap_cell("cell", Some(version), None));
    mark("durable: cell removed");
    drop(directory.lock("lock", 0).unwrap());
    directory.remove("file").unwrap();
    mark("durable: file removed");
}

/// Many small synced appends into a segment that is large enough.
fn appends(runtime: &Runtime, directory: &Arc<Directory>) {
    mark("begin");
    let log = runtime.journal(directory.clone(), "log", &Options::default()).unwrap();
    for _ in 0..1000 {
        log.append_batch(&[[7; 100]]).unwrap();
        log.sync().unwrap();
    }
    mark("durable: all");
    log.close().unwrap();
}

/// A directory that is made with its parent; then what others have made, looked at for the first time: each time by
/// somebody who has not seen it yet.
fn others(directory: &Directory) {
    let another = || Directory::open(directory.path()).unwrap();
    let (opens, reads, loses) = (another(), another(), another());
    directory.create("file").unwrap();
    swapped(directory.swap_cell("cell", None, Some(b"value")));
    mark("begin");
    drop(Directory::open(directory.path().join("new/deep")).unwrap());
    mark("made");
    opens.open("file").unwrap();
    mark("opened");
    opens.open("file").unwrap();
    mark("opened again");
    assert!(reads.read_cell("cell").unwrap().is_some());
    mark("read");
    assert!(matches!(loses.swap_cell("cell", None, Some(b"other")), Ok(Swap::Stale(Some(_)))));
    mark("lost");
}

/// An export beside the logs.
fn export(runtime: &Runtime, directory: &Arc<Directory>) {
    let fold = runtime.snapshot(directory.clone(), "fold", &annals::snapshot::Options::create()).unwrap();
    for number in 0..20_u8 {
        fold.apply(&[annals::snapshot::Update::put(&[number], &[number; 1000])], &[number]).unwrap();
    }
    mark("begin");
    fold.export_to(directory.path().with_file_name("out")).unwrap();
    mark("exported");
}
