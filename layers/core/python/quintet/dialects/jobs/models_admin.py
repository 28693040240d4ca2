"""The wire shapes of what is around jobs: health, figures, dependencies, groups, projects, API keys."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quintet.dialects.jobs.models import Description, Id, Name, Slug
from quintet.dialects.jobs.shapes import Asked, Shown
from quintet.web.rendering import Moment

Window = Literal["1h", "1d", "7d", "30d"]
ConditionWord = Literal["completed", "failed", "any"]


class HealthView(Shown):
    """How well a job did within a window, by the runs that ended in it."""

    job_id: str
    window: Window
    since: Moment
    total_runs: int
    completed_runs: int
    failed_runs: Annotated[int, Field(description="Those that the system failed included.")]
    timed_out_runs: int
    crashed_runs: int
    canceled_runs: int
    expired_runs: int
    success_rate: Annotated[float, Field(description="Percent.")]
    avg_duration_secs: float
    p95_duration_secs: float
    p99_duration_secs: float
    health_score: Annotated[float, Field(description="0 to 100; -1 when no run has ended.")]


class CountsView(Shown):
    """How many runs stand in each status."""

    delayed: int
    queued: int
    executing: int
    waiting: int
    paused: int
    completed: int
    failed: int
    timed_out: int
    crashed: int
    system_failed: int
    canceled: int
    expired: int


class StatsView(Shown):
    """The runs of a project, or of one of its groups."""

    project_id: str
    group_id: str | None = None
    total_runs: int
    active_runs: Annotated[int, Field(description="Those that have not ended.")]
    success_rate: Annotated[float, Field(description="Percent of those that have ended; 0 when none has.")]
    by_status: CountsView


class DependencyIn(Asked):
    """What a job is to follow."""

    model_config = ConfigDict(strict=True)

    depends_on_job_id: Id
    condition: Annotated[ConditionWord, Field(description="How the other job's run must end.")] = "completed"


class DependencyView(Shown):
    """A job follows another one."""

    id: str
    job_id: str
    depends_on_job_id: str
    condition: ConditionWord
    created_at: Moment


class GroupIn(Asked):
    """A new job group."""

    model_config = ConfigDict(strict=True)

    project_id: Id | None = None
    name: Name
    slug: Slug | None = None
    description: Description | None = None


class GroupPatch(Asked):
    """Changes to a job group."""

    model_config = ConfigDict(strict=True)

    name: Name = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    description: Description | None = None


class GroupView(Shown):
    """A job group."""

    id: str
    project_id: str
    name: str
    slug: str
    description: str | None = None
    created_at: Moment
    updated_at: Moment


class ProjectIn(Asked):
    """A new project."""

    model_config = ConfigDict(strict=True)

    name: Name
    slug: Slug | None = None
    description: Description | None = None


class ProjectPatch(Asked):
    """Changes to a project."""

    model_config = ConfigDict(strict=True)

    name: Name = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    description: Description | None = None


class ProjectView(Shown):
    """A project; the one that a deployment begins with has no times."""

    id: str
    name: str
    slug: str
    description: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None


class KeyIn(Asked):
    """A new API key."""

    project_id: Annotated[Id | None, Field(strict=True, description="The calling key's own project unless given.")] = (
        None
    )
    name: Annotated[Name, Field(strict=True)]
    scopes: Annotated[
        Annotated[list[str], Field(max_length=20)] | None,
        Field(description="Those to work with jobs and runs unless given, as far as the calling key has them."),
    ] = None
    expires_at: datetime | None = None


class KeyView(Shown):
    """An API key; what it is, not its secret."""

    id: str
    project_id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    last_used_at: Moment | None = None


class KeyWithSecret(KeyView):
    """An API key with its secret, in the one answer that shows it."""

    key: str
