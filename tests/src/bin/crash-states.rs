//! The long form of the small scope: every short sequence of operations, every crash, on all five logs, natively.

use annals_tests::campaign::change_log::ChangeLog;
use annals_tests::campaign::event::EventLog;
use annals_tests::campaign::journal::Journal;
use annals_tests::campaign::raft::Raft;
use annals_tests::campaign::snapshot::Snapshot;
use annals_tests::campaign::states::{Plan, Row, Shared, explore, one};
use annals_tests::native::native;
use clap::Parser;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[cfg(feature = "fast")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Crashes every log everywhere and checks what is left.
///
/// All sequences of up to --length letters (operations) are played on every log, in several scopes. At each storage call
/// the machine stops, with every choice of what may be left of up to 6 unsynced sectors; each image is recovered, and the
/// machine stops again at each call of that. Then longer sequences are sampled until there are --states distinct states.
///
/// A state is an image together with what had been acknowledged. It is counted as distinct, and recovered, once.
///
/// Exit code: 0 if nothing was wrong, 1 if something was; the first failure is printed with the command that repeats it.
#[derive(Parser)]
#[command(name = "crash-states", version)]
struct Args {
    /// Distinct states of all logs together, shared evenly; all short sequences are explored even if they make more
    #[arg(long, value_name = "N", default_value_t = 0)]
    states: u64,
    /// Only this log
    #[arg(long, value_name = "NAME", value_parser = names())]
    log: Option<String>,
    /// All sequences of up to so many letters
    #[arg(long, value_name = "N", default_value_t = 3)]
    length: usize,
    /// Where the sampled part is drawn from
    #[arg(long, value_name = "S", default_value_t = 20_251_121)]
    seed: u64,
    /// Threads
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Only this scope of the log, and only the sequence
    #[arg(long, value_name = "NAME", requires = "sequence", requires = "log")]
    scope: Option<String>,
    /// Only this sequence: letters, separated by commas
    #[arg(long, value_name = "LETTERS", requires = "scope")]
    sequence: Option<String>,
}

/// How a log is explored: as far as the plan says, with so many threads, or only one sequence of a scope.
struct Log {
    name: &'static str,
    explore: fn(&Shared, usize),
    one: fn(&Shared, &str, &[&str]) -> Result<(), String>,
}

macro_rules! logs {
    ($($name:literal: $trial:ty;)*) => {
        [$(Log {
            name: $name,
            explore: |shared, threads| explore::<$trial>(native, shared, threads),
            one: |shared, scope, letters| one::<$trial>(&native, shared, scope, letters),
        }),*]
    };
}

const LOGS: [Log; 5] = logs! {
    "journal": Journal;
    "event-log": EventLog;
    "raft-log": Raft;
    "snapshot": Snapshot;
    "change-log": ChangeLog;
};

fn names() -> Vec<&'static str> {
    LOGS.iter().map(|log| log.name).collect()
}

/// Distinct states of each log in one round of sampling: so all logs get on, whenever it is stopped.
const ROUND: u64 = 1_000_000;

fn main() -> ExitCode {
    let args = Args::parse();
    let logs: Vec<&Log> =
        LOGS.iter().filter(|log| args.log.as_ref().is_none_or(|name| name == log.name)).collect();
    println!("seed {}, sequences of up to {} letters, {} states", args.seed, args.length, args.states);
    let plan = Plan { samples: (6, 64), ..Plan::exhaust(args.length) };
    let mut shared: Vec<Shared> = logs.iter().map(|log| Shared::new(log.name, plan, args.seed)).collect();
    if let (Some(scope), Some(sequence)) = (&args.scope, &args.sequence) {
        let letters: Vec<&str> = sequence.split(',').filter(|name| !name.is_empty()).collect();
        for (log, shared) in logs.iter().zip(&shared) {
            if let Err(what) = (log.one)(shared, scope, &letters) {
                eprintln!("error: {what}");
                return ExitCode::from(2);
            }
        }
    } else {
        let share = args.states / logs.len() as u64;
        for round in 0..=share.div_ceil(ROUND) {
            for (log, shared) in logs.iter().zip(&mut shared) {
                shared.plan.states = share.min(round * ROUND);
                watched(log, shared, args.threads);
            }
        }
    }
    table(&shared.iter().map(|shared| (shared.name.as_str(), shared.tally.row())).collect::<Vec<_>>());
    let failures: Vec<String> = shared.iter().filter_map(Shared::failure).collect();
    failures.iter().for_each(|failure| println!("\n{failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Explores a log and prints every ten seconds how far that is.
fn watched(log: &Log, shared: &Shared, threads: usize) {
    let (start, before) = (Instant::now(), shared.tally.row().states());
    std::thread::scope(|scope| {
        let work = scope.spawn(|| (log.explore)(shared, threads));
        let mut told = start;
        while !work.is_finished() {
            std::thread::park_timeout(Duration::from_millis(100));
            if told.elapsed() >= Duration::from_secs(10) {
                told = Instant::now();
                progress(log.name, shared, start, before);
            }
        }
    });
    progress(log.name, shared, start, before);
}

fn progress(name: &str, shared: &Shared, start: Instant, before: u64) {
    let row = shared.tally.row();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name}: {:.0} s, {} sequences, {} images, {} distinct states (exhausted {}, sampled {}), {:.0} distinct/s, {} failures",
        seconds,
        row.sequences.0 + row.sequences.1,
        row.explored.0 + row.explored.1,
        row.states(),
        row.distinct.0,
        row.distinct.1,
        (row.states() - before) as f64 / seconds.max(0.001),
        row.failures()
    );
}

/// One line per log, and one for all.
fn table(rows: &[(&str, Row)]) {
    let all = rows.iter().fold(Row::default(), |all, (_, row)| all.plus(row));
    println!(
        "\n| log | | sequences | crash points | images explored | distinct states | acknowledged and lost | \
         silently wrong | unopenable |\n|---|---|---|---|---|---|---|---|---|"
    );
    for (name, row) in rows.iter().chain([&("all", all)]) {
        let Row { sequences, points, explored, distinct, lost, wrong, unopenable, .. } = row;
        println!(
            "| {name} | exhausted | {} | {} | {} | {} | {lost} | {wrong} | {unopenable} |\n\
             | | sampled | {} | {} | {} | {} | | | |",
            sequences.0, points.0, explored.0, distinct.0, sequences.1, points.1, explored.1, distinct.1
        );
    }
    println!(
        "\n{} distinct states; {} recoveries crashed at each of their calls, {} opens that had to be refused, {} \
         recovered logs opened and closed again",
        all.states(),
        all.seconds,
        all.refused,
        all.again
    );
}
