"""HTTP and AUTONOMOUS_AGENT: what is sent, and what becomes of answers."""

import json
from typing import Any

import pytest

from quintet.domain.outcome import Completed, Failed, Waits
from quintet.services.ports.http import HttpAnswer, HttpFault

URL = "https://agents.example/run?a=1"
LINES = b'{"n": 1, "x": 12345678901234567890.10}\n\n{"n":2}\n'


def answer(body: Any = b"", status: int = 200, type_: str | None = "application/json") -> HttpAnswer:
    """An endpoint's answer."""
    headers = {} if type_ is None else {"content-type": type_}
    return HttpAnswer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode(), URL, {})


@pytest.fixture
def http(tasks: Any) -> Any:
    """A desk with a JSON program and an endpoint that answers nothing."""
    tasks.program(
        json.dumps({"url": URL, "headers": {"Authorization": "Bearer s3cret-s3cret"}}).encode(), "application/json"
    )
    tasks.desk.answer = answer()
    return tasks


def test_rows_are_posted_as_they_are(http: Any) -> None:
    """One JSON array, byte for byte, with the program's headers, the task's key, and the params as query; redirects are answers."""
    http.give(LINES, 2)
    http.define_task(api_key="k3y")

    outcome = http.enact("HTTP", params={"b": "ä&", "c": [1, True], "d": None})

    [request] = http.desk.requests
    assert request.method == "POST"
    assert request.url == "https://agents.example/run?a=1&b=%C3%A4%26&c=1&c=true"
    assert request.body == b'[{"n": 1, "x": 12345678901234567890.10},{"n":2}]'
    assert request.headers == {
        "Authorization": "Bearer s3cret-s3cret", "X-API-Key": "k3y", "Content-Type": "application/json",
        "Idempotency-Key": "run-1:s",
    }  # fmt: skip
    assert (request.follows, request.timeout) == (False, 540.0)
    assert outcome.result["metrics"]["recordsProcessed"] == 2


def test_without_input_an_empty_array_is_posted(http: Any) -> None:
    """So that whoever reads JSON there always finds an array."""
    http.enact("HTTP")

    assert http.desk.requests[0].body == b"[]"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_some_methods_have_no_body(http: Any, method: str) -> None:
    """Nor a content type; nothing was processed then."""
    http.give(LINES, 2)
    http.program(json.dumps({"url": URL, "method": method}).encode(), "application/json")

    outcome = http.enact("HTTP")

    assert http.desk.requests[0].body is None
    assert "Content-Type" not in http.desk.requests[0].headers
    assert outcome.result["metrics"]["recordsProcessed"] is None


def test_what_is_posted_is_bounded(http: Any) -> None:
    """Rows of more bytes than are sent fail the task before anything is."""
    http.give(b'{"a":"' + b"x" * (16 * 1024 * 1024) + b'"}\n', 1)

    outcome = http.enact("HTTP")

    assert (outcome.error.type, outcome.error.message) == (
        "InputTooLarge", "the input has more than 16777216 bytes as JSON")  # fmt: skip
    assert http.desk.requests == []


def test_an_array_answered_is_the_output(http: Any) -> None:
    """Each object as a line of its own, with its numbers as they were written."""
    http.desk.answer = answer(b' [ {"n": 1.10,\n "s": "a\\nb ]"} ,{"n":12345678901234567890123}\r\n]\n')

    outcome = http.enact("HTTP")

    assert http.blobs.get("rows/p1/run-1-7/made.jsonl") == (
        b'{"n": 1.10,  "s": "a\\nb ]"}\n{"n":12345678901234567890123}\n')  # fmt: skip
    assert http.files.made[0]["into"] == "datasets/p1/9/run-1-7/rows.parquet"
    assert isinstance(outcome, Completed)
    assert outcome.result["dataset"]["rowCount"] == 2
    assert outcome.notes["execution"]["outputDataset"] == 9


def test_an_empty_array_empties_the_output(http: Any) -> None:
    """No rows are an answer too."""
    http.desk.answer = answer(b" [ ] ")

    result = http.enact("HTTP").result

    assert (result["dataset"]["rowCount"], result["dataset"]["parts"]) == (0, [])
    assert http.files.made == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (answer(b""), {"status": 200, "body": None}),
        (answer({"ok": True}, 201), {"status": 201, "body": {"ok": True}}),
        (answer(b"[draft] text", type_="text/plain"), {"status": 200, "body": "[draft] text"}),
        (answer(b"\xff\xfe", type_="image/png"), {"status": 200, "body": "//4=", "bodyEncoding": "base64"}),
        (answer({"a": "x" * 70_000}), {"status": 200, "omitted": "the answer has 70009 bytes; 65536 are kept"}),
        (answer(b"", 202), {"status": 202, "body": None}),
    ],
    ids=["nothing", "object", "text", "bytes", "large", "accepted"],
)
def test_what_is_no_array_is_an_answer(http: Any, said: HttpAnswer, kept: Any) -> None:
    """It leaves the output as it was, and stands in the result, if it is short."""
    http.desk.answer = said

    result = http.enact("HTTP").result

    assert (result["dataset"], result["answer"]) == (None, kept)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[1]", "the answer: row 0 is no JSON object"),
        (b'[{"a":1},null]', "the answer: row 1 is no JSON object"),
        (b'[{"a":1},]', "a comma before its end"),
        (b'[{"a":1} {"a":2}]', "no comma after row 0"),
        (b'[{"a":1}', "no comma after row 0"),
        (b'[{"a":1}]]', "something follows its end"),
        (b'[{"a":NaN}]', "NaN is no JSON"),
        (b'[{"a":', "begins like a JSON array and is none"),
        (b"[", "begins like a JSON array and is none"),
        (b'[{"a":' + b"9" * 5000 + b"}]", "begins like a JSON array and is none"),
        (b"[" * 50_000, "begins like a JSON array and is none"),
    ],
)
def test_an_array_of_something_else_fails_the_task(http: Any, body: bytes, message: str) -> None:
    """Rather than lose what was meant as rows."""
    http.desk.answer = answer(body)

    outcome = http.enact("HTTP")

    assert outcome.error.type == "BadRows"
    assert message in outcome.error.message
    assert not outcome.error.retryable


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_an_unwelcome_status_fails_the_task(http: Any, status: int) -> None:
    """With an excerpt of what was said; a redirect is one."""
    http.give(LINES, 2)
    http.desk.answer = answer(b"why", status, "text/plain")

    outcome = http.enact("HTTP")

    assert (outcome.error.type, outcome.error.details) == ("HttpStatus", {"status": status, "body": "why"})
    assert "https://agents.example/run answered" in outcome.error.message
    assert outcome.notes["execution"]["recordsProcessed"] == 2


