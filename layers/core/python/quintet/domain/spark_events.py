"""What a Spark job used, read out of the event log that Spark itself writes: a JSON object a line, in order of time.

Only three kinds of lines are parsed, and a line is never kept beyond its bound, so that a log of gigabytes (plans of queries are most of
it) costs what its tasks cost.
"""

import json
from dataclasses import dataclass, field
from typing import Any

MAX_LINE = 1024 * 1024
"""Bytes of a line that is parsed; Spark's lines about tasks have some 5,000."""
MAX_EXECUTORS = 100_000
DRIVER = "driver"
"""The id of the process that runs the program. In `local` mode it runs the tasks too, as the only executor."""

_TASK = b'{"Event":"SparkListenerTaskEnd"'
_STAGE = b'{"Event":"SparkListenerStageExecutorMetrics"'
_ADDED = b'{"Event":"SparkListenerExecutorAdded"'
_WANTED = (_TASK, _STAGE, _ADDED)
_PREFIX = max(map(len, _WANTED))
_NANO = 1_000_000_000
_MOST = 2**63


@dataclass(frozen=True, slots=True)
class SparkUsage:
    """What was measured; None: nothing measured it. Rows and bytes are those of tasks that succeeded, processor time is that of all. Heaps
    are peaks of one process: the driver's, and the executor's that used most."""

    tasks: int = 0
    failed_tasks: int = 0
    records_read: int | None = None
    records_written: int | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    cpu_seconds: float | None = None
    driver_heap_bytes: int | None = None
    executor_heap_bytes: int | None = None
    executors: int | None = None


@dataclass(slots=True)
class SparkEvents:
    """Adds up an event log that comes in pieces, however they are cut."""

    _line: bytearray = field(default_factory=bytearray)
    _too_long: bool = False
    _gap: bool = False
    _tasks: int = 0
    _failed: int = 0
    _cpu: int = 0
    _sums: dict[str, int] = field(default_factory=dict)
    _heaps: dict[bool, int] = field(default_factory=dict)
    _executors: set[str] = field(default_factory=set)

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the log."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._grow(piece, start, end)
            self._take()
            start = end + 1
        self._grow(piece, start, len(piece))

    def usage(self) -> SparkUsage:
        """What the log came to. The line that a killed job left unfinished says nothing; without a line that could be read, neither do the
        sums that it belongs to."""
        heaps = {driver: self._heaps.get(driver) for driver in (True, False)}
        executors = len(self._executors) or None
        if self._gap:
            return SparkUsage(self._tasks, self._failed, executors=executors)
        sums = self._sums if self._tasks else {}
        return SparkUsage(
            tasks=self._tasks,
            failed_tasks=self._failed,
            records_read=sums.get("records_read"),
            records_written=sums.get("records_written"),
            bytes_read=sums.get("bytes_read"),
            bytes_written=sums.get("bytes_written"),
            cpu_seconds=round(self._cpu / _NANO, 3) if self._tasks else None,
            driver_heap_bytes=heaps[True],
            executor_heap_bytes=heaps[True] if self._executors == {DRIVER} else heaps[False],
            executors=executors,
        )

    def _grow(self, piece: bytes, start: int, end: int) -> None:
        if len(self._line) + end - start > MAX_LINE:
            # Its beginning is kept: it tells whether the line would have counted.
            self._line += piece[start : min(end, start + _PREFIX)]
            del self._line[_PREFIX:]
            self._too_long = True
        elif not self._too_long:
            self._line += piece[start:end]

    def _take(self) -> None:
        line, long = bytes(self._line), self._too_long
        self._line.clear()
        self._too_long = False
        if not line.startswith(_WANTED):
            return
        if long:
            self._gap = True
            return
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            self._gap = True
            return
        if line.startswith(_TASK):
            self._task(event)
        elif line.startswith(_STAGE):
            self._heap(_text(event.get("Executor ID")), _part(event, "Executor Metrics"))
        else:
            self._executor(_text(event.get("Executor ID")))

    def _task(self, event: dict[str, Any]) -> None:
        self._tasks += 1
        done = _part(event, "Task End Reason").get("Reason") == "Success"
        self._failed += not done
        metrics = _part(event, "Task Metrics")
        self._cpu += _count(metrics.get("Executor CPU Time"))
        self._heap(_text(_part(event, "Task Info").get("Executor ID")), _part(event, "Task Executor Metrics"))
        read, written = _part(metrics, "Input Metrics"), _part(metrics, "Output Metrics")
        for name, part, key in (
            ("records_read", read, "Records Read"),
            ("bytes_read", read, "Bytes Read"),
            ("records_written", written, "Records Written"),
            ("bytes_written", written, "Bytes Written"),
        ):
            self._sums[name] = self._sums.get(name, 0) + (_count(part.get(key)) if done else 0)

    def _heap(self, executor: str, metrics: dict[str, Any]) -> None:
        # A process that lived for less than a look at its memory says 0.
        if used := _count(metrics.get("JVMHeapMemory")):
            driver = executor == DRIVER
            self._heaps[driver] = max(self._heaps.get(driver, 0), used)

    def _executor(self, id_: str) -> None:
        if id_ and len(self._executors) < MAX_EXECUTORS:
            self._executors.add(id_[:64])


def _part(whole: Any, name: str) -> dict[str, Any]:
    found = whole.get(name) if isinstance(whole, dict) else None
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    """A number of the log; what a program may have written there in its place counts nothing."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else 0
