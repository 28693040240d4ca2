"""http: calls an endpoint."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Completed, Failed, Outcome
from quintet.services.ports.http import HttpAnswer, HttpClient, HttpFault, HttpRequest
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.exchange import (
    MAX_ANSWER,
    UNTOLD,
    bare,
    content,
    fault_error,
    header_text,
    phases_text,
    status_error,
    url_fault,
)
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
)
from quintet.steps.kind import Kind

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _query_value(value: Any) -> str | None:
    return list_of(scalar)(value) if isinstance(value, list) else scalar(value)


class HttpKind(Kind):
    """`url`, `method` (GET), `headers`, `query`, `body`, `expect_status`; the result is {status, headers, body}.

    A JSON answer is parsed; other text stays text; anything else is base64 with `bodyEncoding` saying so. Without `expect_status` every
    status below 400 is a success. 4xx fails for good except 408, 425 and 429; 5xx, time-outs and connection faults may be tried again.
    """

    name = "http"
    default_timeout = 30.0
    fields: ClassVar[Fields] = {
        "url": Field(url_fault, required=True),
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
        where = f"{request.method} {bare(request.url)}"
        try:
            answer = self._http.send(request)
        except HttpFault as fault:
            call.log("error", f"{where}: {fault}")
            return Failed(fault_error(where, fault))
        call.log("info", f"{where} -> {phases_text(answer)}")
        expected = call.config.get("expect_status")
        good = answer.status in expected if expected else answer.status < 400
        return Completed(_result(answer)) if good else Failed(status_error(where, answer, call.now))


def _request(call: StepCall) -> HttpRequest:
    config = call.config
    headers = {
        str(name): header_text(value) for name, value in (config.get("headers") or {}).items() if value is not None
    }
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
        url=with_query(config["url"], config.get("query")),
        headers=headers,
        body=body,
        timeout=call.timeout,
        max_bytes=MAX_ANSWER,
        stopped=call.stopped,
    )


def _body(value: Any, content_type: str) -> tuple[bytes | None, str]:
    if value is None:
        return None, ""
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    if content_type.lower().startswith("application/x-www-form-urlencoded") and isinstance(value, Mapping):
        return urlencode({name: _words(part) for name, part in value.items()}, doseq=True).encode(), content_type
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


def with_query(url: str, query: Mapping[str, Any] | None) -> str:
    """A URL with more in its query: texts as they are, other JSON as JSON, a list as several of its name; null is left out."""
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


def _result(answer: HttpAnswer) -> dict[str, Any]:
    headers = {name: value for name, value in answer.headers.items() if name not in UNTOLD}
    body, binary = content(answer)
    result = {"status": answer.status, "headers": headers, "body": body}
    return {**result, "bodyEncoding": "base64"} if binary else result
