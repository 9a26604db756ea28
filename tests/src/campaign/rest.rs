//! Small logs at rest, with what they held, for campaigns that tamper with them: as scripts leave them, and as crashes
//! in the middle of scripts do.

use super::driver::{Driver, Flow};
use super::step::Step;
use super::trial::{Script, Trial};
use crate::rng::SplitMix64;
use crate::sim::{Call, Crash, CrashPlan, Point, SimDisk};
use crate::subject::{Factory, FrameInfo};
use annals_logs::error::Token;
use std::collections::{BTreeMap, BTreeSet};

/// A log at rest.
pub(crate) struct Rest<T: Trial> {
    pub(crate) name: &'static str,
    pub(crate) disk: SimDisk,
    /// What it held after each step that changed it.
    pub(crate) states: Vec<T::Model>,
    /// The first of these that was not overtaken by an acknowledged one. The last one, of a closed log.
    pub(crate) least: usize,
    pub(crate) closed: bool,
    /// The frames of each file.
    pub(crate) frames: BTreeMap<String, Vec<FrameInfo>>,
    /// What its logs are made with.
    pub(crate) shape: T::Shape,
    /// The storage as it was at rest after earlier steps, oldest first.
    pub(crate) older: Vec<SimDisk>,
    /// The newest token, and the first state that contains it.
    pub(crate) token: Option<(Token, usize)>,
}

impl<T: Trial> Rest<T> {
    /// The frame that holds this byte.
    pub(crate) fn frame_at(&self, file: &str, byte: u64) -> Option<&FrameInfo> {
        let frames = self.frames.get(file)?;
        frames.iter().find(|frame| (frame.offset..frame.offset + u64::from(frame.bytes)).contains(&byte))
    }
}

/// The logs of a trial.
pub(crate) fn logs<T: Trial>(factory: Factory<'_>, seed: u64) -> Result<Vec<Rest<T>>, String> {
    let scripts = T::at_rest().into_iter();
    scripts
        .map(|script| {
            let name = script.name;
            rest(factory, seed, script).map_err(|what| format!("{name}: {what}"))
        })
        .collect()
}

fn rest<T: Trial>(factory: Factory<'_>, seed: u64, script: Script<T>) -> Result<Rest<T>, String> {
    let disk = SimDisk::new(seed);
    let played = play(factory, &disk, &script)?;
    let rest = disk.fork();
    let driver = &played.driver;
    // The bytes behind the last frame are not flipped in vain: zeros ahead are cut down to some.
    let mut frames = BTreeMap::new();
    for file in rest.file_names() {
        let list = driver.subject().frames(&file).map_err(|error| format!("frames: {error:?}"))?;
        frames.insert(file, list);
    }
    let closed = matches!(script.steps.last(), Some(Step::Close));
    played.rest(rest, frames, &script, closed).ok_or("there is no log".into())
}

/// A script that was played until its end or until the disk stopped.
struct Played<T: Trial> {
    driver: Driver<T>,
    older: Vec<SimDisk>,
}

fn play<T: Trial>(factory: Factory<'_>, disk: &SimDisk, script: &Script<T>) -> Result<Played<T>, String> {
    let driver = Driver::<T>::new(factory(disk.clone()), script.shape);
    let mut played = Played { driver, older: Vec::new() };
    for step in &script.steps {
        let before = disk.fork();
        if played.older.last().is_none_or(|last| last.hash() != before.hash()) {
            played.older.push(before);
        }
        let flow = played.driver.step(step)?;
        if disk.has_crashed() {
            break;
        }
        if let Flow::Failed(error) = flow {
            return Err(format!("{step:?}: {error:?}"));
        }
        if matches!(step, Step::Destroy) {
            played.older.clear();
        }
    }
    Ok(played)
}

impl<T: Trial> Played<T> {
    /// What is left of it, on this disk; none if there may be no log.
    fn rest(
        self,
        disk: SimDisk,
        frames: BTreeMap<String, Vec<FrameInfo>>,
        script: &Script<T>,
        closed: bool,
    ) -> Option<Rest<T>> {
        let Played { mut driver, mut older } = self;
        let token = driver.history.newest_token(|_, _| true);
        driver.let_go();
        for disk in older.iter().chain([&disk]) {
            disk.settle();
            for file in disk.file_names() {
                let bytes = disk.file_bytes(&file);
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
                disk.cut_file(&file, end + 64);
            }
        }
        older.retain(|old| !old.file_names().is_empty() && old.hash() != disk.hash());
        // No log at all is a state of sweeps only.
        let states = driver.history.states();
        let none = states.iter().rposition(Option::is_none).map_or(0, |last| last + 1);
        let least = driver.history.bound(true).checked_sub(none)?;
        let states: Vec<T::Model> = states[none..].iter().flatten().cloned().collect();
        let token = token.and_then(|(token, state)| Some((token, state.checked_sub(none)?)));
        let name = script.name;
        Some(Rest { name, disk, states, least, closed, frames, shape: script.shape, older, token })
    }
}

/// Logs that crashes left: for each script and each kind of call that changes something, crashes inside of the last ones
/// of that kind, up to `most`.
pub(super) fn leftovers<T: Trial>(
    factory: Factory<'_>,
    seed: u64,
    most: usize,
) -> Result<Vec<(String, Rest<T>)>, String> {
    let mut left = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, script) in T::at_rest().into_iter().chain(T::scripts()).enumerate() {
        let seed = SplitMix64::derive(seed, 4000 + number as u64);
        let disk = SimDisk::new(seed);
        drop(play(factory, &disk, &script)?);
        let mut calls: BTreeMap<Call, Vec<u64>> = BTreeMap::new();
        for (call, kind) in (1..).zip(disk.calls_made()).filter(|(_, kind)| kind.changes()) {
            calls.entry(kind).or_default().push(call);
        }
        for (kind, calls) in calls {
            for (rank, &call) in calls.iter().rev().take(most).enumerate() {
                let mut rng = SplitMix64::new(SplitMix64::derive(seed, call));
                let disk = SimDisk::new(seed);
                disk.plan_crash(CrashPlan { call, point: Point::Partway(rng.draw()) });
                let played = play(factory, &disk, &script)?;
                let crash = if rank % 2 == 0 { Crash::random(rng.draw()) } else { Crash::KEEP_ALL };
                let image = disk.reboot(crash);
                let Some(rest) = played.rest(image, BTreeMap::new(), &script, false) else { continue };
                if seen.insert(rest.disk.hash()) {
                    left.push((format!("{}, crashed in {kind:?} {call}", script.name), rest));
                }
            }
        }
    }
    Ok(left)
}
