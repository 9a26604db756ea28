//! `annals event …` as a user meets it: events in and out, retries, sealed files, and what goes wrong.

use crate::place::{Place, Ran, read_line, value};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Events `from..to`, as `event append` takes them and `event iterate` prints them.
fn events(range: std::ops::Range<u64>) -> String {
    range.map(|id| format!("{id}\tevent {id}, with some text behind it so that files fill up\n")).collect()
}

fn append(place: &Place, input: &str, more: &[&str]) -> Ran {
    place.feed(&[&["event", "append", "log", "-"], more].concat(), input.as_bytes())
}

#[track_caller]
fn appended(place: &Place, input: &str, more: &[&str]) -> String {
    let ran = append(place, input, more);
    ran.expect(0);
    ran.text()
}

fn printed(place: &Place, more: &[&str]) -> String {
    place.ok(&[&["event", "iterate", "log"], more].concat())
}

/// `annals` without a directory.
fn annals(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_annals")).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_command_has_help_with_its_exit_codes() {
    for command in [
        "append",
        "get",
        "iterate",
        "replay",
        "delete-range",
        "rotate",
        "archive",
        "read-archive",
        "sync",
        "stats",
        "info",
        "destroy",
    ] {
        let (code, text, _) = annals(&["event", command, "--help"]);
        assert!(code == Some(0) && text.contains("Exit codes"), "{command}");
    }
}

#[test]
fn what_iterate_prints_append_takes() {
    let place = Place::new("event-formats");
    let input = "7\tone\n8\t\n20\ttab\there\r\n18446744073709551614\té\n";
    let text = appended(&place, input, &[]);
    assert!(
        text.starts_with("durable 4\naccepted 4\nduplicates 0\nnext 18446744073709551615\ntoken "),
        "{text}"
    );
    assert_eq!(printed(&place, &[]), input);
    assert_eq!(place.ok(&["event", "replay", "log"]), input);
    assert_eq!(printed(&place, &["--output", "lines"]), "one\n\ntab\there\r\né\n");
    assert_eq!(printed(&place, &["--output", "raw", "--start", "20", "--end", "21"]), "tab\there\r");
    assert_eq!(printed(&place, &["--output", "hex", "--end", "8"]), "6f6e65\n");
    assert_eq!(
        printed(&place, &["--output", "json", "--start", "21"]),
        "{\"id\":18446744073709551614,\"text\":\"é\"}\n"
    );
    let prefixed = place.run(&["event", "iterate", "log", "--output", "prefixed"]).stdout;
    let again =
        place.feed(&["event", "append", "other", "-", "--input", "prefixed", "--first", "5"], &prefixed);
    again.expect(0);
    assert_eq!(place.run(&["event", "iterate", "other", "--output", "prefixed"]).stdout, prefixed);
    assert_eq!(place.ok(&["event", "get", "other", "8", "5"]), "8\té\n5\tone\n");

    let (a, b) = (place.file("a", "first\nfile\n"), place.file("b", ""));
    place.ok(&["event", "append", "files", &a, &b, "--input", "files", "--first", "1"]);
    assert_eq!(place.ok(&["event", "get", "files", "1", "--output", "raw"]), "first\nfile\n");
    assert_eq!(place.ok(&["event", "get", "files", "2"]), "2\t\n");
}

#[test]
fn late_events_find_their_place_and_ranges_are_half_open() {
    let place = Place::new("event-late");
    appended(&place, &events(10..20), &[]);
    appended(&place, &(events(25..30) + &events(20..25) + &events(5..8)), &[]);
    assert_eq!(printed(&place, &[]), events(5..8) + &events(10..30));
    assert_eq!(printed(&place, &["--start", "6", "--end", "12"]), events(6..8) + &events(10..12));
    assert_eq!(printed(&place, &["--start", "8", "--end", "10"]), "");
    assert_eq!(printed(&place, &["--start", "30"]), "");
    let ran = place.run(&["event", "iterate", "log", "--start", "3", "--end", "2"]);
    ran.expect(2);
    ran.says(&["the end lies before the start"]);
    let missing = place.run(&["event", "get", "log", "29", "9"]);
    missing.expect(2);
    missing.says(&["cannot read 9 of log 'log': there is no such event"]);
    assert_eq!(missing.text(), events(29..30));
    place.run(&["event", "get", "log"]).expect(2);
    place.run(&["event", "get", "log", "-1"]).expect(2);
}

