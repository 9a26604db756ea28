//! What an operator asks of any log, whatever its kind, without changing anything: the mirror of `wit/admin.wit`.
//!
//! The kind is found in the root cell; everything else is the record log's knowledge.

use crate::change_log;
use crate::error::{Damage, Error, Result, Token};
use crate::event_log;
use crate::format::frame::{FrameHeader, Place};
use crate::format::names::FileName;
use crate::format::root::{Kind, State};
use crate::journal;
use crate::raft_log;
use crate::record_log::verify::Verify;
use crate::record_log::{self, FrameList, RecordLog, Request, View, root_of};
use crate::snapshot;
use crate::storage::Host;
use crate::types::Limits;
use alloc::{boxed::Box, string::String, vec::Vec};

/// One log at a glance; `wit/admin.wit` says what each field means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LogInfo {
    pub name: String,
    pub kind: Kind,
    pub state: State,
    pub clean: bool,
    pub items: u64,
    pub oldest: Option<u64>,
    pub next: u64,
    pub begun_ms: u64,
    pub bytes: u64,
    pub live_bytes: u64,
    pub segments: u32,
    pub token: Option<Token>,
    pub damage: Vec<Damage>,
}

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SegmentInfo {
    pub file: String,
    pub sealed: bool,
    pub bytes: u64,
    pub live_bytes: u64,
    pub frames: u64,
    pub first: u64,
    pub next: u64,
}

/// One frame of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FrameInfo {
    pub offset: u64,
    pub number: u64,
    pub kind: &'static str,
    pub first: u64,
    pub count: u32,
    pub bytes: u32,
    pub promised: bool,
    pub live: bool,
}

/// How far a check has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes checked so far.
    pub checked: u64,
    /// Bytes in all.
    pub total: u64,
    /// Damage found by this call.
    pub damage: Vec<Damage>,
}

/// What is done for each kind of log, with its own view.
trait Visit<H: Host> {
    type Out;
    fn visit<V: View + 'static>(self, request: &Request<'_, V>) -> Result<Self::Out>;
}

/// Does it for this kind.
fn visit<H: Host, T: Visit<H>>(kind: Kind, visit: T) -> Result<T::Out> {
    match kind {
        Kind::Journal => visit.visit(&journal::look()),
        Kind::Snapshot => visit.visit(&snapshot::look()),
        Kind::EventLog => visit.visit(&event_log::look()),
        Kind::RaftLog => visit.visit(&raft_log::look()),
        other => Err(Error::OtherKind(other.name().into())),
    }
}

/// The kind of a log, and where it is in its life. A log whose root cell is lost or damaged is what a segment says it is.
fn kind_of<H: Host>(host: &H, name: &str) -> Result<(Kind, State)> {
    let mut root = root_of(host, name);
    if root == Ok(None) {
        if !record_log::has_files(host, name)? {
            return Err(Error::NotFound);
        }
        // A log that was made meanwhile had its cell before its files.
        root = root_of(host, name);
    }
    match root {
        Ok(Some(root)) => Ok((root.kind, root.state)),
        Ok(None) | Err(Error::Damaged(_) | Error::Storage(_)) => {
            Ok((record_log::kind_in_files(host, name).unwrap_or(Kind::Journal), State::Live))
        }
        Err(error) => Err(error),
    }
}

struct Info<'a, H> {
    host: &'a H,
    name: &'a str,
}

impl<H: Host> Visit<H> for Info<'_, H> {
    type Out = LogInfo;

    fn visit<V: View + 'static>(self, request: &Request<'_, V>) -> Result<LogInfo> {
        let mut log = RecordLog::<H, V>::open(self.host.clone(), self.name, request)?;
        let facts = log.segment_facts()?;
        let (mut items, mut oldest) = (log.view().live(), log.view().oldest());
        if !log.view().counts() {
            let (start, end) = (log.view().boundary(), log.view().next());
            // In a damaged log that is at least how many there may be.
            items = log.count_between(start, end).unwrap_or(items);
            oldest = log.first_from(start, end).unwrap_or(oldest);
        }
        Ok(LogInfo {
            name: self.name.into(),
            kind: V::KIND,
            state: State::Live,
            clean: log.was_clean() && log.damage().is_empty(),
            items,
            oldest,
            next: log.view().next(),
            begun_ms: log.begun_ms(),
            bytes: facts.iter().map(|f| f.bytes).fold(0, u64::saturating_add),
            live_bytes: facts.iter().map(|f| f.live_bytes).fold(0, u64::saturating_add),
            segments: facts.len() as u32,
            token: Some(log.token()),
            damage: log.damage().to_vec(),
        })
    }
}

/// One log.
pub fn info<H: Host>(host: &H, name: &str) -> Result<LogInfo> {
    let (kind, state) = kind_of(host, name)?;
    if state == State::Live && kind == Kind::ChangeLog {
        return change_log::info(host, name);
    }
    if state == State::Live {
        return visit(kind, Info { host, name });
    }
    Ok(LogInfo { state, ..blank(name, kind) })
}

fn blank(name: &str, kind: Kind) -> LogInfo {
    LogInfo {
        name: name.into(),
        kind,
        state: State::Live,
        clean: false,
        items: 0,
        oldest: None,
        next: 0,
        begun_ms: 0,
        bytes: 0,
        live_bytes: 0,
        segments: 0,
        token: None,
        damage: Vec::new(),
    }
}

