//! What the component asks of its host, and what it offers: exactly this, and nothing else.

use annals::COMPONENT;
use wasmtime::{Engine, component::Component};

fn names(of: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = of.collect();
    names.sort();
    names
}

/// A WASI interface without its patch version, which may grow.
fn minor(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((minor, _patch)) if name.starts_with("wasi:") => minor.to_owned(),
        _ => name.to_owned(),
    }
}

#[test]
fn the_component_imports_storage_clock_and_randomness_only() {
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT).unwrap().component_type();
    let imports = names(component.imports(&engine).map(|(name, _)| minor(name)));
    assert_eq!(
        imports,
        ["annals:storage/storage@0.1.0", "wasi:clocks/wall-clock@0.2", "wasi:random/random@0.2"]
    );
}

#[test]
fn the_component_exports_the_contract() {
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT).unwrap().component_type();
    let exports = names(component.exports(&engine).map(|(name, _)| name.to_owned()));
    let expected = ["types", "journal", "event-log", "raft-log", "snapshot", "change-log", "admin"];
    let expected = names(expected.into_iter().map(|name| format!("annals:log/{name}@0.1.0")));
    assert_eq!(exports, expected);
}
