//! Rewinding from the back.

use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash};
use crate::subject::Subject;
use annals_logs::error::{Bounds, Error};

pub(super) const CASES: &[Case] = &[
    case!(a_rewind_above_the_size_is_refused, "J19", "X1"),
    case!(a_rewind_below_the_boundary_is_refused, "J20", "X1"),
    case!(a_rewind_to_the_size_does_nothing, "J21"),
    case!(a_rewind_to_the_oldest_leaves_nothing, "J22", "J14"),
    case!(what_follows_a_rewind_replaces_what_was_rewound, "F4.1"),
    case!(a_rewind_is_durable_with_the_next_sync, "J23"),
    case!(a_rewind_is_handed_over_when_it_returns, "F1.5"),
    case!(a_rewind_of_waiting_appends_drops_them, "F1.6"),
    case!(a_rewind_crosses_segments, "F4.1"),
    case!(repeated_rewinds_keep_the_last_items, "F4.4"),
    case!(a_read_in_a_sealed_segment_does_not_bring_rewound_items_back, "F5.1"),
    case!(rewound_items_never_return, "F5.1"),
    case!(after_rewind_append_and_crash_every_item_is_where_it_was_written, "F5.1", "W3"),
];

fn a_rewind_above_the_size_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 15)?;
    ensure!(journal.prune(10).fine()?);
    journal.sync().fine()?;
    let before = subject.disk().hash();
    for size in [16, u64::MAX] {
        let wanted = Error::InvalidRewind(Bounds { start: 10, end: 15 });
        same_answer(journal.rewind(size), Err(wanted))?;
    }
    same(subject.disk().hash(), before)?;
    holds(&*journal, &holding(10, 15))
}

fn a_rewind_below_the_boundary_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 15)?;
    ensure!(journal.prune(10).fine()?);
    let before = subject.disk().hash();
    for size in [0, 9] {
        same_answer(journal.rewind(size), Err(Error::Pruned(Bounds { start: 10, end: 15 })))?;
    }
    same(subject.disk().hash(), before)?;
    holds(&*journal, &holding(10, 15))
}

fn a_rewind_to_the_size_does_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    journal.rewind(0).fine()?;
    append_batch(&*journal, 0, 5)?;
    subject.disk().reset_counters();
    journal.rewind(5).fine()?;
    same(subject.disk().counters().of(Call::Write), 0)?;
    holds(&*journal, &holding(0, 5))
}

fn a_rewind_to_the_oldest_leaves_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 25)?;
    ensure!(journal.prune(20).fine()?);
    journal.rewind(20).fine()?;
    holds(&*journal, &holding(20, 20))?;
    journal.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &holding(20, 20))?;
    same(journal.append(&item(20)).fine()?, 20)?;
    holds(&*journal, &holding(20, 21))?;
    journal.rewind(20).fine()?;
    holds(&*journal, &holding(20, 20))
}

fn what_follows_a_rewind_replaces_what_was_rewound(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 100, 120)?;
    journal.rewind(7).fine()?;
    same(journal.append(&item(7)).fine()?, 7)?;
    append_batch(&*journal, 8, 12)?;
    let mut model = holding(100, 120);
    model = crate::model::Model::holding(10, 0, model.items().take(7).cloned().collect::<Vec<_>>());
    for number in 7..12 {
        let _ = model.append(&item(number));
    }
    holds(&*journal, &model)?;
    journal.close().fine()?;
    holds(&*reopen(subject)?, &model)
}

fn a_rewind_is_durable_with_the_next_sync(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 20)?;
    journal.sync().fine()?;
    journal.rewind(12).fine()?;
    let unsynced = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*reopen(&*unsynced)?, &holding(0, 20))?;
    journal.sync_data().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 12))
}

fn a_rewind_is_handed_over_when_it_returns(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 19)?;
    journal.rewind(12).fine()?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, &holding(0, 12))
}