#[test]
fn appending_again_changes_nothing_and_other_bytes_are_refused() {
    let place = Place::new("event-again");
    let first = appended(&place, &events(0..1000), &["--sync-every", "300"]);
    assert!(
        first.starts_with("durable 300\ndurable 600\ndurable 900\ndurable 1000\naccepted 1000\n"),
        "{first}"
    );
    let again = appended(&place, &events(0..1000), &["--sync-every", "300"]);
    assert!(again.contains("accepted 1000\nduplicates 1000\nnext 1000\n"), "{again}");
    let overlap = appended(&place, &events(900..1100), &[]);
    assert!(overlap.contains("accepted 200\nduplicates 0\nnext 1100\n"), "{overlap}");
    assert_eq!(printed(&place, &[]), events(0..1100));

    let ran = append(&place, &(events(1100..1105) + "7\tsomething else\n"), &[]);
    ran.expect(2);
    ran.says(&["stopped behind 5 events (safe)", "id 7 is there already, with other bytes"]);
    assert!(ran.text().starts_with("durable 5\naccepted 5\n"), "{}", ran.text());
    assert_eq!(printed(&place, &["--end", "20"]), events(0..20));
    assert_eq!(value(&place.ok(&["event", "stats", "log"]), "events"), "1105");
}

#[test]
fn bad_input_is_named_and_what_precedes_it_is_safe() {
    let place = Place::new("event-bad-input");
    let file = place.file("events", "1\tone\n");
    for (args, why) in [
        (&["no-such-file"][..], "No such file"),
        (&[&file, "--input", "prefixed"], "--first"),
        (&[&file, &file], "--input files"),
        (&[&file, "--shared", "--policy", "buffered"], "--policy flushed or synced"),
        (&[&file, "--policy", "nonsense"], "possible values"),
    ] {
        let ran = place.run(&[&["event", "append", "log"], args].concat());
        ran.expect(2);
        ran.says(&[why]);
        assert!(!place.logs().exists(), "a mistake must not leave a directory behind");
    }
    let ran = append(&place, "1\tone\n2\ttwo\nthree\n4\tfour\n", &[]);
    ran.expect(2);
    ran.says(&["stopped behind 2 events (safe)", "line 3 is no event", "ID<TAB>ITEM"]);
    assert!(ran.text().starts_with("durable 2\naccepted 2\n"), "{}", ran.text());
    for (line, why) in [
        ("x\tevent", "its id is 'x', not a number"),
        ("18446744073709551615\tevent", "an argument makes no sense"),
        ("3\tmore than ten bytes", "the item is too large"),
    ] {
        let ran = append(&place, line, &["--max-event", "10"]);
        ran.expect(2);
        ran.says(&[why]);
    }
    assert_eq!(printed(&place, &[]), "1\tone\n2\ttwo\n");
}

