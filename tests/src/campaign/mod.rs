//! Campaigns: large spaces of runs, crashes, faults and flipped bits, sampled or exhausted from a printed seed.
//!
//! Each takes a factory of subjects, a seed and a [`Budget`], and returns [`Counts`] or the first thing that went wrong,
//! with what is needed to see it again.

pub mod faults;
pub mod flips;
pub mod garbage;
pub mod hostile;
pub mod random;
pub mod sweep;

mod driver;
mod history;
mod op;
mod recovery;
mod rest;
mod script;

use crate::subject::Factory;
use std::io::{Write, stdout};

pub use op::Shape;
pub use script::{Script, all as scripts};

/// How much a campaign does.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Random runs.
    pub runs: u64,
    /// Operations of a random run.
    pub ops: u64,
    /// Random crashes tried at each point of a sweep.
    pub random_crashes: usize,
    /// Every how many distinct images a second crash is swept through their recovery.
    pub second_every: u64,
    /// Every how many distinct images are checked thoroughly.
    pub thorough_every: u64,
    /// How often, of 100, a crash after a call is tried too (it differs little from one before the next call).
    pub after_percent: u64,
    /// How many times each log at rest is tampered with.
    pub garbage: u64,
    /// Every how many bits are flipped in files of more than 16 KiB (in smaller ones all are).
    pub bit_step: u64,
    /// How many bits of a large frame's body are flipped.
    pub sampled_bits: u64,
    /// Every how many of all these bits are tried.
    pub flip_every: usize,
}

impl Budget {
    /// Seconds in a debug build.
    pub const QUICK: Budget = Budget {
        runs: 300,
        ops: 150,
        random_crashes: 3,
        second_every: 4,
        thorough_every: 2,
        after_percent: 20,
        garbage: 1500,
        bit_step: 5,
        sampled_bits: 20,
        flip_every: 1,
    };
    /// A systematic part, for the component, whose instances take longer to start.
    pub const COMPONENT: Budget = Budget {
        runs: 40,
        ops: 100,
        random_crashes: 1,
        second_every: 40,
        thorough_every: 10,
        after_percent: 0,
        garbage: 100,
        bit_step: 5,
        sampled_bits: 20,
        flip_every: 41,
    };
    /// Everything; minutes.
    pub const FULL: Budget = Budget {
        runs: 20_000,
        ops: 300,
        random_crashes: 12,
        second_every: 1,
        thorough_every: 1,
        after_percent: 100,
        garbage: 200_000,
        bit_step: 1,
        sampled_bits: 5000,
        flip_every: 1,
    };
}

/// What a campaign looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Images, runs or flips.
    pub states: u64,
    /// Those among them that differ.
    pub distinct: u64,
    /// Those that were refused with a typed error, where that is allowed.
    pub refused: u64,
    /// Those where something was wrong and nobody said so: always 0, or the campaign fails.
    pub silent: u64,
}

/// One campaign: subjects, seed, how much.
pub type Campaign = fn(Factory<'_>, u64, Budget) -> Result<Counts, String>;

/// Runs a campaign on a subject, prints seed and counts, and panics if anything was silently wrong.
/// `ANNALS_SEED` chooses another seed.
pub fn report(name: &str, subject: &str, factory: Factory<'_>, budget: Budget, run: Campaign) {
    let seed = crate::seed(20_251_120);
    let start = std::time::Instant::now();
    // Not by println, which a test that passes keeps to itself.
    let _ = writeln!(stdout(), "campaign {name}, {subject}: ANNALS_SEED={seed}");
    match run(factory, seed, budget) {
        Ok(counts) => {
            let _ = writeln!(stdout(), "campaign {name}, {subject}: {counts:?} in {:?}", start.elapsed());
            assert_eq!(counts.silent, 0);
            assert!(counts.distinct > 0);
        }
        Err(what) => panic!("campaign {name}, {subject}, ANNALS_SEED={seed}: {what}"),
    }
}

/// A test for each campaign, on one subject.
#[macro_export]
macro_rules! campaign_tests {
    ($subject:literal, $factory:expr, $budget:expr) => {
        $crate::campaign_tests!($subject, $factory, $budget;
            random_runs_answer_as_the_model_does: "random", random;
            a_crash_at_any_call_leaves_a_state_that_was_promised_or_asked_for: "crash sweep", sweep;
            a_fault_at_any_call_loses_nothing_that_was_promised: "fault sweep", faults;
            no_flipped_bit_makes_a_log_return_wrong_data: "bit flips", flips;
            no_garbage_makes_a_log_return_wrong_data: "garbage", garbage;
            no_hostile_answer_of_the_storage_traps: "hostile answers", hostile;
        );
    };
    ($subject:literal, $factory:expr, $budget:expr; $($claim:ident: $name:literal, $run:ident;)*) => {
        $(#[test]
        fn $claim() {
            $crate::campaign::report($name, $subject, &$factory, $budget, $crate::campaign::$run::run);
        })*
    };
}
