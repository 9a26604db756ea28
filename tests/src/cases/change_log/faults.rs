//! Errors of the storage: what they close, and what they cost.

use super::kit::*;

pub(super) const CASES: &[Case] = &[
    case!(a_failed_write_or_sync_closes_the_log_and_loses_nothing, "C2", "C14"),
    case!(a_failed_look_at_the_own_cell_acknowledges_nothing_and_closes_nothing, "C15"),
    case!(a_heartbeat_of_unknown_outcome_can_be_repeated, "C13"),
    case!(an_error_at_any_call_of_recover_can_be_repeated, "C9", "C12"),
    case!(an_error_in_one_instance_does_not_keep_recover_from_the_others, "C21"),
    case!(a_failed_open_of_an_instance_can_be_repeated, "C1", "C17"),
    case!(a_failed_close_loses_nothing, "C24"),
    case!(a_failed_destruction_of_a_change_log_can_be_repeated, "C30", "C22"),
    case!(on_a_full_disk_changes_can_be_removed, "C34", "C5"),
    case!(on_a_full_disk_nothing_is_lost_and_closing_works, "C34", "C2", "C24"),
];

fn a_failed_write_or_sync_closes_the_log_and_loses_nothing(subject: &dyn Subject) -> Outcome {
    for kind in [Call::Write, Call::Sync] {
        for point in POINTS {
            let side = fork(subject);
            let log = open(&*side, "a")?;
            record(&log, &["1", "2"])?;
            side.disk().inject(Fault::next(kind).when(point));
            refused!(log.record(b"3", &change("a/3")), Error::Storage(_));
            refused!(log.record(b"3", &change("a/3")), Error::Closed);
            refused!(log.remove(None, b"1"), Error::Closed);
            refused!(log.get(None, b"1"), Error::Closed);
            refused!(log.heartbeat(), Error::Closed);
            refused!(log.recover(0), Error::Closed);
            refused!(log.close(), Error::Closed);
            // The lock is gone although the handle is still there.
            let after = open(&*side, "a")?;
            let found = keys(&contents(&after)?);
            ensure!(
                found == ["a/1", "a/2"] || found == ["a/1", "a/2", "a/3"],
                "{kind:?} {point:?}: {found:?}"
            );
        }
    }
    Ok(())
}

fn a_failed_look_at_the_own_cell_acknowledges_nothing_and_closes_nothing(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["1"])?;
    subject.disk().inject(Fault::next(Call::ReadCell));
    refused!(log.record(b"2", &change("a/2")), Error::Storage(_));
    record(&log, &["2"])?;
    subject.disk().inject(Fault::next(Call::ReadCell));
    refused!(log.remove(None, b"1"), Error::Storage(_));
    ensure!(!log.remove(None, b"1").fine()?);
    holds(&log, &["a/2"])
}

fn a_heartbeat_of_unknown_outcome_can_be_repeated(subject: &dyn Subject) -> Outcome {
    for point in [Point::Before, Point::After] {
        let side = fork(subject);
        let log = open(&*side, "a")?;
        record(&log, &["1"])?;
        side.disk().inject(Fault::next(Call::SwapCell).when(point));
        refused!(log.heartbeat(), Error::Storage(_));
        let again = fork(&*side);
        drop(again);
        log.heartbeat().fine()?;
        side.disk().inject(Fault::next(Call::SwapCell).when(point));
        refused!(log.heartbeat(), Error::Storage(_));
        record(&log, &["2"])?;
        log.close().fine()?;
    }
    Ok(())
}

fn an_error_at_any_call_of_recover_can_be_repeated(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        for point in [Point::Before, Point::After] {
            let side = fork(subject);
            for name in ["a", "b"] {
                record(&open(&*side, name)?, &["1", "2"])?;
            }
            pause(&*side);
            let c = open(&*side, "c")?;
            record(&c, &["1"])?;
            side.disk().inject(Fault::at(call).when(point));
            let outcome = c.recover(STALE);
            if side.disk().clear_faults() == 1 {
                ensure!(call > 30, "{call}");
                return Ok(());
            }
            let words = format!("call {call} {point:?}");
            // What only sweeps or tidies may fail unnoticed.
            let c = match c.recover(STALE) {
                Ok(_) => c,
                Err(Error::Closed) if outcome.is_err() => {
                    let c = open(&*side, "c")?;
                    sound(c.recover(STALE).fine()?)?;
                    c
                }
                Err(error) => return Err(format!("{words}: {outcome:?}, then {error:?}")),
            };
            holds(&c, &["a/1", "a/2", "b/1", "b/2", "c/1"]).map_err(|what| format!("{words}: {what}"))?;
            same(instances(&*side)?, vec![("c".into(), InstanceState::Live)])?;
            c.remove(Some("a"), b"1").fine()?;
            let z = open(&*side, "z")?;
            z.recover(0).fine()?;
            holds(&z, &["a/2", "b/1", "b/2", "c/1"]).map_err(|what| format!("{words}: {what}"))?;
        }
    }
    Ok(())
}

