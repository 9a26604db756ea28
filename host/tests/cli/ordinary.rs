//! The `annals` command as it is used: what it stores, prints and refuses, and with which exit code.
//!
//! Damage, crashes and several processes at once are in `trouble.rs`.

use crate::place::{Place, value};
use std::fs;

/// Numbered lines `from..to`.
fn lines(range: std::ops::Range<u64>) -> String {
    range.map(|line| format!("line {line}\n")).collect()
}

#[test]
fn every_input_comes_back_byte_for_byte() {
    let place = Place::new("bytes");
    let junk: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let long = [vec![b'x'; 3_000_000], b"\nshort\n".to_vec()].concat();
    let inputs: [&[u8]; 11] = [
        b"a",
        b"a\n",
        b"\n",
        b"\n\n\n",
        b"a\n\nb",
        b"dos\r\nlines\r\n",
        b"\r",
        b"\0\n\0\0\n",
        b"\xff\xfe\nno UTF-8 \xc3\x28",
        &junk,
        &long,
    ];
    for (number, input) in inputs.iter().enumerate() {
        let log = format!("log-{number}");
        place.append(&log, input);
        let mut expected = input.to_vec();
        if !expected.ends_with(b"\n") {
            expected.push(b'\n');
        }
        let replayed = place.run(&["journal", "replay", &log]);
        replayed.expect(0);
        assert!(replayed.stdout == expected, "input {number}");
    }
    let verified = place.ok(&["verify"]);
    assert_eq!(verified.lines().count(), inputs.len(), "{verified}");
    assert!(verified.lines().all(|line| line.starts_with("ok log-")), "{verified}");
}

#[test]
fn append_reports_positions_durability_and_a_token() {
    let place = Place::new("report");
    let first = place.append("numbers", "one\ntwo\n");
    let token = value(&first, "token").to_owned();
    assert_eq!(first, format!("durable 2\nfirst 0 last 1\ntoken {token}\n"));

    let file = place.file("more", "three");
    let more = place.ok(&["journal", "append", "numbers", &file, "--expect-token", &token]);
    assert!(more.starts_with("durable 3\nfirst 2 last 2\ntoken "), "{more}");
    assert_ne!(value(&more, "token"), token);

    let none = place.append("numbers", "");
    assert!(none.starts_with("nothing appended\ntoken "), "{none}");
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\ntwo\nthree\n");
}

#[test]
fn sync_every_n_says_durable_after_exactly_n_items() {
    let place = Place::new("every");
    let durable = |log: &str, every: &str, count: u64| -> Vec<String> {
        let args = ["journal", "append", log, "-", "--sync-every", every];
        let ran = place.feed(&args, lines(0..count).as_bytes());
        ran.expect(0);
        let text = ran.text();
        assert!(text.contains(&format!("\nfirst 0 last {}\ntoken ", count - 1)), "{text}");
        text.lines().filter_map(|line| line.strip_prefix("durable ")).map(str::to_owned).collect()
    };
    assert_eq!(durable("a", "3", 10), ["3", "6", "9", "10"]);
    assert_eq!(durable("b", "5", 10), ["5", "10"]);
    assert_eq!(durable("c", "100", 10), ["10"]);
    assert_eq!(durable("d", "1", 3), ["1", "2", "3"]);
    assert_eq!(durable("e", "10000", 30_000), ["10000", "20000", "30000"]);
    place.feed(&["journal", "append", "f", "-", "--sync-every", "0"], b"").expect(2);
}

#[test]
fn replay_takes_a_start_and_a_count() {
    let place = Place::new("range");
    place.append("numbers", lines(0..1000));
    let replay = |args: &[&str]| place.ok(&[&["journal", "replay", "numbers"], args].concat());
    assert_eq!(replay(&[]), lines(0..1000));
    assert_eq!(replay(&["--start", "990"]), lines(990..1000));
    assert_eq!(replay(&["--start", "10", "--count", "5"]), lines(10..15));
    assert_eq!(replay(&["--count", "1"]), lines(0..1));
    assert_eq!(replay(&["--count", "0"]), "");
    assert_eq!(replay(&["--start", "999", "--count", "100"]), lines(999..1000));
    assert_eq!(replay(&["--start", "1000"]), "");
    assert_eq!(replay(&["--start", "999", "--count", "18446744073709551615"]), lines(999..1000));
    let beyond = place.run(&["journal", "replay", "numbers", "--start", "1001"]);
    beyond.expect(2);
    beyond.says(&["annals: cannot read log 'numbers'", "999"]);
}

