//! What must hold after a crash: the log opens, holds a state that the crash may leave, keeps it, and goes on.

use super::driver::{Driver, Flow};
use super::history::History;
use super::step::Step;
use super::trial::{LOG, Opening, Trial};
use crate::sim::{Crash, SimDisk};
use crate::subject::{Factory, Subject};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;

/// Opens the log for writing, as it is; none if there is none.
pub(super) fn open<T: Trial>(
    subject: &dyn Subject,
    expect: Option<Token>,
) -> Result<Option<T::Handle>, String> {
    match T::open(subject, &Opening { expect, ..Opening::plain(Mode::Open) }) {
        Ok(handle) => Ok(Some(handle)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(format!("opening is refused with {error:?}")),
    }
}

/// An open log, if there is one, and what it holds.
type Recovered<T> = (Option<<T as Trial>::Handle>, Option<<T as Trial>::Model>);

/// The same, and what it holds.
pub(super) fn recover<T: Trial>(
    subject: &dyn Subject,
    shape: &T::Shape,
    expect: Option<Token>,
) -> Result<Recovered<T>, String> {
    let handle = open::<T>(subject, expect)?;
    let model = handle.as_ref().map(|handle| T::contents(shape, handle)).transpose()?;
    Ok((handle, model))
}

/// A token to expect: the newest one, or an older one, or none, by turns, but always the same for the same image.
pub(super) fn expected<T: Trial>(image: &SimDisk, history: &History<T>) -> Option<Token> {
    let tokens = history.tokens();
    match image.hash() % 4 {
        0 => None,
        1 => tokens.get((image.hash() / 4) as usize % tokens.len().max(1)).copied(),
        _ => tokens.last().copied(),
    }
}

/// A log that a crash left, and what it may be.
pub(super) struct Check<'a, T: Trial> {
    pub(super) factory: Factory<'a>,
    pub(super) shape: &'a T::Shape,
    pub(super) history: &'a History<T>,
    /// Whether power was lost.
    pub(super) power: bool,
    /// Whether it is also checked that what was reported survives, that nothing but it comes back, and that the log goes
    /// on.
    pub(super) thorough: bool,
}

