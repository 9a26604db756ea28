//! Compaction: what it keeps, what it frees, when it happens, and who goes on reading.

use super::kit::*;
use crate::sim::{Call, Crash, Fault};

pub(super) const CASES: &[Case] = &[
    case!(compaction_keeps_the_fold_and_the_cursor, "S15"),
    case!(compaction_frees_what_is_dead, "S15"),
    case!(compaction_of_nothing_keeps_the_cursor, "S15", "G17.1"),
    case!(compacting_again_changes_nothing_but_files, "S15"),
    case!(a_fold_of_many_segments_is_compacted, "S15", "G12.6"),
    case!(dead_bytes_are_counted_the_same_after_reopening, "S16"),
    case!(dead_bytes_beyond_the_threshold_are_compacted_by_apply, "S16"),
    case!(dead_bytes_beyond_the_threshold_are_compacted_by_open, "S16"),
    case!(by_default_a_log_has_no_more_dead_bytes_than_live_ones, "S16"),
    case!(empty_batches_do_not_pile_up, "S16", "S3"),
    case!(a_failed_compaction_of_its_own_is_nobodys_error, "S16", "S17"),
    case!(after_a_fault_at_any_call_a_compaction_changed_nothing, "S17", "D10.8"),
    case!(a_swap_that_failed_after_all_is_seen_to_have_happened, "S17"),
    case!(files_go_only_after_the_last_range_that_needs_them, "S19"),
    case!(a_compacted_snapshot_reads_little_for_one_value, "S20", "F3.1"),
    case!(leftovers_of_a_compaction_are_no_damage, "S17", "A3"),
    case!(a_reader_elsewhere_ends_when_its_files_are_gone, "S19"),
    case!(a_read_only_open_beside_a_compaction_succeeds, "D11.5", "S19"),
];

fn both(subject: &dyn Subject, run: impl Fn(&dyn Subject, Options) -> Outcome) -> Outcome {
    for values_on_disk in [false, true] {
        let side = fork(subject);
        run(&*side, Options { values_on_disk, ..options(Mode::Create) })
            .map_err(|what| format!("values_on_disk {values_on_disk}: {what}"))?;
    }
    Ok(())
}

fn compaction_keeps_the_fold_and_the_cursor(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        for turn in 0..5 {
            put_many(&*snapshot, &mut model, (turn * 3, turn * 3 + 15), turn, 200)?;
            apply(&*snapshot, &mut model, &[delete(&key(turn * 3)), purge(&key(turn * 3 + 1))], "gone")?;
            snapshot.compact().fine()?;
            holds(&*snapshot, &model)?;
            same(snapshot.stats().fine()?.generation, turn + 1)?;
            let lost = side.on(side.disk().fork().reboot(Crash::LOSE_ALL));
            holds(&*reopen(&*lost)?, &model)?;
        }
        put_many(&*snapshot, &mut model, (0, 5), 9, 200)?;
        holds(&*snapshot, &model)?;
        snapshot.close().fine()?;
        same(side.verify(LOG).fine()?, vec![])?;
        holds(&*open_with(side, &Options { mode: Mode::Open, segment_bytes: None, ..options })?, &model)
    })
}

fn compaction_frees_what_is_dead(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        for turn in 0..20 {
            put_many(&*snapshot, &mut model, (0, 10), turn, 2000)?;
        }
        let before = snapshot.stats().fine()?;
        ensure!(before.dead_bytes > 19 * 20_000 && before.live_bytes > 20_000, "{before:?}");
        snapshot.compact().fine()?;
        let after = snapshot.stats().fine()?;
        same(after.dead_bytes, 0)?;
        ensure!(after.live_bytes < before.live_bytes + 500, "{before:?}, {after:?}");
        same(generations(side), vec!["00000001".into()])?;
        snapshot.close().fine()?;
        ensure!(file_bytes(side) < 25_000, "{} bytes", file_bytes(side));
        Ok(())
    })
}

