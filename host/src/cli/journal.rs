//! `annals journal …`: which commands there are, and the short ones themselves.
//!
//! `append`, `replay`, `read` and `roundtrip` have files of their own.

use annals::{Runtime, admin::Kind, journal::Options};
use clap::{Args, Subcommand};

use super::{
    EXIT_CODES, Outcome, Place, append,
    args::{Writing, log_name},
    common,
    output::{Count, Output},
    replay, roundtrip,
};

/// The commands of a journal.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(after_help = EXIT_CODES)]
    Append(append::Append),
    #[command(after_help = EXIT_CODES)]
    Replay(replay::Replay),
    #[command(after_help = EXIT_CODES)]
    Read(replay::Read),
    /// Show what there is to know about a journal without reading all of it
    #[command(after_help = EXIT_CODES)]
    Info(common::Info),
    #[command(after_help = EXIT_CODES)]
    Prune(Prune),
    #[command(after_help = EXIT_CODES)]
    Rewind(Rewind),
    /// Remove a journal and its files, for good
    #[command(after_help = EXIT_CODES)]
    Destroy(common::Destroy),
    #[command(after_help = EXIT_CODES)]
    Roundtrip(roundtrip::Roundtrip),
}

/// Runs one of them.
pub(crate) fn run(place: &Place, command: Command, out: &mut Output) -> anyhow::Result<Outcome> {
    match command {
        Command::Append(args) => append::run(place, &args, out),
        Command::Replay(args) => replay::replay(place, &args, out),
        Command::Read(args) => replay::read(place, &args, out),
        Command::Info(args) => common::info(place, &args, Kind::Journal, "size", &[], out),
        Command::Prune(args) => prune(place, &args, out),
        Command::Rewind(args) => rewind(place, &args, out),
        Command::Destroy(args) => common::destroy(place, &args, Kind::Journal, Runtime::destroy_journal, out),
        Command::Roundtrip(args) => roundtrip::run(place, &args, out),
    }
}

/// Remove the oldest items of a journal, in whole sections, for good
#[derive(Args)]
pub(crate) struct Prune {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// Lowest position to keep; everything below is pruned, rounded down to a whole section
    min: u64,
    #[command(flatten)]
    writing: Writing,
}

fn prune(place: &Place, args: &Prune, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let journal = place.journal(place.existing()?, log, &args.writing.apply(Options::open()))?;
    let pruned = journal.prune(args.min).map_err(|error| place.failed("prune", log, error))?;
    let boundary = journal.boundary().map_err(|error| place.failed("read", log, error))?;
    let size = journal.size().map_err(|error| place.failed("read", log, error))?;
    let token = journal.close().map_err(|error| place.failed("close", log, error))?;
    match pruned {
        true => out.line(format_args!("pruned below {boundary}"))?,
        false => out.line(format_args!("nothing to prune: no whole section below {}", args.min.min(size)))?,
    }
    out.line(format_args!("boundary {boundary}"))?;
    out.line(format_args!("size {size}"))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

/// Remove the newest items of a journal, for good
#[derive(Args)]
pub(crate) struct Rewind {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// Size that the journal is to have afterwards: the position that is appended next
    size: u64,
    #[command(flatten)]
    writing: Writing,
}

fn rewind(place: &Place, args: &Rewind, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let journal = place.journal(place.existing()?, log, &args.writing.apply(Options::open()))?;
    let before = journal.size().map_err(|error| place.failed("read", log, error))?;
    journal.rewind(args.size).map_err(|error| place.failed("rewind", log, error))?;
    let size = journal.size().map_err(|error| place.failed("read", log, error))?;
    let token = journal.close().map_err(|error| place.failed("close", log, error))?;
    out.line(format_args!("removed {}", Count(before.saturating_sub(size), "item")))?;
    out.line(format_args!("size {size}"))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}
