//! Attacks by repetition, and by handles at the wrong time: tickets, locks, files after their end, cells and names without
//! number.

use super::{
    storage::{CREATE, NUMBER, NUMBERED, repeat},
    *,
};
use annals::{link, storage::Memory};
use wasmtime::component::{Component, Linker, ResourceTable};

fn trapped(stage: &mut Stage, body: &str) {
    let body = format!("(local $file i32) {body} (call $report (i64.const 0) (i64.const 0))");
    let outcome = stage.attack(Stage::config(), &body);
    assert!(matches!(outcome, Err(Error::Trap(_))), "{body}: {outcome:?}");
    let _ = stage.directory.remove("mine");
}

#[test]
fn a_file_that_was_dropped_can_be_used_no_more() {
    let mut stage = Stage::new();
    for call in [
        "(call {size} (local.get $file) (i32.const 0))",
        "(call {read} (local.get $file) (i64.const 0) (i32.const 1) (i32.const 0))",
        "(call {write} (local.get $file) (i64.const 0) (i32.const 0) (i32.const 1) (i32.const 0))",
        "(call {reserve} (local.get $file) (i64.const 1) (i32.const 0))",
        "(call {truncate} (local.get $file) (i64.const 0) (i32.const 0))",
        "(call {sync} (local.get $file) (i32.const 0))",
        "(call {begin-sync} (local.get $file) (i32.const 0))",
    ] {
        trapped(&mut stage, &format!("{CREATE} (call {{drop-file}} (local.get $file)) {call}"));
    }
}

#[test]
fn handles_of_one_kind_are_no_handles_of_another() {
    let mut stage = Stage::new();
    for body in [
        // A lock as a file, a file as a ticket, a ticket as a file and as a lock.
        r#"(call {acquire} {"held"} (i32.const 0) (i32.const 0))
           (call {write} (i32.load (i32.const 4)) (i64.const 0) (i32.const 0) (i32.const 1) (i32.const 0))"#
            .to_owned(),
        format!("{CREATE} (call {{wait}} (local.get $file) (i32.const 0))"),
        format!(
            "{CREATE} (call {{begin-sync}} (local.get $file) (i32.const 0))
             (call {{size}} (i32.load (i32.const 4)) (i32.const 0))"
        ),
        format!(
            "{CREATE} (call {{begin-sync}} (local.get $file) (i32.const 0))
             (call {{drop-lock}} (i32.load (i32.const 4)))"
        ),
    ] {
        trapped(&mut stage, &body);
    }
}

#[test]
fn a_ticket_outlives_its_file_and_may_be_asked_forever() {
    let before = format!(
        "{CREATE} (call {{begin-sync}} (local.get $file) (i32.const 0))
         (call {{drop-file}} (local.get $file)) (local.set $file (i32.load (i32.const 4)))"
    );
    let mut stage = Stage::new();
    let wait = "(call {wait} (local.get $file) (i32.const 0))";
    assert_eq!(stage.survives(&repeat(&before, wait, 5_000, 4)), Report { done: 5_000, refused: NONE });
    stage.directory.remove("mine").unwrap();
    // Dropped, it is gone.
    trapped(
        &mut stage,
        &format!(
            "{before} (call {{drop-pending-sync}} (local.get $file)) (call {{wait}} (local.get $file) (i32.const 0))"
        ),
    );
}

#[test]
fn tickets_that_are_hoarded_end_at_the_limit_of_handles() {
    let begin = "(call {begin-sync} (local.get $file) (i32.const 0))";
    let report = Stage::new().survives(&repeat(CREATE, begin, 10_000, 4));
    assert_eq!(report, Report { done: 99, refused: IO }, "100 with the file");
}

#[test]
fn locks_excluded_by_oneself_are_refused_and_their_names_are_counted() {
    let mut stage = Stage::new();
    let twice = r#"(call {acquire} {"held"} (i32.const 0) (i32.const 0))"#;
    assert_eq!(stage.survives(&repeat("", twice, 3, 4)), Report { done: 1, refused: LOCKED });
    // Taken and let go, each leaves an empty file behind: that is bounded too.
    let flood = format!(
        "{NUMBERED} (call {{acquire}} (i32.const 256) (i32.const 6) (i32.const 0) (i32.const 0))
         (if (i32.eqz (i32.load8_u (i32.const 0))) (then (call {{drop-lock}} (i32.load (i32.const 4)))))"
    );
    let report = stage.survives(&format!("{NUMBER}{}", repeat("", &flood, 5_000, 4)));
    assert_eq!(report, Report { done: 50, refused: OUT_OF_SPACE });
    let left = fs::read_dir(stage.around.join("root/locks")).unwrap().count();
    assert!(left <= 55, "{left} files of locks");
}

