//! What each log held when, told by the events that the disk had seen.
//!
//! A state *begins* before the call that leads to it, and is *safe* once a call has returned that promised it. So after a
//! cut a log must hold a state that is not older than the last one that was safe by then, and one that had begun.

use crate::contents::{Kind, State};

struct Moment {
    state: State,
    begun: usize,
    safe: Option<usize>,
}

/// The states of one log, in their order.
pub(crate) struct Timeline {
    pub(crate) kind: Kind,
    moments: Vec<Moment>,
}

impl Timeline {
    /// A log that is not there.
    pub(crate) fn new(kind: Kind) -> Timeline {
        Timeline { kind, moments: vec![Moment { state: None, begun: 0, safe: Some(0) }] }
    }

    /// From now on the log may be so.
    pub(crate) fn begin(&mut self, now: usize, state: State) {
        self.moments.push(Moment { state, begun: now, safe: None });
    }

    /// The newest state has been promised.
    pub(crate) fn safe(&mut self, now: usize) {
        if let Some(moment) = self.moments.last_mut() {
            moment.safe.get_or_insert(now);
        }
    }

    /// Events at which a state had just been promised.
    pub(crate) fn promises(&self) -> impl Iterator<Item = usize> {
        self.moments.iter().skip(1).filter_map(|moment| moment.safe)
    }

    /// What the log may hold if so many events reached the disk, or some of them: the oldest state first, which is the
    /// newest that was promised.
    pub(crate) fn allowed(&self, events: usize) -> impl Iterator<Item = &State> {
        let promised = |moment: &Moment| moment.safe.is_some_and(|safe| safe <= events);
        let first = self.moments.iter().rposition(promised).unwrap_or(0);
        self.moments[first..].iter().filter(move |moment| moment.begun <= events).map(|moment| &moment.state)
    }
}
