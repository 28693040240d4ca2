"""The run side: what a program that works on a run says of it, known by the run's own token."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.models_reports import (
    Annotations,
    CheckpointBody,
    CheckpointMade,
    CompleteBody,
    FailBody,
    LogBody,
    OutputBody,
    PayloadView,
    ProgressBody,
    SpawnBody,
)
from quintet.dialects.jobs.models_runs import JobRunView
from quintet.dialects.jobs.routes.runs import RunId, whole_view
from quintet.dialects.jobs.values import WHOLE_BYTES, Values
from quintet.domain.errors import Unauthenticated
from quintet.domain.run import Run
from quintet.services.report import Report
from quintet.services.tokens import RunToken
from quintet.web.api import Routes, no_content
from quintet.web.gate import PUBLIC, first, needs

routes = Routes()
_KEPT: dict[str, Any] = {"success": 204, "said": "Noted"}


def _of(summary: str, *refusals: int, **more: Any) -> dict[str, Any]:
    return documented.of(summary, "Run side", 404, 409, 413, *refusals, scheme=documented.RUN_TOKEN, **more)


def _token_first(path: Mapping[str, str]) -> None:
    """The token comes before anything that is said with it. Raises Unauthenticated for any but this run's."""
    scheme, _, text = routes.event.lower_headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Unauthenticated("A run token is required")
    token = routes.engine.run_tokens.read(text.strip())
    if token.run_id != path["run_id"]:
        raise Unauthenticated("This token is another run's")
    routes.context["run_token"] = token


def _report() -> Report:
    return routes.engine.report


def _now(run: Run) -> JobRunView:
    return whole_view(routes.engine, run.project, run.id)


def _token() -> RunToken:
    return cast(RunToken, routes.context["run_token"])


@routes.post("/sdk/v1/runs/<run_id>/log", **_of("Log a line", **_KEPT))
@needs(PUBLIC)
@first(_token_first)
def log_line(run_id: RunId, body: Annotated[LogBody, Body()]) -> Response[str]:
    """Writes a line to the run's log."""
    _report().log(_token(), run_id, body.message, body.level, body.data)
    return no_content()


@routes.post("/sdk/v1/runs/<run_id>/progress", **_of("Say how far the work is", **_KEPT))
@needs(PUBLIC)
@first(_token_first)
def say_progress(run_id: RunId, body: Annotated[ProgressBody, Body()]) -> Response[str]:
    """Says how far the work is; whoever streams the run sees it at once."""
    _report().progress(_token(), run_id, body.percent, body.message, body.step, body.eta_secs)
    return no_content()


@routes.post("/sdk/v1/runs/<run_id>/heartbeat", **_of("Give a sign of life", **_KEPT))
@needs(PUBLIC)
@first(_token_first)
def beat(run_id: RunId) -> Response[str]:
    """Says that the work goes on; 409 tells that nobody waits for it any more. So does every other call."""
    _report().heartbeat(_token(), run_id)
    return no_content()


@routes.post("/sdk/v1/runs/<run_id>/annotate", **_of("Annotate the run", **_KEPT))
@needs(PUBLIC)
@first(_token_first)
def annotate_run(run_id: RunId, body: Annotated[Annotations, Body()]) -> Response[str]:
    """Merges names and values into the run's metadata; null takes a name out."""
    _report().annotate(_token(), run_id, body)
    return no_content()


@routes.post("/sdk/v1/runs/<run_id>/checkpoint", **_of("Keep a checkpoint", success=201, said="Kept"))
@needs(PUBLIC)
@first(_token_first)
def keep_checkpoint(run_id: RunId, body: Annotated[CheckpointBody, Body()]) -> CheckpointMade:
    """Keeps a state that the work could go on from."""
    return CheckpointMade(id=_report().checkpoint(_token(), run_id, body.source, body.state))


@routes.post("/sdk/v1/runs/<run_id>/output", **_of("Put out a value", **_KEPT))
@needs(PUBLIC)
@first(_token_first)
def put_out(run_id: RunId, body: Annotated[OutputBody, Body()]) -> Response[str]:
    """Keeps a named value; the last under a name stays."""
    _report().output(_token(), run_id, body.output_key, body.value)
    return no_content()


@routes.post("/sdk/v1/runs/<run_id>/complete", **_of("Complete the work"))
@needs(PUBLIC)
@first(_token_first)
def complete_run(run_id: RunId, body: Annotated[CompleteBody | None, Body()] = None) -> JobRunView:
    """The work is done, with this result. Of racing ends one counts, the others answer 409."""
    return _now(_report().complete(_token(), run_id, (body or CompleteBody()).result))


@routes.post("/sdk/v1/runs/<run_id>/fail", **_of("Fail the work"))
@needs(PUBLIC)
@first(_token_first)
def fail_run(run_id: RunId, body: Annotated[FailBody, Body()]) -> JobRunView:
    """The work failed; the job's retry policy decides what follows, unless it is not `retryable`."""
    error = body.error if isinstance(body.error, str) else body.error.model_dump(by_alias=True, exclude_none=True)
    return _now(_report().fail(_token(), run_id, error, retryable=body.retryable))


@routes.post("/sdk/v1/runs/<run_id>/spawn", **_of("Spawn a run", 422, 429, success=201, said="Created"))
@needs(PUBLIC)
@first(_token_first)
def spawn_run(run_id: RunId, body: Annotated[SpawnBody, Body()]) -> JobRunView:
    """Starts a run of another job of the project, as a child of this one; nothing waits for it."""
    done = _report().spawn(_token(), run_id, body.job_id, body.payload, body.priority or 0)
    return _now(done.run)


@routes.get("/sdk/v1/runs/<run_id>/payload", **_of("Read the payload"))
@needs(PUBLIC)
@first(_token_first)
def read_payload(run_id: RunId) -> PayloadView:
    """Reads the run's payload."""
    payloads = routes.engine.payloads
    shown = Values(payloads).show(payloads.put(_report().payload(_token(), run_id)), WHOLE_BYTES)
    return PayloadView(payload=shown.value, payload_url=shown.url)
