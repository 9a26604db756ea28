//! `annals raft …` as a user meets it: entries in and out, every change, and what goes wrong.

use crate::place::{Place, Ran, value};
use std::{fs, process::Command};

/// Entries `from..to` of a term, as `raft persist` takes them and `raft entries` prints them.
fn entries(range: std::ops::Range<u64>, term: u64) -> String {
    range.map(|index| format!("{index}\t{term}\tentry {index} of term {term}\n")).collect()
}

fn persist(place: &Place, input: &str, more: &[&str]) -> Ran {
    place.feed(&[&["raft", "persist", "node", "-"], more].concat(), input.as_bytes())
}

#[track_caller]
fn persisted(place: &Place, input: &str, more: &[&str]) -> String {
    let ran = persist(place, input, more);
    ran.expect(0);
    ran.text()
}

fn printed(place: &Place, more: &[&str]) -> String {
    place.ok(&[&["raft", "entries", "node"], more].concat())
}

#[test]
fn every_command_has_help_with_its_exit_codes() {
    let commands = [
        "persist", "replace", "get", "entries", "term", "truncate", "purge", "reset", "sync", "info",
        "destroy",
    ];
    let commands = commands.iter().map(|command| vec!["raft", command, "--help"]);
    let hard = ["get", "set"].map(|command| vec!["raft", "hard-state", command, "--help"]);
    for args in commands.chain(hard) {
        let output = Command::new(env!("CARGO_BIN_EXE_annals")).args(&args).output().unwrap();
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Exit codes"),
            "{args:?}"
        );
    }
}

#[test]
fn what_entries_prints_persist_takes() {
    let place = Place::new("raft-formats");
    let input = "1\t1\tone\n2\t1\t\n3\t4\ttab\there\r\n4\t18446744073709551615\té\n";
    let text = persisted(&place, input, &[]);
    assert!(text.starts_with("durable 4 last 4\npersisted 4\nlast-index 4\ntoken "), "{text}");
    assert_eq!(printed(&place, &[]), input);
    assert_eq!(printed(&place, &["--output", "lines"]), "one\n\ntab\there\r\né\n");
    assert_eq!(printed(&place, &["--output", "raw", "--first", "3", "--last", "3"]), "tab\there\r");
    assert_eq!(printed(&place, &["--output", "hex", "--last", "1"]), "6f6e65\n");
    assert_eq!(
        printed(&place, &["--output", "json", "--first", "4"]),
        "{\"index\":4,\"term\":18446744073709551615,\"text\":\"é\"}\n"
    );
    let prefixed = place.run(&["raft", "entries", "node", "--output", "prefixed"]).stdout;
    let again =
        place.feed(&["raft", "persist", "other", "-", "--input", "prefixed", "--term", "9"], &prefixed);
    again.expect(0);
    assert_eq!(place.run(&["raft", "entries", "other", "--output", "prefixed"]).stdout, prefixed);
    assert_eq!(place.ok(&["raft", "get", "other", "4", "1"]), "4\t9\té\n1\t9\tone\n");
    assert_eq!(place.ok(&["raft", "term", "node", "4", "1"]), "18446744073709551615\n1\n");

    let (a, b) = (place.file("a", "first\nfile\n"), place.file("b", ""));
    place.ok(&["raft", "persist", "files", &a, &b, "--input", "files", "--term", "1", "--first", "1"]);
    assert_eq!(place.ok(&["raft", "get", "files", "1", "--output", "raw"]), "first\nfile\n");
    assert_eq!(place.ok(&["raft", "get", "files", "2"]), "2\t1\t\n");
}

#[test]
fn ranges_are_inclusive_and_skip_what_is_missing() {
    let place = Place::new("raft-ranges");
    persisted(&place, &entries(1..101, 1), &[]);
    assert_eq!(printed(&place, &["--first", "99", "--last", "1000"]), entries(99..101, 1));
    assert_eq!(printed(&place, &["--first", "7", "--last", "7"]), entries(7..8, 1));
    assert_eq!(printed(&place, &["--first", "8", "--last", "7"]), "");
    assert_eq!(printed(&place, &["--first", "101"]), "");
    assert_eq!(printed(&place, &["--last", "0"]), "");
    let gap = persist(&place, "105\t1\tleaves a gap\n", &[]);
    gap.expect(2);
    gap.says(&["indexes 101 to 104 would be left out", "--allow-gaps"]);
    persisted(&place, "105\t1\tleaves a gap\n", &["--allow-gaps"]);
    assert_eq!(printed(&place, &["--first", "100"]), entries(100..101, 1) + "105\t1\tleaves a gap\n");
    let missing = place.run(&["raft", "get", "node", "100", "103"]);
    missing.expect(2);
    missing.says(&["cannot read 103 of log 'node': there is no such entry"]);
    assert_eq!(missing.text(), entries(100..101, 1), "what was asked for before");
    place.run(&["raft", "term", "node", "103"]).expect(2);
    place.run(&["raft", "get", "node"]).expect(2);
    place.run(&["raft", "get", "node", "-1"]).expect(2);
}

