//! What the fuzzer runs: functions from any bytes to a panic, or not. `tests/fuzz` builds them with cargo-fuzz, and
//! `tests/tests/fuzz.rs` runs them on every input that once found something.
//!
//! * [`decoders`]: every decoder of the format, on any bytes, and on bytes whose checks are right.
//! * [`images`]: whole storages: small logs that are tampered with, or forged so that all checks are right.
//! * [`ops`]: operations, crashes and faults, with the model that knows every answer.
//!
//! An input is a list of choices ([`Draw::of_bytes`](crate::campaign::draw::Draw::of_bytes)): so every input means
//! something, and a byte that changes changes one choice.

pub mod decoders;
pub mod forge;
pub mod images;
pub mod ops;
pub mod seeds;

mod change_images;

use crate::campaign::draw::Draw;

/// A target: its name, and what it does with an input. It panics if something is wrong.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("names", |bytes| decoders::names(&mut Draw::of_bytes(bytes))),
    ("cells", |bytes| decoders::cells(&mut Draw::of_bytes(bytes))),
    ("frames", |bytes| decoders::frames(&mut Draw::of_bytes(bytes))),
    ("structures", |bytes| decoders::structures(&mut Draw::of_bytes(bytes))),
    ("images", |bytes| images::run(&mut Draw::of_bytes(bytes))),
    ("forged", |bytes| images::run_forged(&mut Draw::of_bytes(bytes))),
    ("ops", |bytes| ops::run(Draw::of_bytes(bytes))),
];

/// Runs the target of that name.
///
/// # Panics
/// There is none, or it finds something.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    target.unwrap_or_else(|| panic!("no fuzz target {name}")).1(input);
}
