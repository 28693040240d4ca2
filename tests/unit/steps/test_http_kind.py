"""http steps: what is sent, and what becomes of every answer."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from quintet.domain.outcome import Completed, Failed
from quintet.services.ports.http import HttpAnswer, HttpFault
from quintet.steps.exchange import retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://api.example/things"


def answer(status: int = 200, body: bytes = b"", **headers: str) -> HttpAnswer:
    """An answer with headers in Python's spelling."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, body, URL, {"connect_ms": 1.0, "total_ms": 2.0})


def test_a_plain_call(desk: Any) -> None:
    """GET, no body, bounded by the step's time, with a key that is the same for every attempt."""
    desk.enact("http", {"url": URL})
    desk.enact("http", {"url": URL})

    first, second = desk.requests
    assert (first.method, first.url, first.body, first.timeout) == ("GET", URL, None, 5.0)
    assert first.headers == second.headers == {"Idempotency-Key": "run-1:s"}


@pytest.mark.parametrize(
    ("config", "body", "content_type"),
    [
        ({"body": {"a": "é"}}, '{"a":"é"}'.encode(), "application/json"),
        ({"body": [1, None]}, b"[1,null]", "application/json"),
        ({"body": False}, b"false", "application/json"),
        ({"body": "text"}, b"text", "text/plain; charset=utf-8"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, b"<a/>", "text/xml"),
        ({"body": {"a": "x y", "b": [1, True]}, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
         b"a=x+y&b=1&b=true", "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
def test_bodies(desk: Any, config: dict[str, Any], body: bytes, content_type: str) -> None:
    """JSON unless it is text; a content type that is given stays."""
    desk.enact("http", {"url": URL, "method": "post", **config})

    sent = desk.requests[0]
    assert (sent.method, sent.body) == ("POST", body)
    assert {name.lower(): value for name, value in sent.headers.items()}["content-type"] == content_type


def test_query_and_headers(desk: Any) -> None:
    """Query values join those of the URL; null is left out; a key of the author's own stays."""
    query = {"b": ["x y", 2], "c": True, "d": None}

    desk.enact("http", {"url": URL + "?a=1", "query": query, "headers": {"N": 5, "idempotency-key": "mine", "E": None}})

    sent = desk.requests[0]
    assert sent.url == URL + "?a=1&b=x+y&b=2&c=true"
    assert sent.headers == {"N": "5", "idempotency-key": "mine"}


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\0"])
def test_headers_can_not_be_smuggled(desk: Any, value: str) -> None:
    """A value with a line break, from a template for instance, sends nothing."""
    outcome = desk.enact("http", {"url": URL, "headers": {"A": value}})

    assert outcome.error.type == "InvalidConfig"
    assert desk.requests == []


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (answer(200, b'{"a":1}', content_type="application/json; charset=utf-8"), {"a": 1}),
        (answer(200, b"[1]", content_type="application/vnd.x+json"), [1]),
        (answer(200, b"{bad", content_type="application/json"), "{bad"),
        (answer(200, b"NaN", content_type="application/json"), "NaN"),
        (answer(200, b"[" * 100_000, content_type="application/json"), "[" * 100_000),
        (answer(200, b'{"a":1}', content_type="text/plain"), '{"a":1}'),
        (answer(204), None),
        (answer(304), None),
    ],
)
def test_results(desk: Any, given: HttpAnswer, body: Any) -> None:
    """A JSON answer is parsed, whatever else is text stays text."""
    desk.answer = given

    outcome = desk.enact("http", {"url": URL})

    assert outcome == Completed({"status": given.status, "headers": dict(given.headers), "body": body})


def test_binary_answers_are_base64(desk: Any) -> None:
    """And say so."""
    desk.answer = answer(200, b"\xff\xfe\x00")

    result = desk.enact("http", {"url": URL}).result

    assert (base64.b64decode(result["body"]), result["bodyEncoding"]) == (b"\xff\xfe\x00", "base64")


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (409, False), (425, True), (429, True), (500, True),
     (501, True), (503, True)],
)  # fmt: skip
def test_error_statuses(desk: Any, status: int, retryable: bool) -> None:
    """4xx fails for good but for the three that ask to come again; 5xx may be tried again."""
    desk.answer = answer(status, b"x" * 5000, retry_after="7")

    outcome = desk.enact("http", {"url": URL})

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == ("HttpStatus", retryable)
    assert outcome.error.retry_after == 7.0
    assert outcome.error.details["status"] == status
    assert len(outcome.error.details["body"]) <= 1024


def test_expected_statuses_rule(desk: Any) -> None:
    """What is expected is a success, whatever it is, and nothing else is."""
    desk.answer = answer(404)
    assert isinstance(desk.enact("http", {"url": URL, "expect_status": [200, 404]}), Completed)
    desk.answer = answer(200)
    unexpected = desk.enact("http", {"url": URL, "expect_status": [201]})
    assert (unexpected.error.type, unexpected.error.retryable) == ("HttpStatus", False)


@pytest.mark.parametrize("retryable", [True, False])
def test_no_answer(desk: Any, retryable: bool) -> None:
    """The client says whether trying again makes sense."""
    desk.answer = HttpFault("Timeout", "no complete answer", retryable=retryable)

    outcome = desk.enact("http", {"url": URL})

    assert (outcome.error.type, outcome.error.retryable) == ("HttpTimeout", retryable)


def test_secrets_stay_out_of_logs_and_errors(desk: Any) -> None:
    """Neither the query, nor headers, nor the body of a request are ever said."""
    config = {"url": URL + "?token=s3cret", "headers": {"Authorization": "s3cret"}, "body": "s3cret", "method": "POST"}
    for given in (answer(200), answer(500), HttpFault("Connection", "the connection failed", retryable=True)):
        desk.answer = given
        outcome = desk.enact("http", config)
        assert "s3cret" not in json.dumps(desk.logged) + (str(outcome.error) if isinstance(outcome, Failed) else "")
    assert any("POST https://api.example/things -> 200" in line for _, line in desk.logged)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("99999999", 86400.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2020 12:01:30 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date; anything else is as if it were not there."""
    assert retry_after(header, NOW) == seconds
