//! What a log says about itself so that every campaign can try it: its operations, its naive model, how to do the one
//! and what the other answers.
//!
//! The history of a log under trial is a line of models, one for each operation that changes something; a crash may
//! leave any of them that is not older than what was promised. So a model is only what a crash must respect: contents
//! and boundaries, not handles, streams or caches. Those belong to the handle.

use super::draw::Draw;
use super::states::Scope;
use super::step::Step;
use crate::sim::Fingerprint;
use crate::subject::{FrameInfo, Subject};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

/// The log that campaigns use.
pub const LOG: &str = "campaign";

/// A number that tells values apart.
pub fn id_of(value: impl Hash) -> u64 {
    let mut hash = Fingerprint::new();
    value.hash(&mut hash);
    hash.finish()
}

/// A kind of log under trial.
pub trait Trial: Sized + 'static {
    /// What the logs of a run are made with.
    type Shape: Copy + Debug;
    /// What one opening may ask for beyond that.
    type Start: Clone + Debug + Default;
    /// An operation on an open log. Opening, closing, dropping and destroying are steps of their own.
    type Op: Clone + Debug;
    /// The naive state: two that are equal hold the same.
    type Model: Clone + PartialEq + Debug;
    /// What an operation answers. Where the contract leaves room (how much a bounded read returns), [`perform`] checks
    /// the answer itself and returns something that says so.
    ///
    /// [`perform`]: Trial::perform
    type Answer: PartialEq + Debug;
    /// The open log, or several handles of it, with readers and tickets that are under way.
    type Handle;
    /// What a tolerant reading of everything found.
    type Seen: Seen<Self::Model>;

    /// What most scripts use.
    const USUAL: Self::Shape;

    /// Whether a token tells that everything is there that was promised before it. That of an instance covers only
    /// what this instance did.
    const TOKENS_COVER_ALL: bool = true;

    /// Draws the shape of a random run.
    fn draw_shape(draw: &mut Draw) -> Self::Shape;
    /// Draws how a log is opened, or created if there is none.
    fn draw_start(draw: &mut Draw, model: Option<&Self::Model>) -> Self::Start;
    /// Draws a step for a log that is open and as the model: mostly sensible ones, some that must be refused.
    fn draw_step(draw: &mut Draw, model: &Self::Model, handle: &Self::Handle) -> StepOf<Self>;

    /// The hand-written scripts of the crash and fault sweeps, which together reach every kind of step.
    fn scripts() -> Vec<Script<Self>>;
    /// Small logs at rest for flips and garbage. A script that ends with a close leaves a closed log.
    fn at_rest() -> Vec<Script<Self>>;
    /// Operations that change a recovered log in this state; after the last of them everything is durable, and if this
    /// kind of log has tokens, it returned one.
    fn goes_on(model: &Self::Model) -> Vec<Self::Op>;

    /// The small scopes of which all short sequences are tried: shapes and letters that together reach every kind of
    /// change, with small items, and a log whose segment is nearly full, so that the next changes roll.
    fn scopes() -> Vec<Scope<Self>>;
    /// A number that tells states apart: all of what two that are equal have in common.
    fn id(model: &Self::Model) -> u64;
    /// Whether opening what a recovery left, and closing what a close left, changes no byte.
    const STABLE: bool = true;

    /// Operations that fill a new log with several segments, for campaigns that then lie about them.
    fn fills() -> Vec<Self::Op>;

    /// What opening makes of the state (none: there is no log), and what it answers.
    fn opened(
        shape: &Self::Shape,
        start: &Self::Start,
        state: Option<&Self::Model>,
    ) -> Result<Self::Model, Error>;
    /// What it makes of the state that its handle was closed, or dropped: nothing, unless its users are a part of it.
    fn left(_model: &mut Self::Model, _closed: bool) {}
    /// What the operation answers, which promise it makes then, and what it makes of the model. A change of the model is
    /// taken back where the answer is an error.
    fn expect(shape: &Self::Shape, model: &mut Self::Model, op: &Self::Op) -> Expected<Self::Answer>;

    /// Opens the log.
    fn open(subject: &dyn Subject, opening: &Opening<'_, Self>) -> Result<Self::Handle, Error>;
    /// Does the operation; `model` is the state before it. Returns a token if the operation gave one.
    fn perform(
        subject: &dyn Subject,
        handle: &mut Self::Handle,
        model: &Self::Model,
        op: &Self::Op,
    ) -> Result<(Self::Answer, Option<Token>), Trouble>;
    /// Closes the log: everything is durable then.
    fn close(handle: &mut Self::Handle) -> Result<Option<Token>, Error>;
    /// Destroys the log.
    fn destroy(subject: &dyn Subject) -> Result<(), Error>;

    /// Whether what answers without reading storage (getters) agrees with the model; it does in an open log.
    fn getters(handle: &Self::Handle, model: &Self::Model) -> Result<(), String>;
    /// Whether the log is open: false once a failure closed it.
    fn is_open(handle: &Self::Handle) -> Result<bool, Error>;
    /// Everything that the log holds. Damage is an error.
    fn contents(shape: &Self::Shape, handle: &Self::Handle) -> Result<Self::Model, String>;
    /// The same, but what is damaged is only noted. Every way of reading must find the same.
    fn read(handle: &Self::Handle) -> Result<Self::Seen, String>;

    /// Whether the operation never changes the log.
    fn only_reads(op: &Self::Op) -> bool;
    /// Whether out-of-space in this operation leaves just what was there before.
    fn claims_space_first(op: &Self::Op) -> bool;

    /// Whether the contract allows the first answer instead of the second where items are damaged.
    fn differs_by_damage(_got: &Self::Answer, _wanted: &Self::Answer) -> bool {
        false
    }
    /// Whether what was found damaged once stays marked so, and is reported until somebody puts it away.
    fn marks_damage() -> bool {
        false
    }
    /// Whether the first answer is right instead of the second for who reads another clock.
    fn differs_by_clock(_got: &Self::Answer, _wanted: &Self::Answer) -> bool {
        false
    }
    /// Whether somebody else may write the log, so that no handle trusts what it remembers.
    fn is_shared(_: &Self::Shape) -> bool {
        false
    }

    /// How the two differ, in words.
    fn same(found: &Self::Model, wanted: &Self::Model) -> Result<(), String> {
        if found == wanted { Ok(()) } else { Err(format!("it holds {found:?}, not {wanted:?}")) }
    }
    /// Does the operation, and what may follow from it, on a log whose storage lies: nothing may panic.
    fn poke(subject: &dyn Subject, handle: &mut Self::Handle, model: &Self::Model, op: &Self::Op) {
        drop(Self::perform(subject, handle, model, op));
    }
    /// After recovery and close: the storage holds nothing but what belongs to the log.
    fn tidy(subject: &dyn Subject) -> Result<(), String> {
        super::recovery::tidy(subject)
    }
}

