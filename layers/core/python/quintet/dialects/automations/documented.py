"""What the OpenAPI document says of every operation beyond its parameters and answer."""

from typing import Any

_REFUSALS = {
    401: "No valid API key came with the request",
    403: "The key lacks the scope",
    404: "No such thing in the caller's project",
    409: "Its present state does not allow this",
    413: "The body is too large",
}
_REFUSAL = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
_FAULTS = {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Refusal": {
        "title": "Refusal",
        "type": "object",
        "properties": {"detail": {"type": "string"}},
        "required": ["detail"],
    },
    "HTTPValidationError": {
        "title": "HTTPValidationError",
        "type": "object",
        "properties": {"detail": {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}}},
        "required": ["detail"],
    },
    "ValidationError": {
        "title": "ValidationError",
        "type": "object",
        "properties": {
            "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            "msg": {"type": "string"},
            "type": {"type": "string"},
        },
        "required": ["loc", "msg", "type"],
    },
}
"""The error bodies; plain data, since building models for them on every cold start would cost more than it says."""

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "vai_token"},
}


def of(
    summary: str,
    tag: str,
    *refusals: int,
    success: int = 200,
    said: str = "Done",
    content: dict[str, Any] | None = None,
    public: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """The keyword arguments of a route: its summary, tag, success status and `content` (else the returned shape), its refusals, `more`."""
    answer: dict[str, Any] = {"description": said}
    if content is not None:
        answer["content"] = content
    responses: dict[int, dict[str, Any]] = {success: answer}
    for status in (401, *refusals):
        responses[status] = {"description": _REFUSALS[status], "content": _REFUSAL}
    responses[422] = {"description": "Faults of the request", "content": _FAULTS}
    # As an extension, since Powertools would check its own `security` against scheme models that it has to import.
    guarded: dict[str, Any] = {} if public else {"security": [{scheme: []} for scheme in SECURITY_SCHEMES]}
    return {
        "summary": summary,
        "tags": [tag],
        "responses": responses,
        "status_code": success,
        "openapi_extensions": {**guarded, **more},
    }


EVENT_STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
ANY_JSON: dict[str, Any] = {"content": {"application/json": {"schema": {}}}}
