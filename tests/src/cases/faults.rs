//! Errors of the storage: what they close, and what they cost.

use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash, Fault, Point};
use crate::subject::{ALL, JournalSubject, Subject, options};
use annals_logs::error::Error;
use annals_logs::storage::StorageError;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_failed_sync_closes_the_log, "D10.2"),
    case!(a_failed_sync_loses_nothing_acknowledged, "D10.2"),
    case!(a_failed_write_closes_the_log, "D10.1"),
    case!(a_write_without_space_closes_the_log_and_loses_nothing, "D10.9"),
    case!(a_failed_begun_sync_closes_the_log, "H16"),
    case!(a_failed_read_closes_nothing, "D10.5"),
    case!(a_reader_survives_a_failed_read, "D10.5"),
    case!(an_error_while_recovering_never_cuts, "D8.7"),
    case!(a_failed_open_can_be_repeated, "D10.8"),
    case!(what_the_storage_knows_to_be_damaged_is_answered_as_damage, "X2"),
    case!(a_failed_creation_can_be_repeated, "D10.8", "G15.1"),
    case!(a_failed_destruction_can_be_repeated, "D10.8", "G15.2"),
    case!(evicted_pages_show_no_wrong_items, "D9.1", "J33"),
];

/// Everything answers closed.
fn is_closed(journal: &dyn JournalSubject) -> Outcome {
    refused!(journal.append(b"x"), Error::Closed);
    refused!(journal.append_batch(&[b"x"]), Error::Closed);
    refused!(journal.read(0), Error::Closed);
    refused!(journal.size(), Error::Closed);
    refused!(journal.sync(), Error::Closed);
    refused!(journal.prune(10), Error::Closed);
    refused!(journal.rewind(0), Error::Closed);
    refused!(journal.close(), Error::Closed);
    Ok(())
}

fn a_failed_sync_closes_the_log(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    let reader = journal.replay(0).fine()?;
    subject.disk().inject(Fault::next(Call::Sync));
    refused!(journal.sync(), Error::Storage(_));
    is_closed(&*journal)?;
    refused!(reader.next(ALL), Error::Closed);
    // The lock is gone although the handle is still there: otherwise nobody could recover.
    let again = reopen(subject)?;
    let got = contents(&*again)?;
    same_contents(&got, &holding(0, got.size()))
}

fn a_failed_sync_loses_nothing_acknowledged(subject: &dyn Subject) -> Outcome {
    for point in [Point::Before, Point::Partway(1), Point::Partway(2), Point::After] {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_batch(&*journal, 0, 7)?;
        let token = journal.sync().fine()?;
        append_long(&*journal, 7, 9, 2000)?;
        side.disk().inject(Fault::next(Call::Sync).when(point));
        refused!(journal.sync_data(), Error::Storage(_));
        let after = crash(&*side, Crash::LOSE_ALL);
        let journal = after.open(LOG, &expecting(token)).fine()?;
        let got = contents(&*journal)?;
        ensure!(got.size() >= 7, "{point:?}: {got:?}");
        for number in 0..7 {
            same_item(&journal.read(number).fine()?, &item(number))?;
        }
    }
    Ok(())
}

fn a_failed_write_closes_the_log(subject: &dyn Subject) -> Outcome {
    for point in [Point::Before, Point::Partway(1), Point::Partway(2), Point::After] {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_batch(&*journal, 0, 5)?;
        journal.sync().fine()?;
        side.disk().inject(Fault::next(Call::Write).when(point));
        refused!(journal.append_batch(&[&long_item(5, 3000)]), Error::Storage(_));
        is_closed(&*journal)?;
        let journal = reopen(&*side)?;
        let size = journal.size().fine()?;
        ensure!(size == 5 || size == 6, "{point:?}: {size}");
        for number in 0..5 {
            same_item(&journal.read(number).fine()?, &item(number))?;
        }
        journal.close().fine()?;
        same(side.verify(LOG).fine()?, vec![])?;
    }
    Ok(())
}

/// Space is claimed before anything is written. A storage that promised it and then has none has failed.
fn a_write_without_space_closes_the_log_and_loses_nothing(subject: &dyn Subject) -> Outcome {
    for point in [Point::Before, Point::Partway(3), Point::After] {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_batch(&*journal, 0, 5)?;
        journal.sync().fine()?;
        let fault = Fault::next(Call::Write).answering(StorageError::OutOfSpace).when(point);
        side.disk().inject(fault);
        refused!(journal.append_batch(&[&long_item(5, 3000)]), Error::OutOfSpace | Error::Storage(_));
        is_closed(&*journal)?;
        let journal = reopen(&*side)?;
        for number in 0..5 {
            same_item(&journal.read(number).fine()?, &item(number))?;
        }
    }
    Ok(())
}