#[test]
fn read_prints_items_in_the_order_asked_for() {
    let place = Place::new("read");
    place.append("numbers", lines(0..100));
    assert_eq!(
        place.ok(&["journal", "read", "numbers", "42", "0", "99", "42"]),
        "line 42\nline 0\nline 99\nline 42\n"
    );
    let beyond = place.run(&["journal", "read", "numbers", "1", "100"]);
    beyond.expect(2);
    assert_eq!(beyond.text(), "line 1\n");
    beyond.says(&["cannot read 100 of log 'numbers'"]);
    place.run(&["journal", "read", "numbers"]).expect(2);
    place.run(&["journal", "read", "numbers", "-1"]).expect(2);
}

#[test]
fn prune_drops_whole_sections_and_rewind_drops_the_end() {
    let place = Place::new("ends");
    let args = ["journal", "append", "numbers", "-", "--items-per-section", "10"];
    place.feed(&args, lines(0..95).as_bytes()).expect(0);

    let pruned = place.ok(&["journal", "prune", "numbers", "57"]);
    assert!(pruned.starts_with("pruned below 50\nboundary 50\nsize 95\ntoken "), "{pruned}");
    let again = place.ok(&["journal", "prune", "numbers", "59"]);
    assert!(again.starts_with("nothing to prune"), "{again}");
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), lines(50..95));
    let below = place.run(&["journal", "replay", "numbers", "--start", "49"]);
    below.expect(2);
    below.says(&["50 to 94"]);

    let rewound = place.ok(&["journal", "rewind", "numbers", "60"]);
    assert!(rewound.starts_with("removed 35 items\nsize 60\ntoken "), "{rewound}");
    let token = value(&rewound, "token").to_owned();
    let same = place.ok(&["journal", "rewind", "numbers", "60", "--expect-token", &token]);
    assert!(same.starts_with("removed 0 items\nsize 60\n"), "{same}");
    place.run(&["journal", "rewind", "numbers", "61"]).expect(2);
    place.run(&["journal", "rewind", "numbers", "49"]).expect(2);
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), lines(50..60));

    place.append("numbers", "new\n");
    assert_eq!(place.ok(&["journal", "read", "numbers", "60"]), "new\n");
    let all = place.ok(&["journal", "rewind", "numbers", "50"]);
    assert_eq!(value(&all, "size"), "50");
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "");
    let info = place.ok(&["journal", "info", "numbers"]);
    assert_eq!((value(&info, "size"), value(&info, "oldest"), value(&info, "items")), ("50", "none", "0"));
}

#[test]
fn info_and_list_tell_what_is_there() {
    let place = Place::new("info");
    let appended = place.append("numbers", lines(0..100));
    let info = place.ok(&["journal", "info", "numbers"]);
    for (key, expected) in [
        ("name", "numbers"),
        ("kind", "journal"),
        ("state", "closed cleanly"),
        ("items", "100"),
        ("oldest", "0"),
        ("size", "100"),
        ("segments", "1"),
        ("token", value(&appended, "token")),
    ] {
        assert_eq!(value(&info, key), expected, "{key} in {info}");
    }
    let begun = value(&info, "begun");
    assert!(begun.starts_with("20") && begun.ends_with('Z'), "{begun}");

    place.append("another", "x");
    let list = place.ok(&["list"]);
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 3, "{list}");
    assert_eq!(rows[1][..4], ["another", "journal", "1", "1"]);
    assert_eq!(rows[2][..4], ["numbers", "journal", "100", "100"]);
}

