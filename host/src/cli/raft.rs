//! `annals raft …`: which commands there are, and the short ones themselves.
//!
//! Writing entries and reading them have files of their own.

mod persist;
mod read;

use std::{fs, path::PathBuf, sync::Arc};

use annals::{
    RaftLog, Runtime, Token,
    admin::Kind,
    limits::HARD_STATE_BYTES,
    raft_log::{HardState, LogId, Options},
    storage::Storage,
};
use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{
    EXIT_CODES, Outcome, Place,
    args::{Expecting, Writing, log_name},
    common,
    format::{hex, put_bytes},
    output::Output,
};

/// The commands of a Raft log.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(after_help = EXIT_CODES)]
    Persist(persist::Persist),
    #[command(after_help = EXIT_CODES)]
    Replace(persist::Replace),
    #[command(after_help = EXIT_CODES)]
    Get(read::Get),
    #[command(after_help = EXIT_CODES)]
    Entries(read::Entries),
    #[command(after_help = EXIT_CODES)]
    Term(read::Term),
    #[command(after_help = EXIT_CODES)]
    Truncate(Truncate),
    #[command(after_help = EXIT_CODES)]
    Purge(Purge),
    #[command(after_help = EXIT_CODES)]
    Reset(Reset),
    /// Show or replace the hard state: term, vote, and whatever else belongs to it
    #[command(subcommand, after_help = EXIT_CODES)]
    HardState(HardStateCommand),
    #[command(after_help = EXIT_CODES)]
    Sync(Sync),
    /// Show what there is to know about a Raft log without reading all of it
    #[command(after_help = EXIT_CODES)]
    Info(common::Info),
    /// Remove a Raft log and its files, for good
    #[command(after_help = EXIT_CODES)]
    Destroy(common::Destroy),
}

/// Runs one of them.
pub(crate) fn run(place: &Place, command: Command, out: &mut Output) -> anyhow::Result<Outcome> {
    match command {
        Command::Persist(args) => persist::persist(place, &args, out),
        Command::Replace(args) => persist::replace(place, &args, out),
        Command::Get(args) => read::get(place, &args, out),
        Command::Entries(args) => read::entries(place, &args, out),
        Command::Term(args) => read::term(place, &args, out),
        Command::Truncate(args) => truncate(place, &args, out),
        Command::Purge(args) => purge(place, &args, out),
        Command::Reset(args) => reset(place, &args, out),
        Command::HardState(HardStateCommand::Get(args)) => hard_state(place, &args, out),
        Command::HardState(HardStateCommand::Set(args)) => set_hard_state(place, &args, out),
        Command::Sync(args) => sync(place, &args, out),
        Command::Info(args) => info(place, &args, out),
        Command::Destroy(args) => {
            common::destroy(place, &args, Kind::RaftLog, Runtime::destroy_raft_log, out)
        }
    }
}

/// Opens a Raft log.
fn open(place: &Place, storage: Arc<dyn Storage>, log: &str, options: &Options) -> anyhow::Result<RaftLog> {
    let opened = place.runtime.raft_log(storage.clone(), log, options);
    opened.map_err(|error| place.told(&storage, "open", log, error))
}

/// Opens one for reading only.
fn reading(place: &Place, log: &str, expecting: &Expecting) -> anyhow::Result<RaftLog> {
    let options = Options { expect: expecting.token, ..Options::read_only() };
    open(place, place.existing()?, log, &options)
}

/// Puts what every command takes into the options of an open. Syncs are asked for where they are wanted.
fn for_writing(writing: &Writing, options: Options) -> Options {
    let (expect, lock_wait_ms) = (writing.expecting.token, writing.lock_wait);
    Options { expect, lock_wait_ms, sync_on_persist: false, ..options }
}

/// Opens one that exists for writing.
fn changing(place: &Place, log: &str, writing: &Writing) -> anyhow::Result<RaftLog> {
    open(place, place.existing()?, log, &for_writing(writing, Options::open()))
}

