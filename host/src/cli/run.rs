//! `annals run`: a program in any language that uses the logs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use annals::{
    COMPONENT, Error,
    app::{App, FsPerms, WasiCtx, WasiCtxBuilder},
    storage::Memory,
};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{Outcome, behind, cached, component_bytes, made, root_cause};

/// Run a program that uses the logs: a WebAssembly component in any language
///
/// The program imports interfaces 'annals:log/…' as 'annals wit' shows them (world 'guest'), and exports
/// 'wasi:cli/run@0.2', which is what the main function of C, Rust and other languages becomes when it is compiled for WASI
/// 0.2. It is joined with the log component and gets standard input, output and error of this command and the arguments
/// behind --. It gets no environment, no files and no network unless told. It is compiled once; later runs start at once.
///
/// The exit code is that of the program: 0 or 1 as WASI 0.2 has it, or what it gave to exit-with-code. It is 2 if it
/// could not be started or was stopped by a trap or a limit; standard error says why.
#[derive(Args)]
#[command(override_usage = "annals --dir <DIR> run [OPTIONS] <APP.wasm> [-- <ARGS>...]")]
pub(crate) struct Run {
    /// File of the program
    #[arg(value_name = "APP.wasm")]
    app: PathBuf,
    /// Keep the logs in memory instead of a directory; they are gone at the end
    #[arg(long)]
    memory: bool,
    /// Set a variable of its environment; without a value, to what it is here
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Let it read and write the files in a directory, which it finds at / or at the path given behind ::
    #[arg(long, value_name = "DIR[::PATH]")]
    files: Vec<String>,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// Runs it.
pub(crate) fn run(dir: Option<PathBuf>, component: Option<&Path>, run: &Run) -> anyhow::Result<Outcome> {
    let name = run.app.display();
    let dir = match (dir, run.memory) {
        (Some(dir), false) => Some(dir),
        (None, true) => None,
        _ => bail!("say where the logs are: in a directory with --dir DIR, or in memory with --memory"),
    };
    let app = std::fs::read(&run.app).with_context(|| format!("cannot read '{name}'"))?;
    let other = component.map(component_bytes).transpose()?;
    let app = App::new(&app, other.as_deref().unwrap_or(COMPONENT), cached())
        .map_err(|error| anyhow!("cannot run '{name}': {}", behind(error)))?;
    let wasi = wasi(run)?;
    let storage = match &dir {
        Some(dir) => made(dir)?,
        None => Arc::new(Memory::new()),
    };
    let code = app.run(storage, wasi).map_err(|error| match error {
        Error::Trap(_) => anyhow!("'{name}' was stopped: {}", root_cause(error)),
        Error::Setup(_) => anyhow!("cannot run '{name}': {}", behind(error)),
        error => anyhow!("'{name}' was stopped: {error}"),
    })?;
    // What does not fit into an exit code of this system is a failure too.
    Ok(Outcome::Ran(u8::try_from(code).unwrap_or(1)))
}

/// What the program gets of the world.
fn wasi(run: &Run) -> anyhow::Result<WasiCtx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    wasi.arg(run.app.file_name().unwrap_or_default().to_string_lossy());
    wasi.args(&run.args);
    for variable in &run.env {
        match variable.split_once('=') {
            Some((name, value)) => wasi.env(name, value),
            None => {
                let value = std::env::var(variable);
                let value = value.with_context(|| format!("cannot hand on the variable '{variable}'"))?;
                wasi.env(variable, value)
            }
        };
    }
    for files in &run.files {
        let (dir, path) = files.split_once("::").unwrap_or((files, "/"));
        let opened = wasi.preopened_dir(dir, path, FsPerms::ReadWrite);
        opened.map_err(|error| anyhow!("cannot open directory '{dir}': {error:#}"))?;
    }
    Ok(wasi.build())
}
