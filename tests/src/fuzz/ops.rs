//! Operations on a log with crashes, failing calls and reopening between them, each choice from the input; the model
//! knows every answer, as in the campaign of random runs.

use crate::campaign::change_log::ChangeLog;
use crate::campaign::draw::Draw;
use crate::campaign::event::EventLog;
use crate::campaign::journal::Journal;
use crate::campaign::raft::Raft;
use crate::campaign::snapshot::Snapshot;
use crate::campaign::{Counts, Trial, random};
use crate::native::native;
use crate::sim::SimDisk;

/// Most steps of one run.
const STEPS: u64 = 200;

/// One run.
pub fn run(mut draw: Draw) {
    let logs = [one::<Journal>, one::<EventLog>, one::<Raft>, one::<Snapshot>, one::<ChangeLog>];
    let run = logs[draw.below(logs.len() as u64) as usize];
    if let Err(what) = run(draw) {
        panic!("{what}");
    }
}

fn one<T: Trial>(draw: Draw) -> Result<(), String> {
    random::drawn::<T>(&native, draw, SimDisk::new(1), STEPS, &mut Counts::default())
}
