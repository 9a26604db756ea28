//! What the cases share: checks that say where they failed, items, and reading a whole journal.

use crate::model::{Item, Model, same_error, show};
use crate::sim::{Crash, SimDisk};
use crate::subject::{ALL, JournalSubject, Options, Subject, options};
use annals_logs::error::{Damage, Error, Token};
use annals_logs::types::{Limits, Mode, unpack};
use std::fmt::Debug;
use std::panic::Location;

/// How a case ended; the words say what was found instead.
pub(crate) type Outcome = Result<(), String>;

/// The log that most cases use.
pub(crate) const LOG: &str = "numbers";

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr) => { ensure!($condition, "it does not hold") };
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!("{}:{}: {}: {}", file!(), line!(), stringify!($condition), format!($($what)+)));
        }
    };
}

/// Fails the case unless the call is refused with an error of that pattern.
macro_rules! refused {
    ($call:expr, $pattern:pat $(if $guard:expr)?) => {
        match $call {
            Err($pattern) $(if $guard)? => {}
            other => {
                let got = other.map(|_| "success");
                return Err(format!("{}:{}: {}: wanted {}, got {got:?}",
                    file!(), line!(), stringify!($call), stringify!($pattern)));
            }
        }
    };
}

pub(crate) use {ensure, refused};

fn here(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

/// The value of a call that must succeed.
pub(crate) trait Fine<T> {
    fn fine(self) -> Result<T, String>;
}

impl<T> Fine<T> for Result<T, Error> {
    #[track_caller]
    fn fine(self) -> Result<T, String> {
        let location = Location::caller();
        self.map_err(|error| format!("{}: refused with {error:?}", here(location)))
    }
}

/// Fails the case unless both are equal.
#[track_caller]
pub(crate) fn same<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{}: got {got:?}, wanted {wanted:?}", here(Location::caller())))
}

/// Fails the case unless both are equal; items are shown short.
#[track_caller]
pub(crate) fn same_item(got: &[u8], wanted: &[u8]) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{}: got {}, wanted {}", here(Location::caller()), show(got), show(wanted)))
}

/// Fails the case unless both answers are equal, but for the words in errors.
#[track_caller]
pub(crate) fn same_answer<T: PartialEq + Debug>(got: Result<T, Error>, wanted: Result<T, Error>) -> Outcome {
    let equal = match (&got, &wanted) {
        (Ok(got), Ok(wanted)) => got == wanted,
        (Err(got), Err(wanted)) => same_error(got, wanted),
        _ => false,
    };
    if equal { Ok(()) } else { Err(format!("{}: got {got:?}, wanted {wanted:?}", here(Location::caller()))) }
}

/// Item number `number`: it names itself and can be found in a file.
pub(crate) fn item(number: u64) -> Vec<u8> {
    format!("item-{number:08}-of-the-test").into_bytes()
}

/// The same, at least `len` bytes long; what follows the name has no zeros.
pub(crate) fn long_item(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = item(number);
    let mut rng = crate::rng::SplitMix64::new(number);
    while bytes.len() < len {
        bytes.extend(rng.draw().to_le_bytes().map(|byte| byte | 1));
    }
    bytes
}

/// A new journal with small sections and segments.
pub(crate) fn create(subject: &dyn Subject) -> Result<Box<dyn JournalSubject>, String> {
    create_with(subject, options(Mode::Create))
}

/// A new journal with these options.
#[track_caller]
pub(crate) fn create_with(
    subject: &dyn Subject,
    options: Options,
) -> Result<Box<dyn JournalSubject>, String> {
    subject.open(LOG, &options).fine()
}

/// The journal that is there, for writing.
#[track_caller]
pub(crate) fn reopen(subject: &dyn Subject) -> Result<Box<dyn JournalSubject>, String> {
    subject.open(LOG, &options(Mode::Open)).fine()
}

/// The journal that is there, for reading.
#[track_caller]
pub(crate) fn reopen_read_only(subject: &dyn Subject) -> Result<Box<dyn JournalSubject>, String> {
    subject.open(LOG, &options(Mode::ReadOnly)).fine()
}

/// Opens it for writing if its history contains the token.
pub(crate) fn expecting(token: Token) -> Options {
    Options { expect: Some(token), ..options(Mode::Open) }
}

/// The subject after a crash.
pub(crate) fn crash(subject: &dyn Subject, crash: Crash) -> Box<dyn Subject> {
    subject.on(subject.disk().reboot(crash))
}

/// The subject on a copy of its disk.
pub(crate) fn fork(subject: &dyn Subject) -> Box<dyn Subject> {
    subject.on(subject.disk().fork())
}

/// Appends items `start..end`, one by one.
#[track_caller]
pub(crate) fn append(journal: &dyn JournalSubject, start: u64, end: u64) -> Outcome {
    (start..end).try_for_each(|number| journal.append(&item(number)).fine().map(|_| ()))
}

