//! One instance: recording, removing, getting, scanning.

use super::kit::*;
use annals_logs::error::Limit;

pub(super) const CASES: &[Case] = &[
    case!(a_recorded_change_is_durable_when_record_returns, "C2", "C15"),
    case!(a_removed_change_is_gone_for_good_when_remove_returns, "C5", "C16"),
    case!(recording_the_same_id_again_replaces_the_change_and_its_deadline, "C3"),
    case!(get_returns_what_is_outstanding_and_nothing_else, "C4"),
    case!(removing_twice_says_that_it_was_not_there, "C5"),
    case!(a_removed_id_can_be_recorded_again, "C3", "C5"),
    case!(payloads_and_ids_come_back_byte_for_byte, "C25"),
    case!(scans_hide_changes_whose_time_has_not_come, "C6", "C7"),
    case!(a_deadline_that_was_changed_counts, "C3", "C7"),
    case!(scans_are_in_the_order_of_origin_and_id, "C27", "C6"),
    case!(a_scan_shows_what_was_outstanding_when_it_began, "C27", "C6"),
    case!(a_scan_is_limited_and_gives_at_least_one, "C6"),
    case!(ids_and_payloads_above_their_maximum_are_refused, "X1", "C25"),
    case!(nothing_but_cells_and_syncs_tells_that_a_change_was_recorded, "C2", "C15"),
    case!(a_heartbeat_touches_no_change, "C16"),
    case!(recording_shows_that_the_holder_is_alive, "C10"),
];

fn a_recorded_change_is_durable_when_record_returns(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let mut wanted = Vec::new();
    for id in ["k1", "k2", "k3"] {
        record(&log, &[id])?;
        wanted.push(format!("a/{id}"));
        let after = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        holds(&look(&*after)?, &wanted)?;
        holds(&open(&*after, "a")?, &wanted)?;
    }
    Ok(())
}

fn a_removed_change_is_gone_for_good_when_remove_returns(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k1", "k2", "k3"])?;
    ensure!(log.remove(None, b"k2").fine()?);
    let after = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&open(&*after, "a")?, &["a/k1", "a/k3"])?;
    ensure!(log.remove(Some("a"), b"k1").fine()?, "the own name is as good as none");
    ensure!(log.remove(None, b"k3").fine()?);
    holds(&open(&*power_loss(subject), "a")?, &[])
}

fn recording_the_same_id_again_replaces_the_change_and_its_deadline(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let now = subject.disk().now_ms();
    log.record(b"k", &change("one")).fine()?;
    let two = Change { payload: b"two".to_vec(), cleanup_after_ms: Some(now + 10) };
    log.record(b"k", &two).fine()?;
    same(log.get(None, b"k").fine()?, Some(two.clone()))?;
    same(contents(&log)?.len(), 1)?;
    let log = open(&*power_loss(subject), "a")?;
    same(log.get(None, b"k").fine()?, Some(two))
}

fn get_returns_what_is_outstanding_and_nothing_else(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    same(log.get(None, b"k").fine()?, Some(change("a/k")))?;
    same(log.get(Some("a"), b"k").fine()?, Some(change("a/k")))?;
    for (origin, id) in [(None, "K"), (None, ""), (None, "kk"), (Some("b"), "k"), (Some("ab"), "k")] {
        same(log.get(origin, id.as_bytes()).fine()?, None)?;
    }
    refused!(log.get(Some("no name"), b"k"), Error::InvalidArgument(_));
    refused!(log.get(Some(""), b"k"), Error::InvalidArgument(_));
    log.remove(None, b"k").fine()?;
    same(log.get(None, b"k").fine()?, None)
}

fn removing_twice_says_that_it_was_not_there(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    ensure!(!log.remove(None, b"k").fine()?);
    record(&log, &["k"])?;
    let before = subject.disk().hash();
    ensure!(!log.remove(Some("b"), b"k").fine()?);
    same(subject.disk().hash(), before)?;
    ensure!(log.remove(None, b"k").fine()?);
    ensure!(!log.remove(None, b"k").fine()?);
    holds(&log, &[])
}

