//! The kinds of fault that only a component has: it is stopped in the middle of a call, by a trap, for want of memory, or
//! because its time is up. For each step of each script the log is opened by a subject with a limit and the step is done
//! to it, with the lowest limit first, then the next, until the step goes well.
//!
//! Whoever is stopped is told by a typed error; a healthy subject that opens the log then finds all that was acknowledged,
//! before and after a loss of power.

use super::judge;
use super::tally::Tally;
use crate::campaign::driver::{Driver, Flow};
use crate::campaign::history::History;
use crate::campaign::recovery::{Check, recover};
use crate::campaign::step::Step;
use crate::campaign::trial::{Opening, Script, StepOf, Trial};
use crate::sim::{Crash, SimDisk};
use crate::subject::{Factory, Subject};
use annals_logs::types::Mode;

/// Makes a subject that is stopped by a limit of this number: the higher, the later.
pub type Limited<'a> = &'a dyn Fn(SimDisk, u64) -> Box<dyn Subject>;

/// Limits after which a step is taken for one that never goes well.
const MOST: u64 = 2000;

/// What became of a scenario under limits.
#[derive(Debug)]
pub struct Stopped {
    /// Its name.
    pub scenario: &'static str,
    /// Its runs.
    pub tally: Tally,
    /// What was silently wrong.
    pub failures: Vec<String>,
}

/// Stops every `stride`th step of every script of a log at every limit.
pub fn stopped<T: Trial>(
    healthy: Factory<'_>,
    limited: Limited<'_>,
    seed: u64,
    stride: usize,
) -> Result<Vec<Stopped>, String> {
    let scripts = T::scripts();
    scripts.iter().map(|script| run::<T>(healthy, limited, script, seed, stride)).collect()
}

fn run<T: Trial>(
    healthy: Factory<'_>,
    limited: Limited<'_>,
    script: &Script<T>,
    seed: u64,
    stride: usize,
) -> Result<Stopped, String> {
    let disk = SimDisk::new(seed);
    let mut driver = Driver::<T>::new(healthy(disk.clone()), script.shape);
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for (number, step) in script.steps.iter().enumerate() {
        // What waits in memory is not in the image: what is there is what its opening says.
        let image = disk.fork();
        let (handle, state) = recover::<T>(&*healthy(image.clone()), &script.shape, None)?;
        drop(handle);
        // Who opens it once more may find himself under another number.
        let (handle, opened) = recover::<T>(&*healthy(image.fork()), &script.shape, None)?;
        drop(handle);
        if !number.is_multiple_of(stride) {
            tally.skipped += 1;
        } else if !matches!(step, Step::Drop) {
            let place = Place {
                healthy,
                limited,
                script,
                image: &image,
                state: state.as_ref(),
                opened: opened.as_ref(),
            };
            for limit in 1..=MOST {
                match place.limit(step, limit) {
                    Ok(None) => {
                        tally.right += 1;
                        break;
                    }
                    Ok(Some(name)) => *tally.typed.entry(name).or_default() += 1,
                    Err(what) => {
                        tally.silent += 1;
                        failures.push(format!("step {number}, {step:?}, limit {limit}: {what}"));
                    }
                }
            }
        }
        if let Flow::Failed(error) = driver.step(step)? {
            return Err(format!("{step:?}: {error:?}"));
        }
    }
    Ok(Stopped { scenario: script.name, tally, failures })
}

struct Place<'a, T: Trial> {
    healthy: Factory<'a>,
    limited: Limited<'a>,
    script: &'a Script<T>,
    image: &'a SimDisk,
    state: Option<&'a T::Model>,
    /// The state as the next opening finds it.
    opened: Option<&'a T::Model>,
}

impl<T: Trial> Place<'_, T> {
    /// Does the step under a limit. The name of the error, if it was stopped.
    fn limit(&self, step: &StepOf<T>, limit: u64) -> Result<Option<&'static str>, String> {
        let disk = self.image.fork();
        let outcome = self.attempt(step, limit, &disk);
        disk.forget_steps();
        let (stopped, history) = outcome.map_err(|what| format!("{what}\n{}", disk.trace()))?;
        for power in [false, true] {
            let image = if power { disk.fork().reboot(Crash::LOSE_ALL) } else { disk.fork() };
            let (factory, shape) = (self.healthy, &self.script.shape);
            Check::<T> { factory, shape, history: &history, power, thorough: true }.run(&image)?;
        }
        Ok(stopped)
    }

    fn attempt(
        &self,
        step: &StepOf<T>,
        limit: u64,
        disk: &SimDisk,
    ) -> Result<(Option<&'static str>, History<T>), String> {
        let subject = (self.limited)(disk.clone(), limit);
        let mut driver = match (step, self.opened) {
            (Step::Do(_) | Step::Close, Some(state)) => {
                let opening = Opening { shape: Some(&self.script.shape), ..Opening::plain(Mode::Open) };
                match T::open(&*subject, &opening) {
                    Ok(handle) => Driver::<T>::resume(subject, self.script.shape, handle, state.clone()),
                    Err(error) => return Ok((Some(judge::name(&error)), History::new(Some(state.clone())))),
                }
            }
            _ => {
                let mut driver = Driver::<T>::new(subject, self.script.shape);
                driver.restart(self.state.cloned());
                driver
            }
        };
        driver.faulty = true;
        let flow = driver.step(step)?;
        driver.let_go();
        let name = match flow {
            Flow::Done => None,
            Flow::Failed(error) => Some(judge::name(&error)),
        };
        Ok((name, std::mem::replace(&mut driver.history, History::new(None))))
    }
}
