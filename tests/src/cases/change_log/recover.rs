//! Declaring instances dead and taking over what they left.

use super::kit::*;

pub(super) const CASES: &[Case] = &[
    case!(what_a_stale_instance_left_shows_under_its_origin, "C9"),
    case!(who_beats_in_time_is_left_alone, "C10"),
    case!(equal_ids_of_two_instances_do_not_meet, "C8"),
    case!(what_was_taken_over_can_be_removed_and_does_not_return, "C8", "C16"),
    case!(what_was_taken_over_is_taken_over_again, "C9", "C12"),
    case!(a_fenced_instance_can_do_nothing_more, "C13"),
    case!(what_a_fenced_instance_acknowledged_is_found, "C13", "C14"),
    case!(a_fenced_instance_can_be_opened_again, "C13", "C17"),
    case!(a_heartbeat_from_the_future_is_stale, "C20"),
    case!(a_clock_that_jumps_costs_work_and_no_change, "C20"),
    case!(nothing_is_left_of_who_was_recovered, "C22"),
    case!(files_without_a_cell_are_swept, "C19"),
    case!(files_of_an_instance_that_opens_are_not_swept, "C19"),
    case!(recovering_twice_finds_nothing_more, "C9", "C11"),
    case!(an_instance_with_claims_to_finish_leaves_its_cell, "C12", "C22"),
    case!(many_changes_come_over, "C9"),
    case!(many_instances_come_over, "C9"),
];

fn what_a_stale_instance_left_shows_under_its_origin(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    record(&a, &["1", "2"])?;
    drop(a);
    let b = open(subject, "b")?;
    record(&b, &["1"])?;
    pass(subject, STALE - 1);
    same(b.recover(STALE).fine()?, vec![])?;
    holds(&b, &["b/1"])?;
    pass(subject, 1);
    same(sound(b.recover(STALE).fine()?)?, vec![("a".into(), 2)])?;
    holds(&b, &["a/1", "a/2", "b/1"])?;
    // It was durable before the files of the other one went.
    holds(&open(&*power_loss(subject), "b")?, &["a/1", "a/2", "b/1"])
}

fn who_beats_in_time_is_left_alone(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    let b = open(subject, "b")?;
    record(&a, &["1"])?;
    for _ in 0..6 {
        pass(subject, STALE / 2);
        a.heartbeat().fine()?;
        same(b.recover(STALE).fine()?, vec![])?;
        record(&a, &["1"])?;
    }
    holds(&a, &["a/1"])?;
    holds(&b, &[])
}

fn equal_ids_of_two_instances_do_not_meet(subject: &dyn Subject) -> Outcome {
    for name in ["a", "b", "c"] {
        record(&open(subject, name)?, &["k"])?;
    }
    pause(subject);
    let z = open(subject, "z")?;
    record(&z, &["k"])?;
    same(z.recover(STALE).fine()?.len(), 3)?;
    holds(&z, &["a/k", "b/k", "c/k", "z/k"])?;
    ensure!(z.remove(Some("b"), b"k").fine()?);
    ensure!(!z.remove(Some("b"), b"k").fine()?);
    ensure!(z.remove(None, b"k").fine()?);
    holds(&z, &["a/k", "c/k"])
}

fn what_was_taken_over_can_be_removed_and_does_not_return(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    record(&a, &["1", "2", "3"])?;
    pause(subject);
    let b = open(subject, "b")?;
    b.recover(STALE).fine()?;
    ensure!(b.remove(Some("a"), b"2").fine()?);
    b.recover(0).fine()?;
    holds(&b, &["a/1", "a/3"])?;
    let after = power_loss(subject);
    let b = open(&*after, "b")?;
    holds(&b, &["a/1", "a/3"])?;
    pause(&*after);
    let c = open(&*after, "c")?;
    c.recover(STALE).fine()?;
    holds(&c, &["a/1", "a/3"])
}