#[test]
fn files_that_come_and_go_leave_nothing() {
    let mut stage = Stage::new();
    let before = (stage.bytes(), stage.directory.usage().unwrap());
    let churn = format!(
        "{NUMBERED} (call {{create}} (i32.const 256) (i32.const 6) (i32.const 0))
         (local.set $file (i32.load (i32.const 4)))
         (call {{write}} (local.get $file) (i64.const 1048576) (i32.const 0) (i32.const 8) (i32.const 0))
         (call {{drop-file}} (local.get $file))
         (call {{remove}} (i32.const 256) (i32.const 6) (i32.const 0))"
    );
    let report = stage.survives(&format!("{NUMBER}{}", repeat("", &churn, 1_000, 4)));
    assert_eq!(report, Report { done: 1_000, refused: NONE }, "a gigabyte, but never more than one of them");
    assert_eq!(stage.directory.usage().unwrap().files, before.1.files);
}

#[test]
fn files_with_holes_count_as_if_they_had_none() {
    let sparse = format!(
        "{NUMBERED} (call {{create}} (i32.const 256) (i32.const 6) (i32.const 0))
         (local.set $file (i32.load (i32.const 4)))
         (call {{write}} (local.get $file) (i64.const 15728639) (i32.const 0) (i32.const 1) (i32.const 0))"
    );
    let mut stage = Stage::new();
    let report = stage.survives(&format!("{NUMBER}{}", repeat("", &sparse, 40, 4)));
    assert_eq!(report, Report { done: 4, refused: OUT_OF_SPACE }, "four of 15 MiB, of one byte each");
    assert!(stage.bytes() <= 64 << 20);
}

#[test]
fn a_large_cell_that_changes_all_the_time_takes_the_room_of_one() {
    let mut stage = Stage::new();
    // The version that the last change answered is at 8.
    let swap = r#"(call {swap-cell} {"large"} (i64.gt_u (local.get $n) (i64.const 0)) (i64.load (i32.const 16))
        (i32.const 1) (i32.const 0) (i32.const 65536) (i32.const 0))
        (if (i32.eqz (i32.load8_u (i32.const 0))) (then
            (if (i32.load8_u (i32.const 8)) (then unreachable))))"#;
    let report = stage.survives(&repeat("", swap, 200, 8));
    assert_eq!(report, Report { done: 200, refused: NONE });
    let cells = fs::read_dir(stage.around.join("root/cells")).unwrap();
    let bytes: u64 = cells.map(|cell| cell.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 4 * (64 << 10), "{bytes} bytes of cells");
}

/// What a host of its own keeps for a component.
type State = (link::Context, ResourceTable);

#[test]
fn randomness_without_end_is_refused() {
    // The world asks for single numbers; what else the host offers for apps must be bounded too.
    let wants = |len: &str| {
        let text = format!(
            r#"(component
                (import "wasi:random/random@0.2.0" (instance $random
                    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
                (core module $memory
                    (memory (export "memory") 4)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
                (core instance $memory (instantiate $memory))
                (core func $bytes (canon lower (func $random "get-random-bytes")
                    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
                (core module $run
                    (import "" "bytes" (func $bytes (param i64 i32)))
                    (func (export "run") (call $bytes (i64.const {len}) (i32.const 0))))
                (core instance $run (instantiate $run (with "" (instance (export "bytes" (func $bytes))))))
                (func (export "run") (canon lift (core func $run "run"))))"#
        );
        let engine = wasmtime::Engine::default();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let mut linker = Linker::<State>::new(&engine);
        fn view(state: &mut State) -> link::View<'_> {
            link::View { context: &mut state.0, table: &mut state.1 }
        }
        link::add_to_linker(&mut linker, view).unwrap();
        let state = (link::Context::new(Arc::new(Memory::new())), ResourceTable::new());
        let mut store = wasmtime::Store::new(&engine, state);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ())
    };
    assert!(wants("16").is_ok());
    for len in ["65537", "0x40000000", "0x100000000", "-1"] {
        assert!(wants(len).is_err(), "{len} bytes");
    }
}

#[test]
fn tables_grow_to_their_limit_and_no_further() {
    let body = "(table 1 funcref)
        (func $grow (result i64)
          (local $n i64)
          (loop $again
            (if (i32.ne (table.grow (ref.null func) (i32.const 10000)) (i32.const -1)) (then
              (local.set $n (i64.add (local.get $n) (i64.const 1)))
              (br $again))))
          (local.get $n))
        ---
        (call $report (call $grow) (i64.const 99))";
    assert_eq!(Stage::new().survives(body), Report { done: 9, refused: NONE }, "90,001 of 100,000 elements");
}
