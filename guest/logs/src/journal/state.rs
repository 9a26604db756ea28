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