fn what_was_taken_over_is_taken_over_again(subject: &dyn Subject) -> Outcome {
    record(&open(subject, "n0")?, &["k"])?;
    let mut wanted = vec!["n0/k".to_string()];
    for next in 1..6 {
        pause(subject);
        let name = format!("n{next}");
        let log = open(subject, &name)?;
        record(&log, &["k"])?;
        wanted.push(format!("{name}/k"));
        same(sound(log.recover(STALE).fine()?)?, vec![(format!("n{}", next - 1), next)])?;
        holds(&log, &wanted.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    same(instances(subject)?.len(), 1)
}

/// Instance `a` holds one change and is taken for dead by `b`, which has recovered it.
fn fenced(subject: &dyn Subject) -> Result<(Log, Log), String> {
    let a = open(subject, "a")?;
    record(&a, &["1"])?;
    pause(subject);
    let b = open(subject, "b")?;
    same(sound(b.recover(STALE).fine()?)?, vec![("a".into(), 1)])?;
    Ok((a, b))
}

fn a_fenced_instance_can_do_nothing_more(subject: &dyn Subject) -> Outcome {
    let firsts: [Step; 5] = [
        |log| log.record(b"2", &change("a/2")),
        |log| log.remove(None, b"1").map(drop),
        |log| log.remove(None, b"not there").map(drop),
        |log| log.heartbeat(),
        |log| log.recover(0).map(drop),
    ];
    for first in firsts {
        let side = fork(subject);
        let (a, b) = fenced(&*side)?;
        let reader = a.scan(true).fine()?;
        refused!(first(&a), Error::Fenced);
        refused!(a.record(b"1", &change("x")), Error::Fenced);
        refused!(a.remove(None, b"1"), Error::Fenced);
        refused!(a.heartbeat(), Error::Fenced);
        refused!(a.recover(0), Error::Fenced);
        refused!(a.discard("a"), Error::Fenced);
        refused!(a.get(None, b"1"), Error::Fenced);
        refused!(a.scan(true), Error::Fenced);
        refused!(reader.next(ALL), Error::Fenced);
        refused!(a.close(), Error::Fenced);
        holds(&b, &["a/1"])?;
        same(b.recover(0).fine()?, vec![])?;
        holds(&b, &["a/1"])?;
    }
    let (a, b) = fenced(subject)?;
    refused!(a.close(), Error::Fenced);
    refused!(a.record(b"1", &change("x")), Error::Closed);
    refused!(a.close(), Error::Closed);
    holds(&b, &["a/1"])
}

fn what_a_fenced_instance_acknowledged_is_found(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    pause(subject);
    let b = open(subject, "b")?;
    // It pauses past its deadline, but nobody has noticed yet: what it does is good.
    record(&a, &["1", "2"])?;
    a.remove(None, b"1").fine()?;
    pause(subject);
    b.recover(STALE).fine()?;
    holds(&b, &["a/2"])?;
    refused!(a.record(b"3", &change("a/3")), Error::Fenced);
    holds(&b, &["a/2"])
}

fn a_fenced_instance_can_be_opened_again(subject: &dyn Subject) -> Outcome {
    let (a, b) = fenced(subject)?;
    refused!(a.heartbeat(), Error::Fenced);
    // The old handle is still there: what it had is not locked any more.
    let again = open(subject, "a")?;
    record(&again, &["2"])?;
    holds(&again, &["a/2"])?;
    holds(&b, &["a/1"])?;
    refused!(a.heartbeat(), Error::Fenced);
    same(b.recover(STALE).fine()?, vec![])
}

fn a_heartbeat_from_the_future_is_stale(subject: &dyn Subject) -> Outcome {
    let now = subject.disk().now_ms();
    subject.disk().set_now_ms(now + STALE);
    record(&open(subject, "a")?, &["1"])?;
    subject.disk().set_now_ms(now + 1);
    let b = open(subject, "b")?;
    same(b.recover(STALE).fine()?, vec![])?;
    subject.disk().set_now_ms(now);
    b.heartbeat().fine()?;
    same(sound(b.recover(STALE).fine()?)?, vec![("a".into(), 1)])?;
    holds(&b, &["a/1"])
}

fn a_clock_that_jumps_costs_work_and_no_change(subject: &dyn Subject) -> Outcome {
    let mut logs = [("a", open(subject, "a")?), ("b", open(subject, "b")?)];
    let now = subject.disk().now_ms();
    for (round, clock) in [0, u64::MAX, now, 5, now + 1, u64::MAX / 2, now + 2].into_iter().enumerate() {
        subject.disk().set_now_ms(clock);
        for (name, log) in &mut logs {
            let id = round.to_string();
            if log.record(id.as_bytes(), &change(&format!("{name}/{id}"))) == Err(Error::Fenced) {
                *log = open(subject, name)?;
                record(log, &[&id])?;
            }
            if log.recover(STALE) == Err(Error::Fenced) {
                *log = open(subject, name)?;
            }
        }
    }
    let all: Vec<String> = keys(&contents(&look(subject)?)?);
    for round in 0..7 {
        for name in ["a", "b"] {
            let wanted = format!("{name}/{round}");
            ensure!(all.contains(&wanted), "{wanted} is not in {all:?}");
        }
    }
    Ok(())
}

fn nothing_is_left_of_who_was_recovered(subject: &dyn Subject) -> Outcome {
    let (_, b) = fenced(subject)?;
    same(instances(subject)?, vec![("b".into(), InstanceState::Live)])?;
    let left: Vec<String> = subject.disk().file_names();
    ensure!(left.iter().all(|name| name.contains(".00000002.")), "{left:?}");
    b.remove(Some("a"), b"1").fine()?;
    b.close().fine()?;
    same(subject.disk().file_names(), vec![])
}

/// A file of this epoch of the log, as an instance that died while opening leaves it.
fn leftover(subject: &dyn Subject, epoch: u64) -> Result<String, String> {
    let names = subject.disk().file_names();
    let id = names.first().and_then(|name| name.split('.').nth(1)).ok_or("no file")?.to_string();
    let name = format!("{LOG}.{id}.{epoch:08x}.0000000000000001");
    subject.disk().put_file(&name, 4096);
    Ok(name)
}

fn files_without_a_cell_are_swept(subject: &dyn Subject) -> Outcome {
    drop(open(subject, "gone")?);
    let a = open(subject, "a")?;
    record(&a, &["1"])?;
    let cell =
        subject.disk().cell_names().into_iter().find(|name| name.contains(".gone.")).ok_or("no cell")?;
    subject.disk().remove_cell(&cell);
    // An epoch that the root does not know yet is not a leftover, but damage.
    let later = leftover(subject, 7)?;
    same(subject.disk().file_names().len(), 3)?;
    same(a.recover(u64::MAX).fine()?, vec![])?;
    same(subject.disk().file_names().len(), 2)?;
    ensure!(subject.disk().file_names().contains(&later));
    holds(&a, &["a/1"])
}

fn files_of_an_instance_that_opens_are_not_swept(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let side = fork(subject);
        let b = open(&*side, "b")?;
        let sweeper = b.clone();
        side.disk().before_call(call, move || {
            let _ = sweeper.recover(u64::MAX);
        });
        let a = open(&*side, "a")?;
        let reached = side.disk().forget_steps() == 0;
        record(&a, &["1"])?;
        let after = power_loss(&*side);
        holds(&open(&*after, "a")?, &["a/1"])?;
        if !reached {
            ensure!(call > 10, "{call}");
            break;
        }
    }
    Ok(())
}

fn recovering_twice_finds_nothing_more(subject: &dyn Subject) -> Outcome {
    let (_, b) = fenced(subject)?;
    let before = subject.disk().image();
    for stale_after in [STALE, 0, u64::MAX] {
        same(b.recover(stale_after).fine()?, vec![])?;
        ensure!(subject.disk().image() == before);
    }
    holds(&b, &["a/1"])
}

fn an_instance_with_claims_to_finish_leaves_its_cell(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    drop(a);
    pause(subject);
    let b = open(subject, "b")?;
    // It claims, and then cannot read.
    subject.disk().inject(Fault::next(Call::Read).forever());
    refused!(b.recover(STALE), Error::Storage(_));
    subject.disk().clear_faults();
    same(instances(subject)?[0].clone(), ("a".into(), InstanceState::Claimed))?;
    // Nothing is outstanding, but whoever finds the claim must find the claimer.
    b.close().fine()?;
    same(
        instances(subject)?,
        vec![("a".into(), InstanceState::Claimed), ("b".into(), InstanceState::Closed)],
    )?;
    let c = open(subject, "c")?;
    same(sound(c.recover(u64::MAX).fine()?)?.len(), 2)?;
    same(instances(subject)?, vec![("c".into(), InstanceState::Live)])
}

fn many_changes_come_over(subject: &dyn Subject) -> Outcome {
    let a = open_with(subject, Options { segment_bytes: Some(1 << 20), ..named(Mode::Create, "a") })?;
    // More than one frame holds: nothing counts before all of it is there.
    for number in 0..40 {
        a.record(&[number], &large(number.into(), 200_000)).fine()?;
    }
    for number in 0..40 {
        if number % 3 == 0 {
            a.remove(None, &[number]).fine()?;
        }
    }
    pause(subject);
    let b = open(subject, "b")?;
    same(sound(b.recover(STALE).fine()?)?, vec![("a".into(), 26)])?;
    drop(a);
    let after = power_loss(subject);
    let b = open(&*after, "b")?;
    let found = contents(&b)?;
    let wanted: Vec<u8> = (0..40).filter(|number| number % 3 != 0).collect();
    same(found.iter().flat_map(|o| o.id.clone()).collect::<Vec<u8>>(), wanted.clone())?;
    for (found, number) in found.iter().zip(wanted) {
        ensure!(found.change == large(number.into(), 200_000), "{number}");
    }
    Ok(())
}

fn many_instances_come_over(subject: &dyn Subject) -> Outcome {
    for number in 0..50 {
        record(&open(subject, &format!("n{number:02}"))?, &["1", "2"])?;
    }
    pause(subject);
    let z = open(subject, "z")?;
    let recovered = sound(z.recover(STALE).fine()?)?;
    same(recovered, (0..50).map(|number| (format!("n{number:02}"), 2)).collect())?;
    same(contents(&z)?.len(), 100)?;
    same(instances(subject)?.len(), 1)
}