fn a_removed_id_can_be_recorded_again(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    for round in 0..5 {
        log.record(b"k", &change(&format!("round {round}"))).fine()?;
        same(log.get(None, b"k").fine()?, Some(change(&format!("round {round}"))))?;
        ensure!(log.remove(None, b"k").fine()?);
    }
    record(&log, &["k"])?;
    holds(&open(&*power_loss(subject), "a")?, &["a/k"])
}

fn payloads_and_ids_come_back_byte_for_byte(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let ids: Vec<Vec<u8>> =
        vec![vec![], vec![0], vec![0, 0], vec![255], (0..=255).collect(), vec![7; 64 << 10]];
    let payloads: Vec<Vec<u8>> =
        vec![vec![], vec![0], vec![0xA5; 5000], vec![0xFF; 17], vec![0; 100_000], vec![1]];
    for (id, payload) in ids.iter().zip(&payloads) {
        log.record(id, &Change { payload: payload.clone(), cleanup_after_ms: Some(0) }).fine()?;
    }
    let wanted = |log: &Log| -> Outcome {
        let found = contents(log)?;
        same(found.len(), ids.len())?;
        for (id, payload) in ids.iter().zip(&payloads) {
            let got = log.get(Some("a"), id).fine()?;
            ensure!(got == Some(Change { payload: payload.clone(), cleanup_after_ms: Some(0) }));
        }
        Ok(())
    };
    wanted(&log)?;
    wanted(&open(&*fork(subject), "a")?)?;
    let other = fork(subject);
    let other_log = open(&*other, "b")?;
    other_log.recover(0).fine()?;
    wanted(&other_log)
}

fn scans_hide_changes_whose_time_has_not_come(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let now = subject.disk().now_ms();
    for (id, after) in [
        ("at-once", None),
        ("past", Some(0)),
        ("now", Some(now)),
        ("later", Some(now + 1)),
        ("never", Some(u64::MAX)),
    ] {
        let payload = format!("a/{id}").into_bytes();
        log.record(id.as_bytes(), &Change { payload, cleanup_after_ms: after }).fine()?;
    }
    same(keys(&scan(&log, false)?), ["a/at-once", "a/now", "a/past"].map(String::from).to_vec())?;
    same(scan(&log, true)?.len(), 5)?;
    ensure!(log.get(None, b"never").fine()?.is_some(), "get shows deferred ones too");
    pass(subject, 1);
    same(keys(&scan(&log, false)?), ["a/at-once", "a/later", "a/now", "a/past"].map(String::from).to_vec())?;
    // Whoever takes them over sees the same.
    pause(subject);
    let other = open(subject, "b")?;
    other.recover(STALE).fine()?;
    same(scan(&other, false)?.len(), 4)?;
    same(scan(&other, true)?.len(), 5)
}

fn a_deadline_that_was_changed_counts(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    let now = subject.disk().now_ms();
    let deferred = |after| Change { payload: b"a/k".to_vec(), cleanup_after_ms: Some(after) };
    log.record(b"k", &deferred(now + 10)).fine()?;
    log.record(b"k", &deferred(now + 20)).fine()?;
    pass(subject, 10);
    same(scan(&log, false)?, vec![])?;
    log.record(b"k", &deferred(now + 10)).fine()?;
    same(scan(&log, false)?.len(), 1)
}

fn scans_are_in_the_order_of_origin_and_id(subject: &dyn Subject) -> Outcome {
    for name in ["b-2", "a", "b", "ab"] {
        let log = open(subject, name)?;
        record(&log, &["y", "x", "", "xx"])?;
    }
    pause(subject);
    let log = open(subject, "a-reader")?;
    log.recover(STALE).fine()?;
    let origins = ["a", "ab", "b", "b-2"];
    let wanted: Vec<String> =
        origins.iter().flat_map(|origin| ["", "x", "xx", "y"].map(|id| format!("{origin}/{id}"))).collect();
    same(keys(&contents(&log)?), wanted)
}

fn a_scan_shows_what_was_outstanding_when_it_began(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["1", "2", "3", "4"])?;
    let reader = log.scan(true).fine()?;
    let one = Limits { count: 1, bytes: u32::MAX };
    let first = reader.next(one).fine()?.unwrap_or_default();
    same(keys(&first), vec!["a/1".to_string()])?;
    log.remove(None, b"2").fine()?;
    log.record(b"3", &change("replaced")).fine()?;
    record(&log, &["0", "5"])?;
    let rest = reader.next(ALL).fine()?.unwrap_or_default();
    same(keys(&rest), ["a/2", "a/3", "a/4"].map(String::from).to_vec())?;
    same(rest.get(1).map(|o| o.change.clone()), Some(change("a/3")))?;
    same(reader.next(ALL).fine()?, None)?;
    same(reader.next(ALL).fine()?, None)?;
    log.close().fine()?;
    refused!(reader.next(ALL), Error::Closed);
    Ok(())
}

