//! `annals event append`: lines, length-prefixed items or whole files become events.
//!
//! What this prints is a promise. `durable N` stands after every sync, and what it says is on its way to the reader
//! before the next event is appended: the first N events of the input are on disk, whatever happens to this process. At
//! the end, also when it was an error that ended the input, the log is closed and the rest told.

use std::path::PathBuf;

use annals::{
    EventLog,
    event_log::{Options, Outcome as Ended, Policy as LogPolicy},
};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum, value_parser};

use super::super::{
    Outcome, Place,
    args::{log_name, size},
    columns::{self, each, numbered},
    input::{Format, Input, Items, Source},
    output::{Count, Output},
};
use super::{Writing, open};

/// Append events to an event log
///
/// Each line is an event: ID<TAB>EVENT. LF ends it and is not part of it; CR and every other byte of the event is. With
/// --first, each line (or item of another --input) is an event, and ids are consecutive. An event that is there already
/// with the same bytes is passed over, so the same input may be appended again after any failure; other bytes are
/// refused. The log is made if it does not exist.
///
/// Prints 'durable N' after every sync: the first N events of the input are then safe. At the end it prints how many
/// events of the input are in the log now ('accepted N'), how many of them it found there in batches of which nothing was
/// new ('duplicates N'), the next id ('next ID'), and the token of the log, which --expect-token takes.
#[derive(Args)]
pub(crate) struct Append {
    /// Name of the log: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    /// File to read, or - for standard input; several with --input files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How events stand in the input; other than lines only with --first
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    input: Format,
    /// Id of the first event: the input then holds no ids, and they are consecutive
    #[arg(long, value_name = "ID")]
    first: Option<u64>,
    /// What an append promises before the next one begins [default: buffered, or flushed with --shared]
    #[arg(long, value_name = "POLICY", value_enum)]
    policy: Option<Policy>,
    /// Sync after every N events, not only at the end
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    sync_every: Option<u64>,
    /// Refuse events of more bytes; KiB or MiB may follow the number [default: 16MiB]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    max_event: Option<u64>,
    #[command(flatten)]
    writing: Writing,
    /// Size at which a file is sealed and the next one begun; KiB, MiB or GiB may follow the number [default: 16MiB]
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = size,
        help_heading = "Options of a new log (an existing one must have been made with the same)"
    )]
    rotate_at: Option<u64>,
}

/// What an append promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Single events may wait in memory; batches survive the death of this process
    Buffered,
    /// Every event survives the death of this process
    Flushed,
    /// Every event is durable
    Synced,
}

impl Append {
    fn options(&self) -> anyhow::Result<Options> {
        let unless_told = if self.writing.shared { Policy::Flushed } else { Policy::Buffered };
        let policy = match self.policy.unwrap_or(unless_told) {
            Policy::Buffered if self.writing.shared => {
                bail!(
                    "what waits in this process would be seen by no other; give --policy flushed or synced with --shared"
                )
            }
            Policy::Buffered => LogPolicy::Buffered,
            Policy::Flushed => LogPolicy::Flushed,
            Policy::Synced => LogPolicy::Synced,
        };
        let max_event = self.max_event.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
        let options = Options { policy, rotate_at: self.rotate_at, max_event, ..Options::new() };
        Ok(self.writing.apply(options))
    }
}

/// Runs `event append`.
pub(crate) fn run(place: &Place, args: &Append, out: &mut Output) -> anyhow::Result<Outcome> {
    // Before anything is made: a wrong file name leaves no empty log behind.
    if args.first.is_none() && args.input != Format::Lines {
        bail!("only lines can hold ID<TAB>EVENT; give the id of the first event with --first");
    }
    let mut input = Input::open(&args.files, args.input)?;
    let options = args.options()?;
    let log = open(place, place.made()?, &args.log, &options)?;
    out.start_progress("appending", input.bytes);
    let synced = options.policy == LogPolicy::Synced;
    let mut job = Job {
        place,
        log: &log,
        next: args.first,
        sync_every: args.sync_every,
        synced,
        batch: Batch::default(),
        read: 0,
        done: Done::default(),
    };
    let ended = job.run(&mut *input.items, out);
    out.end_progress();
    let done = job.done;
    let next = log.next_event_id();
    let closed = log.close();
    let stopped = || {
        let events = Count(done.count, "event");
        format!("appending {} to log '{}' stopped behind {events}", input.name, args.log)
    };
    let (token, failure) = match (ended, closed) {
        (Ok(()), closed) => (closed.map_err(|error| place.failed("close", &args.log, error))?, None),
        (Err(error), Ok(token)) => {
            let safe = if done.count > 0 { " (safe)" } else { "" };
            (token, Some(error.context(format!("{}{safe}", stopped()))))
        }
        (Err(error), Err(_)) => return Err(error.context(stopped())),
    };
    if done.count > done.durable {
        out.line(format_args!("durable {}", done.count))?;
    }
    out.line(format_args!("accepted {}", done.count))?;
    out.line(format_args!("duplicates {}", done.duplicates))?;
    if let Ok(next) = next {
        out.line(format_args!("next {next}"))?;
    }
    out.line(format_args!("token {token}"))?;
    failure.map_or(Ok(Outcome::Fine), Err)
}

