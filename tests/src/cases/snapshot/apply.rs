//! Applying: puts, deletes, purges, cursors, limits.

use super::kit::*;
use crate::sim::Crash;
use annals_logs::error::Limit;
use annals_logs::snapshot::UpdateKind;

pub(super) const CASES: &[Case] = &[
    case!(a_batch_is_seen_with_its_cursor, "S1", "S6", "S8"),
    case!(a_batch_of_updates_is_one_frame, "S2", "F1.1"),
    case!(an_empty_batch_moves_the_cursor, "S3"),
    case!(an_empty_cursor_means_none_also_with_entries, "S5"),
    case!(a_cursor_may_repeat_and_is_never_compared, "S5"),
    case!(updates_of_a_batch_apply_in_their_order, "S6"),
    case!(delete_and_purge_take_the_key_away, "S6", "S12"),
    case!(the_frame_tells_delete_from_purge, "S6"),
    case!(removing_what_is_not_there_is_fine, "S6"),
    case!(empty_values_versions_and_keys_are_live, "S7", "S12"),
    case!(applying_a_batch_again_is_harmless, "S4"),
    case!(packed_updates_are_updates, "H17", "S6"),
    case!(packed_updates_must_fit_together, "X1", "S6"),
    case!(the_largest_updates_are_taken, "S14", "G16.1"),
    case!(larger_updates_are_refused, "S14", "X1"),
    case!(the_largest_batch_is_taken_and_a_larger_one_refused, "G16.2", "S14"),
    case!(keys_are_compared_byte_by_byte, "S8", "S9"),
];

fn a_batch_is_seen_with_its_cursor(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    holds(&*snapshot, &model)?;
    apply(&*snapshot, &mut model, &[put("a", "1"), put("b", "2")], "first")?;
    holds(&*snapshot, &model)?;
    apply(&*snapshot, &mut model, &[put("b", "3"), delete("a"), put("c", "4")], "second")?;
    holds(&*snapshot, &model)?;
    let entry = Entry { key: b"b".to_vec(), value: b"3".to_vec(), version: b"v1".to_vec() };
    same(snapshot.get(b"b").fine()?, Some(entry))?;
    snapshot.close().fine()?;
    holds(&*reopen(subject)?, &model)?;
    holds(&*reopen_read_only(subject)?, &model)
}

fn a_batch_of_updates_is_one_frame(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let frames = |subject: &dyn Subject| -> Result<u64, String> {
        Ok(subject.segments(LOG).fine()?.iter().map(|segment| segment.frames).sum())
    };
    let before = frames(subject)?;
    snapshot.apply(&[put("a", "1"), delete("b"), purge("c"), put("d", "2")], b"cursor").fine()?;
    same(frames(subject)?, before + 1)?;
    snapshot.apply(&[], b"cursor").fine()?;
    same(frames(subject)?, before + 2)
}

fn an_empty_batch_moves_the_cursor(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[put("a", "1")], "one")?;
    apply(&*snapshot, &mut model, &[], "two")?;
    holds(&*snapshot, &model)?;
    drop(snapshot);
    let snapshot = reopen(&*crash(subject, Crash::LOSE_ALL))?;
    same(snapshot.cursor().fine()?, b"two".to_vec())?;
    holds(&*snapshot, &model)
}

fn an_empty_cursor_means_none_also_with_entries(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    same(snapshot.cursor().fine()?, vec![])?;
    apply(&*snapshot, &mut model, &[put("a", "1")], "")?;
    holds(&*snapshot, &model)?;
    apply(&*snapshot, &mut model, &[put("b", "1")], "here")?;
    apply(&*snapshot, &mut model, &[], "")?;
    holds(&*snapshot, &model)?;
    snapshot.compact().fine()?;
    snapshot.close().fine()?;
    let snapshot = reopen(subject)?;
    same(snapshot.cursor().fine()?, vec![])?;
    holds(&*snapshot, &model)
}

fn a_cursor_may_repeat_and_is_never_compared(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for (number, cursor) in ["9", "9", "1", "\0", "zz", "9"].into_iter().enumerate() {
        apply(&*snapshot, &mut model, &[put(&key(number as u64), cursor)], cursor)?;
        holds(&*snapshot, &model)?;
    }
    snapshot.close().fine()?;
    holds(&*reopen(subject)?, &model)
}

fn updates_of_a_batch_apply_in_their_order(subject: &dyn Subject) -> Outcome {
    for values_on_disk in [false, true] {
        let side = fork(subject);
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        let mut model = Fold::default();
        let updates = [
            put("a", "1"),
            delete("a"),
            put("a", "2"),
            put("a", "3"),
            put("b", "1"),
            purge("b"),
            delete("c"),
            put("c", "1"),
        ];
        apply(&*snapshot, &mut model, &updates, "here")?;
        holds(&*snapshot, &model)?;
        snapshot.close().fine()?;
        holds(&*reopen(&*side)?, &model)?;
    }
    Ok(())
}

