//! What seldom happens to a change log: circles of the dead, changes larger than a copy, logs made anew without end.

use super::kit::*;
use std::cell::Cell;
use std::rc::Rc;

pub(super) const CASES: &[Case] = &[
    case!(two_that_claim_each_other_and_die_lose_nothing, "C32", "C12"),
    case!(a_change_larger_than_a_copy_comes_over, "C9", "C25"),
    case!(looking_shows_the_later_use_of_a_name, "C33", "C28"),
    case!(looking_beside_a_kept_instance_shows_each_change_once, "C28", "C29", "C21"),
    case!(files_of_another_log_are_not_touched, "C22", "G15.5"),
    case!(the_token_that_a_refusal_names_is_accepted, "C31"),
    case!(looking_at_a_log_that_is_made_anew_without_end_ends, "C28", "A5"),
    case!(looking_while_files_go_is_no_error, "C28", "C19", "A5"),
];

fn two_that_claim_each_other_and_die_lose_nothing(subject: &dyn Subject) -> Outcome {
    // Each clock says that the other one is dead. In the middle of what a does b claims it and dies; then a claims b, and
    // dies too, or hears that it is dead.
    let (mut circles, mut fenced) = (0, 0);
    for first in 1.. {
        let mut reached = false;
        for dies in 0..6 {
            let side = fork(subject);
            let (a, b) = (open(&*side, "a")?, open(&*side, "b")?);
            record(&a, &["1", "2"])?;
            record(&b, &["1"])?;
            pause(&*side);
            let (disk, note) = (side.disk().clone(), Rc::new(Cell::new(false)));
            let came = note.clone();
            side.disk().before_call(first, move || {
                came.set(true);
                // Behind its own heartbeat.
                disk.inject(Fault::next(Call::SwapCell).when(Point::After).after(1));
                let _ = b.recover(0);
                disk.clear_faults();
                if dies > 0 {
                    die_at(&disk, dies, Point::After);
                }
            });
            let outcome = a.recover(0);
            side.disk().forget_steps();
            side.disk().clear_faults();
            if !note.get() {
                break;
            }
            reached = true;
            fenced += u32::from(matches!(outcome, Err(Error::Fenced)));
            let infos = side.change_log_instances(LOG).fine()?;
            let claimed = |who: &str, by: &str| {
                infos.iter().any(|info| info.instance == who && info.claimed_by.as_deref() == Some(by))
            };
            circles += u32::from(claimed("a", "b") && claimed("b", "a"));
            drop(a);
            for after in [side.on(side.disk().fork()), power_loss(&*side)] {
                let z = open(&*after, "z")?;
                sound(z.recover(0).fine()?)?;
                holds(&z, &["a/1", "a/2", "b/1"]).map_err(|what| format!("{first}, {dies}: {what}"))?;
                same(instances(&*after)?, vec![("z".into(), InstanceState::Live)])?;
            }
        }
        if !reached {
            break;
        }
    }
    ensure!(circles > 3 && fenced > 3, "{circles} circles, {fenced} were fenced");
    Ok(())
}

fn a_change_larger_than_a_copy_comes_over(subject: &dyn Subject) -> Outcome {
    // Changes are copied in frames of 4 MiB, or of one change.
    let sizes = [5 << 20, 100, 6 << 20, 3 << 20, 3 << 20];
    let ids = [b"1", b"2", b"3", b"4", b"5"];
    let a = open_with(subject, Options { segment_bytes: Some(16 << 20), ..named(Mode::Create, "a") })?;
    for (number, (id, size)) in (0..).zip(ids.iter().zip(sizes)) {
        a.record(*id, &large(number, size)).fine()?;
    }
    drop(a);
    pause(subject);
    let b = open(subject, "b")?;
    same(sound(b.recover(STALE).fine()?)?, vec![("a".into(), 5)])?;
    let after = power_loss(subject);
    let b = open(&*after, "b")?;
    for (number, (id, size)) in (0..).zip(ids.iter().zip(sizes)) {
        ensure!(b.get(Some("a"), *id).fine()? == Some(large(number, size)), "change {number}");
    }
    Ok(())
}

fn looking_shows_the_later_use_of_a_name(subject: &dyn Subject) -> Outcome {
    // Others hold what an earlier use of the name had; the later one is seen first, or last.
    for other in ["b", "0"] {
        let side = fork(subject);
        let first = open(&*side, "a")?;
        first.record(b"k", &change("first")).fine()?;
        record(&first, &["1"])?;
        drop(first);
        pause(&*side);
        same(open(&*side, other)?.recover(STALE).fine()?.len(), 1)?;
        let second = open(&*side, "a")?;
        second.record(b"k", &change("second")).fine()?;
        let seen = look(&*side)?;
        same(seen.get(Some("a"), b"k").fine()?, Some(change("second")))?;
        same(keys(&contents(&seen)?), vec!["a/1".into(), "a/k".into()])?;
    }
    Ok(())
}

