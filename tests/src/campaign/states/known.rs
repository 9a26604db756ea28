//! What is known of a log at a moment: which states a crash may leave, with a number for each.

use super::memo::mix;
use crate::campaign::history::History;
use crate::campaign::trial::Trial;

/// What a crash may leave.
pub(super) struct Known<T: Trial> {
    pub(super) history: History<T>,
    /// A number that tells each state of the history from others.
    ids: Vec<u64>,
    /// Numbers of states from before that.
    older: Vec<u64>,
    token: u64,
}

impl<T: Trial> Known<T> {
    /// What this history says; `ids` are the numbers of its first states, and are completed.
    pub(super) fn new(history: History<T>, ids: &mut Vec<u64>) -> Self {
        let id = |state: &Option<T::Model>| state.as_ref().map_or(0, |state| T::id(state).max(1));
        let more = history.states().iter().skip(ids.len()).map(id);
        ids.extend(more);
        let ids = ids.clone();
        let token = history.tokens().last().map_or(0, |token| mix(token.frame, token.check as u64));
        Self { history, ids, older: Vec::new(), token }
    }

    /// Only this, which is one of its states: it was reported.
    pub(super) fn reported(&self, found: Option<T::Model>, id: u64) -> Self {
        let mut history = History::new(found);
        self.history.tokens().last().into_iter().for_each(|token| history.promise(*token, 0));
        let older = self.older.iter().chain(&self.ids).copied().take_while(|other| *other != id).collect();
        Self { history, ids: vec![id], older, token: self.token }
    }

    /// Whether this is a state from before what was acknowledged or reported.
    pub(super) fn is_older(&self, power: bool, found: Option<&T::Model>) -> bool {
        let id = found.map_or(0, |found| T::id(found).max(1));
        self.history.is_older(power, found) || self.older.contains(&id)
    }

    /// A number for what was acknowledged.
    pub(super) fn acknowledged(&self, power: bool) -> u64 {
        mix(self.ids[self.history.bound(power)], self.token)
    }

    /// A number for what may be found.
    pub(super) fn allowed(&self, power: bool) -> u64 {
        self.ids[self.history.bound(power)..].iter().fold(1, |all, id| mix(all, *id))
    }

    /// Whether a state with this short number may be found.
    pub(super) fn allows(&self, power: bool, short: u32) -> bool {
        self.ids[self.history.bound(power)..].iter().any(|id| *id as u32 == short)
    }

    /// The number of a state that was found, if it may be.
    pub(super) fn id(&self, power: bool, found: Option<&T::Model>) -> Option<u64> {
        let at = self.history.position(power, found)?;
        self.ids.get(at).copied()
    }
}
