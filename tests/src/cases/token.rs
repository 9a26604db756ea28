//! Tokens: proof that a log still contains what was durable.

use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{Options, Subject, options};
use annals_logs::error::{Error, Token};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_token_is_accepted_after_the_log_advanced, "D7.2"),
    case!(a_token_is_accepted_after_rewind_and_prune, "D7.2"),
    case!(tokens_of_every_kind_of_sync_are_accepted, "D7.1"),
    case!(a_token_of_a_removed_frame_passes_on_number_alone, "D7.8"),
    case!(a_rolled_back_log_is_refused, "D7.3"),
    case!(a_swapped_log_is_refused, "D7.4"),
    case!(a_shortened_log_is_refused, "D7.5"),
    case!(a_forked_history_is_refused, "D7.6"),
    case!(a_forged_token_is_refused, "D7.6"),
    case!(expecting_a_token_creates_nothing, "D7.7"),
    case!(reading_only_honours_the_token_too, "D7.7"),
    case!(without_the_token_a_refused_log_is_readable, "D11.2"),
    case!(a_token_behind_damage_of_a_cut_file_is_damage, "D8.5", "X2"),
    case!(tokens_survive_a_crash_that_loses_all_else, "D7.1", "J33"),
];

fn accepted(subject: &dyn Subject, token: Token) -> Outcome {
    drop(subject.open(LOG, &expecting(token)).fine()?);
    Ok(())
}

/// Refused with the token of the last frame, which in turn is accepted; nothing is changed.
fn rolled_back(subject: &dyn Subject, token: Token) -> Outcome {
    let before = subject.disk().hash();
    let last = match subject.open(LOG, &expecting(token)) {
        Err(Error::RolledBack(last)) => last,
        other => return Err(format!("{token:?} got {:?}", other.map(|_| ()))),
    };
    same(subject.disk().hash(), before)?;
    ensure!(last != token);
    accepted(&*fork(subject), last)
}

fn a_token_is_accepted_after_the_log_advanced(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let mut tokens = Vec::new();
    for number in 0..12 {
        append(&*journal, number, number + 1)?;
        tokens.push(journal.sync().fine()?);
    }
    append_long(&*journal, 12, 60, 4000)?;
    journal.close().fine()?;
    ensure!(tokens.windows(2).all(|pair| pair[0].log == pair[1].log && pair[0].frame < pair[1].frame));
    tokens.into_iter().try_for_each(|token| accepted(subject, token))
}

fn a_token_is_accepted_after_rewind_and_prune(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 25)?;
    let before = journal.sync().fine()?;
    journal.rewind(12).fine()?;
    let rewound = journal.sync().fine()?;
    ensure!(journal.prune(10).fine()?);
    append_batch(&*journal, 12, 15)?;
    let after = journal.close().fine()?;
    [before, rewound, after].into_iter().try_for_each(|token| accepted(subject, token))?;
    holds(&*subject.open(LOG, &expecting(before)).fine()?, &holding(10, 15))
}

fn tokens_of_every_kind_of_sync_are_accepted(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let mut tokens = vec![journal.sync().fine()?];
    append_batch(&*journal, 0, 3)?;
    tokens.push(journal.sync_data().fine()?);
    append(&*journal, 3, 4)?;
    tokens.push(journal.begin_sync().fine()?.wait().fine()?);
    tokens.push(journal.sync().fine()?);
    append(&*journal, 4, 5)?;
    tokens.push(journal.close().fine()?);
    ensure!(tokens.windows(2).all(|pair| pair[0].frame <= pair[1].frame), "{tokens:?}");
    for token in tokens {
        accepted(subject, token)?;
        drop(subject.open(LOG, &Options { mode: Mode::ReadOnly, ..expecting(token) }).fine()?);
    }
    Ok(())
}

fn a_token_of_a_removed_frame_passes_on_number_alone(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    let old = journal.sync().fine()?;
    append_long(&*journal, 3, 100, 4000)?;
    ensure!(journal.prune(90).fine()?);
    journal.close().fine()?;
    accepted(subject, old)?;
    rolled_back(subject, Token { log: old.log ^ 1, ..old })
}

fn a_rolled_back_log_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    let early = journal.sync().fine()?;
    let backup = fork(subject);
    append_batch(&*journal, 3, 5)?;
    let late = journal.sync().fine()?;
    journal.close().fine()?;
    rolled_back(&*backup, late)?;
    accepted(&*backup, early)
}

fn a_swapped_log_is_refused(subject: &dyn Subject) -> Outcome {
    let other = subject.on(crate::sim::SimDisk::new(4711));
    for (subject, start) in [(subject, 0), (&*other, 100)] {
        let journal = create(subject)?;
        append_batch(&*journal, start, start + 5)?;
        journal.close().fine()?;
    }
    let token = reopen(subject)?.close().fine()?;
    rolled_back(&*other, token)
}

