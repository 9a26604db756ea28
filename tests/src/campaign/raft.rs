//! The Raft log under trial. Its oddities: entries that are overwritten in the middle, gaps, and a hard state that no
//! loss of entries may touch.

mod alphabet;
mod op;
mod scripts;
mod seen;

use super::draw::Draw;
use super::states::Scope;
use super::step::Step;
use super::trial::{Expected, LOG, Opening, Promise, Script, StepOf, Trial, Trouble};
use crate::cases::raft_contents;
use crate::raft::model::Model;
use crate::raft::{self, Options, RaftSubject, entry, options, pack};
use crate::subject::{SEGMENT, Subject, TicketSubject};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;
use op::Answer;

pub use op::Op;

/// The Raft log.
pub struct Raft;

/// How the Raft logs of a run are opened.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Whether indexes may be left out.
    pub gaps: bool,
    /// Whether entries are durable when the call that wrote them returns.
    pub synced: bool,
}

impl Shape {
    fn options(&self, mode: Mode) -> Options {
        Options {
            segment_bytes: Some(SEGMENT),
            sync_on_persist: self.synced,
            allow_gaps: self.gaps,
            ..options(mode)
        }
    }
}

/// An open Raft log, with a sync that may be under way.
pub struct Handle {
    // Dropped in this order.
    ticket: Option<Box<dyn TicketSubject>>,
    log: Box<dyn RaftSubject>,
    /// Whether it was opened to leave indexes out.
    gaps: bool,
}

impl Trial for Raft {
    type Shape = Shape;
    type Start = ();
    type Op = Op;
    type Model = Model;
    type Answer = Answer;
    type Handle = Handle;
    type Seen = seen::Seen;

    const USUAL: Shape = Shape { gaps: false, synced: false };

    fn draw_shape(draw: &mut Draw) -> Shape {
        Shape { gaps: draw.chance(40), synced: draw.chance(40) }
    }

    fn draw_start(_: &mut Draw, _: Option<&Model>) {}

    fn draw_step(draw: &mut Draw, model: &Model, handle: &Handle) -> StepOf<Self> {
        op::draw(draw, model, handle.gaps)
    }

    fn scripts() -> Vec<Script<Self>> {
        scripts::all()
    }

    fn at_rest() -> Vec<Script<Self>> {
        scripts::at_rest()
    }

    fn scopes() -> Vec<Scope<Self>> {
        alphabet::scopes()
    }

    fn id(model: &Model) -> u64 {
        model.id()
    }

    fn goes_on(model: &Model) -> Vec<Op> {
        let next = model.last_index() + 1;
        let entries = vec![entry(900, next, vec![7; 1500]), entry(900, next + 1, "more")];
        let state = raft::HardState { term: 900, vote: None, extra: vec![1; 20] };
        vec![Op::Persist(entries), Op::HardState(state), Op::Truncate(next + 1), Op::Sync]
    }

    fn fills() -> Vec<Op> {
        (1..60).map(|index| Op::Persist(vec![entry(1, index, vec![index as u8; 2000])])).collect()
    }

    fn opened(_: &Shape, (): &(), state: Option<&Model>) -> Result<Model, Error> {
        Ok(state.cloned().unwrap_or_default())
    }

    fn expect(shape: &Shape, model: &mut Model, op: &Op) -> Expected<Answer> {
        let written = if shape.synced { Promise::Durable } else { Promise::HandedOver };
        let right =
            |answer: Result<(), Error>, promise| Expected::new(answer.map(|()| Answer::Right), promise);
        let last = model.last_index();
        match op {
            Op::Persist(entries) | Op::Replace(_, entries) if entries.is_empty() => {
                let truncates = match op {
                    Op::Replace(first, _) => Some(*first),
                    _ => None,
                };
                let drops = truncates.is_some_and(|first| first <= last && last > 0);
                let answer = truncates.map_or(Ok(()), |first| model.truncate(first));
                right(answer, if drops { written } else { Promise::Nothing })
            }
            Op::Persist(entries) => right(model.persist(entries, shape.gaps), written),
            Op::Replace(first, entries) => right(model.replace_range(*first, entries, shape.gaps), written),
            Op::Truncate(first) => {
                let drops = *first <= last && last > 0;
                right(model.truncate(*first), if drops { written } else { Promise::Nothing })
            }
            Op::Purge(up_to) => {
                let moves = up_to.index >= model.bounds().start;
                right(model.purge(*up_to), if moves { Promise::Durable } else { Promise::Nothing })
            }
            Op::Reset => {
                model.reset();
                right(Ok(()), Promise::Durable)
            }
            Op::HardState(state) => right(model.save_hard_state(state), Promise::Durable),
            Op::Entry(index) => Expected::only(Ok(Answer::Entry(model.entry(*index)))),
            Op::Term(index) => Expected::only(Ok(Answer::Term(model.term_of(*index)))),
            Op::First => Expected::only(Ok(Answer::Term(model.first_index()))),
            Op::Range(first, last, limits) => {
                Expected::only(Ok(Answer::Entries(model.get_entries(*first, *last, *limits))))
            }
            Op::Flush => right(Ok(()), Promise::HandedOver),
            Op::Sync => right(Ok(()), Promise::Durable),
            Op::BeginSync => right(Ok(()), Promise::Begun),
            Op::WaitSync => right(Ok(()), Promise::Awaited),
        }
    }

