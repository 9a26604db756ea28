//! `annals inspect`: what the files of a log hold, without locks or changes.
//!
//! The promise that is shown is the last frame that a later one promises to be durable. It is looked for from the newest
//! file backwards, and is mostly found there.

use annals::{
    Admin, Error,
    admin::{FrameInfo, LogInfo, SegmentInfo, State},
};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Outcome, Place,
    args::log_name,
    failure, json, list,
    output::{Output, Reader, table},
};

/// Show the files of a log: live and dead bytes, frames, positions, promises
///
/// Live bytes belong to frames with items that can be read. Dead bytes are all others: headers and footers, items that
/// were pruned or rewound, and space that is reserved ahead. A promise says which frame was durable when a later one was
/// written: should anything up to there be missing, the log is damaged. What follows it survived if it is there.
#[derive(Args)]
pub(crate) struct Inspect {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// List the frames of each file whose headers verify; 'annals verify' checks their items too
    #[arg(long)]
    frames: bool,
    /// Print one JSON object; with --frames, one per frame instead, each on a line of its own
    #[arg(long)]
    json: bool,
}

/// Runs `inspect`.
pub(crate) fn run(place: &Place, args: &Inspect, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    let admin = place.admin()?;
    let failed = |error| match place.existing() {
        Ok(storage) => place.told(&storage, "inspect", log, error),
        Err(error) => error,
    };
    let info = admin.info(log).map_err(failed)?;
    let segments = match info.state {
        State::Live => admin.segments(log).map_err(failed)?,
        _ => Vec::new(),
    };
    match (args.frames, args.json) {
        (true, true) => {
            frames_as_json(&admin, &segments, out, failed)?;
        }
        (false, true) => {
            let promise = promise(&admin, &segments).map_err(failed)?;
            out.line(json!({
                "log": json::log(&info),
                "promised": promise.map(|(file, frame)| json::frame(&file, &frame)),
                "segments": segments.iter().map(json::segment).collect::<Value>(),
            }))?;
        }
        (frames, false) => {
            let promise = promise(&admin, &segments).map_err(failed)?;
            summary(&info, promise, out)?;
            if !segments.is_empty() {
                out.line("")?;
                out.bytes(segment_table(&segments).as_bytes())?;
            }
            if frames {
                frame_tables(&admin, &segments, out, failed)?;
            }
        }
    }
    match info.damage.is_empty() {
        true => Ok(Outcome::Fine),
        false => Ok(Outcome::Damage),
    }
}

/// The log as a whole.
fn summary(info: &LogInfo, promise: Option<(String, FrameInfo)>, out: &mut Output) -> anyhow::Result<()> {
    let promise = promise.map_or("none".to_owned(), |(file, frame)| {
        let FrameInfo { number, kind, offset, .. } = frame;
        format!("frame {number} ({kind}) at {file} offset {offset}, and all before it")
    });
    for (key, value) in [
        ("name", info.name.clone()),
        ("kind", info.kind.to_string()),
        ("state", list::state(info).to_owned()),
        ("items", info.items.to_string()),
        ("bytes", info.bytes.to_string()),
        ("live-bytes", info.live_bytes.to_string()),
        ("dead-bytes", info.bytes.saturating_sub(info.live_bytes).to_string()),
        ("promised", promise),
        ("token", info.token.map_or("none".to_owned(), |token| token.to_string())),
    ] {
        out.line(format_args!("{key} {value}"))?;
    }
    for damage in &info.damage {
        out.line(format_args!("damage {}", failure::place(damage)))?;
    }
    Ok(())
}

fn segment_table(segments: &[SegmentInfo]) -> String {
    let head = ["FILE", "SEALED", "BYTES", "LIVE", "DEAD", "FRAMES", "FIRST", "NEXT"];
    let right = [false, false, true, true, true, true, true, true];
    let rows = segments.iter().map(|info| {
        let dead = info.bytes.saturating_sub(info.live_bytes);
        let [bytes, live, dead, frames, first, next] =
            [info.bytes, info.live_bytes, dead, info.frames, info.first, info.next].map(|n| n.to_string());
        [info.file.clone(), yes(info.sealed).to_owned(), bytes, live, dead, frames, first, next]
    });
    table(head, right, rows)
}

/// The last frame that a later one promises, and its file.
fn promise(admin: &Admin, segments: &[SegmentInfo]) -> Result<Option<(String, FrameInfo)>, Error> {
    for segment in segments.iter().rev() {
        let mut last = None;
        for frames in admin.frames(&segment.file)? {
            last = frames?.into_iter().rfind(|frame| frame.promised).or(last);
        }
        if let Some(frame) = last {
            return Ok(Some((segment.file.clone(), frame)));
        }
    }
    Ok(None)
}

/// The frames of each file, under its name. They come in steps, so columns have a width of their own.
fn frame_tables(
    admin: &Admin,
    segments: &[SegmentInfo],
    out: &mut Output,
    failed: impl Fn(Error) -> anyhow::Error,
) -> anyhow::Result<()> {
    let line = |cells: [&str; 8]| {
        let [offset, number, kind, first, count, bytes, promised, live] = cells;
        format!(
            "{offset:>12}  {number:>10}  {kind:8}  {first:>12}  {count:>8}  {bytes:>10}  {promised:8}  {live}\n"
        )
    };
    for SegmentInfo { file, .. } in segments {
        let head = line(["OFFSET", "NUMBER", "KIND", "FIRST", "COUNT", "BYTES", "PROMISED", "LIVE"]);
        let mut text = format!("\n{file}\n{head}");
        let mut end = 0;
        for frames in admin.frames(file).map_err(&failed)? {
            for frame in frames.map_err(&failed)? {
                let FrameInfo { offset, number, kind, first, count, bytes, promised, live } = frame;
                if offset > end {
                    text.push_str(&format!(
                        "{end:>12}  {} bytes without a frame that verifies\n",
                        offset - end
                    ));
                }
                end = offset + u64::from(bytes);
                let [offset, number, first] = [offset, number, first].map(|n| n.to_string());
                let [count, bytes] = [count, bytes].map(|n| n.to_string());
                let cells = [&offset, &number, &kind, &first, &count, &bytes, yes(promised), yes(live)];
                text.push_str(&line(cells));
            }
            if out.bytes(text.as_bytes())? == Reader::Gone {
                return Ok(());
            }
            text.clear();
        }
        out.bytes(text.as_bytes())?;
    }
    Ok(())
}

/// Every frame as a line of JSON.
fn frames_as_json(
    admin: &Admin,
    segments: &[SegmentInfo],
    out: &mut Output,
    failed: impl Fn(Error) -> anyhow::Error,
) -> anyhow::Result<()> {
    for SegmentInfo { file, .. } in segments {
        for frames in admin.frames(file).map_err(&failed)? {
            let frames = frames.map_err(&failed)?;
            let text: String = frames.iter().map(|frame| format!("{}\n", json::frame(file, frame))).collect();
            if out.bytes(text.as_bytes())? == Reader::Gone {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
