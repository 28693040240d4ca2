"""What the OpenAPI document says of every operation beyond its parameters and answer."""

from typing import Any

from quintet.dialects.jobs.paging import PAGE_TYPE, Page
from quintet.dialects.jobs.shapes import Shown

_REFUSALS = {
    400: "A bad body, field or parameter",
    401: "No valid API key came with the request",
    403: "The key lacks the scope",
    404: "No such thing in the caller's project",
    409: "Its present state does not allow this",
    413: "The body is too large",
    422: "The payload does not match the job's payload_schema",
    429: "A rate limit is met",
}
_REFUSAL = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}

CODES = [
    "bad_request",
    "authentication_required",
    "forbidden",
    "not_found",
    "conflict",
    "validation_failed",
    "rate_limited",
    "payload_too_large",
    "internal_error",
    "service_unavailable",
]
SCHEMAS: dict[str, dict[str, Any]] = {
    "Refusal": {
        "title": "Refusal",
        "type": "object",
        "properties": {"error": {"$ref": "#/components/schemas/Fault"}, "request_id": {"type": "string"}},
        "required": ["error", "request_id"],
    },
    "Fault": {
        "title": "Fault",
        "type": "object",
        "properties": {
            "code": {"type": "string", "enum": CODES},
            "message": {"type": "string"},
            "details": {"type": "array", "items": {"$ref": "#/components/schemas/FieldFault"}},
        },
        "required": ["code", "message"],
    },
    "FieldFault": {
        "title": "FieldFault",
        "type": "object",
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
        "required": ["field", "message"],
    },
}
"""The error bodies; plain data, since building models for them on every cold start would cost more than it says."""

API_KEY = "bearer"
RUN_TOKEN = "runToken"  # noqa: S105  # the name of a security scheme
SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    API_KEY: {"type": "http", "scheme": "bearer", "description": "An API key."},
    RUN_TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of one run, from its trigger or its dispatch.",
    },
}


def of(
    summary: str,
    tag: str,
    *refusals: int,
    success: int = 200,
    said: str = "Done",
    content: dict[str, Any] | None = None,
    scheme: str | None = API_KEY,
    also: dict[int, dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The keyword arguments of a route: its summary, tag, success status and `content` (else the returned shape), its refusals beyond 400
    and 401, `also` (other successes: status to {description, content}), `more` (put into the operation as it is)."""
    answer: dict[str, Any] = {"description": said}
    if content is not None:
        answer["content"] = content
    responses: dict[int, dict[str, Any]] = {success: answer, **(also or {})}
    for status in (400, 401, *refusals) if scheme else (400, *refusals):
        responses[status] = {"description": _REFUSALS[status], "content": _REFUSAL}
    # As an extension, since Powertools would check its own `security` against scheme models that it has to import.
    guarded: dict[str, Any] = {"security": [{scheme: []}]} if scheme else {}
    return {
        "summary": summary,
        "tags": [tag],
        "responses": responses,
        "status_code": success,
        "openapi_extensions": {**guarded, **more},
    }


def model(shape: Any) -> dict[str, Any]:
    """The content of a JSON answer of a shape that the route's annotation does not name."""
    return {"application/json": {"model": shape}}


def pages(shape: type[Shown]) -> dict[str, Any]:
    """The content of a list: a bare array, or an envelope."""
    return {"application/json": {"model": list[shape] | Page[shape]}, PAGE_TYPE: {"model": Page[shape]}}  # type: ignore[valid-type]


EVENT_STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
