//! The quick form of the campaigns, against the native library. `ANNALS_SEED` chooses another seed, `ANNALS_FULL=1` does
//! everything.

use annals_tests::campaign::{Budget, Counts, faults, flips, garbage, hostile, random, sweep};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::{Factory, Subject};
use std::io::{Write, stdout};

type Campaign = fn(Factory<'_>, u64, Budget) -> Result<Counts, String>;

fn campaign(name: &str, run: Campaign) {
    let seed = annals_tests::seed(20_251_120);
    let budget = if std::env::var_os("ANNALS_FULL").is_some() { Budget::FULL } else { Budget::QUICK };
    let start = std::time::Instant::now();
    // Not by println, which a test that passes keeps to itself.
    let _ = writeln!(stdout(), "campaign {name}, native: ANNALS_SEED={seed}");
    match run(&native, seed, budget) {
        Ok(counts) => {
            let _ = writeln!(stdout(), "campaign {name}, native: {counts:?} in {:?}", start.elapsed());
            assert_eq!(counts.silent, 0);
            assert!(counts.distinct > 0);
        }
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

#[test]
fn no_garbage_makes_a_log_return_wrong_data() {
    campaign("garbage", garbage::run);
}

#[test]
fn no_hostile_answer_of_the_storage_traps() {
    campaign("hostile answers", hostile::run);
}

/// The native library on a disk that lies about sync.
fn lying(disk: SimDisk) -> Box<dyn Subject> {
    disk.set_lying(true);
    native(disk)
}

#[test]
fn campaigns_notice_a_disk_that_lies_about_sync() {
    let few = Budget { runs: 30, ..Budget::QUICK };
    for run in [random::run as Campaign, sweep::run, faults::run] {
        assert!(run(&lying, 1, few).is_err(), "nobody noticed");
    }
}
