//! Death at every call: of one instance among others, and of the whole machine.

use super::kit::*;
use crate::sim::CrashPlan;

pub(super) const CASES: &[Case] = &[
    case!(a_claimant_that_dies_at_any_call_is_recovered_first, "C12", "C22"),
    case!(a_claimant_of_a_claimant_that_dies_at_any_call_is_recovered_first, "C12"),
    case!(an_instance_that_dies_while_recording_loses_nothing_acknowledged, "C14", "C15", "C2"),
    case!(a_crash_while_recording_loses_nothing_acknowledged, "C2", "C15"),
    case!(a_crash_while_removing_brings_nothing_back, "C5", "C16"),
    case!(a_crash_while_opening_loses_nothing, "C1", "C17", "C19"),
    case!(a_crash_while_recovering_loses_nothing, "C12", "C22"),
    case!(a_crash_while_closing_loses_nothing, "C24"),
    case!(a_crash_while_leaving_without_changes_leaves_nothing_behind, "C19", "C24"),
    case!(a_crash_while_destroying_is_finished, "C30", "C22"),
    case!(a_crash_while_files_are_given_up_loses_nothing, "C26", "C2", "C16"),
];

/// Whether these are just the changes that must be there, but for those that may.
fn between(found: &[String], must: &[&str], may: &[&str]) -> Outcome {
    for wanted in must {
        ensure!(found.iter().any(|key| key == wanted), "{wanted} is not in {found:?}");
    }
    for key in found {
        ensure!(must.contains(&key.as_str()) || may.contains(&key.as_str()), "{key} in {found:?}");
    }
    Ok(())
}

/// A new instance recovers everybody and finds these changes, and nothing else is left.
fn found_by(subject: &dyn Subject, name: &str, must: &[&str], may: &[&str]) -> Outcome {
    let log = open(subject, name)?;
    sound(log.recover(0).fine()?)?;
    between(&keys(&contents(&log)?), must, may)?;
    same(instances(subject)?, vec![(name.into(), InstanceState::Live)])?;
    let (own, files) = (subject.change_log_instances(LOG).fine()?[0].epoch, subject.disk().file_names());
    let own = format!(".{own:08x}.");
    ensure!(files.iter().all(|file| file.contains(&own)), "{files:?}");
    same(subject.verify(LOG).fine()?, vec![])
}

/// The same now, and after a loss of power.
fn found_by_all(subject: &dyn Subject, must: &[&str], may: &[&str]) -> Outcome {
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    found_by(&*lost, "z", must, may)?;
    found_by(&*fork(subject), "z", must, may)?;
    // The names of those who died can be used at once.
    for name in ["a", "b"] {
        let side = fork(subject);
        drop(open(&*side, name)?);
        found_by(&*side, "z", must, may)?;
    }
    Ok(())
}

/// Two dead instances and one that will recover them.
fn two_dead(subject: &dyn Subject) -> Result<(Box<dyn Subject>, Log), String> {
    let side = fork(subject);
    for name in ["a", "b"] {
        record(&open(&*side, name)?, &["1", "2"])?;
    }
    pause(&*side);
    let c = open(&*side, "c")?;
    record(&c, &["1"])?;
    Ok((side, c))
}

const ALL_FIVE: &[&str] = &["a/1", "a/2", "b/1", "b/2", "c/1"];

fn a_claimant_that_dies_at_any_call_is_recovered_first(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let mut reached = false;
        for point in POINTS {
            let (side, c) = two_dead(subject)?;
            die_at(side.disk(), call, point);
            let outcome = c.recover(STALE);
            drop(c);
            reached |= died(side.disk());
            ensure!(outcome.is_err() || !reached, "call {call} {point:?}: {outcome:?}");
            found_by_all(&*side, ALL_FIVE, &[]).map_err(|what| format!("call {call} {point:?}: {what}"))?;
        }
        if !reached {
            ensure!(call > 30, "{call}");
            break;
        }
    }
    Ok(())
}

