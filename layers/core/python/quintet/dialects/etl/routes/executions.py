"""Executions of jobs: start, stop, status, logs, figures."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from quintet.dialects.etl import documented
from quintet.dialects.etl.asking import desk_of, runs_of
from quintet.dialects.etl.execution import executed_tasks, execution_view, totals
from quintet.dialects.etl.executions import Executions
from quintet.dialects.etl.finding import JobNumber, ProjectNumber
from quintet.dialects.etl.models_executions import ExecutionView, JobMetrics, LogLines, Submitted
from quintet.dialects.etl.models_work import JobView, StartIn, When
from quintet.dialects.etl.views import job_view
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
_JOB = "/webrobot/api/projects/id/<project_id>/jobs/<job_id>"
_EXECUTION = f"{_JOB}/executions/<execution_id>"
_LINES, _MOST_LINES = 1000, 10_000

ExecutionId = Annotated[
    str,
    Path(
        description="The `executionId` of an execution of the job, or the `executionReferenceId` of one of its tasks."
    ),
]
Tail = Annotated[int, Query(ge=1, le=_MOST_LINES, description="How many lines to answer at most: the last ones.")]
StartTime = Annotated[
    When | None, Query(alias="startTime", description="Only runs from then on (ISO 8601, with its zone).")
]
EndTime = Annotated[When | None, Query(alias="endTime", description="Only runs before.")]


@routes.post(f"{_JOB}/execute", **documented.of("Execute a job", "Executions", 404, 409, 413))
@needs("jobs:trigger")
def execute_job(
    project_id: ProjectNumber, job_id: JobNumber, body: Annotated[StartIn | None, Body()] = None
) -> Submitted:
    """Starts the job's enabled tasks, in the order of their `dependsOn`. One that fails skips those that depend on it, and fails the
    execution when all others have ended."""
    desk = desk_of(routes)
    run = runs_of(routes, desk).execute(desk.places.job(project_id, job_id), body.params if body else None)
    return Submitted(execution_id=run.id)


@routes.post(f"{_JOB}/stop", **documented.of("Stop a job", "Executions", 404, 409, content=documented.model(JobView)))
@needs("jobs:trigger")
def stop_job(project_id: ProjectNumber, job_id: JobNumber) -> Response[str]:
    """Stops the job's execution, and the tasks that it has started."""
    desk = desk_of(routes)
    job = desk.places.job(project_id, job_id)
    return json_response(200, job_view(job, runs_of(routes, desk).stop(job)).shown())


@routes.get(f"{_EXECUTION}/status", **documented.of("Get an execution's status", "Executions", 404))
@needs("runs:read")
def get_execution_status(project_id: ProjectNumber, job_id: JobNumber, execution_id: ExecutionId) -> ExecutionView:
    """Tells how an execution stands, and each task in it."""
    desk = desk_of(routes)
    executions = Executions(desk, desk.places.job(project_id, job_id))
    run, task = executions.run(execution_id)
    run, state = executions.state(run)
    children = {} if task is not None else {child.job_id: child for child in reversed(executions.children(run))}
    return execution_view(run, state, executed_tasks(state, children))


@routes.get(f"{_EXECUTION}/logs", **documented.of("Get an execution's logs", "Executions", 404))
@needs("runs:read")
def get_execution_logs(
    project_id: ProjectNumber, job_id: JobNumber, execution_id: ExecutionId, tail: Tail = _LINES
) -> LogLines:
    """Reads the last lines of what an execution's programs said, oldest first."""
    desk = desk_of(routes)
    executions = Executions(desk, desk.places.job(project_id, job_id))
    return LogLines(logs=executions.last_lines(*executions.run(execution_id), tail))


@routes.get(f"{_JOB}/metrics", **documented.of("Get metrics of a job", "Executions", 404))
@needs("jobs:read")
def get_job_metrics(
    project_id: ProjectNumber, job_id: JobNumber, start_time: StartTime = None, end_time: EndTime = None
) -> JobMetrics:
    """Sums the figures of the runs of the job's tasks, of the newest 1,000 of the time asked for."""
    desk = desk_of(routes)
    executions = Executions(desk, desk.places.job(project_id, job_id))
    runs, truncated = executions.runs_of_tasks(start_time, end_time)
    return JobMetrics(
        job_id=job_id,
        start_time=start_time,
        end_time=end_time,
        aggregated=totals(runs),
        truncated=truncated,
    )
