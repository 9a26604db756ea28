//! What the threads that explore a log share: the plan, what is left to do, what was seen, the counts, the first failure.

use super::Plan;
use super::failure::Failure;
use super::memo::Memo;
use super::scope::Scope;
use super::tally::Tally;
use crate::campaign::trial::Trial;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Failures after which a log is given up.
const ENOUGH: u64 = 20;

/// What the threads that explore a log share.
pub struct Shared {
    /// The log.
    pub name: String,
    /// What is to be done; it may be more from one round to the next.
    pub plan: Plan,
    /// Where what is sampled comes from.
    pub seed: u64,
    /// What was done.
    pub tally: Tally,
    /// What each state held when it was recovered.
    pub(super) held: Memo<u32>,
    /// States, with what they may hold, whose recoveries were crashed at each call.
    pub(super) expanded: Memo<()>,
    /// What recoveries left.
    pub(super) ends: Memo<()>,
    short: AtomicU64,
    long: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Shared {
    /// Nothing was done yet.
    pub fn new(name: &str, plan: Plan, seed: u64) -> Self {
        Self {
            name: name.into(),
            plan,
            seed,
            tally: Tally::default(),
            held: Memo::new(),
            expanded: Memo::new(),
            ends: Memo::new(),
            short: AtomicU64::new(0),
            long: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// The first thing that was wrong, with what is needed to see it again.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.tally.failures(failure.kind).fetch_add(1, Relaxed);
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure.what);
    }

    fn given_up(&self) -> bool {
        self.tally.row().failures() >= ENOUGH
    }

    /// Scope and letters of the next short sequence: the shorter ones of all scopes first.
    pub(super) fn next_short<T: Trial>(&self, scopes: &[Scope<T>]) -> Option<(usize, Vec<usize>)> {
        let mut number = self.short.fetch_add(1, Relaxed);
        if self.given_up() {
            return None;
        }
        for length in 0..=self.plan.length {
            for (scope, known) in scopes.iter().enumerate() {
                let letters = known.letters.len() as u64;
                let count = letters.saturating_pow(length as u32);
                if number >= count {
                    number -= count;
                    continue;
                }
                let mut path = vec![0; length];
                for letter in path.iter_mut().rev() {
                    *letter = (number % letters) as usize;
                    number /= letters;
                }
                return Some((scope, path));
            }
        }
        None
    }

    /// Number of the next long sequence.
    pub(super) fn next_long(&self) -> Option<u64> {
        let row = self.tally.row();
        let more = row.states() < self.plan.states || row.explored.0 + row.explored.1 < self.plan.images;
        (more && !self.given_up()).then(|| self.long.fetch_add(1, Relaxed))
    }
}