#[test]
fn destroy_wants_to_be_told_twice() {
    let place = Place::new("destroy");
    let first = place.append("numbers", lines(0..10));
    let asked = place.run(&["journal", "destroy", "numbers"]);
    asked.expect(2);
    asked.says(&["log 'numbers' with 10 items", "--yes"]);
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), lines(0..10));

    assert_eq!(place.ok(&["journal", "destroy", "numbers", "--yes"]), "destroyed numbers\n");
    place.run(&["journal", "replay", "numbers"]).expect(2);
    place.run(&["journal", "destroy", "numbers", "--yes"]).expect(2);

    // A new log of the same name is another log.
    place.append("numbers", "new");
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "new\n");
    let token = value(&first, "token");
    place.run(&["journal", "replay", "numbers", "--expect-token", token]).expect(1);
}

#[test]
fn options_of_a_new_journal_are_kept() {
    let place = Place::new("options");
    let args = ["journal", "append", "numbers", "-", "--start-at", "1000", "--items-per-section", "7"];
    let ran =
        place.feed(&[&args[..], &["--segment-bytes", "64KiB", "--no-sync-sections"]].concat(), b"a\nb\n");
    ran.expect(0);
    assert!(ran.text().contains("durable 1002\nfirst 1000 last 1001\n"), "{}", ran.text());
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "a\nb\n");

    for wrong in [["--items-per-section", "8"], ["--segment-bytes", "128KiB"], ["--start-at", "5"]] {
        let ran = place.feed(&[&["journal", "append", "numbers", "-"][..], &wrong].concat(), b"c");
        ran.expect(2);
        ran.says(&["annals: cannot open log 'numbers'"]);
    }
    let args = ["journal", "append", "numbers", "-", "--items-per-section", "7", "--segment-bytes", "65536"];
    place.feed(&args, b"c").expect(0);
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "a\nb\nc\n");
}

#[test]
fn a_token_refuses_another_log_and_a_rolled_back_one() {
    let place = Place::new("token");
    place.append("numbers", "one\n");
    let copy: Vec<_> = place.contents();
    let appended = place.append("numbers", "two\n");
    let token = value(&appended, "token").to_owned();
    let other = value(&place.append("other", "one\n"), "token").to_owned();
    assert_eq!(place.ok(&["journal", "replay", "numbers", "--expect-token", &token]), "one\ntwo\n");

    let refused = place.run(&["journal", "replay", "numbers", "--expect-token", &other]);
    refused.expect(1);
    refused.says(&["annals: cannot open log 'numbers'", "does not contain the expected token"]);

    // An older copy of the files is put back.
    for (path, bytes) in copy {
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\n");
    for args in [
        &["journal", "append", "numbers", "-", "--expect-token", &token][..],
        &["journal", "prune", "numbers", "1", "--expect-token", &token],
        &["journal", "rewind", "numbers", "0", "--expect-token", &token],
        &["journal", "read", "numbers", "0", "--expect-token", &token],
    ] {
        place.run(args).expect(1);
    }
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\n");
}

#[test]
fn a_line_that_is_too_long_is_named_and_the_lines_before_it_are_safe() {
    let place = Place::new("long");
    let mut input = lines(0..3).into_bytes();
    input.resize(input.len() + (16 << 20) + 1, b'x');
    input.extend_from_slice(b"\nafter\n");
    let ran = place.feed(&["journal", "append", "numbers", "-"], &input);
    ran.expect(2);
    ran.says(&["line 4 is longer than 16777216 bytes", "behind 3 items", "safe"]);
    assert!(ran.text().starts_with("durable 3\nfirst 0 last 2\ntoken "), "{}", ran.text());
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), lines(0..3));

    // The longest line that is allowed.
    input.truncate(input.len() - 8);
    input.push(b'\n');
    place.append("longest", &input);
    let replayed = place.run(&["journal", "replay", "longest"]);
    assert!(replayed.stdout == input);
}

