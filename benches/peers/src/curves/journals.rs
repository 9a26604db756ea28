//! Journals: opening one of any size, appending behind any number of segments.

use super::{Curve, Shape};
use crate::{
    bench::{BATCH, Bench, log_name},
    contenders::{Kind, Who},
};
use annals::journal::Options;
use anyhow::Result;
use std::time::Instant;

pub(super) const CURVES: &[Curve] = &[
    Curve {
        id: "open",
        title: "open a journal after a close",
        against: "items of 100 bytes",
        should: Shape::Flat,
        sizes: &[1000, 10_000, 100_000, 1_000_000, 10_000_000],
        measure: open,
    },
    Curve {
        id: "segments",
        title: "append an item, in batches of 1000, files of 1 MiB",
        against: "files before it",
        should: Shape::Flat,
        sizes: &[1, 10, 100, 1000],
        measure: segments,
    },
];

/// Opens it ten times; the component has to be made ready each time.
fn open(bench: &Bench, items: u64) -> Result<f64> {
    let name = &format!("{items}-items");
    bench.filled(Kind::Journal, Who::Component, items, name)?.log.close()?;
    let mut nanoseconds = 0.0;
    let times = 10;
    for _ in 0..times {
        let opened = bench.filled(Kind::Journal, Who::Component, items, name)?;
        nanoseconds += opened.took.as_nanos() as f64;
        opened.log.close()?;
    }
    Ok(nanoseconds / f64::from(times))
}

/// Appends so many bytes that some files fill up, to a log that has that many already.
fn segments(bench: &Bench, files: u64) -> Result<f64> {
    let (runtime, storage) = (&bench.place.runtime, &bench.place.storage);
    let name = &log_name(Kind::Journal, Who::Component, &format!("{files}-files"));
    let options = Options::create().sync_sections(false).segment_bytes(1 << 20);
    let log = runtime.journal(storage.clone(), name, &options)?;
    let ends = bench.table.ends(BATCH);
    let append = |batch: u64| log.append_packed(&ends, bench.table.packed(batch * BATCH, BATCH)).map(drop);
    // Ten batches to a file.
    (0..files * 10).try_for_each(append)?;
    let batches = 200;
    let start = Instant::now();
    (0..batches).try_for_each(append)?;
    let took = start.elapsed();
    log.close()?;
    bench.place.remove(Kind::Journal, Who::Component, name)?;
    Ok(took.as_nanos() as f64 / (batches * BATCH) as f64)
}