#[test]
fn syncs_are_told_with_how_much_of_the_input_is_safe() {
    let place = Place::new("raft-syncs");
    let text = persisted(&place, &entries(1..11, 1), &["--sync-every", "4"]);
    assert!(
        text.starts_with("durable 4 last 4\ndurable 8 last 8\ndurable 10 last 10\npersisted 10\n"),
        "{text}"
    );
    let text = persisted(&place, "x\ny\n", &["--term", "3", "--sync-every", "2"]);
    assert!(text.starts_with("durable 2 last 12\npersisted 2\nlast-index 12\n"), "{text}");
    assert_eq!(printed(&place, &["--first", "11"]), "11\t3\tx\n12\t3\ty\n");
    // Entries may come in any order; each takes the place of what is there, and later ones stay.
    let text = persisted(&place, "5\t4\tfive\n6\t4\tsix\n6\t5\tsix again\n2\t5\ttwo\n", &[]);
    assert!(text.starts_with("durable 4 last 2\npersisted 4\nlast-index 12\n"), "{text}");
    let expected = entries(3..5, 1) + "5\t4\tfive\n6\t5\tsix again\n" + &entries(7..11, 1);
    assert_eq!(printed(&place, &["--first", "3", "--last", "10"]), expected);
    assert_eq!(place.ok(&["raft", "get", "node", "2"]), "2\t5\ttwo\n");
    let nothing = persisted(&place, "", &[]);
    assert!(nothing.starts_with("persisted 0\nlast-index 12\ntoken "), "{nothing}");
}

#[test]
fn bad_input_is_named_and_what_precedes_it_is_safe() {
    let place = Place::new("raft-bad-input");
    let file = place.file("entries", "1\t1\tone\n");
    for (args, why) in [
        (&["no-such-file"][..], "No such file"),
        (&[&file, "--input", "prefixed"], "--term"),
        (&[&file, "--first", "3"], "--term"),
        (&[&file, "--term", "1", "--first", "0"], "0 is not in 1.."),
        (&[&file, &file], "--input files"),
    ] {
        let ran = place.run(&[&["raft", "persist", "node"], args].concat());
        ran.expect(2);
        ran.says(&[why]);
        assert!(!place.logs().exists(), "a mistake must not leave a directory behind");
    }
    let ran = persist(&place, "1\t1\tone\n2\t1\ttwo\n3 1 three\n4\t1\tfour\n", &[]);
    ran.expect(2);
    ran.says(&["stopped behind 2 entries (safe)", "item 3 is no entry", "INDEX<TAB>TERM<TAB>ITEM"]);
    assert!(ran.text().starts_with("durable 2 last 2\npersisted 2\nlast-index 2\ntoken "), "{}", ran.text());
    for (line, why) in [
        ("x\t1\tpayload", "its index is 'x', not a number"),
        ("0\t1\tpayload", "indexes must ascend from 1"),
        ("18446744073709551615\t1\tpayload", "indexes must ascend from 1"),
    ] {
        let ran = persist(&place, line, &["--allow-gaps"]);
        ran.expect(2);
        ran.says(&[why]);
    }
    assert_eq!(printed(&place, &[]), "1\t1\tone\n2\t1\ttwo\n");
}

