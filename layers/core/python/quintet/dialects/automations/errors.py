"""This API's error bodies: {detail: [{loc, msg, type}]} for faults of the request, {detail: sentence} for everything else."""

import math
from collections.abc import Iterable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from quintet.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Throttled,
    TooLarge,
    Unauthenticated,
)
from quintet.web.api import MethodNotAllowed, UnknownPath, json_response
from quintet.web.bodies import MAX_BYTES, BodyTooLarge

MAX_FAULTS = 100
_STATUSES: dict[type[Exception], int] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    UnknownPath: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    TooLarge: 413,
    Throttled: 429,
}
_SILENT = {401: "Not authenticated", 404: "Not Found"}


class AutomationErrors:
    """Every error's answer."""

    def __call__(self, error: Exception) -> Response[str] | None:
        """The answer; None for an error that isn't the caller's."""
        if isinstance(error, RequestValidationError):
            return faults((e["loc"], e["msg"], e["type"]) for e in error.errors())
        if isinstance(error, Invalid):
            return faults((_in_body(p.place), p.message, p.type) for p in error.problems)
        if isinstance(error, BodyTooLarge):
            return faults([(("body",), f"The body is larger than {MAX_BYTES} bytes", "too_large")])
        for kind, status in _STATUSES.items():
            if isinstance(error, kind):
                return refusal(status, sentence(str(error)) or _SILENT.get(status, "Refused"), _headers(error))
        return None

    def internal(self) -> Response[str]:
        """The answer when the fault is ours: no word about what it was."""
        return refusal(500, "Internal error")


def faults(found: Iterable[tuple[Iterable[str | int], str, str]]) -> Response[str]:
    """422 with up to MAX_FAULTS faults."""
    detail: list[dict[str, Any]] = []
    for place, message, type_ in found:
        detail.append({"loc": list(place), "msg": message, "type": type_})
        if len(detail) == MAX_FAULTS:
            break
    return json_response(422, {"detail": detail})


def refusal(status: int, detail: str, headers: dict[str, str] | None = None) -> Response[str]:
    """An error that one sentence says."""
    return json_response(status, {"detail": detail}, headers)


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _in_body(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return place if place[:1] in (("body",), ("query",), ("path",), ("header",)) else ("body", *place)


def _headers(error: Exception) -> dict[str, str]:
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case MethodNotAllowed():
            return {"Allow": ", ".join(error.allowed)}
        case Throttled():
            return {"Retry-After": str(math.ceil(error.retry_after))}
    return {}