#[test]
fn roundtrip_appends_compares_and_verifies_in_one_command() {
    let place = Place::new("roundtrip");
    let file = place.file("input", lines(0..20_000) + "the last one has no end");
    for round in 1..=2 {
        let text = place.ok(&["journal", "roundtrip", "numbers", &file]);
        assert!(text.contains("appended 20001 items"), "{text}");
        assert!(text.contains("read back 20001 items, the same as in"), "{text}");
        assert!(text.ends_with("\nok\n"), "{text}");
        let info = place.ok(&["journal", "info", "numbers"]);
        assert_eq!(value(&info, "size"), (20_001 * round).to_string());
    }
    let empty = place.file("empty", "");
    assert!(place.ok(&["journal", "roundtrip", "nothing", &empty]).ends_with("\nok\n"));
    place.run(&["journal", "roundtrip", "numbers", "-"]).expect(2);
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let place = Place::new("usage");
    for args in [
        &["journal"][..],
        &["journal", "append"],
        &["journal", "append", "numbers"],
        &["journal", "append", "UPPER", "-"],
        &["journal", "append", "../up", "-"],
        &["journal", "append", "", "-"],
        &["journal", "append", &"a".repeat(65), "-"],
        &["journal", "append", "numbers", "-", "--segment-bytes", "lots"],
        &["journal", "replay", "numbers", "--expect-token", "nonsense"],
        &["journal", "replay", "numbers", "--start", "-1"],
        &["nonsense"],
        &["verify", "--nonsense"],
    ] {
        let ran = place.run(args);
        ran.expect(2);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty());
    }
    assert!(!place.logs().exists(), "a mistake must not leave a directory behind");
    for args in
        [&["--help"][..], &["journal", "--help"], &["verify", "--help"], &["journal", "append", "--help"]]
    {
        assert!(place.ok(args).contains("Usage: annals"));
    }
    for part in ["Exit codes", "  0  ", "  1  damage", "  2  "] {
        assert!(place.ok(&["--help"]).contains(part));
    }
    let without = std::process::Command::new(env!("CARGO_BIN_EXE_annals")).arg("verify").output().unwrap();
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without.stderr).contains("--dir DIR"));
}

#[test]
fn a_wrong_name_is_answered_with_what_there_is_and_makes_nothing() {
    let place = Place::new("names");
    for args in [
        &["verify"][..],
        &["list"],
        &["journal", "replay", "numbers"],
        &["journal", "read", "numbers", "0"],
        &["journal", "info", "numbers"],
        &["journal", "prune", "numbers", "1"],
        &["journal", "rewind", "numbers", "1"],
        &["journal", "destroy", "numbers", "--yes"],
    ] {
        let ran = place.run(args);
        ran.expect(2);
        ran.says(&["annals: cannot open directory", "check --dir"]);
        assert!(!place.logs().exists(), "annals {args:?} made a directory");
    }
    // A wrong file name is found before anything is made.
    let directory = place.logs().parent().unwrap().to_str().unwrap().to_owned();
    for (file, why) in [("/nowhere/at-all", "No such file"), (directory.as_str(), "is a directory")] {
        let ran = place.run(&["journal", "append", "numbers", file]);
        ran.expect(2);
        ran.says(&["annals: cannot read", why]);
        assert!(!place.logs().exists());
    }
    fs::write(place.logs(), "a file").unwrap();
    place.run(&["verify"]).expect(2);
    place.feed(&["journal", "append", "numbers", "-"], b"x").expect(2);
    fs::remove_file(place.logs()).unwrap();

    place.append("apples", "1");
    place.append("pears", "1");
    for args in [
        &["verify", "numbers"][..],
        &["journal", "replay", "numbers"],
        &["journal", "info", "numbers"],
        &["journal", "prune", "numbers", "1"],
        &["journal", "destroy", "numbers"],
        &["journal", "destroy", "numbers", "--yes"],
    ] {
        let ran = place.run(args);
        ran.expect(2);
        ran.says(&["log 'numbers'", "apples, pears"]);
    }
    assert_eq!(place.ok(&["verify"]).lines().count(), 2);
}

#[test]
fn only_a_directory_made_by_annals_can_be_healthy() {
    let place = Place::new("empty");
    fs::create_dir(place.logs()).unwrap();
    for args in [&["verify"][..], &["list"], &["journal", "replay", "numbers"]] {
        let ran = place.run(args);
        ran.expect(2);
        ran.says(&["annals: cannot open directory"]);
    }
    assert_eq!(fs::read_dir(place.logs()).unwrap().count(), 0, "reading made something");
    place.append("numbers", "1");
    place.ok(&["journal", "destroy", "numbers", "--yes"]);
    assert!(place.ok(&["verify"]).starts_with("no logs in"));
    assert!(place.ok(&["list"]).starts_with("no logs in"));
}
