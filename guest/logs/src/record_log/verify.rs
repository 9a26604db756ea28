//! Reading and checking every byte of a log, a piece at a time, without a lock.
//!
//! Each segment is surveyed on its own; where two follow each other, the chain must. What looks damaged is looked at
//! once more before it is reported, because a writer may be at work.

use super::history::History;
use super::open::Request;
use super::scan::Scanner;
use super::survey::{Step, Survey};
use super::window::{file_size, read_failed};
use super::{RecordLog, View, life, read};
use crate::error::{Damage, Error, Result};
use crate::format::frame::{Kind, Place};
use crate::storage::{Host, StorageError};
use alloc::{collections::VecDeque, string::String, vec::Vec};

/// A segment on its way.
struct Current<F, V> {
    number: u64,
    file: F,
    name: String,
    size: u64,
    survey: Survey<V>,
    again: bool,
}

/// A check under way.
pub(crate) struct Verify<H: Host, V: View> {
    log: RecordLog<H, V>,
    segments: VecDeque<u64>,
    current: Option<Current<H::File, V>>,
    /// The history at the end of the segment before, and whether all of that verified.
    before: Option<(History<V>, bool)>,
    damage: Vec<Damage>,
    pub(crate) checked: u64,
    pub(crate) total: u64,
}

impl<H: Host, V: View> Verify<H, V> {
    /// Begins to check a log.
    pub(crate) fn new(host: &H, name: &str, request: &Request<'_, V>) -> Result<Self> {
        let log = RecordLog::<H, V>::open(host.clone(), name, request)?;
        let files = life::Files::list(host, name, log.place.log, log.place.generation)?;
        let mut verify = Self::of(log)?;
        verify.damage.extend(files.strays.iter().map(|file| stray(file)));
        Ok(verify)
    }

    /// Begins to check an open log, whatever other files bear its name.
    pub(crate) fn of(log: RecordLog<H, V>) -> Result<Self> {
        let mut segments: VecDeque<u64> = log.older.iter().copied().collect();
        segments.push_back(log.place.segment);
        let mut total = 0;
        for number in &segments {
            if let Ok(file) = log.host.open(&log.segment_name(*number)) {
                total += file_size(&file, &log.name)?;
            }
        }
        // What the survey of the newest segment will find again is left to it.
        let damage: Vec<Damage> = log.damage.iter().filter(|d| d.file != log.file_name).cloned().collect();
        Ok(Verify { log, segments, current: None, before: None, damage, checked: 0, total })
    }

    /// Checks about `bytes` more. None when everything was checked.
    pub(crate) fn next(&mut self, bytes: u64) -> Result<Option<Vec<Damage>>> {
        let goal = self.checked.saturating_add(bytes.max(1));
        let mut worked = false;
        while self.checked < goal {
            if self.current.is_none() {
                let Some(number) = self.segments.pop_front() else { break };
                self.begin(number, false)?;
                worked = true;
                continue;
            }
            worked = true;
            self.step(goal)?;
        }
        if !worked && self.damage.is_empty() {
            return Ok(None);
        }
        Ok(Some(core::mem::take(&mut self.damage)))
    }

    fn begin(&mut self, number: u64, again: bool) -> Result<()> {
        let name = self.log.segment_name(number);
        let file = match self.log.host.open(&name) {
            Ok(file) => file,
            Err(StorageError::NotFound) => {
                self.damage.push(read::missing(&name));
                return Ok(());
            }
            Err(e) => return Err(read_failed(&name, e)),
        };
        let place = Place { segment: number, ..self.log.place };
        let sealed = number != self.log.place.segment;
        let after = if sealed { self.log.after(number)? } else { None };
        let mut scanner = Scanner::without_fill(&file, &name, place)?;
        let size = file_size(&file, &name)?;
        let before = self.before.as_ref().map(|(history, _)| history.clone());
        let survey = Survey::new(&mut scanner, before, sealed, after)?;
        self.checked += survey.offset;
        self.current = Some(Current { number, file, name, size, survey, again });
        Ok(())
    }

