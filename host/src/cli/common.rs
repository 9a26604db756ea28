//! What the commands of every log do in the same way: `info`, `destroy`, and printing a stream in spite of damage.

use std::{fmt::Display, sync::Arc};

use annals::{
    Error, Runtime,
    admin::{Kind, LogInfo},
    storage::Storage,
};
use anyhow::bail;
use clap::Args;

use super::{
    Outcome, Place,
    args::log_name,
    failure, json, list,
    output::{Bytes, Count, Moment, Output, Reader},
};

/// Arguments of `info`.
#[derive(Args)]
pub(crate) struct Info {
    /// Name of the log
    #[arg(value_parser = log_name)]
    pub(crate) log: String,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What there is to know about a log of that kind without reading all of it, as lines `key value` or one JSON object.
/// The next position, id or index is told as `next_name`; `more` are lines that only this kind has.
pub(crate) fn info(
    place: &Place,
    args: &Info,
    kind: Kind,
    next_name: &str,
    more: &[(&str, &dyn Display)],
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    let info = look_at(place, &args.log, kind)?;
    let outcome = match info.damage.is_empty() {
        true => Outcome::Fine,
        false => Outcome::Damage,
    };
    if args.json {
        let mut object = json::log(&info);
        for (key, value) in more {
            object[key.replace('-', "_")] = json::value(&value.to_string());
        }
        out.line(object)?;
        return Ok(outcome);
    }
    let number = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    for (key, value) in [
        ("name", info.name.clone()),
        ("kind", info.kind.to_string()),
        ("state", list::state(&info).to_owned()),
        ("items", info.items.to_string()),
        ("oldest", number(info.oldest)),
        (next_name, info.next.to_string()),
        ("segments", info.segments.to_string()),
        ("bytes", info.bytes.to_string()),
        ("live-bytes", info.live_bytes.to_string()),
        ("begun", if info.begun_ms == 0 { "unknown".to_owned() } else { Moment(info.begun_ms).to_string() }),
        ("token", info.token.map_or("none".to_owned(), |token| token.to_string())),
    ] {
        out.line(format_args!("{key} {value}"))?;
    }
    for (key, value) in more {
        out.line(format_args!("{key} {value}"))?;
    }
    for damage in &info.damage {
        out.line(format_args!("damage {}", failure::place(damage)))?;
    }
    Ok(outcome)
}

/// What the admin interface knows about a log, which must be of that kind.
pub(crate) fn look_at(place: &Place, log: &str, kind: Kind) -> anyhow::Result<LogInfo> {
    let storage = place.existing()?;
    let info = place.runtime.admin(storage.clone()).and_then(|admin| admin.info(log));
    let info = info.map_err(|error| place.told(&storage, "look at", log, error))?;
    match info.kind == kind {
        true => Ok(info),
        false => Err(place.told(&storage, "look at", log, Error::OtherKind(info.kind.to_string()))),
    }
}

/// Arguments of `destroy`.
#[derive(Args)]
pub(crate) struct Destroy {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Do it; without this, it only says what it would remove
    #[arg(long)]
    yes: bool,
}

/// The method of the runtime that removes a log of some kind.
type Remove = fn(&Runtime, Arc<dyn Storage>, &str) -> Result<(), Error>;

/// Removes a log of that kind, with `destroy`.
pub(crate) fn destroy(
    place: &Place,
    args: &Destroy,
    kind: Kind,
    destroy: Remove,
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    let log = &args.log;
    if !args.yes {
        let info = look_at(place, log, kind)?;
        let (items, bytes) = (Count(info.items, "item"), Bytes(info.bytes));
        bail!("this would remove log '{log}' with {items} ({bytes}) for good; add --yes to do it");
    }
    let storage = place.existing()?;
    let destroyed = destroy(&place.runtime, storage.clone(), log);
    destroyed.map_err(|error| place.told(&storage, "destroy", log, error))?;
    out.line(format_args!("destroyed {log}"))?;
    Ok(Outcome::Fine)
}

/// Gives `sink` each batch of a reader. Damage among them is named on the way and passed over. Ends early when nobody
/// reads any more.
///
/// # Errors
/// Those of the reader, except damage, and those of `sink`.
pub(crate) fn stream<B>(
    place: &Place,
    log: &str,
    batches: impl Iterator<Item = Result<B, Error>>,
    out: &mut Output,
    mut sink: impl FnMut(&B, &mut Output) -> anyhow::Result<Reader>,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Fine;
    for batch in batches {
        match batch {
            Ok(batch) if sink(&batch, out)? == Reader::Gone => break,
            Ok(_) => {}
            Err(Error::Damaged(damage)) => {
                out.note(format_args!("log '{log}' is damaged: {}", failure::place(&damage)));
                outcome = Outcome::Damage;
            }
            Err(error) => return Err(place.failed("read", log, error)),
        }
    }
    Ok(outcome)
}
