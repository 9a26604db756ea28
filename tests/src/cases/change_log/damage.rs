//! Damage: what it costs, who is told, and that it stays where it is.

use super::kit::*;

pub(super) const CASES: &[Case] = &[
    case!(a_damaged_instance_is_reported_and_hides_no_other, "C21"),
    case!(what_can_be_read_of_a_damaged_instance_is_taken_over, "C21"),
    case!(a_damaged_instance_is_kept_until_it_is_discarded, "C29", "C21"),
    case!(a_damaged_instance_is_kept_whoever_dies_meanwhile, "C12", "C21"),
    case!(a_lost_file_is_damage_and_hides_no_other, "C21"),
    case!(what_was_taken_over_is_found_although_the_item_that_says_so_is_lost, "C9", "C21"),
    case!(files_that_end_before_what_the_cell_promises_are_damaged, "C21", "D8.2"),
    case!(a_damaged_cell_is_reported_and_nobody_touches_it, "C21"),
    case!(a_damaged_own_cell_is_told_and_mended_by_the_next_heartbeat, "C13", "C21"),
    case!(the_name_of_a_damaged_instance_is_refused_until_somebody_has_read_it, "C29", "C17", "C21"),
    case!(a_torn_tail_is_not_damage, "C2", "D8.1"),
    case!(a_damaged_change_is_told_once_and_hides_no_other, "C6", "C21"),
    case!(looking_at_a_damaged_log_tells_and_shows_the_rest, "C28", "C21", "D11.2"),
    case!(an_instance_whose_cell_is_lost_is_damaged_and_taken_over, "C21", "C19", "C29"),
    case!(a_root_cell_that_is_older_than_files_is_damage, "C21"),
    case!(no_flipped_bit_loses_a_change_silently, "C21", "F2.8"),
];

/// `a` has changes in frames of their own, `b` has one; both are taken for dead.
fn dead(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    for id in ["1", "2", "3"] {
        a.record(id.as_bytes(), &change(&format!("a/{id}"))).fine()?;
    }
    record(&open(subject, "b")?, &["1"])?;
    drop(a);
    pause(subject);
    Ok(())
}

fn flip(disk: &SimDisk, bytes: &str) -> Result<String, String> {
    let (file, offset) = find(disk, bytes.as_bytes())?;
    disk.flip_bit(&file, (offset + 1) * 8);
    Ok(file)
}

fn cell(disk: &SimDisk, instance: &str) -> Result<String, String> {
    let start = format!("change.{LOG}.{instance}.");
    disk.cell_names()
        .into_iter()
        .find(|name| name.starts_with(&start))
        .ok_or(format!("no cell of {instance}"))
}

fn a_damaged_instance_is_reported_and_hides_no_other(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    let file = flip(subject.disk(), "a/2")?;
    let log = open(subject, "z")?;
    let recovered = log.recover(STALE).fine()?;
    same(recovered.len(), 2)?;
    let damage = recovered[0].damaged.clone().ok_or("no damage")?;
    same((recovered[0].instance.as_str(), recovered[0].changes, damage.file), ("a", 2, file))?;
    same(
        (recovered[1].instance.as_str(), recovered[1].changes, recovered[1].damaged.clone()),
        ("b", 1, None),
    )?;
    holds(&log, &["a/1", "a/3", "b/1"])
}

fn what_can_be_read_of_a_damaged_instance_is_taken_over(subject: &dyn Subject) -> Outcome {
    // The item that says that a change was removed is lost: the change is back, and the damage is told.
    let a = open(subject, "a")?;
    record(&a, &["1", "2"])?;
    a.remove(None, b"1").fine()?;
    a.record(b"3", &change("a/3")).fine()?;
    drop(a);
    pause(subject);
    let frames = subject.frames(&subject.disk().file_names()[0]).fine()?;
    let removal = frames.iter().filter(|frame| frame.kind == "append").nth(2).ok_or("no third frame")?;
    subject.disk().flip_bit(&subject.disk().file_names()[0], (removal.offset + 140) * 8);
    let log = open(subject, "z")?;
    let recovered = log.recover(STALE).fine()?;
    ensure!(recovered.len() == 1 && recovered[0].damaged.is_some(), "{recovered:?}");
    holds(&log, &["a/1", "a/2", "a/3"])
}

