//! What a Raft log makes of its frames: the last index, the purge boundary, the hard state.
//!
//! Invariants: `next` is the last index + 1, and above the boundary. What a lost frame may have changed is not known any
//! more, until a later frame or checkpoint tells it.

use super::types::{HardState, LogId};
use crate::format::frame::{FrameHeader, Kind};
use crate::format::root;
use crate::record_log::View;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Most bytes of a hard state's `extra`.
pub const MAX_EXTRA: u64 = 4 << 10;
/// Highest index of an entry: positions end before `u64::MAX`.
pub const MAX_INDEX: u64 = u64::MAX - 2;

/// The view's state: what a checkpoint saves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The last index + 1.
    pub(super) next: u64,
    pub(super) boundary: Option<LogId>,
    pub(super) hard: Option<HardState>,
    /// Whether indexes may be missing between the boundary and `next`.
    pub(super) gaps: bool,
    /// What damage hides. Only a log that is open for reading ever gets here.
    #[serde(skip)]
    pub(super) hidden: Hidden,
}

/// Which parts of the state a lost frame may have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    pub(super) boundary: bool,
    pub(super) hard: bool,
}

/// A change of the state that is not about entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Change {
    /// Everything up to this entry is purged.
    Purge(LogId),
    /// The hard state is this now.
    HardState(HardState),
}

/// The position that a reset truncates to. No boundary is below it, so such a frame takes the boundary with it.
pub(super) const FIRST: u64 = 1;

impl View for State {
    const KIND: root::Kind = root::Kind::RaftLog;
    const DENSE: bool = false;

    fn blank() -> Self {
        let mut state = State::new();
        state.skip_to(FIRST);
        state
    }

    fn restore(_: &[u8], saved: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes::<State>(saved) {
            Ok((state, [])) if state.makes_sense() => Some(state),
            _ => None,
        }
    }

    fn save(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap_or_default() // cannot fail: numbers and a few bytes
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn boundary(&self) -> u64 {
        self.boundary.map_or(FIRST, |id| id.index + 1)
    }

    fn items(&mut self, frame: &FrameHeader) -> bool {
        let above = frame.first >= self.boundary() && frame.end <= MAX_INDEX + 1;
        let reset = frame.first == FIRST && frame.count == 0;
        let gap = frame.listed && frame.end > self.next;
        match frame.kind {
            Kind::Append if above && frame.first >= self.next => {
                self.gaps |= gap || frame.first > self.next;
                self.next = frame.end;
            }
            Kind::Put if above && frame.first < self.next => {
                self.gaps |= gap;
                self.next = self.next.max(frame.end);
            }
            Kind::Truncate if reset => {
                (self.next, self.boundary) = (FIRST, None);
                self.hidden.boundary = false;
            }
            Kind::Truncate if above && frame.first < self.next => {
                self.gaps |= frame.listed;
                self.next = frame.end;
            }
            _ => return false,
        }
        self.gaps &= self.next > self.boundary();
        true
    }

    fn meta(&mut self, change: &[u8]) -> bool {
        match postcard::take_from_bytes::<Change>(change) {
            Ok((Change::Purge(id), [])) if self.boundary() <= id.index && id.index <= MAX_INDEX => {
                self.boundary = Some(id);
                self.next = self.next.max(id.index + 1);
                self.gaps &= self.next > id.index + 1;
                self.hidden.boundary = false;
            }
            Ok((Change::HardState(hard), [])) if hard.extra.len() as u64 <= MAX_EXTRA => {
                self.hard = Some(hard);
                self.hidden.hard = false;
            }
            _ => return false,
        }
        true
    }

    fn skip_to(&mut self, next: u64) {
        // What is not known must not hide entries that verify, nor be answered instead of what was lost.
        let (next, hidden) = (next.max(FIRST), Hidden { boundary: true, hard: true });
        *self = State { next, boundary: None, hard: None, gaps: true, hidden };
    }

    fn weight(&self) -> u64 {
        64 + MAX_EXTRA
    }

    fn counts(&self) -> bool {
        !self.gaps
    }
}

impl Change {
    /// The change as it stands in a frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap_or_default() // cannot fail: numbers and a few bytes
    }
}