fn delete_and_purge_take_the_key_away(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[put("a", "1"), put("b", "2"), put("c", "3")], "one")?;
    apply(&*snapshot, &mut model, &[delete("a"), purge("b")], "two")?;
    same(snapshot.get(b"a").fine()?, None)?;
    same(snapshot.get(b"b").fine()?, None)?;
    holds(&*snapshot, &model)?;
    apply(&*snapshot, &mut model, &[purge("c")], "three")?;
    same(snapshot.has_entries().fine()?, false)?;
    apply(&*snapshot, &mut model, &[put("a", "back")], "four")?;
    snapshot.close().fine()?;
    holds(&*reopen(subject)?, &model)
}

fn the_frame_tells_delete_from_purge(subject: &dyn Subject) -> Outcome {
    // Nothing in the fold does, so it is what is written that must differ.
    let mut images = Vec::new();
    for update in [delete("a"), Update::Purge { key: b"a", version: b"v2" }] {
        let side = fork(subject);
        let snapshot = create(&*side)?;
        snapshot.apply(&[update], b"here").fine()?;
        snapshot.close().fine()?;
        images.push(side.disk().image());
    }
    ensure!(images[0] != images[1]);
    Ok(())
}

fn removing_what_is_not_there_is_fine(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[delete("x"), purge("y"), delete("x")], "one")?;
    holds(&*snapshot, &model)?;
    drop(snapshot);
    holds(&*reopen(subject)?, &model)
}

fn empty_values_versions_and_keys_are_live(subject: &dyn Subject) -> Outcome {
    for values_on_disk in [false, true] {
        let side = fork(subject);
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        let mut model = Fold::default();
        let updates = [
            Update::Put { key: b"", value: b"", version: b"" },
            Update::Put { key: b"a", value: b"", version: b"1" },
            Update::Put { key: b"b", value: b"x", version: b"" },
        ];
        apply(&*snapshot, &mut model, &updates, "")?;
        same(snapshot.has_entries().fine()?, true)?;
        same(snapshot.get(b"").fine()?, Some(Entry::default()))?;
        holds(&*snapshot, &model)?;
        snapshot.compact().fine()?;
        holds(&*snapshot, &model)?;
        snapshot.close().fine()?;
        holds(&*reopen(&*side)?, &model)?;
    }
    Ok(())
}

fn applying_a_batch_again_is_harmless(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[put("a", "0"), put("b", "0")], "zero")?;
    let updates = [put("a", "1"), delete("b"), put("c", "1"), purge("d")];
    apply(&*snapshot, &mut model, &updates, "one")?;
    let stats = snapshot.stats().fine()?;
    for _ in 0..3 {
        snapshot.apply(&updates, b"one").fine()?;
        holds(&*snapshot, &model)?;
    }
    let again = snapshot.stats().fine()?;
    same((again.entries, again.live_bytes), (stats.entries, stats.live_bytes))?;
    ensure!(again.dead_bytes > stats.dead_bytes);
    drop(snapshot);
    holds(&*reopen(subject)?, &model)
}

fn packed_updates_are_updates(subject: &dyn Subject) -> Outcome {
    let updates = [put("a", "1"), delete("b"), put("", ""), purge("c"), put("d", "2"), delete("a")];
    let (kinds, ends, bytes) = pack(&updates);
    let mut images = Vec::new();
    for packed in [false, true] {
        let side = fork(subject);
        let snapshot = create(&*side)?;
        let token = if packed {
            snapshot.apply_packed(&kinds, &ends, &bytes, b"here").fine()?
        } else {
            snapshot.apply(&updates, b"here").fine()?
        };
        ensure!(token.is_some());
        let mut model = Fold::default();
        model.apply(&updates, b"here");
        holds(&*snapshot, &model)?;
        same(snapshot.apply_packed(&[], &[], &[], b"next").fine()?.is_some(), true)?;
        snapshot.close().fine()?;
        images.push(side.disk().image());
    }
    ensure!(images[0] == images[1], "not the same bytes");
    Ok(())
}

fn packed_updates_must_fit_together(subject: &dyn Subject) -> Outcome {
    use UpdateKind::{Delete, Put};
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[put("a", "1")], "one")?;
    let before = subject.disk().hash();
    let wrong: [(&[UpdateKind], &[u32], &[u8]); 9] = [
        (&[Put], &[1, 2], b"ab"),
        (&[Put], &[1, 2, 3, 4], b"abcd"),
        (&[Put, Put], &[1, 2, 3], b"abc"),
        (&[], &[], b"a"),
        (&[Put], &[1, 2, 3], b"ab"),
        (&[Put], &[1, 2, 3], b"abcd"),
        (&[Put], &[2, 1, 3], b"abc"),
        (&[Put], &[1, 2, u32::MAX], b"abc"),
        (&[Delete], &[1, 2, 3], b"abc"),
    ];
    for (kinds, ends, bytes) in wrong {
        refused!(snapshot.apply_packed(kinds, ends, bytes, b"two"), Error::InvalidArgument(_));
    }
    same(subject.disk().hash(), before)?;
    holds(&*snapshot, &model)
}

