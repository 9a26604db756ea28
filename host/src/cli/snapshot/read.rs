//! `annals snapshot get` and `range`: entries on standard output.
//!
//! Damage is named on standard error and passed over: everything that is intact is printed, and the exit code says 1.

use std::io::{self, IsTerminal as _};

use annals::{Error, snapshot::EntryRef};
use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::{lines::unhex, reading};
use crate::cli::{
    Outcome, Place,
    args::{Expecting, log_name},
    common, failure,
    format::{self, hex, put_bytes},
    output::{Output, Reader},
};

/// Print the value of a key
#[derive(Args)]
pub(crate) struct Get {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    /// The key
    key: String,
    /// KEY is given as hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// How the value is printed; json adds the key and the version
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    output: format::Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Print the entries of a snapshot, in ascending order of their keys
///
/// Shows the snapshot as it is at the start of the command. Damaged entries are named on standard error and passed over;
/// the exit code is then 1.
#[derive(Args)]
pub(crate) struct Range {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    /// Only keys that start with this
    #[arg(default_value = "")]
    prefix: String,
    /// PREFIX is given as hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// How entries are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// How entries are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// KEY, a TAB, VALUE, and LF
    Lines,
    /// KEY and LF
    Keys,
    /// A JSON object per line, which apply takes with --input json: {"key_text":"…","value_text":"…"}, with
    /// "version_text" where there is one, and "…_hex" where bytes are not UTF-8
    Json,
    /// Key, value and version as hexadecimal digits, with a TAB between them
    Hex,
}

impl Format {
    fn put(self, entry: EntryRef<'_>, printed: &mut Vec<u8>) {
        let EntryRef { key, value, version } = entry;
        match self {
            Format::Lines => printed.extend([key, b"\t", value, b"\n"].concat()),
            Format::Keys => printed.extend([key, b"\n"].concat()),
            Format::Json => {
                let object = Value::Object(object(entry));
                printed.extend_from_slice(format!("{object}\n").as_bytes());
            }
            Format::Hex => {
                let text = format!("{}\t{}\t{}\n", hex(key), hex(value), hex(version));
                printed.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn object(entry: EntryRef<'_>) -> Map<String, Value> {
    let mut object = Map::new();
    put_bytes(&mut object, "key_", entry.key);
    put_bytes(&mut object, "value_", entry.value);
    if !entry.version.is_empty() {
        put_bytes(&mut object, "version_", entry.version);
    }
    object
}

fn key(text: &str, is_hex: bool) -> anyhow::Result<Vec<u8>> {
    match is_hex {
        false => Ok(text.as_bytes().to_vec()),
        true => match unhex(text) {
            Ok(key) => Ok(key),
            Err(why) => bail!("cannot use '{text}' with --hex: {why}"),
        },
    }
}

/// Runs `snapshot get`.
pub(crate) fn get(place: &Place, args: &Get, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let key = key(&args.key, args.hex)?;
    let snapshot = reading(place, log, &args.expecting)?;
    match snapshot.get(&key) {
        Ok(Some(entry)) => {
            let mut printed = Vec::new();
            match args.output {
                format::Format::Json => Format::Json.put(entry.as_ref(), &mut printed),
                output => output.put_with(&[], &entry.value, &mut printed),
            }
            out.bytes(&printed)?;
            Ok(Outcome::Fine)
        }
        Ok(None) => bail!("there is no key '{}' in log '{log}'", args.key),
        Err(Error::Damaged(damage)) => {
            out.note(format_args!("cannot read '{}' of log '{log}': {}", args.key, failure::place(&damage)));
            Ok(Outcome::Damage)
        }
        Err(error) => Err(place.failed("read", log, error)),
    }
}

/// Runs `snapshot range`.
pub(crate) fn range(place: &Place, args: &Range, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let prefix = key(&args.prefix, args.hex)?;
    let snapshot = reading(place, log, &args.expecting)?;
    let range = snapshot.range(&prefix).map_err(|error| place.failed("read", log, error))?;
    if prefix.is_empty() && !io::stdout().is_terminal() {
        // Of a damaged log nobody knows; what is intact is printed nevertheless.
        if let Ok(stats) = snapshot.stats() {
            out.start_counting("reading", stats.entries);
        }
    }
    let mut printed = Vec::new();
    let mut done = 0;
    let streamed = common::stream(place, log, range, out, |entries, out| {
        printed.clear();
        entries.iter().for_each(|entry| args.output.put(entry, &mut printed));
        done += entries.len() as u64;
        out.progress(done);
        match printed.is_empty() {
            true => Ok(Reader::There),
            false => out.bytes(&printed),
        }
    });
    out.end_progress();
    streamed
}
