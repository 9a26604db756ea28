//! Damage: nothing wrong is ever served, nothing is skipped silently.

use super::super::kit::find;
use super::kit::*;
use crate::rng::SplitMix64;
use crate::sim::Crash;
use annals_logs::format::root::Kind;

pub(super) const CASES: &[Case] = &[
    case!(damage_refuses_a_writing_open_and_changes_nothing, "X2", "D11.2"),
    case!(a_damaged_length_hides_no_later_records, "W8"),
    case!(behind_damage_only_certain_keys_are_served, "D11.4"),
    case!(behind_a_lost_batch_later_keys_are_served, "D11.4"),
    case!(a_fold_that_is_cut_off_is_told_once, "D11.4", "A3"),
    case!(a_damaged_piece_of_a_fold_costs_the_keys_between, "F3.2"),
    case!(rot_in_a_fresh_fold_is_no_torn_tail, "D8.4", "S17"),
    case!(a_damaged_last_batch_leaves_nothing_certain, "D11.4"),
    case!(a_missing_file_refuses_a_writing_open, "G13.4"),
    case!(a_flipped_bit_anywhere_serves_nothing_wrong, "D11.4", "D8.4"),
    case!(values_that_rot_under_an_open_snapshot_answer_damaged, "F3.2", "F3.4"),
    case!(damage_keeps_a_compaction_from_happening, "S17", "X2"),
    case!(a_damaged_root_cell_hides_nothing, "G15.9"),
    case!(the_kind_of_a_snapshot_without_its_cell_is_known, "A7", "A1"),
];

/// Five batches: keys 0 to 29 with long values; keys 10 to 14 change last. The disk is at rest.
fn batches(subject: &dyn Subject) -> Result<Fold, String> {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 10), 1, 600)?;
    put_many(&*snapshot, &mut model, (10, 20), 2, 600)?;
    put_many(&*snapshot, &mut model, (20, 30), 3, 600)?;
    put_many(&*snapshot, &mut model, (10, 15), 4, 600)?;
    apply(&*snapshot, &mut model, &[delete(&key(4)), delete("never")], "at the end")?;
    snapshot.close().fine()?;
    Ok(model)
}

/// Each key answers what it has or `damaged`; ranges too. Returns the keys that were served.
fn nothing_wrong(snapshot: &dyn SnapshotSubject, model: &Fold) -> Result<Vec<Vec<u8>>, String> {
    let mut served = Vec::new();
    for number in 0..35 {
        let key = key(number).into_bytes();
        match snapshot.get(&key) {
            Ok(found) => {
                let found = found.map(|entry| (entry.value, entry.version));
                same(found.as_ref(), model.entries.get(&key))?;
                served.push(key);
            }
            Err(Error::Damaged(_)) => {}
            Err(other) => return Err(format!("{other:?}")),
        }
    }
    match snapshot.cursor() {
        Ok(cursor) => same(&cursor, &model.cursor)?,
        Err(Error::Damaged(_)) => {}
        Err(other) => return Err(format!("{other:?}")),
    }
    let range = snapshot.range(b"").fine()?;
    let (mut found, mut damaged) = (Vec::new(), 0);
    loop {
        match range.next(Limits { count: 3, bytes: 10_000 }) {
            Ok(Some(entries)) => {
                for (key, value, version) in entries.iter() {
                    same(model.entries.get(key), Some(&(value.to_vec(), version.to_vec())))?;
                    found.push(key.to_vec());
                }
            }
            Ok(None) => break,
            Err(Error::Damaged(_)) => damaged += 1,
            Err(other) => return Err(format!("{other:?}")),
        }
        ensure!(damaged < 50);
    }
    ensure!(found.is_sorted_by(|a, b| a < b));
    let alive: Vec<Vec<u8>> = served.iter().filter(|key| model.entries.contains_key(*key)).cloned().collect();
    same(found, alive)?;
    // What a range leaves out it must have said.
    ensure!(damaged > 0 || served.len() == 35, "entries are left out in silence");
    Ok(served)
}

fn bite(subject: &dyn Subject, number: u64, turn: u64) -> Result<(String, u64), String> {
    let (file, offset) = find(subject.disk(), &value(number, turn, 40))?;
    subject.disk().flip_bit(&file, (offset + 20) * 8);
    Ok((file, offset + 20))
}

