//! The exported interface `snapshot`.
//!
//! The resource `snapshot` alone keeps the log open; readers only know of it, and answer `closed` when it is gone. An
//! import is a log of its own.

use crate::{
    Component,
    bindings::exports::annals::log::{snapshot as wit, types},
    convert,
    host::WasmHost,
};
use alloc::{
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use annals_logs::{
    error::Error,
    snapshot::{
        self, ArtifactFile, Entries, Entry, Export, Import, Manifest, Options, Range, Snapshot, Update,
        UpdateKind,
    },
};
use core::cell::{RefCell, RefMut};

type Log = RefCell<Snapshot<WasmHost>>;
type Answer<T> = Result<T, types::Error>;

/// Calls do not overlap, so nothing is ever borrowed twice; should a host manage it, it gets an error.
fn borrow<T>(cell: &RefCell<T>) -> Result<RefMut<'_, T>, Error> {
    cell.try_borrow_mut().map_err(|_| Error::Other("the log is in use by another call".into()))
}

impl wit::Guest for Component {
    type Snapshot = OpenSnapshot;
    type Reader = Reader;
    type ArtifactReader = ArtifactReader;
    type ArtifactWriter = ArtifactWriter;

    fn destroy(name: String) -> Answer<()> {
        snapshot::destroy(&WasmHost, &name).map_err(convert::error)
    }
}

pub(crate) struct OpenSnapshot(Rc<Log>);

impl OpenSnapshot {
    fn call<T>(&self, call: impl FnOnce(&mut Snapshot<WasmHost>) -> Result<T, Error>) -> Answer<T> {
        borrow(&self.0).and_then(|mut snapshot| call(&mut snapshot)).map_err(convert::error)
    }
}

impl wit::GuestSnapshot for OpenSnapshot {
    fn open(name: String, options: wit::Options) -> Answer<wit::Snapshot> {
        let snapshot = Snapshot::open(WasmHost, &name, &options_from_wit(options)).map_err(convert::error)?;
        Ok(wit::Snapshot::new(OpenSnapshot(Rc::new(RefCell::new(snapshot)))))
    }

    fn cursor(&self) -> Answer<Vec<u8>> {
        self.call(|snapshot| snapshot.cursor())
    }

    fn apply(&self, updates: Vec<wit::Update>, cursor: Vec<u8>) -> Answer<Option<types::Token>> {
        let updates: Vec<Update<'_>> = updates.iter().map(update_from_wit).collect();
        self.call(|snapshot| snapshot.apply(&updates, &cursor)).map(|token| token.map(convert::token))
    }

    fn apply_packed(&self, updates: wit::Updates, cursor: Vec<u8>) -> Answer<Option<types::Token>> {
        let kinds: Vec<UpdateKind> = updates.kinds.into_iter().map(kind_from_wit).collect();
        self.call(|snapshot| snapshot.apply_packed(&kinds, &updates.ends, &updates.bytes, &cursor))
            .map(|token| token.map(convert::token))
    }

    fn get(&self, key: Vec<u8>) -> Answer<Option<wit::Entry>> {
        self.call(|snapshot| snapshot.get(&key)).map(|found| found.map(entry))
    }

    fn range(&self, prefix: Vec<u8>) -> Answer<wit::Reader> {
        let range = self.call(|snapshot| snapshot.range(&prefix))?;
        Ok(wit::Reader::new(Reader { snapshot: Rc::downgrade(&self.0), range: RefCell::new(range) }))
    }

    fn has_entries(&self) -> Answer<bool> {
        self.call(|snapshot| snapshot.has_entries())
    }

    fn stats(&self) -> Answer<wit::Stats> {
        self.call(|snapshot| snapshot.stats()).map(stats)
    }

    fn compact(&self) -> Answer<()> {
        self.call(Snapshot::compact)
    }

    fn export_artifact(&self) -> Answer<wit::ArtifactReader> {
        let export = self.call(Snapshot::export)?;
        let snapshot = Rc::downgrade(&self.0);
        Ok(wit::ArtifactReader::new(ArtifactReader { snapshot, export: RefCell::new(export) }))
    }

    fn sync(&self) -> Answer<types::Token> {
        self.call(Snapshot::sync).map(convert::token)
    }

    fn close(&self) -> Answer<types::Token> {
        self.call(Snapshot::close).map(convert::token)
    }
}

/// Runs `call` on the snapshot, if it is still there, and on what belongs to it.
fn with<P, T>(
    snapshot: &Weak<Log>,
    part: &RefCell<P>,
    call: impl FnOnce(&mut Snapshot<WasmHost>, &mut P) -> Result<T, Error>,
) -> Answer<T> {
    let run = || {
        let snapshot = snapshot.upgrade().ok_or(Error::Closed)?;
        let mut snapshot = borrow(&snapshot)?;
        call(&mut snapshot, &mut *borrow(part)?)
    };
    run().map_err(convert::error)
}

pub(crate) struct Reader {
    snapshot: Weak<Log>,
    range: RefCell<Range>,
}

