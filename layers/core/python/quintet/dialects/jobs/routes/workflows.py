"""Workflows: define, read, change, delete, trigger, look ahead, and their versions."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME, ProjectId, own_project
from quintet.dialects.jobs.models_runs import MAX_KEY, BulkItem
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.dialects.jobs.routes.jobs import TagKey, TagValue, tag_label
from quintet.dialects.jobs.triggering import IDEMPOTENCY_HEADERS, ask, idempotency_key
from quintet.dialects.jobs.workflow_authoring import WorkflowAuthor, steps_of
from quintet.dialects.jobs.workflow_graph import graph_view, mermaid, plan_view
from quintet.dialects.jobs.workflow_models import (
    TriggeredWorkflow,
    WorkflowIn,
    WorkflowPatch,
    WorkflowTrigger,
    WorkflowVersionView,
    WorkflowView,
)
from quintet.dialects.jobs.workflow_plans import (
    DryRunBody,
    DryRunView,
    GraphView,
    PlanView,
)
from quintet.dialects.jobs.workflow_rehearsing import rehearse
from quintet.dialects.jobs.workflow_steps import DIALECT, StepIn
from quintet.dialects.jobs.workflow_views import run_fields, version_view, workflow_view
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.job import Job
from quintet.domain.status import TERMINAL, RunStatus
from quintet.services.ports.runs import RunList
from quintet.web.api import Routes, json_response, no_content
from quintet.web.gate import needs

routes = Routes()
WorkflowId = Annotated[
    str, Path(min_length=1, max_length=128, pattern=NAME, description="The workflow's id or its slug.")
]
VersionId = Annotated[str, Path(min_length=1, max_length=64, pattern=NAME, description="The version's id, `ver_...`.")]
_LIVE = frozenset(RunStatus) - TERMINAL
_HEADER: dict[str, Any] = {
    "max_length": MAX_KEY,
    "description": "Triggers of a workflow with the same key are one run.",
}
IdempotencyKey = Annotated[str | None, Header(alias=IDEMPOTENCY_HEADERS[0], **_HEADER)]
OtherKey = Annotated[str | None, Header(alias=IDEMPOTENCY_HEADERS[1], **_HEADER)]


def _author() -> WorkflowAuthor:
    return WorkflowAuthor(routes.engine, routes.caller.project, routes.caller.name)


def _workflow(workflow_id: str, project_id: str | None) -> Job:
    """A workflow of the caller's project by id, else by slug. Raises NotFound."""
    project, jobs = own_project(routes, project_id), routes.engine.jobs
    try:
        job = jobs.get(project, workflow_id)
    except NotFound:
        return jobs.by_slug(project, DIALECT, workflow_id)
    if job.dialect != DIALECT:
        raise NotFound("no such workflow")
    return job


def _shown(job: Job) -> WorkflowView:
    return workflow_view(job, routes.version(job.id, job.version))


def _steps(job: Job) -> list[StepIn]:
    return steps_of(routes.version(job.id, job.version))