/// Closes a log, and tells its end and its token.
fn finish(place: &Place, log: &RaftLog, out: &mut Output) -> anyhow::Result<Outcome> {
    let last = log.last_index().map_err(|error| place.failed("read", log.name(), error))?;
    let token = close(place, log)?;
    out.line(format_args!("last-index {last}"))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

fn close(place: &Place, log: &RaftLog) -> anyhow::Result<Token> {
    log.close().map_err(|error| place.failed("close", log.name(), error))
}

/// Remove the newest entries of a Raft log, for good
#[derive(Args)]
pub(crate) struct Truncate {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Index of the first entry to remove; all behind it go too
    first: u64,
    #[command(flatten)]
    writing: Writing,
}

fn truncate(place: &Place, args: &Truncate, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = changing(place, &args.log, &args.writing)?;
    log.truncate(args.first).map_err(|error| place.failed("truncate", &args.log, error))?;
    finish(place, &log, out)
}

/// Remove the oldest entries of a Raft log, for good, and remember up to which
///
/// What a snapshot covers need not be kept. The index may be above the last one, as it is after a snapshot was installed;
/// the log then goes on behind it. The hard state stays.
#[derive(Args)]
pub(crate) struct Purge {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Index of the last entry to remove; all before it go too
    index: u64,
    /// Its term [default: that of the entry]
    #[arg(long, value_name = "TERM")]
    term: Option<u64>,
    #[command(flatten)]
    writing: Writing,
}

fn purge(place: &Place, args: &Purge, out: &mut Output) -> anyhow::Result<Outcome> {
    let index = args.index;
    let log = changing(place, &args.log, &args.writing)?;
    let failed = |error| place.failed("purge", &args.log, error);
    let boundary = log.purge_boundary().map_err(failed)?;
    if index == 0 || boundary.is_some_and(|boundary| index <= boundary.index) {
        out.line(format_args!("nothing to purge up to {index}"))?;
    } else {
        let term = match args.term {
            Some(term) => Some(term),
            None => log.term_of(index).map_err(failed)?,
        };
        let term = term.ok_or_else(|| {
            anyhow!(
                "cannot purge log '{}' up to {index}: there is no entry, so its term is not known; give it with --term",
                args.log
            )
        })?;
        log.purge(LogId { term, index }).map_err(failed)?;
    }
    let boundary = log.purge_boundary().map_err(failed)?;
    out.line(format_args!("boundary {}", told(boundary)))?;
    finish(place, &log, out)
}

/// Something, or none.
fn told(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
}

/// Remove all entries and the purge boundary of a Raft log, for good
///
/// The next entry then has index 1. The hard state stays.
#[derive(Args)]
pub(crate) struct Reset {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Do it; without this, it only says what it would remove
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    writing: Writing,
}

fn reset(place: &Place, args: &Reset, out: &mut Output) -> anyhow::Result<Outcome> {
    if !args.yes {
        let log = reading(place, &args.log, &args.writing.expecting)?;
        let last = log.last_index().map_err(|error| place.failed("read", &args.log, error))?;
        bail!(
            "this would remove all entries of log '{}', up to index {last}, for good; add --yes to do it",
            args.log
        );
    }
    let log = changing(place, &args.log, &args.writing)?;
    log.reset().map_err(|error| place.failed("reset", &args.log, error))?;
    finish(place, &log, out)
}

/// What can be done with the hard state.
#[derive(Subcommand)]
pub(crate) enum HardStateCommand {
    #[command(after_help = EXIT_CODES)]
    Get(GetHardState),
    #[command(after_help = EXIT_CODES)]
    Set(SetHardState),
}

/// Show the hard state that was saved last
///
/// Prints 'term T', 'vote V', and 'extra' with hexadecimal digits ('none' where there is nothing); or just 'none' if it was
/// never saved.
#[derive(Args)]
pub(crate) struct GetHardState {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Print a JSON object, or null if it was never saved
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    expecting: Expecting,
}

fn hard_state(place: &Place, args: &GetHardState, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = reading(place, &args.log, &args.expecting)?;
    let state = log.load_hard_state().map_err(|error| place.failed("read", &args.log, error))?;
    match (state, args.json) {
        (None, true) => out.line(Value::Null)?,
        (None, false) => out.line("none")?,
        (Some(state), true) => {
            let mut object = Map::new();
            object.insert("term".to_owned(), state.term.into());
            object.insert("vote".to_owned(), state.vote.into());
            put_bytes(&mut object, "extra_", &state.extra);
            out.line(Value::Object(object))?;
        }
        (Some(state), false) => {
            out.line(format_args!("term {}", state.term))?;
            out.line(format_args!("vote {}", told(state.vote)))?;
            out.line(format_args!("extra {}", told((!state.extra.is_empty()).then(|| hex(&state.extra)))))?;
        }
    }
    Ok(Outcome::Fine)
}

/// Replace the hard state; durable when the command ends
///
/// The log is made if it does not exist.
#[derive(Args)]
pub(crate) struct SetHardState {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// The current term
    term: u64,
    /// Whom this node voted for in that term [default: nobody]
    #[arg(long, value_name = "NODE")]
    vote: Option<u64>,
    /// Whatever else belongs to it, at most 4 KiB
    #[arg(long, value_name = "TEXT", conflicts_with = "extra_file")]
    extra: Option<String>,
    /// The same, from a file
    #[arg(long, value_name = "FILE")]
    extra_file: Option<PathBuf>,
    #[command(flatten)]
    writing: Writing,
}

fn set_hard_state(place: &Place, args: &SetHardState, out: &mut Output) -> anyhow::Result<Outcome> {
    let extra = match (&args.extra, &args.extra_file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) => {
            let cannot = || format!("cannot read '{}'", path.display());
            let bytes = fs::metadata(path).with_context(cannot)?.len();
            if bytes > HARD_STATE_BYTES as u64 {
                bail!("{}: it has {bytes} bytes where {HARD_STATE_BYTES} are allowed", cannot());
            }
            fs::read(path).with_context(cannot)?
        }
        (None, None) => Vec::new(),
    };
    let state = HardState { term: args.term, vote: args.vote, extra };
    let log = open(place, place.made()?, &args.log, &for_writing(&args.writing, Options::new()))?;
    let saved = log.save_hard_state(&state);
    saved.map_err(|error| place.failed("save the hard state of", &args.log, error))?;
    out.line(format_args!("term {}", state.term))?;
    out.line(format_args!("vote {}", told(state.vote)))?;
    let token = close(place, &log)?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

/// Recover a Raft log, make all of it durable, and print its token
///
/// Says too whether writes to it are durable here once they are done ('write-durable').
#[derive(Args)]
pub(crate) struct Sync {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    writing: Writing,
}

fn sync(place: &Place, args: &Sync, out: &mut Output) -> anyhow::Result<Outcome> {
    let options = for_writing(&args.writing, Options::open()).sync_on_persist(true);
    let log = open(place, place.existing()?, &args.log, &options)?;
    let token = log.sync().map_err(|error| place.failed("sync", &args.log, error))?;
    out.line(format_args!("durable {token}"))?;
    out.line(format_args!("write-durable {}", if log.is_write_durable() { "yes" } else { "no" }))?;
    finish(place, &log, out)
}

fn info(place: &Place, args: &common::Info, out: &mut Output) -> anyhow::Result<Outcome> {
    // A log that cannot be opened is told by what all logs have in common.
    let more =
        reading(place, &args.log, &Expecting { token: None }).map_or_else(|_| Vec::new(), |log| known(&log));
    let more: Vec<(&str, &dyn std::fmt::Display)> =
        more.iter().map(|(key, value)| (*key, value as &dyn std::fmt::Display)).collect();
    common::info(place, args, Kind::RaftLog, "next", &more, out)
}

/// What only Raft logs have. What damage hides is unknown.
fn known(log: &RaftLog) -> Vec<(&'static str, String)> {
    let number = |value: Result<Option<u64>, annals::Error>| value.map_or("unknown".to_owned(), told);
    let boundary = log.purge_boundary();
    let hard = log.load_hard_state();
    let of = |field: fn(LogId) -> u64| number(boundary.clone().map(|boundary| boundary.map(field)));
    let hard_of = |field: fn(&HardState) -> Option<u64>| number(hard.clone().map(|hard| field(&hard?)));
    vec![
        ("first-index", number(log.first_index())),
        ("last-index", number(log.last_index().map(Some))),
        ("purged-index", of(|boundary| boundary.index)),
        ("purged-term", of(|boundary| boundary.term)),
        ("term", hard_of(|hard| Some(hard.term))),
        ("vote", hard_of(|hard| hard.vote)),
        ("extra-bytes", hard_of(|hard| Some(hard.extra.len() as u64))),
    ]
}