fn a_failed_begun_sync_closes_the_log(subject: &dyn Subject) -> Outcome {
    for (kind, polls) in [(Call::BeginSync, 1), (Call::PollSync, 0), (Call::WaitSync, 1)] {
        let side = fork(subject);
        side.disk().set_polls(polls);
        let journal = create(&*side)?;
        append(&*journal, 0, 5)?;
        side.disk().inject(Fault::next(kind));
        let outcome = journal.begin_sync().and_then(|ticket| {
            if kind == Call::PollSync { ticket.poll().map(|_| ()) } else { ticket.wait().map(|_| ()) }
        });
        // A subject may answer from a sync of its own instead; then nothing failed.
        if side.disk().clear_faults() == 0 {
            refused!(outcome, Error::Storage(_));
            is_closed(&*journal)?;
        }
        drop(journal);
        let got = contents(&*reopen(&*side)?)?;
        same_contents(&got, &holding(0, got.size()))?;
    }
    Ok(())
}

fn a_failed_read_closes_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    subject.disk().inject(Fault::next(Call::Read).forever());
    let answers = [
        journal.read(3).map(|_| ()),
        journal.read_many(&[3, 20], 1 << 20).map(|_| ()),
        journal.read_range(5, ALL).map(|_| ()),
    ];
    for answer in answers {
        refused!(answer, Error::Storage(_));
    }
    subject.disk().clear_faults();
    holds(&*journal, &holding_long(0, 40, 4000))?;
    append_long(&*journal, 40, 41, 4000)?;
    journal.sync().fine()?;
    holds(&*journal, &holding_long(0, 41, 4000))
}

fn a_reader_survives_a_failed_read(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    let reader = journal.replay(0).fine()?;
    let limits = annals_logs::types::Limits { count: 5, bytes: 1 << 20 };
    let model = holding_long(0, 40, 4000);
    let mut position = 0;
    let mut failed = 0;
    loop {
        subject.disk().inject(Fault::next(Call::Read));
        let answer = reader.next(limits);
        failed += u64::from(matches!(answer, Err(Error::Storage(_))));
        subject.disk().clear_faults();
        let answer = if answer.is_err() { reader.next(limits) } else { answer };
        let Some(batch) = answer.fine()? else { break };
        model.check_batch(position, 40, limits, &batch)?;
        position += batch.ends.len() as u64;
    }
    same(position, 40)?;
    ensure!(failed > 0, "no read failed");
    Ok(())
}

fn an_error_while_recovering_never_cuts(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 20, 4000)?;
    append_batch(&*journal, 20, 26)?;
    let mut wanted = holding_long(0, 20, 4000);
    for number in 20..26 {
        let _ = wanted.append(&item(number));
    }
    let after = crash(subject, Crash::Process);
    for call in 1..10_000 {
        let side = fork(&*after);
        side.disk().inject(Fault::at(call));
        let answer = side.open(LOG, &options(Mode::Open)).map(|_| ());
        if side.disk().clear_faults() > 0 {
            return answer.fine();
        }
        ensure!(matches!(answer, Err(Error::Storage(_)) | Ok(())), "call {call}: {answer:?}");
        let journal = reopen(&*side).map_err(|what| format!("call {call}: {what}"))?;
        holds(&*journal, &wanted).map_err(|what| format!("call {call}: {what}"))?;
        let lost = crash(&*side, Crash::LOSE_ALL);
        holds(&*reopen(&*lost)?, &wanted).map_err(|what| format!("call {call}: {what}"))?;
    }
    Err("it never ends".into())
}

fn a_failed_open_can_be_repeated(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 6, 5000)?;
    let (file, offset) = find(subject.disk(), &long_item(5, 5000))?;
    let after = crash(subject, Crash::Process);
    after.disk().zero_sector(&file, offset + 2000);
    for error in [StorageError::Io("injected".into()), StorageError::OutOfSpace] {
        for call in 1..10_000 {
            let side = fork(&*after);
            side.disk().inject(Fault::at(call).answering(error.clone()).when(Point::Partway(call)));
            let answer = side.open(LOG, &options(Mode::Open)).map(|_| ());
            if side.disk().clear_faults() > 0 {
                break;
            }
            let storage = matches!(answer, Ok(()) | Err(Error::Storage(_) | Error::OutOfSpace));
            ensure!(storage, "call {call}, {error:?}: {answer:?}");
            for chosen in [Crash::Process, Crash::LOSE_ALL] {
                let journal = subject.on(side.disk().fork().reboot(chosen));
                let journal = reopen(&*journal).map_err(|what| format!("call {call}, {error:?}: {what}"))?;
                holds(&*journal, &holding(0, 5)).map_err(|what| format!("call {call}, {error:?}: {what}"))?;
            }
        }
    }
    Ok(())
}