/// How a log is opened.
pub struct Opening<'a, T: Trial> {
    /// Whether it may or must be there.
    pub mode: Mode,
    /// What it is made with, or was; none: as it is.
    pub shape: Option<&'a T::Shape>,
    /// What this opening asks for.
    pub start: T::Start,
    /// The point that its history must contain.
    pub expect: Option<Token>,
}

impl<T: Trial> Opening<'_, T> {
    /// The log as it is, in that mode.
    pub fn plain(mode: Mode) -> Self {
        Self { mode, shape: None, start: T::Start::default(), expect: None }
    }
}

/// What an operation must answer, and what it promises if it succeeds.
#[derive(Debug)]
pub struct Expected<A> {
    /// The answer.
    pub answer: Result<A, Error>,
    /// The promise.
    pub promise: Promise,
}

impl<A> Expected<A> {
    /// This answer with this promise.
    pub fn new(answer: Result<A, Error>, promise: Promise) -> Self {
        Self { answer, promise }
    }

    /// This answer, without a promise.
    pub fn only(answer: Result<A, Error>) -> Self {
        Self { answer, promise: Promise::Nothing }
    }
}

/// What the success of an operation says about everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Nothing new.
    Nothing,
    /// It survives the death of the process.
    HandedOver,
    /// It survives the loss of power.
    Durable,
    /// It was handed over, and a sync of it has begun: the next operation that promises [`Promise::Awaited`] waits for it.
    Begun,
    /// What the sync that was begun last covers survives the loss of power.
    Awaited,
}

/// Why an operation did not answer as usual.
#[derive(Debug)]
pub enum Trouble {
    /// It was refused: right if the model says so too, or if storage was told to fail.
    Refused(Error),
    /// It answered something that is wrong, whatever the model says.
    Wrong(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Refused(error)
    }
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Trouble::Wrong(what)
    }
}

/// The contents of a log of which parts may be damaged. Its `Debug` form is for reports.
pub trait Seen<M>: Debug {
    /// Whether nothing is damaged.
    fn is_whole(&self) -> bool;
    /// Whether this is the model, but for what is damaged.
    fn fits(&self, model: &M) -> bool;
    /// Whether this may be what somebody saw who read while one of these became the other, and so on: one of them,
    /// unless parts of the log go their own ways.
    fn fits_among(&self, models: &[&M]) -> bool {
        models.iter().any(|model| self.fits(model))
    }
    /// Something that is damaged though it was not in this frame (none: in no frame).
    fn lost_outside(&self, frame: Option<&FrameInfo>) -> Option<String>;
    /// Something that is served though none of these states had it so.
    fn never_there(&self, states: &[M]) -> Option<String>;
}

/// A step of a trial.
pub type StepOf<T> = Step<<T as Trial>::Start, <T as Trial>::Op>;

/// A run without crashes that can be repeated to the bit.
pub struct Script<T: Trial> {
    /// What it is about.
    pub name: &'static str,
    /// What its logs are made with.
    pub shape: T::Shape,
    /// What it does.
    pub steps: Vec<StepOf<T>>,
}

impl<T: Trial> Script<T> {
    /// A script on logs of the usual shape.
    pub fn usual(name: &'static str, steps: impl IntoIterator<Item = StepOf<T>>) -> Self {
        Self { name, shape: T::USUAL, steps: steps.into_iter().collect() }
    }
}