fn a_rewind_of_waiting_appends_drops_them(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 2)?;
    append(&*journal, 2, 8)?;
    journal.rewind(4).fine()?;
    holds(&*journal, &holding(0, 4))?;
    append(&*journal, 4, 6)?;
    holds(&*journal, &holding(0, 6))?;
    journal.close().fine()?;
    holds(&*reopen(subject)?, &holding(0, 6))
}

fn a_rewind_crosses_segments(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 70, 4000)?;
    journal.rewind(11).fine()?;
    holds(&*journal, &holding_long(0, 11, 4000))?;
    append_long(&*journal, 11, 40, 4000)?;
    holds(&*journal, &holding_long(0, 40, 4000))?;
    journal.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &holding_long(0, 40, 4000))?;
    journal.close().fine()?;
    holds(&*reopen(&*after)?, &holding_long(0, 40, 4000))
}

fn repeated_rewinds_keep_the_last_items(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let mut model = holding(0, 0);
    for round in 0..60u64 {
        for step in 0..5 {
            let bytes = long_item(round * 100 + step, 900);
            same(journal.append(&bytes).fine()?, model.append(&bytes).fine()?)?;
        }
        let size = model.size() - round % 5;
        journal.rewind(size).fine()?;
        model.rewind(size).fine()?;
        if round % 20 == 19 {
            holds(&*journal, &model)?;
        }
    }
    journal.close().fine()?;
    holds(&*reopen(subject)?, &model)
}

fn rewound_items_never_return(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 9)?;
    journal.sync().fine()?;
    journal.rewind(3).fine()?;
    journal.sync().fine()?;
    let mut disk = subject.disk().reboot(Crash::LOSE_ALL);
    for round in 0..4 {
        let after = subject.on(disk);
        let journal = reopen(&*after)?;
        holds(&*journal, &holding(0, 3))?;
        if round == 2 {
            append_batch(&*journal, 3, 4)?;
            journal.rewind(3).fine()?;
            journal.sync().fine()?;
        }
        disk = after.disk().reboot(Crash::random(round));
    }
    Ok(())
}

fn after_rewind_append_and_crash_every_item_is_where_it_was_written(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 18)?;
    journal.sync().fine()?;
    journal.rewind(5).fine()?;
    append_batch(&*journal, 105, 108)?;
    let appended = |count: u64| {
        let items = (0..5).chain(105..105 + count).map(|number| item(number).into());
        crate::model::Model::holding(10, 0, items)
    };
    for seed in 0..60 {
        let after = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        let got = contents(&*reopen(&*after)?)?;
        let allowed = [holding(0, 18), appended(0), appended(3)];
        let fits = allowed.iter().any(|model| same_contents(&got, model).is_ok());
        ensure!(fits, "seed {seed}: {got:?} was never there");
    }
    Ok(())
}

/// The frame read last was remembered with what the index of its sealed segment names, also where a rewind in a later
/// segment had superseded that: the next append at such a position was answered with the old item.
fn a_read_in_a_sealed_segment_does_not_bring_rewound_items_back(subject: &dyn Subject) -> Outcome {
    for (cut, batch) in [(20, 1), (21, 10)] {
        let side = fork(subject);
        let journal = create(&*side)?;
        for first in (0..60).step_by(batch) {
            let items: Vec<Vec<u8>> = (first..first + batch as u64).map(|n| long_item(n, 3000)).collect();
            let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
            journal.append_batch(&slices).fine()?;
        }
        journal.rewind(cut).fine()?;
        journal.close().fine()?;
        let journal = reopen(&*side)?;
        holds(&*journal, &holding_long(0, cut, 3000))?;
        same_item(&journal.read(cut - 1).fine()?, &long_item(cut - 1, 3000))?;
        same(journal.append(b"new").fine()?, cut)?;
        journal.flush().fine()?;
        same_item(&journal.read(cut).fine()?, b"new")?;
        let batch = journal.read_range(cut - 1, crate::subject::ALL).fine()?;
        same(batch.ends.len(), 2)?;
    }
    Ok(())
}
