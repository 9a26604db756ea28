//! Hostile answers: the storage breaks its contract at random. Nothing may trap, hang or ask for absurd lengths.
//!
//! What such a storage does to the data is its own doing; only the log's behaviour is looked at: every call returns.

use super::draw::Draw;
use super::step::Step;
use super::trial::{LOG, Opening, Trial};
use super::{Budget, Counts};
use crate::cases::panic_text;
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::{Factory, Subject};
use annals_logs::types::Mode;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Storage calls after which a run is taken for one that never ends.
const MOST_CALLS: u64 = 200_000;

/// Runs many.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for number in 0..budget.runs {
        let seed = SplitMix64::derive(seed, number);
        let disk = SimDisk::new(seed);
        let subject = factory(disk.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| one::<T>(&*subject, seed, budget.ops, &mut counts)));
        if let Err(panic) = outcome {
            // Where it happened, the panic itself has said.
            failures.push(format!("run {number} (of seed {seed}): panic: {}", panic_text(&*panic)));
        }
        counts.distinct += 1;
    }
    if failures.is_empty() { Ok(counts) } else { Err(failures.join("\n")) }
}

fn one<T: Trial>(subject: &dyn Subject, seed: u64, ops: u64, counts: &mut Counts) {
    let mut draw = Draw::new(seed);
    let disk = subject.disk();
    disk.limit_calls(MOST_CALLS);
    let usual = T::USUAL;
    let opening = |mode: Mode| {
        let shape = (mode != Mode::ReadOnly).then_some(&usual);
        Opening::<T> { shape, ..Opening::plain(mode) }
    };
    // An honest start, so that there is something to lie about.
    let Ok(mut filled) = T::opened(&usual, &T::Start::default(), None) else { return };
    if let Ok(mut honest) = T::open(subject, &opening(Mode::OpenOrCreate)) {
        for op in T::fills() {
            drop(T::perform(subject, &mut honest, &filled, &op));
            drop(T::expect(&usual, &mut filled, &op));
        }
        if draw.chance(50) {
            drop(T::close(&mut honest));
        }
    }
    disk.set_hostile(Some(seed));
    let (mut handle, mut guess) = (None, filled.clone());
    for _ in 0..ops {
        counts.states += 1;
        let Some(open) = &mut handle else {
            let mode = if draw.chance(30) { Mode::ReadOnly } else { Mode::OpenOrCreate };
            handle = T::open(subject, &opening(mode)).ok();
            guess = filled.clone();
            let _ = (subject.verify(LOG), subject.info(LOG), subject.list(), subject.segments(LOG));
            for file in disk.file_names() {
                let _ = subject.frames(&file);
            }
            continue;
        };
        match T::draw_step(&mut draw, &guess, open) {
            Step::Do(op) => {
                T::poke(subject, open, &guess, &op);
                drop(T::expect(&usual, &mut guess, &op));
            }
            Step::Close => drop(T::close(open)),
            Step::Open(_) | Step::Drop | Step::Destroy => handle = None,
        }
    }
}