    fn step(&mut self, goal: u64) -> Result<()> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        let number = current.number;
        let place = Place { segment: number, ..self.log.place };
        let mut scanner = Scanner::without_fill(&current.file, &current.name, place)?;
        let start = current.survey.offset;
        let mut step = Step::More;
        while step == Step::More && self.checked + (current.survey.offset - start) < goal {
            step = current.survey.step(&mut scanner)?;
        }
        self.checked += current.survey.offset.saturating_sub(start);
        if step == Step::More {
            self.current = Some(current);
            return Ok(());
        }
        self.checked += current.size.saturating_sub(current.survey.offset);
        if !current.survey.damage.is_empty() && !current.again {
            self.checked = self.checked.saturating_sub(current.size);
            return self.begin(number, true);
        }
        self.finish(current);
        Ok(())
    }

    /// Checks what only a whole segment and its neighbour tell.
    fn finish(&mut self, current: Current<H::File, V>) {
        let Current { number, name, survey, .. } = current;
        let whole = survey.damage.is_empty();
        let size = self.log.next();
        self.damage.extend(survey.damage.into_iter().map(|damage| damage.within(size)));
        let Some(history) = survey.history else { return };
        let mut report = |offset, what: &str| {
            self.damage.push(Damage { offset, what: what.into(), ..read::missing(&name) });
        };
        if whole && number != self.log.place.segment && history.tip.kind != Kind::Footer {
            report(history.tip.last, "a segment before the newest does not end with a footer");
        }
        let joins = |before: &History<V>| {
            before.tip.place.segment + 1 != number || before.tip.number + 1 == history.index.first_number
        };
        if whole && self.before.as_ref().is_some_and(|(before, sound)| *sound && !joins(before)) {
            report(0, "a segment does not continue the one before");
        }
        self.before = Some((history, whole));
    }
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Sizes of the log's files and the bytes of those with items that can be read, segment by segment, oldest first.
    pub(crate) fn segment_facts(&mut self) -> Result<Vec<SegmentFacts>> {
        let mut facts = Vec::new();
        for number in self.older.clone() {
            let boundary = self.view().boundary();
            match self.sealed(number) {
                Ok(sealed) => {
                    let bytes = file_size(&sealed.file, &sealed.name)?;
                    facts.push(SegmentFacts::new(&sealed.name, true, bytes, &sealed.index, boundary));
                }
                Err(Error::Damaged(damage)) => {
                    facts.push(SegmentFacts { file: damage.file, sealed: true, ..SegmentFacts::default() });
                }
                Err(error) => return Err(error),
            }
        }
        let bytes = file_size(self.file()?, &self.file_name)?;
        let boundary = self.view().boundary();
        facts.push(SegmentFacts::new(&self.file_name, false, bytes, &self.history.index, boundary));
        // What a later segment superseded is not live in an earlier one.
        let mut floor = u64::MAX;
        for fact in facts.iter_mut().rev() {
            if fact.next > floor {
                fact.next = floor.max(fact.first);
            }
            if fact.first == fact.next {
                fact.live_bytes = 0;
            }
            floor = floor.min(fact.floor);
        }
        for (number, fact) in self.older.clone().into_iter().chain([self.place.segment]).zip(&mut facts) {
            fact.frames = self.count_frames(number)?;
        }
        Ok(facts)
    }

    fn count_frames(&mut self, number: u64) -> Result<u64> {
        let last = if number == self.place.segment {
            Some(self.history.tip.number)
        } else {
            self.after(number)?.map(|after| after.number.saturating_sub(1))
        };
        let first = if number == self.place.segment {
            self.history.index.first_number
        } else {
            match self.sealed(number) {
                Ok(sealed) => sealed.index.first_number,
                Err(_) => return Ok(0),
            }
        };
        Ok(last.map_or(0, |last| (last + 1).saturating_sub(first)))
    }

    /// Bytes in the log's files, and how many there are.
    pub(crate) fn space(&mut self) -> Result<(u64, u32)> {
        let mut bytes = file_size(self.file()?, &self.file_name)?;
        for number in &self.older {
            let name = self.segment_name(*number);
            bytes = bytes.saturating_add(match self.host.open(&name) {
                Ok(file) => file_size(&file, &name)?,
                Err(StorageError::NotFound) => 0, // given up since, or missing
                Err(error) => return Err(read_failed(&name, error)),
            });
        }
        Ok((bytes, self.older.len() as u32 + 1))
    }

    /// When the newest segment was begun, in Unix milliseconds.
    pub(crate) fn begun_ms(&self) -> u64 {
        self.history.header.begun_ms
    }
}

/// A file that is no part of the log whose name it bears.
pub(crate) fn stray(file: &str) -> Damage {
    Damage { what: "a file that does not belong to this log".into(), ..read::missing(file) }
}

/// What `admin` tells of a segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct SegmentFacts {
    pub(crate) file: String,
    pub(crate) sealed: bool,
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) frames: u64,
    pub(crate) first: u64,
    pub(crate) next: u64,
    floor: u64,
}

impl SegmentFacts {
    fn new(file: &str, sealed: bool, bytes: u64, index: &super::index::Index, boundary: u64) -> SegmentFacts {
        let live: Vec<_> = index.runs.iter().filter(|r| r.end() > boundary).collect();
        let first = live.first().map_or(0, |r| r.first.max(boundary));
        let next = live.last().map_or(first, |r| r.end());
        // From run to run; the last one to the end of the file.
        let live_bytes = (live.iter()).map(|r| index.limit(r).min(bytes).saturating_sub(r.offset)).sum();
        SegmentFacts {
            file: file.into(),
            sealed,
            bytes,
            live_bytes,
            frames: 0,
            first,
            next,
            floor: index.floor,
        }
    }
}