fn damage_refuses_a_writing_open_and_changes_nothing(subject: &dyn Subject) -> Outcome {
    let model = batches(subject)?;
    let (file, offset) = bite(subject, 12, 2)?;
    // What an interrupted compaction left behind is removed by opens that succeed, not by this one.
    subject.disk().copy_file(subject.disk(), &file, &file.replace(".00000000.", ".00000001."));
    let before = subject.disk().hash();
    for values_on_disk in [false, true] {
        let opened = Options { values_on_disk, ..options(Mode::Open) };
        let damage = damage(subject.snapshots().open(LOG, &opened))?;
        same(&damage.file, &file)?;
        ensure!(damage.offset <= offset && offset < damage.offset + 8192, "{damage:?}, bitten at {offset}");
        ensure!(damage.lowest.is_some());
        refused!(subject.snapshots().open(LOG, &options(Mode::OpenOrCreate)), Error::Damaged(_));
        refused!(subject.snapshots().open(LOG, &options(Mode::Create)), Error::Exists);
    }
    same(subject.disk().hash(), before)?;
    same(subject.verify(LOG).fine()?.len(), 1)?;
    nothing_wrong(&*reopen_read_only(subject)?, &model)?;
    same(subject.disk().hash(), before)?;
    subject.snapshots().destroy(LOG).fine()
}

fn a_damaged_length_hides_no_later_records(subject: &dyn Subject) -> Outcome {
    // A reference design reads a damaged length, takes what follows for a torn tail and drops it.
    let model = batches(subject)?;
    let [file] = &subject.disk().file_names()[..] else { return Err("several files".into()) };
    let frames = subject.frames(file).fine()?;
    for frame in frames.iter().filter(|frame| frame.kind == "append") {
        // The whole header: every length is in it.
        for byte in 0..annals_logs::format::HEADER as u64 {
            let side = fork(subject);
            side.disk().flip_bit(file, (frame.offset + byte) * 8 + byte % 8);
            refused!(
                side.snapshots().open(LOG, &options(Mode::Open)),
                Error::Damaged(_) | Error::UnknownFormat(_)
            );
            match side.snapshots().open(LOG, &options(Mode::ReadOnly)) {
                Ok(snapshot) => drop(nothing_wrong(&*snapshot, &model)?),
                Err(Error::UnknownFormat(_)) => {}
                Err(other) => return Err(format!("{other:?}")),
            }
        }
        // And the lengths inside the first items, which a check of the body covers.
        let header = annals_logs::format::HEADER as u64;
        for byte in header..(header + 100).min(u64::from(frame.bytes) - 9) {
            let side = fork(subject);
            side.disk().flip_bit(file, (frame.offset + byte) * 8);
            let opened = side.snapshots().open(LOG, &options(Mode::Open)).err();
            ensure!(matches!(opened, Some(Error::Damaged(_))), "frame {frame:?}, byte {byte}: {opened:?}");
            nothing_wrong(&*reopen_read_only(&*side)?, &model)?;
        }
    }
    Ok(())
}

fn behind_damage_only_certain_keys_are_served(subject: &dyn Subject) -> Outcome {
    let model = batches(subject)?;
    bite(subject, 17, 2)?;
    for values_on_disk in [false, true] {
        let snapshot = open_with(subject, &Options { values_on_disk, ..options(Mode::ReadOnly) })?;
        let served = nothing_wrong(&*snapshot, &model)?;
        // Put or deleted behind the damage; and nothing else, not even what is behind it in its own batch.
        let mut certain: Vec<u64> = vec![4];
        certain.extend(10..15);
        certain.extend(20..30);
        let first = served.iter().filter(|key| !certain.iter().any(|n| **key == key_of(n))).count();
        ensure!(first <= 3, "{first} keys too many: {served:?}");
        ensure!(certain.iter().all(|n| served.contains(&key_of(n).clone())));
        same(snapshot.cursor().fine()?, b"at the end".to_vec())?;
        same(snapshot.get(b"never").fine()?, None)?;
        refused!(snapshot.get(b"ever"), Error::Damaged(_));
        refused!(snapshot.stats(), Error::Damaged(_));
        refused!(snapshot.export(), Error::Damaged(_));
        same(snapshot.has_entries().fine()?, true)?;
        let range = snapshot.range(b"").fine()?;
        refused!(range.next(ALL), Error::Damaged(_));
        ensure!(range.next(ALL).fine()?.is_some_and(|entries| entries.iter().count() >= 15));
        same(range.next(ALL).fine()?, None)?;
    }
    Ok(())
}

