"""Triggers of jobs: one, many, rehearsed, and with payloads too large for a request."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, cast
from uuid import NAMESPACE_OID, uuid5

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.errors import rate_headers
from quintet.dialects.jobs.finding import JobId, ProjectId, job_at
from quintet.dialects.jobs.models_runs import (
    MAX_KEY,
    BulkBody,
    BulkItem,
    BulkResult,
    BulkView,
    MergedRun,
    RehearsedRun,
    TriggerBody,
    TriggeredRun,
    UploadView,
)
from quintet.dialects.jobs.routes.run_changes import TOKEN, fault
from quintet.dialects.jobs.triggering import IDEMPOTENCY_HEADERS, ask, idempotency_key
from quintet.dialects.jobs.views import job_view
from quintet.dialects.jobs.views_runs import run_fields
from quintet.domain.errors import Disabled, Invalid, NotFound, Problem, QuintetError
from quintet.domain.job import Job
from quintet.domain.limits import Allowance
from quintet.services.asks import Ask, Submitted
from quintet.web import bodies
from quintet.web.api import Routes, json_response
from quintet.web.gate import first, needs, takes

routes = Routes()

BULK_BYTES = 4 * 1024 * 1024
"""A function is called with 6 MB at most, in which the body is a JSON text: its quotes are escaped there."""
UPLOAD_BYTES = 32 * 1024 * 1024
"""JSON takes up to some twenty times its length in memory."""
UPLOAD_TIME = timedelta(minutes=15)

_REF = re.compile(r"[0-9a-f-]{36}")
_MERGED = ("debounced", "batched")
_HEADER = {"max_length": MAX_KEY, "description": "Triggers of a job with the same key are one run."}
Key = Annotated[str | None, Header(alias=IDEMPOTENCY_HEADERS[0], **_HEADER)]
OtherKey = Annotated[str | None, Header(alias=IDEMPOTENCY_HEADERS[1], **_HEADER)]


def _job_first(path: Mapping[str, str]) -> None:
    """Whether the job exists and takes triggers comes before what is asked of it. Raises NotFound, Disabled."""
    job = job_at(routes, path["job_id"][:128], routes.event.query.get("project_id") or None)
    if job.status != "active":
        raise Disabled(f"job {job.name!r} is disabled")
    routes.context["job"] = job


def _job() -> Job:
    return cast(Job, routes.context["job"])


@routes.post(
    "/v1/jobs/<job_id>/trigger",
    **documented.of(
        "Trigger a job run",
        "Triggers",
        *(403, 404, 409, 413, 422, 429),
        success=201,
        said="Created, or the run that the idempotency key or the payload already stands for",
        content=documented.model(TriggeredRun),
        also={
            200: {"description": "What a dry run would come to", "content": documented.model(RehearsedRun)},
            202: {"description": "Debounced or batched", "content": documented.model(MergedRun)},
        },
    ),
)
@needs("jobs:trigger")
@first(_job_first)
def trigger_job(
    job_id: JobId,
    body: Annotated[TriggerBody | None, Body()] = None,
    project_id: ProjectId = None,
    key: Key = None,
    other_key: OtherKey = None,
) -> Response[str]:
    """Starts a run of a job, under the job's terms."""
    engine, job, asked = routes.engine, _job(), body or TriggerBody()
    named = idempotency_key(dict(zip(IDEMPOTENCY_HEADERS, (key, other_key), strict=True)), asked.idempotency_key)
    payload = asked.payload if asked.payload_ref is None else _uploaded(job, asked)
    wanted = ask(asked, routes.caller, engine.clock.now(), payload=payload, idempotency_key=named)
    if asked.dry_run:
        return _rehearsed(job, wanted)
    done = engine.submit(job, wanted)
    limits = rate_headers(done.limit)
    if done.how in _MERGED:
        return json_response(202, _merged(job, done).model_dump(mode="json"), limits)
    token = engine.run_tokens.issue(done.run.id)
    shown = TriggeredRun(
        **{**run_fields(done.run), "payload": asked.payload},
        payload_hash=done.payload_hash,
        run_token=token,
        idempotency_hit=done.how != "created",
    )
    return json_response(201, shown.model_dump(mode="json"), {TOKEN: token, **limits})


def _rehearsed(job: Job, wanted: Ask) -> Response[str]:
    """The job as shown, and what its terms would make of the trigger."""
    would = routes.engine.submit.rehearse(job, wanted)
    shown = RehearsedRun(
        job=job_view(job, routes.version(job.id, job.version)),
        payload_hash=would.payload_hash,
        payload=wanted.input,
        scheduled_at=would.scheduled_at,
        expires_at=would.expires_at,
        validation_warnings=list(would.warnings),
    )
    return json_response(200, shown.model_dump(mode="json"))


def _merged(job: Job, done: Submitted) -> MergedRun:
    return MergedRun(
        debounced=done.how == "debounced" or None,
        batched=done.how == "batched" or None,
        fire_at=done.fire_at or done.run.scheduled_at or done.run.created_at,
        id=done.run.id,
        job_id=job.id,
        status=done.run.status,
        payload_hash=done.payload_hash,
    )


