//! Small logs at rest, with what they held, for campaigns that tamper with them.

use super::driver::{Driver, Flow};
use super::step::Step;
use super::trial::{Script, Trial};
use crate::sim::SimDisk;
use crate::subject::{Factory, FrameInfo};
use std::collections::BTreeMap;

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
    let mut driver = Driver::<T>::new(factory(disk.clone()), script.shape);
    for step in &script.steps {
        match driver.step(step)? {
            Flow::Done => {}
            Flow::Failed(error) => return Err(format!("{step:?}: {error:?}")),
        }
    }
    let rest = disk.fork();
    rest.settle();
    // The bytes behind the last frame are not flipped in vain: zeros ahead are cut down to some.
    let mut frames = BTreeMap::new();
    for file in rest.file_names() {
        let list = driver.subject().frames(&file).map_err(|error| format!("frames: {error:?}"))?;
        let end = list.last().map_or(0, |frame| frame.offset + u64::from(frame.bytes));
        rest.cut_file(&file, end + 64);
        frames.insert(file, list);
    }
    // No log at all is a state of sweeps only.
    let none = driver.history.states().iter().take_while(|state| state.is_none()).count();
    let states: Vec<T::Model> = driver.history.states()[none..].iter().flatten().cloned().collect();
    let closed = matches!(script.steps.last(), Some(Step::Close));
    let least = driver.history.bound(true).saturating_sub(none);
    Ok(Rest { name: script.name, disk: rest, states, least, closed, frames })
}
