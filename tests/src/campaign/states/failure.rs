//! What is wrong with a state, and how to see it again.

/// In which way something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that was acknowledged is gone.
    Lost,
    /// It holds what it never held, or changes what it must not, and does not say so.
    Wrong,
    /// It is refused.
    Unopenable,
}

/// What is wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) what: String,
}

impl Failure {
    pub(super) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// The same, and where that was.
    pub(super) fn at(self, place: impl std::fmt::Display) -> Self {
        Self { what: format!("{place}: {}", self.what), ..self }
    }
}
