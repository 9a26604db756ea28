//! `MANIFEST.json`. Unknown, missing and repeated fields are refused; so is every other way to write a hash or a cursor
//! than the one that an export writes.

use super::{ArtifactFile, ImportError, Manifest, wit};
use crate::error::{ArtifactFault, Error};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The version that this library reads and writes.
const SCHEMA: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    schema_version: u32,
    backend: String,
    backend_version: String,
    cursor_hex: String,
    created_at_unix: u64,
    files: Vec<JsonFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonFile {
    path: String,
    size: u64,
    blake3: String,
}

/// Of a manifest in another version only this is looked at.
#[derive(Deserialize)]
struct Version {
    schema_version: u64,
}

impl Manifest {
    /// As it stands in `MANIFEST.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let file = |file: &ArtifactFile| JsonFile {
            path: file.path.clone(),
            size: file.size,
            blake3: hex(&file.blake3),
        };
        let json = Json {
            schema_version: self.schema_version,
            backend: self.backend.clone(),
            backend_version: self.backend_version.clone(),
            cursor_hex: hex(&self.cursor),
            created_at_unix: self.created_at_unix,
            files: self.files.iter().map(file).collect(),
        };
        // Strings and numbers can always be written to memory.
        let mut bytes = serde_json::to_vec_pretty(&json).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads what stands in `MANIFEST.json`.
    ///
    /// # Errors
    /// [`Artifact`](Error::Artifact): it is of another schema version, or not well-formed.
    pub fn from_json(bytes: &[u8]) -> Result<Manifest, ImportError> {
        let fault = |fault, what: String| {
            let what = format!("MANIFEST.json, {what}").into();
            ImportError { error: Error::Artifact(fault), what }
        };
        let broken = |what: String| fault(ArtifactFault::Manifest, what);
        let Version { schema_version } =
            serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
        if schema_version != SCHEMA {
            let what = format!("its schema_version {schema_version}");
            return Err(fault(ArtifactFault::SchemaVersion, what));
        }
        let json: Json = serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
        let cursor =
            unhex(&json.cursor_hex).ok_or_else(|| broken("its cursor_hex is no hexadecimal text".into()))?;
        let file = |JsonFile { path, size, blake3 }: JsonFile| match unhex(&blake3) {
            Some(blake3) if blake3.len() == 32 => Ok(ArtifactFile { path, size, blake3 }),
            _ => Err(broken(format!("the blake3 of {path:?} is none"))),
        };
        Ok(Manifest {
            schema_version: json.schema_version,
            backend: json.backend,
            backend_version: json.backend_version,
            cursor,
            created_at_unix: json.created_at_unix,
            files: json.files.into_iter().map(file).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn from_wit(manifest: wit::Manifest) -> Manifest {
        let wit::Manifest { schema_version, backend, backend_version, cursor, created_at_unix, files } =
            manifest;
        let file = |wit::ArtifactFile { path, size, blake3 }| ArtifactFile { path, size, blake3 };
        let files = files.into_iter().map(file).collect();
        Manifest { schema_version, backend, backend_version, cursor, created_at_unix, files }
    }

    pub(super) fn to_wit(&self) -> wit::Manifest {
        let file = |file: &ArtifactFile| wit::ArtifactFile {
            path: file.path.clone(),
            size: file.size,
            blake3: file.blake3.clone(),
        };
        wit::Manifest {
            schema_version: self.schema_version,
            backend: self.backend.clone(),
            backend_version: self.backend_version.clone(),
            cursor: self.cursor.clone(),
            created_at_unix: self.created_at_unix,
            files: self.files.iter().map(file).collect(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lowercase only, so that each value has one text.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |&[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            schema_version: 1,
            backend: "annals-snapshot".into(),
            backend_version: "1".into(),
            cursor: vec![0, 0xab],
            created_at_unix: 7,
            files: vec![ArtifactFile { path: "data/cursor".into(), size: 2, blake3: vec![0xf0; 32] }],
        }
    }

    fn text() -> String {
        String::from_utf8(manifest().to_json()).unwrap()
    }

    fn read(text: &[u8]) -> Result<Manifest, Error> {
        Manifest::from_json(text).map_err(|refused| refused.error)
    }

    #[test]
    fn the_text_is_what_the_design_says() {
        let hash = "f0".repeat(32);
        let expected = format!(
            "{{\n  \"schema_version\": 1,\n  \"backend\": \"annals-snapshot\",\n  \"backend_version\": \"1\",\n  \
             \"cursor_hex\": \"00ab\",\n  \"created_at_unix\": 7,\n  \"files\": [\n    {{\n      \
             \"path\": \"data/cursor\",\n      \"size\": 2,\n      \"blake3\": \"{hash}\"\n    }}\n  ]\n}}\n"
        );
        assert_eq!(text(), expected);
        assert_eq!(read(text().as_bytes()), Ok(manifest()));
    }

    #[test]
    fn whatever_an_export_does_not_write_is_refused() {
        use ArtifactFault::{Manifest as Broken, SchemaVersion};
        for (from, to, fault) in [
            ("\"schema_version\": 1", "\"schema_version\": 2", SchemaVersion),
            ("\"schema_version\": 1", "\"schema_version\": 18446744073709551615", SchemaVersion),
            ("\"schema_version\": 1", "\"schema_version\": 2, \"more\": 1", SchemaVersion),
            ("\"schema_version\": 1", "\"schema_version\": \"1\"", Broken),
            ("\"schema_version\": 1", "\"schema_version\": 1.0", Broken),
            ("\"schema_version\": 1,", "", Broken),
            ("\"schema_version\": 1", "\"schema_version\": 1, \"schema_version\": 1", Broken),
            ("\"backend\": ", "\"more\": 1, \"backend\": ", Broken),
            ("\"path\": ", "\"more\": 1, \"path\": ", Broken),
            ("\"size\": 2", "\"size\": 2, \"size\": 2", Broken),
            ("\"size\": 2", "\"size\": -2", Broken),
            ("\"size\": 2", "\"size\": 2.5", Broken),
            ("\"size\": 2,", "", Broken),
            ("00ab", "00AB", Broken),
            ("00ab", "00a", Broken),
            ("00ab", "00ag", Broken),
            ("f0f0\"", "f0\"", Broken),
            ("f0f0\"", "f0F0\"", Broken),
            ("f0f0\"", "f0f0f0\"", Broken),
            ("}\n", "} x\n", Broken),
            ("\"files\"", "\"flies\"", Broken),
        ] {
            let changed = text().replacen(from, to, 1);
            assert_ne!(changed, text(), "{from}");
            assert_eq!(read(changed.as_bytes()), Err(Error::Artifact(fault)), "{to}");
        }
        for end in 0..text().trim_end().len() {
            assert_eq!(read(&text().as_bytes()[..end]), Err(Error::Artifact(Broken)), "{end}");
        }
    }
}
