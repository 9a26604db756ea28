//! Campaigns: large spaces of runs, crashes, faults and flipped bits, sampled or exhausted from a printed seed.
//!
//! Each takes a factory of subjects, a seed and a [`Budget`], and returns [`Counts`] or the first thing that went wrong,
//! with what is needed to see it again. They are the same for every kind of log: what a log can do and what is right
//! for it says its [`Trial`].
//!
//! # How to add a log
//!
//! 1. Write `campaign/<log>.rs` with a unit type that implements [`Trial`]; [`journal`] is the one to look at. Its parts:
//!    * `Model`: the naive state, as plain as it can be (a map). It decides what is right, so it must not share code with
//!      the log. Equal models hold the same; leave out what no crash must keep.
//!    * `Op` with [`Trial::expect`]: what each operation answers, errors included, what it makes of the model, and what
//!      its success promises ([`Promise`]): nothing, that it survives the process, or that it survives the power. One
//!      sync that takes its time is `Begun` and then `Awaited`. An operation that changes nothing and promises nothing
//!      new (a purge below the boundary) promises `Nothing`.
//!    * `Handle` with [`Trial::perform`]: does the operation to the open log. Where the contract leaves room, as in
//!      bounded reads, it compares with the model (the one from before the operation) right there and answers
//!      [`Trouble::Wrong`] or something fixed. Streams, tickets and further handles live in the `Handle`; what must be
//!      dropped first stands first in it. Return every token that the log gives.
//!    * [`Trial::contents`]: all that the log holds, read in full, as a model. [`Trial::read`] does the same with
//!      damage: the [`Seen`] says what is served and what answers `damaged`, in each way of reading.
//!    * [`Trial::scripts`]: short runs that together reach every kind of step, so that the sweeps can stop at each of
//!      their calls; about 10 to 20 steps each, some with items of kilobytes that make segments roll. A drawn one is as
//!      good as [`Trial::draw_step`] is: it should mostly draw what succeeds, and everything now and then.
//!    * [`Trial::at_rest`]: small logs for tampering, cleanly closed and not.
//! 2. Add its line to the table in [`campaign_tests`](crate::campaign_tests): that makes all campaigns, on both subjects.
//!    And a test in `tests/campaigns.rs` that they notice a disk that lies about sync.
//! 3. Look at the counts that they print, and break the log on purpose once for each sync and each order it relies on.

pub mod beside;
pub mod change_log;
pub mod damage;
pub mod draw;
pub mod event;
pub mod faults;
pub mod flips;
pub mod garbage;
pub mod hostile;
pub mod journal;
pub mod matrix;
pub mod raft;
pub mod random;
pub mod snapshot;
pub mod states;
pub mod step;
pub mod sweep;
pub mod trial;

mod budget;
mod driver;
mod history;
mod recovery;
pub(crate) mod rest;
mod script;

use crate::subject::Factory;
use std::io::{Write, stdout};

pub use budget::Budget;
pub use trial::{Promise, Seen, Trial, Trouble};

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

/// A module of tests for each kind of log, with a test for each campaign, on one subject.
#[macro_export]
macro_rules! campaign_tests {
    ($subject:literal, $factory:expr, $budget:expr) => {
        $crate::campaign_tests!(@log journal: "journal", $crate::campaign::journal::Journal;
            $subject, $factory, $budget);
        $crate::campaign_tests!(@log event: "event log", $crate::campaign::event::EventLog;
            $subject, $factory, $budget);
        $crate::campaign_tests!(@log raft: "raft log", $crate::campaign::raft::Raft;
            $subject, $factory, $budget);
        $crate::campaign_tests!(@log snapshot: "snapshot", $crate::campaign::snapshot::Snapshot;
            $subject, $factory, $budget);
        $crate::campaign_tests!(@log change_log: "change log", $crate::campaign::change_log::ChangeLog;
            $subject, $factory, $budget);
    };
    (@log $log:ident: $name:literal, $trial:ty; $subject:literal, $factory:expr, $budget:expr) => {
        mod $log {
            #[allow(unused_imports)] // what subject and budget are made of
            use super::*;
            $crate::campaign_tests!(@campaigns concat!($name, ", ", $subject), $factory, $budget, $trial;
                random_runs_answer_as_the_model_does: "random", random;
                a_crash_at_any_call_leaves_a_state_that_was_promised_or_asked_for: "crash sweep", sweep;
                a_fault_at_any_call_loses_nothing_that_was_promised: "fault sweep", faults;
                no_flipped_bit_makes_a_log_return_wrong_data: "bit flips", flips;
                no_garbage_makes_a_log_return_wrong_data: "garbage", garbage;
                a_reader_beside_a_writer_sees_a_state_that_was_and_no_damage: "beside a writer", beside;
                no_hostile_answer_of_the_storage_traps: "hostile answers", hostile;
            );
        }
    };
    (@campaigns $subject:expr, $factory:expr, $budget:expr, $trial:ty;
        $($claim:ident: $name:literal, $run:ident;)*) => {
        $(#[test]
        fn $claim() {
            $crate::campaign::report($name, $subject, &$factory, $budget, $crate::campaign::$run::run::<$trial>);
        })*
    };
}
