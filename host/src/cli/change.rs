//! `annals change …`: which commands there are, and the short ones themselves.
//!
//! Commands that change something are an instance of the log while they run, under a name of their own, so that the next
//! one gets back what the one before had recorded. Commands that only read are none.

mod instances;
mod lines;
mod read;
mod record;

use std::{
    io::{self, Read as _},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use annals::{ChangeLog, Error, Runtime, admin::Kind, change_log::Options, storage::Storage};
use anyhow::bail;
use clap::{Args, Subcommand, value_parser};

use super::{
    EXIT_CODES, Outcome, Place,
    args::{Writing, log_name},
    common, failure,
    output::{Count, Output},
};

/// Of whom nothing else was asked.
const INSTANCE: &str = "command";

/// The commands of a change log.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(after_help = EXIT_CODES)]
    Record(record::Record),
    #[command(after_help = EXIT_CODES)]
    Remove(record::Remove),
    #[command(after_help = EXIT_CODES)]
    Get(read::Get),
    #[command(after_help = EXIT_CODES)]
    Scan(read::Scan),
    #[command(after_help = EXIT_CODES)]
    Recover(Recover),
    #[command(after_help = EXIT_CODES)]
    Instances(instances::Instances),
    #[command(after_help = EXIT_CODES)]
    Discard(Discard),
    #[command(after_help = EXIT_CODES)]
    Heartbeat(Heartbeat),
    /// Show what there is to know about a change log as a whole
    #[command(after_help = EXIT_CODES)]
    Info(common::Info),
    /// Remove a change log, its files and all changes, for good
    #[command(after_help = EXIT_CODES)]
    Destroy(common::Destroy),
}

/// Runs one of them.
pub(crate) fn run(place: &Place, command: Command, out: &mut Output) -> anyhow::Result<Outcome> {
    match command {
        Command::Record(args) => record::record(place, &args, out),
        Command::Remove(args) => record::remove(place, &args, out),
        Command::Get(args) => read::get(place, &args, out),
        Command::Scan(args) => read::scan(place, &args, out),
        Command::Recover(args) => recover(place, &args, out),
        Command::Instances(args) => instances::run(place, &args, out),
        Command::Discard(args) => discard(place, &args, out),
        Command::Heartbeat(args) => heartbeat(place, &args, out),
        Command::Info(args) => common::info(place, &args, Kind::ChangeLog, "next", &[], out),
        Command::Destroy(args) => {
            common::destroy(place, &args, Kind::ChangeLog, Runtime::destroy_change_log, out)
        }
    }
}

/// What every command takes that is an instance.
#[derive(Args)]
pub(crate) struct Being {
    /// Name of this instance: 1 to 64 of a-z, 0-9 and -. It gets back what an earlier one of that name left
    #[arg(long, value_name = "NAME", value_parser = log_name, default_value = INSTANCE)]
    instance: String,
    /// Show every so many milliseconds that it is alive
    #[arg(long = "heartbeat", value_name = "MS", default_value_t = 30_000, value_parser = value_parser!(u32).range(1..))]
    heartbeat_ms: u32,
    #[command(flatten)]
    writing: Writing,
}

impl Being {
    /// Opens the log as that instance.
    fn open(
        &self,
        place: &Place,
        storage: Arc<dyn Storage>,
        log: &str,
        options: Options,
    ) -> anyhow::Result<ChangeLog> {
        let Writing { expecting, lock_wait } = &self.writing;
        let options = Options { expect: expecting.token, ..options };
        let options =
            options.instance(&self.instance).heartbeat_ms(self.heartbeat_ms).lock_wait_ms(*lock_wait);
        match place.runtime.change_log(storage.clone(), log, &options) {
            Err(Error::Locked) => bail!(
                "cannot open log '{log}' as instance '{}': another program is that instance; wait until it has \
                 finished, give --lock-wait MS to wait here, or choose another name with --instance",
                self.instance
            ),
            opened => opened.map_err(|error| place.told(&storage, "open", log, error)),
        }
    }
}

