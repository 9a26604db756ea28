//! What an operator sees of a change log.

use super::kit::*;
use annals_logs::format::root::Kind;

pub(super) const CASES: &[Case] = &[
    case!(admin_knows_change_logs, "A7", "A2"),
    case!(admin_names_the_files_of_all_instances, "A4", "A7"),
    case!(admin_names_damage_of_any_instance, "A3", "A7"),
    case!(a_file_that_is_no_part_of_the_log_is_named, "A3"),
    case!(verify_goes_on_while_changes_are_taken_over, "A5"),
];

fn admin_knows_change_logs(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    record(&a, &["1", "2"])?;
    record(&open(subject, "b")?, &["1"])?;
    subject.open("numbers", &crate::subject::options(Mode::Create)).fine()?;
    let before = subject.disk().hash();
    let names: Vec<_> = subject.list().fine()?.into_iter().map(|info| (info.name, info.kind)).collect();
    same(names, vec![(LOG.into(), Kind::ChangeLog), ("numbers".into(), Kind::Journal)])?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.segments, info.clean, info.damage.len()), (3, 2, false, 0))?;
    same((info.oldest, info.next, info.token), (None, 0, None))?;
    ensure!(info.bytes == subject.disk().used() - 65_536 && info.live_bytes > 0, "{info:?}");
    same(subject.verify(LOG).fine()?, vec![])?;
    same(subject.disk().hash(), before)?;
    a.close().fine()?;
    let b = open(subject, "b")?;
    b.close().fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.clean), (3, true))?;
    let c = open(subject, "c")?;
    c.recover(0).fine()?;
    same(subject.info(LOG).fine()?.items, 3)
}

fn admin_names_the_files_of_all_instances(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    for number in 0..40u8 {
        a.record(&[number], &large(number.into(), 3000)).fine()?;
    }
    let b = open(subject, "b")?;
    record(&b, &["1"])?;
    let segments = subject.segments(LOG).fine()?;
    let files: Vec<String> = segments.iter().map(|segment| segment.file.clone()).collect();
    same(&files, &subject.disk().file_names())?;
    ensure!(segments.len() > 2 && segments[0].sealed && segments[0].live_bytes > 60_000, "{segments:?}");
    for file in &files {
        let frames = subject.frames(file).fine()?;
        ensure!(frames[0].kind == "header" && frames.iter().any(|frame| frame.live), "{file}: {frames:?}");
    }
    let count: u32 = files
        .iter()
        .map(|file| subject.frames(file))
        .collect::<Result<Vec<_>, _>>()
        .fine()?
        .iter()
        .flatten()
        .filter(|frame| frame.kind == "append")
        .map(|frame| frame.count)
        .sum();
    same(count, 41)
}

fn admin_names_damage_of_any_instance(subject: &dyn Subject) -> Outcome {
    let a = open(subject, "a")?;
    a.record(b"1", &large(1, 9000)).fine()?;
    record(&open(subject, "b")?, &["1"])?;
    let (file, offset) = find(subject.disk(), &large(1, 9000).payload)?;
    subject.disk().flip_bit(&file, (offset + 5000) * 8);
    let found = subject.verify(LOG).fine()?;
    same(found.len(), 1)?;
    same(&found[0].file, &file)?;
    let info = subject.info(LOG).fine()?;
    same((info.damage.len(), info.clean), (1, false))?;
    let cell = subject.disk().cell_names().into_iter().find(|name| name.contains(".b.")).ok_or("no cell")?;
    subject.disk().flip_cell_bit(&cell, 20);
    let files: Vec<String> = subject.verify(LOG).fine()?.into_iter().map(|damage| damage.file).collect();
    same(files, vec![cell, file])
}

fn a_file_that_is_no_part_of_the_log_is_named(subject: &dyn Subject) -> Outcome {
    record(&open(subject, "a")?, &["1"])?;
    let stray = format!("{LOG}.{}.00000001.0000000000000001", "0".repeat(32));
    subject.disk().put_file(&stray, 10);
    let found = subject.verify(LOG).fine()?;
    same(found.into_iter().map(|damage| damage.file).collect(), vec![stray])
}

fn verify_goes_on_while_changes_are_taken_over(subject: &dyn Subject) -> Outcome {
    for call in (1..).step_by(3) {
        let side = fork(subject);
        record(&open(&*side, "a")?, &["1", "2"])?;
        pause(&*side);
        let b = open(&*side, "b")?;
        side.disk().before_call(call, move || drop(b.recover(STALE)));
        let (infos, found) = (side.info(LOG), side.verify(LOG));
        let reached = side.disk().forget_steps() == 0;
        same(infos.fine()?.items, 2)?;
        // Its files may go between two looks at them.
        match found {
            Ok(found) => same(found, vec![]).map_err(|what| format!("before call {call}: {what}"))?,
            Err(error) => return Err(format!("before call {call}: {error:?}")),
        }
        if !reached {
            break;
        }
    }
    Ok(())
}
