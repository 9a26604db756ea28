//! What a log without a lock finds out about the work of a writer since it was opened: a file that is not there any more
//! is damage only if nobody removed it.
//!
//! It looks at the storage as it is now and changes nothing. What cannot be read now proves nothing.

use super::{RecordLog, Request, View, life};
use crate::error::{Bounds, Damage, Error, Result};
use crate::format::names::FileName;
use crate::format::root::State;
use crate::storage::Host;

impl<H: Host, V: View> RecordLog<H, V> {
    /// What to answer for damage at this position. Where a writer has taken away what was to be read since this log was
    /// opened, it is none: the position was pruned meanwhile, or the log is not there any more, or, if anything else
    /// became of it, this log is `closed` and shows its new state when it is opened again.
    pub(crate) fn overtaken(&self, position: u64, damage: Damage) -> Error {
        if self.writer.is_some() {
            return Error::Damaged(damage);
        }
        if self.is_gone() {
            return Error::NotFound;
        }
        if let Ok(boundary) = self.boundary_now()
            && position < boundary
        {
            return Error::Pruned(Bounds { start: boundary, end: self.next().max(boundary) });
        }
        match FileName::parse(&damage.file) {
            Some(file) if file.segment != self.place.segment && self.was_removed(file.segment) => {
                Error::Closed
            }
            _ => Error::Damaged(damage),
        }
    }

    /// The boundary as of now, in a log that another process may be writing.
    fn boundary_now(&self) -> Result<u64> {
        Ok(self.view_now()?.boundary())
    }

    /// The view as of now, likewise.
    pub(crate) fn view_now(&self) -> Result<V> {
        let request = Request::reading(self.history.view.clone());
        let log = RecordLog::<H, V>::open(self.host.clone(), &self.name, &request)?;
        Ok(log.view().clone())
    }

    /// Whether this log (or this generation of it) is not there any more: destroyed, and perhaps made anew.
    pub(super) fn is_gone(&self) -> bool {
        let place = self.place;
        match life::read_root(&self.host, &self.name) {
            Ok(Some(now)) => {
                let same = (now.root.id, now.root.generation) == (place.log, place.generation);
                !same || now.root.state != State::Live
            }
            // A log may have lost its cell; then it has its files.
            Ok(None) => life::Files::list(&self.host, &self.name, place.log, place.generation)
                .is_ok_and(|files| files.segments.is_empty()),
            Err(_) => false,
        }
    }

    /// Whether a writer has removed this older segment, or all of the log.
    pub(super) fn was_removed(&self, segment: u64) -> bool {
        if self.is_gone() {
            return true;
        }
        let Ok(Some(now)) = life::read_root(&self.host, &self.name) else { return false };
        Self::newest(&self.host, &self.name, &now.root, None).is_ok_and(|(newest, ..)| {
            let retained = &newest.history.retained;
            segment < newest.history.tip.place.segment
                && !retained.iter().any(|range| (range.first..=range.last).contains(&segment))
        })
    }
}