#[test]
fn the_end_is_truncated_or_replaced_as_a_whole() {
    let place = Place::new("raft-end");
    persisted(&place, &entries(1..21, 1), &[]);
    let text = place.ok(&["raft", "truncate", "node", "16"]);
    assert!(text.starts_with("last-index 15\ntoken "), "{text}");
    let text = place.ok(&["raft", "truncate", "node", "16", "--expect-token", value(&text, "token")]);
    assert!(text.starts_with("last-index 15\n"), "beyond the last one nothing happens: {text}");

    let replace = |first: &str, input: &str, more: &[&str]| {
        place.feed(&[&["raft", "replace", "node", first, "-"], more].concat(), input.as_bytes())
    };
    let ran = replace("11", &entries(11..14, 2), &[]);
    ran.expect(0);
    assert!(ran.text().starts_with("replaced from 11 with 3\nlast-index 13\ntoken "), "{}", ran.text());
    assert_eq!(printed(&place, &[]), entries(1..11, 1) + &entries(11..14, 2));
    replace("13", "one\ntwo\n", &["--term", "7"]).expect(0);
    assert_eq!(printed(&place, &["--first", "13"]), "13\t7\tone\n14\t7\ttwo\n");
    replace("14", "", &[]).expect(0);
    assert_eq!(value(&place.ok(&["raft", "info", "node"]), "last-index"), "13");

    let before = printed(&place, &[]);
    let wrong = replace("5", &entries(6..7, 2), &[]);
    wrong.expect(2);
    wrong.says(&["the first one must be at"]);
    replace("20", &entries(20..21, 2), &[]).expect(2);
    replace("5", "5\t2\tok\nbad\n", &[]).expect(2);
    assert_eq!(printed(&place, &[]), before, "a refused replacement changes nothing");
}

#[test]
fn everything_survives_a_purge_of_everything_and_a_reset_keeps_the_vote() {
    let place = Place::new("raft-purge");
    assert_eq!(
        place
            .ok(&["raft", "hard-state", "set", "node", "7", "--vote", "3", "--extra", "peers"])
            .lines()
            .count(),
        3
    );
    persisted(&place, &entries(1..101, 2), &[]);
    let text = place.ok(&["raft", "purge", "node", "40"]);
    assert!(text.starts_with("boundary 40 of term 2\nlast-index 100\ntoken "), "{text}");
    let text = place.ok(&["raft", "purge", "node", "39"]);
    assert!(text.starts_with("nothing to purge up to 39\nboundary 40 of term 2\n"), "{text}");
    assert_eq!(printed(&place, &[]), entries(41..101, 2));
    assert_eq!(place.ok(&["raft", "term", "node", "40"]), "2\n");
    place.run(&["raft", "term", "node", "39"]).expect(2);
    let below = persist(&place, &entries(40..41, 3), &[]);
    below.expect(2);
    below.says(&["the log holds 41 to 100"]);
    place.run(&["raft", "truncate", "node", "40"]).expect(2);

    let unknown = place.run(&["raft", "purge", "node", "500"]);
    unknown.expect(2);
    unknown.says(&["--term"]);
    place.ok(&["raft", "purge", "node", "500", "--term", "6"]);
    let info = place.ok(&["raft", "info", "node"]);
    for (key, expected) in [
        ("kind", "raft-log"),
        ("items", "0"),
        ("oldest", "none"),
        ("first-index", "none"),
        ("last-index", "500"),
        ("purged-index", "500"),
        ("purged-term", "6"),
        ("term", "7"),
        ("vote", "3"),
        ("extra-bytes", "5"),
    ] {
        assert_eq!(value(&info, key), expected, "{key} in {info}");
    }
    persisted(&place, "next\n", &["--term", "8"]);
    assert_eq!(printed(&place, &[]), "501\t8\tnext\n");

    let asked = place.run(&["raft", "reset", "node"]);
    asked.expect(2);
    asked.says(&["up to index 501", "--yes"]);
    assert!(place.ok(&["raft", "reset", "node", "--yes"]).starts_with("last-index 0\n"));
    let state = place.ok(&["raft", "hard-state", "get", "node"]);
    assert_eq!(state, "term 7\nvote 3\nextra 7065657273\n");
    persisted(&place, "first\n", &["--term", "9"]);
    assert_eq!(printed(&place, &[]), "1\t9\tfirst\n");
    place.ok(&["verify"]);
}

