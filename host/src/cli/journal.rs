//! `annals journal …`: which commands there are, the arguments they share, and the short ones themselves.
//!
//! `append`, `replay`, `read` and `roundtrip` have files of their own.

use annals::{
    Error, Token,
    admin::{Kind, LogInfo},
    journal::Options,
};
use anyhow::bail;
use clap::{Args, Subcommand};

use super::{
    EXIT_CODES, Outcome, Place, append, failure, json, list,
    output::{Bytes, Count, Moment, Output},
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
    #[command(after_help = EXIT_CODES)]
    Info(Info),
    #[command(after_help = EXIT_CODES)]
    Prune(Prune),
    #[command(after_help = EXIT_CODES)]
    Rewind(Rewind),
    #[command(after_help = EXIT_CODES)]
    Destroy(Destroy),
    #[command(after_help = EXIT_CODES)]
    Roundtrip(roundtrip::Roundtrip),
}

/// Runs one of them.
pub(crate) fn run(place: &Place, command: Command, out: &mut Output) -> anyhow::Result<Outcome> {
    match command {
        Command::Append(args) => append::run(place, &args, out),
        Command::Replay(args) => replay::replay(place, &args, out),
        Command::Read(args) => replay::read(place, &args, out),
        Command::Info(args) => info(place, &args, out),
        Command::Prune(args) => prune(place, &args, out),
        Command::Rewind(args) => rewind(place, &args, out),
        Command::Destroy(args) => destroy(place, &args, out),
        Command::Roundtrip(args) => roundtrip::run(place, &args, out),
    }
}

/// What every command takes that opens a log.
#[derive(Args)]
pub(crate) struct Expecting {
    /// Refuse a log whose history does not contain this token: one that was rolled back, shortened or swapped
    #[arg(long, value_name = "TOKEN")]
    expect_token: Option<Token>,
}

impl Expecting {
    /// Puts this into the options of an open.
    pub(crate) fn apply(&self, options: Options) -> Options {
        match self.expect_token {
            Some(token) => options.expect(token),
            None => options,
        }
    }
}

/// What every command takes that opens a log for writing.
#[derive(Args)]
pub(crate) struct Writing {
    #[command(flatten)]
    expecting: Expecting,
    /// Wait so many milliseconds for another writer to let go of the log
    #[arg(long, value_name = "MS", default_value_t = 0)]
    lock_wait: u32,
}

impl Writing {
    /// Puts this into the options of an open.
    pub(crate) fn apply(&self, options: Options) -> Options {
        self.expecting.apply(options).lock_wait_ms(self.lock_wait)
    }
}

/// Show what there is to know about a journal without reading all of it
#[derive(Args)]
pub(crate) struct Info {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

fn info(place: &Place, args: &Info, out: &mut Output) -> anyhow::Result<Outcome> {
    let info = look_at(place, &args.log)?;
    let outcome = match info.damage.is_empty() {
        true => Outcome::Fine,
        false => Outcome::Damage,
    };
    if args.json {
        out.line(json::log(&info))?;
        return Ok(outcome);
    }
    let number = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    for (key, value) in [
        ("name", info.name.clone()),
        ("kind", info.kind.to_string()),
        ("state", list::state(&info).to_owned()),
        ("items", info.items.to_string()),
        ("oldest", number(info.oldest)),
        ("size", info.next.to_string()),
        ("segments", info.segments.to_string()),
        ("bytes", info.bytes.to_string()),
        ("live-bytes", info.live_bytes.to_string()),
        ("begun", if info.begun_ms == 0 { "unknown".to_owned() } else { Moment(info.begun_ms).to_string() }),
        ("token", info.token.map_or("none".to_owned(), |token| token.to_string())),
    ] {
        out.line(format_args!("{key} {value}"))?;
    }
    for damage in &info.damage {
        out.line(format_args!("damage {}", failure::place(damage)))?;
    }
    Ok(outcome)
}

/// What the admin interface knows about a journal.
fn look_at(place: &Place, log: &str) -> anyhow::Result<LogInfo> {
    let storage = place.existing()?;
    let info = place.runtime.admin(storage.clone()).and_then(|admin| admin.info(log));
    let info = info.map_err(|error| place.told(&storage, "look at", log, error))?;
    match info.kind {
        Kind::Journal => Ok(info),
        kind => Err(place.told(&storage, "look at", log, Error::OtherKind(kind.to_string()))),
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

/// Remove a journal and its files, for good
#[derive(Args)]
pub(crate) struct Destroy {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// Do it; without this, it only says what it would remove
    #[arg(long)]
    yes: bool,
}

fn destroy(place: &Place, args: &Destroy, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    if !args.yes {
        let info = look_at(place, log)?;
        let (items, bytes) = (Count(info.items, "item"), Bytes(info.bytes));
        bail!("this would remove log '{log}' with {items} ({bytes}) for good; add --yes to do it");
    }
    let storage = place.existing()?;
    let destroyed = place.runtime.destroy_journal(storage.clone(), log);
    destroyed.map_err(|error| place.told(&storage, "destroy", log, error))?;
    out.line(format_args!("destroyed {log}"))?;
    Ok(Outcome::Fine)
}

/// The rules for log names.
pub(crate) fn log_name(text: &str) -> Result<String, String> {
    let narrow = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    match narrow && (1..=64).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("a log name is 1 to 64 of a-z, 0-9 and -".to_owned()),
    }
}
