//! A systematic part of the campaigns through the component; the native library carries the volume.
//! `ANNALS_SEED` chooses another seed.

mod component;

use annals_tests::campaign::{Budget, Counts, faults, flips, garbage, hostile, random, sweep};
use annals_tests::subject::Factory;
use component::component;
use std::io::{Write, stdout};

type Campaign = fn(Factory<'_>, u64, Budget) -> Result<Counts, String>;

fn campaign(name: &str, run: Campaign) {
    let seed = annals_tests::seed(20_251_120);
    let budget = Budget::COMPONENT;
    // Not by println, which a test that passes keeps to itself.
    let _ = writeln!(stdout(), "campaign {name}, component: ANNALS_SEED={seed}");
    match run(&component, seed, budget) {
        Ok(counts) => {
            let _ = writeln!(stdout(), "campaign {name}, component: {counts:?}");
            assert_eq!(counts.silent, 0);
            assert!(counts.distinct > 0);
        }
        Err(what) => panic!("campaign {name}, component, ANNALS_SEED={seed}: {what}"),
    }
}

#[test]
fn random_runs_answer_as_the_model_does() {
    campaign("random", random::run);
}

#[test]
fn a_crash_at_any_call_leaves_a_state_that_was_promised_or_asked_for() {
    campaign("crash sweep", sweep::run);
}

#[test]
fn a_fault_at_any_call_loses_nothing_that_was_promised() {
    campaign("fault sweep", faults::run);
}

#[test]
fn no_flipped_bit_makes_a_log_return_wrong_data() {
    campaign("bit flips", flips::run);
}

#[test]
fn no_garbage_makes_a_log_return_wrong_data() {
    campaign("garbage", garbage::run);
}

#[test]
fn no_hostile_answer_of_the_storage_traps() {
    campaign("hostile answers", hostile::run);
}
