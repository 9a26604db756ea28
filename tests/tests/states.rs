//! The quick form of the small scope, against the native library: every sequence of two letters, every crash, and a crash
//! in every recovery; then longer ones, sampled. `ANNALS_SEED` chooses another seed. The long form is the command
//! `crash-states`.

use annals_tests::campaign::Trial;
use annals_tests::campaign::change_log::ChangeLog;
use annals_tests::campaign::event::EventLog;
use annals_tests::campaign::journal::Journal;
use annals_tests::campaign::raft::Raft;
use annals_tests::campaign::snapshot::Snapshot;
use annals_tests::campaign::states::{Plan, Shared, work};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::Subject;

annals_tests::state_tests!("native", native, Plan::QUICK);

/// The native library on a disk that lies about sync.
fn lying(disk: SimDisk) -> Box<dyn Subject> {
    disk.set_lying(true);
    native(disk)
}

fn notices_a_lie<T: Trial>() {
    let shared = Shared::new("lied to", Plan::exhaust(1), 1);
    work::<T>(&lying, &shared);
    let row = shared.tally.row();
    assert!(row.failures() > 0 && shared.failure().is_some(), "nobody noticed: {row}");
}

#[test]
fn a_disk_that_lies_about_sync_is_noticed_on_every_log() {
    notices_a_lie::<Journal>();
    notices_a_lie::<EventLog>();
    notices_a_lie::<Raft>();
    notices_a_lie::<Snapshot>();
    notices_a_lie::<ChangeLog>();
}
