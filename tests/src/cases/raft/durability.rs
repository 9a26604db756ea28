//! What survives which crash, and what the log says about it.

use super::super::{Case, case};
use super::kit::*;
use crate::sim::{Call, Crash, CrashPlan, Fault, Point};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(every_write_has_handed_its_frame_to_the_host, "F1.4", "F1.5"),
    case!(sync_makes_everything_durable, "R22"),
    case!(sync_on_persist_makes_entries_durable, "R21"),
    case!(without_it_only_a_sync_does, "R21"),
    case!(is_write_durable_is_honest, "R20"),
    case!(a_begun_sync_covers_the_entries_before_it, "H15"),
    case!(a_ticket_of_a_raft_log_may_be_asked_again, "H15"),
    case!(calls_are_lost_in_order_only, "R22"),
    case!(a_crash_at_every_call_leaves_all_or_nothing_of_each, "D9.4", "R9", "R13"),
    case!(a_crash_in_recovery_is_recovered_from, "D9.4"),
    case!(a_replacement_is_there_as_a_whole_or_not_at_all, "R9", "F4.2"),
    case!(entries_that_a_writing_open_reports_are_durable, "D9.1"),
    case!(flush_says_whether_the_log_is_open, "F1.4"),
];

fn every_write_has_handed_its_frame_to_the_host(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    for (number, step) in steps().iter().enumerate() {
        step.act(&*log).fine()?;
        step.model(&mut model);
        let died = subject.on(subject.disk().fork().reboot(Crash::Process));
        holds(&*reopen(&*died)?, &model).map_err(|what| format!("step {number}: {what}"))?;
    }
    Ok(())
}

fn sync_makes_everything_durable(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.persist(&entries(2, 5, 8)).fine()?;
    log.replace_range(15, &entries(2, 15, 16)).fine()?;
    log.sync().fine()?;
    let model = contents(&*log)?;
    log.truncate(3).fine()?;
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*reopen(&*lost)?, &model)?;
    log.sync().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &Model::holding(&entries(1, 1, 3)))
}

fn sync_on_persist_makes_entries_durable(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &synced(Mode::Create)).fine()?;
    let mut model = Model::new();
    let lost = |model: &Model| {
        let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
        holds(&*reopen(&*lost)?, model)
    };
    for step in [
        Step::Persist(entries(1, 1, 10)),
        Step::Persist(entries(2, 4, 6)),
        Step::Replace(8, entries(2, 8, 9)),
        Step::Truncate(8),
        Step::Persist(entries(3, 7, 12)),
        Step::Replace(12, entries(3, 12, 14)),
    ] {
        step.act(&*log).fine()?;
        step.model(&mut model);
        lost(&model)?;
    }
    Ok(())
}

fn without_it_only_a_sync_does(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    subject.disk().reset_counters();
    log.persist(&entries(1, 1, 10)).fine()?;
    log.replace_range(5, &entries(2, 5, 6)).fine()?;
    log.truncate(3).fine()?;
    let counters = subject.disk().counters();
    same((counters.of(Call::Sync), counters.of(Call::BeginSync)), (0, 0))?;
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    same(reopen(&*lost)?.last_index().fine()?, 0)
}

fn is_write_durable_is_honest(subject: &dyn Subject) -> Outcome {
    for durable in [true, false] {
        for sync_on_persist in [true, false] {
            let side = fork(subject);
            side.disk().set_durable(durable);
            let with = Options { sync_on_persist, ..options(Mode::Create) };
            let log = side.open_raft(LOG, &with).fine()?;
            let told = log.is_write_durable();
            same((durable, sync_on_persist, told), (durable, sync_on_persist, durable && sync_on_persist))?;
            log.persist(&entries(1, 1, 4)).fine()?;
            if told {
                let lost = side.on(side.disk().fork().reboot(Crash::LOSE_ALL));
                same(reopen(&*lost)?.last_index().fine()?, 3)?;
            }
            let reader = side.open_raft(LOG, &Options { segment_bytes: None, mode: Mode::ReadOnly, ..with });
            ensure!(!reader.fine()?.is_write_durable());
        }
    }
    let log = subject.open_raft(LOG, &synced(Mode::Create)).fine()?;
    subject.disk().inject(Fault::next(Call::Sync));
    ensure!(log.persist(&entries(1, 1, 4)).is_err());
    ensure!(!log.is_write_durable());
    Ok(())
}

fn a_begun_sync_covers_the_entries_before_it(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let ticket = log.begin_sync().fine()?;
    log.persist(&entries(2, 10, 25)).fine()?;
    same(log.term_of(10).fine()?, Some(2))?;
    let token = ticket.wait().fine()?;
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    let with = Options { expect: Some(token), ..options(Mode::Open) };
    let got = contents(&*lost.open_raft(LOG, &with).fine()?)?;
    ensure!(got.last_index() >= 20, "{got:?}");
    same(contents(&*log)?.last_index(), 24)
}

