//! The crash sweep: a crash at every storage call of every script, and a second one at every call of the recovery.
//!
//! For each crash several things may be left of what was not synced. Each image must open to a state between the last
//! one that was promised and the last one that was asked for; what it then reports must stay.

use super::driver::{Driver, Flow};
use super::history::History;
use super::recovery::{Check, expected, open};
use super::trial::{Script, Trial};
use super::{Budget, Counts, script};
use crate::rng::SplitMix64;
use crate::sim::{Crash, CrashPlan, Point, SimDisk, SizeKept, Survivors};
use crate::subject::Factory;
use std::collections::HashSet;

/// Sweeps all scripts.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for (number, script) in script::all::<T>(factory, seed)?.iter().enumerate() {
        let seed = SplitMix64::derive(seed, 1000 + number as u64);
        let rng = SplitMix64::new(seed);
        let mut sweep = Sweep { factory, script, seed, budget, rng, seen: HashSet::new(), counts };
        if let Err(what) = sweep.run() {
            failures.push(format!("script {number}, \"{}\": {what}", script.name));
        }
        counts = sweep.counts;
    }
    // One per script: the first one.
    if failures.is_empty() { Ok(counts) } else { Err(format!("{}\n{counts:?}", failures.join("\n"))) }
}

struct Sweep<'a, T: Trial> {
    factory: Factory<'a>,
    script: &'a Script<T>,
    seed: u64,
    budget: Budget,
    rng: SplitMix64,
    seen: HashSet<(u64, usize, usize)>,
    counts: Counts,
}

impl<T: Trial> Sweep<'_, T> {
    fn run(&mut self) -> Result<(), String> {
        let calls = self.script_calls()?;
        for call in 1..=calls {
            for point in [Point::Before, Point::Partway(self.rng.draw()), Point::After] {
                if point != Point::After || call == calls || self.rng.chance(self.budget.after_percent) {
                    self.first_crash(CrashPlan { call, point })?;
                }
            }
        }
        Ok(())
    }

    /// Number of calls of the script without a crash.
    fn script_calls(&mut self) -> Result<u64, String> {
        let disk = SimDisk::new(self.seed);
        let driver = self.play(&disk).map_err(|what| format!("without a crash: {what}\n{}", disk.trace()))?;
        let calls = disk.calls();
        drop(driver);
        Ok(calls)
    }

    /// Plays the script until its end or until the disk stops.
    fn play(&self, disk: &SimDisk) -> Result<Driver<T>, String> {
        let mut driver = Driver::new((self.factory)(disk.clone()), self.script.shape);
        for (number, step) in self.script.steps.iter().enumerate() {
            let flow = driver.step(step).map_err(|what| format!("step {number}, {what}"))?;
            if flow != Flow::Done || disk.has_crashed() {
                break;
            }
        }
        Ok(driver)
    }

    /// What the image just counted is checked for.
    fn check<'b>(&'b self, history: &'b History<T>, power: bool) -> Check<'b, T> {
        let thorough = self.counts.distinct.is_multiple_of(self.budget.thorough_every);
        Check { factory: self.factory, shape: &self.script.shape, history, power, thorough }
    }

    fn first_crash(&mut self, plan: CrashPlan) -> Result<(), String> {
        let disk = SimDisk::new(self.seed);
        disk.plan_crash(plan);
        let at = |what: String| format!("{plan:?}: {what}");
        let mut driver = self.play(&disk).map_err(|what| at(format!("{what}\n{}", disk.trace())))?;
        if !disk.has_crashed() {
            return Ok(()); // the last handle was dropped before that call
        }
        driver.let_go();
        for crash in crashes(&disk, &mut self.rng, self.budget.random_crashes) {
            let power = crash != Crash::Process;
            let image = disk.reboot(crash);
            self.counts.states += 1;
            if !self.seen.insert((image.hash(), driver.history.bound(power), driver.history.newest())) {
                continue;
            }
            self.counts.distinct += 1;
            let calls = self
                .check(&driver.history, power)
                .run(&image)
                .map_err(|what| at(format!("then {crash:?}: {what}\nbefore the crash:\n{}", disk.trace())))?;
            if self.counts.distinct.is_multiple_of(self.budget.second_every) {
                for call in 1..=calls {
                    let plan = CrashPlan { call, point: Point::Before };
                    let second = self.second_crash(&image, &driver.history, power, plan).and_then(|()| {
                        let point = Point::Partway(self.rng.draw());
                        self.second_crash(&image, &driver.history, power, CrashPlan { call, point })
                    });
                    second.map_err(|what| at(format!("then {crash:?}, then in recovery: {what}")))?;
                }
            }
        }
        Ok(())
    }

    /// Stops the machine inside of the recovery, and recovers from that.
    fn second_crash(
        &mut self,
        image: &SimDisk,
        history: &History<T>,
        power: bool,
        plan: CrashPlan,
    ) -> Result<(), String> {
        let disk = image.fork();
        disk.plan_crash(plan);
        let opened = open::<T>(&*(self.factory)(disk.clone()), expected(image, history));
        if !disk.has_crashed() {
            return Err(format!("{plan:?}: the same recovery makes fewer calls: {:?}", opened.map(|_| ())));
        }
        for crash in [Crash::Process, Crash::LOSE_ALL, Crash::random(self.rng.draw())] {
            let image = disk.reboot(crash);
            let power = power || crash != Crash::Process;
            self.counts.states += 1;
            if !self.seen.insert((image.hash(), history.bound(power), history.newest())) {
                continue;
            }
            self.counts.distinct += 1;
            self.check(history, power)
                .run(&image)
                .map_err(|what| format!("{plan:?}, {crash:?}: {what}\nin recovery:\n{}", disk.trace()))?;
        }
        Ok(())
    }
}

/// The crashes that are tried on a disk: those that lose nothing, everything, all but the size, each sector alone when
/// there are few, and some at random.
fn crashes(disk: &SimDisk, rng: &mut SplitMix64, random: usize) -> Vec<Crash> {
    let mut crashes = vec![Crash::Process, Crash::LOSE_ALL];
    if disk.is_settled() {
        return crashes;
    }
    crashes.extend([Crash::KEEP_ALL, Crash::ZEROS]);
    let pending = disk.pending_sectors();
    if pending <= 6 {
        for sector in 0..pending {
            for survivors in [Survivors::Only(sector), Survivors::AllBut(sector)] {
                let size = if rng.chance(50) { SizeKept::New } else { SizeKept::Fit };
                crashes.push(Crash::Power { survivors, size });
            }
        }
    }
    crashes.extend((0..random).map(|_| Crash::random(rng.draw())));
    crashes
}
