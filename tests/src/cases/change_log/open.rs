//! Opening, naming, closing, destroying, looking.

use super::kit::*;
use annals_logs::error::{Limit, Token};

pub(super) const CASES: &[Case] = &[
    case!(an_instance_has_a_cell_before_its_first_record, "C1"),
    case!(instances_without_a_name_get_names_of_their_own, "C35", "C1"),
    case!(names_of_instances_are_narrow, "C1", "X1"),
    case!(options_that_make_no_sense_are_refused, "X1"),
    case!(modes_say_whether_the_log_may_or_must_be_there, "C1", "X1"),
    case!(each_open_is_an_epoch_with_files_of_its_own, "C1", "C23"),
    case!(a_name_whose_holder_lives_is_locked, "C18"),
    case!(a_named_instance_gets_its_changes_back_at_once, "C17", "C24"),
    case!(a_name_that_is_used_again_shares_its_ids, "C33", "C8", "C17"),
    case!(the_later_use_of_a_name_stands_whoever_takes_it_over_first, "C33", "C8", "C16"),
    case!(a_close_without_changes_leaves_nothing, "C24"),
    case!(a_close_with_changes_leaves_them_to_anybody_at_once, "C24"),
    case!(after_close_an_instance_answers_closed, "C24"),
    case!(dropping_an_instance_is_like_dying, "C24", "C9"),
    case!(random_names_leave_no_locks_behind, "C35", "C1"),
    case!(destroying_a_change_log_leaves_nothing, "C30", "C22"),
    case!(destroying_is_refused_while_an_instance_is_open, "C30", "C18"),
    case!(a_destroyed_name_is_another_log, "C23"),
    case!(looking_changes_nothing_and_shows_all_instances, "C28", "D11.1", "D11.3"),
    case!(looking_at_one_instance_shows_what_it_holds, "C28", "C8"),
    case!(a_token_refuses_an_older_storage, "C31", "D7.2", "D7.7"),
];

fn an_instance_has_a_cell_before_its_first_record(subject: &dyn Subject) -> Outcome {
    let options = Options { heartbeat_ms: Some(1234), ..named(Mode::Create, "a") };
    let log = open_with(subject, options)?;
    same(log.instance(), "a".to_string())?;
    let infos = subject.change_log_instances(LOG).fine()?;
    let info = &infos[0];
    same((infos.len(), info.instance.as_str(), info.epoch, info.state), (1, "a", 1, InstanceState::Live))?;
    same((info.heartbeat_at_ms, info.heartbeat_ms), (subject.disk().now_ms(), 1234))?;
    same((info.claimed_by.clone(), info.damaged.clone()), (None, None))?;
    pass(subject, 77);
    log.heartbeat().fine()?;
    same(subject.change_log_instances(LOG).fine()?[0].heartbeat_at_ms, subject.disk().now_ms())
}

fn instances_without_a_name_get_names_of_their_own(subject: &dyn Subject) -> Outcome {
    let logs = [(); 5].map(|()| open_with(subject, options(Mode::OpenOrCreate)));
    let mut names = Vec::new();
    for log in &logs {
        let log = log.as_ref().map_err(String::clone)?;
        record(log, &["k"])?;
        names.push(log.instance());
    }
    names.sort();
    names.dedup();
    same(names.len(), 5)?;
    let wanted: Vec<String> = names.iter().map(|name| format!("{name}/k")).collect();
    same(keys(&contents(&look(subject)?)?), wanted)
}

fn names_of_instances_are_narrow(subject: &dyn Subject) -> Outcome {
    for bad in ["", "A", "a.b", "a_b", "a b", "\u{e9}"] {
        refused!(subject.open_change_log(LOG, &named(Mode::OpenOrCreate, bad)), Error::InvalidArgument(_));
    }
    let long = "x".repeat(65);
    let refusal = subject.open_change_log(LOG, &named(Mode::OpenOrCreate, &long));
    refused!(refusal, Error::TooLarge { what: Limit::Name, allowed: 64, got: 65 });
    refused!(subject.open_change_log("no.name", &options(Mode::Create)), Error::InvalidArgument(_));
    same(subject.disk().cell_names(), vec![])?;
    let longest = open(subject, &"x".repeat(64))?;
    record(&longest, &["k"])
}

