"""The runner's hold on processes: what the code starts can't outlive it, and can't look into the runner."""

import ctypes
import os
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 200


@cache
def harden() -> None:
    """Makes the runner unreadable to others of its user (/proc/<pid>/environ, mem), and the heir of orphans; once per process.

    Whatever leaves its session by forking twice becomes the runner's child, where `end_strays` finds it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """The process ids of this process's children."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found.update(int(word) for word in (task / "children").read_text().split())
    return frozenset(found)


def kill_session(pid: int, sig: signal.Signals) -> None:
    """Sends a signal to the process group that the code's process leads."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, sig)


def end_strays(known: frozenset[int]) -> None:
    """Kills every child that is not among the known ones, and the orphans that this leaves, until there are none."""
    for _ in range(_ROUNDS):
        strays = children() - known
        if not strays:
            return
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
