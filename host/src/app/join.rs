//! Two components become one: the app's imports `annals:log/…` are the exports of the component that holds the logs.

use crate::error::{Cause, Error};
use std::fmt;
use wac_graph::{
    CompositionGraph, EncodeOptions, NodeId, PackageId,
    types::{Package, are_semver_compatible},
};

/// How a component begins, and no core module does.
const COMPONENT_MAGIC: &[u8] = b"\0asm\x0d\0\x01\0";
/// How a core module begins.
const MODULE_MAGIC: &[u8] = b"\0asm\x01\0\0\0";
/// The interface that is run.
const RUN: &str = "wasi:cli/run@0.2.";
/// Where the interfaces of the logs are.
const LOGS: &str = "annals:log/";
/// What a host gives to a joined component: `annals:storage`, and these packages of WASI 0.2.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Joins an app with a component that holds the logs, as one component that exports `wasi:cli/run`. What neither part
/// finds in the other remains an import.
///
/// # Errors
/// [`Error::Setup`]: the app is no component, exports no `wasi:cli/run`, or imports an interface of the logs that the
/// component does not export in this form and version; which, is in the error's source.
pub fn join(app: &[u8], component: &[u8]) -> Result<Vec<u8>, Error> {
    joined(app, component).map_err(|fault| Error::Setup(Cause::new(fault)))
}

/// Why an app cannot be run.
#[derive(Debug)]
enum Fault {
    Module,
    NoComponent,
    NothingToRun,
    /// It imports this one, and these are there.
    Missing(String, Vec<String>),
    /// It imports this one, which is there in another version.
    Version(String, String),
    /// It imports these, which nobody gives it.
    Imports(Vec<String>),
    /// It imports this one, which is there in another form.
    Differs(String, anyhow::Error),
    /// Something else.
    Other(anyhow::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Module => f.write_str(
                "it is a core module, not a component; build it for wasm32-wasip2, or make a component of it with \
                 'wasm-tools component new'",
            ),
            Fault::NoComponent => f.write_str("it is not a WebAssembly component"),
            Fault::NothingToRun => {
                f.write_str("it has nothing to run: it must export 'wasi:cli/run@0.2', as a program with a main does")
            }
            Fault::Missing(import, there) => {
                write!(f, "it imports '{import}', which is not there; there are {}", there.join(", "))
            }
            Fault::Imports(imports) => write!(
                f,
                "it imports {}, which is not there; there are 'annals:log' and WASI 0.2 ({})",
                imports.join(", "),
                WASI.join(", ")
            ),
            Fault::Version(import, there) => {
                write!(f, "it imports '{import}', but here is '{there}'; build it against the contract of this version")
            }
            Fault::Differs(import, why) => write!(
                f,
                "it imports '{import}' in another form than it has here ({why:#}); build it against the contract of \
                 this version"
            ),
            Fault::Other(why) => write!(f, "{why:#}"),
        }
    }
}

impl std::error::Error for Fault {}

fn other(error: impl Into<anyhow::Error>) -> Fault {
    Fault::Other(error.into())
}

fn joined(app: &[u8], component: &[u8]) -> Result<Vec<u8>, Fault> {
    match app {
        app if app.starts_with(COMPONENT_MAGIC) => {}
        app if app.starts_with(MODULE_MAGIC) => return Err(Fault::Module),
        _ => return Err(Fault::NoComponent),
    }
    let mut graph = CompositionGraph::new();
    let logs = register(&mut graph, "annals:component", component)?;
    let app = register(&mut graph, "annals:app", app)?;
    let there = exports(&graph, logs);
    let run = exports(&graph, app).into_iter().find(|name| name.starts_with(RUN));
    let run = run.ok_or(Fault::NothingToRun)?;

    let strange = imports(&graph, app).into_iter().filter(|name| !is_given(name));
    let strange: Vec<String> = strange.map(|name| format!("'{name}'")).collect();
    if !strange.is_empty() {
        return Err(Fault::Imports(strange));
    }
    let instance = graph.instantiate(app);
    let mut holder: Option<NodeId> = None;
    for import in imports(&graph, app) {
        if !import.starts_with(LOGS) {
            continue;
        }
        let export = matching(&import, &there)?;
        let holder = *holder.get_or_insert_with(|| graph.instantiate(logs));
        let alias = graph.alias_instance_export(holder, export).map_err(other)?;
        graph
            .set_instantiation_argument(instance, &import, alias)
            .map_err(|error| Fault::Differs(import, anyhow::Error::new(error)))?;
    }
    let export = graph.alias_instance_export(instance, &run).map_err(other)?;
    graph.export(export, run).map_err(other)?;
    // Wasmtime checks it when it compiles it.
    graph.encode(EncodeOptions { validate: false, ..EncodeOptions::default() }).map_err(other)
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: &[u8]) -> Result<PackageId, Fault> {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut());
    let package = package.map_err(|error| other(error.context("it is not a valid component")))?;
    graph.register_package(package).map_err(other)
}

fn imports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].imports.keys().cloned().collect()
}

fn exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].exports.keys().cloned().collect()
}

/// Whether somebody gives this import, in whatever version.
fn is_given(import: &str) -> bool {
    let wasi = |package: &str| import.starts_with(&format!("wasi:{package}/"));
    import.starts_with(LOGS) || import.starts_with("annals:storage/") || WASI.into_iter().any(wasi)
}

/// The export that this import is.
fn matching<'a>(import: &str, there: &'a [String]) -> Result<&'a str, Fault> {
    let fits = |name: &&String| **name == import || are_semver_compatible(name, import);
    if let Some(name) = there.iter().find(fits) {
        return Ok(name);
    }
    let bare = |name: &str| name.split('@').next().map(str::to_owned);
    match there.iter().find(|name| bare(name) == bare(import)) {
        Some(name) => Err(Fault::Version(import.to_owned(), name.clone())),
        None => {
            let logs = there.iter().filter(|name| name.starts_with(LOGS)).cloned().collect();
            Err(Fault::Missing(import.to_owned(), logs))
        }
    }
}
