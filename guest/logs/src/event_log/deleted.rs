//! Deleted ranges of ids: ascending, apart from each other, none empty.

use crate::error::Bounds;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The ranges. Copies share them until one changes, so that an iteration can keep those of its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deleted(Arc<Vec<Bounds>>);

impl Deleted {
    /// The ranges, each told by the ids between it and the one before, and by its length; none if they make no sense in
    /// a log whose next id is `next`.
    pub(super) fn restore(stored: &[(u64, u64)], next: u64) -> Option<Deleted> {
        let mut ranges = Vec::new();
        ranges.try_reserve_exact(stored.len()).ok()?;
        let mut end = 0u64;
        for (at, (skip, len)) in stored.iter().enumerate() {
            let start = end.checked_add(*skip)?;
            end = start.checked_add(*len)?;
            if *len == 0 || at > 0 && *skip == 0 || end > next {
                return None;
            }
            ranges.push(Bounds { start, end });
        }
        Some(Deleted(Arc::new(ranges)))
    }

    /// What [`Deleted::restore`] takes.
    pub(super) fn stored(&self) -> Vec<(u64, u64)> {
        let mut end = 0;
        let one = |range: &Bounds| {
            let stored = (range.start - end, range.end - range.start);
            end = range.end;
            stored
        };
        self.0.iter().map(one).collect()
    }

    /// Number of separate ranges.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Everything below it is deleted.
    pub(super) fn boundary(&self) -> u64 {
        self.0.first().map_or(0, |range| if range.start == 0 { range.end } else { 0 })
    }

    /// The range that holds this id.
    pub(super) fn holding(&self, id: u64) -> Option<Bounds> {
        let at = self.0.partition_point(|range| range.end <= id);
        self.0.get(at).copied().filter(|range| range.start <= id)
    }

    /// The lowest deleted id from `id` on, and its range.
    pub(super) fn first_from(&self, id: u64) -> Option<(u64, Bounds)> {
        let at = self.0.partition_point(|range| range.end <= id);
        self.0.get(at).map(|range| (range.start.max(id), *range))
    }

    /// The first stretch from `from` on, below `below`, of which nothing is deleted.
    pub(super) fn next_kept(&self, mut from: u64, below: u64) -> Option<Bounds> {
        if let Some(range) = self.holding(from) {
            from = range.end;
        }
        let end = self.first_from(from).map_or(below, |(start, _)| start.min(below));
        (from < end).then_some(Bounds { start: from, end })
    }

    /// All such stretches.
    pub(super) fn kept(&self, from: u64, below: u64) -> Vec<Bounds> {
        let mut stretches = Vec::new();
        let mut at = from;
        while let Some(stretch) = self.next_kept(at, below) {
            at = stretch.end;
            stretches.push(stretch);
        }
        stretches
    }

    /// The same ranges and this one.
    pub(super) fn with(&self, range: Bounds) -> Deleted {
        let mut merged = self.clone();
        merged.add(range);
        merged
    }

    /// Adds a range; it becomes one with those that it meets.
    pub(super) fn add(&mut self, range: Bounds) {
        if range.start >= range.end {
            return;
        }
        let ranges = Arc::make_mut(&mut self.0);
        let first = ranges.partition_point(|other| other.end < range.start);
        let end = ranges.partition_point(|other| other.start <= range.end);
        let met = ranges.get(first..end).unwrap_or(&[]);
        let start = met.first().map_or(range.start, |other| other.start.min(range.start));
        let last = met.last().map_or(range.end, |other| other.end.max(range.end));
        ranges.splice(first..end, [Bounds { start, end: last }]);
    }

    /// The lowest id from `from` on, below `below`, that is deleted here and was not in `before`, and its range here.
    pub(super) fn since(&self, before: &Deleted, from: u64, below: u64) -> Option<(u64, Bounds)> {
        if Arc::ptr_eq(&self.0, &before.0) {
            return None;
        }
        let mut at = from;
        while let Some((id, range)) = self.first_from(at).filter(|(id, _)| *id < below) {
            if let Some(fresh) = before.next_kept(id, range.end.min(below)) {
                return Some((fresh.start, range));
            }
            at = range.end;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Bounds {
        Bounds { start, end }
    }

    fn of(ranges: &[(u64, u64)]) -> Deleted {
        let mut deleted = Deleted::default();
        ranges.iter().for_each(|(start, end)| deleted.add(range(*start, *end)));
        deleted
    }

    /// Every set of up to three ranges below 8 is what a set of ids says.
    #[test]
    fn ranges_are_what_a_set_of_ids_is() {
        let all: Vec<(u64, u64)> = (0..8).flat_map(|s| (s + 1..9).map(move |e| (s, e))).collect();
        for a in &all {
            for b in &all {
                for c in &all {
                    let deleted = of(&[*a, *b, *c]);
                    let is = |id: u64| [a, b, c].iter().any(|(s, e)| *s <= id && id < *e);
                    let mut id = 0;
                    let mut ranges = 0;
                    while id < 9 {
                        let held = deleted.holding(id);
                        assert_eq!(held.is_some(), is(id), "{a:?} {b:?} {c:?} {id}");
                        if let Some(held) = held {
                            assert!((held.start..held.end).all(is) && !is(held.end));
                            assert!(held.start == 0 || !is(held.start - 1));
                            ranges += u64::from(held.start == id);
                        }
                        let first = (id..9).find(|id| is(*id));
                        assert_eq!(deleted.first_from(id).map(|(id, _)| id), first);
                        let kept: Vec<u64> =
                            deleted.kept(id, 9).iter().flat_map(|b| b.start..b.end).collect();
                        assert!(kept.into_iter().eq((id..9).filter(|id| !is(*id))));
                        id += 1;
                    }
                    assert_eq!(deleted.len(), ranges);
                    assert_eq!(Deleted::restore(&deleted.stored(), 9), Some(deleted));
                }
            }
        }
    }

    #[test]
    fn what_was_deleted_since_is_told_from_what_was_before() {
        let before = of(&[(2, 4), (6, 7)]);
        assert_eq!(before.since(&before.clone(), 0, 100), None);
        let now = before.with(range(4, 6));
        assert_eq!(now.since(&before, 0, 100), Some((4, range(2, 7))));
        assert_eq!(now.since(&before, 5, 100), Some((5, range(2, 7))));
        assert_eq!(now.since(&before, 6, 100), None);
        assert_eq!(now.since(&before, 0, 4), None);
        assert_eq!(before.with(range(2, 4)).since(&before, 0, 100), None);
    }

    #[test]
    fn an_empty_range_deletes_nothing_and_the_boundary_is_behind_what_is_deleted_from_the_start_on() {
        assert_eq!(of(&[(3, 3)]), Deleted::default());
        let boundaries = [of(&[]), of(&[(0, 4)]), of(&[(1, 4)])].map(|deleted| deleted.boundary());
        assert_eq!(boundaries, [0, 4, 0]);
    }

    #[test]
    fn ranges_that_make_no_sense_are_not_restored() {
        for bad in [&[(0, 0)][..], &[(1, 2), (0, 3)], &[(1, u64::MAX)], &[(5, 6)]] {
            assert_eq!(Deleted::restore(bad, 10), None, "{bad:?}");
        }
        assert!(Deleted::restore(&[(4, 6)], 10).is_some());
    }
}
