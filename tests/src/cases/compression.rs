//! Compressed frames. What they look like on disk depends on the width of the machine's words, so each case destroys its
//! log at the end: only uncompressed files are the same on every subject.

use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{ALL, JournalSubject, Options, Subject};
use annals_logs::error::Error;
use annals_logs::journal::Options as JournalOptions;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_compressed_journal_reads_back_and_is_smaller, "J30"),
    case!(items_that_do_not_compress_are_stored_as_they_are, "J30"),
    case!(a_damaged_part_of_a_compressed_frame_costs_that_frame, "J31"),
    case!(compression_is_a_fixed_option, "J28", "J30"),
];

fn packing(mode: Mode) -> JournalOptions {
    Options { compression: Some(true), ..crate::subject::options(mode) }
}

fn destroy(subject: &dyn Subject, journal: Box<dyn JournalSubject>) -> Outcome {
    journal.close().fine()?;
    subject.destroy(LOG).fine()
}

/// An item that compresses well.
fn words(number: u64) -> Vec<u8> {
    format!("item {number} {}", "and the same words once more ".repeat(20)).into_bytes()
}

fn a_compressed_journal_reads_back_and_is_smaller(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, packing(Mode::Create))?;
    let mut payload = 0;
    for first in (0..400).step_by(20) {
        let items: Vec<Vec<u8>> = (first..first + 20).map(words).collect();
        payload += items.iter().map(Vec::len).sum::<usize>() as u64;
        let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        journal.append_batch(&slices).fine()?;
    }
    journal.rewind(390).fine()?;
    journal.append(&words(390)).fine()?;
    journal.sync().fine()?;
    let check = |journal: &dyn JournalSubject| -> Outcome {
        for number in [0, 19, 20, 200, 390, 3] {
            same_item(&journal.read(number).fine()?, &words(number))?;
        }
        let mut position = 0;
        while position < 391 {
            let batch = journal.read_range(position, ALL).fine()?;
            for item in annals_logs::types::unpack(&batch.ends, &batch.bytes) {
                same_item(item, &words(position))?;
                position += 1;
            }
        }
        Ok(())
    };
    check(&*journal)?;
    let after = crash(&*fork(subject), Crash::LOSE_ALL);
    let recovered = after.open(LOG, &packing(Mode::Open)).fine()?;
    check(&*recovered)?;
    recovered.close().fine()?;
    same(after.verify(LOG).fine()?, vec![])?;
    let bytes = after.info(LOG).fine()?.bytes;
    ensure!(bytes * 4 < payload, "{bytes} bytes for {payload}");
    destroy(subject, journal)
}

fn items_that_do_not_compress_are_stored_as_they_are(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, packing(Mode::Create))?;
    append_long(&*journal, 0, 5, 5000)?;
    journal.append(b"").fine()?;
    journal.append_batch(&[b"x"]).fine()?;
    journal.sync().fine()?;
    for number in 0..5 {
        // Found in the file as they are.
        find(subject.disk(), &long_item(number, 5000))?;
        same_item(&journal.read(number).fine()?, &long_item(number, 5000))?;
    }
    same_item(&journal.read(5).fine()?, b"")?;
    same_item(&journal.read(6).fine()?, b"x")?;
    destroy(subject, journal)
}

fn a_damaged_part_of_a_compressed_frame_costs_that_frame(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, packing(Mode::Create))?;
    for first in [0, 10, 20] {
        let items: Vec<Vec<u8>> = (first..first + 10).map(words).collect();
        let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        journal.append_batch(&slices).fine()?;
    }
    journal.close().fine()?;
    let bad = fork(subject);
    let file = bad.disk().file_names().pop().ok_or("no file")?;
    let frame =
        bad.frames(&file).fine()?.into_iter().find(|f| f.first == 10 && f.count == 10).ok_or("no frame")?;
    bad.disk().flip_bit(&file, (frame.offset + u64::from(frame.bytes) / 2) * 8);
    let reader = reopen_read_only(&*bad)?;
    for number in 0..30 {
        match reader.read(number) {
            Ok(item) if !(10..20).contains(&number) => same_item(&item, &words(number))?,
            Err(Error::Damaged(damage)) if (10..20).contains(&number) => {
                same((damage.lowest, damage.next), (Some(10), Some(20)))?;
            }
            other => return Err(format!("{number}: {other:?}")),
        }
    }
    let found = bad.verify(LOG).fine()?;
    same(found.iter().map(|d| (d.lowest, d.next)).collect::<Vec<_>>(), vec![(Some(10), Some(20))])?;
    subject.destroy(LOG).fine()
}

fn compression_is_a_fixed_option(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, packing(Mode::Create))?;
    journal.append(b"x").fine()?;
    journal.close().fine()?;
    let plain = Options { compression: Some(false), ..crate::subject::options(Mode::Open) };
    refused!(subject.open(LOG, &plain), Error::OptionsDiffer(_));
    let journal = reopen(subject)?; // as it was made
    destroy(subject, journal)
}
