"""The change log."""

from functools import partial

from wit_world.imports import change_log
from wit_world.imports.change_log import Change, ChangeLog
from wit_world.imports.types import Mode

from . import common
from .common import ALL, check, refused, text


def options(mode: Mode, instance: str | None) -> change_log.Options:
    return change_log.Options(
        mode=mode, instance=instance, heartbeat_ms=None, segment_bytes=None, expect=None, lock_wait_ms=0
    )


def listed(log: ChangeLog, deferred: bool) -> list[str]:
    """What is outstanding, each as `ORIGIN/ID PAYLOAD`."""
    found = []
    with log.scan(deferred) as reader:
        while some := reader.next(ALL):
            found += [f"{one.origin}/{one.id.decode()} {common.word(one.change.payload)}" for one in some]
    return found


def use() -> None:
    say = partial(common.say, "change-log")
    with ChangeLog.open("changes", options(Mode.CREATE, "first")) as log:
        say("instance", log.instance())
        log.record(b"1", Change(payload=b"one", cleanup_after_ms=None))
        log.record(b"2", Change(payload=b"two", cleanup_after_ms=None))
        log.record(b"2", Change(payload=b"two again", cleanup_after_ms=None))
        # In the year 2100.
        log.record(b"3", Change(payload=b"later", cleanup_after_ms=4_102_444_800_000))
        say("removed", log.remove(None, b"1"), "and again", log.remove(None, b"1"))
        found = log.get(None, b"2")
        check(found == Change(payload=b"two again", cleanup_after_ms=None), "get")
        say("change 1 is", log.get(None, b"1"))
        say("outstanding", listed(log, False))
        say("with deferred ones", listed(log, True))
        log.heartbeat()
        say("the same instance is", refused(ChangeLog.open, "changes", options(Mode.OPEN, "first")))
        say("destroying it is", refused(change_log.destroy, "changes"))
        log.close()
        say("closed, get is", refused(log.get, None, b"2"))
    with ChangeLog.open("changes", options(Mode.OPEN, "second")) as log:
        for dead in log.recover(3_600_000):
            say("recovered", dead.changes, "of", dead.instance, "damaged", dead.damaged is not None)
        say("outstanding", listed(log, True))
        say("removed", log.remove("first", b"2"), "of its own", log.remove(None, b"3"))
        token = log.close()
    for one in change_log.instances("changes"):
        say("instance", one.instance, "is", one.state.name.lower())
    with ChangeLog.open("changes", options(Mode.READ_ONLY, None)) as log:
        say("read only, outstanding", listed(log, True))
    say("token", text(token))
