//! More than one thread.

use super::{Row, Unit};
use crate::{
    bench::{BATCH, Bench, Turn, log_name},
    contenders::{Kind, Who},
};
use annals::{Journal, journal::Options};
use anyhow::{Result, ensure};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use Who::Component;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "threads",
        title: "append to 64 logs: throughput of as many threads as cores ÷ that of one",
        unit: Unit::Ratio,
        who: &[Component],
        run: |bench, turn| many_logs(bench, Kind::Journal, turn),
    },
    Row {
        id: "threads-memory",
        title: "append to 64 logs in memory: throughput of as many threads as cores ÷ that of one",
        unit: Unit::Ratio,
        who: &[Component],
        run: |bench, turn| many_logs(bench, Kind::InMemory, turn),
    },
    Row {
        id: "group-commit",
        title: "append to one log and wait until it is durable: throughput of 64 threads ÷ that of one",
        unit: Unit::Ratio,
        who: &[Component],
        run: group,
    },
];

/// Logs, or threads that share one.
const MANY: usize = 64;

/// Runs a closure on so many threads; how long that took, and whether all went well.
fn together(threads: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<Duration> {
    let start = Instant::now();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn({
                    let work = &work;
                    move || work(number)
                })
            })
            .collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread has panicked"))?)
    })?;
    Ok(start.elapsed())
}

fn many_logs(bench: &Bench, kind: Kind, turn: Turn) -> Result<f64> {
    let (runtime, storage) = (&bench.place.runtime, bench.place.storage(kind));
    let name = |number: usize| log_name(kind, turn.who, &format!("many-{number}"));
    let options = Options::create().sync_sections(false);
    let batches = (bench.sizes.items / BATCH / 16).max(4);
    let (table, ends) = (&bench.table, bench.table.ends(BATCH));
    let run = |threads: usize| {
        let logs: Vec<Journal> = (0..MANY)
            .map(|number| runtime.journal(storage.clone(), &name(number), &options))
            .collect::<Result<_, _>>()?;
        // What reserves the first space for each log is not what is measured.
        logs.iter().try_for_each(|log| log.append_packed(&ends, bench.table.packed(0, BATCH)).map(drop))?;
        let next = AtomicUsize::new(0);
        let took = together(threads, |_| {
            while let Some(log) = logs.get(next.fetch_add(1, Ordering::Relaxed)) {
                for batch in 1..batches {
                    log.append_packed(&ends, table.packed(batch * BATCH, BATCH))?;
                }
            }
            Ok(())
        })?;
        for (number, log) in logs.iter().enumerate() {
            ensure!(log.size()? == batches * BATCH, "a log does not have all its items");
            log.close()?;
            runtime.destroy_journal(storage.clone(), &name(number))?;
        }
        anyhow::Ok(took)
    };
    let cores = thread::available_parallelism()?.get();
    // Who comes first changes from round to round.
    let (one, all) = match turn.round % 2 {
        0 => (run(1)?, run(cores)?),
        _ => {
            let all = run(cores)?;
            (run(1)?, all)
        }
    };
    Ok(one.as_secs_f64() / all.as_secs_f64())
}

fn group(bench: &Bench, turn: Turn) -> Result<f64> {
    let (runtime, storage) = (&bench.place.runtime, &bench.place.storage);
    let name = &log_name(Kind::Journal, turn.who, "group");
    let (table, each) = (&bench.table, bench.sizes.synced.max(10));
    let run = |threads: usize| {
        let log = runtime.journal(storage.clone(), name, &Options::create().sync_sections(false))?;
        log.append_durable(bench.table.item(0))?;
        let took = together(threads, |_| {
            (0..each).try_for_each(|n| log.append_durable(table.item(n)).map(drop))?;
            Ok(())
        })?;
        let items = threads as u64 * each;
        ensure!(log.size()? == items + 1, "the log does not have all its items");
        log.close()?;
        runtime.destroy_journal(storage.clone(), name)?;
        anyhow::Ok(items as f64 / took.as_secs_f64())
    };
    let one = run(1)?;
    Ok(run(MANY)? / one)
}
