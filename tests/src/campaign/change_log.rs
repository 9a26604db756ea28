//! The change log under trial. Its oddities: several instances at once, each with changes of its own; who is dead is
//! decided by a clock, which is a part of the model; who is fenced finds out later.
//!
//! A crash may leave any instance half way through taking over another one, so two states are the same if the same is
//! outstanding in them, whoever holds it: what everybody finds who comes afterwards. Who holds what is compared while
//! the log runs. Opened after a crash, or in tampered storage, the log is opened as one more instance, which takes over
//! from all others and then holds everything.

mod alphabet;
mod handle;
mod op;
mod scripts;
mod seen;
mod state;

use super::draw::Draw;
use super::draw::item;
use super::states::Scope;
use super::step::Step;
use super::trial::{Expected, LOG, Opening, Promise, Script, StepOf, Trial, Trouble, id_of};
use crate::change_log::model::Key;
use crate::change_log::{Change, InstanceState, Options};
use crate::subject::Subject;
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;
use op::Answer;

pub use handle::Handle;
pub use op::Op;
pub use state::{Shape, Start, State};

/// The change log.
pub struct ChangeLog;

impl Trial for ChangeLog {
    type Shape = Shape;
    type Start = Start;
    type Op = Op;
    type Model = State;
    type Answer = Answer;
    type Handle = Handle;
    type Seen = seen::Seen;

    const USUAL: Shape = Shape { heartbeat_ms: 30_000 };
    const TOKENS_COVER_ALL: bool = false;

    fn draw_shape(draw: &mut Draw) -> Shape {
        Shape { heartbeat_ms: draw.one_of(&[1, 1000, 30_000, 30_000]) }
    }

    fn draw_start(draw: &mut Draw, model: Option<&State>) -> Start {
        let begun = Start::default().now;
        Start { name: draw.one_of(&state::NAMES), now: model.map_or(begun, |model| model.now) }
    }

