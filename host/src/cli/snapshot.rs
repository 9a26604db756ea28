//! `annals snapshot …`: which commands there are, and the short ones themselves.
//!
//! Commands that only read keep no values in memory, so that they work on a fold of any size.

mod apply;
mod artifact;
mod lines;
mod read;

use std::sync::Arc;

use annals::{Runtime, Snapshot, admin::Kind, snapshot::Options, storage::Storage};
use clap::{Args, Subcommand};

pub(crate) use lines::{bytes, unhex};

use super::{
    EXIT_CODES, Outcome, Place,
    args::{Expecting, Writing, log_name},
    common,
    format::hex,
    output::Output,
};

/// The commands of a snapshot.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(after_help = EXIT_CODES)]
    Apply(apply::Apply),
    #[command(after_help = EXIT_CODES)]
    Get(read::Get),
    #[command(after_help = EXIT_CODES)]
    Range(read::Range),
    #[command(after_help = EXIT_CODES)]
    Cursor(Cursor),
    #[command(after_help = EXIT_CODES)]
    Stats(Stats),
    /// Show what there is to know about a snapshot without reading all of it
    #[command(after_help = EXIT_CODES)]
    Info(common::Info),
    #[command(after_help = EXIT_CODES)]
    Compact(Compact),
    #[command(after_help = EXIT_CODES)]
    Sync(Sync),
    #[command(after_help = EXIT_CODES)]
    Export(artifact::Export),
    #[command(after_help = EXIT_CODES)]
    Import(artifact::Import),
    /// Remove a snapshot and its files, for good
    #[command(after_help = EXIT_CODES)]
    Destroy(common::Destroy),
}

/// Runs one of them.
pub(crate) fn run(place: &Place, command: Command, out: &mut Output) -> anyhow::Result<Outcome> {
    match command {
        Command::Apply(args) => apply::run(place, &args, out),
        Command::Get(args) => read::get(place, &args, out),
        Command::Range(args) => read::range(place, &args, out),
        Command::Cursor(args) => cursor(place, &args, out),
        Command::Stats(args) => stats(place, &args, out),
        Command::Info(args) => common::info(place, &args, Kind::Snapshot, "next", &[], out),
        Command::Compact(args) => compact(place, &args, out),
        Command::Sync(args) => sync(place, &args, out),
        Command::Export(args) => artifact::export(place, &args, out),
        Command::Import(args) => artifact::import(place, &args, out),
        Command::Destroy(args) => {
            common::destroy(place, &args, Kind::Snapshot, Runtime::destroy_snapshot, out)
        }
    }
}

/// Opens a snapshot.
fn open(place: &Place, storage: Arc<dyn Storage>, log: &str, options: &Options) -> anyhow::Result<Snapshot> {
    let opened = place.runtime.snapshot(storage.clone(), log, options);
    opened.map_err(|error| place.told(&storage, "open", log, error))
}

/// Opens a snapshot for reading only.
fn reading(place: &Place, log: &str, expecting: &Expecting) -> anyhow::Result<Snapshot> {
    let options = Options { expect: expecting.token, ..Options::read_only().values_on_disk(true) };
    open(place, place.existing()?, log, &options)
}

/// Opens a snapshot that exists for writing.
fn writing(place: &Place, log: &str, writing: &Writing) -> anyhow::Result<Snapshot> {
    let options = Options { expect: writing.expecting.token, ..Options::open() };
    open(place, place.existing()?, log, &options.values_on_disk(true).lock_wait_ms(writing.lock_wait))
}

/// Prints a cursor: as hexadecimal digits, and as text where it is some that fits on a line.
fn put_cursor(cursor: &[u8], out: &mut Output) -> anyhow::Result<()> {
    if cursor.is_empty() {
        return out.line("cursor none");
    }
    out.line(format_args!("cursor-hex {}", hex(cursor)))?;
    match std::str::from_utf8(cursor) {
        Ok(text) if !text.chars().any(char::is_control) => out.line(format_args!("cursor {text}")),
        _ => Ok(()),
    }
}

/// Print the cursor at which a snapshot is exact
///
/// Prints 'cursor-hex HEX', and 'cursor TEXT' too where it is text; 'cursor none' if there is none.
#[derive(Args)]
pub(crate) struct Cursor {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    expecting: Expecting,
}

fn cursor(place: &Place, args: &Cursor, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let snapshot = reading(place, log, &args.expecting)?;
    put_cursor(&snapshot.cursor().map_err(|error| place.failed("read", log, error))?, out)?;
    Ok(Outcome::Fine)
}

/// Count the entries and bytes of a snapshot
///
/// Reads all of it. Dead bytes are what a compaction would free; the generation counts compactions.
#[derive(Args)]
pub(crate) struct Stats {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    expecting: Expecting,
}

fn stats(place: &Place, args: &Stats, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let failed = |error| place.failed("read", log, error);
    let snapshot = reading(place, log, &args.expecting)?;
    let stats = snapshot.stats().map_err(failed)?;
    let cursor = snapshot.cursor().map_err(failed)?;
    if args.json {
        out.line(serde_json::json!({
            "name": log,
            "entries": stats.entries,
            "live_bytes": stats.live_bytes,
            "dead_bytes": stats.dead_bytes,
            "generation": stats.generation,
            "cursor_hex": hex(&cursor),
        }))?;
        return Ok(Outcome::Fine);
    }
    for (key, value) in [
        ("entries", stats.entries),
        ("live-bytes", stats.live_bytes),
        ("dead-bytes", stats.dead_bytes),
        ("generation", stats.generation),
    ] {
        out.line(format_args!("{key} {value}"))?;
    }
    put_cursor(&cursor, out)?;
    Ok(Outcome::Fine)
}

/// Write a snapshot anew, without what is dead
///
/// The entries, the cursor and earlier tokens stay what they were. After a crash the log is as before or as after.
#[derive(Args)]
pub(crate) struct Compact {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    writing: Writing,
}

fn compact(place: &Place, args: &Compact, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let snapshot = writing(place, log, &args.writing)?;
    let before = snapshot.stats().map_err(|error| place.failed("read", log, error))?;
    snapshot.compact().map_err(|error| place.failed("compact", log, error))?;
    let after = snapshot.stats().map_err(|error| place.failed("read", log, error))?;
    let token = snapshot.close().map_err(|error| place.failed("close", log, error))?;
    out.line(format_args!("entries {}", after.entries))?;
    out.line(format_args!("freed-bytes {}", before.dead_bytes.saturating_sub(after.dead_bytes)))?;
    out.line(format_args!("generation {}", after.generation))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

/// Make everything that was applied durable
///
/// Recovers the snapshot if it was not closed cleanly, syncs and closes it, and prints its token.
#[derive(Args)]
pub(crate) struct Sync {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    writing: Writing,
}

fn sync(place: &Place, args: &Sync, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let snapshot = writing(place, log, &args.writing)?;
    snapshot.sync().map_err(|error| place.failed("sync", log, error))?;
    let token = snapshot.close().map_err(|error| place.failed("close", log, error))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}
