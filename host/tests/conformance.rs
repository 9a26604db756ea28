//! One suite, two subjects: every case holds for the native library and for the component, and both leave the same
//! bytes for the same seed.

mod component;

use annals_tests::cases::{self, Outcome};
use annals_tests::native::native;
use annals_tests::sim::Image;
use annals_tests::subject::Factory;
use component::component;

fn run(name: &str, subject: Factory<'_>, seed: u64) -> Vec<Image> {
    let outcomes: Vec<_> = cases::all().iter().map(|case| (case, cases::run(case, subject, seed))).collect();
    let failed = |(case, outcome): &(&cases::Case, Outcome)| {
        outcome.failure.as_ref().map(|what| format!("{}: {what}", case.name))
    };
    let failures: Vec<String> = outcomes.iter().filter_map(failed).collect();
    println!("conformance {name}: {} cases, {} failed", outcomes.len(), failures.len());
    assert!(failures.is_empty(), "ANNALS_SEED={seed} {name}:\n{}", failures.join("\n"));
    outcomes.into_iter().map(|(_, outcome)| outcome.image).collect()
}

#[test]
fn every_case_holds_for_both_subjects_and_leaves_the_same_bytes() {
    let seed = annals_tests::seed(1);
    println!("ANNALS_SEED={seed}");
    let native = run("native", &native, seed);
    let component = run("component", &component, seed);
    assert_eq!(native.len(), component.len(), "as many cases on both subjects");
    for (case, (native, component)) in cases::all().iter().zip(native.iter().zip(&component)) {
        assert!(native == component, "{}: different bytes on disk", case.name);
    }
}
