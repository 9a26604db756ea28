//! Errors of the storage: what they close, and what they cost.

use super::super::{Case, case};
use super::kit::*;
use crate::sim::{Call, Crash, Fault, Point};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_failed_write_or_sync_closes_the_log, "D10.1", "D10.2"),
    case!(a_failed_save_is_the_old_hard_state_or_the_new, "R18", "D10.2"),
    case!(a_failed_read_of_an_entry_closes_nothing, "D10.5"),
    case!(a_full_disk_refuses_entries_and_is_freed_by_a_purge, "D10.4", "D10.6"),
];

fn is_closed(log: &dyn RaftSubject) -> Outcome {
    refused!(log.persist(&entries(1, 1, 2)), Error::Closed);
    refused!(log.entry(1), Error::Closed);
    refused!(log.last_index(), Error::Closed);
    refused!(log.load_hard_state(), Error::Closed);
    refused!(log.sync(), Error::Closed);
    refused!(log.close(), Error::Closed);
    ensure!(!log.is_write_durable());
    Ok(())
}

fn a_failed_write_or_sync_closes_the_log(subject: &dyn Subject) -> Outcome {
    type Act = fn(&dyn RaftSubject) -> Result<(), Error>;
    let acts: [Act; 6] = [
        |log| log.persist(&entries(2, 15, 22)),
        |log| log.replace_range(15, &entries(2, 15, 22)),
        |log| log.truncate(15),
        |log| log.purge(id(1, 7)),
        |log| log.save_hard_state(&hard(3, 3)),
        |log| log.reset(),
    ];
    for (number, act) in acts.iter().enumerate() {
        for kind in [Call::Write, Call::Sync] {
            for point in [Point::Before, Point::Partway(1), Point::After] {
                let side = fork(subject);
                let log = side.open_raft(LOG, &synced(Mode::Create)).fine()?;
                log.persist(&entries(1, 1, 21)).fine()?;
                let token = log.sync().fine()?;
                side.disk().inject(Fault::next(kind).when(point));
                let answer = act(&*log);
                ensure!(matches!(answer, Err(Error::Storage(_))), "act {number}, {kind:?}: {answer:?}");
                is_closed(&*log)?;
                let with = Options { expect: Some(token), ..options(Mode::Open) };
                let after = side.on(side.disk().fork().reboot(Crash::LOSE_ALL));
                let got = contents(&*after.open_raft(LOG, &with).fine()?)?;
                let before = Model::holding(&entries(1, 1, 21));
                ensure!(got == before || kind == Call::Sync, "act {number}, {kind:?}: {got:?}");
                // Whatever the handle's own disk shows afterwards is durable once it was opened.
                let reported = contents(&*side.open_raft(LOG, &with).fine()?)?;
                let lost = side.on(side.disk().fork().reboot(Crash::LOSE_ALL));
                holds(&*lost.open_raft(LOG, &with).fine()?, &reported)?;
            }
        }
    }
    Ok(())
}

fn a_failed_save_is_the_old_hard_state_or_the_new(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    subject.disk().inject(Fault::next(Call::Sync).when(Point::Partway(3)));
    refused!(log.save_hard_state(&hard(2, 2)), Error::Storage(_));
    drop(log);
    let got = reopen(subject)?.load_hard_state().fine()?;
    ensure!(got == Some(hard(1, 1)) || got == Some(hard(2, 2)), "{got:?}");
    same(reopen(&*crash(subject, Crash::LOSE_ALL))?.load_hard_state().fine()?, got)
}

fn a_failed_read_of_an_entry_closes_nothing(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    log.close().fine()?;
    drop(log);
    let log = reopen(subject)?;
    for _ in 0..3 {
        subject.disk().inject(Fault::next(Call::Read));
        refused!(log.entry(3), Error::Storage(_));
        subject.disk().clear_faults();
        same(log.entry(3).fine()?, Some(long(1, 3, LONG)))?;
        subject.disk().inject(Fault::next(Call::Read));
        refused!(log.get_entries(15, 20, ALL), Error::Storage(_));
        subject.disk().clear_faults();
        same(unpack(&log.get_entries(15, 20, ALL).fine()?), longs(1, 15, 21))?;
    }
    log.persist(&entries(2, 30, 31)).fine()
}

fn a_full_disk_refuses_entries_and_is_freed_by_a_purge(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    subject.disk().set_quota(Some(1 << 20));
    let mut index = 1;
    loop {
        match log.persist(&longs(1, index, index + 1)) {
            Ok(()) => index += 1,
            Err(Error::OutOfSpace) => break,
            Err(other) => return Err(format!("{other:?}")),
        }
        ensure!(index < 1000, "the disk is never full");
    }
    // Hard states must not use up what a purge needs.
    let mut vote = 1;
    while let Ok(()) = log.save_hard_state(&HardState { extra: vec![1; 3000], ..hard(2, vote) }) {
        vote += 1;
        ensure!(vote < 1000, "the disk is never full");
    }
    let full = contents(&*log)?;
    same((full.last_index(), full.count()), (index - 1, index - 1))?;
    log.purge(id(1, index / 2)).fine()?;
    log.persist(&longs(1, index, index + 5)).fine()?;
    log.save_hard_state(&hard(7, 7)).fine()?;
    let mut model = Model::holding(&longs(1, 1, index + 5));
    model.purge(id(1, index / 2)).fine()?;
    model.save_hard_state(&hard(7, 7)).fine()?;
    subject.disk().set_quota(None);
    holds_for_good(subject, log, &model)
}
