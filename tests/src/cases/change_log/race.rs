//! Several instances at the same time: what one does happens right before each call that another one makes.

use super::kit::*;
use std::cell::RefCell;
use std::rc::Rc;

pub(super) const CASES: &[Case] = &[
    case!(who_is_claimed_while_recording_is_told_or_heard, "C13", "C14", "C15"),
    case!(who_is_claimed_while_removing_is_told_or_heard, "C13", "C14", "C16"),
    case!(a_refresh_that_raced_a_removal_brings_nothing_back, "C16"),
    case!(who_comes_back_while_it_is_recovered_is_told_or_heard, "C13", "C14", "C15"),
    case!(who_removes_while_it_is_recovered_is_told_or_heard, "C13", "C16"),
    case!(who_beats_while_it_is_recovered_is_told_or_left_alone, "C10", "C13"),
    case!(who_leaves_while_it_is_recovered_leaves_its_changes, "C24", "C14"),
    case!(who_fills_files_while_it_is_recovered_is_not_taken_for_damaged, "C14", "C21"),
    case!(of_two_claimants_one_wins, "C11"),
    case!(a_claimant_that_is_claimed_takes_nothing_with_it, "C12", "C13"),
    case!(two_that_claim_each_other_lose_nothing, "C32", "C11", "C12", "C16"),
    case!(three_that_claim_each_other_in_a_circle_lose_nothing, "C32", "C11", "C12", "C16"),
    case!(looking_while_changes_are_taken_over_shows_each_once, "C28", "C11", "A5"),
    case!(looking_while_changes_go_to_somebody_new_misses_none, "C28"),
    case!(looking_while_a_log_is_made_or_destroyed_finds_no_damage, "C28", "C30", "A5"),
    case!(a_name_that_is_opened_while_it_is_recovered_loses_nothing, "C12", "C17"),
];

/// A storage on which two or three instances, each with a change, are taken for dead.
struct World {
    side: Box<dyn Subject>,
    a: Log,
    b: Log,
    c: Log,
}

fn world(subject: &dyn Subject) -> Result<World, String> {
    let side = fork(subject);
    let [a, b, c] = ["a", "b", "c"].map(|name| open(&*side, name));
    let (a, b, c) = (a?, b?, c?);
    record(&a, &["1", "2"])?;
    record(&b, &["1"])?;
    record(&c, &["1"])?;
    pause(&*side);
    Ok(World { side, a, b, c })
}

impl World {
    /// Everybody dies; somebody new must find these changes, `origin/id`, and may find those.
    fn leaves(self, must: &[&str], may: &[&str]) -> Outcome {
        let World { side, a, b, c } = self;
        side.disk().forget_steps();
        drop((a, b, c));
        let lost = side.on(side.disk().fork().reboot(Crash::LOSE_ALL));
        for after in [side, lost] {
            let seen = keys(&contents(&look(&*after)?)?);
            let z = open(&*after, "z")?;
            sound(z.recover(0).fine()?)?;
            let found = keys(&contents(&z)?);
            same(&seen, &found)?;
            for wanted in must {
                ensure!(found.iter().any(|key| key == wanted), "{wanted} is not in {found:?}");
            }
            for key in &found {
                ensure!(must.contains(&key.as_str()) || may.contains(&key.as_str()), "{key} in {found:?}");
            }
            same(instances(&*after)?, vec![("z".into(), InstanceState::Live)])?;
            let epochs: Vec<_> = after
                .disk()
                .file_names()
                .iter()
                .map(|name| name.split('.').nth(2).map(String::from))
                .collect();
            ensure!(epochs.windows(2).all(|two| two[0] == two[1]), "{epochs:?}");
        }
        Ok(())
    }
}

/// `step` of `who` right before the `call`th call from now on; its outcome, if it got there.
fn meanwhile(side: &dyn Subject, call: u64, who: &Log, step: Step) -> Rc<RefCell<Option<Result<(), Error>>>> {
    let outcome = Rc::new(RefCell::new(None));
    let (note, who) = (outcome.clone(), who.clone());
    side.disk().before_call(call, move || {
        let got = step(&who);
        *note.borrow_mut() = Some(got);
    });
    outcome
}

