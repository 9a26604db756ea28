"""The snapshot."""

from functools import partial

from wit_world.imports import snapshot
from wit_world.imports.snapshot import ArtifactWriter, Entry, Manifest, Removal, Snapshot, UpdateKind, Updates
from wit_world.imports.types import Mode, Token

from . import common
from .common import ALL, check, packed, refused, text, unpacked


def options(mode: Mode, expect: Token | None = None) -> snapshot.Options:
    return snapshot.Options(
        mode=mode,
        expect=expect,
        segment_bytes=None,
        relaxed=False,
        compact_at=None,
        values_on_disk=False,
        lock_wait_ms=0,
    )


def put(key: bytes, value: bytes, version: bytes) -> snapshot.Update:
    return snapshot.Update_Put(Entry(key=key, value=value, version=version))


def listed(log: Snapshot, prefix: bytes) -> list[str]:
    """The entries with that prefix, each as `KEY = VALUE @ VERSION`."""
    found = []
    with log.range(prefix) as reader:
        while some := reader.next(ALL):
            words = [common.word(part) for part in unpacked(some.ends, some.bytes)]
            parts = zip(words[0::3], words[1::3], words[2::3])
            found += [f"{key} = {value} @ {version}" for key, value, version in parts]
    return found


def exported(log: Snapshot) -> tuple[Manifest, list[snapshot.ArtifactChunk]]:
    with log.export_artifact() as reader:
        chunks = []
        while chunk := reader.next(1 << 20):
            chunks.append(chunk)
        return reader.manifest(), chunks


def imported(name: str, manifest: Manifest, chunks: list[snapshot.ArtifactChunk]) -> Token:
    with ArtifactWriter.start(name, manifest, None) as writer:
        for chunk in chunks:
            writer.write(chunk.path, chunk.bytes)
        return writer.finish()


def use() -> None:
    say = partial(common.say, "snapshot")
    with Snapshot.open("fold", options(Mode.CREATE)) as log:
        say("cursor", log.cursor(), "entries", log.has_entries())
        log.apply([put(b"a/1", b"one", b"v1"), put(b"a/2", b"two", b"v1"), put(b"b/1", b"", b"")], b"3")
        ends, parts = packed([b"a/1", b"uno", b"v2", b"a/2", b"", b"v2", b"c", b"", b"v2"])
        kinds = [UpdateKind.PUT, UpdateKind.DELETE, UpdateKind.PURGE]
        token = log.apply_packed(Updates(kinds=kinds, ends=ends, bytes=parts), b"6")
        check(token is not None, "an apply is durable")
        say("cursor", log.cursor(), "entries", log.has_entries())
        say("all:", listed(log, b""))
        say("below a/:", listed(log, b"a/"))
        found = log.get(b"a/1")
        check(found == Entry(key=b"a/1", value=b"uno", version=b"v2"), "get")
        say("a/2 is", log.get(b"a/2"))
        log.apply([snapshot.Update_Delete(Removal(key=b"b/1", version=b"v3"))], b"7")
        log.apply([put(b"d", b"four", b"v4")], b"")
        log.apply([], b"8")
        say("a key of nothing but length is", refused(log.apply, [put(bytes(65_537), b"", b"")], b"9"))
        log.compact()
        stats = log.stats()
        say("compacted, entries", stats.entries, "generation", stats.generation, "cursor", log.cursor())

        manifest, chunks = exported(log)
        say("exported", manifest.backend, manifest.backend_version, "at", manifest.cursor)
        say("a copy of the same name is", refused(imported, "fold", manifest, chunks))
        spoilt = bytes([chunks[-1].bytes[0] ^ 1]) + chunks[-1].bytes[1:]
        wrong = [*chunks[:-1], snapshot.ArtifactChunk(path=chunks[-1].path, bytes=spoilt)]
        say("a spoilt copy is", refused(imported, "copy", manifest, wrong))
        say("half a copy is", refused(imported, "copy", manifest, chunks[:-1]))
        imported("copy", manifest, chunks)
        token = log.close()
        say("closed, get is", refused(log.get, b"d"))
    with Snapshot.open("copy", options(Mode.READ_ONLY)) as log:
        say("the copy:", listed(log, b""), "at", log.cursor())
    say("token", text(token))
