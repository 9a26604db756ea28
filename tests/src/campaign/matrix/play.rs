//! One cell's run: a scenario with a fault at one call, what its caller sees, and what those find who open it afterwards.

use super::judge::{self, Judge, Judged, Verdict, judge};
use super::kinds::{Kind, Leaves, Part, Says, What};
use super::scenario::Scenario;
use super::tamper::{Patch, Sources, Tamper};
use crate::campaign::driver::{Doubt, Driver, Flow};
use crate::campaign::recovery::Check;
use crate::campaign::step::Step;
use crate::campaign::trial::{Opening, Trial};
use crate::rng::SplitMix64;
use crate::sim::{Crash, Fault, Lie, Point, SimDisk, Wrong};
use crate::subject::Factory;
use annals_logs::error::{Class, Error, Token};
use annals_logs::storage::StorageError;
use annals_logs::types::Mode;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Storage calls after which a run is taken for one that never ends.
const MOST_CALLS: u64 = 200_000;

/// How a run with a fault ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The first error that anybody was told.
    pub(super) error: Option<&'static str>,
    /// Whether without a token somebody found a log that is shorter than it should be.
    pub(super) shorter: bool,
    /// Whether a token was refused where without it the log was shorter.
    pub(super) by_token: bool,
    /// Whether nobody had a token that covers what is missing.
    pub(super) untold: bool,
}

/// A run of a scenario with a fault.
pub(super) struct Play<'a, T: Trial> {
    pub(super) factory: Factory<'a>,
    pub(super) scenario: &'a Scenario<T>,
    pub(super) kind: &'a Kind,
    pub(super) sticky: bool,
    pub(super) call: u64,
    pub(super) seed: u64,
}

/// What becomes of a run after a step.
enum Next {
    On,
    /// What is left is looked at.
    End,
    /// The log went on without what looked like the leftovers of a crash: nothing more can be said.
    Over,
}

/// What was armed.
struct Planned {
    /// Whether it happened.
    happened: Rc<Cell<bool>>,
    /// What is put on the disk before each call, if it stays.
    stuck: Rc<RefCell<Option<Vec<Patch>>>>,
}