fn an_error_in_one_instance_does_not_keep_recover_from_the_others(subject: &dyn Subject) -> Outcome {
    for name in ["a", "b", "c"] {
        record(&open(subject, name)?, &["1"])?;
    }
    let file = subject.disk().file_names()[1].clone();
    pause(subject);
    let z = open(subject, "z")?;
    let bad = Fault { prefix: file, ..Fault::next(Call::Read).forever() };
    subject.disk().inject(bad);
    refused!(z.recover(STALE), Error::Storage(_));
    holds(&z, &["a/1", "c/1"])?;
    refused!(z.recover(STALE), Error::Storage(_));
    subject.disk().clear_faults();
    same(sound(z.recover(STALE).fine()?)?, vec![("b".into(), 1)])?;
    holds(&z, &["a/1", "b/1", "c/1"])
}

fn a_failed_open_of_an_instance_can_be_repeated(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        for point in [Point::Before, Point::After] {
            let side = fork(subject);
            record(&open(&*side, "a")?, &["1"])?;
            side.disk().inject(Fault::at(call).when(point));
            let opened = side.open_change_log(LOG, &named(Mode::Open, "a")).map(drop);
            if side.disk().clear_faults() == 1 {
                ensure!(call > 20, "{call}");
                return Ok(());
            }
            let words = format!("call {call} {point:?} {opened:?}");
            let log = open(&*side, "a").map_err(|what| format!("{words}: {what}"))?;
            holds(&log, &["a/1"]).map_err(|what| format!("{words}: {what}"))?;
            sound(log.recover(STALE).fine()?)?;
            same(instances(&*side)?.len(), 1)?;
            same(side.disk().file_names().len(), 1)?;
        }
    }
    Ok(())
}

fn a_failed_close_loses_nothing(subject: &dyn Subject) -> Outcome {
    for ids in [&["1"][..], &[]] {
        for call in 1.. {
            let side = fork(subject);
            let log = open(&*side, "a")?;
            record(&log, ids)?;
            side.disk().inject(Fault::at(call));
            let outcome = log.close();
            if side.disk().clear_faults() == 1 {
                outcome.fine()?;
                break;
            }
            refused!(log.record(b"2", &change("a/2")), Error::Closed);
            let log = open(&*side, "a")?;
            holds(&log, if ids.is_empty() { &[] } else { &["a/1"] })?;
        }
    }
    Ok(())
}

fn a_failed_destruction_of_a_change_log_can_be_repeated(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let side = fork(subject);
        for name in ["a", "b"] {
            record(&open(&*side, name)?, &["1"])?;
        }
        side.disk().inject(Fault::at(call));
        let first = side.destroy_change_log(LOG);
        if side.disk().clear_faults() == 1 {
            return first.fine();
        }
        match side.destroy_change_log(LOG) {
            Ok(()) => {}
            Err(Error::NotFound) => ensure!(first.is_err(), "call {call}"),
            Err(error) => return Err(format!("call {call}: {first:?}, then {error:?}")),
        }
        same((side.disk().file_names(), side.disk().cell_names()), (vec![], vec![]))?;
    }
    Ok(())
}

/// An instance with 50 changes on a disk that has no room for more of them.
fn full(subject: &dyn Subject) -> Result<(Log, u64), String> {
    let log = open(subject, "a")?;
    subject.disk().set_quota(Some(300_000));
    let mut number = 0u64;
    loop {
        match log.record(&number.to_be_bytes(), &large(number, 3000)) {
            Ok(()) => number += 1,
            Err(Error::OutOfSpace) => return Ok((log, number)),
            Err(error) => return Err(format!("{error:?}")),
        }
    }
}

fn on_a_full_disk_changes_can_be_removed(subject: &dyn Subject) -> Outcome {
    let (log, count) = full(subject)?;
    ensure!(count > 30, "{count}");
    for number in 0..count {
        ensure!(log.remove(None, &number.to_be_bytes()).fine()?, "{number} of {count}");
    }
    // The files that held them are given up: there is room again.
    for number in 0..20 {
        log.record(b"k", &large(number, 3000)).fine()?;
    }
    let after = power_loss(subject);
    same(contents(&open(&*after, "a")?)?.len(), 1)
}

fn on_a_full_disk_nothing_is_lost_and_closing_works(subject: &dyn Subject) -> Outcome {
    let (log, count) = full(subject)?;
    same(log.heartbeat().is_ok(), true)?;
    same(contents(&log)?.len() as u64, count)?;
    log.close().fine()?;
    subject.disk().set_quota(None);
    let log = open(&*power_loss(subject), "a")?;
    same(contents(&log)?.len() as u64, count)?;
    // Nor does somebody else who has no room to take them over lose any.
    let side = fork(subject);
    let z = open(&*side, "z")?;
    side.disk().set_quota(Some(side.disk().used() + 1000));
    match z.recover(0) {
        Err(Error::OutOfSpace) => {}
        other => return Err(format!("{other:?}")),
    }
    side.disk().set_quota(None);
    same(sound(z.recover(0).fine()?)?, vec![("a".into(), count)])?;
    same(contents(&z)?.len() as u64, count)?;
    Ok(())
}
