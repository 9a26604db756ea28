//! Opening: modes, options, names, locks, reading only.

use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{ALL, Options, SEGMENT, Subject, options};
use annals_logs::error::{Error, Limit};
use annals_logs::format::names;
use annals_logs::format::root::{Kind, Root, State};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(modes_say_whether_the_journal_must_exist, "J1"),
    case!(start_at_begins_fully_pruned, "J2", "J14"),
    case!(start_at_survives_reopening, "J3"),
    case!(start_at_mid_section_keeps_its_items, "J3", "J16", "W2"),
    case!(start_at_needs_an_empty_journal, "J4"),
    case!(start_at_moves_an_empty_journal_forward_only, "J4", "D9.1"),
    case!(fixed_options_that_differ_are_refused, "J28"),
    case!(options_left_out_mean_what_the_journal_was_made_with, "J28"),
    case!(defaults_are_the_documented_ones, "J29", "G12.5"),
    case!(senseless_options_are_refused, "J29", "X1"),
    case!(names_outside_the_alphabet_are_refused, "G16.3"),
    case!(a_second_writer_is_locked_out, "H7", "H24"),
    case!(the_lock_wait_is_the_hosts, "H9"),
    case!(a_refused_open_lets_go_of_the_lock, "H10"),
    case!(a_read_only_open_changes_nothing, "D11.1"),
    case!(a_read_only_open_repairs_no_torn_tail, "D9.3", "D11.1", "D11.5"),
    case!(a_read_only_journal_refuses_changes, "D11.3"),
    case!(a_read_only_journal_shows_the_log_as_of_its_open, "D11.5"),
    case!(a_read_only_journal_never_shows_what_came_later, "D11.5", "H19", "H20"),
    case!(another_kind_is_a_clear_error, "G15.7"),
    case!(a_later_format_is_named, "G15.9"),
    case!(journals_with_similar_names_are_strangers, "G15.8"),
];

fn modes_say_whether_the_journal_must_exist(subject: &dyn Subject) -> Outcome {
    refused!(subject.open(LOG, &options(Mode::Open)), Error::NotFound);
    refused!(subject.open(LOG, &options(Mode::ReadOnly)), Error::NotFound);
    same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    let journal = subject.open(LOG, &options(Mode::OpenOrCreate)).fine()?;
    append(&*journal, 0, 3)?;
    journal.close().fine()?;
    let before = subject.disk().hash();
    refused!(subject.open(LOG, &options(Mode::Create)), Error::Exists);
    same(subject.disk().hash(), before)?;
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        holds(&*subject.open(LOG, &options(mode)).fine()?, &holding(0, 3))?;
    }
    Ok(())
}

fn starting_at(position: u64, mode: Mode) -> Options {
    Options { start_at: Some(position), ..options(mode) }
}

fn start_at_begins_fully_pruned(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, starting_at(1_000_000_007, Mode::Create))?;
    holds(&*journal, &holding(1_000_000_007, 1_000_000_007))?;
    same(journal.append(&item(1_000_000_007)).fine()?, 1_000_000_007)?;
    same(journal.append_batch(&[&item(1_000_000_008)]).fine()?, 1_000_000_008)?;
    holds(&*journal, &holding(1_000_000_007, 1_000_000_009))
}

fn start_at_survives_reopening(subject: &dyn Subject) -> Outcome {
    create_with(subject, starting_at(27, Mode::Create))?;
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &holding(27, 27))?;
    journal.close().fine()?;
    let journal = reopen(&*after)?;
    same(journal.append(&item(27)).fine()?, 27)?;
    journal.close().fine()?;
    holds(&*reopen(&*after)?, &holding(27, 28))
}

fn start_at_mid_section_keeps_its_items(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, starting_at(15, Mode::Create))?;
    append(&*journal, 15, 18)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    holds(&*journal, &holding(15, 18))?;
    ensure!(!journal.prune(18).fine()?, "no whole section lies below 18");
    append(&*journal, 18, 31)?;
    ensure!(journal.prune(25).fine()?);
    journal.sync().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(20, 31))
}

fn start_at_needs_an_empty_journal(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 3)?;
    journal.close().fine()?;
    let before = subject.disk().hash();
    for position in [0, 3, 4, 100] {
        refused!(subject.open(LOG, &starting_at(position, Mode::OpenOrCreate)), Error::Exists);
        refused!(subject.open(LOG, &starting_at(position, Mode::Open)), Error::Exists);
    }
    same(subject.disk().hash(), before)?;
    holds(&*reopen(subject)?, &holding(0, 3))
}

