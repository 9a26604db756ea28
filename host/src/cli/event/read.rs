//! `annals event get` and `iterate`: events on standard output.

use std::io::{self, IsTerminal as _};

use annals::Error;
use anyhow::bail;
use clap::Args;

use super::super::{
    Outcome, Place,
    args::{Expecting, log_name},
    columns::Format,
    common, failure,
    output::{Output, Reader},
    replay,
};
use super::reading;

/// Print single events, in the order given
#[derive(Args)]
pub(crate) struct Get {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Ids of the events
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
    /// How events are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "tabs")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Runs `event get`.
pub(crate) fn get(place: &Place, args: &Get, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = reading(place, &args.log, &args.expecting)?;
    let mut outcome = Outcome::Fine;
    for &id in &args.ids {
        match log.get(id) {
            Ok(Some(event)) => {
                let mut printed = Vec::new();
                args.output.put([("id", id)], &event, &mut printed);
                if out.bytes(&printed)? == Reader::Gone {
                    break;
                }
            }
            Ok(None) => {
                bail!("cannot read {id} of log '{}': there is no such event, or it was deleted", args.log)
            }
            Err(Error::Damaged(damage)) => {
                out.note(format_args!("cannot read {id} of log '{}': {}", args.log, failure::place(&damage)));
                outcome = Outcome::Damage;
            }
            Err(error) => return Err(place.failed(&format!("read {id} of"), &args.log, error)),
        }
    }
    Ok(outcome)
}

/// A range of ids, and how its events are printed.
#[derive(Args)]
pub(super) struct Range {
    /// First id to print [default: the lowest]
    #[arg(long, value_name = "ID")]
    pub(super) start: Option<u64>,
    /// First id not to print any more [default: behind the highest]
    #[arg(long, value_name = "ID")]
    pub(super) end: Option<u64>,
    /// How events are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "tabs")]
    pub(super) output: Format,
}

impl Range {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match (self.start, self.end) {
            (Some(start), Some(end)) if end < start => bail!(
                "cannot print ids {start} to {end}: the end lies before the start; check --start and --end"
            ),
            _ => Ok(()),
        }
    }
}

/// Print the events of a log, in ascending order of ids
///
/// Shows the log as it is at the start of the command. Damaged events are named on standard error and passed over; the
/// exit code is then 1.
#[derive(Args)]
pub(crate) struct Iterate {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    expecting: Expecting,
}

/// Runs `event iterate`.
pub(crate) fn iterate(place: &Place, args: &Iterate, out: &mut Output) -> anyhow::Result<Outcome> {
    args.range.check()?;
    let log = reading(place, &args.log, &args.expecting)?;
    let failed = |error| place.failed("read", &args.log, error);
    let start = args.range.start.unwrap_or(0);
    if !io::stdout().is_terminal() && args.range.start.is_none() && args.range.end.is_none() {
        out.start_counting("reading", log.stats().map_err(failed)?.events);
    }
    let events = log.iterate(start, args.range.end).map_err(failed)?;
    let (mut printed, mut done) = (Vec::new(), 0);
    let streamed = common::stream(place, &args.log, events, out, |events, out| {
        printed.clear();
        for (id, event) in events.iter() {
            args.range.output.put([("id", id)], event, &mut printed);
        }
        done += events.len() as u64;
        out.progress(done);
        out.bytes(&printed)
    });
    out.end_progress();
    match streamed? {
        Outcome::Fine if args.range.end.is_none() => replay::beyond(place, &args.log, start, out),
        outcome => Ok(outcome),
    }
}
