//! `annals snapshot …` as people use it: changes in, entries out, artifacts, and what it says when something is wrong.

use crate::place::{Place, value};
use std::fs;

fn apply(place: &Place, input: &str, more: &[&str]) -> String {
    let ran = place.feed(&[&["snapshot", "apply", "fold", "-"], more].concat(), input.as_bytes());
    ran.expect(0);
    ran.text()
}

fn range(place: &Place, log: &str) -> String {
    place.ok(&["snapshot", "range", log])
}

#[test]
fn lines_are_applied_and_read_back_in_the_order_of_keys() {
    let place = Place::new("snapshot-lines");
    let printed = apply(&place, "b\t2\na\t1\nc\t3\ttabs\n\tempty key\n", &["--cursor", "offset 4"]);
    assert!(
        printed.starts_with("durable 4\ncursor-hex 6f66667365742034\ncursor offset 4\ntoken "),
        "{printed}"
    );
    assert_eq!(range(&place, "fold"), "\tempty key\na\t1\nb\t2\nc\t3\ttabs\n");
    apply(&place, "b\n\na\tnew\n", &["--deletes", "--batch", "1"]);
    assert_eq!(range(&place, "fold"), "a\tnew\nc\t3\ttabs\n");
    assert_eq!(place.ok(&["snapshot", "range", "fold", "c", "--output", "keys"]), "c\n");
    assert_eq!(
        place.ok(&["snapshot", "range", "fold", "--output", "hex"]),
        "61\t6e6577\t\n63\t330974616273\t\n"
    );
    assert_eq!(place.ok(&["snapshot", "range", "fold", "--hex", "63", "--output", "keys"]), "c\n");
    assert_eq!(place.ok(&["snapshot", "get", "fold", "a"]), "new\n");
    assert_eq!(place.ok(&["snapshot", "get", "fold", "--hex", "61", "--output", "raw"]), "new");
    assert_eq!(place.ok(&["snapshot", "cursor", "fold"]), "cursor-hex 6f66667365742034\ncursor offset 4\n");
    let printed = apply(&place, "", &["--cursor-hex", "00ff"]);
    assert!(printed.starts_with("durable 0\ncursor-hex 00ff\ntoken "), "{printed}");
    let printed = apply(&place, "", &["--cursor", ""]);
    assert!(printed.starts_with("durable 0\ncursor none\ntoken "), "{printed}");
}

#[test]
fn json_goes_in_as_it_comes_out_and_says_where_batches_end() {
    let place = Place::new("snapshot-json");
    let json = concat!(
        r#"{"key_text":"a","value_text":"1","version_text":"v1"}"#,
        "\n",
        r#"{"key_hex":"ff","value_hex":"00"}"#,
        "\n",
        r#"{"key_text":"b","value_text":""}"#,
        "\n",
        r#"{"cursor_text":"3"}"#,
        "\n",
        r#"{"kind":"delete","key_text":"b"}"#,
        "\n",
        r#"{"kind":"purge","key_text":"missing"}"#,
        "\n",
        r#"{"cursor_hex":"0005"}"#,
        "\n",
    );
    let printed = apply(&place, json, &["--input", "json"]);
    assert!(printed.starts_with("durable 3\ndurable 5\ncursor-hex 0005\ntoken "), "{printed}");
    let out = place.ok(&["snapshot", "range", "fold", "--output", "json"]);
    assert_eq!(
        out,
        concat!(
            r#"{"key_text":"a","value_text":"1","version_text":"v1"}"#,
            "\n",
            r#"{"key_hex":"ff","value_text":"\u0000"}"#,
            "\n"
        )
    );
    let again = place.feed(&["snapshot", "apply", "again", "-", "--input", "json"], out.as_bytes());
    again.expect(0);
    assert_eq!(place.ok(&["snapshot", "range", "again", "--output", "json"]), out);
    let entry = place.ok(&["snapshot", "get", "fold", "a", "--output", "json"]);
    assert_eq!(entry, "{\"key_text\":\"a\",\"value_text\":\"1\",\"version_text\":\"v1\"}\n");
    let stats = place.ok(&["snapshot", "stats", "fold", "--json"]);
    assert!(stats.contains("\"entries\":2") && stats.contains("\"cursor_hex\":\"0005\""), "{stats}");
}