fn compaction_of_nothing_keeps_the_cursor(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        snapshot.compact().fine()?;
        holds(&*snapshot, &model)?;
        apply(&*snapshot, &mut model, &[put("a", "1"), delete("a")], "there")?;
        snapshot.compact().fine()?;
        holds(&*snapshot, &model)?;
        let token = snapshot.close().fine()?;
        let opened = Options { mode: Mode::Open, segment_bytes: None, expect: Some(token), ..options };
        holds(&*open_with(side, &opened)?, &model)
    })
}

fn compacting_again_changes_nothing_but_files(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        put_many(&*snapshot, &mut model, (0, 50), 1, 3000)?;
        snapshot.compact().fine()?;
        let stats = snapshot.stats().fine()?;
        for generation in 2..6 {
            snapshot.compact().fine()?;
            same(snapshot.stats().fine()?, annals_logs::snapshot::Stats { generation, ..stats })?;
            holds(&*snapshot, &model)?;
        }
        Ok(())
    })
}

fn a_fold_of_many_segments_is_compacted(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        for turn in 0..30 {
            put_many(&*snapshot, &mut model, (turn * 20, turn * 20 + 25), turn, 1500)?;
        }
        snapshot.compact().fine()?;
        ensure!(subject.disk().file_names().len() != 1);
        holds(&*snapshot, &model)?;
        put_many(&*snapshot, &mut model, (100, 200), 77, 1500)?;
        snapshot.compact().fine()?;
        holds(&*snapshot, &model)?;
        snapshot.close().fine()?;
        same(side.verify(LOG).fine()?, vec![])?;
        holds(&*open_with(side, &Options { mode: Mode::Open, segment_bytes: None, ..options })?, &model)
    })
}

fn dead_bytes_are_counted_the_same_after_reopening(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        for turn in 0..12 {
            put_many(&*snapshot, &mut model, (turn, turn + 10), turn, 100 * turn as usize)?;
            apply(&*snapshot, &mut model, &[delete(&key(turn + 4)), put("", "")], "x")?;
            apply(&*snapshot, &mut model, &[], "")?;
            if turn % 5 == 3 {
                snapshot.compact().fine()?;
            }
            let stats = snapshot.stats().fine()?;
            for values_on_disk in [false, true] {
                let mode = Mode::ReadOnly;
                let again = Options { values_on_disk, mode, segment_bytes: None, ..options.clone() };
                same(open_with(side, &again)?.stats().fine()?, stats)?;
            }
        }
        Ok(())
    })
}

const THRESHOLD: u64 = 64 << 10;

fn dead_bytes_beyond_the_threshold_are_compacted_by_apply(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &Options { compact_at: Some(THRESHOLD), ..options })?;
        let mut model = Fold::default();
        let mut compacted = 0;
        for turn in 0..60 {
            let before = snapshot.stats().fine()?;
            put_many(&*snapshot, &mut model, (0, 3), turn, 2000)?;
            let after = snapshot.stats().fine()?;
            ensure!(after.dead_bytes <= THRESHOLD, "{after:?}");
            if after.generation > before.generation {
                ensure!(before.dead_bytes + 7000 > THRESHOLD, "{before:?}, {after:?}");
                compacted += 1;
            }
        }
        ensure!((3..10).contains(&compacted), "{compacted} times");
        holds(&*snapshot, &model)?;
        drop(snapshot);
        holds(&*reopen(&*crash(side, Crash::LOSE_ALL))?, &model)
    })
}

fn dead_bytes_beyond_the_threshold_are_compacted_by_open(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        for turn in 0..30 {
            put_many(&*snapshot, &mut model, (0, 3), turn, 2000)?;
        }
        let stats = snapshot.stats().fine()?;
        snapshot.close().fine()?;
        let opened =
            |at, mode| Options { compact_at: Some(at), mode, segment_bytes: None, ..options.clone() };
        for (at, mode, generation) in [
            (stats.dead_bytes, Mode::Open, 0),
            (THRESHOLD, Mode::ReadOnly, 0),
            (stats.dead_bytes - 1, Mode::Open, 1),
            (THRESHOLD, Mode::Open, 1),
        ] {
            let snapshot = open_with(side, &opened(at, mode))?;
            same(snapshot.stats().fine()?.generation, generation)?;
            holds(&*snapshot, &model)?;
        }
        Ok(())
    })
}

