"""The run side over HTTP: what a program that works on a run says of it, by the run's token."""

from datetime import timedelta
from typing import Any

import pytest
from jobs_desk import ADMIN, URL, Answer, Desk

CALLS: list[tuple[str, str, Any]] = [
    ("POST", "log", {"message": "m"}),
    ("POST", "progress", {"percent": 1}),
    ("POST", "heartbeat", None),
    ("POST", "annotate", {"a": 1}),
    ("POST", "checkpoint", {"source": "s", "state": 1}),
    ("POST", "output", {"output_key": "k", "value": 1}),
    ("POST", "complete", {"result": 1}),
    ("POST", "fail", {"error": "e"}),
    ("POST", "spawn", {"job_id": "x"}),
    ("GET", "payload", None),
]


class Program:
    """A program that works on a run: its endpoint answered 202."""

    def __init__(self, desk: Desk, **fields: Any) -> None:
        desk.endpoints.replies[URL] = [(202, None)]
        self.desk = desk
        self.job = desk.job(**fields)
        self.run = desk.trigger(self.job["id"], payload={"n": 1})
        desk.drive()

    @property
    def sent_token(self) -> str:
        """The token that came with the newest call."""
        return {name.lower(): value for name, value in self.desk.endpoints.calls[-1].headers.items()}["x-run-token"]

    def say(self, what: str, body: Any = None, *, key: str | None = None, method: str = "POST", **more: Any) -> Answer:
        path = f"/sdk/v1/runs/{self.run['id']}/{what}"
        return self.desk.send(method, path, body, key=key or self.run["run_token"], **more)

    def read(self, what: str = "") -> Any:
        return self.desk.get(f"/runs/{self.run['id']}{what}").json


@pytest.fixture
def program(desk: Desk) -> Program:
    """One at work."""
    return Program(desk)


def test_a_program_reports_and_completes(program: Program) -> None:
    """What it says is readable; its result is the run's."""
    assert program.read()["status"] == "waiting"
    assert program.say("log", {"message": "hello", "level": "warn", "data": {"k": 1}}).status == 204
    progress = {"percent": 40, "message": "half", "step": "load", "eta_secs": 9}
    assert program.say("progress", progress).status == 204
    assert program.say("annotate", {"host": "a", "n": 1}).status == 204
    program.desk.clock.advance(5)
    assert program.say("heartbeat").status == 204
    now = program.read()
    assert now["heartbeat_at"] == "2026-01-01T00:00:05.000Z"
    assert now["metadata"] == {"host": "a", "n": "1"}
    line = program.read("/logs")[-1]
    assert (line["level"], line["message"], line["data"]) == ("warn", "hello", {"k": 1})
    assert line["step_ref"] == "call"
    assert program.say("log", {"message": "nothing more"}).status == 204
    assert "data" not in program.read("/logs")[-1]
    assert program.read("/steps")[0]["progress"]["percent"] == 40
    assert program.say("payload", method="GET").json == {"payload": {"n": 1}}
    before = program.read()
    ended = program.say("complete", {"result": {"sum": 3}})
    assert ended.status == 200
    assert (ended.json["payload"], ended.json["heartbeat_at"]) == ({"n": 1}, before["heartbeat_at"])
    assert ended.json == program.read()
    program.desk.drive()
    now = program.read()
    assert (now["status"], now["result"]) == ("completed", {"sum": 3})


def test_both_tokens_serve_until_their_time_is_over(desk: Desk) -> None:
    """The trigger's for the whole run, the dispatch's for its attempt: after a retry the first one's is refused."""
    program = Program(desk, max_attempts=2, retry_strategy="fixed")
    first = program.sent_token
    assert first != program.run["run_token"]
    assert program.say("heartbeat", key=first).status == 204
    failed = program.say("fail", {"error": {"message": "no", "class": "Busy"}}, key=first)
    assert failed.json == program.read()
    assert failed.json["next_retry_at"] == "2026-01-01T00:00:01.000Z"
    desk.drive()
    desk.pass_time(2)
    assert program.read()["attempt"] == 2
    assert program.say("complete", {"result": 1}, key=first).status == 409
    assert program.say("complete", {"result": 2}, key=program.sent_token).status == 200
    desk.drive()
    assert program.read()["result"] == 2
    assert [one["error"] for one in program.read("/attempts") if "error" in one] == ["Busy: no"]


def test_a_failure_that_is_not_to_be_retried_ends_the_run(desk: Desk) -> None:
    """`retryable: false`; a plain text is a message."""
    program = Program(desk, max_attempts=5)
    program.say("fail", {"error": "no such customer", "retryable": False})
    desk.drive()
    run = program.read()
    assert (run["status"], run["error"], run["attempt"]) == ("failed", "Reported: no such customer", 1)


@pytest.mark.parametrize(("method", "what", "body"), CALLS)
def test_every_call_after_the_end_is_refused(program: Program, method: str, what: str, body: Any) -> None:
    """409, and nothing changes."""
    program.say("complete", {"result": "first"})
    program.desk.drive()
    before = [program.read(part) for part in ("", "/logs", "/outputs", "/checkpoints", "/children")]
    answer = program.say(what, body, method=method)
    assert (answer.status, answer.error["code"]) == (409, "conflict")
    assert [program.read(part) for part in ("", "/logs", "/outputs", "/checkpoints", "/children")] == before


