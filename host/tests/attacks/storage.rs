//! Attacks on the storage: names, files, cells, locks, handles and space.

use super::*;

/// Repeats `call` up to `times` times until it is refused; `$n` counts. The case of its error is at byte 4, or 8 where the
/// answer is aligned to 8.
pub(super) fn repeat(before: &str, call: &str, times: u32, case: u32) -> String {
    format!(
        "(local $n i64) (local $file i32)
        {before}
        (loop $again
          (if (i64.ge_u (local.get $n) (i64.const {times}))
            (then (return (call $report (local.get $n) (i64.const {NONE})))))
          {call}
          (if (i32.load8_u (i32.const 0))
            (then (return (call $report (local.get $n) (i64.load8_u (i32.const {case}))))))
          (local.set $n (i64.add (local.get $n) (i64.const 1)))
          (br $again))
        unreachable"
    )
}

/// Writes a number as six hexadecimal digits (of the letters a to p) to byte 256.
pub(super) const NUMBER: &str = "(func $number (param $n i32) (local $i i32)
      (loop $again
        (i32.store8 (i32.add (i32.const 256) (local.get $i))
          (i32.add (i32.const 97) (i32.and (local.get $n) (i32.const 15))))
        (local.set $n (i32.shr_u (local.get $n) (i32.const 4)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 6)))))
    ---
    ";
pub(super) const NUMBERED: &str = "(call $number (i32.wrap_i64 (local.get $n)))";

pub(super) const CREATE: &str =
    r#"(call {create} {"mine"} (i32.const 0)) (local.set $file (i32.load (i32.const 4)))"#;

#[test]
fn no_path_leads_out_of_the_storage() {
    let long = "a".repeat(201);
    let names = [
        "../x",
        "..",
        ".",
        "/no/such/place",
        "a/b",
        "A",
        "x\\00y",
        "",
        ".hidden",
        "a\u{e9}",
        "files/../../secret",
        "con:",
        "x y",
        "~",
        "a\\00",
        &long,
    ];
    let mut stage = Stage::new();
    for name in names {
        for call in [
            "(call {create} {NAME} (i32.const 0))",
            "(call {open} {NAME} (i32.const 0))",
            "(call {remove} {NAME} (i32.const 0))",
            "(call {acquire} {NAME} (i32.const 0) (i32.const 0))",
        ] {
            let call = call.replace("{NAME}", &format!("{{\"{name}\"}}"));
            let report = stage.survives(&repeat("", &call, 1, 4));
            assert_eq!(report, Report { done: 0, refused: INVALID_NAME }, "{call}");
        }
    }
    // Prefixes are compared with names and never opened.
    let list =
        r#"(call {list} {"../"} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 99) (i32.const 0))"#;
    let body = format!("{list} (call $report (i64.load32_u (i32.const 8)) (i64.load8_u (i32.const 0)))");
    assert_eq!(stage.survives(&body), Report { done: 0, refused: 0 });
}