/// Closes a log and prints its token.
fn close(place: &Place, log: &ChangeLog, out: &mut Output) -> anyhow::Result<()> {
    let token = log.close().map_err(|error| place.failed("close", log.name(), error))?;
    out.line(format_args!("token {token}"))
}

/// Take over what dead instances left
///
/// Every other instance whose last sign of life is at least --stale-after old, or that was closed with changes
/// outstanding, is declared dead; this instance takes over its changes, and its files are removed. 'annals change scan'
/// then shows them, to be cleaned up and removed with 'annals change remove --origin'. An instance that was alive all the
/// same finds itself fenced, so a small value costs work, never a change. Prints a line for each dead instance.
#[derive(Args)]
pub(crate) struct Recover {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    /// Milliseconds without a sign of life; choose more than anybody's --heartbeat
    #[arg(long, value_name = "MS", default_value_t = 90_000)]
    stale_after: u64,
    /// Print a JSON array with an object for each dead instance
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    being: Being,
}

fn recover(place: &Place, args: &Recover, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = args.being.open(place, place.existing()?, &args.log, Options::open())?;
    let recovered =
        log.recover(args.stale_after).map_err(|error| place.failed("recover", &args.log, error))?;
    let mut outcome = Outcome::Fine;
    if args.json {
        out.line(instances::recovered(&recovered))?;
    }
    for dead in &recovered {
        if !args.json {
            out.line(format_args!("recovered {}: {}", dead.instance, Count(dead.changes, "change")))?;
        }
        if let Some(damage) = &dead.damaged {
            let at = failure::place(damage);
            out.note(format_args!(
                "instance '{}' is damaged: {at}; 'annals change discard' gives it up",
                dead.instance
            ));
            outcome = Outcome::Damage;
        }
    }
    let token = log.close().map_err(|error| place.failed("close", &args.log, error))?;
    if !args.json {
        out.line(format_args!("token {token}"))?;
    }
    Ok(outcome)
}

/// Give up what is left of a damaged instance
///
/// Only after 'annals change recover' has reported it and taken over what could be read.
#[derive(Args)]
pub(crate) struct Discard {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    /// Name of the damaged instance
    #[arg(value_name = "INSTANCE", value_parser = log_name)]
    damaged: String,
    #[command(flatten)]
    being: Being,
}

fn discard(place: &Place, args: &Discard, out: &mut Output) -> anyhow::Result<Outcome> {
    let damaged = &args.damaged;
    let log = args.being.open(place, place.existing()?, &args.log, Options::open())?;
    let discarded = log.discard(damaged).map_err(|error| place.failed("discard from", &args.log, error))?;
    close(place, &log, out)?;
    match discarded {
        true => out.line(format_args!("discarded {damaged}"))?,
        false => bail!(
            "no instance '{damaged}' of log '{}' is damaged; 'annals change recover' finds those",
            args.log
        ),
    }
    Ok(Outcome::Fine)
}

/// Be an instance, and show that it is alive, until standard input ends
///
/// Prints 'instance NAME' once it is open. When standard input ends it closes the log; what is outstanding waits for
/// somebody to recover it. Fails when another instance declared this one dead.
#[derive(Args)]
pub(crate) struct Heartbeat {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    being: Being,
}

fn heartbeat(place: &Place, args: &Heartbeat, out: &mut Output) -> anyhow::Result<Outcome> {
    let options = Options::open().background_heartbeat(false);
    let log = args.being.open(place, place.existing()?, &args.log, options)?;
    out.line(format_args!("instance {}", log.instance()))?;
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let mut some = [0; 4096];
        while matches!(io::stdin().read(&mut some), Ok(1..)) {}
        // If nobody listens any more, it was fenced.
        let _ = ended.send(());
    });
    let third = Duration::from_millis(u64::from(args.being.heartbeat_ms).div_ceil(3));
    while end.recv_timeout(third) == Err(mpsc::RecvTimeoutError::Timeout) {
        log.heartbeat().map_err(|error| place.failed("stay alive in", &args.log, error))?;
    }
    close(place, &log, out)?;
    Ok(Outcome::Fine)
}
