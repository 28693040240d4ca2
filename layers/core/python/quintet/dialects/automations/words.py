"""This API's own words for what the core calls otherwise."""

from enum import StrEnum

from quintet.domain.status import RunStatus, StepStatus


class RunWord(StrEnum):
    """A run's status as this API says it."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepWord(StrEnum):
    """A step's status as this API says it."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Orchestrator(StrEnum):
    """What an automation asks to be run by; both are the same engine here."""

    LOCAL = "local"
    DAG = "dag"


class TriggerWord(StrEnum):
    """What starts an automation."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    EVENT = "event"


class SourceWord(StrEnum):
    """Who or what asked for a run."""

    USER = "user"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    RUN = "run"
    JOB = "job"
    API = "api"


class AutomationWord(StrEnum):
    """Whether an automation may start runs."""

    ACTIVE = "active"
    PAUSED = "paused"


RUN_WORDS: dict[RunStatus, RunWord] = {
    RunStatus.DELAYED: RunWord.PENDING,
    RunStatus.QUEUED: RunWord.PENDING,
    RunStatus.EXECUTING: RunWord.RUNNING,
    RunStatus.WAITING: RunWord.RUNNING,
    RunStatus.PAUSED: RunWord.RUNNING,
    RunStatus.COMPLETED: RunWord.COMPLETED,
    RunStatus.FAILED: RunWord.FAILED,
    RunStatus.TIMED_OUT: RunWord.FAILED,
    RunStatus.CRASHED: RunWord.FAILED,
    RunStatus.SYSTEM_FAILED: RunWord.FAILED,
    RunStatus.CANCELED: RunWord.CANCELLED,
    RunStatus.EXPIRED: RunWord.CANCELLED,
}

STEP_WORDS: dict[StepStatus, StepWord] = {
    StepStatus.PENDING: StepWord.PENDING,
    StepStatus.WAITING: StepWord.PENDING,
    StepStatus.RUNNING: StepWord.RUNNING,
    StepStatus.COMPLETED: StepWord.COMPLETED,
    StepStatus.FAILED: StepWord.FAILED,
    StepStatus.SKIPPED: StepWord.SKIPPED,
    StepStatus.CANCELED: StepWord.CANCELLED,
}


def statuses(word: RunWord) -> list[RunStatus]:
    """The core statuses that this word stands for."""
    return [status for status, said in RUN_WORDS.items() if said is word]


def trigger_word(said: str) -> TriggerWord:
    """What started a run or starts an automation; other APIs' own ways count as events."""
    return TriggerWord(said) if said in set(TriggerWord) else TriggerWord.EVENT


def source_word(said: str) -> SourceWord:
    """Who asked for a run; other APIs' own words count as the API."""
    return SourceWord(said) if said in set(SourceWord) else SourceWord.API


def automation_word(said: str) -> AutomationWord:
    """Whether a job of any API may start runs."""
    return AutomationWord.ACTIVE if said == AutomationWord.ACTIVE else AutomationWord.PAUSED
