//! What a log holds, read in full, in a form that all five have in common.

use annals::{
    Error, Runtime, change_log, event_log, journal, raft_log, snapshot,
    storage::{Directory, Storage},
};
use std::{collections::BTreeMap, sync::Arc};

/// What is under a key, and whatever else the log says about itself; none: there is no such log.
pub(crate) type State = Option<BTreeMap<String, Vec<u8>>>;

/// Which of the five it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Journal,
    Events,
    Raft,
    Snapshot,
    Changes,
}

/// A key of something numbered, in the order of numbers.
pub(crate) fn key(number: u64) -> String {
    format!("{number:08}")
}

/// Opens a log in both ways, and says what it holds. Read-only first, so that it is the crash that is read; then for
/// writing, which repairs; both must show the same.
pub(crate) fn read(
    runtime: &Runtime,
    directory: &Arc<Directory>,
    kind: Kind,
    name: &str,
) -> Result<State, Error> {
    let before = opened(runtime, directory, kind, name, false)?;
    let after = opened(runtime, directory, kind, name, true)?;
    match before == after {
        true => Ok(after),
        false => Err(Error::Other(format!("another state read-only: {}", difference(&before, &after)))),
    }
}

fn opened(
    runtime: &Runtime,
    directory: &Arc<Directory>,
    kind: Kind,
    name: &str,
    writing: bool,
) -> Result<State, Error> {
    let found = match kind {
        Kind::Journal => of_journal(runtime, directory, name, writing),
        Kind::Events => of_events(runtime, directory, name, writing),
        Kind::Raft => of_raft(runtime, directory, name, writing),
        Kind::Snapshot => of_snapshot(runtime, directory, name, writing),
        Kind::Changes => of_changes(runtime, directory, name, writing),
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

type Found = Result<BTreeMap<String, Vec<u8>>, Error>;

fn of_journal(runtime: &Runtime, directory: &Arc<Directory>, name: &str, writing: bool) -> Found {
    use journal::Options;
    let options = if writing { Options::open() } else { Options::read_only() };
    let log = runtime.journal(directory.clone(), name, &options)?;
    let bounds = (log.boundary()?, log.size()?);
    let mut found = BTreeMap::from([("bounds".to_owned(), format!("{bounds:?}").into_bytes())]);
    for batch in log.replay(bounds.0)? {
        found.extend(batch?.iter().map(|(position, item)| (key(position), item.to_vec())));
    }
    Ok(found)
}

fn of_events(runtime: &Runtime, directory: &Arc<Directory>, name: &str, writing: bool) -> Found {
    use event_log::Options;
    let options = if writing { Options::open() } else { Options::read_only() };
    let log = runtime.event_log(directory.clone(), name, &options)?;
    let mut found = BTreeMap::from([("next".to_owned(), log.next_event_id()?.to_string().into_bytes())]);
    for batch in log.iterate(0, None)? {
        found.extend(batch?.iter().map(|(id, event)| (key(id), event.to_vec())));
    }
    Ok(found)
}

fn of_raft(runtime: &Runtime, directory: &Arc<Directory>, name: &str, writing: bool) -> Found {
    use raft_log::Options;
    let options = if writing { Options::open() } else { Options::read_only() };
    let log = runtime.raft_log(directory.clone(), name, &options)?;
    let about = (log.purge_boundary()?, log.last_index()?, log.load_hard_state()?);
    let mut found = BTreeMap::from([("about".to_owned(), format!("{about:?}").into_bytes())]);
    for batch in log.stream(0, u64::MAX) {
        for (id, payload) in batch?.iter() {
            found.insert(key(id.index), [&id.term.to_le_bytes(), payload].concat());
        }
    }
    Ok(found)
}

fn of_snapshot(runtime: &Runtime, directory: &Arc<Directory>, name: &str, writing: bool) -> Found {
    use snapshot::Options;
    let options = if writing { Options::open() } else { Options::read_only() };
    let log = runtime.snapshot(directory.clone(), name, &options)?;
    let mut found = BTreeMap::from([("cursor".to_owned(), log.cursor()?)]);
    for entry in log.entries(b"")? {
        let entry = entry?;
        found.insert(format!("key {}", String::from_utf8_lossy(&entry.key)), entry.value);
    }
    Ok(found)
}

/// Whoever opens the log for writing becomes an instance of its own and takes everything over.
fn of_changes(runtime: &Runtime, directory: &Arc<Directory>, name: &str, writing: bool) -> Found {
    use change_log::Options;
    let writer = Options::open().instance("checker").background_heartbeat(false);
    let options = if writing { writer } else { Options::read_only() };
    let log = runtime.change_log(directory.clone(), name, &options)?;
    if writing {
        for dead in log.recover(0)? {
            if let Some(damage) = dead.damaged {
                return Err(Error::Damaged(damage));
            }
        }
    }
    let mut found = BTreeMap::new();
    for outstanding in log.scan(true)? {
        let outstanding = outstanding?;
        let id = String::from_utf8_lossy(&outstanding.id).into_owned();
        found.insert(format!("{} {id}", outstanding.origin), outstanding.change.payload);
    }
    Ok(found)
}

/// Every file of the storage, cut down to what a person wants to see.
pub(crate) fn files(directory: &Directory) -> String {
    directory.list("", None, u32::MAX).unwrap_or_default().join(" ")
}

/// How the first differs from the second.
pub(crate) fn difference(found: &State, wanted: &State) -> String {
    let (Some(found), Some(wanted)) = (found, wanted) else {
        return format!("{} instead of {}", existence(found), existence(wanted));
    };
    let text = |bytes: Option<&Vec<u8>>| match bytes {
        None => "nothing".to_owned(),
        Some(bytes) => format!("'{}'", String::from_utf8_lossy(&bytes[..bytes.len().min(60)])),
    };
    let mut keys: Vec<&String> = found.keys().chain(wanted.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| found.get(*key) != wanted.get(*key));
    let first = keys.first().map(|key| {
        format!("first at '{key}': {} instead of {}", text(found.get(*key)), text(wanted.get(*key)))
    });
    format!("{} differ, {}", keys.len(), first.unwrap_or_default())
}

fn existence(state: &State) -> String {
    match state {
        None => "no log".to_owned(),
        Some(state) => format!("a log with {} things", state.len()),
    }
}
