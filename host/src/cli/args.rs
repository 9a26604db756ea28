//! Arguments that the commands of several logs share.

use annals::{Token, journal::Options};
use clap::Args;

/// What every command takes that opens a log.
#[derive(Args)]
pub(crate) struct Expecting {
    /// Refuse a log whose history does not contain this token: one that was rolled back, shortened or swapped
    #[arg(long = "expect-token", value_name = "TOKEN")]
    pub(crate) token: Option<Token>,
}

impl Expecting {
    /// Puts this into the options of an open.
    pub(crate) fn apply(&self, options: Options) -> Options {
        Options { expect: self.token.or(options.expect), ..options }
    }
}

/// What every command takes that opens a log for writing.
#[derive(Args)]
pub(crate) struct Writing {
    #[command(flatten)]
    pub(crate) expecting: Expecting,
    /// Wait so many milliseconds for another writer to let go of the log
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) lock_wait: u32,
}

impl Writing {
    /// Puts this into the options of an open.
    pub(crate) fn apply(&self, options: Options) -> Options {
        self.expecting.apply(options).lock_wait_ms(self.lock_wait)
    }
}

/// The rules for log names.
pub(crate) fn log_name(text: &str) -> Result<String, String> {
    let narrow = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    match narrow && (1..=64).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("a log name is 1 to 64 of a-z, 0-9 and -".to_owned()),
    }
}

/// A number of bytes, with or without a unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .iter()
        .find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let number: Option<u64> = number.trim_end().parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "a number of bytes is wanted, such as 1000000, 64KiB or 16MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_binary_units_and_nothing_else() {
        assert_eq!(size("1000"), Ok(1000));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        for bad in ["", "KiB", "-1", "1kB", "1.5MiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
