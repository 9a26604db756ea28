//! `SPEC.md` has one line per promise, and each line has a case, or names the test that proves it.

use annals_tests::cases;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::Path;

/// A line of the specification.
struct Line {
    id: String,
    text: String,
    /// Tests that prove it: a file, and the name of the test in it.
    tests: Vec<(String, String)>,
}

fn lines() -> Vec<Line> {
    let spec = read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SPEC.md")).unwrap();
    let promises = spec.lines().filter(|line| line.starts_with(['-', '*']));
    promises
        .map(|line| parse(line).unwrap_or_else(|| panic!("not a line of the specification: {line}")))
        .collect()
}

/// `- **ID** Words. (test: file::name)`
fn parse(line: &str) -> Option<Line> {
    let (id, mut text) = line.strip_prefix("- **")?.split_once("** ")?;
    let (letter, number) = id.split_at_checked(1)?;
    let numbered = number.split('.').all(|part| part.parse().is_ok_and(|number: u32| number > 0));
    if !letter.starts_with(|letter: char| letter.is_ascii_uppercase()) || !numbered {
        return None;
    }
    let mut tests = Vec::new();
    while let Some((before, named)) = text.rsplit_once(" (test: ") {
        let (file, name) = named.strip_suffix(')')?.split_once("::")?;
        tests.push((file.into(), name.into()));
        text = before;
    }
    let sentence = text.ends_with('.') && !text.contains("(test");
    sentence.then(|| Line { id: id.into(), text: text.into(), tests })
}

/// The names of the cases that prove each line.
fn proofs() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut proofs = BTreeMap::<_, Vec<_>>::new();
    for case in cases::all() {
        for id in case.proves {
            proofs.entry(*id).or_default().push(case.name);
        }
    }
    proofs
}

fn none_of(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_line_has_a_case_or_a_test() {
    let (lines, proofs) = (lines(), proofs());
    let without: Vec<&Line> =
        lines.iter().filter(|line| line.tests.is_empty() && !proofs.contains_key(line.id.as_str())).collect();
    println!("{} lines", lines.len());
    let owed: Vec<String> = without.iter().map(|line| format!("{} {}", line.id, line.text)).collect();
    none_of("lines without a case or a test", &owed);
}

#[test]
fn every_case_names_lines_that_are_there() {
    let lines = lines();
    let known: BTreeSet<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    let mut wrong = Vec::new();
    for case in cases::all() {
        let unique: BTreeSet<_> = case.proves.iter().collect();
        if case.proves.is_empty() || unique.len() < case.proves.len() {
            wrong.push(format!("{} proves {:?}", case.name, case.proves));
        }
        let unknown = case.proves.iter().filter(|id| !known.contains(*id));
        wrong.extend(unknown.map(|id| format!("{} proves {id}", case.name)));
    }
    none_of("cases that name no line, one twice, or one that is not there", &wrong);
}

#[test]
fn no_line_stands_there_twice() {
    let (mut ids, mut texts) = (BTreeSet::new(), BTreeSet::new());
    let lines = lines().into_iter();
    let twice = lines.filter(|line| !ids.insert(line.id.clone()) | !texts.insert(line.text.to_lowercase()));
    let twice: Vec<String> = twice.map(|line| format!("{} {}", line.id, line.text)).collect();
    none_of("lines that stand there twice", &twice);
}

#[test]
fn every_test_that_a_line_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut missing = Vec::new();
    for line in lines() {
        for (file, name) in line.tests {
            let source = read_to_string(root.join(&file)).unwrap_or_default();
            if !has_test(&source, &name) {
                missing.push(format!("{} names {file}::{name}", line.id));
            }
        }
    }
    none_of("tests that are not there", &missing);
}

/// Whether a test of this name is in the source: a function marked as one, or an entry of a table that a macro makes
/// tests of (`name: …`, or the function once more by its name alone).
fn has_test(source: &str, name: &str) -> bool {
    let (function, entry) = (format!("fn {name}("), format!("{name}: "));
    let mut marked = false;
    source.lines().map(str::trim).any(|line| {
        let found = marked && line.starts_with(&function);
        marked = line == "#[test]" || (marked && line.starts_with("#["));
        found || line == name || line.starts_with(&entry)
    })
}

#[test]
fn only_tests_count_as_tests() {
    let source = "#[test]\n#[should_panic]\nfn one() {\n}\nfn two() {\n}\n    three: \"3\", run;\n    four\n";
    let found = ["one", "two", "three", "four", "fiv", "thre"].map(|name| has_test(source, name));
    assert_eq!(found, [true, false, true, true, false, false]);
    for wrong in
        ["- F1 Words.", "- **F** Words.", "- **1** Words.", "- **F1** Words", "- **F1** Words. (test: here)"]
    {
        assert!(parse(wrong).is_none(), "{wrong}");
    }
}
