"""http: calls an endpoint."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.services.ports.http import HttpAnswer, HttpClient, HttpFault, HttpRequest
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.fields import (
    Field,
    Fields,
    anything,
    list_of,
    mapping_of,
    number,
    one_of,
    refuse,
    scalar,
    templated,
    text,
)
from quintet.steps.kind import Kind

MAX_ANSWER = 1024 * 1024
MAX_RETRY_AFTER = 24 * 3600.0
EXCERPT = 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RETRYABLE_4XX = frozenset({408, 425, 429})


def _query_value(value: Any) -> str | None:
    return list_of(scalar)(value) if isinstance(value, list) else scalar(value)


def _url(value: Any) -> str | None:
    if fault := text(8192)(value):
        return fault
    if "{%" in value:
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme.lower() not in ("http", "https"):
        return "must begin with http:// or https://"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or password; send an Authorization header"
    return None if parts.hostname else "has no host"


UNTOLD = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authenticate"})
"""Headers of an answer that are secrets, and so no part of a result."""


class HttpKind(Kind):
    """`url`, `method` (GET), `headers`, `query`, `body`, `expect_status`; the result is {status, headers, body}.

    A JSON answer is parsed; other text stays text; anything else is base64 with `bodyEncoding` saying so. Without `expect_status` every
    status below 400 is a success. 4xx fails for good except 408, 425 and 429; 5xx, time-outs and connection faults may be tried again.
    """

    name = "http"
    default_timeout = 30.0
    fields: ClassVar[Fields] = {
        "url": Field(_url, required=True),
        "method": Field(one_of(*METHODS, *(name.lower() for name in METHODS))),
        "headers": Field(mapping_of(scalar, 100)),
        "query": Field(mapping_of(_query_value, 200)),
        "body": Field(anything),
        "expect_status": Field(list_of(number(100, 599, whole=True), 100)),
    }

    def __init__(self, expressions: Expressions, http: HttpClient) -> None:
        super().__init__(expressions)
        self._http = http

    def more_problems(self, step: StepDef) -> list[Problem]:
        """A scheme written out before a template is checked too."""
        url = step.config.get("url")
        if not isinstance(url, str) or "{%" not in url or templated(url) or url.startswith("{%"):
            return []
        scheme = url.split("{%", 1)[0].lower()
        if scheme.startswith(("http://", "https://")) or "://" not in scheme:
            return []
        return [Problem(("url",), "must begin with http:// or https://", "bad_value")]

    def perform(self, call: StepCall) -> Outcome:
        """One request."""
        try:
            request = _request(call)
        except (TypeError, ValueError) as error:
            return refuse(str(error))
        where = f"{request.method} {_bare(request.url)}"
        try:
            answer = self._http.send(request)
        except HttpFault as fault:
            call.log("error", f"{where}: {fault}")
            return Failed(StepError(f"Http{fault.type}", f"{where}: {fault}", retryable=fault.retryable))
        phases = ", ".join(f"{name} {value:.1f}" for name, value in answer.phases.items())
        call.log("info", f"{where} -> {answer.status} ({len(answer.body)} bytes; {phases})")
        expected = call.config.get("expect_status")
        good = answer.status in expected if expected else answer.status < 400
        return Completed(_result(answer)) if good else Failed(_status_error(where, answer, call.now))


def _request(call: StepCall) -> HttpRequest:
    config = call.config
    headers = {str(name): _header(value) for name, value in (config.get("headers") or {}).items() if value is not None}
    known = {name.lower() for name in headers}
    body, content_type = _body(
        config.get("body"), next((v for k, v in headers.items() if k.lower() == "content-type"), "")
    )
    if content_type and "content-type" not in known:
        headers["Content-Type"] = content_type
    if "idempotency-key" not in known:
        headers["Idempotency-Key"] = call.idempotency_key
    return HttpRequest(
        method=(config.get("method") or "GET").upper(),
        url=_with_query(config["url"], config.get("query")),
        headers=headers,
        body=body,
        timeout=call.timeout,
        max_bytes=MAX_ANSWER,
    )


def _header(value: Any) -> str:
    written = value if isinstance(value, str) else json.dumps(value)
    if any(ord(letter) < 32 and letter != "\t" for letter in written):
        raise ValueError("a header must not hold control characters")
    return written


def _body(value: Any, content_type: str) -> tuple[bytes | None, str]:
    if value is None:
        return None, ""
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    if content_type.lower().startswith("application/x-www-form-urlencoded") and isinstance(value, Mapping):
        return urlencode({name: _words(part) for name, part in value.items()}, doseq=True).encode(), content_type
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


def _with_query(url: str, query: Mapping[str, Any] | None) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    for name, value in query.items():
        pairs += [(name, word) for word in _words(value)]
    return urlunsplit(parts._replace(query=urlencode(pairs)))


def _words(value: Any) -> list[str]:
    """A query or form value as texts; null is left out."""
    members = value if isinstance(value, list) else [value]
    return [member if isinstance(member, str) else json.dumps(member) for member in members if member is not None]


def _bare(url: str) -> str:
    """A URL without what may be secret."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _result(answer: HttpAnswer) -> dict[str, Any]:
    result = {
        "status": answer.status,
        "headers": {name: value for name, value in answer.headers.items() if name not in UNTOLD},
        "body": None,
    }
    if not answer.body:
        return result
    content_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        written = answer.body.decode()
    except UnicodeDecodeError:
        return {**result, "body": base64.b64encode(answer.body).decode(), "bodyEncoding": "base64"}
    if content_type == "application/json" or content_type.endswith("+json"):
        try:
            return {**result, "body": json.loads(written, parse_constant=_no_constant)}
        except (ValueError, RecursionError):
            pass  # an answer that calls itself JSON and is not stays text
    return {**result, "body": written}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _status_error(where: str, answer: HttpAnswer, now: datetime) -> StepError:
    status = answer.status
    details = {"status": status, "body": answer.body[:EXCERPT].decode(errors="replace")}
    return StepError(
        "HttpStatus",
        f"{where} answered {status}",
        retryable=status >= 500 or status in RETRYABLE_4XX,
        retry_after=retry_after(answer.headers.get("retry-after"), now),
        details=details,
    )


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header (seconds, or a date) asks for, a day at most; None when it says nothing usable."""
    if not header:
        return None
    if header.strip().isdigit():
        return min(float(header), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max((at - now).total_seconds(), 0.0), MAX_RETRY_AFTER)
