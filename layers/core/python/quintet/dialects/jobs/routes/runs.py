"""Runs: list, read, cancel, those that failed for good."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME, ProjectId, own_project
from quintet.dialects.jobs.models_runs import JobRunView
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.dialects.jobs.values import WHOLE_BYTES, Values
from quintet.dialects.jobs.views_runs import Whole, run_fields, run_view
from quintet.dialects.jobs.words import TriggerWord, started_by
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import RunList
from quintet.web.api import Routes
from quintet.web.engine import Engine
from quintet.web.gate import needs

routes = Routes()

RunId = Annotated[str, Path(min_length=1, max_length=64, pattern=NAME, description="The run's id.")]
OfJob = Annotated[str | None, Query(max_length=128, description="Only runs of this job, by its id.")]
TagKey = Annotated[str | None, Query(max_length=64, description="Only runs triggered with this tag.")]
TagValue = Annotated[str | None, Query(max_length=256, description="Only those whose tag `tag_key` has this value.")]
MetadataKey = Annotated[str | None, Query(max_length=64, description="Only runs triggered with this metadata.")]
MetadataValue = Annotated[
    str | None, Query(max_length=1024, description="Only those where `metadata_key` has this value.")
]

DEAD = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CRASHED, RunStatus.SYSTEM_FAILED})
"""How a run ends that failed after all its attempts."""
_LOOKS = 10
"""How many parts of a list one request looks through for what it wants of them."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def known(text: str) -> str:
    """The id of a run, if it can be one. Raises NotFound."""
    if not _UUID.fullmatch(text.lower()):
        raise NotFound("no such run")
    return text.lower()


@routes.get("/v1/runs", **documented.of("List runs", "Runs", 403, 404, content=documented.pages(JobRunView)))
@needs("runs:read")
def list_runs(
    project_id: ProjectId = None,
    job_id: OfJob = None,
    status: Annotated[RunStatus | None, Query(description="Only runs of this status.")] = None,
    triggered_by: Annotated[TriggerWord | None, Query(description="Only runs started by this.")] = None,
    batch_id: Annotated[str | None, Query(max_length=128, description="Only runs of this bulk trigger.")] = None,
    tag_key: TagKey = None,
    tag_value: TagValue = None,
    metadata_key: MetadataKey = None,
    metadata_value: MetadataValue = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists the project's runs, newest first, of every API. A page may be short while there are more."""
    project = own_project(routes, project_id)
    marks = [
        *_mark("tags", "tag", tag_key, tag_value),
        *_mark("metadata", "metadata", metadata_key, metadata_value),
        *([Mark("batch_id", batch_id, None)] if batch_id is not None else []),
    ]
    wanted = RunList(
        project,
        job_id=job_id,
        label=next((label for mark in reversed(marks) if (label := mark.label)), None),
        statuses=None if status is None else frozenset({status}),
        trigger_type=None if triggered_by is None else started_by(triggered_by),
    )
    return _page(wanted, marks, limit, cursor, envelope=envelope)


@routes.get("/v1/runs/dlq", **documented.of("List dead runs", "Runs", 403, 404, content=documented.pages(JobRunView)))
@needs("runs:read")
def list_dead_runs(
    project_id: ProjectId = None,
    job_id: OfJob = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists the runs that failed after all their attempts: failed, timed_out, crashed, system_failed."""
    wanted = RunList(own_project(routes, project_id), job_id=job_id, statuses=DEAD)
    return _page(wanted, [], limit, cursor, envelope=envelope)


@routes.get("/v1/runs/<run_id>", **documented.of("Get a run", "Runs", 403, 404))
@needs("runs:read")
def get_run(run_id: RunId) -> JobRunView:
    """Reads a run, whichever API started it."""
    return whole_view(routes.engine, routes.caller.project, known(run_id))


@routes.delete("/v1/runs/<run_id>", **documented.of("Cancel a run", "Runs", 403, 404, 409, said="Canceled"))
@needs("runs:write")
def cancel_run(run_id: RunId) -> JobRunView:
    """Cancels a run and everything in it that hasn't ended; 409 when the run itself has. It stays readable."""
    caller, engine = routes.caller, routes.engine
    return whole_view(engine, caller.project, engine.cancel_run(caller.project, known(run_id), caller.name).id)


def whole_view(engine: Engine, project: str, run_id: str) -> JobRunView:
    """A run with all there is of it, as it is now. Raises NotFound."""
    return JobRunView(**whole_fields(engine, project, run_id))


def whole_fields(engine: Engine, project: str, run_id: str) -> dict[str, Any]:
    """The fields of that view."""
    run, state = engine.reading.state(project, run_id)
    values = Values(engine.payloads)
    whole = Whole(state, values.show(state.input, WHOLE_BYTES), values.result(run, state), engine.runs.beaten(run.id))
    return run_fields(run, whole)


class Mark:
    """Something that a run was triggered with: a value under a key (None: any) of a field of what was asked."""

    def __init__(self, field: str, key: str, value: str | None) -> None:
        self._field = field
        self._key = key
        self._value = value

    @property
    def label(self) -> str | None:
        """The list that such runs are found in; None when only their items tell."""
        if self._field == "batch_id":
            return f"batch:{self._key}"
        kind = "tag" if self._field == "tags" else "meta"
        return None if self._value is None else f"{kind}:{self._key}={self._value}"

    def on(self, run: Run) -> bool:
        """True for a run that carries it."""
        if self._field == "batch_id":
            return bool(run.asked.get("batch_id") == self._key)
        said: Mapping[str, Any] = run.asked.get(self._field) or {}
        return self._key in said and (self._value is None or str(said[self._key]) == self._value)


def _mark(field: str, name: str, key: str | None, value: str | None) -> Iterator[Mark]:
    if key is not None:
        yield Mark(field, key, value)
    elif value is not None:
        raise Invalid([Problem(("query", f"{name}_key"), f"field required beside {name}_value")])


def _page(wanted: RunList, marks: list[Mark], limit: int, cursor: str | None, *, envelope: bool) -> Response[str]:
    """A page of a list: its index leads through it, what the index doesn't tell is picked from the items."""
    found: list[Run] = []
    for _ in range(_LOOKS):
        page = routes.engine.runs.browse(wanted, limit - len(found), cursor)
        found += [
            run
            for run in page.runs
            if all(mark.on(run) for mark in marks if mark.label is None or mark.label != wanted.label)
        ]
        cursor = page.cursor
        if cursor is None or len(found) == limit:
            break
    return listing(routes.event, [run_view(run) for run in found], cursor, envelope=envelope)
