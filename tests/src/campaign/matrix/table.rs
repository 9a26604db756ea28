//! The matrix as a page: `tests/FAULTS.md`. Its rows and columns can be read back, so that a test notices when it is not
//! that of the code.

use super::kinds::KINDS;
use super::stopped::Stopped;
use super::tally::{Section, Tally};
use std::fmt::Write;

/// Letters of errors in cells.
const LETTERS: &[(&str, char)] = &[
    ("storage", 's'),
    ("out of space", 'o'),
    ("closed", 'c'),
    ("locked", 'l'),
    ("damaged", 'd'),
    ("rolled back", 'r'),
    ("unknown format", 'u'),
    ("not found", 'n'),
    ("exists", 'e'),
    ("other kind", 'k'),
    ("options differ", 'p'),
    ("fenced", 'f'),
    ("deleted", 'x'),
    ("limit", 'm'),
    ("trap", 't'),
    ("other", 'y'),
    ("refused", 'z'),
];

/// Where the part that the host's tests write begins and ends.
pub const COMPONENT: [&str; 2] = ["<!-- component: begin -->", "<!-- component: end -->"];

const INTRO: &str = "\
Each cell plays a scenario once for every storage call that the fault can happen to: *once* at that call only, or from it
on (*stays*). Every answer is compared with the model; then the log is opened anew while the fault stays, after the death
of the process, after a loss of power, and with clean pages evicted.