fn a_ticket_of_a_raft_log_may_be_asked_again(subject: &dyn Subject) -> Outcome {
    subject.disk().set_polls(2);
    let log = twenty(subject)?;
    let ticket = log.begin_sync().fine()?;
    let mut polls = 0;
    let token = loop {
        match ticket.poll().fine()? {
            Some(token) => break token,
            None => polls += 1,
        }
        ensure!(polls < 100, "it never ends");
    };
    ensure!(polls > 0, "a sync that is still running has no token yet");
    same((ticket.poll().fine()?, ticket.wait().fine()?), (Some(token), token))
}

/// A call that changes something.
enum Step {
    Persist(Vec<Entry>),
    Replace(u64, Vec<Entry>),
    Truncate(u64),
    Purge(LogId),
    HardState(HardState),
    Reset,
    Sync,
}

impl Step {
    fn act(&self, log: &dyn RaftSubject) -> Result<(), Error> {
        match self {
            Step::Persist(entries) => log.persist(entries),
            Step::Replace(first, entries) => log.replace_range(*first, entries),
            Step::Truncate(first) => log.truncate(*first),
            Step::Purge(up_to) => log.purge(*up_to),
            Step::HardState(state) => log.save_hard_state(state),
            Step::Reset => log.reset(),
            Step::Sync => log.sync().map(drop),
        }
    }

    fn model(&self, model: &mut Model) {
        let done = match self {
            Step::Persist(entries) => model.persist(entries, false),
            Step::Replace(first, entries) => model.replace_range(*first, entries, false),
            Step::Truncate(first) => model.truncate(*first),
            Step::Purge(up_to) => model.purge(*up_to),
            Step::HardState(state) => model.save_hard_state(state),
            Step::Reset => {
                model.reset();
                Ok(())
            }
            Step::Sync => Ok(()),
        };
        assert!(done.is_ok(), "{done:?}");
    }

    /// Whether everything is durable when it returns.
    fn is_durable(&self) -> bool {
        !matches!(self, Step::Persist(_) | Step::Replace(..) | Step::Truncate(_))
    }
}

/// Every kind of change, in segments that fill up.
fn steps() -> Vec<Step> {
    vec![
        Step::HardState(hard(1, 1)),
        Step::Persist(longs(1, 21, 26)),
        Step::Persist(longs(2, 15, 19)),
        Step::Sync,
        Step::Replace(23, longs(2, 23, 25)),
        Step::HardState(HardState { extra: vec![7; 3000], ..hard(2, 3) }),
        Step::Persist(longs(3, 25, 34)),
        Step::Truncate(30),
        Step::Purge(id(1, 10)),
        Step::Persist(longs(4, 28, 31)),
        Step::Purge(id(3, 27)),
        Step::Sync,
        Step::HardState(hard(5, 3)),
        Step::Purge(id(4, 40)),
        Step::Persist(longs(5, 41, 44)),
        Step::Truncate(41),
        Step::Reset,
        Step::Persist(entries(6, 1, 5)),
    ]
}

fn calls_are_lost_in_order_only(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.sync().fine()?;
    let mut model = Model::holding(&entries(1, 1, 21));
    let mut states = vec![model.clone()];
    for step in steps().iter().filter(|step| !step.is_durable()) {
        let Step::Persist(entries) = step else { continue };
        let shifted: Vec<Entry> = entries
            .iter()
            .zip(model.last_index() - 2..)
            .map(|(e, index)| long(e.id.term, index, 900))
            .collect();
        log.persist(&shifted).fine()?;
        model.persist(&shifted, false).fine()?;
        states.push(model.clone());
        log.truncate(model.last_index()).fine()?;
        model.truncate(model.last_index()).fine()?;
        states.push(model.clone());
    }
    for seed in 0..60 {
        let after = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        let got = contents(&*reopen(&*after)?)?;
        ensure!(states.contains(&got), "seed {seed}: {got:?}");
    }
    Ok(())
}

/// How many steps were begun, and how many of those are promised.
type Taken = Result<(usize, usize), String>;

/// Takes the steps until the machine stops.
fn until_crash(subject: &dyn Subject, steps: &[Step]) -> Taken {
    let log = match subject.open_raft(LOG, &options(Mode::Open)) {
        Ok(log) => log,
        Err(error) => {
            return if subject.disk().has_crashed() { Ok((0, 0)) } else { Err(format!("{error:?}")) };
        }
    };
    let (mut begun, mut promised) = (0, 0);
    for step in steps {
        begun += 1;
        match step.act(&*log) {
            Ok(()) if step.is_durable() => promised = begun,
            Ok(()) => {}
            Err(error) => {
                return if subject.disk().has_crashed() {
                    Ok((begun, promised))
                } else {
                    Err(format!("{error:?}"))
                };
            }
        }
    }
    Ok((begun, promised))
}

