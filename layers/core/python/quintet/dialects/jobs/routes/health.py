"""Figures: a job's health, a project's runs."""

from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import JobId, ProjectId, any_job_at, own_project
from quintet.dialects.jobs.models_admin import CountsView, HealthView, StatsView, Window
from quintet.domain.health import health
from quintet.domain.status import TERMINAL, RunStatus
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()
_WINDOWS: dict[Window, timedelta] = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_AHEAD = timedelta(minutes=1)
"""How far the clock of a process that ends a run may be ahead of this one's."""


@routes.get("/v1/jobs/<job_id>/health", **documented.of("Get job health score", "Jobs", 403, 404))
@needs("runs:read")
def get_job_health(
    job_id: JobId,
    window: Annotated[Window, Query(description="The runs that ended within this time from now.")] = "7d",
    project_id: ProjectId = None,
) -> HealthView:
    """Reckons how well a job does: success weighs 70 of 100 points, steady durations 30."""
    job = any_job_at(routes, job_id, project_id)
    now = routes.engine.clock.now()
    since = now - _WINDOWS[window]
    ended = routes.engine.runs.ended(job.id, since, now + _AHEAD)
    found = health((one.status, one.seconds) for one in ended)
    counts = found.counts
    return HealthView(
        job_id=job.id,
        window=window,
        since=since,
        total_runs=found.total,
        completed_runs=counts[RunStatus.COMPLETED],
        failed_runs=counts[RunStatus.FAILED] + counts[RunStatus.SYSTEM_FAILED],
        timed_out_runs=counts[RunStatus.TIMED_OUT],
        crashed_runs=counts[RunStatus.CRASHED],
        canceled_runs=counts[RunStatus.CANCELED],
        expired_runs=counts[RunStatus.EXPIRED],
        success_rate=found.success_rate,
        avg_duration_secs=found.average,
        p95_duration_secs=found.p95,
        p99_duration_secs=found.p99,
        health_score=found.score,
    )


@routes.get("/v1/stats", **documented.of("Get statistics", "Statistics", 403, 404))
@needs("runs:read")
def get_stats(project_id: ProjectId = None) -> StatsView:
    """Counts the project's runs, of whichever API, by status."""
    return stats_of(own_project(routes, project_id), None)


def stats_of(project: str, group_id: str | None) -> StatsView:
    """A project's counters, or a group's."""
    counts = routes.engine.runs.counts(project, group_id)
    total = sum(counts.values())
    ended = sum(counts.get(status, 0) for status in TERMINAL)
    completed = counts.get(RunStatus.COMPLETED, 0)
    return StatsView(
        project_id=project,
        group_id=group_id,
        total_runs=total,
        active_runs=total - ended,
        success_rate=round(100 * completed / ended, 2) if ended else 0.0,
        by_status=CountsView(**{status.value: counts.get(status, 0) for status in RunStatus}),
    )