fn a_scan_is_limited_and_gives_at_least_one(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    for number in 0..10u8 {
        log.record(&[number], &large(number.into(), 1000)).fine()?;
    }
    let lengths = |limits| -> Result<Vec<usize>, String> {
        let reader = log.scan(true).fine()?;
        let mut lengths = Vec::new();
        while let Some(some) = reader.next(limits).fine()? {
            lengths.push(some.len());
        }
        Ok(lengths)
    };
    same(lengths(Limits { count: 4, bytes: u32::MAX })?, vec![4, 4, 2])?;
    same(lengths(Limits { count: 0, bytes: u32::MAX })?, vec![1; 10])?;
    same(lengths(Limits { count: 100, bytes: 0 })?, vec![1; 10])?;
    same(lengths(Limits { count: 100, bytes: 3500 })?, vec![3, 3, 3, 1])
}

fn ids_and_payloads_above_their_maximum_are_refused(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    let before = subject.disk().hash();
    let id = vec![7; (64 << 10) + 1];
    refused!(
        log.record(&id, &change("x")),
        Error::TooLarge { what: Limit::KeySize, allowed: 65_536, got: 65_537 }
    );
    refused!(log.remove(None, &id), Error::TooLarge { what: Limit::KeySize, .. });
    refused!(log.get(None, &id), Error::TooLarge { what: Limit::KeySize, .. });
    let payload = vec![7; (16 << 20) + 1];
    let change = Change { payload, cleanup_after_ms: None };
    refused!(log.record(b"k", &change), Error::TooLarge { what: Limit::ItemSize, .. });
    same(subject.disk().hash(), before)?;
    let change = Change { payload: vec![7; 16 << 20], cleanup_after_ms: None };
    log.record(b"largest", &change).fine()?;
    ensure!(log.get(None, b"largest").fine()? == Some(change));
    Ok(())
}

fn nothing_but_cells_and_syncs_tells_that_a_change_was_recorded(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    for run in [true, false] {
        subject.disk().reset_counters();
        if run {
            record(&log, &["k"])?
        } else {
            ensure!(log.remove(None, b"k").fine()?)
        }
        let counters = subject.disk().counters();
        same((counters.of(Call::Write), counters.of(Call::Sync), counters.of(Call::ReadCell)), (1, 1, 1))?;
    }
    Ok(())
}

fn a_heartbeat_touches_no_change(subject: &dyn Subject) -> Outcome {
    // In the design that this one learns from, refreshing what is alive brought back a change that was removed meanwhile.
    let log = open(subject, "a")?;
    record(&log, &["stays", "goes"])?;
    let files = subject.disk().image().files;
    log.heartbeat().fine()?;
    ensure!(subject.disk().image().files == files, "a heartbeat writes no file");
    log.remove(None, b"goes").fine()?;
    pass(subject, 10_000);
    log.heartbeat().fine()?;
    holds(&log, &["a/stays"])?;
    holds(&open(&*power_loss(subject), "a")?, &["a/stays"])
}

fn recording_shows_that_the_holder_is_alive(subject: &dyn Subject) -> Outcome {
    let quick = Options { heartbeat_ms: Some(STALE as u32), ..named(Mode::OpenOrCreate, "a") };
    let log = open_with(subject, quick)?;
    let other = open(subject, "b")?;
    let mut swaps = 0;
    for round in 0..12 {
        pass(subject, STALE / 6);
        subject.disk().reset_counters();
        if round % 2 == 0 {
            record(&log, &["k"])?
        } else {
            ensure!(log.remove(None, b"k").fine()?)
        }
        swaps += subject.disk().counters().of(Call::SwapCell);
        other.heartbeat().fine()?;
        same(other.recover(STALE).fine()?, vec![])?;
    }
    // Every second one: a third of the interval had passed.
    same(swaps, 6)
}