fn by_default_a_log_has_no_more_dead_bytes_than_live_ones(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &Options { compact_at: None, ..on_disk(Mode::Create) })?;
    let large = vec![5; 3 << 20];
    for (turn, generation) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 1), (8, 1)] {
        snapshot.apply(&[Update::Put { key: b"a", value: &large, version: b"" }], b"x").fine()?;
        // 16 MiB and no less, although little is live.
        same((turn, snapshot.stats().fine()?.generation), (turn, generation))?;
    }
    for name in ["b", "c", "d", "e", "f", "g", "h"] {
        snapshot.apply(&[Update::Put { key: name.as_bytes(), value: &large, version: b"" }], b"x").fine()?;
    }
    for _ in 0..6 {
        snapshot.apply(&[Update::Put { key: b"a", value: &large, version: b"" }], b"x").fine()?;
        // 24 MiB are live, so more than 16 MiB may be dead.
        same(snapshot.stats().fine()?.generation, 1)?;
    }
    snapshot.apply(&[Update::Put { key: b"a", value: &large, version: b"" }], b"x").fine()?;
    same(snapshot.stats().fine()?.generation, 2)?;
    drop(snapshot);
    subject.snapshots().destroy(LOG).fine()
}

fn empty_batches_do_not_pile_up(subject: &dyn Subject) -> Outcome {
    let relaxed = Options { compact_at: Some(THRESHOLD), relaxed: true, ..options(Mode::Create) };
    let snapshot = open_with(subject, &relaxed)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[put("a", "1")], "start")?;
    for turn in 0..2000 {
        apply(&*snapshot, &mut model, &[], &turn.to_string())?;
    }
    ensure!(snapshot.stats().fine()?.generation >= 3);
    holds(&*snapshot, &model)?;
    snapshot.close().fine()?;
    ensure!(file_bytes(subject) < 3 * THRESHOLD);
    holds(&*reopen(subject)?, &model)
}

fn a_failed_compaction_of_its_own_is_nobodys_error(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &Options { compact_at: Some(THRESHOLD), ..options })?;
        let mut model = Fold::default();
        put_many(&*snapshot, &mut model, (0, 20), 0, 2000)?;
        let mut tries = 0;
        for turn in 1..8 {
            if turn < 6 {
                side.disk().inject(Fault::next(Call::Remove).forever());
                side.disk().inject(Fault::next(Call::SwapCell).forever());
            }
            side.disk().reset_counters();
            put_many(&*snapshot, &mut model, (0, 20), turn, 2000)?;
            tries += u64::from(side.disk().counters().of(Call::SwapCell) > 0);
            side.disk().clear_faults();
            holds(&*snapshot, &model)?;
        }
        // Not again and again: only after twice as many dead bytes.
        ensure!(tries == 2, "{tries} tries");
        let stats = snapshot.stats().fine()?;
        same(stats.generation, 0)?;
        let mut turn = 8;
        while snapshot.stats().fine()?.generation == 0 {
            put_many(&*snapshot, &mut model, (0, 20), turn, 2000)?;
            turn += 1;
            ensure!(turn < 14, "it is never tried again");
        }
        same(generations(side), vec!["00000001".into()])?;
        holds(&*snapshot, &model)
    })
}

