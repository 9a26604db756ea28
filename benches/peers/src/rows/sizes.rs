//! Memory and disk.

use super::{Row, Unit};
use crate::{
    bench::{BATCH, Bench, ITEM, Turn, log_name},
    contenders::{Kind, Who},
    rows::read::scattered,
};
use annals::{
    Config, Runtime,
    journal::Options,
    storage::{Memory, Storage},
};
use anyhow::{Result, ensure};
use std::sync::Arc;

use Who::{CommitLog, Commonware, Component, Fjall, Native, RaftEngine, Redb, Sqlite};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "memory",
        title: "memory that an instance needs to append, replay and read 10 M items",
        unit: Unit::Bytes,
        who: &[Component],
        run: memory,
    },
    Row {
        id: "disk",
        title: "bytes on disk ÷ bytes of items, 1 M items in batches of 1000",
        unit: Unit::Ratio,
        who: &[Native, Component, Commonware, RaftEngine, CommitLog, Fjall, Redb, Sqlite],
        run: disk,
    },
];

const STEP: usize = 1 << 20;
const MOST: usize = 64;

/// Whether an instance that may use so much memory does it all.
fn suffices(bench: &Bench, bytes: usize) -> bool {
    let work = || {
        let runtime = Runtime::with_config(Config::new().memory_bytes(bytes))?;
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let log = runtime.journal(storage, "log", &Options::new().sync_sections(false))?;
        let ends = bench.table.ends(BATCH);
        for first in (0..bench.sizes.large).step_by(BATCH as usize) {
            log.append_packed(&ends, bench.table.packed(first, BATCH))?;
        }
        let mut count = 0;
        for batch in log.replay(0)? {
            count += batch?.len() as u64;
        }
        for position in scattered(bench.sizes.large, 10_000) {
            ensure!(log.read(position)? == bench.table.item(position), "another item was read");
        }
        log.close()?;
        ensure!(count == bench.sizes.large, "{count} items were replayed");
        Ok(())
    };
    work().is_ok()
}

/// The least of it, in whole MiB. The same in each round, so it is looked for once.
fn memory(bench: &Bench, _: Turn) -> Result<f64> {
    let found = bench.memory.get_or_init(|| {
        let (mut too_little, mut enough) = (0, MOST);
        if !suffices(bench, enough * STEP) {
            return None;
        }
        while enough - too_little > 1 {
            let middle = (too_little + enough) / 2;
            if suffices(bench, middle * STEP) { enough = middle } else { too_little = middle }
        }
        Some(enough * STEP)
    });
    let found = found.ok_or_else(|| anyhow::anyhow!("{MOST} MiB are not enough"))?;
    Ok(found as f64)
}

fn disk(bench: &Bench, turn: Turn) -> Result<f64> {
    bench.filled(Kind::Journal, turn.who, bench.sizes.items, "read")?.log.close()?;
    let bytes = bench.place.bytes(turn.who, &log_name(Kind::Journal, turn.who, "read"))?;
    let payload = bench.sizes.items * ITEM as u64;
    // Random bytes do not become smaller: whoever has fewer was not found.
    ensure!(bytes >= payload, "{bytes} bytes were found on the disk");
    Ok(bytes as f64 / payload as f64)
}