/// Appends items `start..end` as one batch.
#[track_caller]
pub(crate) fn append_batch(journal: &dyn JournalSubject, start: u64, end: u64) -> Outcome {
    batch_of(journal, (start..end).map(item))
}

/// Appends items `start..end` of `len` bytes as one batch each, so that segments fill.
#[track_caller]
pub(crate) fn append_long(journal: &dyn JournalSubject, start: u64, end: u64, len: usize) -> Outcome {
    (start..end).try_for_each(|number| batch_of(journal, [long_item(number, len)]))
}

#[track_caller]
fn batch_of(journal: &dyn JournalSubject, items: impl IntoIterator<Item = Vec<u8>>) -> Outcome {
    let items: Vec<Vec<u8>> = items.into_iter().collect();
    let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    journal.append_batch(&slices).fine().map(|_| ())
}

/// A model that holds items `start..end` at their positions.
pub(crate) fn holding(start: u64, end: u64) -> Model {
    Model::holding(10, start, (start..end).map(|number| Item::from(item(number))))
}

/// The same with long items.
pub(crate) fn holding_long(start: u64, end: u64, len: usize) -> Model {
    Model::holding(10, start, (start..end).map(|number| Item::from(long_item(number, len))))
}

/// Everything that a journal holds, read by replay and compared with its getters.
pub(crate) fn contents(journal: &dyn JournalSubject) -> Result<Model, String> {
    let (boundary, size) = (journal.boundary().fine()?, journal.size().fine()?);
    let reader = journal.replay(boundary).fine()?;
    let mut items: Vec<Item> = Vec::new();
    while let Some(batch) = reader.next(ALL).fine()? {
        same(batch.first, boundary + items.len() as u64)?;
        ensure!(!batch.ends.is_empty(), "an empty batch at {}", batch.first);
        items.extend(unpack(&batch.ends, &batch.bytes).map(Item::from));
    }
    let model = Model::holding(10, boundary, items);
    same(model.size(), size)?;
    same(journal.oldest().fine()?, model.oldest())?;
    Ok(model)
}

/// Fails the case unless the journal holds just that, whichever way it is read.
#[track_caller]
pub(crate) fn holds(journal: &dyn JournalSubject, model: &Model) -> Outcome {
    let at = here(Location::caller());
    holds_inner(journal, model).map_err(|what| format!("{at}: {what}"))
}

fn holds_inner(journal: &dyn JournalSubject, model: &Model) -> Outcome {
    same_contents(&contents(journal)?, model)?;
    let (start, end) = (model.boundary(), model.size());
    for position in [start, start + (end - start) / 2, end.saturating_sub(1), end, start.saturating_sub(1)] {
        let wanted = model.read(position).map(|item| item.to_vec());
        same_answer(journal.read(position), wanted)?;
    }
    let limits = Limits { count: 7, bytes: 1 << 20 };
    let mut position = start;
    while position < end {
        let batch = journal.read_range(position, limits).fine()?;
        model.check_batch(position, end, limits, &batch)?;
        position += batch.ends.len() as u64;
    }
    Ok(())
}

/// Fails unless both hold the same items at the same positions.
pub(crate) fn same_contents(got: &Model, wanted: &Model) -> Outcome {
    if (got.boundary(), got.size()) != (wanted.boundary(), wanted.size()) {
        return Err(format!("it holds {got:?}, not {wanted:?}"));
    }
    let mut positions = wanted.boundary()..;
    for (got, wanted) in got.items().zip(wanted.items()) {
        let position = positions.next().unwrap_or_default();
        if got != wanted {
            return Err(format!("position {position}: {} instead of {}", show(got), show(wanted)));
        }
    }
    Ok(())
}

/// The file and offset at which these bytes stand.
pub(crate) fn find(disk: &SimDisk, bytes: &[u8]) -> Result<(String, u64), String> {
    for (name, file) in disk.image().files {
        if let Some(offset) = file.windows(bytes.len()).position(|window| window == bytes) {
            return Ok((name, offset as u64));
        }
    }
    Err(format!("{} is in no file", show(bytes)))
}

/// Flips a bit in the middle of item `number`, and says where.
pub(crate) fn damage_item(disk: &SimDisk, number: u64) -> Result<(String, u64), String> {
    let (file, offset) = find(disk, &item(number))?;
    disk.flip_bit(&file, (offset + 7) * 8);
    Ok((file, offset + 7))
}

/// The damage of an answer.
pub(crate) fn damage<T>(answer: Result<T, Error>) -> Result<Damage, String> {
    match answer {
        Err(Error::Damaged(damage)) => Ok(damage),
        Err(other) => Err(format!("wanted damage, got {other:?}")),
        Ok(_) => Err("wanted damage, got success".into()),
    }
}
