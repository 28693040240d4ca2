"""The callback of running programs: agents that answered 202 tell their end."""

from typing import Annotated, cast

from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.etl import documented
from quintet.dialects.etl.finding import JobNumber, ProjectNumber
from quintet.dialects.etl.models_completion import COMPLETED, CompletionBody, CompletionView
from quintet.dialects.etl.places import Places, number_of
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.domain.jsontext import compact
from quintet.domain.run import Run
from quintet.services.task_reports import TaskReport
from quintet.services.tokens import RunToken
from quintet.web.api import Routes
from quintet.web.gate import exact, needs, or_run_token, takes

routes = Routes()
MAX_BYTES = 5 * 1024 * 1024
"""A function is called with 6 MB at most."""


@routes.post(
    "/webrobot/api/projects/id/<project>/jobs/<job>/completion",
    **documented.of("Report the end of a task", "Executions", 404, 409, 413, 503),
)
@needs("jobs:trigger")
@or_run_token
@takes(MAX_BYTES)
@exact
def report_completion(
    project: ProjectNumber, job: JobNumber, body: Annotated[CompletionBody, Body()]
) -> CompletionView:
    """Ends the task of an agent as it reports: with an API key, or with the X-Run-Token that came with its call. A report that says
    nothing wrong counts once; those that come later, or for a task that ends by itself, are 409."""
    if body.rows is not None and body.output_dataset_path is not None:
        raise Invalid([Problem(("rows",), "say either rows or outputDatasetPath")])
    token = cast(RunToken | None, routes.context.get("run_token"))
    reports = routes.engine.task_reports
    run = _named(project, job, body) if token is None else reports.by_token(token, project, job)
    task = number_of(routes.engine.jobs.get(run.tenant, run.job_id))
    if body.task_id not in (None, str(task)):
        raise NotFound("this token is another task's")
    if body.execution_id not in (None, run.id, run.parent and run.parent.run_id):
        raise NotFound(f"task {task} is not at work on that execution")
    ended = reports.settle(run, _report(body), token)
    word = "completed" if body.status == COMPLETED else "failed"
    return CompletionView(
        success=True, message=f"Task {task} has {word}", task_id=str(task), execution_id=ended.id, status=body.status
    )


def _named(project: int, job: int, body: CompletionBody) -> Run:
    """The run that a report is of: its task's, its execution's, or the only one there can be."""
    places = Places(routes.engine.jobs, routes.caller.project)
    reports, etl_job = routes.engine.task_reports, places.job(project, job)
    if body.task_id is not None:
        return reports.by_task(places.task(project, job, int(body.task_id)))
    return reports.only(etl_job) if body.execution_id is None else reports.by_execution(etl_job, body.execution_id)


def _report(body: CompletionBody) -> TaskReport:
    return TaskReport(
        body.status == COMPLETED,
        body.error_message or body.message,
        None if body.rows is None else [compact(row).encode() for row in body.rows],
        body.output_dataset_path,
        body.output_dataset_format,
        body.metrics,
    )