/// Every log, by name. One that is too damaged to look at is listed with its damage.
pub fn list<H: Host>(host: &H) -> Result<Vec<LogInfo>> {
    let mut infos = Vec::new();
    for name in record_log::logs(host)? {
        match info(host, &name) {
            Ok(info) => infos.push(info),
            Err(Error::NotFound) => {} // destroyed since
            Err(Error::Damaged(damage)) => {
                let kind = kind_of(host, &name)?.0;
                infos.push(LogInfo { damage: alloc::vec![damage], ..blank(&name, kind) });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(infos)
}

struct Segments<'a, H> {
    host: &'a H,
    name: &'a str,
}

impl<H: Host> Visit<H> for Segments<'_, H> {
    type Out = Vec<SegmentInfo>;

    fn visit<V: View + 'static>(self, request: &Request<'_, V>) -> Result<Vec<SegmentInfo>> {
        let mut log = RecordLog::<H, V>::open(self.host.clone(), self.name, request)?;
        let facts = log.segment_facts()?.into_iter();
        Ok(facts
            .map(|f| SegmentInfo {
                file: f.file,
                sealed: f.sealed,
                bytes: f.bytes,
                live_bytes: f.live_bytes,
                frames: f.frames,
                first: f.first,
                next: f.next,
            })
            .collect())
    }
}

/// The files of a log, oldest first.
pub fn segments<H: Host>(host: &H, name: &str) -> Result<Vec<SegmentInfo>> {
    match kind_of(host, name)?.0 {
        Kind::ChangeLog => change_log::segments(host, name),
        kind => visit(kind, Segments { host, name }),
    }
}

/// A check of one log under way, whatever its kind.
pub(crate) trait Check {
    /// Checks about so many bytes more and returns damage; none when everything was checked.
    fn next(&mut self, bytes: u64) -> Result<Option<Vec<Damage>>>;
    /// Bytes checked, and all.
    fn progress(&self) -> (u64, u64);
}

impl<H: Host, V: View> Check for Verify<H, V> {
    fn next(&mut self, bytes: u64) -> Result<Option<Vec<Damage>>> {
        Verify::next(self, bytes)
    }

    fn progress(&self) -> (u64, u64) {
        (self.checked, self.total)
    }
}

/// A check under way.
pub struct Verifier(Box<dyn Check>);

impl Verifier {
    /// Checks about `limits.bytes` more; none when everything was checked.
    pub fn next(&mut self, limits: Limits) -> Result<Option<Progress>> {
        let found = self.0.next(u64::from(limits.bytes))?;
        let (checked, total) = self.0.progress();
        Ok(found.map(|damage| Progress { checked, total: total.max(checked), damage }))
    }
}

struct Verification<'a, H> {
    host: &'a H,
    name: &'a str,
}

impl<H: Host + 'static> Visit<H> for Verification<'_, H> {
    type Out = Verifier;

    fn visit<V: View + 'static>(self, request: &Request<'_, V>) -> Result<Verifier> {
        Ok(Verifier(Box::new(Verify::<H, V>::new(self.host, self.name, request)?)))
    }
}

/// Begins to check every byte of a log.
pub fn verify<H: Host + 'static>(host: &H, name: &str) -> Result<Verifier> {
    match kind_of(host, name)?.0 {
        Kind::ChangeLog => Ok(Verifier(Box::new(change_log::verification(host, name)?))),
        kind => visit(kind, Verification { host, name }),
    }
}

/// The frames of one file.
pub struct FrameReader<H: Host>(FrameList<H>);

impl<H: Host> FrameReader<H> {
    /// The next frames, at most `limits.count`; none at the end.
    pub fn next(&mut self, limits: Limits) -> Result<Option<Vec<FrameInfo>>> {
        let found = self.0.next(limits.count.max(1) as usize)?;
        let info = |(offset, header, promised, live): (u64, FrameHeader, bool, bool)| FrameInfo {
            offset,
            number: header.number,
            kind: header.kind.name(),
            first: header.first,
            count: header.count,
            bytes: header.len() as u32,
            promised,
            live,
        };
        Ok(if found.is_empty() { None } else { Some(found.into_iter().map(info).collect()) })
    }
}

/// Begins to list the frames of a file, by its name in the storage.
pub fn frames<H: Host>(host: &H, file: &str) -> Result<FrameReader<H>> {
    let Some(name) = FileName::parse(file) else {
        return Err(Error::InvalidArgument("file: not the name of a log's file".into()));
    };
    let place = Place { log: name.id, generation: name.generation, segment: name.segment };
    let live = match kind_of(host, &name.log)?.0 {
        Kind::ChangeLog => change_log::live_runs(host, &name),
        kind => visit::<H, _>(kind, Live { host, name: &name.log, segment: name.segment }),
    };
    // Frames of a log that cannot be opened are listed all the same.
    Ok(FrameReader(FrameList::open(host, file, place, live.unwrap_or_default())?))
}

struct Live<'a, H> {
    host: &'a H,
    name: &'a str,
    segment: u64,
}

impl<H: Host> Visit<H> for Live<'_, H> {
    type Out = Vec<(u64, u64, u64)>;

    fn visit<V: View + 'static>(self, request: &Request<'_, V>) -> Result<Self::Out> {
        RecordLog::<H, V>::open(self.host.clone(), self.name, request)?.live_runs(self.segment)
    }
}
