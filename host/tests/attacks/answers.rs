//! Attacks by way of what the component answers: lies about sizes, texts, cases and handles, and no answer at all.

use super::{component::Evil, *};
use annals::{change_log, event_log, raft_log, snapshot};
use std::fmt::Debug;

/// A journal that opens and has three items, at 512.
const OPENS: &str = "(i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 520) (call {new-journal} (i32.const 7))) (i32.const 512)";
/// An answer with one number.
const THREE: &str =
    "(i32.store8 (i32.const 544) (i32.const 0)) (i64.store (i32.const 552) (i64.const 3)) (i32.const 544)";
const ZERO: &str =
    "(i32.store8 (i32.const 544) (i32.const 0)) (i64.store (i32.const 552) (i64.const 0)) (i32.const 544)";

/// A journal of a component that lies in what `read-range` answers.
fn liar(stage: &Stage, read_range: &str) -> Journal {
    let component = component::evil(Evil {
        exports: &[
            (component::OPEN, OPENS),
            ("[method]journal.size", THREE),
            ("[method]journal.boundary", ZERO),
            ("[method]journal.read-range", read_range),
            ("[method]journal.read", read_range),
            ("[dtor]journal", ""),
        ],
        ..Evil::default()
    });
    let runtime = Runtime::compile(&component, Stage::config()).unwrap();
    runtime.journal(stage.directory.clone(), "victim", &Options::default()).unwrap()
}

/// A batch: `first`, then pointers and lengths of ends and bytes. The ends are at 600.
fn batch(ends: &[u32], count: u32, bytes: (u32, u32)) -> String {
    let stores: String = ends
        .iter()
        .enumerate()
        .map(|(at, end)| format!("(i32.store (i32.const {}) (i32.const {end}))", 600 + 4 * at))
        .collect();
    format!(
        "{stores} (i32.store8 (i32.const 544) (i32.const 0)) (i64.store (i32.const 552) (i64.const 0))
         (i32.store (i32.const 560) (i32.const 600)) (i32.store (i32.const 564) (i32.const {count}))
         (i32.store (i32.const 568) (i32.const {})) (i32.store (i32.const 572) (i32.const {})) (i32.const 544)",
        bytes.0, bytes.1
    )
}

#[test]
fn an_honest_answer_passes() {
    // So that the others fail for what they lie about.
    let mut stage = Stage::new();
    let log = liar(&stage, &batch(&[2, 2, 5], 3, (700, 5)));
    assert_eq!(log.size(), Ok(3));
    let found = log.read_range(0, annals::Limits::default()).unwrap();
    assert_eq!((found.len(), found.ends()), (3, &[2, 2, 5][..]));
    drop(log);
    stage.use_healthy();
}

#[test]
fn batches_that_do_not_fit_together_are_nonsense_and_close_the_log() {
    let mut stage = Stage::new();
    for (what, lie) in [
        ("descending", batch(&[5, 2], 2, (700, 5))),
        ("beyond the bytes", batch(&[2, 9], 2, (700, 5))),
        ("short of the bytes", batch(&[2, 4], 2, (700, 5))),
        ("no items but bytes", batch(&[], 0, (700, 5))),
    ] {
        let log = liar(&stage, &lie);
        let answer = log.read_range(0, annals::Limits::default());
        assert!(matches!(answer, Err(Error::Trap(_))), "{what}: {answer:?}");
        assert_eq!(log.append(b"more"), Err(Error::Closed), "{what}");
        stage.use_healthy();
    }
}

#[test]
fn lists_that_reach_out_of_memory_or_have_too_many_elements_are_a_trap() {
    let mut stage = Stage::new();
    for (what, lie) in [
        ("bytes beyond the end", batch(&[5], 1, (262_140, 5))),
        ("4 GiB of bytes", batch(&[5], 1, (0, u32::MAX))),
        ("2^30 ends", batch(&[5], 1 << 30, (700, 5))),
        ("2^32 - 1 ends", batch(&[5], u32::MAX, (700, 5))),
    ] {
        let log = liar(&stage, &lie);
        let answer = log.read_range(0, annals::Limits::default());
        assert!(matches!(answer, Err(Error::Trap(_))), "{what}: {answer:?}");
        stage.use_healthy();
    }
}

