//! The `annals` command. What it does is in `cli`; this starts it.

use std::process::ExitCode;

mod bench;
mod cli;

fn main() -> ExitCode {
    cli::main()
}
