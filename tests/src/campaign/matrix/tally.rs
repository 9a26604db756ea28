//! What became of the runs of one cell, and of all cells of one log.

use super::kinds::KINDS;
use super::play::Outcome;
use std::collections::BTreeMap;

/// The runs of one cell.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// All answers were right, and so was what was found afterwards.
    pub right: u64,
    /// Somebody was told, by the first error's name.
    pub typed: BTreeMap<&'static str, u64>,
    /// The log was shorter without a token, and refused with one.
    pub by_token: u64,
    /// The log was shorter, and there was no token yet that covers what is missing.
    pub untold: u64,
    /// Something was wrong and nobody was told.
    pub silent: u64,
    /// There was nothing to be wrong about at the call: such a run is not counted.
    pub vain: u64,
    /// Calls that were left out.
    pub skipped: u64,
}

impl Tally {
    pub(super) fn count(&mut self, outcome: &Outcome) {
        match outcome.error {
            Some(name) => *self.typed.entry(name).or_default() += 1,
            None if outcome.untold => {}
            None => self.right += 1,
        }
        // One run is looked at several times: with an error or a refused token somewhere, somebody was told.
        self.by_token += u64::from(outcome.by_token);
        self.untold += u64::from(outcome.untold && outcome.error.is_none());
    }

    /// Runs in which somebody was told.
    pub fn told(&self) -> u64 {
        self.typed.values().sum()
    }

    /// Runs that happened.
    pub fn executed(&self) -> u64 {
        self.right + self.told() + self.untold + self.silent
    }

    /// Both together.
    pub fn add(&mut self, other: &Tally) {
        self.right += other.right;
        other.typed.iter().for_each(|(name, count)| *self.typed.entry(name).or_default() += count);
        self.by_token += other.by_token;
        self.untold += other.untold;
        self.silent += other.silent;
        self.vain += other.vain;
        self.skipped += other.skipped;
    }
}

/// The part of the matrix that belongs to one log.
#[derive(Debug)]
pub struct Section {
    /// Which log.
    pub log: &'static str,
    /// Its columns.
    pub scenarios: Vec<String>,
    /// How many calls each scenario makes.
    pub calls: Vec<u64>,
    cells: Vec<[Tally; 2]>,
    /// What went wrong, the first of it in full.
    pub failures: Vec<String>,
}

impl Section {
    pub(super) fn new(log: &'static str, scenarios: Vec<String>, calls: Vec<u64>) -> Self {
        let cells = vec![Default::default(); scenarios.len() * KINDS.len()];
        Self { log, scenarios, calls, cells, failures: Vec::new() }
    }

    pub(super) fn cell(&mut self, row: usize, column: usize, sticky: bool) -> &mut Tally {
        &mut self.cells[row * self.scenarios.len() + column][usize::from(sticky)]
    }

    /// The runs of a kind (its number), in a scenario, once or staying.
    pub fn tally(&self, row: usize, column: usize, sticky: bool) -> &Tally {
        &self.cells[row * self.scenarios.len() + column][usize::from(sticky)]
    }

    /// The runs of a kind in all scenarios.
    pub fn row(&self, row: usize, sticky: bool) -> Tally {
        let mut sum = Tally::default();
        (0..self.scenarios.len()).for_each(|column| sum.add(self.tally(row, column, sticky)));
        sum
    }

    /// How many cells had a run.
    pub fn executed_cells(&self) -> usize {
        self.cells.iter().flatten().filter(|tally| tally.executed() > 0).count()
    }

    /// All runs.
    pub fn total(&self) -> Tally {
        let mut sum = Tally::default();
        self.cells.iter().flatten().for_each(|tally| sum.add(tally));
        sum
    }

    pub(super) fn fail(&mut self, most: usize, what: impl FnOnce() -> String) {
        if self.failures.len() < most {
            self.failures.push(what());
        }
    }
}