fn a_claimant_of_a_claimant_that_dies_at_any_call_is_recovered_first(subject: &dyn Subject) -> Outcome {
    for first in (1..).step_by(4) {
        let (side, c) = two_dead(subject)?;
        die_at(side.disk(), first, Point::After);
        // It removes what it took over, if it gets that far.
        let removed = c.recover(STALE).and_then(|_| c.remove(Some("a"), b"1"));
        drop(c);
        let reached = died(side.disk());
        pause(&*side);
        let (mut must, mut may) = (ALL_FIVE.to_vec(), vec![]);
        if removed.is_ok() {
            must.retain(|key| *key != "a/1");
        } else {
            must.retain(|key| *key != "a/1");
            may.push("a/1");
        }
        for second in (1..).step_by(3) {
            let side = fork(&*side);
            let d = open(&*side, "d")?;
            die_at(side.disk(), second, Point::After);
            let _ = d.recover(STALE);
            drop(d);
            let reached = died(side.disk());
            found_by(&*side, "z", &must, &may).map_err(|what| format!("calls {first}, {second}: {what}"))?;
            if !reached {
                break;
            }
        }
        if !reached {
            break;
        }
    }
    Ok(())
}

fn an_instance_that_dies_while_recording_loses_nothing_acknowledged(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let mut reached = false;
        for point in POINTS {
            let (side, c) = two_dead(subject)?;
            drop(c);
            let a = open(&*side, "a")?;
            die_at(side.disk(), call, point);
            let recorded = a.record(b"new", &change("a/new"));
            let removed = recorded.clone().and_then(|()| a.remove(None, b"2"));
            drop(a);
            reached |= died(side.disk());
            let (mut must, mut may) = (vec!["a/1", "b/1", "b/2", "c/1"], vec![]);
            (if recorded.is_ok() { &mut must } else { &mut may }).push("a/new");
            if removed.is_err() {
                (if recorded.is_ok() { &mut may } else { &mut must }).push("a/2");
            }
            found_by_all(&*side, &must, &may).map_err(|what| format!("call {call} {point:?}: {what}"))?;
        }
        if !reached {
            break;
        }
    }
    Ok(())
}

/// What the machine may be found with after it stopped.
const CRASHES: [fn(u64) -> Crash; 3] = [|_| Crash::LOSE_ALL, |_| Crash::KEEP_ALL, Crash::random];

/// Stops the machine at every call that `act` makes on what `setup` made. `check` gets what the next start finds, and
/// what `act` had answered.
fn sweep<T, R: Clone>(
    subject: &dyn Subject,
    setup: impl Fn(&dyn Subject) -> Result<T, String>,
    act: impl Fn(&dyn Subject, &T) -> R,
    check: impl Fn(&dyn Subject, R) -> Outcome,
) -> Outcome {
    for call in 1.. {
        for point in [Point::Before, Point::Partway(3), Point::Partway(4)] {
            let side = fork(subject);
            let made = setup(&*side)?;
            let disk = side.disk().clone();
            disk.plan_crash(CrashPlan { call: disk.calls() + call, point });
            let answer = act(&*side, &made);
            drop(made);
            if !disk.has_crashed() {
                ensure!(call > 2, "only {call} calls");
                return check(&*fork(&*side), answer);
            }
            for crash in CRASHES {
                let crash = crash(call);
                let after = side.on(disk.reboot(crash));
                check(&*after, answer.clone())
                    .map_err(|what| format!("call {call} {point:?} {crash:?}: {what}"))?;
            }
        }
    }
    Ok(())
}

fn a_crash_while_recording_loses_nothing_acknowledged(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        let log = open(side, "a")?;
        record(&log, &["1"])?;
        Ok(log)
    };
    let act = |_: &dyn Subject, log: &Log| log.record(b"2", &change("a/2"));
    sweep(subject, setup, act, |after, answer| {
        let (must, may): (&[&str], &[&str]) =
            if answer.is_ok() { (&["a/1", "a/2"], &[]) } else { (&["a/1"], &["a/2"]) };
        found_by(after, "a", must, may)
    })?;
    // A replaced change is the old one or the new one, and the new one once that was acknowledged.
    let act = |_: &dyn Subject, log: &Log| log.record(b"1", &large(7, 3000));
    sweep(subject, setup, act, |after, answer| {
        let log = open(after, "a")?;
        let found = log.get(None, b"1").fine()?;
        let new = found == Some(large(7, 3000));
        ensure!(new || answer.is_err() && found == Some(change("a/1")), "{found:?} after {answer:?}");
        Ok(())
    })
}

fn a_crash_while_removing_brings_nothing_back(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        record(&open(side, "b")?, &["1"])?;
        pause(side);
        let log = open(side, "a")?;
        record(&log, &["1", "2"])?;
        log.recover(STALE).fine()?;
        Ok(log)
    };
    for (origin, id, key) in [(None, "1", "a/1"), (Some("b"), "1", "b/1")] {
        let act = |_: &dyn Subject, log: &Log| log.remove(origin, id.as_bytes());
        sweep(subject, setup, act, |after, answer| {
            let mut must = vec!["a/1", "a/2", "b/1"];
            must.retain(|other| *other != key);
            let may: &[&str] = if answer.is_ok() { &[] } else { &[key] };
            found_by(after, "a", &must, may)
        })?;
    }
    Ok(())
}

