//! The host's types as those of the library, so that one suite serves both.

use super::unexpected;
use annals::admin;
use annals_logs::error::{ArtifactFault, Bounds, Damage, Error, Limit, Token};
use annals_logs::format::root;
use annals_logs::types::{Batch, Items, Limits, Mode};
use annals_tests::subject::{FrameInfo, LogInfo, Options, SegmentInfo};

fn bounds(b: annals::Bounds) -> Bounds {
    Bounds { start: b.start, end: b.end }
}

pub fn token(t: annals::Token) -> Token {
    Token { log: t.log, frame: t.frame, check: t.check }
}

pub fn token_to_host(t: Token) -> annals::Token {
    annals::Token { log: t.log, frame: t.frame, check: t.check }
}

pub fn mode(mode: Mode) -> annals::Mode {
    match mode {
        Mode::Create => annals::Mode::Create,
        Mode::Open => annals::Mode::Open,
        Mode::OpenOrCreate => annals::Mode::OpenOrCreate,
        Mode::ReadOnly => annals::Mode::ReadOnly,
    }
}

pub fn damage(d: annals::Damage) -> Damage {
    Damage { file: d.file, offset: d.offset, lowest: d.lowest, next: d.next, what: d.what }
}

fn limit(limit: annals::error::Limit) -> Limit {
    use annals::error::Limit::*;
    match limit {
        ItemSize => Limit::ItemSize,
        BatchSize => Limit::BatchSize,
        BatchCount => Limit::BatchCount,
        KeySize => Limit::KeySize,
        VersionSize => Limit::VersionSize,
        CursorSize => Limit::CursorSize,
        Name => Limit::Name,
        Handles => Limit::Handles,
        BytesStored => Limit::BytesStored,
        other => unreachable!("{other:?}"),
    }
}

fn fault(fault: annals::error::ArtifactFault) -> ArtifactFault {
    use annals::error::ArtifactFault::*;
    match fault {
        Manifest => ArtifactFault::Manifest,
        SchemaVersion => ArtifactFault::SchemaVersion,
        Backend => ArtifactFault::Backend,
        BackendVersion => ArtifactFault::BackendVersion,
        Path => ArtifactFault::Path,
        UndeclaredFile => ArtifactFault::UndeclaredFile,
        MissingFile => ArtifactFault::MissingFile,
        NotAFile => ArtifactFault::NotAFile,
        Size => ArtifactFault::Size,
        Checksum => ArtifactFault::Checksum,
        Cursor => ArtifactFault::Cursor,
        other => unreachable!("{other:?}"),
    }
}

pub fn error(error: annals::Error) -> Error {
    use annals::Error::*;
    match error {
        NotFound => Error::NotFound,
        Exists => Error::Exists,
        Locked => Error::Locked,
        OtherKind(what) => Error::OtherKind(what),
        OptionsDiffer(what) => Error::OptionsDiffer(what),
        InvalidArgument(what) => Error::InvalidArgument(what),
        OutOfRange(b) => Error::OutOfRange(bounds(b)),
        Pruned(b) => Error::Pruned(bounds(b)),
        InvalidRewind(b) => Error::InvalidRewind(bounds(b)),
        Conflict(id) => Error::Conflict(id),
        Gap(b) => Error::Gap(bounds(b)),
        Deleted(b) => Error::Deleted(bounds(b)),
        TooLarge { what, allowed, got } => Error::TooLarge { what: limit(what), allowed, got },
        Fenced => Error::Fenced,
        Artifact(what) => Error::Artifact(fault(what)),
        ReadOnly => Error::ReadOnly,
        Damaged(d) => Error::Damaged(damage(d)),
        RolledBack(t) => Error::RolledBack(token(t)),
        UnknownFormat(version) => Error::UnknownFormat(version),
        OutOfSpace => Error::OutOfSpace,
        Storage(what) => Error::Storage(what),
        Closed => Error::Closed,
        Other(what) => Error::Other(what),
        other => unexpected(other),
    }
}

pub fn limits(l: Limits) -> annals::Limits {
    annals::Limits { count: l.count, bytes: l.bytes }
}

pub fn batch(b: annals::Batch) -> Batch {
    Batch { first: b.first, ends: b.ends().to_vec(), bytes: b.bytes().to_vec() }
}

pub fn items(i: annals::Items) -> Items {
    let mut items = Items::default();
    for (id, item) in i.iter() {
        items.ids.push(id);
        items.bytes.extend_from_slice(item);
        items.ends.push(items.bytes.len() as u32);
    }
    items
}

pub fn options(o: &Options) -> annals::journal::Options {
    annals::journal::Options {
        mode: mode(o.mode),
        start_at: o.start_at,
        expect: o.expect.map(token_to_host),
        items_per_section: o.items_per_section,
        segment_bytes: o.segment_bytes,
        compression: o.compression,
        sync_sections: o.sync_sections,
        write_buffer: o.write_buffer,
        lock_wait_ms: o.lock_wait_ms,
    }
}

fn kind(kind: admin::Kind) -> root::Kind {
    match kind {
        admin::Kind::Journal => root::Kind::Journal,
        admin::Kind::EventLog => root::Kind::EventLog,
        admin::Kind::RaftLog => root::Kind::RaftLog,
        admin::Kind::Snapshot => root::Kind::Snapshot,
        admin::Kind::ChangeLog => root::Kind::ChangeLog,
        other => unreachable!("{other:?}"),
    }
}

pub fn info(i: admin::LogInfo) -> LogInfo {
    LogInfo {
        name: i.name,
        kind: kind(i.kind),
        state: match i.state {
            admin::State::Creating => root::State::Creating,
            admin::State::Live => root::State::Live,
            admin::State::Destroying => root::State::Destroying,
        },
        clean: i.clean,
        items: i.items,
        oldest: i.oldest,
        next: i.next,
        begun_ms: i.begun_ms,
        bytes: i.bytes,
        live_bytes: i.live_bytes,
        segments: i.segments,
        token: i.token.map(token),
        damage: i.damage.into_iter().map(damage).collect(),
    }
}

pub fn segment(s: admin::SegmentInfo) -> SegmentInfo {
    SegmentInfo {
        file: s.file,
        sealed: s.sealed,
        bytes: s.bytes,
        live_bytes: s.live_bytes,
        frames: s.frames,
        first: s.first,
        next: s.next,
    }
}

pub fn frame(f: admin::FrameInfo) -> FrameInfo {
    const KINDS: [&str; 7] = ["header", "append", "put", "truncate", "meta", "footer", "seal"];
    FrameInfo {
        offset: f.offset,
        number: f.number,
        kind: KINDS.into_iter().find(|kind| *kind == f.kind).unwrap_or("unknown"),
        first: f.first,
        count: f.count,
        bytes: f.bytes,
        promised: f.promised,
        live: f.live,
    }
}
