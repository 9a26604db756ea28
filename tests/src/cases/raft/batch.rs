//! What a batch may be, checked before any of it is written.

use super::super::{Case, case};
use super::kit::*;
use crate::raft::Entries;
use annals_logs::error::{Error, Limit};

pub(super) const CASES: &[Case] = &[
    case!(indexes_must_ascend_without_doubles_from_one, "X1"),
    case!(packed_lists_must_fit_together, "X1", "H17"),
    case!(an_entry_has_at_most_sixteen_mebibytes, "G16.1"),
    case!(a_batch_has_at_most_sixty_four_mebibytes, "G16.2"),
    case!(a_batch_has_at_most_a_million_entries, "G16.2"),
    case!(a_batch_overwrites_in_so_many_places_at_once, "G16.2"),
    case!(a_refused_batch_changes_nothing, "X1"),
];

fn indexes_must_ascend_without_doubles_from_one(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let before = subject.disk().hash();
    for indexes in [[0, 1, 2], [5, 4, 6], [5, 5, 6], [7, 8, 7], [21, u64::MAX - 1, u64::MAX]] {
        let batch: Vec<Entry> = indexes.iter().map(|&index| named(2, index)).collect();
        refused!(log.persist(&batch), Error::InvalidArgument(_));
        refused!(log.persist_packed(&pack(&batch)), Error::InvalidArgument(_));
        refused!(log.replace_range(indexes[0], &batch), Error::InvalidArgument(_));
        refused!(log.replace_range_packed(indexes[0], &pack(&batch)), Error::InvalidArgument(_));
    }
    same(subject.disk().hash(), before)
}

fn packed_lists_must_fit_together(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let good = pack(&entries(1, 21, 23));
    let with = |change: fn(&mut Entries)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad
    };
    for bad in [
        with(|e| e.indexes.truncate(e.indexes.len() - 1)),
        with(|e| e.terms.truncate(e.terms.len() - 1)),
        with(|e| e.ends.truncate(e.ends.len() - 1)),
        with(|e| e.terms.push(1)),
        with(|e| e.bytes.push(1)),
        with(|e| e.bytes.truncate(e.bytes.len() - 1)),
        with(|e| e.ends.swap(0, 1)),
        Entries { bytes: vec![1], ..Entries::default() },
    ] {
        refused!(log.persist_packed(&bad), Error::InvalidArgument(_));
        refused!(log.replace_range_packed(21, &bad), Error::InvalidArgument(_));
    }
    log.persist_packed(&good).fine()
}

const ITEM: usize = 16 << 20;

fn an_entry_has_at_most_sixteen_mebibytes(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let allowed = ITEM as u64;
    let large = entry(1, 1, vec![7; ITEM - 7]);
    let wanted = Error::TooLarge { what: Limit::ItemSize, allowed, got: allowed + 1 };
    same_answer(log.persist(std::slice::from_ref(&large)), Err(wanted))?;
    let largest = entry(1, 1, vec![7; ITEM - 8]);
    log.persist(std::slice::from_ref(&largest)).fine()?;
    same(log.term_of(1).fine()?, Some(1))?;
    ensure!(log.entry(1).fine()? == Some(largest));
    Ok(())
}

fn a_batch_has_at_most_sixty_four_mebibytes(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let mut batch: Vec<Entry> = (1..=4).map(|index| entry(1, index, vec![index as u8; ITEM - 8])).collect();
    batch.push(entry(1, 5, ""));
    let allowed = 64 << 20;
    let wanted = Error::TooLarge { what: Limit::BatchSize, allowed, got: allowed + 8 };
    same_answer(log.persist(&batch), Err(wanted))?;
    batch.pop();
    log.persist(&batch).fine()?;
    same(log.last_index().fine()?, 4)
}

fn a_batch_has_at_most_a_million_entries(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let most = 1u64 << 20;
    let of = |count: u64| Entries {
        indexes: (1..=count).collect(),
        terms: vec![3; count as usize],
        ends: vec![0; count as usize],
        bytes: Vec::new(),
    };
    let wanted = Error::TooLarge { what: Limit::BatchCount, allowed: most, got: most + 1 };
    same_answer(log.persist_packed(&of(most + 1)), Err(wanted))?;
    log.persist_packed(&of(most)).fine()?;
    same((log.last_index().fine()?, log.term_of(most).fine()?), (most, Some(3)))
}

fn a_batch_overwrites_in_so_many_places_at_once(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let empty = |term, indexes: Vec<u64>| {
        let (terms, ends) = (vec![term; indexes.len()], vec![0; indexes.len()]);
        Entries { indexes, terms, ends, bytes: Vec::new() }
    };
    log.persist_packed(&empty(1, (1..=20_000).collect())).fine()?;
    let before = subject.disk().hash();
    let wanted = Error::TooLarge { what: Limit::BatchCount, allowed: 4096, got: 4097 };
    same_answer(log.persist_packed(&empty(2, (0..4097).map(|i| 3 * i + 1).collect())), Err(wanted))?;
    same(subject.disk().hash(), before)?;
    // Twice, so that the index of the segment holds as much as it can when that ends.
    let places = |shift: u64| empty(2, (0..4096).map(|i| 3 * i + shift).collect());
    log.persist_packed(&places(1)).fine()?;
    log.persist_packed(&places(3)).fine()?;
    one_by_one(&*log, &longs(3, 20_001, 20_015))?;
    log.close().fine()?;
    drop(log);
    same(subject.verify(LOG).fine()?, vec![])?;
    let log = reopen(subject)?;
    let mut terms = Vec::new();
    while terms.len() < 12_000 {
        terms.extend(log.get_entries(terms.len() as u64 + 1, 12_000, ALL).fine()?.terms);
    }
    same(terms, (1..=12_000u64).map(|index| if index % 3 == 2 { 1 } else { 2 }).collect())
}

fn a_refused_batch_changes_nothing(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 3)).fine()?;
    let (before, model) = (subject.disk().hash(), contents(&*log)?);
    for batch in [entries(2, 3, 9), entries(2, 22, 23), vec![named(2, 9), named(2, 8)]] {
        ensure!(log.persist(&batch).is_err());
    }
    ensure!(log.replace_range(5, &entries(2, 6, 9)).is_err());
    ensure!(log.truncate(3).is_err());
    ensure!(log.save_hard_state(&HardState { extra: vec![0; 4097], ..HardState::default() }).is_err());
    same(subject.disk().hash(), before)?;
    holds(&*log, &model)
}
