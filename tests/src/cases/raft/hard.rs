//! The hard state: term, vote, and whatever else belongs to it.

use super::super::{Case, case};
use super::kit::*;
use crate::sim::{Crash, CrashPlan, Point};
use annals_logs::error::{Error, Limit};

pub(super) const CASES: &[Case] = &[
    case!(a_new_log_has_no_hard_state, "R18"),
    case!(the_hard_state_saved_last_is_loaded, "R18"),
    case!(the_hard_state_is_durable_when_save_returns, "R18"),
    case!(saving_the_hard_state_makes_earlier_calls_durable, "R18"),
    case!(the_hard_state_is_the_old_one_or_the_new_one, "R18"),
    case!(no_purge_takes_the_hard_state, "R19", "G12.3"),
    case!(the_hard_state_survives_many_segments, "R19"),
    case!(many_hard_states_take_little_space, "G13.6"),
    case!(extra_bytes_are_bounded, "G12.4"),
];

fn a_new_log_has_no_hard_state(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    same(log.load_hard_state().fine()?, None)?;
    holds_for_good(subject, log, &Model::holding(&entries(1, 1, 21)))
}

fn the_hard_state_saved_last_is_loaded(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let none = HardState { term: 3, vote: None, extra: vec![] };
    let largest = HardState { term: u64::MAX, vote: Some(u64::MAX), extra: vec![0; 4096] };
    for state in [HardState::default(), hard(1, 2), none, largest, hard(1, 0)] {
        log.save_hard_state(&state).fine()?;
        same(log.load_hard_state().fine()?, Some(state.clone()))?;
        same(reopen_read_only(subject)?.load_hard_state().fine()?, Some(state))?;
    }
    holds_for_good(subject, log, &Model::saying(&[], None, Some(hard(1, 0))))
}

fn the_hard_state_is_durable_when_save_returns(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    for term in 1..5 {
        log.save_hard_state(&hard(term, term + 1)).fine()?;
        let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
        same(reopen(&*lost)?.load_hard_state().fine()?, Some(hard(term, term + 1)))?;
    }
    Ok(())
}

fn saving_the_hard_state_makes_earlier_calls_durable(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.truncate(15).fine()?;
    log.save_hard_state(&hard(2, 1)).fine()?;
    let model = Model::saying(&entries(1, 1, 15), None, Some(hard(2, 1)));
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &model)
}

fn the_hard_state_is_the_old_one_or_the_new_one(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let old = HardState { extra: vec![1; 4000], ..hard(1, 1) };
    let new = HardState { extra: vec![2; 4000], ..hard(2, 2) };
    log.save_hard_state(&old).fine()?;
    drop(log);
    let mut seen = [false; 2];
    for call in 1.. {
        for point in [Point::Before, Point::Partway(call), Point::After] {
            let side = fork(subject);
            let log = reopen(&*side)?;
            side.disk().plan_crash(CrashPlan { call: side.disk().calls() + call, point });
            let saved = log.save_hard_state(&new);
            if !side.disk().has_crashed() {
                return if seen == [true; 2] { saved.fine() } else { Err(format!("only seen: {seen:?}")) };
            }
            for seed in 0..20 {
                let after = side.on(side.disk().fork().reboot(Crash::random(seed)));
                let got = reopen(&*after)?.load_hard_state().fine()?;
                ensure!(got.as_ref() == Some(&old) || got.as_ref() == Some(&new), "call {call}, seed {seed}");
                seen[usize::from(got == Some(new.clone()))] = true;
            }
        }
    }
    Ok(())
}

fn no_purge_takes_the_hard_state(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    log.save_hard_state(&hard(5, 3)).fine()?;
    one_by_one(&*log, &longs(5, 1, 60))?;
    let first = subject.disk().file_names()[0].clone();
    log.purge(id(5, 59)).fine()?;
    ensure!(!subject.disk().file_names().contains(&first), "the file in which it was saved is still there");
    let model = Model::saying(&[], Some(id(5, 59)), Some(hard(5, 3)));
    let twin = fork(subject);
    holds(&*reopen(&*crash(&*twin, Crash::LOSE_ALL))?, &model)?;
    log.purge(id(6, 600)).fine()?;
    holds_for_good(subject, log, &Model::saying(&[], Some(id(6, 600)), Some(hard(5, 3))))
}

fn the_hard_state_survives_many_segments(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    log.save_hard_state(&HardState { extra: vec![9; 4096], ..hard(5, 3) }).fine()?;
    for start in 0..20 {
        one_by_one(&*log, &longs(1, start * 10 + 1, start * 10 + 11))?;
        log.purge(id(1, start * 10 + 5)).fine()?;
    }
    let wanted = HardState { extra: vec![9; 4096], ..hard(5, 3) };
    holds_for_good(subject, log, &Model::saying(&longs(1, 196, 201), Some(id(1, 195)), Some(wanted)))
}

fn many_hard_states_take_little_space(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    for term in 0..400 {
        log.save_hard_state(&HardState { extra: vec![7; 4000], ..hard(term, 1) }).fine()?;
    }
    let used = subject.disk().used();
    ensure!(used < 600 << 10, "{used} bytes");
    let last = HardState { extra: vec![7; 4000], ..hard(399, 1) };
    holds_for_good(subject, log, &Model::saying(&entries(1, 1, 21), None, Some(last)))
}

fn extra_bytes_are_bounded(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let wanted = Error::TooLarge { what: Limit::BytesStored, allowed: 4096, got: 4097 };
    same_answer(log.save_hard_state(&HardState { extra: vec![0; 4097], ..hard(1, 1) }), Err(wanted))?;
    same(log.load_hard_state().fine()?, None)?;
    log.save_hard_state(&HardState { extra: vec![0; 4096], ..hard(1, 1) }).fine()
}
