//! The `annals` command: arguments, exit codes, and what all its commands share.
//!
//! Each group of commands has a file of its own. A command answers with an [`Outcome`] or fails with an error that
//! `failure` puts into words; both end in one of three exit codes, the same for every command ([`EXIT_CODES`]).
//! Commands that only read open the directory and the log without changing anything in them.

mod append;
mod args;
mod bench;
mod change;
mod columns;
mod common;
mod completions;
mod copy;
mod event;
mod failure;
mod files;
mod format;
mod input;
mod inspect;
mod journal;
mod json;
mod lines;
mod list;
mod output;
mod prefixed;
mod raft;
mod reading;
mod replay;
mod roundtrip;
mod run;
mod snapshot;
mod verify;
mod wit;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use annals::{
    Admin, Config, Error, Journal, Runtime,
    journal::Options,
    storage::{Directory, Storage},
};
use anyhow::{Context as _, anyhow, bail};
use clap::{Parser, Subcommand};

use self::output::{Output, complain};

/// What the exit code of every command means.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; a log that was not closed cleanly but can be recovered is healthy
  1  damage: stored bytes are not what was written, or a log is not what its token says
  2  wrong usage, and every other error

Results go to standard output, everything else to standard error.";

/// Durable logs in a directory
#[derive(Parser)]
#[command(name = "annals", version, override_usage = "annals --dir <DIR> <COMMAND>", after_help = EXIT_CODES)]
struct Command {
    /// Directory that holds the logs
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Run the component in this file, which must be of the same world, instead of the one that is built in
    #[arg(long, global = true, value_name = "FILE")]
    component: Option<PathBuf>,
    #[command(subcommand)]
    group: Group,
}

#[derive(Subcommand)]
enum Group {
    /// Append to, read, prune and rewind journals: dense logs with positions 0, 1, 2, …
    #[command(subcommand, after_help = EXIT_CODES)]
    Journal(journal::Command),
    /// Append to, read, rotate, archive and delete from event logs: events with ids of your own
    #[command(subcommand, after_help = EXIT_CODES)]
    Event(event::Command),
    /// Write to, read, truncate and purge Raft logs: entries with terms, and the hard state
    #[command(subcommand, after_help = EXIT_CODES)]
    Raft(raft::Command),
    /// Apply changes to, read, compact, export and import snapshots: folds of a stream of changes
    #[command(subcommand, after_help = EXIT_CODES)]
    Snapshot(snapshot::Command),
    /// Record, remove and recover changes: intents of steps that touch several stores
    #[command(subcommand, after_help = EXIT_CODES)]
    Change(change::Command),
    /// Check every byte of all logs or of one; changes nothing, also while a log is in use
    #[command(after_help = EXIT_CODES)]
    Verify(verify::Verify),
    /// List all logs
    #[command(after_help = EXIT_CODES)]
    List(list::List),
    #[command(after_help = EXIT_CODES)]
    Inspect(inspect::Inspect),
    #[command(after_help = EXIT_CODES)]
    Copy(copy::Copy),
    Run(run::Run),
    /// Measure how fast logs are here, beside the native library and plain file writes
    #[command(after_help = EXIT_CODES)]
    Bench(bench::Command),
    /// Print the contract of the component, in WIT
    #[command(after_help = EXIT_CODES)]
    Wit,
    #[command(after_help = EXIT_CODES)]
    Completions(completions::Completions),
}

/// How a command ended that did what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// And all was well.
    Fine,
    /// And it met damage, which it has reported.
    Damage,
    /// And the program that it ran ended with this exit code.
    Ran(u8),
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let command = Command::parse();
    match run(command) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Damage) => ExitCode::from(1),
        Ok(Outcome::Ran(code)) => ExitCode::from(code),
        Err(error) => {
            complain(failure::describe(&error));
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    let Command { dir, component, group } = command;
    let mut out = Output::new();
    let component = component.as_deref();
    let place = || Place::new(dir.clone(), component);
    match group {
        Group::Journal(command) => journal::run(&place()?, command, &mut out),
        Group::Event(event::Command::ReadArchive(args)) => {
            event::read_archive(&runtime(component, cached())?, &args, &mut out)
        }
        Group::Event(command) => event::run(&place()?, command, &mut out),
        Group::Raft(command) => raft::run(&place()?, command, &mut out),
        Group::Snapshot(command) => snapshot::run(&place()?, command, &mut out),
        Group::Change(command) => change::run(&place()?, command, &mut out),
        Group::Verify(command) => verify::run(&place()?, &command, &mut out),
        Group::List(command) => list::run(&place()?, &command, &mut out),
        Group::Inspect(command) => inspect::run(&place()?, &command, &mut out),
        Group::Copy(command) => copy::run(&place()?, &command, &mut out),
        Group::Run(command) => run::run(dir, component, &command),
        Group::Bench(command) => bench::run(dir, component, &command, &mut out),
        Group::Wit => wit::run(&mut out),
        Group::Completions(command) => completions::run(&command, &mut out),
    }
}

