//! Does operations to a journal and to the model at the same time and compares every answer.

use super::history::History;
use super::op::{Op, Shape};
use crate::cases::contents;
use crate::model::{Model, same_error};
use crate::subject::{JournalSubject, Options, ReaderSubject, Subject, TicketSubject};
use annals_logs::error::{Error, Result as Answer, Token};
use annals_logs::types::{Limits, Mode};
use std::fmt::Debug;

/// The log that campaigns use.
pub(crate) const LOG: &str = "campaign";

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The answer was the model's.
    Done,
    /// The storage failed, as it was told to.
    Failed,
}

/// A stream, and what the model knows about it.
struct Stream {
    reader: Box<dyn ReaderSubject>,
    next: u64,
    end: u64,
    /// Lowest size the journal was rewound to since.
    cut: u64,
    over: bool,
}

/// A journal under test.
pub(crate) struct Driver {
    subject: Box<dyn Subject>,
    shape: Shape,
    journal: Option<Box<dyn JournalSubject>>,
    ticket: Option<(Box<dyn TicketSubject>, usize)>,
    streams: Vec<Stream>,
    pub(crate) history: History,
    /// Whether storage errors are expected.
    pub(crate) faulty: bool,
}

impl Driver {
    /// On a disk without that log, or whose log is in the state that the history begins with.
    pub(crate) fn new(subject: Box<dyn Subject>, shape: Shape, history: History) -> Self {
        Self { subject, shape, journal: None, ticket: None, streams: Vec::new(), history, faulty: false }
    }

    pub(crate) fn subject(&self) -> &dyn Subject {
        &*self.subject
    }

    pub(crate) fn journal(&self) -> Option<&dyn JournalSubject> {
        self.journal.as_deref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.journal.is_some()
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Lets go of everything, as the end of the process does (when the disk has stopped) or a drop.
    pub(crate) fn let_go(&mut self) {
        self.streams.clear();
        self.ticket = None;
        self.journal = None;
    }

    /// Does the operation. The words say how the answer differs from the model's.
    pub(crate) fn step(&mut self, op: &Op) -> Result<Flow, String> {
        let done = self.dispatch(op);
        if done.is_ok_and(|flow| flow == Flow::Done) { done } else { done.or_else(|what| self.explain(op, what)) }
    }
}
