"""Reads the attempts of a run's steps out of its journal. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.dialects.jobs.models_run_parts import AttemptView
from quintet.dialects.jobs.views_runs import error_text, trace_view
from quintet.domain.events import Event, EventType, from_millis
from quintet.domain.fold import is_parked
from quintet.domain.status import TERMINAL, StepStatus

_ENDINGS = {
    EventType.STEP_COMPLETED: StepStatus.COMPLETED,
    EventType.STEP_FAILED: StepStatus.FAILED,
    EventType.STEP_SKIPPED: StepStatus.SKIPPED,
    EventType.STEP_CANCELED: StepStatus.CANCELED,
}
_RUN_ENDS = frozenset(f"run.{status}" for status in TERMINAL)


@dataclass(slots=True)
class Attempt:
    """One attempt of one step: its `number` from 1, and that of the event that `began` it."""

    path: str
    number: int
    began: int
    status: StepStatus
    started_at: datetime
    ended_at: datetime | None = None
    error: Mapping[str, Any] | None = None
    retry_at: datetime | None = None
    trace: Mapping[str, float] | None = None


def attempts(events: Iterable[tuple[int, Event]]) -> list[Attempt]:
    """The attempts in a whole journal, in the order in which they began; steps that never began have none."""
    read = _Reading()
    for number, event in events:
        read.take(number, event)
    return read.found


class _Reading:
    def __init__(self) -> None:
        self.found: list[Attempt] = []
        self._live: dict[str, Attempt] = {}
        self._last: dict[str, Attempt] = {}
        self._counts: dict[str, int] = {}

    def take(self, number: int, event: Event) -> None:
        if event.path is None:
            if event.type in _RUN_ENDS:
                self._end_all(event)
        elif event.type is EventType.STEP_STARTED:
            self._begin(event.path, number, event, StepStatus.RUNNING)
        elif event.type is EventType.STEP_WAITING:
            # One that did not run before waits from its beginning.
            attempt = self._live.get(event.path) or self._begin(event.path, number, event, StepStatus.WAITING)
            attempt.status = StepStatus.RUNNING if is_parked(event) else StepStatus.WAITING
            attempt.trace = event.data.get("trace", attempt.trace)
        elif event.type is EventType.STEP_HURRIED:
            if rested := self._last.get(event.path):
                rested.retry_at = event.at
        elif (status := _ENDINGS.get(event.type)) is not None:
            self._end(event.path, number, event, status)

    def _begin(self, path: str, number: int, event: Event, status: StepStatus) -> Attempt:
        for inner in [one for one in self._counts if one.startswith(f"{path}[")]:
            del self._counts[inner]  # a new attempt of a loop or map begins its steps anew
        count = event.data.get("attempt") or self._counts.get(path, 0) + 1
        self._counts[path] = count
        begun = Attempt(path, count, number, status, event.at)
        self.found.append(begun)
        self._live[path] = self._last[path] = begun
        return begun

    def _end(self, path: str, number: int, event: Event, status: StepStatus) -> None:
        attempt = self._live.get(path)
        if attempt is None:
            # Kinds that are done at once have no beginning of their own; what a retry took over was done in another run, and what
            # somebody completed by hand was no attempt.
            at_once = status in (StepStatus.COMPLETED, StepStatus.FAILED)
            if not at_once or "reused_from" in event.data or "by" in event.data:
                return
            attempt = self._begin(path, number, event, status)
        del self._live[path]
        attempt.status, attempt.ended_at = status, event.at
        attempt.error = event.data.get("error")
        attempt.trace = event.data.get("trace", attempt.trace)
        if "retry_at" in event.data:
            attempt.retry_at = from_millis(event.data["retry_at"])

    def _end_all(self, event: Event) -> None:
        for attempt in self._live.values():
            attempt.status, attempt.ended_at = StepStatus.CANCELED, event.at
        self._live.clear()


def attempt_view(run_id: str, attempt: Attempt) -> AttemptView:
    """An attempt as this API shows it."""
    return AttemptView(
        run_id=run_id,
        step_ref=attempt.path,
        attempt=attempt.number,
        status=attempt.status,
        started_at=attempt.started_at,
        finished_at=attempt.ended_at,
        error=error_text(attempt.error, attempt.path),
        next_retry_at=attempt.retry_at,
        execution_trace=trace_view(attempt.trace),
    )
