//! Items with numbers before them, separated by tabs: how entries and events stand in lines.
//!
//! `INDEX<TAB>TERM<TAB>PAYLOAD` is an entry, `ID<TAB>EVENT` an event; what follows the last of these tabs is the item,
//! further tabs included. What is printed like this can be read again, unless an item holds LF.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde_json::Value;

use super::format;

/// How items with numbers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Each item on a line, behind its number (and its term) and tabs, as input takes it
    Tabs,
    /// Each item, followed by LF
    Lines,
    /// Each item as it is, one behind the other
    Raw,
    /// A JSON object per line, with the item as "text", or as "hex" where it is not UTF-8
    Json,
    /// Each item as hexadecimal digits on a line of its own
    Hex,
    /// Before each item its length, 4 bytes, little-endian
    Prefixed,
}

impl Format {
    /// Adds an item to what is printed.
    pub(crate) fn put<const N: usize>(self, columns: [(&str, u64); N], item: &[u8], printed: &mut Vec<u8>) {
        let other = match self {
            Format::Tabs => {
                for (_, number) in columns {
                    // Writing to memory cannot fail.
                    let _ = write!(printed, "{number}\t");
                }
                format::Format::Lines
            }
            Format::Lines => format::Format::Lines,
            Format::Raw => format::Format::Raw,
            Format::Json => format::Format::Json,
            Format::Hex => format::Format::Hex,
            Format::Prefixed => format::Format::Prefixed,
        };
        other.put_with(&columns.map(|(name, number)| (name, Value::from(number))), item, printed);
    }
}

/// Takes a line apart into that many numbers and the item behind them. `names` are for the error.
///
/// # Errors
/// There are not as many numbers.
pub(crate) fn split<'a, const N: usize>(
    line: &'a [u8],
    names: [&str; N],
) -> anyhow::Result<([u64; N], &'a [u8])> {
    let mut numbers = [0; N];
    let mut rest = line;
    for (number, name) in numbers.iter_mut().zip(names) {
        let Some(tab) = memchr::memchr(b'\t', rest) else {
            let names = names.map(str::to_uppercase).join("<TAB>");
            bail!("it should be {names}<TAB>ITEM, but there is no tab behind the {name}");
        };
        let text = String::from_utf8_lossy(&rest[..tab]);
        *number = text.parse().with_context(|| format!("its {name} is '{}', not a number", shown(&text)))?;
        rest = &rest[tab + 1..];
    }
    Ok((numbers, rest))
}

/// As much of a text as an error may show.
fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text[..end].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

/// The numbers from `first` on, one for each item of a batch.
///
/// # Errors
/// There are not as many numbers left.
pub(crate) fn numbered(first: u64, count: usize) -> anyhow::Result<std::ops::Range<u64>> {
    let end = first.checked_add(count as u64);
    Ok(first..end.context("there are no numbers left for these items")?)
}

/// The items of a batch, one by one.
pub(crate) fn each<'a>(ends: &'a [u32], bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, &end)| bytes.get(start as usize..end as usize).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_with_tabs_is_read_again() {
        for item in [&b""[..], b"text", b"\t", b"a\tb\t", b"\xff\x00\r"] {
            let mut printed = Vec::new();
            Format::Tabs.put([("index", 7), ("term", u64::MAX)], item, &mut printed);
            assert_eq!(printed.pop(), Some(b'\n'));
            assert_eq!(split(&printed, ["index", "term"]).unwrap(), ([7, u64::MAX], item));
        }
        let mut printed = Vec::new();
        Format::Json.put([("id", 7)], b"x", &mut printed);
        assert_eq!(printed, b"{\"id\":7,\"text\":\"x\"}\n");
    }

    #[test]
    fn lines_without_their_numbers_are_refused() {
        for (line, says) in [
            (&b"7"[..], "it should be INDEX<TAB>TERM<TAB>ITEM, but there is no tab behind the index"),
            (b"7\t1", "it should be INDEX<TAB>TERM<TAB>ITEM, but there is no tab behind the term"),
            (b"x\t1\tp", "its index is 'x', not a number"),
            (b"1\t-1\tp", "its term is '-1', not a number"),
            (b"\t1\tp", "its index is '', not a number"),
            (b"18446744073709551616\t1\tp", "its index is '18446744073709551616', not a number"),
        ] {
            assert_eq!(split(line, ["index", "term"]).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn numbers_end_with_the_last_one() {
        assert_eq!(numbered(u64::MAX - 2, 2).unwrap(), u64::MAX - 2..u64::MAX);
        assert!(numbered(u64::MAX, 1).is_err());
    }
}