fn behind_a_lost_batch_later_keys_are_served(subject: &dyn Subject) -> Outcome {
    let model = batches(subject)?;
    let (file, offset) = find(subject.disk(), &value(10, 2, 40))?;
    let frames = subject.frames(&file).fine()?;
    let frame = frames.iter().rfind(|frame| frame.offset < offset).ok_or("no frame")?;
    subject.disk().flip_bit(&file, (frame.offset + 16) * 8);
    for values_on_disk in [false, true] {
        let snapshot = open_with(subject, &Options { values_on_disk, ..options(Mode::ReadOnly) })?;
        let served = nothing_wrong(&*snapshot, &model)?;
        // Put or deleted behind it; and no key from before it, which it may have changed.
        let certain: Vec<Vec<u8>> = [4].into_iter().chain(10..15).chain(20..30).map(|n| key_of(&n)).collect();
        same(served, certain)?;
        same(snapshot.cursor().fine()?, b"at the end".to_vec())?;
    }
    Ok(())
}

fn a_fold_that_is_cut_off_is_told_once(subject: &dyn Subject) -> Outcome {
    // Not closed, and the only frame of the fold is lost: nothing behind it tells what it was.
    let snapshot = create(subject)?;
    put_many(&*snapshot, &mut Fold::default(), (0, 10), 1, 600)?;
    snapshot.compact().fine()?;
    let after = crash(subject, crate::sim::Crash::LOSE_ALL);
    let [file] = &after.disk().file_names()[..] else { return Err("several files".into()) };
    let frames = after.frames(file).fine()?;
    let fold = frames.get(1).ok_or("no frame of a fold")?;
    for at in [16, 40] {
        after.disk().flip_bit(file, (fold.offset + at) * 8);
    }
    let found = after.verify(LOG).fine()?;
    same(found.iter().map(|damage| (&damage.file, damage.offset)).collect(), vec![(file, fold.offset)])?;
    refused!(after.snapshots().open(LOG, &options(Mode::Open)), Error::Damaged(_));
    let snapshot = reopen_read_only(&*after)?;
    for refused in [snapshot.get(key(3).as_bytes()).err(), snapshot.cursor().err(), snapshot.export().err()] {
        ensure!(matches!(refused, Some(Error::Damaged(_))), "{refused:?}");
    }
    Ok(())
}

fn key_of(number: &u64) -> Vec<u8> {
    key(*number).into_bytes()
}

fn a_damaged_piece_of_a_fold_costs_the_keys_between(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..10 {
        put_many(&*snapshot, &mut model, (turn * 20, turn * 20 + 20), turn, 5000)?;
    }
    snapshot.compact().fine()?;
    put_many(&*snapshot, &mut model, (30, 35), 50, 300)?;
    snapshot.close().fine()?;
    let (file, offset) = find(subject.disk(), &value(33, 1, 100))?;
    subject.disk().flip_bit(&file, (offset + 50) * 8);
    for values_on_disk in [false, true] {
        let snapshot = open_with(subject, &Options { values_on_disk, ..options(Mode::ReadOnly) })?;
        // The value that is lost was replaced later; its neighbours are not lost, but keys between could be.
        same(snapshot.get(key(33).as_bytes()).fine()?.map(|entry| entry.value), Some(value(33, 50, 300)))?;
        for number in (0..200).filter(|number| !(31..36).contains(number)) {
            let wanted = model.entries.get(key(number).as_bytes()).map(|held| held.0.clone());
            same(snapshot.get(key(number).as_bytes()).fine()?.map(|entry| entry.value), wanted)?;
        }
        refused!(snapshot.get(b"key-000032-or-so"), Error::Damaged(_));
        same(snapshot.get(b"key-000050-or-so").fine()?, None)?;
        same(snapshot.cursor().fine()?, b"at-50".to_vec())?;
        same_entries(&rest(&*snapshot.range(b"key-00019").fine()?, ALL)?, &entries(&model, b"key-00019"))?;
        refused!(snapshot.range(b"key-00003").fine()?.next(ALL), Error::Damaged(_));
    }
    Ok(())
}

