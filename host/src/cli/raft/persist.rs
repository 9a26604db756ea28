//! `annals raft persist` and `replace`: lines, length-prefixed items or whole files become entries of a Raft log.
//!
//! What `persist` prints is a promise. `durable N last INDEX` stands after every sync, and what it says is on its way to
//! the reader before the next entry is written: the first N entries of the input are on disk, whatever happens to this
//! process. At the end, also when it was an error that ended the input, the log is closed and the rest told.

use std::path::PathBuf;

use annals::{
    Error, RaftLog, Token,
    raft_log::{Entries, LogId, Options},
};
use anyhow::{Context as _, anyhow, bail};
use clap::{Args, value_parser};

use super::super::{
    Outcome, Place,
    args::{Writing, log_name, size},
    columns::{self, each},
    failure,
    input::{Format, Input, Source},
    output::Output,
};
use super::{finish, for_writing, open};

/// How entries come in.
#[derive(Args)]
struct Entering {
    /// File to read, or - for standard input; several with --input files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How entries stand in the input; other than lines only with --term
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    input: Format,
    /// Term of all entries: the input then holds their payloads only, for consecutive indexes
    #[arg(long, value_name = "TERM")]
    term: Option<u64>,
}

impl Entering {
    /// Opens the input. A wrong file name is found before anything is made.
    fn open(&self) -> anyhow::Result<Input> {
        if self.term.is_none() && self.input != Format::Lines {
            bail!("only lines can hold INDEX<TAB>TERM<TAB>PAYLOAD; give the term of all entries with --term");
        }
        Input::open(&self.files, self.input)
    }
}

/// Write entries to a Raft log, new ones or in place of those that are there
///
/// Each line is an entry: INDEX<TAB>TERM<TAB>PAYLOAD. LF ends it and is not part of it; CR and every other byte of the
/// payload is. With --term, each line (or item of another --input) is a payload, and indexes are consecutive. Entries at
/// other indexes stay. The log is made if it does not exist.
///
/// Prints 'durable N last INDEX' after every sync: the first N entries of the input are then safe. At the end it prints
/// how many were written ('persisted N'), the last index of the log, and its token, which --expect-token takes.
#[derive(Args)]
pub(crate) struct Persist {
    /// Name of the log: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    entering: Entering,
    /// Index of the first entry [default: the one behind the last]
    #[arg(long, value_name = "INDEX", requires = "term", value_parser = value_parser!(u64).range(1..))]
    first: Option<u64>,
    /// Sync after every N entries, not only at the end
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    sync_every: Option<u64>,
    /// Let indexes be left out
    #[arg(long)]
    allow_gaps: bool,
    #[command(flatten)]
    writing: Writing,
    /// Size of a segment file; KiB, MiB or GiB may follow the number [default: 16MiB]
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = size,
        help_heading = "Options of a new log (an existing one must have been made with the same)"
    )]
    segment_bytes: Option<u64>,
}

/// Remove the newest entries of a Raft log and write others instead, as a whole
///
/// Everything from FIRST on is removed, and the entries of the input take its place, in one frame: after a crash it is
/// either the old end or the new one. The input is as for persist, and its first entry is at FIRST. An empty input only
/// removes.
#[derive(Args)]
pub(crate) struct Replace {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Index of the first entry to remove; all behind it go too
    #[arg(value_parser = value_parser!(u64).range(1..))]
    first: u64,
    #[command(flatten)]
    entering: Entering,
    /// Let indexes be left out
    #[arg(long)]
    allow_gaps: bool,
    #[command(flatten)]
    writing: Writing,
}

/// Where the index and the term of each entry come from.
enum Ids {
    /// They stand before the payload.
    Columns,
    /// Consecutive indexes of one term.
    Given { next: Option<u64>, term: u64 },
}

impl Ids {
    fn new(term: Option<u64>, first: u64) -> Ids {
        term.map_or(Ids::Columns, |term| Ids::Given { next: Some(first), term })
    }

    /// The entry that an item of the input is.
    fn entry<'a>(&mut self, item: &'a [u8]) -> anyhow::Result<(LogId, &'a [u8])> {
        match self {
            Ids::Columns => {
                let ([index, term], payload) = columns::split(item, ["index", "term"])?;
                Ok((LogId { term, index }, payload))
            }
            Ids::Given { next, term } => {
                let index = next.context("there are no indexes left")?;
                *next = index.checked_add(1);
                Ok((LogId { term: *term, index }, item))
            }
        }
    }
}

/// An error of writing entries, with what helps here.
fn refused(place: &Place, log: &str, error: Error) -> anyhow::Error {
    match error {
        Error::Gap(bounds) => anyhow!(
            "cannot write to log '{log}': indexes {bounds} would be left out; write those first, or give --allow-gaps"
        ),
        error => failure::told(&format!("write to log '{log}'"), &place.dir, error),
    }
}