@pytest.mark.parametrize(("method", "what", "body"), CALLS)
def test_only_the_runs_own_token_is_taken(program: Program, method: str, what: str, body: Any) -> None:
    """No token, an API key with every scope, another run's, and a forged one are 401, whatever the body."""
    other = program.desk.trigger(program.job["id"])["run_token"]
    head, claims, mark = program.run["run_token"].split(".")
    forged = f"{head}.{claims}.{mark[:-4]}{'AAAA' if mark[-4:] != 'AAAA' else 'BBBB'}"
    path = f"/sdk/v1/runs/{program.run['id']}/{what}"
    for key in (None, ADMIN, other, forged, "x" * 5000):
        for given in (body, {"no": "such field"}):
            answer = program.desk.send(method, path, given, key=key)
            assert (answer.status, answer.error["code"]) == (401, "authentication_required"), (key, answer.text)
    assert (
        program.desk.send(method, path, body, key=None, headers={"X-API-Key": program.run["run_token"]}).status == 401
    )
    assert program.read()["status"] == "waiting"
    assert program.read("/logs") == [line for line in program.read("/logs") if line["message"] != "m"]


def test_a_run_token_is_no_api_key(program: Program) -> None:
    """It reads nothing and changes nothing outside the run side."""
    for method, path in (
        ("GET", "/v1/runs"),
        ("GET", f"/v1/runs/{program.run['id']}"),
        ("DELETE", f"/v1/runs/{program.run['id']}"),
    ):
        assert program.desk.send(method, path, key=program.run["run_token"]).status == 401


BAD: list[tuple[str, Any, str]] = [
    ("log", {}, "message"),
    ("log", {"message": 1}, "message"),
    ("log", {"message": "m", "level": "loud"}, "level"),
    ("log", {"message": "m", "levle": "info"}, "levle"),
    ("progress", {}, "percent"),
    ("progress", {"percent": 101}, "percent"),
    ("progress", {"percent": "40"}, "percent"),
    ("progress", {"percent": 1, "eta_secs": -1}, "eta_secs"),
    ("annotate", {"a": {"deep": 1}}, "a"),
    ("annotate", {"a": [1]}, "a"),
    ("annotate", {"": 1}, ""),
    ("annotate", None, ""),
    ("checkpoint", {"state": 1}, "source"),
    ("checkpoint", {"source": "s"}, "state"),
    ("output", {"value": 1}, "output_key"),
    ("output", {"output_key": "", "value": 1}, "output_key"),
    ("output", {"output_key": "k"}, "value"),
    ("complete", {"resutl": 1}, "resutl"),
    ("fail", {}, "error"),
    ("fail", {"error": ""}, "error"),
    ("fail", {"error": {"class": "X"}}, "error"),
    ("fail", {"error": "e", "retryable": "no"}, "retryable"),
    ("spawn", {"payload": 1}, "job_id"),
    ("spawn", {"job_id": "x", "priority": 11}, "priority"),
]


@pytest.mark.parametrize(("what", "body", "field"), BAD, ids=str)
def test_bad_bodies_are_named(program: Program, what: str, body: Any, field: str) -> None:
    """400 validation_failed; the run goes on."""
    answer = program.say(what, body)
    assert (answer.status, answer.error["code"]) == (400, "validation_failed"), answer.text
    assert any(name.startswith(field) for name in answer.fields), answer.fields
    assert program.read()["status"] == "waiting"


def test_null_takes_metadata_out(program: Program) -> None:
    """Other names stay."""
    program.say("annotate", {"a": 1, "b": "x"})
    program.say("annotate", {"a": None, "c": True})
    assert program.read()["metadata"] == {"b": "x", "c": "true"}


def test_a_child_is_spawned_by_its_job(program: Program) -> None:
    """With payload and priority; an unknown job is 404, a disabled one 400, one whose schema the payload breaks 422."""
    desk = program.desk
    child = desk.job("child", payload_schema={"type": "integer"}, endpoint_url=URL + "2")
    made = program.say("spawn", {"job_id": child["id"], "payload": 7, "priority": 4})
    assert (made.status, made.json["parent_run_id"], made.json["triggered_by"]) == (201, program.run["id"], "spawn")
    assert (made.json["priority"], made.json["payload"]) == (4, 7)
    assert made.json == desk.get(f"/runs/{made.json['id']}").json
    assert "run_token" not in made.json
    assert program.say("spawn", {"job_id": child["id"], "payload": "x"}).status == 422
    assert program.say("spawn", {"job_id": "none"}).status == 404
    desk.patch(f"/jobs/{child['id']}", {"enabled": False})
    assert program.say("spawn", {"job_id": child["id"], "payload": 7}).status == 400
    desk.drive()
    assert desk.get(f"/runs/{made.json['id']}").json["payload"] == 7
    assert len(program.read("/children")) == 1


def test_a_result_that_breaks_the_jobs_schema_fails_the_run(desk: Desk) -> None:
    """As it would in an answer of the endpoint."""
    program = Program(desk, result_schema={"type": "object"}, max_attempts=1)
    assert program.say("complete", {"result": "no object"}).status == 200
    desk.drive()
    assert program.read()["status"] == "failed"


def test_silence_crashes_the_run(program: Program) -> None:
    """No sign of life for a minute; one in between keeps it."""
    desk = program.desk
    desk.clock.advance(50)
    program.say("heartbeat")
    desk.clock.advance(50)
    desk.services.sweep()
    desk.drive()
    assert program.read()["status"] == "waiting"
    last = desk.now()
    while program.read()["status"] == "waiting" and desk.now() - last < timedelta(minutes=5):
        desk.clock.advance(20)
        desk.services.sweep()
        desk.drive()
    assert program.read()["status"] == "crashed"
    assert program.say("heartbeat").status == 409