fn options_that_make_no_sense_are_refused(subject: &dyn Subject) -> Outcome {
    let ok = named(Mode::OpenOrCreate, "a");
    for bad in [
        Options { segment_bytes: Some(65_535), ..ok.clone() },
        Options { segment_bytes: Some((1 << 30) + 1), ..ok.clone() },
        Options { heartbeat_ms: Some(0), ..ok.clone() },
    ] {
        refused!(subject.open_change_log(LOG, &bad), Error::InvalidArgument(_));
    }
    same(subject.disk().cell_names(), vec![])
}

fn modes_say_whether_the_log_may_or_must_be_there(subject: &dyn Subject) -> Outcome {
    refused!(subject.open_change_log(LOG, &named(Mode::Open, "a")), Error::NotFound);
    refused!(subject.open_change_log(LOG, &options(Mode::ReadOnly)), Error::NotFound);
    refused!(subject.change_log_instances(LOG), Error::NotFound);
    same(subject.disk().cell_names(), vec![])?;
    open_with(subject, named(Mode::Create, "a"))?.close().fine()?;
    refused!(subject.open_change_log(LOG, &named(Mode::Create, "b")), Error::Exists);
    open_with(subject, named(Mode::Open, "a"))?.close().fine()?;
    open_with(subject, named(Mode::OpenOrCreate, "a"))?.close().fine()?;
    let journal = crate::subject::options(Mode::Open);
    refused!(subject.open(LOG, &journal), Error::OtherKind(kind) if kind == "change-log");
    refused!(subject.destroy(LOG), Error::OtherKind(_));
    subject.open("numbers", &crate::subject::options(Mode::Create)).fine()?.close().fine()?;
    for mode in [Mode::Open, Mode::ReadOnly, Mode::OpenOrCreate] {
        let refusal = subject.open_change_log("numbers", &named(mode, "a"));
        refused!(refusal, Error::OtherKind(kind) if kind == "journal");
    }
    refused!(subject.destroy_change_log("numbers"), Error::OtherKind(_));
    refused!(subject.change_log_instances("numbers"), Error::OtherKind(_));
    Ok(())
}

fn each_open_is_an_epoch_with_files_of_its_own(subject: &dyn Subject) -> Outcome {
    let generations = |disk: &SimDisk| -> Vec<String> {
        disk.file_names().iter().filter_map(|name| name.split('.').nth(2).map(String::from)).collect()
    };
    let a = open(subject, "a")?;
    let b = open(subject, "b")?;
    record(&a, &["k"])?;
    record(&b, &["k"])?;
    same(generations(subject.disk()), ["00000001", "00000002"].map(String::from).to_vec())?;
    drop(a);
    let a = open(subject, "a")?;
    same(generations(subject.disk()), ["00000002", "00000003"].map(String::from).to_vec())?;
    let epochs: Vec<u64> = subject.change_log_instances(LOG).fine()?.iter().map(|info| info.epoch).collect();
    same(epochs, vec![3, 2])?;
    holds(&a, &["a/k"])?;
    holds(&b, &["b/k"])
}

fn a_name_whose_holder_lives_is_locked(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    pause(subject);
    let wait = Options { lock_wait_ms: 321, ..named(Mode::Open, "a") };
    refused!(subject.open_change_log(LOG, &wait), Error::Locked);
    same(subject.disk().counters().lock_wait_ms, 321)?;
    holds(&log, &["a/k"])?;
    log.heartbeat().fine()?;
    drop(log);
    holds(&open(subject, "a")?, &["a/k"])
}