@routes.get(
    "/v1/workflows", **documented.of("List workflows", "Workflows", 403, 404, content=documented.pages(WorkflowView))
)
@needs("jobs:read")
def list_workflows(
    project_id: ProjectId = None,
    tag_key: TagKey = None,
    tag_value: TagValue = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists the project's workflows, newest first."""
    project = own_project(routes, project_id)
    page = routes.engine.jobs.browse(project, DIALECT, tag_label(tag_key, tag_value), limit, cursor)
    return listing(routes.event, [workflow_view(job) for job in page.jobs], page.cursor, envelope=envelope)


@routes.post(
    "/v1/workflows", **documented.of("Create a workflow", "Workflows", 403, 404, 409, 413, success=201, said="Created")
)
@needs("jobs:write")
def create_workflow(body: Annotated[WorkflowIn, Body()]) -> WorkflowView:
    """Defines a workflow: a DAG of steps."""
    own_project(routes, body.project_id)
    return _shown(_author().create(body))


@routes.get("/v1/workflows/<workflow_id>", **documented.of("Get a workflow", "Workflows", 403, 404))
@needs("jobs:read")
def get_workflow(workflow_id: WorkflowId, project_id: ProjectId = None) -> WorkflowView:
    """Reads a workflow with its steps."""
    return _shown(_workflow(workflow_id, project_id))


@routes.patch("/v1/workflows/<workflow_id>", **documented.of("Update a workflow", "Workflows", 403, 404, 409, 413))
@needs("jobs:write")
def update_workflow(
    workflow_id: WorkflowId, body: Annotated[WorkflowPatch, Body()], project_id: ProjectId = None
) -> WorkflowView:
    """Changes what the body names; null clears. Whatever changes but `enabled` makes a new version; runs keep theirs."""
    return _shown(_author().change(_workflow(workflow_id, project_id), body))


@routes.delete(
    "/v1/workflows/<workflow_id>",
    **documented.of("Delete a workflow", "Workflows", 403, 404, 409, success=204, said="Deleted"),
)
@needs("jobs:write")
def delete_workflow(workflow_id: WorkflowId, project_id: ProjectId = None) -> Response[str]:
    """Deletes a workflow that has no active runs; the ended ones stay readable."""
    job = _workflow(workflow_id, project_id)
    wanted, cursor = RunList(job.project, job_id=job.id, statuses=_LIVE), None
    while True:
        page = routes.engine.runs.browse(wanted, 1, cursor)
        if page.runs:
            raise Conflict("this workflow has active runs")
        if (cursor := page.cursor) is None:
            break
    routes.engine.delete_job(job.project, job.id)
    return no_content()


@routes.post(
    "/v1/workflows/<workflow_id>/trigger",
    **documented.of(
        "Trigger a workflow run",
        "Workflows",
        *(403, 404, 409, 413),
        success=201,
        said="Created, or the run that the idempotency key already stands for",
        content=documented.model(TriggeredWorkflow),
    ),
)
@needs("jobs:trigger")
def trigger_workflow(
    workflow_id: WorkflowId,
    body: Annotated[WorkflowTrigger | None, Body()] = None,
    project_id: ProjectId = None,
    key: IdempotencyKey = None,
    other_key: OtherKey = None,
) -> Response[str]:
    """Starts a run of a workflow."""
    engine, asked = routes.engine, body or WorkflowTrigger()
    job = _workflow(workflow_id, project_id)
    named = idempotency_key(dict(zip(IDEMPOTENCY_HEADERS, (key, other_key), strict=True)), asked.idempotency_key)
    # Not validated again: its fields are this body's.
    item = BulkItem.model_construct(
        **{name: getattr(asked, name) for name in ("tags", "metadata", "scheduled_at", "ttl_secs")}
    )
    wanted = ask(item, routes.caller, engine.clock.now(), payload=asked.payload, idempotency_key=named)
    done = engine.submit(job, wanted)
    shown = TriggeredWorkflow(**run_fields(done.run), payload=asked.payload, idempotency_hit=done.how != "created")
    return json_response(201, shown.model_dump(mode="json"))


@routes.get(
    "/v1/workflows/<workflow_id>/versions",
    **documented.of("List workflow versions", "Workflows", 403, 404, content=documented.pages(WorkflowVersionView)),
)
@needs("jobs:read")
def list_workflow_versions(
    workflow_id: WorkflowId,
    project_id: ProjectId = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists a workflow's versions, newest first, the current one included."""
    page = routes.engine.jobs.versions_page(_workflow(workflow_id, project_id).id, limit, cursor)
    shown = [version_view(version, whole=False) for version in page.versions]
    return listing(routes.event, shown, page.cursor, envelope=envelope)


@routes.get(
    "/v1/workflows/<workflow_id>/versions/<version_id>",
    **documented.of("Get a workflow version", "Workflows", 403, 404),
)
@needs("jobs:read")
def get_workflow_version(
    workflow_id: WorkflowId, version_id: VersionId, project_id: ProjectId = None
) -> WorkflowVersionView:
    """Reads one version with its steps."""
    job = _workflow(workflow_id, project_id)
    return version_view(routes.engine.jobs.version_by_id(job.id, version_id), whole=True)


@routes.post("/v1/workflows/<workflow_id>/dry-run", **documented.of("Rehearse a workflow", "Workflows", 403, 404, 413))
@needs("jobs:read")
def dry_run_workflow(
    workflow_id: WorkflowId, body: Annotated[DryRunBody | None, Body()] = None, project_id: ProjectId = None
) -> DryRunView:
    """Checks the workflow's steps, or those given, and says what would become of each with a payload. Starts nothing."""
    asked = body or DryRunBody()
    job = _workflow(workflow_id, project_id)
    steps = asked.steps
    if steps is None:
        steps = routes.version(job.id, job.version).source["fields"]["steps"]
    return rehearse(routes.engine, job.project, steps, asked.payload)


@routes.get("/v1/workflows/<workflow_id>/plan", **documented.of("Get a workflow's plan", "Workflows", 403, 404))
@needs("jobs:read")
def get_workflow_plan(workflow_id: WorkflowId, project_id: ProjectId = None) -> PlanView:
    """Says which steps run at once, level by level."""
    job = _workflow(workflow_id, project_id)
    return plan_view(job.id, job.version, _steps(job))


@routes.get(
    "/v1/workflows/<workflow_id>/graph",
    **documented.of(
        "Get a workflow's graph",
        "Workflows",
        *(403, 404),
        content={**documented.model(GraphView), "text/plain": {"schema": {"type": "string"}}},
    ),
)
@needs("jobs:read")
def get_workflow_graph(
    workflow_id: WorkflowId,
    project_id: ProjectId = None,
    format: Annotated[  # noqa: A002  # the parameter's name on the wire
        Literal["json", "mermaid"], Query(description="`mermaid`: the text of a flowchart.")
    ] = "json",
) -> Response[str]:
    """Shows a workflow's steps and what depends on what."""
    job = _workflow(workflow_id, project_id)
    if format == "mermaid":
        return Response(200, "text/plain; charset=utf-8", mermaid(_steps(job)))
    return json_response(200, graph_view(job.id, job.version, _steps(job)).model_dump(mode="json"))
