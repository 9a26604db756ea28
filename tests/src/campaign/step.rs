//! One step of a script or a random run.

use std::fmt::{Debug, Formatter, Result};

/// What is done to a log: `S` says how it is opened, `O` what is done to an open one.
#[derive(Clone)]
pub enum Step<S, O> {
    /// Opens or creates it; an open handle is dropped first.
    Open(S),
    /// Does an operation on the open log.
    Do(O),
    /// Closes it, and drops the handle.
    Close,
    /// Drops the handle.
    Drop,
    /// Drops the handle and destroys the log.
    Destroy,
}

impl<S: Debug, O: Debug> Debug for Step<S, O> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Step::Open(start) => write!(f, "open {start:?}"),
            Step::Do(op) => op.fmt(f),
            Step::Close => f.write_str("close"),
            Step::Drop => f.write_str("drop"),
            Step::Destroy => f.write_str("destroy"),
        }
    }
}