fn a_named_instance_gets_its_changes_back_at_once(subject: &dyn Subject) -> Outcome {
    let other = open(subject, "b")?;
    record(&other, &["k"])?;
    for round in 0..3 {
        let log = open(subject, "a")?;
        let wanted: Vec<String> = (0..round).map(|n| format!("a/k{n}")).collect();
        holds(&log, &wanted.iter().map(String::as_str).collect::<Vec<_>>())?;
        record(&log, &[&format!("k{round}")])?;
        if round == 1 {
            log.close().fine()?;
        }
    }
    holds(&other, &["b/k"])?;
    let after = power_loss(subject);
    let log = open(&*after, "a")?;
    holds(&log, &["a/k0", "a/k1", "a/k2"])?;
    ensure!(log.remove(None, b"k0").fine()?, "they are its own again");
    same(instances(&*after)?.len(), 2)
}

fn a_name_that_is_used_again_shares_its_ids(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    log.record(b"k", &change("first")).fine()?;
    drop(log);
    let log = open(subject, "a")?;
    log.record(b"k", &change("second")).fine()?;
    same(contents(&log)?.len(), 1)?;
    same(log.get(None, b"k").fine()?, Some(change("second")))?;
    drop(log);
    same(open(subject, "a")?.get(None, b"k").fine()?, Some(change("second")))
}

fn the_later_use_of_a_name_stands_whoever_takes_it_over_first(subject: &dyn Subject) -> Outcome {
    // One instance takes the first use over, another one the second use; then somebody recovers both of them.
    for order in [["b", "c"], ["c", "b"]] {
        let side = fork(subject);
        let first = open(&*side, "a")?;
        first.record(b"k", &change("first")).fine()?;
        drop(first);
        let [b, c] = ["b", "c"].map(|name| open(&*side, name));
        let (b, c) = (b?, c?);
        pause(&*side);
        c.heartbeat().fine()?;
        same(b.recover(STALE).fine()?.len(), 1)?;
        let second = open(&*side, "a")?;
        second.record(b"k", &change("second")).fine()?;
        drop(second);
        pause(&*side);
        b.heartbeat().fine()?;
        c.heartbeat().fine()?;
        same(c.recover(STALE).fine()?.len(), 1)?;
        same(b.get(Some("a"), b"k").fine()?, Some(change("first")))?;
        same(c.get(Some("a"), b"k").fine()?, Some(change("second")))?;
        drop((b, c));
        let [one, two] = order;
        // Each name is opened on its own, so they come over one after the other.
        let log = open(&*side, one)?;
        log.recover(u64::MAX).fine()?;
        pause(&*side);
        log.recover(STALE).fine()?;
        same(log.get(Some("a"), b"k").fine()?, Some(change("second")))?;
        same(contents(&log)?.len(), 1)?;
        same(instances(&*side)?, vec![(one.to_string(), InstanceState::Live)])?;
        drop(log);
        same(open(&*side, two)?.recover(0).fine()?.len(), 1)?;
    }
    Ok(())
}

fn a_close_without_changes_leaves_nothing(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    log.remove(None, b"k").fine()?;
    log.close().fine()?;
    same(instances(subject)?, vec![])?;
    same(subject.disk().file_names(), vec![])?;
    same(subject.disk().cell_names(), vec![format!("log.{LOG}")])?;
    holds(&open(&*power_loss(subject), "a")?, &[])
}

fn a_close_with_changes_leaves_them_to_anybody_at_once(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    log.close().fine()?;
    same(instances(subject)?, vec![("a".into(), InstanceState::Closed)])?;
    ensure!(subject.disk().is_settled());
    holds(&look(subject)?, &["a/k"])?;
    let side = fork(subject);
    holds(&open(&*side, "a")?, &["a/k"])?;
    let other = open(subject, "b")?;
    same(sound(other.recover(u64::MAX).fine()?)?, vec![("a".into(), 1)])?;
    holds(&other, &["a/k"])?;
    same(instances(subject)?, vec![("b".into(), InstanceState::Live)])
}

