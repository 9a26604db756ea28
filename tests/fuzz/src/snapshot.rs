//! The manifest of an artifact.

#[path = "../../../host/src/snapshot/artifact/manifest.rs"]
mod manifest;

use crate::error::{ArtifactFault, Error};
use annals_tests::campaign::draw::Draw;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    pub error: Error,
    pub what: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    pub path: String,
    pub size: u64,
    pub blake3: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub schema_version: u32,
    pub backend: String,
    pub backend_version: String,
    pub cursor: Vec<u8>,
    pub created_at_unix: u64,
    pub files: Vec<ArtifactFile>,
}

/// The records of the component.
mod wit {
    pub(super) use super::{ArtifactFile, Manifest};
}

/// An update, as the command's input makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a>(pub u8, pub [&'a [u8]; 3]);

impl<'a> Update<'a> {
    pub fn put(key: &'a [u8], value: &'a [u8]) -> Self {
        Update(0, [key, value, b""])
    }

    pub fn delete(key: &'a [u8]) -> Self {
        Update(1, [key, b"", b""])
    }

    pub fn purge(key: &'a [u8]) -> Self {
        Update(2, [key, b"", b""])
    }

    #[must_use]
    pub fn version(self, version: &'a [u8]) -> Self {
        Update(self.0, [self.1[0], self.1[1], version])
    }
}

fn text(draw: &mut Draw) -> String {
    let len = draw.below(40) as usize;
    String::from_utf8_lossy(&draw.bytes(len)).into_owned()
}

/// Any bytes, a manifest that must survive its text, and the text of one with bytes exchanged.
pub fn manifest(draw: &mut Draw) {
    let bytes = if draw.chance(40) {
        draw.bytes(usize::MAX)
    } else {
        let cursor = draw.below(20) as usize;
        let files = draw.below(4);
        let file = |draw: &mut Draw| ArtifactFile {
            path: text(draw),
            size: draw.number(),
            blake3: draw.bytes(32).into_iter().chain([0; 32]).take(32).collect(),
        };
        let manifest = Manifest {
            schema_version: 1,
            backend: text(draw),
            backend_version: text(draw),
            cursor: draw.bytes(cursor),
            created_at_unix: draw.number(),
            files: (0..files).map(|_| file(draw)).collect(),
        };
        let mut bytes = manifest.to_json();
        assert_eq!(Manifest::from_json(&bytes), Ok(manifest));
        while !draw.is_used_up() {
            let from = draw.below(bytes.len() as u64 + 1) as usize;
            let len = draw.below(8) as usize;
            let new = draw.bytes(len);
            let end = (from + draw.below(8) as usize).min(bytes.len());
            bytes.splice(from..end, new);
        }
        bytes
    };
    match Manifest::from_json(&bytes) {
        Ok(manifest) => {
            assert!(
                manifest.schema_version == 1 && manifest.files.iter().all(|file| file.blake3.len() == 32)
            );
            assert_eq!(Manifest::from_json(&manifest.to_json()), Ok(manifest));
        }
        Err(ImportError {
            error: Error::Artifact(ArtifactFault::Manifest | ArtifactFault::SchemaVersion),
            ..
        }) => {}
        Err(other) => panic!("{other:?}"),
    }
}
