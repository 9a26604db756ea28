//! Scenarios: the scripts of the sweeps, each followed by reads, a death of its handle, an opening and reads again, so
//! that faults also meet a recovery and whatever is read.

use crate::campaign::draw::Draw;
use crate::campaign::driver::{Driver, Flow};
use crate::campaign::step::Step;
use crate::campaign::trial::{Script, StepOf, Trial};
use crate::sim::{Call, SimDisk};
use crate::subject::Factory;
use std::sync::Arc;

/// Reads after a script, and again after it was opened anew.
const READS: usize = 6;

/// A run without faults, and the calls that it makes.
pub(super) struct Scenario<T: Trial> {
    pub(super) script: Script<T>,
    /// Kind and name of every call.
    pub(super) calls: Vec<(Call, Arc<str>)>,
    /// Number of the last call of each step.
    pub(super) until: Vec<u64>,
    /// Numbers of the frames of all tokens that it returns.
    pub(super) tokens: Vec<u64>,
    /// Another log that went through the same.
    pub(super) foreign: SimDisk,
    /// Seed of its disk.
    pub(super) seed: u64,
}

/// All scenarios of a log.
pub(super) fn all<T: Trial>(factory: Factory<'_>, seed: u64) -> Result<Vec<Scenario<T>>, String> {
    let scripts = scripts::<T>().into_iter();
    scripts
        .map(|script| {
            let name = script.name;
            Scenario::new(factory, script, seed).map_err(|what| format!("\"{name}\" without faults: {what}"))
        })
        .collect()
}

/// Most scenarios of one log.
const MOST: usize = 5;

/// The scripts of a log; of many the longest ones.
pub(super) fn scripts<T: Trial>() -> Vec<Script<T>> {
    let mut scripts = T::scripts();
    while scripts.len() > MOST {
        let shortest = (0..scripts.len()).min_by_key(|number| scripts[*number].steps.len());
        scripts.remove(shortest.unwrap_or_default());
    }
    scripts
}

impl<T: Trial> Scenario<T> {
    fn new(factory: Factory<'_>, mut script: Script<T>, seed: u64) -> Result<Self, String> {
        let disk = SimDisk::new(seed);
        let mut driver = Driver::<T>::new(factory(disk.clone()), script.shape);
        for step in &script.steps {
            done(driver.step(step)?)?;
        }
        let mut draw = Draw::new(seed);
        for again in [false, true] {
            let mut more = Vec::new();
            if again {
                more.push(Step::Drop);
            }
            if again || driver.handle().is_none() {
                more.push(Step::Open(T::Start::default()));
            }
            for step in more {
                done(driver.step(&step)?)?;
                script.steps.push(step);
            }
            for _ in 0..READS {
                if let Some(step) = read::<T>(&mut draw, &driver) {
                    done(driver.step(&step)?)?;
                    script.steps.push(step);
                }
            }
        }
        drop(driver);
        // Once more from the start, to see which calls it makes; and on another disk, to have another log.
        let Replayed { disk, until, tokens } = replay(factory, &script, seed)?;
        let foreign = replay(factory, &script, seed ^ 0xF0E1)?.disk;
        Ok(Self { calls: disk.recorded_calls(), until, tokens, foreign, script, seed })
    }
}

/// A step that only reads.
fn read<T: Trial>(draw: &mut Draw, driver: &Driver<T>) -> Option<StepOf<T>> {
    let (model, handle) = (driver.history.now()?, driver.handle()?);
    (0..1000).find_map(|_| match T::draw_step(draw, model, handle) {
        Step::Do(op) if T::only_reads(&op) => Some(Step::Do(op)),
        _ => None,
    })
}

fn replay<T: Trial>(factory: Factory<'_>, script: &Script<T>, seed: u64) -> Result<Replayed, String> {
    let disk = SimDisk::new(seed);
    disk.record_calls();
    let mut driver = Driver::<T>::new(factory(disk.clone()), script.shape);
    let mut until = Vec::new();
    for step in &script.steps {
        done(driver.step(step)?)?;
        until.push(disk.calls());
    }
    driver.let_go();
    let tokens = driver.history.tokens().iter().map(|token| token.frame).collect();
    Ok(Replayed { disk, until, tokens })
}

struct Replayed {
    disk: SimDisk,
    until: Vec<u64>,
    tokens: Vec<u64>,
}

fn done(flow: Flow) -> Result<(), String> {
    match flow {
        Flow::Done => Ok(()),
        Flow::Failed(error) => Err(format!("{error:?}")),
    }
}
