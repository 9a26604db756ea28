//! What a disk that was tampered with may look like to those who open it: as it should, or refused or damaged by a typed
//! error; and, where the damage looks like a crash and no promise covers it, older than it should, if nobody brings a
//! token.

use crate::campaign::history::History;
use crate::campaign::trial::{LOG, Opening, Seen, Trial};
use crate::sim::SimDisk;
use crate::subject::Factory;
use annals_logs::error::{Class, Error, Token};
use annals_logs::types::Mode;

/// What somebody found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All that was acknowledged.
    Right,
    /// An error with this name.
    Typed(&'static str),
    /// A state that the log was in, but not all that was acknowledged.
    Shorter,
}

/// What was found with the newest token (if there is one), and without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) token: Option<Verdict>,
    pub(super) plain: Verdict,
}

/// Looks at an image in each way of opening it.
pub(super) fn judge<T: Trial>(judge: &Judge<'_, T>, image: &SimDisk) -> Result<Judged, String> {
    let token = judge.token;
    let expecting = |token| Opening { expect: Some(token), ..Opening::plain(Mode::Open) };
    let with = token.map(|(token, covered)| judge.opened(image, &expecting(token), covered));
    let with = with.transpose().map_err(|what| format!("opened with a token, {what}"))?;
    let reading = Opening::plain(Mode::ReadOnly);
    judge.opened(image, &reading, 0).map_err(|what| format!("read only, {what}"))?;
    let mut plain =
        judge.opened(image, &Opening::plain(Mode::Open), 0).map_err(|what| format!("opened, {what}"))?;
    if plain == Verdict::Typed("not found") {
        plain = judge.made_anew(image);
    }
    Ok(Judged { token: with, plain })
}

/// Who looks, and what may be found.
pub(super) struct Judge<'a, T: Trial> {
    pub(super) factory: Factory<'a>,
    pub(super) shape: &'a T::Shape,
    pub(super) history: &'a History<T>,
    /// The newest token that covers what it should, and the number of the state that it covers.
    pub(super) token: Option<(Token, usize)>,
    /// Whether power was lost.
    pub(super) power: bool,
    /// Whether somebody else may have gone on without what looks like the leftovers of a crash.
    pub(super) goes_on: bool,
}

impl<T: Trial> Judge<'_, T> {
    /// Opens a copy; it may hold no state before number `least`.
    fn opened(&self, image: &SimDisk, opening: &Opening<'_, T>, least: usize) -> Result<Verdict, String> {
        let disk = image.fork();
        let before = disk.hash();
        let subject = (self.factory)(disk.clone());
        let traced = |what: String| format!("{what}\n{}", disk.trace());
        let reads = opening.mode == Mode::ReadOnly;
        // Reading only, a log that is damaged at its end shows what it knows; that it is damaged is said behind that.
        let reported = reads && !matches!(subject.verify(LOG), Ok(found) if found.is_empty());
        let answer = T::open(&*subject, opening);
        let unchanged = || {
            if disk.hash() == before { Ok(()) } else { Err(traced("something was changed".into())) }
        };
        match answer {
            Ok(handle) => {
                let verdict = match T::read(&handle) {
                    Ok(seen) => self.seen(&seen, least, reported).map_err(traced)?,
                    Err(what) => Verdict::Typed(named_in(&what).ok_or_else(|| traced(what))?),
                };
                if reads {
                    drop(handle);
                    unchanged()?;
                }
                Ok(verdict)
            }
            Err(error) => {
                if reads || error.class() == Class::Damage {
                    unchanged().map_err(|what| format!("refused with {error:?}, but {what}"))?;
                }
                let states = self.history.states();
                let none = |from: usize| states[from..].iter().any(Option::is_none);
                Ok(match error {
                    Error::NotFound if none(self.history.bound(self.power)) => Verdict::Right,
                    error => Verdict::Typed(name(&error)),
                })
            }
        }
    }

    /// Makes a log where there seems to be none.
    fn made_anew(&self, image: &SimDisk) -> Verdict {
        let subject = (self.factory)(image.fork());
        let anew = Opening { shape: Some(self.shape), ..Opening::plain(Mode::OpenOrCreate) };
        match T::open(&*subject, &anew) {
            Ok(_) => Verdict::Shorter,
            Err(error) => Verdict::Typed(name(&error)),
        }
    }

    fn seen(&self, seen: &T::Seen, least: usize, reported: bool) -> Result<Verdict, String> {
        let states = self.history.states();
        let models: Vec<T::Model> = states.iter().flatten().cloned().collect();
        let fits = |from: usize| {
            let models: Vec<&T::Model> = states[from..].iter().flatten().collect();
            !models.is_empty() && seen.fits_among(&models)
        };
        if (reported || !seen.is_whole()) && !fits(self.history.bound(self.power)) {
            return match seen.never_there(&models) {
                Some(what) => Err(format!("{what} is wrong: {seen:?}")),
                None => Ok(Verdict::Typed("damaged")),
            };
        }
        if fits(self.history.bound(self.power)) {
            return Ok(if seen.is_whole() { Verdict::Right } else { Verdict::Typed("damaged") });
        }
        if fits(least) || self.goes_on && seen.never_there(&models).is_none() {
            return Ok(Verdict::Shorter);
        }
        Err(format!("it was never like this: {seen:?}; from {least} on it was {:?}", &states[least..]))
    }
}

/// A short name of an error.
pub(super) fn name(error: &Error) -> &'static str {
    match error {
        Error::Storage(_) => "storage",
        Error::OutOfSpace => "out of space",
        Error::Closed => "closed",
        Error::Locked => "locked",
        Error::Damaged(_) => "damaged",
        Error::RolledBack(_) => "rolled back",
        Error::UnknownFormat(_) => "unknown format",
        Error::NotFound => "not found",
        Error::Exists => "exists",
        Error::OtherKind(_) => "other kind",
        Error::OptionsDiffer(_) => "options differ",
        Error::Fenced => "fenced",
        // What a component cannot say itself; the subject of the host's tests puts it into words.
        Error::Other(what) if what.contains("Limit {") => "limit",
        Error::Other(what) if what.contains("Trap(") => "trap",
        Error::Other(_) => "other",
        _ => "refused",
    }
}

/// The name of the error that a text from reading everything shows.
pub(super) fn named_in(text: &str) -> Option<&'static str> {
    let errors = [
        ("Storage(", "storage"),
        ("OutOfSpace", "out of space"),
        ("Closed", "closed"),
        ("Locked", "locked"),
        ("Damaged(", "damaged"),
        ("RolledBack(", "rolled back"),
        ("UnknownFormat(", "unknown format"),
        ("Fenced", "fenced"),
        ("Deleted(", "deleted"),
    ];
    errors.iter().find(|(sign, _)| text.contains(sign)).map(|(_, name)| *name)
}