/// The log component: the one that belongs to this program, or another of the same world.
fn runtime(component: Option<&Path>, config: Config) -> anyhow::Result<Runtime> {
    let Some(path) = component else {
        return Runtime::with_config(config).context("cannot start the log component");
    };
    let name = path.display();
    let bytes = component_bytes(path)?;
    Runtime::compile(&bytes, config)
        .map_err(|error| anyhow!("cannot run component '{name}': {}; {WORLD_HINT}", root_cause(error)))
}

const WORLD_HINT: &str = "'annals wit' shows the world that it must fit";

/// The bytes of another log component.
fn component_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read component '{name}'"))?;
    if !bytes.starts_with(b"\0asm\x0d\0\x01\0") {
        bail!("cannot run component '{name}': it is not a compiled component; {WORLD_HINT}");
    }
    Ok(bytes)
}

/// What is behind an error, on one line: all of it, outermost first.
fn behind(error: Error) -> String {
    let why = match std::error::Error::source(&error) {
        Some(_) => anyhow!(error).chain().skip(1).map(ToString::to_string).collect::<Vec<_>>().join(": "),
        None => error.to_string(),
    };
    why.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The innermost of it.
fn root_cause(error: Error) -> String {
    let why = anyhow!(error);
    let why = format!("{:#}", why.root_cause());
    why.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where compiled components are kept, if anywhere.
fn cached() -> Config {
    annals::cache::default_dir().into_iter().fold(Config::new(), Config::cache)
}

/// A directory, made if it does not exist.
fn made(dir: &Path) -> anyhow::Result<Arc<dyn Storage>> {
    directory("make or open", dir, Directory::open(dir))
}

fn directory(doing: &str, dir: &Path, opened: Result<Directory, Error>) -> anyhow::Result<Arc<dyn Storage>> {
    let doing = format!("{doing} directory '{}'", dir.display());
    match opened {
        Ok(directory) => Ok(Arc::new(directory)),
        Err(Error::Storage(why)) => bail!("cannot {doing}: {why}"),
        Err(error) => Err(failure::told(&doing, dir, error)),
    }
}

/// The directory that a command works on, and the component that works on it.
struct Place {
    dir: PathBuf,
    runtime: Runtime,
}

impl Place {
    fn new(dir: Option<PathBuf>, component: Option<&Path>) -> anyhow::Result<Place> {
        let dir = dir.ok_or_else(|| anyhow!("no directory given; say where the logs are with --dir DIR"))?;
        Ok(Place { dir, runtime: runtime(component, cached())? })
    }

    /// The directory, which must exist.
    fn existing(&self) -> anyhow::Result<Arc<dyn Storage>> {
        if !self.dir.exists() {
            let dir = self.dir.display();
            bail!(
                "cannot open directory '{dir}': there is none; check --dir, or make one with 'journal append'"
            );
        }
        directory("open", &self.dir, Directory::open_existing(&self.dir))
    }

    /// The directory, made if it does not exist.
    fn made(&self) -> anyhow::Result<Arc<dyn Storage>> {
        made(&self.dir)
    }

    /// Opens a journal.
    fn journal(&self, storage: Arc<dyn Storage>, log: &str, options: &Options) -> anyhow::Result<Journal> {
        let opened = self.runtime.journal(storage.clone(), log, options);
        opened.map_err(|error| self.told(&storage, "open", log, error))
    }

    /// Opens a journal for reading only.
    fn reading(&self, log: &str, options: Options) -> anyhow::Result<Journal> {
        self.journal(self.existing()?, log, &options)
    }

    /// What an operator asks of any log.
    fn admin(&self) -> anyhow::Result<Admin> {
        self.runtime
            .admin(self.existing()?)
            .map_err(|error| failure::told("look at the logs", &self.dir, error))
    }

    /// What went wrong with `log` while doing something to it ("open"). An unknown log is answered with those there are.
    fn told(&self, storage: &Arc<dyn Storage>, doing: &str, log: &str, error: Error) -> anyhow::Error {
        let doing = format!("{doing} log '{log}'");
        if error != Error::NotFound {
            return failure::told(&doing, &self.dir, error);
        }
        let dir = self.dir.display();
        let logs = self.runtime.admin(storage.clone()).and_then(|admin| admin.list());
        let logs: Vec<String> = logs.unwrap_or_default().into_iter().map(|info| info.name).collect();
        let known = match logs.len() {
            0 => "holds no logs; 'journal append' makes one".to_owned(),
            1..=20 => format!("holds {}", logs.join(", ")),
            more => {
                format!("holds {} and {} more ('annals list' names all)", logs[..20].join(", "), more - 20)
            }
        };
        anyhow!("cannot {doing}: there is no such log; '{dir}' {known}")
    }

    /// The same for a log that is open.
    fn failed(&self, doing: &str, log: &str, error: Error) -> anyhow::Error {
        failure::told(&format!("{doing} log '{log}'"), &self.dir, error)
    }
}
