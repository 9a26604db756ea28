//! `annals completions`: what a shell needs to complete the commands and their options.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Outcome, output::Output};

/// Print completions for a shell
///
/// For example, in ~/.bashrc: source <(annals completions bash). For zsh, write them to a file named _annals in a
/// directory of $fpath; for fish, to ~/.config/fish/completions/annals.fish.
#[derive(Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

/// Runs `completions`.
pub(crate) fn run(args: &Completions, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Command::command(), "annals", &mut script);
    out.bytes(&script)?;
    Ok(Outcome::Fine)
}