    fn draw_step(draw: &mut Draw, model: &State, handle: &Handle) -> StepOf<Self> {
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

    fn id(model: &State) -> u64 {
        let outstanding = model.log.outstanding();
        let one =
            |(key, change): (_, &std::rc::Rc<Change>)| id_of((key, &change.payload, change.cleanup_after_ms));
        id_of(outstanding.into_iter().map(one).collect::<Vec<u64>>())
    }

    /// Whoever opens it is an instance with files of its own.
    const STABLE: bool = false;

    fn goes_on(model: &State) -> Vec<Op> {
        let change = |number, len| Change { payload: item(number, len).to_vec(), cleanup_after_ms: None };
        let mut ops =
            vec![Op::Record("z", 1, change(900_001, 20)), Op::Record("z", 2, change(900_002, 1500))];
        ops.extend(model.log.outstanding().keys().next().map(|key| Op::Remove("z", (*key).clone())));
        ops.extend([
            Op::Join("b"),
            Op::Record("b", 1, change(900_003, 700)),
            Op::Record("z", 1, change(900_004, 30)),
            Op::Leave("b"),
            Op::Scan("z", true),
            Op::Recover("z", 0),
            Op::Join("c"),
            Op::Record("c", 3, change(900_005, 30)),
            Op::Leave("c"),
        ]);
        ops
    }

    fn fills() -> Vec<Op> {
        let change = |number| Change { payload: item(number, 3000).to_vec(), cleanup_after_ms: None };
        let mut ops = vec![Op::Join("b")];
        ops.extend((0..60).map(|n| Op::Record(["a", "b"][n as usize % 2], (n % 7) as u8, change(n))));
        ops
    }

    fn opened(_: &Shape, start: &Start, state: Option<&State>) -> Result<State, Error> {
        let mut state = state.cloned().unwrap_or_default();
        state.now = start.now;
        state.join(start.name);
        Ok(state)
    }

    fn left(state: &mut State, closed: bool) {
        for id in std::mem::take(&mut state.open).values() {
            if closed {
                state.log.close(id);
            }
        }
    }

    fn expect(shape: &Shape, state: &mut State, op: &Op) -> Expected<Answer> {
        let answer = op::answer(shape, state, op);
        let durable = answer.promises();
        Expected::new(Ok(answer), if durable { Promise::Durable } else { Promise::Nothing })
    }

    fn open(subject: &dyn Subject, opening: &Opening<'_, Self>) -> Result<Handle, Error> {
        match opening.mode {
            Mode::ReadOnly => Handle::looking(subject, opening.expect),
            Mode::Open => Handle::taking_over(subject, opening.expect),
            Mode::OpenOrCreate | Mode::Create => {
                let shape = opening.shape.copied().unwrap_or(Self::USUAL);
                subject.disk().set_now_ms(opening.start.now);
                let options =
                    Options { mode: opening.mode, ..shape.options(opening.start.name, opening.expect) };
                Handle::joined(subject, shape, opening.start.name, &options)
            }
        }
    }

    fn perform(
        subject: &dyn Subject,
        handle: &mut Handle,
        model: &State,
        op: &Op,
    ) -> Result<(Answer, Option<Token>), Trouble> {
        handle.perform(subject, model, op)
    }

    fn close(handle: &mut Handle) -> Result<Option<Token>, Error> {
        handle.close()
    }

    fn destroy(subject: &dyn Subject) -> Result<(), Error> {
        subject.destroy_change_log(LOG)
    }

    fn getters(handle: &Handle, model: &State) -> Result<(), String> {
        handle.names(model)
    }

    fn is_open(handle: &Handle) -> Result<bool, Error> {
        handle.is_open()
    }

    fn contents(_: &Shape, handle: &Handle) -> Result<State, String> {
        handle.contents()
    }

    fn read(handle: &Handle) -> Result<seen::Seen, String> {
        seen::read(handle)
    }

    fn only_reads(op: &Op) -> bool {
        matches!(op, Op::Get(..) | Op::Scan(..) | Op::Begin(..) | Op::Next(_) | Op::Instances)
    }

    fn marks_damage() -> bool {
        true
    }

    /// Changes of a damaged instance are not taken over; it is kept, and shown as damaged.
    fn differs_by_damage(got: &Answer, wanted: &Answer) -> bool {
        match (got, wanted) {
            (Answer::Instances(_), Answer::Instances(_)) | (Answer::Fenced, _) => true,
            (Answer::Changes(got), Answer::Changes(wanted)) => got.iter().all(|one| wanted.contains(one)),
            (Answer::Was(got), Answer::Was(wanted)) => !got && *wanted,
            (Answer::Change(got), Answer::Change(_)) => got.is_none(),
            (Answer::TakenOver(_), Answer::TakenOver(_)) => true,
            _ => false,
        }
    }

    fn differs_by_clock(got: &Answer, wanted: &Answer) -> bool {
        match (got, wanted) {
            (Answer::Instances(got), Answer::Instances(wanted)) => {
                let who = |all: &[(String, u64, InstanceState, u64)]| -> Vec<_> {
                    all.iter().map(|(name, epoch, ..)| (name.clone(), *epoch)).collect()
                };
                who(got) == who(wanted)
            }
            // Deferred changes are shown sooner or later.
            (Answer::Changes(got), Answer::Changes(wanted)) => {
                let deferred = |one: &(Key, Change)| one.1.cleanup_after_ms.is_some();
                got.iter().filter(|one| !wanted.contains(one)).all(deferred)
                    && wanted.iter().filter(|one| !got.contains(one)).all(deferred)
            }
            // Who is dead is a matter of time.
            (Answer::TakenOver(_) | Answer::Fenced | Answer::Locked, _) => true,
            (_, Answer::TakenOver(_) | Answer::Fenced | Answer::Locked) => true,
            _ => false,
        }
    }

    fn is_shared(_: &Shape) -> bool {
        true
    }

    /// What fails may be done all the same: the last thing that an operation does is to look at a cell.
    fn claims_space_first(_: &Op) -> bool {
        false
    }

    fn same(found: &State, wanted: &State) -> Result<(), String> {
        let (found, wanted) = (found.log.outstanding(), wanted.log.outstanding());
        if found == wanted {
            return Ok(());
        }
        Err(format!("{} is outstanding, not {}", state::list(&found), state::list(&wanted)))
    }
}