impl<T: Trial> Check<'_, T> {
    /// Opens the log and checks it against the history. Returns the number of calls that opening took.
    pub(super) fn run(&self, image: &SimDisk) -> Result<u64, String> {
        if self.thorough {
            self.look(image)?;
        }
        let expect = expected(image, self.history);
        let disk = image.fork();
        let subject = (self.factory)(disk.clone());
        let traced = |what: String| format!("{what}\n{}", disk.trace());
        let handle = open::<T>(&*subject, expect).map_err(traced)?;
        let calls = disk.calls();
        let found =
            handle.as_ref().map(|handle| T::contents(self.shape, handle)).transpose().map_err(traced)?;
        self.history.check(self.power, found.as_ref()).map_err(traced)?;
        let (Some(handle), Some(found)) = (handle, found) else {
            return self.made_anew(&*subject).map_err(traced).map(|()| calls);
        };
        // What a writing open reports counts as acknowledged.
        for crash in [Crash::LOSE_ALL, Crash::Process] {
            let again = (self.factory)(disk.fork().reboot(crash));
            let (_, kept) = recover::<T>(&*again, self.shape, expect)?;
            same_state::<T>(kept.as_ref(), &found).map_err(|what| {
                traced(format!("opened again after {crash:?}: {what}\n{}", again.disk().trace()))
            })?;
            if !self.thorough {
                return Ok(calls);
            }
        }
        self.goes_on(subject, handle, found).map_err(traced)?;
        Ok(calls)
    }

    /// Where there is no log one can be made, and it is empty.
    fn made_anew(&self, subject: &dyn Subject) -> Result<(), String> {
        let said = |error: Error| format!("making it anew: {error:?}");
        let wanted = T::opened(self.shape, &T::Start::default(), None).map_err(said)?;
        let opening = Opening { shape: Some(self.shape), ..Opening::plain(Mode::OpenOrCreate) };
        let handle = T::open(subject, &opening).map_err(said)?;
        T::same(&T::contents(self.shape, &handle)?, &wanted).map_err(|what| format!("made anew {what}"))
    }

    /// Looks at a log that a crash left without repairing it: a crash is no damage, what was promised is served, nothing
    /// is changed.
    pub(super) fn look(&self, image: &SimDisk) -> Result<(), String> {
        let disk = image.fork();
        let (subject, before) = ((self.factory)(disk.clone()), disk.hash());
        let traced = |what: String| format!("looking only: {what}\n{}", disk.trace());
        match T::open(&*subject, &Opening::plain(Mode::ReadOnly)) {
            Ok(handle) => {
                let found = T::contents(self.shape, &handle).map_err(traced)?;
                self.history.check(self.power, Some(&found)).map_err(traced)?;
            }
            Err(Error::NotFound) => self.history.check(self.power, None).map_err(traced)?,
            Err(error) => return Err(traced(format!("refused with {error:?}"))),
        }
        let (verified, info) = (subject.verify(LOG), subject.info(LOG).map(|info| info.damage));
        for answer in [verified, info] {
            if !matches!(&answer, Err(Error::NotFound)) && answer != Ok(vec![]) {
                return Err(traced(format!("a crash is taken for damage: {answer:?}")));
            }
        }
        if disk.hash() == before { Ok(()) } else { Err(traced("something was changed".into())) }
    }

    /// Changes what was recovered, loses power, closes and verifies.
    fn goes_on(&self, subject: Box<dyn Subject>, handle: T::Handle, found: T::Model) -> Result<(), String> {
        let ops = T::goes_on(&found);
        let mut driver = Driver::<T>::resume(subject, *self.shape, handle, found);
        for op in ops {
            must(driver.step(&Step::Do(op)), "after recovery")?;
        }
        let disk = driver.subject().disk().fork().reboot(Crash::LOSE_ALL);
        let token = driver.history.tokens().last().copied();
        self.kept(&*driver.subject().on(disk), token, &driver.history)
            .map_err(|what| format!("changes after recovery, power lost: {what}"))?;
        must(driver.step(&Step::Close), "after recovery")?;
        let damage = driver.subject().verify(LOG).map_err(|error| format!("verify: {error:?}"))?;
        if !damage.is_empty() {
            return Err(format!("verify finds damage after recovery and close: {damage:?}"));
        }
        T::tidy(driver.subject())?;
        self.kept(driver.subject(), token, &driver.history)
            .map_err(|what| format!("closed and opened: {what}"))
    }

    /// The newest state, and nothing older, is there.
    fn kept(&self, subject: &dyn Subject, token: Option<Token>, history: &History<T>) -> Result<(), String> {
        let newest = history.now().ok_or("there is no state")?;
        let (_, kept) = recover::<T>(subject, self.shape, token)?;
        same_state::<T>(kept.as_ref(), newest)
    }
}

fn must(outcome: Result<Flow, String>, when: &str) -> Result<(), String> {
    match outcome {
        Ok(Flow::Done) => Ok(()),
        Ok(Flow::Failed(error)) => Err(format!("{when}: {error:?}")),
        Err(what) => Err(format!("{when}: {what}")),
    }
}

fn same_state<T: Trial>(kept: Option<&T::Model>, found: &T::Model) -> Result<(), String> {
    match kept {
        Some(kept) => T::same(kept, found),
        None => Err(format!("the log is gone; it held {found:?}")),
    }
}

/// After a close there are no files but segments, and no bytes behind the frames.
pub(super) fn tidy(subject: &dyn Subject) -> Result<(), String> {
    let segments = subject.segments(LOG).map_err(|error| format!("segments: {error:?}"))?;
    let listed: Vec<&str> = segments.iter().map(|segment| segment.file.as_str()).collect();
    let files = subject.disk().file_names();
    if files != listed {
        return Err(format!("after recovery and close there are {files:?}, of which it knows {listed:?}"));
    }
    for file in files {
        let frames = subject.frames(&file).map_err(|error| format!("frames: {error:?}"))?;
        let end = frames.last().map_or(0, |frame| frame.offset + u64::from(frame.bytes));
        let size = subject.disk().file_size(&file);
        if size != end {
            return Err(format!("after recovery and close {file} has {size} bytes, its frames {end}"));
        }
    }
    Ok(())
}
