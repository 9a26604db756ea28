//! What a snapshot makes of its frames without looking into them: how many items there were, and from which on there are
//! files. A generation begins without items at the position where the one before ended.

use crate::format::frame::{FrameHeader, Kind};
use crate::format::root;
use crate::record_log::View;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The view's state: what a checkpoint saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    next: u64,
    /// First position of the generation.
    began: u64,
}

impl State {
    /// A generation that begins at this position.
    pub(super) fn beginning(at: u64) -> State {
        State { next: at, began: at }
    }
}

impl View for State {
    const KIND: root::Kind = root::Kind::Snapshot;
    const DENSE: bool = true;

    fn blank() -> Self {
        State::default()
    }

    fn restore(_: &[u8], saved: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes::<State>(saved) {
            Ok((state, [])) if state.began <= state.next => Some(state),
            _ => None,
        }
    }

    fn save(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap_or_default() // cannot fail: two numbers
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn boundary(&self) -> u64 {
        self.began
    }

    fn items(&mut self, frame: &FrameHeader) -> bool {
        let fits = frame.kind == Kind::Append && frame.first == self.next;
        if fits {
            self.next = frame.end;
        }
        fits
    }

    fn meta(&mut self, _: &[u8]) -> bool {
        false
    }

    fn skip_to(&mut self, next: u64) {
        self.next = next;
        self.began = self.began.min(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_items_that_follow_fit() {
        let mut state = State::beginning(5);
        for (kind, first) in [(Kind::Append, 4), (Kind::Append, 6), (Kind::Put, 5), (Kind::Truncate, 5)] {
            assert!(!state.items(&FrameHeader::sample(kind, first, 1)), "{kind:?} at {first}");
        }
        assert_eq!(state, State::beginning(5));
        assert!(state.items(&FrameHeader::sample(Kind::Append, 5, 3)) && !state.meta(&[]));
        assert_eq!(state, State { next: 8, began: 5 });
    }

    #[test]
    fn what_is_saved_is_restored_if_it_can_be() {
        let state = State { next: 8, began: 5 };
        assert_eq!(State::restore(&[], &state.save()), Some(state));
        assert_eq!(State::restore(&[], &State { next: 4, began: 5 }.save()), None);
        assert_eq!(State::restore(&[], &[1]), None);
    }
}