/// Runs `raft persist`.
pub(crate) fn persist(place: &Place, args: &Persist, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut input = args.entering.open()?;
    let mut options = for_writing(&args.writing, Options::new().allow_gaps(args.allow_gaps));
    options.segment_bytes = args.segment_bytes;
    let log = open(place, place.made()?, &args.log, &options)?;
    let last = log.last_index().map_err(|error| place.failed("read", &args.log, error))?;
    let ids = Ids::new(args.entering.term, args.first.unwrap_or(last.saturating_add(1)));
    out.start_progress("writing", input.bytes);
    let mut job = Job { place, log: &log, ids, sync_every: args.sync_every, read: 0, done: Done::default() };
    let ended = job.run(&mut *input.items, out);
    out.end_progress();
    let done = job.done;
    let last = log.last_index();
    let stopped = || {
        let entries = if done.count == 1 { "entry" } else { "entries" };
        format!("writing {} to log '{}' stopped behind {} {entries}", input.name, args.log, done.count)
    };
    let (token, failure) = match (ended, super::close(place, &log)) {
        (Ok(()), closed) => (closed?, None),
        (Err(error), Ok(token)) => {
            let safe = if done.count > 0 { " (safe)" } else { "" };
            (token, Some(error.context(format!("{}{safe}", stopped()))))
        }
        (Err(error), Err(_)) => return Err(error.context(stopped())),
    };
    tell(&done, last.ok(), token, out)?;
    failure.map_or(Ok(Outcome::Fine), Err)
}

fn tell(done: &Done, last: Option<u64>, token: Token, out: &mut Output) -> anyhow::Result<()> {
    if done.count > done.durable {
        out.line(format_args!("durable {} last {}", done.count, done.last))?;
    }
    out.line(format_args!("persisted {}", done.count))?;
    if let Some(last) = last {
        out.line(format_args!("last-index {last}"))?;
    }
    out.line(format_args!("token {token}"))
}

/// Writing one input to one log.
struct Job<'a> {
    place: &'a Place,
    log: &'a RaftLog,
    ids: Ids,
    sync_every: Option<u64>,
    /// Items taken from the input.
    read: u64,
    done: Done,
}

/// How far it has come.
#[derive(Clone, Copy, Default)]
struct Done {
    /// Entries written.
    count: u64,
    /// Index of the last one of these.
    last: u64,
    /// So many were told to be durable.
    durable: u64,
}

impl Job<'_> {
    fn run(&mut self, source: &mut dyn Source, out: &mut Output) -> anyhow::Result<()> {
        let mut entries = Entries::new();
        loop {
            let unsynced = self.done.count - self.done.durable;
            let room = self.sync_every.map_or(u64::MAX, |every| every - unsynced);
            let Some(items) = source.next_batch(usize::try_from(room).unwrap_or(usize::MAX))? else {
                return Ok(());
            };
            let gathered = each(items.ends, items.bytes).try_for_each(|item| self.take(item, &mut entries));
            // What stands before a bad line is written before that is told.
            self.write(&mut entries)?;
            gathered?;
            out.progress(source.read());
            if self.sync_every == Some(self.done.count - self.done.durable) {
                let synced = self.log.sync();
                synced.map_err(|error| self.place.failed("sync", self.log.name(), error))?;
                out.line(format_args!("durable {} last {}", self.done.count, self.done.last))?;
                self.done.durable = self.done.count;
            }
        }
    }

    /// Adds an item of the input to the entries that are written next.
    fn take(&mut self, item: &[u8], entries: &mut Entries) -> anyhow::Result<()> {
        self.read += 1;
        let (id, payload) =
            self.ids.entry(item).with_context(|| format!("item {} is no entry", self.read))?;
        // Where indexes go back, another frame begins.
        if entries.last_index().is_some_and(|last| id.index <= last) {
            self.write(entries)?;
        }
        entries.push(id, payload).map_err(|error| refused(self.place, self.log.name(), error))
    }

    /// Writes entries and forgets them.
    fn write(&mut self, entries: &mut Entries) -> anyhow::Result<()> {
        let Some(last) = entries.last_index() else { return Ok(()) };
        let written = self.log.persist_packed(entries);
        written.map_err(|error| refused(self.place, self.log.name(), error))?;
        self.done.count += entries.len() as u64;
        self.done.last = last;
        entries.clear();
        Ok(())
    }
}

/// Runs `raft replace`.
pub(crate) fn replace(place: &Place, args: &Replace, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let mut input = args.entering.open()?;
    let options = for_writing(&args.writing, Options::open().allow_gaps(args.allow_gaps));
    let opened = open(place, place.existing()?, log, &options)?;
    let mut ids = Ids::new(args.entering.term, args.first);
    let mut entries = Entries::new();
    while let Some(items) = input.items.next_batch(usize::MAX)? {
        for item in each(items.ends, items.bytes) {
            let number = entries.len() + 1;
            let (id, payload) = ids.entry(item).with_context(|| format!("item {number} is no entry"))?;
            entries.push(id, payload).map_err(|error| refused(place, log, error))?;
        }
    }
    opened.replace_range_packed(args.first, &entries).map_err(|error| refused(place, log, error))?;
    out.line(format_args!("replaced from {} with {}", args.first, entries.len()))?;
    finish(place, &opened, out)
}
