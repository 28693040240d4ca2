"""Tells what happened in a run from its journal, with how long it took. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from quintet.dialects.jobs.views_runs import error_text
from quintet.dialects.jobs.workflow_models import TimelineEntry
from quintet.domain.events import Event, EventType, from_millis
from quintet.domain.status import TERMINAL
from quintet.web.rendering import moment

_RUN_ENDS = frozenset(f"run.{status}" for status in TERMINAL)
_TOLD: dict[EventType, str] = {
    EventType.RUN_CREATED: "created",
    EventType.RUN_DELAYED: "to start later",
    EventType.RUN_QUEUED: "waits for its turn",
    EventType.RUN_STARTED: "started",
    EventType.RUN_WAITING: "waits",
    EventType.RUN_RESUMED: "goes on",
    EventType.RUN_PAUSED: "paused",
    EventType.STEP_STARTED: "started",
    EventType.STEP_HURRIED: "tried again at once",
    EventType.STEP_CANCELED: "canceled",
    EventType.LATE_REFUSED: "an outcome came too late",
}
_WAITS = {
    "input": "waits for an approval",
    "event": "waits for an event",
    "child": "waits for a run it started",
    "time": "sleeps",
    "report": "waits for its endpoint's report",
    "items": "waits for its items",
    "parked": "works on a service of its own",
}
_SKIPPED = {
    "condition": "skipped: its condition is false",
    "upstream_failed": "skipped: a step before it failed",
    "upstream_skipped": "skipped: the steps before it were skipped",
    "by_hand": "skipped by hand",
}
_UNTOLD = frozenset({EventType.BURST_CLAIMED, EventType.STEP_CARRIED, EventType.STEP_PROGRESS, EventType.FRAME_OPENED})


def timeline(events: Iterable[tuple[int, Event]]) -> Iterator[TimelineEntry]:
    """The entries of a whole journal, in order."""
    reading = _Reading()
    for number, event in events:
        entry = reading.entry(number, event)
        if entry is not None:
            yield entry


class _Reading:
    def __init__(self) -> None:
        self._began: dict[str, datetime] = {}
        self._attempts: dict[str, int] = {}
        self._started: datetime | None = None
        self._paused: datetime | None = None

    def entry(self, number: int, event: Event) -> TimelineEntry | None:
        seconds = self._take(event)
        summary = _summary(event)
        if event.type in _UNTOLD or summary is None:
            return None
        return TimelineEntry(
            id=str(number),
            at=event.at,
            event=event.type,
            step_ref=event.path,
            attempt=None if event.path is None else self._attempts.get(event.path),
            summary=summary,
            by=event.data.get("by"),
            duration_secs=None if seconds is None else round(seconds, 3),
        )

    def _take(self, event: Event) -> float | None:
        """Notes what begins; the seconds that what ends has taken."""
        if event.path is None:
            return self._take_run(event)
        path = event.path
        if event.type in (EventType.STEP_STARTED, EventType.STEP_WAITING):
            if path not in self._began:  # a wait may be the rest of what was started before
                self._began[path] = event.at
                self._attempts[path] = event.data.get("attempt") or self._attempts.get(path, 0) + 1
            return None
        if event.type in _ENDS:
            began = self._began.pop(path, None)
            return None if began is None else (event.at - began).total_seconds()
        return None

    def _take_run(self, event: Event) -> float | None:
        if event.type is EventType.RUN_STARTED:
            self._started = self._started or event.at
        if event.type is EventType.RUN_PAUSED:
            self._paused = event.at
        since = None
        if event.type is EventType.RUN_RESUMED and self._paused is not None:
            since, self._paused = self._paused, None
        if event.type in _RUN_ENDS:
            since = self._started
        return None if since is None else (event.at - since).total_seconds()


_ENDS = frozenset({EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_SKIPPED, EventType.STEP_CANCELED})


def _summary(event: Event) -> str | None:
    """A few words; None for what is nobody's concern."""
    if event.path is None:
        return _of_run(event)
    match event.type:
        case EventType.STEP_WAITING:
            return _until(_WAITS.get(str(event.data.get("for")), "waits"), event.data)
        case EventType.STEP_FAILED:
            again = (
                f"; tried again at {moment(from_millis(event.data['retry_at']))}" if "retry_at" in event.data else ""
            )
            return f"failed: {error_text(event.data.get('error'))}{again}"
        case EventType.STEP_SKIPPED:
            return _with(_SKIPPED.get(str(event.data.get("reason")), "skipped"), event.data.get("message"))
        case EventType.STEP_COMPLETED:
            return _of_completion(event.data)
    return _TOLD.get(event.type)


def _of_run(event: Event) -> str | None:
    if event.type in _RUN_ENDS:
        reason = event.data.get("reason") or error_text(event.data.get("error"))
        return _with(str(event.type).removeprefix("run.").replace("_", " "), reason)
    words = _TOLD.get(event.type)
    return None if words is None else _until(words, event.data)


def _of_completion(data: Mapping[str, Any]) -> str:
    if "by" in data:
        return _with("completed by hand", data.get("message"))
    return f"taken over from run {data['reused_from']}" if "reused_from" in data else "completed"


def _with(words: str, more: str | None) -> str:
    return f"{words}: {more}" if more else words


def _until(words: str, data: Mapping[str, Any]) -> str:
    until = data.get("until")
    return f"{words} until {moment(from_millis(until))}" if until else words
