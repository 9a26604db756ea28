//! Kills the command with SIGKILL while it records and removes changes and takes over those of others, over and over, on
//! real files: no change that was acknowledged is ever missed, and none that was removed comes back.
//!
//! Every id is used once. Lines are done in order, and one of them may be done when the process dies before it could say
//! so; so after a kill there are two states that may be found. Taking over must leave the state as it is.
//!
//! One thing may keep an instance from removing what it held: another one has claimed that, and died before it took it
//! over. It died only just now, so nobody may call it dead yet. What was claimed may then stay outstanding.

use crate::{
    killed::{Random, Tally, When, choices, kill},
    place::Place,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Small files, so that kills hit rolls and compactions.
const SMALL: [&str; 2] = ["--segment-bytes", "64KiB"];
const NAMES: [&str; 3] = ["one", "two", "three"];
/// Lines that one round feeds at most.
const LINES: usize = 1_500;

/// Payloads by origin and id.
type State = BTreeMap<(String, u64), String>;

/// What one line does.
#[derive(Clone)]
enum Op {
    Record(String, u64),
    Remove(String, u64),
}

fn payload(id: u64) -> String {
    let mut random = Random(id);
    format!("payload {id} {}", "x".repeat(random.within(0..500) as usize))
}

impl Op {
    fn line(&self) -> String {
        match self {
            Op::Record(_, id) => {
                format!("{{\"id_text\":\"{id}\",\"payload_text\":\"{}\"}}\n", payload(*id))
            }
            Op::Remove(origin, id) => {
                format!("{{\"kind\":\"remove\",\"origin\":\"{origin}\",\"id_text\":\"{id}\"}}\n")
            }
        }
    }

    fn apply(&self, state: &mut State) {
        match self {
            Op::Record(origin, id) => drop(state.insert((origin.clone(), *id), payload(*id))),
            Op::Remove(origin, id) => drop(state.remove(&(origin.clone(), *id))),
        }
    }
}

/// What is outstanding in one instance, or in all.
fn scan(place: &Place, instance: Option<&str>) -> State {
    let mut args = vec!["change", "scan", "steps", "--deferred"];
    args.extend(instance.iter().flat_map(|name| ["--instance", name]));
    let mut state = State::new();
    for line in place.ok(&args).lines() {
        let mut parts = line.splitn(3, '\t');
        let mut part = || parts.next().expect("three parts").to_owned();
        let (origin, id, payload) = (part(), part().parse().expect("a number"), part());
        assert!(state.insert((origin, id), payload).is_none(), "one change, told twice");
    }
    state
}

/// Whether somebody has claimed what the instance held and, for all that is known, is still busy with it.
fn is_claimed(place: &Place, instance: &str) -> bool {
    let told = place.ok(&["change", "instances", "steps"]);
    told.lines().any(|line| line.starts_with(&format!("{instance} ")) && line.contains(" claimed "))
}

/// Records new changes and removes some of those that the instance holds, own and taken over ones.
fn ops(random: &mut Random, name: &str, held: &State, next: &mut u64) -> Vec<Op> {
    let mut held: BTreeSet<(String, u64)> = held.keys().cloned().collect();
    (0..LINES)
        .map(|_| {
            let index = random.within(0..held.len() as u64 + 1) as usize;
            match (random.within(0..2), held.iter().nth(index).cloned()) {
                (0, Some(key)) => {
                    held.remove(&key);
                    Op::Remove(key.0, key.1)
                }
                _ => {
                    *next += 1;
                    held.insert((name.to_owned(), *next));
                    Op::Record(name.to_owned(), *next)
                }
            }
        })
        .collect()
}

#[test]
fn no_change_is_missed_and_none_comes_back_whoever_is_killed() {
    let (mut tally, mut random) = (Tally::new("change log"), choices());
    let place = Place::new("change-kill");
    place.feed(&["change", "record", "steps", "-", "--instance", "one"], b"").expect(0);
    let (mut state, mut next, mut taken) = (State::new(), 0, 0);
    for round in 1..=tally.rounds {
        let name = random.pick(&NAMES);
        let early = When::early(&mut random, || drop(place.ok(&["change", "instances", "steps"])));
        if random.within(0..10) < 4 {
            // Some end by themselves, some are killed on the way.
            let args = ["change", "recover", "steps", "--stale-after", "0", "--instance", name];
            let killed = kill(&place, &args, std::iter::empty(), round, early);
            tally.killed(&killed);
            assert!(scan(&place, None) == state, "taking over has changed what is outstanding");
            if random.within(0..2) == 0 || killed.done {
                place.ok(&args);
                assert!(scan(&place, Some(name)) == state, "{name} has taken over everything");
                taken += 1;
            }
        } else {
            let (held, claimed) = (scan(&place, Some(name)), is_claimed(&place, name));
            let ops = ops(&mut random, name, &held, &mut next);
            let lines: Vec<String> = ops.iter().map(Op::line).collect();
            let args =
                [&["change", "record", "steps", "-", "--input", "json", "--instance", name][..], &SMALL];
            let when = match random.within(0..2) {
                0 => early,
                _ => When::Printed(Duration::from_micros(random.within(0..80_000))),
            };
            let killed = kill(&place, &args.concat(), lines.into_iter(), round, when);
            tally.killed(&killed);
            let done = killed.durable() as usize;
            let found = scan(&place, None);
            let fits = |done: usize| {
                let mut told = state.clone();
                ops.iter().take(done).for_each(|op| op.apply(&mut told));
                let mut more = found.clone();
                more.retain(|key, payload| told.get(key) != Some(payload));
                let kept = more.iter().all(|(key, payload)| held.get(key) == Some(payload));
                (more.is_empty() || (claimed && kept)) && found.len() == told.len() + more.len()
            };
            let as_told = fits(done);
            assert!(
                as_told || fits(done + 1),
                "{} were outstanding, {done} lines done, {} are found",
                state.len(),
                found.len()
            );
            tally.acknowledged(done as u64, done as u64 + u64::from(!as_told));
            state = found;
        }
        let verified = place.ok(&["verify"]);
        assert!(verified.starts_with("ok steps: "), "{verified}");
    }
    println!("{} outstanding at the end, {taken} taken over", state.len());
    tally.end();
}
