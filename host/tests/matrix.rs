//! The part of the fault matrix that only a component has: stopped in the middle of a call by a trap, for want of memory,
//! or because its time is up. Quick: some steps of each scenario; `ANNALS_FULL=1`: all. `ANNALS_WRITE_FAULTS=1` does all
//! and writes them into `tests/FAULTS.md`.

mod component;

use annals::{Config, link::Quota};
use annals_tests::campaign::change_log::ChangeLog;
use annals_tests::campaign::event::EventLog;
use annals_tests::campaign::journal::Journal;
use annals_tests::campaign::matrix::{Limited, Stopped, component_table, stopped, with_component};
use annals_tests::campaign::raft::Raft;
use annals_tests::campaign::snapshot::Snapshot;
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::{Factory, Subject};
use component::limited;
use std::io::{Write, stdout};
use std::thread::sleep;
use std::time::Duration;

/// How long a call may last, and how long a storage call lasts that is too slow.
const TIME: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(90));
/// Memory grows by pages of this many bytes; a component has more than this many of them from the start.
const PAGE: u64 = 64 << 10;
const PAGES: u64 = 12;

/// The storage call of this number, within one call of the component, is one too many: a trap.
fn traps(disk: SimDisk, limit: u64) -> Box<dyn Subject> {
    let mut quota = Quota::default();
    quota.calls = limit - 1;
    limited(disk, Config::new().quota(quota))
}

/// There is no more memory than this.
fn starves(disk: SimDisk, limit: u64) -> Box<dyn Subject> {
    let bytes = usize::try_from((PAGES + limit) * PAGE).unwrap();
    limited(disk, Config::new().memory_bytes(bytes))
}

/// The storage call of this number takes longer than a call may.
fn lingers(disk: SimDisk, limit: u64) -> Box<dyn Subject> {
    disk.before_call(limit, || sleep(TIME.1));
    limited(disk, Config::new().call_time(TIME.0))
}

type Run = fn(Factory<'_>, Limited<'_>, u64, usize) -> Result<Vec<Stopped>, String>;

#[test]
fn a_component_that_is_stopped_at_any_call_loses_nothing_that_was_acknowledged() {
    let write = std::env::var_os("ANNALS_WRITE_FAULTS").is_some();
    let full = write || std::env::var_os("ANNALS_FULL").is_some();
    let seed = annals_tests::seed(20_251_120);
    let logs: [(&str, Run); 5] = [
        ("journal", stopped::<Journal>),
        ("event log", stopped::<EventLog>),
        ("raft log", stopped::<Raft>),
        ("snapshot", stopped::<Snapshot>),
        ("change log", stopped::<ChangeLog>),
    ];
    let faults: [(&str, Limited<'_>, usize); 3] =
        [("trap", &traps, 9), ("memory exhausted", &starves, 9), ("deadline", &lingers, 41)];
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for (fault, limits, stride) in faults {
        for (log, run) in logs {
            let start = std::time::Instant::now();
            let scenarios = run(&native, limits, seed, if full { 1 } else { stride })
                .unwrap_or_else(|what| panic!("{fault}, {log}: {what}"));
            let runs: u64 = scenarios.iter().map(|stopped| stopped.tally.executed()).sum();
            let told: u64 = scenarios.iter().map(|stopped| stopped.tally.told()).sum();
            let skipped: u64 = scenarios.iter().map(|stopped| stopped.tally.skipped).sum();
            let _ = writeln!(
                stdout(),
                "{fault}, {log}: ANNALS_SEED={seed}, {runs} runs, {told} typed, {skipped} steps skipped, {:?}",
                start.elapsed()
            );
            assert!(told > 0, "{fault}, {log}: nothing was stopped");
            for stopped in &scenarios {
                let named = |what| format!("{fault}, {log}, \"{}\": {what}", stopped.scenario);
                failures.extend(stopped.failures.iter().map(named));
            }
            rows.push((fault, log, scenarios));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if write {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/FAULTS.md");
        let page = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, with_component(&page, &component_table(&rows))).unwrap();
    }
}
