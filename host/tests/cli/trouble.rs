//! The `annals` command in trouble: damaged bytes, killed writers, other processes, readers that go away.

use crate::place::{Place, Ran, read_line, value};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

fn item(number: u64) -> String {
    format!("item {number} of the log, with some text behind it so that blocks fill up\n")
}

fn items(range: std::ops::Range<u64>) -> String {
    range.map(item).collect()
}

/// A writer that has been given `input`, has not closed the log, and waits for more.
fn writer(place: &Place, log: &str, input: &str, more: &[&str]) -> Child {
    let args = [&["journal", "append", log, "-"][..], more].concat();
    let mut child = place.command(&args).stdin(Stdio::piped()).spawn().expect("annals starts");
    child.stdin.as_mut().expect("stdin is piped").write_all(input.as_bytes()).expect("annals reads");
    child
}

/// The file of the log `numbers` and the offset at which `needle` stands.
fn find(place: &Place, needle: &str) -> (PathBuf, usize) {
    let needle = needle.trim_end();
    place
        .contents()
        .into_iter()
        .filter(|(path, _)| path.to_str().is_some_and(|path| path.contains("/numbers.")))
        .find_map(|(path, bytes)| {
            let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes())?;
            Some((path, at))
        })
        .expect("the item is in some file")
}

fn flip(path: &PathBuf, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// The number behind `key`, if the line has one.
fn number(line: &str, key: &str) -> Option<u64> {
    let (_, rest) = line.split_once(key)?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Asserts that `verify` names damage in `file` near byte `at` only, and returns the positions that it says are lost.
#[track_caller]
fn lost(ran: &Ran, file: &str, at: usize, size: u64) -> BTreeSet<u64> {
    ran.expect(1);
    let mut lost = BTreeSet::new();
    for line in ran.text().lines().filter(|line| line.starts_with("damaged numbers: ")) {
        assert!(line.contains(file), "{line} should name {file}");
        let offset = number(line, "offset").expect("an offset") as usize;
        assert!(offset <= at && at < offset + 4096, "{line} should be near {at}");
        let lowest = number(line, "lowest lost").unwrap_or_else(|| panic!("an item is lost: {line}"));
        let next = number(line, "next intact");
        assert!(next.is_none_or(|next| lowest < next && next < size), "{line}");
        lost.extend(lowest..next.unwrap_or(size));
    }
    assert!(!lost.is_empty(), "{}", ran.text());
    lost
}

#[test]
fn a_flipped_bit_is_reported_with_its_place_and_costs_only_its_neighbours() {
    const SIZE: u64 = 10_000;
    let place = Place::new("flip");
    place.append("numbers", items(0..SIZE));
    place.append("healthy", items(0..10));
    for target in [0, 1, 777, 5_000, SIZE - 1] {
        let (path, at) = find(&place, &item(target));
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        flip(&path, at + 7);

        let gone = lost(&place.run(&["verify"]), &file, at + 7, SIZE);
        assert!(gone.contains(&target), "{target} is lost, {gone:?} are reported");
        assert!(gone.len() <= 1100, "one bit costs {} items", gone.len());
        assert_eq!(lost(&place.run(&["verify", "numbers"]), &file, at + 7, SIZE), gone);
        place.run(&["verify", "healthy"]).expect(0);

        let intact: String = (0..SIZE).filter(|position| !gone.contains(position)).map(item).collect();
        let replayed = place.run(&["journal", "replay", "numbers"]);
        replayed.expect(1);
        replayed.says(&["annals: log 'numbers' is damaged: ", &file, "lowest lost"]);
        assert!(replayed.text() == intact, "everything else is printed");

        let near = (target.saturating_sub(30)..SIZE.min(target + 30)).map(|position| position.to_string());
        let near: Vec<String> = near.collect();
        let args =
            [&["journal", "read", "numbers"][..], &near.iter().map(String::as_str).collect::<Vec<_>>()];
        let read = place.run(&args.concat());
        read.expect(1);
        read.says(&[&format!("cannot read {target} of log 'numbers'")]);
        let expected: String = (target.saturating_sub(30)..SIZE.min(target + 30))
            .filter(|position| !gone.contains(position))
            .map(item)
            .collect();
        assert_eq!(read.text(), expected);

        flip(&path, at + 7);
        assert_eq!(place.ok(&["verify"]).lines().filter(|line| line.starts_with("ok ")).count(), 2);
    }
}

#[test]
fn a_writing_command_never_changes_a_damaged_log_that_it_refuses() {
    let place = Place::new("refuse");
    place.append("numbers", items(0..1000));
    let (path, _) = find(&place, &item(0));
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len().min(300_000)).step_by(6_007).chain(0..8) {
        flip(&path, at);
        let before = place.contents();
        let opened = place.run(&["journal", "rewind", "numbers", "1000"]);
        if opened.code == Some(0) {
            // The damage was not in what an open reads; it must still be there for `verify`.
            fs::write(&path, &bytes).unwrap();
            continue;
        }
        opened.expect(1);
        opened.says(&["annals: cannot", "offset", "nothing was changed"]);
        assert!(place.contents() == before, "a refused open changed something, byte {at} flipped");
        flip(&path, at);
    }
}

#[test]
fn reading_commands_change_nothing() {
    let place = Place::new("reading");
    place.append("clean", items(0..500));
    let mut open = writer(&place, "open", &items(0..500), &["--sync-every", "100"]);
    while read_line(&mut open) != "durable 500" {}
    open.kill().unwrap();
    open.wait().unwrap();

    let before = place.contents();
    place.ok(&["verify"]);
    place.ok(&["list"]);
    for log in ["clean", "open"] {
        place.ok(&["journal", "info", log]);
        assert_eq!(place.ok(&["journal", "replay", log]), items(0..500));
        assert_eq!(place.ok(&["journal", "read", log, "499"]), item(499));
        place.run(&["journal", "read", log, "500"]).expect(2);
    }
    assert!(place.contents() == before);
}

#[test]
fn a_killed_writer_leaves_a_log_that_is_healthy_but_not_closed() {
    let place = Place::new("killed");
    let mut child = writer(&place, "numbers", &items(0..250), &["--sync-every", "100"]);
    assert_eq!(read_line(&mut child), "durable 100");
    assert_eq!(read_line(&mut child), "durable 200");
    child.kill().unwrap();
    child.wait().unwrap();

    let verified = place.ok(&["verify", "numbers"]);
    assert!(verified.starts_with("ok numbers: ") && verified.contains("not closed cleanly"), "{verified}");
    let info = place.ok(&["journal", "info", "numbers"]);
    assert!(value(&info, "state").contains("not closed cleanly"), "{info}");
    let size: u64 = value(&info, "size").parse().unwrap();
    assert!((200..=250).contains(&size), "{info}");
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), items(0..size));

    place.append("numbers", items(size..300));
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), items(0..300));
    let verified = place.ok(&["verify", "numbers"]);
    assert!(!verified.contains("not closed cleanly"), "{verified}");
}

