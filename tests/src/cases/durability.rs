//! What survives which crash.

use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash, Fault, SizeKept, Survivors};
use crate::subject::{JournalSubject, Options, Subject, options};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(sync_data_makes_every_item_durable, "J24"),
    case!(sync_makes_every_item_durable, "J25", "J33"),
    case!(flushed_appends_survive_the_process, "F1.3"),
    case!(appends_are_lost_in_order_only, "J32"),
    case!(a_section_that_fills_up_is_synced, "J26"),
    case!(a_batch_that_fills_a_section_is_synced, "J26"),
    case!(an_option_turns_section_syncs_off, "J27"),
    case!(a_begun_sync_covers_what_was_before_it, "H15"),
    case!(a_ticket_may_be_asked_again, "H15"),
    case!(what_a_writing_open_reports_is_durable, "D9.1"),
    case!(what_open_reports_is_durable_after_a_failed_sync, "D9.1"),
    case!(a_recovered_journal_goes_on_behind_a_torn_tail, "D8.9"),
    case!(a_torn_tail_is_cut, "D8.1", "D9.5"),
    case!(the_new_size_without_the_bytes_is_a_torn_tail, "D8.2"),
    case!(a_roll_over_loses_nothing, "G13.1"),
    case!(recovery_reads_the_newest_segment_once, "G12.2", "J25"),
    case!(filling_ahead_grows_no_file_while_batches_are_synced, "G14.1"),
];

fn sync_data_makes_every_item_durable(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 4)?;
    append(&*journal, 4, 7)?;
    journal.sync_data().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 7))
}

fn sync_makes_every_item_durable(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 7)?;
    journal.sync().fine()?;
    append(&*journal, 7, 8)?;
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*reopen(&*lost)?, &holding(0, 7))?;
    let one = journal.sync().fine()?;
    let two = journal.sync_data().fine()?;
    ensure!(one.log == two.log && one.frame <= two.frame, "{one:?} then {two:?}");
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 8))
}

fn flushed_appends_survive_the_process(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 6)?;
    journal.flush().fine()?;
    append(&*journal, 6, 8)?;
    let got = contents(&*reopen(&*crash(subject, Crash::Process))?)?;
    ensure!(got.size() >= 6);
    same_contents(&got, &holding(0, got.size()))
}

fn appends_are_lost_in_order_only(subject: &dyn Subject) -> Outcome {
    let unsynced = Options { sync_sections: Some(false), ..options(Mode::Create) };
    let journal = create_with(subject, unsynced)?;
    append(&*journal, 0, 3)?;
    journal.sync().fine()?;
    for start in 0..6 {
        append_long(&*journal, 3 + start * 2, 4 + start * 2, 700)?;
        append(&*journal, 4 + start * 2, 5 + start * 2)?;
        journal.flush().fine()?;
    }
    let written = contents(&*journal)?;
    for seed in 0..80 {
        let after = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        let got = contents(&*reopen(&*after)?)?;
        ensure!(got.size() >= 3, "seed {seed}: synced items are lost");
        let mut prefix = written.clone();
        prefix.rewind(got.size()).fine()?;
        same_contents(&got, &prefix).map_err(|what| format!("seed {seed}: {what}"))?;
    }
    Ok(())
}

fn a_section_that_fills_up_is_synced(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 9)?;
    let before = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    same(reopen(&*before)?.size().fine()?, 0)?;
    append(&*journal, 9, 10)?;
    let full = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*reopen(&*full)?, &holding(0, 10))?;
    append(&*journal, 10, 23)?;
    let got = contents(&*reopen(&*crash(subject, Crash::LOSE_ALL))?)?;
    ensure!(got.size() >= 20);
    same_contents(&got, &holding(0, got.size()))
}

fn a_batch_that_fills_a_section_is_synced(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 7)?;
    append_batch(&*journal, 7, 12)?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 12))
}

fn an_option_turns_section_syncs_off(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { sync_sections: Some(false), ..options(Mode::Create) })?;
    subject.disk().reset_counters();
    append(&*journal, 0, 25)?;
    append_batch(&*journal, 25, 45)?;
    let counters = subject.disk().counters();
    same((counters.of(Call::Sync), counters.of(Call::BeginSync)), (0, 0))?;
    journal.sync().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 45))
}

fn a_begun_sync_covers_what_was_before_it(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    append(&*journal, 3, 5)?;
    let ticket = journal.begin_sync().fine()?;
    append(&*journal, 5, 7)?;
    append_batch(&*journal, 7, 9)?;
    same_item(&journal.read(8).fine()?, &item(8))?;
    let token = ticket.wait().fine()?;
    let after = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    let opened = after.open(LOG, &expecting(token)).fine()?;
    let got = contents(&*opened)?;
    ensure!(got.size() >= 5, "{got:?}");
    same_contents(&got, &holding(0, got.size()))?;
    holds(&*journal, &holding(0, 9))
}

fn a_ticket_may_be_asked_again(subject: &dyn Subject) -> Outcome {
    subject.disk().set_polls(2);
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    let ticket = journal.begin_sync().fine()?;
    let mut polls = 0;
    let token = loop {
        match ticket.poll().fine()? {
            Some(token) => break token,
            None => polls += 1,
        }
        ensure!(polls < 100, "it never ends");
    };
    ensure!(polls > 0, "a sync that is still running has no token yet");
    same(ticket.poll().fine()?, Some(token))?;
    same(ticket.wait().fine()?, token)?;
    append(&*journal, 5, 6)?;
    let second = journal.begin_sync().fine()?;
    let later = second.wait().fine()?;
    ensure!(later.frame >= token.frame);
    same(second.poll().fine()?, Some(later))?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(0, 6))
}

