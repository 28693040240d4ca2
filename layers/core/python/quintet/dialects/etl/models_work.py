"""What projects, jobs and tasks look like on the wire: what authors may write, and what is shown.

What only the server knows (id, jobId, executionStatus, ...) may stand in a body and changes nothing, so that what was read can be written.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StrictBool, WithJsonSchema

from quintet.dialects.etl.shapes import Asked, Id, Shown
from quintet.dialects.etl.words import ExecutionMode, ExecutionStatus, TaskType
from quintet.web.rendering import Moment

MAX_KEY = 4096
"""Bytes of a task's API key: what the vault seals."""
MAX_NEEDED = 100
"""Tasks that one task depends on."""
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _written(given: Any) -> Any:
    """Times are texts: a number could be seconds or milliseconds."""
    if not isinstance(given, str) or not _TIME.match(given):
        raise ValueError("must be an ISO 8601 time with its zone, such as 2026-01-31T09:00:00Z")
    return given


def _to_the_millisecond(at: datetime) -> datetime:
    """As it will be shown, in UTC."""
    try:
        moment = at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a time of the years 1 to 9999 in UTC") from error
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _without_edges(name: str) -> str:
    if not name.strip() or name != name.strip() or any(not one.isprintable() for one in name):
        raise ValueError("must have no white space at its edges and no control characters")
    return name


def _short(key: str) -> str:
    if len(key.encode(errors="surrogatepass")) > MAX_KEY:
        raise ValueError(f"must have at most {MAX_KEY} bytes")
    return key


def _as_text(given: Any) -> Any:
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


When = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_to_the_millisecond)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
ProjectName = Annotated[Name, AfterValidator(_without_edges)]
Description = Annotated[str, Field(max_length=4096)]
BotId = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(min_length=1, max_length=128),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 128}, {"type": "integer"}]}, mode="validation"
    ),
]
ApiKey = Annotated[str, Field(max_length=MAX_KEY), AfterValidator(_short)]
Cron = Annotated[str, Field(max_length=256)]
Zone = Annotated[str, Field(min_length=1, max_length=64)]


class ProjectPatch(Asked):
    """Changes to a project: what is named changes, null clears."""

    name: ProjectName | None = None
    description: Description | None = None
    cron_schedule: Annotated[Cron | None, Field(description="Five fields: minute, hour, day, month, weekday.")] = None
    enabled: Annotated[StrictBool | None, Field(description="Whether its schedule fires; true unless given.")] = None


class ProjectIn(ProjectPatch):
    """A new project."""

    name: ProjectName


class ScheduleIn(Asked):
    """When a project's jobs are started: what is named changes, null clears."""

    cron_schedule: Annotated[Cron | None, Field(description="Five fields: minute, hour, day, month, weekday.")] = None
    enabled: StrictBool | None = None
    timezone: Annotated[Zone | None, Field(description="IANA zone of the schedule; UTC unless given.")] = None
    job_id: Annotated[Id | None, Field(description="The only job to start; all enabled ones unless given.")] = None


class JobPatch(Asked):
    """Changes to a job: what is named changes, null clears."""

    name: Name | None = None
    description: Description | None = None
    input_dataset_id: Annotated[Id | None, Field(description="What its tasks read that name no other.")] = None
    scheduled_time: Annotated[When | None, Field(description="Executes the job once, then.")] = None
    enabled: Annotated[StrictBool | None, Field(description="true unless given.")] = None


class JobIn(JobPatch):
    """A new job."""

    name: Name


class TaskPatch(Asked):
    """Changes to a task: what is named changes, null clears."""

    name: Name | None = None
    description: Description | None = None
    bot_id: Annotated[BotId | None, Field(description="The program that it runs, by name or id.")] = None
    output_dataset_id: Annotated[
        Id | None, Field(description="The dataset that takes its output; one of its own unless given.")
    ] = None
    input_dataset_id: Annotated[Id | None, Field(description="What it reads, in place of its job's dataset.")] = None
    task_type: TaskType | None = None
    scheduled_time: Annotated[When | None, Field(description="When a SCHEDULED task starts, once.")] = None
    execution_mode: Annotated[ExecutionMode | None, Field(description="MANUAL unless given.")] = None
    enabled: Annotated[StrictBool | None, Field(description="true unless given.")] = None
    api_key: Annotated[
        ApiKey | None,
        Field(
            description="For its program; never shown again. Null leaves the one it has, an empty text takes it away."
        ),
    ] = None
    depends_on: Annotated[
        Annotated[list[Id], Field(max_length=MAX_NEEDED)] | None,
        Field(description="Tasks of the same job that come before it when the job is executed."),
    ] = None


class TaskIn(TaskPatch):
    """A new task."""

    name: Name
    task_type: TaskType


class StartIn(Asked):
    """What a start may say."""

    params: Annotated[dict[str, Any] | None, Field(description="Given to the programs that run.")] = None


class ProjectView(Shown):
    """A project."""

    id: Id
    name: str
    description: str | None = None
    cron_schedule: str | None = None
    enabled: bool
    job_ids: list[Id]
    created_at: Moment
    updated_at: Moment


class ScheduleView(Shown):
    """When a project's jobs are started."""

    cron_schedule: str | None = None
    enabled: bool
    timezone: str | None = None
    job_id: Id | None = None


class JobView(Shown):
    """A job."""

    id: Id
    name: str
    description: str | None = None
    project_id: Id
    input_dataset_id: Id | None = None
    execution_status: ExecutionStatus
    scheduled_time: Moment | None = None
    enabled: bool
    task_ids: list[Id]
    created_at: Moment
    updated_at: Moment


class TaskView(Shown):
    """A task. `dependsOn` and `inputDatasetId` are there only when they are set."""

    id: Id
    name: str
    description: str | None = None
    job_id: Id
    bot_id: str | None = None
    output_dataset_id: Id | None = None
    task_type: TaskType
    execution_reference_id: str | None = None
    execution_status: ExecutionStatus
    execution_log: Annotated[str | None, Field(description="JSON, as a text: what its last run came to.")] = None
    scheduled_time: Moment | None = None
    execution_mode: ExecutionMode
    enabled: bool
    api_key: Annotated[str | None, Field(description="Always null: it is write-only.")] = None
    created_at: Moment
    updated_at: Moment
    input_dataset_id: Id | None = None
    depends_on: list[Id] | None = None

    def shown(self) -> dict[str, Any]:
        """The task as JSON-ready data; our own two fields only when they say something."""
        data = super().shown()
        return {name: value for name, value in data.items() if value or name not in ("inputDatasetId", "dependsOn")}
