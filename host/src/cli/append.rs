//! `annals journal append`: lines of a file or of standard input become items.
//!
//! What this prints is a promise. `durable SIZE` stands after every sync, and what it says is on its way to the reader
//! before the next item is appended: all items below SIZE are on disk, whatever happens to this process. At the end,
//! also when it was an error that ended the input, the log is closed and the rest told: `durable`, the first and last
//! position that this run filled, and the token of the closed log.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use annals::{Journal, Token, journal::Options};
use anyhow::{Context as _, bail};
use clap::{Args, value_parser};

use super::{
    Outcome, Place,
    input::Lines,
    journal::{Writing, log_name},
    output::{Count, Output},
};

/// Append each line of a file to a journal as one item
///
/// LF ends an item and is not part of it; CR and every other byte is. A last line without LF is an item too, and an
/// empty line is an empty item. The journal is made if it does not exist.
///
/// Prints 'durable SIZE' after every sync: all items below SIZE are then safe. At the end it prints the first and the
/// last position filled ('first F last L') and the token of the log ('token TOKEN'), which --expect-token takes.
#[derive(Args)]
pub(crate) struct Append {
    /// Name of the journal: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    /// File to read, or - for standard input
    file: PathBuf,
    /// Sync after every N items, not only at the end
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    sync_every: Option<u64>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    making: Making,
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
    /// Position of the first item [default: 0]
    #[arg(long, value_name = "POSITION")]
    start_at: Option<u64>,
    /// Do not sync when a section is full
    #[arg(long)]
    no_sync_sections: bool,
}

impl Making {
    fn apply(&self, options: Options) -> Options {
        let mut options = options;
        if let Some(items) = self.items_per_section {
            options = options.items_per_section(items);
        }
        if let Some(bytes) = self.segment_bytes {
            options = options.segment_bytes(bytes);
        }
        if let Some(position) = self.start_at {
            options = options.start_at(position);
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
    let mut input = Input::open(&append.file)?;
    let options = append.making.apply(append.writing.apply(Options::default()));
    let journal = place.journal(place.made()?, &append.log, &options)?;
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

/// A file or standard input, line by line.
pub(crate) struct Input {
    /// What a person calls it.
    pub(crate) name: String,
    /// Its size, where it has one.
    pub(crate) bytes: Option<u64>,
    lines: Lines<Box<dyn Read>>,
}

impl Input {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It does not exist, cannot be read, or is a directory.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Input> {
        if path.as_os_str() == "-" {
            let lines = Lines::new(Box::new(io::stdin()) as Box<dyn Read>);
            return Ok(Input { name: "standard input".to_owned(), bytes: None, lines });
        }
        let name = format!("'{}'", path.display());
        let cannot = || format!("cannot read {name}");
        let file = File::open(path).with_context(cannot)?;
        let metadata = file.metadata().with_context(cannot)?;
        if metadata.is_dir() {
            bail!("cannot read {name}: it is a directory; name a file, or - for standard input");
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Input { name, bytes, lines: Lines::new(Box::new(file) as Box<dyn Read>) })
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
        let ended = self.append(&mut input.lines, &mut appended, out);
        out.end_progress();
        appended.bytes = input.lines.read();
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

    fn append<R: Read>(
        &mut self,
        lines: &mut Lines<R>,
        appended: &mut Appended,
        out: &mut Output,
    ) -> anyhow::Result<()> {
        let mut unsynced = 0;
        loop {
            let room = self.sync_every.map_or(u64::MAX, |every| every - unsynced);
            let Some(items) = lines.next_batch(usize::try_from(room).unwrap_or(usize::MAX))? else {
                return Ok(());
            };
            let count = items.ends.len() as u64;
            let first = self.journal.append_packed(items.ends, items.bytes);
            let first = first.map_err(|error| self.place.failed("append to", self.log, error))?;
            appended.first.get_or_insert(first);
            appended.next = first + count;
            appended.items += count;
            unsynced += count;
            out.progress(lines.read());
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

/// A number of bytes, with or without a unit.
fn size(text: &str) -> Result<u64, String> {
    let (number, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .iter()
        .find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let number: Option<u64> = number.trim_end().parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "a number of bytes is wanted, such as 1000000, 64KiB or 16MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_binary_units_and_nothing_else() {
        assert_eq!(size("1000"), Ok(1000));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        for bad in ["", "KiB", "-1", "1kB", "1.5MiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
