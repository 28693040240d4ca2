"""The states of runs and steps, shared by all five APIs."""

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands; every API's own status word is a translation of one of these."""

    DELAYED = "delayed"
    QUEUED = "queued"
    EXECUTING = "executing"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    SYSTEM_FAILED = "system_failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """True when nothing can change this run any more."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        RunStatus.COMPLETED,
        RunStatus.FAILED,
        RunStatus.TIMED_OUT,
        RunStatus.CRASHED,
        RunStatus.SYSTEM_FAILED,
        RunStatus.CANCELED,
        RunStatus.EXPIRED,
    }
)


class StepStatus(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"

    @property
    def settled(self) -> bool:
        """True when the step has ended, whichever way."""
        return self in SETTLED


SETTLED = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELED})