const KEY: usize = 64 << 10;
const SHORT: usize = 4 << 10;
const VALUE: usize = 16 << 20;

fn the_largest_updates_are_taken(subject: &dyn Subject) -> Outcome {
    let (key, short, value) = (vec![7; KEY], vec![8; SHORT], vec![9; VALUE]);
    for values_on_disk in [false, true] {
        let side = fork(subject);
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        let update = [Update::Put { key: &key, value: &value, version: &short }];
        snapshot.apply(&update, &short).fine()?;
        snapshot.apply(&[Update::Delete { key: &key[1..], version: &short }], &short).fine()?;
        let mut model = Fold::default();
        model.apply(&update, &short);
        holds(&*snapshot, &model)?;
        snapshot.compact().fine()?;
        snapshot.close().fine()?;
        holds(&*open_with(&*side, &Options { values_on_disk, ..options(Mode::Open) })?, &model)?;
    }
    Ok(())
}

fn larger_updates_are_refused(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    apply(&*snapshot, &mut model, &[put("a", "1")], "one")?;
    let before = subject.disk().hash();
    let (key, short, value) = (vec![7; KEY + 1], vec![8; SHORT + 1], vec![9; VALUE + 1]);
    let too_large =
        |what, allowed: usize| Error::TooLarge { what, allowed: allowed as u64, got: allowed as u64 + 1 };
    for (update, wanted) in [
        (Update::Put { key: &key, value: b"", version: b"" }, too_large(Limit::KeySize, KEY)),
        (Update::Delete { key: &key, version: b"" }, too_large(Limit::KeySize, KEY)),
        (Update::Put { key: b"", value: &value, version: b"" }, too_large(Limit::ItemSize, VALUE)),
        (Update::Put { key: b"", value: b"", version: &short }, too_large(Limit::VersionSize, SHORT)),
        (Update::Purge { key: b"", version: &short }, too_large(Limit::VersionSize, SHORT)),
    ] {
        same(snapshot.apply(&[put("b", "1"), update], b"two"), Err(wanted))?;
    }
    same(snapshot.apply(&[], &short), Err(too_large(Limit::CursorSize, SHORT)))?;
    same(snapshot.get(&key), Err(too_large(Limit::KeySize, KEY)))?;
    same(snapshot.range(&key).err(), Some(too_large(Limit::KeySize, KEY)))?;
    same(subject.disk().hash(), before)?;
    holds(&*snapshot, &model)
}

fn the_largest_batch_is_taken_and_a_larger_one_refused(subject: &dyn Subject) -> Outcome {
    const COUNT: usize = 1 << 20;
    const BYTES: usize = 64 << 20;
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    // Packed by hand: a million keys of one byte.
    let kinds = vec![UpdateKind::Put; COUNT + 1];
    let ends: Vec<u32> = (0..=COUNT as u32).flat_map(|i| [i + 1; 3]).collect();
    let bytes = vec![b'a'; COUNT + 1];
    let wanted = |what, allowed: usize, got: usize| {
        Err(Error::TooLarge { what, allowed: allowed as u64, got: got as u64 })
    };
    let answer = snapshot.apply_packed(&kinds, &ends, &bytes, b"more");
    same(answer, wanted(Limit::BatchCount, COUNT, COUNT + 1))?;
    snapshot.apply_packed(&kinds[1..], &ends[..3 * COUNT], &bytes[1..], b"many").fine()?;
    let value = vec![1; VALUE];
    let large: Vec<Update<'_>> =
        (0..4).map(|_| Update::Put { key: b"", value: &value, version: b"" }).collect();
    snapshot.apply(&large, b"much").fine()?;
    let more = [&large[..], &[put("a", "")]].concat();
    same(snapshot.apply(&more, b"more"), wanted(Limit::BatchSize, BYTES, BYTES + 3))?;
    let mut model = Fold::default();
    model.apply(&[put("a", ""), large[0]], b"much");
    model.entries.insert(b"a".to_vec(), Default::default());
    snapshot.close().fine()?;
    holds(&*open_with(subject, &on_disk(Mode::Open))?, &model)?;
    subject.snapshots().destroy(LOG).fine()
}

fn keys_are_compared_byte_by_byte(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    let keys: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"aa", b"\xFF", b"\xFF\xFF"];
    for key in keys {
        let updates = [Update::Put { key, value: key, version: b"" }];
        snapshot.apply(&updates, b"").fine()?;
        model.apply(&updates, b"");
    }
    holds(&*snapshot, &model)?;
    same(snapshot.get(b"A").fine()?, None)?;
    same(snapshot.get(b"\0\0\0").fine()?, None)
}
