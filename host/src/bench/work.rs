//! The work that is measured.

use super::{BATCH, Bench, ITEM, Who, each, subject::Subject};
use annals::Error;
use std::time::Instant;

/// The log that is read, and one with few items.
pub(super) const READ: &str = "bench-read";
pub(super) const SMALL: &str = "bench-small";
/// The log that is written.
const WRITTEN: &str = "bench-written";

/// One kind of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What the nanoseconds are for.
    pub(crate) unit: &'static str,
    /// Nanoseconds for a unit; none if this subject cannot do it.
    pub(super) run: fn(&Bench, Who) -> Result<Option<f64>, Error>,
}

/// All of it.
pub(crate) const WORKS: &[Work] = &[
    Work { name: "batch append, 1000 items", unit: "item", run: batches },
    Work { name: "single append, gathered", unit: "item", run: gathered },
    Work { name: "single append, direct", unit: "item", run: direct },
    Work { name: "batch append with sync", unit: "batch", run: synced },
    Work { name: "replay", unit: "item", run: replay },
    Work { name: "10,000 items in one read", unit: "read", run: range },
    Work { name: "random read, cached", unit: "read", run: cached },
    Work { name: "random read, page cache", unit: "read", run: random },
    Work { name: "read-many, 100 near ones", unit: "item", run: near },
    Work { name: "open, small log", unit: "open", run: open_small },
    Work { name: "open, large log", unit: "open", run: open_large },
    Work { name: "open and close, small log", unit: "both", run: open_close },
];

type Answer = Result<Option<f64>, Error>;

/// Lets `write` work on a new log, and takes its time.
fn written(
    bench: &Bench,
    who: Who,
    count: u64,
    write: impl FnOnce(&mut dyn Subject) -> Result<(), Error>,
) -> Answer {
    let mut log = bench.open(who, WRITTEN)?;
    let start = Instant::now();
    write(&mut *log)?;
    let time = start.elapsed();
    log.close()?;
    bench.destroy(who, WRITTEN)?;
    Ok(Some(each(time, count)))
}

/// Lets `read` work on the large log, once to warm up and once for the time.
fn reading(
    bench: &Bench,
    who: Who,
    count: u64,
    mut read: impl FnMut(&mut dyn Subject) -> Result<(), Error>,
) -> Answer {
    let mut log = bench.open(who, READ)?;
    read(&mut *log)?;
    let start = Instant::now();
    read(&mut *log)?;
    let time = start.elapsed();
    log.close()?;
    Ok(Some(each(time, count)))
}

fn batches(bench: &Bench, who: Who) -> Answer {
    let batches = bench.items / BATCH as u64;
    written(bench, who, bench.items, |log| {
        (0..batches).try_for_each(|_| log.append_packed(&bench.ends, &bench.bytes))
    })
}

fn gathered(bench: &Bench, who: Who) -> Answer {
    written(bench, who, bench.items, |log| log.append_each(&bench.bytes[..ITEM], bench.items))
}

fn direct(bench: &Bench, who: Who) -> Answer {
    let items = bench.items / 5;
    written(bench, who, items, |log| (0..items).try_for_each(|_| log.append(&bench.bytes[..ITEM])))
}

fn synced(bench: &Bench, who: Who) -> Answer {
    let batches = (bench.items / BATCH as u64 / 5).max(1);
    written(bench, who, batches, |log| {
        (0..batches).try_for_each(|_| {
            log.append_packed(&bench.ends, &bench.bytes)?;
            log.sync()
        })
    })
}

fn replay(bench: &Bench, who: Who) -> Answer {
    reading(bench, who, bench.items, |log| match log.replay()? {
        count if count == bench.items => Ok(()),
        count => Err(Error::Other(format!("{count} of {} items were read", bench.items))),
    })
}

fn range(bench: &Bench, who: Who) -> Answer {
    let count = 10_000_u32;
    let starts = (0..20).map(|n| n * (bench.items - u64::from(count)) / 20);
    reading(bench, who, 20, |log| starts.clone().try_for_each(|start| log.read_range(start, count)))
}

/// Positions all over the log, the same for everyone.
fn positions(items: u64, count: u64) -> impl Iterator<Item = u64> + Clone {
    (0..count).map(move |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % items)
}

fn cached(bench: &Bench, who: Who) -> Answer {
    reading(bench, who, 50_000, |log| (0..50_000).try_for_each(|_| log.read(bench.items / 2)))
}

fn random(bench: &Bench, who: Who) -> Answer {
    reading(bench, who, 20_000, |log| positions(bench.items, 20_000).try_for_each(|n| log.read(n)))
}

fn near(bench: &Bench, who: Who) -> Answer {
    let near: Vec<u64> = positions(1000, 100).map(|n| n + bench.items / 2).collect();
    reading(bench, who, 100 * 100, |log| (0..100).try_for_each(|_| log.read_many(&near)))
}

/// Opens a log some times, and takes the time of that and, if asked for, of closing it.
fn opening(bench: &Bench, who: Who, name: &str, closing: bool) -> Answer {
    if who == Who::Raw {
        return Ok(None);
    }
    let mut time = std::time::Duration::ZERO;
    for _ in 0..10 {
        let start = Instant::now();
        let log = bench.open(who, name)?;
        let opened = start.elapsed();
        log.close()?;
        time += if closing { start.elapsed() } else { opened };
    }
    Ok(Some(each(time, 10)))
}

fn open_small(bench: &Bench, who: Who) -> Answer {
    opening(bench, who, SMALL, false)
}

fn open_large(bench: &Bench, who: Who) -> Answer {
    opening(bench, who, READ, false)
}

fn open_close(bench: &Bench, who: Who) -> Answer {
    opening(bench, who, SMALL, true)
}
