"""The Raft log."""

from functools import partial

from wit_world.imports import raft_log
from wit_world.imports.raft_log import Entries, Entry, HardState, LogId, RaftLog
from wit_world.imports.types import Mode, Token

from . import common
from .common import ALL, check, packed, refused, text, unpacked


def options(mode: Mode, expect: Token | None = None) -> raft_log.Options:
    return raft_log.Options(
        mode=mode, expect=expect, sync_on_persist=True, allow_gaps=False, segment_bytes=None, lock_wait_ms=0
    )


def entry(term: int, index: int, payload: bytes) -> Entry:
    return Entry(id=LogId(term=term, index=index), payload=payload)


def listed(entries: Entries) -> list[str]:
    """Each entry as `TERM/INDEX PAYLOAD`."""
    payloads = unpacked(entries.ends, entries.bytes)
    entries = zip(entries.terms, entries.indexes, payloads)
    return [f"{term}/{index} {common.word(payload)}" for term, index, payload in entries]


def log_id(id: LogId | None) -> str:
    return "none" if id is None else f"{id.term}/{id.index}"


def use() -> None:
    say = partial(common.say, "raft-log")
    with RaftLog.open("raft", options(Mode.CREATE)) as log:
        say("first", log.first_index(), "last", log.last_index(), "hard state", log.load_hard_state())
        log.save_hard_state(HardState(term=1, vote=3, extra=b"node 1"))
        log.persist([entry(1, index, b"one") for index in range(1, 5)])
        ends, payloads = packed([b"five", b"six"])
        log.persist_packed(Entries(indexes=[5, 6], terms=[1, 1], ends=ends, bytes=payloads))
        log.persist([entry(2, 3, b"again")])
        say("first", log.first_index(), "last", log.last_index(), "durable", log.is_write_durable())
        say("entries", listed(log.get_entries(2, 5, ALL)))
        found = log.entry(3)
        check(found == entry(2, 3, b"again"), "entry")
        say("term of 3 is", log.term_of(3), "of 9", log.term_of(9), "and entry 9 is", log.entry(9))
        say("an inverted range has", len(log.get_entries(5, 2, ALL).indexes), "entries")

        say("a gap is", refused(log.persist, [entry(2, 9, b"")]))
        say("a double is", refused(log.persist, [entry(2, 7, b""), entry(2, 7, b"")]))
        log.truncate(6)
        log.replace_range(5, [entry(3, 5, b"new"), entry(3, 6, b"newer")])
        ends, payloads = packed([b"newest"])
        log.replace_range_packed(6, Entries(indexes=[6], terms=[4], ends=ends, bytes=payloads))
        say("replaced", listed(log.get_entries(5, 9, ALL)))

        log.purge(LogId(term=2, index=3))
        say("purged to", log_id(log.purge_boundary()), "first", log.first_index())
        say("entry 2 is", log.entry(2), "and writing it is", refused(log.persist, [entry(4, 2, b"")]))
        with log.begin_sync() as ticket:
            check(ticket.wait() == ticket.poll(), "a ticket says the same again")
        log.purge(LogId(term=7, index=100))
        token = log.close()
        say("closed, entry is", refused(log.entry, 4), "durable", log.is_write_durable())
    with RaftLog.open("raft", options(Mode.OPEN, token)) as log:
        say("opened again, last", log.last_index(), "boundary", log_id(log.purge_boundary()))
        state = log.load_hard_state()
        check(state == HardState(term=1, vote=3, extra=b"node 1"), "a purge keeps the hard state")
        say("hard state", state.term, state.vote, state.extra)
        log.reset()
        log.persist([entry(8, 1, b"anew")])
        token = log.close()
    say("creating it is", refused(RaftLog.open, "raft", options(Mode.CREATE)))
    say("token", text(token))