/// `main` of one instance, and `other` of another one right before each call of it. `check` gets both outcomes.
fn interleaved(
    subject: &dyn Subject,
    main: (fn(&World) -> &Log, Step),
    other: (fn(&World) -> &Log, Step),
    least: u64,
    mut check: impl FnMut(World, Result<(), Error>, Result<(), Error>) -> Outcome,
) -> Outcome {
    for call in 1.. {
        let world = world(subject)?;
        let outcome = meanwhile(&*world.side, call, other.0(&world), other.1);
        let got = main.1(main.0(&world));
        let Some(other) = outcome.take() else {
            world.side.disk().forget_steps();
            return if call > least { Ok(()) } else { Err(format!("only {call} calls")) };
        };
        let words = format!("before call {call}: {other:?}, then {got:?}");
        check(world, got, other).map_err(|what| format!("{words}: {what}"))?;
    }
    Ok(())
}

const A: fn(&World) -> &Log = |world| &world.a;
const B: fn(&World) -> &Log = |world| &world.b;
const C: fn(&World) -> &Log = |world| &world.c;
const RECOVER: Step = |log| log.recover(STALE).map(drop);

fn fine_or_fenced(outcome: &Result<(), Error>) -> Result<bool, String> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Fenced) => Ok(false),
        Err(other) => Err(format!("neither done nor fenced: {other:?}")),
    }
}

fn who_is_claimed_while_recording_is_told_or_heard(subject: &dyn Subject) -> Outcome {
    let record: Step = |log| log.record(b"new", &change("a/new"));
    interleaved(subject, (A, record), (B, RECOVER), 3, |world, recorded, recovered| {
        recovered.fine()?;
        ensure!(!fine_or_fenced(&recorded)?, "it was claimed before its last call");
        refused!(world.a.heartbeat(), Error::Fenced);
        world.leaves(&["a/1", "a/2", "b/1", "c/1"], &["a/new"])
    })
}

fn who_is_claimed_while_removing_is_told_or_heard(subject: &dyn Subject) -> Outcome {
    let remove: Step = |log| log.remove(None, b"2").map(drop);
    interleaved(subject, (A, remove), (B, RECOVER), 3, |world, removed, recovered| {
        recovered.fine()?;
        ensure!(!fine_or_fenced(&removed)?, "it was claimed before its last call");
        world.leaves(&["a/1", "b/1", "c/1"], &["a/2"])
    })
}

fn a_refresh_that_raced_a_removal_brings_nothing_back(subject: &dyn Subject) -> Outcome {
    // Seen elsewhere: whoever is alive refreshes its change while another one, which cleaned up, removes it; and then it
    // is back. Here the one who refreshes is fenced, and what it wrote counts nowhere.
    let refresh: Step = |log| log.record(b"2", &change("a/2"));
    let clean_up: Step = |log| {
        log.recover(STALE)?;
        if log.remove(Some("a"), b"2")? { Ok(()) } else { Err(Error::Other("it was not taken over".into())) }
    };
    interleaved(subject, (A, refresh), (B, clean_up), 3, |world, refreshed, cleaned| {
        cleaned.fine()?;
        ensure!(!fine_or_fenced(&refreshed)?);
        refused!(world.a.record(b"2", &change("a/2")), Error::Fenced);
        same(world.b.get(Some("a"), b"2").fine()?, None)?;
        sound(world.b.recover(0).fine()?)?;
        same(world.b.get(Some("a"), b"2").fine()?, None)?;
        world.leaves(&["a/1", "b/1", "c/1"], &[])
    })
}

fn who_comes_back_while_it_is_recovered_is_told_or_heard(subject: &dyn Subject) -> Outcome {
    let record: Step = |log| log.record(b"new", &change("a/new"));
    let mut acknowledged = 0;
    interleaved(subject, (B, RECOVER), (A, record), 20, |world, recovered, recorded| {
        recovered.fine()?;
        let must: &[&str] = &["a/1", "a/2", "b/1", "c/1", "a/new"];
        let heard = fine_or_fenced(&recorded)?;
        acknowledged += u32::from(heard);
        world.leaves(&must[..if heard { 5 } else { 4 }], &["a/new"])
    })?;
    ensure!(acknowledged > 2, "{acknowledged}");
    Ok(())
}

