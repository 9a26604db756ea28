//! What is done to a change log and to the clock, one operation at a time, and what each answers.

use super::state::{IDS, NAMES};
use super::{Draw, Shape, Start, State, Step};
use crate::change_log::model::Key;
use crate::change_log::{Change, InstanceState};
use annals_logs::types::Limits;

/// After this long without a heartbeat an instance is taken for dead, mostly.
const STALE: u64 = 60_000;

/// One operation, mostly of the instance named first.
#[derive(Clone)]
#[allow(missing_docs)] // named after the calls of the change log
pub enum Op {
    /// One more instance opens the log.
    Join(&'static str),
    /// It closes it.
    Leave(&'static str),
    /// It is dropped.
    Die(&'static str),
    Record(&'static str, u8, Change),
    Remove(&'static str, Key),
    Get(&'static str, Key),
    /// Reads everything; deferred changes too, if so.
    Scan(&'static str, bool),
    /// Begins to read everything.
    Begin(&'static str, bool),
    /// Reads on what was begun first.
    Next(Limits),
    Beat(&'static str),
    Recover(&'static str, u64),
    Discard(&'static str, &'static str),
    Instances,
    /// The clock is set.
    Clock(u64),
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Join(name) => write!(f, "{name} joins"),
            Op::Leave(name) => write!(f, "{name} leaves"),
            Op::Die(name) => write!(f, "{name} dies"),
            Op::Record(name, id, change) => {
                let after = change.cleanup_after_ms;
                write!(f, "{name} records {id}: {} bytes, after {after:?}", change.payload.len())
            }
            Op::Remove(name, (origin, id)) => write!(f, "{name} removes {origin}/{id:?}"),
            Op::Get(name, (origin, id)) => write!(f, "{name} gets {origin}/{id:?}"),
            Op::Scan(name, deferred) => write!(f, "{name} scans, deferred too: {deferred}"),
            Op::Begin(name, deferred) => write!(f, "{name} begins a scan, deferred too: {deferred}"),
            Op::Next(limits) => write!(f, "next of a scan, {limits:?}"),
            Op::Beat(name) => write!(f, "{name}: heartbeat"),
            Op::Recover(name, stale) => write!(f, "{name} recovers, stale after {stale}"),
            Op::Discard(name, other) => write!(f, "{name} discards {other}"),
            Op::Instances => f.write_str("instances"),
            Op::Clock(now) => write!(f, "clock {now}"),
        }
    }
}

/// What an operation answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// What it should; nothing was to be made durable.
    Right,
    /// It is done.
    Done,
    /// Whether it was there.
    Was(bool),
    /// A change.
    Change(Option<Change>),
    /// All changes.
    Changes(Vec<(Key, Change)>),
    /// From whom changes were taken over.
    TakenOver(Vec<String>),
    /// Names and epochs, states and heartbeats.
    Instances(Vec<(String, u64, InstanceState, u64)>),
    /// Another instance had declared this one dead.
    Fenced,
    /// An instance of this name is open.
    Locked,
    /// The instance is not open.
    Absent,
}

impl Answer {
    /// Whether everything is durable that was done before.
    pub(super) fn promises(&self) -> bool {
        matches!(self, Answer::Done | Answer::Was(_) | Answer::TakenOver(_))
    }
}

/// What the operation answers, and what it makes of the state.
pub(super) fn answer(shape: &Shape, state: &mut State, op: &Op) -> Answer {
    match op {
        Op::Clock(now) => {
            state.now = *now;
            Answer::Right
        }
        Op::Next(_) => Answer::Right,
        Op::Instances => Answer::Instances(
            (state.log.glance().into_iter())
                .map(|((name, epoch), closed, beat)| {
                    (name, epoch, if closed { InstanceState::Closed } else { InstanceState::Live }, beat)
                })
                .collect(),
        ),
        Op::Join(name) if state.open.contains_key(name) => Answer::Locked,
        Op::Join(name) => {
            state.join(name);
            Answer::Done
        }
        Op::Leave(name)
        | Op::Die(name)
        | Op::Record(name, ..)
        | Op::Remove(name, _)
        | Op::Get(name, _)
        | Op::Scan(name, _)
        | Op::Begin(name, _)
        | Op::Beat(name)
        | Op::Recover(name, _)
        | Op::Discard(name, _) => of(shape, state, name, op),
    }
}

/// The same for an operation of this instance.
fn of(shape: &Shape, state: &mut State, name: &'static str, op: &Op) -> Answer {
    let Some(id) = state.open.get(name).cloned() else { return Answer::Absent };
    let there = state.log.is_there(&id);
    let now = state.now;
    match op {
        Op::Die(_) => {
            state.open.remove(name);
            return Answer::Right;
        }
        Op::Begin(..) => return Answer::Right,
        // Who has not heard yet that it is fenced shows what it had.
        Op::Get(..) | Op::Scan(..) if !there => return Answer::Right,
        Op::Get(_, key) => {
            return Answer::Change(state.log.change(&id, key).map(|change| (**change).clone()));
        }
        Op::Scan(_, deferred) => return Answer::Changes(state.shown(name, *deferred)),
        _ if !there => {
            state.open.remove(name);
            return Answer::Fenced;
        }
        _ => {}
    }
    if !matches!(op, Op::Leave(_)) {
        state.log.touch(&id, now, shape.heartbeat_ms.into());
    }
    match op {
        Op::Leave(_) => {
            state.open.remove(name);
            state.log.close(&id);
            Answer::Done
        }
        Op::Record(_, number, change) => {
            state.record(&id, &[*number], change);
            Answer::Done
        }
        Op::Remove(_, key) => Answer::Was(state.log.remove(&id, key).unwrap_or(false)),
        Op::Beat(_) => {
            state.log.beat(&id, now);
            Answer::Done
        }
        Op::Recover(_, stale) => Answer::TakenOver(state.log.recover(&id, now, *stale).unwrap_or_default()),
        // Nothing is damaged.
        _ => Answer::Was(false),
    }
}

/// Draws a step for a log with so many scans under way.
pub(super) fn draw(draw: &mut Draw, model: &State, streams: usize) -> Step<Start, Op> {
    let open: Vec<&'static str> = model.open.keys().copied().collect();
    let any = draw.one_of(&NAMES);
    let name = if open.is_empty() || draw.chance(3) { any } else { draw.one_of(&open) };
    Step::Do(match draw.below(100) {
        0..10 => Op::Join(any),
        10..38 => Op::Record(name, draw.below(IDS.into()) as u8, change(draw, model)),
        38..52 => Op::Remove(name, key(draw, model, name)),
        52..56 => Op::Beat(name),
        56..66 => Op::Recover(name, if draw.chance(30) { 0 } else { STALE }),
        66..70 => Op::Get(name, key(draw, model, name)),
        70..76 => Op::Scan(name, draw.chance(70)),
        76..79 => Op::Begin(name, draw.chance(70)),
        79..84 if streams > 0 => Op::Next(Limits {
            count: draw.one_of(&[0, 1, 2, 5, u32::MAX]),
            bytes: draw.one_of(&[0, 100, 3000, u32::MAX]),
        }),
        79..86 => Op::Instances,
        86..91 if draw.chance(10) => Op::Clock(draw.number()),
        86..91 => Op::Clock(model.now.saturating_add(draw.below(STALE))),
        91..94 => Op::Leave(name),
        94..96 => Op::Die(name),
        96 => Op::Discard(name, any),
        97 => return Step::Close,
        _ => return Step::Drop,
    })
}

fn change(draw: &mut Draw, model: &State) -> Change {
    let now = model.now;
    let later = [now.saturating_sub(1), now, now.saturating_add(1), now.saturating_add(STALE), u64::MAX];
    let cleanup_after_ms = draw.chance(30).then(|| draw.one_of(&later));
    Change { payload: draw.item().to_vec(), cleanup_after_ms }
}

/// Mostly a change that the instance holds.
fn key(draw: &mut Draw, model: &State, name: &str) -> Key {
    let held = model.shown(name, true);
    if draw.chance(70) && !held.is_empty() {
        return held[draw.below(held.len() as u64) as usize].0.clone();
    }
    (draw.one_of(&NAMES).to_string(), vec![draw.below(IDS.into()) as u8])
}
