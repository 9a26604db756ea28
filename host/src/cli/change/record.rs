//! `annals change record` and `remove`: intents are written down, and crossed out.
//!
//! What this prints is a promise: `durable COUNT` stands after every line of the input, and what it says is on its way to
//! the reader before the next one is read: the first COUNT lines are done, and survive whatever happens to this process.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use annals::{
    ChangeLog,
    change_log::{Change, Options},
};
use anyhow::{anyhow, bail};
use clap::Args;

use super::{
    Being, close,
    lines::{Format, Line, parse},
};
use crate::cli::{
    Outcome, Place,
    args::{log_name, size},
    input::{Input, Source},
    output::{Count, Output},
};

/// Record what is about to be done, durably
///
/// Either one change, with --id and --payload, or one for each line of FILE: ID, a TAB and PAYLOAD. The same id again
/// replaces a change. The log is made if it does not exist. Prints 'durable COUNT' after every line: COUNT of them are then
/// done and safe.
///
/// The changes are outstanding until 'annals change remove' removes them. When this command ends, or dies, they wait for
/// the next command of the same --instance, or for 'annals change recover'.
#[derive(Args)]
pub(crate) struct Record {
    /// Name of the change log: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    /// File to read, or - for standard input
    #[arg(required_unless_present = "id", conflicts_with_all = ["id", "payload"])]
    file: Option<PathBuf>,
    /// How changes stand in FILE
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines", conflicts_with = "id")]
    input: Format,
    /// Id of one change
    #[arg(long, requires = "payload")]
    id: Option<String>,
    /// Its payload: whatever helps to clean up
    #[arg(long, value_name = "TEXT", requires = "id")]
    payload: Option<String>,
    /// Nobody is to clean up for so many milliseconds from now on
    #[arg(long, value_name = "MS")]
    defer: Option<u64>,
    /// Size of a file of this instance; KiB, MiB or GiB may follow the number [default: 4MiB]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    segment_bytes: Option<u64>,
    #[command(flatten)]
    being: Being,
}

/// Remove changes: their steps are done, or cleaned up
///
/// Prints 'removed ID' for each, or 'not outstanding ID': removing a change again is harmless. Changes that are held by
/// another instance are to be taken over first, with 'annals change recover'.
#[derive(Args)]
pub(crate) struct Remove {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    /// Ids of the changes
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The instance that recorded them, if they were taken over [default: this instance]
    #[arg(long, value_name = "NAME", value_parser = log_name)]
    origin: Option<String>,
    /// Ids are given as hexadecimal digits
    #[arg(long)]
    hex: bool,
    #[command(flatten)]
    being: Being,
}

/// Runs `change record`.
pub(crate) fn record(place: &Place, args: &Record, out: &mut Output) -> anyhow::Result<Outcome> {
    // Before anything is made: a wrong file name leaves no empty log behind.
    let mut input = args.file.as_deref().map(Input::lines).transpose()?;
    let options = Options { segment_bytes: args.segment_bytes, ..Options::new() };
    let log = args.being.open(place, place.made()?, &args.log, options)?;
    let mut job = Job { place, args, log: &log, done: 0 };
    let ended = match (&mut input, &args.id, &args.payload) {
        (None, Some(id), Some(payload)) => {
            job.line(Line::Record(id.clone().into_bytes(), Change::new(payload)), out)
        }
        (Some(input), ..) => {
            out.start_progress("recording", input.bytes);
            job.run(&mut *input.items, out)
        }
        _ => bail!("nothing to record: name a file, or give --id and --payload"),
    };
    out.end_progress();
    let done = job.done;
    if let Err(error) = ended {
        let safe = if done > 0 && log.close().is_ok() { " (safe)" } else { "" };
        return Err(match input {
            Some(input) => {
                let lines = Count(done, "line");
                error.context(format!(
                    "recording {} in log '{}' stopped behind {lines}{safe}",
                    input.name, args.log
                ))
            }
            None => error,
        });
    }
    close(place, &log, out)?;
    Ok(Outcome::Fine)
}

/// Recording one input.
struct Job<'a> {
    place: &'a Place,
    args: &'a Record,
    log: &'a ChangeLog,
    /// Lines that are done.
    done: u64,
}

impl Job<'_> {
    fn run(&mut self, source: &mut dyn Source, out: &mut Output) -> anyhow::Result<()> {
        while let Some(items) = source.next_batch(usize::MAX)? {
            let mut start = 0;
            for &end in items.ends {
                let line = parse(self.args.input, &items.bytes[start..end as usize]);
                let number = self.done + 1;
                self.line(line.map_err(|what| anyhow!("line {number} {what}"))?, out)?;
                start = end as usize;
            }
            out.progress(source.read());
        }
        Ok(())
    }

    fn line(&mut self, line: Line, out: &mut Output) -> anyhow::Result<()> {
        match line {
            Line::Record(id, mut change) => {
                if let (None, Some(defer)) = (change.cleanup_after_ms, self.args.defer) {
                    change.cleanup_after_ms = Some(now_ms().saturating_add(defer));
                }
                let recorded = self.log.record(&id, &change);
                recorded.map_err(|error| self.place.failed("record in", &self.args.log, error))?;
            }
            Line::Remove(origin, id) => {
                let removed = self.log.remove(origin.as_deref(), &id);
                removed.map_err(|error| self.place.failed("remove from", &self.args.log, error))?;
            }
        }
        self.done += 1;
        out.line(format_args!("durable {}", self.done))
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Runs `change remove`.
pub(crate) fn remove(place: &Place, args: &Remove, out: &mut Output) -> anyhow::Result<Outcome> {
    let ids: Vec<Vec<u8>> =
        args.ids.iter().map(|id| super::read::id(id, args.hex)).collect::<anyhow::Result<_>>()?;
    let log = args.being.open(place, place.existing()?, &args.log, Options::open())?;
    for (id, text) in ids.iter().zip(&args.ids) {
        let removed = log.remove(args.origin.as_deref(), id);
        match removed.map_err(|error| place.failed("remove from", &args.log, error))? {
            true => out.line(format_args!("removed {text}"))?,
            false => out.line(format_args!("not outstanding {text}"))?,
        }
    }
    close(place, &log, out)?;
    Ok(Outcome::Fine)
}
