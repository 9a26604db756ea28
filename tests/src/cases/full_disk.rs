//! Full disks: appends are refused, the log stays open, and what frees space has the space it needs.

use super::kit::*;
use super::{Case, case};
use crate::model::Model;
use crate::sim::Crash;
use crate::subject::{JournalSubject, Options, Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_full_disk_refuses_appends_and_stays_open, "D10.4"),
    case!(pruning_frees_a_full_disk, "D10.6"),
    case!(waiting_appends_survive_a_full_disk, "D10.4"),
    case!(a_full_disk_can_be_closed, "D10.7"),
    case!(a_full_disk_can_be_destroyed, "D10.7"),
    case!(a_full_disk_opens_and_prunes, "D10.6", "D10.7"),
];

/// Sizes of disks: the step that finds no room differs.
const QUOTAS: [u64; 9] = [260_000, 264_096, 268_500, 275_001, 283_333, 290_000, 301_007, 311_111, 325_000];

/// Appends batches of one item until the disk is full, then ever shorter ones until not even an empty one fits: what is
/// left then is the log's own.
fn fill(journal: &dyn JournalSubject) -> Result<Model, String> {
    let mut model = holding(0, 0);
    for len in [3000, 300, 30, 0] {
        loop {
            let bytes = if len == 0 { vec![] } else { long_item(model.size(), len) };
            match journal.append_batch(&[&bytes]) {
                Ok(position) => same(Ok(position), model.append(&bytes))?,
                Err(Error::OutOfSpace) => break,
                Err(other) => return Err(format!("item {}: {other:?}", model.size())),
            }
            ensure!(model.size() < 10_000, "the disk never gets full");
        }
    }
    Ok(model)
}

/// The check on a full disk of each size, with what the journal holds.
fn full(
    subject: &dyn Subject,
    check: impl Fn(&dyn Subject, &dyn JournalSubject, Model) -> Outcome,
) -> Outcome {
    for quota in QUOTAS {
        let side = fork(subject);
        let journal = create(&*side)?;
        side.disk().set_quota(Some(quota));
        let model = fill(&*journal)?;
        check(&*side, &*journal, model).map_err(|what| format!("quota {quota}: {what}"))?;
    }
    Ok(())
}

/// Appends five items to the journal and to the model.
fn go_on(journal: &dyn JournalSubject, model: &mut Model) -> Outcome {
    for number in 0..5 {
        let bytes = long_item(500 + number, 3000);
        same(journal.append_batch(&[&bytes]), model.append(&bytes))?;
    }
    Ok(())
}

fn a_full_disk_refuses_appends_and_stays_open(subject: &dyn Subject) -> Outcome {
    full(subject, |side, journal, mut model| {
        refused!(journal.append_batch(&[b""]), Error::OutOfSpace);
        holds(journal, &model)?;
        journal.sync().fine()?;
        side.disk().set_quota(None);
        go_on(journal, &mut model)?;
        journal.sync().fine()?;
        holds(&*reopen(&*crash(side, Crash::LOSE_ALL))?, &model)
    })
}

fn pruning_frees_a_full_disk(subject: &dyn Subject) -> Outcome {
    full(subject, |side, journal, mut model| {
        let end = model.size();
        ensure!(model.prune(end) && journal.prune(end).fine()?);
        holds(journal, &model)?;
        go_on(journal, &mut model)?;
        journal.sync().fine()?;
        holds(&*reopen(&*crash(side, Crash::LOSE_ALL))?, &model)
    })
}

fn waiting_appends_survive_a_full_disk(subject: &dyn Subject) -> Outcome {
    for quota in QUOTAS {
        let side = fork(subject);
        let buffer = Options { items_per_section: Some(40), ..options(Mode::Create) };
        let journal = create_with(&*side, buffer)?;
        side.disk().set_quota(Some(quota));
        let mut end = 0;
        let refusal = loop {
            match journal.append(&long_item(end, 3000)) {
                Ok(position) => same(position, end)?,
                Err(error) => break error,
            }
            end += 1;
        };
        same(refusal, Error::OutOfSpace).map_err(|what| format!("quota {quota}: {what}"))?;
        holds(&*journal, &holding_long(0, end, 3000))?;
        side.disk().set_quota(None);
        same(journal.append(&long_item(end, 3000)).fine()?, end)?;
        journal.close().fine()?;
        holds(&*reopen(&*side)?, &holding_long(0, end + 1, 3000))?;
    }
    Ok(())
}

fn a_full_disk_can_be_closed(subject: &dyn Subject) -> Outcome {
    full(subject, |side, journal, model| {
        journal.close().fine()?;
        ensure!(side.info(LOG).fine()?.clean);
        holds(&*reopen(&*crash(side, Crash::LOSE_ALL))?, &model)
    })
}

fn a_full_disk_can_be_destroyed(subject: &dyn Subject) -> Outcome {
    full(subject, |side, journal, _| {
        journal.close().fine()?;
        side.disk().set_quota(Some(side.disk().used()));
        side.destroy(LOG).fine()?;
        same(side.disk().used(), 0)
    })
}

fn a_full_disk_opens_and_prunes(subject: &dyn Subject) -> Outcome {
    full(subject, |side, journal, model| {
        let synced = journal.sync().is_ok();
        ensure!(synced, "what was appended can be synced");
        let after = crash(side, Crash::LOSE_ALL);
        holds(&*reopen_read_only(&*after)?, &model)?;
        let journal = reopen(&*after)?;
        let mut model = model;
        let end = model.size();
        ensure!(model.prune(end) && journal.prune(end).fine()?);
        go_on(&*journal, &mut model)?;
        journal.close().fine()?;
        holds(&*reopen(&*after)?, &model)
    })
}
