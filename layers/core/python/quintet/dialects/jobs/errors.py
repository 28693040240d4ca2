"""This API's error bodies: {error: {code, message, details?}, request_id}."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from quintet.domain.errors import (
    AppendConflict,
    Conflict,
    Disabled,
    Forbidden,
    Invalid,
    NotFound,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unprocessable,
)
from quintet.domain.limits import Allowance
from quintet.web.api import MethodNotAllowed, UnknownPath, json_response
from quintet.web.bodies import MAX_BYTES, BodyTooLarge

MAX_FAULTS = 100
REQUEST: ContextVar[str] = ContextVar("jobs_request_id", default="")
"""The id of the request that is being answered; error bodies repeat it."""

_PARTS = frozenset({"body", "query", "path", "header", "cookie"})
_REFUSALS: dict[type[Exception], tuple[int, str]] = {  # subclasses first
    Unauthenticated: (401, "authentication_required"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    UnknownPath: (404, "not_found"),
    MethodNotAllowed: (405, "bad_request"),
    Disabled: (400, "bad_request"),
    Conflict: (409, "conflict"),
    TooLarge: (413, "payload_too_large"),
    BodyTooLarge: (413, "payload_too_large"),
    Throttled: (429, "rate_limited"),
    AppendConflict: (503, "service_unavailable"),
}
_SILENT = {
    401: "Authentication required",
    404: "Not found",
    413: f"The body is larger than {MAX_BYTES} bytes",
    503: "Too many changes at once, try again",
}


class JobErrors:
    """Every error's answer."""

    def __call__(self, error: Exception) -> Response[str] | None:
        """The answer; None for an error that isn't the caller's."""
        said = told(error)
        if said is None:
            return None
        status, body = said
        return json_response(status, {"error": body, "request_id": REQUEST.get()}, _headers(error))

    def internal(self) -> Response[str]:
        """The answer when the fault is ours: no word about what it was."""
        body = {"code": "internal_error", "message": "Internal error"}
        return json_response(500, {"error": body, "request_id": REQUEST.get()})


def told(error: Exception) -> tuple[int, dict[str, Any]] | None:
    """An error's status and its {code, message, details?}, also for one item among many; None for one that isn't the caller's."""
    if isinstance(error, RequestValidationError):
        return 400, _faults((_place(e), e["msg"]) for e in error.errors())
    if isinstance(error, Invalid):
        status = 422 if isinstance(error, Unprocessable) else 400
        return status, _faults((p.place, p.message) for p in error.problems)
    for kind, (status, code) in _REFUSALS.items():
        if isinstance(error, kind):
            return status, {"code": code, "message": sentence(str(error)) or _SILENT.get(status, "Refused")}
    return None


def rate_headers(allowance: Allowance | None) -> dict[str, str]:
    """What is left of a rate limit: X-RateLimit-Limit, -Remaining and -Reset (Unix seconds); nothing where no limit holds."""
    if allowance is None:
        return {}
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(math.ceil(allowance.resets_at.timestamp())),
    }


def field_path(place: Sequence[str | int]) -> str:
    """A place as its dotted path: ("body", "rate_limit_keys", 0, "max") is `rate_limit_keys[0].max`; the whole body is `body`."""
    parts = list(place)
    if parts and parts[0] in _PARTS:
        whole = str(parts.pop(0))
        if not parts:
            return whole
    path = ""
    for part in parts:
        if part == "[key]":  # a fault of the key that was named just before
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _faults(found: Iterable[tuple[Sequence[str | int], str]]) -> dict[str, Any]:
    """Up to MAX_FAULTS faults with the fields they are in."""
    details: list[Mapping[str, str]] = []
    for place, message in found:
        details.append({"field": field_path(place), "message": sentence(message)})
        if len(details) == MAX_FAULTS:
            break
    first = f"{details[0]['field']}: {details[0]['message']}" if details else "The request is not valid"
    return {"code": "validation_failed", "message": first, "details": details}


def _place(fault: Mapping[str, Any]) -> Sequence[str | int]:
    """Where a fault is. In a text that is no JSON, it is a position, which is no place in a value."""
    place: Sequence[str | int] = fault["loc"]
    return place[:1] if fault["type"] == "json_invalid" else place


def _headers(error: Exception) -> dict[str, str]:
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case MethodNotAllowed():
            return {"Allow": ", ".join(error.allowed)}
        case Throttled():
            left = rate_headers(getattr(error, "allowance", None))
            return {"Retry-After": str(max(1, math.ceil(error.retry_after))), **left}
        case AppendConflict():
            return {"Retry-After": "1"}
    return {}
