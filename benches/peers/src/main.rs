//! `annals-peers`: Annals beside other logs and stores, with the same work on the same disk.

mod bench;
mod contenders;
mod counted;
mod curves;
mod items;
mod kinds;
mod machine;
mod place;
mod plot;
mod report;
mod rounds;
mod rows;
mod shared;
mod targets;

use anyhow::{Context as _, Result};
use bench::{Bench, Sizes};
use clap::{Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use indicatif::{ProgressBar, ProgressStyle};
use place::Place;
use std::{path::PathBuf, process::ExitCode};

/// Measures Annals (the component and the native library inside it) beside other logs and stores.
///
/// Contenders take turns in each round; medians are reported, and compared with the targets. What is read back is compared
/// with what was written before anything counts.
///
/// Exit code: 0 if all was measured, whether or not targets are met; 1 if somebody failed; 2 for wrong arguments.
#[derive(Parser)]
#[command(name = "annals-peers", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Commands>,
    #[command(flatten)]
    how: How,
}

#[derive(Subcommand)]
enum Commands {
    /// Measure costs of the component that grow with something, and whether they grow as they should
    Curves(How),
}

#[derive(Args)]
struct How {
    /// Where to work, on the disk to measure; everything is removed afterwards
    #[arg(long, value_name = "DIRECTORY", default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Little work and one round, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Rounds of each row or curve [default: 5; with --quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..1000))]
    rounds: Option<u16>,
    /// Only these rows or curves; may be given several times [see --list]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only contenders whose name contains this; may be given several times
    #[arg(long, value_name = "TEXT")]
    who: Vec<String>,
    /// List the rows and who takes part, or the curves
    #[arg(long)]
    list: bool,
    /// Write the results as files: RESULTS.md and results.svg, or CURVES.md and curves.svg. Without a directory beside this
    /// program's sources, and then of a whole run only
    #[arg(long, value_name = "DIRECTORY", num_args = 0..=1)]
    write: Option<Option<PathBuf>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Commands::Curves(how)) => measure_curves(how),
        None => measure_rows(&arguments.how),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl How {
    fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 1 } else { 5 }, usize::from)
    }

    fn bench(&self) -> Result<Bench> {
        let sizes = if self.quick { Sizes::QUICK } else { Sizes::FULL };
        Ok(Bench::new(Place::new(&self.dir)?, sizes))
    }

    /// Ends the program for a name that none of these has.
    fn check(&self, names: &[&str]) {
        if let Some(name) = self.only.iter().find(|name| !names.contains(&name.as_str())) {
            wrong(&format!("there is nothing called '{name}'; --list shows all names"));
        }
    }

    /// Where to write files, if asked for.
    fn destination(&self) -> Option<PathBuf> {
        let whole = !self.quick && self.only.is_empty() && self.who.is_empty();
        match &self.write {
            Some(None) if !whole => wrong("--write needs a directory unless everything is measured"),
            Some(None) => Some(PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
            Some(Some(directory)) => Some(directory.clone()),
            None => None,
        }
    }
}

/// Ends the program as for any wrong argument.
fn wrong(what: &str) -> ! {
    Arguments::command().error(ErrorKind::InvalidValue, what).exit()
}

/// Writes files, if there is a directory to write them to.
fn keep(directory: Option<PathBuf>, files: &[(&str, &str)]) -> Result<()> {
    let Some(directory) = directory else { return Ok(()) };
    for (name, text) in files {
        let file = directory.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Drawn on standard error, and only where that is a terminal.
fn bar() -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{pos}/{len} {elapsed} {wide_msg}")?;
    Ok(ProgressBar::new(0).with_style(style))
}

/// The command that was given, as a person would type it.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dashes = if arguments.is_empty() { "" } else { " -- " };
    format!("cargo run --release --manifest-path benches/peers/Cargo.toml{dashes}{}", arguments.join(" "))
}

fn measure_rows(how: &How) -> Result<ExitCode> {
    if how.list {
        for row in rows::all() {
            let who: Vec<_> = row.who.iter().map(|who| who.name()).collect();
            println!("{:22} {}\n{:22}   {}", row.id, row.title, "", who.join(", "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    how.check(&rows::all().map(|row| row.id).collect::<Vec<_>>());
    let destination = how.destination();
    let (bench, rounds, bar) = (how.bench()?, how.rounds(), bar()?);
    let chosen = rows::all().filter(|row| how.only.is_empty() || how.only.iter().any(|id| id == row.id));
    let chosen: Vec<_> = chosen.collect();
    bar.set_length(chosen.iter().map(|row| row.who.len() * rounds).sum::<usize>() as u64);
    let mut measured = Vec::new();
    for row in chosen {
        measured.push(rounds::run(&bench, row, &how.who, rounds, &bar));
    }
    bar.finish_and_clear();

    let (text, tally) = report::markdown(&report::Page {
        measured: &measured,
        facts: &machine::facts(&how.dir),
        versions: &machine::versions(contenders::PACKAGES)?,
        command: &command(),
        rounds,
    });
    print!("{text}");
    keep(destination, &[("RESULTS.md", &text), ("results.svg", &plot::ratios(&measured)?)])?;
    let figures = || measured.iter().flat_map(|row| &row.figures);
    let failed = figures().filter(|figure| figure.outcome.is_err()).count();
    eprintln!("{} rows; {tally}; {failed} of {} figures failed", measured.len(), figures().count());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure_curves(how: &How) -> Result<ExitCode> {
    if how.list {
        curves::list().iter().for_each(|(id, title)| println!("{id:16} {title}"));
        return Ok(ExitCode::SUCCESS);
    }
    how.check(&curves::list().iter().map(|curve| curve.0).collect::<Vec<_>>());
    let destination = how.destination();
    let (bench, bar) = (how.bench()?, bar()?);
    let most = if how.quick { 10_000 } else { u64::MAX };
    let drawn = curves::measure(&bench, &how.only, how.rounds(), most, &bar)?;
    bar.finish_and_clear();
    let head = report::head("Curves", &command(), how.rounds(), &machine::facts(&how.dir));
    let text = format!("{head}\n{}", curves::markdown(&drawn));
    print!("{text}");
    keep(destination, &[("CURVES.md", &text), ("curves.svg", &plot::curves(&drawn)?)])?;
    let right = drawn.iter().filter(|curve| curve.met()).count();
    eprintln!("{right} of {} curves are as they should be", drawn.len());
    Ok(ExitCode::SUCCESS)
}
