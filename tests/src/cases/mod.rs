//! The conformance cases: a static table of claims about a journal, each with the lines of `tests/SPEC.md` that it proves.
//!
//! A case gets a subject on an empty disk and returns what it found instead of what it claims. Cases call only what
//! [`Subject`] offers, so they run on the native library and on the component alike.

mod admin;
mod append;
mod beside;
mod change_log;
mod compression;
mod damage;
mod durability;
mod event;
mod faults;
mod files;
mod full_disk;
mod kit;
mod lies;
mod lifecycle;
mod open;
mod promises;
mod prune;
mod raft;
mod read;
mod replay;
mod rewind;
mod seldom;
mod snapshot;
mod stale;
mod together;
mod token;

use crate::sim::{Image, SimDisk};
use crate::subject::{Factory, Subject};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

pub(crate) use kit::{contents, same_contents};
pub(crate) use raft::raft_contents;

/// A claim that can be false.
#[derive(Clone, Copy)]
pub struct Case {
    /// The claim.
    pub name: &'static str,
    /// The lines of `tests/SPEC.md` that it proves.
    pub proves: &'static [&'static str],
    /// Whether it holds for a subject on an empty disk; the words say what was found instead.
    pub run: fn(&dyn Subject) -> Result<(), String>,
}

/// A case named after its function.
macro_rules! case {
    ($run:ident, $($proves:literal),+ $(,)?) => {
        Case { name: stringify!($run), proves: &[$($proves),+], run: $run }
    };
}
pub(crate) use case;

/// All cases.
pub fn all() -> &'static [Case] {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    ALL.get_or_init(|| {
        let tables = [
            append::CASES,
            read::CASES,
            replay::CASES,
            prune::CASES,
            rewind::CASES,
            open::CASES,
            lifecycle::CASES,
            durability::CASES,
            token::CASES,
            damage::CASES,
            stale::CASES,
            beside::CASES,
            promises::CASES,
            files::CASES,
            compression::CASES,
            faults::CASES,
            full_disk::CASES,
            admin::CASES,
            together::CASES,
            lies::CASES,
            seldom::CASES,
        ];
        [tables.concat(), event::tables(), raft::tables(), snapshot::cases(), change_log::tables()].concat()
    })
}

/// How a case ended.
pub struct Outcome {
    /// What was found instead of the claim; none if the claim holds.
    pub failure: Option<String>,
    /// What the case left on its disk: the same on every subject.
    pub image: Image,
}

/// Runs a case on a fresh disk whose random numbers start from `seed`. A panic is a failure.
pub fn run(case: &Case, factory: Factory<'_>, seed: u64) -> Outcome {
    let disk = SimDisk::new(seed);
    let result = catch_unwind(AssertUnwindSafe(|| (case.run)(&*factory(disk.clone()))));
    let failure = match result {
        Ok(Ok(())) => None,
        Ok(Err(what)) => Some(what),
        Err(panic) => Some(format!("panic: {}", panic_text(&*panic))),
    };
    Outcome { failure, image: disk.image() }
}

/// The words of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_string()
}
