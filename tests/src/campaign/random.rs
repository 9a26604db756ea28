//! Random runs against the model: every answer is compared, and crashes, failing calls and reopening are mixed in.

use super::draw::Draw;
use super::driver::{Driver, Flow};
use super::recovery::recover;
use super::step::Step;
use super::trial::{StepOf, Trial};
use super::{Budget, Counts};
use crate::rng::SplitMix64;
use crate::sim::{Call, Crash, CrashPlan, Fault, Point, SimDisk};
use crate::subject::Factory;
use std::collections::VecDeque;

/// Steps that a failure report shows.
const SHOWN: usize = 25;

/// Runs many.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for number in 0..budget.runs {
        let seed = SplitMix64::derive(seed, number);
        one::<T>(factory, seed, budget.ops, &mut counts)
            .map_err(|what| format!("run {number} (of seed {seed}): {what}"))?;
    }
    Ok(counts)
}

/// One run.
pub fn one<T: Trial>(factory: Factory<'_>, seed: u64, ops: u64, counts: &mut Counts) -> Result<(), String> {
    drawn::<T>(factory, Draw::new(seed), SimDisk::new(seed), ops, counts)
}

/// One run on this new disk, with choices from there until they are used up.
pub fn drawn<T: Trial>(
    factory: Factory<'_>,
    mut draw: Draw,
    disk: SimDisk,
    ops: u64,
    counts: &mut Counts,
) -> Result<(), String> {
    let shape = T::draw_shape(&mut draw);
    let driver = Driver::<T>::new(factory(disk.clone()), shape);
    let mut run = Run { factory, draw, shape, driver, disk, log: VecDeque::new() };
    for number in 0..ops {
        if run.draw.is_used_up() {
            break;
        }
        counts.states += 1;
        let outcome = run.step().and_then(|()| if number % 20 == 19 { run.driver.compare() } else { Ok(()) });
        outcome.map_err(|what| {
            let log: Vec<String> = run.log.iter().cloned().collect();
            format!("{shape:?}\n{}\n{what}\n{}", log.join("\n"), run.disk.trace())
        })?;
    }
    counts.distinct += 1;
    Ok(())
}

/// Draws a step: what an open log's trial draws, or an opening, now and then a destruction.
pub(super) fn draw_step<T: Trial>(draw: &mut Draw, driver: &Driver<T>) -> StepOf<T> {
    let Some(model) = driver.history.now() else { return Step::Open(T::draw_start(draw, None)) };
    match driver.handle() {
        Some(handle) => T::draw_step(draw, model, handle),
        None if draw.chance(2) => Step::Destroy,
        None => Step::Open(T::draw_start(draw, Some(model))),
    }
}

struct Run<'a, T: Trial> {
    factory: Factory<'a>,
    draw: Draw,
    shape: T::Shape,
    driver: Driver<T>,
    disk: SimDisk,
    log: VecDeque<String>,
}

impl<T: Trial> Run<'_, T> {
    fn step(&mut self) -> Result<(), String> {
        match self.draw.below(100) {
            0..3 => self.crash(None),
            3..6 => {
                let call = self.disk.calls() + 1 + self.draw.below(12);
                let point = self.point();
                self.crash(Some(CrashPlan { call, point }))
            }
            6..10 => self.fault(),
            _ => {
                let step = self.drawn();
                match self.driver.step(&step)? {
                    Flow::Done => Ok(()),
                    Flow::Failed(error) => {
                        Err(format!("{step:?} failed with {error:?}, but nothing was to fail"))
                    }
                }
            }
        }
    }

    fn drawn(&mut self) -> StepOf<T> {
        let step = draw_step(&mut self.draw, &self.driver);
        self.note(format!("{step:?}"));
        step
    }

    fn note(&mut self, what: String) {
        self.log.push_back(what);
        if self.log.len() > SHOWN {
            self.log.pop_front();
        }
    }

    fn point(&mut self) -> Point {
        match self.draw.below(3) {
            0 => Point::Before,
            1 => Point::Partway(self.draw.number()),
            _ => Point::After,
        }
    }

    /// Crashes now, or at a call of one of the next steps.
    fn crash(&mut self, plan: Option<CrashPlan>) -> Result<(), String> {
        if let Some(plan) = plan {
            self.note(format!("{plan:?}"));
            self.disk.plan_crash(plan);
            for _ in 0..40 {
                let step = self.drawn();
                self.driver.step(&step)?;
                if self.disk.has_crashed() {
                    break;
                }
            }
        }
        let crash = match self.draw.below(5) {
            0 | 1 => Crash::Process,
            2 => Crash::LOSE_ALL,
            3 => Crash::KEEP_ALL,
            _ => Crash::random(self.draw.number()),
        };
        self.note(format!("{crash:?}"));
        let disk = self.disk.reboot(crash);
        self.driver.move_to((self.factory)(disk.clone()));
        self.disk = disk;
        self.reopen(crash != Crash::Process)
    }

    /// Opens the log and takes what it holds for its state, if it may.
    fn reopen(&mut self, power: bool) -> Result<(), String> {
        let pick = self.draw.number() as usize;
        let tokens = self.driver.history.tokens();
        let expect = (!tokens.is_empty()).then(|| tokens[pick % tokens.len()]);
        let (handle, found) = recover::<T>(self.driver.subject(), &self.shape, expect)?;
        self.driver.history.check(power, found.as_ref())?;
        drop(handle);
        self.driver.restart(found);
        Ok(())
    }

    /// Some call of one of the next steps fails.
    fn fault(&mut self) -> Result<(), String> {
        let point = self.point();
        let call =
            [Call::Write, Call::Sync, Call::Read, Call::Reserve, Call::Create, Call::Remove, Call::WaitSync]
                [(self.draw.below(7)) as usize];
        let fault = match self.draw.below(3) {
            0 => Fault::at(1 + self.draw.below(8)),
            _ => Fault::next(call).after(self.draw.below(2)),
        };
        self.note(format!("{fault:?}"));
        self.disk.inject(fault.when(point));
        self.driver.faulty = true;
        let mut failed = false;
        for _ in 0..10 {
            let step = self.drawn();
            failed |= self.driver.step(&step)? != Flow::Done;
            if failed {
                break;
            }
        }
        self.disk.clear_faults();
        if failed {
            self.driver.let_go();
            self.reopen(false)?;
        }
        self.driver.faulty = false;
        Ok(())
    }
}
