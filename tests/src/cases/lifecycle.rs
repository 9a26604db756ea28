//! From creation to destruction: closing, dropping, half-done steps, copies.

use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash, CrashPlan, Point, SimDisk};
use crate::subject::{ALL, JournalSubject, Options, Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(after_close_every_call_answers_closed, "H24", "H21"),
    case!(close_makes_everything_durable, "D6.1"),
    case!(close_cuts_the_unused_fill, "D6.2"),
    case!(a_closed_journal_opens_without_repairs, "D6.1"),
    case!(dropping_hands_over_but_does_not_sync, "H25"),
    case!(reopening_a_clean_journal_reads_little, "G12.1"),
    case!(destroying_leaves_nothing, "G15.3"),
    case!(destroying_what_is_not_there_is_not_found, "G15.4"),
    case!(a_destroyed_name_gets_a_new_log_id, "G15.6"),
    case!(a_crash_in_creation_is_finished_by_open, "G15.1"),
    case!(a_crash_in_destruction_is_finished_by_open, "G15.2"),
    case!(a_crash_in_destruction_is_finished_by_destroy, "G15.2"),
    case!(files_without_a_root_cell_are_damage, "G15.5"),
    case!(a_plain_copy_is_a_valid_log, "G18.1"),
    case!(a_copy_of_the_files_elsewhere_is_a_valid_log, "G18.1", "F2.3"),
    case!(a_storage_that_is_not_durable_works_the_same, "H13"),
    case!(opening_again_and_again_changes_nothing, "D9.2"),
];

fn after_close_every_call_answers_closed(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    let reader = journal.replay(0).fine()?;
    journal.close().fine()?;
    let before = subject.disk().hash();
    for _ in 0..2 {
        refused!(journal.append(b"x"), Error::Closed);
        refused!(journal.append_batch(&[b"x"]), Error::Closed);
        refused!(journal.append_packed(&[1], b"x"), Error::Closed);
        refused!(journal.read(0), Error::Closed);
        refused!(journal.read_many(&[0], 9), Error::Closed);
        refused!(journal.read_range(0, ALL), Error::Closed);
        refused!(journal.replay(0), Error::Closed);
        refused!(journal.size(), Error::Closed);
        refused!(journal.oldest(), Error::Closed);
        refused!(journal.boundary(), Error::Closed);
        refused!(journal.prune(1), Error::Closed);
        refused!(journal.rewind(1), Error::Closed);
        refused!(journal.flush(), Error::Closed);
        refused!(journal.sync_data(), Error::Closed);
        refused!(journal.sync(), Error::Closed);
        refused!(journal.begin_sync(), Error::Closed);
        refused!(journal.close(), Error::Closed);
        refused!(reader.next(ALL), Error::Closed);
    }
    same(subject.disk().hash(), before)?;
    holds(&*reopen(subject)?, &holding(0, 5))
}

fn close_makes_everything_durable(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 12)?;
    journal.rewind(9).fine()?;
    append(&*journal, 9, 14)?;
    journal.close().fine()?;
    ensure!(subject.disk().is_settled());
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 14))
}

fn close_cuts_the_unused_fill(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { mode: Mode::Create, ..Options::default() })?;
    append_batch(&*journal, 0, 10)?;
    journal.close().fine()?;
    let used = subject.disk().used();
    ensure!(used < 20_000, "{used} bytes for ten small items");
    Ok(())
}

fn a_closed_journal_opens_without_repairs(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.close().fine()?;
    ensure!(subject.info(LOG).fine()?.clean);
    subject.disk().reset_counters();
    let journal = reopen(subject)?;
    same(subject.disk().counters().of(Call::Truncate), 0)?;
    holds(&*journal, &holding_long(0, 40, 4000))
}

fn dropping_hands_over_but_does_not_sync(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 3)?;
    journal.sync().fine()?;
    append(&*journal, 3, 8)?;
    subject.disk().reset_counters();
    drop(journal);
    same(subject.disk().counters().of(Call::Sync), 0)?;
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*reopen(&*lost)?, &holding(0, 3))?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, &holding(0, 8))
}

