//! The naive change log of a trial: who holds what, the clock, and who is open.

use crate::campaign::trial::id_of;
use crate::change_log::model::{Id, Key, Model};
use crate::change_log::{Change, Options, named};
use annals_logs::error::Token;
use annals_logs::types::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Names of instances. The last one takes over after crashes.
pub(super) const NAMES: [&str; 4] = ["a", "b", "c", RECOVERER];
/// Who takes over after crashes.
pub(super) const RECOVERER: &str = "z";
/// Ids that each of them gives out.
pub(super) const IDS: u8 = 6;

/// How the instances of a run are opened.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How often each shows that it is alive.
    pub heartbeat_ms: u32,
}

impl Shape {
    pub(super) fn options(&self, name: &str, expect: Option<Token>) -> Options {
        Options { heartbeat_ms: Some(self.heartbeat_ms), expect, ..named(Mode::OpenOrCreate, name) }
    }
}

/// Who opens the log first, and what the clock shows then.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its name.
    pub name: &'static str,
    /// Unix time in milliseconds.
    pub now: u64,
}

impl Default for Start {
    fn default() -> Self {
        Start { name: "a", now: 1_700_000_000_000 }
    }
}

/// The state of a change log and of those who use it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Who holds what.
    pub(super) log: Model,
    /// The clock.
    pub(super) now: u64,
    /// Who is open, and has not heard yet that it is fenced.
    pub(super) open: BTreeMap<&'static str, Id>,
    /// Everything that was ever recorded: what damage may bring back.
    past: BTreeSet<(Key, u64)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", list(&self.log.outstanding()))
    }
}

/// Changes in a few words.
pub(super) fn list(changes: &BTreeMap<&Key, &Rc<Change>>) -> String {
    let one = |((origin, id), change): (&&Key, &&Rc<Change>)| {
        let start = String::from_utf8_lossy(&change.payload[..change.payload.len().min(8)]).into_owned();
        format!("{origin}/{id:?}={start}({})", change.payload.len())
    };
    changes.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn digest(change: &Change) -> u64 {
    id_of((&change.payload, change.cleanup_after_ms))
}

impl State {
    /// What was found in a log: nobody knows who holds it.
    pub(super) fn found(id: Id, beat_ms: u64, now: u64, changes: Vec<(Key, Change)>) -> State {
        let past = changes.iter().map(|(key, change)| (key.clone(), digest(change))).collect();
        let open = BTreeMap::from([(RECOVERER, id.clone())]);
        State { log: Model::taken_over(id, beat_ms, changes), now, open, past }
    }

    /// Somebody opens the log under this name, which nobody has open.
    pub(super) fn join(&mut self, name: &'static str) {
        let id = self.log.open(name, self.now);
        self.open.insert(name, id);
    }

    /// Whether this instance is open and nobody has taken over from it.
    pub(super) fn is_there(&self, name: &str) -> bool {
        self.open.get(name).is_some_and(|id| self.log.is_there(id))
    }

    pub(super) fn record(&mut self, id: &Id, key: &[u8], change: &Change) -> bool {
        let done = self.log.record(id, key, change);
        if done {
            self.past.insert(((id.0.clone(), key.to_vec()), digest(change)));
        }
        done
    }

    /// Whether the change was ever recorded.
    pub(super) fn once(&self, key: &Key, change: &Change) -> bool {
        self.past.contains(&(key.clone(), digest(change)))
    }

    /// What the instance shows in a scan.
    pub(super) fn shown(&self, name: &str, include_deferred: bool) -> Vec<(Key, Change)> {
        let mut held = self.open.get(name).map(|id| self.log.held(id)).unwrap_or_default();
        held.retain(|(_, c)| include_deferred || c.cleanup_after_ms.is_none_or(|after| after <= self.now));
        held
    }
}
