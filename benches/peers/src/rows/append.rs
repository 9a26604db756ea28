//! Appending to one log by one thread.

use super::{Row, Unit, each};
use crate::{
    bench::{BATCH, Bench, Turn, log_name},
    contenders::{self, Kind, Who},
    kinds::numbered::{Append, How},
};
use anyhow::Result;

use Who::{CommitLog, Commonware, Component, Fjall, Native, OkayWal, RaftEngine, Raw, Redb, Sqlite};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "append-batch",
        title: "append 1 M items in batches of 1000, no sync",
        unit: Unit::Time("item"),
        who: &[Raw, Native, Component, Commonware, RaftEngine, CommitLog, Fjall, Redb, Sqlite],
        run: |bench, turn| batches(bench, Kind::Journal, turn),
    },
    Row {
        id: "append-gathered",
        title: "append 1 M items one by one (host: through an appender)",
        unit: Unit::Time("item"),
        who: &[Native, Component, Commonware],
        run: |bench, turn| gathered(bench, Kind::Journal, turn),
    },
    Row {
        id: "append-direct",
        title: "append items one by one, a call each",
        unit: Unit::Time("item"),
        who: &[Native, Component],
        run: |bench, turn| direct(bench, Kind::Journal, turn),
    },
    Row {
        id: "append-batch-memory",
        title: "append 1 M items in batches of 1000, in memory",
        unit: Unit::Time("item"),
        who: &[Native, Component],
        run: |bench, turn| batches(bench, Kind::InMemory, turn),
    },
    Row {
        id: "append-gathered-memory",
        title: "append 1 M items one by one, in memory (host: through an appender)",
        unit: Unit::Time("item"),
        who: &[Native, Component],
        run: |bench, turn| gathered(bench, Kind::InMemory, turn),
    },
    Row {
        id: "append-direct-memory",
        title: "append items one by one, a call each, in memory",
        unit: Unit::Time("item"),
        who: &[Native, Component],
        run: |bench, turn| direct(bench, Kind::InMemory, turn),
    },
    Row {
        id: "append-synced",
        title: "append a batch of 1000 items and sync it",
        unit: Unit::Time("batch"),
        who: &[Raw, Native, Component, Commonware, RaftEngine, OkayWal, Fjall, Redb, Sqlite],
        run: synced,
    },
];

/// Appends to a new log, and looks in the first round whether it is all there.
pub(super) fn appended(bench: &Bench, kind: Kind, turn: Turn, count: u64, how: How, per: u64) -> Result<f64> {
    let name = &log_name(kind, turn.who, "written");
    let mut log = contenders::numbered(bench, kind, turn.who, name)?.log;
    let work = Append { table: bench.table.clone(), first: 0, count, how };
    let took = log.append(&work)?;
    log.close()?;
    if turn.round == 0 && turn.who != Raw {
        bench.check(kind, turn.who, count, name)?;
    }
    bench.place.remove(kind, turn.who, name)?;
    Ok(each(took, per))
}

fn batches(bench: &Bench, kind: Kind, turn: Turn) -> Result<f64> {
    let items = bench.sizes.items;
    appended(bench, kind, turn, items, How::Batches(BATCH), items)
}

fn gathered(bench: &Bench, kind: Kind, turn: Turn) -> Result<f64> {
    let items = bench.sizes.items;
    appended(bench, kind, turn, items, How::Gathered, items)
}

fn direct(bench: &Bench, kind: Kind, turn: Turn) -> Result<f64> {
    let items = bench.sizes.items / 5;
    appended(bench, kind, turn, items, How::Direct, items)
}

fn synced(bench: &Bench, turn: Turn) -> Result<f64> {
    let batches = bench.sizes.synced;
    appended(bench, Kind::Journal, turn, batches * BATCH, How::Synced(BATCH), batches)
}