fn reopening_a_clean_journal_reads_little(subject: &dyn Subject) -> Outcome {
    let wide =
        Options { items_per_section: Some(1 << 20), segment_bytes: Some(4 << 20), ..options(Mode::Create) };
    let journal = create_with(subject, wide)?;
    for batch in 0..100 {
        append_batch(&*journal, batch * 3000, batch * 3000 + 3000)?;
    }
    journal.close().fine()?;
    for mode in [Mode::Open, Mode::ReadOnly] {
        subject.disk().reset_counters();
        let journal = subject.open(LOG, &options(mode)).fine()?;
        let read = subject.disk().counters().bytes_read;
        ensure!(read <= 1 << 20, "{mode:?} read {read} bytes of {}", subject.disk().used());
        same(journal.size().fine()?, 300_000)?;
        same_item(&journal.read(123_456).fine()?, &item(123_456))?;
    }
    Ok(())
}

fn destroying_leaves_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.close().fine()?;
    subject.destroy(LOG).fine()?;
    same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    same(subject.list().fine()?.len(), 0)?;
    refused!(subject.open(LOG, &options(Mode::Open)), Error::NotFound);
    refused!(subject.info(LOG), Error::NotFound);
    refused!(subject.verify(LOG), Error::NotFound);
    let after = crash(subject, Crash::LOSE_ALL);
    refused!(after.open(LOG, &options(Mode::Open)), Error::NotFound);
    Ok(())
}

fn destroying_what_is_not_there_is_not_found(subject: &dyn Subject) -> Outcome {
    refused!(subject.destroy(LOG), Error::NotFound);
    create(subject)?.close().fine()?;
    subject.destroy(LOG).fine()?;
    refused!(subject.destroy(LOG), Error::NotFound);
    Ok(())
}

fn a_destroyed_name_gets_a_new_log_id(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    let old = journal.close().fine()?;
    subject.destroy(LOG).fine()?;
    let journal = create(subject)?;
    same(journal.size().fine()?, 0)?;
    append(&*journal, 100, 105)?;
    let new = journal.close().fine()?;
    ensure!(old.log != new.log);
    refused!(subject.open(LOG, &expecting(old)), Error::RolledBack(_));
    drop(subject.open(LOG, &expecting(new)).fine()?);
    Ok(())
}

/// Stops the machine at each call of `run`, half of the times partway, and hands what is left to `check`.
fn at_every_call(
    subject: &dyn Subject,
    run: impl Fn(&dyn Subject),
    check: impl Fn(&dyn Subject) -> Outcome,
) -> Outcome {
    for call in 1..10_000 {
        for point in [Point::Before, Point::Partway(call), Point::Partway(call + 1), Point::After] {
            let disk: SimDisk = subject.disk().fork();
            disk.plan_crash(CrashPlan { call, point });
            run(&*subject.on(disk.clone()));
            if !disk.has_crashed() {
                return Ok(());
            }
            for chosen in [Crash::Process, Crash::LOSE_ALL, Crash::ZEROS, Crash::random(call)] {
                let after = subject.on(disk.reboot(chosen));
                let outcome = check(&*after);
                outcome.map_err(|what| {
                    format!("call {call} {point:?} {chosen:?}: {what}\n{}", after.disk().trace())
                })?;
            }
        }
    }
    Err("it never ends".into())
}

fn a_crash_in_creation_is_finished_by_open(subject: &dyn Subject) -> Outcome {
    let start = Options { start_at: Some(7), ..options(Mode::OpenOrCreate) };
    let run = |subject: &dyn Subject| drop(subject.open(LOG, &start));
    at_every_call(subject, run, |after| {
        let journal = after.open(LOG, &start).fine()?;
        holds(&*journal, &holding(7, 7))?;
        append(&*journal, 7, 9)?;
        journal.close().fine()?;
        same(after.verify(LOG).fine()?, vec![])?;
        holds(&*reopen(after)?, &holding(7, 9))?;
        same(after.disk().file_names().len(), 1)
    })
}

