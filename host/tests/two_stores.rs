//! The example of two stores, killed with SIGKILL at random moments: no blob is ever an orphan, no entry of the index
//! dangles, and whatever was acknowledged is there.
//!
//! 30 rounds unless `ANNALS_KILL_ROUNDS` says how many; `ANNALS_KILL_SEED` repeats the choices of an earlier run (not
//! its timing).

#![cfg(unix)]

mod common;

use common::Random;
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[path = "../examples/two_stores.rs"]
#[allow(dead_code, reason = "its main asks for arguments")]
mod two_stores;

use two_stores::Store;

/// Where the process that is to be killed finds its stores.
const DIR: &str = "ANNALS_TWO_STORES";

/// Not a test: the process that is to be killed. Does nothing unless it is told where.
#[test]
fn the_process_that_is_killed() {
    if let Some(dir) = env::var_os(DIR) {
        two_stores::run(Path::new(&dir), io::stdin().lock()).expect("the example runs");
    }
}

type Model = BTreeMap<String, String>;

/// What one line does.
#[derive(Clone, Debug)]
enum Op {
    Put(String, String),
    Delete(String),
}

impl Op {
    fn random(random: &mut Random, number: u64) -> Op {
        let key = format!("key-{}", random.below(12));
        match random.below(4) {
            0 => Op::Delete(key),
            _ => Op::Put(key, format!("text {number} {}", "x".repeat(random.below(3000) as usize))),
        }
    }

    fn line(&self) -> String {
        match self {
            Op::Put(key, text) => format!("put {key} {text}\n"),
            Op::Delete(key) => format!("delete {key}\n"),
        }
    }

    fn apply(&self, model: &mut Model) {
        match self {
            Op::Put(key, text) => drop(model.insert(key.clone(), text.clone())),
            Op::Delete(key) => drop(model.remove(key)),
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

fn place(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn listed(store: &Store) -> Model {
    store.list().expect("no orphan and no dangling entry").into_iter().collect()
}

/// Runs the lines in a process of its own, and kills that so long after it has opened the stores. How many lines were
/// acknowledged.
fn killed(dir: &Path, ops: &[Op], after: Duration) -> usize {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["the_process_that_is_killed", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let lines: String = ops.iter().map(Op::line).collect();
    let feeder = thread::spawn(move || {
        let _ = stdin.write_all(lines.as_bytes());
        // Held open, so that the stores are never closed.
        stdin
    });
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    while !line.contains("finished ") {
        line.clear();
        assert_ne!(
            stdout.read_line(&mut line).expect("UTF-8"),
            0,
            "it ended before it had opened the stores"
        );
    }
    let reader = thread::spawn(move || stdout.lines().map_while(Result::ok).collect::<Vec<String>>());
    thread::sleep(after);
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    drop(feeder.join().expect("the feeder does not panic"));
    let printed = reader.join().expect("the reader does not panic");
    printed.iter().filter(|line| line.starts_with("done ")).count()
}

#[test]
fn after_kill_9_no_blob_is_an_orphan_and_no_entry_dangles() {
    let rounds = variable("ANNALS_KILL_ROUNDS").unwrap_or(30);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock behind 1970");
    let seed = variable("ANNALS_KILL_SEED").unwrap_or(now.as_nanos() as u64);
    println!("{rounds} rounds, ANNALS_KILL_SEED={seed}");
    let mut random = Random(seed);
    let dir = place("two-stores");
    let (mut model, mut number, mut finished_in_all) = (Model::new(), 0, 0);
    for round in 1..=rounds {
        let ops: Vec<Op> = (0..400)
            .map(|_| {
                number += 1;
                Op::random(&mut random, number)
            })
            .collect();
        let after = Duration::from_micros(random.below(60_000));
        let acknowledged = killed(&dir, &ops, after);
        let (store, finished) = Store::open(&dir).expect("the stores open");
        let found = listed(&store);
        ops[..acknowledged].iter().for_each(|op| op.apply(&mut model));
        let mut next = model.clone();
        if let Some(op) = ops.get(acknowledged) {
            op.apply(&mut next);
        }
        println!("round {round}: {acknowledged} acknowledged, {finished} to finish");
        assert!(finished <= 1, "one change at a time");
        assert!(
            found == model || found == next,
            "round {round}: neither as acknowledged nor one change further"
        );
        model = found;
        finished_in_all += finished;
        match random.below(3) {
            0 => store.close().expect("the stores close"),
            // Dies without a kill.
            _ => drop(store),
        }
    }
    println!("{finished_in_all} changes finished by the next start");
    assert!(finished_in_all > 0 || rounds < 20, "no kill has hit a change");
    fs::remove_dir_all(dir).expect("the directory of the test");
}

#[test]
fn each_step_that_a_crash_can_come_behind_is_finished() {
    use annals::{
        Runtime,
        change_log::{self, Change},
        snapshot::{self, Update},
        storage::Directory,
    };
    use std::sync::Arc;

    let dir = place("two-stores-steps");
    let runtime = Runtime::new().unwrap();
    // How far the change of `key` from `old` to `new` has come, and what is there after the next start.
    for (steps, expected) in [(0, "one"), (1, "one"), (2, "one"), (3, "two"), (4, "two")] {
        let (mut store, _) = Store::open(&dir).unwrap();
        store.put("key", "one").unwrap();
        let old = fs::read_dir(dir.join("blobs")).unwrap().next().unwrap().unwrap().file_name();
        let old = old.into_string().unwrap();
        store.close().unwrap();
        let storage = Arc::new(Directory::open(dir.join("logs")).unwrap());
        if steps > 0 {
            let changes =
                runtime.change_log(storage.clone(), "changes", &change_log::Options::open()).unwrap();
            changes.record(b"1", &Change::new(format!("new {old} key"))).unwrap();
        }
        if steps > 1 {
            fs::write(dir.join("blobs/new"), "two").unwrap();
        }
        if steps > 2 {
            let index = runtime.snapshot(storage, "index", &snapshot::Options::open()).unwrap();
            index.apply(&[Update::put(b"key", b"new")], b"").unwrap();
        }
        if steps > 3 {
            fs::remove_file(dir.join("blobs").join(old)).unwrap();
        }
        let (mut store, finished) = Store::open(&dir).unwrap();
        assert_eq!(finished, u64::from(steps > 0), "behind step {steps}");
        assert_eq!(
            listed(&store),
            Model::from([("key".to_owned(), expected.to_owned())]),
            "behind step {steps}"
        );
        store.delete("key").unwrap();
        assert_eq!(listed(&store), Model::new());
        store.close().unwrap();
    }
    fs::remove_dir_all(dir).unwrap();
}
