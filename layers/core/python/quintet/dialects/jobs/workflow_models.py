"""What workflows and their runs look like on the wire."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from quintet.dialects.jobs.models import YEAR, Cron, Description, Id, Name, Slug, Tags
from quintet.dialects.jobs.models_runs import Key, When
from quintet.dialects.jobs.shapes import Asked, Shown
from quintet.dialects.jobs.words import TriggerWord
from quintet.dialects.jobs.workflow_steps import MAX_STEPS, StepIn
from quintet.domain.status import RunStatus, StepStatus
from quintet.web.rendering import Moment

Steps = Annotated[list[StepIn], Field(min_length=1, max_length=MAX_STEPS)]
Reason = Annotated[str, Field(max_length=4000)]


class WorkflowFields(Asked):
    """What an author may say of a workflow; null is the same as nothing said."""

    model_config = ConfigDict(strict=True)

    name: Name | None = None
    slug: Annotated[
        Slug | None, Field(description="Unique among the project's workflows; made from the name unless given.")
    ] = None
    description: Description | None = None
    steps: Annotated[Steps | None, Field(description="A DAG; steps without `depends_on` begin at once.")] = None
    tags: Tags | None = None
    timeout_secs: Annotated[
        Annotated[int, Field(ge=1, le=YEAR)] | None, Field(description="Of a whole run; unbounded unless given.")
    ] = None
    cron: Annotated[Cron | None, Field(description="Five fields: minute, hour, day, month, weekday.")] = None
    timezone: Annotated[
        Annotated[str, Field(min_length=1, max_length=64)] | None,
        Field(description="IANA zone of `cron`; UTC unless given."),
    ] = None
    enabled: Annotated[bool | None, Field(description="true unless given.")] = None


class WorkflowIn(WorkflowFields):
    """A new workflow."""

    name: Name
    steps: Steps
    project_id: Annotated[Id | None, Field(description="The key's own project.")] = None


class WorkflowPatch(WorkflowFields):
    """Changes to a workflow: what is named changes, null clears it."""


class WorkflowView(Shown):
    """A workflow; lists leave `steps` out."""

    id: str
    project_id: str
    name: str
    slug: str
    description: str | None = None
    steps: list[dict[str, Any]] | None = None
    tags: dict[str, str] | None = None
    timeout_secs: int | None = None
    cron: str | None = None
    timezone: str | None = None
    next_run_at: Moment | None = None
    enabled: bool
    version: int
    version_id: str
    created_by: str | None = None
    updated_by: str | None = None
    created_at: Moment
    updated_at: Moment


class WorkflowVersionView(Shown):
    """An immutable version of a workflow; lists leave `steps` out."""

    id: str
    workflow_id: str
    version: int
    name: str
    slug: str
    description: str | None = None
    steps: list[dict[str, Any]] | None = None
    tags: dict[str, str] | None = None
    timeout_secs: int | None = None
    cron: str | None = None
    timezone: str | None = None
    created_at: Moment


class WorkflowTrigger(Asked):
    """A trigger of a workflow; null is the same as nothing said."""

    model_config = ConfigDict(strict=True)

    payload: Any = None
    tags: Tags | None = None
    metadata: Tags | None = None
    scheduled_at: Annotated[When | None, Field(description="When to start, at most a year ahead; at once if past.")] = (
        None
    )
    ttl_secs: Annotated[int, Field(ge=1, le=YEAR, description="Expires when it has not started by then.")] | None = None
    idempotency_key: Key | None = None


class WorkflowRunView(Shown):
    """A run of a workflow. Lists leave payload, output and step_counts out."""

    id: str
    workflow_id: str
    project_id: str
    status: RunStatus
    payload: Any = None
    payload_url: Annotated[str | None, Field(description="Reads a payload above 1 MiB, for an hour.")] = None
    output: Annotated[Any, Field(description="Of its last step; of each by step_ref when it has several.")] = None
    output_url: Annotated[str | None, Field(description="Reads an output above 1 MiB, for an hour.")] = None
    error: str | None = None
    failed_step: str | None = None
    triggered_by: TriggerWord
    workflow_version: int
    workflow_version_id: str
    tags: dict[str, str] | None = None
    metadata: dict[str, Any] | None = None
    idempotency_key: str | None = None
    scheduled_at: Moment | None = None
    expires_at: Moment | None = None
    parent_run_id: str | None = None
    continuation_of: str | None = None
    created_by: str | None = None
    step_counts: Annotated[dict[str, int] | None, Field(description="How many steps stand in each status.")] = None
    created_at: Moment
    started_at: Moment | None = None
    finished_at: Moment | None = None


class TriggeredWorkflow(WorkflowRunView):
    """A run as its trigger answers it."""

    idempotency_hit: Annotated[bool, Field(description="True: this run was there before the trigger.")]


class WaitView(Shown):
    """What a step waits for."""

    reason: Annotated[str, Field(description="approval, event, child, sleep, retry, report or items.")]
    until: Moment | None = None
    message: str | None = None
    approvers: list[str] | None = None
    fields: dict[str, Any] | None = None
    event_key: str | None = None


class WorkflowStepView(Shown):
    """A step of a workflow run."""

    id: str
    workflow_run_id: str
    step_ref: str
    step_type: str
    name: str
    status: StepStatus
    attempt: int
    depends_on: list[str]
    started_at: Moment | None = None
    finished_at: Moment | None = None
    output: Any = None
    output_url: Annotated[str | None, Field(description="Reads an output above 64 KiB, for an hour.")] = None
    error: str | None = None
    skip_reason: str | None = None
    waiting: WaitView | None = None
    child_run_id: str | None = None


class TimelineEntry(Shown):
    """One thing that happened in a run; `duration_secs` is what ended with it: of an attempt, of a pause, of the run."""

    id: str
    at: Moment
    event: str
    step_ref: str | None = None
    attempt: int | None = None
    summary: str
    by: str | None = None
    duration_secs: float | None = None


class RetryBody(Asked):
    """Where to begin again: from a step on, else from whatever did not complete."""

    from_step: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ApproveBody(Asked):
    """An approver's answer."""

    model_config = ConfigDict(strict=True)

    approved: bool = True
    comment: Reason | None = None
    fields: dict[str, Any] | None = None


class SkipBody(Asked):
    """Why a step is skipped."""

    reason: Reason | None = None


class CompleteStepBody(Asked):
    """What a step is to have come to."""

    output: Any = None
    reason: Reason | None = None


class EventIn(Asked):
    """Something that happened."""

    model_config = ConfigDict(strict=True)

    event_key: Key
    payload: Any = None
    project_id: Annotated[Id | None, Field(description="The key's own project.")] = None


class EventTold(Shown):
    """How many steps waited for an event."""

    event_key: str
    delivered: int