fn a_damaged_instance_is_kept_until_it_is_discarded(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    let file = flip(subject.disk(), "a/2")?;
    let log = open(subject, "z")?;
    let first = log.recover(STALE).fine()?;
    let bytes = subject.disk().file_bytes(&file);
    for log in [log.clone(), open(subject, "y")?] {
        let again = log.recover(STALE).fine()?;
        same(again.len(), 1)?;
        same((again[0].instance.as_str(), again[0].changes), ("a", 0))?;
        same(again[0].damaged.clone(), first[0].damaged.clone())?;
    }
    ensure!(subject.disk().file_bytes(&file) == bytes, "its file is as it was");
    let state = |name: &str| -> Result<_, String> {
        let infos = subject.change_log_instances(LOG).fine()?;
        Ok(infos.into_iter().find(|info| info.instance == name))
    };
    let info = state("a")?.ok_or("no cell")?;
    same((info.state, info.claimed_by), (InstanceState::Damaged, Some("z".into())))?;
    same(info.damaged, first[0].damaged.clone())?;
    // What was taken over is not taken over twice.
    log.remove(Some("a"), b"1").fine()?;
    log.recover(0).fine()?;
    holds(&log, &["a/3", "b/1"])?;
    ensure!(!log.discard("b").fine()?);
    ensure!(!log.discard("z").fine()?);
    ensure!(log.discard("a").fine()?);
    ensure!(!log.discard("a").fine()?);
    same(state("a")?, None)?;
    ensure!(!subject.disk().file_names().contains(&file));
    same(log.recover(STALE).fine()?, vec![])?;
    holds(&log, &["a/3", "b/1"])
}

fn a_damaged_instance_is_kept_whoever_dies_meanwhile(subject: &dyn Subject) -> Outcome {
    for call in 1.. {
        let side = fork(subject);
        dead(&*side)?;
        let file = flip(side.disk(), "a/2")?;
        let log = open(&*side, "y")?;
        die_at(side.disk(), call, Point::After);
        let _ = log.recover(STALE);
        drop(log);
        let reached = died(side.disk());
        let z = open(&*side, "z")?;
        let recovered = z.recover(0).fine()?;
        let told = recovered.iter().any(|one| one.instance == "a" && one.damaged.is_some());
        ensure!(told, "call {call}: {recovered:?}");
        holds(&z, &["a/1", "a/3", "b/1"]).map_err(|what| format!("call {call}: {what}"))?;
        ensure!(side.disk().file_names().contains(&file), "call {call}: the file is gone");
        if !reached {
            break;
        }
    }
    Ok(())
}

fn a_lost_file_is_damage_and_hides_no_other(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    let (file, _) = find(subject.disk(), b"a/2")?;
    subject.disk().remove_file(&file);
    let log = open(subject, "z")?;
    let recovered = log.recover(STALE).fine()?;
    same(recovered.len(), 2)?;
    let damage = recovered[0].damaged.clone().ok_or("no damage")?;
    same((damage.file, recovered[0].changes), (file, 0))?;
    holds(&log, &["b/1"])
}

fn what_was_taken_over_is_found_although_the_item_that_says_so_is_lost(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    for number in 1..4u8 {
        a.record(&[number], &large(number.into(), 5000)).fine()?;
    }
    pause(subject);
    let b = open(subject, "b")?;
    b.recover(STALE).fine()?;
    record(&b, &["1"])?;
    drop(b);
    // The last item of the frame says that all of the others count.
    let (file, offset) = find(subject.disk(), &large(3, 5000).payload)?;
    subject.disk().flip_bit(&file, (offset + 5000 + 2) * 8);
    let log = open(subject, "z")?;
    let recovered = log.recover(0).fine()?;
    ensure!(recovered.len() == 1 && recovered[0].damaged.is_some(), "{recovered:?}");
    same(log.get(Some("a"), &[1]).fine()?, Some(large(1, 5000)))?;
    same(log.get(Some("a"), &[2]).fine()?, Some(large(2, 5000)))?;
    same(log.get(Some("b"), b"1").fine()?, Some(change("b/1")))
}

fn files_that_end_before_what_the_cell_promises_are_damaged(subject: &dyn Subject) -> Outcome {
    // Zeros at the end of a file look like a write that a crash interrupted, but the cell knows better.
    for leave in [true, false] {
        let side = fork(subject);
        let a = open(&*side, "a")?;
        record(&a, &["1", "2"])?;
        if leave {
            a.close().fine()?;
        } else {
            a.heartbeat().fine()?;
            drop(a);
        }
        let (file, offset) = find(side.disk(), b"a/2")?;
        let frames = side.frames(&file).fine()?;
        let last = frames.iter().rfind(|frame| frame.offset < offset).ok_or("no frame")?.offset;
        let size = side.disk().file_size(&file);
        side.disk().overwrite(&file, last, &vec![0; (size - last) as usize]);
        ensure!(side.verify(LOG).fine()?.iter().any(|damage| damage.file == file), "verify finds nothing");
        refused!(side.open_change_log(LOG, &named(Mode::Open, "a")), Error::Damaged(_));
        let z = open(&*side, "z")?;
        let recovered = z.recover(0).fine()?;
        let damage = recovered[0].damaged.clone().ok_or("no damage")?;
        same(damage.file, file)?;
        holds(&z, &["a/1"])?;
    }
    Ok(())
}

