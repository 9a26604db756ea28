//! Kills the command with SIGKILL while it applies, compacts, exports and imports, over and over, on real files.
//!
//! Update `n` of the stream is the same whenever it is asked for, so the cursor of the fold, which counts updates, tells
//! what every key must have. After every kill the fold must be exactly that, not before what was acknowledged; an export
//! must be whole or absent; an import too.

use crate::{
    killed::{Random, Tally, When, choices, kill},
    place::{Place, value},
};
use std::{collections::BTreeMap, fs, path::Path, thread, time::Duration};

/// Small segments and an eager threshold, so that kills hit rolls and compactions.
const MAKING: [&str; 4] = ["--segment-bytes", "64KiB", "--compact-at", "256KiB"];
/// Keys that are there from the beginning, so that exports take a while.
const BASE: usize = 1_500;
/// Updates that one round feeds at most.
const UPDATES: u64 = 6_000;

/// Update `n`: its key, and its value if it is a put.
fn update(n: u64) -> (String, Option<String>) {
    let mut random = Random(n);
    let key = format!("key-{}", random.within(0..300));
    let value = (random.within(0..5) > 0).then(|| {
        let padding = if random.within(0..100) == 0 { 9000 } else { random.within(0..120) };
        format!("value {n} {}", "x".repeat(padding as usize))
    });
    (key, value)
}

/// The lines of updates from `from` on, in batches that end at multiples of `every`.
fn lines(from: u64, every: u64) -> impl Iterator<Item = String> + Send + 'static {
    (from..from + UPDATES).map(move |n| {
        let line = match update(n) {
            (key, Some(value)) => format!("{{\"key_text\":\"{key}\",\"value_text\":\"{value}\"}}\n"),
            (key, None) => format!("{{\"kind\":\"delete\",\"key_text\":\"{key}\"}}\n"),
        };
        match (n + 1).is_multiple_of(every) {
            true => format!("{line}{{\"cursor_text\":\"{}\"}}\n", n + 1),
            false => line,
        }
    })
}

fn cursor(place: &Place, log: &str) -> u64 {
    let printed = place.ok(&["snapshot", "cursor", log]);
    if printed == "cursor none\n" { 0 } else { value(&printed, "cursor").parse().expect("a number") }
}

/// The fold of the stream up to some update, which only moves on.
#[derive(Default)]
struct Fold {
    updates: u64,
    keys: BTreeMap<String, String>,
}

impl Fold {
    /// Asserts that a log is what its cursor says, and returns that.
    fn check(&mut self, place: &Place, log: &str) -> u64 {
        let verified = place.ok(&["verify"]);
        assert!(verified.lines().all(|line| line.starts_with("ok ")), "{verified}");
        let cursor = cursor(place, log);
        assert!(cursor >= self.updates, "{log} has gone back from {} to {cursor}", self.updates);
        for n in self.updates..cursor {
            match update(n) {
                (key, Some(value)) => drop(self.keys.insert(key, value)),
                (key, None) => drop(self.keys.remove(&key)),
            }
        }
        self.updates = cursor;
        let base = place.ok(&["snapshot", "range", log, "base", "--output", "keys"]);
        assert_eq!(base.lines().count(), BASE);
        let expected: String = self.keys.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
        assert!(
            place.ok(&["snapshot", "range", log, "key"]) == expected,
            "{log} is not the fold of {cursor} updates"
        );
        cursor
    }
}

/// Starts an export and kills it so long after it has made its hidden directory. True if it had ended by then.
fn kill_export(place: &Place, args: &[&str], hidden: &Path, delay: Duration) -> bool {
    let mut child = place.command(args).spawn().expect("annals starts");
    while !hidden.exists() && child.try_wait().expect("it can be waited for").is_none() {
        thread::sleep(Duration::from_micros(100));
    }
    thread::sleep(delay);
    child.kill().expect("annals can be killed");
    let ended = child.wait_with_output().expect("annals can be waited for");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    ended.status.success()
}