#[test]
fn the_hard_state_is_shown_and_replaced() {
    let place = Place::new("raft-hard");
    persisted(&place, &entries(1..3, 1), &[]);
    assert_eq!(place.ok(&["raft", "hard-state", "get", "node"]), "none\n");
    assert_eq!(place.ok(&["raft", "hard-state", "get", "node", "--json"]), "null\n");
    let text = place.ok(&["raft", "hard-state", "set", "node", "4"]);
    assert!(text.starts_with("term 4\nvote none\ntoken "), "{text}");
    assert_eq!(place.ok(&["raft", "hard-state", "get", "node"]), "term 4\nvote none\nextra none\n");
    let file = place.file("extra", b"\xff\x00");
    place.ok(&["raft", "hard-state", "set", "node", "5", "--vote", "0", "--extra-file", &file]);
    assert_eq!(
        place.ok(&["raft", "hard-state", "get", "node", "--json"]),
        "{\"term\":5,\"vote\":0,\"extra_hex\":\"ff00\"}\n"
    );
    let long = place.file("long", [1; 4097]);
    let ran = place.run(&["raft", "hard-state", "set", "node", "6", "--extra-file", &long]);
    ran.expect(2);
    ran.says(&["4097 bytes where 4096 are allowed"]);
    place.run(&["raft", "hard-state", "set", "node", "6", "--extra", &"x".repeat(4097)]).expect(2);
    assert!(place.ok(&["raft", "hard-state", "get", "node"]).starts_with("term 5\n"));
}

#[test]
fn info_list_verify_and_inspect_know_the_kind() {
    let place = Place::new("raft-info");
    let text = persisted(&place, &entries(1..11, 1), &[]);
    place.append("numbers", "0\n");
    let info: serde_json::Value =
        serde_json::from_str(&place.ok(&["raft", "info", "node", "--json"])).unwrap();
    assert_eq!(
        (&info["kind"], &info["last_index"], &info["vote"]),
        (&"raft-log".into(), &10.into(), &serde_json::Value::Null)
    );
    assert_eq!(info["token"], value(&text, "token"));
    let list = place.ok(&["list"]);
    assert!(
        list.lines().any(|line| line.split_whitespace().take(4).eq(["node", "raft-log", "10", "11"])),
        "{list}"
    );
    assert!(place.ok(&["inspect", "node", "--frames"]).contains("append"));
    assert_eq!(place.ok(&["verify"]).lines().filter(|line| line.starts_with("ok ")).count(), 2);
    let synced = place.ok(&["raft", "sync", "node"]);
    assert!(synced.contains("write-durable yes\nlast-index 10\n"), "{synced}");

    for args in
        [&["journal", "replay", "node"][..], &["raft", "entries", "numbers"], &["raft", "info", "numbers"]]
    {
        let ran = place.run(args);
        ran.expect(2);
        ran.says(&["of another kind"]);
    }
    let ran = place.run(&["raft", "entries", "nobody"]);
    ran.expect(2);
    ran.says(&["there is no such log", "node, numbers"]);
    place.run(&["raft", "destroy", "numbers", "--yes"]).expect(2);
    place.run(&["raft", "destroy", "node"]).expect(2);
    assert_eq!(place.ok(&["raft", "destroy", "node", "--yes"]), "destroyed node\n");
    // A new log of the same name is another log.
    persisted(&place, &entries(1..11, 1), &[]);
    place.run(&["raft", "entries", "node", "--expect-token", value(&text, "token")]).expect(1);
}

#[test]
fn damage_is_named_and_costs_only_its_neighbours() {
    let place = Place::new("raft-damage");
    persisted(&place, &entries(1..5001, 1), &[]);
    let needle = b"entry 2500 of";
    let (path, mut bytes, at) = place
        .contents()
        .into_iter()
        .find_map(|(path, bytes)| {
            let at = bytes.windows(needle.len()).position(|window| window == needle)?;
            Some((path, bytes, at))
        })
        .unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
    let before = place.contents();
    let verified = place.run(&["verify"]);
    verified.expect(1);
    assert!(verified.text().contains("damaged node: node."), "{}", verified.text());
    let ran = place.run(&["raft", "entries", "node"]);
    ran.expect(1);
    ran.says(&["log 'node' is damaged"]);
    let (all, text) = (entries(1..5001, 1), ran.text());
    assert!(
        text.lines().all(|line| all.contains(line)) && text.lines().count() > 4500,
        "{}",
        text.lines().count()
    );
    let ran = place.run(&["raft", "get", "node", "1", "2500", "5000"]);
    ran.expect(1);
    assert_eq!(ran.text(), entries(1..2, 1) + &entries(5000..5001, 1));
    assert!(place.contents() == before, "what only reads changes nothing");
}
