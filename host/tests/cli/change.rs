//! `annals change …` as people use it: intents in, out, taken over; and what it says when something is wrong.

use crate::place::{Place, read_line, value};
use std::{fs, process::Stdio};

fn record(place: &Place, input: &str, more: &[&str]) -> String {
    let ran = place.feed(&[&["change", "record", "steps", "-"], more].concat(), input.as_bytes());
    ran.expect(0);
    ran.text()
}

fn scan(place: &Place, more: &[&str]) -> String {
    place.ok(&[&["change", "scan", "steps"], more].concat())
}

#[test]
fn changes_are_recorded_shown_and_removed() {
    let place = Place::new("change-lines");
    let printed = record(&place, "2\tblobs/2\n1\tblobs/1\ttabs\n", &[]);
    assert!(printed.starts_with("durable 1\ndurable 2\ntoken "), "{printed}");
    assert_eq!(scan(&place, &[]), "command\t1\tblobs/1\ttabs\ncommand\t2\tblobs/2\n");
    assert_eq!(place.ok(&["change", "get", "steps", "2"]), "blobs/2\n");
    let printed = place.ok(&["change", "record", "steps", "--id", "2", "--payload", "again"]);
    assert!(printed.starts_with("durable 1\ntoken "), "{printed}");
    assert_eq!(place.ok(&["change", "get", "steps", "2", "--output", "raw"]), "again");
    let printed = place.ok(&["change", "remove", "steps", "1", "7"]);
    assert!(printed.starts_with("removed 1\nnot outstanding 7\ntoken "), "{printed}");
    assert_eq!(scan(&place, &["--output", "hex"]), "command\t32\t616761696e\n");
    let ran = place.run(&["change", "get", "steps", "1"]);
    ran.expect(2);
    ran.says(&["no change '1' of instance 'command' is outstanding"]);
}

#[test]
fn json_says_everything_that_can_be_said() {
    let place = Place::new("change-json");
    let json = concat!(
        r#"{"id_hex":"ff","payload_hex":"00"}"#,
        "\n",
        r#"{"id_text":"later","payload_text":"x","cleanup_after_ms":18446744073709551615}"#,
        "\n",
        r#"{"id_text":"gone","payload_text":"x"}"#,
        "\n",
        r#"{"kind":"remove","id_text":"gone"}"#,
        "\n",
    );
    let printed = record(&place, json, &["--input", "json", "--instance", "worker"]);
    assert!(printed.contains("durable 4\n"), "{printed}");
    assert_eq!(
        scan(&place, &["--output", "json"]),
        "{\"origin\":\"worker\",\"id_hex\":\"ff\",\"payload_text\":\"\\u0000\",\"cleanup_after_ms\":null}\n"
    );
    assert_eq!(scan(&place, &["--deferred", "--output", "hex"]).lines().count(), 2);
    let later = place.ok(&["change", "get", "steps", "later", "--origin", "worker", "--output", "json"]);
    assert!(later.contains("\"cleanup_after_ms\":18446744073709551615"), "{later}");
    let printed = place.ok(&["change", "remove", "steps", "--hex", "ff", "--instance", "worker"]);
    assert!(printed.starts_with("removed ff\n"), "{printed}");
    let deferred = ["change", "record", "steps", "--id", "d", "--payload", "", "--defer", "1000000"];
    place.ok(&deferred);
    assert_eq!((scan(&place, &[]), scan(&place, &["--deferred"]).lines().count()), (String::new(), 2));
}

