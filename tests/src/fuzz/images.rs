//! Whole storages. A small log at rest is tampered with, as accidents do (then the oracle of the campaign of garbage says
//! what must hold, and a log that opens is the same when it is opened again), or forged, so that every check is right and
//! only what it says is nonsense (then nothing panics, loops or asks for absurd lengths).

use super::change_images;
use super::decoders;
use super::forge::{self, Frames};
use crate::campaign::Counts;
use crate::campaign::change_log::ChangeLog;
use crate::campaign::draw::Draw;
use crate::campaign::event::EventLog;
use crate::campaign::flips::LONGEST_READ;
use crate::campaign::garbage;
use crate::campaign::journal::Journal;
use crate::campaign::raft::Raft;
use crate::campaign::rest::{Rest, logs};
use crate::campaign::snapshot::Snapshot;
use crate::campaign::step::Step;
use crate::campaign::trial::{LOG, Opening, Trial};
use crate::native::native;
use crate::sim::{Crash, SimDisk};
use annals_logs::error::Class;
use annals_logs::format::frame::Kind;
use annals_logs::format::names;
use annals_logs::format::root::{self, Root, State};
use annals_logs::types::Mode;

/// Storage calls after which a run is taken for one that never ends.
pub(super) const MOST_CALLS: u64 = 100_000;
/// Most changes of one image.
const MOST_CHANGES: u64 = 6;

thread_local! {
    static JOURNALS: Vec<Rest<Journal>> = at_rest();
    static EVENTS: Vec<Rest<EventLog>> = at_rest();
    static RAFTS: Vec<Rest<Raft>> = at_rest();
    static SNAPSHOTS: Vec<Rest<Snapshot>> = at_rest();
    static CHANGES: Vec<Rest<ChangeLog>> = at_rest();
}

fn at_rest<T: Trial>() -> Vec<Rest<T>> {
    logs::<T>(&native, 1).unwrap_or_else(|what| panic!("{what}"))
}

/// Accidents.
pub fn run(draw: &mut Draw) {
    match draw.below(5) {
        0 => JOURNALS.with(|rests| damaged(draw, rests)),
        1 => EVENTS.with(|rests| damaged(draw, rests)),
        2 => RAFTS.with(|rests| damaged(draw, rests)),
        3 => SNAPSHOTS.with(|rests| damaged(draw, rests)),
        _ if draw.chance(50) => CHANGES.with(|rests| damaged(draw, rests)),
        _ => change_images::damaged(draw),
    }
}

/// Forgeries.
pub fn run_forged(draw: &mut Draw) {
    match draw.below(5) {
        0 => JOURNALS.with(|rests| forged(draw, rests)),
        1 => EVENTS.with(|rests| forged(draw, rests)),
        2 => RAFTS.with(|rests| forged(draw, rests)),
        3 => SNAPSHOTS.with(|rests| forged(draw, rests)),
        _ if draw.chance(50) => CHANGES.with(|rests| forged(draw, rests)),
        _ => change_images::forged(draw),
    }
}

fn pick<'a, T>(draw: &mut Draw, choices: &'a [T]) -> &'a T {
    &choices[draw.below(choices.len() as u64) as usize]
}

fn damaged<T: Trial>(draw: &mut Draw, rests: &[Rest<T>]) {
    let rest = pick(draw, rests);
    let disk = rest.disk.fork();
    let mut told = Vec::new();
    while told.len() < MOST_CHANGES as usize && (told.is_empty() || !draw.is_used_up()) {
        told.push(tamper(draw, &disk));
    }
    disk.limit_calls(MOST_CALLS);
    let outcome = garbage::check(rest, &native, disk.fork(), &mut Counts::default())
        .and_then(|()| again::<T>(&disk))
        .map_err(|what| format!("{}: {told:?}: {what}", rest.name));
    if let Err(what) = outcome {
        panic!("{what}");
    }
}