fn start_at_moves_an_empty_journal_forward_only(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 20)?;
    ensure!(journal.prune(20).fine()?);
    journal.close().fine()?;
    for position in [0, 19] {
        refused!(subject.open(LOG, &starting_at(position, Mode::Open)), Error::Exists);
    }
    let journal = subject.open(LOG, &starting_at(20, Mode::Open)).fine()?;
    holds(&*journal, &holding(20, 20))?;
    drop(journal);
    let journal = subject.open(LOG, &starting_at(33, Mode::OpenOrCreate)).fine()?;
    holds(&*journal, &holding(33, 33))?;
    // What an open for writing reports is durable.
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &holding(33, 33))?;
    same(journal.append(&item(33)).fine()?, 33)
}

fn fixed_options_that_differ_are_refused(subject: &dyn Subject) -> Outcome {
    create(subject)?.close().fine()?;
    let before = subject.disk().hash();
    let open = options(Mode::Open);
    for wrong in [
        Options { items_per_section: Some(11), ..open.clone() },
        Options { segment_bytes: Some(SEGMENT * 2), ..open.clone() },
        Options { sync_sections: Some(false), ..open.clone() },
    ] {
        refused!(subject.open(LOG, &wrong), Error::OptionsDiffer(_));
        let read = Options { mode: Mode::ReadOnly, ..wrong };
        refused!(subject.open(LOG, &read), Error::OptionsDiffer(_));
    }
    same(subject.disk().hash(), before)
}

fn options_left_out_mean_what_the_journal_was_made_with(subject: &dyn Subject) -> Outcome {
    let made = Options { sync_sections: Some(false), ..options(Mode::Create) };
    let journal = create_with(subject, made)?;
    append(&*journal, 0, 25)?;
    journal.close().fine()?;
    let again = Options {
        items_per_section: Some(10),
        segment_bytes: Some(SEGMENT),
        sync_sections: Some(false),
        compression: Some(false),
        write_buffer: Some(77),
        ..options(Mode::Open)
    };
    drop(subject.open(LOG, &again).fine()?);
    let journal = reopen(subject)?;
    ensure!(journal.prune(20).fine()?);
    holds(&*journal, &holding(20, 25))
}

fn defaults_are_the_documented_ones(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { mode: Mode::Create, ..Options::default() })?;
    let ends: Vec<u32> = (1..=65_535).collect();
    journal.append_packed(&ends, &vec![b'x'; 65_535]).fine()?;
    ensure!(!journal.prune(65_535).fine()?);
    journal.append(b"x").fine()?;
    ensure!(journal.prune(65_536).fine()?);
    journal.close().fine()?;
    let documented = Options {
        items_per_section: Some(65_536),
        segment_bytes: Some(16 << 20),
        sync_sections: Some(true),
        compression: Some(false),
        ..options(Mode::Open)
    };
    let journal = subject.open(LOG, &documented).fine()?;
    same(journal.boundary().fine()?, 65_536)?;
    same(Options::default().mode, Mode::OpenOrCreate)
}

fn senseless_options_are_refused(subject: &dyn Subject) -> Outcome {
    let new = options(Mode::Create);
    for wrong in [
        Options { items_per_section: Some(0), ..new.clone() },
        Options { segment_bytes: Some(SEGMENT - 1), ..new.clone() },
        Options { segment_bytes: Some((1 << 30) + 1), ..new.clone() },
        Options { segment_bytes: Some(u64::MAX), ..new.clone() },
    ] {
        refused!(subject.open(LOG, &wrong), Error::InvalidArgument(_));
    }
    same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    drop(subject.open("largest", &Options { segment_bytes: Some(1 << 30), ..new.clone() }).fine()?);
    let most = Options { items_per_section: Some(u64::MAX), ..new };
    let journal = subject.open(LOG, &most).fine()?;
    append(&*journal, 0, 3)?;
    ensure!(!journal.prune(3).fine()?);
    holds(&*journal, &holding(0, 3))
}

