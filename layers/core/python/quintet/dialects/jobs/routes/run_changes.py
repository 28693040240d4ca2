"""Changes to runs: replay, another time, pause, resume, and many at once."""

from collections.abc import Callable, Sequence
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.errors import told
from quintet.dialects.jobs.models_runs import (
    CanceledRuns,
    ChangedRun,
    Fault,
    JobRunView,
    ReplayedRuns,
    RescheduleBody,
    RunIdsBody,
    TriggeredRun,
)
from quintet.dialects.jobs.routes.runs import RunId, known, whole_fields, whole_view
from quintet.dialects.jobs.triggering import too_far
from quintet.domain.errors import Invalid, QuintetError
from quintet.domain.run import Run
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
TOKEN = "X-Run-Token"  # noqa: S105  # a header's name
SPARE_SECONDS = 5.0
"""What is left of an invocation's time for its last change and the answer."""
NO_TIME = Fault(code="service_unavailable", message="No time was left for this one: ask again")


def fault(error: QuintetError) -> Fault:
    """Why one of many was refused; a fault of ours is not one of its answers, and is raised on."""
    said = told(error)
    if said is None:
        raise error
    return Fault(**said[1])


@routes.post(
    "/v1/runs/bulk-cancel", **documented.of("Cancel many runs", "Runs", 403, 413, said="Each run's answer in its place")
)
@needs("runs:write")
def bulk_cancel(body: Annotated[RunIdsBody, Body()]) -> CanceledRuns:
    """Cancels up to 100 runs; one that can't be canceled says why and holds up no other."""
    caller = routes.caller

    def cancel(run_id: str) -> Run:
        return routes.engine.cancel_run(caller.project, known(run_id), caller.name)

    results = _each(body.run_ids, lambda run_id: ChangedRun(run_id=run_id, status=cancel(run_id).status))
    return CanceledRuns(results=results, total=len(results), canceled=_done(results))


@routes.post(
    "/v1/runs/bulk-replay", **documented.of("Replay many runs", "Runs", 403, 413, said="Each run's answer in its place")
)
@needs("runs:write")
def bulk_replay(body: Annotated[RunIdsBody, Body()]) -> ReplayedRuns:
    """Replays up to 100 ended runs; one that can't be replayed says why and holds up no other."""

    def replay(run_id: str) -> ChangedRun:
        run = _replay(run_id)
        return ChangedRun(run_id=run_id, id=run.id, status=run.status)

    results = _each(body.run_ids, replay)
    return ReplayedRuns(results=results, total=len(results), replayed=_done(results))


def _each(run_ids: Sequence[str], change: Callable[[str], ChangedRun]) -> list[ChangedRun]:
    """What becomes of each, in its place; those for which no time is left say so."""
    results: dict[int, ChangedRun] = {}
    # Youngest first: those that wait for a place are then gone before one is given up that would let them in.
    for place, run_id in sorted(enumerate(run_ids), key=lambda one: one[1], reverse=True):
        if routes.remaining_seconds < SPARE_SECONDS:
            results[place] = ChangedRun(run_id=run_id, error=NO_TIME)
            continue
        try:
            results[place] = change(run_id)
        except QuintetError as error:
            results[place] = ChangedRun(run_id=run_id, error=fault(error))
    return [results[place] for place in range(len(run_ids))]


def _done(results: list[ChangedRun]) -> int:
    return sum(one.error is None for one in results)


def _now(run: Run) -> JobRunView:
    return whole_view(routes.engine, run.project, run.id)


def _replay(run_id: str) -> Run:
    return routes.engine.retry_run(routes.caller.project, known(run_id), "full", by=routes.caller.name)


@routes.post(
    "/v1/runs/<run_id>/replay",
    **documented.of(
        "Replay a run", "Runs", 403, 404, 409, success=201, said="Created", content=documented.model(TriggeredRun)
    ),
)
@needs("runs:write")
def replay_run(run_id: RunId) -> Response[str]:
    """Starts a new run of the same version with the same payload; 409 while the run has not ended."""
    run = _replay(run_id)
    token = routes.engine.run_tokens.issue(run.id)
    shown = TriggeredRun(
        **whole_fields(routes.engine, run.project, run.id),
        payload_hash=run.asked.get("payload_hash"),
        run_token=token,
        idempotency_hit=False,
    )
    return json_response(201, shown.model_dump(mode="json"), {TOKEN: token})


@routes.post("/v1/runs/<run_id>/reschedule", **documented.of("Reschedule a run", "Runs", 403, 404, 409))
@needs("runs:write")
def reschedule_run(run_id: RunId, body: Annotated[RescheduleBody, Body()]) -> JobRunView:
    """Gives a delayed run another time, at most a year ahead; one that is past starts it. 409 for a run that is not delayed."""
    if problem := too_far(body.scheduled_at, routes.engine.clock.now()):
        raise Invalid([problem])
    return _now(routes.engine.hold.reschedule(routes.caller.project, known(run_id), body.scheduled_at))


@routes.post("/v1/runs/<run_id>/pause", **documented.of("Pause a run", "Runs", 403, 404, 409))
@needs("runs:write")
def pause_run(run_id: RunId) -> JobRunView:
    """Has nothing further begin in a run; what is under way may end. It keeps its place under its job's limits once it has started."""
    caller = routes.caller
    return _now(routes.engine.hold.pause(caller.project, known(run_id), caller.name))


@routes.post("/v1/runs/<run_id>/resume", **documented.of("Resume a run", "Runs", 403, 404, 409))
@needs("runs:write")
def resume_run(run_id: RunId) -> JobRunView:
    """Has a paused run go on; one that had not started waits for its turn again."""
    caller = routes.caller
    return _now(routes.engine.hold.resume(caller.project, known(run_id), caller.name))
