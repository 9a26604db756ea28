//! The figures as a page in Markdown: a table of targets, a table of figures, what they were measured on.

use crate::{
    contenders::Who,
    machine::Fact,
    rounds::Measured,
    rows::Unit,
    targets::{self, Verdict},
};
use std::fmt::Write as _;

/// What the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) measured: &'a [Measured],
    pub(crate) facts: &'a [Fact],
    pub(crate) versions: &'a [(String, String)],
    /// How it was run.
    pub(crate) command: &'a str,
    pub(crate) rounds: usize,
}

/// How many targets are met, are missed, and could not be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) met: usize,
    pub(crate) missed: usize,
    pub(crate) open: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { met, missed, open } = self;
        write!(f, "targets: {met} met, {missed} missed, {open} not judged")
    }
}

impl Tally {
    fn of(verdicts: &[Verdict]) -> Tally {
        let count = |met| verdicts.iter().filter(|verdict| verdict.met == met).count();
        Tally { met: count(Some(true)), missed: count(Some(false)), open: count(None) }
    }
}

/// The page, and how many targets are met. Writing to a string cannot fail.
pub(crate) fn markdown(page: &Page<'_>) -> (String, Tally) {
    let verdicts = targets::judge(page.measured);
    let tally = Tally::of(&verdicts);
    let mut text = head("Measured", page.command, page.rounds, page.facts);
    let versions = page.versions.iter().map(|(name, version)| format!("{name} {version}"));
    let _ = writeln!(text, "* versions: {}\n\n{tally}\n", versions.collect::<Vec<_>>().join(", "));
    let _ = writeln!(text, "## Targets\n\n{}", aligned(&target_lines(page.measured, &verdicts)));
    let _ = writeln!(text, "## Figures\n");
    for measured in page.measured {
        let _ = writeln!(text, "{}", figures(measured));
    }
    (text, tally)
}

/// What stands above everything: how it was made and on what.
pub(crate) fn head(title: &str, command: &str, rounds: usize, facts: &[Fact]) -> String {
    let rounds = match rounds {
        1 => "one round".to_owned(),
        rounds => format!("medians of {rounds} interleaved rounds"),
    };
    let mut text = format!("# {title}\n\nMade by `{command}`; {rounds}.\n\n");
    for (name, fact) in facts {
        let _ = writeln!(text, "* {name}: {fact}");
    }
    text
}

fn title(measured: &[Measured], row: &str) -> String {
    let row = measured.iter().find(|measured| measured.row.id == row);
    row.map_or_else(String::new, |measured| measured.row.title.to_owned())
}

fn target_lines(measured: &[Measured], verdicts: &[Verdict]) -> Vec<Vec<String>> {
    let mut lines = vec![["work", "target", "measured", ""].map(str::to_owned).to_vec()];
    for verdict in verdicts {
        let met = match verdict.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not judged",
        };
        lines.push(vec![
            title(measured, verdict.target.row),
            verdict.wanted.clone(),
            verdict.measured.clone().unwrap_or_else(|| "–".to_owned()),
            met.to_owned(),
        ]);
    }
    lines
}

/// One row: a line for each contender.
fn figures(measured: &Measured) -> String {
    let unit = measured.row.unit;
    let per = match unit {
        Unit::Time(per) => format!(", for one {per}"),
        Unit::Count(what) => format!(", {what}"),
        Unit::Rate | Unit::Bytes | Unit::Ratio => String::new(),
    };
    let mut lines = vec![["", "median", "lowest – highest", "÷ component"].map(str::to_owned).to_vec()];
    let component = measured.median(Who::Component);
    for figure in &measured.figures {
        let mark = if figure.who.never_syncs() { " (never syncs)" } else { "" };
        let name = format!("{}{mark}", figure.who.name());
        lines.push(match &figure.outcome {
            Ok(spread) => {
                let range = format!("{} – {}", unit.show(spread.lowest), unit.show(spread.highest));
                let ratio = component.map(|component| format!("{:.2}", spread.median / component));
                vec![name, unit.show(spread.median), range, ratio.unwrap_or_else(|| "–".to_owned())]
            }
            Err(why) => vec![name, "failed".to_owned(), why.replace(['\n', '|'], " "), "–".to_owned()],
        });
    }
    format!("### {}{per}\n\n{}", measured.row.title, aligned(&lines))
}

/// A table that lines up also as it is.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let length = |text: &String| text.chars().count();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(length).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell}{} ", " ".repeat(width - length(cell)));
        }
        text.push_str("|\n");
        if number == 0 {
            widths.iter().for_each(|width| {
                let _ = write!(text, "| {} ", "-".repeat(*width));
            });
            text.push_str("|\n");
        }
    }
    text
}