/// Changes bytes of a file, and says which.
pub(super) fn tamper(draw: &mut Draw, disk: &SimDisk) -> String {
    let files = disk.file_names();
    let Some(file) = files.get(draw.below(files.len() as u64) as usize) else { return "no file".into() };
    let size = disk.file_size(file);
    let offset = draw.below(size);
    let len = 1 + [draw.below(8), draw.below(600), draw.below(5000)][draw.below(3) as usize];
    let kind = draw.below(7);
    match kind {
        0 if size > 0 => disk.flip_bit(file, offset * 8 + draw.below(8)),
        1 => {
            let bytes = draw.bytes(len.min(16) as usize);
            disk.overwrite(file, offset, &bytes);
        }
        2 => disk.overwrite(file, offset, &vec![0; len.min(size - offset) as usize]),
        3 => disk.cut_file(file, offset),
        4 => {
            let bytes = draw.bytes(len as usize);
            disk.overwrite(file, size, &bytes);
        }
        5 => {
            // From this file or another, at addresses where frames may start.
            let bytes = disk.file_bytes(pick::<String>(draw, &files));
            let from = draw.below(bytes.len() as u64) / 8 * 8;
            let end = (from + len).min(bytes.len() as u64);
            disk.overwrite(file, offset / 8 * 8, &bytes[from as usize..end as usize]);
        }
        _ => disk.zero_sector(file, offset),
    }
    format!("tampering {kind} with {len} bytes at {offset} of {file}")
}

/// A log that opens for writing holds the same when it is opened again, after any end of the process.
fn again<T: Trial>(disk: &SimDisk) -> Result<(), String> {
    let mut first = None;
    for crash in [Crash::Process, Crash::LOSE_ALL, Crash::KEEP_ALL] {
        let mut disk = disk.fork();
        disk.limit_calls(MOST_CALLS);
        for _ in 0..2 {
            let Ok(handle) = T::open(&*native(disk.clone()), &Opening::plain(Mode::Open)) else {
                return match first {
                    None => Ok(()),
                    Some(_) => Err(format!("refused when it is opened again ({crash:?})")),
                };
            };
            let held = format!("{:?}", T::read(&handle)?);
            disk = disk.reboot(crash);
            drop(handle);
            if *first.get_or_insert_with(|| held.clone()) != held {
                return Err(format!("opened again ({crash:?}) it holds {held}, not {first:?}"));
            }
        }
    }
    Ok(())
}

fn forged<T: Trial>(draw: &mut Draw, rests: &[Rest<T>]) {
    let rest = pick(draw, rests);
    let disk = rest.disk.fork();
    forge_all(draw, &disk);
    disk.limit_calls(MOST_CALLS);
    look(&disk, &[LOG]);
    let filled = rest.states.last();
    for mode in [Mode::ReadOnly, Mode::Open] {
        let (copy, before) = (disk.fork(), disk.hash());
        copy.limit_calls(MOST_CALLS);
        let subject = native(copy.clone());
        match (T::open(&*subject, &Opening::plain(mode)), filled) {
            (Ok(mut handle), Some(model)) => {
                for _ in 0..6 {
                    if let Step::Do(op) = T::draw_step(draw, model, &handle) {
                        T::poke(&*subject, &mut handle, model, &op);
                    }
                }
                let _ = T::close(&mut handle);
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                assert!(
                    error.class() != Class::Damage || copy.hash() == before,
                    "refused with {error:?}, but changed"
                );
            }
        }
        assert!(copy.counters().longest_read <= LONGEST_READ);
    }
}

/// Asks everything that an operator may ask.
pub(super) fn look(disk: &SimDisk, logs: &[&str]) {
    let (before, subject) = (disk.hash(), native(disk.clone()));
    let _ = subject.list();
    for log in logs {
        let _ = (subject.verify(log), subject.info(log), subject.segments(log));
    }
    for file in disk.file_names() {
        let _ = subject.frames(&file);
    }
    assert!(disk.hash() == before, "looking changed something");
    assert!(disk.counters().longest_read <= LONGEST_READ);
}

