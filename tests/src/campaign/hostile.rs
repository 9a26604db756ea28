//! Hostile answers: the storage breaks its contract at random. Nothing may trap, hang or ask for absurd lengths.
//!
//! What such a storage does to the data is its own doing; only the log's behaviour is looked at: every call returns.

use super::driver::LOG;
use super::op::{Generator, Op};
use super::{Budget, Counts};
use crate::cases::panic_text;
use crate::model::Model;
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::{ALL, Factory, JournalSubject, Subject, options};
use annals_logs::types::Mode;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Storage calls after which a run is taken for one that never ends.
const MOST_CALLS: u64 = 200_000;

/// Runs many.
pub fn run(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for number in 0..budget.runs {
        let seed = SplitMix64::derive(seed, number);
        let disk = SimDisk::new(seed);
        let subject = factory(disk.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| one(&*subject, seed, budget.ops, &mut counts)));
        if let Err(panic) = outcome {
            // Where it happened, the panic itself has said.
            failures.push(format!("run {number} (of seed {seed}): panic: {}", panic_text(&*panic)));
        }
        counts.distinct += 1;
    }
    if failures.is_empty() { Ok(counts) } else { Err(failures.join("\n")) }
}

fn one(subject: &dyn Subject, seed: u64, ops: u64, counts: &mut Counts) {
    let mut generator = Generator::new(seed);
    let disk = subject.disk();
    disk.limit_calls(MOST_CALLS);
    let mut journal: Option<Box<dyn JournalSubject>> = None;
    // An honest start, so that there is something to lie about.
    if let Ok(honest) = subject.open(LOG, &options(Mode::OpenOrCreate)) {
        for number in 0..60 {
            let _ = honest.append_batch(&[&super::op::item(number, 2000)]);
        }
        if generator.chance(50) {
            let _ = honest.close();
        }
    }
    disk.set_hostile(Some(seed));
    for _ in 0..ops {
        counts.states += 1;
        let size = journal.as_ref().and_then(|journal| journal.size().ok()).unwrap_or(60);
        let guess = Model::holding(10, 0, (0..size.min(200)).map(|_| super::op::item(0, 3)));
        let Some(open) = &journal else {
            let mode = if generator.chance(30) { Mode::ReadOnly } else { Mode::OpenOrCreate };
            journal = subject.open(LOG, &options(mode)).ok();
            let _ = (subject.verify(LOG), subject.info(LOG), subject.list(), subject.segments(LOG));
            for file in disk.file_names() {
                let _ = subject.frames(&file);
            }
            continue;
        };
        match generator.op(true, Some(&guess), 0) {
            Op::Append(item) => drop(open.append(&item)),
            Op::Batch(items) => {
                let slices: Vec<&[u8]> = items.iter().map(|item| &**item).collect();
                drop(open.append_batch(&slices));
            }
            Op::Read(position) => drop(open.read(position)),
            Op::ReadMany(positions, bytes) => drop(open.read_many(&positions, bytes)),
            Op::Range(start, limits) => drop(open.read_range(start, limits)),
            Op::Replay(start) => {
                if let Ok(reader) = open.replay(start) {
                    let _ = (0..100).try_for_each(|_| reader.next(ALL).map(|_| ()));
                }
            }
            Op::Prune(min) => drop(open.prune(min)),
            Op::Rewind(size) => drop(open.rewind(size)),
            Op::Flush => drop(open.flush()),
            Op::SyncData => drop(open.sync_data()),
            Op::Sync => drop(open.sync()),
            Op::BeginSync | Op::WaitSync => {
                drop(open.begin_sync().map(|ticket| (ticket.poll(), ticket.wait())))
            }
            Op::Close => drop(open.close()),
            Op::Drop | Op::Destroy | Op::Open(_) | Op::Next(..) => journal = None,
        }
    }
}
