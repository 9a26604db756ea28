//! The quick form of the fault matrix: a part of its cells, and that `tests/FAULTS.md` is the page of this code.

use annals_tests::campaign::matrix::{Extent, LOGS, expected_skeleton, skeleton_of};
use annals_tests::native::native;
use std::io::{Write, stdout};

/// Every how many runs of the matrix one is tried here. A prime, so that it meets every kind and scenario in time.
const STRIDE: u64 = 499;

fn part_of(name: &str) {
    let log = LOGS.iter().find(|log| log.name == name).unwrap();
    let seed = annals_tests::seed(20_251_120);
    let extent = Extent { stride: STRIDE, ..Extent::all(seed) };
    let section = log.run(&native, extent, &mut |_, _| {}).unwrap();
    let total = section.total();
    let _ = writeln!(
        stdout(),
        "fault matrix, {name}: ANNALS_SEED={seed}, {} of {} runs: {} right, {} typed, {} shorter before any token, {} silent",
        total.executed(),
        total.executed() + total.vain + total.skipped,
        total.right,
        total.told(),
        total.untold,
        total.silent
    );
    assert!(section.failures.is_empty(), "{}", section.failures.join("\n"));
    assert!(total.right > 0 && total.told() > 0);
}

#[test]
fn no_fault_at_any_call_of_a_journal_is_silent() {
    part_of("journal");
}

#[test]
fn no_fault_at_any_call_of_an_event_log_is_silent() {
    part_of("event log");
}

#[test]
fn no_fault_at_any_call_of_a_raft_log_is_silent() {
    part_of("raft log");
}

#[test]
fn no_fault_at_any_call_of_a_snapshot_is_silent() {
    part_of("snapshot");
}

#[test]
fn no_fault_at_any_call_of_a_change_log_is_silent() {
    part_of("change log");
}

#[test]
fn the_page_of_the_matrix_has_the_rows_and_columns_of_the_code_and_nothing_silent() {
    let page = include_str!("../FAULTS.md");
    let (found, bad) = skeleton_of(page);
    let wanted = expected_skeleton();
    let first = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "tests/FAULTS.md is old ({} rows and columns instead of {}, first {first:?}): cargo run --release -p \
         annals-tests --bin fault-matrix -- --write tests/FAULTS.md",
        found.len(),
        wanted.len()
    );
    assert!(bad.is_empty(), "tests/FAULTS.md says that something was silent or skipped:\n{}", bad.join("\n"));
}
