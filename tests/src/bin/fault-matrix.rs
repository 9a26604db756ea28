//! Runs the fault matrix and writes it as a page.

use annals_tests::campaign::matrix::{Extent, KINDS, LOGS, Log, Section, component_of, render};
use annals_tests::native::native;
use clap::Parser;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Runs the fault matrix: every kind of fault, once and staying, at every storage call of every scenario of every log, on
/// the native library over a simulated disk.
///
/// Prints one line per log, and what was silently wrong in full. Everything takes about half an hour of one core.
///
/// Exit codes: 0 nothing was silent; 1 something was; 2 it could not be run or written.
#[derive(Parser)]
#[command(name = "fault-matrix")]
struct Args {
    /// Writes the page to this file (tests/FAULTS.md). Needs a whole matrix: no other option but --seed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "kind", "scenario", "stride"])]
    write: Option<PathBuf>,
    /// Only logs with this in their name.
    #[arg(long)]
    log: Option<String>,
    /// Only kinds of fault with this in their name.
    #[arg(long)]
    kind: Option<String>,
    /// Only scenarios with this in their name.
    #[arg(long)]
    scenario: Option<String>,
    /// Where places and bits are drawn from.
    #[arg(long, default_value_t = 20_251_120)]
    seed: u64,
    /// Runs every so many of all calls only.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    stride: u64,
    /// How many scenarios are run at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
    /// Lists logs, scenarios and kinds of fault, and ends.
    #[arg(long)]
    list: bool,
    /// Prints each kind's outcomes.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        list();
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("fault-matrix: {what}");
            ExitCode::from(2)
        }
    }
}

fn list() {
    let mut text = String::new();
    for log in LOGS {
        text.push_str(&format!("{}\n", log.name));
        log.scenarios().iter().for_each(|name| text.push_str(&format!("  {name}\n")));
    }
    text.push_str("kinds of fault\n");
    KINDS.iter().for_each(|kind| text.push_str(&format!("  {}\n", kind.name)));
    let _ = stdout().write_all(text.as_bytes()); // nobody may be listening any more
}

/// Runs what is asked for. Returns how many runs were silently wrong.
fn run(args: &Args) -> Result<u64, String> {
    let within = |part: &Option<String>, name: &str| part.as_ref().is_none_or(|part| name.contains(part));
    let logs: Vec<_> = LOGS.iter().filter(|log| within(&args.log, log.name)).collect();
    if logs.is_empty() {
        return Err("no log has that in its name; --list shows all".into());
    }
    if !KINDS.iter().any(|kind| within(&args.kind, kind.name)) {
        return Err("no kind of fault has that in its name; --list shows all".into());
    }
    let (kind, scenario) = (args.kind.as_deref(), args.scenario.as_deref());
    let extent = Extent { seed: args.seed, stride: args.stride, kind, scenario, column: None };
    println!("fault matrix: seed {}, every {} of all calls", args.seed, args.stride);
    // A panic in a run is reported as what it is: a silent failure of that run.
    std::panic::set_hook(Box::new(|_| {}));
    let mut sections = Vec::new();
    for log in logs {
        let start = Instant::now();
        let section = parallel(log, extent, args.jobs)?;
        clear();
        let total = section.total();
        println!(
            "{}: {} runs, {} right, {} typed, {} shorter before any token, {} silent, {} calls skipped, {:.0?}",
            log.name,
            total.executed(),
            total.right,
            total.told(),
            total.untold,
            total.silent,
            total.skipped,
            start.elapsed()
        );
        if args.verbose {
            rows(&section);
        }
        section.failures.iter().for_each(|what| println!("SILENT: {what}"));
        sections.push(section);
    }
    let _ = stdout().flush();
    let silent = sections.iter().map(|section| section.total().silent).sum();
    if let Some(path) = &args.write {
        let before = std::fs::read_to_string(path).unwrap_or_default();
        let page = render(&sections, args.seed, component_of(&before));
        std::fs::write(path, page).map_err(|error| format!("writing {}: {error}", path.display()))?;
        println!("written to {}", path.display());
    }
    Ok(silent)
}

/// Runs the scenarios of a log in several threads.
fn parallel(log: &Log, extent: Extent<'_>, jobs: u64) -> Result<Section, String> {
    let (next, all) = (AtomicUsize::new(0), log.scenarios().len());
    let whole = Mutex::new(None::<Section>);
    std::thread::scope(|scope| {
        let work = || -> Result<(), String> {
            loop {
                let column = next.fetch_add(1, Ordering::Relaxed);
                if column >= all {
                    return Ok(());
                }
                let extent = Extent { column: Some(column), ..extent };
                let note = &mut |scenario: &str, kind: &str| progress(log.name, scenario, kind);
                let part = log.run(&native, extent, note)?;
                let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
                match &mut *whole {
                    Some(section) => section.merge(part),
                    none => *none = Some(part),
                }
            }
        };
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err("a thread of the matrix panicked".into()))
        })
    })?;
    whole.into_inner().unwrap_or_else(PoisonError::into_inner).ok_or("there is no scenario".into())
}

fn rows(section: &Section) {
    for (row, kind) in KINDS.iter().enumerate() {
        for sticky in [false, true] {
            let tally = section.row(row, sticky);
            if tally.executed() > 0 {
                let stays = if sticky { "stays" } else { "once" };
                println!(
                    "  {} ({stays}): {} right, {:?}, {} shorter before any token, {} silent",
                    kind.name, tally.right, tally.typed, tally.untold, tally.silent
                );
            }
        }
    }
}

fn progress(log: &str, scenario: &str, kind: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{log}, {scenario}: {kind}");
    }
}

fn clear() {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
