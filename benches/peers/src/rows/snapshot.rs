//! Snapshots: a million keys with values, together 200 bytes each.

use super::{Row, Unit, each, read::scattered};
use crate::{
    bench::{Bench, Turn, log_name},
    contenders::{self, Kind, Who},
    items::Table,
    kinds::keyed::Keyed,
};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

use Who::{Component, Fjall, Native, Redb, Slipstream, Sqlite};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "snapshot-apply",
        title: "snapshot: apply 1 M keys of 200 B in batches of 1024, no sync",
        unit: Unit::Time("key"),
        who: &[Native, Component, Fjall, Slipstream, Redb, Sqlite],
        run: apply,
    },
    Row {
        id: "snapshot-apply-synced",
        title: "snapshot: apply keys of 200 B in batches of 1024, each durable",
        unit: Unit::Time("key"),
        who: &[Native, Component, Fjall, Redb, Sqlite],
        run: apply_synced,
    },
    Row {
        id: "snapshot-get",
        title: "snapshot: get one of 1 M keys",
        unit: Unit::Time("key"),
        who: &[Native, Component, Fjall, Slipstream, Redb, Sqlite],
        run: get,
    },
    Row {
        id: "snapshot-scan",
        title: "snapshot: scan a prefix with 1000 entries",
        unit: Unit::Time("scan"),
        who: &[Native, Component, Fjall, Slipstream, Redb, Sqlite],
        run: scan,
    },
];

/// Updates of a batch.
const BATCH: usize = 1024;
/// Keys that have one prefix.
const GROUP: u64 = 1000;
/// Bytes of key and value together.
const ENTRY: usize = 200;
const KEY: usize = 16;

/// The key with this number, as text.
pub(crate) fn key(number: u64) -> Vec<u8> {
    format!("{:07}/{:08}", number / GROUP, number).into_bytes()
}

fn prefix(group: u64) -> Vec<u8> {
    format!("{group:07}/").into_bytes()
}

/// Values by the number of their keys.
pub(crate) fn values() -> std::sync::Arc<Table> {
    Table::new(ENTRY - KEY)
}

/// Applies keys in an order that is not theirs, and says how long that took.
pub(crate) fn fill(store: &mut dyn Keyed, values: &Table, keys: u64, durable: bool) -> Result<Duration> {
    let mut took = Duration::ZERO;
    // A factor that has none in common with a number of keys that is a power of ten.
    let numbers: Vec<u64> = (0..keys).map(|n| n * 7919 % keys).collect();
    for batch in numbers.chunks(BATCH) {
        let pairs: Vec<_> =
            batch.iter().map(|number| (key(*number), values.item(*number).to_vec())).collect();
        took += store.put(&pairs, durable)?;
    }
    Ok(took)
}

/// Fills a new store, and looks in the first round whether some of it is there after opening it again.
fn applied(bench: &Bench, turn: Turn, keys: u64, durable: bool) -> Result<f64> {
    let name = &log_name(Kind::Snapshot, turn.who, "written");
    let values = values();
    let mut store = contenders::keyed(bench, turn.who, name)?;
    let took = fill(&mut *store, &values, keys, durable)?;
    store.close()?;
    if turn.round == 0 {
        let mut store = contenders::keyed(bench, turn.who, name)?;
        gets(&mut *store, &values, keys, 1000.min(keys), true)?;
        store.close()?;
    }
    bench.place.remove(Kind::Snapshot, turn.who, name)?;
    Ok(each(took, keys))
}

fn apply(bench: &Bench, turn: Turn) -> Result<f64> {
    applied(bench, turn, bench.sizes.items, false)
}

fn apply_synced(bench: &Bench, turn: Turn) -> Result<f64> {
    applied(bench, turn, bench.sizes.items / 10, true)
}

/// Gets values of keys all over, all bytes of which are compared if `exact`, and their lengths if not.
fn gets(store: &mut dyn Keyed, values: &Table, keys: u64, count: u64, exact: bool) -> Result<Duration> {
    let numbers: Vec<u64> = scattered(keys, count).collect();
    let names: Vec<Vec<u8>> = numbers.iter().map(|number| key(*number)).collect();
    let mut right = 0;
    let start = Instant::now();
    for (name, number) in names.iter().zip(&numbers) {
        store.get(name, &mut |value| {
            right +=
                u64::from(if exact { value == values.item(*number) } else { value.len() == ENTRY - KEY });
        })?;
    }
    let took = start.elapsed();
    ensure!(right == count, "{right} of {count} values are what was written");
    Ok(took)
}

/// A store with all keys, made once.
fn filled(bench: &Bench, turn: Turn) -> Result<Box<dyn Keyed>> {
    let name = &log_name(Kind::Snapshot, turn.who, "read");
    bench.once(turn.who, name, || {
        let mut store = contenders::keyed(bench, turn.who, name)?;
        fill(&mut *store, &values(), bench.sizes.items, false)?;
        store.close()
    })?;
    contenders::keyed(bench, turn.who, name)
}

fn get(bench: &Bench, turn: Turn) -> Result<f64> {
    let (mut store, values) = (filled(bench, turn)?, values());
    let (keys, reads) = (bench.sizes.items, bench.sizes.reads);
    gets(&mut *store, &values, keys, reads, true)?;
    let took = gets(&mut *store, &values, keys, reads, false)?;
    store.close()?;
    Ok(each(took, reads))
}

fn scan(bench: &Bench, turn: Turn) -> Result<f64> {
    let (mut store, values) = (filled(bench, turn)?, values());
    // The one that goes through everything takes long.
    let scans = if turn.who == Slipstream { 5 } else { 100 };
    let groups: Vec<u64> = scattered(bench.sizes.items / GROUP, scans).collect();
    let mut took = Duration::ZERO;
    for exact in [true, false] {
        let (mut count, mut wrong) = (0, 0);
        let start = Instant::now();
        for group in &groups {
            let mut number = group * GROUP;
            store.scan(&prefix(*group), GROUP as usize, &mut |found, value| {
                if exact {
                    wrong += u64::from(found != key(number) || value != values.item(number));
                }
                number += 1;
                count += 1;
            })?;
        }
        took = start.elapsed();
        ensure!(count == scans * GROUP, "{count} entries were found instead of {}", scans * GROUP);
        ensure!(wrong == 0, "{wrong} entries are not what was written");
    }
    store.close()?;
    Ok(each(took, scans))
}
