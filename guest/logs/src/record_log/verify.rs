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
use crate::error::{Damage, Result};
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
        if !verify.log.is_gone() {
            verify.damage.extend(files.strays.iter().map(|file| stray(file)));
        }
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
        let mut damage: Vec<Damage> =
            log.damage.iter().filter(|d| d.file != log.file_name).cloned().collect();
        damage.extend(log.lost_fold());
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
        // The first call has a segment to look at, so that nothing found before is left.
        Ok(worked.then(|| core::mem::take(&mut self.damage)))
    }

    fn begin(&mut self, number: u64, again: bool) -> Result<()> {
        let name = self.log.segment_name(number);
        let file = match self.log.host.open(&name) {
            Ok(file) => file,
            Err(StorageError::NotFound) => {
                if !self.log.was_removed(number) {
                    self.damage.push(read::missing(&name));
                }
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
        let history = survey.history;
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

/// A file that is no part of the log whose name it bears.
pub(crate) fn stray(file: &str) -> Damage {
    Damage { what: "a file that does not belong to this log".into(), ..read::missing(file) }
}
