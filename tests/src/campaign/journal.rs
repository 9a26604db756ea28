//! The journal under trial. Its oddities: appends that wait in memory, sections that sync as they fill, replays that go
//! on beside rewinds and prunes, and syncs that take their time.

mod alphabet;
mod handle;
mod op;
mod scripts;
mod seen;

use super::draw::{Draw, item};
use super::states::Scope;
use super::step::Step;
use super::trial::{Expected, LOG, Opening, Promise, Script, StepOf, Trial, Trouble, id_of};
use crate::cases::{contents, same_contents};
use crate::model::Model;
use crate::subject::{ALL, Subject, options};
use annals_logs::error::{Error, Token};
use handle::Handle;
use op::Answer;

pub use op::{Op, Shape};

/// The journal.
pub struct Journal;

impl Trial for Journal {
    type Shape = Shape;
    /// Start-at.
    type Start = Option<u64>;
    type Op = Op;
    type Model = Model;
    type Answer = Answer;
    type Handle = Handle;
    type Seen = seen::Seen;

    const USUAL: Shape = Shape { items_per_section: 10, sync_sections: true, write_buffer: 64 << 10 };

    fn draw_shape(draw: &mut Draw) -> Shape {
        Shape {
            items_per_section: draw.one_of(&[1, 3, 10, 10, 1000]),
            sync_sections: draw.chance(70),
            write_buffer: draw.one_of(&[0, 100, 64 << 10]),
        }
    }

    fn draw_start(draw: &mut Draw, model: Option<&Model>) -> Option<u64> {
        (model.is_none() && draw.chance(20)).then(|| draw.below(50))
    }

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
        id_of(model)
    }

    fn goes_on(_: &Model) -> Vec<Op> {
        vec![Op::Append(item(900_001, 20)), Op::Append(item(900_002, 1500)), Op::SyncData]
    }

    fn fills() -> Vec<Op> {
        (0..60).map(|number| Op::Batch(vec![item(number, 2000)])).collect()
    }

    fn opened(shape: &Shape, start: &Option<u64>, state: Option<&Model>) -> Result<Model, Error> {
        let Some(state) = state else {
            return Ok(Model::new(shape.items_per_section, start.unwrap_or(0)));
        };
        let mut model = state.clone();
        if let Some(start) = start {
            model.start_at(*start)?;
        }
        Ok(model)
    }

    fn expect(shape: &Shape, model: &mut Model, op: &Op) -> Expected<Answer> {
        let size = model.size();
        let grown = |model: &Model, otherwise| {
            if shape.sync_sections && model.filled_section(size) { Promise::Durable } else { otherwise }
        };
        match op {
            Op::Append(item) => {
                let answer = model.append(item).map(Answer::Position);
                Expected::new(answer, grown(model, Promise::Nothing))
            }
            Op::Batch(items) => {
                let items: Vec<&[u8]> = items.iter().map(|item| &**item).collect();
                let answer = model.append_batch(&items).map(Answer::Position);
                Expected::new(answer, grown(model, Promise::HandedOver))
            }
            Op::Prune(min) => {
                let moves = model.prune(*min);
                let promise = if moves { Promise::Durable } else { Promise::Nothing };
                Expected::new(Ok(Answer::Moved(moves)), promise)
            }
            Op::Rewind(to) => {
                let answer = model.rewind(*to).map(|()| Answer::Right);
                let promise = if model.size() < size { Promise::HandedOver } else { Promise::Nothing };
                Expected::new(answer, promise)
            }
            Op::Read(position) => {
                Expected::only(model.read(*position).map(|item| Answer::Item(item.to_vec())))
            }
            Op::ReadMany(positions, _) => {
                let refused = positions.iter().find_map(|position| model.read(*position).err());
                Expected::only(refused.map_or(Ok(Answer::Right), Err))
            }
            Op::Range(start, _) | Op::Replay(start) => {
                Expected::only(model.check_start(*start).map(|()| Answer::Right))
            }
            Op::Next(..) => Expected::only(Ok(Answer::Right)),
            Op::Flush => Expected::new(Ok(Answer::Right), Promise::HandedOver),
            Op::SyncData | Op::Sync => Expected::new(Ok(Answer::Right), Promise::Durable),
            Op::BeginSync => Expected::new(Ok(Answer::Right), Promise::Begun),
            Op::WaitSync => Expected::new(Ok(Answer::Right), Promise::Awaited),
        }
    }

    fn open(subject: &dyn Subject, opening: &Opening<'_, Self>) -> Result<Handle, Error> {
        let mut options = match opening.shape {
            Some(shape) => shape.options(opening.mode),
            None => options(opening.mode),
        };
        options.start_at = opening.start;
        options.expect = opening.expect;
        subject.open(LOG, &options).map(Handle::new)
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
        handle.journal.close().map(Some)
    }

    fn destroy(subject: &dyn Subject) -> Result<(), Error> {
        subject.destroy(LOG)
    }

    fn getters(handle: &Handle, model: &Model) -> Result<(), String> {
        let got = (handle.journal.boundary(), handle.journal.size());
        if got == (Ok(model.boundary()), Ok(model.size())) {
            Ok(())
        } else {
            Err(format!("boundary and size are {got:?} instead of {model:?}"))
        }
    }

    fn is_open(handle: &Handle) -> Result<bool, Error> {
        match handle.journal.size() {
            Ok(_) => Ok(true),
            Err(Error::Closed) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn contents(shape: &Shape, handle: &Handle) -> Result<Model, String> {
        Ok(contents(&*handle.journal)?.with_section(shape.items_per_section))
    }

    fn read(handle: &Handle) -> Result<seen::Seen, String> {
        seen::read(&*handle.journal)
    }

    fn only_reads(op: &Op) -> bool {
        matches!(op, Op::Read(_) | Op::ReadMany(..) | Op::Range(..) | Op::Replay(_) | Op::Next(..))
    }

    fn claims_space_first(op: &Op) -> bool {
        matches!(op, Op::Append(_) | Op::Batch(_))
    }

    fn same(found: &Model, wanted: &Model) -> Result<(), String> {
        same_contents(found, wanted)
    }

    fn poke(_: &dyn Subject, handle: &mut Handle, model: &Model, op: &Op) {
        match op {
            Op::Replay(start) => {
                if let Ok(reader) = handle.journal.replay(*start) {
                    let _ = (0..100).try_for_each(|_| reader.next(ALL).map(|_| ()));
                }
            }
            Op::BeginSync | Op::WaitSync => {
                drop(handle.journal.begin_sync().map(|ticket| (ticket.poll(), ticket.wait())));
            }
            _ => drop(handle.perform(model, op)),
        }
    }
}
