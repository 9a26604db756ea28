//! The snapshot under trial. Its oddities: compactions, asked for and by threshold; ranges that show one state while
//! everything changes; values that stay on disk.

mod alphabet;
mod op;
mod scripts;
mod seen;

use super::draw::Draw;
use super::states::Scope;
use super::step::Step;
use super::trial::{Expected, LOG, Opening, Promise, Script, StepOf, Trial, Trouble, id_of};
use crate::model::snapshot::{Fold, Held, pack};
use crate::subject::snapshot::{Options, RangeSubject, SnapshotSubject, Update};
use crate::subject::{ALL, SEGMENT, Subject};
use annals_logs::error::{Error, Token};
use annals_logs::types::{Limits, Mode};
use op::{Answer, Change};

pub use op::Op;

/// The snapshot.
pub struct Snapshot;

/// How the snapshots of a run are opened.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Whether a batch is durable only after a sync.
    pub relaxed: bool,
    /// Whether values stay on disk.
    pub on_disk: bool,
    /// Dead bytes from which on it is compacted.
    pub compact_at: u64,
}

impl Shape {
    fn options(&self, mode: Mode) -> Options {
        Options {
            mode,
            segment_bytes: Some(SEGMENT),
            relaxed: self.relaxed,
            compact_at: Some(self.compact_at),
            values_on_disk: self.on_disk,
            ..Options::default()
        }
    }
}

/// A range under way and what it has yet to show.
struct Under {
    range: Box<dyn RangeSubject>,
    left: Vec<(Vec<u8>, Held)>,
}

/// An open snapshot, with ranges under way.
pub struct Handle {
    // Dropped in this order.
    ranges: Vec<Under>,
    snapshot: Box<dyn SnapshotSubject>,
}

/// Most ranges that are under way at a time.
const RANGES: usize = 4;

/// Everything that a snapshot holds.
fn contents(snapshot: &dyn SnapshotSubject) -> Result<Fold, String> {
    let failed = |error: Error| format!("{error:?}");
    let mut fold = Fold { cursor: snapshot.cursor().map_err(failed)?, ..Fold::default() };
    let range = snapshot.range(b"").map_err(failed)?;
    while let Some(entries) = range.next(ALL).map_err(failed)? {
        for (key, value, version) in entries.iter() {
            let last = fold.entries.last_key_value().map(|(last, _)| last.as_slice());
            if last.is_some_and(|last| last >= key) {
                return Err("keys do not ascend".into());
            }
            fold.entries.insert(key.into(), (value.into(), version.into()));
        }
    }
    if snapshot.has_entries().map_err(failed)? == fold.entries.is_empty() {
        return Err("has-entries does not agree with the range".into());
    }
    Ok(fold)
}

impl Handle {
    /// Reads on in the range that was begun first.
    fn read_on(&mut self, limits: Limits) -> Result<Answer, Trouble> {
        let Some(under) = self.ranges.first_mut() else { return Ok(Answer::Right) };
        let Some(entries) = under.range.next(limits)? else {
            if !under.left.is_empty() {
                return Err(Trouble::Wrong(format!("a range ends {} entries early", under.left.len())));
            }
            self.ranges.remove(0);
            return Ok(Answer::Right);
        };
        let found: Vec<(Vec<u8>, Held)> = (entries.iter())
            .map(|(key, value, version)| (key.to_vec(), (value.to_vec(), version.to_vec())))
            .collect();
        if found.is_empty() || !under.left.starts_with(&found) {
            let keys: Vec<_> =
                found.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
            return Err(Trouble::Wrong(format!("a range shows {keys:?}, which is not what there was")));
        }
        under.left.drain(..found.len());
        Ok(Answer::Right)
    }
}

impl Trial for Snapshot {
    type Shape = Shape;
    type Start = ();
    type Op = Op;
    type Model = Fold;
    type Answer = Answer;
    type Handle = Handle;
    type Seen = seen::Seen;

    const USUAL: Shape = Shape { relaxed: false, on_disk: false, compact_at: u64::MAX };

    fn draw_shape(draw: &mut Draw) -> Shape {
        let compact_at = draw.one_of(&[64 << 10, 64 << 10, u64::MAX]);
        Shape { relaxed: draw.chance(40), on_disk: draw.chance(50), compact_at }
    }

    fn draw_start(_: &mut Draw, _: Option<&Fold>) {}

    fn draw_step(draw: &mut Draw, _: &Fold, handle: &Handle) -> StepOf<Self> {
        op::draw(draw, handle.ranges.len())
    }

    fn scripts() -> Vec<Script<Self>> {
        scripts::all()
    }

    fn at_rest() -> Vec<Script<Self>> {
        scripts::at_rest()
    }

    fn scopes() -> Vec<Scope<Self>> {
        alphabet::scopes()
    }

    fn id(model: &Fold) -> u64 {
        id_of((&model.entries, &model.cursor))
    }

    fn goes_on(model: &Fold) -> Vec<Op> {
        let put = Change::put(b"goes-on", &[7; 1500], b"v");
        let gone = model.entries.keys().next().cloned().unwrap_or_default();
        vec![
            Op::Apply(vec![put.clone(), Change::Delete(gone, b"w".to_vec())], b"on".to_vec()),
            Op::Compact,
            Op::Apply(vec![put], b"and on".to_vec()),
            Op::Sync,
        ]
    }

