//! What a journal makes of its frames: its size and its boundary.

use crate::format::frame::{FrameHeader, Kind};
use crate::format::root;
use crate::record_log::View;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The view's state: what a checkpoint saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(super) size: u64,
    pub(super) boundary: u64,
}

/// A change of the state that is not about items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Change {
    /// Everything below is pruned.
    Prune(u64),
    /// The journal is empty and goes on at this position.
    Start(u64),
}

impl View for State {
    const KIND: root::Kind = root::Kind::Journal;
    const DENSE: bool = true;

    fn blank() -> Self {
        State::default()
    }

    fn restore(_: &[u8], saved: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes::<State>(saved) {
            Ok((state, [])) if state.boundary <= state.size => Some(state),
            _ => None,
        }
    }

    fn save(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap_or_default() // cannot fail: two numbers
    }

    fn next(&self) -> u64 {
        self.size
    }

    fn boundary(&self) -> u64 {
        self.boundary
    }

    fn items(&mut self, frame: &FrameHeader) -> bool {
        let fits = match frame.kind {
            Kind::Append => frame.first == self.size,
            Kind::Truncate => self.boundary <= frame.first && frame.first <= self.size,
            _ => false,
        };
        if fits {
            self.size = frame.end;
        }
        fits
    }

    fn meta(&mut self, change: &[u8]) -> bool {
        match postcard::take_from_bytes::<Change>(change) {
            Ok((Change::Prune(to), [])) if self.boundary <= to && to <= self.size => self.boundary = to,
            Ok((Change::Start(at), [])) if self.boundary == self.size && at >= self.size => {
                (self.size, self.boundary) = (at, at);
            }
            _ => return false,
        }
        true
    }

    fn skip_to(&mut self, next: u64) {
        self.size = next;
        self.boundary = self.boundary.min(next);
    }
}

impl State {
    /// Whether the journal may start at this position: it holds no items and is not longer.
    pub(super) fn may_start_at(&self, at: u64) -> bool {
        self.boundary == self.size && at >= self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State { size: 10, boundary: 4 }
    }

    #[test]
    fn frames_that_make_no_sense_change_nothing() {
        for (kind, first) in [
            (Kind::Append, 9),
            (Kind::Append, 11),
            (Kind::Truncate, 3),
            (Kind::Truncate, 11),
            (Kind::Put, 10),
            (Kind::Meta, 10),
        ] {
            let mut state = state();
            assert!(!state.items(&FrameHeader::sample(kind, first, 1)), "{kind:?} at {first}");
            assert_eq!(state, self::state());
        }
        let mut now = state();
        assert!(now.items(&FrameHeader::sample(Kind::Truncate, 4, 3)) && now.size == 7);
        assert!(now.items(&FrameHeader::sample(Kind::Append, 7, 2)) && now.size == 9);
    }

    #[test]
    fn changes_that_make_no_sense_change_nothing() {
        let meta = |state: &mut State, change: Change| state.meta(&postcard::to_allocvec(&change).unwrap());
        let empty = State { size: 10, boundary: 10 };
        for (before, change) in [
            (state(), Change::Prune(3)),
            (state(), Change::Prune(11)),
            (state(), Change::Start(20)),
            (empty, Change::Start(9)),
        ] {
            let mut now = before;
            assert!(!meta(&mut now, change), "{change:?}");
            assert_eq!(now, before);
        }
        let mut now = state();
        assert!(meta(&mut now, Change::Prune(10)) && meta(&mut now, Change::Start(20)));
        assert_eq!(now, State { size: 20, boundary: 20 });
        assert!(!now.meta(&[]) && !now.meta(&[0, 1, 2]));
    }

    #[test]
    fn what_is_saved_is_restored_if_it_can_be() {
        assert_eq!(State::restore(&[], &state().save()), Some(state()));
        assert_eq!(State::restore(&[], &State { size: 3, boundary: 4 }.save()), None);
        assert_eq!(State::restore(&[], &[1]), None);
    }
}
