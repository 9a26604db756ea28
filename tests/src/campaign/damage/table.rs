//! What became of each kind of damage, in numbers.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

/// What became of one damage. [`super`] says what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Outcome {
    AtOpen,
    Reading,
    Verify,
    Harmless,
    Token,
    Torn,
    Limit,
}

const OUTCOMES: [(Outcome, &str); 7] = [
    (Outcome::AtOpen, "at open"),
    (Outcome::Reading, "reading"),
    (Outcome::Verify, "verify"),
    (Outcome::Harmless, "harmless"),
    (Outcome::Token, "token"),
    (Outcome::Torn, "torn"),
    (Outcome::Limit, "limit"),
];

/// The numbers of one kind of log.
#[derive(Clone, Debug, Default)]
pub struct Table {
    counts: BTreeMap<&'static str, BTreeMap<Outcome, u64>>,
    /// Logs in the corpus.
    pub logs: u64,
    /// Damaged logs that were looked at.
    pub images: u64,
    /// Operations that change nothing there, as zeroing zeros.
    pub unchanged: u64,
    /// Images of operations that were done at every place, as opposed to some.
    pub exhausted: u64,
    /// Damage that nobody reported: 0, or the sweep fails.
    pub silent: u64,
}

impl Table {
    pub(super) fn count(&mut self, kind: &'static str, outcome: Outcome, exhausted: bool) {
        *self.counts.entry(kind).or_default().entry(outcome).or_default() += 1;
        self.exhausted += u64::from(exhausted);
    }

    /// How often this was the outcome.
    pub fn total(&self, outcome: Outcome) -> u64 {
        self.counts.values().filter_map(|row| row.get(&outcome)).sum()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{:<24}", "operation")?;
        OUTCOMES.iter().try_for_each(|(_, name)| write!(f, "{name:>9}"))?;
        writeln!(f)?;
        for (kind, row) in &self.counts {
            write!(f, "{kind:<24}")?;
            for (outcome, _) in OUTCOMES {
                write!(f, "{:>9}", row.get(&outcome).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        write!(f, "{:<24}", "all")?;
        OUTCOMES.iter().try_for_each(|(outcome, _)| write!(f, "{:>9}", self.total(*outcome)))?;
        let sampled = self.images - self.exhausted;
        writeln!(
            f,
            "\n{} logs, {} damaged images ({} exhausted, {sampled} sampled), {} operations change nothing, silent {}",
            self.logs, self.images, self.exhausted, self.unchanged, self.silent
        )
    }
}