fn after_a_fault_at_any_call_a_compaction_changed_nothing(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        for turn in 0..3 {
            put_many(&*snapshot, &mut model, (turn * 10, turn * 10 + 30), turn, 1500)?;
        }
        drop(snapshot);
        for number in 1.. {
            let again = fork(side);
            let opened = Options { mode: Mode::Open, segment_bytes: None, ..options.clone() };
            let snapshot = open_with(&*again, &opened)?;
            again.disk().inject(Fault::at(number));
            let answer = snapshot.compact();
            let over = again.disk().clear_faults() > 0;
            let mut model = model.clone();
            match snapshot.has_entries() {
                Ok(_) => {
                    holds(&*snapshot, &model).map_err(|what| format!("call {number}: {what}"))?;
                    put_many(&*snapshot, &mut model, (0, 5), 9, 500)?;
                    if number.is_multiple_of(3) {
                        snapshot.compact().fine()?;
                        same(generations(&*again).len(), 1)?;
                    }
                }
                Err(Error::Closed) => ensure!(answer.is_err(), "call {number}"),
                Err(other) => return Err(format!("call {number}: {other:?}")),
            }
            drop(snapshot);
            let lost = crash(&*again, Crash::LOSE_ALL);
            holds(&*reopen(&*lost)?, &model).map_err(|what| format!("call {number}: {what}"))?;
            same(generations(&*lost).len(), 1)?;
            if over {
                ensure!(answer.is_ok() && number > 10);
                return Ok(());
            }
        }
        Ok(())
    })
}

fn a_swap_that_failed_after_all_is_seen_to_have_happened(subject: &dyn Subject) -> Outcome {
    both(subject, |side, options| {
        let snapshot = open_with(side, &options)?;
        let mut model = Fold::default();
        put_many(&*snapshot, &mut model, (0, 20), 1, 500)?;
        side.disk().inject(Fault::next(Call::SwapCell).when(crate::sim::Point::After));
        snapshot.compact().fine()?;
        same(snapshot.stats().fine()?.generation, 1)?;
        put_many(&*snapshot, &mut model, (10, 30), 2, 500)?;
        holds(&*snapshot, &model)?;
        // Where even the look fails nobody knows: the log is closed, and neither generation is touched.
        side.disk().inject(Fault::next(Call::SwapCell).when(crate::sim::Point::After));
        side.disk().inject(Fault::next(Call::ReadCell).after(1));
        refused!(snapshot.compact(), Error::Storage(_));
        refused!(snapshot.get(b"a"), Error::Closed);
        drop(snapshot);
        same(side.disk().clear_faults(), 0)?;
        same(generations(side).len(), 2)?;
        holds(&*reopen_read_only(side)?, &model)?;
        holds(&*reopen(side)?, &model)?;
        same(generations(side).len(), 1)
    })
}

fn files_go_only_after_the_last_range_that_needs_them(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 20), 1, 500)?;
    let unneeded = snapshot.range(b"").fine()?;
    snapshot.compact().fine()?;
    same(generations(subject).len(), 1)?; // it needs only what the new files have too
    let first = entries(&model, b"");
    let one = snapshot.range(b"").fine()?;
    put_many(&*snapshot, &mut model, (5, 10), 2, 500)?;
    snapshot.compact().fine()?;
    same(generations(subject).len(), 2)?;
    let two = snapshot.range(b"").fine()?;
    drop(unneeded);
    put_many(&*snapshot, &mut model, (5, 10), 3, 500)?;
    snapshot.compact().fine()?;
    same(generations(subject).len(), 3)?;
    same_entries(&rest(&*one, ALL)?, &first)?;
    same(generations(subject).len(), 2)?;
    drop(two);
    snapshot.compact().fine()?;
    same(generations(subject).len(), 1)?;
    holds(&*snapshot, &model)
}

fn a_compacted_snapshot_reads_little_for_one_value(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &Options { segment_bytes: Some(4 << 20), ..on_disk(Mode::Create) })?;
    let mut model = Fold::default();
    for turn in 0..20 {
        put_many(&*snapshot, &mut model, (turn * 100, turn * 100 + 100), turn, 1000)?;
    }
    snapshot.compact().fine()?;
    snapshot.get(key(3).as_bytes()).fine()?;
    subject.disk().reset_counters();
    for number in [1234, 7, 1999, 600] {
        same(
            snapshot.get(key(number).as_bytes()).fine()?.map(|entry| entry.value),
            Some(value(number, number / 100, 1000)),
        )?;
    }
    let read = subject.disk().counters().bytes_read;
    ensure!(read < 4 * 48_000, "{read} bytes for four values");
    Ok(())
}