/// A journal of several files.
fn several_files(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.close().fine().map(|_| ())
}

fn a_crash_in_destruction_is_finished_by_open(subject: &dyn Subject) -> Outcome {
    several_files(subject)?;
    let run = |subject: &dyn Subject| drop(subject.destroy(LOG));
    at_every_call(subject, run, |after| match after.open(LOG, &options(Mode::Open)) {
        Ok(journal) => holds(&*journal, &holding_long(0, 40, 4000)),
        Err(Error::NotFound) => {
            let journal = create(after)?;
            holds(&*journal, &holding(0, 0))?;
            drop(journal);
            same(after.disk().file_names().len(), 1)
        }
        Err(other) => Err(format!("{other:?}")),
    })
}

fn a_crash_in_destruction_is_finished_by_destroy(subject: &dyn Subject) -> Outcome {
    several_files(subject)?;
    let run = |subject: &dyn Subject| drop(subject.destroy(LOG));
    at_every_call(subject, run, |after| {
        match after.destroy(LOG) {
            Ok(()) | Err(Error::NotFound) => {}
            Err(other) => return Err(format!("{other:?}")),
        }
        same((after.disk().file_names(), after.disk().cell_names()), (vec![], vec![]))
    })
}

fn files_without_a_root_cell_are_damage(subject: &dyn Subject) -> Outcome {
    several_files(subject)?;
    for cell in subject.disk().cell_names() {
        subject.disk().remove_cell(&cell);
    }
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::Create] {
        refused!(subject.open(LOG, &options(mode)), Error::Damaged(_));
    }
    same(subject.disk().hash(), before)
}

fn a_plain_copy_is_a_valid_log(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    let token = journal.sync().fine()?;
    let copy = fork(subject);
    append_long(&*journal, 40, 45, 4000)?;
    let opened = copy.open(LOG, &expecting(token)).fine()?;
    holds(&*opened, &holding_long(0, 40, 4000))?;
    opened.close().fine()?;
    same(copy.verify(LOG).fine()?, vec![])?;
    holds(&*journal, &holding_long(0, 45, 4000))
}

fn a_copy_of_the_files_elsewhere_is_a_valid_log(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    let token = journal.sync().fine()?;
    let elsewhere = SimDisk::new(77);
    for file in subject.disk().file_names().iter().rev() {
        elsewhere.copy_file(subject.disk(), file, file);
    }
    for cell in subject.disk().cell_names() {
        elsewhere.put_cell(&cell, &subject.disk().cell_value(&cell).unwrap_or_default());
    }
    let copy = subject.on(elsewhere);
    let opened = copy.open(LOG, &expecting(token)).fine()?;
    holds(&*opened, &holding_long(0, 40, 4000))?;
    append_long(&*opened, 40, 50, 4000)?;
    opened.close().fine()?;
    holds(&*reopen(&*copy)?, &holding_long(0, 50, 4000))
}

fn a_storage_that_is_not_durable_works_the_same(subject: &dyn Subject) -> Outcome {
    subject.disk().set_durable(false);
    let journal = create(subject)?;
    append(&*journal, 0, 25)?;
    ensure!(journal.prune(10).fine()?);
    journal.sync().fine()?;
    journal.close().fine()?;
    holds(&*reopen(subject)?, &holding(10, 25))
}

fn opening_again_and_again_changes_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 25, 4000)?;
    journal.rewind(21).fine()?;
    let mut disk = subject.disk().reboot(Crash::Process);
    let model = holding_long(0, 21, 4000);
    for round in 0..12 {
        let after = subject.on(disk);
        let journal: Box<dyn JournalSubject> = reopen(&*after)?;
        holds(&*journal, &model)?;
        if round % 3 == 0 {
            journal.close().fine()?;
        }
        if round % 3 == 1 {
            drop(journal);
        }
        disk = after.disk().reboot(if round % 2 == 0 { Crash::LOSE_ALL } else { Crash::random(round) });
    }
    Ok(())
}