#[test]
fn a_wrong_line_is_named_and_what_was_applied_before_it_is_safe() {
    let place = Place::new("snapshot-wrong");
    let ran =
        place.feed(&["snapshot", "apply", "fold", "-", "--batch", "2"], b"a\t1\nb\t2\nc\t3\nno tab\nd\t4\n");
    ran.expect(2);
    ran.says(&["standard input", "stopped behind 2 changes (safe)", "line 4 has no TAB", "--deletes"]);
    assert_eq!(range(&place, "fold"), "a\t1\nb\t2\n");
    let ran = place.feed(&["snapshot", "apply", "fold", "-", "--input", "json"], b"{}\n");
    ran.expect(2);
    ran.says(&["line 1 has neither a key nor a cursor"]);
    let ran = place.run(&["snapshot", "apply", "other", "missing.txt"]);
    ran.expect(2);
    ran.says(&["cannot read 'missing.txt'"]);
    let ran = place.run(&["snapshot", "get", "fold", "zzz"]);
    ran.expect(2);
    ran.says(&["there is no key 'zzz' in log 'fold'"]);
    let ran = place.run(&["snapshot", "range", "other"]);
    ran.expect(2);
    ran.says(&["there is no such log", "holds fold"]);
    let ran = place.run(&["snapshot", "get", "fold", "--hex", "xy"]);
    ran.expect(2);
    ran.says(&["hexadecimal digits"]);
    place.append("journal", "item\n");
    let ran = place.run(&["snapshot", "range", "journal"]);
    ran.expect(2);
    ran.says(&["journal"]);
}

#[test]
fn compacting_frees_what_is_dead_and_tokens_stay_good() {
    let place = Place::new("snapshot-compact");
    let lines: String = (0..20_000).map(|i| format!("key {}\tvalue {i}\n", i % 50)).collect();
    let printed = apply(&place, &lines, &["--segment-bytes", "64KiB", "--batch", "100"]);
    let token = value(&printed, "token").to_owned();
    let before = place.ok(&["snapshot", "stats", "fold"]);
    assert_eq!(value(&before, "entries"), "50");
    let dead: u64 = value(&before, "dead-bytes").parse().unwrap();
    assert!(dead > 500_000, "{before}");
    let all = range(&place, "fold");
    let printed = place.ok(&["snapshot", "compact", "fold", "--expect-token", &token]);
    assert_eq!((value(&printed, "entries"), value(&printed, "generation")), ("50", "1"));
    assert_eq!(range(&place, "fold"), all);
    place.ok(&["snapshot", "range", "fold", "--expect-token", &token]);
    assert!(place.ok(&["verify"]).starts_with("ok fold: "));
    let printed = place.ok(&["snapshot", "sync", "fold"]);
    assert!(printed.starts_with("token "), "{printed}");
    let ran = place.run(&["snapshot", "cursor", "fold", "--expect-token", &token.replace('-', "1-")]);
    ran.expect(2);
}

#[test]
fn list_info_inspect_and_verify_know_snapshots() {
    let place = Place::new("snapshot-known");
    apply(&place, "a\t1\nb\t2\n", &[]);
    let list = place.ok(&["list"]);
    assert!(list.contains("fold") && list.contains("snapshot") && list.contains("closed cleanly"), "{list}");
    let info = place.ok(&["snapshot", "info", "fold"]);
    assert_eq!((value(&info, "kind"), value(&info, "state")), ("snapshot", "closed cleanly"));
    let inspect = place.ok(&["inspect", "fold", "--frames"]);
    assert!(inspect.contains("kind snapshot") && inspect.contains("append"), "{inspect}");
    assert!(place.ok(&["verify", "fold"]).starts_with("ok fold: "));
    let ran = place.run(&["snapshot", "destroy", "fold"]);
    ran.expect(2);
    ran.says(&["this would remove log 'fold'", "--yes"]);
    assert_eq!(place.ok(&["snapshot", "destroy", "fold", "--yes"]), "destroyed fold\n");
    assert!(place.ok(&["list"]).contains("no logs"));
}