fn what_a_writing_open_reports_is_durable(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    append_long(&*journal, 5, 9, 3000)?;
    // The process dies; its writes are in the page cache and nowhere else.
    let after = crash(subject, Crash::Process);
    let reported = contents(&*reopen(&*after)?)?;
    same(reported.size(), 9)?;
    let again = crash(&*after, Crash::LOSE_ALL);
    same_contents(&contents(&*reopen(&*again)?)?, &reported)
}

fn what_open_reports_is_durable_after_a_failed_sync(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 9, 3000)?;
    subject.disk().inject(Fault::next(Call::Sync));
    ensure!(journal.sync().is_err());
    drop(journal);
    // Reads see the lost pages, which are clean now: no sync alone brings them to the disk.
    let journal = reopen(subject)?;
    let reported = contents(&*journal)?;
    ensure!(reported.size() >= 5);
    let after = crash(subject, Crash::LOSE_ALL);
    same_contents(&contents(&*reopen(&*after)?)?, &reported)
}

fn torn(subject: &dyn Subject) -> Result<Box<dyn Subject>, String> {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 6, 5000)?;
    let (file, offset) = find(subject.disk(), &long_item(5, 5000))?;
    let after = crash(subject, Crash::Process);
    after.disk().zero_sector(&file, offset + 2000);
    Ok(after)
}

fn a_recovered_journal_goes_on_behind_a_torn_tail(subject: &dyn Subject) -> Outcome {
    let mut after = torn(subject)?;
    let mut end = 5;
    for round in 0..5 {
        let journal = reopen(&*after)?;
        holds(&*journal, &holding(0, end))?;
        append(&*journal, end, end + 3)?;
        end += 3;
        journal.sync().fine()?;
        append_long(&*journal, end, end + 1, 2000)?;
        after = crash(&*after, Crash::Power { survivors: Survivors::Only(round % 2), size: SizeKept::New });
    }
    holds(&*reopen(&*after)?, &holding(0, end))
}

fn a_torn_tail_is_cut(subject: &dyn Subject) -> Outcome {
    let after = torn(subject)?;
    let journal = reopen(&*after)?;
    holds(&*journal, &holding(0, 5))?;
    journal.close().fine()?;
    same(after.verify(LOG).fine()?, vec![])
}

fn the_new_size_without_the_bytes_is_a_torn_tail(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 12, 9000)?;
    for chosen in [Crash::ZEROS, Crash::LOSE_ALL] {
        let after = subject.on(subject.disk().fork().reboot(chosen));
        let got = contents(&*reopen(&*after)?)?;
        ensure!(got.size() >= 5, "{chosen:?}");
        same_item(&got.item(4).cloned().unwrap_or_default(), &item(4))?;
    }
    Ok(())
}

fn a_roll_over_loses_nothing(subject: &dyn Subject) -> Outcome {
    let unsynced = Options { sync_sections: Some(false), ..options(Mode::Create) };
    let journal = create_with(subject, unsynced)?;
    append_long(&*journal, 0, 10, 4000)?;
    journal.sync().fine()?;
    append_long(&*journal, 10, 50, 4000)?;
    let model = holding_long(0, 50, 4000);
    for seed in 0..40 {
        let after = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        let journal = reopen(&*after).map_err(|what| format!("seed {seed}: {what}"))?;
        let got = contents(&*journal)?;
        let mut prefix = model.clone();
        prefix.rewind(got.size()).fine()?;
        ensure!(got.size() >= 10);
        same_contents(&got, &prefix)?;
        append_long(&*journal, got.size(), got.size() + 20, 4000)?;
        journal.close().fine()?;
        same(after.verify(LOG).fine()?, vec![])?;
    }
    Ok(())
}

fn recovery_reads_the_newest_segment_once(subject: &dyn Subject) -> Outcome {
    let wide =
        Options { items_per_section: Some(1 << 20), segment_bytes: Some(1 << 20), ..options(Mode::Create) };
    let journal = create_with(subject, wide)?;
    for number in 0..30 {
        append_long(&*journal, number, number + 1, 200_000)?;
    }
    let after = crash(subject, Crash::Process);
    let journal: Box<dyn JournalSubject> = reopen(&*after)?;
    let read = after.disk().counters().bytes_read;
    // The newest segment once, and the mebibyte of a clean open.
    ensure!(read <= (1 << 20) + (1 << 20) + 400_000, "{read} bytes read");
    same(journal.size().fine()?, 30)
}

fn filling_ahead_grows_no_file_while_batches_are_synced(subject: &dyn Subject) -> Outcome {
    let roomy = Options { segment_bytes: Some(1 << 20), ..options(Mode::Create) };
    let journal = create_with(subject, roomy)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync().fine()?;
    let mut sizes = std::collections::BTreeSet::new();
    let mut syncs = 0;
    for number in 3..43 {
        append_long(&*journal, number, number + 1, 500)?;
        journal.sync_data().fine()?;
        syncs += 1;
        sizes.insert(subject.disk().used());
    }
    ensure!(sizes.len() * 4 <= syncs, "the file grew {} times in {syncs} synced batches", sizes.len());
    Ok(())
}
