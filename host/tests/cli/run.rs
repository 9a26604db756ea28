//! `annals run`: what it takes, what it gives to the program, and what it says when it cannot be run.
//! Programs in real languages are in `tests/guests`; these are the smallest that there are.

use super::place::Place;

/// A program whose `main` is this core function, which answers 0 for success and 1 for failure.
fn program(imports: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            {imports}
            (core module $m (func (export "run") (result i32) {body}))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (component $c (import "f" (func $f (result (result)))) (export "run" (func $f)))
            (instance $r (instantiate $c (with "f" (func $run))))
            (export "wasi:cli/run@0.2.0" (instance $r))
        )"#
    );
    wat::parse_str(text).expect("a component")
}

#[test]
fn the_exit_code_is_the_programs() {
    let place = Place::new("run-codes");
    for (body, code) in [("i32.const 0", 0), ("i32.const 1", 1)] {
        let app = place.file("app.wasm", program("", body));
        place.run(&["run", &app]).expect(code);
    }
    let exit = r#"(import "wasi:cli/exit@0.2.0" (instance $exit
        (export "exit-with-code" (func (param "status-code" u8)))))"#;
    let text = format!(
        r#"(component
            {exit}
            (alias export $exit "exit-with-code" (func $exit-with-code))
            (core func $exit-core (canon lower (func $exit-with-code)))
            (core module $m
                (import "" "exit" (func $exit (param i32)))
                (func (export "run") (result i32) (call $exit (i32.const 42)) unreachable))
            (core instance $i (instantiate $m (with "" (instance (export "exit" (func $exit-core))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (component $c (import "f" (func $f (result (result)))) (export "run" (func $f)))
            (instance $r (instantiate $c (with "f" (func $run))))
            (export "wasi:cli/run@0.2.0" (instance $r))
        )"#
    );
    let app = place.file("app.wasm", wat::parse_str(text).expect("a component"));
    place.run(&["run", &app]).expect(42);
}

#[test]
fn what_cannot_be_run_is_told_with_what_is_missing() {
    let place = Place::new("run-errors");
    let refused = |bytes: &[u8], says: &[&str]| {
        let app = place.file("app.wasm", bytes);
        let ran = place.run(&["run", &app]);
        ran.expect(2);
        ran.says(&["cannot run"]);
        ran.says(says);
        assert!(!place.logs().exists(), "nothing is made before the program can be run");
    };
    refused(b"print('hello')", &["it is not a WebAssembly component"]);
    refused(
        &wat::parse_str("(module)").unwrap(),
        &["a core module, not a component", "wasm-tools component new"],
    );
    refused(&program("", "i32.const 0")[..40], &["it is not a valid component"]);
    refused(&wat::parse_str("(component)").unwrap(), &["nothing to run", "wasi:cli/run@0.2"]);
    let importing = |import: &str| program(&format!("(import {import})"), "i32.const 0");
    refused(
        &importing(r#""annals:log/journal@0.2.0" (instance)"#),
        &["imports 'annals:log/journal@0.2.0', but here is 'annals:log/journal@0.1.0'"],
    );
    refused(
        &importing(r#""annals:log/ledger@0.1.0" (instance)"#),
        &["imports 'annals:log/ledger@0.1.0', which is not there", "annals:log/journal@0.1.0"],
    );
    refused(
        &importing(r#""annals:log/journal@0.1.0" (instance (export "shuffle" (func)))"#),
        &["imports 'annals:log/journal@0.1.0' in another form", "shuffle"],
    );
    refused(
        &importing(r#""some:thing/else@1.2.3" (instance (export "f" (func)))"#),
        &["some:thing/else@1.2.3"],
    );
    let ran = place.run(&["run", "none.wasm"]);
    ran.expect(2);
    ran.says(&["cannot read 'none.wasm'"]);
}

#[test]
fn a_program_that_traps_or_takes_too_much_is_stopped_and_told() {
    let place = Place::new("run-stopped");
    let app = place.file("app.wasm", program("", "unreachable"));
    let ran = place.run(&["run", &app]);
    ran.expect(2);
    ran.says(&["was stopped", "unreachable"]);
}

#[test]
fn logs_are_in_a_directory_or_in_memory() {
    let place = Place::new("run-where");
    let app = place.file("app.wasm", program("", "i32.const 0"));
    place.run(&["run", "--memory", &app]).expect(2); // and in a directory too
    let nowhere =
        std::process::Command::new(env!("CARGO_BIN_EXE_annals")).args(["run", &app]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--memory"));
    let memory = std::process::Command::new(env!("CARGO_BIN_EXE_annals"))
        .args(["run", "--memory", &app])
        .output()
        .unwrap();
    assert_eq!(memory.status.code(), Some(0));
}
