//! Builds guests from `tests/guests`. What was built is kept in `target/tmp/guests` and built anew only when its sources,
//! the contract or the tools change.
//!
//! The tools are Python packages, in a virtual environment at `target/guest-tools`; `.ci/run` makes it:
//!
//! ```text
//! python3 -m venv target/guest-tools
//! target/guest-tools/bin/pip install componentize-py==0.25.1 ziglang==0.15.2
//! ```

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as ADAPTER,
};
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;
use wit_parser::Resolve;

/// Part of the name of what is built: to be changed when this file or a tool changes what comes out.
const VERSION: &str = "1";

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the host crate is in a directory of the repository")
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target")
}

/// Where things are built and kept.
pub fn kept() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}

/// A tool, or none if it is not installed; then it says so.
fn tool(name: &str) -> Option<PathBuf> {
    let tools = target().join("guest-tools");
    let path = tools.join("bin").join(name);
    if path.exists() {
        return Some(path);
    }
    // Past the capture of the test harness, so that it is seen in every run.
    let _ =
        writeln!(std::io::stderr(), "SKIPPED: {name} is missing in {}; .ci/run installs it", tools.display());
    None
}

/// The guest in Python, or none without its tools.
pub fn python() -> Option<PathBuf> {
    let componentize = tool("componentize-py")?;
    let guest = root().join("tests/guests/python");
    Some(built("python", &[&guest, &root().join("wit")], |work| {
        let done = work.join("app.wasm");
        let mut command = Command::new(componentize);
        command
            .arg("--quiet")
            .arg("--wit-path")
            .arg(root().join("wit"))
            .arg("--wit-path")
            .arg(guest.join("wit"));
        command.args(["--world", "annals:guest-in-python/app", "componentize", "--python-path"]).arg(&guest);
        run(command.args(["app", "--output"]).arg(&done));
        done
    }))
}

/// The guest in C, or none without its tools.
pub fn c() -> Option<PathBuf> {
    let python = tool("python")?;
    tool("python-zig")?;
    let guest = root().join("tests/guests/c");
    Some(built("c", &[&guest, &root().join("wit")], |work| {
        for (name, bytes) in bindings().iter() {
            fs::write(work.join(name), bytes).expect("bindings are written");
        }
        let module = work.join("module.wasm");
        let mut command = Command::new(python);
        command.env("ZIG_GLOBAL_CACHE_DIR", kept().join("zig")).env("ZIG_LOCAL_CACHE_DIR", work.join("zig"));
        command.args([
            "-m",
            "ziglang",
            "cc",
            "-target",
            "wasm32-wasi",
            "-std=c11",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
        ]);
        command.arg("-I").arg(work);
        command
            .args(sources(&guest, "c"))
            .args(["guest.c", "guest_component_type.o"].map(|name| work.join(name)));
        run(command.arg("-o").arg(&module));
        let component = ComponentEncoder::default()
            .validate(true)
            .module(&fs::read(module).expect("a module"))
            .and_then(|encoder| encoder.adapter(ADAPTER_NAME, ADAPTER))
            .and_then(|encoder| encoder.encode())
            .expect("the module becomes a component");
        let done = work.join("app.wasm");
        fs::write(&done, component).expect("the component is written");
        done
    }))
}

/// The contract as C.
fn bindings() -> Files {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("the contract is valid");
    let world = resolve.select_world(&[package], Some("guest")).expect("there is a world for guests");
    let mut files = Files::default();
    let generated = wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files);
    generated.expect("the contract can be told in C");
    files
}

/// The files below a directory that end so, in order.
fn sources(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("sources") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true if !path.ends_with("__pycache__") => found.extend(sources(&path, ending)),
            false if path.to_string_lossy().ends_with(ending) => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// What `make` makes from `inputs` in a directory of its own, or what it made from the same ones before.
fn built(name: &str, inputs: &[&Path], make: impl FnOnce(&Path) -> PathBuf) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    hasher.update(VERSION.as_bytes());
    for path in inputs.iter().flat_map(|dir| sources(dir, "")) {
        let bytes = fs::read(&path).expect("a source");
        hasher
            .update(path.to_string_lossy().as_bytes())
            .update(&(bytes.len() as u64).to_le_bytes())
            .update(&bytes);
    }
    let built = kept().join(format!("{name}-{}.wasm", &hasher.finalize().to_hex()[..16]));
    if !built.exists() {
        let work = kept().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&work).expect("a directory to work in");
        // Renamed when it is complete, so that two runs at once do no harm.
        fs::rename(make(&work), &built).expect("what was built is kept");
        let _ = fs::remove_dir_all(work);
    }
    built
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("the tool starts");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&text));
}