fn leftovers_of_a_compaction_are_no_damage(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 40), 1, 3000)?;
    let before = subject.disk().fork();
    snapshot.compact().fine()?;
    snapshot.close().fine()?;
    // As a crash leaves them: the files of the generation before, and some of the one that never came.
    for name in before.file_names() {
        subject.disk().copy_file(&before, &name, &name);
    }
    let name = subject.disk().file_names().pop().ok_or("no file")?;
    let next = name.replace(".00000001.", ".00000002.");
    subject.disk().copy_file(&before, &before.file_names()[0], &next);
    same(generations(subject).len(), 3)?;
    same(subject.verify(LOG).fine()?, vec![])?;
    // One that bears the name and is of another log, or none, is not this one's to remove.
    let parts: Vec<&str> = next.split('.').collect();
    let foreign = format!("{LOG}.{}.00000000.{}", "0".repeat(32), parts[3]);
    let kept = fork(subject);
    kept.disk().put_file(&foreign, 512);
    let snapshot = reopen(&*kept)?;
    snapshot.compact().fine()?;
    holds(&*snapshot, &model)?;
    ensure!(kept.disk().file_names().contains(&foreign));
    same(kept.verify(LOG).fine()?.into_iter().map(|damage| damage.file).collect(), vec![foreign])?;
    same(subject.info(LOG).fine()?.damage, vec![])?;
    holds(&*reopen_read_only(subject)?, &model)?;
    same(generations(subject).len(), 3)?;
    holds(&*reopen(subject)?, &model)?;
    same(generations(subject).len(), 1)
}

fn a_reader_elsewhere_ends_when_its_files_are_gone(subject: &dyn Subject) -> Outcome {
    let writer = create(subject)?;
    let mut model = Fold::default();
    // More files than are held open.
    for turn in 0..200 {
        put_many(&*writer, &mut model, (turn * 10, turn * 10 + 10), turn, 3000)?;
    }
    let reader = open_with(subject, &on_disk(Mode::ReadOnly))?;
    let in_memory = reopen_read_only(subject)?;
    let range = reader.range(b"").fine()?;
    range.next(Limits { count: 1, bytes: 1 }).fine()?;
    writer.compact().fine()?;
    let mut found = 1;
    let ended = loop {
        match range.next(Limits { count: 5, bytes: 100_000 }) {
            Ok(Some(entries)) => {
                for (key, value, version) in entries.iter() {
                    same(model.entries.get(key), Some(&(value.to_vec(), version.to_vec())))?;
                    found += 1;
                }
            }
            other => break other.map(|_| ()),
        }
    };
    // Open handles go on reading, so it may have come far; but it must not look like the end.
    same((ended, found < 2000), (Err(Error::Closed), true))?;
    refused!(reader.get(key(1999).as_bytes()), Error::Closed);
    refused!(reader.cursor(), Error::Closed);
    holds(&*in_memory, &model)?;
    holds(&*reopen_read_only(subject)?, &model)
}

fn a_read_only_open_beside_a_compaction_succeeds(subject: &dyn Subject) -> Outcome {
    let writer = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..10 {
        put_many(&*writer, &mut model, (turn * 10, turn * 10 + 10), turn, 2000)?;
        // Behind a fault the open looks again: here a file that is gone as if it had been compacted away.
        let name = subject.disk().file_names().pop().ok_or("no file")?;
        writer.compact().fine()?;
        ensure!(!subject.disk().file_names().contains(&name));
        holds(&*reopen_read_only(subject)?, &model)?;
    }
    Ok(())
}
