//! Beside a writer: what a log without a lock says when the writer took away what it was about to read. All of these
//! were found by the campaign of that name.

use super::kit::*;
use super::{Case, case};
use crate::sim::{Crash, SimDisk};
use crate::subject::{JournalSubject, Subject};
use annals_logs::error::Error;

pub(super) const CASES: &[Case] = &[
    case!(verify_beside_a_prune_finds_no_damage, "D11.6"),
    case!(verify_beside_a_close_that_cuts_the_fill_ends_well, "D11.6"),
    case!(verify_beside_a_destruction_finds_no_damage, "D11.6"),
    case!(a_reader_whose_files_were_pruned_says_pruned, "D11.6", "H20"),
    case!(a_reader_whose_files_a_rewind_took_is_closed, "D11.6", "H20"),
    case!(a_reader_of_a_destroyed_log_says_not_found, "D11.6"),
];

/// Several segments, all durable.
fn several(subject: &dyn Subject) -> Result<Box<dyn JournalSubject>, String> {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    journal.sync().fine()?;
    Ok(journal)
}

/// A disk as it was and the same disk later.
struct Meanwhile {
    before: SimDisk,
    later: SimDisk,
}

fn meanwhile(subject: &dyn Subject, change: impl FnOnce() -> Outcome) -> Result<Meanwhile, String> {
    let before = subject.disk().fork();
    change()?;
    Ok(Meanwhile { before, later: subject.disk().fork() })
}

impl Meanwhile {
    /// Verifies, and at each call once the writer has done its work.
    fn verifies(&self, subject: &dyn Subject) -> Outcome {
        for call in 1..10_000 {
            let side = subject.on(self.before.fork());
            side.disk().plan_change(call, &self.later);
            match side.verify(LOG) {
                Ok(damage) if damage.is_empty() => {}
                Err(Error::NotFound) if self.later.cell_names().is_empty() => {}
                other => return Err(format!("at call {call}: {other:?}\n{}", side.disk().trace())),
            }
            if side.disk().calls() < call {
                return Ok(());
            }
        }
        Err("it never ends".into())
    }

    /// A reader that was opened before, and reads now.
    fn overtaken(&self, subject: &dyn Subject) -> Result<Box<dyn JournalSubject>, String> {
        let side = subject.on(self.before.fork());
        let reader = reopen_read_only(&*side)?;
        side.disk().plan_change(side.disk().calls() + 1, &self.later);
        Ok(reader)
    }
}

fn verify_beside_a_prune_finds_no_damage(subject: &dyn Subject) -> Outcome {
    let journal = several(subject)?;
    meanwhile(subject, || journal.prune(40).fine().map(|_| ()))?.verifies(subject)
}

/// Between asking for the size of a file and reading its end, the end was cut: fewer bytes came than were asked for.
fn verify_beside_a_close_that_cuts_the_fill_ends_well(subject: &dyn Subject) -> Outcome {
    let journal = several(subject)?;
    meanwhile(subject, || journal.close().fine().map(|_| ()))?.verifies(subject)
}

fn verify_beside_a_destruction_finds_no_damage(subject: &dyn Subject) -> Outcome {
    several(subject)?.close().fine()?;
    meanwhile(subject, || subject.destroy(LOG).fine())?.verifies(subject)?;
    // Made anew under the same name, it is another log, whose files are no strays of the first.
    let before = crash(subject, Crash::Process);
    several(&*before)?.close().fine()?;
    let anew = || -> Outcome {
        before.destroy(LOG).fine()?;
        append_batch(&*create(&*before)?, 0, 3)
    };
    meanwhile(&*before, anew)?.verifies(&*before)
}

fn a_reader_whose_files_were_pruned_says_pruned(subject: &dyn Subject) -> Outcome {
    let journal = several(subject)?;
    let reader = meanwhile(subject, || journal.prune(40).fine().map(|_| ()))?.overtaken(subject)?;
    for number in [0, 9, 20] {
        refused!(reader.read(number), Error::Pruned(bounds) if bounds.start == 40);
    }
    same_item(&reader.read(59).fine()?, &long_item(59, 4000))
}

/// Segments that hold nothing any more behind a rewind are removed. What became of the items below it only they told
/// the reader: it does not know, but it must not call it damage.
fn a_reader_whose_files_a_rewind_took_is_closed(subject: &dyn Subject) -> Outcome {
    let journal = several(subject)?;
    let files = subject.disk().file_names();
    let rewind = || -> Outcome {
        journal.rewind(3).fine()?;
        append_long(&*journal, 3, 40, 4000)
    };
    let meanwhile = meanwhile(subject, rewind)?;
    ensure!(files[1..].iter().any(|file| !subject.disk().file_names().contains(file)), "nothing was removed");
    let reader = meanwhile.overtaken(subject)?;
    for number in [0, 20, 40] {
        match reader.read(number) {
            Ok(item) => same_item(&item, &long_item(number, 4000))?,
            Err(Error::Closed) => {}
            Err(other) => return Err(format!("item {number}: {other:?}")),
        }
    }
    ensure!(matches!(reader.read(20), Err(Error::Closed)), "its file is gone, and it was read");
    Ok(())
}

fn a_reader_of_a_destroyed_log_says_not_found(subject: &dyn Subject) -> Outcome {
    several(subject)?.close().fine()?;
    let reader = meanwhile(subject, || subject.destroy(LOG).fine())?.overtaken(subject)?;
    refused!(reader.read(0), Error::NotFound);
    Ok(())
}
