//! Takes steps with a log and with the model at the same time and compares every answer.

use super::history::History;
use super::step::Step;
use super::trial::{LOG, Opening, Promise, StepOf, Trial, Trouble};
use crate::model::same_error;
use crate::subject::Subject;
use annals_logs::error::{Class, Error, Result as Answer, Token};
use annals_logs::types::Mode;
use std::fmt::Debug;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The answer was the model's.
    Done,
    /// The storage failed, as it was told to, and this is what was answered.
    Failed(Error),
}

/// Why answers may differ from the model's and be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Bytes may be damaged, in truth or in what is read.
    Damage,
    /// The clock is not that of the model, or locks are taken that the model does not know of.
    Clock,
}

/// A log under trial.
pub(super) struct Driver<T: Trial> {
    subject: Box<dyn Subject>,
    shape: T::Shape,
    handle: Option<T::Handle>,
    /// Number of the state that the sync under way covers.
    begun: Option<usize>,
    /// What a crash may leave.
    pub(super) history: History<T>,
    /// Whether storage errors are expected though the disk runs.
    pub(super) faulty: bool,
    /// Whether what is stored may be changed behind the log's back, so that a drop may hand over nothing.
    pub(super) tampered: bool,
    /// Which errors are expected beyond those.
    pub(super) excuses: fn(&Error) -> bool,
    /// Why answers may differ from the model's and be right.
    pub(super) doubt: Option<Doubt>,
    /// The answer of which that was so: the model may say something else from now on.
    pub(super) odd: Option<String>,
    /// Whether the log was dropped while calls could fail: nobody heard whether that handed everything over.
    dropped: bool,
}

impl<T: Trial> Driver<T> {
    /// On a disk without a log.
    pub(super) fn new(subject: Box<dyn Subject>, shape: T::Shape) -> Self {
        Self {
            subject,
            shape,
            handle: None,
            begun: None,
            history: History::new(None),
            faulty: false,
            tampered: false,
            excuses: |_| false,
            doubt: None,
            odd: None,
            dropped: false,
        }
    }

    /// On an open log that holds this.
    pub(super) fn resume(
        subject: Box<dyn Subject>,
        shape: T::Shape,
        handle: T::Handle,
        state: T::Model,
    ) -> Self {
        Self { handle: Some(handle), history: History::new(Some(state)), ..Self::new(subject, shape) }
    }

    pub(super) fn subject(&self) -> &dyn Subject {
        &*self.subject
    }

    pub(super) fn handle(&self) -> Option<&T::Handle> {
        self.handle.as_ref()
    }

    /// Lets go of the log: drops it, or, when the disk has stopped, dies with it.
    pub(super) fn let_go(&mut self) {
        self.begun = None;
        self.handle = None;
    }

    /// Goes on with the same history on another subject.
    pub(super) fn move_to(&mut self, subject: Box<dyn Subject>) {
        self.let_go();
        self.subject = subject;
    }

    /// The log was opened by somebody else and was found in this state.
    pub(super) fn restart(&mut self, found: Option<T::Model>) {
        self.dropped = false;
        self.history.restart(found);
    }

    /// Takes the step. The words say how the answer differs from the model's.
    pub(super) fn step(&mut self, step: &StepOf<T>) -> Result<Flow, String> {
        let outcome = match step {
            Step::Open(start) => self.open(start),
            Step::Do(op) => self.perform(op),
            Step::Close => self.close(),
            Step::Drop => {
                self.let_go();
                self.leave(false);
                if self.faulty || self.subject.disk().has_crashed() {
                    self.dropped = true;
                } else if !self.tampered {
                    self.history.hand_over();
                }
                Ok(Flow::Done)
            }
            Step::Destroy => self.destroy(),
        };
        outcome.map_err(|what| format!("{step:?}: {what}"))
    }

    fn verdict<A: PartialEq + Debug>(&self, got: &Answer<A>, wanted: &Answer<A>) -> Result<Flow, String> {
        match (got, wanted) {
            (Ok(got), Ok(wanted)) if got == wanted => Ok(Flow::Done),
            (Err(got), Err(wanted)) if same_error(got, wanted) => Ok(Flow::Done),
            (Err(got), _) if self.excused(got) => Ok(Flow::Failed(got.clone())),
            _ => Err(format!("got {got:?}, wanted {wanted:?}")),
        }
    }

    /// Whether the storage was told to fail, and this says so.
    fn excused(&self, error: &Error) -> bool {
        let fails = self.faulty || self.subject.disk().has_crashed();
        error.class() == Class::Storage && fails || (self.excuses)(error)
    }

