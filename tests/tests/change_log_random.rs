//! Random calls of several instances of one change log, answered as the naive model answers them: whoever dies, is
//! fenced, comes back, and whatever is lost with the power.

use annals_logs::error::Error;
use annals_logs::types::Mode;
use annals_tests::change_log::model::{Id, Key, Model};
use annals_tests::change_log::{Change, ChangeLogSubject, Options, named};
use annals_tests::native::native;
use annals_tests::rng::SplitMix64;
use annals_tests::sim::{Crash, SimDisk};
use annals_tests::subject::{ALL, Subject};

const LOG: &str = "changes";
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const STALE: u64 = 60_000;
const HEARTBEAT: u64 = 30_000;

type Holder = Option<(Box<dyn ChangeLogSubject>, Id)>;

struct Run {
    subject: Box<dyn Subject>,
    model: Model,
    holders: [Holder; 4],
    rng: SplitMix64,
}

fn contents(log: &dyn ChangeLogSubject) -> Result<Vec<(Key, Change)>, Error> {
    let reader = log.scan(true)?;
    let mut found = Vec::new();
    while let Some(some) = reader.next(ALL)? {
        found.extend(some.into_iter().map(|o| ((o.origin, o.id), o.change)));
    }
    Ok(found)
}

impl Run {
    fn new(seed: u64) -> Run {
        let subject = native(SimDisk::new(seed));
        Run { subject, model: Model::default(), holders: Default::default(), rng: SplitMix64::new(seed) }
    }

    fn now(&self) -> u64 {
        self.subject.disk().now_ms()
    }

    fn change(&mut self) -> Change {
        let len = match self.rng.below(10) {
            0 => 0,
            1 => 20_000 + self.rng.below(20_000),
            _ => self.rng.below(300),
        };
        let payload = self.rng.bytes(len as usize);
        let cleanup_after_ms = self.rng.chance(30).then(|| self.rng.below(u64::MAX));
        Change { payload, cleanup_after_ms }
    }

    /// A key that is outstanding somewhere, or could be.
    fn key(&mut self, id: &Id) -> Key {
        let held = self.model.held(id);
        if self.rng.chance(70) && !held.is_empty() {
            return held[self.rng.below(held.len() as u64) as usize].0.clone();
        }
        let origin = NAMES[self.rng.below(4) as usize].to_string();
        (origin, vec![self.rng.below(6) as u8])
    }

    /// The handle holds what the model says, or is fenced if that says so.
    fn check(&mut self, at: usize) {
        let Some((log, id)) = &self.holders[at] else { return };
        let wanted = self.model.held(id);
        // Whoever has not noticed yet that it is fenced shows what it had.
        if self.model.is_there(id) {
            assert_eq!(contents(&**log).unwrap(), wanted);
        }
    }

    /// An answer against the model's: a fenced instance's handle is given up.
    fn answered<T: PartialEq + std::fmt::Debug>(
        &mut self,
        at: usize,
        got: Result<T, Error>,
        wanted: Option<T>,
    ) {
        match wanted {
            Some(wanted) => assert_eq!(got, Ok(wanted)),
            None => {
                assert_eq!(got, Err(Error::Fenced));
                self.holders[at] = None;
            }
        }
        self.check(at);
    }

