//! What is measured: a row of the table each.

mod append;
mod events;
mod open;
mod raft;
mod read;
mod sizes;
pub(crate) mod snapshot;
mod threads;

use crate::{
    bench::{Bench, Turn},
    contenders::Who,
};
use anyhow::Result;
pub(crate) use read::scattered;
use std::time::Duration;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    /// Nanoseconds for one of these; less is better.
    Time(&'static str),
    /// Bytes in a second; more is better.
    Rate,
    /// So many of these; less is better.
    Count(&'static str),
    /// Bytes; less is better.
    Bytes,
    /// One thing divided by another of the same kind; which is better, the title says.
    Ratio,
}

/// A row.
pub(crate) struct Row {
    /// How it is called on the command line and by targets.
    pub(crate) id: &'static str,
    /// What is done, in words.
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// Who does it, in the order of the columns.
    pub(crate) who: &'static [Who],
    /// One contender's turn.
    pub(crate) run: fn(&Bench, Turn) -> Result<f64>,
}

/// All rows.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [
        append::ROWS,
        read::ROWS,
        open::ROWS,
        raft::ROWS,
        events::ROWS,
        snapshot::ROWS,
        threads::ROWS,
        sizes::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Nanoseconds for each of `count`.
pub(crate) fn each(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

impl Unit {
    /// A number of this unit for a person.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Unit::Time(_) => match value {
                ..100.0 => format!("{value:.1} ns"),
                ..1e4 => format!("{value:.0} ns"),
                ..1e7 => format!("{:.1} µs", value / 1e3),
                _ => format!("{:.1} ms", value / 1e6),
            },
            Unit::Rate => format!("{:.2} GB/s", value / 1e9),
            Unit::Count(_) => format!("{value:.0}"),
            Unit::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Unit::Ratio => format!("{value:.2}"),
        }
    }
}