fn a_crash_while_opening_loses_nothing(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        record(&open(side, "a")?, &["1", "2"])?;
        record(&open(side, "b")?, &["1"])
    };
    let act = |side: &dyn Subject, (): &()| open(side, "a").map(drop);
    sweep(subject, setup, act, |after, _| found_by(after, "z", &["a/1", "a/2", "b/1"], &[]))?;
    // The first open of all makes the log.
    let nothing = |_: &dyn Subject| Ok(());
    sweep(subject, nothing, act, |after, _| found_by(after, "z", &[], &[]))
}

fn a_crash_while_recovering_loses_nothing(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        record(&open(side, "a")?, &["1", "2"])?;
        record(&open(side, "b")?, &["1"])?;
        pause(side);
        let log = open(side, "c")?;
        record(&log, &["1"])?;
        Ok(log)
    };
    let act = |_: &dyn Subject, log: &Log| log.recover(STALE).and_then(|_| log.remove(Some("a"), b"1"));
    sweep(subject, setup, act, |after, answer| {
        let may: &[&str] = if answer.is_ok() { &[] } else { &["a/1"] };
        found_by(after, "c", &["a/2", "b/1", "c/1"], may)
    })
}

fn a_crash_while_closing_loses_nothing(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        let log = open(side, "a")?;
        record(&log, &["1"])?;
        Ok(log)
    };
    let act = |_: &dyn Subject, log: &Log| log.close();
    sweep(subject, setup, act, |after, answer| {
        if let Ok(token) = answer {
            let options = Options { expect: Some(token), ..named(Mode::Open, "y") };
            open_with(after, options)?.close().fine()?;
        }
        found_by(after, "z", &["a/1"], &[])
    })
}

fn a_crash_while_leaving_without_changes_leaves_nothing_behind(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        let log = open(side, "a")?;
        record(&log, &["1"])?;
        log.remove(None, b"1").fine()?;
        Ok(log)
    };
    let act = |_: &dyn Subject, log: &Log| log.close();
    sweep(subject, setup, act, |after, _| found_by(after, "z", &[], &[]))
}

fn a_crash_while_destroying_is_finished(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        record(&open(side, "a")?, &["1"])?;
        record(&open(side, "b")?, &["1"])
    };
    let act = |side: &dyn Subject, (): &()| side.destroy_change_log(LOG);
    sweep(subject, setup, act, |after, answer| {
        let side = fork(after);
        let seen = side.info(LOG);
        let log = open(&*side, "z")?;
        sound(log.recover(0).fine()?)?;
        let found = keys(&contents(&log)?);
        ensure!(found.is_empty() || answer.is_err() && found == ["a/1", "b/1"], "{found:?}, {seen:?}");
        match after.destroy_change_log(LOG) {
            Ok(()) | Err(Error::NotFound) => {}
            Err(error) => return Err(format!("{error:?}")),
        }
        same((after.disk().file_names(), after.disk().cell_names()), (vec![], vec![]))
    })
}

fn a_crash_while_files_are_given_up_loses_nothing(subject: &dyn Subject) -> Outcome {
    let setup = |side: &dyn Subject| {
        let log = open(side, "a")?;
        record(&log, &["1", "2"])?;
        for number in 0..4 {
            log.record(b"filling", &large(number, 15_000)).fine()?;
        }
        Ok(log)
    };
    // The next one begins another file, and the one before is given up.
    let act = |_: &dyn Subject, log: &Log| log.record(b"filling", &large(9, 15_000));
    sweep(subject, setup, act, |after, answer| {
        let filled = |after: &dyn Subject| -> Outcome {
            let log = open(after, "a")?;
            let got = log.get(None, b"filling").fine()?;
            ensure!(answer.is_err() || got == Some(large(9, 15_000)));
            ensure!(got.is_some());
            Ok(())
        };
        filled(&*fork(after))?;
        found_by(after, "a", &["a/1", "a/2", "a/filling"], &[])
    })?;
    let log = setup(subject)?;
    log.record(b"filling", &large(9, 15_000)).fine()?;
    ensure!(!subject.disk().file_names().iter().any(|name| name.ends_with(".0000000000000001")));
    Ok(())
}
