//! Ranges: order, prefixes, limits, and one state while everything moves on.

use super::kit::*;
use crate::sim::{Call, Fault};

pub(super) const CASES: &[Case] = &[
    case!(a_range_ascends_by_key, "S9"),
    case!(a_range_has_the_keys_with_its_prefix, "S9"),
    case!(a_range_keeps_its_limits_but_returns_an_entry, "S11", "H18"),
    case!(a_range_shows_one_state_while_batches_are_applied, "S10", "H19"),
    case!(a_range_shows_one_state_while_compactions_go_on, "S10", "S19"),
    case!(a_range_of_nothing_ends_at_once, "S9"),
    case!(ranges_do_not_disturb_each_other, "S10", "H22"),
    case!(a_range_answers_closed_after_close_and_drop, "H21", "S19"),
    case!(an_ended_range_stays_ended, "S10", "H19"),
    case!(a_failed_read_can_be_repeated, "D10.5"),
    case!(a_range_does_not_gather_what_it_matches, "S11", "S20"),
];

fn both(subject: &dyn Subject, run: impl Fn(&dyn Subject, &dyn SnapshotSubject) -> Outcome) -> Outcome {
    for values_on_disk in [false, true] {
        let side = fork(subject);
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        run(&*side, &*snapshot).map_err(|what| format!("values_on_disk {values_on_disk}: {what}"))?;
    }
    Ok(())
}

fn a_range_ascends_by_key(subject: &dyn Subject) -> Outcome {
    both(subject, |_, snapshot| {
        let mut model = Fold::default();
        for number in [5, 3, 9, 1, 7, 3, 0] {
            put_many(snapshot, &mut model, (number, number + 2), number, 40)?;
        }
        let found = rest(&*snapshot.range(b"").fine()?, ALL)?;
        ensure!(found.is_sorted_by(|a, b| a.key < b.key));
        same_entries(&found, &entries(&model, b""))
    })
}

fn a_range_has_the_keys_with_its_prefix(subject: &dyn Subject) -> Outcome {
    both(subject, |_, snapshot| {
        let mut model = Fold::default();
        let keys: [&[u8]; 9] = [b"", b"a", b"ab", b"aba", b"abb", b"ac", b"b", b"\xFF\xFF", b"\xFF\xFF\x01"];
        for key in keys {
            let updates = [Update::Put { key, value: key, version: b"" }];
            snapshot.apply(&updates, b"").fine()?;
            model.apply(&updates, b"");
        }
        let prefixes: [&[u8]; 11] =
            [b"", b"a", b"ab", b"aba", b"abc", b"b", b"c", b"\xFF", b"\xFF\xFF", b"\xFF\xFF\xFF", b"abaa"];
        for prefix in prefixes {
            for count in [1, 2, 100] {
                let found = rest(&*snapshot.range(prefix).fine()?, Limits { count, bytes: 1000 })?;
                same_entries(&found, &entries(&model, prefix))?;
            }
        }
        Ok(())
    })
}

fn a_range_keeps_its_limits_but_returns_an_entry(subject: &dyn Subject) -> Outcome {
    both(subject, |_, snapshot| {
        let mut model = Fold::default();
        put_many(snapshot, &mut model, (0, 50), 1, 300)?;
        let wanted = entries(&model, b"");
        // `rest` checks what each step returns.
        for limits in [
            Limits { count: 0, bytes: 0 },
            Limits { count: 1, bytes: u32::MAX },
            Limits { count: u32::MAX, bytes: 0 },
            Limits { count: 3, bytes: 10_000 },
            Limits { count: 10_000, bytes: 1000 },
            ALL,
        ] {
            same_entries(&rest(&*snapshot.range(b"").fine()?, limits)?, &wanted)?;
        }
        let two = Limits { count: 9, bytes: 2 * (10 + 300 + 2) };
        let some = snapshot.range(b"").fine()?.next(two).fine()?;
        same(some.map(|entries| entries.iter().count()), Some(2))
    })
}