fn a_damaged_cell_is_reported_and_nobody_touches_it(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    let cell = cell(subject.disk(), "a")?;
    let sound_value = subject.disk().cell_value(&cell).unwrap_or_default();
    subject.disk().flip_cell_bit(&cell, 33);
    let log = open(subject, "z")?;
    let value = subject.disk().cell_value(&cell);
    for _ in 0..2 {
        let recovered = log.recover(STALE).fine()?;
        let damage = recovered[0].damaged.clone().ok_or("no damage")?;
        same((recovered[0].instance.as_str(), damage.file.as_str()), ("a", cell.as_str()))?;
        same(subject.disk().cell_value(&cell), value.clone())?;
        holds(&log, &["b/1"])?;
    }
    ensure!(!log.discard("a").fine()?, "it may be alive");
    let all = look(subject)?;
    let reader = all.scan(true).fine()?;
    same(damage(reader.next(ALL))?.file, cell.clone())?;
    same(
        keys(&reader.next(ALL).fine()?.unwrap_or_default()),
        ["a/1", "a/2", "a/3", "b/1"].map(String::from).to_vec(),
    )?;
    refused!(subject.open_change_log(LOG, &named(Mode::Open, "a")), Error::Damaged(_));
    // Should it be mended, everything goes on.
    subject.disk().put_cell(&cell, &sound_value);
    same(sound(log.recover(STALE).fine()?)?, vec![("a".into(), 3)])
}

fn a_damaged_own_cell_is_told_and_mended_by_the_next_heartbeat(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    record(&log, &["1"])?;
    subject.disk().flip_cell_bit(&cell(subject.disk(), "a")?, 40);
    let answer = damage(log.record(b"2", &change("a/2")))?;
    same(answer.file, cell(subject.disk(), "a")?)?;
    log.heartbeat().fine()?;
    record(&log, &["2"])?;
    holds(&log, &["a/1", "a/2"])
}

fn the_name_of_a_damaged_instance_is_refused_until_somebody_has_read_it(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    flip(subject.disk(), "a/2")?;
    let before = subject.disk().hash();
    refused!(subject.open_change_log(LOG, &named(Mode::Open, "a")), Error::Damaged(_));
    same(subject.disk().hash(), before)?;
    let log = open(subject, "z")?;
    log.recover(u64::MAX).fine()?;
    refused!(subject.open_change_log(LOG, &named(Mode::Open, "a")), Error::Damaged(_));
    log.recover(STALE).fine()?;
    let a = open(subject, "a")?;
    holds(&a, &[])?;
    record(&a, &["4"])?;
    holds(&log, &["a/1", "a/3", "b/1"])
}

fn a_torn_tail_is_not_damage(subject: &dyn Subject) -> Outcome {
    for crash in [Crash::ZEROS, Crash::LOSE_ALL, Crash::random(1), Crash::random(2), Crash::random(3)] {
        let side = fork(subject);
        let a = open(&*side, "a")?;
        record(&a, &["1", "2"])?;
        side.disk().inject(Fault::next(Call::Sync).when(Point::Partway(7)));
        refused!(a.record(b"3", &large(3, 3000)), Error::Storage(_));
        let after = side.on(side.disk().reboot(crash));
        for name in ["a", "z"] {
            let side = fork(&*after);
            let log = open(&*side, name)?;
            sound(log.recover(0).fine()?)?;
            let found = contents(&log)?;
            same(keys(&found)[..2].to_vec(), vec!["a/1".to_string(), "a/2".to_string()])?;
            ensure!(found.get(2).is_none_or(|third| third.change == large(3, 3000)), "{crash:?}");
        }
    }
    Ok(())
}

fn a_damaged_change_is_told_once_and_hides_no_other(subject: &dyn Subject) -> Outcome {
    let log = open(subject, "a")?;
    for number in 1..5u8 {
        log.record(&[b'0' + number], &large(number.into(), 9000)).fine()?;
    }
    let (file, offset) = find(subject.disk(), &large(2, 9000).payload)?;
    subject.disk().flip_bit(&file, (offset + 5000) * 8);
    let reader = log.scan(true).fine()?;
    let mut found = Vec::new();
    let mut told = 0;
    loop {
        match reader.next(ALL) {
            Ok(Some(some)) => found.extend(keys(&some)),
            Ok(None) => break,
            Err(Error::Damaged(damage)) => {
                same(&damage.file, &file)?;
                told += 1;
            }
            Err(error) => return Err(format!("{error:?}")),
        }
    }
    same((found, told), (["a/1", "a/3", "a/4"].map(String::from).to_vec(), 1))?;
    refused!(log.get(None, b"2"), Error::Damaged(_));
    // It can still be removed, and replaced.
    ensure!(log.remove(None, b"2").fine()?);
    record(&log, &["2"])?;
    same(log.get(None, b"2").fine()?, Some(change("a/2")))
}

