//! Change logs against the number of changes that are outstanding.
//!
//! In memory: a change is durable before it is acknowledged, and what syncs take has nothing to do with scans.

use super::{Curve, Shape};
use crate::bench::Bench;
use annals::{
    change_log::{Change, Options},
    storage::{Memory, Storage},
};
use anyhow::{Result, ensure};
use std::{sync::Arc, time::Instant};

pub(super) const CURVES: &[Curve] = &[Curve {
    id: "changes",
    title: "scan a change log",
    against: "changes outstanding",
    should: Shape::Linear,
    sizes: &[10, 100, 1000, 10_000, 100_000],
    measure: scan,
}];

fn scan(bench: &Bench, changes: u64) -> Result<f64> {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let options = Options::create().background_heartbeat(false);
    let log = bench.place.runtime.change_log(storage, "changes", &options)?;
    for number in 0..changes {
        log.record(format!("change-{number:09}").as_bytes(), &Change::new(bench.table.item(number)))?;
    }
    // What takes no time is done often.
    let times = (10_000 / changes).max(1);
    let mut found = 0;
    let start = Instant::now();
    for _ in 0..times {
        let mut scan = log.scan(false)?;
        while let Some(some) = scan.next_batch()? {
            found += some.len() as u64;
        }
    }
    let took = start.elapsed();
    log.close()?;
    ensure!(found == changes * times, "{found} changes were found instead of {}", changes * times);
    Ok(took.as_nanos() as f64 / times as f64)
}