# --- many ------------------------------------------------------------------------------------------------------------------------


@routes.post(
    "/v1/jobs/<job_id>/trigger/bulk",
    **documented.of(
        "Trigger multiple runs",
        "Triggers",
        *(403, 404, 413),
        success=201,
        said="Each trigger's answer in its place",
        content=documented.model(BulkView),
    ),
)
@needs("jobs:trigger")
@first(_job_first)
@takes(BULK_BYTES)
def trigger_bulk(
    job_id: JobId,
    body: Annotated[BulkBody, Body()],
    project_id: ProjectId = None,
    key: Key = None,
    other_key: OtherKey = None,
) -> Response[str]:
    """Starts up to 500 runs of a job at once; the body may have 4 MiB. A refused trigger says why and holds up no other.

    With an idempotency key in the header, the request may be repeated: each item without a key of its own gets one made of it.
    """
    engine, job = routes.engine, _job()
    named = idempotency_key(dict(zip(IDEMPOTENCY_HEADERS, (key, other_key), strict=True)))
    batch_id = engine.ids.new() if named is None else str(uuid5(NAMESPACE_OID, f"{job.id}:{named}"))
    items: Sequence[BulkItem | Invalid] = body.items  # as BulkBody reads them
    asks = [_one_of_many(item, place, named, batch_id) for place, item in enumerate(items)]
    done = iter(engine.submit.many(job, [one for one in asks if isinstance(one, Ask)]))
    answers = [next(done) if isinstance(one, Ask) else one for one in asks]
    view = BulkView(
        batch_id=batch_id,
        results=[_result(one) for one in answers],
        total=len(answers),
        created=sum(isinstance(one, Submitted) and one.how == "created" for one in answers),
    )
    left = [one.limit for one in answers if isinstance(one, Submitted) and one.limit is not None]
    return json_response(201, view.model_dump(mode="json"), rate_headers(_least(left)))


def _one_of_many(item: BulkItem | Invalid, place: int, named: str | None, batch_id: str) -> Ask | QuintetError:
    if isinstance(item, Invalid):
        return item
    key = item.idempotency_key or (None if named is None else f"{named}:{place}")
    try:
        return ask(
            item, routes.caller, routes.engine.clock.now(), payload=item.payload, idempotency_key=key, batch_id=batch_id
        )
    except Invalid as error:
        return error


def _result(answer: Submitted | QuintetError) -> BulkResult:
    if isinstance(answer, QuintetError):
        return BulkResult(error=fault(answer))
    merged = answer.how in _MERGED
    return BulkResult(
        id=answer.run.id,
        status=answer.run.status,
        run_token=None if merged else routes.engine.run_tokens.issue(answer.run.id),
        idempotency_hit=not merged and answer.how != "created",
        debounced=answer.how == "debounced" or None,
        batched=answer.how == "batched" or None,
        fire_at=answer.fire_at,
    )


def _least(left: list[Allowance]) -> Allowance | None:
    return min(left, key=lambda allowance: allowance.remaining, default=None)


# --- large payloads --------------------------------------------------------------------------------------------------------------


@routes.post(
    "/v1/jobs/<job_id>/payload-uploads",
    **documented.of("Upload a large payload", "Triggers", 403, 404, success=201, said="Where to put it"),
)
@needs("jobs:trigger")
@first(_job_first)
def upload_payload(job_id: JobId, project_id: ProjectId = None) -> UploadView:
    """Says where to put a payload of up to 32 MiB (JSON, by HTTP PUT), to trigger this job with by its `payload_ref` within a day."""
    engine, ref = routes.engine, routes.engine.ids.new()
    link = engine.blobs.upload_link(_place(_job(), ref), round(UPLOAD_TIME.total_seconds()))
    return UploadView(upload_url=link, payload_ref=ref, expires_at=engine.clock.now() + UPLOAD_TIME)


def _place(job: Job, ref: str) -> str:
    """Below the job's own name, so that no reference reaches what was uploaded for another."""
    return f"uploads/{job.project}/{job.id}/{ref}.json"


def _uploaded(job: Job, asked: TriggerBody) -> Any:
    """The payload that was uploaded. Raises Invalid (none there, not JSON), TooLarge."""
    ref = asked.payload_ref or ""
    if "payload" in asked.model_fields_set and asked.payload is not None:
        raise _bad("give either payload or payload_ref")
    if not _REF.fullmatch(ref):
        raise _bad("is no reference of an upload")
    try:
        return bodies.parse(routes.engine.blobs.get(_place(job, ref), UPLOAD_BYTES), UPLOAD_BYTES)
    except NotFound:
        raise _bad("nothing was uploaded under this reference") from None
    except bodies.BadBody as error:
        raise _bad(f"what was uploaded is no JSON: {error.message}") from error


def _bad(message: str) -> Invalid:
    return Invalid([Problem(("payload_ref",), message)])
