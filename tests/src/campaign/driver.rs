//! Does operations to a journal and to the model at the same time and compares every answer.

use super::history::History;
use super::op::{Op, Shape};
use crate::cases::contents;
use crate::model::{Model, same_error};
use crate::subject::{JournalSubject, ReaderSubject, Subject, TicketSubject};
use annals_logs::error::{Class, Error, Result as Answer, Token};
use annals_logs::types::{Limits, Mode, unpack};
use std::fmt::Debug;

/// The log that campaigns use.
pub(super) const LOG: &str = "campaign";

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The answer was the model's.
    Done,
    /// The storage failed, as it was told to, and this is what was answered.
    Failed(Error),
}

/// A stream, and what the model knows about it.
struct Stream {
    reader: Box<dyn ReaderSubject>,
    next: u64,
    end: u64,
    /// Lowest size that the journal was rewound to since.
    cut: u64,
    over: bool,
}

/// A journal under test.
pub(super) struct Driver {
    subject: Box<dyn Subject>,
    shape: Shape,
    journal: Option<Box<dyn JournalSubject>>,
    ticket: Option<(Box<dyn TicketSubject>, usize)>,
    streams: Vec<Stream>,
    /// What a crash may leave.
    pub(super) history: History,
    /// Whether storage errors are expected though the disk runs.
    pub(super) faulty: bool,
    /// Whether the journal was dropped while calls could fail: nobody heard whether that handed everything over.
    dropped: bool,
}

impl Driver {
    /// On a disk whose log is in the state that the history begins with.
    pub(super) fn new(subject: Box<dyn Subject>, shape: Shape, history: History) -> Self {
        Self {
            subject,
            shape,
            journal: None,
            ticket: None,
            streams: Vec::new(),
            history,
            faulty: false,
            dropped: false,
        }
    }

    pub(super) fn subject(&self) -> &dyn Subject {
        &*self.subject
    }

