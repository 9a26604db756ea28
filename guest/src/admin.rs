//! The exported interface `admin`.

use crate::{
    Component,
    bindings::exports::annals::log::{admin as wit, types},
    convert,
    host::WasmHost,
};
use alloc::{string::String, vec::Vec};
use annals_logs::{
    admin,
    error::Error,
    format::root::{Kind, State},
};
use core::cell::RefCell;

type Answer<T> = Result<T, types::Error>;

impl wit::Guest for Component {
    type Verifier = Verifier;
    type FrameReader = FrameReader;

    fn list() -> Answer<Vec<wit::LogInfo>> {
        admin::list(&WasmHost).map(|logs| logs.into_iter().map(log_info).collect()).map_err(convert::error)
    }

    fn info(name: String) -> Answer<wit::LogInfo> {
        admin::info(&WasmHost, &name).map(log_info).map_err(convert::error)
    }

    fn segments(name: String) -> Answer<Vec<wit::SegmentInfo>> {
        admin::segments(&WasmHost, &name)
            .map(|segments| segments.into_iter().map(segment_info).collect())
            .map_err(convert::error)
    }

    fn verify(name: String) -> Answer<wit::Verifier> {
        admin::verify(&WasmHost, &name)
            .map(|verifier| wit::Verifier::new(Verifier(RefCell::new(verifier))))
            .map_err(convert::error)
    }

    fn frames(file: String) -> Answer<wit::FrameReader> {
        admin::frames(&WasmHost, &file)
            .map(|frames| wit::FrameReader::new(FrameReader(RefCell::new(frames))))
            .map_err(convert::error)
    }
}

fn call<P, T>(part: &RefCell<P>, call: impl FnOnce(&mut P) -> Result<T, Error>) -> Answer<T> {
    part.try_borrow_mut()
        .map_err(|_| Error::Other("this is in use by another call".into()))
        .and_then(|mut part| call(&mut part))
        .map_err(convert::error)
}

pub(crate) struct Verifier(RefCell<admin::Verifier>);

impl wit::GuestVerifier for Verifier {
    fn next(&self, limits: types::Limits) -> Answer<Option<wit::Progress>> {
        call(&self.0, |verifier| verifier.next(convert::limits_from_wit(limits)))
            .map(|step| step.map(progress))
    }
}

pub(crate) struct FrameReader(RefCell<admin::FrameReader<WasmHost>>);

impl wit::GuestFrameReader for FrameReader {
    fn next(&self, limits: types::Limits) -> Answer<Option<Vec<wit::FrameInfo>>> {
        call(&self.0, |frames| frames.next(convert::limits_from_wit(limits)))
            .map(|frames| frames.map(|frames| frames.into_iter().map(frame_info).collect()))
    }
}

fn log_info(info: admin::LogInfo) -> wit::LogInfo {
    wit::LogInfo {
        name: info.name,
        kind: match info.kind {
            Kind::Journal => wit::Kind::Journal,
            Kind::EventLog => wit::Kind::EventLog,
            Kind::RaftLog => wit::Kind::RaftLog,
            Kind::Snapshot => wit::Kind::Snapshot,
            Kind::ChangeLog => wit::Kind::ChangeLog,
        },
        state: match info.state {
            State::Creating => wit::State::Creating,
            State::Live => wit::State::Live,
            State::Destroying => wit::State::Destroying,
        },
        clean: info.clean,
        items: info.items,
        oldest: info.oldest,
        next: info.next,
        begun_ms: info.begun_ms,
        bytes: info.bytes,
        live_bytes: info.live_bytes,
        segments: info.segments,
        token: info.token.map(convert::token),
        damage: info.damage.into_iter().map(convert::damage).collect(),
    }
}

fn segment_info(info: admin::SegmentInfo) -> wit::SegmentInfo {
    wit::SegmentInfo {
        file: info.file,
        sealed: info.sealed,
        bytes: info.bytes,
        live_bytes: info.live_bytes,
        frames: info.frames,
        first: info.first,
        next: info.next,
    }
}

fn frame_info(info: admin::FrameInfo) -> wit::FrameInfo {
    wit::FrameInfo {
        offset: info.offset,
        number: info.number,
        kind: info.kind.into(),
        first: info.first,
        count: info.count,
        bytes: info.bytes,
        promised: info.promised,
        live: info.live,
    }
}

fn progress(step: admin::Progress) -> wit::Progress {
    wit::Progress {
        checked: step.checked,
        total: step.total,
        damage: step.damage.into_iter().map(convert::damage).collect(),
    }
}
