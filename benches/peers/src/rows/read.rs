//! Reading one log by one thread, from the page cache.

use super::{Row, Unit, each};
use crate::{
    bench::{Bench, Turn},
    contenders::{Kind, Who},
    items::Seen,
    kinds::numbered::Read,
};
use anyhow::Result;
use std::sync::Arc;

use Who::{CommitLog, Commonware, Component, Fjall, Native, RaftEngine, Redb, Sqlite};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "replay",
        title: "replay 1 M items",
        unit: Unit::Time("item"),
        who: &[Native, Component, Commonware, RaftEngine, CommitLog, Fjall, Redb, Sqlite],
        run: replay,
    },
    Row {
        id: "range",
        title: "10,000 items in one read",
        unit: Unit::Time("read"),
        who: &[Native, Component, Commonware, RaftEngine, CommitLog, Fjall, Redb, Sqlite],
        run: range,
    },
    Row {
        id: "read-cached",
        title: "random read among 256 neighbours",
        unit: Unit::Time("read"),
        who: &[Native, Component, Commonware, RaftEngine, CommitLog, Fjall, Redb, Sqlite],
        run: cached,
    },
    Row {
        id: "read-random",
        title: "random read among 1 M items in the page cache",
        unit: Unit::Time("read"),
        who: &[Native, Component, Commonware, RaftEngine, CommitLog, Fjall, Redb, Sqlite],
        run: random,
    },
    Row {
        id: "read-many",
        title: "read 100 of 1000 neighbours in one call",
        unit: Unit::Time("item"),
        who: &[Native, Component, Commonware, Fjall, Redb, Sqlite],
        run: many,
    },
];

/// Items of a range.
const RANGE: u64 = 10_000;

/// Reads once and compares every byte, then once more for the time.
pub(super) fn reading(bench: &Bench, kind: Kind, turn: Turn, work: &Read, per: u64) -> Result<f64> {
    let mut log = bench.filled(kind, turn.who, bench.sizes.items, "read")?.log;
    let mut seen = Seen::exact(&bench.table, work.positions());
    log.read(work, &mut seen)?;
    seen.verify(&bench.table, work.positions())?;
    let mut seen = Seen::quick();
    let took = log.read(work, &mut seen)?;
    seen.verify(&bench.table, work.positions())?;
    log.close()?;
    Ok(each(took, per))
}

/// Numbers below `below`, all over, the same for everyone.
pub(crate) fn scattered(below: u64, count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(move |n| {
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below
    })
}

fn replay(bench: &Bench, turn: Turn) -> Result<f64> {
    reading(bench, Kind::Journal, turn, &Read::All(bench.sizes.items), bench.sizes.items)
}

fn range(bench: &Bench, turn: Turn) -> Result<f64> {
    let reads = 20;
    let starts: Arc<[u64]> = scattered(bench.sizes.items - RANGE, reads).collect();
    reading(bench, Kind::Journal, turn, &Read::Ranges(starts, RANGE), reads)
}

fn cached(bench: &Bench, turn: Turn) -> Result<f64> {
    let (reads, start) = (bench.sizes.reads * 5, bench.sizes.items / 2);
    let positions: Arc<[u64]> = scattered(256, reads).map(|n| start + n).collect();
    reading(bench, Kind::Journal, turn, &Read::Each(positions), reads)
}

fn random(bench: &Bench, turn: Turn) -> Result<f64> {
    let reads = bench.sizes.reads;
    reading(bench, Kind::Journal, turn, &Read::Each(scattered(bench.sizes.items, reads).collect()), reads)
}

fn many(bench: &Bench, turn: Turn) -> Result<f64> {
    let (calls, start) = (bench.sizes.reads / 100, bench.sizes.items / 2);
    // Every tenth, more or less, ascending.
    let near = scattered(10, 100).zip(0..).map(|(n, ten)| start + ten * 10 + n);
    let near: Vec<u64> = near.collect();
    let positions: Arc<[u64]> = near.repeat(calls as usize).into();
    let per = positions.len() as u64;
    reading(bench, Kind::Journal, turn, &Read::Many(positions, 100), per)
}
