//! Who does the work: Annals, plain files, and the peers. One file each; none knows of another.

mod annals;
mod azoth;
mod commitlog;
mod commonware;
mod d_engine;
mod fjall;
mod okaywal;
mod raft_engine;
mod raw;
mod redb;
mod slipstream;
mod sqlite;

use crate::{
    bench::Bench,
    kinds::{
        keyed::{ByNumber, Keyed},
        numbered::Numbered,
    },
    shared,
};
pub(crate) use annals::{close_native, native_journal, verify_native};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    Raw,
    Native,
    Component,
    Commonware,
    RaftEngine,
    OkayWal,
    CommitLog,
    Fjall,
    Redb,
    Sqlite,
    DEngine,
    Azoth,
    Slipstream,
}

impl Who {
    /// Everybody, in the order of tables and legends.
    pub(crate) const ALL: &[Who] = &[
        Who::Raw,
        Who::Native,
        Who::Component,
        Who::Commonware,
        Who::RaftEngine,
        Who::OkayWal,
        Who::CommitLog,
        Who::Fjall,
        Who::Redb,
        Who::Sqlite,
        Who::DEngine,
        Who::Azoth,
        Who::Slipstream,
    ];

    /// How it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Raw => "plain file",
            Who::Native => "native library",
            Who::Component => "component",
            Who::Commonware => "commonware-storage",
            Who::RaftEngine => "raft-engine",
            Who::OkayWal => "okaywal",
            Who::CommitLog => "commitlog",
            Who::Fjall => "fjall",
            Who::Redb => "redb",
            Who::Sqlite => "SQLite",
            Who::DEngine => "d-engine",
            Who::Azoth => "azoth-file-log",
            Who::Slipstream => "beyond-slipstream",
        }
    }

    /// Whether nothing it offers while it writes makes a write durable. Such a one takes no part in rows with a sync.
    pub(crate) fn never_syncs(self) -> bool {
        matches!(self, Who::CommitLog | Who::Slipstream)
    }
}

/// The packages whose versions a table has to name.
pub(crate) const PACKAGES: &[&str] = &[
    "commonware-storage",
    "raft-engine",
    "okaywal",
    "commitlog",
    "fjall",
    "redb",
    "rusqlite",
    "d-engine-server",
    "azoth-file-log",
    "beyond-slipstream",
    "wasmtime",
];

/// What a log is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Journal,
    /// A journal that has everything in its newest file.
    OneFile,
    /// A journal in memory.
    InMemory,
    Raft,
    Events,
    Snapshot,
}

/// An open log, and how long opening it took.
pub(crate) struct Opened {
    pub(crate) log: Box<dyn Numbered>,
    pub(crate) took: Duration,
}

/// Opens a log of items by number, which is made if there is none.
pub(crate) fn numbered(bench: &Bench, kind: Kind, who: Who, name: &str) -> Result<Opened> {
    let directory = bench.place.directory(who, name)?;
    let native = who == Who::Native;
    let start = Instant::now();
    let log: Box<dyn Numbered> = match (who, kind) {
        (Who::Native | Who::Component, Kind::Journal | Kind::OneFile | Kind::InMemory) => {
            annals::journal(bench, native, kind, name)?
        }
        (Who::Native | Who::Component, Kind::Raft) => annals::raft(bench, native, name)?,
        (Who::Native | Who::Component, Kind::Events) => annals::events(bench, native, name)?,
        (_, Kind::Snapshot) => bail!("its items have no numbers"),
        (Who::Raw, _) => Box::new(raw::Plain(shared::plain(&bench.place.storage, name)?)),
        (Who::Commonware, _) => {
            let (log, took) = commonware::Commonware::open(&directory, kind == Kind::OneFile)?;
            return Ok(Opened { log: Box::new(log), took });
        }
        (Who::RaftEngine, _) => Box::new(raft_engine::RaftEngine::open(&directory)?),
        (Who::OkayWal, _) => Box::new(okaywal::OkayWal::open(&directory)?),
        (Who::CommitLog, _) => Box::new(commitlog::Log::open(&directory)?),
        (Who::DEngine, _) => Box::new(d_engine::DEngine::open(&directory)?),
        (Who::Azoth, _) => Box::new(azoth::Azoth::open(&directory)?),
        (Who::Fjall | Who::Redb | Who::Sqlite | Who::Slipstream, _) => {
            Box::new(ByNumber(keyed(bench, who, name)?))
        }
    };
    Ok(Opened { log, took: start.elapsed() })
}

/// Opens a store of values by key, which is made if there is none.
pub(crate) fn keyed(bench: &Bench, who: Who, name: &str) -> Result<Box<dyn Keyed>> {
    let directory = bench.place.directory(who, name)?;
    Ok(match who {
        Who::Native | Who::Component => annals::snapshot(bench, who == Who::Native, name)?,
        Who::Fjall => Box::new(fjall::Fjall::open(&directory)?),
        Who::Redb => Box::new(redb::Redb::open(&directory)?),
        Who::Sqlite => Box::new(sqlite::Sqlite::open(&directory)?),
        Who::Slipstream => Box::new(slipstream::Slipstream::open(&directory)?),
        _ => bail!("it has no values by key"),
    })
}
