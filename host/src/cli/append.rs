//! `annals journal append`: lines, length-prefixed items or whole files become items of a journal.
//!
//! What this prints is a promise. `durable SIZE` stands after every sync, and what it says is on its way to the reader
//! before the next item is appended: all items below SIZE are on disk, whatever happens to this process. At the end,
//! also when it was an error that ended the input, the log is closed and the rest told: `durable`, the first and last
//! position that this run filled, and the token of the closed log.

use std::path::PathBuf;

use annals::{Error, Journal, Token, journal::Options};
use anyhow::bail;
use clap::{Args, value_parser};

use super::{
    Outcome, Place,
    args::{Writing, log_name, size},
    input::{Format, Input, Source},
    output::{Count, Output},
};

/// Append the lines of a file, or other items, to a journal
///
/// Each line is an item unless --input says otherwise. LF ends it and is not part of it; CR and every other byte is. A
/// last line without LF is an item too, and an empty line is an empty item. The journal is made if it does not exist.
///
/// Prints 'durable SIZE' after every sync: all items below SIZE are then safe. At the end it prints the first and the
/// last position filled ('first F last L') and the token of the log ('token TOKEN'), which --expect-token takes.
#[derive(Args)]
pub(crate) struct Append {
    /// Name of the journal: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    /// File to read, or - for standard input; several with --input files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How items stand in the input
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    input: Format,
    /// Sync after every N items, not only at the end
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    sync_every: Option<u64>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    making: Making,
    /// Position of the first item [default: 0]
    #[arg(
        long,
        value_name = "POSITION",
        help_heading = "Options of a new journal (an existing one must have been made with the same)"
    )]
    start_at: Option<u64>,
}

/// Options that a journal gets when it is made, and keeps.
#[derive(Args)]
#[command(next_help_heading = "Options of a new journal (an existing one must have been made with the same)")]
pub(crate) struct Making {
    /// Items in a section, the unit in which the journal is pruned [default: 65536]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    items_per_section: Option<u64>,
    /// Size of a segment file; KiB, MiB or GiB may follow the number [default: 16MiB]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    segment_bytes: Option<u64>,
    /// Compress the items of each batch where that makes them smaller
    #[arg(long)]
    compress: bool,
    /// Do not sync when a section is full
    #[arg(long)]
    no_sync_sections: bool,
}

impl Making {
    /// Puts this into the options of an open.
    pub(crate) fn apply(&self, options: Options) -> Options {
        let mut options = options;
        if let Some(items) = self.items_per_section {
            options = options.items_per_section(items);
        }
        if let Some(bytes) = self.segment_bytes {
            options = options.segment_bytes(bytes);
        }
        if self.compress {
            options = options.compression(true);
        }
        if self.no_sync_sections {
            options = options.sync_sections(false);
        }
        options
    }
}

/// Runs `journal append`.
pub(crate) fn run(place: &Place, append: &Append, out: &mut Output) -> anyhow::Result<Outcome> {
    // Before anything is made: a wrong file name leaves no empty journal behind.
    let mut input = Input::open(&append.files, append.input)?;
    let mut options = append.making.apply(append.writing.apply(Options::default()));
    if let Some(position) = append.start_at {
        options = options.start_at(position);
    }
    let storage = place.made()?;
    let journal = match place.runtime.journal(storage.clone(), &append.log, &options) {
        Err(Error::Exists) => bail!(
            "cannot open log '{}': it holds items already, so it cannot start anywhere else; leave out --start-at, or \
             choose another name",
            append.log
        ),
        opened => opened.map_err(|error| place.told(&storage, "open", &append.log, error))?,
    };
    out.start_progress("appending", input.bytes);
    let mut job = Job { place, log: &append.log, journal: &journal, sync_every: append.sync_every };
    let appended = job.run(&mut input, out)?;
    match appended.first {
        None => out.line("nothing appended")?,
        Some(first) => out.line(format_args!("first {first} last {}", appended.next - 1))?,
    }
    if let Some(token) = appended.token {
        out.line(format_args!("token {token}"))?;
    }
    match appended.failure {
        None => Ok(Outcome::Fine),
        Some(failure) => Err(failure),
    }
}

/// Appending one input to one journal.
pub(crate) struct Job<'a> {
    pub(crate) place: &'a Place,
    pub(crate) log: &'a str,
    pub(crate) journal: &'a Journal,
    pub(crate) sync_every: Option<u64>,
}

/// What a [`Job`] did.
#[derive(Default)]
pub(crate) struct Appended {
    /// Position of its first item, if it appended any.
    pub(crate) first: Option<u64>,
    /// The position after its last item.
    pub(crate) next: u64,
    /// Number of items.
    pub(crate) items: u64,
    /// Bytes of the input, line ends included.
    pub(crate) bytes: u64,
    /// Every position below was told to be durable.
    durable: u64,
    /// Token of the log after it was closed; none if `failure` is why it could not be.
    pub(crate) token: Option<Token>,
    /// What ended the input early. The items before it are in the journal.
    pub(crate) failure: Option<anyhow::Error>,
}

impl Job<'_> {
    /// Appends all items, closes the journal and tells what is durable.
    ///
    /// # Errors
    /// The journal could not be closed or standard output not be written: beyond the last `durable SIZE`, items may or
    /// may not be there.
    pub(crate) fn run(&mut self, input: &mut Input, out: &mut Output) -> anyhow::Result<Appended> {
        let mut appended = Appended::default();
        let ended = self.append(&mut *input.items, &mut appended, out);
        out.end_progress();
        appended.bytes = input.items.read();
        let closed = self.journal.close();
        let stopped = || {
            let items = Count(appended.items, "item");
            format!("appending {} to log '{}' stopped behind {items}", input.name, self.log)
        };
        match (ended, closed) {
            (Ok(()), Ok(token)) => appended.token = Some(token),
            (Ok(()), Err(error)) => return Err(self.place.failed("close", self.log, error)),
            (Err(error), Ok(token)) => {
                let safe = if appended.items > 0 { " (safe)" } else { "" };
                appended.failure = Some(error.context(format!("{}{safe}", stopped())));
                appended.token = Some(token);
            }
            (Err(error), Err(_)) => return Err(error.context(stopped())),
        }
        if appended.next > appended.durable {
            out.line(format_args!("durable {}", appended.next))?;
        }
        Ok(appended)
    }

    fn append(
        &mut self,
        source: &mut dyn Source,
        appended: &mut Appended,
        out: &mut Output,
    ) -> anyhow::Result<()> {
        let mut unsynced = 0;
        loop {
            let room = self.sync_every.map_or(u64::MAX, |every| every - unsynced);
            let Some(items) = source.next_batch(usize::try_from(room).unwrap_or(usize::MAX))? else {
                return Ok(());
            };
            let count = items.ends.len() as u64;
            let first = self.journal.append_packed(items.ends, items.bytes);
            let first = first.map_err(|error| self.place.failed("append to", self.log, error))?;
            appended.first.get_or_insert(first);
            appended.next = first + count;
            appended.items += count;
            unsynced += count;
            out.progress(source.read());
            if self.sync_every == Some(unsynced) {
                let synced = self.journal.sync_data();
                synced.map_err(|error| self.place.failed("sync", self.log, error))?;
                out.line(format_args!("durable {}", appended.next))?;
                appended.durable = appended.next;
                unsynced = 0;
            }
        }
    }
}
