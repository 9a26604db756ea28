//! What the command reads: lines, length-prefixed items, JSON, columns, sizes, names, tokens.

#[path = "../../../host/src/cli/args.rs"]
pub(crate) mod args;
#[path = "../../../host/src/cli/change/lines.rs"]
pub(crate) mod change_lines;
#[path = "../../../host/src/cli/columns.rs"]
pub(crate) mod columns;
#[path = "../../../host/src/cli/files.rs"]
pub(crate) mod files;
#[path = "../../../host/src/cli/format.rs"]
pub(crate) mod format;
#[path = "../../../host/src/cli/input.rs"]
pub(crate) mod input;
#[path = "../../../host/src/cli/lines.rs"]
pub(crate) mod lines;
#[path = "../../../host/src/cli/prefixed.rs"]
pub(crate) mod prefixed;
#[path = "../../../host/src/cli/snapshot/lines.rs"]
pub(crate) mod snapshot_lines;

pub(crate) mod snapshot {
    pub(crate) use super::snapshot_lines::bytes;
}

pub(crate) mod output {
    //! How many of what, for messages.

    use std::fmt;

    pub(crate) struct Count(pub(crate) u64, pub(crate) &'static str);

    impl fmt::Display for Count {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} {}", self.0, self.1)
        }
    }
}

use crate::Token;
use annals_tests::campaign::draw::Draw;
use input::{InputError, Source};
use lines::Lines;
use prefixed::Prefixed;
use std::io::{self, Read};

/// Reads that return what is there in parts, and sometimes fail.
struct Parts<'a> {
    bytes: &'a [u8],
    sizes: Vec<u8>,
    fails: bool,
}

impl Read for Parts<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = match self.sizes.pop() {
            Some(0) => return Err(io::ErrorKind::Interrupted.into()),
            Some(most) => usize::from(most),
            None => usize::MAX,
        };
        if self.fails && self.bytes.is_empty() {
            return Err(io::Error::other("gone"));
        }
        let (some, rest) = self.bytes.split_at(most.min(into.len()).min(self.bytes.len()));
        into[..some.len()].copy_from_slice(some);
        self.bytes = rest;
        Ok(some.len())
    }
}

fn all(source: &mut dyn Source, max: usize) -> (Vec<Vec<u8>>, Option<InputError>) {
    let mut items = Vec::new();
    loop {
        match source.next_batch(max) {
            Ok(None) => return (items, None),
            Ok(Some(batch)) => {
                assert!((1..=max.max(1)).contains(&batch.ends.len()));
                assert_eq!(batch.ends.last().copied(), Some(batch.bytes.len() as u32));
                items.extend(columns::each(batch.ends, batch.bytes).map(<[u8]>::to_vec));
            }
            Err(error) => {
                assert!(matches!(source.next_batch(max), Ok(None)), "an error ends the input");
                return (items, Some(error));
            }
        }
    }
}

/// Inputs in parts, against what their formats say; each line as a record; each word as an argument.
pub fn inputs(draw: &mut Draw) {
    match draw.below(5) {
        0 => lines_and_items(draw),
        1 => records(draw),
        2 => printed(draw),
        3 => words(draw),
        _ => numbers(draw),
    }
}

fn lines_and_items(draw: &mut Draw) {
    let (max, parts, fails) = (draw.below(20) as usize, draw.below(30) as usize, draw.chance(20));
    let sizes = draw.bytes(parts);
    let bytes = draw.bytes(usize::MAX);
    let part = || Parts { bytes: &bytes, sizes: sizes.clone(), fails };
    let (items, error) = all(&mut Lines::new(part()), max);
    let mut wanted: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = wanted.pop();
    if !fails && last.is_some_and(|last| !last.is_empty()) {
        wanted.extend(last);
    }
    assert_eq!(items, wanted);
    assert_eq!(error.is_some(), fails);
    let (items, error) = all(&mut Prefixed::new(part()), max);
    let (mut rest, mut wanted) = (&*bytes, Vec::new());
    while let Some((len, behind)) = rest.split_first_chunk::<4>()
        && let Some((item, behind)) = behind.split_at_checked(u32::from_le_bytes(*len) as usize)
    {
        wanted.push(item);
        rest = behind;
    }
    assert_eq!(items, wanted);
    assert_eq!(error.is_some(), fails || !rest.is_empty());
}

