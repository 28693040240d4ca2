"""A run's live events over HTTP."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from jobs_desk import URL, Answer, Desk

STREAMED = {"x-quintet-stream": "1"}


@dataclass
class Said:
    """One server-sent event."""

    id: str | None
    event: str
    data: dict[str, Any]


def read(text: str) -> list[Said]:
    """The events of a piece of a stream, as a browser's EventSource reads them."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            found.append(Said(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"])))
    return found


def ask(desk: Desk, run_id: str, last: str | None = None, **more: Any) -> Answer:
    """One request for events, at once."""
    headers = {**STREAMED, **({"last-event-id": last} if last else {})}
    return desk.get(f"/runs/{run_id}/stream", headers=headers, **more)


def reporting(desk: Desk) -> dict[str, Any]:
    """A run whose endpoint reports."""
    desk.endpoints.replies[URL] = [(202, None)]
    run = desk.trigger(desk.job()["id"])
    desk.drive()
    return run


def say(desk: Desk, run: dict[str, Any], what: str, body: Any) -> None:
    """A report of the run's program."""
    assert desk.send("POST", f"/sdk/v1/runs/{run['id']}/{what}", body, key=run["run_token"]).status in (200, 204)


def test_the_whole_history_and_then_the_end(desk: Desk) -> None:
    """In this API's words, unset fields left out; then 204."""
    run = reporting(desk)
    desk.clock.advance(2)
    say(desk, run, "progress", {"percent": 50, "eta_secs": 3})
    say(desk, run, "annotate", {"host": "a"})
    say(desk, run, "log", {"message": "hello"})
    say(desk, run, "complete", {"result": 1})
    desk.drive()
    desk.clock.advance(5)
    answer = ask(desk, run["id"])
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache, no-transform")
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = read(answer.text)
    assert [(one.event, one.data.get("status")) for one in found if one.event != "log"] == [
        ("run.status", "executing"),
        ("step.status", "running"),
        ("step.status", "waiting"),
        ("run.status", "waiting"),
        ("step.progress", None),
        ("run.metadata", None),
        ("step.status", "completed"),
        ("run.status", "completed"),
        ("end", "completed"),
    ]
    progress = next(one.data for one in found if one.event == "step.progress")
    assert (progress["percent"], progress["eta_secs"], "message" in progress) == (50, 3, False)
    assert next(one.data["metadata"] for one in found if one.event == "run.metadata") == {"host": "a"}
    assert "hello" in [one.data["message"] for one in found if one.event == "log"]
    assert all(one.data["run_id"] == run["id"] and one.data["at"].endswith("Z") for one in found)
    assert all(value is not None for one in found for value in one.data.values())
    again = ask(desk, run["id"], found[-1].id)
    assert (again.status, again.text) == (204, "")


def test_resuming_after_any_event_loses_nothing_and_repeats_nothing(desk: Desk) -> None:
    """By header and by query."""
    desk.endpoints.replies[URL] = [(500, None), (200, 1)]
    run = desk.trigger(desk.job(retry_strategy="fixed")["id"], debug_mode=True)
    desk.drive()
    desk.pass_time(10)
    whole = read(ask(desk, run["id"]).text)
    assert whole[-1].event == "end"
    assert len({one.id for one in whole}) == len(whole) > 8
    for place, one in enumerate(whole):
        rest = read(ask(desk, run["id"], one.id).text)
        assert rest == whole[place + 1 :]
        assert read(ask(desk, run["id"], query={"lastEventId": one.id}).text) == rest


def test_a_failed_attempt_says_why_and_when_the_next_comes(desk: Desk) -> None:
    """The step waits for its retry."""
    desk.endpoints.replies[URL] = [(500, None), (200, 1)]
    run = desk.trigger(desk.job(retry_strategy="fixed")["id"])
    desk.drive()
    steps = [one.data for one in read(ask(desk, run["id"]).text) if one.event == "step.status"]
    assert [(one["status"], one["attempt"]) for one in steps][:3] == [("running", 1), ("waiting", 1), ("running", 2)]
    assert (steps[1]["waiting_for"], steps[1]["next_retry_at"]) == ("retry", "2026-01-01T00:00:01.000Z")
    assert steps[1]["error"].startswith("HttpStatus: ")


def test_a_long_poll_ends_with_a_heartbeat(desk: Desk) -> None:
    """After up to 25 s without news, without an id; a front door that streams is told at once."""
    run = reporting(desk)
    desk.clock.advance(5)
    last = read(ask(desk, run["id"]).text)[-1].id
    assert ask(desk, run["id"], last).text == ": nothing new\n\n"
    before = desk.now()
    answer = desk.get(f"/runs/{run['id']}/stream", headers={"Last-Event-ID": str(last)})
    (beat,) = read(answer.text)
    assert (beat.id, beat.event, beat.data["status"]) == (None, "heartbeat", "waiting")
    assert timedelta(seconds=20) < desk.now() - before <= timedelta(seconds=25)


@pytest.mark.parametrize("bad", ["x", "1", "-1-0", "1-0.ended"])
def test_an_id_of_no_stream_is_refused(desk: Desk, bad: str) -> None:
    """400 names the header or the query parameter."""
    run = reporting(desk)
    assert ask(desk, run["id"], bad).fields == {"Last-Event-ID"}
    assert ask(desk, run["id"], query={"lastEventId": bad}).fields == {"lastEventId"}


def test_a_retry_by_hand_says_that_it_comes_at_once(desk: Desk) -> None:
    """In the stream, and as when the attempt after the failed one was to come."""
    desk.endpoints.replies[URL] = [(500, None), (200, 1)]
    step = {
        "step_ref": "a",
        "step_type": "endpoint",
        "endpoint": URL,
        "max_attempts": 2,
        "retry_initial_delay_secs": 100,
    }
    workflow = desk.post("/workflows", {"name": "w", "steps": [step]}).json
    run = desk.post(f"/workflows/{workflow['id']}/trigger", {}).json
    desk.drive()
    desk.clock.advance(30)
    hurried = desk.post(f"/workflow-runs/{run['id']}/steps/a/retry")
    assert hurried.status == 200, hurried.text
    desk.drive()
    desk.clock.advance(5)
    steps = [one.data for one in read(ask(desk, run["id"]).text) if one.event == "step.status"]
    assert [(one["status"], one["attempt"]) for one in steps] == [
        ("running", 1),
        ("waiting", 1),
        ("waiting", 1),
        ("running", 2),
        ("completed", 2),
    ]
    assert steps[2]["next_retry_at"] == "2026-01-01T00:00:30.000Z"
    first, _ = desk.get(f"/runs/{run['id']}/attempts").json
    assert (first["attempt"], first["next_retry_at"]) == (1, "2026-01-01T00:00:30.000Z")