/// Appending one input to one log.
struct Job<'a> {
    place: &'a Place,
    log: &'a EventLog,
    /// The id of the next event, if the input holds none.
    next: Option<u64>,
    sync_every: Option<u64>,
    /// Whether the log syncs by itself.
    synced: bool,
    batch: Batch,
    /// Items taken from the input.
    read: u64,
    done: Done,
}

/// Events with consecutive ids that are to be appended.
#[derive(Default)]
struct Batch {
    first: u64,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

/// How far it has come.
#[derive(Clone, Copy, Default)]
struct Done {
    /// Events of the input that are in the log.
    count: u64,
    /// Those of them that were there already, as far as is known.
    duplicates: u64,
    /// So many were told to be durable.
    durable: u64,
}

impl Job<'_> {
    fn run(&mut self, source: &mut dyn Source, out: &mut Output) -> anyhow::Result<()> {
        loop {
            let unsynced = self.done.count - self.done.durable;
            let room = self.sync_every.map_or(u64::MAX, |every| every - unsynced);
            let Some(items) = source.next_batch(usize::try_from(room).unwrap_or(usize::MAX))? else {
                return Ok(());
            };
            self.append(&items)?;
            out.progress(source.read());
            let full = self.sync_every == Some(self.done.count - self.done.durable);
            if full && !self.synced {
                let synced = self.log.sync();
                synced.map_err(|error| self.place.failed("sync", self.log.name(), error))?;
            }
            if full || self.synced {
                out.line(format_args!("durable {}", self.done.count))?;
                self.done.durable = self.done.count;
            }
        }
    }

    fn append(&mut self, items: &Items<'_>) -> anyhow::Result<()> {
        if let Some(first) = self.next {
            let ids = numbered(first, items.ends.len())?;
            self.next = Some(ids.end);
            self.read += items.ends.len() as u64;
            return self.write(first, items.ends, items.bytes);
        }
        let gathered = each(items.ends, items.bytes).try_for_each(|line| self.take(line));
        // What stands before a bad line is appended before that is told.
        self.hand_over()?;
        gathered
    }

    /// Adds a line to the batch, or begins another with it.
    fn take(&mut self, line: &[u8]) -> anyhow::Result<()> {
        self.read += 1;
        let split = columns::split(line, ["id"]);
        let ([id], event) = split.with_context(|| format!("line {} is no event", self.read))?;
        if self.batch.first.checked_add(self.batch.ends.len() as u64) != Some(id) {
            self.hand_over()?;
            self.batch.first = id;
        }
        self.batch.bytes.extend_from_slice(event);
        // A batch of the input stays far below 4 GiB.
        self.batch.ends.push(self.batch.bytes.len() as u32);
        Ok(())
    }

    fn hand_over(&mut self) -> anyhow::Result<()> {
        let Batch { first, ends, bytes } = std::mem::take(&mut self.batch);
        match ends.is_empty() {
            true => Ok(()),
            false => self.write(first, &ends, &bytes),
        }
    }

    fn write(&mut self, first: u64, ends: &[u32], bytes: &[u8]) -> anyhow::Result<()> {
        let written = match ends {
            // One alone may wait in memory for others, if the policy allows that.
            [_] => self.log.append(first, bytes),
            _ => self.log.append_packed(first, ends, bytes),
        };
        let count = ends.len() as u64;
        match written.map_err(|error| self.place.failed("append to", self.log.name(), error))? {
            Ended::Appended => {}
            Ended::Duplicate => self.done.duplicates += count,
        }
        self.done.count += count;
        Ok(())
    }
}
