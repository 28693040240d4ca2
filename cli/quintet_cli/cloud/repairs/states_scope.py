"""What stops a running execution: a scope that every wait of its threads watches.

Fault: MiniStack's executions sleep and wait without looking up. StopExecution leaves the threads of a Map, a Parallel
or a Wait running to their end, and the machine's own TimeoutSeconds doesn't exist.

Repair: each execution, and each Map and Parallel inside of it, has a `Scope`; context variables carry it to the
threads it starts. Every wait goes through it and raises `HaltedError` when the scope, or one above it, is halted or the
deadline has passed.

Asserted: the sources of `_scaled_sleep` and `_sleep_until`.
"""

import contextvars
import threading
import time
from typing import Optional

from ministack.services import stepfunctions

from .source import expect, replace

_FOREVER = threading.TIMEOUT_MAX / 2


class HaltedError(BaseException):
    """The scope's work is over; not an `Exception`, so that no error handler of a state takes it for its own."""

    def __init__(self, origin: "Scope", *, timed_out: bool = False) -> None:
        super().__init__("timed out" if timed_out else "stopped")
        self.origin = origin
        self.timed_out = timed_out


class Scope:
    """Work that can be stopped as a whole: an execution, or the threads of one Map or Parallel state."""

    def __init__(self, parent: Optional["Scope"] = None, seconds: float | None = None) -> None:
        self._lock = threading.Lock()
        self._children: set[Scope] = set()
        self._waits: set[threading.Event] = set()
        self._halted_by: Scope | None = None
        self._parent = parent
        self.deadline = None if seconds is None else time.monotonic() + seconds
        if parent is not None:
            parent._adopt(self)

    def _adopt(self, child: "Scope") -> None:
        with self._lock:
            child._halted_by = self._halted_by
            self._children.add(child)

    def close(self) -> None:
        """Leave the parent: this scope's work is done."""
        if self._parent is not None:
            with self._parent._lock:
                self._parent._children.discard(self)

    def halt(self, origin: Optional["Scope"] = None) -> None:
        """End every wait of this scope and of those inside of it."""
        with self._lock:
            self._halted_by = self._halted_by or origin or self
            for event in self._waits:
                event.set()
            children = list(self._children)
        for child in children:
            child.halt(origin or self)

    def check(self) -> None:
        """Raise `HaltedError` when this scope is halted or a deadline around it has passed."""
        if self._halted_by is not None:
            raise HaltedError(self._halted_by)
        scope: Scope | None = self
        while scope is not None:
            if scope.deadline is not None and time.monotonic() >= scope.deadline:
                raise HaltedError(scope, timed_out=True)
            scope = scope._parent

    def wait(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Wait for the event, `seconds` at most; true when it was set, and `HaltedError` when the scope ended first."""
        until = time.monotonic() + min(_FOREVER if seconds is None else seconds, _FOREVER)
        with self._lock:
            self._waits.add(event)
        try:
            self.check()
            event.wait(max(0.0, min(until, self._earliest()) - time.monotonic()))
        finally:
            with self._lock:
                self._waits.discard(event)
        self.check()
        return event.is_set()

    def _earliest(self) -> float:
        found, scope = float("inf"), self
        while True:
            if scope.deadline is not None:
                found = min(found, scope.deadline)
            if scope._parent is None:
                return found
            scope = scope._parent


_NONE = Scope()
current: contextvars.ContextVar[Scope] = contextvars.ContextVar("quintet_states_scope", default=_NONE)


def sleep(seconds: float) -> None:
    """Sleep in the current scope, scaled as MiniStack's `SFN_WAIT_SCALE` says."""
    scaled = seconds * stepfunctions._SFN_WAIT_SCALE
    if scaled > 0:
        current.get().wait(threading.Event(), scaled)


def repair() -> None:
    """Let every Wait state and every retry's delay end with its scope."""
    expect(stepfunctions, "_sleep_until", "2738e0a4030c")
    replace(stepfunctions, "_scaled_sleep", sleep, "5ed19df2efa9")
