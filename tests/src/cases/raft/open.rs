//! Creating, opening, closing and destroying Raft logs.

use super::super::{Case, case};
use super::kit::*;
use crate::sim::{Call, Crash};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(modes_say_what_must_exist, "R1"),
    case!(a_raft_log_of_another_kind_is_a_clear_error, "G15.7"),
    case!(one_writer_at_a_time, "H7"),
    case!(the_segment_size_is_fixed, "R1"),
    case!(a_name_that_breaks_the_rules_is_refused, "G16.3"),
    case!(after_close_every_call_of_a_raft_log_answers_closed, "H24"),
    case!(closing_a_raft_log_makes_everything_durable, "D6.1"),
    case!(a_closed_log_opens_without_repairs, "D6.1"),
    case!(opening_reads_little, "G12.1"),
    case!(dropping_lets_go_of_the_lock, "H25"),
    case!(destroying_a_raft_log_leaves_nothing, "G15.3"),
    case!(a_token_proves_that_the_log_is_all_there, "D7.1", "D7.2"),
    case!(an_older_state_of_the_log_is_refused, "D7.3"),
    case!(many_logs_of_all_kinds_share_a_storage, "G15.10"),
];

fn modes_say_what_must_exist(subject: &dyn Subject) -> Outcome {
    let open = |mode| subject.open_raft(LOG, &options(mode)).map(drop);
    refused!(open(Mode::Open), Error::NotFound);
    refused!(open(Mode::ReadOnly), Error::NotFound);
    open(Mode::OpenOrCreate).fine()?;
    refused!(open(Mode::Create), Error::Exists);
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        open(mode).fine()?;
    }
    Ok(())
}

fn a_raft_log_of_another_kind_is_a_clear_error(subject: &dyn Subject) -> Outcome {
    let journal = subject.open("numbers", &crate::subject::options(Mode::Create)).fine()?;
    journal.close().fine()?;
    drop(journal);
    twenty(subject)?.close().fine()?;
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        refused!(subject.open_raft("numbers", &options(mode)), Error::OtherKind(kind) if kind == "journal");
        let other = subject.open(LOG, &crate::subject::options(mode)).map(drop);
        refused!(other, Error::OtherKind(kind) if kind == "raft-log");
    }
    refused!(subject.destroy_raft("numbers"), Error::OtherKind(_));
    refused!(subject.destroy(LOG), Error::OtherKind(_));
    same(subject.disk().hash(), before)
}

fn one_writer_at_a_time(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    refused!(subject.open_raft(LOG, &options(Mode::Open)).map(drop), Error::Locked);
    refused!(subject.destroy_raft(LOG), Error::Locked);
    drop(reopen_read_only(subject)?);
    log.close().fine()?;
    // The handle is still there, the lock is not.
    same(reopen(subject)?.last_index().fine()?, 20)
}

fn the_segment_size_is_fixed(subject: &dyn Subject) -> Outcome {
    let with = |mode, segment_bytes| Options { segment_bytes: Some(segment_bytes), ..options(mode) };
    for bad in [0, (64 << 10) - 1, (1 << 30) + 1, u64::MAX] {
        refused!(subject.open_raft(LOG, &with(Mode::Create, bad)).map(drop), Error::InvalidArgument(_));
    }
    same(subject.disk().cell_names().len(), 0)?;
    drop(subject.open_raft(LOG, &with(Mode::Create, 64 << 10)).fine()?);
    refused!(subject.open_raft(LOG, &with(Mode::Open, 128 << 10)).map(drop), Error::OptionsDiffer(_));
    drop(subject.open_raft(LOG, &with(Mode::Open, 64 << 10)).fine()?);
    drop(reopen(subject)?);
    Ok(())
}

fn a_name_that_breaks_the_rules_is_refused(subject: &dyn Subject) -> Outcome {
    for name in ["", "Raft", "a/b", "..", "a.b", &"a".repeat(65)] {
        let opened = subject.open_raft(name, &options(Mode::OpenOrCreate)).map(drop);
        ensure!(
            matches!(opened, Err(Error::InvalidArgument(_) | Error::TooLarge { .. })),
            "{name}: {opened:?}"
        );
    }
    same(subject.disk().calls() > 0 && !subject.disk().cell_names().is_empty(), false)
}

fn after_close_every_call_of_a_raft_log_answers_closed(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &synced(Mode::Create)).fine()?;
    log.persist(&entries(1, 1, 5)).fine()?;
    let ticket = log.begin_sync().fine()?;
    ensure!(log.is_write_durable());
    log.close().fine()?;
    let before = subject.disk().hash();
    for _ in 0..2 {
        refused!(log.persist(&entries(1, 5, 6)), Error::Closed);
        refused!(log.persist(&[]), Error::Closed);
        refused!(log.persist_packed(&pack(&[])), Error::Closed);
        refused!(log.entry(1), Error::Closed);
        refused!(log.get_entries(1, 2, ALL), Error::Closed);
        refused!(log.get_entries(2, 1, ALL), Error::Closed);
        refused!(log.term_of(1), Error::Closed);
        refused!(log.first_index(), Error::Closed);
        refused!(log.last_index(), Error::Closed);
        refused!(log.truncate(9), Error::Closed);
        refused!(log.replace_range(1, &[]), Error::Closed);
        refused!(log.replace_range_packed(1, &pack(&[])), Error::Closed);
        refused!(log.purge(id(1, 0)), Error::Closed);
        refused!(log.purge_boundary(), Error::Closed);
        refused!(log.reset(), Error::Closed);
        refused!(log.save_hard_state(&hard(1, 1)), Error::Closed);
        refused!(log.load_hard_state(), Error::Closed);
        refused!(log.flush(), Error::Closed);
        refused!(log.sync(), Error::Closed);
        refused!(log.begin_sync().map(drop), Error::Closed);
        refused!(log.close(), Error::Closed);
        ensure!(!log.is_write_durable());
    }
    same(subject.disk().hash(), before)?;
    drop(log);
    refused!(ticket.wait(), Error::Closed);
    holds(&*reopen(subject)?, &Model::holding(&entries(1, 1, 5)))
}

