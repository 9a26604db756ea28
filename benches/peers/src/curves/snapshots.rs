//! Snapshots against the number of their keys.

use super::{Curve, Shape};
use crate::{
    bench::{Bench, log_name},
    contenders::{self, Kind, Who},
    kinds::keyed::Keyed,
    rows::{
        scattered,
        snapshot::{fill, key, values},
    },
};
use anyhow::{Result, ensure};
use std::time::Instant;

const SIZES: &[u64] = &[1000, 10_000, 100_000, 1_000_000];

pub(super) const CURVES: &[Curve] = &[
    Curve {
        id: "snapshot-get",
        title: "get a key of a snapshot",
        against: "keys of 200 bytes",
        should: Shape::Flat,
        sizes: SIZES,
        measure: get,
    },
    Curve {
        id: "snapshot-apply",
        title: "apply a key in a batch of 1000 to a snapshot",
        against: "keys of 200 bytes",
        should: Shape::Flat,
        sizes: SIZES,
        measure: apply,
    },
    Curve {
        id: "snapshot-scan",
        title: "scan a prefix with 1000 entries of a snapshot",
        against: "keys of 200 bytes",
        should: Shape::Flat,
        sizes: SIZES,
        measure: scan,
    },
    Curve {
        id: "snapshot-open",
        title: "open a snapshot after a close",
        against: "keys of 200 bytes",
        should: Shape::Linear,
        sizes: SIZES,
        measure: open,
    },
];

/// A snapshot with so many keys, made once.
fn filled(bench: &Bench, keys: u64) -> Result<Box<dyn Keyed>> {
    let name = &log_name(Kind::Snapshot, Who::Component, &format!("{keys}-keys"));
    bench.once(Who::Component, name, || {
        let mut store = contenders::keyed(bench, Who::Component, name)?;
        fill(&mut *store, &values(), keys, false)?;
        store.close()
    })?;
    contenders::keyed(bench, Who::Component, name)
}

fn get(bench: &Bench, keys: u64) -> Result<f64> {
    let mut store = filled(bench, keys)?;
    let names: Vec<_> = scattered(keys, 20_000).map(key).collect();
    let mut found = 0;
    let start = Instant::now();
    for name in &names {
        found += u64::from(store.get(name, &mut |_| ())?);
    }
    let took = start.elapsed();
    store.close()?;
    ensure!(found == names.len() as u64, "{found} keys were found");
    Ok(took.as_nanos() as f64 / found as f64)
}

/// Writes keys that are there already, so that their number stays.
fn apply(bench: &Bench, keys: u64) -> Result<f64> {
    let mut store = filled(bench, keys)?;
    let values = values();
    let pairs: Vec<_> =
        scattered(keys, 20_000).map(|number| (key(number), values.item(number).to_vec())).collect();
    let mut nanoseconds = 0.0;
    for batch in pairs.chunks(1000) {
        nanoseconds += store.put(batch, false)?.as_nanos() as f64;
    }
    store.close()?;
    Ok(nanoseconds / pairs.len() as f64)
}

fn scan(bench: &Bench, keys: u64) -> Result<f64> {
    let mut store = filled(bench, keys)?;
    let prefixes: Vec<Vec<u8>> = scattered(keys, 100).map(|number| key(number)[..8].to_vec()).collect();
    let mut found = 0;
    let start = Instant::now();
    for prefix in &prefixes {
        store.scan(prefix, 1000, &mut |_, _| found += 1)?;
    }
    let took = start.elapsed();
    store.close()?;
    ensure!(found == prefixes.len() * 1000, "{found} entries were found");
    Ok(took.as_nanos() as f64 / prefixes.len() as f64)
}

fn open(bench: &Bench, keys: u64) -> Result<f64> {
    filled(bench, keys)?.close()?;
    let start = Instant::now();
    let store = filled(bench, keys)?;
    let took = start.elapsed();
    store.close()?;
    Ok(took.as_nanos() as f64)
}