    pub(super) fn journal(&self) -> Option<&dyn JournalSubject> {
        self.journal.as_deref()
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Lets go of the journal: drops it, or, when the disk has stopped, dies with it.
    pub(super) fn let_go(&mut self) {
        self.streams.clear();
        self.ticket = None;
        self.journal = None;
    }

    /// Goes on with the same history on another subject.
    pub(super) fn move_to(&mut self, subject: Box<dyn Subject>) {
        self.let_go();
        self.subject = subject;
    }

    /// The log was opened by somebody else and was found in this state.
    pub(super) fn restart(&mut self, found: Option<Model>) {
        self.dropped = false;
        self.history.restart(found.map(|found| found.with_section(self.shape.items_per_section)));
    }

    /// Does the operation. The words say how the answer differs from the model's.
    pub(super) fn step(&mut self, op: &Op) -> Result<Flow, String> {
        let outcome = match op {
            Op::Open(start_at) => self.open(*start_at),
            Op::Drop => {
                self.let_go();
                if self.faulty || self.subject.disk().has_crashed() {
                    self.dropped = true;
                } else {
                    self.history.hand_over();
                }
                Ok(Flow::Done)
            }
            Op::Destroy => self.destroy(),
            Op::WaitSync => self.wait(),
            Op::Next(stream, limits) => self.next(*stream, *limits),
            _ => match (self.journal.take(), self.history.now().cloned()) {
                (Some(journal), Some(model)) => {
                    let outcome = self.on_journal(op, &*journal, model);
                    if !matches!(op, Op::Close) {
                        self.journal = Some(journal);
                    }
                    outcome
                }
                _ => Err("there is no open journal".into()),
            },
        };
        outcome.map_err(|what| format!("{op:?}: {what}"))
    }

    fn verdict<T: PartialEq + Debug>(&self, got: &Answer<T>, wanted: &Answer<T>) -> Result<Flow, String> {
        match (got, wanted) {
            (Ok(got), Ok(wanted)) if got == wanted => Ok(Flow::Done),
            (Err(got), Err(wanted)) if same_error(got, wanted) => Ok(Flow::Done),
            (Err(got), _) if self.excused(got) => Ok(Flow::Failed(got.clone())),
            _ => Err(format!("got {got:?}, wanted {wanted:?}")),
        }
    }

    /// Whether the storage was told to fail, and this says so.
    fn excused(&self, error: &Error) -> bool {
        error.class() == Class::Storage && (self.faulty || self.subject.disk().has_crashed())
    }

    fn open(&mut self, start_at: Option<u64>) -> Result<Flow, String> {
        self.let_go();
        if std::mem::take(&mut self.dropped)
            && let Err(error) = self.settle()
        {
            return if self.excused(&error) { Ok(Flow::Failed(error)) } else { Err(format!("{error:?}")) };
        }
        let mut state = self.history.now().cloned();
        let wanted = match (&mut state, start_at) {
            (None, start) => {
                state = Some(Model::new(self.shape.items_per_section, start.unwrap_or(0)));
                Ok(())
            }
            (Some(model), Some(start)) => model.start_at(start),
            (Some(_), None) => Ok(()),
        };
        if wanted.is_ok() {
            self.history.issue(state.clone());
        }
        let answer = self.subject.open(LOG, &self.shape.options(Mode::OpenOrCreate, start_at));
        let flow = self.verdict(&answer.as_ref().map(|_| ()).map_err(Clone::clone), &wanted)?;
        if let (Ok(journal), Some(model)) = (answer, state) {
            let got = (journal.boundary(), journal.size());
            if got != (Ok(model.boundary()), Ok(model.size())) {
                return Err(format!("it opens with {got:?} instead of {model:?}"));
            }
            self.history.make_durable(self.history.newest());
            self.journal = Some(journal);
        }
        Ok(flow)
    }

    /// Learns what a drop that nobody heard of left.
    fn settle(&mut self) -> Answer<()> {
        let journal = self.subject.open(LOG, &self.shape.options(Mode::Open, None))?;
        let found = contents(&*journal).map_err(Error::Other)?;
        self.history.check(false, Some(&found)).map_err(Error::InvalidArgument)?;
        self.restart(Some(found));
        Ok(())
    }

    fn destroy(&mut self) -> Result<Flow, String> {
        self.let_go();
        let wanted = self.history.now().map(|_| ()).ok_or(Error::NotFound);
        self.history.issue(None);
        self.history.forget_tokens();
        let flow = self.verdict(&self.subject.destroy(LOG), &wanted)?;
        if flow == Flow::Done {
            self.dropped = false;
            self.history.make_durable(self.history.newest());
        }
        Ok(flow)
    }

    fn wait(&mut self) -> Result<Flow, String> {
        let Some((ticket, state)) = self.ticket.take() else { return Ok(Flow::Done) };
        let answer = ticket.wait();
        self.promised(&answer, state)
    }

    /// A sync of everything up to that state answered this.
    fn promised(&mut self, answer: &Answer<Token>, state: usize) -> Result<Flow, String> {
        let flow = self.verdict(&answer.as_ref().map(|_| ()).map_err(Clone::clone), &Ok(()))?;
        if let Ok(token) = answer {
            self.history.make_durable(state);
            self.history.promise(*token);
        }
        Ok(flow)
    }

    fn on_journal(&mut self, op: &Op, journal: &dyn JournalSubject, model: Model) -> Result<Flow, String> {
        let newest = self.history.newest();
        match op {
            Op::Append(item) => self.grow(model, |model| model.append(item), || journal.append(item), false),
            Op::Batch(items) => {
                let slices: Vec<&[u8]> = items.iter().map(|item| &**item).collect();
                // Both forms of a batch, by turns.
                if items.len() % 2 == 0 {
                    let append = || journal.append_batch(&slices);
                    return self.grow(model, |model| model.append_batch(&slices), append, true);
                }
                let ends: Vec<u32> = slices
                    .iter()
                    .scan(0, |end, item| {
                        *end += item.len() as u32;
                        Some(*end)
                    })
                    .collect();
                let bytes = slices.concat();
                let append = || journal.append_packed(&ends, &bytes);
                self.grow(model, |model| model.append_packed(&ends, &bytes), append, true)
            }
            Op::Prune(min) => {
                let mut next = model;
                let moves = next.prune(*min);
                if moves {
                    self.history.issue(Some(next));
                }
                let flow = self.verdict(&journal.prune(*min), &Ok(moves))?;
                if moves && flow == Flow::Done {
                    self.history.make_durable(self.history.newest());
                }
                Ok(flow)
            }
            Op::Rewind(size) => {
                let mut next = model.clone();
                let wanted = next.rewind(*size);
                let changes = wanted.is_ok() && next.size() != model.size();
                if changes {
                    self.history.issue(Some(next));
                    self.streams.iter_mut().for_each(|stream| stream.cut = stream.cut.min(*size));
                }
                let flow = self.verdict(&journal.rewind(*size), &wanted)?;
                if changes && flow == Flow::Done {
                    self.history.hand_over();
                }
                Ok(flow)
            }
            Op::Flush => {
                let flow = self.verdict(&journal.flush(), &Ok(()))?;
                if flow == Flow::Done {
                    self.history.hand_over();
                }
                Ok(flow)
            }
            Op::SyncData => self.promised(&journal.sync_data(), newest),
            Op::Sync => self.promised(&journal.sync(), newest),
            Op::Close => {
                let answer = journal.close();
                self.streams.clear();
                self.ticket = None;
                self.promised(&answer, newest)
            }
            Op::BeginSync => {
                let answer = journal.begin_sync();
                let flow = self.verdict(&answer.as_ref().map(|_| ()).map_err(Clone::clone), &Ok(()))?;
                if let Ok(ticket) = answer {
                    self.history.hand_over();
                    self.ticket = Some((ticket, newest));
                }
                Ok(flow)
            }
            _ => self.reads(op, journal, &model),
        }
    }

    fn grow(
        &mut self,
        model: Model,
        wanted: impl FnOnce(&mut Model) -> Answer<u64>,
        append: impl FnOnce() -> Answer<u64>,
        hands_over: bool,
    ) -> Result<Flow, String> {
        let before = model.size();
        let mut next = model;
        let wanted = wanted(&mut next);
        let fills = self.shape.sync_sections && next.filled_section(before);
        if wanted.is_ok() {
            self.history.issue(Some(next));
        }
        let flow = self.verdict(&append(), &wanted)?;
        if wanted.is_ok() && flow == Flow::Done {
            if fills {
                self.history.make_durable(self.history.newest());
            } else if hands_over {
                self.history.hand_over();
            }
        }
        Ok(flow)
    }

    fn reads(&mut self, op: &Op, journal: &dyn JournalSubject, model: &Model) -> Result<Flow, String> {
        match op {
            Op::Read(position) => {
                self.verdict(&journal.read(*position), &model.read(*position).map(|item| item.to_vec()))
            }
            Op::ReadMany(positions, bytes) => {
                let wanted = positions.iter().try_for_each(|position| model.read(*position).map(|_| ()));
                let answer = journal.read_many(positions, *bytes);
                let flow = self.verdict(&answer.as_ref().map(|_| ()).map_err(Clone::clone), &wanted)?;
                let Ok(items) = answer else { return Ok(flow) };
                let mut right = annals_logs::types::Items::default();
                for position in positions {
                    let item = model.item(*position).cloned().unwrap_or_default();
                    let end = right.bytes.len() + item.len();
                    if !right.ids.is_empty() && end > *bytes as usize {
                        break;
                    }
                    right.ids.push(*position);
                    right.bytes.extend_from_slice(&item);
                    right.ends.push(end as u32);
                }
                if items == right {
                    Ok(flow)
                } else {
                    Err(format!("got {:?}, wanted {:?}", items.ids, right.ids))
                }
            }
            Op::Range(start, limits) => {
                let answer = journal.read_range(*start, *limits);
                let wanted = model.check_start(*start);
                let flow = self.verdict(&answer.as_ref().map(|_| ()).map_err(Clone::clone), &wanted)?;
                if let Ok(batch) = answer {
                    model.check_batch(*start, model.size(), *limits, &batch)?;
                }
                Ok(flow)
            }
            Op::Replay(start) => {
                let answer = journal.replay(*start);
                let wanted = model.check_start(*start);
                let flow = self.verdict(&answer.as_ref().map(|_| ()).map_err(Clone::clone), &wanted)?;
                if let Ok(reader) = answer {
                    let stream =
                        Stream { reader, next: *start, end: model.size(), cut: u64::MAX, over: false };
                    self.streams.push(stream);
                }
                Ok(flow)
            }
            _ => Err("not an operation of an open journal".into()),
        }
    }

    fn next(&mut self, stream: usize, limits: Limits) -> Result<Flow, String> {
        let Some(model) = self.history.now().cloned() else { return Ok(Flow::Done) };
        let Some(mut stream) = (stream < self.streams.len()).then(|| self.streams.swap_remove(stream)) else {
            return Ok(Flow::Done);
        };
        let answer = stream.reader.next(limits);
        let (next, end, cut) = (stream.next, stream.end, stream.cut);
        let flow = match answer {
            Ok(Some(batch)) if !stream.over && next < end.min(cut) && next >= model.boundary() => {
                model.check_batch(next, end.min(cut), limits, &batch)?;
                stream.next += unpack(&batch.ends, &batch.bytes).count() as u64;
                Ok(Flow::Done)
            }
            Ok(None) if stream.over || next >= end => Ok(Flow::Done),
            Err(Error::OutOfRange(_)) if next >= cut => {
                stream.over = true;
                Ok(Flow::Done)
            }
            Err(Error::Pruned(_)) if next < model.boundary() => {
                stream.over = true;
                Ok(Flow::Done)
            }
            Err(error) if self.excused(&error) => Ok(Flow::Failed(error)),
            other => Err(format!("stream at {next} of {end}, cut at {cut}, log {model:?}: got {other:?}")),
        };
        self.streams.push(stream);
        flow
    }
}