#[test]
fn damage_is_named_and_the_exit_code_is_1() {
    let place = Place::new("snapshot-damage");
    for number in 0..30 {
        apply(&place, &format!("key {number:02}\t{}\n", "v".repeat(3000)), &[]);
    }
    let (path, mut bytes) =
        place.contents().into_iter().find(|(path, _)| path.parent().unwrap().ends_with("files")).unwrap();
    let at = bytes.windows(6).position(|window| window == b"key 11").unwrap();
    bytes[at + 100] ^= 1;
    fs::write(path, bytes).unwrap();
    let ran = place.run(&["verify"]);
    ran.expect(1);
    let ran = place.run(&["snapshot", "range", "fold", "--output", "keys"]);
    ran.expect(1);
    ran.says(&["log 'fold' is damaged"]);
    let ran = place.run(&["snapshot", "export", "fold", "--to", &place.file("x", "").replace("/x", "/out")]);
    ran.expect(1);
    let ran = place.feed(&["snapshot", "apply", "fold", "-"], b"a\t1\n");
    ran.expect(1);
    ran.says(&["nothing was changed"]);
    assert!(!place.logs().with_file_name("out").exists());
}

#[test]
fn a_fold_goes_through_a_directory_into_another_storage() {
    let (place, other) = (Place::new("snapshot-export"), Place::new("snapshot-import"));
    let lines: String = (0..5000).map(|i| format!("key {i:05}\tvalue {}\n", i * 7)).collect();
    apply(&place, &lines, &["--cursor", "5000"]);
    let out = place.logs().with_file_name("out");
    let to = out.to_str().unwrap();
    let printed = place.ok(&["snapshot", "export", "fold", "--to", to]);
    assert!(printed.starts_with("exported 2 files, ") && printed.contains("\ncursor 5000\n"), "{printed}");
    let manifest = fs::read_to_string(out.join("MANIFEST.json")).unwrap();
    assert!(manifest.contains("\"backend\": \"annals-snapshot\"") && manifest.contains("\"35303030\""));
    let printed = other.ok(&["snapshot", "import", "copy", "--from", to, "--segment-bytes", "64KiB"]);
    assert!(
        printed.starts_with("imported 2 files, ") && printed.contains("\ncursor 5000\ntoken "),
        "{printed}"
    );
    assert_eq!(range(&other, "copy"), range(&place, "fold"));
    assert!(other.ok(&["verify"]).starts_with("ok copy: "));

    let ran = place.run(&["snapshot", "export", "fold", "--to", to]);
    ran.expect(2);
    ran.says(&["there is something of that name"]);
    let ran = other.run(&["snapshot", "import", "copy", "--from", to]);
    ran.expect(2);
    ran.says(&["there is one of that name"]);
    let ran = other.run(&["snapshot", "import", "more", "--from", "missing"]);
    ran.expect(2);
    ran.says(&["cannot import 'missing'"]);
    fs::write(out.join("data/entries-00000000"), "changed").unwrap();
    let ran = other.run(&["snapshot", "import", "more", "--from", to]);
    ran.expect(2);
    ran.says(&["data/entries-00000000", "another size", "nothing was imported"]);
    let ran = other.run(&["snapshot", "range", "more"]);
    ran.expect(2);
    ran.says(&["there is no such log"]);
    let ran = place.run(&["snapshot", "export", "fold", "--to", &format!("{to}/no/such/place")]);
    ran.expect(2);
}

#[test]
fn an_import_of_what_is_no_artifact_makes_no_directory() {
    let place = Place::new("snapshot-nothing");
    let ran = place.run(&["snapshot", "import", "copy", "--from", env!("CARGO_MANIFEST_DIR")]);
    ran.expect(2);
    ran.says(&["there is no MANIFEST.json", "nothing was imported"]);
    assert!(!place.logs().exists());
}
