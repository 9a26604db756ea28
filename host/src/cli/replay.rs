//! `annals journal replay` and `read`: items on standard output, as lines or in another format.
//!
//! Damage is named on standard error and passed over: everything
//! that is intact is printed, and the exit code says 1. A reader who closes the pipe ends the command quietly.

use std::io::{self, IsTerminal as _};

use annals::{Batch, Error, Journal, journal::Options};
use anyhow::bail;
use clap::{Args, value_parser};

use super::{
    Outcome, Place,
    args::{Expecting, log_name},
    failure,
    format::Format,
    output::{Output, Reader},
};

/// Print the items of a journal
///
/// Shows the journal as it is at the start of the command. Damaged items are named on standard error and passed over;
/// the exit code is then 1.
#[derive(Args)]
pub(crate) struct Replay {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// First position to print [default: the oldest that was not pruned]
    #[arg(long, value_name = "POSITION")]
    start: Option<u64>,
    /// First position not to print any more [default: the size of the journal]
    #[arg(long, value_name = "POSITION", conflicts_with = "count")]
    end: Option<u64>,
    /// Number of positions to print [default: all]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// How items are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Print single items of a journal, in the order given
#[derive(Args)]
pub(crate) struct Read {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// Positions of the items
    #[arg(required = true, value_name = "POSITION", value_parser = value_parser!(u64))]
    positions: Vec<u64>,
    /// How items are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Runs `journal replay`.
pub(crate) fn replay(place: &Place, replay: &Replay, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &replay.log;
    let journal = place.reading(log, replay.expecting.apply(Options::read_only()))?;
    let start = match replay.start {
        Some(start) => start,
        None => journal.boundary().map_err(|error| place.failed("read", log, error))?,
    };
    let end = match (replay.end, replay.count) {
        (Some(end), _) if end < start => {
            bail!(
                "cannot print positions {start} to {end}: the end lies before the start; check --start and --end"
            )
        }
        (Some(end), _) => end,
        (None, count) => count.map_or(u64::MAX, |count| start.saturating_add(count)),
    };
    if !io::stdout().is_terminal() {
        let size = journal.size().map_err(|error| place.failed("read", log, error))?;
        out.start_counting("reading", size.min(end).saturating_sub(start));
    }
    let mut printed = Vec::new();
    let mut reached = start;
    let streamed = stream(place, log, &journal, (start, end), out, |batch, count, out| {
        printed.clear();
        for (position, item) in batch.iter().take(count) {
            replay.output.put(position, item, &mut printed);
            reached = position + 1;
        }
        out.progress(reached - start);
        out.bytes(&printed)
    });
    out.end_progress();
    match streamed? {
        Outcome::Fine if reached < end => beyond(place, log, start, out),
        outcome => Ok(outcome),
    }
}

/// Names damage that a stream of items to the end cannot meet: it may have cost the end, and nobody knows what that was.
pub(crate) fn beyond(place: &Place, log: &str, start: u64, out: &Output) -> anyhow::Result<Outcome> {
    let info = place.admin()?.info(log).map_err(|error| place.failed("look at", log, error))?;
    let mut outcome = Outcome::Fine;
    for damage in info.damage.iter().filter(|damage| damage.next.is_none_or(|next| next > start)) {
        out.note(format_args!("log '{log}' is damaged: {}", failure::place(damage)));
        outcome = Outcome::Damage;
    }
    Ok(outcome)
}

/// Gives `sink` the intact items at positions from `range.0` up to, but not including, `range.1`, in batches of which
/// it is told how many items count. Damage among them is named on the way. Ends early when nobody reads any more.
///
/// # Errors
/// Those of the journal, except damage, and those of `sink`.
pub(crate) fn stream(
    place: &Place,
    log: &str,
    journal: &Journal,
    range: (u64, u64),
    out: &mut Output,
    mut sink: impl FnMut(&Batch, usize, &mut Output) -> anyhow::Result<Reader>,
) -> anyhow::Result<Outcome> {
    let (start, end) = range;
    let failed = |error| place.failed("read", log, error);
    let mut outcome = Outcome::Fine;
    for batch in journal.replay(start).map_err(failed)? {
        match batch {
            Ok(batch) => {
                let room = usize::try_from(end.saturating_sub(batch.first)).unwrap_or(usize::MAX);
                let count = batch.len().min(room);
                if count > 0 && sink(&batch, count, out)? == Reader::Gone {
                    break;
                }
                if batch.next() >= end {
                    break;
                }
            }
            Err(Error::Damaged(damage)) => {
                if damage.lowest.is_some_and(|lowest| lowest >= end) {
                    break;
                }
                out.note(format_args!("log '{log}' is damaged: {}", failure::place(&damage)));
                outcome = Outcome::Damage;
                if damage.next.is_some_and(|next| next >= end) {
                    break;
                }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(outcome)
}

/// Runs `journal read`.
pub(crate) fn read(place: &Place, read: &Read, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &read.log;
    let journal = place.reading(log, read.expecting.apply(Options::read_only()))?;
    let mut outcome = Outcome::Fine;
    for &position in &read.positions {
        match journal.read(position) {
            Ok(item) => {
                let mut printed = Vec::new();
                read.output.put(position, &item, &mut printed);
                if out.bytes(&printed)? == Reader::Gone {
                    break;
                }
            }
            Err(Error::Damaged(damage)) => {
                out.note(format_args!("cannot read {position} of log '{log}': {}", failure::place(&damage)));
                outcome = Outcome::Damage;
            }
            Err(error) => return Err(place.failed(&format!("read {position} of"), log, error)),
        }
    }
    Ok(outcome)
}
