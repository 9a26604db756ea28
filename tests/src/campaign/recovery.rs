//! What must hold after a crash: the log opens, holds a state that the crash may leave, keeps it, and goes on.

use super::driver::LOG;
use super::history::History;
use super::op::item;
use crate::cases::{contents, same_contents};
use crate::model::Model;
use crate::sim::{Crash, SimDisk};
use crate::subject::{Factory, JournalSubject, Options, Subject, options};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;

/// Opens the log for writing; none if there is none.
pub(super) fn open(
    subject: &dyn Subject,
    expect: Option<Token>,
) -> Result<Option<Box<dyn JournalSubject>>, String> {
    match subject.open(LOG, &Options { expect, ..options(Mode::Open) }) {
        Ok(journal) => Ok(Some(journal)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(format!("opening is refused with {error:?}")),
    }
}

/// An open journal, if there is one, and what it holds.
type Recovered = (Option<Box<dyn JournalSubject>>, Option<Model>);

/// The same, and what it holds.
pub(super) fn recover(subject: &dyn Subject, expect: Option<Token>) -> Result<Recovered, String> {
    let journal = open(subject, expect)?;
    let model = journal.as_deref().map(contents).transpose()?;
    Ok((journal, model))
}

/// A token to expect: the newest one, or an older one, or none, by turns, but always the same for the same image.
pub(super) fn expected(image: &SimDisk, history: &History) -> Option<Token> {
    let tokens = history.tokens();
    match image.hash() % 4 {
        0 => None,
        1 => tokens.get((image.hash() / 4) as usize % tokens.len().max(1)).copied(),
        _ => tokens.last().copied(),
    }
}

/// Opens a log that a crash left and checks it against the history. Returns the number of calls that opening took.
///
/// `thorough` also checks that what was reported survives, that nothing but it comes back, and that the log goes on.
pub(super) fn check(
    image: &SimDisk,
    factory: Factory<'_>,
    history: &History,
    power: bool,
    thorough: bool,
) -> Result<u64, String> {
    if thorough {
        look(image, factory, history, power)?;
    }
    let expect = expected(image, history);
    let disk = image.fork();
    let subject = factory(disk.clone());
    let traced = |what: String| format!("{what}\n{}", disk.trace());
    let journal = open(&*subject, expect).map_err(traced)?;
    let calls = disk.calls();
    let found = journal.as_deref().map(contents).transpose().map_err(traced)?;
    history.check(power, found.as_ref()).map_err(traced)?;
    let Some(found) = found else {
        let anew = subject.open(LOG, &options(Mode::OpenOrCreate));
        let size = anew.and_then(|journal| journal.size());
        return if size == Ok(0) { Ok(calls) } else { Err(traced(format!("made anew it has {size:?}"))) };
    };
    // What a writing open reports counts as acknowledged.
    for crash in [Crash::LOSE_ALL, Crash::Process] {
        let again = factory(disk.fork().reboot(crash));
        let (_, kept) = recover(&*again, expect)?;
        same_state(kept.as_ref(), &found).map_err(|what| {
            traced(format!("opened again after {crash:?}: {what}\n{}", again.disk().trace()))
        })?;
        if !thorough {
            return Ok(calls);
        }
    }
    goes_on(&*subject, journal, found).map_err(traced)?;
    Ok(calls)
}

/// After a close there are no files but segments, and no bytes behind the frames.
fn tidy(subject: &dyn Subject) -> Result<(), String> {
    let segments = subject.segments(LOG).map_err(|error| format!("segments: {error:?}"))?;
    let listed: Vec<&str> = segments.iter().map(|segment| segment.file.as_str()).collect();
    let files = subject.disk().file_names();
    if files != listed {
        return Err(format!("after recovery and close there are {files:?}, of which it knows {listed:?}"));
    }
    for file in files {
        let frames = subject.frames(&file).map_err(|error| format!("frames: {error:?}"))?;
        let end = frames.last().map_or(0, |frame| frame.offset + u64::from(frame.bytes));
        let size = subject.disk().file_size(&file);
        if size != end {
            return Err(format!("after recovery and close {file} has {size} bytes, its frames {end}"));
        }
    }
    Ok(())
}

/// Looks at a log that a crash left without repairing it: a crash is no damage, what was promised is served, nothing is
/// changed.
fn look(image: &SimDisk, factory: Factory<'_>, history: &History, power: bool) -> Result<(), String> {
    let disk = image.fork();
    let (subject, before) = (factory(disk.clone()), disk.hash());
    let traced = |what: String| format!("looking only: {what}\n{}", disk.trace());
    match subject.open(LOG, &options(Mode::ReadOnly)) {
        Ok(journal) => {
            let found = contents(&*journal).map_err(traced)?;
            history.check(power, Some(&found)).map_err(traced)?;
        }
        Err(Error::NotFound) => history.check(power, None).map_err(traced)?,
        Err(error) => return Err(traced(format!("refused with {error:?}"))),
    }
    let (verified, info) = (subject.verify(LOG), subject.info(LOG).map(|info| info.damage));
    for answer in [verified, info] {
        if !matches!(&answer, Err(Error::NotFound)) && answer != Ok(vec![]) {
            return Err(traced(format!("a crash is taken for damage: {answer:?}")));
        }
    }
    if disk.hash() == before { Ok(()) } else { Err(traced("something was changed".into())) }
}

fn same_state(kept: Option<&Model>, found: &Model) -> Result<(), String> {
    match kept {
        Some(kept) => same_contents(kept, found),
        None => Err(format!("the log is gone; it held {found:?}")),
    }
}

/// Appends behind what was recovered, loses power, closes and verifies.
fn goes_on(
    subject: &dyn Subject,
    journal: Option<Box<dyn JournalSubject>>,
    mut model: Model,
) -> Result<(), String> {
    let journal = journal.ok_or("no journal")?;
    for (number, len) in [(900_001, 20), (900_002, 1500)] {
        let item = item(number, len);
        let answer = journal.append(&item);
        if answer != model.append(&item) {
            return Err(format!("append after recovery answered {answer:?}, wanted {model:?}"));
        }
    }
    let token = journal.sync_data().map_err(|error| format!("sync after recovery: {error:?}"))?;
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    let (_, kept) = recover(&*lost, Some(token))?;
    same_state(kept.as_ref(), &model)
        .map_err(|what| format!("appends after recovery, power lost: {what}"))?;
    journal.close().map_err(|error| format!("close after recovery: {error:?}"))?;
    drop(journal);
    let damage = subject.verify(LOG).map_err(|error| format!("verify: {error:?}"))?;
    if !damage.is_empty() {
        return Err(format!("verify finds damage after recovery and close: {damage:?}"));
    }
    tidy(subject)?;
    let (_, kept) = recover(subject, Some(token))?;
    same_state(kept.as_ref(), &model).map_err(|what| format!("closed and opened: {what}"))
}