fn looking_beside_a_kept_instance_shows_each_change_once(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    for id in ["1", "2", "3"] {
        a.record(id.as_bytes(), &change(&format!("a/{id}"))).fine()?;
    }
    drop(a);
    pause(subject);
    let (file, offset) = find(subject.disk(), b"a/2")?;
    subject.disk().flip_bit(&file, (offset + 1) * 8);
    let log = open(subject, "z")?;
    same(log.recover(STALE).fine()?.len(), 1)?;
    log.remove(Some("a"), b"1").fine()?;
    // Its files still hold what was removed since.
    ensure!(subject.disk().file_names().contains(&file));
    let seen = look(subject)?;
    let reader = seen.scan(true).fine()?;
    same(damage(reader.next(ALL))?.file, file)?;
    same(keys(&reader.next(ALL).fine()?.unwrap_or_default()), vec!["a/3".to_string()])?;
    same(reader.next(ALL).fine()?, None)?;
    same(subject.info(LOG).fine()?.damage.len(), 1)?;
    // Nor do they show again once nobody is there any more who took them over.
    let gone = fork(subject);
    let z = open(&*gone, "z")?;
    ensure!(z.remove(Some("a"), b"3").fine()?);
    z.close().fine()?;
    same(instances(&*gone)?, vec![("a".into(), InstanceState::Damaged)])?;
    let seen = look(&*gone)?;
    let reader = seen.scan(true).fine()?;
    refused!(reader.next(ALL), Error::Damaged(_));
    same(reader.next(ALL).fine()?, None)?;
    log.discard("a").fine()?;
    holds(&look(subject)?, &["a/3"])?;
    same(subject.info(LOG).fine()?.damage.len(), 0)
}

fn files_of_another_log_are_not_touched(subject: &dyn Subject) -> Outcome {
    // They bear the name and epochs of this log, and the identity of another one.
    record(&open(subject, "a")?, &["1"])?;
    let files = subject.disk().file_names();
    let foreign: Vec<String> = files
        .iter()
        .map(|file| {
            let parts: Vec<&str> = file.split('.').collect();
            format!("{LOG}.{}.{}.{}", "0".repeat(32), parts[2], parts[3])
        })
        .collect();
    foreign.iter().for_each(|file| subject.disk().put_file(file, 512));
    pause(subject);
    let b = open(subject, "b")?;
    same(sound(b.recover(STALE).fine()?)?, vec![("a".into(), 1)])?;
    let left = subject.disk().file_names();
    ensure!(foreign.iter().all(|file| left.contains(file)), "{left:?}");
    ensure!(files.iter().all(|file| !left.contains(file)), "{left:?}");
    holds(&b, &["a/1"])
}

fn the_token_that_a_refusal_names_is_accepted(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["1"])?;
    let later = fork(subject);
    let token = open(&*later, "b")?.close().fine()?;
    let expecting = |expect| Options { expect: Some(expect), ..options(Mode::ReadOnly) };
    let last = match subject.open_change_log(LOG, &expecting(token)) {
        Err(Error::RolledBack(last)) => last,
        other => return Err(format!("{:?}", other.map(|_| "opened"))),
    };
    // It names the log and its last epoch, whose files are still growing.
    same((last.log, last.frame, last.check), (token.log, token.frame - 1, 0))?;
    record(&log, &["2"])?;
    holds(&open_with(subject, expecting(last))?, &["a/1", "a/2"])
}

/// Before the call number `first` from now on, and before every `every`th one after it, the log is made anew; not more
/// often than `most`. Counts how often.
fn made_anew(side: &dyn Subject, first: u64, every: u64, most: u32) -> Rc<Cell<u32>> {
    fn step(side: Box<dyn Subject>, call: u64, every: u64, left: u32, count: Rc<Cell<u32>>) {
        let disk = side.disk().clone();
        disk.before_call(call, move || {
            let _ = side.destroy_change_log(LOG);
            drop(open(&*side, "a").map(|a| record(&a, &["1"])));
            count.set(count.get() + 1);
            if left > 1 {
                step(side, every, every, left - 1, count);
            }
        });
    }
    let count = Rc::new(Cell::new(0));
    step(side.on(side.disk().clone()), first, every, most, count.clone());
    count
}

