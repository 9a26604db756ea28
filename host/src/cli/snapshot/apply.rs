//! `annals snapshot apply`: lines become changes of a fold, batch by batch.
//!
//! What this prints is a promise. `durable COUNT` stands after every batch, and what it says is on its way to the reader
//! before the next batch is applied: the first COUNT updates of the input are in the fold and on disk, whatever happens
//! to this process.

use std::path::PathBuf;

use annals::{
    Error, Snapshot,
    error::Limit,
    snapshot::{Options, Updates},
};
use anyhow::anyhow;
use clap::{Args, value_parser};

use super::{
    lines::{Format, Line, parse, unhex},
    open, put_cursor,
};
use crate::cli::{
    Outcome, Place,
    args::{Writing, log_name, size},
    input::{Input, Source},
    output::{Count, Output},
};

/// Apply changes from a file to a snapshot, and move its cursor
///
/// Each line is a change: KEY, a TAB and VALUE put a key; everything behind the first TAB is the value. With --deletes, a
/// line without TAB deletes its key. With --input json, lines are JSON objects (see there). The snapshot is made if it does
/// not exist.
///
/// Changes are applied in batches, each there as a whole or not at all after a crash. The cursor moves with the last
/// batch, or, with --input json, wherever the input says so; applying changes again is harmless, so after a crash begin
/// again at the cursor. Prints 'durable COUNT' after every batch: the first COUNT changes are then safe. At the end it
/// prints the cursor, and the token of the log, which --expect-token takes.
#[derive(Args)]
pub(crate) struct Apply {
    /// Name of the snapshot: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    /// File to read, or - for standard input
    file: PathBuf,
    /// How changes stand in the input
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    input: Format,
    /// A line without TAB deletes its key
    #[arg(long)]
    deletes: bool,
    /// Cursor that holds once all is applied [default: it stays]
    #[arg(long, value_name = "TEXT", conflicts_with = "cursor_hex")]
    cursor: Option<String>,
    /// The same as hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = |text: &str| unhex(text).map(Hex))]
    cursor_hex: Option<Hex>,
    /// Most changes in a batch
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = value_parser!(u64).range(1..=1 << 20))]
    batch: u64,
    /// Sync only at the end, not after every batch
    #[arg(long)]
    relaxed: bool,
    /// Compact once there are more dead bytes than that; KiB, MiB or GiB may follow the number [default: 16MiB, and
    /// more than live ones]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    compact_at: Option<u64>,
    /// Keep only keys in memory
    #[arg(long)]
    values_on_disk: bool,
    #[command(flatten)]
    writing: Writing,
    /// Size of a segment file; KiB, MiB or GiB may follow the number [default: 16MiB]
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = size,
        help_heading = "Options of a new snapshot (an existing one must have been made with the same)"
    )]
    segment_bytes: Option<u64>,
}

/// Bytes given as hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

/// Runs `snapshot apply`.
pub(crate) fn run(place: &Place, args: &Apply, out: &mut Output) -> anyhow::Result<Outcome> {
    // Before anything is made: a wrong file name leaves no empty log behind.
    let mut input = Input::lines(&args.file)?;
    let log = &args.log;
    let options = Options {
        expect: args.writing.expecting.token,
        segment_bytes: args.segment_bytes,
        relaxed: args.relaxed,
        compact_at: args.compact_at,
        values_on_disk: args.values_on_disk,
        lock_wait_ms: args.writing.lock_wait,
        ..Options::new()
    };
    let snapshot = open(place, place.made()?, log, &options)?;
    let failed = |error| place.failed("read", log, error);
    let mut job = Job {
        place,
        args,
        snapshot: &snapshot,
        cursor: snapshot.cursor().map_err(failed)?,
        pending: Updates::new(),
        lines: 0,
        applied: 0,
    };
    out.start_progress("applying", input.bytes);
    let ended = job.run(&mut *input.items, out);
    out.end_progress();
    let (applied, cursor) = (job.applied, job.cursor);
    let closed = snapshot.close();
    if let Err(error) = ended {
        let safe = if applied > 0 && closed.is_ok() { " (safe)" } else { "" };
        let updates = Count(applied, "change");
        let stopped = format!("applying {} to log '{log}' stopped behind {updates}{safe}", input.name);
        return Err(error.context(stopped));
    }
    let token = closed.map_err(|error| place.failed("close", log, error))?;
    if args.relaxed && applied > 0 {
        out.line(format_args!("durable {applied}"))?;
    }
    put_cursor(&cursor, out)?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

/// Applying one input to one snapshot.
struct Job<'a> {
    place: &'a Place,
    args: &'a Apply,
    snapshot: &'a Snapshot,
    /// That of the last batch.
    cursor: Vec<u8>,
    /// What is not yet applied.
    pending: Updates,
    /// Lines read.
    lines: u64,
    /// Updates applied.
    applied: u64,
}

impl Job<'_> {
    fn run(&mut self, source: &mut dyn Source, out: &mut Output) -> anyhow::Result<()> {
        while let Some(items) = source.next_batch(usize::MAX)? {
            let mut start = 0;
            for &end in items.ends {
                self.line(&items.bytes[start..end as usize], out)?;
                start = end as usize;
            }
            out.progress(source.read());
        }
        let cursor = match (&self.args.cursor, &self.args.cursor_hex) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(Hex(bytes))) => Some(bytes.clone()),
            (None, None) => None,
        };
        match cursor {
            Some(cursor) => self.apply(cursor, out),
            None if self.pending.is_empty() => Ok(()),
            None => self.apply(self.cursor.clone(), out),
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) -> anyhow::Result<()> {
        self.lines += 1;
        let number = self.lines;
        let line = parse(self.args.input, self.args.deletes, line)
            .map_err(|what| anyhow!("line {number} {what}"))?;
        let Some(update) = line.update() else {
            let Line::Cursor(cursor) = line else { return Ok(()) };
            return self.apply(cursor, out);
        };
        let mut pushed = self.pending.push(update);
        let full = matches!(&pushed, Err(Error::TooLarge { what: Limit::BatchSize | Limit::BatchCount, .. }));
        if full && !self.pending.is_empty() {
            self.apply(self.cursor.clone(), out)?;
            pushed = self.pending.push(update);
        }
        pushed.map_err(|error| anyhow!("line {number}: {error}"))?;
        match self.pending.len() as u64 >= self.args.batch {
            true => self.apply(self.cursor.clone(), out),
            false => Ok(()),
        }
    }

    fn apply(&mut self, cursor: Vec<u8>, out: &mut Output) -> anyhow::Result<()> {
        let applied = self.snapshot.apply_packed(&self.pending, &cursor);
        let token = applied.map_err(|error| self.place.failed("apply to", &self.args.log, error))?;
        self.cursor = cursor;
        self.applied += self.pending.len() as u64;
        self.pending.clear();
        match token {
            Some(_) => out.line(format_args!("durable {}", self.applied)),
            None => Ok(()),
        }
    }
}