fn names_outside_the_alphabet_are_refused(subject: &dyn Subject) -> Outcome {
    let long = "x".repeat(65);
    for name in ["", "A", "a_b", "a.b", "a/b", "../a", "ä", "日本", "a b", "a\0", ".", "-é", &long] {
        for mode in [Mode::Create, Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
            let answer = subject.open(name, &options(mode)).map(|_| ());
            let typed =
                matches!(answer, Err(Error::InvalidArgument(_) | Error::TooLarge { what: Limit::Name, .. }));
            ensure!(typed, "{name:?} {mode:?}: {answer:?}");
        }
        ensure!(
            subject.destroy(name).is_err() && subject.info(name).is_err() && subject.verify(name).is_err()
        );
    }
    same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    for name in ["0", "-", "a-0", "log", &"z".repeat(64)] {
        let journal = subject.open(name, &options(Mode::Create)).fine()?;
        append(&*journal, 0, 1)?;
        journal.close().fine()?;
        subject.destroy(name).fine()?;
    }
    Ok(())
}

fn a_second_writer_is_locked_out(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 3)?;
    for mode in [Mode::Open, Mode::OpenOrCreate] {
        refused!(subject.open(LOG, &options(mode)), Error::Locked);
    }
    refused!(subject.destroy(LOG), Error::Locked);
    append(&*journal, 3, 5)?;
    holds(&*journal, &holding(0, 5))?;
    journal.close().fine()?;
    let second = reopen(subject)?;
    // A closed handle holds nothing, though it is still there.
    refused!(journal.size(), Error::Closed);
    drop(second);
    holds(&*reopen(subject)?, &holding(0, 5))
}

fn the_lock_wait_is_the_hosts(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { lock_wait_ms: 1234, ..options(Mode::Create) })?;
    same(subject.disk().counters().lock_wait_ms, 1234)?;
    refused!(subject.open(LOG, &Options { lock_wait_ms: 77, ..options(Mode::Open) }), Error::Locked);
    same(subject.disk().counters().lock_wait_ms, 77)?;
    drop(journal);
    Ok(())
}

fn a_refused_open_lets_go_of_the_lock(subject: &dyn Subject) -> Outcome {
    create(subject)?.close().fine()?;
    let differ = Options { items_per_section: Some(99), ..options(Mode::Open) };
    refused!(subject.open(LOG, &differ), Error::OptionsDiffer(_));
    refused!(subject.open(LOG, &options(Mode::Create)), Error::Exists);
    refused!(subject.open("other", &options(Mode::Open)), Error::NotFound);
    reopen(subject)?;
    drop(subject.open("other", &options(Mode::Create)).fine()?);
    Ok(())
}

fn a_read_only_open_changes_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    let model = holding_long(0, 40, 4000);
    for closed in [false, true] {
        if closed {
            journal.close().fine()?;
        }
        let (before, changes) = (subject.disk().hash(), subject.disk().counters().changes());
        let reader = reopen_read_only(subject)?;
        holds(&*reader, &model)?;
        // It takes no lock: two of them, and a writer, are fine.
        let second = reopen_read_only(subject)?;
        holds(&*second, &model)?;
        reader.close().fine()?;
        drop(second);
        same((subject.disk().hash(), subject.disk().counters().changes()), (before, changes))?;
    }
    Ok(())
}

fn a_read_only_open_repairs_no_torn_tail(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 6, 3000)?;
    let (file, offset) = find(subject.disk(), &long_item(5, 3000))?;
    let after = crash(subject, Crash::Process);
    after.disk().zero_sector(&file, offset + 1000);
    let before = after.disk().hash();
    let reader = reopen_read_only(&*after)?;
    holds(&*reader, &holding(0, 5))?;
    drop(reader);
    same(after.disk().hash(), before)?;
    let journal = reopen(&*after)?;
    holds(&*journal, &holding(0, 5))
}

fn a_read_only_journal_refuses_changes(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 25)?;
    journal.close().fine()?;
    let before = subject.disk().hash();
    let reader = reopen_read_only(subject)?;
    refused!(reader.append(b"x"), Error::ReadOnly);
    refused!(reader.append_batch(&[b"x"]), Error::ReadOnly);
    refused!(reader.append_packed(&[1], b"x"), Error::ReadOnly);
    refused!(reader.prune(20), Error::ReadOnly);
    refused!(reader.rewind(20), Error::ReadOnly);
    same(subject.disk().hash(), before)?;
    holds(&*reader, &holding(0, 25))
}