/// A way to look at a log.
type Look = fn(&dyn Subject) -> Result<(), Error>;

fn looking_at_a_log_that_is_made_anew_without_end_ends(subject: &dyn Subject) -> Outcome {
    let looks: [(&str, Look); 3] = [
        ("info", |side| side.info(LOG).map(drop)),
        ("open", |side| side.open_change_log(LOG, &options(Mode::ReadOnly)).map(drop)),
        ("verify", |side| match side.verify(LOG)? {
            damage if damage.is_empty() => Ok(()),
            damage => Err(Error::Other(format!("{damage:?}"))),
        }),
    ];
    for (what, look) in looks {
        let mut gave_up = 0;
        let quiet = fork(subject);
        record(&open(&*quiet, "a")?, &["1"])?;
        let before = quiet.disk().calls_made().len();
        look(&*quiet).fine()?;
        let made = quiet.disk().calls_made().split_off(before);
        let calls = made.len() as u64;
        // About as many calls as one look takes: all of them, or up to the last list of files.
        let listed = made.iter().rposition(|call| *call == Call::List).map_or(calls, |at| at as u64 + 1);
        for every in [calls - 1, calls, listed - 1, listed, listed + 1] {
            for first in 1..=calls {
                let side = fork(subject);
                record(&open(&*side, "a")?, &["1"])?;
                let count = made_anew(&*side, first, every, 60);
                let outcome = look(&*side);
                side.disk().forget_steps();
                // Whoever looks again and again would see the end of it.
                ensure!(count.get() < 60, "{what} made anew {} times", count.get());
                match outcome {
                    Ok(()) | Err(Error::NotFound) => {}
                    Err(Error::Storage(words)) if words.contains("again and again") => gave_up += 1,
                    Err(Error::Storage(words)) if words.contains("came and went") => {}
                    other => return Err(format!("{what}, first {first}, every {every}: {other:?}")),
                }
            }
        }
        ensure!(gave_up > 0, "{what} never gave up");
    }
    Ok(())
}

/// A log of which `a` is dead. Its files were taken over, and one of the four is gone already, because `b` died
/// while it removed them; or they have no cell and hold nothing that is outstanding.
fn going(subject: &dyn Subject, claimed: bool) -> Result<Box<dyn Subject>, String> {
    let side = fork(subject);
    let a = open(&*side, "a")?;
    for id in 0..4u8 {
        a.record(&[id], &large(id.into(), 33_000)).fine()?;
    }
    for id in 0..4u8 {
        ensure!(claimed || a.remove(None, &[id]).fine()?);
    }
    drop(a);
    let cell = side.disk().cell_names().into_iter().find(|name| name.contains(".a.")).ok_or("no cell")?;
    if !claimed {
        side.disk().remove_cell(&cell);
    }
    pause(&*side);
    if !claimed {
        return Ok(side);
    }
    let b = open(&*side, "b")?;
    side.disk().inject(Fault::next(Call::Remove).after(1).forever());
    ensure!(b.recover(STALE).is_err());
    side.disk().clear_faults();
    drop(b);
    pause(&*side);
    Ok(side)
}

fn looking_while_files_go_is_no_error(subject: &dyn Subject) -> Outcome {
    let looks: [(&str, Look); 3] = [
        ("info", |side| side.info(LOG).map(drop)),
        ("open", |side| side.open_change_log(LOG, &options(Mode::ReadOnly)).map(drop)),
        ("verify", |side| match side.verify(LOG)? {
            damage if damage.is_empty() => Ok(()),
            damage => Err(Error::Other(format!("{damage:?}"))),
        }),
    ];
    // The others go too, all of them or some.
    for (claimed, more) in [(true, 9), (true, 1), (false, 9)] {
        let start = going(subject, claimed)?;
        for (what, look) in looks {
            for call in 1.. {
                let side = fork(&*start);
                let (c, disk) = (open(&*side, "c")?, side.disk().clone());
                side.disk().before_call(call, move || {
                    disk.inject(Fault::next(Call::Remove).after(more).forever());
                    let _ = c.recover(STALE);
                    disk.clear_faults();
                });
                let outcome = look(&*side);
                let reached = side.disk().forget_steps() == 0;
                outcome.map_err(|error| {
                    format!("{what}, claimed {claimed}, {more} more before call {call}: {error:?}")
                })?;
                if !reached {
                    ensure!(call > 10, "{call}");
                    break;
                }
            }
        }
    }
    Ok(())
}
