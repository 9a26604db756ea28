//! Writes what fuzzing starts from: `fuzz_seeds DIR` makes `DIR/TARGET/NUMBER` for each target.

use annals_tests::fuzz::{TARGETS, seeds};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: fuzz_seeds DIR");
        std::process::exit(2);
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut storages = Vec::new();
    for entry in fs::read_dir(golden)? {
        let text = fs::read_to_string(entry?.path())?;
        // One golden file holds only the ends of files.
        if text.starts_with("cell ") {
            storages.push(seeds::golden(&text));
        }
    }
    for (target, _) in TARGETS {
        let directory = directory.join(target);
        fs::create_dir_all(&directory)?;
        for (number, seed) in seeds::of(target, &storages).into_iter().enumerate() {
            fs::write(directory.join(number.to_string()), seed)?;
        }
    }
    Ok(())
}
