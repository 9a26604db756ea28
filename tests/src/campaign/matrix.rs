//! The fault matrix: each kind of fault × once or staying × every storage call of every scenario × every log.
//!
//! A scenario is a script of the sweeps with reads, a dropped handle, an opening and reads again behind it. A run plays
//! it with one fault at one call and compares every answer with the model: it is right, or a typed error that this kind
//! of fault can have. Then the log is opened anew: while the fault stays, if it does; after the death of the process;
//! after a loss of power; and with clean pages evicted. A fault that leaves what the storage contract allows must leave
//! the right data. One that changes what is stored leaves it right, or somebody is told; where the damage looks like a
//! crash and no promise covers it, the log may be shorter, and those with a token are told.
//!
//! Whatever else happens is *silent*: wrong data, a log that is shorter without anybody having been told, a panic.

mod judge;
mod kinds;
mod play;
mod scenario;
mod stopped;
mod table;
mod tally;
mod tamper;

use super::change_log::ChangeLog;
use super::event::EventLog;
use super::journal::Journal;
use super::raft::Raft;
use super::snapshot::Snapshot;
use super::trial::Trial;
use crate::cases::panic_text;
use crate::rng::SplitMix64;
use crate::subject::Factory;
use play::Play;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use kinds::{KINDS, Kind};
pub use stopped::{Limited, Stopped, stopped};
use table::skeleton;

pub use table::{component_of, component_table, render, skeleton_of, with_component};
pub use tally::{Section, Tally};

/// Failures of one log that are kept in full.
const SHOWN: usize = 400;

/// How much of the matrix is run.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    /// Where calls, places and bits are drawn from.
    pub seed: u64,
    /// Every how many of all cells' calls are run; 1 runs all.
    pub stride: u64,
    /// Only kinds with this in their name.
    pub kind: Option<&'a str>,
    /// Only scenarios with this in their name.
    pub scenario: Option<&'a str>,
    /// Only the scenario of this number, from 0; others are left out altogether.
    pub column: Option<usize>,
}

impl Extent<'_> {
    /// Everything.
    pub fn all(seed: u64) -> Self {
        Self { seed, stride: 1, kind: None, scenario: None, column: None }
    }

    fn wants(part: Option<&str>, name: &str) -> bool {
        part.is_none_or(|part| name.contains(part))
    }
}

/// Hears of each scenario and kind that begins.
pub type Progress<'a> = &'a mut dyn FnMut(&str, &str);

/// Runs the part of the matrix that belongs to one log.
fn run<T: Trial>(
    log: &'static str,
    factory: Factory<'_>,
    extent: Extent<'_>,
    progress: Progress<'_>,
) -> Result<Section, String> {
    let scenarios = scenario::all::<T>(factory, extent.seed)?;
    let names = scenarios.iter().map(|scenario| scenario.script.name.to_string()).collect();
    let calls = scenarios.iter().map(|scenario| scenario.calls.len() as u64).collect();
    let mut section = Section::new(log, names, calls);
    for (column, scenario) in scenarios.iter().enumerate() {
        if extent.column.is_some_and(|only| only != column) {
            continue;
        }
        let mut turn = extent.seed.wrapping_add(column as u64 * 7919);
        for (row, kind) in KINDS.iter().enumerate() {
            let wanted =
                Extent::wants(extent.kind, kind.name) && Extent::wants(extent.scenario, scenario.script.name);
            if wanted {
                progress(scenario.script.name, kind.name);
            }
            for sticky in [false, true] {
                for (index, (call, _)) in scenario.calls.iter().enumerate() {
                    if !kind.meets(*call) {
                        continue;
                    }
                    turn = turn.wrapping_add(1);
                    let tally = section.cell(row, column, sticky);
                    if !wanted || !turn.is_multiple_of(extent.stride) {
                        tally.skipped += 1;
                        continue;
                    }
                    let call = index as u64 + 1;
                    let seed =
                        SplitMix64::derive(extent.seed, (row as u64) << 40 | (column as u64) << 20 | call);
                    let play = Play { factory, scenario, kind, sticky, call, seed };
                    let outcome = catch_unwind(AssertUnwindSafe(|| play.run()))
                        .unwrap_or_else(|panic| Err(format!("panic: {}", panic_text(&*panic))));
                    match outcome {
                        Ok(None) => tally.vain += 1,
                        Ok(Some(outcome)) => tally.count(&outcome),
                        Err(what) => {
                            tally.silent += 1;
                            let stays = if sticky { "stays" } else { "once" };
                            section.fail(SHOWN, || {
                                format!(
                                    "{log}, \"{}\", {}, {stays}, call {call}: {what}",
                                    scenario.script.name, kind.name
                                )
                            });
                        }
                    }
                }
            }
        }
    }
    Ok(section)
}

/// A log of the matrix.
#[derive(Clone, Copy)]
pub struct Log {
    /// Its name in the page.
    pub name: &'static str,
    run: Run,
    scenarios: fn() -> Vec<String>,
}

type Run = fn(&'static str, Factory<'_>, Extent<'_>, Progress<'_>) -> Result<Section, String>;

/// All logs.
pub const LOGS: &[Log] = &[
    log::<Journal>("journal"),
    log::<EventLog>("event log"),
    log::<Raft>("raft log"),
    log::<Snapshot>("snapshot"),
    log::<ChangeLog>("change log"),
];

const fn log<T: Trial>(name: &'static str) -> Log {
    Log { name, run: run::<T>, scenarios: scenarios::<T> }
}

fn scenarios<T: Trial>() -> Vec<String> {
    scenario::scripts::<T>().iter().map(|script| script.name.to_string()).collect()
}

impl Log {
    /// Runs the part of the matrix that belongs to it.
    pub fn run(
        &self,
        factory: Factory<'_>,
        extent: Extent<'_>,
        progress: Progress<'_>,
    ) -> Result<Section, String> {
        (self.run)(self.name, factory, extent, progress)
    }

    /// The names of its scenarios.
    pub fn scenarios(&self) -> Vec<String> {
        (self.scenarios)()
    }
}

/// The rows and columns that the page must have.
pub fn expected_skeleton() -> Vec<String> {
    let logs: Vec<_> = LOGS.iter().map(|log| (log.name, log.scenarios())).collect();
    skeleton(&logs)
}
