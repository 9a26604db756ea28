//! Event logs.

use super::{
    Row, Unit,
    append::appended,
    read::{reading, scattered},
};
use crate::{
    bench::{BATCH, Bench, Turn},
    contenders::{Kind, Who},
    kinds::numbered::{How, Read},
};
use anyhow::Result;

use Who::{Azoth, Component, Native};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "event-append",
        title: "event log: append 1 M events in batches of 1000, no sync",
        unit: Unit::Time("event"),
        who: &[Native, Component, Azoth],
        run: append,
    },
    Row {
        id: "event-iterate",
        title: "event log: iterate over 1 M events",
        unit: Unit::Time("event"),
        who: &[Native, Component, Azoth],
        run: iterate,
    },
    Row {
        id: "event-get",
        title: "event log: get one of 1 M events",
        unit: Unit::Time("event"),
        who: &[Native, Component, Azoth],
        run: get,
    },
];

fn append(bench: &Bench, turn: Turn) -> Result<f64> {
    let events = bench.sizes.items;
    appended(bench, Kind::Events, turn, events, How::Batches(BATCH), events)
}

fn iterate(bench: &Bench, turn: Turn) -> Result<f64> {
    reading(bench, Kind::Events, turn, &Read::All(bench.sizes.items), bench.sizes.items)
}

fn get(bench: &Bench, turn: Turn) -> Result<f64> {
    // The peer reads from the start of its file each time, which takes so long that few must do.
    let reads = if turn.who == Azoth { 20 } else { bench.sizes.reads };
    let ids = scattered(bench.sizes.items, reads).collect();
    reading(bench, Kind::Events, turn, &Read::Each(ids), reads)
}
