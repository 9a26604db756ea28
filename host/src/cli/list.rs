//! `annals list`: all logs of a directory at a glance, without locks or changes.

use annals::admin::{LogInfo, State};
use clap::Args;
use serde_json::Value;

use super::{
    Outcome, Place, failure, json,
    output::{Output, table},
};

/// Arguments of `list`.
#[derive(Args)]
pub(crate) struct List {
    /// Print a JSON array with one object per log
    #[arg(long)]
    json: bool,
}

/// Runs `list`.
pub(crate) fn run(place: &Place, args: &List, out: &mut Output) -> anyhow::Result<Outcome> {
    let logs = place.admin()?.list();
    let logs = logs.map_err(|error| failure::told("list the logs", &place.dir, error))?;
    let outcome = match logs.iter().all(|info| info.damage.is_empty()) {
        true => Outcome::Fine,
        false => Outcome::Damage,
    };
    if args.json {
        out.line(logs.iter().map(json::log).collect::<Value>())?;
        return Ok(outcome);
    }
    if logs.is_empty() {
        out.line(format_args!("no logs in '{}'", place.dir.display()))?;
        return Ok(outcome);
    }
    let rows = logs.iter().map(|info| {
        let (items, next, bytes) = (info.items.to_string(), info.next.to_string(), info.bytes.to_string());
        [info.name.clone(), info.kind.to_string(), items, next, bytes, state(info).to_owned()]
    });
    let head = ["NAME", "KIND", "ITEMS", "NEXT", "BYTES", "STATE"];
    out.bytes(table(head, [false, false, true, true, true, false], rows).as_bytes())?;
    Ok(outcome)
}

/// The state of a log in one or two words.
pub(crate) fn state(info: &LogInfo) -> &'static str {
    match info.state {
        _ if !info.damage.is_empty() => "damaged",
        State::Creating => "creating",
        State::Destroying => "destroying",
        _ if info.clean => "closed cleanly",
        _ => "open, or not closed cleanly",
    }
}
