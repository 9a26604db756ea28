//! Opening logs, after a close and after a crash, and checking all of one.

use super::{Row, Unit, each};
use crate::{
    bench::{BATCH, Bench, Turn, log_name},
    contenders::{self, Kind, Who},
    counted::Counted,
    kinds::numbered::{Append, How},
};
use annals::{
    journal::Options,
    storage::{Memory, Storage},
};
use anyhow::{Result, bail, ensure};
use std::{sync::Arc, time::Instant};

use Who::{Commonware, Component, Native, RaftEngine};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "open-large",
        title: "open 10 M items (1 GB) after a close",
        unit: Unit::Time("open"),
        who: &[Native, Component],
        run: large,
    },
    Row {
        id: "open-memory",
        title: "open and close a small log in memory",
        unit: Unit::Time("open and close"),
        who: &[Native, Component],
        run: memory,
    },
    Row {
        id: "open-syncs",
        title: "durable calls to the provider (syncs, creates, swaps …) of an open after a close",
        unit: Unit::Count("calls"),
        who: &[Native, Component],
        run: syncs_closed,
    },
    Row {
        id: "open-syncs-crash",
        title: "durable calls to the provider (syncs, creates, swaps …) of an open after a crash",
        unit: Unit::Count("calls"),
        who: &[Native, Component],
        run: syncs_crashed,
    },
    Row {
        id: "verify",
        title: "check every byte of 1 GB in the page cache",
        unit: Unit::Rate,
        who: &[Native, Component],
        run: verify,
    },
    Row {
        id: "recovery",
        title: "open 1 M items in one file after a crash",
        unit: Unit::Time("item"),
        who: &[Native, Component, Commonware, RaftEngine],
        run: recovery,
    },
];

fn large(bench: &Bench, turn: Turn) -> Result<f64> {
    let opened = bench.filled(Kind::Journal, turn.who, bench.sizes.large, "large")?;
    opened.log.close()?;
    Ok(opened.took.as_nanos() as f64)
}

/// Opens a journal of its own provider.
fn open(bench: &Bench, turn: Turn, storage: &Arc<dyn Storage>, name: &str) -> Result<Box<dyn std::any::Any>> {
    Ok(match turn.who {
        Native => Box::new(contenders::native_journal(storage.clone(), name)?),
        Component => Box::new(bench.place.runtime.journal(storage.clone(), name, &Options::new())?),
        _ => bail!("it has no providers"),
    })
}

fn close(log: Box<dyn std::any::Any>) -> Result<()> {
    match log.downcast::<annals::Journal>() {
        Ok(log) => log.close().map(drop).map_err(Into::into),
        Err(log) => contenders::close_native(log),
    }
}

/// A small log in a provider.
fn small(bench: &Bench, storage: &Arc<dyn Storage>, name: &str, closed: bool) -> Result<()> {
    let log = bench.place.runtime.journal(storage.clone(), name, &Options::new())?;
    log.append_packed(&bench.table.ends(10), bench.table.packed(0, 10))?;
    log.sync()?;
    if closed {
        log.close()?;
    }
    Ok(())
}

fn memory(bench: &Bench, turn: Turn) -> Result<f64> {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    small(bench, &storage, "small", true)?;
    close(open(bench, turn, &storage, "small")?)?;
    let times = 100;
    let start = Instant::now();
    for _ in 0..times {
        close(open(bench, turn, &storage, "small")?)?;
    }
    Ok(each(start.elapsed(), times))
}

fn syncs(bench: &Bench, turn: Turn, closed: bool) -> Result<f64> {
    let name = &log_name(Kind::Journal, turn.who, if closed { "closed" } else { "crashed" });
    let (storage, counts) = Counted::new(bench.place.storage.clone());
    let storage: Arc<dyn Storage> = storage;
    small(bench, &storage, name, closed)?;
    let before = counts.get();
    let log = open(bench, turn, &storage, name)?;
    let after = counts.get();
    close(log)?;
    bench.place.remove(Kind::Journal, turn.who, name)?;
    Ok(after as f64 - before as f64)
}

fn syncs_closed(bench: &Bench, turn: Turn) -> Result<f64> {
    syncs(bench, turn, true)
}

fn syncs_crashed(bench: &Bench, turn: Turn) -> Result<f64> {
    syncs(bench, turn, false)
}

fn verify(bench: &Bench, turn: Turn) -> Result<f64> {
    bench.filled(Kind::Journal, turn.who, bench.sizes.large, "large")?.log.close()?;
    let name = &log_name(Kind::Journal, turn.who, "large");
    let mut rate = 0.0;
    // The first time brings it into the page cache.
    for _ in 0..2 {
        let start = Instant::now();
        let (bytes, damage) = match turn.who {
            Native => contenders::verify_native(bench.place.storage.clone(), name)?,
            _ => {
                let checked = bench.place.runtime.admin(bench.place.storage.clone())?.verify(name)?.run()?;
                (checked.checked, checked.damage.len())
            }
        };
        rate = bytes as f64 / start.elapsed().as_secs_f64();
        let payload = bench.sizes.large * bench.table.size() as u64;
        ensure!(bytes >= payload && damage == 0, "{bytes} bytes were checked, {damage} of them damaged");
    }
    Ok(rate)
}

/// A log with everything in its newest file, durable but not closed; opening it finds all that again.
fn recovery(bench: &Bench, turn: Turn) -> Result<f64> {
    let (kind, items) = (Kind::OneFile, bench.sizes.items);
    let name = &log_name(kind, turn.who, "crashed");
    let mut log = contenders::numbered(bench, kind, turn.who, name)?.log;
    log.append(&Append { table: bench.table.clone(), first: 0, count: items, how: How::Batches(BATCH) })?;
    log.leave()?;
    let opened = contenders::numbered(bench, kind, turn.who, name)?;
    opened.log.close()?;
    if turn.round == 0 {
        bench.check(kind, turn.who, items, name)?;
    }
    bench.place.remove(kind, turn.who, name)?;
    Ok(each(opened.took, items))
}
