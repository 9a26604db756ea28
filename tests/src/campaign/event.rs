//! The event log under trial. Its oddities: late ids, retries, ranges that stay deleted, three policies, files that are
//! rotated, and the same in shared mode with one or several handles.

mod alphabet;
mod handle;
mod op;
mod scripts;
mod seen;

use super::draw::{Draw, item};
use super::states::Scope;
use super::step::Step;
use super::trial::{Expected, LOG, Opening, Promise, Script, StepOf, Trial, Trouble};
use crate::event::model::Model;
use crate::event::subject::{Options, Outcome, Policy};
use crate::subject::{ALL, Subject};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;
use handle::Handle;
use op::Answer;

pub use op::{Op, Shape};

/// The event log.
pub struct EventLog;

impl Trial for EventLog {
    type Shape = Shape;
    type Start = ();
    type Op = Op;
    type Model = Model;
    type Answer = Answer;
    type Handle = Handle;
    type Seen = seen::Seen;

    const USUAL: Shape = Shape { policy: Policy::Flushed, handles: 0 };

    fn draw_shape(draw: &mut Draw) -> Shape {
        let policy = draw.one_of(&[Policy::Buffered, Policy::Flushed, Policy::Synced]);
        let handles = if policy == Policy::Buffered { 0 } else { draw.one_of(&[0, 0, 1, 2, 3]) };
        Shape { policy, handles }
    }

    fn draw_start(_: &mut Draw, _: Option<&Model>) {}

    fn draw_step(draw: &mut Draw, model: &Model, handle: &Handle) -> StepOf<Self> {
        op::draw(draw, model, handle.streams())
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
        let next = model.next();
        vec![
            Op::Append(next, item(900_001, 20)),
            Op::Append(next + 2, item(900_002, 1500)),
            Op::Append(next + 1, item(900_003, 30)),
            Op::Batch(next, vec![item(900_001, 20), item(900_003, 30)]),
            Op::Sync,
        ]
    }

    fn fills() -> Vec<Op> {
        let batch = |number| Op::Batch(number * 2, vec![item(number, 2000)]);
        (0..60)
            .map(batch)
            .chain((0..20).map(|number| Op::Append(number * 2 + 1, item(100 + number, 50))))
            .collect()
    }

    fn opened(_: &Shape, (): &(), state: Option<&Model>) -> Result<Model, Error> {
        Ok(state.cloned().unwrap_or_else(Model::new))
    }

    fn expect(shape: &Shape, model: &mut Model, op: &Op) -> Expected<Answer> {
        let durable = shape.policy == Policy::Synced;
        let handed = if durable { Promise::Durable } else { Promise::HandedOver };
        match op {
            Op::Append(id, event) => {
                let waits = shape.policy == Policy::Buffered && *id >= model.next();
                let answer = model.append(*id, event);
                let late = shape.policy == Policy::Buffered && answer == Ok(Outcome::Duplicate);
                let promise = if waits || late { Promise::Nothing } else { handed };
                Expected::new(answer.map(Answer::Outcome), promise)
            }
            Op::Batch(first, events) => {
                let events: Vec<&[u8]> = events.iter().map(|event| &**event).collect();
                Expected::new(model.append_batch(*first, &events).map(Answer::Outcome), handed)
            }
            Op::Delete(first, last) => {
                let nothing = model.nothing_to_delete(*first, *last);
                let count = model.delete_range(*first, *last);
                let promise = if nothing { Promise::Nothing } else { Promise::Durable };
                Expected::new(Ok(Answer::Count(count)), promise)
            }
            Op::Get(id) => Expected::only(Ok(Answer::Event(model.get(*id).map(|event| event.to_vec())))),
            Op::Iterate(..) | Op::Next(..) | Op::Stats => Expected::only(Ok(Answer::Right)),
            // A file in which nothing is may be refused: then nothing waits any more, either.
            Op::Rotate | Op::Flush => Expected::new(Ok(Answer::Right), Promise::HandedOver),
            Op::Sync => Expected::new(Ok(Answer::Right), Promise::Durable),
            Op::BeginSync => Expected::new(Ok(Answer::Right), Promise::Begun),
            Op::WaitSync => Expected::new(Ok(Answer::Right), Promise::Awaited),
        }
    }