fn who_removes_while_it_is_recovered_is_told_or_heard(subject: &dyn Subject) -> Outcome {
    let remove: Step = |log| log.remove(None, b"2").map(drop);
    interleaved(subject, (B, RECOVER), (A, remove), 20, |world, recovered, removed| {
        recovered.fine()?;
        let gone = fine_or_fenced(&removed)?;
        world.leaves(&["a/1", "b/1", "c/1"], if gone { &[] } else { &["a/2"] })
    })
}

fn who_beats_while_it_is_recovered_is_told_or_left_alone(subject: &dyn Subject) -> Outcome {
    let beat: Step = |log| log.heartbeat();
    interleaved(subject, (B, RECOVER), (A, beat), 20, |world, recovered, beaten| {
        recovered.fine()?;
        let alive = fine_or_fenced(&beaten)?;
        let now = world.a.record(b"new", &change("a/new"));
        same(fine_or_fenced(&now)?, alive)?;
        let must: &[&str] = &["a/1", "a/2", "b/1", "c/1", "a/new"];
        world.leaves(&must[..if alive { 5 } else { 4 }], &["a/new"])
    })
}

fn who_leaves_while_it_is_recovered_leaves_its_changes(subject: &dyn Subject) -> Outcome {
    let close: Step = |log| log.close().map(drop);
    interleaved(subject, (B, RECOVER), (A, close), 20, |world, recovered, closed| {
        recovered.fine()?;
        fine_or_fenced(&closed)?;
        world.leaves(&["a/1", "a/2", "b/1", "c/1"], &[])
    })?;
    // Without changes it is just gone.
    let leave: Step = |log| {
        for id in [b"1", b"2"] {
            log.remove(None, id)?;
        }
        log.close().map(drop)
    };
    interleaved(subject, (B, RECOVER), (A, leave), 20, |world, recovered, left| {
        recovered.fine()?;
        let gone = fine_or_fenced(&left)?;
        world.leaves(&["b/1", "c/1"], if gone { &[] } else { &["a/1", "a/2"] })
    })
}

fn who_fills_files_while_it_is_recovered_is_not_taken_for_damaged(subject: &dyn Subject) -> Outcome {
    // Whoever comes back may begin new files and give up old ones before it looks at its cell.
    let fill: Step = |log| {
        for number in 0..4 {
            log.record(b"filling", &large(number, 30_000))?;
        }
        Ok(())
    };
    interleaved(subject, (B, RECOVER), (A, fill), 20, |world, recovered, filled| {
        recovered.fine()?;
        let whole = fine_or_fenced(&filled)?;
        let must: &[&str] = &["a/1", "a/2", "b/1", "c/1", "a/filling"];
        world.leaves(&must[..if whole { 5 } else { 4 }], &["a/filling"])
    })
}

fn of_two_claimants_one_wins(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let world = world(subject)?;
        for log in [&world.b, &world.c] {
            log.heartbeat().fine()?;
        }
        let outcome = meanwhile(&*world.side, call, &world.c, RECOVER);
        world.b.recover(STALE).fine()?;
        let Some(other) = outcome.take() else {
            world.side.disk().forget_steps();
            break;
        };
        other.fine()?;
        let (b, c) = (keys(&contents(&world.b)?), keys(&contents(&world.c)?));
        let of_a = |keys: &[String]| keys.iter().filter(|key| key.starts_with("a/")).count();
        ensure!(of_a(&b) + of_a(&c) == 2 && of_a(&b) * of_a(&c) == 0, "before call {call}: {b:?} and {c:?}");
        world.leaves(&["a/1", "a/2", "b/1", "c/1"], &[])?;
    }
    Ok(())
}

fn a_claimant_that_is_claimed_takes_nothing_with_it(subject: &dyn Subject) -> Outcome {
    // Its clock runs so far ahead that to it everybody is dead.
    let ahead: Step = |log| log.recover(0).map(drop);
    let mut fenced = [0, 0];
    interleaved(subject, (B, RECOVER), (C, ahead), 20, |world, one, other| {
        let done = [fine_or_fenced(&one)?, fine_or_fenced(&other)?];
        ensure!(done != [false, false], "each says that the other one is alive");
        for (log, (done, fenced)) in [&world.b, &world.c].iter().zip(done.iter().zip(&mut fenced)) {
            if *done {
                log.recover(0).fine()?;
                holds(log, &["a/1", "a/2", "b/1", "c/1"])?;
                break;
            }
            refused!(log.heartbeat(), Error::Fenced);
            *fenced += 1;
        }
        world.leaves(&["a/1", "a/2", "b/1", "c/1"], &[])
    })?;
    ensure!(fenced[0] > 3, "{fenced:?}");
    Ok(())
}