fn after_close_an_instance_answers_closed(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    let reader = log.scan(true).fine()?;
    log.close().fine()?;
    let before = subject.disk().hash();
    for _ in 0..2 {
        same(log.instance(), "a".to_string())?;
        refused!(log.record(b"x", &change("x")), Error::Closed);
        refused!(log.remove(None, b"k"), Error::Closed);
        refused!(log.get(None, b"k"), Error::Closed);
        refused!(log.scan(true), Error::Closed);
        refused!(log.heartbeat(), Error::Closed);
        refused!(log.recover(0), Error::Closed);
        refused!(log.discard("a"), Error::Closed);
        refused!(log.close(), Error::Closed);
        refused!(reader.next(ALL), Error::Closed);
    }
    same(subject.disk().hash(), before)
}

fn dropping_an_instance_is_like_dying(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["k"])?;
    let calls = subject.disk().calls();
    drop(log);
    same(subject.disk().calls(), calls)?;
    same(instances(subject)?, vec![("a".into(), InstanceState::Live)])?;
    let other = open(subject, "b")?;
    same(other.recover(STALE).fine()?, vec![])?;
    pause(subject);
    same(sound(other.recover(STALE).fine()?)?, vec![("a".into(), 1)])
}

fn random_names_leave_no_locks_behind(subject: &dyn Subject) -> Outcome {
    // A lock is a file that stays for ever. Were they named after instances, every open would leave one.
    for _ in 0..3 {
        let logs = [(); 3].map(|()| open_with(subject, options(Mode::OpenOrCreate)));
        for log in logs {
            log?.close().fine()?;
        }
    }
    let locks: Vec<String> =
        subject.disk().locks_taken().into_iter().filter(|name| name.starts_with("change.")).collect();
    same(locks, [0, 1, 2].map(|slot| format!("change.{LOG}._{slot}")).to_vec())
}

fn destroying_a_change_log_leaves_nothing(subject: &dyn Subject) -> Outcome {
    for name in ["a", "b"] {
        record(&open(subject, name)?, &["k"])?;
    }
    open(subject, "c")?;
    subject.destroy_change_log(LOG).fine()?;
    same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    refused!(subject.destroy_change_log(LOG), Error::NotFound);
    refused!(subject.change_log_instances(LOG), Error::NotFound);
    refused!(subject.open_change_log(LOG, &named(Mode::Open, "a")), Error::NotFound);
    same(subject.list().fine()?.len(), 0)
}

fn destroying_is_refused_while_an_instance_is_open(subject: &dyn Subject) -> Outcome {
    for options in [named(Mode::OpenOrCreate, "a"), options(Mode::OpenOrCreate)] {
        let log = open_with(subject, options)?;
        record(&log, &["k"])?;
        pause(subject);
        let before = subject.disk().hash();
        refused!(subject.destroy_change_log(LOG), Error::Locked);
        same(subject.disk().hash(), before)?;
        same(contents(&log)?.len(), 1)?;
        drop(log);
        subject.destroy_change_log(LOG).fine()?;
    }
    Ok(())
}

fn a_destroyed_name_is_another_log(subject: &dyn Subject) -> Outcome {
    record(&open(subject, "a")?, &["k"])?;
    let cells: Vec<String> =
        subject.disk().cell_names().into_iter().filter(|name| name.starts_with("change.")).collect();
    let value = subject.disk().cell_value(&cells[0]).unwrap_or_default();
    let files = subject.disk().image().files;
    subject.destroy_change_log(LOG).fine()?;
    let log = open(subject, "b")?;
    holds(&log, &[])?;
    // Should a cell and a file of the old log come back, they are not taken for the new one's.
    subject.disk().put_cell(&cells[0], &value);
    for (name, bytes) in &files {
        subject.disk().put_file(name, bytes.len() as u64);
        subject.disk().overwrite(name, 0, bytes);
    }
    pause(subject);
    let recovered = log.recover(STALE).fine()?;
    same(recovered.len(), 1)?;
    ensure!(recovered[0].damaged.is_some(), "{recovered:?}");
    holds(&log, &[])?;
    ensure!(files.keys().all(|name| subject.disk().file_names().contains(name)), "never swept");
    Ok(())
}

