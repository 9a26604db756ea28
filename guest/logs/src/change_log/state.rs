//! What the files of one instance keep of their frames: how many items there are, and which of them still count.

use crate::format::frame::{FrameHeader, Kind};
use crate::format::root;
use crate::record_log::View;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The view's state: what a checkpoint saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    size: u64,
    boundary: u64,
}

/// A change of the state: everything below this position was written again at or above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved(pub(super) u64);

impl View for State {
    const KIND: root::Kind = root::Kind::ChangeLog;
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
        let fits = frame.kind == Kind::Append && frame.first == self.size;
        if fits {
            self.size = frame.end;
        }
        fits
    }

    fn meta(&mut self, change: &[u8]) -> bool {
        match postcard::take_from_bytes::<Moved>(change) {
            Ok((Moved(to), [])) if self.boundary <= to && to <= self.size => self.boundary = to,
            _ => return false,
        }
        true
    }

    fn skip_to(&mut self, next: u64) {
        self.size = next;
        self.boundary = self.boundary.min(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State { size: 10, boundary: 4 }
    }

    #[test]
    fn frames_and_changes_that_make_no_sense_change_nothing() {
        for (kind, first) in [(Kind::Append, 9), (Kind::Append, 11), (Kind::Put, 10), (Kind::Truncate, 10)] {
            let mut now = state();
            assert!(!now.items(&FrameHeader::sample(kind, first, 1)), "{kind:?} at {first}");
            assert_eq!(now, state());
        }
        let moved = |to| postcard::to_allocvec(&Moved(to)).unwrap();
        for to in [3, 11] {
            assert!(!state().meta(&moved(to)), "{to}");
        }
        let mut now = state();
        assert!(now.items(&FrameHeader::sample(Kind::Append, 10, 2)) && now.meta(&moved(12)));
        assert_eq!(now, State { size: 12, boundary: 12 });
        assert!(!now.meta(&[]));
    }

    #[test]
    fn what_is_saved_is_restored_if_it_can_be() {
        assert_eq!(State::restore(&[], &state().save()), Some(state()));
        assert_eq!(State::restore(&[], &State { size: 3, boundary: 4 }.save()), None);
        assert_eq!(State::restore(&[], &[1]), None);
    }
}
