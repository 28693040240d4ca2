"""Runs of workflows: list, read, hold, retry, and what people do to their steps."""

from itertools import islice
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import ProjectId, own_project
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.dialects.jobs.routes.runs import RunId, known
from quintet.dialects.jobs.values import WHOLE_BYTES, Values
from quintet.dialects.jobs.views_runs import in_order
from quintet.dialects.jobs.workflow_authoring import RUN_LABEL
from quintet.dialects.jobs.workflow_models import (
    ApproveBody,
    CompleteStepBody,
    RetryBody,
    SkipBody,
    TimelineEntry,
    WorkflowRunView,
    WorkflowStepView,
)
from quintet.dialects.jobs.workflow_timeline import timeline
from quintet.dialects.jobs.workflow_views import children, run_brief, run_view, step_view, types_of
from quintet.domain.errors import Invalid, Problem
from quintet.domain.jsontext import compact
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import RunList
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
StepRef = Annotated[
    str, Path(min_length=1, max_length=1024, description="The step's step_ref; its path inside loops and maps.")
]
REJECTED_BYTES = 64 * 1024
"""An approval's fields are an output, and outputs may be large; an error lies in the journal, whose events are of bounded size."""
_WHOLE_JOURNAL = 10_000_000
_CHANGES = (403, 404, 409)


def _whole(run_id: str) -> WorkflowRunView:
    engine = routes.engine
    run, state = engine.reading.state(routes.caller.project, known(run_id))
    values = Values(engine.payloads)
    return run_view(run, state, values.show(state.input, WHOLE_BYTES), values.result(run, state))


