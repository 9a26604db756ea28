//! `annals journal roundtrip`: the whole life of a file's lines in one command, for a first look and as a self-test.
//!
//! It appends the lines, closes the log, opens it again with the token of that close, reads the lines back, compares
//! them with the file byte by byte, and at last checks every byte of the log. The comparison reads the file anew and
//! knows nothing of how it was split.

use std::{
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::PathBuf,
    time::Instant,
};

use annals::journal::Options;
use anyhow::{Context as _, bail};
use clap::Args;

use super::{
    Outcome, Place,
    append::{Appended, Job},
    args::{Writing, log_name},
    input::Input,
    output::{Bytes, Count, Output, Reader, Took},
    replay, verify,
};

/// Append a file's lines, read them back, compare, and check every byte of the log
///
/// Appends each line of FILE to the journal LOG as one item and closes it; opens it again, insisting on the token of the
/// close; reads the items back and compares them with FILE byte by byte; then checks every byte of the log. Prints what
/// each step did and how long it took, and 'ok' at the end.
#[derive(Args)]
pub(crate) struct Roundtrip {
    /// Name of the journal; it is made if it does not exist
    #[arg(value_parser = log_name)]
    log: String,
    /// File to read, twice
    file: PathBuf,
    #[command(flatten)]
    writing: Writing,
}

/// Runs `journal roundtrip`.
pub(crate) fn run(place: &Place, args: &Roundtrip, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let mut input = Input::lines(&args.file)?;
    if input.bytes.is_none() {
        bail!("cannot read {} twice, once to append and once to compare; name a regular file", input.name);
    }

    let started = Instant::now();
    let journal = place.journal(place.made()?, log, &args.writing.apply(Options::default()))?;
    out.start_progress("appending", input.bytes);
    let mut job = Job { place, log, journal: &journal, sync_every: None };
    let appended = job.run(&mut input, out)?;
    if let Some(failure) = appended.failure {
        return Err(failure);
    }
    let bytes = Bytes(appended.bytes);
    let items = Count(appended.items, "item");
    out.line(format_args!("appended {items}, {bytes}, in {}", Took(started.elapsed())))?;

    let started = Instant::now();
    let items = read_back(place, args, &input, &appended, out)?;
    let name = &input.name;
    out.line(format_args!("read back {items}, the same as in {name}, in {}", Took(started.elapsed())))?;

    let started = Instant::now();
    let checked = verify::check(place, &place.admin()?, log, out)?;
    checked.print_damages(log, out)?;
    let bytes = Bytes(checked.bytes);
    out.line(format_args!("checked every byte of log '{log}', {bytes}, in {}", Took(started.elapsed())))?;
    if !checked.damages.is_empty() {
        return Ok(Outcome::Damage);
    }
    if let Some(token) = appended.token {
        out.line(format_args!("token {token}"))?;
    }
    out.line("ok")?;
    Ok(Outcome::Fine)
}

/// Reads back what was appended and compares it with the file. Returns the number of items.
fn read_back(
    place: &Place,
    args: &Roundtrip,
    input: &Input,
    appended: &Appended,
    out: &mut Output,
) -> anyhow::Result<Count> {
    let log = &args.log;
    let options = appended.token.map_or(Options::read_only(), |token| Options::read_only().expect(token));
    let journal = place.reading(log, options)?;
    let file = File::open(&args.file).with_context(|| format!("cannot read {} again", input.name))?;
    let mut comparison = Comparison::new(BufReader::with_capacity(128 << 10, file));
    out.start_progress("reading back", input.bytes);
    let mut read = || {
        if let Some(first) = appended.first {
            replay::stream(place, log, &journal, (first, appended.next), out, |batch, count, out| {
                for (_, item) in batch.iter().take(count) {
                    comparison.item(item)?;
                }
                out.progress(comparison.bytes);
                Ok(Reader::There)
            })?;
        }
        comparison.end()
    };
    let same = read().with_context(|| format!("log '{log}' and {} are not the same", input.name));
    out.end_progress();
    same.map(|()| Count(comparison.items, "item"))
}

/// Compares items with a file: each must stand there, followed by LF, and only the last LF may be missing.
struct Comparison<R> {
    file: R,
    buffer: Vec<u8>,
    /// Bytes of the file, and items, that were compared.
    bytes: u64,
    items: u64,
    /// The file has ended, without an LF.
    ended: bool,
}

impl<R: Read> Comparison<R> {
    fn new(file: R) -> Comparison<R> {
        Comparison { file, buffer: Vec::new(), bytes: 0, items: 0, ended: false }
    }

    /// Compares the next item.
    ///
    /// # Errors
    /// The file cannot be read, or something else stands there.
    fn item(&mut self, item: &[u8]) -> anyhow::Result<()> {
        self.buffer.clear();
        self.file.by_ref().take(item.len() as u64 + 1).read_to_end(&mut self.buffer)?;
        let whole = match self.buffer.strip_suffix(b"\n") {
            Some(line) if line.len() == item.len() => line == item,
            _ => !self.ended && !item.is_empty() && self.buffer == item,
        };
        if !whole {
            return Err(Different { line: self.items + 1, byte: self.bytes }.into());
        }
        self.ended = self.buffer.len() == item.len();
        self.bytes += self.buffer.len() as u64;
        self.items += 1;
        Ok(())
    }

    /// Makes sure that the file ends where the items do.
    ///
    /// # Errors
    /// The file cannot be read, or goes on.
    fn end(&mut self) -> anyhow::Result<()> {
        match self.file.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(Different { line: self.items + 1, byte: self.bytes }.into()),
        }
    }
}

/// Items and file are not the same.
#[derive(Debug)]
struct Different {
    line: u64,
    byte: u64,
}

impl fmt::Display for Different {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Different { line, byte } = self;
        write!(
            f,
            "they differ in line {line}, which begins at byte {byte} of the file; was the file changed meanwhile?"
        )
    }
}

impl std::error::Error for Different {}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(items: &[&[u8]], file: &[u8]) -> bool {
        let mut comparison = Comparison::new(file);
        items.iter().all(|item| comparison.item(item).is_ok()) && comparison.end().is_ok()
    }

    #[test]
    fn only_the_last_line_end_may_be_missing() {
        assert!(same(&[], b""));
        assert!(same(&[b"a", b"", b"b\r"], b"a\n\nb\r\n"));
        assert!(same(&[b"a", b"b"], b"a\nb"));
        assert!(!same(&[b"a", b""], b"a\n"));
        assert!(!same(&[b""], b""));
        assert!(!same(&[b"ab"], b"a\nb"));
        assert!(!same(&[b"a", b"b"], b"ab"));
    }

    #[test]
    fn every_changed_missing_or_additional_byte_is_a_difference() {
        let (items, file): (&[&[u8]], &[u8]) = (&[b"one", b"", b"three"], b"one\n\nthree\n");
        assert!(same(items, file));
        for at in 0..file.len() {
            let mut changed = file.to_vec();
            changed[at] ^= 1;
            assert!(!same(items, &changed), "byte {at} changed");
            changed.remove(at);
            assert_eq!(same(items, &changed), at == file.len() - 1, "byte {at} removed");
            changed.splice(at..at, [file[at], b'x']);
            assert!(!same(items, &changed), "byte added behind {at}");
        }
        assert!(!same(&items[..2], file) && !same(&items[1..], file));
    }
}
