//! Builds the component from `guest/` so that the library can embed it.
//!
//! A nested cargo builds `annals-component` for `wasm32-wasip2` with a profile and a target directory of its own, so the
//! profile, flags and target of the outer build do not reach it. `ANNALS_COMPONENT=path` embeds a ready component
//! instead.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-wasip2";

/// What makes the component fast; `simd128` below does too.
const PROFILE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
];

fn main() {
    if let Err(message) = run() {
        eprintln!("\n{message}\n");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = root.parent().ok_or("the host crate has no parent directory")?;
    let embedded = out.join("annals.wasm");

    println!("cargo::rerun-if-env-changed=ANNALS_COMPONENT");
    if let Some(ready) = env::var_os("ANNALS_COMPONENT").map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", ready.display());
        return copy(&ready, &embedded);
    }

    for path in ["guest", "wit", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    ensure_target(root)?;
    let built = build_guest(root, &guest_target_dir(&out))?;
    copy(&built, &embedded)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

fn copy(source: &Path, destination: &Path) -> Result<(), String> {
    fs::copy(source, destination)
        .map(drop)
        .map_err(|error| format!("cannot copy {} to {}: {error}", source.display(), destination.display()))
}

/// `target/annals-guest`, shared by all profiles of the outer build: `OUT_DIR` is `target/PROFILE/build/PACKAGE/out`,
/// with the target triple before the profile if one was given.
fn guest_target_dir(out: &Path) -> PathBuf {
    let is_target = |path: &&Path| path.join("CACHEDIR.TAG").is_file();
    let target = out.ancestors().skip(4).find(is_target).unwrap_or(out);
    target.join("annals-guest")
}

/// Sees to it that the standard library for the component's target is there.
fn ensure_target(root: &Path) -> Result<(), String> {
    if has_target(root) {
        return Ok(());
    }
    let toolchain = env::var("RUSTUP_TOOLCHAIN").ok();
    let mut rustup = Command::new("rustup");
    rustup.current_dir(root).args(["target", "add", TARGET]);
    let mut by_hand = format!("rustup target add {TARGET}");
    if let Some(toolchain) = &toolchain {
        rustup.args(["--toolchain", toolchain]);
        by_hand = format!("{by_hand} --toolchain {toolchain}");
    }
    let added = rustup.output();
    match added {
        Ok(output) if output.status.success() && has_target(root) => {
            println!("cargo::warning=the Rust target {TARGET} was missing and has been added: {by_hand}");
            Ok(())
        }
        Ok(output) => Err(format!(
            "The Rust target {TARGET} is missing and could not be added:\n{}\nAdd it with:\n\n    {by_hand}\n",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(_) => Err(format!(
            "The Rust target {TARGET} is missing, and there is no rustup here to add it. With rustup, the command is:\n\n    \
             {by_hand}\n"
        )),
    }
}

fn has_target(root: &Path) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).current_dir(root).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn build_guest(root: &Path, target_dir: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args([
            "build",
            "--package",
            "annals-component",
            "--lib",
            "--release",
            "--locked",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target_dir);
    // What the outer build was told about flags, wrappers, targets and profiles is not meant for the component.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let outer = [
            "CARGO_PROFILE_",
            "CARGO_TARGET_",
            "CARGO_BUILD_",
            "CARGO_FEATURE_",
            "CARGO_CFG_",
            "CARGO_UNSTABLE_",
        ];
        if outer.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    for name in ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"] {
        cargo.env_remove(name);
    }
    cargo.envs(PROFILE).env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128");

    let status = cargo.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err("the component (package annals-component) does not build; cargo says why above".into());
    }
    Ok(target_dir.join(TARGET).join("release").join("annals_component.wasm"))
}
