//! The scripts of the crash and fault sweeps: those that a log wrote down, and some that are drawn.

use super::draw::Draw;
use super::driver::Driver;
use super::random;
use super::step::Step;
use super::trial::{Script, Trial};
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::Factory;

/// Steps of a drawn script.
const STEPS: usize = 40;

/// All scripts of a log; `seed` draws the last three.
pub(super) fn all<T: Trial>(factory: Factory<'_>, seed: u64) -> Result<Vec<Script<T>>, String> {
    let mut scripts = T::scripts();
    for part in 0..3 {
        scripts.push(drawn(factory, SplitMix64::derive(seed, part))?);
    }
    Ok(scripts)
}

/// A script drawn from a seed: the changes among the steps of a random run, some of which must be refused.
fn drawn<T: Trial>(factory: Factory<'_>, seed: u64) -> Result<Script<T>, String> {
    let mut draw = Draw::new(seed);
    let mut driver = Driver::<T>::new(factory(SimDisk::new(seed)), T::USUAL);
    let mut steps = Vec::new();
    while steps.len() < STEPS {
        let step = random::draw_step(&mut draw, &driver);
        if !matches!(&step, Step::Do(op) if T::only_reads(op)) {
            driver.step(&step).map_err(|what| format!("drawing a script from {seed}: {what}"))?;
            steps.push(step);
        }
    }
    Ok(Script { name: "drawn", shape: T::USUAL, steps })
}