impl wit::GuestReader for Reader {
    fn next(&self, limits: types::Limits) -> Answer<Option<wit::Entries>> {
        let limits = convert::limits_from_wit(limits);
        with(&self.snapshot, &self.range, |snapshot, range| snapshot.range_next(range, limits))
            .map(|found| found.map(|Entries { ends, bytes }| wit::Entries { ends, bytes }))
    }
}

pub(crate) struct ArtifactReader {
    snapshot: Weak<Log>,
    export: RefCell<Export>,
}

impl wit::GuestArtifactReader for ArtifactReader {
    fn files(&self) -> Answer<Vec<wit::ArtifactPath>> {
        let files = with(&self.snapshot, &self.export, |snapshot, export| snapshot.export_files(export))?;
        Ok(files.into_iter().map(|file| wit::ArtifactPath { path: file.path, size: file.size }).collect())
    }

    fn next(&self, max_bytes: u32) -> Answer<Option<wit::ArtifactChunk>> {
        with(&self.snapshot, &self.export, |snapshot, export| snapshot.export_next(export, max_bytes))
            .map(|chunk| chunk.map(|chunk| wit::ArtifactChunk { path: chunk.path, bytes: chunk.bytes }))
    }

    fn manifest(&self) -> Answer<wit::Manifest> {
        with(&self.snapshot, &self.export, |snapshot, export| snapshot.export_manifest(export)).map(manifest)
    }
}

pub(crate) struct ArtifactWriter(RefCell<Import<WasmHost>>);

impl ArtifactWriter {
    fn call<T>(&self, call: impl FnOnce(&mut Import<WasmHost>) -> Result<T, Error>) -> Answer<T> {
        borrow(&self.0).and_then(|mut import| call(&mut import)).map_err(convert::error)
    }
}

impl wit::GuestArtifactWriter for ArtifactWriter {
    fn start(
        name: String,
        manifest: wit::Manifest,
        segment_bytes: Option<u64>,
    ) -> Answer<wit::ArtifactWriter> {
        let manifest = manifest_from_wit(manifest);
        let import = Import::start(WasmHost, &name, &manifest, segment_bytes).map_err(convert::error)?;
        Ok(wit::ArtifactWriter::new(ArtifactWriter(RefCell::new(import))))
    }

    fn write(&self, path: String, bytes: Vec<u8>) -> Answer<()> {
        self.call(|import| import.write(&path, &bytes))
    }

    fn finish(&self) -> Answer<types::Token> {
        self.call(Import::finish).map(convert::token)
    }
}

fn options_from_wit(options: wit::Options) -> Options {
    Options {
        mode: convert::mode_from_wit(options.mode),
        expect: options.expect.map(convert::token_from_wit),
        segment_bytes: options.segment_bytes,
        relaxed: options.relaxed,
        compact_at: options.compact_at,
        values_on_disk: options.values_on_disk,
        lock_wait_ms: options.lock_wait_ms,
    }
}

fn update_from_wit(update: &wit::Update) -> Update<'_> {
    match update {
        wit::Update::Put(wit::Entry { key, value, version }) => Update::Put { key, value, version },
        wit::Update::Delete(wit::Removal { key, version }) => Update::Delete { key, version },
        wit::Update::Purge(wit::Removal { key, version }) => Update::Purge { key, version },
    }
}

fn kind_from_wit(kind: wit::UpdateKind) -> UpdateKind {
    match kind {
        wit::UpdateKind::Put => UpdateKind::Put,
        wit::UpdateKind::Delete => UpdateKind::Delete,
        wit::UpdateKind::Purge => UpdateKind::Purge,
    }
}

fn entry(entry: Entry) -> wit::Entry {
    wit::Entry { key: entry.key, value: entry.value, version: entry.version }
}

fn stats(stats: snapshot::Stats) -> wit::Stats {
    wit::Stats {
        entries: stats.entries,
        live_bytes: stats.live_bytes,
        dead_bytes: stats.dead_bytes,
        generation: stats.generation,
    }
}

fn manifest(manifest: Manifest) -> wit::Manifest {
    let file =
        |file: ArtifactFile| wit::ArtifactFile { path: file.path, size: file.size, blake3: file.blake3 };
    wit::Manifest {
        schema_version: manifest.schema_version,
        backend: manifest.backend,
        backend_version: manifest.backend_version,
        cursor: manifest.cursor,
        created_at_unix: manifest.created_at_unix,
        files: manifest.files.into_iter().map(file).collect(),
    }
}

fn manifest_from_wit(manifest: wit::Manifest) -> Manifest {
    let file =
        |file: wit::ArtifactFile| ArtifactFile { path: file.path, size: file.size, blake3: file.blake3 };
    Manifest {
        schema_version: manifest.schema_version,
        backend: manifest.backend,
        backend_version: manifest.backend_version,
        cursor: manifest.cursor,
        created_at_unix: manifest.created_at_unix,
        files: manifest.files.into_iter().map(file).collect(),
    }
}
