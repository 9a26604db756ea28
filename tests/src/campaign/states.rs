//! The small scope, exhausted: every short sequence of a few letters, a crash at every storage call, everything that the
//! crash may leave of what was not synced, and a second crash at every call of the recovery.
//!
//! A sequence is played once, and a copy of the disk is kept from before each of its calls ([`SimDisk::record`]): sequences
//! form a tree, so only the last letter of each is looked at, as those before it are the last ones of shorter sequences.
//! Each copy gives one image for the death of the process, one for each part of a write that may have arrived by then, and
//! one for each choice among the contents of up to [`SECTORS`] pending sectors and three sizes. More pending sectors, and
//! longer sequences, are sampled from the seed, and counted apart; of those only some recoveries are crashed again.
//!
//! The oracle is exact. The states of a log are a line; an image must open to one of those that are not older than what was
//! acknowledged, and what an open reports counts as acknowledged from then on: crashes after it must keep it, opening again
//! must find it and change no byte. An open that is refused changes no byte either.
//!
//! A *state* is an image together with what was acknowledged (the contents, and the newest token), and each is recovered
//! once: what it held is remembered by its hash, and compared again wherever it turns up. So *explored* counts images as
//! they were made, *distinct* those that were recovered. All disks start from one number, so equal runs make equal bytes:
//! nothing is distinct only because of its random numbers.
//!
//! [`SimDisk::record`]: crate::sim::SimDisk::record

mod explore;
mod failure;
mod known;
mod memo;
mod play;
mod recovered;
mod scope;
mod shared;
mod tally;

use super::trial::Trial;
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::{Factory, Subject};
use play::Player;
use std::io::{Write, stdout};

pub use scope::{Letter, Scope};
pub use shared::Shared;
pub use tally::{Row, Tally};

/// Most pending sectors of which every choice is tried.
pub const SECTORS: usize = 6;

/// How much is explored.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// All sequences of up to so many letters.
    pub length: usize,
    /// Longer ones are sampled until there are so many distinct states; none if all short ones make as many.
    pub states: u64,
    /// The same for images that were made: whichever takes longer.
    pub images: u64,
    /// Choices that are sampled where there are too many to try all, in short sequences and in longer ones.
    pub samples: (u64, u64),
    /// In longer sequences only the recovery of every so many-th image is crashed at each call.
    pub second: u64,
    /// Of the images only every so many-th is recovered, by its hash.
    pub every: u64,
    /// Every so many-th of those that a first crash leaves is checked for going on, too.
    pub thorough: u64,
}

impl Plan {
    /// All sequences of this length, and nothing else.
    pub const fn exhaust(length: usize) -> Plan {
        Plan { length, states: 0, images: 0, samples: (6, 16), second: 8, every: 1, thorough: 16 }
    }

    /// Seconds in a debug build.
    pub const QUICK: Plan = Plan { images: 210_000, ..Plan::exhaust(2) };
    /// A systematic part, for the component, whose instances take longer to start.
    pub const COMPONENT: Plan = Plan { every: 8, ..Plan::exhaust(2) };
}

/// Longest sequence that is sampled, beyond those that are exhausted.
const LONGER: u64 = 8;
/// Letters at the end of such a sequence that are looked at: those before them are the last ones of others, time and again.
const LOOKED_AT: usize = 2;

/// Takes one piece of work after the other until nothing is left. Any number of threads may do so at a time.
pub fn work<T: Trial>(factory: Factory<'_>, shared: &Shared) {
    let scopes = T::scopes();
    let plan = shared.plan;
    while let Some((scope, path)) = shared.next_short(&scopes) {
        let from = path.len().saturating_sub(1);
        Player::<T> { factory, shared, scope: &scopes[scope], path, sampled: false }.run(from);
    }
    while let Some(number) = shared.next_long() {
        let mut rng = SplitMix64::new(SplitMix64::derive(shared.seed, number));
        let mut scope = &scopes[rng.below(scopes.len() as u64) as usize];
        // Those that begin with something large take long.
        if !scope.prelude.is_empty() && rng.chance(85) {
            scope = &scopes[0];
        }
        let length = plan.length as u64 + 1 + rng.below(LONGER);
        let path: Vec<usize> = (0..length).map(|_| rng.below(scope.letters.len() as u64) as usize).collect();
        let from = plan.length.max(path.len().saturating_sub(LOOKED_AT));
        Player::<T> { factory, shared, scope, path, sampled: true }.run(from);
    }
}

/// Explores one sequence of a scope, all letters of it. The words say what is wrong with the names.
pub fn one<T: Trial>(
    factory: Factory<'_>,
    shared: &Shared,
    scope: &str,
    letters: &[&str],
) -> Result<(), String> {
    let scopes = T::scopes();
    let names = || scopes.iter().map(|scope| scope.name).collect::<Vec<_>>().join(", ");
    let scope = scopes.iter().find(|known| known.name == scope);
    let scope = scope.ok_or_else(|| format!("there is no such scope; there are: {}", names()))?;
    let path: Result<Vec<usize>, String> = letters.iter().map(|name| scope.number(name)).collect();
    let path = path?;
    for length in 0..=path.len() {
        let part = path[..length].to_vec();
        Player::<T> { factory, shared, scope, path: part, sampled: false }.run(length.saturating_sub(1));
    }
    Ok(())
}

/// Explores a log natively with so many threads.
pub fn explore<T: Trial>(make: fn(SimDisk) -> Box<dyn Subject>, shared: &Shared, threads: usize) {
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| work::<T>(&make, shared));
        }
    });
}

/// Explores a log on one subject as far as the plan says, prints what was looked at, and panics if anything was wrong.
/// `ANNALS_SEED` chooses another seed.
pub fn report<T: Trial>(name: &str, subject: &str, factory: Factory<'_>, plan: Plan) {
    let shared = Shared::new(name, plan, crate::seed(20_251_121));
    let start = std::time::Instant::now();
    work::<T>(factory, &shared);
    // Not by println, which a test that passes keeps to itself.
    let row = shared.tally.row();
    let _ = writeln!(
        stdout(),
        "states of {name}, {subject}: ANNALS_SEED={}: {row} in {:?}",
        shared.seed,
        start.elapsed()
    );
    if let Some(failure) = shared.failure() {
        panic!("{failure}");
    }
    assert!(row.explored.0 + row.explored.1 >= plan.images && row.states() > 0, "too few: {row}");
}

/// A test for each kind of log, on one subject.
#[macro_export]
macro_rules! state_tests {
    ($subject:literal, $factory:expr, $plan:expr) => {
        $crate::state_tests!(@logs $subject, $factory, $plan;
            journal_states: "journal", journal::Journal;
            event_log_states: "event-log", event::EventLog;
            raft_log_states: "raft-log", raft::Raft;
            snapshot_states: "snapshot", snapshot::Snapshot;
            change_log_states: "change-log", change_log::ChangeLog;
        );
    };
    (@logs $subject:expr, $factory:expr, $plan:expr; $($claim:ident: $name:literal, $($trial:ident)::+;)*) => {
        $(#[test]
        fn $claim() {
            $crate::campaign::states::report::<$crate::campaign::$($trial)::+>($name, $subject, &$factory, $plan);
        })*
    };
}