    fn fills() -> Vec<Op> {
        (0..60u8)
            .map(|i| Op::Apply(vec![Change::put(&op::key(u64::from(i) % 20), &[i; 3000], &[i])], vec![i]))
            .collect()
    }

    fn opened(_: &Shape, (): &(), state: Option<&Fold>) -> Result<Fold, Error> {
        Ok(state.cloned().unwrap_or_default())
    }

    fn expect(shape: &Shape, model: &mut Fold, op: &Op) -> Expected<Answer> {
        let written = if shape.relaxed { Promise::HandedOver } else { Promise::Durable };
        match op {
            Op::Apply(changes, cursor) => {
                let updates: Vec<Update<'_>> = changes.iter().map(Change::update).collect();
                model.apply(&updates, cursor);
                Expected::new(Ok(Answer::Right), written)
            }
            Op::Compact | Op::Sync => Expected::new(Ok(Answer::Right), Promise::Durable),
            Op::Get(key) => Expected::only(Ok(Answer::Entry(model.entries.get(key).cloned()))),
            Op::Range(_) | Op::ReadOn(_) | Op::Export => Expected::only(Ok(Answer::Right)),
        }
    }

    fn open(subject: &dyn Subject, opening: &Opening<'_, Self>) -> Result<Handle, Error> {
        let plain = || Options { mode: opening.mode, compact_at: Some(u64::MAX), ..Options::default() };
        let options = opening.shape.map_or_else(plain, |shape| shape.options(opening.mode));
        let snapshot = subject.snapshots().open(LOG, &Options { expect: opening.expect, ..options })?;
        Ok(Handle { ranges: Vec::new(), snapshot })
    }

    fn perform(
        _: &dyn Subject,
        handle: &mut Handle,
        model: &Fold,
        op: &Op,
    ) -> Result<(Answer, Option<Token>), Trouble> {
        let snapshot = &*handle.snapshot;
        match op {
            Op::Apply(changes, cursor) => {
                let updates: Vec<Update<'_>> = changes.iter().map(Change::update).collect();
                // Both forms of a batch, by turns.
                let token = if changes.len().is_multiple_of(2) {
                    snapshot.apply(&updates, cursor)?
                } else {
                    let (kinds, ends, bytes) = pack(&updates);
                    snapshot.apply_packed(&kinds, &ends, &bytes, cursor)?
                };
                Ok((Answer::Right, token))
            }
            Op::Compact => Ok((Answer::Right, snapshot.compact().map(|()| None)?)),
            Op::Sync => Ok((Answer::Right, Some(snapshot.sync()?))),
            Op::Get(key) => {
                let found = snapshot.get(key)?;
                Ok((Answer::Entry(found.map(|entry| (entry.value, entry.version))), None))
            }
            Op::Range(prefix) => {
                let left = model.with_prefix(prefix).map(|(key, held)| (key.clone(), held.clone()));
                let under = Under { range: snapshot.range(prefix)?, left: left.collect() };
                handle.ranges.push(under);
                handle.ranges.truncate(RANGES);
                Ok((Answer::Right, None))
            }
            Op::ReadOn(limits) => Ok((handle.read_on(*limits)?, None)),
            Op::Export => {
                let export = snapshot.export()?;
                let mut bytes = 0;
                while let Some(chunk) = export.next(1000)? {
                    bytes += chunk.bytes.len();
                }
                let size =
                    |(key, (value, version)): (&Vec<u8>, &Held)| 12 + key.len() + value.len() + version.len();
                let wanted = model.cursor.len() + model.entries.iter().map(size).sum::<usize>();
                if bytes != wanted || export.manifest()?.cursor != model.cursor {
                    return Err(Trouble::Wrong(format!("an export of {bytes} bytes instead of {wanted}")));
                }
                Ok((Answer::Right, None))
            }
        }
    }

    fn close(handle: &mut Handle) -> Result<Option<Token>, Error> {
        handle.snapshot.close().map(Some)
    }

    fn destroy(subject: &dyn Subject) -> Result<(), Error> {
        subject.snapshots().destroy(LOG)
    }

    fn getters(handle: &Handle, model: &Fold) -> Result<(), String> {
        let snapshot = &handle.snapshot;
        let entries = snapshot.stats().map(|stats| stats.entries);
        let got = (snapshot.cursor(), snapshot.has_entries(), entries);
        let wanted =
            (Ok(model.cursor.clone()), Ok(!model.entries.is_empty()), Ok(model.entries.len() as u64));
        if got == wanted { Ok(()) } else { Err(format!("getters answer {got:?} instead of {wanted:?}")) }
    }

    fn is_open(handle: &Handle) -> Result<bool, Error> {
        match handle.snapshot.has_entries() {
            Ok(_) => Ok(true),
            Err(Error::Closed) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn contents(_: &Shape, handle: &Handle) -> Result<Fold, String> {
        contents(&*handle.snapshot)
    }

    fn read(handle: &Handle) -> Result<seen::Seen, String> {
        seen::read(&*handle.snapshot)
    }

    fn only_reads(op: &Op) -> bool {
        matches!(op, Op::Get(_) | Op::Range(_) | Op::ReadOn(_) | Op::Export)
    }

    fn claims_space_first(op: &Op) -> bool {
        matches!(op, Op::Apply(..) | Op::Compact)
    }
}