#[test]
fn policies_differ_in_what_is_told_when() {
    let place = Place::new("event-policies");
    let synced = appended(&place, &events(0..100), &["--policy", "synced"]);
    assert!(synced.starts_with("durable 100\naccepted 100\n"), "{synced}");
    // Every line of a slow producer is told at once when each is synced.
    let args = ["event", "append", "log", "-", "--policy", "synced"];
    let mut child = place.command(&args).stdin(Stdio::piped()).spawn().unwrap();
    for id in 100..103 {
        child.stdin.as_mut().unwrap().write_all(events(id..id + 1).as_bytes()).unwrap();
        assert_eq!(read_line(&mut child), format!("durable {}", id - 99));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(printed(&place, &[]), events(0..103));
    for policy in ["buffered", "flushed"] {
        appended(&place, &events(0..200), &["--policy", policy]);
    }
    assert_eq!(printed(&place, &[]), events(0..200));
}

#[test]
fn deleted_ranges_are_gone_and_stay_refused() {
    let place = Place::new("event-delete");
    appended(&place, &events(0..5000), &["--rotate-at", "64KiB", "--sync-every", "500"]);
    let files = |place: &Place| value(&place.ok(&["event", "stats", "log"]), "files").parse::<u64>().unwrap();
    let before = files(&place);
    let text = place.ok(&["event", "delete-range", "log", "0", "3999"]);
    assert!(text.starts_with("deleted 4000 events\nnext 5000\ntoken "), "{text}");
    assert!(before > 3 && files(&place) < before, "space comes back");
    assert_eq!(printed(&place, &[]), events(4000..5000));
    let again = place.ok(&["event", "delete-range", "log", "3999", "4000"]);
    assert!(again.starts_with("deleted 1 event\n"), "both ends are inclusive: {again}");
    assert!(place.ok(&["event", "delete-range", "log", "9", "8"]).starts_with("deleted 0 events\n"));
    let ran = append(&place, &events(4000..4001), &[]);
    ran.expect(2);
    ran.says(&["lies in a deleted range, 0 to 4000"]);
    place.run(&["event", "get", "log", "4000"]).expect(2);
    let text = place.ok(&["event", "delete-range", "log", "0", "18446744073709551615"]);
    assert!(text.starts_with("deleted 999 events\nnext 5000\n"), "{text}");
    let stats = place.ok(&["event", "stats", "log"]);
    assert!(stats.starts_with("events 0\noldest none\nnewest none\n"), "{stats}");
    assert!(appended(&place, &events(5000..5001), &[]).contains("next 5001\n"));
}

#[test]
fn sealed_files_are_copied_and_read_on_their_own() {
    let place = Place::new("event-archive");
    appended(&place, &events(0..100), &[]);
    let rotated = place.ok(&["event", "rotate", "log"]);
    let sealed = value(&rotated, "sealed");
    assert!(Path::new(sealed).is_file() && rotated.contains("next 100\ntoken "), "{rotated}");
    let ran = place.run(&["event", "rotate", "log"]);
    ran.expect(2);
    ran.says(&["there are no events in"]);
    appended(&place, &events(100..150), &[]);
    let (code, text, _) = annals(&["event", "read-archive", sealed]);
    assert_eq!((code, text), (Some(0), events(0..100)));

    let archive = place.logs().join("../archive");
    let to = archive.to_str().unwrap();
    let newest = place.ok(&["inspect", "log", "--json"]);
    let newest: serde_json::Value = serde_json::from_str(&newest).unwrap();
    let newest = newest["segments"].as_array().unwrap().last().unwrap()["file"].as_str().unwrap().to_owned();
    for (file, why) in [(&*newest, "it is not sealed yet"), ("nonsense", "has no such file")] {
        let ran = place.run(&["event", "archive", "log", file, "--to", to]);
        ran.expect(2);
        ran.says(&[why]);
    }
    let text = place.ok(&["event", "archive", "log", sealed, "--to", to]);
    let copy = value(&text, "archived").to_owned();
    assert!(fs::read(&copy).unwrap() == fs::read(sealed).unwrap());
    let ran = place.run(&["event", "archive", "log", sealed, "--to", to]);
    ran.expect(2);
    ran.says(&["is there already"]);
    assert_eq!(place.ok(&["event", "archive", "log", "--to", to]), "", "nothing that is not there yet");
    place.ok(&["event", "rotate", "log"]);
    let text = place.ok(&["event", "archive", "log", "--to", to]);
    let second = value(&text, "archived").to_owned();

    // The log may go, and the copies may be called anything.
    place.ok(&["event", "destroy", "log", "--yes"]);
    let moved = place.logs().join("../Some Name.events");
    fs::rename(&copy, &moved).unwrap();
    let moved = moved.to_str().unwrap();
    let read = |args: &[&str]| annals(&[&["event", "read-archive", moved], args].concat());
    assert_eq!(read(&[]).1, events(0..100));
    assert_eq!(read(&["--start", "10", "--end", "12", "--output", "json"]).1.lines().count(), 2);
    assert_eq!(annals(&["event", "read-archive", &second]).1, events(100..150));

    // What is damaged is named, and costs its neighbours only; what is no such file is refused.
    let mut bytes = fs::read(moved).unwrap();
    let needle = b"event 50,";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at] ^= 1;
    fs::write(moved, &bytes).unwrap();
    let (code, text, complaint) = read(&[]);
    assert_eq!(code, Some(1), "{complaint}");
    assert!(complaint.contains("is damaged") && !text.contains("event 50,"), "{complaint}");
    for (bytes, code, why) in [
        (&bytes[..bytes.len() / 2], 1, "is it a sealed file of an event log, and whole?"),
        (b"", 1, "is it a sealed file"),
    ] {
        fs::write(moved, bytes).unwrap();
        let (found, _, complaint) = read(&[]);
        assert!(found == Some(code) && complaint.contains(why), "{complaint}");
    }
    let (code, _, complaint) = annals(&["event", "read-archive", to]);
    assert!(code == Some(2) && complaint.contains("it is not a file"), "{complaint}");
    let (code, _, complaint) = annals(&["event", "read-archive", "/nonexistent"]);
    assert!(code == Some(2) && complaint.contains("there is no such file"), "{complaint}");
    place.append("numbers", "item\n");
    let (path, _) =
        place.contents().into_iter().find(|(path, _)| path.to_str().unwrap().contains("numbers.")).unwrap();
    assert_ne!(annals(&["event", "read-archive", path.to_str().unwrap()]).0, Some(0));
}