fn rot_in_a_fresh_fold_is_no_torn_tail(subject: &dyn Subject) -> Outcome {
    // The fold of a compaction has several frames, and no later one promised them: rot in the last ones, right after the
    // compaction or a crash, looked like the torn tail of a log that was being written. The open cut them off, with all keys
    // that they hold, and said nothing.
    let snapshot = open_with(subject, &Options { segment_bytes: Some(8 << 20), ..options(Mode::Create) })?;
    let mut model = Fold::default();
    for turn in 0..10 {
        put_many(&*snapshot, &mut model, (turn * 20, turn * 20 + 20), turn, 5000)?;
    }
    snapshot.compact().fine()?;
    for how in [Crash::Process, Crash::LOSE_ALL] {
        let image = crash(subject, how);
        for (number, turn) in [(5, 0), (100, 5), (195, 9)] {
            let bitten = fork(&*image);
            let (file, offset) = find(bitten.disk(), &value(number, turn, 100))?;
            bitten.disk().zero_sector(&file, offset + 512);
            refused!(bitten.snapshots().open(LOG, &options(Mode::Open)), Error::Damaged(_));
        }
    }
    Ok(())
}

fn a_damaged_last_batch_leaves_nothing_certain(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 30), 1, 600)?;
    put_many(&*snapshot, &mut model, (10, 15), 2, 600)?;
    snapshot.close().fine()?;
    bite(subject, 13, 2)?;
    let snapshot = reopen_read_only(subject)?;
    let served = nothing_wrong(&*snapshot, &model)?;
    ensure!(served.len() <= 5, "{served:?}");
    refused!(snapshot.get(b"what"), Error::Damaged(_));
    Ok(())
}

fn a_missing_file_refuses_a_writing_open(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..10 {
        put_many(&*snapshot, &mut model, (turn * 3, turn * 3 + 5), turn, 6000)?;
    }
    snapshot.close().fine()?;
    let files = subject.disk().file_names();
    ensure!(files.len() > 3);
    for file in &files {
        let side = fork(subject);
        side.disk().remove_file(file);
        let before = side.disk().hash();
        refused!(side.snapshots().open(LOG, &options(Mode::Open)), Error::Damaged(_));
        same(side.disk().hash(), before)?;
        nothing_wrong(&*reopen_read_only(&*side)?, &model)?;
    }
    Ok(())
}

fn a_flipped_bit_anywhere_serves_nothing_wrong(subject: &dyn Subject) -> Outcome {
    for compacted in [false, true] {
        let base = fork(subject);
        let snapshot = create(&*base)?;
        let mut model = Fold::default();
        for turn in 0..5 {
            put_many(&*snapshot, &mut model, (turn * 5, turn * 5 + 9), turn, 700)?;
            if compacted && turn == 3 {
                snapshot.compact().fine()?;
            }
        }
        apply(&*snapshot, &mut model, &[delete(&key(7))], "end")?;
        snapshot.close().fine()?;
        let [file] = &base.disk().file_names()[..] else { return Err("several files".into()) };
        let mut rng = SplitMix64::new(5);
        for byte in (0..base.disk().file_size(file)).step_by(29) {
            let side = fork(&*base);
            let bit = byte * 8 + rng.draw() % 8;
            side.disk().flip_bit(file, bit);
            let before = side.disk().hash();
            let at = |what: String| format!("compacted {compacted}, bit {bit}: {what}");
            match side.snapshots().open(LOG, &options(Mode::ReadOnly)) {
                Ok(snapshot) => drop(nothing_wrong(&*snapshot, &model).map_err(at)?),
                Err(Error::Damaged(_) | Error::UnknownFormat(_)) => {}
                Err(other) => return Err(at(format!("{other:?}"))),
            }
            match side.snapshots().open(LOG, &options(Mode::Open)) {
                // The seal is not needed to know everything.
                Ok(snapshot) => holds(&*snapshot, &model).map_err(at)?,
                Err(Error::Damaged(_) | Error::UnknownFormat(_)) => same(side.disk().hash(), before)?,
                Err(other) => return Err(at(format!("{other:?}"))),
            }
        }
    }
    Ok(())
}