fn a_read_only_journal_shows_the_log_as_of_its_open(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 15)?;
    let reader = reopen_read_only(subject)?;
    append_batch(&*journal, 15, 18)?;
    append(&*journal, 18, 19)?;
    holds(&*reader, &holding(0, 15))?;
    // What still waits in the writer's memory is nobody else's to see.
    holds(&*reopen_read_only(subject)?, &holding(0, 18))?;
    journal.flush().fine()?;
    holds(&*reopen_read_only(subject)?, &holding(0, 19))?;
    holds(&*reader, &holding(0, 15))
}

fn a_read_only_journal_never_shows_what_came_later(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 45, 4000)?;
    let reader = reopen_read_only(subject)?;
    same_item(&reader.read(40).fine()?, &long_item(40, 4000))?;
    let stream = reader.replay(0).fine()?;
    journal.rewind(38).fine()?;
    append_long(&*journal, 138, 150, 4000)?;
    ensure!(journal.prune(20).fine()?);
    journal.sync().fine()?;
    // It took no lock, so files may be gone; but nothing else is ever in their place.
    for number in 0..45 {
        match reader.read(number) {
            Ok(bytes) => same_item(&bytes, &long_item(number, 4000))?,
            Err(Error::Pruned(bounds)) => {
                ensure!(number < bounds.start && number < 20, "{number}: {bounds:?}")
            }
            Err(other) => return Err(format!("position {number}: {other:?}")),
        }
    }
    loop {
        match stream.next(ALL) {
            Ok(Some(batch)) => holding_long(0, 45, 4000).check_batch(batch.first, 45, ALL, &batch)?,
            Ok(None) | Err(Error::Pruned(_)) => break,
            Err(other) => return Err(format!("replay: {other:?}")),
        }
    }
    Ok(())
}

/// The cell of the log says what `change` makes of it.
fn change_root(subject: &dyn Subject, change: impl FnOnce(&mut Root)) -> Outcome {
    let cell = names::root(LOG);
    let value = subject.disk().cell_value(&cell).ok_or("no root cell")?;
    let mut root = Root::decode(&cell, &value).map_err(|error| format!("{error:?}"))?;
    change(&mut root);
    subject.disk().put_cell(&cell, &root.encode(&cell));
    Ok(())
}

fn another_kind_is_a_clear_error(subject: &dyn Subject) -> Outcome {
    create(subject)?.close().fine()?;
    change_root(subject, |root| {
        assert_eq!((root.kind, root.state), (Kind::Journal, State::Live));
        root.kind = Kind::RaftLog;
    })?;
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        refused!(subject.open(LOG, &options(mode)), Error::OtherKind(kind) if kind == "raft-log");
    }
    refused!(subject.open(LOG, &options(Mode::Create)), Error::OtherKind(_) | Error::Exists);
    refused!(subject.destroy(LOG), Error::OtherKind(_));
    same(subject.disk().hash(), before)
}

fn a_later_format_is_named(subject: &dyn Subject) -> Outcome {
    create(subject)?.close().fine()?;
    let cell = names::root(LOG);
    same(cell.as_str(), "log.numbers")?;
    let good = subject.disk().cell_value(&cell).ok_or("no root cell")?;
    // Version 9, three bytes that mean nothing yet, and XXH3-64 over the cell's name and these four bytes.
    subject.disk().put_cell(&cell, &[9, 1, 2, 3, 118, 239, 249, 214, 60, 29, 46, 113]);
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        refused!(subject.open(LOG, &options(mode)), Error::UnknownFormat(9));
    }
    refused!(subject.destroy(LOG), Error::UnknownFormat(9));
    same(subject.disk().hash(), before)?;
    subject.disk().put_cell(&cell, &good);
    reopen(subject).map(|_| ())
}

fn journals_with_similar_names_are_strangers(subject: &dyn Subject) -> Outcome {
    let names = ["a", "a-", "a-b", "aa", "log", "a-log"];
    for (index, name) in names.iter().enumerate() {
        let journal = subject.open(name, &options(Mode::Create)).fine()?;
        append(&*journal, index as u64, index as u64 + 3)?;
        journal.close().fine()?;
    }
    same(subject.list().fine()?.len(), names.len())?;
    subject.destroy("a").fine()?;
    subject.destroy("log").fine()?;
    for (index, name) in names.iter().enumerate() {
        if ["a", "log"].contains(name) {
            refused!(subject.open(name, &options(Mode::Open)), Error::NotFound);
            continue;
        }
        let journal = subject.open(name, &options(Mode::Open)).fine()?;
        same_item(&journal.read(0).fine()?, &item(index as u64))?;
        same(journal.size().fine()?, 3)?;
    }
    Ok(())
}
