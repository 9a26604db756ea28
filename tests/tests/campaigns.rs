//! The quick form of the campaigns, against the native library. `ANNALS_SEED` chooses another seed, `ANNALS_FULL=1` does
//! everything, `ANNALS_SHORT=1` little, for runs on many mutants.

use annals_tests::campaign::change_log::ChangeLog;
use annals_tests::campaign::event::EventLog;
use annals_tests::campaign::journal::Journal;
use annals_tests::campaign::raft::Raft;
use annals_tests::campaign::snapshot::Snapshot;
use annals_tests::campaign::{Budget, Campaign, Trial, faults, random, sweep};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::Subject;

fn budget() -> Budget {
    let is_set = |name| std::env::var_os(name).is_some();
    match (is_set("ANNALS_FULL"), is_set("ANNALS_SHORT")) {
        (true, _) => Budget::FULL,
        (false, true) => Budget::SHORT,
        (false, false) => Budget::QUICK,
    }
}

annals_tests::campaign_tests!("native", native, budget());

/// The native library on a disk that lies about sync.
fn lying(disk: SimDisk) -> Box<dyn Subject> {
    disk.set_lying(true);
    native(disk)
}

fn notice_a_lie<T: Trial>() {
    let few = Budget { runs: 30, ..Budget::QUICK };
    for run in [random::run::<T> as Campaign, sweep::run::<T>, faults::run::<T>] {
        assert!(run(&lying, 1, few).is_err(), "nobody noticed");
    }
}

#[test]
fn journal_campaigns_notice_a_disk_that_lies_about_sync() {
    notice_a_lie::<Journal>();
}

#[test]
fn event_log_campaigns_notice_a_disk_that_lies_about_sync() {
    notice_a_lie::<EventLog>();
}

#[test]
fn raft_campaigns_notice_a_disk_that_lies_about_sync() {
    notice_a_lie::<Raft>();
}

#[test]
fn snapshot_campaigns_notice_a_disk_that_lies_about_sync() {
    notice_a_lie::<Snapshot>();
}

#[test]
fn change_log_campaigns_notice_a_disk_that_lies_about_sync() {
    notice_a_lie::<ChangeLog>();
}
