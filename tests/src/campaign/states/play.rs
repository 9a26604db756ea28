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

/// Letters that make no sense where they stand: the sequence is the same without them.
enum Sense {
    Made,
    None,
}

/// One sequence.
pub(super) struct Player<'a, T: Trial> {
    factory: Factory<'a>,
    shared: &'a Shared,
    scope: &'a Scope<T>,
    path: Vec<usize>,
    sampled: bool,
}

impl<'a, T: Trial> Player<'a, T> {
    pub(super) fn new(
        factory: Factory<'a>,
        shared: &'a Shared,
        scope: &'a Scope<T>,
        path: Vec<usize>,
        sampled: bool,
    ) -> Self {
        Self { factory, shared, scope, path, sampled }
    }

    /// Explores all letters from this one on; of no letters at all, the opening.
    pub(super) fn run(&self, from: usize) {
        if let Err(failure) = self.explore(from) {
            let names: Vec<&str> = self.path.iter().map(|&at| self.scope.letters[at].name).collect();
            let (log, scope, names) = (&self.shared.name, self.scope.name, names.join(","));
            let place = format!(
                "{log}, scope {scope:?}, sequence {names}\n(alone: crash-states --log {log} --scope {scope:?} \
                 --sequence \"{names}\" --seed {})\n",
                self.shared.seed
            );
            self.shared.fail(failure.at(place));
        }
    }

    fn explore(&self, from: usize) -> Result<(), Failure> {
        let disk = SimDisk::new(DISK);
        let mut driver = Driver::<T>::new((self.factory)(disk.clone()), self.scope.shape);
        for step in &self.scope.prelude {
            played(driver.step(step), &disk)?;
        }
        // What is sampled is the same whichever thread does it, and in whichever sequence it stands.
        let seed = self.path.iter().fold(self.shared.seed, |seed, at| SplitMix64::derive(seed, *at as u64));
        let mut explorer = Explorer::<T>::new(
            self.factory,
            self.shared,
            &self.scope.shape,
            SplitMix64::new(seed),
            self.sampled,
        );
        let count = &self.shared.tally.part(self.sampled).sequences;
        if self.path.is_empty() {
            self.step(&mut driver, &disk, &Step::Open(T::Start::default()), Some(&mut explorer))?;
            count.fetch_add(1, Relaxed);
        }
        for (turn, &at) in self.path.iter().enumerate() {
            let mut explorer = (turn >= from).then_some(&mut explorer);
            let looked = explorer.is_some();
            let sense = self
                .letter(&mut driver, &disk, turn, at, explorer.as_deref_mut())
                .map_err(|failure| failure.at(format!("letter {turn}, {}", self.scope.letters[at].name)))?;
            match sense {
                Sense::Made => {
                    count.fetch_add(u64::from(looked), Relaxed);
                }
                Sense::None if !self.sampled => return Ok(()),
                Sense::None => {}
            }
        }
        Ok(())
    }

    fn letter(
        &self,
        driver: &mut Driver<T>,
        disk: &SimDisk,
        turn: usize,
        at: usize,
        mut explorer: Option<&mut Explorer<'_, T>>,
    ) -> Result<Sense, Failure> {
        let step = match &self.scope.letters[at].does {
            Does::Step(Step::Close) if driver.handle().is_none() => return Ok(Sense::None),
            Does::Step(step) => step.clone(),
            Does::Op(make) => {
                if driver.handle().is_none() {
                    let open = Step::Open(T::Start::default());
                    // The opening of a log that was never there is the empty sequence.
                    let known = turn == 0;
                    self.step(driver, disk, &open, explorer.as_deref_mut().filter(|_| !known))?;
                }
                let Some(model) = driver.history.now() else {
                    return Err(Failure::new(Kind::Wrong, "there is no log to do it to"));
                };
                Step::Do(make(model, turn as u64 + 1))
            }
        };
        self.step(driver, disk, &step, explorer)?;
        Ok(Sense::Made)
    }

    /// Takes a step; what is explored is each call of it, and what it is after it returned.
    fn step(
        &self,
        driver: &mut Driver<T>,
        disk: &SimDisk,
        step: &StepOf<T>,
        explorer: Option<&mut Explorer<'_, T>>,
    ) -> Result<(), Failure> {
        let Some(explorer) = explorer else { return played(driver.step(step), disk) };
        let promised = driver.history.promised();
        disk.record();
        let outcome = driver.step(step);
        let moments = disk.take_moments();
        played(outcome, disk)?;
        let place = |failure: Failure| failure.at(format!("{step:?}"));
        let during = Known::new(driver.history.as_promised(promised));
        explorer.moments(&moments, &during).map_err(place)?;
        let after = Known::new(driver.history.clone());
        explorer.crash(&disk.fork(), &after, false).map_err(|failure| place(failure.at("right after it")))
    }
}

fn played(outcome: Result<Flow, String>, disk: &SimDisk) -> Result<(), Failure> {
    let what = match outcome {
        Ok(Flow::Done) => return Ok(()),
        Ok(Flow::Failed(error)) => format!("failed with {error:?}"),
        Err(what) => what,
    };
    Err(Failure::new(Kind::Wrong, format!("without a crash: {what}\n{}", disk.trace())))
}