/// An export is whole or absent. True if it is there.
fn exported(place: &Place, fold: &mut Fold, out: &Path, at: u64) -> bool {
    if !out.exists() {
        return false;
    }
    place.ok(&["snapshot", "import", "check", "--from", out.to_str().expect("UTF-8")]);
    assert_eq!(fold.check(place, "check"), at);
    place.ok(&["snapshot", "destroy", "check", "--yes"]);
    true
}

#[test]
fn whatever_was_acknowledged_survives_kill_9_and_artifacts_are_whole_or_absent() {
    let (mut tally, mut random) = (Tally::new("snapshot"), choices());
    let place = Place::new("snapshot-kill");
    let out = place.logs().with_file_name("out");
    let to = out.to_str().expect("UTF-8").to_owned();
    let base: String = (0..BASE).map(|n| format!("base-{n:05}\t{}\n", "b".repeat(2000))).collect();
    place.feed(&[&["snapshot", "apply", "fold", "-"][..], &MAKING].concat(), base.as_bytes()).expect(0);
    let mut fold = Fold::default();
    let (mut exports, mut imports) = ([0, 0], [0, 0]);
    for round in 1..=tally.rounds {
        let before = cursor(&place, "fold");
        let early = When::early(&mut random, || drop(place.ok(&["snapshot", "stats", "fold"])));
        let printed = When::Printed(Duration::from_micros(random.within(0..80_000)));
        match random.within(0..10) {
            0 | 1 => {
                let args = ["snapshot", "compact", "fold"];
                tally.killed(&kill(&place, &args, std::iter::empty(), round, early));
                assert_eq!(fold.check(&place, "fold"), before);
            }
            2 | 3 if before > 0 => {
                let args = ["snapshot", "export", "fold", "--to", &to];
                let delay = Duration::from_micros(random.within(0..30_000));
                let done = kill_export(&place, &args, &out.with_file_name(".out.partial"), delay);
                let there = exported(&place, &mut fold, &out, before);
                assert!(there || !done);
                println!("round {round}: export killed, {}", if there { "whole" } else { "absent" });
                exports[usize::from(there)] += 1;
                if !there {
                    // What the killed one left is in nobody's way.
                    place.ok(&args);
                    assert!(exported(&place, &mut fold, &out, before));
                }
                fs::remove_dir_all(&out).expect("the artifact");
                let left: Vec<_> = fs::read_dir(out.parent().expect("a parent")).expect("it").collect();
                assert_eq!(left.len(), 1, "only the logs: {left:?}");
            }
            4 | 5 if before > 0 => {
                place.ok(&["snapshot", "export", "fold", "--to", &to]);
                let args = ["snapshot", "import", "copy", "--from", &to, "--segment-bytes", "64KiB"];
                let killed = kill(&place, &args, std::iter::empty(), round, early);
                tally.killed(&killed);
                let found = place.run(&["snapshot", "cursor", "copy"]);
                let there = found.code == Some(0);
                assert!(there || found.stderr.contains("there is no such log"), "{}", found.stderr);
                assert!(there || !killed.done);
                imports[usize::from(there)] += 1;
                if !there {
                    place.ok(&args);
                }
                assert_eq!(fold.check(&place, "copy"), before);
                place.ok(&["snapshot", "destroy", "copy", "--yes"]);
                fs::remove_dir_all(&out).expect("the artifact");
            }
            choice => {
                let every = random.pick(&[1, 7, 50, 333]);
                let args = [&["snapshot", "apply", "fold", "-", "--input", "json"][..], &MAKING].concat();
                let when = if choice < 8 { early } else { printed };
                let killed = kill(&place, &args, lines(before, every), round, when);
                tally.killed(&killed);
                let after = fold.check(&place, "fold");
                // The first batch may be short: it goes on to the next multiple.
                assert!(after >= before + killed.durable(), "{after} of {before} and {}", killed.durable());
                assert!(
                    after == before || after.is_multiple_of(every),
                    "half a batch: {after}, every {every}"
                );
                tally.acknowledged(killed.durable(), after - before);
            }
        }
    }
    fold.check(&place, "fold");
    println!("{} updates at the end; exports absent, whole: {exports:?}; imports: {imports:?}", fold.updates);
    tally.end();
}
