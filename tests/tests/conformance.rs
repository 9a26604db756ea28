//! Every conformance case holds for the native library.

use annals_tests::cases;
use annals_tests::native::native;
use std::io::{Write, stdout};

#[test]
fn every_case_holds_for_the_native_library() {
    let seed = annals_tests::seed(1);
    let _ = writeln!(stdout(), "conformance native: ANNALS_SEED={seed}");
    let only = std::env::var("ANNALS_CASE").unwrap_or_default();
    let mut failures = Vec::new();
    let mut ran = 0;
    for case in cases::all().iter().filter(|case| case.name.contains(&only)) {
        let start = std::time::Instant::now();
        let outcome = cases::run(case, &native, seed);
        ran += 1;
        if let Some(what) = outcome.failure {
            failures.push(format!("{} [{}]: {what}", case.name, case.proves.join("; ")));
        }
        // Who only asks whether something fails need not wait for the rest.
        if !failures.is_empty() && std::env::var_os("ANNALS_FIRST_FAILURE").is_some() {
            break;
        }
        let took = start.elapsed();
        if took.as_millis() > 300 {
            println!("{} took {took:?}", case.name);
        }
    }
    let _ = writeln!(stdout(), "conformance native: {ran} cases");
    assert!(
        failures.is_empty(),
        "{} of {ran} fail (ANNALS_SEED={seed}):\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    for case in cases::all() {
        let [one, two] = [9, 9].map(|seed| cases::run(case, &native, seed));
        assert!(one.image == two.image, "{}", case.name);
    }
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<&str> = cases::all().iter().map(|case| case.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 60);
}
