//! The damage sweep: whatever storage does to a log at rest is reported, or harmless beyond doubt.
//!
//! Its corpus are the logs that a trial leaves at rest, closed and not, and what crashes leave of its scripts. On each of
//! them every bit of files and cells is flipped, and every operation on sectors, files and cells is done that
//! `tamper` knows. Then the log is verified, opened for reading and for writing, and read in every way. Nobody ever
//! gets what was not written; a refused open changes nothing, and so does reading. What becomes of each is counted:
//!
//! * *at open*: refused for writing.
//! * *reading*: some reads answer `damaged`, or it cannot be opened for reading.
//! * *verify*: everything is served, and `verify` names the damage.
//! * *harmless*: the contents, in every way of reading, what is done to the log afterwards, and what a later crash
//!   leaves of that are exactly as without the damage.
//! * *token*: the log is one that it was before; opened with its newest token it is refused. Without a token nobody can
//!   tell a whole storage that went back in time.
//! * *torn*: what is gone was not promised to anybody: it looks like a crash.
//! * *limit*: something acknowledged is gone that no promise in the storage and no token covers. These are the limits
//!   that the README lists; a closed log has none.
//!
//! Anything else is silent damage, and fails the sweep.

mod kinds;
mod table;
mod tamper;
mod verdict;

use super::rest::{self, Rest};
use super::trial::Trial;
use super::{Budget, Counts};
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::Factory;
use std::collections::HashSet;
use std::io::{Write, stdout};

pub use kinds::{KINDS, sweep_kind};
pub use table::{Outcome, Table};

/// How much a sweep does.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Every how many of all operations are done. 1 is everything.
    pub stride: usize,
    /// How many crashes in each kind of call leave a log for the corpus.
    pub leftovers: usize,
    /// Files are exhausted bit by bit up to this size; of larger ones every so many bits of the bodies of frames.
    pub exhausted: u64,
    /// Every how many bits that is.
    pub bit_step: u64,
}

impl Form {
    /// Some seconds in a debug build.
    pub const QUICK: Form = Form { stride: 199, leftovers: 1, exhausted: 8 << 10, bit_step: 4099 };
    /// A few, for the component.
    pub const COMPONENT: Form = Form { stride: 20_011, leftovers: 1, exhausted: 8 << 10, bit_step: 4099 };
    /// Everything.
    pub const FULL: Form = Form { stride: 1, leftovers: 2, exhausted: 24 << 10, bit_step: 61 };
}

/// How far a sweep is: logs done, all logs, images done.
pub type Progress<'a> = &'a dyn Fn(usize, usize, u64);

/// Failures that are reported before the sweep gives up.
const SHOWN: usize = 12;

/// Sweeps all logs of a trial.
pub fn sweep<T: Trial>(
    factory: Factory<'_>,
    seed: u64,
    form: Form,
    progress: Progress<'_>,
) -> Result<Table, String> {
    let mut corpus: Vec<(String, Rest<T>)> =
        rest::logs::<T>(factory, seed)?.into_iter().map(|rest| (rest.name.to_string(), rest)).collect();
    corpus.extend(rest::leftovers::<T>(factory, seed, form.leftovers)?);
    // Logs of the same kind with other items, of which sectors and files come from elsewhere.
    let others: Vec<SimDisk> =
        rest::logs::<T>(factory, !seed)?.into_iter().map(|rest| rest.disk).rev().collect();
    let mut table = Table::default();
    let mut failures = Vec::new();
    let all = corpus.len();
    for (number, (name, rest)) in corpus.iter().enumerate() {
        let seed = SplitMix64::derive(seed, 5000 + number as u64);
        let world = tamper::World { rest, others: &others, seed, form };
        let subject = match verdict::Subject::new(factory, rest) {
            Ok(Some(subject)) => subject,
            // A crash before the log was there.
            Ok(None) => continue,
            Err(what) => return Err(format!("{name}, undamaged: {what}")),
        };
        table.logs += 1;
        let mut kinds = HashSet::new();
        let first = SplitMix64::new(seed).below(form.stride as u64) as usize;
        for tampering in world.all().skip(first).step_by(form.stride) {
            let disk = rest.disk.fork();
            tampering.apply(&disk);
            let exhausted = form.stride == 1 && tampering.exhausted;
            if disk.hash() == rest.disk.hash() {
                table.unchanged += 1;
                continue;
            }
            table.images += 1;
            if table.images.is_multiple_of(2000) {
                progress(number, all, table.images);
            }
            match subject.examine(&disk) {
                Ok(outcome) => table.count(tampering.kind, outcome, exhausted),
                Err(what) => {
                    table.silent += 1;
                    // One of each kind is enough.
                    let start: String = what.chars().take(40).collect();
                    if kinds.insert((tampering.kind, start)) && failures.len() < SHOWN {
                        failures.push(format!("{name}: {}: {what}", tampering.what));
                    }
                }
            }
        }
    }
    progress(all, all, table.images);
    if failures.is_empty() { Ok(table) } else { Err(format!("{}\n{table}", failures.join("\n"))) }
}

/// The sweep as a campaign: the quick form, or with `ANNALS_FULL` everything; for the component a small part.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let form = match budget.flip_every {
        1 if budget.bit_step == 1 => Form::FULL,
        1 => Form::QUICK,
        _ => Form::COMPONENT,
    };
    let table = sweep::<T>(factory, seed, form, &|_, _, _| {})?;
    // Not by print, which a test that passes keeps to itself.
    let _ = write!(stdout(), "{table}");
    let reported =
        table.total(Outcome::AtOpen) + table.total(Outcome::Reading) + table.total(Outcome::Verify);
    Ok(Counts { states: table.images, distinct: table.images, refused: reported, silent: table.silent })
}

/// A test of the sweep for each kind of log, on one subject.
#[macro_export]
macro_rules! damage_tests {
    ($subject:literal, $factory:expr, $budget:expr) => {
        $crate::damage_tests!(@all $subject, $factory, $budget;
            journal_damage_is_reported_or_harmless: "damage, journal", journal::Journal;
            event_log_damage_is_reported_or_harmless: "damage, event log", event::EventLog;
            raft_log_damage_is_reported_or_harmless: "damage, raft log", raft::Raft;
            snapshot_damage_is_reported_or_harmless: "damage, snapshot", snapshot::Snapshot;
            change_log_damage_is_reported_or_harmless: "damage, change log", change_log::ChangeLog;
        );
    };
    (@all $subject:expr, $factory:expr, $budget:expr; $($claim:ident: $name:literal, $module:ident::$trial:ident;)*) => {
        $(#[test]
        fn $claim() {
            let run = $crate::campaign::damage::run::<$crate::campaign::$module::$trial>;
            $crate::campaign::report($name, $subject, &$factory, $budget, run);
        })*
    };
}
