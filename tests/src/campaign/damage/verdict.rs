//! Looking at a damaged log in every way, and what to make of it.

use super::Outcome;
use crate::campaign::flips::LONGEST_READ;
use crate::campaign::history::History;
use crate::campaign::recovery::Check;
use crate::campaign::rest::Rest;
use crate::campaign::trial::{LOG, Opening, Seen, Trial};
use crate::sim::SimDisk;
use crate::subject::{Factory, Subject as Logs};
use annals_logs::error::{Class, Error};
use annals_logs::types::Mode;

/// A log at rest, and what it shows undamaged.
pub(super) struct Subject<'a, T: Trial> {
    factory: Factory<'a>,
    rest: &'a Rest<T>,
    /// What it holds, opened for writing.
    whole: T::Model,
    /// What it shows to a reader.
    shown: T::Model,
}

/// How one way of opening went.
enum Looked {
    /// Refused with a typed error.
    Refused,
    /// Some of it answers `damaged`; the rest is right.
    Told,
    /// Everything is there.
    Exact,
    /// It is what the log was in this earlier or later state.
    Other(usize),
}

impl<'a, T: Trial> Subject<'a, T> {
    /// None if there is no log, undamaged.
    pub(super) fn new(factory: Factory<'a>, rest: &'a Rest<T>) -> Result<Option<Self>, String> {
        let contents = |mode| {
            let logs = factory(rest.disk.fork());
            match T::open(&*logs, &Opening::plain(mode)) {
                Ok(handle) => T::contents(&rest.shape, &handle).map(Some),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(format!("{mode:?}: {error:?}")),
            }
        };
        let (Some(shown), Some(whole)) = (contents(Mode::ReadOnly)?, contents(Mode::Open)?) else {
            return Ok(None);
        };
        let subject = Subject { factory, rest, whole, shown };
        let allowed = &rest.states[rest.least..];
        if !allowed.iter().any(|state| T::same(&subject.whole, state).is_ok()) {
            return Err(format!("it holds {:?}", subject.whole));
        }
        match subject.examine(&rest.disk)? {
            Outcome::Harmless => Ok(Some(subject)),
            other => Err(format!("taken for damaged: {other:?}")),
        }
    }

    /// What becomes of this image. The words say what is silently wrong.
    pub(super) fn examine(&self, image: &SimDisk) -> Result<Outcome, String> {
        let disk = image.fork();
        let before = disk.hash();
        let logs = (self.factory)(disk.clone());
        let reported = match logs.verify(LOG) {
            Ok(found) => !found.is_empty(),
            Err(Error::NotFound) => false,
            Err(error) if is_report(&error) => true,
            Err(error) => return Err(format!("verify: {error:?}")),
        };
        let reader = self.look(&*logs, Mode::ReadOnly, &self.shown, reported)?;
        if disk.hash() != before {
            return Err("reading changed something".into());
        }
        let writer = self.look(&*logs, Mode::Open, &self.whole, reported)?;
        if matches!(writer, Looked::Refused) {
            if disk.hash() != before {
                self.told_again(&disk)?;
            }
            self.refused_too(image)?;
        }
        let longest = disk.counters().longest_read;
        if longest > LONGEST_READ {
            return Err(format!("a read of {longest} bytes at once"));
        }
        match (writer, reader) {
            (Looked::Refused | Looked::Told | Looked::Exact, Looked::Other(state)) if !reported => {
                Err(format!("a reader sees state {state} of {}, and nobody reports anything", self.last()))
            }
            (Looked::Exact, Looked::Other(state)) => {
                Err(format!("a reader sees state {state} of {}, a writer everything", self.last()))
            }
            (Looked::Refused, _) => Ok(Outcome::AtOpen),
            (Looked::Told, _) | (Looked::Exact, Looked::Refused | Looked::Told) => Ok(Outcome::Reading),
            (Looked::Exact, Looked::Exact) if reported => Ok(Outcome::Verify),
            (Looked::Exact, Looked::Exact) => self.harmless(image),
            (Looked::Other(state), _) => self.went_back(image, state),
        }
    }

    /// A refused open changes nothing; but for an instance that took over from a damaged one before it knew: then who
    /// opens the log next is told, too.
    fn told_again(&self, disk: &SimDisk) -> Result<(), String> {
        let next = (self.factory)(disk.fork());
        match self.look(&*next, Mode::Open, &self.whole, true)? {
            Looked::Refused | Looked::Told if !T::TOKENS_COVER_ALL => Ok(()),
            _ => Err("refused for writing, but something changed".into()),
        }
    }

    fn last(&self) -> usize {
        self.rest.states.len() - 1
    }