#[test]
fn info_list_verify_and_inspect_know_the_kind() {
    let place = Place::new("event-info");
    let text = appended(&place, &events(5..15), &[]);
    place.append("numbers", "0\n");
    let info = place.ok(&["event", "info", "log"]);
    for (key, expected) in [
        ("kind", "event-log"),
        ("items", "10"),
        ("oldest", "5"),
        ("next", "15"),
        ("token", value(&text, "token")),
    ] {
        assert_eq!(value(&info, key), expected, "{key} in {info}");
    }
    let stats: serde_json::Value =
        serde_json::from_str(&place.ok(&["event", "stats", "log", "--json"])).unwrap();
    assert_eq!(
        (&stats["events"], &stats["oldest"], &stats["newest"], &stats["files"]),
        (&10.into(), &5.into(), &14.into(), &1.into())
    );
    let list = place.ok(&["list"]);
    assert!(
        list.lines().any(|line| line.split_whitespace().take(4).eq(["log", "event-log", "10", "15"])),
        "{list}"
    );
    assert!(place.ok(&["inspect", "log", "--frames"]).contains("append"));
    assert_eq!(place.ok(&["verify"]).lines().filter(|line| line.starts_with("ok ")).count(), 2);
    assert!(place.ok(&["event", "sync", "log"]).starts_with("durable "));
    for args in
        [&["journal", "replay", "log"][..], &["event", "iterate", "numbers"], &["event", "info", "numbers"]]
    {
        let ran = place.run(args);
        ran.expect(2);
        ran.says(&["of another kind"]);
    }
    let ran = place.run(&["event", "iterate", "nobody"]);
    ran.expect(2);
    ran.says(&["there is no such log", "log, numbers"]);
    place.run(&["event", "destroy", "log"]).expect(2);
    assert_eq!(place.ok(&["event", "destroy", "log", "--yes"]), "destroyed log\n");
    appended(&place, &events(5..15), &[]);
    place.run(&["event", "iterate", "log", "--expect-token", value(&text, "token")]).expect(1);
}

#[test]
fn one_writer_at_a_time_unless_all_share() {
    let place = Place::new("event-writers");
    let start = |more: &[&str]| {
        let args = [&["event", "append", "log", "-", "--sync-every", "1"], more].concat();
        let mut child = place.command(&args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(events(0..1).as_bytes()).unwrap();
        assert_eq!(read_line(&mut child), "durable 1");
        child
    };
    let mut alone = start(&[]);
    for more in [&[][..], &["--shared", "--lock-wait", "50"]] {
        let ran = append(&place, &events(1..2), more);
        ran.expect(2);
        ran.says(&["another program has it open for writing"]);
    }
    assert_eq!(printed(&place, &[]), events(0..1), "readers are not disturbed");
    alone.kill().unwrap();
    alone.wait().unwrap();
    let mut shared = start(&["--shared"]);
    appended(&place, &events(1..3), &["--shared"]);
    assert!(
        place
            .ok(&["event", "delete-range", "log", "1", "1", "--shared"])
            .starts_with("deleted 1 event\nnext 3\n")
    );
    assert!(place.ok(&["event", "rotate", "log", "--shared"]).starts_with("sealed "));
    shared.stdin.as_mut().unwrap().write_all(events(3..4).as_bytes()).unwrap();
    assert_eq!(read_line(&mut shared), "durable 2");
    assert_eq!(printed(&place, &[]), events(0..1) + &events(2..4));
    drop(shared.stdin.take());
    assert!(shared.wait_with_output().unwrap().status.success());
    place.ok(&["verify"]);
}
