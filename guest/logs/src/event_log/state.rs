//! What an event log makes of its frames: the next id, what there is, and what was deleted.

use super::deleted::Deleted;
use crate::error::Bounds;
use crate::format::frame::{FrameHeader, Kind};
use crate::format::root;
use crate::record_log::View;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Most bytes that a state takes in a checkpoint.
pub(super) const MAX_STATE: u64 = 32 << 10;
/// Most bytes that one deleted range takes of them, and everything else.
const RANGE: u64 = 20;
const NUMBERS: u64 = 50;

/// The view's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(super) next: u64,
    pub(super) events: u64,
    pub(super) oldest: Option<u64>,
    pub(super) newest: Option<u64>,
    pub(super) deleted: Deleted,
}

/// What a checkpoint saves of it.
#[derive(Serialize, Deserialize)]
struct Saved {
    next: u64,
    events: u64,
    oldest: Option<u64>,
    newest: Option<u64>,
    /// For each deleted range the ids between it and the one before, and its length.
    deleted: Vec<(u64, u64)>,
}

/// A change of the state that is not about items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Change {
    /// These ids are deleted.
    Delete {
        /// First of them.
        first: u64,
        /// Last of them.
        last: u64,
        /// Number of events that went.
        events: u64,
        /// Lowest and highest id that is left.
        oldest: Option<u64>,
        newest: Option<u64>,
    },
}

impl View for State {
    const KIND: root::Kind = root::Kind::EventLog;
    const DENSE: bool = false;

    fn blank() -> Self {
        State::default()
    }

    fn restore(_: &[u8], saved: &[u8]) -> Option<Self> {
        let (Saved { next, events, oldest, newest, deleted }, []) = postcard::take_from_bytes(saved).ok()?
        else {
            return None;
        };
        let deleted = Deleted::restore(&deleted, next)?;
        let sound = events <= next
            && oldest.is_some() == newest.is_some()
            && oldest <= newest
            && newest.is_none_or(|id| id < next);
        sound.then_some(State { next, events, oldest, newest, deleted })
    }

    fn save(&self) -> Vec<u8> {
        let State { next, events, oldest, newest, .. } = *self;
        let saved = Saved { next, events, oldest, newest, deleted: self.deleted.stored() };
        postcard::to_allocvec(&saved).unwrap_or_default() // cannot fail: numbers, and a list of known length
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn boundary(&self) -> u64 {
        self.deleted.boundary()
    }

    fn items(&mut self, frame: &FrameHeader) -> bool {
        let fits = match frame.kind {
            Kind::Append => frame.first >= self.next,
            Kind::Put => true,
            _ => false,
        };
        if fits && frame.count > 0 {
            let last = frame.end.saturating_sub(1);
            self.next = self.next.max(frame.end);
            self.events = self.events.saturating_add(frame.count.into());
            self.oldest = Some(self.oldest.map_or(frame.first, |id| id.min(frame.first)));
            self.newest = Some(self.newest.map_or(last, |id| id.max(last)));
        }
        fits
    }

    fn meta(&mut self, change: &[u8]) -> bool {
        let Ok((Change::Delete { first, last, events, oldest, newest }, [])) =
            postcard::take_from_bytes::<Change>(change)
        else {
            return false;
        };
        if first > last || last >= self.next || oldest.is_some() != newest.is_some() {
            return false;
        }
        self.deleted.add(Bounds { start: first, end: last + 1 });
        self.events = if oldest.is_none() { 0 } else { self.events.saturating_sub(events) };
        (self.oldest, self.newest) = (oldest, newest);
        true
    }

    fn skip_to(&mut self, next: u64) {
        // Nobody knows which ids were there: all of them may have been.
        if next > self.next {
            self.oldest = self.oldest.or(Some(self.next));
            self.newest = Some(next - 1);
        } else {
            self.newest = self.newest.map(|id| id.min(next.saturating_sub(1)));
        }
        self.next = next;
        self.events = self.events.min(next);
    }

    fn kept(&self, bounds: Bounds) -> Vec<Bounds> {
        self.deleted.kept(bounds.start, bounds.end)
    }

    fn weight(&self) -> u64 {
        NUMBERS + RANGE * self.deleted.len()
    }

    fn live(&self) -> u64 {
        self.events
    }

    fn oldest(&self) -> Option<u64> {
        self.oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut state = State { next: 100, events: 40, ..State::default() };
        (state.oldest, state.newest) = (Some(3), Some(99));
        state.deleted.add(Bounds { start: 0, end: 3 });
        state.deleted.add(Bounds { start: 50, end: 60 });
        state
    }

    #[test]
    fn a_state_survives_the_round_trip_and_weighs_no_less() {
        for state in [State::default(), state()] {
            let saved = state.save();
            assert_eq!(State::restore(&[], &saved), Some(state.clone()));
            assert!(saved.len() as u64 <= state.weight());
            for at in 0..saved.len() {
                assert_eq!(State::restore(&[], &saved[..at]), None);
                let mut bad = saved.clone();
                bad[at] = !bad[at];
                let _ = State::restore(&[], &bad);
            }
        }
        let worst = State { next: u64::MAX, events: u64::MAX, ..State::default() };
        let mut worst = State { oldest: Some(u64::MAX - 1), newest: Some(u64::MAX - 1), ..worst };
        worst.deleted.add(Bounds { start: 1 << 63, end: u64::MAX });
        assert!(worst.save().len() as u64 <= worst.weight());
    }

    #[test]
    fn changes_that_make_no_sense_are_refused() {
        let change = |first, last, oldest, newest| {
            postcard::to_allocvec(&Change::Delete { first, last, events: 1, oldest, newest }).unwrap()
        };
        assert!(state().meta(&change(5, 6, Some(7), Some(99))));
        for bad in [change(6, 5, None, None), change(5, 100, None, None), change(5, 6, Some(1), None)] {
            assert!(!state().meta(&bad));
        }
        assert!(!state().meta(&[]) && !state().meta(&[9, 9, 9]));
    }

    #[test]
    fn frames_that_make_no_sense_are_refused() {
        for (kind, first) in [(Kind::Append, 99), (Kind::Truncate, 100), (Kind::Meta, 100)] {
            let mut now = state();
            assert!(!now.items(&FrameHeader::sample(kind, first, 1)), "{kind:?} at {first}");
            assert_eq!(now, state());
        }
        let mut now = state();
        assert!(now.items(&FrameHeader::sample(Kind::Append, 100, 0)));
        assert_eq!(now, state(), "a frame without events changes nothing");
    }

    #[test]
    fn states_that_make_no_sense_are_not_restored() {
        for bad in [
            State { events: 101, ..state() },
            State { oldest: None, ..state() },
            State { oldest: Some(99), newest: Some(98), ..state() },
            State { newest: Some(100), ..state() },
        ] {
            assert_eq!(State::restore(&[], &bad.save()), None, "{bad:?}");
        }
    }
}
