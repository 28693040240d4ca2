"""What the OpenAPI document says of every operation beyond its parameters and answer."""

from typing import Any

_REFUSALS = {
    400: "A bad body, field or parameter",
    401: "No valid API key came with the request, or one that lacks the scope",
    403: "The address is not open to this service",
    404: "No such thing in the key's project",
    409: "Its present state does not allow this",
    413: "The body, or the answer, is too large",
    429: "Too many change it at once",
    502: "The page could not be had",
    503: "The engine behind this does not answer",
}
_REFUSAL = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": {
        "title": "Error",
        "type": "object",
        "properties": {
            "error": {"type": "string"},
            "code": {"type": "integer"},
            "timestamp": {"type": "string", "format": "date-time"},
        },
        "required": ["error", "code", "timestamp"],
    },
}
"""The error body; plain data, since building models for it on every cold start would cost more than it says."""

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "ApiKeyAuth": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key, as it is or as `org:<key>`.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
}
_TOTAL = {
    "X-Total-Count": {"description": "How many items the whole list has.", "schema": {"type": "integer", "minimum": 0}}
}


def of(
    summary: str,
    tag: str,
    *refusals: int,
    success: int = 200,
    said: str = "Done",
    content: dict[str, Any] | None = None,
    headers: dict[str, Any] | None = None,
    also: dict[int, dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The keyword arguments of a route: its summary, tag, success status and `content` (else the returned shape), its refusals beyond 400
    and 401, `also` (other successes: status to {description, content}), `more` (put into the operation as it is)."""
    answer: dict[str, Any] = {"description": said}
    if content is not None:
        answer["content"] = content
    if headers is not None:
        answer["headers"] = headers
    responses: dict[int, dict[str, Any]] = {success: answer, **(also or {})}
    for status in (400, 401, *refusals):
        responses[status] = {"description": _REFUSALS[status], "content": _REFUSAL}
    return {
        "summary": summary,
        "tags": [tag],
        "responses": responses,
        "status_code": success,
        # As an extension, since Powertools would check its own `security` against scheme models that it has to import.
        "openapi_extensions": {"security": [{scheme: []} for scheme in SECURITY_SCHEMES], **more},
    }


def listed(summary: str, tag: str, shape: Any, *refusals: int) -> dict[str, Any]:
    """The keyword arguments of a route that answers a page of a list."""
    return of(summary, tag, *refusals, content=model(list[shape]), headers=_TOTAL)


def model(shape: Any) -> dict[str, Any]:
    """The content of a JSON answer of a shape that the route's annotation does not name."""
    return {"application/json": {"model": shape}}


NOTHING: dict[str, Any] = {"application/json": {"schema": {"type": "object", "maxProperties": 0}}}
"""The content of an answer that has nothing to say: {}."""


def raw_body(*types: str) -> dict[str, Any]:
    """The `requestBody` of a route that takes bytes as they are."""
    return {"required": True, "content": {type_: {"schema": {"type": "string", "format": "binary"}} for type_ in types}}