#[test]
fn what_a_killed_instance_left_is_taken_over() {
    let place = Place::new("change-recover");
    let mut child = place
        .command(&["change", "heartbeat", "steps"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("annals starts");
    child.wait().expect("it ends: there is no such log");
    record(&place, "", &[]);
    let mut child = place
        .command(&["change", "heartbeat", "steps", "--instance", "holder", "--heartbeat", "100"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("annals starts");
    assert_eq!(read_line(&mut child), "instance holder");
    let listed = place.ok(&["change", "instances", "steps"]);
    assert!(listed.contains("holder") && listed.contains("live"), "{listed}");
    let ran =
        place.run(&["change", "record", "steps", "--id", "1", "--payload", "x", "--instance", "holder"]);
    ran.expect(2);
    ran.says(&["another program is that instance", "--lock-wait", "--instance"]);
    let ran = place.run(&["change", "destroy", "steps", "--yes"]);
    ran.expect(2);
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");

    record(&place, "1\tblobs/1\n", &["--instance", "worker"]);
    let printed = place.ok(&["change", "recover", "steps", "--stale-after", "0", "--instance", "cleaner"]);
    assert!(printed.contains("recovered worker: 1 change\n"), "{printed}");
    assert!(printed.contains("recovered holder: 0 changes\n"), "{printed}");
    assert_eq!(scan(&place, &["--instance", "cleaner"]), "worker\t1\tblobs/1\n");
    let printed =
        place.ok(&["change", "remove", "steps", "1", "--origin", "worker", "--instance", "cleaner"]);
    assert!(printed.starts_with("removed 1\n"), "{printed}");
    assert_eq!(place.ok(&["change", "instances", "steps"]), "no instances of 'steps'\n");
    let json = place.ok(&["change", "recover", "steps", "--json"]);
    assert_eq!(json, "[]\n");
    assert_eq!(place.ok(&["change", "instances", "steps", "--json"]), "[]\n");
}

#[test]
fn an_instance_that_was_declared_dead_says_so() {
    let place = Place::new("change-fenced");
    record(&place, "", &[]);
    let mut child = place
        .command(&["change", "heartbeat", "steps", "--instance", "slow", "--heartbeat", "300"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("annals starts");
    read_line(&mut child);
    place.ok(&["change", "recover", "steps", "--stale-after", "0"]);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("declared dead by another one"), "{said}");
}

#[test]
fn list_info_inspect_and_verify_know_change_logs() {
    let place = Place::new("change-known");
    record(&place, "1\tx\n2\ty\n", &[]);
    let list = place.ok(&["list"]);
    assert!(list.contains("steps") && list.contains("change-log"), "{list}");
    let info = place.ok(&["change", "info", "steps"]);
    assert_eq!((value(&info, "kind"), value(&info, "items")), ("change-log", "2"));
    let inspect = place.ok(&["inspect", "steps", "--frames"]);
    assert!(inspect.contains("kind change-log") && inspect.contains("append"), "{inspect}");
    assert!(place.ok(&["verify", "steps"]).starts_with("ok steps: 2 items, "));
    assert_eq!(place.ok(&["change", "destroy", "steps", "--yes"]), "destroyed steps\n");
    assert!(place.ok(&["list"]).contains("no logs"));
}

#[test]
fn a_damaged_instance_is_reported_until_it_is_given_up() {
    let place = Place::new("change-damage");
    for number in 0..5 {
        record(
            &place,
            &format!("{number}\tpayload {number} {}\n", "p".repeat(2000)),
            &["--instance", "hurt"],
        );
    }
    record(&place, "1\tblobs/1\n", &["--instance", "whole"]);
    let hurt =
        place.contents().into_iter().find(|(_, bytes)| bytes.windows(9).any(|window| window == b"payload 2"));
    let (path, mut bytes) = hurt.expect("the file of the instance");
    let at = bytes.windows(9).position(|window| window == b"payload 2").unwrap();
    bytes[at + 50] ^= 1;
    fs::write(path, bytes).unwrap();
    place.run(&["verify"]).expect(1);
    let ran = place.run(&["change", "recover", "steps", "--stale-after", "0"]);
    ran.expect(1);
    ran.says(&["instance 'hurt' is damaged", "annals change discard"]);
    assert!(ran.text().contains("recovered whole: 1 change\n"), "{}", ran.text());
    let ran = place.run(&["change", "instances", "steps"]);
    ran.expect(1);
    assert!(ran.text().contains("damaged"), "{}", ran.text());
    let printed = place.ok(&["change", "discard", "steps", "hurt"]);
    assert!(printed.contains("discarded hurt\n"), "{printed}");
    let ran = place.run(&["change", "discard", "steps", "hurt"]);
    ran.expect(2);
    ran.says(&["no instance 'hurt' of log 'steps' is damaged"]);
    assert!(scan(&place, &[]).contains("whole\t1\tblobs/1\n"));
    assert!(place.ok(&["verify"]).starts_with("ok steps: "));
}

#[test]
fn a_wrong_line_is_named_and_what_was_recorded_before_it_is_safe() {
    let place = Place::new("change-wrong");
    let ran = place.feed(&["change", "record", "steps", "-"], b"1\tx\nno tab\n");
    ran.expect(2);
    ran.says(&["stopped behind 1 line (safe)", "line 2 has no TAB"]);
    assert_eq!(scan(&place, &[]), "command\t1\tx\n");
    place.run(&["change", "record", "steps"]).expect(2);
    place.run(&["change", "record", "steps", "--id", "1"]).expect(2);
    place.run(&["change", "record", "steps", "-", "--id", "1", "--payload", "x"]).expect(2);
    let ran = place.run(&["change", "scan", "other"]);
    ran.expect(2);
    ran.says(&["there is no such log", "holds steps"]);
}
