//! What is known about logs as JSON: the same fields, in the same order, wherever a command takes `--json`.
//!
//! Names and units are those of the admin interface; tokens are text, as `--expect-token` takes them.

use annals::{
    Damage,
    admin::{FrameInfo, LogInfo, SegmentInfo},
};
use serde_json::{Value, json};

/// One log.
pub(crate) fn log(info: &LogInfo) -> Value {
    json!({
        "name": info.name,
        "kind": info.kind.to_string(),
        "state": info.state.to_string(),
        "clean": info.clean,
        "items": info.items,
        "oldest": info.oldest,
        "next": info.next,
        "segments": info.segments,
        "bytes": info.bytes,
        "live_bytes": info.live_bytes,
        "begun_ms": (info.begun_ms != 0).then_some(info.begun_ms),
        "token": info.token.map(|token| token.to_string()),
        "damage": damages(&info.damage),
    })
}

/// A value that is told as text: a number where it is one, null for none.
pub(crate) fn value(text: &str) -> Value {
    match text {
        "none" => Value::Null,
        text => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
    }
}

/// All damage, as an array.
pub(crate) fn damages(damages: &[Damage]) -> Value {
    damages.iter().map(damage).collect()
}

fn damage(damage: &Damage) -> Value {
    let Damage { file, offset, lowest, next, what } = damage;
    json!({ "file": file, "offset": offset, "lowest": lowest, "next": next, "what": what })
}

/// One file of a log.
pub(crate) fn segment(info: &SegmentInfo) -> Value {
    json!({
        "file": info.file,
        "sealed": info.sealed,
        "bytes": info.bytes,
        "live_bytes": info.live_bytes,
        "dead_bytes": info.bytes.saturating_sub(info.live_bytes),
        "frames": info.frames,
        "first": info.first,
        "next": info.next,
    })
}

/// One frame of the file `file`.
pub(crate) fn frame(file: &str, info: &FrameInfo) -> Value {
    json!({
        "file": file,
        "offset": info.offset,
        "number": info.number,
        "kind": info.kind,
        "first": info.first,
        "count": info.count,
        "bytes": info.bytes,
        "promised": info.promised,
        "live": info.live,
    })
}
