"""This API's own words for what the core calls otherwise."""

from typing import Literal

from quintet.domain.status import RunStatus

DIALECT = "etl"
PROJECT, JOB, TASK = "project", "job", "task"
"""The kinds of core jobs of this API: what runs by itself, and what groups it."""

TaskType = Literal["SPARK", "BACKGROUND_TASK", "AUTONOMOUS_AGENT", "PYTHON", "SQL", "HTTP"]
ExecutionMode = Literal["MANUAL", "SCHEDULED", "EVENT_DRIVEN"]
ExecutionStatus = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED"]
MANUAL, SCHEDULED = "MANUAL", "SCHEDULED"

STATUS_WORDS: dict[RunStatus, ExecutionStatus] = {
    RunStatus.DELAYED: "PENDING",
    RunStatus.QUEUED: "PENDING",
    RunStatus.EXECUTING: "RUNNING",
    RunStatus.WAITING: "RUNNING",
    RunStatus.PAUSED: "RUNNING",
    RunStatus.COMPLETED: "COMPLETED",
    RunStatus.FAILED: "FAILED",
    RunStatus.TIMED_OUT: "FAILED",
    RunStatus.CRASHED: "FAILED",
    RunStatus.SYSTEM_FAILED: "FAILED",
    RunStatus.CANCELED: "FAILED",
    RunStatus.EXPIRED: "FAILED",
}

STOPPED = "STOPPED"
"""What the log of a canceled run says in place of FAILED."""

TRIGGER_TYPES = {"MANUAL": "manual", "SCHEDULED": "schedule", "EVENT_DRIVEN": "event"}
"""What the core calls a task's execution mode."""


def status_word(status: RunStatus | None) -> ExecutionStatus:
    """A run's status as this API says it; PENDING for what never ran."""
    return "PENDING" if status is None else STATUS_WORDS[status]
