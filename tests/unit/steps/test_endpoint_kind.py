"""endpoint steps: what is sent to a job's endpoint, and what becomes of every answer."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from quintet.adapters.signatures import key_of
from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed, Waits
from quintet.services.ports.http import HttpAnswer, HttpFault, HttpRequest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://api.example/work"
SPARE = "https://spare.example/work"
RUN = "0192f5a0-7c3e-7000-8000-0000000000aa"
PHASES = {"connect_ms": 1.5, "ttfb_ms": 20.0, "transfer_ms": 0.5, "total_ms": 22.0}
FOLLOWED = {"follows": True}
SCOPE = {"input": {"a": "é"}, "steps": {}, "run": {}}


def answer(status: int = 200, body: bytes = b"", **headers: str) -> HttpAnswer:
    """An answer with headers in Python's spelling."""
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, URL, PHASES)


def down(type_: str = "Connection", **phases: float) -> HttpFault:
    """Nobody there."""
    fault = HttpFault(type_, "the connection failed", retryable=True)
    fault.phases = phases
    return fault


def signed(desk: Any, *secrets: str, job_id: str = "job-1") -> None:
    """Gives a job its secrets, newest first."""
    desk.secrets[job_id] = [desk.vault.seal(secret, f"webhook:{job_id}") for secret in secrets]


