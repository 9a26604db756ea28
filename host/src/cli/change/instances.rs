//! `annals change instances`: who holds changes, and since when nothing was heard of him.

use annals::change_log::{InstanceInfo, Recovered};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::{
    Outcome, Place,
    args::log_name,
    failure,
    json::damages,
    output::{Moment, Output, table},
};

/// List the instances of a change log
///
/// A live instance is open, or its holder died; a closed one left changes, which wait for 'annals change recover'.
#[derive(Args)]
pub(crate) struct Instances {
    /// Name of the change log
    #[arg(value_parser = log_name)]
    log: String,
    /// Print a JSON array with one object per instance
    #[arg(long)]
    json: bool,
}

/// Runs `change instances`.
pub(crate) fn run(place: &Place, args: &Instances, out: &mut Output) -> anyhow::Result<Outcome> {
    let storage = place.existing()?;
    let instances = place.runtime.instances(storage.clone(), &args.log);
    let instances = instances.map_err(|error| place.told(&storage, "look at", &args.log, error))?;
    let outcome = match instances.iter().all(|info| info.damaged.is_none()) {
        true => Outcome::Fine,
        false => Outcome::Damage,
    };
    if args.json {
        out.line(instances.iter().map(object).collect::<Value>())?;
        return Ok(outcome);
    }
    if instances.is_empty() {
        out.line(format_args!("no instances of '{}'", args.log))?;
        return Ok(outcome);
    }
    let rows = instances.iter().map(|info| {
        let claimed = info.claimed_by.clone().unwrap_or_default();
        let (epoch, beat) = (info.epoch.to_string(), Moment(info.heartbeat_at_ms).to_string());
        [info.instance.clone(), epoch, info.state.to_string(), beat, info.heartbeat_ms.to_string(), claimed]
    });
    let head = ["INSTANCE", "EPOCH", "STATE", "LAST HEARTBEAT", "EVERY MS", "CLAIMED BY"];
    out.bytes(table(head, [false, true, false, false, true, false], rows).as_bytes())?;
    for info in &instances {
        if let Some(damage) = &info.damaged {
            out.line(format_args!("damaged {}: {}", info.instance, failure::place(damage)))?;
        }
    }
    Ok(outcome)
}

fn object(info: &InstanceInfo) -> Value {
    json!({
        "instance": info.instance,
        "epoch": info.epoch,
        "state": info.state.to_string(),
        "claimed_by": info.claimed_by,
        "heartbeat_at_ms": info.heartbeat_at_ms,
        "heartbeat_ms": info.heartbeat_ms,
        "damage": damages(info.damaged.as_slice()),
    })
}

/// What a recover found.
pub(super) fn recovered(recovered: &[Recovered]) -> Value {
    let object = |dead: &Recovered| {
        json!({
            "instance": dead.instance,
            "changes": dead.changes,
            "damage": damages(dead.damaged.as_slice()),
        })
    };
    recovered.iter().map(object).collect()
}
