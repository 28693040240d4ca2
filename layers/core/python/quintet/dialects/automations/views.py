"""Translates what the core says of jobs, runs and steps into this API's shapes. Pure."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from quintet.dialects.automations.definitions import to_config
from quintet.dialects.automations.models import (
    AutomationBrief,
    AutomationView,
    RunView,
    StepsView,
    StepView,
    VersionBrief,
    VersionView,
)
from quintet.dialects.automations.words import (
    RUN_WORDS,
    STEP_WORDS,
    Orchestrator,
    automation_word,
    source_word,
    trigger_word,
)
from quintet.domain.job import Job, JobVersion
from quintet.domain.run import Run
from quintet.domain.state import Frame, RunState, StepState
from quintet.domain.status import StepStatus
from quintet.web.stream import attempt_number

DIALECT = "automations"

Result = tuple[Any, bool]
"""A step's result as shown, and whether it was cut."""


def run_view(run: Run, orchestrator: Orchestrator) -> RunView:
    """A run as this API shows it."""
    return RunView(
        automation_id=run.job_id,
        automation_version_id=run.version_id,
        completed_at=run.ended_at,
        concurrency_key=run.concurrency_key,
        created_at=run.created_at,
        duration_seconds=run.duration,
        error=run_error(run.error),
        external_job_id=None,  # no orchestrator but this one runs it
        id=run.id,
        orchestrator_type=orchestrator,
        started_at=run.started_at,
        status=RUN_WORDS[run.status],
        tenant_id=run.project,
        trigger_source_id=run.trigger.source_id,
        trigger_source_type=source_word(run.trigger.source_type),
        trigger_type=trigger_word(run.trigger.type),
        updated_at=run.updated_at,
        version_number=run.version,
    )


def run_error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A run's error: its type, message and the step that failed it."""
    if error is None:
        return None
    return {"type": error.get("type"), "message": error.get("message"), "step": error.get("step")}


def orchestrator_of(version: JobVersion) -> Orchestrator:
    """What a version's author asked to be run by; other APIs' authors can't ask."""
    return Orchestrator(version.source.get("orchestratorType", Orchestrator.DAG))


def steps_view(
    run_id: str, state: RunState, shown: list[StepState], result: Callable[[StepState], Result]
) -> StepsView:
    """A run's steps; the counts are of the steps at the root, whatever is shown."""
    counts = state.counts()
    return StepsView(
        automation_run_id=run_id,
        completed_count=counts[StepStatus.COMPLETED],
        failed_count=counts[StepStatus.FAILED],
        pending_count=counts[StepStatus.PENDING] + counts[StepStatus.WAITING],
        running_count=counts[StepStatus.RUNNING],
        steps=[step_view(run_id, step, result(step)) for step in shown],
    )


def step_view(run_id: str, step: StepState, result: Result) -> StepView:
    """A step as this API shows it."""
    value, truncated = result
    return StepView(
        action_run_id=action_run_id(run_id, step),
        completed_at=step.ended_at,
        decision_id=step.decision,
        depends_on=[step.prefix + key for key in step.define.depends_on],
        duration_seconds=_seconds(step.started_at, step.ended_at),
        error=None if step.error is None else dict(step.error),
        key=step.path,
        name=step.define.name or step.define.key,
        result=value,
        result_truncated=truncated,
        started_at=step.started_at,
        status=STEP_WORDS[step.status],
    )


def action_run_id(run_id: str, step: StepState) -> str | None:
    """The id of the step's latest attempt, None before the first."""
    number = attempt_number(step)
    return str(uuid5(UUID(run_id), f"attempt:{step.path}:{number}")) if number else None


def in_order(state: RunState, *, nested: bool) -> list[StepState]:
    """The root steps as written; with `nested`, each loop or map is followed by the steps of its iterations or items."""
    if nested:
        return list(_walk(state, state.root))
    return [state.steps[path] for path in state.root.paths]


def _walk(state: RunState, frame: Frame) -> Iterator[StepState]:
    for path in frame.paths:
        step = state.steps[path]
        yield step
        for index in range(step.opened + 1) if step.composite else ():
            if (inner := state.inside(path, index)) is not None:
                yield from _walk(state, inner)


def automation_brief(job: Job) -> AutomationBrief:
    """An automation as lists show it."""
    schedule = job.settings.get("schedule") or {}
    next_at = schedule.get("next_at")
    return AutomationBrief(
        created_at=job.created_at,
        description=job.description,
        id=job.id,
        name=job.name,
        next_run_at=datetime.fromisoformat(next_at) if isinstance(next_at, str) else None,
        orchestrator_type=Orchestrator(job.settings.get("orchestratorType", Orchestrator.DAG)),
        status=automation_word(job.status),
        tenant_id=job.project,
        trigger_type=trigger_word(job.trigger_type),
        updated_at=job.updated_at,
        version_id=job.version_id,
        version_number=job.version,
        webhook_path=(job.settings.get("webhook") or {}).get("path"),
    )


def automation_view(job: Job, version: JobVersion) -> AutomationView:
    """An automation with its current definition."""
    return AutomationView(**dict(automation_brief(job)), config=config_of(version))


def version_brief(version: JobVersion) -> VersionBrief:
    """One version of an automation as lists show it."""
    return VersionBrief(
        automation_id=version.job_id,
        created_at=version.created_at,
        id=version.id,
        orchestrator_type=orchestrator_of(version),
        version_number=version.version,
    )


def version_view(version: JobVersion) -> VersionView:
    """One version of an automation with its definition."""
    return VersionView(**dict(version_brief(version)), config=config_of(version))


def config_of(version: JobVersion) -> dict[str, Any]:
    """The definition as its author wrote it; one that came through another API, as an author of this one would have."""
    written = version.source.get("config") if version.source.get("dialect") == DIALECT else None
    return dict(written) if written is not None else to_config(version.plan)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()
