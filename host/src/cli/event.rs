//! `annals event …`: which commands there are, and the short ones themselves.
//!
//! Appending, reading, and what has to do with sealed files have files of their own.

mod append;
mod files;
mod read;

use std::sync::Arc;

use annals::{EventLog, Runtime, admin::Kind, event_log::Options, storage::Storage};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    EXIT_CODES, Outcome, Place,
    args::{Expecting, log_name},
    common,
    output::{Count, Output},
};

pub(crate) use files::read_archive;

/// How long a turn among several writers is waited for, unless told.
const TURN_MS: u32 = 60_000;

/// The commands of an event log.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(after_help = EXIT_CODES)]
    Append(append::Append),
    #[command(after_help = EXIT_CODES)]
    Get(read::Get),
    #[command(after_help = EXIT_CODES, visible_alias = "replay")]
    Iterate(read::Iterate),
    #[command(after_help = EXIT_CODES)]
    DeleteRange(DeleteRange),
    #[command(after_help = EXIT_CODES)]
    Rotate(files::Rotate),
    #[command(after_help = EXIT_CODES)]
    Archive(files::Archive),
    #[command(after_help = EXIT_CODES)]
    ReadArchive(files::ReadArchive),
    #[command(after_help = EXIT_CODES)]
    Sync(Sync),
    #[command(after_help = EXIT_CODES)]
    Stats(Stats),
    /// Show what there is to know about an event log without reading all of it
    #[command(after_help = EXIT_CODES)]
    Info(common::Info),
    /// Remove an event log and its files, for good
    #[command(after_help = EXIT_CODES)]
    Destroy(common::Destroy),
}

/// Runs one of them, except `read-archive`, which needs no directory.
pub(crate) fn run(place: &Place, command: Command, out: &mut Output) -> anyhow::Result<Outcome> {
    match command {
        Command::Append(args) => append::run(place, &args, out),
        Command::Get(args) => read::get(place, &args, out),
        Command::Iterate(args) => read::iterate(place, &args, out),
        Command::DeleteRange(args) => delete_range(place, &args, out),
        Command::Rotate(args) => files::rotate(place, &args, out),
        Command::Archive(args) => files::archive(place, &args, out),
        Command::ReadArchive(args) => read_archive(&place.runtime, &args, out),
        Command::Sync(args) => sync(place, &args, out),
        Command::Stats(args) => stats(place, &args, out),
        Command::Info(args) => common::info(place, &args, Kind::EventLog, "next", &[], out),
        Command::Destroy(args) => {
            common::destroy(place, &args, Kind::EventLog, Runtime::destroy_event_log, out)
        }
    }
}

/// What every command takes that opens an event log for writing.
#[derive(Args)]
struct Writing {
    #[command(flatten)]
    expecting: Expecting,
    /// Write along with other processes: each takes its turn, and all of them must say this
    #[arg(long)]
    shared: bool,
    /// Wait so many milliseconds for another writer to let go of the log, or for each turn [default: 0, or 60000 with
    /// --shared]
    #[arg(long, value_name = "MS")]
    lock_wait: Option<u32>,
}

impl Writing {
    /// Puts this into the options of an open.
    fn apply(&self, options: Options) -> Options {
        let unless_told = if self.shared { TURN_MS } else { 0 };
        let lock_wait_ms = self.lock_wait.unwrap_or(unless_told);
        Options { expect: self.expecting.token, shared: self.shared, lock_wait_ms, ..options }
    }
}

/// Opens an event log.
fn open(place: &Place, storage: Arc<dyn Storage>, log: &str, options: &Options) -> anyhow::Result<EventLog> {
    let opened = place.runtime.event_log(storage.clone(), log, options);
    opened.map_err(|error| place.told(&storage, "open", log, error))
}

/// Opens one for reading only.
fn reading(place: &Place, log: &str, expecting: &Expecting) -> anyhow::Result<EventLog> {
    let options = Options { expect: expecting.token, ..Options::read_only() };
    open(place, place.existing()?, log, &options)
}

/// Opens one that exists for writing.
fn changing(place: &Place, log: &str, writing: &Writing) -> anyhow::Result<EventLog> {
    open(place, place.existing()?, log, &writing.apply(Options::open()))
}

/// Closes a log, and tells its end and its token.
fn finish(place: &Place, log: &EventLog, out: &mut Output) -> anyhow::Result<Outcome> {
    let next = log.next_event_id().map_err(|error| place.failed("read", log.name(), error))?;
    let token = log.close().map_err(|error| place.failed("close", log.name(), error))?;
    out.line(format_args!("next {next}"))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

/// Remove events by a range of ids, for good
///
/// Ids in the range are refused from then on; the next id stays what it is. Files of which all events are deleted are
/// removed.
#[derive(Args)]
pub(crate) struct DeleteRange {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// First id of the range
    first: u64,
    /// Last id of the range, inclusive
    last: u64,
    #[command(flatten)]
    writing: Writing,
}

fn delete_range(place: &Place, args: &DeleteRange, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = changing(place, &args.log, &args.writing)?;
    let deleted = log.delete_range(args.first, args.last);
    let deleted = deleted.map_err(|error| place.failed("delete from", &args.log, error))?;
    out.line(format_args!("deleted {}", Count(deleted, "event")))?;
    finish(place, &log, out)
}

/// Recover an event log, make all of it durable, and print its token
#[derive(Args)]
pub(crate) struct Sync {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    writing: Writing,
}

fn sync(place: &Place, args: &Sync, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = changing(place, &args.log, &args.writing)?;
    let token = log.sync().map_err(|error| place.failed("sync", &args.log, error))?;
    out.line(format_args!("durable {token}"))?;
    finish(place, &log, out)
}

/// Count the events of a log, its bytes and its files
#[derive(Args)]
pub(crate) struct Stats {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    expecting: Expecting,
}

fn stats(place: &Place, args: &Stats, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = reading(place, &args.log, &args.expecting)?;
    let stats = log.stats().map_err(|error| place.failed("read", &args.log, error))?;
    if args.json {
        out.line(json!({
            "events": stats.events,
            "oldest": stats.oldest,
            "newest": stats.newest,
            "bytes": stats.bytes,
            "files": stats.files,
        }))?;
        return Ok(Outcome::Fine);
    }
    let id = |id: Option<u64>| id.map_or("none".to_owned(), |id| id.to_string());
    out.line(format_args!("events {}", stats.events))?;
    out.line(format_args!("oldest {}", id(stats.oldest)))?;
    out.line(format_args!("newest {}", id(stats.newest)))?;
    out.line(format_args!("bytes {}", stats.bytes))?;
    out.line(format_args!("files {}", stats.files))?;
    Ok(Outcome::Fine)
}
