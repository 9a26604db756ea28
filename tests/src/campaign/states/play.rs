//! Plays one sequence, and explores what a crash at each call of its newest letters leaves.

use super::explore::Explorer;
use super::failure::{Failure, Kind};
use super::known::Known;
use super::scope::{Does, Scope};
use super::shared::Shared;
use crate::campaign::driver::{Driver, Flow};
use crate::campaign::step::Step;
use crate::campaign::trial::{StepOf, Trial};
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::Factory;
use std::sync::atomic::Ordering::Relaxed;

/// All disks start from this number, whatever is sampled: what happened alike leaves the same bytes.
const DISK: u64 = 5;

/// One sequence.
pub(super) struct Player<'a, T: Trial> {
    pub(super) factory: Factory<'a>,
    pub(super) shared: &'a Shared,
    pub(super) scope: &'a Scope<T>,
    pub(super) path: Vec<usize>,
    /// Whether it is one of many.
    pub(super) sampled: bool,
}

/// A sequence under way.
struct Run<'a, T: Trial> {
    driver: Driver<T>,
    disk: SimDisk,
    explorer: Explorer<'a, T>,
    /// Numbers of the states so far.
    ids: Vec<u64>,
}

impl<T: Trial> Player<'_, T> {
    /// Explores all letters from this one on; of no letters at all, the opening.
    pub(super) fn run(&self, from: usize) {
        if let Err(failure) = self.explore(from) {
            let names: Vec<&str> = self.path.iter().map(|&at| self.scope.letters[at].name).collect();
            let (log, scope, names, seed) =
                (&self.shared.name, self.scope.name, names.join(","), self.shared.seed);
            let place = format!(
                "{log}, scope {scope:?}, sequence {names}\n(alone: crash-states --log {log} --scope {scope:?} \
                 --sequence {names:?} --seed {seed})\n"
            );
            self.shared.fail(failure.at(place));
        }
    }

    fn explore(&self, from: usize) -> Result<(), Failure> {
        // What is sampled is the same whichever thread does it, and in whichever order.
        let seed = self.path.iter().fold(self.shared.seed, |seed, at| SplitMix64::derive(seed, *at as u64));
        let rng = SplitMix64::new(seed);
        let disk = SimDisk::new(DISK);
        let mut run = Run {
            driver: Driver::new((self.factory)(disk.clone()), self.scope.shape),
            disk,
            explorer: Explorer::new(self.factory, self.shared, &self.scope.shape, rng, self.sampled),
            ids: Vec::new(),
        };
        for step in &self.scope.prelude {
            run.step(step, false)?;
        }
        let count = &self.shared.tally.part(self.sampled).sequences;
        if self.path.is_empty() {
            run.step(&Step::Open(T::Start::default()), true)?;
            count.fetch_add(1, Relaxed);
        }
        for (turn, &at) in self.path.iter().enumerate() {
            let made = self.letter(&mut run, turn, at, turn >= from);
            let made =
                made.map_err(|failure| failure.at(format!("letter {turn}, {}", self.scope.letters[at].name)));
            if made? {
                count.fetch_add(u64::from(turn >= from), Relaxed);
            } else if !self.sampled {
                return Ok(()); // the same as without it
            }
        }
        Ok(())
    }

    /// Plays a letter. False if it makes no sense where it stands.
    fn letter(&self, run: &mut Run<'_, T>, turn: usize, at: usize, look: bool) -> Result<bool, Failure> {
        let step = match &self.scope.letters[at].does {
            Does::Step(Step::Close) if run.driver.handle().is_none() => return Ok(false),
            Does::Step(step) => step.clone(),
            Does::Op(make) => {
                if run.driver.handle().is_none() {
                    // The opening of what the prelude left is the sequence without letters.
                    run.step(&Step::Open(T::Start::default()), look && turn > 0)?;
                }
                let Some(model) = run.driver.history.now() else {
                    return Err(Failure::new(Kind::Wrong, "there is no log to do it to"));
                };
                Step::Do(make(model, turn as u64 + 1))
            }
        };
        run.step(&step, look).map(|()| true)
    }
}

impl<T: Trial> Run<'_, T> {
    /// Takes a step. To look at it is to crash at each of its calls, and after it returned.
    fn step(&mut self, step: &StepOf<T>, look: bool) -> Result<(), Failure> {
        let promised = self.driver.history.promised();
        if look {
            self.disk.record();
        }
        let outcome = self.driver.step(step);
        let moments = self.disk.take_moments();
        match outcome {
            Ok(Flow::Done) => {}
            Ok(Flow::Failed(error)) => return Err(self.wrong(format!("it failed with {error:?}"))),
            Err(what) => return Err(self.wrong(what)),
        }
        if !look {
            return Ok(());
        }
        let history = &self.driver.history;
        let during = Known::new(history.as_promised(promised), &mut self.ids);
        let after = Known::new(history.clone(), &mut self.ids);
        let outcome = self.explorer.moments(&moments, &during).and_then(|()| {
            let outcome = self.explorer.crash(&self.disk.fork(), &after);
            outcome.map_err(|failure| failure.at("right after it"))
        });
        outcome.map_err(|failure| failure.at(format!("{step:?}")))
    }

    fn wrong(&self, what: String) -> Failure {
        Failure::new(Kind::Wrong, format!("without a crash: {what}\n{}", self.disk.trace()))
    }
}
