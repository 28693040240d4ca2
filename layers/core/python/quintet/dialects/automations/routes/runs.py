"""Runs: list, read, cancel, retry, result, and why they wait."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from quintet.dialects.automations import documented
from quintet.dialects.automations.models import ReasonView, ResultView, RetryBody, RunPage, RunView, WaitingView
from quintet.dialects.automations.results import Results
from quintet.dialects.automations.views import orchestrator_of, run_view
from quintet.dialects.automations.words import RUN_WORDS, RunWord, statuses
from quintet.domain.rules import outputs
from quintet.domain.run import Run
from quintet.web.api import Routes
from quintet.web.gate import needs
from quintet.web.paging import Limit, Offset

routes = Routes()
RunId = Annotated[UUID, Path(description="The run's id.")]


def shown(run: Run) -> RunView:
    """A run as every route of this API answers it."""
    return run_view(run, orchestrator_of(routes.version(run.job_id, run.version)))


@routes.get("/api/v1/automation-runs", **documented.of("List All Runs", "Runs", 403))
@needs("runs:read")
def list_runs(
    status: Annotated[RunWord | None, Query(description="Only runs of this status.")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> RunPage:
    """Lists the runs of the caller's project, newest first."""
    wanted = None if status is None else statuses(status)
    runs, project = routes.engine.runs, routes.caller.project
    total = runs.count(project, wanted)
    page = runs.page(project, wanted, limit, offset) if offset < total else []
    return RunPage(items=[shown(run) for run in page], total=total)


@routes.get("/api/v1/automation-runs/<run_id>", **documented.of("Get Run", "Runs", 403, 404))
@needs("runs:read")
def get_run(run_id: RunId) -> RunView:
    """Reads one run."""
    return shown(routes.engine.reading.run(routes.caller.project, str(run_id)))


@routes.post("/api/v1/automation-runs/<run_id>/cancel", **documented.of("Cancel Run", "Runs", 403, 404, 409))
@needs("runs:write")
def cancel_run(run_id: RunId) -> RunView:
    """Cancels a run and everything in it that hasn't ended; 409 when the run itself has."""
    caller = routes.caller
    return shown(routes.engine.cancel_run(caller.project, str(run_id), caller.name))


@routes.post("/api/v1/automation-runs/<run_id>/retry", **documented.of("Retry Run", "Runs", 403, 404, 409))
@needs("runs:write")
def retry_run(run_id: RunId, body: Annotated[RetryBody | None, Body()] = None) -> RunView:
    """Starts a new run of an ended one: from what failed (reusing what completed), from a step on, or in full."""
    asked = body or RetryBody()
    return shown(routes.engine.retry_run(routes.caller.project, str(run_id), asked.mode, asked.step_key))


@routes.get("/api/v1/automation-runs/<run_id>/waiting", **documented.of("Why Is It Waiting", "Runs", 403, 404))
@needs("runs:read")
def get_waiting(run_id: RunId) -> WaitingView:
    """Says what a run waits for, and until when."""
    reasons = routes.engine.reading.waiting(routes.caller.project, str(run_id))
    return WaitingView(waiting=bool(reasons), reasons=[ReasonView(**reason) for reason in reasons])


@routes.get("/api/v1/automation-runs/<run_id>/result", **documented.of("Get Run Result", "Runs", 403, 404))
@needs("runs:read")
def get_result(run_id: RunId) -> ResultView:
    """Reads what a run produced: the results of its last steps."""
    run, state = routes.engine.reading.state(routes.caller.project, str(run_id))
    results = Results(routes.engine.payloads)
    found = {key: results.show(stored) for key, stored in outputs(state).items()}
    return ResultView(
        status=RUN_WORDS[run.status],
        outputs={key: value for key, (value, _) in found.items()},
        truncated=[key for key, (_, cut) in found.items() if cut],
    )
