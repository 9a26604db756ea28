//! Lines of an input as updates of a snapshot.
//!
//! Text: `KEY<TAB>VALUE` puts; everything behind the first TAB is the value. A line without TAB deletes its key, but only
//! where that was asked for. JSON: `{"key_text":…,"value_text":…}` puts; `"kind"` may be `put`, `delete` or `purge`;
//! `_hex` stands for `_text` where bytes are no text; `{"cursor_text":…}` alone moves the cursor.

use annals::snapshot::Update;
use clap::ValueEnum;
use serde::Deserialize;

/// How updates stand in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// KEY, a TAB, VALUE on each line
    Lines,
    /// A JSON object on each line, as 'range --output json' prints them: {"key_text":"…","value_text":"…"}, with
    /// "kind":"delete" or "purge" to remove a key; "version_text" is optional, and "…_hex" may stand for each "…_text". An
    /// object {"cursor_text":"…"} ends a batch, and that is its cursor
    Json,
}

/// One line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// An update.
    Update { kind: Kind, key: Vec<u8>, value: Vec<u8>, version: Vec<u8> },
    /// The end of a batch.
    Cursor(Vec<u8>),
}

impl Line {
    /// The update, if it is one.
    pub(crate) fn update(&self) -> Option<Update<'_>> {
        let Line::Update { kind, key, value, version } = self else { return None };
        Some(match kind {
            Kind::Put => Update::put(key, value).version(version),
            Kind::Delete => Update::delete(key).version(version),
            Kind::Purge => Update::purge(key).version(version),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    #[default]
    Put,
    Delete,
    Purge,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Json {
    kind: Option<Kind>,
    key_text: Option<String>,
    key_hex: Option<String>,
    value_text: Option<String>,
    value_hex: Option<String>,
    version_text: Option<String>,
    version_hex: Option<String>,
    cursor_text: Option<String>,
    cursor_hex: Option<String>,
}

/// Reads a line; in words what is wrong with it.
pub(crate) fn parse(format: Format, deletes: bool, line: &[u8]) -> Result<Line, String> {
    match format {
        Format::Lines => text(deletes, line),
        Format::Json => json(line),
    }
}

fn text(deletes: bool, line: &[u8]) -> Result<Line, String> {
    let update = |kind, key: &[u8], value: &[u8]| {
        Ok(Line::Update { kind, key: key.to_vec(), value: value.to_vec(), version: Vec::new() })
    };
    match memchr::memchr(b'\t', line) {
        Some(tab) => update(Kind::Put, &line[..tab], &line[tab + 1..]),
        None if deletes => update(Kind::Delete, line, b""),
        None => {
            Err("has no TAB between a key and its value; with --deletes it would delete that key".to_owned())
        }
    }
}

fn json(line: &[u8]) -> Result<Line, String> {
    let json: Json =
        serde_json::from_slice(line).map_err(|error| format!("is not what it should be: {error}"))?;
    let key = bytes("key", json.key_text, json.key_hex)?;
    let value = bytes("value", json.value_text, json.value_hex)?;
    let version = bytes("version", json.version_text, json.version_hex)?;
    let cursor = bytes("cursor", json.cursor_text, json.cursor_hex)?;
    match (key, value, cursor) {
        (None, None, Some(cursor)) if version.is_none() && json.kind.is_none() => Ok(Line::Cursor(cursor)),
        (_, _, Some(_)) => Err("has a cursor and something else; a cursor stands alone".to_owned()),
        (None, _, None) => Err("has neither a key nor a cursor".to_owned()),
        (Some(key), value, None) => {
            let (kind, version) = (json.kind.unwrap_or_default(), version.unwrap_or_default());
            match (kind, value) {
                (Kind::Put, None) => {
                    Err("puts a key without a value; \"kind\":\"delete\" removes one".to_owned())
                }
                (Kind::Put, Some(value)) => Ok(Line::Update { kind, key, value, version }),
                (_, None) => Ok(Line::Update { kind, key, value: Vec::new(), version }),
                (_, Some(_)) => Err("removes a key and has a value".to_owned()),
            }
        }
    }
}

/// Bytes given as text, or as hexadecimal digits, or not at all.
pub(crate) fn bytes(
    name: &str,
    text: Option<String>,
    hex: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, hex) {
        (Some(_), Some(_)) => Err(format!("has both a {name}_text and a {name}_hex")),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(hex)) => {
            unhex(&hex).map(Some).map_err(|why| format!("has a {name}_hex that is none: {why}"))
        }
        (None, None) => Ok(None),
    }
}

/// Bytes given as hexadecimal digits, of either case.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || "an even number of hexadecimal digits is wanted".to_owned();
    let digit = |digit: u8| char::from(digit).to_digit(16).ok_or_else(wrong);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    pairs.iter().map(|&[high, low]| Ok((digit(high)? << 4 | digit(low)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: Kind, key: &[u8], value: &[u8], version: &[u8]) -> Result<Line, String> {
        Ok(Line::Update { kind, key: key.to_vec(), value: value.to_vec(), version: version.to_vec() })
    }

    #[test]
    fn text_puts_at_the_first_tab_and_deletes_only_when_asked() {
        let parse = |deletes, text: &[u8]| parse(Format::Lines, deletes, text);
        assert_eq!(parse(false, b"a\tb\tc"), line(Kind::Put, b"a", b"b\tc", b""));
        assert_eq!(parse(false, b"\t"), line(Kind::Put, b"", b"", b""));
        assert!(parse(false, b"a b").is_err());
        assert_eq!(parse(true, b"a b"), line(Kind::Delete, b"a b", b"", b""));
    }

    #[test]
    fn json_means_one_thing_or_is_refused() {
        let parse = |text: &str| parse(Format::Json, false, text.as_bytes());
        assert_eq!(parse(r#"{"key_text":"a","value_hex":"00fF"}"#), line(Kind::Put, b"a", b"\0\xff", b""));
        assert_eq!(
            parse(r#"{"kind":"put","key_hex":"","value_text":"","version_text":"7"}"#),
            line(Kind::Put, b"", b"", b"7")
        );
        assert_eq!(parse(r#"{"kind":"delete","key_text":"a"}"#), line(Kind::Delete, b"a", b"", b""));
        assert_eq!(
            parse(r#"{"kind":"purge","key_text":"a","version_hex":"01"}"#),
            line(Kind::Purge, b"a", b"", b"\x01")
        );
        assert_eq!(parse(r#"{"cursor_text":"17"}"#), Ok(Line::Cursor(b"17".to_vec())));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"key_text":"a"}"#,
            r#"{"value_text":"a"}"#,
            r#"{"kind":"put","key_text":"a"}"#,
            r#"{"kind":"delete","key_text":"a","value_text":""}"#,
            r#"{"kind":"move","key_text":"a","value_text":""}"#,
            r#"{"key_text":"a","key_hex":"61","value_text":""}"#,
            r#"{"key_text":"a","value_text":"","value":""}"#,
            r#"{"key_hex":"6","value_text":""}"#,
            r#"{"key_hex":"6+","value_text":""}"#,
            r#"{"cursor_text":"1","key_text":"a","value_text":""}"#,
            r#"{"cursor_text":"1","kind":"put"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