    fn step(&mut self) {
        let at = self.rng.below(4) as usize;
        let now = self.now();
        let Some(id) = self.holders[at].as_ref().map(|(_, id)| id.clone()) else {
            let name = NAMES[at];
            let options = Options { heartbeat_ms: Some(HEARTBEAT as u32), ..named(Mode::OpenOrCreate, name) };
            let log = self.subject.open_change_log(LOG, &options).unwrap();
            let id = self.model.open(name, now);
            self.model.touch(&id, now, HEARTBEAT);
            self.holders[at] = Some((log, id));
            return self.check(at);
        };
        let op = self.rng.below(100);
        match op {
            0..40 => {
                let (id_bytes, change) = (vec![self.rng.below(6) as u8], self.change());
                let got = self.call(at, |log| log.record(&id_bytes, &change));
                self.model.touch(&id, now, HEARTBEAT);
                let wanted = self.model.record(&id, &id_bytes, &change).then_some(());
                self.answered(at, got, wanted);
            }
            40..60 => {
                let key = self.key(&id);
                let got = self.call(at, |log| log.remove(Some(&key.0), &key.1));
                self.model.touch(&id, now, HEARTBEAT);
                let wanted = self.model.remove(&id, &key);
                self.answered(at, got, wanted);
            }
            60..70 => {
                let got = self.call(at, |log| log.heartbeat());
                let wanted = self.model.beat(&id, now).then_some(());
                self.answered(at, got, wanted);
            }
            70..80 => {
                let stale_after = if self.rng.chance(20) { 0 } else { STALE };
                let got = self.call(at, |log| log.recover(stale_after));
                let got = got.map(|found| {
                    assert!(found.iter().all(|found| found.damaged.is_none()), "{found:?}");
                    found.into_iter().map(|found| found.instance).collect::<Vec<_>>()
                });
                self.model.touch(&id, now, HEARTBEAT);
                let wanted = self.model.recover(&id, now, stale_after);
                self.answered(at, got, wanted);
            }
            80..84 => {
                let got = self.call(at, |log| log.close().map(drop));
                let wanted = self.model.close(&id).then_some(());
                assert_eq!(got.ok(), wanted);
                self.holders[at] = None;
            }
            84..88 => self.holders[at] = None,
            88..97 => {
                let ms = if self.rng.chance(10) { self.rng.draw() } else { now + self.rng.below(STALE) };
                self.subject.disk().set_now_ms(ms);
            }
            _ => {
                self.holders = Default::default();
                let crash = match self.rng.below(3) {
                    0 => Crash::LOSE_ALL,
                    1 => Crash::KEEP_ALL,
                    _ => Crash::random(self.rng.draw()),
                };
                self.subject = self.subject.on(self.subject.disk().reboot(crash));
            }
        }
    }

    fn call<T>(
        &self,
        at: usize,
        call: impl FnOnce(&dyn ChangeLogSubject) -> Result<T, Error>,
    ) -> Result<T, Error> {
        call(&*self.holders[at].as_ref().unwrap().0)
    }

    /// Everybody that the model knows has a cell, and nobody else.
    fn end(&mut self) {
        let Ok(infos) = self.subject.change_log_instances(LOG) else { return };
        let found: Vec<Id> = infos.into_iter().map(|info| (info.instance, info.epoch)).collect();
        assert_eq!(found, self.model.instances());
        assert_eq!(self.subject.verify(LOG).unwrap(), vec![]);
    }
}

#[test]
fn random_calls_of_several_instances_are_answered_as_the_model_answers_them() {
    let seed = annals_tests::seed(20_261_120);
    println!("ANNALS_SEED={seed}");
    let runs = if std::env::var("ANNALS_FULL").is_ok() { 5000 } else { 150 };
    for number in 0..runs {
        let seed = SplitMix64::derive(seed, number);
        let mut run = Run::new(seed);
        for step in 0..200 {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.step()));
            assert!(outcome.is_ok(), "run {number}, step {step}\n{}", run.subject.disk().trace());
        }
        run.end();
    }
}

#[test]
fn who_would_hold_too_much_is_told_and_nothing_is_lost() {
    // 64 MiB of ids is the most: each of the two has more than half of that.
    let id = |number: u32| {
        let mut id = number.to_be_bytes().to_vec();
        id.resize(64 << 10, 7);
        id
    };
    let subject = native(SimDisk::new(1));
    let open = |name| {
        let options = Options { segment_bytes: Some(64 << 20), ..named(Mode::OpenOrCreate, name) };
        subject.open_change_log(LOG, &options).unwrap()
    };
    for name in ["a", "b"] {
        let log = open(name);
        for number in 0..600 {
            log.record(&id(number), &Change::default()).unwrap();
        }
    }
    let a = open("a");
    assert!(matches!(a.recover(0), Err(Error::TooLarge { .. })));
    for number in 0..300 {
        assert!(a.remove(None, &id(number)).unwrap());
    }
    let recovered = a.recover(0).unwrap();
    assert_eq!((recovered[0].instance.as_str(), recovered[0].changes), ("b", 600));
    assert_eq!(contents(&*a).unwrap().len(), 900);
}

