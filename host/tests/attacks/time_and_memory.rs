//! Attacks on time, memory and the stack.

use super::*;

const ENDLESS: &str = "(loop $again (br $again)) unreachable";

#[test]
fn an_endless_loop_is_stopped_in_time() {
    let mut stage = Stage::new();
    let start = std::time::Instant::now();
    stage.stopped(Stage::config().call_time(Duration::from_millis(200)), ENDLESS, Bound::Time);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn an_endless_loop_holds_up_no_log_meanwhile() {
    let mut stage = Stage::new();
    let healthy = stage.healthy.clone();
    let user = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        (0..20).all(|_| healthy.append(b"meanwhile").is_ok()) && healthy.rewind(0).is_ok()
    });
    let runtime =
        Runtime::compile(&component::hostile(ENDLESS), Stage::config().call_time(Duration::from_secs(2)));
    let opened = runtime.unwrap().journal(stage.directory.clone(), "victim", &Options::default());
    assert_eq!(opened.unwrap_err(), Error::Limit { what: Bound::Time, allowed: 2000 });
    assert!(user.join().unwrap());
    stage.use_healthy();
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    // As many pages as it gets, each touched.
    let body = "(local $n i64)
        (loop $again
          (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then
            (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (i32.const 1))
            (local.set $n (i64.add (local.get $n) (i64.const 1)))
            (br $again))))
        (call $report (local.get $n) (i64.const 99))";
    let report = Stage::new().survives(body);
    assert_eq!(report, Report { done: 31, refused: NONE }, "31 MiB beside the 256 KiB that were there");
}

#[test]
fn what_memory_refused_is_named_when_the_component_ends_over_it() {
    let body = "(if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable))
        (call $report (i64.const 1) (i64.const 99))";
    Stage::new().stopped(Stage::config(), body, Bound::Memory);
}

#[test]
fn a_stack_overflow_is_a_trap() {
    let body = "(func $deep (param i64) (result i64)
          (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
        ---
        (call $report (call $deep (i64.const 0)) (i64.const 99))";
    let outcome = Stage::new().attack(Stage::config(), body);
    assert!(matches!(outcome, Err(Error::Trap(_))), "{outcome:?}");
}

#[test]
fn a_trap_inside_a_call_lets_go_of_what_it_held() {
    let mut stage = Stage::new();
    let body = r#"(call {acquire} {"held"} (i32.const 0) (i32.const 0))
        (if (i32.load8_u (i32.const 0)) (then (return (call $report (i64.const 0) (i64.const 0)))))
        (call {create} {"half"} (i32.const 0))
        unreachable"#;
    let outcome = stage.attack(Stage::config(), body);
    assert!(matches!(outcome, Err(Error::Trap(_))), "{outcome:?}");
    assert!(stage.directory.lock("held", 0).is_ok(), "the lock outlived the component");
}

#[test]
fn a_lock_that_is_taken_is_waited_for_no_longer_than_the_call_may_last() {
    let mut stage = Stage::new();
    let held = stage.directory.lock("held", 0).unwrap();
    let body = r#"(call {acquire} {"held"} (i32.const -1) (i32.const 0))
        (call $report (i64.const 0) (i64.load8_u (i32.const 4)))"#;
    let start = std::time::Instant::now();
    let outcome = stage.attack(Stage::config().call_time(Duration::from_millis(300)), body);
    assert!(start.elapsed() < Duration::from_secs(15), "waited {:?} of 49 days", start.elapsed());
    let stopped = Err(Error::Limit { what: Bound::Time, allowed: 300 });
    assert!(outcome == stopped || outcome == Ok(Report { done: 0, refused: 2 }), "{outcome:?}");
    drop(held);
}

#[test]
fn endless_calls_are_stopped_without_a_clock() {
    let mut quota = Quota::default();
    quota.calls = 1000;
    let body = "(loop $again (drop (call {is-durable})) (br $again)) unreachable";
    Stage::new().stopped(Config::new().quota(quota), body, Bound::Calls);
}

#[test]
fn pointers_out_of_its_memory_are_a_trap() {
    for call in [
        "(call {list} (i32.const -8) (i32.const 64) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0))",
        "(call {create} (i32.const 0) (i32.const -1) (i32.const 0))",
        "(call {remove} (i32.const 1024) (i32.const 8) (i32.const -4))",
    ] {
        let outcome = Stage::new()
            .attack(Stage::config(), &format!("{call} (call $report (i64.const 0) (i64.const 0))"));
        assert!(matches!(outcome, Err(Error::Trap(_))), "{call}: {outcome:?}");
    }
}