    fn open(&mut self, start: &T::Start) -> Result<Flow, String> {
        self.let_go();
        if std::mem::take(&mut self.dropped)
            && let Err(error) = self.settle()
        {
            return if self.excused(&error) { Ok(Flow::Failed(error)) } else { Err(format!("{error:?}")) };
        }
        self.leave(false);
        let wanted = T::opened(&self.shape, start, self.history.now());
        if let Ok(state) = &wanted {
            self.history.issue(Some(state.clone()));
        }
        let opening = Opening {
            mode: Mode::OpenOrCreate,
            shape: Some(&self.shape),
            start: start.clone(),
            expect: None,
        };
        let answer = T::open(&*self.subject, &opening);
        let flow = self.verdict(&nothing(&answer), &nothing(&wanted))?;
        if let (Ok(handle), Ok(state)) = (answer, wanted) {
            match T::getters(&handle, &state) {
                // Where they read storage.
                Err(what) if (self.doubt.is_some() || self.faulty) && what.contains("Err(") => {}
                // A bound of what may be there, where that cannot be read.
                Err(what) if self.doubt == Some(Doubt::Damage) && T::is_shared(&self.shape) => {
                    self.odd = Some(what);
                }
                told => told.map_err(|what| format!("it opens, but {what}"))?,
            }
            self.history.make_durable(self.history.newest());
            self.handle = Some(handle);
        }
        Ok(flow)
    }

    fn may_differ(&self, got: &T::Answer, wanted: &T::Answer) -> bool {
        match self.doubt {
            None => false,
            Some(Doubt::Damage) => T::differs_by_damage(got, wanted),
            Some(Doubt::Clock) => T::differs_by_clock(got, wanted),
        }
    }

    /// The handle is closed, or gone.
    fn leave(&mut self, closed: bool) {
        let Some(before) = self.history.now() else { return };
        let mut after = before.clone();
        T::left(&mut after, closed);
        if after != *before {
            self.history.issue(Some(after));
        }
    }

    /// Learns what a drop that nobody heard of left.
    fn settle(&mut self) -> Answer<()> {
        let opening = Opening { shape: Some(&self.shape), ..Opening::plain(Mode::Open) };
        let handle = T::open(&*self.subject, &opening)?;
        let found = T::contents(&self.shape, &handle).map_err(Error::Other)?;
        self.history.check(false, Some(&found)).map_err(Error::InvalidArgument)?;
        self.restart(Some(found));
        Ok(())
    }

    fn destroy(&mut self) -> Result<Flow, String> {
        self.let_go();
        let wanted = self.history.now().map(|_| ()).ok_or(Error::NotFound);
        self.history.issue(None);
        self.history.forget_tokens();
        let flow = self.verdict(&T::destroy(&*self.subject), &wanted)?;
        if flow == Flow::Done {
            self.dropped = false;
            self.history.make_durable(self.history.newest());
        }
        Ok(flow)
    }

    fn close(&mut self) -> Result<Flow, String> {
        let mut handle = self.handle.take().ok_or("there is no open log")?;
        self.leave(true);
        let answer = T::close(&mut handle);
        self.begun = None;
        let flow = self.verdict(&nothing(&answer), &Ok(()))?;
        if let Ok(token) = answer {
            self.promised(Promise::Durable, token);
        }
        Ok(flow)
    }

    fn perform(&mut self, op: &T::Op) -> Result<Flow, String> {
        let (Some(mut handle), Some(before)) = (self.handle.take(), self.history.now().cloned()) else {
            return Err("there is no open log".into());
        };
        let mut after = before.clone();
        let wanted = T::expect(&self.shape, &mut after, op);
        if wanted.answer.is_ok() && after != before {
            self.history.issue(Some(after));
        }
        let answer = T::perform(&*self.subject, &mut handle, &before, op);
        self.handle = Some(handle);
        let (answer, token) = match answer {
            Ok((answer, token)) => (Ok(answer), token),
            Err(Trouble::Refused(error)) => (Err(error), None),
            Err(Trouble::Wrong(what)) => return Err(format!("on {before:?}: {what}")),
        };
        let flow = match (&answer, &wanted.answer) {
            (Ok(got), Ok(wanted)) if got != wanted && self.may_differ(got, wanted) => {
                self.odd = Some(format!("{got:?}, not {wanted:?}"));
                Flow::Done
            }
            (answer, wanted) => self.verdict(answer, wanted)?,
        };
        if wanted.answer.is_ok() && flow == Flow::Done {
            self.promised(wanted.promise, token);
        } else if wanted.promise == Promise::Awaited {
            self.begun = None;
        }
        Ok(flow)
    }

    fn promised(&mut self, promise: Promise, token: Option<Token>) {
        let newest = self.history.newest();
        let mut covers = newest;
        match promise {
            Promise::Nothing => {}
            Promise::HandedOver => self.history.hand_over(),
            Promise::Durable => self.history.make_durable(newest),
            Promise::Begun => {
                self.history.hand_over();
                self.begun = Some(newest);
            }
            Promise::Awaited => {
                covers = self.begun.unwrap_or_default();
                if let Some(state) = self.begun.take() {
                    self.history.make_durable(state);
                }
            }
        }
        token.into_iter().for_each(|token| self.history.promise(token, covers));
    }

    /// The whole log is as the model, and healthy.
    pub(super) fn compare(&self) -> Result<(), String> {
        if let (Some(handle), Some(model)) = (&self.handle, self.history.now()) {
            T::same(&T::contents(&self.shape, handle)?, model)?;
            let damage = self.subject.verify(LOG).map_err(|error| format!("verify: {error:?}"))?;
            if !damage.is_empty() {
                return Err(format!("verify finds {damage:?}"));
            }
        }
        Ok(())
    }
}

fn nothing<A>(answer: &Answer<A>) -> Answer<()> {
    answer.as_ref().map(|_| ()).map_err(Clone::clone)
}