#[test]
fn links_that_point_out_are_not_followed() {
    let mut stage = Stage::new();
    std::os::unix::fs::symlink("../../secret", stage.around.join("root/files/link")).unwrap();
    let report = stage.survives(&repeat("", r#"(call {open} {"link"} (i32.const 0))"#, 1, 4));
    assert_eq!(report, Report { done: 0, refused: IO });
}

#[test]
fn a_flood_of_files_ends_at_the_limit() {
    let mut stage = Stage::new();
    let create = format!(
        "{NUMBERED} (call {{create}} (i32.const 256) (i32.const 6) (i32.const 0))
         (if (i32.eqz (i32.load8_u (i32.const 0))) (then (call {{drop-file}} (i32.load (i32.const 4)))))"
    );
    let flood = format!("{NUMBER}{}", repeat("", &create, 10_000, 4));
    assert_eq!(
        stage.survives(&flood),
        Report { done: 49, refused: OUT_OF_SPACE },
        "50 with the healthy log's"
    );
    // Nor does another instance get more.
    assert_eq!(stage.survives(&flood), Report { done: 0, refused: OUT_OF_SPACE });
    assert_eq!(stage.directory.usage().unwrap().files, 50);
}

#[test]
fn a_flood_of_cells_ends_at_the_limit() {
    let mut stage = Stage::new();
    let swap = format!(
        "{NUMBERED} (call {{swap-cell}} (i32.const 256) (i32.const 6) (i32.const 0) (i64.const 0)
           (i32.const 1) (i32.const 0) (i32.const 16) (i32.const 0))"
    );
    let report = stage.survives(&format!("{NUMBER}{}", repeat("", &swap, 10_000, 8)));
    assert_eq!(report, Report { done: 49, refused: OUT_OF_SPACE }, "50 with the healthy log's");
}

#[test]
fn a_flood_of_locks_ends_at_the_limit() {
    let mut stage = Stage::new();
    let acquire =
        format!("{NUMBERED} (call {{acquire}} (i32.const 256) (i32.const 6) (i32.const 0) (i32.const 0))");
    let report = stage.survives(&format!("{NUMBER}{}", repeat("", &acquire, 10_000, 4)));
    assert_eq!(report, Report { done: 50, refused: OUT_OF_SPACE });
    assert!(stage.directory.lock("aaaaaa", 0).is_ok(), "hoarded locks are let go with their holder");
}

#[test]
fn handles_that_leak_end_at_the_limit() {
    let open = repeat(CREATE, r#"(call {open} {"mine"} (i32.const 0))"#, 100_000, 4);
    let mut stage = Stage::new();
    assert_eq!(stage.survives(&open), Report { done: 99, refused: IO }, "100 with the first one");
    let leaked = fs::read_dir("/proc/self/fd").unwrap().filter(|fd| {
        let fd = fd.as_ref().unwrap().path();
        fs::read_link(fd).is_ok_and(|path| path.starts_with(stage.around.join("root/files/mine")))
    });
    assert_eq!(leaked.count(), 0, "its files are closed with the component");
}

/// How many threads of this process sync files now.
fn syncing() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).filter(|name| name.trim() == "annals-sync").count()
}

#[test]
fn syncs_that_are_thrown_away_do_not_pile_up() {
    let sync = "(call {write} (local.get $file) (i64.mul (local.get $n) (i64.const 64)) (i32.const 1024) (i32.const 64)
          (i32.const 0))
        (call {begin-sync} (local.get $file) (i32.const 0))
        (call {drop-pending-sync} (i32.load (i32.const 4)))";
    let attack = std::thread::spawn(|| Stage::new().survives(&repeat(CREATE, sync, 2_000, 4)));
    let mut most = 0;
    while !attack.is_finished() {
        most = most.max(syncing());
    }
    println!("at most {most} threads were syncing");
    assert_eq!(attack.join().unwrap(), Report { done: 2_000, refused: NONE });
    // Those that have ended may still be seen for a moment, and other tests sync too.
    assert!(most <= 100, "{most} threads were syncing");
}

#[test]
fn reserving_and_writing_beyond_the_limit_take_no_space() {
    let mut stage = Stage::new();
    let before = stage.bytes();
    for call in [
        "(call {reserve} (local.get $file) (i64.const -1) (i32.const 0))",
        "(call {reserve} (local.get $file) (i64.const 16777217) (i32.const 0))",
        "(call {write} (local.get $file) (i64.const -8) (i32.const 0) (i32.const 8) (i32.const 0))",
        "(call {write} (local.get $file) (i64.const -1) (i32.const 0) (i32.const 8) (i32.const 0))",
        "(call {write} (local.get $file) (i64.const 4611686018427387904) (i32.const 0) (i32.const 8) (i32.const 0))",
        "(call {write} (local.get $file) (i64.const 16777216) (i32.const 0) (i32.const 1) (i32.const 0))",
    ] {
        assert_eq!(
            stage.survives(&repeat(CREATE, call, 3, 4)),
            Report { done: 0, refused: OUT_OF_SPACE },
            "{call}"
        );
        stage.directory.remove("mine").unwrap();
    }
    assert!(stage.bytes() < before + (1 << 20), "{} bytes where there were {before}", stage.bytes());
    // Cutting to a size beyond the end extends nothing.
    let cut = "(call {truncate} (local.get $file) (i64.const -1) (i32.const 0))";
    assert_eq!(stage.survives(&repeat(CREATE, cut, 3, 4)), Report { done: 3, refused: NONE });
    assert_eq!(stage.directory.open("mine").unwrap().size(), Ok(0));
}