/// A directory that found a cell damaged could once only say that reading had failed.
fn what_the_storage_knows_to_be_damaged_is_answered_as_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.close().fine()?;
    let error = || StorageError::Damaged("half of it is missing".into());
    for kind in [Call::ReadCell, Call::Read] {
        let side = fork(subject);
        side.disk().inject(Fault::next(kind).answering(error()).forever());
        let before = side.disk().hash();
        match side.open(LOG, &options(Mode::Open)).map(|_| ()) {
            Err(Error::Damaged(damage)) => {
                ensure!(
                    damage.what.contains("half of it is missing") && damage.file.contains(LOG),
                    "{damage:?}"
                );
            }
            other => return Err(format!("{kind:?}: {other:?}")),
        }
        same(side.disk().hash(), before)?;
    }
    let side = fork(subject);
    side.disk().inject(Fault::next(Call::ReadCell).answering(error()).forever());
    let journal = side.open(LOG, &options(Mode::ReadOnly)).fine()?;
    holds(&*journal, &holding(0, 5))
}

fn a_failed_creation_can_be_repeated(subject: &dyn Subject) -> Outcome {
    for error in [StorageError::Io("injected".into()), StorageError::OutOfSpace] {
        for (call, point) in (1..40).flat_map(|call| [(call, Point::Before), (call, Point::After)]) {
            let side = fork(subject);
            side.disk().inject(Fault::at(call).answering(error.clone()).when(point));
            let answer = side.open(LOG, &options(Mode::OpenOrCreate)).map(|_| ());
            side.disk().clear_faults();
            ensure!(
                matches!(answer, Ok(()) | Err(Error::Storage(_) | Error::OutOfSpace)),
                "call {call} {point:?}: {answer:?}"
            );
            let journal = side.open(LOG, &options(Mode::OpenOrCreate));
            let journal = journal.map_err(|error| format!("call {call} {point:?}: {error:?}"))?;
            append(&*journal, 0, 3)?;
            journal.close().fine()?;
            holds(&*reopen(&*side)?, &holding(0, 3))?;
            same(side.verify(LOG).fine()?, vec![])?;
        }
    }
    Ok(())
}

fn a_failed_destruction_can_be_repeated(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.close().fine()?;
    for (call, point) in (1..30).flat_map(|call| [(call, Point::Before), (call, Point::After)]) {
        let side = fork(subject);
        side.disk().inject(Fault::at(call).when(point));
        let answer = side.destroy(LOG);
        side.disk().clear_faults();
        ensure!(matches!(answer, Ok(()) | Err(Error::Storage(_))), "call {call} {point:?}: {answer:?}");
        let again = side.destroy(LOG);
        ensure!(matches!(again, Ok(()) | Err(Error::NotFound)), "call {call} {point:?}: {again:?}");
        same((side.disk().file_names(), side.disk().cell_names()), (vec![], vec![]))?;
    }
    Ok(())
}

fn evicted_pages_show_no_wrong_items(subject: &dyn Subject) -> Outcome {
    for seed in 0..40 {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_batch(&*journal, 0, 7)?;
        journal.sync().fine()?;
        append_long(&*journal, 7, 9, 2000)?;
        side.disk().inject(Fault::next(Call::Sync).when(Point::Partway(seed)));
        refused!(journal.sync(), Error::Storage(_));
        side.disk().evict();
        let reopened = reopen(&*side).map_err(|what| format!("seed {seed}: {what}"))?;
        let size = reopened.size().fine()?;
        ensure!((7..=9).contains(&size), "seed {seed}: {size} items");
        for number in 0..size {
            let right = if number < 7 { item(number) } else { long_item(number, 2000) };
            same_item(&reopened.read(number).fine()?, &right)?;
        }
        drop(reopened);
        same(reopen(&*crash(&*side, Crash::LOSE_ALL))?.size().fine()?, size)?;
    }
    Ok(())
}