/// The states before and after each step.
fn states(steps: &[Step]) -> Vec<Model> {
    let mut model = Model::holding(&entries(1, 1, 21));
    let mut states = vec![model.clone()];
    for step in steps {
        step.model(&mut model);
        states.push(model.clone());
    }
    states
}

/// Stops the machine at every call of `run`, loses power in several ways, and hands what is left to `check`.
fn at_every_call(
    subject: &dyn Subject,
    run: &dyn Fn(&dyn Subject) -> Taken,
    check: &dyn Fn(Box<dyn Subject>, usize, usize) -> Outcome,
) -> Outcome {
    for call in 1.. {
        for (number, point) in [Point::Before, Point::Partway(call)].into_iter().enumerate() {
            let side = fork(subject);
            side.disk().plan_crash(CrashPlan { call: side.disk().calls() + call, point });
            let (begun, promised) = run(&*side).map_err(|what| format!("call {call}: {what}"))?;
            if !side.disk().has_crashed() {
                return Ok(());
            }
            let random = Crash::random(call * 2 + number as u64);
            for crash in [Crash::LOSE_ALL, Crash::KEEP_ALL, random] {
                let after = side.on(side.disk().fork().reboot(crash));
                check(after, begun, promised)
                    .map_err(|what| format!("call {call}, {point:?}, {crash:?}: {what}"))?;
            }
        }
    }
    Ok(())
}

fn is_one_of(subject: &dyn Subject, states: &[Model], begun: usize, promised: usize) -> Outcome {
    let log = reopen(subject)?;
    let got = contents(&*log)?;
    let allowed = &states[promised..=begun];
    if !allowed.contains(&got) {
        return Err(format!("{got:?} is none of {allowed:?}"));
    }
    // And it goes on from there.
    let next = got.last_index() + 1;
    log.persist(&entries(99, next, next + 2)).fine()?;
    log.close().fine()?;
    same(subject.verify(LOG).fine()?, vec![])?;
    drop(log);
    same(reopen(subject)?.term_of(next + 1).fine()?, Some(99))
}

fn base(subject: &dyn Subject) -> Outcome {
    twenty(subject)?.sync().fine().map(drop)
}

fn a_crash_at_every_call_leaves_all_or_nothing_of_each(subject: &dyn Subject) -> Outcome {
    base(subject)?;
    let (steps, states) = (steps(), states(&steps()));
    at_every_call(subject, &|side| until_crash(side, &steps), &|after, begun, promised| {
        is_one_of(&*after, &states, begun, promised)
    })
}

fn a_crash_in_recovery_is_recovered_from(subject: &dyn Subject) -> Outcome {
    base(subject)?;
    let log = reopen(subject)?;
    let steps = steps();
    let mut model = Model::holding(&entries(1, 1, 21));
    for step in &steps[..9] {
        step.act(&*log).fine()?;
        step.model(&mut model);
    }
    log.persist(&longs(9, 28, 33)).fine()?;
    let mut after = model.clone();
    after.persist(&longs(9, 28, 33), false).fine()?;
    let states = [model, after];
    for seed in 0..4 {
        let torn = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        at_every_call(&*torn, &|side| until_crash(side, &[]), &|after, _, _| {
            is_one_of(&*after, &states, 1, 0)
        })?;
    }
    Ok(())
}

fn a_replacement_is_there_as_a_whole_or_not_at_all(subject: &dyn Subject) -> Outcome {
    base(subject)?;
    let log = reopen(subject)?;
    log.replace_range(5, &longs(2, 5, 9)).fine()?;
    let mut replaced = Model::holding(&entries(1, 1, 21));
    let before = replaced.clone();
    replaced.replace_range(5, &longs(2, 5, 9), false).fine()?;
    let mut seen = [0; 2];
    for seed in 0..200 {
        let after = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        let got = contents(&*reopen(&*after)?)?;
        ensure!(got == before || got == replaced, "seed {seed}: {got:?}");
        seen[usize::from(got == replaced)] += 1;
    }
    ensure!(seen[0] > 0, "{seen:?}");
    Ok(())
}

fn entries_that_a_writing_open_reports_are_durable(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.persist(&longs(2, 10, 30)).fine()?;
    log.truncate(28).fine()?;
    let after = crash(subject, Crash::Process);
    let reported = contents(&*reopen(&*after)?)?;
    same(reported.last_index(), 27)?;
    let again = crash(&*after, Crash::LOSE_ALL);
    holds(&*reopen(&*again)?, &reported)
}

fn flush_says_whether_the_log_is_open(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let calls = subject.disk().counters().changes();
    log.flush().fine()?;
    same(subject.disk().counters().changes(), calls)?;
    log.close().fine()?;
    refused!(log.flush(), Error::Closed);
    Ok(())
}
