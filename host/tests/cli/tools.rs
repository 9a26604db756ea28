//! Tools around logs: the contract, completions, other formats, inspection, copies, other components.

use crate::place::{Place, value};
use std::{fs, process::Command};

/// Numbered lines `from..to`.
fn lines(range: std::ops::Range<u64>) -> String {
    range.map(|line| format!("line {line}\n")).collect()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Items behind their lengths.
fn prefixed(items: &[&[u8]]) -> Vec<u8> {
    items.iter().flat_map(|item| [&(item.len() as u32).to_le_bytes(), *item].concat()).collect()
}

/// Flips a bit in the first place where a file of the logs has `needle`.
fn damage(place: &Place, needle: &[u8]) {
    let found = place.contents().into_iter().find_map(|(path, bytes)| {
        let at = bytes.windows(needle.len()).position(|window| window == needle)?;
        Some((path, bytes, at))
    });
    let (path, mut bytes, at) = found.expect("the bytes are stored somewhere");
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn contract_and_completions_need_no_directory() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_annals")).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, wit) = run(&["wit"]);
    assert_eq!(code, Some(0));
    for part in ["package annals:log@", "interface journal {", "interface admin {", "package annals:storage@"]
    {
        assert!(wit.contains(part), "{part}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(script.contains("annals") && script.contains("roundtrip"), "{shell}");
    }
    assert_eq!(run(&["completions", "nonsense"]).0, Some(2));
    let journal = ["append", "replay", "read", "info", "prune", "rewind", "destroy", "roundtrip"];
    let journal = journal.map(|command| vec!["journal", command, "--help"]);
    let others = ["wit", "completions", "inspect", "copy", "list", "verify", "bench"];
    for args in others.map(|command| vec![command, "--help"]).into_iter().chain(journal) {
        assert!(run(&args).1.contains("Exit codes"), "{args:?}");
    }
}

#[test]
fn prefixed_items_and_whole_files_come_back_in_every_format() {
    let place = Place::new("formats");
    let items: [&[u8]; 4] = [b"one\ntwo", b"", b"\xff\x00", "é".as_bytes()];
    let input = prefixed(&items);
    let ran = place.feed(&["journal", "append", "items", "-", "--input", "prefixed"], &input);
    ran.expect(0);
    assert!(ran.text().contains("first 0 last 3\n"), "{}", ran.text());

    let print = |format: &str| place.run(&["journal", "replay", "items", "--output", format]);
    assert_eq!(print("prefixed").stdout, input);
    assert_eq!(print("raw").stdout, items.concat());
    assert_eq!(print("lines").stdout, b"one\ntwo\n\n\xff\x00\n\xc3\xa9\n");
    assert_eq!(print("hex").text(), "6f6e650a74776f\n\nff00\nc3a9\n");
    let printed = print("json").text();
    let printed: Vec<_> = printed.lines().map(json).collect();
    assert_eq!(printed[0]["text"], "one\ntwo");
    assert_eq!((&printed[2]["hex"], printed[2].get("text")), (&"ff00".into(), None));
    assert_eq!(printed[3], json(r#"{"position":3,"text":"é"}"#));
    assert_eq!(
        place.ok(&["journal", "read", "items", "2", "0", "--output", "hex"]),
        "ff00\n6f6e650a74776f\n"
    );
    place.run(&["journal", "replay", "items", "--output", "nonsense"]).expect(2);

    let (a, b) = (place.file("a", "line\nline\n"), place.file("b", ""));
    let appended = place.ok(&["journal", "append", "files", &a, &b, &a, "--input", "files"]);
    assert!(appended.contains("first 0 last 2\n"), "{appended}");
    let replayed = place.run(&["journal", "replay", "files", "--output", "prefixed"]);
    assert_eq!(replayed.stdout, prefixed(&[b"line\nline\n", b"", b"line\nline\n"]));
    let stdin = place.feed(&["journal", "append", "files", "-", "--input", "files"], b"all\nof it");
    stdin.expect(0);
    assert_eq!(place.ok(&["journal", "read", "files", "3", "--output", "raw"]), "all\nof it");
}

#[test]
fn bad_input_is_named_and_what_precedes_it_is_safe() {
    let place = Place::new("bad-input");
    let (a, missing) = (place.file("a", "1"), place.file("a", "1") + "-missing");
    for (args, why) in [
        (&["--input", "files", &a, &missing][..], "No such file"),
        (&[&a, &a], "--input files"),
        (&["--input", "prefixed", &a, &a], "--input files"),
        (&["--input", "nonsense", &a], "possible values"),
    ] {
        let ran = place.run(&[&["journal", "append", "items"][..], args].concat());
        ran.expect(2);
        ran.says(&[why]);
        assert!(!place.logs().exists(), "a mistake must not leave a directory behind");
    }
    let huge = place.file("huge", "");
    fs::File::options().write(true).open(&huge).unwrap().set_len((16 << 20) + 1).unwrap();
    let ran = place.run(&["journal", "append", "items", &a, &huge, "--input", "files"]);
    ran.expect(2);
    ran.says(&["huge' is longer than 16777216 bytes"]);
    assert!(!place.logs().exists());

    let mut input = prefixed(&[b"whole", b"cut"]);
    input.pop();
    let ran = place.feed(&["journal", "append", "items", "-", "--input", "prefixed"], &input);
    ran.expect(2);
    ran.says(&["ends inside item 2", "behind 1 item (safe)"]);
    assert!(ran.text().starts_with("durable 1\nfirst 0 last 0\ntoken "), "{}", ran.text());
    let ran = place.feed(&["journal", "append", "items", "-", "--input", "prefixed"], b"some text");
    ran.expect(2);
    ran.says(&["item 1 is said to have", "little-endian"]);
    assert_eq!(place.ok(&["journal", "replay", "items"]), "whole\n");
}

#[test]
fn ranges_may_be_given_by_their_end() {
    let place = Place::new("ranges");
    place.append("numbers", lines(0..100));
    let replay = |args: &[&str]| place.ok(&[&["journal", "replay", "numbers"], args].concat());
    assert_eq!(replay(&["--start", "10", "--end", "20"]), lines(10..20));
    assert_eq!(replay(&["--end", "3"]), lines(0..3));
    assert_eq!(replay(&["--start", "99", "--end", "1000"]), lines(99..100));
    assert_eq!(replay(&["--start", "50", "--end", "50"]), "");
    let ran = place.run(&["journal", "replay", "numbers", "--start", "20", "--end", "10"]);
    ran.expect(2);
    ran.says(&["the end lies before the start"]);
    place.run(&["journal", "replay", "numbers", "--end", "10", "--count", "1"]).expect(2);
}

#[test]
fn compressed_journals_are_smaller_and_stay_compressed() {
    let place = Place::new("compress");
    let text = "a line like many others\n".repeat(50_000);
    let args = ["journal", "append", "small", "-", "--compress"];
    place.feed(&args, text.as_bytes()).expect(0);
    place.append("plain", &text);
    assert_eq!(place.ok(&["journal", "replay", "small"]), text);
    let live = |log| json(&place.ok(&["journal", "info", log, "--json"]))["live_bytes"].as_u64().unwrap();
    assert!(live("small") * 2 < live("plain"), "{} {}", live("small"), live("plain"));
    place.append("small", "more\n"); // said once, kept
    let ran = place.feed(&["journal", "append", "plain", "-", "--compress"], b"x");
    ran.expect(2);
    ran.says(&["compression"]);
}

#[test]
fn inspect_shows_files_frames_and_promises() {
    let place = Place::new("inspect");
    let args = ["journal", "append", "numbers", "-", "--segment-bytes", "64KiB", "--sync-every", "1000"];
    let appended = place.feed(&args, lines(0..20_000).as_bytes());
    appended.expect(0);
    let before = place.contents();

    let shown = json(&place.ok(&["inspect", "numbers", "--json"]));
    assert_eq!(shown["log"]["token"], value(&appended.text(), "token"));
    let segments = shown["segments"].as_array().unwrap();
    assert!(segments.len() > 1, "{shown}");
    assert_eq!((&segments[0]["first"], &segments[segments.len() - 1]["next"]), (&0.into(), &20_000.into()));
    for pair in segments.windows(2) {
        assert_eq!(pair[0]["next"], pair[1]["first"]);
        assert_eq!(pair[0]["sealed"], true);
    }
    for segment in segments {
        let number = |key: &str| segment[key].as_u64().unwrap();
        assert_eq!(number("live_bytes") + number("dead_bytes"), number("bytes"));
    }

    let frames = place.ok(&["inspect", "numbers", "--frames", "--json"]);
    let frames: Vec<_> = frames.lines().map(json).collect();
    let count = |kind: &str| frames.iter().filter(|frame| frame["kind"] == kind).count();
    assert_eq!(count("header"), segments.len());
    let items: u64 =
        frames.iter().filter_map(|f| (f["kind"] == "append").then(|| f["count"].as_u64())?).sum();
    assert_eq!(items, 20_000);
    let counted: u64 = segments.iter().map(|segment| segment["frames"].as_u64().unwrap()).sum();
    assert_eq!(frames.len() as u64, counted);
    let promised =
        frames.iter().rfind(|frame| frame["promised"] == true).expect("synced frames are promised");
    assert_eq!(&shown["promised"], promised);

    let text = place.ok(&["inspect", "numbers", "--frames"]);
    for (key, expected) in [("kind", "journal"), ("state", "closed cleanly"), ("items", "20000")] {
        assert_eq!(value(&text, key), expected);
    }
    assert!(value(&text, "promised").starts_with(&format!("frame {} ", promised["number"])), "{text}");
    for head in ["FILE ", "SEALED", "LIVE", "DEAD", "OFFSET", "PROMISED"] {
        assert!(text.contains(head), "{head}");
    }
    assert!(place.contents() == before, "inspect changed something");

    // The second frame of the first file loses its header.
    let (file, at) = (frames[1]["file"].as_str().unwrap(), frames[1]["offset"].as_u64().unwrap() as usize);
    let (path, mut bytes) = before.into_iter().find(|(path, _)| path.ends_with(file)).expect("its file");
    bytes[at + 8] ^= 1;
    fs::write(path, bytes).unwrap();
    let ran = place.run(&["inspect", "numbers", "--frames"]);
    assert!(ran.text().contains("bytes without a frame that verifies"), "{}{}", ran.text(), ran.stderr);

    let ran = place.run(&["inspect", "nothing"]);
    ran.expect(2);
    ran.says(&["no such log", "numbers"]);
}

#[test]
fn list_info_and_verify_speak_json() {
    let place = Place::new("json");
    place.append("apples", lines(0..10));
    place.append("pears", lines(0..2000));
    let info = json(&place.ok(&["journal", "info", "apples", "--json"]));
    assert_eq!((&info["name"], &info["items"], &info["clean"]), (&"apples".into(), &10.into(), &true.into()));
    let list = json(&place.ok(&["list", "--json"]));
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0], info);
    let verified = json(&place.ok(&["verify", "--json"]));
    assert_eq!((&verified[1]["name"], &verified[1]["ok"]), (&"pears".into(), &true.into()));
    assert!(verified[1]["checked_bytes"].as_u64() > Some(0));

    damage(&place, b"line 1234");
    let ran = place.run(&["verify", "--json"]);
    ran.expect(1);
    let verified = json(&ran.text());
    assert_eq!((&verified[0]["ok"], &verified[1]["ok"]), (&true.into(), &false.into()));
    assert_eq!(verified[1]["damage"].as_array().map(Vec::len), Some(1));
    assert!(verified[1]["damage"][0]["lowest"].as_u64() <= Some(1234));

    for log in ["apples", "pears"] {
        place.ok(&["journal", "destroy", log, "--yes"]);
    }
    assert_eq!(place.ok(&["list", "--json"]), "[]\n");
    assert_eq!(place.ok(&["verify", "--json"]), "[]\n");
}

#[test]
fn a_copy_holds_the_same_items_at_the_same_positions() {
    let place = Place::new("copy");
    let args = ["journal", "append", "numbers", "-", "--items-per-section", "100"];
    let token = value(&place.feed(&args, lines(0..10_000).as_bytes()).text(), "token").to_owned();
    place.ok(&["journal", "prune", "numbers", "4242"]);
    let before = place.contents();
    let other = place.logs().with_file_name("other");
    let to = other.to_str().unwrap();

    let copied = place.ok(&["copy", "numbers", "--to", to, "--expect-token", &token, "--compress"]);
    assert!(copied.starts_with("copied 5800 items, "), "{copied}");
    assert!(copied.contains("\nboundary 4200\nsize 10000\ntoken "), "{copied}");
    assert!(place.contents() == before, "the original was changed");
    let there = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_annals")).args(["--dir", to]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        there(&["journal", "replay", "numbers", "--expect-token", value(&copied, "token")]),
        lines(4200..10_000)
    );
    assert_eq!(there(&["journal", "read", "numbers", "4200"]), "line 4200\n");
    assert!(there(&["verify"]).starts_with("ok numbers: 5800 items"));

    let again = place.run(&["copy", "numbers", "--to", to]);
    again.expect(2);
    again.says(&["there is one of that name", "--as NAME"]);
    place.ok(&["copy", "numbers", "--to", to, "--as", "second"]);
    assert_eq!(there(&["journal", "replay", "second"]), lines(4200..10_000));
    // In the same directory, and a journal without items.
    place.ok(&["journal", "rewind", "numbers", "4200"]);
    let empty = place.ok(&["copy", "numbers", "--to", place.logs().to_str().unwrap(), "--as", "empty"]);
    assert!(empty.starts_with("copied 0 items"), "{empty}");
    assert_eq!(value(&place.ok(&["journal", "info", "empty"]), "size"), "4200");

    let ran = place.run(&["copy", "nothing", "--to", to]);
    ran.expect(2);
    ran.says(&["no such log", "numbers"]);
}

#[test]
fn a_damaged_journal_is_not_copied_and_nothing_is_left() {
    let place = Place::new("copy-damage");
    place.append("numbers", lines(0..100_000));
    damage(&place, b"line 55555");
    let other = place.logs().with_file_name("other");
    let ran = place.run(&["copy", "numbers", "--to", other.to_str().unwrap()]);
    ran.expect(1);
    ran.says(&["copying log 'numbers' stopped; nothing of the copy was kept", "lowest lost"]);
    let list =
        Command::new(env!("CARGO_BIN_EXE_annals")).arg("--dir").arg(&other).arg("list").output().unwrap();
    assert!(String::from_utf8_lossy(&list.stdout).starts_with("no logs in"));
}

#[test]
fn another_component_of_the_same_world_can_run_the_logs() {
    let place = Place::new("component");
    place.append("numbers", lines(0..10));
    let same = place.file("same.wasm", annals::COMPONENT);
    assert_eq!(place.ok(&["journal", "replay", "numbers", "--component", &same]), lines(0..10));
    let listed = place.ok(&["--component", &same, "list"]);
    assert!(listed.contains("numbers"), "{listed}");

    let empty = place.file("empty.wasm", wat::parse_str("(component)").unwrap());
    let module = place.file("module.wasm", wat::parse_str("(module)").unwrap());
    let junk = place.file("junk.wasm", "no component");
    for (file, parts) in [
        (empty.as_str(), ["cannot run component", "annals wit"]),
        (&module, ["it is not a compiled component", "annals wit"]),
        (&junk, ["it is not a compiled component", "annals wit"]),
        ("/nowhere/at-all", ["cannot read component", "No such file"]),
    ] {
        let ran = place.run(&["list", "--component", file]);
        ran.expect(2);
        ran.says(&parts);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}
