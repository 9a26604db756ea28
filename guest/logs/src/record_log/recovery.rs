//! What to make of a log that does not verify to its end: pure functions from facts to a verdict, as tables.
//!
//! The first row that matches decides. Facts are gathered in `open`; nothing here reads or writes. The rules are numbers
//! 8, 13 and 15 of the design: a torn tail is not corruption, and corruption is never cut away. That a failed read
//! never leads to a cut needs no row: it is an error long before there are facts.

/// What to do with what stands behind the last frame that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing stands there: leave it.
    Keep,
    /// A write that a crash interrupted: cut it.
    Cut,
    /// Damage: refuse to open for writing, change nothing.
    Refuse,
}

/// What was found behind the last frame that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// It is in the newest segment.
    pub(crate) newest: bool,
    /// A later frame, a later segment or the caller's token says that it was durable.
    pub(crate) promised: bool,
    /// All of it reads as zeros.
    pub(crate) zeros: bool,
    /// It looks like a write of which some sectors did not reach the disk.
    pub(crate) torn: bool,
}

/// A pattern for one fact: none matches both.
type Any = Option<bool>;

/// Patterns for newest, promised, zeros, torn; then the verdict.
pub(crate) const TAIL: [([Any; 4], Verdict); 5] = [
    ([Some(false), None, None, None], Verdict::Refuse),
    ([None, Some(true), None, None], Verdict::Refuse),
    ([None, None, Some(true), None], Verdict::Keep),
    ([None, None, None, Some(true)], Verdict::Cut),
    ([None, None, None, None], Verdict::Refuse),
];

/// What to do with the tail of a segment.
pub(crate) fn tail(facts: Tail) -> Verdict {
    let Tail { newest, promised, zeros, torn } = facts;
    first_match(&TAIL, [newest, promised, zeros, torn]).unwrap_or(Verdict::Refuse)
}

/// What to make of the newest file when looking for the newest segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewestVerdict {
    /// It is the newest segment.
    Use,
    /// A roll began it and did not get as far as its header: empty it, keep it for the next roll.
    Spare,
    /// Damage.
    Refuse,
}

/// What was found at the start of the newest file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// It starts with a header that verifies.
    pub(crate) header: bool,
    /// Some frame in it verifies.
    pub(crate) frames: bool,
    /// Its start reads as zeros, or like a header of which some sectors did not reach the disk.
    pub(crate) torn: bool,
    /// There is an older segment, and no newer file.
    pub(crate) follows: bool,
}

/// Patterns for header, frames, torn, follows; then the verdict.
pub(crate) const NEWEST: [([Any; 4], NewestVerdict); 5] = [
    ([Some(true), None, None, None], NewestVerdict::Use),
    ([None, Some(true), None, None], NewestVerdict::Refuse),
    ([None, None, Some(false), None], NewestVerdict::Refuse),
    ([None, None, None, Some(false)], NewestVerdict::Refuse),
    ([None, None, None, None], NewestVerdict::Spare),
];

/// What to make of the newest file.
pub(crate) fn newest(facts: Newest) -> NewestVerdict {
    let Newest { header, frames, torn, follows } = facts;
    first_match(&NEWEST, [header, frames, torn, follows]).unwrap_or(NewestVerdict::Refuse)
}

fn first_match<V: Copy>(table: &[([Any; 4], V)], facts: [bool; 4]) -> Option<V> {
    table
        .iter()
        .find(|(row, _)| row.iter().zip(facts).all(|(p, f)| p.is_none_or(|p| p == f)))
        .map(|(_, v)| *v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = [bool; 4]> {
        (0..16u8).map(|n| [n & 1 != 0, n & 2 != 0, n & 4 != 0, n & 8 != 0])
    }

    fn row_of<V: Copy>(table: &[([Any; 4], V)], facts: [bool; 4]) -> usize {
        table
            .iter()
            .position(|(row, _)| row.iter().zip(facts).all(|(p, f)| p.is_none_or(|p| p == f)))
            .unwrap()
    }

    #[test]
    fn every_row_of_the_tail_table_decides_something() {
        let used: BTreeSet<usize> = all().map(|facts| row_of(&TAIL, facts)).collect();
        assert_eq!(used, (0..TAIL.len()).collect());
    }

    #[test]
    fn every_row_of_the_newest_table_decides_something() {
        let used: BTreeSet<usize> = all().map(|facts| row_of(&NEWEST, facts)).collect();
        assert_eq!(used, (0..NEWEST.len()).collect());
    }

    #[test]
    fn only_an_unpromised_torn_tail_of_the_newest_segment_is_cut() {
        for [newest, promised, zeros, torn] in all() {
            let verdict = tail(Tail { newest, promised, zeros, torn });
            let cut = newest && !promised && !zeros && torn;
            assert_eq!(verdict == Verdict::Cut, cut);
            assert_eq!(verdict == Verdict::Keep, newest && !promised && zeros);
        }
    }

    #[test]
    fn a_file_without_a_header_is_a_spare_only_if_a_roll_can_have_left_it() {
        for [header, frames, torn, follows] in all() {
            let verdict = newest(Newest { header, frames, torn, follows });
            assert_eq!(verdict == NewestVerdict::Use, header);
            assert_eq!(verdict == NewestVerdict::Spare, !header && !frames && torn && follows);
        }
    }
}