@routes.get(
    "/v1/workflow-runs",
    **documented.of("List workflow runs", "Workflow runs", 403, 404, content=documented.pages(WorkflowRunView)),
)
@needs("runs:read")
def list_workflow_runs(
    project_id: ProjectId = None,
    workflow_id: Annotated[str | None, Query(max_length=128, description="Only runs of this workflow.")] = None,
    status: Annotated[RunStatus | None, Query(description="Only runs of this status.")] = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists the project's runs of workflows, newest first, whatever started them. A page may be short while there are more."""
    wanted = RunList(
        own_project(routes, project_id),
        job_id=workflow_id,
        label=RUN_LABEL if workflow_id is None else None,
        statuses=None if status is None else frozenset({status}),
    )
    page = routes.engine.runs.browse(wanted, limit, cursor)
    return listing(routes.event, [run_brief(run) for run in page.runs], page.cursor, envelope=envelope)


@routes.get("/v1/workflow-runs/<run_id>", **documented.of("Get a workflow run", "Workflow runs", 403, 404))
@needs("runs:read")
def get_workflow_run(run_id: RunId) -> WorkflowRunView:
    """Reads a run with its payload and output; /v1/runs/{id} reads it too."""
    return _whole(run_id)


@routes.get(
    "/v1/workflow-runs/<run_id>/steps",
    **documented.of(
        "List a workflow run's steps", "Workflow runs", 403, 404, content=documented.pages(WorkflowStepView)
    ),
)
@needs("runs:read")
def list_workflow_run_steps(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists a run's steps as written: where each stands, what it waits for, what it came to."""
    start = _number(cursor)
    engine = routes.engine
    run, state = engine.reading.state(routes.caller.project, known(run_id))
    steps, types, started = in_order(state), _types(run), _children(run, state)
    values, shown = Values(engine.payloads), list[WorkflowStepView]()
    for step in islice(steps, start, start + limit):
        shown.append(step_view(run.id, step, types, values.show(step.result), started.get(step.path)))
        if values.full:
            break
    upto = start + len(shown)
    return listing(routes.event, shown, str(upto) if upto < len(steps) else None, envelope=envelope)


def _types(run: Run) -> Any:
    return types_of(routes.version(run.job_id, run.version))


def _children(run: Run, state: RunState) -> dict[str, str]:
    """The runs that steps started; a settled step's is known to the journal only."""
    if not any(step.kind == "subrun" for step in state.plan.walk()):
        return {}
    return children(routes.engine.reading.events(run.id, 0, _WHOLE_JOURNAL))


@routes.get(
    "/v1/workflow-runs/<run_id>/timeline",
    **documented.of(
        "Get a workflow run's timeline", "Workflow runs", 403, 404, content=documented.pages(TimelineEntry)
    ),
)
@needs("runs:read")
def get_workflow_run_timeline(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Tells what happened in a run, oldest first, with how long it took; the whole journal is read for it."""
    after = _number(cursor)
    run = routes.engine.reading.run(routes.caller.project, known(run_id))
    entries = timeline(routes.engine.reading.events(run.id, 0, _WHOLE_JOURNAL))
    page = list(islice((entry for entry in entries if int(entry.id) > after), limit + 1))
    following = page[limit - 1].id if len(page) > limit else None
    return listing(routes.event, page[:limit], following, envelope=envelope)


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 12):
        raise Invalid([Problem(("query", "cursor"), "is no cursor of this list")])
    return int(cursor)


# --- the run -----------------------------------------------------------------------------------------------------------------


@routes.post("/v1/workflow-runs/<run_id>/cancel", **documented.of("Cancel a workflow run", "Workflow runs", *_CHANGES))
@needs("runs:write")
def cancel_workflow_run(run_id: RunId) -> WorkflowRunView:
    """Cancels a run, its unsettled steps and the runs that they started."""
    caller = routes.caller
    return run_brief(routes.engine.cancel_run(caller.project, known(run_id), caller.name))


@routes.post("/v1/workflow-runs/<run_id>/pause", **documented.of("Pause a workflow run", "Workflow runs", *_CHANGES))
@needs("runs:write")
def pause_workflow_run(run_id: RunId) -> WorkflowRunView:
    """Has no further step begin; what is under way may end."""
    caller = routes.caller
    return run_brief(routes.engine.hold.pause(caller.project, known(run_id), caller.name))


@routes.post("/v1/workflow-runs/<run_id>/resume", **documented.of("Resume a workflow run", "Workflow runs", *_CHANGES))
@needs("runs:write")
def resume_workflow_run(run_id: RunId) -> WorkflowRunView:
    """Has a paused run go on."""
    caller = routes.caller
    return run_brief(routes.engine.hold.resume(caller.project, known(run_id), caller.name))


@routes.post(
    "/v1/workflow-runs/<run_id>/retry",
    **documented.of("Retry a workflow run", "Workflow runs", *_CHANGES, success=201, said="Created"),
)
@needs("runs:write")
def retry_workflow_run(run_id: RunId, body: Annotated[RetryBody | None, Body()] = None) -> WorkflowRunView:
    """Starts a new run that takes over what completed: all of it, or what comes before `from_step`. 409 while the run has not ended."""
    step = body.from_step if body else None
    caller, mode = routes.caller, "from_failed" if step is None else "from_step"
    try:
        return run_brief(routes.engine.retry_run(caller.project, known(run_id), mode, step, by=caller.name))
    except Invalid as error:
        raise Invalid([Problem(("from_step",), p.message, p.type) for p in error.problems]) from error


# --- steps -------------------------------------------------------------------------------------------------------------------


@routes.post(
    "/v1/workflow-runs/<run_id>/steps/<step_ref>/approve",
    **documented.of("Answer an approval", "Workflow runs", *_CHANGES),
)
@needs("runs:write")
def approve_step(
    run_id: RunId, step_ref: StepRef, body: Annotated[ApproveBody | None, Body()] = None
) -> WorkflowRunView:
    """Approves a step that waits for it, or with `approved: false` rejects it, which fails the step."""
    said, caller = body or ApproveBody(), routes.caller
    if not said.approved and said.fields is not None and (size := len(compact(said.fields).encode())) > REJECTED_BYTES:
        message = f"a rejection's fields are part of the step's error: at most {REJECTED_BYTES} bytes, not {size}"
        raise Invalid([Problem(("fields",), message, "too_long")])
    run = routes.engine.answer_step(
        caller.project,
        known(run_id),
        _path(step_ref),
        approved=said.approved,
        by=caller.name,
        comment=said.comment,
        fields=said.fields,
    )
    return run_brief(run)


@routes.post(
    "/v1/workflow-runs/<run_id>/steps/<step_ref>/skip", **documented.of("Skip a step", "Workflow runs", *_CHANGES)
)
@needs("runs:write")
def skip_step(run_id: RunId, step_ref: StepRef, body: Annotated[SkipBody | None, Body()] = None) -> WorkflowRunView:
    """Skips a step that has not ended; what comes of its attempt later is refused. Steps that depend on skipped ones alone are skipped."""
    caller, reason = routes.caller, body.reason if body else None
    operate = routes.engine.operate_step
    return run_brief(operate.skip(caller.project, known(run_id), _path(step_ref), by=caller.name, reason=reason))


@routes.post(
    "/v1/workflow-runs/<run_id>/steps/<step_ref>/force-complete",
    **documented.of("Complete a step by hand", "Workflow runs", *_CHANGES, 413),
)
@needs("runs:write")
def force_complete_step(
    run_id: RunId, step_ref: StepRef, body: Annotated[CompleteStepBody | None, Body()] = None
) -> WorkflowRunView:
    """Completes a step that has not ended with an output, as if it had come to it; what comes of its attempt later is refused."""
    said, caller = body or CompleteStepBody(), routes.caller
    operate = routes.engine.operate_step
    run = operate.complete(
        caller.project, known(run_id), _path(step_ref), said.output, by=caller.name, reason=said.reason
    )
    return run_brief(run)


@routes.post(
    "/v1/workflow-runs/<run_id>/steps/<step_ref>/retry",
    **documented.of(
        "Retry a step",
        "Workflow runs",
        *_CHANGES,
        content=documented.model(WorkflowRunView),
        also={201: {"description": "A new run", "content": documented.model(WorkflowRunView)}},
    ),
)
@needs("runs:write")
def retry_step(run_id: RunId, step_ref: StepRef) -> Response[str]:
    """Has a step that rests before its next attempt tried at once; of an ended run, starts a new run from the step on (201)."""
    caller, asked = routes.caller, known(run_id)
    run = routes.engine.operate_step.retry(caller.project, asked, _path(step_ref), by=caller.name)
    return json_response(200 if run.id == asked else 201, run_brief(run).model_dump(mode="json"))


def _path(step_ref: str) -> str:
    """A gateway may leave the brackets of a path encoded; a step_ref itself never has a percent sign."""
    return unquote(step_ref)