fn values_that_rot_under_an_open_snapshot_answer_damaged(subject: &dyn Subject) -> Outcome {
    batches(subject)?;
    let snapshot = open_with(subject, &on_disk(Mode::Open))?;
    bite(subject, 28, 3)?;
    refused!(snapshot.get(key(28).as_bytes()), Error::Damaged(_));
    same(snapshot.get(key(21).as_bytes()).fine()?.map(|entry| entry.value), Some(value(21, 3, 600)))?;
    let range = snapshot.range(b"").fine()?;
    let (mut found, mut damaged) = (0, 0);
    loop {
        match range.next(Limits { count: 4, bytes: 100_000 }) {
            Ok(Some(entries)) => found += entries.iter().count(),
            Ok(None) => break,
            Err(Error::Damaged(_)) => damaged += 1,
            Err(other) => return Err(format!("{other:?}")),
        }
    }
    // One each for those whose block it is.
    ensure!(damaged >= 1 && found + damaged == 29, "{found} found, {damaged} damaged");
    snapshot.apply(&[put(&key(28), "whole again")], b"next").fine()?;
    same(snapshot.get(key(28).as_bytes()).fine()?.map(|entry| entry.value), Some(b"whole again".to_vec()))
}

fn damage_keeps_a_compaction_from_happening(subject: &dyn Subject) -> Outcome {
    batches(subject)?;
    let snapshot = open_with(subject, &on_disk(Mode::Open))?;
    bite(subject, 25, 3)?;
    refused!(snapshot.compact(), Error::Damaged(_));
    same(snapshot.stats().fine()?.generation, 0)?;
    same(generations(subject).len(), 1)?;
    same(snapshot.get(key(12).as_bytes()).fine()?.map(|entry| entry.value), Some(value(12, 4, 600)))?;
    // Once the rotten values are replaced, it goes on.
    let keys: Vec<String> = (20..30).map(key).collect();
    let updates: Vec<Update<'_>> = keys.iter().map(|key| put(key, "new")).collect();
    snapshot.apply(&updates, b"next").fine()?;
    snapshot.compact().fine()?;
    snapshot.close().fine()?;
    same(subject.verify(LOG).fine()?, vec![])
}

fn a_damaged_root_cell_hides_nothing(subject: &dyn Subject) -> Outcome {
    let model = batches(subject)?;
    let side = fork(subject);
    let cell = side.disk().cell_names().pop().ok_or("no cell")?;
    side.disk().flip_cell_bit(&cell, 50);
    refused!(side.snapshots().open(LOG, &options(Mode::Open)), Error::Damaged(_));
    let snapshot = side.snapshots().open(LOG, &options(Mode::ReadOnly)).fine()?;
    holds(&*snapshot, &model)?;
    side.disk().remove_cell(&cell);
    refused!(side.snapshots().open(LOG, &options(Mode::OpenOrCreate)), Error::Damaged(_));
    holds(&*reopen_read_only(&*side)?, &model)
}

fn the_kind_of_a_snapshot_without_its_cell_is_known(subject: &dyn Subject) -> Outcome {
    // `admin` once took every log without a root cell for a journal.
    batches(subject)?;
    let cell = subject.disk().cell_names().pop().ok_or("no cell")?;
    subject.disk().remove_cell(&cell);
    let info = subject.info(LOG).fine()?;
    same((info.kind, info.items, info.damage.len()), (Kind::Snapshot, 42, 1))?;
    same(subject.list().fine()?, vec![info])?;
    same(subject.verify(LOG).fine()?.len(), 1)?;
    // And nobody reads it as what it is not.
    refused!(
        subject.open(LOG, &crate::subject::options(Mode::ReadOnly)),
        Error::OtherKind(kind) if kind == "snapshot"
    );
    Ok(())
}