    /// Opens the log like this and reads everything in every way; undamaged it holds `right`.
    fn look(&self, logs: &dyn Logs, mode: Mode, right: &T::Model, reported: bool) -> Result<Looked, String> {
        let handle = match T::open(logs, &Opening::plain(mode)) {
            Ok(handle) => handle,
            Err(Error::NotFound) if logs.disk().file_names().is_empty() => return Ok(Looked::Refused),
            Err(error) if is_report(&error) => return Ok(Looked::Refused),
            Err(error) => return Err(format!("{mode:?}: {error:?}")),
        };
        let seen = T::read(&handle).map_err(|what| format!("{mode:?}, {what}"))?;
        let states = &self.rest.states;
        if let Some(what) = seen.never_there(states) {
            return Err(format!("{mode:?}, {what} is wrong: {seen:?}"));
        }
        if !seen.is_whole() {
            return Ok(Looked::Told);
        }
        if seen.fits(right) {
            return Ok(Looked::Exact);
        }
        let all: Vec<&T::Model> = states.iter().collect();
        match states.iter().rposition(|state| seen.fits(state)) {
            Some(state) => Ok(Looked::Other(state)),
            None if seen.fits_among(&all) => Ok(Looked::Other(0)),
            // Some of a read-only log may be shown as it was, if somebody says why.
            None if reported && mode == Mode::ReadOnly => Ok(Looked::Told),
            // One of several instances, which no token covers, may have lost its end.
            None if !T::TOKENS_COVER_ALL && !self.rest.closed => Ok(Looked::Other(0)),
            None => Err(format!("{mode:?}, it was never like this: {seen:?}")),
        }
    }

    /// Who would make a log if there were none does not make one in the place of a damaged one.
    fn refused_too(&self, image: &SimDisk) -> Result<(), String> {
        if image.file_names().is_empty() {
            return Ok(());
        }
        let disk = image.fork();
        let opening = Opening { shape: Some(&self.rest.shape), ..Opening::plain(Mode::OpenOrCreate) };
        match T::open(&*(self.factory)(disk.clone()), &opening) {
            // An instance of its own stands beside damaged ones.
            Ok(_) if !T::TOKENS_COVER_ALL => Ok(()),
            Ok(_) => Err("refused for writing, but made anew where it may be".into()),
            Err(_) if disk.hash() == image.hash() => Ok(()),
            Err(error) => Err(format!("{error:?}, but something changed")),
        }
    }

    /// Nobody reports anything, and everything is there: then everything goes on, too.
    fn harmless(&self, image: &SimDisk) -> Result<Outcome, String> {
        let mut history: History<T> = History::new(Some(self.shown.clone()));
        history.issue(Some(self.whole.clone()));
        let check = Check {
            factory: self.factory,
            shape: &self.rest.shape,
            history: &history,
            power: true,
            thorough: true,
        };
        match check.run(image) {
            Ok(_) => Ok(Outcome::Harmless),
            // Zeros behind an older file stay where they are.
            Err(what) if what.starts_with("after recovery and close") && self.is_only_longer(image) => {
                Ok(Outcome::Harmless)
            }
            Err(what) => Err(format!("it looks harmless, but {what}")),
        }
    }

    /// Whether nothing but zeros at the ends of files tells the image from the undamaged log.
    fn is_only_longer(&self, image: &SimDisk) -> bool {
        let cut = image.fork();
        for file in cut.file_names() {
            let size = self.rest.disk.file_size(&file);
            if cut.file_bytes(&file).iter().skip(size as usize).all(|byte| *byte == 0) {
                cut.cut_file(&file, size);
            }
        }
        cut.image() == self.rest.disk.image()
    }

    /// Nobody reports anything, and the log is as it was in another state.
    fn went_back(&self, image: &SimDisk, state: usize) -> Result<Outcome, String> {
        if let Some((token, covered)) = self.rest.token {
            let expecting = Opening { expect: Some(token), ..Opening::plain(Mode::Open) };
            match T::open(&*(self.factory)(image.fork()), &expecting) {
                Err(error) if is_report(&error) || error == Error::NotFound => return Ok(Outcome::Token),
                Err(error) => return Err(format!("with a token: {error:?}")),
                Ok(_) if state < covered && T::TOKENS_COVER_ALL => {
                    return Err(format!(
                        "a token of state {covered} passes state {state} of {}",
                        self.last()
                    ));
                }
                Ok(_) => {}
            }
        }
        if state >= self.rest.least {
            Ok(Outcome::Torn)
        } else if self.rest.closed {
            Err(format!("a closed log is in state {state} of {}, and nobody notices", self.last()))
        } else {
            Ok(Outcome::Limit)
        }
    }
}

/// Whether the error says that something is wrong with what is stored.
fn is_report(error: &Error) -> bool {
    error.class() == Class::Damage || matches!(error, Error::OtherKind(_))
}
