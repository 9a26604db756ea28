//! Four processes append to one event log at the same time, and one of them is killed with SIGKILL now and then and
//! started again with the same input.
//!
//! After every kill, and at the end, another process iterates over the log: every event that a `durable` line
//! acknowledged is there once, with its bytes, and ids ascend. At the end all events are there and no others.
//!
//! 4 × 5,000 events and 5 kills; `ANNALS_SHARED_EVENTS=50000` and `ANNALS_SHARED_KILLS` make it more.

use crate::{
    killed::{Random, choices, variable},
    place::{Place, value},
};
use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

const WRITERS: u64 = 4;
/// Events between two syncs of a writer.
const EVERY: u64 = 250;

fn event(id: u64) -> String {
    let mut random = Random(id);
    let padding = match random.within(0..500) {
        0 => random.within(0..20_000),
        _ => random.within(0..100),
    };
    format!("{id}\tevent {id} {}\n", "x".repeat(padding as usize))
}

/// One of the writers.
struct Writer {
    /// Its ids, in the order in which it appends them: runs of them, between those of the others.
    ids: Vec<u64>,
    input: String,
    /// So many of them were acknowledged.
    acknowledged: AtomicU64,
}

impl Writer {
    fn start(&self, place: &Place) -> Child {
        let every = EVERY.to_string();
        let args = ["event", "append", "events", &self.input, "--shared", "--sync-every", &every];
        place.command(&args).spawn().expect("annals starts")
    }

    /// Follows what a process prints to its end; true if it has done everything.
    fn follow(&self, stdout: ChildStdout) -> bool {
        let mut done = false;
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("UTF-8");
            if let Some(count) = line.strip_prefix("durable ") {
                self.acknowledged.fetch_max(count.parse().expect("a number"), Ordering::SeqCst);
            }
            done |= line.starts_with("token ");
        }
        done
    }

    /// Lets a process come to its end.
    fn run(&self, place: &Place) {
        let mut child = self.start(place);
        let done = self.follow(child.stdout.take().expect("stdout is piped"));
        end(child);
        assert!(done, "a writer that nobody kills comes to its end");
    }
}

/// Waits for a process that had nothing to complain about.
fn end(mut child: Child) {
    let mut stderr = String::new();
    child.stderr.take().expect("stderr is piped").read_to_string(&mut stderr).expect("UTF-8");
    let status = child.wait().expect("annals can be waited for");
    assert!(stderr.is_empty() && (status.success() || status.code().is_none()), "{status}: {stderr}");
}

/// Deals ids out in runs of all lengths, one writer after the other, and writes the inputs.
fn writers(place: &Place, events: u64, random: &mut Random) -> Vec<Writer> {
    let mut ids = vec![Vec::new(); WRITERS as usize];
    let mut next = 0;
    while ids.iter().any(|ids| (ids.len() as u64) < events) {
        for ids in &mut ids {
            let run = match random.within(0..4) {
                0 => 1,
                _ => random.within(1..200),
            };
            let run = run.min(events - ids.len() as u64);
            ids.extend(next..next + run);
            // Some ids nobody ever uses.
            next += run + random.within(0..20) / 18;
        }
    }
    let file = |(number, ids): (usize, Vec<u64>)| {
        let input =
            place.file(&format!("events-{number}"), ids.iter().copied().map(event).collect::<String>());
        Writer { ids, input, acknowledged: AtomicU64::new(0) }
    };
    ids.into_iter().enumerate().map(file).collect()
}

/// What another process finds in the log: ids ascend, and each event has its bytes.
fn found(place: &Place) -> Vec<u64> {
    let mut ids: Vec<u64> = Vec::new();
    for line in place.ok(&["event", "iterate", "events"]).split_inclusive('\n') {
        let id = line.split('\t').next().and_then(|id| id.parse().ok()).expect("an id");
        assert!(ids.last().is_none_or(|last| *last < id), "{id} behind {:?}", ids.last());
        assert!(line == event(id), "{id} is another event: {line}");
        ids.push(id);
    }
    ids
}

/// Asserts that what was acknowledged before is there now.
fn check(place: &Place, writers: &[Writer]) -> u64 {
    let acknowledged: Vec<u64> =
        writers.iter().map(|writer| writer.acknowledged.load(Ordering::SeqCst)).collect();
    let found = found(place);
    for (writer, count) in writers.iter().zip(&acknowledged) {
        for id in &writer.ids[..*count as usize] {
            assert!(found.binary_search(id).is_ok(), "event {id} was acknowledged and is not there");
        }
    }
    acknowledged.iter().sum()
}

#[test]
fn four_processes_write_one_log_and_one_is_killed_now_and_then() {
    let events = variable("ANNALS_SHARED_EVENTS").unwrap_or(5_000);
    let kills = variable("ANNALS_SHARED_KILLS").unwrap_or(5);
    let mut random = choices();
    let place = Place::new("shared");
    let writers = writers(&place, events, &mut random);
    place.feed(&["event", "append", "events", "-", "--shared", "--rotate-at", "256KiB"], b"").expect(0);

    let started = Instant::now();
    thread::scope(|scope| {
        for writer in &writers[1..] {
            let place = &place;
            scope.spawn(move || writer.run(place));
        }
        let victim = &writers[0];
        for kill in 0..kills {
            let before = victim.acknowledged.load(Ordering::SeqCst);
            let mut child = victim.start(&place);
            let stdout = child.stdout.take().expect("stdout is piped");
            let follower = scope.spawn(move || victim.follow(stdout));
            // From before its first event to a while behind its first new acknowledgement.
            let deadline = Instant::now() + Duration::from_secs(60);
            while kill % 3 != 0
                && victim.acknowledged.load(Ordering::SeqCst) <= before
                && !follower.is_finished()
            {
                assert!(Instant::now() < deadline, "a writer does nothing");
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(Duration::from_micros(random.within(0..40_000)));
            child.kill().expect("annals can be killed");
            end(child);
            let done = follower.join().expect("the follower does not panic");
            let safe = check(&place, &writers);
            println!(
                "kill {kill}: {} of {events}, {safe} acknowledged by all, all there",
                if done {
                    "came too late".to_owned()
                } else {
                    victim.acknowledged.load(Ordering::SeqCst).to_string()
                }
            );
        }
        victim.run(&place);
    });
    let took = started.elapsed();

    assert_eq!(check(&place, &writers), WRITERS * events, "everything is acknowledged");
    let mut all: Vec<u64> = writers.iter().flat_map(|writer| writer.ids.iter().copied()).collect();
    all.sort_unstable();
    assert!(found(&place) == all, "none lost, none doubled, none invented");
    let stats = place.ok(&["event", "stats", "events"]);
    assert_eq!(value(&stats, "events"), all.len().to_string());
    place.ok(&["verify"]);
    println!("{} events by {WRITERS} processes in {took:?}, {} files", all.len(), value(&stats, "files"));
}
