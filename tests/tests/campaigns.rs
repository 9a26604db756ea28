//! The quick form of the campaigns, against the native library. `ANNALS_SEED` chooses another seed, `ANNALS_FULL=1` does
//! everything.

use annals_tests::campaign::{Budget, Counts, faults, flips, random, sweep};
use annals_tests::native::native;
use annals_tests::subject::Factory;

fn campaign(name: &str, run: fn(Factory<'_>, u64, Budget) -> Result<Counts, String>) {
    let seed = annals_tests::seed(20_251_120);
    let budget = if std::env::var_os("ANNALS_FULL").is_some() { Budget::FULL } else { Budget::QUICK };
    println!("campaign {name}, native, ANNALS_SEED={seed}");
    let start = std::time::Instant::now();
    match run(&native, seed, budget) {
        Ok(counts) => println!("campaign {name}, native: {counts:?} in {:?}", start.elapsed()),
        Err(what) => panic!("campaign {name}, native, ANNALS_SEED={seed}: {what}"),
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
