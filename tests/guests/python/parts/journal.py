"""The journal."""

from functools import partial

from wit_world.imports import journal
from wit_world.imports.types import Mode, Token

from . import common
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
    say = partial(common.say, "journal")
    with journal.Journal.open("journal", options(Mode.CREATE)) as log:
        positions = [log.append(b"one"), log.append_batch([b"two", b"three"])]
        say("appended at", *positions, log.append_packed(*packed([b"", b"five"])))
        say("size", log.size(), "oldest", log.oldest(), "boundary", log.boundary())
        say("item 2 is", log.read(2))
        some = log.read_many([4, 0], 1 << 20)
        say("items", *some.ids, "are", unpacked(some.ends, some.bytes))
        batch = log.read_range(3, ALL)
        say("from", batch.first, "on there are", unpacked(batch.ends, batch.bytes))

        say("read 9 is", refused(log.read, 9))
        say("rewind to 9 is", refused(log.rewind, 9))
        say("an empty batch is", refused(log.append_batch, []))
        say("a second writer is", refused(journal.Journal.open, "journal", options(Mode.OPEN)))

        with log.begin_sync() as ticket:
            check(ticket.wait() == ticket.poll(), "a ticket says the same again")
        say("pruned", log.prune(3), "boundary", log.boundary(), "oldest", log.oldest())
        say("read 1 is", refused(log.read, 1))
        log.rewind(4)
        with log.replay(2) as reader:
            batch = reader.next(ALL)
            check(batch is not None and reader.next(ALL) is None, "a reader ends")
            say("replayed from", batch.first, unpacked(batch.ends, batch.bytes))
        say("appended at", log.append(b"again"))
        token = log.close()
        say("closed, append is", refused(log.append, b"late"))
    with journal.Journal.open("journal", options(Mode.READ_ONLY, token)) as log:
        say("read only, item 4 is", log.read(4), "and append is", refused(log.append, b"no"))
    later = Token(log=token.log, frame=token.frame + 1, check=token.check)
    say("a later token is", refused(journal.Journal.open, "journal", options(Mode.OPEN, later)))
    say("destroying another is", refused(journal.destroy, "another"))
    say("token", text(token))
