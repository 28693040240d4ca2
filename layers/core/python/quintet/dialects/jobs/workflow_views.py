"""Translates what the core says of workflows and their runs into this API's shapes. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from quintet.dialects.jobs.views_runs import NOTHING, Value, error_text, parent_of
from quintet.dialects.jobs.words import step_run_id, triggered_by
from quintet.dialects.jobs.workflow_models import (
    WaitView,
    WorkflowRunView,
    WorkflowStepView,
    WorkflowVersionView,
    WorkflowView,
)
from quintet.dialects.jobs.workflow_steps import DIALECT, type_of
from quintet.domain.events import Event, EventType, from_millis
from quintet.domain.job import Job, JobVersion
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import StepStatus
from quintet.web.stream import attempt_number

_WAITS = {"input": "approval", "time": "sleep"}
"""This API's words for what a step waits for, where they differ from the core's."""


def workflow_view(job: Job, version: JobVersion | None = None) -> WorkflowView:
    """A workflow; without its version, as lists do."""
    settings = job.settings
    fields = settings.get("fields") or {}
    next_at = (settings.get("schedule") or {}).get("next_at")
    return WorkflowView(
        id=job.id,
        project_id=job.project,
        name=job.name,
        slug=job.slug or "",
        description=job.description,
        steps=None if version is None else version.source["fields"]["steps"],
        tags=fields.get("tags"),
        timeout_secs=fields.get("timeout_secs"),
        cron=fields.get("cron"),
        timezone=fields.get("timezone"),
        next_run_at=None if next_at is None else datetime.fromisoformat(next_at),
        enabled=job.status == "active",
        version=job.version,
        version_id=job.version_id,
        created_by=settings.get("created_by"),
        updated_by=settings.get("updated_by"),
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


def version_view(version: JobVersion, *, whole: bool) -> WorkflowVersionView:
    """A version; `whole`: with its steps."""
    fields = {name: value for name, value in version.source["fields"].items() if whole or name != "steps"}
    return WorkflowVersionView(
        **fields, id=version.id, workflow_id=version.job_id, version=version.version, created_at=version.created_at
    )


def run_fields(run: Run) -> dict[str, Any]:
    """The fields of a run that its item holds."""
    asked = run.asked
    return {
        "id": run.id,
        "workflow_id": run.job_id,
        "project_id": run.project,
        "status": run.status,
        "error": error_text(run.error),
        "failed_step": (run.error or {}).get("step"),
        "triggered_by": triggered_by(run.started_by),
        "workflow_version": run.version,
        "workflow_version_id": run.version_id,
        "tags": dict(asked.get("tags") or {}) or None,
        "metadata": dict(asked.get("metadata") or {}) or None,
        "idempotency_key": asked.get("idempotency_key"),
        "scheduled_at": run.scheduled_at,
        "expires_at": run.expires_at,
        "parent_run_id": parent_of(run),
        "continuation_of": run.trigger.source_id if run.started_by == "retry" else None,
        "created_by": asked.get("created_by") or (run.trigger.source_id if run.trigger.source_type == "user" else None),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.ended_at,
    }


def run_brief(run: Run) -> WorkflowRunView:
    """A run as lists show it."""
    return WorkflowRunView(**run_fields(run))


def run_view(run: Run, state: RunState, payload: Value = NOTHING, output: Value = NOTHING) -> WorkflowRunView:
    """A run with what its journal tells."""
    fields = run_fields(run)
    if state.error is not None:  # the run's item holds only the beginning of it
        fields["error"] = error_text(state.error)
    counts = {str(status): count for status, count in state.counts().items() if count} if "" in state.frames else {}
    return WorkflowRunView(
        **fields,
        payload=payload.value,
        payload_url=payload.url,
        output=output.value,
        output_url=output.url,
        step_counts=counts,
    )


def types_of(version: JobVersion) -> Mapping[str, str]:
    """The step types by step_ref as an author of a workflow wrote them; empty for other jobs."""
    if version.source.get("dialect") != DIALECT:
        return {}
    written = version.source["fields"]["steps"]
    return {step["step_ref"]: step.get("step_type") or ("job" if "job_id" in step else "endpoint") for step in written}


def step_view(
    run_id: str, step: StepState, types: Mapping[str, str], output: Value, child: str | None
) -> WorkflowStepView:
    """A step of a run."""
    return WorkflowStepView(
        id=step_run_id(run_id, step.path),
        workflow_run_id=run_id,
        step_ref=step.path,
        step_type=types.get(step.path) or type_of(step.define.kind),
        name=step.define.name or step.define.key,
        status=step.status,
        attempt=attempt_number(step),
        depends_on=[step.prefix + key for key in step.define.depends_on],
        started_at=step.started_at,
        finished_at=step.ended_at,
        output=output.value,
        output_url=output.url,
        error=None if step.status is StepStatus.SKIPPED else error_text(step.error),
        skip_reason=step.skip_reason,
        waiting=_wait_view(step),
        child_run_id=step.wait.get("child") or child,
    )


def _wait_view(step: StepState) -> WaitView | None:
    wait = step.wait
    if step.status is not StepStatus.WAITING or "for" not in wait:
        return None
    form = wait.get("fields") or {}
    return WaitView(
        reason=_WAITS.get(wait["for"], wait["for"]),
        until=from_millis(wait["until"]) if "until" in wait else step.deadline,
        message=wait.get("message"),
        approvers=list(wait.get("approvers") or ()) or None,
        fields=dict(form) if form.get("properties") else None,
        event_key=wait.get("event_key"),
    )


def children(events: Iterable[tuple[int, Event]]) -> dict[str, str]:
    """The run that each step's latest attempt started, by the step's path."""
    found = {}
    for _, event in events:
        if event.type is EventType.STEP_STARTED and event.path is not None and "child" in event.data:
            found[event.path] = str(event.data["child"])
    return found
