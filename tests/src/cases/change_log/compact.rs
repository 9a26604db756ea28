//! Files of an instance stay small, whatever was recorded and removed.

use super::kit::*;

pub(super) const CASES: &[Case] = &[
    case!(files_stay_small_while_changes_come_and_go, "C26", "C2", "C5"),
    case!(what_stays_outstanding_for_long_is_not_lost_with_old_files, "C26", "C2"),
    case!(what_was_taken_over_stays_so_when_old_files_go, "C26", "C9", "C16"),
    case!(whom_it_took_over_is_remembered_when_old_files_go, "C26", "C12", "C22"),
    case!(a_scan_follows_changes_that_are_written_again, "C27", "C6"),
    case!(a_scan_ends_with_pruned_where_a_change_is_gone, "C27", "C6"),
    case!(files_that_are_all_outstanding_are_kept, "C26", "C2"),
    case!(old_files_that_are_damaged_are_kept, "C21"),
];

fn files_stay_small_while_changes_come_and_go(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    for number in 0..600u64 {
        log.record(&number.to_be_bytes(), &large(number, 2000)).fine()?;
        if let Some(before) = number.checked_sub(3) {
            ensure!(log.remove(None, &before.to_be_bytes()).fine()?);
        }
        let used = subject.disk().used();
        ensure!(used < 400_000, "{used} bytes at {number}");
    }
    same(contents(&log)?.len(), 3)?;
    let log = open(&*power_loss(subject), "a")?;
    let wanted: Vec<_> = (597..600u64).map(|number| large(number, 2000)).collect();
    same(contents(&log)?.into_iter().map(|o| o.change).collect::<Vec<_>>(), wanted)
}

fn what_stays_outstanding_for_long_is_not_lost_with_old_files(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let now = subject.disk().now_ms();
    let old = Change { payload: b"a/old".to_vec(), cleanup_after_ms: Some(now + 5) };
    log.record(b"old", &old).fine()?;
    record(&log, &["older"])?;
    for number in 0..200 {
        log.record(b"k", &large(number, 3000)).fine()?;
    }
    ensure!(!subject.disk().file_names().iter().any(|name| name.ends_with(".0000000000000001")));
    same(log.get(None, b"old").fine()?, Some(old.clone()))?;
    same(scan(&log, false)?.len(), 2)?;
    let log = open(&*power_loss(subject), "a")?;
    same(log.get(None, b"old").fine()?, Some(old))?;
    same(log.get(None, b"older").fine()?, Some(change("a/older")))?;
    same(log.get(None, b"k").fine()?, Some(large(199, 3000)))
}

fn what_was_taken_over_stays_so_when_old_files_go(subject: &dyn Subject) -> Outcome {
    record(&open(subject, "a")?, &["1", "2"])?;
    pause(subject);
    let b = open(subject, "b")?;
    b.recover(STALE).fine()?;
    for number in 0..100 {
        b.record(b"k", &large(number, 3000)).fine()?;
    }
    b.remove(Some("a"), b"1").fine()?;
    for number in 0..100 {
        b.record(b"k", &large(number, 3000)).fine()?;
    }
    b.remove(None, b"k").fine()?;
    holds(&b, &["a/2"])?;
    let after = power_loss(subject);
    holds(&open(&*after, "b")?, &["a/2"])?;
    // A change that comes back under its origin's name is still known to be older.
    let a = open(&*after, "a")?;
    record(&a, &["2"])?;
    holds(&a, &["a/2"])
}

fn whom_it_took_over_is_remembered_when_old_files_go(subject: &dyn Subject) -> Outcome {
    record(&open(subject, "a")?, &["1", "2"])?;
    pause(subject);
    let b = open(subject, "b")?;
    // It takes everything over, and then cannot remove the files.
    subject.disk().inject(Fault::next(Call::Remove).forever());
    refused!(b.recover(STALE), Error::Storage(_));
    subject.disk().clear_faults();
    b.remove(Some("a"), b"1").fine()?;
    for number in 0..200 {
        b.record(b"k", &large(number, 3000)).fine()?;
    }
    b.remove(None, b"k").fine()?;
    ensure!(!subject.disk().file_names().iter().any(|name| name.contains(".00000002.0000000000000001")));
    holds(&look(subject)?, &["a/2"])?;
    drop(b);
    let z = open(subject, "z")?;
    pause(subject);
    sound(z.recover(STALE).fine()?)?;
    holds(&z, &["a/2"])
}

fn a_scan_follows_changes_that_are_written_again(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["1", "2", "3"])?;
    let reader = log.scan(true).fine()?;
    let one = Limits { count: 1, bytes: u32::MAX };
    same(keys(&reader.next(one).fine()?.unwrap_or_default()), vec!["a/1".to_string()])?;
    for number in 0..200 {
        log.record(b"k", &large(number, 3000)).fine()?;
    }
    let rest = reader.next(ALL).fine()?.unwrap_or_default();
    same(rest.iter().map(|o| o.change.clone()).collect::<Vec<_>>(), vec![change("a/2"), change("a/3")])?;
    same(reader.next(ALL).fine()?, None)
}

fn a_scan_ends_with_pruned_where_a_change_is_gone(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["1", "2", "3"])?;
    let reader = log.scan(true).fine()?;
    log.remove(None, b"2").fine()?;
    for number in 0..200 {
        log.record(b"k", &large(number, 3000)).fine()?;
    }
    same(keys(&reader.next(ALL).fine()?.unwrap_or_default()), vec!["a/1".to_string()])?;
    refused!(reader.next(ALL), Error::Pruned(_));
    same(reader.next(ALL).fine()?, None)
}

fn files_that_are_all_outstanding_are_kept(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let mut written = 0;
    for number in 0..100u64 {
        subject.disk().reset_counters();
        log.record(&number.to_be_bytes(), &large(number, 3000)).fine()?;
        written += subject.disk().counters().bytes_written;
    }
    ensure!(written < 400_000, "{written} bytes written for 300,000");
    let after = power_loss(subject);
    let found = contents(&open(&*after, "a")?)?;
    ensure!(
        found.len() == 100 && (0..100).all(|number| found[number as usize].change == large(number, 3000))
    );
    Ok(())
}

fn old_files_that_are_damaged_are_kept(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    log.record(b"old", &large(7, 5000)).fine()?;
    let (file, offset) = find(subject.disk(), &large(7, 5000).payload)?;
    subject.disk().flip_bit(&file, (offset + 99) * 8);
    for number in 0..60 {
        log.record(b"k", &large(number, 3000)).fine()?;
    }
    ensure!(subject.disk().file_names().contains(&file));
    refused!(log.get(None, b"old"), Error::Damaged(_));
    same(log.get(None, b"k").fine()?, Some(large(59, 3000)))?;
    // Once nobody needs it, it goes.
    log.remove(None, b"old").fine()?;
    for number in 0..60 {
        log.record(b"k", &large(number, 3000)).fine()?;
    }
    ensure!(!subject.disk().file_names().contains(&file));
    Ok(())
}