/// Every operation, on whatever is there.
fn poke(subject: &dyn Subject, rng: &mut SplitMix64) {
    let mode = [Mode::OpenOrCreate, Mode::Open, Mode::ReadOnly, Mode::Create][rng.below(4) as usize];
    let _ = subject.info(LOG);
    let _ = subject.change_log_instances(LOG);
    if let Ok(log) = subject.open_change_log(LOG, &named(mode, NAMES[rng.below(4) as usize])) {
        for number in 0..rng.below(6) {
            let payload = rng.bytes(rng.clone().below(9000) as usize);
            let _ = log.record(&[number as u8], &Change { payload, cleanup_after_ms: None });
            let _ = log.recover(if rng.chance(50) { 0 } else { STALE });
            let _ = log.remove(Some(NAMES[rng.below(4) as usize]), &[rng.below(6) as u8]);
            let _ = contents(&*log);
            let _ = log.heartbeat();
            let _ = log.discard(NAMES[rng.below(4) as usize]);
        }
        if rng.chance(50) {
            let _ = log.close();
        }
    }
    let _ = subject.verify(LOG);
    let _ = subject.segments(LOG);
    for file in subject.disk().file_names() {
        let _ = subject.frames(&file);
    }
    if rng.chance(20) {
        let _ = subject.destroy_change_log(LOG);
    }
}

#[test]
fn no_hostile_answer_makes_a_change_log_panic_or_hang() {
    let seed = annals_tests::seed(7);
    println!("ANNALS_SEED={seed}");
    for number in 0..150 {
        let mut rng = SplitMix64::new(SplitMix64::derive(seed, number));
        let subject = native(SimDisk::new(number));
        for name in ["a", "b"] {
            let log = subject.open_change_log(LOG, &named(Mode::OpenOrCreate, name)).unwrap();
            for id in 0..8u8 {
                log.record(&[id], &Change { payload: vec![id; 9000], cleanup_after_ms: None }).unwrap();
            }
        }
        subject.disk().set_hostile(Some(rng.draw()));
        subject.disk().limit_calls(subject.disk().calls() + 200_000);
        for _ in 0..6 {
            poke(&*subject, &mut rng);
        }
    }
}

#[test]
fn no_garbage_makes_a_change_log_return_what_was_never_recorded() {
    let seed = annals_tests::seed(8);
    println!("ANNALS_SEED={seed}");
    let subject = native(SimDisk::new(seed));
    let payload = |id: u8| vec![id; 10 + 700 * id as usize];
    for name in ["a", "b"] {
        let log = subject.open_change_log(LOG, &named(Mode::OpenOrCreate, name)).unwrap();
        for id in 1..8u8 {
            log.record(&[id], &Change { payload: payload(id), cleanup_after_ms: None }).unwrap();
        }
        log.remove(None, &[3]).unwrap();
        log.close().unwrap();
    }
    for number in 0..600 {
        let mut rng = SplitMix64::new(SplitMix64::derive(seed, number));
        let side = subject.on(subject.disk().fork());
        let disk = side.disk();
        let files = disk.file_names();
        let file = &files[rng.below(files.len() as u64) as usize];
        let (size, cells) = (disk.file_size(file), disk.cell_names());
        let at = rng.below(size);
        match rng.below(6) {
            0 => disk.flip_bit(file, at * 8 + rng.below(8)),
            1 => disk.zero_sector(file, at),
            2 => disk.cut_file(file, at),
            3 => {
                let garbage = rng.bytes(1 + rng.clone().below(600) as usize);
                disk.overwrite(file, at, &garbage);
            }
            4 => disk.copy_file(&disk.clone(), file, &files[rng.below(files.len() as u64) as usize]),
            _ => {
                let cell = &cells[rng.below(cells.len() as u64) as usize];
                let bits = disk.cell_value(cell).unwrap().len() as u64 * 8;
                disk.flip_cell_bit(cell, rng.below(bits));
            }
        }
        let Ok(log) = side.open_change_log(LOG, &named(Mode::Open, "z")) else { continue };
        let Ok(recovered) = log.recover(0) else { continue };
        let reader = log.scan(true).unwrap();
        let mut found = Vec::new();
        while let Some(some) = reader.next(ALL).unwrap() {
            found.extend(some);
        }
        for name in ["a", "b"] {
            let one = recovered.iter().find(|one| one.instance == name).unwrap();
            let ids: Vec<u8> = found.iter().filter(|o| o.origin == name).map(|o| o.id[0]).collect();
            let whole = ids == [1, 2, 4, 5, 6, 7];
            assert!(
                whole || one.damaged.is_some(),
                "run {number}: {name} lost some of {ids:?} and nobody says so"
            );
        }
        assert!(found.iter().all(|o| o.change.payload == payload(o.id[0])), "run {number}");
    }
}
