//! Lines of an input as changes to record, or to remove.
//!
//! Text: `ID<TAB>PAYLOAD` records; everything behind the first TAB is the payload. JSON: `{"id_text":…,"payload_text":…}`
//! records, `{"kind":"remove","id_text":…}` removes; `_hex` stands for `_text` where bytes are no text.

use annals::change_log::Change;
use clap::ValueEnum;
use serde::Deserialize;

use crate::cli::snapshot::bytes;

/// How changes stand in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// ID, a TAB, PAYLOAD on each line
    Lines,
    /// A JSON object on each line: {"id_text":"…","payload_text":"…"}, with "cleanup_after_ms" where cleaning up has to
    /// wait until then; {"kind":"remove","id_text":"…"} removes a change, with "origin" if it was taken over. "…_hex" may
    /// stand for each "…_text"
    Json,
}

/// One line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// To be recorded.
    Record(Vec<u8>, Change),
    /// To be removed.
    Remove(Option<String>, Vec<u8>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Record,
    Remove,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    #[serde(default)]
    kind: Kind,
    id_text: Option<String>,
    id_hex: Option<String>,
    payload_text: Option<String>,
    payload_hex: Option<String>,
    cleanup_after_ms: Option<u64>,
    origin: Option<String>,
}

/// Reads a line; in words what is wrong with it.
pub(crate) fn parse(format: Format, line: &[u8]) -> Result<Line, String> {
    match format {
        Format::Lines => match memchr::memchr(b'\t', line) {
            Some(tab) => Ok(Line::Record(line[..tab].to_vec(), Change::new(&line[tab + 1..]))),
            None => Err("has no TAB between an id and its payload".to_owned()),
        },
        Format::Json => json(line),
    }
}

fn json(line: &[u8]) -> Result<Line, String> {
    let json: Json =
        serde_json::from_slice(line).map_err(|error| format!("is not what it should be: {error}"))?;
    let id = bytes("id", json.id_text, json.id_hex)?.ok_or("has no id")?;
    let payload = bytes("payload", json.payload_text, json.payload_hex)?;
    match (json.kind, payload, json.cleanup_after_ms, json.origin) {
        (Kind::Record, Some(payload), cleanup_after_ms, None) => {
            Ok(Line::Record(id, Change { payload, cleanup_after_ms }))
        }
        (Kind::Record, None, ..) => Err("records a change without a payload".to_owned()),
        (Kind::Record, ..) => Err("records a change of another origin".to_owned()),
        (Kind::Remove, None, None, origin) => Ok(Line::Remove(origin, id)),
        (Kind::Remove, ..) => Err("removes a change and has a payload or a time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_means_one_thing_or_is_refused() {
        let change = |payload: &[u8]| Change::new(payload);
        assert_eq!(parse(Format::Lines, b"a\tb\tc"), Ok(Line::Record(b"a".to_vec(), change(b"b\tc"))));
        assert!(parse(Format::Lines, b"a b").is_err());
        let parse = |text: &str| parse(Format::Json, text.as_bytes());
        assert_eq!(
            parse(r#"{"id_text":"a","payload_hex":"ff","cleanup_after_ms":7}"#),
            Ok(Line::Record(b"a".to_vec(), change(b"\xff").cleanup_after_ms(7)))
        );
        assert_eq!(
            parse(r#"{"kind":"remove","id_hex":"00","origin":"o"}"#),
            Ok(Line::Remove(Some("o".into()), b"\0".to_vec()))
        );
        assert_eq!(parse(r#"{"kind":"remove","id_text":""}"#), Ok(Line::Remove(None, Vec::new())));
        for bad in [
            "",
            "{}",
            r#"{"id_text":"a"}"#,
            r#"{"payload_text":"a"}"#,
            r#"{"id_text":"a","id_hex":"61","payload_text":""}"#,
            r#"{"id_text":"a","payload_text":"","origin":"o"}"#,
            r#"{"id_text":"a","payload_text":"","more":1}"#,
            r#"{"kind":"remove","id_text":"a","payload_text":""}"#,
            r#"{"kind":"remove","id_text":"a","cleanup_after_ms":1}"#,
            r#"{"kind":"other","id_text":"a"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
