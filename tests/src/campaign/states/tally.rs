//! What was looked at so far, counted while threads go on.

use super::failure::Kind;
use std::fmt::{Display, Formatter, Result};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of what is exhausted, and of what is sampled.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Sequences, by the letters that were looked at.
    pub(super) sequences: AtomicU64,
    /// Calls at which the machine was stopped, in sequences and in recoveries.
    pub(super) points: AtomicU64,
    /// Images that were made.
    pub(super) explored: AtomicU64,
    /// States that were recovered.
    pub(super) distinct: AtomicU64,
}

/// All counts of a log.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) exhausted: Part,
    pub(super) sampled: Part,
    /// Recoveries whose own calls were all crashed at.
    pub(super) seconds: AtomicU64,
    /// Opens that had to be refused.
    pub(super) refused: AtomicU64,
    /// What a recovery left and was recovered again.
    pub(super) again: AtomicU64,
    pub(super) failed: [AtomicU64; 3],
}

/// The counts as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // named as in the tally, the second one of what was sampled
pub struct Row {
    pub sequences: (u64, u64),
    pub points: (u64, u64),
    pub explored: (u64, u64),
    pub distinct: (u64, u64),
    pub seconds: u64,
    pub refused: u64,
    pub again: u64,
    pub lost: u64,
    pub wrong: u64,
    pub unopenable: u64,
}

impl Tally {
    pub(super) fn part(&self, sampled: bool) -> &Part {
        if sampled { &self.sampled } else { &self.exhausted }
    }

    pub(super) fn failures(&self, kind: Kind) -> &AtomicU64 {
        &self.failed[kind as usize]
    }

    /// The counts now.
    pub fn row(&self) -> Row {
        let both = |of: fn(&Part) -> &AtomicU64| {
            (of(&self.exhausted).load(Relaxed), of(&self.sampled).load(Relaxed))
        };
        Row {
            sequences: both(|part| &part.sequences),
            points: both(|part| &part.points),
            explored: both(|part| &part.explored),
            distinct: both(|part| &part.distinct),
            seconds: self.seconds.load(Relaxed),
            refused: self.refused.load(Relaxed),
            again: self.again.load(Relaxed),
            lost: self.failures(Kind::Lost).load(Relaxed),
            wrong: self.failures(Kind::Wrong).load(Relaxed),
            unopenable: self.failures(Kind::Unopenable).load(Relaxed),
        }
    }
}

impl Row {
    /// All distinct states.
    pub fn states(&self) -> u64 {
        self.distinct.0 + self.distinct.1
    }

    /// Whatever was wrong.
    pub fn failures(&self) -> u64 {
        self.lost + self.wrong + self.unopenable
    }

    /// Both together.
    pub fn plus(&self, other: &Row) -> Row {
        let sum = |a: (u64, u64), b: (u64, u64)| (a.0 + b.0, a.1 + b.1);
        Row {
            sequences: sum(self.sequences, other.sequences),
            points: sum(self.points, other.points),
            explored: sum(self.explored, other.explored),
            distinct: sum(self.distinct, other.distinct),
            seconds: self.seconds + other.seconds,
            refused: self.refused + other.refused,
            again: self.again + other.again,
            lost: self.lost + other.lost,
            wrong: self.wrong + other.wrong,
            unopenable: self.unopenable + other.unopenable,
        }
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Row { sequences, points, explored, distinct, .. } = self;
        write!(
            f,
            "exhausted: {} sequences, {} crash points, {} images, {} distinct states; \
             sampled: {} sequences, {} crash points, {} images, {} distinct states; \
             {} recoveries crashed at each call, {} opens refused, {} recovered again; \
             acknowledged and lost {}, silently wrong {}, unopenable {}",
            sequences.0,
            points.0,
            explored.0,
            distinct.0,
            sequences.1,
            points.1,
            explored.1,
            distinct.1,
            self.seconds,
            self.refused,
            self.again,
            self.lost,
            self.wrong,
            self.unopenable
        )
    }
}
