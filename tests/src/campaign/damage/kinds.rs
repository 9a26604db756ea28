//! The kinds of logs by name.

use super::{Form, Progress, Table, sweep};
use crate::campaign::{change_log, event, journal, raft, snapshot};
use crate::subject::Factory;

/// Names of all kinds of logs.
pub const KINDS: [&str; 5] = ["journal", "event-log", "raft-log", "snapshot", "change-log"];

/// Sweeps the logs of this kind; none if there is no such kind.
pub fn sweep_kind(
    kind: &str,
    factory: Factory<'_>,
    seed: u64,
    form: Form,
    progress: Progress<'_>,
) -> Option<Result<Table, String>> {
    let run = match kind {
        "journal" => sweep::<journal::Journal>,
        "event-log" => sweep::<event::EventLog>,
        "raft-log" => sweep::<raft::Raft>,
        "snapshot" => sweep::<snapshot::Snapshot>,
        "change-log" => sweep::<change_log::ChangeLog>,
        _ => return None,
    };
    Some(run(factory, seed, form, progress))
}
