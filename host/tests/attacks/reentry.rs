//! Attacks from inside a call: while the host passes something, when it has read an answer, before anything was asked.

use super::{component::Evil, *};

/// Calls that make the host ask for memory, to put their answers there.
const LIST: &str =
    r#"(call {list} {""} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 99) (i32.const 0))"#;
const READ: &str = r#"(call {create} {"mine"} (i32.const 0)) (local.set $file (i32.load (i32.const 4)))
    (call {write} (local.get $file) (i64.const 0) (i32.const 0) (i32.const 8) (i32.const 0))
    (call {read} (local.get $file) (i64.const 0) (i32.const 8) (i32.const 0))"#;
const READ_CELL: &str = r#"(call {swap-cell} {"mine"} (i32.const 0) (i64.const 0)
        (i32.const 1) (i32.const 0) (i32.const 16) (i32.const 0))
    (call {read-cell} {"mine"} (i32.const 0))"#;
const LIST_CELLS: &str =
    r#"(call {list-cells} {""} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 99) (i32.const 0))"#;

/// Attacks where the host asks for memory in the middle of a call of the storage.
fn meanwhile(stage: &mut Stage, call: &str, memory: &str) -> Result<Report, Error> {
    // Only from then on: the host has passed the name of the log before.
    let body = format!(
        "(local $file i32) (global.set $armed (i32.const 1)) {call} (call $report (i64.const 1) (i64.const 99))"
    );
    let memory = format!("(if (global.get $armed) (then {memory}))");
    let evil = component::evil(Evil {
        exports: &[(component::OPEN, &body)],
        memory: &memory,
        parts: "(global $armed (mut i32) (i32.const 0))",
        ..Evil::default()
    });
    let config = Stage::config().call_time(Duration::from_secs(1));
    let outcome = stage.attack_with(config, &evil);
    let _ = stage.directory.remove("mine");
    if let Ok(Some(cell)) = stage.directory.read_cell("mine") {
        stage.directory.swap_cell("mine", Some(cell.version), None).unwrap();
    }
    outcome
}

#[test]
fn a_trap_inside_any_call_that_answers_with_bytes_ends_the_component_only() {
    let mut stage = Stage::new();
    for call in [LIST, LIST_CELLS, READ, READ_CELL] {
        let outcome = meanwhile(&mut stage, call, "unreachable");
        assert!(matches!(outcome, Err(Error::Trap(_))), "{call}: {outcome:?}");
    }
}

#[test]
fn a_call_of_the_storage_inside_a_call_of_the_storage_is_a_trap() {
    let mut stage = Stage::new();
    for call in [LIST, READ, READ_CELL] {
        for inner in [
            "(drop (call {is-durable}))",
            r#"(call {create} {"inner"} (i32.const 0))"#,
            "(call {drop-file} (i32.const 0))",
        ] {
            let outcome = meanwhile(&mut stage, call, inner);
            assert!(matches!(outcome, Err(Error::Trap(_))), "{call}, {inner}: {outcome:?}");
        }
    }
    assert!(stage.directory.open("inner").is_err(), "it reached the storage");
}

#[test]
fn memory_that_lies_elsewhere_is_a_trap() {
    let mut stage = Stage::new();
    for memory in [
        "(return (i32.const -16))",
        "(return (i32.const 262143))", // one byte from the end
        "(return (i32.const 0x7fffffff))",
    ] {
        let outcome = meanwhile(&mut stage, READ, memory);
        assert!(matches!(outcome, Err(Error::Trap(_))), "{memory}: {outcome:?}");
    }
}

#[test]
fn an_endless_loop_inside_a_call_of_the_storage_is_stopped_in_time() {
    let outcome = meanwhile(&mut Stage::new(), READ, "(loop $again (br $again))");
    assert_eq!(outcome, Err(Error::Limit { what: Bound::Time, allowed: 1000 }));
}

#[test]
fn what_a_component_does_after_its_answer_is_bounded_too() {
    let mut stage = Stage::new();
    let body = "(call $report (i64.const 1) (i64.const 99))";
    for (after, time) in [("unreachable", false), ("(loop $again (br $again))", true)] {
        let evil = component::evil(Evil { exports: &[(component::OPEN, body)], after, ..Evil::default() });
        let outcome = stage.attack_with(Stage::config().call_time(Duration::from_secs(1)), &evil);
        match time {
            true => assert_eq!(outcome, Err(Error::Limit { what: Bound::Time, allowed: 1000 })),
            false => assert!(matches!(outcome, Err(Error::Trap(_))), "{outcome:?}"),
        }
    }
}

#[test]
fn a_component_that_attacks_before_it_is_asked_anything_is_stopped() {
    let mut stage = Stage::new();
    let body = "(call $report (i64.const 1) (i64.const 99))";
    for (start, stopped) in [
        ("unreachable", None),
        ("(loop $again (br $again))", Some(Bound::Time)),
        (
            "(if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable))",
            Some(Bound::Memory),
        ),
    ] {
        let parts = format!("(func $start {start}) (start $start)");
        let evil =
            component::evil(Evil { exports: &[(component::OPEN, body)], parts: &parts, ..Evil::default() });
        let outcome = stage.attack_with(Stage::config().call_time(Duration::from_secs(1)), &evil);
        match (stopped, outcome) {
            (None, Err(Error::Setup(_) | Error::Trap(_))) => {}
            (Some(stopped), Err(Error::Limit { what, .. })) if what == stopped => {}
            (_, outcome) => panic!("{start}: {outcome:?}"),
        }
    }
}
