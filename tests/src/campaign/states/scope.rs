//! What is exhausted: a log of some shape, what was done to it before, and the letters that sequences are made of.

use crate::campaign::step::Step;
use crate::campaign::trial::{StepOf, Trial};

/// A small scope of a log.
pub struct Scope<T: Trial> {
    /// Its name on the command line.
    pub name: &'static str,
    /// What its logs are made with.
    pub shape: T::Shape,
    /// What was done before the first letter; no crash falls into it.
    pub prelude: Vec<StepOf<T>>,
    /// What sequences are made of.
    pub letters: Vec<Letter<T>>,
}

impl<T: Trial> Scope<T> {
    /// The letter of this name.
    pub(super) fn number(&self, name: &str) -> Result<usize, String> {
        let number = self.letters.iter().position(|letter| letter.name == name);
        let names = || self.letters.iter().map(|letter| letter.name).collect::<Vec<_>>().join(", ");
        number.ok_or_else(|| format!("there is no letter {name:?}; there are: {}", names()))
    }
}

/// One letter.
pub struct Letter<T: Trial> {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub does: Does<T>,
}

/// What a letter does.
pub enum Does<T: Trial> {
    /// An operation of a log that holds this, as the so many-th letter; a log that is not open is opened first.
    Op(fn(&T::Model, u64) -> T::Op),
    /// Another step.
    Step(StepOf<T>),
}

impl<T: Trial> Letter<T> {
    /// An operation.
    pub fn op(name: &'static str, make: fn(&T::Model, u64) -> T::Op) -> Self {
        Self { name, does: Does::Op(make) }
    }

    /// Dropping the log and opening it, closing it, and destroying it.
    pub fn life() -> [Self; 3] {
        let step = |name, step| Self { name, does: Does::Step(step) };
        [
            step("open", Step::Open(T::Start::default())),
            step("close", Step::Close),
            step("destroy", Step::Destroy),
        ]
    }
}