#[test]
fn cases_and_texts_that_do_not_exist_are_a_trap() {
    let mut stage = Stage::new();
    let error = "(i32.store8 (i32.const 544) (i32.const 1))";
    for (what, lie) in [
        ("neither answer nor error", "(i32.store8 (i32.const 544) (i32.const 7)) (i32.const 544)".to_owned()),
        ("an error of no kind", format!("{error} (i32.store (i32.const 552) (i32.const 250)) (i32.const 544)")),
        (
            "words that are not UTF-8",
            format!(
                "{error} (i32.store (i32.const 552) (i32.const 22)) (i32.store (i32.const 700) (i32.const -1))
                 (i32.store (i32.const 560) (i32.const 700)) (i32.store (i32.const 564) (i32.const 4)) (i32.const 544)"
            ),
        ),
        ("an answer out of memory", "(i32.const -8)".to_owned()),
        ("an answer between addresses", "(i32.const 545)".to_owned()),
    ] {
        let log = liar(&stage, &lie);
        let answer = log.read(0);
        assert!(matches!(answer, Err(Error::Trap(_))), "{what}: {answer:?}");
        stage.use_healthy();
    }
}

#[test]
fn handles_that_it_never_made_are_a_trap() {
    let mut stage = Stage::new();
    for handle in ["(i32.const 77)", "(i32.const 0)", "(i32.const -1)"] {
        let body = format!(
            "(i32.store8 (i32.const 512) (i32.const 0)) (i32.store (i32.const 520) {handle}) (i32.const 512)"
        );
        let outcome = stage.attack(Stage::config(), &body);
        assert!(matches!(outcome, Err(Error::Trap(_))), "{handle}: {outcome:?}");
    }
}

#[test]
fn a_trap_inside_any_export_is_an_error_of_that_call() {
    fn trapped<T>(name: &str, answer: Result<T, Error>) {
        let told = answer.map(|_| "an answer");
        assert!(matches!(told, Err(Error::Trap(_))), "{name}: {told:?}");
    }
    let mut stage = Stage::new();
    let runtime = Runtime::compile(&component::evil(Evil::default()), Stage::config()).unwrap();
    let at = || stage.directory.clone();
    trapped("journal.open", runtime.journal(at(), "a", &Options::default()));
    trapped("journal.destroy", runtime.destroy_journal(at(), "a"));
    trapped("event-log.open", runtime.event_log(at(), "a", &event_log::Options::default()));
    trapped("event-log.destroy", runtime.destroy_event_log(at(), "a"));
    trapped("event-log.open-archive", runtime.event_archive(at(), "a"));
    trapped("raft-log.open", runtime.raft_log(at(), "a", &raft_log::Options::default()));
    trapped("raft-log.destroy", runtime.destroy_raft_log(at(), "a"));
    trapped("snapshot.open", runtime.snapshot(at(), "a", &snapshot::Options::default()));
    trapped("snapshot.destroy", runtime.destroy_snapshot(at(), "a"));
    trapped("change-log.open", runtime.change_log(at(), "a", &change_log::Options::default()));
    trapped("change-log.instances", runtime.instances(at(), "a"));
    trapped("change-log.destroy", runtime.destroy_change_log(at(), "a"));
    trapped("admin.list", runtime.admin(at()).unwrap().list());
    trapped("admin.info", runtime.admin(at()).unwrap().info("a"));
    trapped("admin.segments", runtime.admin(at()).unwrap().segments("a"));
    trapped("admin.verify", runtime.admin(at()).unwrap().verify("a"));
    trapped("admin.frames", runtime.admin(at()).unwrap().frames("a"));
    stage.check_around();
    stage.use_healthy();
}

#[test]
fn a_component_that_wants_more_than_storage_time_and_randomness_is_refused() {
    fn refused(what: &str, made: Result<impl Debug, Error>) {
        assert!(matches!(made, Err(Error::Setup(_))), "{what}: {made:?}");
    }
    for wants in [
        r#"(import "wasi:filesystem/preopens@0.2.0" (instance (export "get-directories" (func))))"#,
        r#"(import "wasi:sockets/network@0.2.0" (instance (export "open" (func))))"#,
        r#"(import "wasi:cli/environment@0.2.0" (instance (export "get-environment" (func))))"#,
        r#"(import "annals:storage/storage@0.1.0" (instance (export "spawn" (func))))"#,
    ] {
        let component = wat::parse_str(format!("(component {wants})")).unwrap();
        refused(wants, Runtime::compile(&component, Stage::config()));
    }
    refused("no component", Runtime::compile(b"\0asm\x0d\0\x01\0garbage", Stage::config()));
    refused("nothing", Runtime::compile(b"", Stage::config()));
    refused("a compiled one", Runtime::compile(b"\x7fELF", Stage::config()));
}
