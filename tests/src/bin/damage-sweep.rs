//! `damage-sweep`: damages logs at rest in every way and counts what becomes of it. Exits with 0 if all of it is reported
//! or harmless, with 1 if some is silent, with 2 if the arguments make no sense.

use annals_tests::campaign::damage::{Form, KINDS, sweep_kind};
use annals_tests::native::native;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

#[cfg(feature = "fast")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Damages logs at rest in every way: each bit, sector, file and cell of small logs, closed, not closed, and left by
/// crashes. Prints for each operation how it was reported, or that it is harmless; whatever is neither is silent, and
/// fails the run.
#[derive(Parser)]
#[command(name = "damage-sweep", version)]
struct Args {
    /// Only logs of this kind; may be given several times. Default: all
    #[arg(long, value_parser = PossibleValuesParser::new(KINDS))]
    log: Vec<String>,
    /// Do only every so many operations. 1 does all of them: hours
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    stride: u32,
    /// Crashes in each kind of call of each script that leave a log to be damaged
    #[arg(long, default_value_t = Form::FULL.leftovers)]
    leftovers: usize,
    /// Flip every bit of files up to this size, in bytes
    #[arg(long, default_value_t = Form::FULL.exhausted)]
    exhausted: u64,
    /// Flip only every so many bits of larger files
    #[arg(long, default_value_t = Form::FULL.bit_step, value_parser = clap::value_parser!(u64).range(1..))]
    bit_step: u64,
    /// The seed of logs, crashes and garbage
    #[arg(long, default_value_t = 20_251_120)]
    seed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let form = Form {
        stride: args.stride as usize,
        leftovers: args.leftovers,
        exhausted: args.exhausted,
        bit_step: args.bit_step,
    };
    let kinds: Vec<String> =
        if args.log.is_empty() { KINDS.map(String::from).to_vec() } else { args.log.clone() };
    let mut failed = false;
    for kind in kinds {
        let start = Instant::now();
        println!("{kind}: seed {}, {form:?}", args.seed);
        let progress = |done: usize, all: usize, images: u64| {
            eprint!("\r{kind}: {done} of {all} logs, {images} images, {:.0?}   ", start.elapsed());
            let _ = std::io::stderr().flush();
        };
        let swept = sweep_kind(&kind, &native, args.seed, form, &progress);
        eprintln!();
        match swept {
            Some(Ok(table)) => println!("{table}{kind}: {:.1?}\n", start.elapsed()),
            Some(Err(what)) => {
                failed = true;
                println!("{kind}: SILENT DAMAGE\n{what}\n");
            }
            None => failed = true,
        }
    }
    ExitCode::from(u8::from(failed))
}