fn two_that_claim_each_other_lose_nothing(subject: &dyn Subject) -> Outcome {
    // Each clock says that the other one is dead. Whoever takes over cleans up at once.
    let a_cleans: Step = |log| log.recover(0).and_then(|_| log.remove(Some("b"), b"1")).map(drop);
    let b_cleans: Step = |log| log.recover(0).and_then(|_| log.remove(Some("a"), b"1")).map(drop);
    interleaved(subject, (A, a_cleans), (B, b_cleans), 30, |world, one, other| {
        let (a, b) = (fine_or_fenced(&one)?, fine_or_fenced(&other)?);
        ensure!(!(a && b) || world.a.heartbeat().is_err() || world.b.heartbeat().is_err());
        let must: &[&str] = if a || b { &["a/2", "c/1"] } else { &["a/1", "a/2", "b/1", "c/1"] };
        let mut may = vec!["a/1", "b/1"];
        if a {
            may.retain(|key| *key != "b/1");
        }
        if b {
            may.retain(|key| *key != "a/1");
        }
        world.leaves(must, &may)
    })
}

fn three_that_claim_each_other_in_a_circle_lose_nothing(subject: &dyn Subject) -> Outcome {
    // a recovers; in the middle of that b does; and in the middle of that c does: each before every third call.
    let mut most = 0;
    for first in (1..).step_by(3) {
        for second in (1..).step_by(5) {
            let world = world(subject)?;
            let (b, c, disk) = (world.b.clone(), world.c.clone(), world.side.disk().clone());
            let inner = Rc::new(RefCell::new(None));
            let (note, nested) = (inner.clone(), disk.clone());
            disk.before_call(first, move || {
                let got_there = Rc::new(RefCell::new(false));
                let there = got_there.clone();
                nested.before_call(second, move || {
                    *there.borrow_mut() = true;
                    let _ = c.recover(0);
                });
                let _ = b.recover(0);
                nested.forget_steps();
                let reached = *got_there.borrow();
                *note.borrow_mut() = Some(reached);
            });
            let outcome = world.a.recover(0);
            world.side.disk().forget_steps();
            let Some(reached) = inner.take() else {
                return if first > 30 { Ok(()) } else { Err(format!("{first}")) };
            };
            fine_or_fenced(&outcome.map(drop))?;
            let words = format!("{first}, {second}");
            world.leaves(&["a/1", "a/2", "b/1", "c/1"], &[]).map_err(|what| format!("{words}: {what}"))?;
            most = most.max(second);
            if !reached {
                break;
            }
        }
    }
    ensure!(most > 20, "{most}");
    Ok(())
}

fn looking_while_changes_go_to_somebody_new_misses_none(subject: &dyn Subject) -> Outcome {
    // Whoever takes over was not there yet when the cells were listed, and the cells that were listed are gone.
    for call in 1.. {
        let world = world(subject)?;
        let side = world.side.on(world.side.disk().clone());
        world.side.disk().before_call(call, move || {
            let _ = open(&*side, "z").map(|z| z.recover(STALE));
        });
        let seen = look(&*world.side)?;
        if world.side.disk().forget_steps() > 0 {
            return Ok(());
        }
        match scan(&seen, true) {
            Ok(found) => same(keys(&found), ["a/1", "a/2", "b/1", "c/1"].map(String::from).to_vec())
                .map_err(|what| format!("before call {call}: {what}"))?,
            Err(what) => ensure!(what.contains("Pruned"), "before call {call}: {what}"),
        }
    }
    Ok(())
}

