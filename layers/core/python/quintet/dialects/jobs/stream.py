"""What this API says of a run's live events. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.dialects.jobs.views_runs import error_text
from quintet.domain.events import Event, EventType, from_millis, to_millis
from quintet.domain.fold import is_parked
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.ports.world import LogEntry
from quintet.web.rendering import moment
from quintet.web.stream import AttemptNumbers, Said

_RUN_STATUS: dict[EventType, RunStatus] = {
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
_STEP_STATUS: dict[EventType, StepStatus] = {
    EventType.STEP_STARTED: StepStatus.RUNNING,
    EventType.STEP_WAITING: StepStatus.WAITING,
    EventType.STEP_COMPLETED: StepStatus.COMPLETED,
    EventType.STEP_FAILED: StepStatus.FAILED,
    EventType.STEP_HURRIED: StepStatus.WAITING,
    EventType.STEP_SKIPPED: StepStatus.SKIPPED,
    EventType.STEP_CANCELED: StepStatus.CANCELED,
}
_PROGRESS = {
    "percent": "percent",
    "message": "message",
    "step": "step",
    "eta": "eta_secs",
    "done": "done",
    "total": "total",
}


@dataclass(frozen=True, slots=True)
class JobWords:
    """The events of one run's stream: run.status, step.status, step.progress, run.metadata, log; unset fields are left out."""

    run_id: str

    def happened(self, event: Event, attempts: AttemptNumbers) -> Said | None:
        """What is said of a journal event; None of one that only the engine needs."""
        if (status := _RUN_STATUS.get(event.type)) is not None:
            return self._said("run.status", event.at, status=status, error=error_text(event.data.get("error")))
        if event.type is EventType.RUN_NOTED:
            return self._said("run.metadata", event.at, metadata=event.data.get("metadata"))
        if event.path is None:
            return None
        if (step := _STEP_STATUS.get(event.type)) is not None:
            return self._step(event, event.path, step, attempts)
        if event.type is EventType.STEP_PROGRESS:
            told = {said: event.data[name] for name, said in _PROGRESS.items() if name in event.data}
            return self._said("step.progress", event.at, step_ref=event.path, **told)
        return None

    def line(self, line: LogEntry) -> Said:
        """What is said of a log line."""
        return self._said("log", line.at, step_ref=line.path, level=line.level.lower(), message=line.text)

    def standing(self, status: RunStatus, at: datetime) -> dict[str, Any]:
        """The data of a heartbeat and of the end."""
        return {"run_id": self.run_id, "status": str(status), "at": moment(at)}

    def _step(self, event: Event, path: str, status: StepStatus, attempts: AttemptNumbers) -> Said:
        hurried = event.type is EventType.STEP_HURRIED  # its next attempt comes at once, as somebody wished
        retry_at = to_millis(event.at) if hurried else event.data.get("retry_at")
        now, waiting_for = (StepStatus.RUNNING, None) if is_parked(event) else (status, event.data.get("for"))
        return self._said(
            "step.status",
            event.at,
            step_ref=path,
            status=now if retry_at is None else StepStatus.WAITING,
            attempt=attempts.of(event, path),
            error=error_text(event.data.get("error"), path),
            next_retry_at=None if retry_at is None else moment(from_millis(retry_at)),
            reason=event.data.get("reason"),
            waiting_for=waiting_for if retry_at is None else "retry",
        )

    def _said(self, name: str, at: datetime, **data: Any) -> Said:
        told = {key: value for key, value in data.items() if value is not None}
        return Said(name, {"run_id": self.run_id, **told, "at": moment(at)})
