//! What is checked of one state: it opens, holds what it may hold, and keeps it; opening it once more changes nothing.

use super::explore::{Explorer, Image};
use super::failure::{Failure, Kind};
use super::known::Known;
use super::memo::mix;
use crate::campaign::recovery::{Check, open};
use crate::campaign::trial::{Opening, Trial};
use crate::sim::SimDisk;
use annals_logs::error::Token;
use annals_logs::types::Mode;
use std::sync::atomic::Ordering::Relaxed;

impl<T: Trial> Explorer<'_, T> {
    /// Recovers an image. If it is a first crash's, crashes again at each call of that. Returns what it held.
    pub(super) fn recover(&mut self, image: Image<'_, T>, first: bool) -> Result<u32, Failure> {
        let Image { disk, known, power, key } = image;
        let untouched = first.then(|| disk.fork());
        let expect = known.history.tokens().last().copied();
        let subject = (self.factory)(disk.clone());
        if first {
            disk.record();
        }
        let traced = |kind, what: String| Failure::new(kind, format!("{what}\n{}", disk.trace()));
        let handle = open::<T>(&*subject, expect).map_err(|what| traced(Kind::Unopenable, what))?;
        let moments = disk.take_moments();
        let opened = first.then(|| disk.fork());
        let found = handle.as_ref().map(|handle| T::contents(self.shape, handle)).transpose();
        let found = found.map_err(|what| traced(Kind::Wrong, what))?;
        let Some(id) = known.id(power, found.as_ref()) else {
            let older = known.is_older(power, found.as_ref());
            let kind = if older { Kind::Lost } else { Kind::Wrong };
            let what = known.history.check(power, found.as_ref()).err().unwrap_or_default();
            return Err(traced(kind, what));
        };
        drop(handle);
        drop(subject);
        let there = found.is_some();
        let reported = known.reported(found, id);
        if self.shared.ends.put(mix(disk.hash(), reported.acknowledged(true)), ()) {
            self.again(&disk, &reported, expect)
                .map_err(|failure| traced(failure.kind, format!("recovered, then {}", failure.what)))?;
        }
        let (Some(untouched), Some(opened)) = (untouched, opened) else { return Ok(id as u32) };
        if there {
            self.refused(&untouched)?;
        }
        self.thoroughly(&untouched, known, power, key)?;
        self.shared.tally.seconds.fetch_add(1, Relaxed);
        self.second = Some(power);
        let outcome = self
            .moments(&moments, known)
            .and_then(|()| self.crash(&opened, &reported).map_err(|failure| failure.at("right after it")))
            .map_err(|failure| failure.at("then in recovery"));
        self.second = None;
        outcome.map(|()| id as u32)
    }

    /// Opens what a recovery left once more, and closes it twice: it holds the same, and no byte changes.
    fn again(&self, end: &SimDisk, reported: &Known<T>, expect: Option<Token>) -> Result<(), Failure> {
        self.shared.tally.again.fetch_add(1, Relaxed);
        let disk = end.fork();
        let mut left = disk.hash();
        for (what, close) in [("opened again", false), ("closed", true), ("closed again", true)] {
            let subject = (self.factory)(disk.clone());
            let failure = |kind, why: String| Failure::new(kind, format!("{what}: {why}\n{}", disk.trace()));
            let handle = open::<T>(&*subject, expect).map_err(|why| failure(Kind::Unopenable, why))?;
            let found = handle.as_ref().map(|handle| T::contents(self.shape, handle)).transpose();
            let found = found.map_err(|why| failure(Kind::Wrong, why))?;
            reported.history.check(true, found.as_ref()).map_err(|why| failure(Kind::Lost, why))?;
            if let Some(mut handle) = handle
                && close
            {
                T::close(&mut handle).map_err(|error| failure(Kind::Wrong, format!("{error:?}")))?;
            }
            let before = std::mem::replace(&mut left, disk.hash());
            if T::STABLE && what != "closed" && left != before {
                return Err(failure(Kind::Wrong, "bytes change".into()));
            }
        }
        Ok(())
    }

    /// Opens that must be refused: that changes nothing.
    fn refused(&self, untouched: &SimDisk) -> Result<(), Failure> {
        let nowhere = Token { log: 1, frame: 1 << 40, check: 1 };
        let openings = [
            Opening { expect: Some(nowhere), ..Opening::plain(Mode::Open) },
            Opening { shape: Some(self.shape), ..Opening::plain(Mode::Create) },
        ];
        for opening in openings {
            let disk = untouched.fork();
            self.shared.tally.refused.fetch_add(1, Relaxed);
            let answer = T::open(&*(self.factory)(disk.clone()), &opening).map(drop);
            let (mode, expect) = (opening.mode, opening.expect);
            if answer.is_ok() {
                let what = format!("not refused: {mode:?}, {expect:?}");
                return Err(Failure::new(Kind::Wrong, format!("{what}\n{}", disk.trace())));
            }
            if disk.hash() != untouched.hash() {
                let what =
                    format!("refused with {answer:?}, but that changed something: {mode:?}, {expect:?}");
                return Err(Failure::new(Kind::Wrong, format!("{what}\n{}", disk.trace())));
            }
        }
        Ok(())
    }

    /// Of some it is also checked that looking does no harm, and that the log goes on.
    fn thoroughly(
        &self,
        untouched: &SimDisk,
        known: &Known<T>,
        power: bool,
        key: u64,
    ) -> Result<(), Failure> {
        if !(key >> 20).is_multiple_of(self.shared.plan.thorough) {
            return Ok(());
        }
        let (factory, shape, history) = (self.factory, self.shape, &known.history);
        let check = Check { factory, shape, history, power, thorough: true };
        check.run(untouched).map(drop).map_err(|what| Failure::new(Kind::Wrong, what))
    }
}