#[test]
fn the_quota_of_bytes_holds_over_files_and_instances() {
    let mut stage = Stage::new();
    let fill = format!(
        "{NUMBER}{}",
        repeat(
            "",
            &format!(
                "{NUMBERED} (call {{create}} (i32.const 256) (i32.const 6) (i32.const 0))
                 (local.set $file (i32.load (i32.const 4)))
                 (call {{reserve}} (local.get $file) (i64.const 15728640) (i32.const 0))
                 (call {{drop-file}} (local.get $file))"
            ),
            40,
            4
        )
    );
    let report = stage.survives(&fill);
    assert_eq!(report, Report { done: 4, refused: OUT_OF_SPACE }, "four of 15 MiB beside the healthy log");
    assert!(stage.bytes() <= 64 << 20, "{} bytes", stage.bytes());
}

#[test]
fn removed_files_that_are_open_count() {
    // Files of 15 MiB that have no name any more, and go with the component.
    let hide = format!(
        "{CREATE}
         (call {{reserve}} (local.get $file) (i64.const 15728640) (i32.const 0))
         (if (i32.eqz (i32.load8_u (i32.const 0))) (then (call {{remove}} {{\"mine\"}} (i32.const 0))))"
    );
    let report = Stage::new().survives(&repeat("", &hide, 40, 4));
    assert_eq!(report, Report { done: 4, refused: OUT_OF_SPACE });
}

#[test]
fn what_is_too_much_for_one_call_is_refused() {
    let mut stage = Stage::new();
    for call in [
        "(call {read} (local.get $file) (i64.const 0) (i32.const -1) (i32.const 0))",
        "(call {read} (local.get $file) (i64.const 0) (i32.const 8388609) (i32.const 0))",
        "(drop (memory.grow (i32.const 200)))
         (call {write} (local.get $file) (i64.const 0) (i32.const 0) (i32.const 8388609) (i32.const 0))",
    ] {
        assert_eq!(stage.survives(&repeat(CREATE, call, 3, 4)), Report { done: 0, refused: IO }, "{call}");
        stage.directory.remove("mine").unwrap();
    }
    let cell = r#"(call {swap-cell} {"c"} (i32.const 0) (i64.const 0) (i32.const 1) (i32.const 0) (i32.const 65537) (i32.const 0))"#;
    assert_eq!(stage.survives(&repeat("", cell, 3, 8)), Report { done: 0, refused: IO });
}

#[test]
fn a_giant_list_is_refused() {
    let mut quota = Quota::default();
    quota.transfer_bytes = 1000;
    let mut stage = Stage::new();
    for number in 0..100 {
        stage.directory.create(&format!("file-with-a-long-name-{number}")).unwrap();
    }
    let list = r#"(call {list} {""} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0))"#;
    let outcome = stage.attack(Stage::config().quota(quota), &repeat("", list, 3, 4));
    assert_eq!(outcome, Ok(Report { done: 0, refused: IO }));
}

#[test]
fn handles_that_were_never_given_are_a_trap() {
    let mut stage = Stage::new();
    for body in [
        "(call {drop-file} (i32.const 77))",
        "(call {drop-lock} (i32.const 1))",
        r#"(call {create} {"mine"} (i32.const 0)) (call {drop-file} (i32.load (i32.const 4))) (call {drop-file} (i32.load (i32.const 4)))"#,
        r#"(call {open} {"mine"} (i32.const 0)) (call {drop-lock} (i32.load (i32.const 4)))"#,
        "(call {size} (i32.const -1) (i32.const 0))",
    ] {
        let outcome =
            stage.attack(Stage::config(), &format!("{body} (call $report (i64.const 0) (i64.const 0))"));
        assert!(matches!(outcome, Err(Error::Trap(_))), "{body}: {outcome:?}");
    }
}