    fn open(subject: &dyn Subject, opening: &Opening<'_, Self>) -> Result<Handle, Error> {
        let shape = opening.shape.copied().unwrap_or(Self::USUAL);
        let first = shape.options(opening.mode, opening.shape.is_some(), opening.expect);
        let mut logs = vec![subject.events().open(LOG, &first)?];
        for _ in 1..shape.handles {
            logs.push(subject.events().open(LOG, &Options { mode: Mode::Open, ..first.clone() })?);
        }
        Ok(Handle::new(logs))
    }

    fn perform(
        _: &dyn Subject,
        handle: &mut Handle,
        model: &Model,
        op: &Op,
    ) -> Result<(Answer, Option<Token>), Trouble> {
        handle.perform(model, op)
    }

    fn close(handle: &mut Handle) -> Result<Option<Token>, Error> {
        handle.close().map(Some)
    }

    fn destroy(subject: &dyn Subject) -> Result<(), Error> {
        subject.events().destroy(LOG)
    }

    fn getters(handle: &Handle, model: &Model) -> Result<(), String> {
        for log in handle.logs() {
            let got = (log.next_event_id(), log.oldest_event_id(), log.newest_event_id());
            // In shared mode they read storage, which may fail.
            let right = may_fail(&got.0, model.next())
                && may_fail(&got.1, model.oldest())
                && may_fail(&got.2, model.newest());
            if !right {
                return Err(format!("next, oldest, newest are {got:?} instead of {model:?}"));
            }
        }
        Ok(())
    }

    fn is_open(handle: &Handle) -> Result<bool, Error> {
        match handle.log().next_event_id() {
            Ok(_) => Ok(true),
            Err(Error::Closed) => Ok(false),
            Err(Error::Storage(_) | Error::OutOfSpace) => Ok(true),
            Err(other) => Err(other),
        }
    }

    fn contents(_: &Shape, handle: &Handle) -> Result<Model, String> {
        handle::contents(handle.log())
    }

    fn read(handle: &Handle) -> Result<seen::Seen, String> {
        seen::read(handle.log())
    }

    fn only_reads(op: &Op) -> bool {
        matches!(op, Op::Get(_) | Op::Iterate(..) | Op::Next(..) | Op::Stats)
    }

    fn differs_by_damage(got: &Answer, wanted: &Answer) -> bool {
        // Damaged events are deleted and not counted.
        matches!((got, wanted), (Answer::Count(got), Answer::Count(wanted)) if got < wanted)
    }

    fn is_shared(shape: &Shape) -> bool {
        shape.handles > 0
    }

    fn claims_space_first(op: &Op) -> bool {
        matches!(op, Op::Append(..) | Op::Batch(..))
    }

    fn poke(_: &dyn Subject, handle: &mut Handle, model: &Model, op: &Op) {
        match op {
            Op::Iterate(start, end) => {
                if let Ok(reader) = handle.log().iterate(*start, *end) {
                    let _ = (0..100).try_for_each(|_| reader.next(ALL).map(|_| ()));
                }
            }
            Op::BeginSync | Op::WaitSync => {
                drop(handle.log().begin_sync().map(|ticket| (ticket.poll(), ticket.wait())));
            }
            _ => drop(handle.perform(model, op)),
        }
    }
}

fn may_fail<T: PartialEq>(got: &Result<T, Error>, right: T) -> bool {
    match got {
        Ok(got) => *got == right,
        Err(error) => matches!(error, Error::Storage(_) | Error::OutOfSpace),
    }
}
