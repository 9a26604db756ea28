//! Kills `annals raft …` with SIGKILL while it persists, overwrites, replaces, truncates, purges and votes, over and over.
//!
//! After every kill, separate processes look at what is left: what was acknowledged must be there, what was to be changed
//! as a whole is changed as a whole or not at all, everything else is as it was, and `verify` must be content.
//! `killed.rs` says how many rounds there are, and of what choices.

use crate::{
    killed::{self, Killed, Random, Tally, When},
    place::{Place, value},
};
use std::time::Duration;

const LOG: &str = "node";
/// Lines that one round feeds at most; the killed process then waits for more.
const LINES: u64 = 4_000;

/// The payload of the entry that a round writes at an index: it names both, and its length is all but regular.
fn payload(index: u64, round: u64) -> String {
    let mut random = Random(index ^ round << 40);
    let padding = match random.within(0..200) {
        0 => random.within(0..20_000),
        1..20 => 0,
        _ => random.within(0..100),
    };
    format!("entry {index} of round {round} {}", "x".repeat(padding as usize))
}

/// What the log must hold. The term of an entry is the round that wrote it.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    /// The purge boundary.
    boundary: u64,
    boundary_term: u64,
    /// The round of each entry above the boundary.
    rounds: Vec<u64>,
    /// The hard state.
    term: u64,
    vote: u64,
}

impl Model {
    fn last(&self) -> u64 {
        self.boundary + self.rounds.len() as u64
    }

    /// The same with entries from `first` on written by a round.
    fn with(&self, first: u64, count: u64, round: u64) -> Model {
        let mut model = self.clone();
        let start = (first - self.boundary - 1) as usize;
        let end = start + count as usize;
        model.rounds.resize(model.rounds.len().max(end), round);
        model.rounds[start..end].fill(round);
        model
    }

    /// The same without entries from `first` on.
    fn truncated(&self, first: u64) -> Model {
        let mut model = self.clone();
        model.rounds.truncate((first - self.boundary - 1) as usize);
        model
    }
}

/// What separate processes find in the log; they must agree, and every entry must be what its round wrote.
fn look(place: &Place) -> Model {
    let verified = place.ok(&["verify"]);
    assert!(verified.starts_with("ok node: ") && verified.lines().count() == 1, "{verified}");
    let info = place.ok(&["raft", "info", LOG]);
    let number = |key| value(&info, key).parse().unwrap_or(0);
    let (boundary, last): (u64, u64) = (number("purged-index"), number("last-index"));
    let text = place.ok(&["raft", "entries", LOG]);
    let mut rounds = Vec::new();
    for (line, index) in text.lines().zip(boundary + 1..) {
        let mut parts = line.splitn(3, '\t');
        assert_eq!(parts.next(), Some(&*index.to_string()), "no index is missing");
        let round = parts.next().expect("a term").parse().expect("a number");
        assert!(parts.next() == Some(&payload(index, round)), "entry {index} of term {round} is another");
        rounds.push(round);
    }
    assert_eq!(boundary + rounds.len() as u64, last, "{info}");
    assert_eq!(text.lines().count(), rounds.len());
    let boundary_term = number("purged-term");
    Model { boundary, boundary_term, rounds, term: number("term"), vote: number("vote") }
}

/// That a change is there as a whole or not at all, and is there if its command ended.
#[track_caller]
fn whole(killed: &Killed, found: &Model, before: &Model, after: &Model) {
    assert!(
        found == after || (found == before && !killed.done),
        "neither before nor after, or not after its end"
    );
}

#[test]
fn a_node_that_is_killed_keeps_what_it_acknowledged() {
    let (mut tally, mut random) = (Tally::new("Raft log"), killed::choices());
    let place = Place::new("raft-kill");
    place.feed(&["raft", "persist", LOG, "-", "--segment-bytes", "64KiB"], b"").expect(0);
    let mut model = look(&place);
    for round in 1..=tally.rounds {
        let delay = Duration::from_micros(random.within(0..80_000));
        let early = When::early(&mut random, || drop(place.ok(&["raft", "info", LOG])));
        let (number, term) = (u64::from(round), round.to_string());
        let any = |random: &mut Random| random.within(model.boundary + 1..model.last() + 2);
        match random.within(0..12) {
            0 if !model.rounds.is_empty() => {
                let first = any(&mut random);
                let killed = killed::kill(
                    &place,
                    &["raft", "truncate", LOG, &first.to_string()],
                    std::iter::empty(),
                    round,
                    early,
                );
                tally.killed(&killed);
                let found = look(&place);
                whole(&killed, &found, &model, &model.truncated(first));
                model = found;
            }
            1 if !model.rounds.is_empty() => {
                let index = random.within(model.boundary + 1..model.last() + 1);
                let purge = ["raft", "purge", LOG, &index.to_string()];
                let killed = killed::kill(&place, &purge, std::iter::empty(), round, early);
                tally.killed(&killed);
                let found = look(&place);
                let at = (index - model.boundary) as usize;
                let mut after = model.clone();
                (after.boundary, after.boundary_term) = (index, model.rounds[at - 1]);
                after.rounds.drain(..at);
                whole(&killed, &found, &model, &after);
                model = found;
            }
            2 => {
                let vote = random.within(1..6);
                let set = ["raft", "hard-state", "set", LOG, &term, "--vote", &vote.to_string()];
                let killed = killed::kill(&place, &set, std::iter::empty(), round, early);
                tally.killed(&killed);
                let found = look(&place);
                whole(&killed, &found, &model, &Model { term: number, vote, ..model.clone() });
                model = found;
            }
            3 | 4 => {
                let (first, count) = (any(&mut random), random.within(0..500));
                let lines: String =
                    (first..first + count).map(|index| payload(index, number) + "\n").collect();
                let file = place.file("tail", lines);
                let replace = ["raft", "replace", LOG, &first.to_string(), &file, "--term", &term];
                let killed = killed::kill(&place, &replace, std::iter::empty(), round, early);
                tally.killed(&killed);
                let found = look(&place);
                whole(&killed, &found, &model, &model.truncated(first).with(first, count, number));
                model = found;
            }
            choice => {
                // Appends, and overwrites in the middle: later entries stay.
                let first = if choice < 9 { model.last() + 1 } else { any(&mut random) };
                let every = random.pick(&["1", "3", "50", "777"]);
                let persist = ["raft", "persist", LOG, "-", "--first", &first.to_string(), "--term", &term];
                let persist = [&persist[..], &["--sync-every", every]].concat();
                let lines = (first..first + LINES).map(move |index| payload(index, number) + "\n");
                let when = if choice.is_multiple_of(2) { early } else { When::Printed(delay) };
                let killed = killed::kill(&place, &persist, lines, round, when);
                tally.killed(&killed);
                let found = look(&place);
                let count = found.rounds.iter().filter(|round| **round == number).count() as u64;
                let durable = killed.durable();
                assert!(count >= durable, "{count} left of {durable} acknowledged");
                assert!(found == model.with(first, count, number), "something else has changed");
                tally.acknowledged(durable, count);
                model = found;
            }
        }
        println!("  now {}..={}", model.boundary, model.last());
    }
    tally.end();
}