fn looking_at_a_damaged_log_tells_and_shows_the_rest(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    let file = flip(subject.disk(), "a/2")?;
    let before = subject.disk().hash();
    let log = look(subject)?;
    for _ in 0..2 {
        let reader = log.scan(true).fine()?;
        same(damage(reader.next(ALL))?.file, file.clone())?;
        let rest = reader.next(ALL).fine()?.unwrap_or_default();
        same(keys(&rest), ["a/1", "a/3", "b/1"].map(String::from).to_vec())?;
        same(reader.next(ALL).fine()?, None)?;
    }
    // One by one: what was lost may have been any change, and may have replaced or removed any of this instance.
    for id in ["a/1", "a/2", "a/4", "b/4"] {
        refused!(log.get(Some(&id[..1]), &id.as_bytes()[2..]), Error::Damaged(_));
    }
    same(log.get(Some("b"), b"1").fine()?, Some(change("b/1")))?;
    same(subject.disk().hash(), before)
}

fn an_instance_whose_cell_is_lost_is_damaged_and_taken_over(subject: &dyn Subject) -> Outcome {
    dead(subject)?;
    let lost = cell(subject.disk(), "a")?;
    subject.disk().remove_cell(&lost);
    let files = subject.disk().file_names();
    ensure!(subject.verify(LOG).fine()?.iter().any(|damage| damage.file == lost), "verify finds nothing");
    let seen = look(subject)?;
    same(damage(seen.scan(true).fine()?.next(ALL))?.file, lost.clone())?;
    refused!(seen.get(Some("a"), b"1"), Error::Damaged(_));
    drop(seen);
    let z = open(subject, "z")?;
    let recovered = z.recover(0).fine()?;
    same((recovered[0].instance.as_str(), recovered[0].changes), ("a", 3))?;
    same(recovered[0].damaged.clone().map(|damage| damage.file), Some(lost))?;
    holds(&z, &["a/1", "a/2", "a/3", "b/1"])?;
    // It is told until somebody gives it up.
    ensure!(z.recover(0).fine()?.iter().any(|one| one.damaged.is_some()));
    ensure!(subject.disk().file_names().contains(&files[0]));
    same(z.discard("a").fine()?, true)?;
    same(z.recover(0).fine()?, vec![])?;
    ensure!(!subject.disk().file_names().contains(&files[0]));
    holds(&z, &["a/1", "a/2", "a/3", "b/1"])
}

fn a_root_cell_that_is_older_than_files_is_damage(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    record(&a, &["1"])?;
    let root = format!("log.{LOG}");
    let old = subject.disk().cell_value(&root).ok_or("no root")?;
    record(&open(subject, "b")?, &["1"])?;
    drop(a);
    subject.disk().put_cell(&root, &old);
    let before = subject.disk().hash();
    same(damage(subject.open_change_log(LOG, &named(Mode::Open, "c")))?.file, root.clone())?;
    ensure!(subject.verify(LOG).fine()?.iter().any(|damage| damage.file == root));
    same(damage(look(subject)?.scan(true).fine()?.next(ALL))?.file, root)?;
    same(subject.disk().hash(), before)
}

fn no_flipped_bit_loses_a_change_silently(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    for (id, len) in [("1", 5), ("2", 5000), ("3", 100)] {
        a.record(id.as_bytes(), &large(id.len() as u64, len)).fine()?;
    }
    a.remove(None, b"3").fine()?;
    a.close().fine()?;
    let file = subject.disk().file_names()[0].clone();
    let bits = subject.disk().file_size(&file) * 8;
    let wanted =
        [("1", 5), ("2", 5000)].map(|(id, len)| (id.as_bytes().to_vec(), large(id.len() as u64, len)));
    for bit in (0..bits).step_by(97) {
        let side = fork(subject);
        side.disk().flip_bit(&file, bit);
        let z = open(&*side, "z")?;
        let recovered = z.recover(0).fine()?;
        ensure!(recovered.len() == 1, "bit {bit}: {recovered:?}");
        let found = contents(&z)?;
        for (id, change) in &wanted {
            let whole = found.iter().any(|found| &found.id == id && &found.change == change);
            ensure!(whole || recovered[0].damaged.is_some(), "bit {bit}: {id:?} is lost and nobody says so");
        }
        for found in &found {
            let right = wanted.iter().any(|(id, change)| &found.id == id && &found.change == change)
                || found.id == b"3" && found.change == large(1, 100) && recovered[0].damaged.is_some();
            ensure!(right, "bit {bit}: {:?} was never there so", found.id);
        }
    }
    Ok(())
}
