//! Beside a writer: a log is opened for reading, read and verified, and at any storage call of that the writer has gone
//! on by one call or by many.
//!
//! The writer's script is played up to each of its calls, which gives one image of the disk each; the reader starts on
//! one image and finds a later one from some call on. It sees a state between the two, or ends with an error that says
//! what went meanwhile; it never sees damage, and changes nothing.

use super::driver::{Driver, Flow};
use super::trial::{LOG, Opening, Script, Seen, Trial};
use super::{Budget, Counts, script};
use crate::rng::SplitMix64;
use crate::sim::{Crash, CrashPlan, Point, SimDisk};
use crate::subject::Factory;
use annals_logs::error::{Damage, Error};
use annals_logs::types::Mode;

/// Tries all scripts.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for (number, script) in script::all::<T>(factory, seed)?.iter().enumerate() {
        let seed = SplitMix64::derive(seed, 3000 + number as u64);
        if let Err(what) = beside(factory, script, seed, budget, &mut counts) {
            failures.push(format!("script {number}, \"{}\": {what}", script.name));
        }
    }
    // One per script: the first one.
    if failures.is_empty() { Ok(counts) } else { Err(format!("{}\n{counts:?}", failures.join("\n"))) }
}

/// The disk before a call of the writer.
struct Image {
    disk: SimDisk,
    /// Number of the oldest state that a reader may find there, and of the newest.
    states: (usize, usize),
}

/// An image for each call of the script, and the states that it goes through.
type Played<T> = (Vec<Image>, Vec<Option<<T as Trial>::Model>>);

fn play<T: Trial>(factory: Factory<'_>, script: &Script<T>, seed: u64) -> Result<Played<T>, String> {
    let mut images = Vec::new();
    for call in 1..100_000 {
        let disk = SimDisk::new(seed);
        disk.plan_crash(CrashPlan { call, point: Point::Before });
        let mut driver = Driver::<T>::new(factory(disk.clone()), script.shape);
        for step in &script.steps {
            if driver.step(step)? != Flow::Done || disk.has_crashed() {
                break;
            }
        }
        if !disk.has_crashed() {
            return Ok((images, driver.history.states().to_vec()));
        }
        driver.let_go();
        let states = (driver.history.bound(false), driver.history.newest());
        images.push(Image { disk: disk.reboot(Crash::Process), states });
    }
    Err("it never ends".into())
}

fn beside<T: Trial>(
    factory: Factory<'_>,
    script: &Script<T>,
    seed: u64,
    budget: Budget,
    counts: &mut Counts,
) -> Result<(), String> {
    let (images, states) = play(factory, script, seed)?;
    let mut rng = SplitMix64::new(seed);
    for start in (0..images.len().saturating_sub(1)).step_by(budget.thorough_every as usize) {
        // Undisturbed, to know how many calls it makes.
        let undisturbed = images[start].disk.fork();
        look::<T>(factory, &undisturbed, &states[images[start].states.0..=images[start].states.1], counts)
            .map_err(|what| format!("call {start} of the writer: {what}"))?;
        for call in 1..=undisturbed.calls() {
            let left = images.len() as u64 - 1 - start as u64;
            let far = if rng.chance(50) { 1 + rng.below(left.min(5)) } else { 1 + rng.below(left) };
            let end = start + far as usize;
            let disk = images[start].disk.fork();
            disk.plan_change(call, &images[end].disk);
            let allowed = &states[images[start].states.0..=images[end].states.1];
            let outcome = look::<T>(factory, &disk, allowed, counts).and_then(|()| {
                let changed = disk.calls() >= call && disk.hash() != images[end].disk.hash();
                if changed { Err("reading changed something".into()) } else { Ok(()) }
            });
            outcome.map_err(|what| {
                format!(
                    "the writer goes from call {start} to {end} at call {call} of the reader: {what}\n{}",
                    disk.trace()
                )
            })?;
            counts.states += 1;
        }
        counts.distinct += 1;
    }
    Ok(())
}

/// Verifies the log or opens and reads it, by turns.
fn look<T: Trial>(
    factory: Factory<'_>,
    disk: &SimDisk,
    allowed: &[Option<T::Model>],
    counts: &mut Counts,
) -> Result<(), String> {
    let subject = factory(disk.clone());
    let may_be_gone = allowed.contains(&None);
    let gone = |error: &Error| *error == Error::NotFound && may_be_gone;
    if counts.states % 4 == 3 {
        let answers = [subject.verify(LOG), subject.info(LOG).map(|info| info.damage)];
        let healthy = |answer: &Result<Vec<Damage>, Error>| match answer {
            Ok(damage) => damage.is_empty(),
            Err(error) => gone(error),
        };
        let sick = answers.iter().find(|answer| !healthy(answer));
        return sick.map_or(Ok(()), |answer| Err(format!("verify or info: {answer:?}")));
    }
    let handle = match T::open(&*subject, &Opening::plain(Mode::ReadOnly)) {
        Ok(handle) => handle,
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(format!("read only: {error:?}")),
    };
    match T::read(&handle) {
        Ok(seen) if !seen.is_whole() => Err(format!("damage: {seen:?}")),
        Ok(seen) if seen.fits_among(&allowed.iter().flatten().collect::<Vec<_>>()) => Ok(()),
        Ok(seen) => Err(format!("{seen:?}, allowed are {allowed:?}")),
        // What it was about to read is gone.
        Err(what) if !what.contains("Damaged") => {
            counts.refused += 1;
            Ok(())
        }
        Err(what) => Err(what),
    }
}
