"""The journal."""

from wit_world.imports import journal
from wit_world.imports.types import Mode, Token

from .common import ALL, check, packed, refused, text, unpacked


def options(mode: Mode, expect: Token | None = None) -> journal.Options:
    return journal.Options(
        mode=mode,
        start_at=None,
        expect=expect,
        items_per_section=2,
        segment_bytes=None,
        compression=None,
        sync_sections=None,
        write_buffer=None,
        lock_wait_ms=0,
    )


def use() -> None:
    with journal.Journal.open("journal", options(Mode.CREATE)) as log:
        positions = [log.append(b"one"), log.append_batch([b"two", b"three"]), log.append_packed(*packed([b"", b"five"]))]
        print("journal: appended at", *positions)
        print("journal: size", log.size(), "oldest", log.oldest(), "boundary", log.boundary())
        print("journal: item 2 is", log.read(2).decode())
        some = log.read_many([4, 0], 1 << 20)
        check(some.ids == [4, 0] and list(unpacked(some.ends, some.bytes)) == [b"five", b"one"], "read-many")
        batch = log.read_range(1, ALL)
        check((batch.first, len(batch.ends)) == (1, 4), "read-range")

        print("journal: read 9 is", refused(log.read, 9))
        print("journal: rewind to 9 is", refused(log.rewind, 9))
        print("journal: an empty batch is", refused(log.append_batch, []))
        print("journal: a second writer is", refused(journal.Journal.open, "journal", options(Mode.OPEN)))

        ticket = log.begin_sync()
        check(ticket.wait() == ticket.poll(), "a ticket says the same again")
        print("journal: pruned", log.prune(3), "boundary", log.boundary(), "oldest", log.oldest())
        print("journal: read 1 is", refused(log.read, 1))
        log.rewind(4)
        with log.replay(2) as reader:
            batch = reader.next(ALL)
            check(batch is not None and reader.next(ALL) is None, "a reader ends")
            items = [item.decode() for item in unpacked(batch.ends, batch.bytes)]
            print("journal: replayed from", batch.first, items)
        check(log.append(b"4 again") == 4, "a rewound position is used again")
        token = log.close()
        print("journal: closed, append is", refused(log.append, b"late"))
    with journal.Journal.open("journal", options(Mode.READ_ONLY, token)) as log:
        print("journal: read only, item 4 is", log.read(4).decode(), "and append is", refused(log.append, b"no"))
    wrong = Token(log=token.log, frame=token.frame + 1, check=token.check)
    print("journal: a later token is", refused(journal.Journal.open, "journal", options(Mode.OPEN, wrong)))
    print("journal: destroying another is", refused(journal.destroy, "none"))
    print("journal: token", text(token))
