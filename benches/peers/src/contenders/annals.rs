//! Annals: the component through the host's handles, and the library inside it compiled natively over the same provider.
//!
//! One file for each kind of log, with both; all options are the defaults but those that say when to sync.

mod events;
mod journals;
mod raft;
mod snapshots;

use crate::{
    bench::Bench,
    contenders::Kind,
    kinds::{keyed::Keyed, numbered::Numbered},
    shared,
};
use annals::storage::Storage;
use anyhow::Result;
use std::sync::Arc;

/// The provider as the native library sees it.
type Host = shared::native::Native;

/// A journal of the library.
type NativeJournal = annals_logs::journal::Journal<Host>;

/// A log of the component.
struct Component<L>(L);

/// A log of the library.
struct Native<L>(L);

/// Size of a full file: that of raft-engine's. By default it is 16 MiB, so that little is read after a crash.
const SEGMENT: u64 = 128 << 20;

/// What one call of a stream of the library may return: what the host's handles ask for.
const STREAM: annals_logs::types::Limits = annals_logs::types::Limits { count: 1 << 16, bytes: 1 << 20 };

/// An error of the library, which has no text of its own.
fn failed(error: annals_logs::error::Error) -> anyhow::Error {
    anyhow::anyhow!("the native library: {error:?}")
}

fn host(bench: &Bench) -> Host {
    shared::native::Native(bench.place.storage.clone())
}

/// A journal. Sections are not synced by themselves: a row that wants a sync asks for it.
pub(super) fn journal(bench: &Bench, native: bool, kind: Kind, name: &str) -> Result<Box<dyn Numbered>> {
    let segment_bytes = Some(if kind == Kind::OneFile { 1 << 30 } else { SEGMENT });
    let storage = bench.place.storage(kind);
    if native {
        use annals_logs::journal::{Journal, Options};
        let options = Options { sync_sections: Some(false), segment_bytes, ..Options::default() };
        let host = shared::native::Native(storage);
        return Ok(Box::new(Native(Journal::open(host, name, &options).map_err(failed)?)));
    }
    let mut options = annals::journal::Options::new().sync_sections(false);
    options.segment_bytes = segment_bytes;
    Ok(Box::new(Component(bench.place.runtime.journal(storage, name, &options)?)))
}

/// A journal of the library in any provider, with nothing but defaults.
pub(crate) fn native_journal(storage: Arc<dyn Storage>, name: &str) -> Result<NativeJournal> {
    let options = annals_logs::journal::Options::default();
    annals_logs::journal::Journal::open(shared::native::Native(storage), name, &options).map_err(failed)
}

/// Closes such a one.
pub(crate) fn close_native(log: Box<dyn std::any::Any>) -> Result<()> {
    let mut log = log.downcast::<NativeJournal>().map_err(|_| anyhow::anyhow!("it is no journal"))?;
    log.close().map(drop).map_err(failed)
}

/// Checks every byte of a log with the library: how many that were, and how many stretches are damaged.
pub(crate) fn verify_native(storage: Arc<dyn Storage>, name: &str) -> Result<(u64, usize)> {
    let mut verifier = annals_logs::admin::verify(&shared::native::Native(storage), name).map_err(failed)?;
    let (mut checked, mut damage) = (0, 0);
    while let Some(step) = verifier.next(STREAM).map_err(failed)? {
        checked = step.checked;
        damage += step.damage.len();
    }
    Ok((checked, damage))
}

/// A Raft log, in which a sync is asked for by itself.
pub(super) fn raft(bench: &Bench, native: bool, name: &str) -> Result<Box<dyn Numbered>> {
    if native {
        use annals_logs::raft_log::{Options, RaftLog};
        let options = Options { sync_on_persist: false, segment_bytes: Some(SEGMENT), ..Options::default() };
        return Ok(Box::new(Native(RaftLog::open(host(bench), name, &options).map_err(failed)?)));
    }
    let options = annals::raft_log::Options::new().sync_on_persist(false).segment_bytes(SEGMENT);
    Ok(Box::new(Component(bench.place.runtime.raft_log(bench.place.storage.clone(), name, &options)?)))
}

/// An event log whose appends are handed to the operating system.
pub(super) fn events(bench: &Bench, native: bool, name: &str) -> Result<Box<dyn Numbered>> {
    if native {
        use annals_logs::event_log::{EventLog, Options, Policy};
        let options = Options { policy: Policy::Flushed, rotate_at: Some(SEGMENT), ..Options::default() };
        return Ok(Box::new(Native(EventLog::open(host(bench), name, &options).map_err(failed)?)));
    }
    let options =
        annals::event_log::Options::new().policy(annals::event_log::Policy::Flushed).rotate_at(SEGMENT);
    Ok(Box::new(Component(bench.place.runtime.event_log(bench.place.storage.clone(), name, &options)?)))
}

/// A snapshot in which a sync is asked for by itself.
pub(super) fn snapshot(bench: &Bench, native: bool, name: &str) -> Result<Box<dyn Keyed>> {
    if native {
        use annals_logs::snapshot::{Options, Snapshot};
        let options = Options { relaxed: true, segment_bytes: Some(SEGMENT), ..Options::default() };
        return Ok(Box::new(Native(Snapshot::open(host(bench), name, &options).map_err(failed)?)));
    }
    let options = annals::snapshot::Options::new().relaxed(true).segment_bytes(SEGMENT);
    Ok(Box::new(Component(bench.place.runtime.snapshot(bench.place.storage.clone(), name, &options)?)))
}
