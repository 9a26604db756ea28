//! Kills `annals event …` with SIGKILL while it appends, retries, deletes, rotates and archives, over and over.
//!
//! After every kill, separate processes look at what is left: what was acknowledged must be there, every event must be the
//! one that has its id, a deleted range is deleted as a whole or not at all, and `verify` must be content. `killed.rs`
//! says how many rounds there are, and of what choices.

use crate::{
    killed::{self, Random, Tally, When},
    place::{Place, value},
};
use std::{collections::BTreeSet, fs, process::Command, time::Duration};

const LOG: &str = "events";
/// Lines that one round feeds at most; the killed process then waits for more.
const LINES: u64 = 6_000;
/// Events that the log holds at most, or a little more.
const MANY: usize = 30_000;

/// The event of an id; its length is all but regular.
fn event(id: u64) -> String {
    let mut random = Random(id);
    let padding = match random.within(0..200) {
        0 => random.within(0..20_000),
        1..20 => 0,
        _ => random.within(0..100),
    };
    format!("{id}\tevent {id} {}\n", "x".repeat(padding as usize))
}

/// What separate processes find: the ids, and the next one.
fn look(place: &Place) -> (BTreeSet<u64>, u64) {
    let verified = place.ok(&["verify"]);
    assert!(verified.starts_with("ok events: ") && verified.lines().count() == 1, "{verified}");
    let mut ids = BTreeSet::new();
    for line in place.ok(&["event", "iterate", LOG]).split_inclusive('\n') {
        let id = line.split('\t').next().and_then(|id| id.parse().ok()).expect("an id");
        assert!(ids.last().is_none_or(|last| *last < id), "ids ascend");
        assert!(line == event(id), "{id} is another event");
        ids.insert(id);
    }
    let info = place.ok(&["event", "info", LOG]);
    let stats = place.ok(&["event", "stats", LOG]);
    let told = |id: Option<&u64>| id.map_or("none".to_owned(), u64::to_string);
    assert_eq!(value(&stats, "events"), ids.len().to_string());
    assert_eq!(
        (value(&stats, "oldest"), value(&stats, "newest")),
        (&*told(ids.first()), &*told(ids.last())),
        "{stats}"
    );
    (ids, value(&info, "next").parse().expect("a number"))
}

/// Ids that a round appends from `next` on: runs with gaps, some of which come late.
fn ids(next: u64, seed: u64) -> impl Iterator<Item = u64> + Send + 'static {
    let mut random = Random(seed);
    let mut next = next;
    std::iter::repeat_with(move || {
        let (run, gap) = (random.within(1..60), random.within(0..4));
        let start = next;
        next += run + gap;
        // What the gap left out comes behind the run, if at all.
        let late = if random.within(0..2) == 0 { start + run..next } else { 0..0 };
        (start..start + run).chain(late)
    })
    .flatten()
    .take(LINES as usize)
}

#[test]
fn events_that_were_acknowledged_survive_kill_9_and_retries_double_nothing() {
    let (mut tally, mut random) = (Tally::new("event log"), killed::choices());
    let place = Place::new("event-kill");
    place.feed(&["event", "append", LOG, "-", "--rotate-at", "64KiB"], b"").expect(0);
    let (mut there, mut next) = look(&place);
    for round in 1..=tally.rounds {
        let delay = Duration::from_micros(random.within(0..80_000));
        let early = When::early(&mut random, || drop(place.ok(&["event", "info", LOG])));
        // Everything is read after every kill: the older half goes when it gets too much.
        let full = there.len() > MANY;
        match if full { 0 } else { random.within(0..12) } {
            0 | 1 if !there.is_empty() => {
                let (first, last) = match there.iter().nth(there.len() / 2) {
                    Some(middle) if full => (0, *middle),
                    _ => {
                        let first = random.within(0..next);
                        (first, first + random.within(0..next / 4 + 1))
                    }
                };
                let delete = ["event", "delete-range", LOG, &first.to_string(), &last.to_string()];
                let killed = killed::kill(&place, &delete, std::iter::empty(), round, early);
                tally.killed(&killed);
                let (found, now) = look(&place);
                let mut after = there.clone();
                after.retain(|id| !(first..=last).contains(id));
                assert!(found == after || (found == there && !killed.done), "all of a range or nothing");
                assert_eq!(now, next, "deleting takes no id back");
                there = found;
            }
            2 => {
                // A file without events is refused.
                place.feed(&["event", "append", LOG, "-"], event(next).as_bytes()).expect(0);
                (there, next) = look(&place);
                let killed =
                    killed::kill(&place, &["event", "rotate", LOG], std::iter::empty(), round, early);
                tally.killed(&killed);
                let (found, now) = look(&place);
                assert!(found == there && now == next, "a rotation changes no event");
            }
            3 => {
                // Copies are whole or not there.
                let to = place.logs().join("../archive");
                let archive = ["event", "archive", LOG, "--to", to.to_str().expect("UTF-8")];
                let killed = killed::kill(&place, &archive, std::iter::empty(), round, early);
                tally.killed(&killed);
                for copy in fs::read_dir(&to).into_iter().flatten() {
                    let copy = copy.expect("an entry").path();
                    if copy.extension().is_some_and(|extension| extension == "part") {
                        continue;
                    }
                    let read = Command::new(env!("CARGO_BIN_EXE_annals"))
                        .args(["event", "read-archive"])
                        .arg(&copy)
                        .output()
                        .expect("annals starts");
                    assert!(
                        read.status.success(),
                        "{}: {}",
                        copy.display(),
                        String::from_utf8_lossy(&read.stderr)
                    );
                }
                assert_eq!(look(&place), (there.clone(), next));
            }
            choice => {
                // New events, killed, then the same input once more from its beginning, killed again.
                let every = random.pick(&["1", "3", "50", "777"]);
                let policy = random.pick(&["buffered", "flushed", "synced"]);
                let more: &[&str] = if choice % 3 == 0 && policy != "buffered" { &["--shared"] } else { &[] };
                let append = ["event", "append", LOG, "-", "--sync-every", every, "--policy", policy];
                let append = [&append[..], more].concat();
                let (start, seed) = (next, random.next());
                let input: Vec<u64> = ids(start, seed).collect();
                for again in 0..2 {
                    let when = if choice % 2 == again { early } else { When::Printed(delay) };
                    let killed = killed::kill(&place, &append, ids(start, seed).map(event), round, when);
                    tally.killed(&killed);
                    let (found, now) = look(&place);
                    let durable = killed.durable();
                    let safe = &input[..durable as usize];
                    assert!(safe.iter().all(|id| found.contains(id)), "{durable} were acknowledged");
                    let known: BTreeSet<u64> = there.iter().chain(&input).copied().collect();
                    assert!(found.is_superset(&there) && found.is_subset(&known));
                    // Killed before its first event, a log may have none.
                    assert!(now >= next && found.last().is_none_or(|last| now > *last), "next {now}");
                    let new = |ids: &[u64]| ids.iter().filter(|id| !there.contains(id)).count() as u64;
                    tally.acknowledged(new(safe), found.difference(&there).count() as u64);
                    (there, next) = (found, now);
                }
            }
        }
        println!("  now {} events, next {next}", there.len());
    }
    tally.end();
}
