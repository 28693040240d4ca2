"""What this API says of a run's live events. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.dialects.automations.views import run_error
from quintet.dialects.automations.words import RUN_WORDS, StepWord
from quintet.domain.events import Event, EventType, from_millis
from quintet.domain.fold import is_parked
from quintet.domain.status import RunStatus
from quintet.services.ports.world import LogEntry
from quintet.web.rendering import moment
from quintet.web.stream import AttemptNumbers, Said

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
class AutomationWords:
    """The events of one run's stream."""

    run_id: str

    def happened(self, event: Event, attempts: AttemptNumbers) -> Said | None:
        """What is said of a journal event; None of one that only the engine needs."""
        at = moment(event.at)
        if (status := _RUN_STATUS.get(event.type)) is not None:
            error = run_error(event.data.get("error"))
            return Said("run.status", {"runId": self.run_id, "status": RUN_WORDS[status], "at": at, "error": error})
        if (said := _STEP_STATUS.get(event.type)) is not None and event.path is not None:
            return Said("step.status", self._step(event, event.path, said, attempts))
        if event.type is EventType.STEP_PROGRESS:
            progress = {name: event.data.get(name) for name in ("done", "total", "message")}
            return Said("step.progress", {"runId": self.run_id, "key": event.path, **progress, "at": at})
        return None

    def line(self, line: LogEntry) -> Said:
        """What is said of a log line."""
        said = {"key": line.path, "level": line.level, "message": line.text, "at": moment(line.at)}
        return Said("log", {"runId": self.run_id, **said})

    def standing(self, status: RunStatus, at: datetime) -> dict[str, Any]:
        """The data of a heartbeat and of the end."""
        return {"runId": self.run_id, "status": RUN_WORDS[status], "at": moment(at)}

    @staticmethod
    def _now(event: Event, said: StepWord) -> StepWord:
        return StepWord.RUNNING if is_parked(event) else said

    def _step(self, event: Event, path: str, said: StepWord, attempts: AttemptNumbers) -> dict[str, Any]:
        retry_at = event.data.get("retry_at")
        data: dict[str, Any] = {
            "runId": self.run_id,
            "key": path,
            "status": self._now(event, said) if retry_at is None else StepWord.PENDING,
            "attempt": attempts.of(event, path),
            "at": moment(event.at),
            "error": event.data.get("error"),
        }
        if retry_at is not None:
            data["retryAt"] = moment(from_millis(retry_at))
        if "reason" in event.data:
            data["reason"] = event.data["reason"]
        if event.type is EventType.STEP_WAITING and not is_parked(event):
            data["waitingFor"] = event.data.get("for")
        if "reused_from" in event.data:
            data["reusedFrom"] = event.data["reused_from"]
        return data
