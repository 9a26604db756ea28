//! `annals raft get`, `entries` and `term`: what a Raft log holds, on standard output.

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

/// Print single entries of a Raft log, in the order given
#[derive(Args)]
pub(crate) struct Get {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Indexes of the entries
    #[arg(required = true, value_name = "INDEX")]
    indexes: Vec<u64>,
    /// How entries are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "tabs")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Runs `raft get`.
pub(crate) fn get(place: &Place, args: &Get, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = reading(place, &args.log, &args.expecting)?;
    let mut outcome = Outcome::Fine;
    for &index in &args.indexes {
        match log.entry(index) {
            Ok(Some(entry)) => {
                let mut printed = Vec::new();
                let columns = [("index", entry.id.index), ("term", entry.id.term)];
                args.output.put(columns, &entry.payload, &mut printed);
                if out.bytes(&printed)? == Reader::Gone {
                    break;
                }
            }
            Ok(None) => bail!("cannot read {index} of log '{}': there is no such entry", args.log),
            Err(Error::Damaged(damage)) => {
                out.note(format_args!(
                    "cannot read {index} of log '{}': {}",
                    args.log,
                    failure::place(&damage)
                ));
                outcome = Outcome::Damage;
            }
            Err(error) => return Err(place.failed(&format!("read {index} of"), &args.log, error)),
        }
    }
    Ok(outcome)
}

/// Print the entries of a Raft log
///
/// Shows the log as it is at the start of the command. Damaged entries are named on standard error and passed over; the
/// exit code is then 1.
#[derive(Args)]
pub(crate) struct Entries {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Index of the first entry to print [default: the lowest]
    #[arg(long, value_name = "INDEX")]
    first: Option<u64>,
    /// Index of the last entry to print, inclusive [default: the highest]
    #[arg(long, value_name = "INDEX")]
    last: Option<u64>,
    /// How entries are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "tabs")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Runs `raft entries`.
pub(crate) fn entries(place: &Place, args: &Entries, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = reading(place, &args.log, &args.expecting)?;
    let (first, last) = (args.first.unwrap_or(0), args.last.unwrap_or(u64::MAX));
    if !io::stdout().is_terminal() {
        let failed = |error| place.failed("read", &args.log, error);
        let start = log.purge_boundary().ok().flatten().map_or(1, |boundary| boundary.index + 1).max(first);
        let end = log.last_index().map_err(failed)?.min(last);
        out.start_counting("reading", end.saturating_add(1).saturating_sub(start));
    }
    let (mut printed, mut done) = (Vec::new(), 0);
    let streamed = common::stream(place, &args.log, log.stream(first, last), out, |entries, out| {
        printed.clear();
        for (id, payload) in entries.iter() {
            args.output.put([("index", id.index), ("term", id.term)], payload, &mut printed);
        }
        done += entries.len() as u64;
        out.progress(done);
        out.bytes(&printed)
    });
    out.end_progress();
    match streamed? {
        Outcome::Fine if args.last.is_none() => replay::beyond(place, &args.log, first, out),
        outcome => Ok(outcome),
    }
}

/// Print the terms of entries, or of the purge boundary, in the order given
#[derive(Args)]
pub(crate) struct Term {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Indexes of the entries
    #[arg(required = true, value_name = "INDEX")]
    indexes: Vec<u64>,
    #[command(flatten)]
    expecting: Expecting,
}

/// Runs `raft term`.
pub(crate) fn term(place: &Place, args: &Term, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = reading(place, &args.log, &args.expecting)?;
    for &index in &args.indexes {
        let term = log.term_of(index);
        match term.map_err(|error| place.failed(&format!("read {index} of"), &args.log, error))? {
            Some(term) => out.line(term)?,
            None => bail!(
                "cannot tell the term of {index} in log '{}': there is no such entry, and it was not the last one \
                 purged",
                args.log
            ),
        }
    }
    Ok(Outcome::Fine)
}