impl<T: Trial> Play<'_, T> {
    /// Plays it. None: there was nothing to be wrong about at this call.
    pub(super) fn run(&self) -> Result<Option<Outcome>, String> {
        let disk = SimDisk::new(self.scenario.seed);
        disk.limit_calls(MOST_CALLS);
        let planned = self.plan(&disk);
        let played = self.play(&disk, &planned);
        disk.forget_steps();
        played.map_err(|what| format!("{what}\nthe run:\n{}", disk.trace()))
    }

    /// Whether what is stored may no longer be what was written, or say that it is not.
    fn tampers(&self) -> bool {
        self.kind.tampers() || T::marks_damage() && self.kind.damages()
    }

    /// Arms the fault. The cell says whether it happened.
    fn plan(&self, disk: &SimDisk) -> Planned {
        let happened = Rc::new(Cell::new(false));
        let stuck: Rc<RefCell<Option<Vec<Patch>>>> = Rc::default();
        let (call, sticky) = (self.call, self.sticky);
        match self.kind.what {
            What::Fails(part, says) => self.plan_failure(disk, part, says, &happened),
            What::Reverts => {
                self.plan_failure(disk, Part::Nothing, Says::Io, &happened);
                each_call(disk, call + 1, true, Rc::new(|disk: &SimDisk| disk.evict()));
            }
            What::Late => {
                let flag = happened.clone();
                let lose = move |disk: &SimDisk| {
                    for name in disk.file_names() {
                        flag.set(disk.fail_writeback(&name) || flag.get());
                    }
                };
                each_call(disk, call + 1, sticky, Rc::new(lose));
            }
            What::Lies(wrong) => disk.plan_lie(Some(Lie { wrong, call, sticky, seed: self.seed })),
            What::Clock(now) => {
                let flag = happened.clone();
                let jump = move |disk: &SimDisk| {
                    // What stays is a clock that jumps at each call, ahead and back.
                    let there = disk.now_ms() == now && sticky;
                    disk.set_now_ms(if there { 1_700_000_000_000 } else { now });
                    flag.set(true);
                };
                each_call(disk, call, sticky, Rc::new(jump));
            }
            What::Tampers(tamper) => {
                let older = Rc::new(RefCell::new(SimDisk::new(0)));
                let keep = older.clone();
                let early = call / 2 + 1;
                if early < call {
                    each_call(
                        disk,
                        early,
                        false,
                        Rc::new(move |disk: &SimDisk| {
                            keep.replace(disk.fork());
                        }),
                    );
                }
                let (flag, foreign, seed) = (happened.clone(), self.scenario.foreign.clone(), self.seed);
                let patches = stuck.clone();
                let tamper = move |disk: &SimDisk| {
                    let sources = Sources { older: &older.borrow(), foreign: &foreign };
                    let mut patches = patches.borrow_mut();
                    let draw = || tamper.patches(disk, &sources, &mut SplitMix64::new(seed));
                    let patches = patches.get_or_insert_with(draw);
                    let changed = patches.iter().filter(|patch| patch.apply(disk)).count() > 0;
                    flag.set(flag.get() || changed);
                };
                each_call(disk, call, sticky, Rc::new(tamper));
            }
        }
        Planned { happened, stuck }
    }

    fn plan_failure(&self, disk: &SimDisk, part: Part, says: Says, happened: &Rc<Cell<bool>>) {
        let point = match part {
            Part::Nothing => Point::Before,
            Part::Some => Point::Partway(self.seed),
            Part::All => Point::After,
        };
        let error = match says {
            Says::Io => StorageError::Io("injected".into()),
            Says::Full => StorageError::OutOfSpace,
            Says::Locked => StorageError::Locked,
        };
        let index = self.call as usize - 1;
        let own = self.scenario.calls[index].0;
        let kinds = if self.sticky { self.kind.at } else { &[own] };
        for kind in kinds {
            let fault = Fault { sticky: self.sticky, ..Fault::next(*kind) };
            disk.inject(fault.from(self.call).answering(error.clone()).when(point));
        }
        happened.set(true);
    }

    fn play(&self, disk: &SimDisk, planned: &Planned) -> Result<Option<Outcome>, String> {
        let mut driver = Driver::<T>::new((self.factory)(disk.clone()), self.scenario.script.shape);
        driver.tampered = self.tampers();
        let mut outcome = Outcome::default();
        let mut looked = false;
        for number in 0..self.scenario.script.steps.len() {
            let begun = self.scenario.until[number] >= self.call;
            if begun {
                driver.faulty = !driver.tampered;
                driver.excuses = self.excuses();
                driver.doubt = match self.kind.what {
                    What::Lies(_) | What::Tampers(_) => Some(Doubt::Damage),
                    What::Clock(_) | What::Fails(_, Says::Locked) => Some(Doubt::Clock),
                    _ => None,
                };
            }
            let next = self.step(&mut driver, number, begun.then_some(planned), &mut outcome)?;
            if self.kind.lies_about_sync() && disk.lies_told() > 0 && !looked {
                // Right after the lie, before an honest sync makes good for it.
                looked = true;
                let image = disk.fork().reboot(Crash::LOSE_ALL);
                self.look(&driver, &image, true, &mut outcome)
                    .map_err(|what| format!("power lost right after the lie, step {number}: {what}"))?;
            }
            match next {
                Next::On => {}
                Next::End => break,
                Next::Over => return Ok(Some(outcome)),
            }
        }
        driver.let_go();
        if !planned.happened.get() && disk.lies_told() == 0 || disk.calls() < self.call {
            return Ok(None);
        }
        if self.sticky && !driver.tampered {
            self.open_under_fault(&driver, &mut outcome)?;
        }
        disk.clear_faults();
        disk.plan_lie(None);
        disk.forget_steps();
        let evicted = disk.fork();
        evicted.evict();
        let lost = disk.fork().reboot(Crash::LOSE_ALL);
        // What reverts is lost as if by power.
        let reverts = self.kind.what == What::Reverts;
        let mut seen = Vec::new();
        for (image, power) in [(disk.fork(), reverts), (lost, true), (evicted, true)] {
            // The same bytes were looked at already, and more was asked of them.
            let hash = image.hash();
            if seen.contains(&hash) {
                continue;
            }
            seen.push(hash);
            self.look(&driver, &image, power, &mut outcome)
                .map_err(|what| format!("power lost or pages evicted: {power}; {what}"))?;
        }
        Ok(Some(outcome))
    }

    /// Which errors are right beyond those of a storage that fails.
    fn excuses(&self) -> fn(&Error) -> bool {
        match self.kind.what {
            What::Fails(_, Says::Locked) => |error| *error == Error::Locked,
            What::Fails(..) | What::Reverts | What::Late => |_| false,
            What::Clock(_) => |error| *error == Error::Fenced,
            What::Lies(_) | What::Tampers(_) => |error| {
                error.class() != Class::Caller || matches!(error, Error::NotFound | Error::OtherKind(_))
            },
        }
    }

    fn step(
        &self,
        driver: &mut Driver<T>,
        number: usize,
        begun: Option<&Planned>,
        outcome: &mut Outcome,
    ) -> Result<Next, String> {
        let step = &self.scenario.script.steps[number];
        let at = |what: String| format!("step {number}, {what}");
        let disk = driver.subject().disk().clone();
        let before = driver.history.now().cloned();
        let shape = &self.scenario.script.shape;
        // A log that finds a tail which looks torn goes on without it: at an opening, and where it is shared.
        let opens = matches!(step, Step::Open(_));
        let planned = begun.filter(|_| driver.tampered && (opens || T::is_shared(shape)));
        let images: Vec<SimDisk> = planned.map(|planned| self.images(&disk, planned)).unwrap_or_default();
        if opens {
            for image in &images {
                let judged = self.judged(driver, image, false).map_err(at)?;
                self.note(judged, outcome).map_err(at)?;
                if judged.plain == Verdict::Shorter {
                    return Ok(Next::Over);
                }
            }
        }
        let judged_fine = opens && !images.is_empty();
        let flow = match (driver.step(step), planned) {
            (Ok(flow), _) => flow,
            (Err(what), Some(_)) if !opens => {
                // A read that was misled to another place leaves nothing; of a cell that is put back, or gone, nobody can
                // tell.
                let cell = matches!(self.kind.what, What::Tampers(Tamper::StaleCell | Tamper::CellGone));
                if self.kind.what == What::Lies(Wrong::MisdirectedRead) || T::marks_damage() && cell {
                    outcome.untold = true;
                    return Ok(Next::Over);
                }
                let mut said = Vec::new();
                for image in images.iter().chain([&disk.fork()]) {
                    match self.judged(driver, image, false) {
                        // Or it is refused by now, and somebody had gone on before without what was not there.
                        Ok(judged)
                            if judged.plain == Verdict::Shorter
                                || T::is_shared(shape)
                                    && self.kind.leaves == Leaves::LikeACrash
                                    && judged.plain != Verdict::Right =>
                        {
                            self.note(judged, outcome).map_err(at)?;
                            return Ok(Next::Over);
                        }
                        judged => said.push(judged),
                    }
                }
                return Err(at(format!("{what}; {said:?}")));
            }
            (Err(what), Some(_)) if self.kind.what == What::Lies(Wrong::MisdirectedRead) => {
                outcome.untold = true;
                drop(what);
                return Ok(Next::Over);
            }
            // A drop that handed nothing over: what is there was looked at.
            (Err(_), _) if judged_fine => return Ok(Next::Over),
            (Err(what), _) => return Err(at(what)),
        };
        if flow == Flow::Done && opens && planned.is_some() {
            // It may have happened while it was opened.
            let judged = self.judged(driver, &disk.fork(), false).map_err(at)?;
            self.note(judged, outcome).map_err(at)?;
            if judged.plain == Verdict::Shorter {
                return Ok(Next::Over);
            }
        }
        let Flow::Failed(error) = flow else {
            return match driver.odd.take() {
                None => Ok(Next::On),
                Some(odd) if odd.starts_with("Fenced") || odd.starts_with("Locked") => {
                    outcome.error.get_or_insert(if odd.starts_with("F") { "fenced" } else { "locked" });
                    Ok(Next::End)
                }
                Some(odd) if T::marks_damage() && self.kind.damages() => {
                    // Something is missing: then somebody else has to be told.
                    let judged = self.judged(driver, &disk.fork(), false).map_err(at)?;
                    self.note(judged, outcome).map_err(at)?;
                    match judged.plain {
                        Verdict::Right if self.kind.leaves == Leaves::LikeACrash => {
                            outcome.untold = true;
                            Ok(Next::Over)
                        }
                        // Who is there and who was taken over: nothing that was recorded is missing.
                        Verdict::Right if odd.starts_with("Instances") || odd.starts_with("TakenOver") => {
                            Ok(Next::End)
                        }
                        Verdict::Right => Err(at(format!("it answers {odd}, and nobody is told"))),
                        Verdict::Typed(_) => Ok(Next::End),
                        Verdict::Shorter => Ok(Next::Over),
                    }
                }
                Some(_) => Ok(Next::End),
            };
        };
        outcome.error.get_or_insert(judge::name(&error));
        if matches!(step, Step::Do(op) if T::only_reads(op)) && error.class() == Class::Storage {
            // A failed read closes nothing: it goes on, unless somebody else's tail had to be repaired for it.
            let open = driver.handle().map(|handle| T::is_open(handle));
            return Ok(if matches!(open, Some(Ok(true))) { Next::On } else { Next::End });
        }
        if !driver.tampered && matches!(self.kind.what, What::Fails(..) | What::Late) && !self.sticky {
            disk.clear_faults();
            super::super::faults::still_right(driver, step, shape, &error, before.as_ref())
                .map_err(|what| at(format!("{step:?}, failed with {error:?}: {what}")))?;
        }
        Ok(Next::End)
    }

    /// Opens the log while its storage keeps failing: what is served is right.
    fn open_under_fault(&self, driver: &Driver<T>, outcome: &mut Outcome) -> Result<(), String> {
        let (shape, reverts) = (&self.scenario.script.shape, self.kind.what == What::Reverts);
        let opening =
            Opening { expect: driver.history.tokens().last().copied(), ..Opening::plain(Mode::Open) };
        match T::open(driver.subject(), &opening) {
            Ok(handle) => match T::contents(shape, &handle) {
                Ok(found) => driver.history.check(reverts, Some(&found)),
                Err(what) => {
                    outcome.error.get_or_insert(judge::named_in(&what).ok_or(what)?);
                    Ok(())
                }
            },
            Err(Error::NotFound) => driver.history.check(reverts, None),
            Err(error) => {
                outcome.error.get_or_insert(judge::name(&error));
                Ok(())
            }
        }
        .map_err(|what| format!("opened while the fault stays: {what}"))
    }

    /// Looks at what is left, as somebody does who opens it on a healthy machine.
    fn look(
        &self,
        driver: &Driver<T>,
        image: &SimDisk,
        power: bool,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        if self.tampers() {
            let judged = self.judged(driver, image, power)?;
            return self.note(judged, outcome);
        }
        let (factory, shape, history) = (self.factory, &self.scenario.script.shape, &driver.history);
        let thorough = !power || self.seed.is_multiple_of(3);
        Check::<T> { factory, shape, history, power, thorough }.run(image).map(|_| ())
    }

    /// The disk as it is, and as the next call finds it.
    fn images(&self, disk: &SimDisk, planned: &Planned) -> Vec<SimDisk> {
        let mut images = vec![disk.fork()];
        if self.sticky
            && let Some(patches) = &*planned.stuck.borrow()
        {
            let next = disk.fork();
            if patches.iter().filter(|patch| patch.apply(&next)).count() > 0 {
                images.push(next);
            }
        }
        images
    }

    fn judged(&self, driver: &Driver<T>, image: &SimDisk, power: bool) -> Result<Judged, String> {
        let (history, shape) = (&driver.history, &self.scenario.script.shape);
        let shared = T::is_shared(shape);
        // A handle that cannot know what others lost gives a token for what there is.
        let covers = |number: usize, token: &Token| {
            !shared || self.scenario.tokens.get(number).is_some_and(|frame| token.frame >= *frame)
        };
        let token = history.newest_token(covers);
        let goes_on = shared && self.kind.leaves == Leaves::LikeACrash;
        judge(&Judge { factory: self.factory, shape, history, token, power, goes_on }, image)
    }

    fn note(&self, judged: Judged, outcome: &mut Outcome) -> Result<(), String> {
        let shorter = |verdict| verdict == Verdict::Shorter;
        if self.kind.leaves != Leaves::LikeACrash
            && (shorter(judged.plain) || judged.token.is_some_and(shorter))
        {
            return Err(format!("it is shorter than it should be, and nobody says so: {judged:?}"));
        }
        for verdict in [judged.token, Some(judged.plain)].into_iter().flatten() {
            if let Verdict::Typed(name) = verdict {
                outcome.error.get_or_insert(name);
            }
        }
        if shorter(judged.plain) {
            outcome.shorter = true;
            outcome.by_token |= matches!(judged.token, Some(Verdict::Typed(_)));
            outcome.untold |= !matches!(judged.token, Some(Verdict::Typed(_)));
        }
        Ok(())
    }
}

/// Does this before a call, and before each one after it if it stays.
fn each_call(disk: &SimDisk, call: u64, stays: bool, run: Rc<dyn Fn(&SimDisk)>) {
    let own = disk.clone();
    disk.before_call(call, move || {
        run(&own);
        if stays {
            each_call(&own, 1, true, run);
        }
    });
}