#[test]
fn a_line_of_a_slow_producer_is_handed_over_at_once() {
    let place = Place::new("slow");
    let mut child = writer(&place, "numbers", "one\n", &[]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while place.run(&["journal", "replay", "numbers"]).text() != "one\n" {
        assert!(Instant::now() < deadline, "the line never arrived");
    }
    child.stdin.as_mut().unwrap().write_all(b"two").unwrap();
    drop(child.stdin.take());
    let mut printed = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut printed).unwrap();
    assert!(printed.starts_with("durable 2\nfirst 0 last 1\ntoken "), "{printed}");
    assert!(child.wait().unwrap().success());
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\ntwo\n");
}

/// Once lines of a read of 4 KiB or more waited for the next read, and their producer for `durable`: the kill loop of the
/// change log stood still for a minute now and then, when all of its lines had come in large pieces.
#[test]
fn lines_that_come_in_one_piece_are_done_before_others_are_waited_for() {
    let place = Place::new("burst");
    let lines: String = (0..100).map(|id| format!("{id}\t{}\n", "x".repeat(100))).collect();
    let args = ["change", "record", "steps", "-", "--instance", "one"];
    let mut child = place.command(&args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    let mut journal = writer(&place, "numbers", &lines, &[]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut pending = (true, true);
    while pending != (false, false) && Instant::now() < deadline {
        let scanned = place.run(&["change", "scan", "steps"]).text();
        let replayed = place.run(&["journal", "replay", "numbers"]).text();
        pending = (scanned.lines().count() < 100, replayed != lines);
    }
    drop((child.stdin.take(), journal.stdin.take()));
    assert!(child.wait().unwrap().success() && journal.wait().unwrap().success());
    assert_eq!(pending, (false, false), "lines were kept back from the change log, or from the journal");
}

#[test]
fn a_second_writer_is_refused_or_waits_and_readers_are_not_disturbed() {
    let place = Place::new("locked");
    let mut first = writer(&place, "numbers", "one\n", &["--sync-every", "1"]);
    assert_eq!(read_line(&mut first), "durable 1");
    for args in [
        &["journal", "append", "numbers", "-"][..],
        &["journal", "append", "numbers", "-", "--lock-wait", "50"],
        &["journal", "prune", "numbers", "1"],
        &["journal", "rewind", "numbers", "0"],
        &["journal", "destroy", "numbers", "--yes"],
    ] {
        let ran = place.run(args);
        ran.expect(2);
        ran.says(&["log 'numbers'", "another program has it open for writing"]);
    }
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\n");
    place.ok(&["verify"]);

    let args = ["journal", "append", "numbers", "-", "--lock-wait", "60000"];
    let mut second = place.command(&args).stdin(Stdio::piped()).spawn().unwrap();
    second.stdin.take().unwrap().write_all(b"three\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    first.stdin.as_mut().unwrap().write_all(b"two\n").unwrap();
    assert_eq!(read_line(&mut first), "durable 2");
    drop(first.stdin.take());
    let mut rest = String::new();
    first.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
    assert!(first.wait().unwrap().success(), "{rest}");
    let second = second.wait_with_output().unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\ntwo\nthree\n");

    // The lock goes with its holder, even when that is killed.
    let mut third = writer(&place, "numbers", "four\n", &["--sync-every", "1"]);
    assert_eq!(read_line(&mut third), "durable 4");
    third.kill().unwrap();
    third.wait().unwrap();
    place.append("numbers", "five\n");
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), "one\ntwo\nthree\nfour\nfive\n");
}

#[test]
fn a_closed_pipe_ends_a_reading_command_quietly() {
    let place = Place::new("pipe");
    place.append("numbers", items(0..50_000));
    for args in [&["journal", "replay", "numbers"][..], &["journal", "info", "numbers"], &["verify"]] {
        let mut child = place.command(args).spawn().unwrap();
        let mut some = [0; 10];
        if args.contains(&"replay") {
            child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
        }
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "annals {args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "annals {args:?}");
    }
}

#[test]
fn an_append_whose_reports_nobody_reads_still_stores_everything() {
    let place = Place::new("unread");
    let args = ["journal", "append", "numbers", "-", "--sync-every", "10"];
    let mut child = place.command(&args).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(items(0..1000).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert_eq!(place.ok(&["journal", "replay", "numbers"]), items(0..1000));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let place = Place::new("full");
    place.append("numbers", items(0..1000));
    for args in [&["journal", "replay", "numbers"][..], &["verify"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "annals {args:?}: {stderr}");
        assert!(stderr.starts_with("annals: cannot write to standard output: "), "{stderr}");
    }
}

#[test]
fn a_missing_file_of_a_log_is_damage() {
    let place = Place::new("missing");
    let args = ["journal", "append", "numbers", "-", "--segment-bytes", "64KiB", "--sync-every", "250"];
    place.feed(&args, items(0..5000).as_bytes()).expect(0);
    let (path, _) = find(&place, &item(2500));
    let file = path.file_name().unwrap().to_str().unwrap().to_owned();
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let verified = place.run(&["verify"]);
    verified.expect(1);
    let text = verified.text();
    let line = text.lines().find(|line| line.contains(&file)).expect("a line about the file");
    let (lowest, next) = (number(line, "lowest lost"), number(line, "next intact"));
    let (Some(lowest), Some(next)) = (lowest, next) else { panic!("items are lost: {line}") };
    assert!(lowest <= 2500 && 2500 < next, "{line}");
    let replayed = place.run(&["journal", "replay", "numbers"]);
    replayed.expect(1);
    assert!(
        replayed.text() == items(0..lowest) + &items(next..5000),
        "what is in the other files is printed"
    );
    let before = place.contents();
    place.feed(&["journal", "append", "numbers", "-"], b"more").expect(1);
    assert!(place.contents() == before);
    fs::write(&path, bytes).unwrap();
    place.ok(&["verify"]);
}

#[test]
fn a_damaged_root_cell_is_damage_and_its_log_can_still_be_read() {
    let place = Place::new("cell");
    place.feed(&["journal", "append", "numbers", "-"], items(0..50).as_bytes()).expect(0);
    let path = place.logs().join("cells/log.numbers");
    let mut bytes = fs::read(&path).unwrap();
    bytes[10] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refused = place.feed(&["journal", "append", "numbers", "-"], b"more");
    refused.expect(1);
    refused.says(&["numbers", "damaged"]);
    let read = place.run(&["journal", "replay", "numbers"]);
    assert_eq!(read.text(), items(0..50));
}

#[test]
fn a_log_that_lost_its_end_is_not_replayed_as_if_nothing_had_happened() {
    let place = Place::new("end");
    let args = ["journal", "append", "numbers", "-", "--segment-bytes", "64KiB", "--sync-every", "250"];
    place.feed(&args, items(0..5000).as_bytes()).expect(0);
    let (path, _) = find(&place, &item(4999));
    let file = path.file_name().unwrap().to_str().unwrap().to_owned();
    fs::remove_file(&path).unwrap();
    let replayed = place.run(&["journal", "replay", "numbers"]);
    replayed.expect(1);
    replayed.says(&["annals: log 'numbers' is damaged: ", &file]);
    assert!(items(0..5000).starts_with(&replayed.text()));
    place.run(&["verify"]).expect(1);
    place.feed(&["journal", "append", "numbers", "-"], b"more").expect(1);
    assert_eq!(place.ok(&["journal", "replay", "numbers", "--count", "10"]), items(0..10));
}
