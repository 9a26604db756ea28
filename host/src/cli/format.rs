//! Items as bytes on standard output.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value};

/// How items are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Each item, followed by LF
    Lines,
    /// Each item as it is, one behind the other
    Raw,
    /// A JSON object per line: {"position":N,"text":"…"}, or "hex" instead of "text" where an item is not UTF-8
    Json,
    /// Each item as hexadecimal digits on a line of its own
    Hex,
    /// Before each item its length, 4 bytes, little-endian; append takes that with --input prefixed
    Prefixed,
}

impl Format {
    /// Adds the item at `position` to what is printed.
    pub(crate) fn put(self, position: u64, item: &[u8], printed: &mut Vec<u8>) {
        self.put_with(&[("position", position.into())], item, printed);
    }

    /// Adds an item to what is printed; in JSON, behind these fields.
    pub(crate) fn put_with(self, fields: &[(&str, Value)], item: &[u8], printed: &mut Vec<u8>) {
        match self {
            Format::Lines => {
                printed.extend_from_slice(item);
                printed.push(b'\n');
            }
            Format::Raw => printed.extend_from_slice(item),
            Format::Json => {
                let mut object = Map::new();
                object.extend(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
                put_bytes(&mut object, "", item);
                printed.extend_from_slice(format!("{}\n", Value::Object(object)).as_bytes());
            }
            Format::Hex => {
                printed.extend_from_slice(hex(item).as_bytes());
                printed.push(b'\n');
            }
            Format::Prefixed => {
                // An item has at most 16 MiB.
                printed.extend_from_slice(&(item.len() as u32).to_le_bytes());
                printed.extend_from_slice(item);
            }
        }
    }
}

/// Bytes in a JSON object: `PREFIXtext` where they are UTF-8, else `PREFIXhex`.
pub(crate) fn put_bytes(object: &mut Map<String, Value>, prefix: &str, bytes: &[u8]) {
    let (name, text) = match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("hex", hex(bytes)),
    };
    object.insert(format!("{prefix}{name}"), text.into());
}

/// Bytes as lowercase hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_what_it_says() {
        let items: [&[u8]; 3] = [b"a\"\n", b"", b"\xff\x00"];
        let printed = |format: Format| {
            let mut printed = Vec::new();
            for (position, item) in (7..).zip(items) {
                format.put(position, item, &mut printed);
            }
            printed
        };
        assert_eq!(printed(Format::Lines), b"a\"\n\n\n\xff\x00\n");
        assert_eq!(printed(Format::Raw), b"a\"\n\xff\x00");
        let json = [
            r#"{"position":7,"text":"a\"\n"}"#,
            r#"{"position":8,"text":""}"#,
            r#"{"position":9,"hex":"ff00"}"#,
            "",
        ];
        assert_eq!(String::from_utf8(printed(Format::Json)).unwrap(), json.join("\n"));
        assert_eq!(printed(Format::Hex), b"61220a\n\nff00\n");
        assert_eq!(printed(Format::Prefixed), b"\x03\0\0\0a\"\n\0\0\0\0\x02\0\0\0\xff\x00");
    }
}