def enact(desk: Any, config: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """One attempt against URL."""
    return desk.enact("endpoint", {"url": URL, **(config or {})}, **{"scope": SCOPE, **more})


def test_the_runs_input_is_posted_with_what_names_the_call(desk: Any) -> None:
    """The exact bytes, who calls, and a token that speaks for this attempt alone."""
    enact(desk, run={"id": RUN}, define=StepDef("s", "endpoint"))

    (sent,) = desk.requests
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert (sent.method, sent.url, sent.body, sent.timeout) == ("POST", URL, '{"a":"é"}'.encode(), 5.0)
    assert headers["content-type"] == "application/json"
    assert (headers["x-run-id"], headers["x-job-id"], headers["x-attempt"]) == (RUN, "job-1", "1")
    assert headers["idempotency-key"] == f"{RUN}:s"
    token = desk.run_tokens.read(headers["x-run-token"])
    assert (token.run_id, token.path, token.token) == (RUN, "s", 7)
    assert headers["webhook-id"].startswith("msg_")
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert "webhook-signature" not in headers


@pytest.mark.parametrize(("payload", "body"), [({"b": 1}, b'{"b":1}'), (None, b"null"), ([], b"[]"), ("x", b'"x"')])
def test_a_payload_takes_the_place_of_the_input(desk: Any, payload: Any, body: bytes) -> None:
    """Any JSON, null included."""
    enact(desk, {"payload": payload})

    assert desk.requests[0].body == body


def test_all_attempts_of_a_run_share_a_trace(desk: Any) -> None:
    """W3C Trace Context: the trace is the run's, the span and the message the attempt's; a fallback is the same message."""
    desk.answers = [answer(), answer(503), answer()]
    for attempt in (1, 2):
        call = desk.call("endpoint", {"url": URL, "fallback_url": SPARE}, scope=SCOPE, run={"id": RUN})
        desk.kinds["endpoint"].enact(replace(call, attempt=attempt, token=attempt))

    first, second, spare = (request.headers for request in desk.requests)
    version, trace, span, flags = first["traceparent"].split("-")
    assert (version, trace, flags) == ("00", RUN.replace("-", ""), "01")
    assert len(span) == 16
    assert second["traceparent"].split("-")[1] == trace
    assert second["traceparent"] != first["traceparent"]
    assert second["webhook-id"] != first["webhook-id"]
    assert (spare["webhook-id"], spare["X-Run-Token"]) == (second["webhook-id"], second["X-Run-Token"])


@pytest.mark.parametrize(
    "secret",
    ["whsec_" + base64.b64encode(b"k" * 32).decode(), base64.b64encode(b"k" * 24).decode(), "a plain secret!", "pässwort",
     "whsec_not base64"],
)  # fmt: skip
def test_every_secret_signs_the_bytes_that_are_sent(desk: Any, secret: str) -> None:
    """Verified by the public package; a secret that is not base64 stands for its UTF-8 bytes."""
    now = datetime.now(UTC)
    desk.clock.advance_to(now)
    signed(desk, secret)

    enact(desk, {"payload": {"a": "ü"}}, run=FOLLOWED)

    sent = desk.requests[0]
    base64_of_it = base64.b64encode(key_of(secret)).decode()
    for known in {secret, base64_of_it} if key_of(secret) != secret.encode() else {base64_of_it}:
        assert Webhook(known).verify(sent.body, dict(sent.headers)) == {"a": "ü"}


def test_a_call_is_signed_by_the_secrets_of_its_job_as_they_are_then(desk: Any) -> None:
    """Newest first, asked anew for every call, and never by another job's."""
    now = datetime.now(UTC)
    desk.clock.advance_to(now)
    old, new = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
    signed(desk, "the secret of another", job_id="job-2")
    for secrets in ([old], [new, old], [new], []):
        signed(desk, *secrets)
        enact(desk, run=FOLLOWED)
        headers = dict(desk.requests[-1].headers)
        expected = [desk.signatures.sign(one, headers["webhook-id"], now, '{"a":"é"}') for one in secrets]
        assert headers.get("webhook-signature", "").split() == expected


def test_a_run_that_nobody_follows_asks_for_no_secrets(desk: Any) -> None:
    """Only jobs whose runs are followed have any, and a read for each call is spared."""
    signed(desk, "a secret")
    enact(desk)
    assert "webhook-signature" not in desk.requests[0].headers


def test_a_secret_is_opened_once(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls it signs: each opening is a request to the key's keeper."""
    signed(desk, "a secret")
    opened: list[str] = []
    given = desk.vault.open
    monkeypatch.setattr(desk.vault, "open", lambda sealed, context: opened.append(context) or given(sealed, context))
    for _ in range(3):
        enact(desk, run=FOLLOWED)
    assert opened.count("webhook:job-1") == 1


def test_a_secret_that_does_not_open_sends_nothing(desk: Any) -> None:
    """Unsigned calls would be taken for forged ones."""
    desk.secrets["job-1"] = [desk.vault.seal("s", "webhook:job-2")]
    outcome = enact(desk, run=FOLLOWED)

    assert (outcome.error.type, outcome.error.retryable) == ("InvalidConfig", False)
    assert desk.requests == []


def test_a_vault_that_is_away_is_tried_again(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent, and the policy decides."""

    def away(*_: Any) -> str:
        raise ConnectionError

    monkeypatch.setattr(desk.vault, "open", away)

    desk.secrets["job-1"] = ["x"]
    outcome = enact(desk, run=FOLLOWED)

    assert (outcome.error.type, outcome.error.retryable) == ("NotSent", True)
    assert desk.requests == []


def test_an_authors_headers_go_along_but_replace_none_of_ours(desk: Any) -> None:
    """Not even by another spelling, from a template for instance."""
    enact(desk, {"headers": {"X-Environment-ID": "prod", "N": 5, "E": None, "x-run-token": "mine"}})

    sent = desk.requests[0].headers
    assert (sent["X-Environment-ID"], sent["N"]) == ("prod", "5")
    assert "E" not in sent
    assert [name for name in sent if name.lower() == "x-run-token"] == ["X-Run-Token"]
    assert sent["X-Run-Token"] != "mine"


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({}, {("url",)}),
        ({"url": "ftp://x.example/"}, {("url",)}),
        ({"url": URL, "fallback_url": "http://u:p@x.example"}, {("fallback_url",)}),
        ({"url": URL, "secrets": ["x"], "secret_context": "c"}, {("secrets",), ("secret_context",)}),
        ({"url": URL, "headers": {"Idempotency-Key": "k"}}, {("headers", "Idempotency-Key")}),
        ({"url": URL, "result_schema": {"type": "nothing"}}, {("result_schema",)}),
        ({"url": URL, "method": "GET"}, {("method",)}),
        ({"url": "https://{% input.host %}/x", "payload": {"a": "{% input.a %}"}, "result_schema": True}, set()),
    ],
)
def test_faults_of_a_definition(desk: Any, config: dict[str, Any], places: set[tuple[str, ...]]) -> None:
    """Each at its field."""
    assert desk.places("endpoint", config) == places


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (answer(200, b'{"a":1}', content_type="application/json"), {"a": 1}),
        (answer(201, b"[1]", content_type="application/problem+json"), [1]),
        (answer(200, b'{"a":1}'), {"a": 1}),
        (answer(200, b"1e999", content_type="application/json"), "1e999"),
        (answer(200, b"plain"), "plain"),
        (answer(200, b'{"a":1}', content_type="text/plain"), '{"a":1}'),
        (answer(204), None),
        (answer(200, b"\xff\x00"), {"body": base64.b64encode(b"\xff\x00").decode(), "bodyEncoding": "base64"}),
    ],
)
def test_what_a_2xx_answers_is_the_result(desk: Any, given: HttpAnswer, result: Any) -> None:
    """JSON as JSON, text as text, nothing as null, bytes as base64."""
    desk.answer = given

    outcome = enact(desk)

    assert isinstance(outcome, Completed)
    assert outcome.result == result


def test_a_result_that_breaks_its_schema_fails_for_good(desk: Any) -> None:
    """The endpoint would answer the same again; the error says where."""
    schema = {"type": "object", "required": ["id"], "properties": {"n": {"type": "integer"}}}
    desk.answer = answer(200, b'{"n":"x"}', content_type="application/json")

    outcome = enact(desk, {"result_schema": schema})

    assert (outcome.error.type, outcome.error.retryable) == ("InvalidResult", False)
    assert ["n"] in [problem["place"] for problem in outcome.error.details["problems"]]
    desk.answer = answer(200, b'{"id":1,"n":2}', content_type="application/json")
    assert enact(desk, {"result_schema": schema}).result == {"id": 1, "n": 2}


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(302, False), (304, False), (400, False), (404, False), (408, False), (409, False), (425, False), (429, True),
     (500, True), (501, True), (503, True)],
)  # fmt: skip
def test_other_statuses_fail(desk: Any, status: int, retryable: bool) -> None:
    """429 and 5xx for now; the rest for good."""
    desk.answer = answer(status, b"why")

    outcome = enact(desk)

    assert (outcome.error.type, outcome.error.retryable) == ("HttpStatus", retryable)
    assert outcome.error.details == {"status": status, "body": "why"}


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0), ("soon", None)])
def test_an_endpoint_says_when_to_come_again(desk: Any, header: str, seconds: float | None) -> None:
    """In seconds, or by a date."""
    desk.answer = answer(429, retry_after=header)

    assert enact(desk).error.retry_after == seconds


@pytest.mark.parametrize("type_", ["Timeout", "Connection", "Tls"])
def test_no_answer_may_be_tried_again(desk: Any, type_: str) -> None:
    """As far as the client says so."""
    desk.answer = down(type_)

    assert (enact(desk).error.type, enact(desk).error.retryable) == (f"Http{type_}", True)


def test_202_waits_for_the_endpoints_report(desk: Any) -> None:
    """Until the attempt's whole time is over, which may be much longer than the call's."""
    desk.answer = answer(202, b'{"queued":true}')
    began = NOW - timedelta(seconds=3)

    outcome = enact(desk, define=StepDef("s", "endpoint", timeout=3600.0), attempted_at=began)

    assert isinstance(outcome, Waits)
    assert (outcome.for_, outcome.until, outcome.deadline) == ("report", None, began + timedelta(hours=1))
    assert outcome.details == {"heartbeat": 60, "since": int(NOW.timestamp() * 1000)}
    assert outcome.trace and outcome.trace["total_ms"] == 3000.0


# --- the fallback ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [down(), down("Timeout"), answer(502), answer(503), answer(504)])
def test_a_fallback_is_called_once_when_the_endpoint_is_down(desk: Any, first: Any) -> None:
    """In the same attempt, with the same payload."""
    desk.answers = [first, answer(200, b'"spare"', content_type="application/json")]

    outcome = enact(desk, {"fallback_url": SPARE})

    assert outcome.result == "spare"
    assert [request.url for request in desk.requests] == [URL, SPARE]
    assert desk.requests[0].body == desk.requests[1].body


@pytest.mark.parametrize(
    "first",
    [answer(200), answer(202), answer(400), answer(429), answer(500), HttpFault("Refused", "closed", retryable=False)],
)
def test_a_fallback_is_not_called_for_what_the_endpoint_said(desk: Any, first: Any) -> None:
    """An answer is an answer, and a refused address stays refused."""
    desk.answers = [first]

    enact(desk, {"fallback_url": SPARE})

    assert [request.url for request in desk.requests] == [URL]


def test_a_failed_fallback_leaves_the_endpoint_another_attempt(desk: Any) -> None:
    """That the fallback refuses says nothing of the endpoint, which may be back."""
    desk.answers = [answer(503), answer(404)]

    outcome = enact(desk, {"fallback_url": SPARE})

    assert (outcome.error.message, outcome.error.retryable) == (f"POST {SPARE} answered 404", True)


@pytest.mark.parametrize(("whole", "first"), [(300.0, 240.0), (20.0, 10.0)])
def test_time_is_kept_for_the_fallback(desk: Any, whole: float, first: float) -> None:
    """A minute, or half of a short attempt: an endpoint that hangs must not use it all up."""

    def hang(request: HttpRequest) -> HttpAnswer:
        desk.requests.append(request)
        desk.clock.advance(request.timeout)
        raise down("Timeout")

    desk.kinds["endpoint"]._http.send = hang
    call = replace(desk.call("endpoint", {"url": URL, "fallback_url": SPARE}, scope=SCOPE), timeout=whole)

    desk.kinds["endpoint"].enact(call)

    assert [request.timeout for request in desk.requests] == [first, whole - first]
    assert (desk.clock.now() - NOW).total_seconds() == whole


# --- the trace ---------------------------------------------------------------------------------------------------------------


def test_every_phase_is_measured(desk: Any) -> None:
    """In the queue, until the attempt, until the call, the call's own phases, and all of the attempt."""
    run = {"created_at": NOW - timedelta(seconds=9), "started_at": NOW - timedelta(seconds=4)}
    desk.kinds["endpoint"]._http.send = _taking(desk, 0.75)
    desk.clock.advance(0.25)

    trace = enact(desk, run=run, attempted_at=NOW - timedelta(seconds=1)).trace

    assert trace == {
        "queue_wait_ms": 5000.0,
        "dequeue_ms": 3000.0,
        "dispatch_ms": 1250.0,
        "connect_ms": 1.5,
        "ttfb_ms": 20.0,
        "transfer_ms": 0.5,
        "total_ms": 2000.0,
    }


def _taking(desk: Any, seconds: float) -> Callable[[HttpRequest], HttpAnswer]:
    def send(request: HttpRequest) -> HttpAnswer:
        desk.clock.advance(seconds)
        return answer()

    return send


def test_a_scheduled_run_waits_from_its_own_time(desk: Any) -> None:
    """Not from when it was asked for."""
    run = {
        "created_at": NOW - timedelta(days=1),
        "scheduled_at": NOW - timedelta(seconds=2),
        "started_at": NOW - timedelta(seconds=1),
    }
    assert enact(desk, run=run).trace["queue_wait_ms"] == 1000.0


def test_a_failed_call_tells_how_far_it_came(desk: Any) -> None:
    """What was never reached is not measured; clocks that differ give no negative times."""
    desk.answer = down(connect_ms=3.0)

    trace = enact(desk, attempted_at=NOW + timedelta(seconds=1)).trace

    assert set(trace) == {"queue_wait_ms", "dequeue_ms", "dispatch_ms", "connect_ms", "total_ms"}
    assert trace["connect_ms"] == 3.0
    assert min(trace.values()) >= 0.0


# --- what is never told ------------------------------------------------------------------------------------------------------


def _echo(desk: Any, status: int) -> Callable[[HttpRequest], HttpAnswer]:
    def send(request: HttpRequest) -> HttpAnswer:
        desk.requests.append(request)
        said = json.dumps({**request.headers, "secret": SECRET}).encode()
        return answer(status, said, content_type="application/json", x_echo=request.headers["X-Run-Token"])

    return send


SECRET = "whsec_" + base64.b64encode(b"never to be told").decode()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("status", [200, 500])
def test_tokens_and_secrets_stay_out_of_logs_errors_and_results(desk: Any, status: int, debug: bool) -> None:
    """Also when the endpoint sends back all that it got, and in debug mode."""
    desk.kinds["endpoint"]._http.send = _echo(desk, status)
    config = {
        "url": URL + "?key=s3cret",
        "headers": {"X-Auth": "s3cret", "Authorization": "s3cret"},
    }
    signed(desk, SECRET)
    desk.kinds["endpoint"]._http.send = _echo(desk, status)
    outcome = desk.enact("endpoint", config, scope=SCOPE, run={**FOLLOWED, "asked": {"debug_mode": debug}})

    token = desk.requests[0].headers["X-Run-Token"]
    told = json.dumps(desk.logged) + str(outcome)
    assert token not in told
    assert SECRET not in told
    assert "s3cret" not in json.dumps([line for line in desk.logged if "answered" not in line[1]])


def test_debug_mode_logs_what_went_over_the_wire(desk: Any) -> None:
    """Request and answer, headers and excerpts; without it one line says how it went."""
    desk.answer = answer(200, b'"fine"', content_type="application/json", set_cookie="c=1")
    enact(desk, {"headers": {"X-Mine": "hidden"}})
    assert [level for level, _ in desk.logged] == ["info"]
    desk.logged.clear()

    enact(desk, {"headers": {"X-Mine": "hidden"}}, run={"asked": {"debug_mode": True}})

    request, _, got = (line for _, line in desk.logged)
    assert '{"a":"é"}' in request
    assert '"X-Mine": "***"' in request
    assert '"X-Job-ID": "job-1"' in request
    assert '"set-cookie": "***"' in got
    assert '"fine"' in got


def test_a_payload_that_is_too_large_is_not_sent(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never be taken."""
    monkeypatch.setattr("quintet.steps.endpoint.MAX_REQUEST", 8)

    outcome = enact(desk)

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable, desk.requests) == ("InvalidConfig", False, [])
