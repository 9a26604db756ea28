//! Raft logs.

use super::{
    Row, Unit,
    append::appended,
    read::{reading, scattered},
};
use crate::{
    bench::{Bench, Turn},
    contenders::{Kind, Who},
    kinds::numbered::{How, Read},
};
use anyhow::Result;

use Who::{Component, DEngine, Native, RaftEngine};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "raft-persist",
        title: "Raft log: persist 10,000 entries at once, no sync",
        unit: Unit::Time("entry"),
        who: &[Native, Component, DEngine, RaftEngine],
        run: persist,
    },
    Row {
        id: "raft-persist-synced",
        title: "Raft log: persist 10,000 entries at once and sync them",
        unit: Unit::Time("entry"),
        who: &[Native, Component, DEngine, RaftEngine],
        run: synced,
    },
    Row {
        id: "raft-range",
        title: "Raft log: read 10,000 entries at once",
        unit: Unit::Time("read"),
        who: &[Native, Component, DEngine, RaftEngine],
        run: range,
    },
];

/// Entries of a call. Less than the items of a table are different, so a batch is put together item by item.
const ENTRIES: u64 = 10_000;

fn persist(bench: &Bench, turn: Turn) -> Result<f64> {
    let entries = bench.sizes.items / 5;
    // Each entry of the peer costs some system calls.
    appended(bench, Kind::Raft, turn, entries, How::Batches(ENTRIES.min(entries)), entries)
}

fn synced(bench: &Bench, turn: Turn) -> Result<f64> {
    let entries = bench.sizes.items / 5;
    appended(bench, Kind::Raft, turn, entries, How::Synced(ENTRIES.min(entries)), entries)
}

fn range(bench: &Bench, turn: Turn) -> Result<f64> {
    let reads = 20;
    let starts = scattered(bench.sizes.items - ENTRIES, reads).collect();
    reading(bench, Kind::Raft, turn, &Read::Ranges(starts, ENTRIES), reads)
}