/// What is applied while a range is at its third entry: behind, at, and ahead of it.
fn stir(snapshot: &dyn SnapshotSubject, model: &mut Fold) -> Outcome {
    put_many(snapshot, model, (0, 4), 2, 60)?; // changed behind and ahead
    apply(snapshot, model, &[delete(&key(1)), delete(&key(5)), purge(&key(6))], "gone")?;
    put_many(snapshot, model, (6, 8), 3, 60)?; // one comes back
    apply(snapshot, model, &[put("key-000007-new", "x"), put("a", "first"), put("z", "last")], "new")?;
    apply(snapshot, model, &[put(&key(7), "changed again"), delete(&key(9))], "again")
}

fn a_range_shows_one_state_while_batches_are_applied(subject: &dyn Subject) -> Outcome {
    both(subject, |side, snapshot| {
        let mut model = Fold::default();
        put_many(snapshot, &mut model, (0, 10), 1, 50)?;
        let before = entries(&model, b"");
        let range = snapshot.range(b"").fine()?;
        let prefixed = snapshot.range(b"key-00000").fine()?;
        let mut found = Vec::new();
        for _ in 0..3 {
            let entries = range.next(Limits { count: 1, bytes: 0 }).fine()?.ok_or("an early end")?;
            found.extend(entries.iter().map(|(key, value, version)| Entry {
                key: key.into(),
                value: value.into(),
                version: version.into(),
            }));
        }
        stir(snapshot, &mut model)?;
        found.extend(rest(&*range, Limits { count: 2, bytes: 10_000 })?);
        same_entries(&found, &before)?;
        same_entries(&rest(&*prefixed, ALL)?, &before)?;
        holds(snapshot, &model)?;
        snapshot.close().fine()?;
        holds(&*reopen(side)?, &model)
    })
}

fn a_range_shows_one_state_while_compactions_go_on(subject: &dyn Subject) -> Outcome {
    both(subject, |side, snapshot| {
        let mut model = Fold::default();
        put_many(snapshot, &mut model, (0, 10), 1, 50)?;
        let first = entries(&model, b"");
        let range = snapshot.range(b"").fine()?;
        snapshot.compact().fine()?;
        let entry = range.next(Limits { count: 1, bytes: 0 }).fine()?.ok_or("an early end")?;
        same(entry.iter().next().map(|(key, ..)| key.to_vec()), Some(key(0).into_bytes()))?;
        stir(snapshot, &mut model)?;
        let second = entries(&model, b"");
        let later = snapshot.range(b"").fine()?;
        snapshot.compact().fine()?;
        stir(snapshot, &mut model)?;
        snapshot.compact().fine()?;
        same_entries(&rest(&*range, Limits { count: 2, bytes: 10_000 })?, &first[1..])?;
        same_entries(&rest(&*later, Limits { count: 3, bytes: 10_000 })?, &second)?;
        holds(snapshot, &model)?;
        // Nothing is kept for ranges that have come to their end.
        same(generations(side).len(), 1)?;
        snapshot.close().fine()?;
        holds(&*reopen(side)?, &model)
    })
}

fn a_range_of_nothing_ends_at_once(subject: &dyn Subject) -> Outcome {
    both(subject, |_, snapshot| {
        same(snapshot.range(b"").fine()?.next(ALL).fine()?, None)?;
        let range = snapshot.range(b"a").fine()?;
        snapshot.apply(&[put("a", "1")], b"").fine()?;
        same(range.next(ALL).fine()?, None)?;
        same(snapshot.range(b"b").fine()?.next(ALL).fine()?, None)
    })
}

fn ranges_do_not_disturb_each_other(subject: &dyn Subject) -> Outcome {
    both(subject, |_, snapshot| {
        let mut model = Fold::default();
        let mut ranges = Vec::new();
        for turn in 0..8 {
            put_many(snapshot, &mut model, (turn, turn + 20), turn, 30)?;
            apply(snapshot, &mut model, &[delete(&key(turn + 3))], "less")?;
            ranges.push((snapshot.range(b"key").fine()?, entries(&model, b"key"), Vec::new()));
            for (range, _, found) in &mut ranges {
                if let Some(entries) = range.next(Limits { count: 3, bytes: 1000 }).fine()? {
                    found.extend(entries.iter().map(|(key, value, version)| Entry {
                        key: key.into(),
                        value: value.into(),
                        version: version.into(),
                    }));
                }
            }
            if turn % 3 == 1 {
                snapshot.compact().fine()?;
            }
        }
        for (range, wanted, mut found) in ranges {
            found.extend(rest(&*range, ALL)?);
            same_entries(&found, &wanted)?;
        }
        Ok(())
    })
}