impl State {
    /// The state of a new log.
    pub(super) fn new() -> Self {
        State { next: FIRST, boundary: None, hard: None, gaps: false, hidden: Hidden::default() }
    }

    fn makes_sense(&self) -> bool {
        let State { next, boundary, hard, .. } = self;
        let boundary = boundary.is_none_or(|id| FIRST <= id.index && id.index < *next);
        let hard = hard.as_ref().is_none_or(|hard| hard.extra.len() as u64 <= MAX_EXTRA);
        (FIRST..=MAX_INDEX + 1).contains(next) && boundary && hard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDARY: LogId = LogId { term: 1, index: 4 };

    fn state() -> State {
        State { next: 10, boundary: Some(BOUNDARY), ..State::new() }
    }

    #[test]
    fn frames_that_make_no_sense_change_nothing() {
        for (kind, first) in [
            (Kind::Append, 9),
            (Kind::Append, MAX_INDEX + 1),
            (Kind::Put, 4),
            (Kind::Put, 10),
            (Kind::Truncate, 3),
            (Kind::Truncate, 10),
            (Kind::Meta, 10),
        ] {
            let mut now = state();
            assert!(!now.items(&FrameHeader::sample(kind, first, 1)), "{kind:?} at {first}");
            assert_eq!(now, state());
        }
        // A log that is purged beyond its entries: what lies below the boundary does not come back.
        let mut now = State { next: 3, ..state() };
        assert!(!now.items(&FrameHeader::sample(Kind::Append, 3, 1)));
        let mut now = state();
        assert!(now.items(&FrameHeader::sample(Kind::Put, 5, 7)) && now.next == 12 && now.counts());
        assert!(now.items(&FrameHeader::sample(Kind::Append, 14, 1)) && now.next == 15 && !now.counts());
        assert!(now.items(&FrameHeader::sample(Kind::Truncate, FIRST, 0)));
        assert_eq!((now.next, now.boundary), (FIRST, None));
    }

    #[test]
    fn changes_that_make_no_sense_change_nothing() {
        let hard = |extra| HardState { term: 1, vote: None, extra: alloc::vec![0; extra as usize] };
        for change in [
            Change::Purge(LogId { term: 1, index: 4 }),
            Change::Purge(LogId { term: 1, index: MAX_INDEX + 1 }),
            Change::HardState(hard(MAX_EXTRA + 1)),
        ] {
            let mut now = state();
            assert!(!now.meta(&change.encode()));
            assert_eq!(now, state());
        }
        let mut now = state();
        assert!(now.meta(&Change::HardState(hard(MAX_EXTRA)).encode()));
        assert!(now.meta(&Change::Purge(LogId { term: 2, index: MAX_INDEX }).encode()));
        assert_eq!(now.next, MAX_INDEX + 1);
        assert!(!now.meta(&[]));
    }

    #[test]
    fn what_is_saved_is_restored_if_it_can_be() {
        let at = |index| Some(LogId { term: 1, index });
        let hard = Some(HardState { term: 1, vote: None, extra: alloc::vec![0; MAX_EXTRA as usize + 1] });
        assert_eq!(State::restore(&[], &state().save()), Some(state()));
        for bad in [
            State { boundary: at(10), ..state() },
            State { boundary: at(0), ..state() },
            State { hard, ..state() },
            State { next: 0, boundary: None, ..state() },
            State { next: MAX_INDEX + 2, ..state() },
        ] {
            assert_eq!(State::restore(&[], &bad.save()), None, "{bad:?}");
        }
        assert_eq!(State::restore(&[], &[1]), None);
    }
}
