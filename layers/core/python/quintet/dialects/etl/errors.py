"""This API's error bodies: {error: sentence, code: the status, timestamp}."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
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
)
from quintet.services.pages import PageFault
from quintet.services.ports.queries import QueryFault
from quintet.web.api import MethodNotAllowed, UnknownPath, json_response
from quintet.web.bodies import BadBody, BodyTooLarge
from quintet.web.rendering import moment

MAX_FAULTS = 20
"""An answer names so many faults of a request; whoever mends those hears of the next."""

_PARTS = frozenset({"body", "query", "path", "header", "cookie"})
_STATUSES: dict[type[Exception], int] = {  # subclasses first
    Unauthenticated: 401,
    Forbidden: 401,
    NotFound: 404,
    UnknownPath: 404,
    MethodNotAllowed: 405,
    Disabled: 400,
    Conflict: 409,
    TooLarge: 413,
    BodyTooLarge: 413,
    BadBody: 400,
    Throttled: 429,
    AppendConflict: 503,
}
_SILENT = {
    401: "Authentication required",
    404: "Not found",
    413: "The body is too large",
    503: "Too many changes at once, try again",
}
_UNAVAILABLE = "The query engine does not answer, try again"


class EtlErrors:
    """Every error's answer; `now` dates it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, error: Exception) -> Response[str] | None:
        """The answer; None for an error that isn't the caller's."""
        said = told(error)
        return None if said is None else self._answer(*said, _headers(error))

    def internal(self) -> Response[str]:
        """The answer when the fault is ours: no word about what it was."""
        return self._answer(500, "Internal error", {})

    def _answer(self, status: int, message: str, headers: Mapping[str, str]) -> Response[str]:
        return json_response(status, {"error": message, "code": status, "timestamp": moment(self._now())}, headers)


def told(error: Exception) -> tuple[int, str] | None:
    """An error's status and sentence; None for one that isn't the caller's."""
    match error:
        case RequestValidationError():
            return 400, _faults((_place(fault), _said(fault)) for fault in error.errors())
        case Invalid():
            return 400, _faults((problem.place, problem.message) for problem in error.problems)
        case QueryFault():
            return (503, _UNAVAILABLE) if error.type == "Unavailable" else (400, sentence(str(error)))
        case PageFault():
            return 403 if error.refused else 502, sentence(str(error))
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return status, sentence(str(error)) or _SILENT.get(status, "Refused")
    return None


def field_path(place: Sequence[str | int]) -> str:
    """A place as its dotted path: ("body", "dependsOn", 0) is `dependsOn[0]`; the whole body is `body`."""
    parts = list(place)
    if parts and parts[0] in _PARTS:
        whole = str(parts.pop(0))
        if not parts:
            return whole
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _faults(found: Iterable[tuple[Sequence[str | int], str]]) -> str:
    """Up to MAX_FAULTS faults, each with its place."""
    said = []
    for place, message in found:
        path = field_path(place)
        said.append(f"{path}: {message}" if path else sentence(message))
        if len(said) == MAX_FAULTS:
            break
    return "; ".join(said) or "The request is not valid"


def _place(fault: Mapping[str, Any]) -> Sequence[str | int]:
    """Where a fault is. In a text that is no JSON, it is a position, which is no place in a value."""
    place: Sequence[str | int] = fault["loc"]
    return place[:1] if fault["type"] == "json_invalid" else place


def _said(fault: Mapping[str, Any]) -> str:
    """A fault's own words, without those that stand before every one that a validator of ours raises."""
    return str(fault["msg"]).removeprefix("Value error, ")


def _headers(error: Exception) -> dict[str, str]:
    match error:
        case Unauthenticated() | Forbidden():
            return {"WWW-Authenticate": "Bearer"}
        case MethodNotAllowed():
            return {"Allow": ", ".join(error.allowed)}
        case Throttled():
            return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        case AppendConflict():
            return {"Retry-After": "1"}
        case QueryFault() if error.type == "Unavailable":
            return {"Retry-After": "1"}
    return {}
