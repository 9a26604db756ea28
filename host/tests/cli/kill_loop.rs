//! Kills the command with SIGKILL while it appends, prunes, rewinds, makes and destroys logs, over and over, on real files.
//!
//! After every kill, separate processes look at what is left: every item that a `durable` line acknowledged must be
//! there, every item must be the one that was appended at its position, and `verify` must be content. Then the next
//! round goes on with the same log, through recovery.
//!
//! `killed.rs` says how many rounds there are, and of what choices.

use crate::{
    killed::{self, Killed, Random, Tally, When},
    place::{Place, value},
};
use std::time::Duration;

const LOG: &str = "numbers";
/// Small sections and segments, so that kills hit section syncs, rolls and removals.
const MAKING: [&str; 4] = ["--items-per-section", "500", "--segment-bytes", "64KiB"];
/// Lines that one round feeds at most; the killed process then waits for more.
const LINES: u64 = 8_000;

/// The item that a round appends at a position: it names both, and its length is all but regular.
fn line(position: u64, round: u32) -> String {
    let mut random = Random(position ^ u64::from(round) << 40);
    let padding = match random.within(0..200) {
        0 => random.within(0..20_000),
        1..20 => 0,
        _ => random.within(0..100),
    };
    format!("item {position} of round {round} {}\n", "x".repeat(padding as usize))
}

/// What the log must hold.
struct Model {
    /// The pruning boundary.
    oldest: u64,
    /// For every position ever appended and not rewound, the round that appended it.
    rounds: Vec<u32>,
}

impl Model {
    fn size(&self) -> u64 {
        self.rounds.len() as u64
    }
}

/// Starts a command, feeds it items from `first` on, and kills it.
fn kill(place: &Place, args: &[&str], first: u64, round: u32, when: When) -> Killed {
    killed::kill(place, args, (first..first + LINES).map(move |position| line(position, round)), round, when)
}

/// Asserts that the log holds what the model says, as separate processes see it, up to a size that is returned.
/// Positions from the model's size on must be those of `round`.
fn check(place: &Place, model: &Model, round: u32) -> (u64, u64) {
    let verified = place.ok(&["verify"]);
    assert!(verified.starts_with("ok numbers: ") && verified.lines().count() == 1, "{verified}");
    let info = place.ok(&["journal", "info", LOG]);
    let size: u64 = value(&info, "size").parse().expect("a size");
    let oldest = value(&info, "oldest").parse().unwrap_or(size);
    let replayed = place.run(&["journal", "replay", LOG]);
    replayed.expect(0);
    let mut rest = &replayed.stdout[..];
    for position in oldest..size {
        let of = model.rounds.get(position as usize).copied().unwrap_or(round);
        let expected = line(position, of);
        let Some(behind) = rest.strip_prefix(expected.as_bytes()) else {
            let found = String::from_utf8_lossy(&rest[..rest.len().min(60)]);
            panic!(
                "position {position} should hold '{}', not '{found}'",
                &expected[..expected.len().min(60)]
            );
        };
        rest = behind;
    }
    assert!(rest.is_empty(), "there is more than {size} items");
    println!("  now {oldest}..{size}");
    (oldest, size)
}

#[test]
fn whatever_was_acknowledged_survives_kill_9() {
    let (mut tally, mut random) = (Tally::new("journal"), killed::choices());
    let place = Place::new("kill");
    let mut model = Model { oldest: 0, rounds: Vec::new() };

    place.feed(&[&["journal", "append", LOG, "-"][..], &MAKING].concat(), b"").expect(0);

    for round in 1..=tally.rounds {
        let delay = Duration::from_micros(random.within(0..80_000));
        let early = When::early(&mut random, || drop(place.ok(&["journal", "info", LOG])));
        let before = model.size();
        match random.within(0..10) {
            0 if before > model.oldest => {
                let min = random.within(model.oldest..before + 1);
                let args = ["journal", "prune", LOG, &min.to_string()];
                let killed = kill(&place, &args, before, round, early);
                tally.killed(&killed);
                let (oldest, size) = check(&place, &model, round);
                assert_eq!(size, before, "a prune leaves the size");
                let pruned = model.oldest.max(min / 500 * 500);
                assert!([model.oldest, pruned].contains(&oldest), "{oldest} after prune {min}");
                assert!(oldest == pruned || !killed.done, "a prune that ended has pruned");
                model.oldest = oldest;
            }
            1 if before > model.oldest => {
                let to = random.within(model.oldest..before + 1);
                let args = ["journal", "rewind", LOG, &to.to_string()];
                let killed = kill(&place, &args, before, round, early);
                tally.killed(&killed);
                let (oldest, size) = check(&place, &model, round);
                assert!(oldest == model.oldest || size == oldest, "a rewind leaves the front");
                assert!([before, to].contains(&size), "{size} after rewind {before} -> {to}");
                assert!(size == to || !killed.done, "a rewind that ended has rewound");
                model.rounds.truncate(size as usize);
            }
            2 => {
                // To the end for once: the log is closed, and nothing is left to recover.
                let items: String = (before..before + 10).map(|position| line(position, round)).collect();
                let printed = place.append(LOG, items);
                assert!(printed.contains(&format!("first {before} last {}", before + 9)), "{printed}");
                model.rounds.resize(model.rounds.len() + 10, round);
                assert_eq!(check(&place, &model, round), (model.oldest, before + 10));
                assert!(!place.ok(&["verify"]).contains("not closed cleanly"));
            }
            3 => {
                // A log that is made and destroyed again, with a kill in each.
                let victim = ["journal", "append", "victim", "-", "--sync-every", "10"];
                let killed = kill(&place, &victim, 0, round, early);
                tally.killed(&killed);
                place.ok(&["verify"]);
                let printed = place.append("victim", "");
                assert!(printed.starts_with("nothing appended\ntoken "), "{printed}");
                let size: u64 =
                    value(&place.ok(&["journal", "info", "victim"]), "size").parse().expect("a size");
                assert!(size >= killed.durable());
                let expected: String = (0..size).map(|position| line(position, round)).collect();
                assert!(place.ok(&["journal", "replay", "victim"]) == expected);
                tally.killed(&kill(&place, &["journal", "destroy", "victim", "--yes"], 0, round, early));
                place.ok(&["verify"]);
                let again = place.run(&["journal", "destroy", "victim", "--yes"]);
                assert!(
                    again.code == Some(0) || again.stderr.contains("there is no such log"),
                    "{}",
                    again.stderr
                );
                assert_eq!(check(&place, &model, round), (model.oldest, before));
            }
            choice => {
                let every = random.pick(&["1", "3", "50", "777"]);
                let args = ["journal", "append", LOG, "-", "--sync-every", every];
                let when = if choice < 7 { early } else { When::Printed(delay) };
                let killed = kill(&place, &args, before, round, when);
                tally.killed(&killed);
                let (oldest, size) = check(&place, &model, round);
                let durable = killed.durable();
                assert!(size >= durable.max(before), "{size} left of {before} and {durable} durable");
                assert!(size <= before + LINES);
                assert!(oldest == model.oldest || size == oldest);
                tally.acknowledged(durable.saturating_sub(before), size - before);
                model.rounds.resize(size as usize, round);
            }
        }
    }
    tally.end();
}