fn looking_changes_nothing_and_shows_all_instances(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    let b = open(subject, "b")?;
    record(&a, &["1", "2"])?;
    record(&b, &["1"])?;
    open(subject, "c")?.close().fine()?;
    let before = subject.disk().hash();
    subject.disk().reset_counters();
    let log = look(subject)?;
    holds(&log, &["a/1", "a/2", "b/1"])?;
    same(log.instance(), String::new())?;
    refused!(log.record(b"k", &change("x")), Error::ReadOnly);
    refused!(log.remove(Some("a"), b"1"), Error::ReadOnly);
    refused!(log.heartbeat(), Error::ReadOnly);
    refused!(log.recover(0), Error::ReadOnly);
    refused!(log.discard("a"), Error::ReadOnly);
    refused!(log.get(None, b"1"), Error::InvalidArgument(_));
    record(&a, &["3"])?;
    holds(&log, &["a/1", "a/2", "b/1"])?;
    let token = log.close().fine()?;
    refused!(log.get(Some("a"), b"1"), Error::Closed);
    same(subject.disk().counters().of(Call::Lock), 0)?;
    a.remove(None, b"3").fine()?;
    ensure!(before != subject.disk().hash());
    let expecting = Options { expect: Some(token), ..options(Mode::ReadOnly) };
    open_with(subject, expecting).map(drop)
}

fn looking_at_one_instance_shows_what_it_holds(subject: &dyn Subject) -> Outcome {
    record(&open(subject, "a")?, &["1"])?;
    pause(subject);
    let b = open(subject, "b")?;
    record(&b, &["1"])?;
    let only = |name| open_with(subject, named(Mode::ReadOnly, name));
    holds(&only("a")?, &["a/1"])?;
    holds(&only("b")?, &["b/1"])?;
    b.recover(STALE).fine()?;
    holds(&only("a")?, &[])?;
    let log = only("b")?;
    holds(&log, &["a/1", "b/1"])?;
    same(log.get(None, b"1").fine()?, Some(change("b/1")))
}

fn a_token_refuses_an_older_storage(subject: &dyn Subject) -> Outcome {
    let expecting = |token, name: &str| Options { expect: Some(token), ..named(Mode::Open, name) };
    let empty = fork(subject);
    let log = open(subject, "a")?;
    let opened = fork(subject);
    record(&log, &["1"])?;
    let recorded = fork(subject);
    record(&log, &["2"])?;
    let token = log.close().fine()?;
    refused!(empty.open_change_log(LOG, &expecting(token, "a")), Error::NotFound);
    for side in [&opened, &recorded] {
        let before = side.disk().hash();
        for mode in [Mode::Open, Mode::ReadOnly] {
            let options = Options { mode, ..expecting(token, "a") };
            refused!(side.open_change_log(LOG, &options), Error::RolledBack(_));
        }
        same(side.disk().hash(), before)?;
    }
    for name in ["a", "b"] {
        let side = fork(subject);
        let log = open_with(&*side, expecting(token, name))?;
        log.recover(0).fine()?;
        holds(&log, &["a/1", "a/2"])?;
        // Taken over and even removed since: still the same storage, only later.
        log.remove(Some("a"), b"1").fine()?;
        let later = log.close().fine()?;
        open_with(&*side, expecting(token, "c"))?.close().fine()?;
        open_with(&*side, expecting(later, "c"))?.close().fine()?;
        refused!(recorded.open_change_log(LOG, &expecting(later, "c")), Error::RolledBack(_));
    }
    let other = Token { log: token.log ^ 1, ..token };
    refused!(subject.open_change_log(LOG, &expecting(other, "a")), Error::RolledBack(_));
    let other = Token { check: token.check ^ 1, ..token };
    refused!(subject.open_change_log(LOG, &expecting(other, "a")), Error::RolledBack(_));
    Ok(())
}
