"""This API's own words for what the core calls otherwise: of a run's and a step's status it says what the core says."""

from enum import StrEnum
from uuid import UUID, uuid5


class TriggerWord(StrEnum):
    """What started a run."""

    MANUAL = "manual"
    CRON = "cron"
    SPAWN = "spawn"
    WORKFLOW = "workflow"
    RETRY = "retry"
    DEBOUNCE = "debounce"
    JOB_COMPLETION = "job_completion"
    BATCH = "batch"
    WEBHOOK = "webhook"


_OTHERWISE = {"schedule": TriggerWord.CRON, "event": TriggerWord.WORKFLOW}
_STARTED_BY = {word: said for said, word in _OTHERWISE.items()}


def triggered_by(started_by: str) -> TriggerWord:
    """The word for what a run was started by in the core's."""
    return _OTHERWISE.get(started_by) or TriggerWord(started_by)


def started_by(word: TriggerWord) -> str:
    """The core's word for it."""
    return _STARTED_BY.get(word, str(word))


def step_run_id(run_id: str, path: str) -> str:
    """The id of a step of a run; nothing to store, and the same at every read."""
    return str(uuid5(UUID(run_id), f"step:{path}"))
