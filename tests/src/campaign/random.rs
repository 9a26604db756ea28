//! Random runs against the model: every answer is compared, and crashes, failing calls and reopening are mixed in.

use super::driver::{Driver, Flow, LOG};
use super::history::History;
use super::op::{Generator, Op, Shape};
use super::recovery::recover;
use super::{Budget, Counts};
use crate::cases::{contents, same_contents};
use crate::rng::SplitMix64;
use crate::sim::{Call, Crash, CrashPlan, Fault, Point, SimDisk};
use crate::subject::Factory;
use std::collections::VecDeque;

/// Operations that a failure report shows.
const SHOWN: usize = 25;

/// Runs many.
pub fn run(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for number in 0..budget.runs {
        let seed = SplitMix64::derive(seed, number);
        one(factory, seed, budget.ops, &mut counts)
            .map_err(|what| format!("run {number} (of seed {seed}): {what}"))?;
    }
    Ok(counts)
}

/// One run.
pub fn one(factory: Factory<'_>, seed: u64, ops: u64, counts: &mut Counts) -> Result<(), String> {
    let mut generator = Generator::new(seed);
    let shape = Shape {
        items_per_section: [1, 3, 10, 10, 1000][(generator.draw() % 5) as usize],
        sync_sections: generator.chance(70),
        write_buffer: [0, 100, 64 << 10][(generator.draw() % 3) as usize],
    };
    let disk = SimDisk::new(seed);
    let driver = Driver::new(factory(disk.clone()), shape, History::new(None));
    let mut run = Run { factory, generator, driver, disk, log: VecDeque::new() };
    for number in 0..ops {
        counts.states += 1;
        let outcome = run.step().and_then(|()| if number % 20 == 19 { run.compare() } else { Ok(()) });
        outcome.map_err(|what| {
            let log: Vec<String> = run.log.iter().cloned().collect();
            format!("{shape:?}\n{}\n{what}\n{}", log.join("\n"), run.disk.trace())
        })?;
    }
    counts.distinct += 1;
    Ok(())
}

struct Run<'a> {
    factory: Factory<'a>,
    generator: Generator,
    driver: Driver,
    disk: SimDisk,
    log: VecDeque<String>,
}

impl Run<'_> {
    fn step(&mut self) -> Result<(), String> {
        match self.generator.draw() % 100 {
            0..3 => self.crash(None),
            3..6 => {
                let call = self.disk.calls() + 1 + self.generator.draw() % 12;
                let point = self.point();
                self.crash(Some(CrashPlan { call, point }))
            }
            6..10 => self.fault(),
            _ => {
                let op = self.op();
                match self.driver.step(&op)? {
                    Flow::Done => Ok(()),
                    Flow::Failed(error) => {
                        Err(format!("{op:?} failed with {error:?}, but nothing was to fail"))
                    }
                }
            }
        }
    }

    fn op(&mut self) -> Op {
        let open = self.driver.journal().is_some();
        let op = self.generator.op(open, self.driver.history.now(), self.driver.streams());
        self.note(format!("{op:?}"));
        op
    }

    fn note(&mut self, what: String) {
        self.log.push_back(what);
        if self.log.len() > SHOWN {
            self.log.pop_front();
        }
    }

    fn point(&mut self) -> Point {
        match self.generator.draw() % 3 {
            0 => Point::Before,
            1 => Point::Partway(self.generator.draw()),
            _ => Point::After,
        }
    }

    /// Crashes now, or at a call of one of the next operations.
    fn crash(&mut self, plan: Option<CrashPlan>) -> Result<(), String> {
        if let Some(plan) = plan {
            self.note(format!("{plan:?}"));
            self.disk.plan_crash(plan);
            for _ in 0..40 {
                let op = self.op();
                self.driver.step(&op)?;
                if self.disk.has_crashed() {
                    break;
                }
            }
        }
        let crash = match self.generator.draw() % 5 {
            0 | 1 => Crash::Process,
            2 => Crash::LOSE_ALL,
            3 => Crash::KEEP_ALL,
            _ => Crash::random(self.generator.draw()),
        };
        self.note(format!("{crash:?}"));
        let disk = self.disk.reboot(crash);
        self.driver.move_to((self.factory)(disk.clone()));
        self.disk = disk;
        self.reopen(crash != Crash::Process)
    }

    /// Opens the log and takes what it holds for its state, if it may.
    fn reopen(&mut self, power: bool) -> Result<(), String> {
        let pick = self.generator.draw() as usize;
        let tokens = self.driver.history.tokens();
        let expect = (!tokens.is_empty()).then(|| tokens[pick % tokens.len()]);
        let (journal, found) = recover(self.driver.subject(), expect)?;
        self.driver.history.check(power, found.as_ref())?;
        drop(journal);
        self.driver.restart(found);
        Ok(())
    }

    /// Some call of one of the next operations fails.
    fn fault(&mut self) -> Result<(), String> {
        let point = self.point();
        let call =
            [Call::Write, Call::Sync, Call::Read, Call::Reserve, Call::Create, Call::Remove, Call::WaitSync]
                [(self.generator.draw() % 7) as usize];
        let fault = match self.generator.draw() % 3 {
            0 => Fault::at(1 + self.generator.draw() % 8),
            _ => Fault::next(call).after(self.generator.draw() % 2),
        };
        self.note(format!("{fault:?}"));
        self.disk.inject(fault.when(point));
        self.driver.faulty = true;
        let mut failed = false;
        for _ in 0..10 {
            let op = self.op();
            failed |= self.driver.step(&op)? != Flow::Done;
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

    /// The whole journal is as the model.
    fn compare(&mut self) -> Result<(), String> {
        if let (Some(journal), Some(model)) = (self.driver.journal(), self.driver.history.now()) {
            same_contents(&contents(journal)?, model)?;
            let damage = self.driver.subject().verify(LOG).map_err(|error| format!("verify: {error:?}"))?;
            if !damage.is_empty() {
                return Err(format!("verify finds {damage:?}"));
            }
        }
        Ok(())
    }
}