A cell shows in how many runs all data were right, then in how many somebody was told by a typed error, by the first
error's letter: LETTERS. `~` counts runs after which the log
was shorter than acknowledged while nobody had a token yet that covers what is missing; damage has to look exactly like a
crash for that, behind the last promise (README, \"what cannot be proven\"). `!` counts silent ones: wrong data, a shorter
log that a token or a promise covers, a panic. `–`: no such call, or nothing there to be wrong about.";

/// The page. `component` is what the host's tests wrote into it before.
pub fn render(sections: &[Section], seed: u64, component: &str) -> String {
    let mut page = String::from(
        "# Fault matrix\n\n<!-- Written by `cargo run --release -p annals-tests --bin fault-matrix -- --write \
         tests/FAULTS.md`. Do not edit. -->\n\n",
    );
    let letters: Vec<String> = LETTERS.iter().map(|(name, letter)| format!("`{letter}` {name}")).collect();
    let _ = writeln!(page, "{}\n", INTRO.replace("LETTERS", &letters.join(", ")));
    let _ = writeln!(page, "Seed {seed}.\n");
    totals(&mut page, sections);
    lies(&mut page, sections);
    sections.iter().for_each(|section| log(&mut page, section));
    let _ = writeln!(page, "{}\n{}\n{}", COMPONENT[0], component.trim(), COMPONENT[1]);
    page
}

/// The part that the host's tests write: one table for all logs.
pub fn component_table(rows: &[(&str, &str, Vec<Stopped>)]) -> String {
    let mut part = String::from(
        "## Through the component\n\nStopped in the middle of a call: for each step of each script, with limits that rise \
         until the step goes well. Written by `ANNALS_WRITE_FAULTS=1 cargo test -p annals --test matrix`.\n\n\
         | fault | log | scenario | runs | outcomes | steps skipped | silent |\n|---|---|---|---|---|---|---|\n",
    );
    for (fault, log, scenarios) in rows {
        for Stopped { scenario, tally, .. } in scenarios {
            let plain = Tally { skipped: 0, ..tally.clone() };
            let _ = writeln!(
                part,
                "| {fault} | {log} | {scenario} | {} | {} | {} | {} |",
                tally.executed(),
                cell(&plain),
                tally.skipped,
                tally.silent
            );
        }
    }
    part
}

/// The page with another such part.
pub fn with_component(page: &str, part: &str) -> String {
    let before = page.split(COMPONENT[0]).next().unwrap_or_default();
    format!("{before}{}\n{}\n{}\n", COMPONENT[0], part.trim(), COMPONENT[1])
}

/// What stands between the marks of a page.
pub fn component_of(page: &str) -> &str {
    let inner = page.split_once(COMPONENT[0]).and_then(|(_, rest)| rest.split_once(COMPONENT[1]));
    inner.map_or("", |(inner, _)| inner.trim())
}

fn totals(page: &mut String, sections: &[Section]) {
    page.push_str(
        "## Totals\n\n| log | scenarios | calls | cells | runs | data right | typed error | shorter, no token yet | \
         skipped | silent |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut sum = (0, 0, 0, Tally::default());
    let mut line = |name: &str, scenarios: usize, calls: u64, cells: usize, tally: &Tally| {
        let Tally { right, untold, skipped, silent, .. } = tally;
        let _ = writeln!(
            page,
            "| {name} | {scenarios} | {calls} | {cells} | {} | {right} | {} | {untold} | {skipped} | {silent} |",
            tally.executed(),
            tally.told()
        );
    };
    for section in sections {
        let calls: u64 = section.calls.iter().sum();
        let (cells, tally) = (section.executed_cells(), section.total());
        line(section.log, section.scenarios.len(), calls, cells, &tally);
        (sum.0, sum.1, sum.2) = (sum.0 + section.scenarios.len(), sum.1 + calls, sum.2 + cells);
        sum.3.add(&tally);
    }
    line("**all**", sum.0, sum.1, sum.2, &sum.3);
    page.push('\n');
}

fn lies(page: &mut String, sections: &[Section]) {
    page.push_str(
        "## Lies about sync\n\nWithout a token a lie cannot be told from a crash: the log is opened as it was at an \
         earlier moment, in order and without gaps, unless some promise on the disk contradicts it (typed). With the \
         newest token every such log is refused.\n\n| fault | | log | runs | harmless | typed without a token | shorter \
         without a token | of these refused with the token | no token yet |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (row, kind) in KINDS.iter().enumerate().filter(|(_, kind)| kind.lies_about_sync()) {
        for sticky in [false, true] {
            for section in sections {
                let tally = section.row(row, sticky);
                let shorter = tally.by_token + tally.untold;
                let _ = writeln!(
                    page,
                    "| {} | {} | {} | {} | {} | {} | {shorter} | {} | {} |",
                    kind.name,
                    stays(sticky),
                    section.log,
                    tally.executed(),
                    tally.right,
                    tally.told() - tally.by_token,
                    tally.by_token,
                    tally.untold,
                );
            }
        }
    }
    page.push('\n');
}

fn log(page: &mut String, section: &Section) {
    let _ = writeln!(page, "## {}\n", section.log);
    for (number, (name, calls)) in section.scenarios.iter().zip(&section.calls).enumerate() {
        let _ = writeln!(page, "{}. {name} ({calls} calls)", number + 1);
    }
    let columns: Vec<String> = (1..=section.scenarios.len()).map(|number| number.to_string()).collect();
    let _ = writeln!(page, "\n| fault | | {} | silent |", columns.join(" | "));
    let _ = writeln!(page, "|---|---|{}---|", "---|".repeat(columns.len()));
    for (row, kind) in KINDS.iter().enumerate() {
        for sticky in [false, true] {
            let cells: Vec<String> =
                (0..columns.len()).map(|column| cell(section.tally(row, column, sticky))).collect();
            let silent = section.row(row, sticky).silent;
            let _ =
                writeln!(page, "| {} | {} | {} | {silent} |", kind.name, stays(sticky), cells.join(" | "));
        }
    }
    page.push('\n');
}

fn stays(sticky: bool) -> &'static str {
    if sticky { "stays" } else { "once" }
}

fn cell(tally: &Tally) -> String {
    if tally.executed() == 0 {
        return if tally.skipped > 0 { "skipped".into() } else { "–".into() };
    }
    let mut text = tally.right.to_string();
    for (name, count) in &tally.typed {
        let letter = LETTERS.iter().find(|(known, _)| known == name).map_or('?', |(_, letter)| *letter);
        let _ = write!(text, "+{count}{letter}");
    }
    for (count, mark) in [(tally.untold, '~'), (tally.silent, '!')] {
        if count > 0 {
            let _ = write!(text, " {mark}{count}");
        }
    }
    if tally.skipped > 0 {
        let _ = write!(text, " ({} skipped)", tally.skipped);
    }
    text
}

/// The rows and columns that the page of the code has: logs, their scenarios, kinds of fault.
pub fn skeleton(logs: &[(&str, Vec<String>)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (log, scenarios) in logs {
        lines.push(format!("log {log}"));
        lines.extend(scenarios.iter().map(|name| format!("scenario {name}")));
        let kinds = KINDS.iter().flat_map(|kind| [false, true].map(|sticky| (kind.name, stays(sticky))));
        lines.extend(kinds.map(|(name, stays)| format!("fault {name}, {stays}")));
    }
    lines
}

/// The rows and columns that a page has, and those of its rows that do not say that nothing was silent and skipped.
pub fn skeleton_of(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    let page = page.split(COMPONENT[0]).next().unwrap_or_default();
    let mut inside = false;
    for line in page.lines() {
        if let Some(log) = line.strip_prefix("## ") {
            inside = !["Totals", "Lies about sync"].contains(&log);
            if inside {
                lines.push(format!("log {log}"));
            }
        } else if let Some((number, rest)) = line.split_once(". ")
            && inside
            && number.parse::<u32>().is_ok()
        {
            let name = rest.rsplit_once(" (").map_or(rest, |(name, _)| name);
            lines.push(format!("scenario {name}"));
        } else if line.starts_with("| ") && inside && !line.starts_with("| fault |") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if let [name, stays, .., silent] = cells[..] {
                lines.push(format!("fault {name}, {stays}"));
                if silent != "0" || line.contains('!') || line.contains("skipped") {
                    bad.push(line.to_string());
                }
            }
        }
    }
    (lines, bad)
}
