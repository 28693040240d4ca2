"""Many jobs at once: create, enable, disable."""

from collections.abc import Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import ValidationError

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.errors import told
from quintet.dialects.jobs.finding import own_project
from quintet.dialects.jobs.models import BatchError, BatchView, JobIn, JobView, SwitchIn, SwitchView
from quintet.dialects.jobs.routes.jobs import author, shown, tag_label
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.domain.job import Job
from quintet.web.api import Routes, json_response
from quintet.web.bodies import BadBody
from quintet.web.gate import invalid, needs

routes = Routes()
MOST_AT_ONCE = 100
MOST_OF_SOME = 50
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/JobIn"},
                        "minItems": 1,
                        "maxItems": MOST_AT_ONCE,
                    },
                    {
                        "type": "object",
                        "properties": {
                            "jobs": {
                                "type": "array",
                                "items": {"$ref": "#/components/schemas/JobIn"},
                                "minItems": 1,
                                "maxItems": MOST_OF_SOME,
                            }
                        },
                        "required": ["jobs"],
                        "additionalProperties": False,
                    },
                ]
            }
        }
    },
}


@routes.post(
    "/v1/jobs/batch",
    **documented.of(
        "Batch create jobs",
        "Jobs",
        *(403, 404, 409, 413),
        success=201,
        said="Created: an array of jobs for an array, what became of each for an object",
        content=documented.model(list[JobView] | BatchView),
        requestBody=_BODY,
    ),
)
@needs("jobs:write")
def batch_create_jobs() -> Response[str]:
    """Creates many jobs. An array is created as a whole or not at all; of `{"jobs": [...]}` as many as can be."""
    given = _given()
    if isinstance(given, list):
        made = author().create_all(_read(given))
        return json_response(201, [_dump(job) for job in made])
    return json_response(201, _some(given["jobs"]))


def _given() -> Any:
    """The body: a list, or an object with a list of jobs. Raises RequestValidationError."""
    try:
        given = routes.event.json_body
    except BadBody as bad:
        raise invalid("json_invalid", ("body",), f"JSON decode error: {bad.message}") from bad
    if isinstance(given, list):
        _check_length(given, MOST_AT_ONCE, ("body",))
        return given
    if not isinstance(given, dict) or not isinstance(given.get("jobs"), list):
        raise invalid(
            "list_type", ("body", "jobs"), "Input should be an array of jobs, or an object with one in `jobs`"
        )
    if extra := sorted(given.keys() - {"jobs"}):
        raise invalid("extra_forbidden", ("body", extra[0]), "Extra inputs are not permitted")
    _check_length(given["jobs"], MOST_OF_SOME, ("body", "jobs"))
    return given


def _check_length(given: Sequence[Any], most: int, place: tuple[str, ...]) -> None:
    if not 1 <= len(given) <= most:
        raise invalid("too_long" if given else "too_short", place, f"1 to {most} jobs at once")


def _read(given: Sequence[Any]) -> list[JobIn]:
    """Every job of the list. Raises the first fault, with its index."""
    found = []
    for index, one in enumerate(given):
        try:
            body = JobIn.model_validate(one)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise RequestValidationError(
                [{**fault, "loc": ("body", index, *fault["loc"])} for fault in faults]
            ) from error
        own_project(routes, body.project_id)
        found.append(body)
    return found


def _some(given: Sequence[Any]) -> dict[str, Any]:
    errors: list[BatchError] = []
    good: list[tuple[int, JobIn]] = []
    for index, one in enumerate(given):
        try:
            body = JobIn.model_validate(one)
            own_project(routes, body.project_id)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            errors.append(_error(index, RequestValidationError(found)))
        except NotFound as error:
            errors.append(_error(index, error))
        else:
            good.append((index, body))
    created = []
    for (index, _), answer in zip(good, author().create_some([body for _, body in good]), strict=True):
        if isinstance(answer, Job):
            created.append(_dump(answer))
        else:
            errors.append(_error(index, answer))
    errors.sort(key=lambda error: error.index)
    return {"created": created, "errors": [error.model_dump(mode="json") for error in errors]}


def _error(index: int, error: Exception) -> BatchError:
    said = told(error)
    if said is None:
        raise error
    return BatchError(index=index, message=said[1]["message"])


def _dump(job: Job) -> dict[str, Any]:
    shape: dict[str, Any] = shown(job).model_dump(mode="json")
    return shape


@routes.post("/v1/jobs/batch-enable", **documented.of("Batch enable jobs", "Jobs", 403, 404, 409))
@needs("jobs:write")
def batch_enable_jobs(body: Annotated[SwitchIn, Body()]) -> SwitchView:
    """Enables jobs, by id, by tag or by both; no new versions."""
    return _switch(body, "active")


@routes.post("/v1/jobs/batch-disable", **documented.of("Batch disable jobs", "Jobs", 403, 404, 409))
@needs("jobs:write")
def batch_disable_jobs(body: Annotated[SwitchIn, Body()]) -> SwitchView:
    """Disables jobs, by id, by tag or by both: no new runs, nor at scheduled moments; those under way go on. No new versions."""
    return _switch(body, "disabled")


def _switch(body: SwitchIn, status: str) -> SwitchView:
    project = own_project(routes, body.project_id)
    ids = [*(body.ids or ()), *(body.job_ids or ())]
    label = tag_label(body.tag_key, body.tag_value)
    if not ids and label is None:
        raise Invalid([Problem(("ids",), "name jobs by ids (or job_ids), or by tag_key")])
    changed = routes.engine.switch_jobs(project, status, ids=ids or None, label=label, by=routes.caller.name)
    return SwitchView(updated=changed)