fn a_shortened_log_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync().fine()?;
    append_batch(&*journal, 3, 6)?;
    let token = journal.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let (file, offset) = find(after.disk(), &item(3))?;
    // Everything from the frame of item 3 on is gone, as if it had never been written.
    let frames = after.frames(&file).fine()?;
    let frame = frames.iter().rfind(|frame| frame.offset < offset).ok_or("no frame")?;
    after.disk().cut_file(&file, frame.offset);
    let before = after.disk().hash();
    let answer = after.open(LOG, &expecting(token)).map(|_| ());
    ensure!(matches!(answer, Err(Error::RolledBack(_) | Error::Damaged(_))), "{answer:?}");
    same(after.disk().hash(), before)
}

fn a_forked_history_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync().fine()?;
    let other = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    append_batch(&*journal, 3, 5)?;
    let token = journal.sync().fine()?;
    // The same log went another way from the same point, and further.
    let forked = reopen(&*other)?;
    for number in 103..113 {
        append_batch(&*forked, number, number + 1)?;
    }
    forked.close().fine()?;
    rolled_back(&*other, token)
}

fn a_forged_token_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    let early = journal.sync().fine()?;
    append_batch(&*journal, 3, 6)?;
    let late = journal.sync().fine()?;
    journal.close().fine()?;
    for token in [early, late] {
        rolled_back(subject, Token { check: token.check ^ 1, ..token })?;
        rolled_back(subject, Token { check: token.check ^ (1 << 127), ..token })?;
        rolled_back(subject, Token { log: token.log ^ (1 << 64), ..token })?;
        rolled_back(subject, Token { frame: u64::MAX, ..token })?;
        rolled_back(subject, Token { frame: token.frame + 1, ..token })?;
        accepted(&*fork(subject), token)?;
    }
    Ok(())
}

fn expecting_a_token_creates_nothing(subject: &dyn Subject) -> Outcome {
    let token = Token { log: 1, frame: 2, check: 3 };
    for mode in [Mode::OpenOrCreate, Mode::Create, Mode::Open, Mode::ReadOnly] {
        let answer = subject.open(LOG, &Options { expect: Some(token), ..options(mode) }).map(|_| ());
        ensure!(answer.is_err(), "{mode:?}");
        same((subject.disk().file_names(), subject.disk().cell_names()), (vec![], vec![]))?;
    }
    create(subject).map(|_| ())
}

fn reading_only_honours_the_token_too(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    let token = journal.sync().fine()?;
    let read = |token| subject.open(LOG, &Options { mode: Mode::ReadOnly, ..expecting(token) });
    holds(&*read(token).fine()?, &holding(0, 3))?;
    refused!(read(Token { frame: token.frame + 100, ..token }), Error::RolledBack(_));
    refused!(read(Token { check: token.check ^ 1, ..token }), Error::RolledBack(_));
    Ok(())
}

fn without_the_token_a_refused_log_is_readable(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync().fine()?;
    let backup = fork(subject);
    append_batch(&*journal, 3, 5)?;
    let late = journal.sync().fine()?;
    rolled_back(&*backup, late)?;
    holds(&*reopen_read_only(&*backup)?, &holding(0, 3))
}

fn tokens_survive_a_crash_that_loses_all_else(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    for number in 0..8 {
        append_long(&*journal, number, number + 1, 900)?;
        let token = match number % 3 {
            0 => journal.sync().fine()?,
            1 => journal.sync_data().fine()?,
            _ => journal.begin_sync().fine()?.wait().fine()?,
        };
        append(&*journal, 100 + number, 101 + number)?;
        for chosen in [Crash::LOSE_ALL, Crash::ZEROS, Crash::random(number)] {
            let after = subject.on(subject.disk().fork().reboot(chosen));
            let opened = after.open(LOG, &expecting(token)).fine()?;
            ensure!(opened.size().fine()? > number);
            drop(opened);
            accepted(&*after, token)?;
        }
        journal.rewind(number + 1).fine()?;
    }
    Ok(())
}

fn a_token_behind_damage_of_a_cut_file_is_damage(subject: &dyn Subject) -> Outcome {
    // Found by fuzzing: what the last header says of its frame's length was believed where the file ends before it, and
    // the answer was that the storage fails.
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    append_batch(&*journal, 5, 10)?;
    let token = journal.sync().fine()?;
    append_long(&*journal, 10, 11, 20_000)?;
    journal.flush().fine()?;
    drop(journal);
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let frames = subject.frames(&file).fine()?;
    let [.., named, last] = &frames[..] else { return Err("few frames".into()) };
    // The frame that the token names is lost; of the last one a block is damaged, and the end is not there.
    for at in [named.offset + 16, named.offset + 40, last.offset + 1000] {
        subject.disk().flip_bit(&file, at * 8);
    }
    subject.disk().cut_file(&file, last.offset + 15_000);
    for mode in [Mode::ReadOnly, Mode::Open] {
        let opened = Options { mode, ..expecting(token) };
        refused!(subject.open(LOG, &opened), Error::Damaged(_));
    }
    let reader = reopen_read_only(subject)?;
    holds_first(&*reader, 5)
}

fn holds_first(journal: &dyn crate::subject::JournalSubject, end: u64) -> Outcome {
    (0..end).try_for_each(|position| same_item(&journal.read(position).fine()?, &item(position)))
}
