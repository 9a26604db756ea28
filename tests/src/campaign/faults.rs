//! The fault sweep: every storage call of every script fails, in several ways, and the machine stays up.
//!
//! A failed call closes the log or leaves it as it was; opened again, it holds a state between the last one that was
//! promised and the last one that was asked for, and so it does after the power is lost later.

use super::driver::{Driver, Flow};
use super::recovery::Check;
use super::step::Step;
use super::trial::{Script, StepOf, Trial};
use super::{Budget, Counts, script};
use crate::rng::SplitMix64;
use crate::sim::{Crash, Fault, Point, SimDisk};
use crate::subject::Factory;
use annals_logs::error::Error;
use annals_logs::storage::StorageError;

/// Sweeps all scripts.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for (number, script) in script::all::<T>(factory, seed)?.iter().enumerate() {
        let seed = SplitMix64::derive(seed, 2000 + number as u64);
        if let Err(what) = sweep(factory, script, seed, budget, &mut counts) {
            failures.push(format!("script {number}, \"{}\": {what}", script.name));
        }
    }
    if failures.is_empty() { Ok(counts) } else { Err(format!("{}\n{counts:?}", failures.join("\n"))) }
}

fn sweep<T: Trial>(
    factory: Factory<'_>,
    script: &Script<T>,
    seed: u64,
    budget: Budget,
    counts: &mut Counts,
) -> Result<(), String> {
    let mut rng = SplitMix64::new(seed);
    let io = StorageError::Io("injected".into());
    for call in (1..100_000).step_by(budget.fault_every) {
        let partway = Point::Partway(rng.draw());
        let kinds = [
            (Point::Before, &io, false),
            (partway, &io, false),
            (Point::After, &io, false),
            (Point::Before, &io, true),
            (partway, &StorageError::OutOfSpace, false),
        ];
        // Each call fails in some way; a large budget tries them all.
        let first = rng.below(kinds.len() as u64) as usize;
        let tried = if budget.second_every == 1 { kinds.len() } else { 2 };
        for kind in (first..first + tried).map(|index| index % kinds.len()) {
            let (point, error, sticky) = kinds[kind];
            let fault = Fault { sticky, ..Fault::at(call).answering(error.clone()).when(point) };
            let text = format!("{fault:?}");
            counts.states += 1;
            if !one(factory, script, seed, call, fault, counts).map_err(|what| format!("{text}: {what}"))? {
                return Ok(());
            }
        }
    }
    Err("it never ends".into())
}

/// Plays the script with a fault; false if the fault never happened.
fn one<T: Trial>(
    factory: Factory<'_>,
    script: &Script<T>,
    seed: u64,
    call: u64,
    fault: Fault,
    counts: &mut Counts,
) -> Result<bool, String> {
    let disk = SimDisk::new(seed);
    disk.inject(fault);
    let mut driver = Driver::<T>::new(factory(disk.clone()), script.shape);
    driver.faulty = true;
    let traced = |what: String| format!("{what}\n{}", disk.trace());
    for (number, step) in script.steps.iter().enumerate() {
        let before = driver.history.now().cloned();
        let flow = driver.step(step).map_err(|what| traced(format!("step {number}, {what}")))?;
        if let Flow::Failed(error) = flow {
            counts.refused += 1;
            disk.clear_faults();
            still_right(&driver, step, &script.shape, &error, before.as_ref())
                .map_err(|what| traced(format!("step {number}, {step:?}, failed with {error:?}: {what}")))?;
            break;
        }
    }
    disk.clear_faults();
    driver.let_go();
    if disk.calls() < call {
        return Ok(false);
    }
    counts.distinct += 1;
    let evicted = disk.fork();
    evicted.evict();
    for (image, power) in [(disk.fork(), false), (disk.fork().reboot(Crash::LOSE_ALL), true), (evicted, true)]
    {
        let history = &driver.history;
        let checked = Check { factory, shape: &script.shape, history, power, thorough: true }.run(&image);
        checked.map_err(|what| traced(format!("power lost or pages evicted: {power}; {what}\nbefore:")))?;
    }
    Ok(true)
}

/// A log that says it is open after a failure holds what it held, or what it was to hold; after out-of-space in an
/// operation that claims its space first, just what it held.
pub(super) fn still_right<T: Trial>(
    driver: &Driver<T>,
    step: &StepOf<T>,
    shape: &T::Shape,
    error: &Error,
    before: Option<&T::Model>,
) -> Result<(), String> {
    let Some(handle) = driver.handle() else { return Ok(()) };
    if !T::is_open(handle).map_err(|other| format!("a getter answers {other:?}"))? {
        return Ok(());
    }
    let found = T::contents(shape, handle)?;
    let as_before = before.ok_or("there was no log".to_string()).and_then(|model| T::same(&found, model));
    let claims = matches!(step, Step::Do(op) if T::claims_space_first(op));
    let unchanged = *error == Error::OutOfSpace && claims;
    let after = driver.history.now().ok_or("there is no log".to_string());
    match as_before {
        Err(what) if unchanged => Err(format!("the log is open, and {what}")),
        Err(what) => after
            .and_then(|model| T::same(&found, model))
            .map_err(|other| format!("the log is open, and {what}, and {other}")),
        Ok(()) => Ok(()),
    }
}