fn closing_a_raft_log_makes_everything_durable(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.truncate(18).fine()?;
    log.persist(&entries(2, 15, 19)).fine()?;
    log.close().fine()?;
    let mut model = Model::holding(&entries(1, 1, 18));
    model.persist(&entries(2, 15, 19), false).fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &model)
}

fn a_closed_log_opens_without_repairs(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    log.persist(&longs(2, 5, 8)).fine()?;
    log.purge(id(1, 3)).fine()?;
    log.close().fine()?;
    drop(log);
    let (before, twin) = (subject.disk().hash(), fork(subject));
    drop(reopen_read_only(&*twin)?);
    same(twin.disk().hash(), before)?;
    ensure!(subject.info(LOG).fine()?.clean);
    Ok(())
}

fn opening_reads_little(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    for start in 0..40 {
        log.persist(&longs(1, start * 8 + 1, start * 8 + 9)).fine()?;
    }
    log.persist(&longs(2, 100, 150)).fine()?;
    log.close().fine()?;
    let after = fork(subject);
    let log = reopen(&*after)?;
    same(log.last_index().fine()?, 320)?;
    same(log.first_index().fine()?, Some(1))?;
    let read = after.disk().counters().bytes_read;
    ensure!(read <= 128 << 10, "{read} bytes read of {}", after.disk().used());
    Ok(())
}

fn dropping_lets_go_of_the_lock(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let syncs = subject.disk().counters().of(Call::Sync);
    drop(log);
    same(subject.disk().counters().of(Call::Sync), syncs)?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, &Model::holding(&entries(1, 1, 21)))
}

fn destroying_a_raft_log_leaves_nothing(subject: &dyn Subject) -> Outcome {
    refused!(subject.destroy_raft(LOG), Error::NotFound);
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    log.close().fine()?;
    subject.destroy_raft(LOG).fine()?;
    same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    refused!(subject.open_raft(LOG, &options(Mode::Open)).map(drop), Error::NotFound);
    same(create(subject)?.load_hard_state().fine()?, None)
}

fn expecting(mode: Mode, token: Token) -> Options {
    Options { expect: Some(token), ..options(mode) }
}

fn a_token_proves_that_the_log_is_all_there(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut tokens = vec![log.sync().fine()?];
    log.persist(&entries(2, 5, 9)).fine()?;
    tokens.push(log.begin_sync().fine()?.wait().fine()?);
    log.truncate(7).fine()?;
    tokens.push(log.sync().fine()?);
    log.save_hard_state(&hard(2, 1)).fine()?;
    tokens.push(log.sync().fine()?);
    log.purge(id(2, 6)).fine()?;
    log.reset().fine()?;
    tokens.push(log.close().fine()?);
    drop(log);
    ensure!(tokens.windows(2).all(|pair| pair[0].frame < pair[1].frame), "{tokens:?}");
    for token in tokens {
        drop(subject.open_raft(LOG, &expecting(Mode::Open, token)).fine()?);
        drop(subject.open_raft(LOG, &expecting(Mode::ReadOnly, token)).fine()?);
    }
    Ok(())
}

fn an_older_state_of_the_log_is_refused(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let early = log.sync().fine()?;
    let backup = fork(subject);
    log.save_hard_state(&hard(2, 1)).fine()?;
    let late = log.sync().fine()?;
    for mode in [Mode::Open, Mode::ReadOnly] {
        refused!(backup.open_raft(LOG, &expecting(mode, late)).map(drop), Error::RolledBack(_));
    }
    drop(backup.open_raft(LOG, &expecting(Mode::Open, early)).fine()?);
    Ok(())
}

fn many_logs_of_all_kinds_share_a_storage(subject: &dyn Subject) -> Outcome {
    for name in ["one", "two"] {
        let log = subject.open_raft(name, &options(Mode::Create)).fine()?;
        log.persist(&entries(1, 1, 5)).fine()?;
        log.save_hard_state(&hard(1, 2)).fine()?;
        let journal = subject.open(&format!("{name}-too"), &crate::subject::options(Mode::Create)).fine()?;
        journal.append(b"an item").fine()?;
        log.close().fine()?;
        journal.close().fine()?;
    }
    subject.destroy_raft("one").fine()?;
    let kinds: Vec<_> = subject.list().fine()?.into_iter().map(|log| (log.name, log.kind.name())).collect();
    let wanted = [("one-too", "journal"), ("two", "raft-log"), ("two-too", "journal")];
    same(kinds, wanted.map(|(name, kind)| (name.to_string(), kind)).to_vec())?;
    let log = subject.open_raft("two", &options(Mode::Open)).fine()?;
    holds(&*log, &Model::saying(&entries(1, 1, 5), None, Some(hard(1, 2))))
}