fn a_range_answers_closed_after_close_and_drop(subject: &dyn Subject) -> Outcome {
    both(subject, |side, snapshot| {
        let mut model = Fold::default();
        put_many(snapshot, &mut model, (0, 10), 1, 50)?;
        let range = snapshot.range(b"").fine()?;
        let export = snapshot.export().fine()?;
        snapshot.close().fine()?;
        for _ in 0..2 {
            refused!(range.next(ALL), Error::Closed);
            refused!(export.next(100), Error::Closed);
            refused!(export.files(), Error::Closed);
            refused!(export.manifest(), Error::Closed);
        }
        let again = open_with(side, &on_disk(Mode::Open))?;
        let range = again.range(b"").fine()?;
        range.next(Limits { count: 1, bytes: 1 }).fine()?;
        again.apply(&[put(&key(5), "other")], b"").fine()?;
        again.compact().fine()?;
        drop(again);
        refused!(range.next(ALL), Error::Closed);
        same(generations(side).len(), 1)
    })
}

fn an_ended_range_stays_ended(subject: &dyn Subject) -> Outcome {
    both(subject, |_, snapshot| {
        let mut model = Fold::default();
        put_many(snapshot, &mut model, (0, 3), 1, 50)?;
        let range = snapshot.range(b"").fine()?;
        rest(&*range, ALL)?;
        put_many(snapshot, &mut model, (0, 9), 2, 50)?;
        same(range.next(ALL).fine()?, None)
    })
}

fn a_failed_read_can_be_repeated(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    let mut model = Fold::default();
    for turn in 0..6 {
        put_many(&*snapshot, &mut model, (turn * 10, turn * 10 + 10), turn, 5000)?;
    }
    let wanted = entries(&model, b"");
    for skip in 0..5 {
        let range = snapshot.range(b"").fine()?;
        subject.disk().inject(Fault::next(Call::Read).after(skip));
        let (mut found, mut failures) = (Vec::new(), 0);
        loop {
            match range.next(Limits { count: 4, bytes: 100_000 }) {
                Ok(Some(entries)) => found.extend(entries.iter().map(|(key, value, version)| Entry {
                    key: key.into(),
                    value: value.into(),
                    version: version.into(),
                })),
                Ok(None) => break,
                Err(Error::Storage(_)) => failures += 1,
                Err(other) => return Err(format!("{other:?}")),
            }
            ensure!(failures < 3);
        }
        subject.disk().clear_faults();
        same_entries(&found, &wanted)?;
    }
    let one = &wanted[30];
    subject.disk().inject(Fault::next(Call::Read));
    refused!(snapshot.get(&one.key), Error::Storage(_));
    same(snapshot.get(&one.key).fine()?.as_ref(), Some(one))
}

fn a_range_does_not_gather_what_it_matches(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    let mut model = Fold::default();
    for turn in 0..20 {
        put_many(&*snapshot, &mut model, (turn * 10, turn * 10 + 10), turn, 20_000)?;
    }
    snapshot.compact().fine()?;
    subject.disk().reset_counters();
    let range = snapshot.range(b"").fine()?;
    same(subject.disk().counters().bytes_read, 0)?;
    range.next(Limits { count: 2, bytes: u32::MAX }).fine()?;
    let read = subject.disk().counters().bytes_read;
    ensure!(read < 400_000, "{read} bytes for two entries of 20,000");
    same_entries(&rest(&*range, Limits { count: 10, bytes: 100_000 })?, &entries(&model, b"")[2..])?;
    let read = subject.disk().counters().bytes_read;
    ensure!(read < 200 * 20_000 * 3 / 2, "{read} bytes for 200 entries of 20,000");
    Ok(())
}
