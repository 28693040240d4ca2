"""What is in a run: its steps, attempts, events, log lines, children, outputs and checkpoints."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import Response

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.attempts import attempt_view, attempts
from quintet.dialects.jobs.models_run_parts import (
    AttemptView,
    CheckpointView,
    EventView,
    LogView,
    OutputView,
    StepRunView,
)
from quintet.dialects.jobs.models_runs import JobRunView
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.dialects.jobs.routes.runs import RunId, known
from quintet.dialects.jobs.shapes import Shown
from quintet.dialects.jobs.values import Values
from quintet.dialects.jobs.views_runs import UNSAID, event_view, in_order, log_view, run_view, step_view
from quintet.domain.errors import Invalid, Problem
from quintet.domain.events import from_millis
from quintet.domain.run import Run
from quintet.services.ports.runs import RunList
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()
T = TypeVar("T")

_LINE = re.compile(r"[0-9A-Za-z-]{1,64}")
_MAX_NUMBER = 10**12


def _of(shape: type[Shown], summary: str) -> dict[str, Any]:
    return documented.of(summary, "Runs", 403, 404, content=documented.pages(shape))


def _run(run_id: str) -> Run:
    return routes.engine.reading.run(routes.caller.project, known(run_id))


def _number(cursor: str | None) -> int:
    """The number that a cursor of a journal's or a step list's page is. Raises Invalid."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) > _MAX_NUMBER:
        raise Invalid([Problem(("query", "cursor"), "is no cursor of this list")])
    return int(cursor)


def _after(items: Sequence[T], limit: int, place: Callable[[T], Any]) -> str | None:
    """The cursor of the page after one that was asked to have `limit` items."""
    return str(place(items[-1])) if len(items) == limit else None


@routes.get("/v1/runs/<run_id>/steps", **_of(StepRunView, "List a run's steps"))
@needs("runs:read")
def list_run_steps(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists a run's steps as written; each loop or map is followed by the steps of its iterations or items."""
    start = _number(cursor)
    run, state = routes.engine.reading.state(routes.caller.project, known(run_id))
    steps = in_order(state)
    values, shown = Values(routes.engine.payloads), list[StepRunView]()
    for step in islice(steps, start, start + limit):
        shown.append(step_view(run.id, step, values.show(step.result)))
        if values.full:
            break
    upto = start + len(shown)
    return listing(routes.event, shown, str(upto) if upto < len(steps) else None, envelope=envelope)


@routes.get("/v1/runs/<run_id>/attempts", **_of(AttemptView, "List a run's attempts"))
@needs("runs:read")
def list_run_attempts(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists the attempts of a run's steps in the order in which they began; the whole journal is read for them."""
    after, run = _number(cursor), _run(run_id)
    found = [one for one in attempts(routes.engine.reading.events(run.id, 0)) if one.began > after]
    page = found[:limit]
    following = str(page[-1].began) if len(found) > limit else None
    return listing(routes.event, [attempt_view(run.id, one) for one in page], following, envelope=envelope)


@routes.get("/v1/runs/<run_id>/events", **_of(EventView, "List a run's events"))
@needs("runs:read")
def list_run_events(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists what happened in a run, oldest first; a page may be short while there are more."""
    after, run = _number(cursor), _run(run_id)
    events = routes.engine.reading.events(run.id, after, limit)
    shown = [event_view(run.id, number, event) for number, event in events if event.type not in UNSAID]
    return listing(routes.event, shown, _after(events, limit, lambda one: one[0]), envelope=envelope)


@routes.get("/v1/runs/<run_id>/logs", **_of(LogView, "List a run's log lines"))
@needs("runs:read")
def list_run_logs(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists what a run's steps said, oldest first."""
    if cursor is not None and not _LINE.fullmatch(cursor):
        raise Invalid([Problem(("query", "cursor"), "is no cursor of this list")])
    run = _run(run_id)
    lines = routes.engine.logs.read(run.id, cursor, limit)
    shown = [log_view(run.id, line) for line in lines]
    return listing(routes.event, shown, _after(lines, limit, lambda line: line.id), envelope=envelope)


@routes.get("/v1/runs/<run_id>/children", **_of(JobRunView, "List a run's children"))
@needs("runs:read")
def list_run_children(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists the runs that a run's program spawned and its steps called, newest first."""
    run = _run(run_id)
    page = routes.engine.runs.browse(RunList(run.project, label=f"parent:{run.id}"), limit, cursor)
    return listing(routes.event, [run_view(child) for child in page.runs], page.cursor, envelope=envelope)


@routes.get("/v1/runs/<run_id>/outputs", **_of(OutputView, "List a run's outputs"))
@needs("runs:read")
def list_run_outputs(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists the named values that a run's program put out, by name."""

    def view(run: Run, key: str, body: Mapping[str, Any], values: Values) -> OutputView:
        shown = values.show(body["value"])
        told = {"value": shown.value, "value_url": shown.url, "created_at": from_millis(body["at"])}
        return OutputView(id=f"{run.id}/{key}", run_id=run.id, output_key=key, **told)

    return _records(run_id, "output", limit, cursor, view, envelope=envelope)


@routes.get("/v1/runs/<run_id>/checkpoints", **_of(CheckpointView, "List a run's checkpoints"))
@needs("runs:read")
def list_run_checkpoints(
    run_id: RunId, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists the states that a run's program could go on from, oldest first."""

    def view(run: Run, id_: str, body: Mapping[str, Any], values: Values) -> CheckpointView:
        shown = values.show(body["state"])
        told = {"state": shown.value, "state_url": shown.url, "created_at": from_millis(body["at"])}
        return CheckpointView(id=id_, run_id=run.id, source=body["source"], **told)

    return _records(run_id, "checkpoint", limit, cursor, view, envelope=envelope)


def _records(
    run_id: str,
    kind: str,
    limit: int,
    cursor: str | None,
    view: Callable[[Run, str, Mapping[str, Any], Values], Shown],
    *,
    envelope: bool,
) -> Response[str]:
    run = _run(run_id)
    records = routes.engine.records.page(run.id, kind, limit, cursor)
    values, shown = Values(routes.engine.payloads), list[Shown]()
    for id_, body in records:
        shown.append(view(run, id_, body, values))
        if values.full:
            break
    more = len(records) == limit or len(shown) < len(records)
    return listing(routes.event, shown, records[len(shown) - 1][0] if more else None, envelope=envelope)