/// Changes frames and the root cell, and writes them so that all checks are right.
pub(super) fn forge_all(draw: &mut Draw, disk: &SimDisk) {
    let renumber = draw.chance(70);
    let mut files = Frames::of(disk);
    if draw.chance(10) {
        forge_root(draw, disk);
    }
    if files.is_empty() {
        return;
    }
    let many = 1 + draw.below(MOST_CHANGES);
    for _ in 0..many {
        let at = draw.below(files.len() as u64) as usize;
        forge_frame(draw, &mut files[at]);
    }
    files.iter().for_each(|file| file.write(disk, renumber));
}

fn forge_frame(draw: &mut Draw, file: &mut Frames) {
    let count = file.frames.len() as u64;
    let at = draw.below(count) as usize;
    let kind = if file.frames.is_empty() { 6 } else { draw.below(9) };
    match kind {
        0 | 1 => {
            let wanted = decoders::header(draw);
            let fields = &mut file.frames[at].0;
            match draw.below(12) {
                0 => fields.kind = wanted.kind,
                1 => fields.first = wanted.first,
                2 => fields.end = wanted.end,
                3 => {
                    (fields.first, fields.end) =
                        (wanted.first, wanted.first.saturating_add(u64::from(fields.count)))
                }
                4 => fields.before = wanted.before,
                5 => fields.low = wanted.low,
                6 => fields.promise = wanted.promise,
                7 => fields.number = wanted.number,
                8 => (fields.count, fields.listed) = (wanted.count, wanted.listed),
                9 => (fields.codec, fields.decoded) = (wanted.codec, wanted.decoded),
                10 => fields.epoch_start = wanted.epoch_start,
                _ => fields.epoch = wanted.epoch,
            }
        }
        2 | 3 => {
            // Bytes of the payload.
            let payload = &mut file.frames[at].1;
            let from = draw.below(payload.len() as u64 + 1) as usize;
            let len = draw.below(12) as usize;
            let bytes = draw.bytes(len);
            let end = if draw.chance(70) { (from + bytes.len()).min(payload.len()) } else { from };
            payload.splice(from..end, bytes);
        }
        4 => {
            let payload = &mut file.frames[at].1;
            payload.truncate(draw.below(payload.len() as u64 + 1) as usize);
        }
        5 => drop(file.frames.remove(at)),
        6 => {
            let fields = decoders::header(draw);
            let len = draw.below(200) as usize;
            file.frames.insert(at, (fields, draw.bytes(len)));
        }
        7 => {
            let copy = file.frames[at].clone();
            let to = draw.below(count + 1) as usize;
            file.frames.insert(to, copy);
        }
        _ => {
            // Another payload for a structure, from bytes.
            let frame = &mut file.frames[at];
            let len = draw.below(120) as usize;
            if matches!(frame.0.kind, Kind::Header | Kind::Meta | Kind::Footer | Kind::Seal) {
                frame.1 = draw.bytes(len);
            }
        }
    }
}

fn forge_root(draw: &mut Draw, disk: &SimDisk) {
    let name = names::root(LOG);
    let value = disk.cell_value(&name).unwrap_or_default();
    let Ok(root) = Root::decode(&name, &value) else { return };
    let forged = match draw.below(5) {
        0 => Root { state: draw.one_of(&[State::Creating, State::Live, State::Destroying]), ..root }
            .encode(&name),
        1 => Root { generation: draw.number(), ..root }.encode(&name),
        2 => {
            use root::Kind::*;
            Root { kind: draw.one_of(&[Journal, EventLog, RaftLog, Snapshot, ChangeLog]), ..root }
                .encode(&name)
        }
        3 => Root { id: u128::from(draw.number()), ..root }.encode(&name),
        _ => forge::cell(&name, &[&[1], &*draw.bytes(40)].concat()),
    };
    disk.put_cell(&name, &forged);
}
