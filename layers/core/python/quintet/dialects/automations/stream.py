"""A run's live events as server-sent events. Pure: what to say of a journal and its logs, and where a client stands in them.

A client's place (`Cursor`) is the number of the last journal event and the id of the last log line it was given; every event's `id`
carries both, so that a client resumes exactly whatever the order in which the two were woven together.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from quintet.dialects.automations.views import run_error
from quintet.dialects.automations.words import RUN_WORDS, RunWord, StepWord
from quintet.domain.events import Event, EventType, from_millis
from quintet.domain.status import RunStatus
from quintet.services.ports.world import LogEntry
from quintet.web.rendering import moment, to_json

RETRY = "retry: 1000\n\n"
SETTLE = timedelta(seconds=1)
"""Log lines are written beside each other; one younger than this may still be overtaken by one with an earlier id."""

PIECE_CHARACTERS = 1024 * 1024
"""A piece of the stream ends when it is longer than this; the next request gets the rest."""

_CURSOR = re.compile(r"(\d{1,12})-([0-9A-Za-z-]{1,64}?)(\.end)?", re.ASCII)
_NO_LOG = "0"

_RUN_STATUS: dict[EventType, RunStatus] = {
    EventType.RUN_CREATED: RunStatus.QUEUED,
    EventType.RUN_DELAYED: RunStatus.DELAYED,
    EventType.RUN_QUEUED: RunStatus.QUEUED,
    EventType.RUN_STARTED: RunStatus.EXECUTING,
    EventType.RUN_WAITING: RunStatus.WAITING,
    EventType.RUN_RESUMED: RunStatus.EXECUTING,
    EventType.RUN_PAUSED: RunStatus.PAUSED,
    EventType.RUN_COMPLETED: RunStatus.COMPLETED,
    EventType.RUN_FAILED: RunStatus.FAILED,
    EventType.RUN_TIMED_OUT: RunStatus.TIMED_OUT,
    EventType.RUN_CRASHED: RunStatus.CRASHED,
    EventType.RUN_SYSTEM_FAILED: RunStatus.SYSTEM_FAILED,
    EventType.RUN_CANCELED: RunStatus.CANCELED,
    EventType.RUN_EXPIRED: RunStatus.EXPIRED,
}
_STEP_STATUS: dict[EventType, StepWord] = {
    EventType.STEP_STARTED: StepWord.RUNNING,
    EventType.STEP_WAITING: StepWord.PENDING,
    EventType.STEP_COMPLETED: StepWord.COMPLETED,
    EventType.STEP_FAILED: StepWord.FAILED,
    EventType.STEP_SKIPPED: StepWord.SKIPPED,
    EventType.STEP_CANCELED: StepWord.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a client has been given: events up to `number`, log lines up to `log`, and the end itself."""

    number: int = 0
    log: str | None = None
    ended: bool = False

    def __str__(self) -> str:
        return f"{self.number}-{self.log or _NO_LOG}{'.end' if self.ended else ''}"


def cursor(text: str) -> Cursor | None:
    """The place that an event's id names, None when it is no such id."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    log = None if found[2] == _NO_LOG else found[2]
    return Cursor(int(found[1]), log, found[3] is not None)


Attempts = Callable[[str], int]
"""The latest attempt of a step by path; asked only for what the events themselves don't say."""


@dataclass(slots=True)
class Weaver:
    """Turns new events and log lines into text, and moves the cursor on."""

    run_id: str
    cursor: Cursor
    attempts: Attempts

    def weave(self, events: Sequence[tuple[int, Event]], logs: Sequence[LogEntry]) -> tuple[str, bool]:
        """The text of them all, ordered by time, the orders of the journal and of the log each kept; and whether all of them fitted."""
        pieces: list[str] = []
        size = 0
        known: dict[str, int] = {}
        for one in _woven(events, logs):
            if size > PIECE_CHARACTERS:
                return "".join(pieces), False
            if isinstance(one, LogEntry):
                said = self._log(one)
            else:
                number, event = one
                self.cursor = replace(self.cursor, number=number)
                said = self._event(event, known)
            pieces.append(said)
            size += len(said)
        return "".join(pieces), True

    def end(self, status: RunStatus, at: datetime) -> str:
        """The last event of a run's stream."""
        self.cursor = replace(self.cursor, ended=True)
        return self._said("end", {"runId": self.run_id, "status": RUN_WORDS[status], "at": moment(at)})

    def heartbeat(self, status: RunStatus, at: datetime) -> str:
        """What is said when nothing happened for long."""
        data = {"runId": self.run_id, "status": RUN_WORDS[status], "at": moment(at)}
        return f"event: heartbeat\ndata: {to_json(data)}\n\n"

    def _log(self, line: LogEntry) -> str:
        self.cursor = replace(self.cursor, log=line.id)
        said = {"key": line.path, "level": line.level, "message": line.message, "at": moment(line.at)}
        return self._said("log", {"runId": self.run_id, **said})

    def _event(self, event: Event, known: dict[str, int]) -> str:
        """The text of a journal event; nothing for one that only the engine needs."""
        at = moment(event.at)
        if (status := _RUN_STATUS.get(event.type)) is not None:
            word: RunWord = RUN_WORDS[status]
            data = {"runId": self.run_id, "status": word, "at": at, "error": run_error(event.data.get("error"))}
            return self._said("run.status", data)
        if (said := _STEP_STATUS.get(event.type)) is not None and event.path is not None:
            return self._said("step.status", self._step(event, event.path, said, known))
        if event.type is EventType.STEP_PROGRESS:
            progress = {name: event.data.get(name) for name in ("done", "total", "message")}
            return self._said("step.progress", {"runId": self.run_id, "key": event.path, **progress, "at": at})
        return ""

    def _step(self, event: Event, path: str, said: StepWord, known: dict[str, int]) -> dict[str, Any]:
        if "attempt" in event.data:
            known[path] = event.data["attempt"]
        elif path not in known:
            known[path] = self.attempts(path)
        retry_at = event.data.get("retry_at")
        data: dict[str, Any] = {
            "runId": self.run_id,
            "key": path,
            "status": said if retry_at is None else StepWord.PENDING,
            "attempt": known[path],
            "at": moment(event.at),
            "error": event.data.get("error"),
        }
        if retry_at is not None:
            data["retryAt"] = moment(from_millis(retry_at))
        if "reason" in event.data:
            data["reason"] = event.data["reason"]
        if event.type is EventType.STEP_WAITING:
            data["waitingFor"] = event.data.get("for")
        if "reused_from" in event.data:
            data["reusedFrom"] = event.data["reused_from"]
        return data

    def _said(self, name: str, data: dict[str, Any]) -> str:
        return f"id: {self.cursor}\nevent: {name}\ndata: {to_json(data)}\n\n"


def _woven(events: Sequence[tuple[int, Event]], logs: Sequence[LogEntry]) -> Iterator[tuple[int, Event] | LogEntry]:
    waiting = list(reversed(logs))
    for number, event in events:
        while waiting and waiting[-1].at < event.at:
            yield waiting.pop()
        yield number, event
    yield from reversed(waiting)


def settled(logs: Sequence[LogEntry], now: datetime) -> list[LogEntry]:
    """The lines that no line with an earlier id can come before any more."""
    found: list[LogEntry] = []
    for line in logs:
        if now - line.at < SETTLE:
            break
        found.append(line)
    return found