@pytest.mark.parametrize("type_", ["Refused", "Timeout", "Connection", "TooLarge", "Canceled"])
def test_a_call_that_comes_to_nothing_fails_the_task(http: Any, type_: str) -> None:
    """As every call of an endpoint does."""
    http.desk.answer = HttpFault(type_, "no answer", retryable=True)

    outcome = http.enact("HTTP")

    assert isinstance(outcome, Failed)
    assert outcome.error.type == f"Http{type_}"
    assert outcome.notes["execution"]["recordsProcessed"] == 0


def test_the_call_ends_when_nobody_waits_for_it(http: Any) -> None:
    """The client is told how to know."""
    http.enact("HTTP", stopped=lambda: True)

    assert http.desk.requests[0].stopped() is True


def test_what_is_secret_is_not_kept(http: Any) -> None:
    """An endpoint that sends back what it was told: neither key nor credentials stand in rows, answers or errors."""
    http.define_task(api_key="k3y-of-the-task")
    http.desk.answer = answer([{"seen": "Bearer s3cret-s3cret", "key": "k3y-of-the-task"}])
    http.enact("HTTP")
    http.desk.answer = answer({"seen": "Bearer s3cret-s3cret", "key": "k3y-of-the-task"}, 500)
    failed = http.enact("HTTP")

    assert http.blobs.get("rows/p1/run-1-7/made.jsonl") == b'{"seen": "***", "key": "***"}\n'
    assert failed.error.details["body"] == '{"seen": "***", "key": "***"}'


@pytest.mark.parametrize("key", ['quoted "\\ k3y', "k3y-of-ä-t€sk", "tabbed\tk3y"])
@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("read", ["utf-8", "latin-1"])
def test_what_is_secret_is_not_kept_as_json_spells_it_either(http: Any, key: str, ascii_: bool, read: str) -> None:
    """With escapes or without, and as servers read headers: a key of any letters is as hidden as a plain one."""
    http.define_task(api_key=key)
    http.desk.answer = answer(json.dumps([{"key": key.encode().decode(read)}], ensure_ascii=ascii_).encode())
    http.enact("HTTP")

    assert http.blobs.get("rows/p1/run-1-7/made.jsonl") == b'{"key": "***"}\n'


def test_a_program_whose_headers_do_not_open_fails_the_task(http: Any) -> None:
    """With its name, and nothing sent."""
    program = http.programs.get("p1", "prog")
    kept = json.loads(http.blobs.get(program.blob))
    http.blobs.put(program.blob, json.dumps({**kept, "sealed": "broken"}).encode())

    outcome = http.enact("HTTP")

    assert outcome.error.type == "BadProgram"
    assert outcome.error.message.startswith("program prog: ")
    assert http.desk.requests == []


def test_an_agent_is_told_how_to_report(http: Any) -> None:
    """Its execution and task, a token of the attempt, where to call back, and where to write its rows."""
    http.enact("AUTONOMOUS_AGENT")

    headers = http.desk.requests[0].headers
    assert headers["X-Quintet-Execution"] == "run-1"
    assert headers["X-Quintet-Task"] == "4"
    assert headers["X-Quintet-Callback"] == "/webrobot/api/projects/id/2/jobs/3/completion"
    assert headers["X-Quintet-Output-Path"].endswith("/rows/p1/run-1-7/output")
    assert "rows/p1/run-1-7/output" in headers["X-Quintet-Output-Url"]
    token = http.desk.run_tokens.read(headers["X-Run-Token"])
    assert (token.run_id, token.path, token.token) == ("run-1", "s", 7)


def test_an_agent_that_accepts_is_waited_for(http: Any) -> None:
    """Without a deadline or heartbeats: it reports its end, or the rule for zombies ends it. What was posted is remembered."""
    http.give(LINES, 2)
    http.desk.answer = answer(b"", 202)

    outcome = http.enact("AUTONOMOUS_AGENT")

    assert isinstance(outcome, Waits)
    assert (outcome.for_, outcome.deadline, outcome.until) == ("report", None, None)
    assert outcome.details == {"message": "the agent to report its end", "posted": 2}


def test_an_agent_that_answers_is_done(http: Any) -> None:
    """Rows answered are its output; its token and its link are masked."""
    http.desk.answer = answer([{"a": 1}])

    assert http.enact("AUTONOMOUS_AGENT").result["dataset"]["id"] == 9
    token = http.desk.requests[0].headers["X-Run-Token"]
    http.desk.answer = answer({"token": token, "url": http.desk.requests[0].headers["X-Quintet-Output-Url"]})
    assert http.enact("AUTONOMOUS_AGENT").result["answer"]["body"] == {"token": "***", "url": "***"}
