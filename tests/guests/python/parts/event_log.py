"""The event log."""

from functools import partial

from wit_world.imports import event_log
from wit_world.imports.event_log import EventLog, Outcome, Policy
from wit_world.imports.types import Mode, Token

from . import common
from .common import ALL, check, packed, refused, text, unpacked

WORDS = {Outcome.APPENDED: "appended", Outcome.DUPLICATE: "duplicate"}


def options(mode: Mode, expect: Token | None = None) -> event_log.Options:
    return event_log.Options(
        mode=mode,
        expect=expect,
        policy=Policy.FLUSHED,
        shared=False,
        lock_wait_ms=0,
        rotate_at=None,
        max_event=None,
        max_batch=None,
    )


def listed(reader: event_log.Reader) -> list[str]:
    """All events that are left, each as `ID EVENT`."""
    found = []
    while some := reader.next(ALL):
        events = unpacked(some.ends, some.bytes)
        found += [f"{id} {common.word(event)}" for id, event in zip(some.ids, events)]
    return found


def use() -> None:
    say = partial(common.say, "event-log")
    with EventLog.open("events", options(Mode.CREATE)) as log:
        say("the first event is", WORDS[log.append_with_id(10, b"ten")])
        say("the same again is", WORDS[log.append_with_id(10, b"ten")])
        say("another one there is", refused(log.append_with_id, 10, b"eleven"))
        say("a batch is", WORDS[log.append_batch_with_ids(20, [b"a", b"b", b"c"])])
        say("one that overlaps it is", WORDS[log.append_packed_with_ids(22, *packed([b"c", b"d"]))])
        say("a late one is", WORDS[log.append_with_id(15, b"late")])
        say("next", log.next_event_id(), "oldest", log.oldest_event_id(), "newest", log.newest_event_id())
        say("event 15 is", log.get(15), "and event 16 is", log.get(16))
        with log.iterate(11, 22) as reader:
            say("from 11 to 22 there are", listed(reader))
        say("an empty batch is", refused(log.append_batch_with_ids, 30, []))

        say("deleted", log.delete_range(20, 21))
        say("a deleted id is", refused(log.append_with_id, 21, b"b"))
        with log.iterate(0, None) as reader:
            say("there remain", listed(reader))
        with log.begin_sync() as ticket:
            check(ticket.wait() == ticket.poll(), "a ticket says the same again")

        archive = log.rotate()
        say("rotating an empty file is", refused(log.rotate))
        with event_log.open_archive(archive) as reader:
            say("the archive holds", listed(reader))
        log.append_with_id(30, b"thirty")
        stats = log.stats()
        say("events", stats.events, "oldest", stats.oldest, "newest", stats.newest, "files", stats.files)
        token = log.close()
        say("closed, get is", refused(log.get, 10))
    with EventLog.open("events", options(Mode.READ_ONLY, token)) as log:
        say("read only, event 30 is", log.get(30), "and append is", refused(log.append_with_id, 40, b"no"))
    say("a journal of that name is", refused(event_log.destroy, "journal"))
    say("token", text(token))
