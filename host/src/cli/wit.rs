//! `annals wit`: the contract, as one document that tools for WIT can read.

use super::{Outcome, output::Output};

/// The package `annals:log`, the file with the world first.
const LOG: &[&str] = &[
    include_str!("../../../wit/world.wit"),
    include_str!("../../../wit/types.wit"),
    include_str!("../../../wit/journal.wit"),
    include_str!("../../../wit/event-log.wit"),
    include_str!("../../../wit/raft-log.wit"),
    include_str!("../../../wit/snapshot.wit"),
    include_str!("../../../wit/change-log.wit"),
    include_str!("../../../wit/admin.wit"),
];
/// The package `annals:storage`, which the component imports.
const STORAGE: &str = include_str!("../../../wit/deps/storage/storage.wit");

/// Runs `wit`.
pub(crate) fn run(out: &mut Output) -> anyhow::Result<Outcome> {
    out.bytes(document().as_bytes())?;
    Ok(Outcome::Fine)
}

/// Both packages: one is named once, at the top, and the other stands inside braces at the end.
fn document() -> String {
    let (name, _) = split(LOG[0]);
    let mut text = format!("package {name};\n");
    for file in LOG {
        text.push_str(split(file).1);
    }
    let (name, items) = split(STORAGE);
    text.push_str(&format!("\npackage {name} {{\n"));
    for line in items.trim().lines() {
        text.push_str(if line.is_empty() { "" } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
    text + "}\n"
}

/// The name of the package and what stands behind it.
fn split(file: &str) -> (&str, &str) {
    let rest = file.strip_prefix("package ").unwrap_or(file);
    rest.split_once(";\n").unwrap_or(("", rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_can_read_it_and_nothing_is_missing() {
        let text = document();
        let mut resolve = wit_parser::Resolve::default();
        let main = resolve.push_str("annals.wit", &text).expect("one valid document");
        assert_eq!(resolve.packages[main].name.to_string(), "annals:log@0.1.0");
        assert!(resolve.packages[main].worlds.contains_key("annals"));
        let exported = LOG[0].lines().filter_map(|line| line.strip_prefix("  export ")?.strip_suffix(';'));
        assert_eq!(exported.clone().count(), LOG.len() - 1, "a file for each interface");
        for interface in exported {
            assert!(resolve.packages[main].interfaces.contains_key(interface), "{interface}");
        }
        assert!(
            resolve
                .packages
                .iter()
                .any(|(_, package)| package.name.to_string().starts_with("annals:storage@"))
        );
        for file in LOG.iter().copied().chain([STORAGE]) {
            for line in split(file).1.lines() {
                assert!(text.contains(line), "{line}");
            }
        }
    }
}
