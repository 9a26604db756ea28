//! `annals change get` and `scan`: outstanding changes on standard output. They are no instance, and change nothing.

use annals::{
    ChangeLog, Error,
    change_log::{Options, Outstanding},
};
use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::cli::{
    Outcome, Place,
    args::{Expecting, log_name},
    common, failure,
    format::{self, hex, put_bytes},
    output::Output,
    snapshot::unhex,
};

/// Print the payload of a change
#[derive(Args)]
pub(crate) struct Get {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    /// Id of the change
    id: String,
    /// The instance that recorded it
    #[arg(long, value_name = "NAME", value_parser = log_name, default_value = super::INSTANCE)]
    origin: String,
    /// ID is given as hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// How the payload is printed; json adds what else there is
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    output: format::Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// Print the outstanding changes of all instances, or of one
///
/// In the order of the instances that recorded them and then of their ids. Damage is named on standard error; the exit
/// code is then 1.
#[derive(Args)]
pub(crate) struct Scan {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    /// Only what this instance holds, its own and what it took over
    #[arg(long, value_name = "NAME", value_parser = log_name)]
    instance: Option<String>,
    /// Also those that nobody is to clean up yet
    #[arg(long)]
    deferred: bool,
    /// How changes are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "lines")]
    output: Format,
    #[command(flatten)]
    expecting: Expecting,
}

/// How changes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// ORIGIN, ID and PAYLOAD, with a TAB between them
    Lines,
    /// A JSON object per line: {"origin":"…","id_text":"…","payload_text":"…","cleanup_after_ms":N}, with "…_hex" where
    /// bytes are not UTF-8
    Json,
    /// Origin, and id and payload as hexadecimal digits, with a TAB between them
    Hex,
}

impl Format {
    fn put(self, outstanding: &Outstanding, printed: &mut Vec<u8>) {
        let Outstanding { origin, id, change } = outstanding;
        match self {
            Format::Lines => {
                printed.extend([origin.as_bytes(), b"\t", id, b"\t", &change.payload, b"\n"].concat());
            }
            Format::Hex => {
                let text = format!("{origin}\t{}\t{}\n", hex(id), hex(&change.payload));
                printed.extend_from_slice(text.as_bytes());
            }
            Format::Json => {
                let mut object = Map::new();
                object.insert("origin".to_owned(), origin.clone().into());
                put_bytes(&mut object, "id_", id);
                put_bytes(&mut object, "payload_", &change.payload);
                object.insert("cleanup_after_ms".to_owned(), change.cleanup_after_ms.into());
                printed.extend_from_slice(format!("{}\n", Value::Object(object)).as_bytes());
            }
        }
    }
}

/// An id as it was given.
pub(super) fn id(text: &str, is_hex: bool) -> anyhow::Result<Vec<u8>> {
    match is_hex {
        false => Ok(text.as_bytes().to_vec()),
        true => match unhex(text) {
            Ok(id) => Ok(id),
            Err(why) => bail!("cannot use '{text}' with --hex: {why}"),
        },
    }
}

fn open(
    place: &Place,
    log: &str,
    instance: Option<&str>,
    expecting: &Expecting,
) -> anyhow::Result<ChangeLog> {
    let instance = instance.map(str::to_owned);
    let options = Options { expect: expecting.token, instance, ..Options::read_only() };
    let storage = place.existing()?;
    let opened = place.runtime.change_log(storage.clone(), log, &options);
    opened.map_err(|error| place.told(&storage, "open", log, error))
}

/// Runs `change get`.
pub(crate) fn get(place: &Place, args: &Get, out: &mut Output) -> anyhow::Result<Outcome> {
    let (log, origin) = (&args.log, &args.origin);
    let id = id(&args.id, args.hex)?;
    let opened = open(place, log, None, &args.expecting)?;
    match opened.get(Some(origin), &id) {
        Ok(Some(change)) => {
            let mut printed = Vec::new();
            match args.output {
                format::Format::Json => {
                    let outstanding = Outstanding { origin: origin.clone(), id, change };
                    Format::Json.put(&outstanding, &mut printed);
                }
                output => output.put_with(&[], &change.payload, &mut printed),
            }
            out.bytes(&printed)?;
            Ok(Outcome::Fine)
        }
        Ok(None) => bail!("no change '{}' of instance '{origin}' is outstanding in log '{log}'", args.id),
        Err(Error::Damaged(damage)) => {
            out.note(format_args!("cannot read '{}' of log '{log}': {}", args.id, failure::place(&damage)));
            Ok(Outcome::Damage)
        }
        Err(error) => Err(place.failed("read", log, error)),
    }
}

/// Runs `change scan`.
pub(crate) fn scan(place: &Place, args: &Scan, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let opened = open(place, log, args.instance.as_deref(), &args.expecting)?;
    let scan = opened.scan(args.deferred).map_err(|error| place.failed("read", log, error))?;
    let mut printed = Vec::new();
    common::stream(place, log, scan, out, |outstanding, out| {
        printed.clear();
        args.output.put(outstanding, &mut printed);
        out.bytes(&printed)
    })
}