    fn open(subject: &dyn Subject, opening: &Opening<'_, Self>) -> Result<Handle, Error> {
        let plain = || options(opening.mode);
        let options = opening.shape.map_or_else(plain, |shape| shape.options(opening.mode));
        let gaps = options.allow_gaps;
        let log = subject.open_raft(LOG, &Options { expect: opening.expect, ..options })?;
        Ok(Handle { ticket: None, log, gaps })
    }

    fn perform(
        _: &dyn Subject,
        handle: &mut Handle,
        _: &Model,
        op: &Op,
    ) -> Result<(Answer, Option<Token>), Trouble> {
        let log = &*handle.log;
        let done = |answer: Result<(), Error>| answer.map(|()| Answer::Right);
        let answer = match op {
            // Both forms of a batch, by turns.
            Op::Persist(entries) if entries.len().is_multiple_of(2) => done(log.persist(entries)),
            Op::Persist(entries) => done(log.persist_packed(&pack(entries))),
            Op::Replace(first, entries) if entries.len().is_multiple_of(2) => {
                done(log.replace_range(*first, entries))
            }
            Op::Replace(first, entries) => done(log.replace_range_packed(*first, &pack(entries))),
            Op::Truncate(first) => done(log.truncate(*first)),
            Op::Purge(up_to) => done(log.purge(*up_to)),
            Op::Reset => done(log.reset()),
            Op::HardState(state) => done(log.save_hard_state(state)),
            Op::Entry(index) => log.entry(*index).map(Answer::Entry),
            Op::Term(index) => log.term_of(*index).map(Answer::Term),
            Op::First => log.first_index().map(Answer::Term),
            Op::Range(first, last, limits) => log.get_entries(*first, *last, *limits).map(Answer::Entries),
            Op::Flush => done(log.flush()),
            Op::Sync => return Ok((Answer::Right, Some(log.sync()?))),
            Op::BeginSync => {
                handle.ticket = Some(log.begin_sync()?);
                Ok(Answer::Right)
            }
            Op::WaitSync => {
                let token = handle.ticket.take().map(|ticket| ticket.wait()).transpose()?;
                return Ok((Answer::Right, token));
            }
        };
        Ok((answer?, None))
    }

    fn close(handle: &mut Handle) -> Result<Option<Token>, Error> {
        handle.log.close().map(Some)
    }

    fn destroy(subject: &dyn Subject) -> Result<(), Error> {
        subject.destroy_raft(LOG)
    }

    fn getters(handle: &Handle, model: &Model) -> Result<(), String> {
        let log = &handle.log;
        let got = (log.last_index(), log.purge_boundary(), log.load_hard_state());
        if got == (Ok(model.last_index()), Ok(model.boundary()), Ok(model.hard().cloned())) {
            Ok(())
        } else {
            Err(format!("last index, boundary and hard state are {got:?} instead of {model:?}"))
        }
    }

    fn is_open(handle: &Handle) -> Result<bool, Error> {
        match handle.log.last_index() {
            Ok(_) => Ok(true),
            Err(Error::Closed) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn contents(_: &Shape, handle: &Handle) -> Result<Model, String> {
        raft_contents(&*handle.log)
    }

    fn read(handle: &Handle) -> Result<seen::Seen, String> {
        seen::read(&*handle.log)
    }

    fn only_reads(op: &Op) -> bool {
        matches!(op, Op::Entry(_) | Op::Term(_) | Op::First | Op::Range(..))
    }

    fn differs_by_damage(got: &Answer, wanted: &Answer) -> bool {
        // Entries end before one that is damaged; who goes on behind them is told.
        let (Answer::Entries(got), Answer::Entries(wanted)) = (got, wanted) else { return false };
        !got.indexes.is_empty()
            && wanted.indexes.starts_with(&got.indexes)
            && wanted.terms.starts_with(&got.terms)
            && wanted.ends.starts_with(&got.ends)
            && wanted.bytes.starts_with(&got.bytes)
    }

    fn claims_space_first(op: &Op) -> bool {
        matches!(op, Op::Persist(_) | Op::Replace(..) | Op::Truncate(_) | Op::Purge(_) | Op::HardState(_))
    }

    fn poke(subject: &dyn Subject, handle: &mut Handle, model: &Model, op: &Op) {
        match op {
            Op::BeginSync | Op::WaitSync => {
                drop(handle.log.begin_sync().map(|ticket| (ticket.poll(), ticket.wait())));
            }
            _ => drop(Self::perform(subject, handle, model, op)),
        }
    }
}