fn records(draw: &mut Draw) {
    use change_lines as change;
    use snapshot_lines as snapshot;
    let json = draw.chance(70);
    let deletes = draw.chance(50);
    let line = draw.bytes(usize::MAX);
    let update =
        snapshot::parse(if json { snapshot::Format::Json } else { snapshot::Format::Lines }, deletes, &line);
    if let Ok(line) = &update {
        assert_eq!(line.update().is_none(), matches!(line, snapshot::Line::Cursor(_)));
    }
    let _ = change::parse(if json { change::Format::Json } else { change::Format::Lines }, &line);
    let _ = columns::split(&line, ["index", "term"]);
    let _ = columns::split(&line, ["id"]);
    let _ = columns::numbered(draw.number(), line.len());
}

/// What is printed can be read again.
fn printed(draw: &mut Draw) {
    let (index, term) = (draw.number(), draw.number());
    let item = draw.bytes(usize::MAX);
    let mut bytes = Vec::new();
    columns::Format::Tabs.put([("index", index), ("term", term)], &item, &mut bytes);
    let line = bytes.strip_suffix(b"\n").unwrap_or_default();
    let read = columns::split(line, ["index", "term"]).map_err(|error| error.to_string());
    assert_eq!(read, Ok(([index, term], &*item)));
    bytes.clear();
    columns::Format::Prefixed.put([], &item, &mut bytes);
    assert!(matches!(all(&mut Prefixed::new(&*bytes), 9), (items, None) if items == [item.clone()]));
    bytes.clear();
    columns::Format::Json.put([("key", 1)], &item, &mut bytes);
    assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    // As `range --output json` prints a key and a value, so does a line of `apply` take it.
    let mut object = serde_json::Map::new();
    format::put_bytes(&mut object, "key_", &item);
    format::put_bytes(&mut object, "value_", &item);
    let line = serde_json::Value::Object(object).to_string();
    let read = snapshot_lines::parse(snapshot_lines::Format::Json, false, line.as_bytes());
    let put = snapshot_lines::Line::Update {
        kind: snapshot_lines::Kind::Put,
        key: item.clone(),
        value: item,
        version: Vec::new(),
    };
    assert_eq!(read, Ok(put));
}

fn words(draw: &mut Draw) {
    let word = String::from_utf8_lossy(&draw.bytes(usize::MAX)).into_owned();
    if let Ok(token) = word.parse::<Token>() {
        assert_eq!(token.to_string(), word);
    }
    if let Ok(name) = args::log_name(&word) {
        assert!(annals_names(&name));
    }
    let _ = args::size(&word);
    if let Ok(bytes) = snapshot_lines::unhex(&word) {
        assert_eq!(bytes.len() * 2, word.len());
    }
}

fn annals_names(name: &str) -> bool {
    (1..=64).contains(&name.len()) && crate::storage::check_name(&format!("log.{name}")).is_ok()
}

fn numbers(draw: &mut Draw) {
    let wide = |draw: &mut Draw| u128::from(draw.number()) << 64 | u128::from(draw.number());
    let token = Token { log: wide(draw), frame: draw.number(), check: wide(draw) };
    assert_eq!(token.to_string().parse(), Ok(token));
    let (number, unit) = (draw.number() >> draw.below(64), draw.below(4) as usize);
    let size = args::size(&format!("{number}{}", ["", "KiB", " MiB", "GiB"][unit]));
    assert_eq!(size.ok(), number.checked_mul(1 << (10 * unit)));
}
