//! Every input that fuzzing once found something with, and what fuzzing starts from, run by the ordinary compiler.
//!
//! `tests/fuzz/found/TARGET/NAME` are inputs, made small; the name says what went wrong.

use annals_tests::fuzz::{TARGETS, run, seeds};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn no_input_that_found_something_finds_it_again() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/found");
    let mut tried = 0;
    for entry in fs::read_dir(found).unwrap() {
        let directory = entry.unwrap();
        let target = directory.file_name().into_string().unwrap();
        // Those of the host have a test there.
        if !TARGETS.iter().any(|(name, _)| *name == target) {
            continue;
        }
        for entry in fs::read_dir(directory.path()).unwrap() {
            let (input, name) =
                (fs::read(entry.as_ref().unwrap().path()).unwrap(), entry.unwrap().file_name());
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&target, &input)));
            assert!(outcome.is_ok(), "fuzz target {target} with {name:?}");
            tried += 1;
        }
    }
    assert!(tried > 0);
}

#[test]
fn what_fuzzing_starts_from_finds_nothing() {
    let golden = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
        seeds::golden(&fs::read_to_string(path).unwrap())
    };
    let storages =
        ["journal-1.hex", "snapshot-1.hex", "event-log-1.hex", "raft-1.hex", "change-log-1.hex"].map(golden);
    for (target, run) in TARGETS {
        let seeds = seeds::of(target, &storages);
        assert!(seeds.len() > 20, "{target}");
        seeds.iter().for_each(|seed| run(seed));
    }
}
