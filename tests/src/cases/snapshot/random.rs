//! Random sequences of everything against the model.

use super::kit::*;
use crate::rng::SplitMix64;
use crate::sim::Crash;

pub(super) const CASES: &[Case] = &[
    case!(random_sequences_match_the_model, "S1", "S6", "S15", "S20"),
    case!(random_ranges_show_one_state_each, "S10", "H22"),
];

/// Some updates of few keys, so that they meet.
fn batch(rng: &mut SplitMix64, turn: u64) -> Vec<(u64, u64, Vec<u8>)> {
    let count = [0, 1, 2, 5, 40][(rng.draw() % 5) as usize];
    (0..count)
        .map(|_| {
            let len = [0, 10, 300, 3000][(rng.draw() % 4) as usize];
            (rng.draw() % 60, rng.draw() % 6, value(turn, rng.draw() % 100, len))
        })
        .collect()
}

fn updates<'a>(keys: &'a [String], batch: &'a [(u64, u64, Vec<u8>)]) -> Vec<Update<'a>> {
    batch
        .iter()
        .zip(keys)
        .map(|((_, kind, value), key)| match kind {
            0 => delete(key),
            1 => purge(key),
            _ => Update::Put { key: key.as_bytes(), value, version: &value[..value.len().min(7)] },
        })
        .collect()
}

fn random_sequences_match_the_model(subject: &dyn Subject) -> Outcome {
    for seed in 0..6 {
        let mut rng = SplitMix64::new(seed);
        let mut side = fork(subject);
        let any = |rng: &mut SplitMix64| Options {
            values_on_disk: rng.chance(50),
            relaxed: rng.chance(30),
            compact_at: [None, Some(u64::MAX), Some(64 << 10)][(rng.draw() % 3) as usize],
            segment_bytes: None,
            ..options(Mode::Open)
        };
        drop(create(&*side)?);
        let mut snapshot = open_with(&*side, &any(&mut rng))?;
        let mut model = Fold::default();
        // The states since the last one that is durable, that one included.
        let mut history = vec![model.clone()];
        for turn in 0..150 {
            let at = |what: String| format!("seed {seed}, turn {turn}: {what}");
            match rng.draw() % 24 {
                0 => snapshot.compact().fine().map_err(at)?,
                1 => drop(snapshot.sync().fine().map_err(at)?),
                2 => {
                    snapshot.close().fine().map_err(at)?;
                    snapshot = open_with(&*side, &any(&mut rng)).map_err(at)?;
                    holds(&*snapshot, &model).map_err(at)?;
                }
                3 => {
                    drop(snapshot);
                    let crash_is = if rng.chance(50) { Crash::Process } else { Crash::LOSE_ALL };
                    side = crash(&*side, crash_is);
                    snapshot = open_with(&*side, &any(&mut rng)).map_err(at)?;
                    // A relaxed batch may have been made durable by what came later, a roll or a compaction.
                    let lost = crash_is == Crash::LOSE_ALL;
                    let mut possible = history.iter().rev().take(if lost { history.len() } else { 1 });
                    let found = possible.find(|model| holds(&*snapshot, model).is_ok());
                    model = found.ok_or_else(|| at(format!("it holds none of {history:?}")))?.clone();
                    history = vec![model.clone()];
                }
                4 => {
                    let read = open_with(&*side, &Options { mode: Mode::ReadOnly, ..any(&mut rng) });
                    holds(&*read.map_err(at)?, &model).map_err(at)?;
                }
                _ => {
                    let batch = batch(&mut rng, turn);
                    let keys: Vec<String> = batch.iter().map(|(number, ..)| key(*number)).collect();
                    let updates = updates(&keys, &batch);
                    let cursor = format!("{}", rng.draw() % 1000);
                    let token = if rng.chance(50) {
                        snapshot.apply(&updates, cursor.as_bytes())
                    } else {
                        let (kinds, ends, bytes) = pack(&updates);
                        snapshot.apply_packed(&kinds, &ends, &bytes, cursor.as_bytes())
                    };
                    model.apply(&updates, cursor.as_bytes());
                    if token.fine().map_err(at)?.is_some() {
                        history.clear();
                    }
                    history.push(model.clone());
                }
            }
            if side.disk().is_settled() {
                history = vec![model.clone()];
            }
            if turn % 10 == 0 {
                holds(&*snapshot, &model).map_err(at)?;
            }
        }
        snapshot.close().fine()?;
        same(side.verify(LOG).fine()?, vec![])?;
        holds(&*reopen(&*side)?, &model)?;
    }
    Ok(())
}

/// A range, what it should show, and what it has shown.
type Under = (Box<dyn RangeSubject>, Vec<Entry>, Vec<Entry>);

fn random_ranges_show_one_state_each(subject: &dyn Subject) -> Outcome {
    for seed in 0..4 {
        let mut rng = SplitMix64::new(seed);
        let side = fork(subject);
        let values_on_disk = seed % 2 == 0;
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        let mut model = Fold::default();
        let mut ranges: Vec<Under> = Vec::new();
        for turn in 0..200 {
            let at = |what: String| format!("seed {seed}, turn {turn}: {what}");
            if rng.chance(25) && ranges.len() < 8 {
                let prefix = ["", "key", "key-00000", "key-00003", "nothing"][(rng.draw() % 5) as usize];
                let wanted = entries(&model, prefix.as_bytes());
                ranges.push((snapshot.range(prefix.as_bytes()).fine()?, wanted, Vec::new()));
            }
            if rng.chance(8) {
                snapshot.compact().fine()?;
            }
            if rng.chance(5) && !ranges.is_empty() {
                drop(ranges.swap_remove((rng.draw() % ranges.len() as u64) as usize));
            }
            let batch = batch(&mut rng, turn);
            let keys: Vec<String> = batch.iter().map(|(number, ..)| key(*number)).collect();
            let updates = updates(&keys, &batch);
            apply(&*snapshot, &mut model, &updates, "on")?;
            let mut over = Vec::new();
            for (number, (range, wanted, found)) in ranges.iter_mut().enumerate() {
                if !rng.chance(40) {
                    continue;
                }
                let limits = Limits { count: 1 + (rng.draw() % 12) as u32, bytes: 1 << (rng.draw() % 14) };
                match range.next(limits).fine().map_err(at)? {
                    Some(entries) => found.extend(entries.iter().map(|(key, value, version)| Entry {
                        key: key.into(),
                        value: value.into(),
                        version: version.into(),
                    })),
                    None => {
                        same_entries(found, wanted).map_err(at)?;
                        over.push(number);
                    }
                }
            }
            for number in over.into_iter().rev() {
                ranges.remove(number);
            }
        }
        for (range, wanted, mut found) in ranges {
            found.extend(rest(&*range, ALL)?);
            same_entries(&found, &wanted)?;
        }
        holds(&*snapshot, &model)?;
        snapshot.compact().fine()?;
        same(generations(&*side).len(), 1)?;
    }
    Ok(())
}
