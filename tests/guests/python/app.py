"""A guest in Python: opens, writes and reads each of the logs, checks what it reads, and says what it did.

Its arguments name the logs to use; without any it uses all of them. It expects to find none of them, and leaves one of
each kind behind. The guest in C does the same and says the same.
"""

import sys

from componentize_py_types import Err
from wit_world import exports

from parts import change_log, event_log, journal, raft_log, snapshot
from parts.common import told

PARTS = {
    "journal": journal.use,
    "event-log": event_log.use,
    "raft-log": raft_log.use,
    "snapshot": snapshot.use,
    "change-log": change_log.use,
}


class Run(exports.Run):
    """What `annals run` calls."""

    def run(self) -> None:
        for name in sys.argv[1:] or PARTS:
            try:
                PARTS[name]()
            except Err as error:
                print(f"{name}: {told(error.value)}", file=sys.stderr)
                raise Err(None)