fn looking_while_a_log_is_made_or_destroyed_finds_no_damage(subject: &dyn Subject) -> Outcome {
    let looked = |side: &dyn Subject, fewest: usize| {
        match side.open_change_log(LOG, &options(Mode::ReadOnly)) {
            Ok(log) => match scan(&Log::from(log), true) {
                Ok(found) => ensure!(found.len() >= fewest, "{:?}", keys(&found)),
                Err(what) => ensure!(what.contains("Pruned") || what.contains("NotFound"), "{what}"),
            },
            Err(Error::NotFound) => {}
            Err(error) => return Err(format!("{error:?}")),
        }
        match side.verify(LOG) {
            Ok(found) => same(found, vec![]),
            Err(Error::NotFound) => Ok(()),
            Err(error) => Err(format!("verify: {error:?}")),
        }
    };
    for call in 1.. {
        let side = fork(subject);
        let other = side.on(side.disk().clone());
        side.disk().before_call(call, move || drop(open(&*other, "a").map(|a| record(&a, &["1"]))));
        looked(&*side, 0).map_err(|what| format!("made before call {call}: {what}"))?;
        if side.disk().forget_steps() > 0 {
            break;
        }
    }
    for call in 1.. {
        let side = fork(subject);
        record(&open(&*side, "a")?, &["1"])?;
        let other = side.on(side.disk().clone());
        side.disk().before_call(call, move || {
            let _ = other.destroy_change_log(LOG);
            // Its cells have the names of those before.
            drop(open(&*other, "a").map(|a| record(&a, &["1"])));
        });
        looked(&*side, 1).map_err(|what| format!("made anew before call {call}: {what}"))?;
        if side.disk().forget_steps() > 0 {
            break;
        }
    }
    for call in 1.. {
        let side = fork(subject);
        record(&open(&*side, "a")?, &["1"])?;
        die_at(side.disk(), call, Point::After);
        let _ = side.destroy_change_log(LOG);
        let reached = died(side.disk());
        looked(&*side, 1).map_err(|what| format!("destroyed up to call {call}: {what}"))?;
        if !reached {
            break;
        }
    }
    Ok(())
}

fn looking_while_changes_are_taken_over_shows_each_once(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let world = world(subject)?;
        let side: Rc<dyn Subject> = Rc::from(world.side.on(world.side.disk().clone()));
        let seen = Rc::new(RefCell::new(None));
        let note = seen.clone();
        world.side.disk().before_call(call, move || {
            *note.borrow_mut() = Some(look(&*side).and_then(|log| contents(&log)));
        });
        sound(world.b.recover(STALE).fine()?)?;
        let Some(seen) = seen.take() else { break };
        same(keys(&seen?), ["a/1", "a/2", "b/1", "c/1"].map(String::from).to_vec())?;
    }
    // And the other way round: they are taken over right before each call of the one that looks.
    for call in 1.. {
        let world = world(subject)?;
        let outcome = meanwhile(&*world.side, call, &world.b, RECOVER);
        let seen = look(&*world.side)?;
        let Some(outcome) = outcome.take() else {
            world.side.disk().forget_steps();
            break;
        };
        outcome.fine()?;
        let found = scan(&seen, true);
        // What is taken over after the look began may be gone when it is read: that is said.
        match found {
            Ok(found) => same(keys(&found), ["a/1", "a/2", "b/1", "c/1"].map(String::from).to_vec())?,
            Err(what) => ensure!(what.contains("Pruned"), "before call {call}: {what}"),
        }
    }
    Ok(())
}

fn a_name_that_is_opened_while_it_is_recovered_loses_nothing(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let world = world(subject)?;
        let World { side, a, b, c } = world;
        drop(a);
        let again: Rc<dyn Subject> = Rc::from(side.on(side.disk().clone()));
        let opened = Rc::new(RefCell::new(None));
        let note = opened.clone();
        side.disk().before_call(call, move || {
            *note.borrow_mut() = Some(open(&*again, "a"));
        });
        b.recover(STALE).fine()?;
        let Some(opened) = opened.take() else {
            side.disk().forget_steps();
            break;
        };
        // While leftovers are swept nobody opens; on a real storage it waits for that.
        let a = match opened {
            Ok(a) => {
                record(&a, &["new"])?;
                a
            }
            Err(what) => {
                ensure!(what.contains("Locked"), "before call {call}: {what}");
                let a = open(&*side, "a")?;
                record(&a, &["new"])?;
                a
            }
        };
        let held: Vec<String> = [&a, &b]
            .map(|log| contents(log).map(|found| keys(&found)))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        for key in ["a/1", "a/2"] {
            same(held.iter().filter(|held| *held == key).count(), 1)?;
        }
        World { side, a, b, c }.leaves(&["a/1", "a/2", "a/new", "b/1", "c/1"], &[])?;
    }
    Ok(())
}
