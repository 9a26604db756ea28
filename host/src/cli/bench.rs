//! `annals bench`: how fast logs are here, beside the native library and plain file writes.

use super::{Outcome, failure, output::Output};
use crate::bench::{ALL, Bench, ITEM, Row, WORKS, Who};
use annals::{
    Config,
    storage::{Directory, Memory, Storage},
};
use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How to measure.
#[derive(Args)]
pub(super) struct Command {
    /// Measure in memory, without a disk
    #[arg(long)]
    memory: bool,
    /// A tenth of the items and fewer rounds
    #[arg(long)]
    quick: bool,
    /// Rounds of each work; medians are reported
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..1000))]
    rounds: Option<u16>,
    /// Only work whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it cannot be removed, whoever looks sees by its name whose it was.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures, and prints a table.
pub(super) fn run(
    dir: Option<PathBuf>,
    component: Option<&Path>,
    command: &Command,
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    let runtime = super::runtime(component, Config::new())?;
    let base = dir.unwrap_or_else(std::env::temp_dir);
    let scratch = Scratch(base.join(format!("annals-bench-{}", std::process::id())));
    let storage: Arc<dyn Storage> = match command.memory {
        true => Arc::new(Memory::new()),
        false => Arc::new(
            Directory::open(&scratch.0)
                .map_err(|error| failure::told("measure in a directory of its own in", &base, error))?,
        ),
    };
    let place = match command.memory {
        true => "memory".to_owned(),
        false => format!("a directory in {}", base.display()),
    };
    let (items, rounds) = if command.quick { (100_000, 3) } else { (1_000_000, 5) };
    let rounds = command.rounds.map_or(rounds, usize::from);
    let only = |name: &str| command.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let works: Vec<_> = WORKS.iter().filter(|work| only(work.name)).collect();

    let bench = Bench::new(runtime, storage, items).context("cannot prepare the log that is read")?;
    // Drawn on standard error, and only where that is a terminal.
    let bar = ProgressBar::new((works.len() * rounds * ALL.len()) as u64);
    let mut rows = Vec::new();
    for work in works {
        let row = bench.run(work, rounds, &mut || bar.inc(1));
        rows.push(row.with_context(|| format!("cannot measure '{}'", work.name))?);
    }
    bar.finish_and_clear();
    if command.json {
        out.line(json(&rows, &place, items, rounds))?;
    } else {
        let items = format!("{items} items of {ITEM} bytes");
        out.line(format!("{items}, in {place}; medians of {rounds} interleaved rounds\n"))?;
        out.line(table(&rows))?;
    }
    Ok(Outcome::Fine)
}

fn name(who: Who) -> &'static str {
    match who {
        Who::Raw => "raw file",
        Who::Native => "native",
        Who::Component => "component",
    }
}

/// Nanoseconds for a person.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e4 => format!("{nanoseconds:.*} ns", usize::from(nanoseconds < 100.0)),
        ..1e7 => format!("{:.1} µs", nanoseconds / 1e3),
        _ => format!("{:.1} ms", nanoseconds / 1e6),
    }
}

fn table(rows: &[Row]) -> String {
    let mut lines =
        vec![["work", "raw file", "native", "component", "per", "/ native", "/ raw"].map(String::from)];
    for Row { name, unit, medians: [raw, native, component] } in rows {
        let cell = |value: &Option<f64>| value.map_or("–".to_owned(), time);
        let ratio = |base: &Option<f64>| match (component, base) {
            (Some(component), Some(base)) => format!("{:.2}", component / base),
            _ => "–".to_owned(),
        };
        let (raw_cell, native_cell, component_cell) = (cell(raw), cell(native), cell(component));
        let ratios = (ratio(native), ratio(raw));
        lines.push([
            (*name).to_owned(),
            raw_cell,
            native_cell,
            component_cell,
            (*unit).to_owned(),
            ratios.0,
            ratios.1,
        ]);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            // Words to the left, numbers to the right. Writing to a string cannot fail.
            let _ = match column {
                0 | 4 => write!(text, "{gap}{cell}{pad}"),
                _ => write!(text, "{gap}{pad}{cell}"),
            };
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn json(rows: &[Row], place: &str, items: u64, rounds: usize) -> String {
    let place = place.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = format!(
        "{{\"items\":{items},\"item_bytes\":{ITEM},\"rounds\":{rounds},\"place\":\"{place}\",\"nanoseconds\":["
    );
    for (index, Row { name: work, unit, medians }) in rows.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{{\"work\":\"{work}\",\"per\":\"{unit}\"");
        for (who, median) in ALL.iter().zip(medians) {
            let value = median.map_or("null".to_owned(), |value| format!("{value:.1}"));
            let _ = write!(text, ",\"{}\":{value}", name(*who));
        }
        text.push('}');
    }
    text + "]}"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row { name: "appending", unit: "item", medians: [Some(10.0), Some(20.0), Some(25.0)] },
            Row { name: "open", unit: "open", medians: [None, Some(2e6), Some(3e6)] },
        ]
    }

    #[test]
    fn the_table_lines_up_and_has_ratios() {
        let lines: Vec<String> = table(&rows()).lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "work       raw file     native  component  per   / native  / raw");
        assert_eq!(lines[1], "appending   10.0 ns    20.0 ns    25.0 ns  item      1.25   2.50");
        assert_eq!(lines[2], "open              –  2000.0 µs  3000.0 µs  open      1.50      –");
    }

    #[test]
    fn json_is_what_it_should_be() {
        let text = json(&rows()[1..], "a \"b\"", 7, 3);
        let expected = r#"{"items":7,"item_bytes":100,"rounds":3,"place":"a \"b\"","nanoseconds":[{"work":"open","per":"open","raw file":null,"native":2000000.0,"component":3000000.0}]}"#;
        assert_eq!(text, expected);
    }
}
