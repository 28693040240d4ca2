"""A run's live events over HTTP."""

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from automations_desk import Desk, step

from quintet.services.ports.world import LogEntry
from quintet.web import stream
from quintet.web.stream import Cursor, cursor

STREAMED = {"x-quintet-stream": "1"}
GATE = step("gate", kind="approval_gate")


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


def ask(desk: Desk, run_id: str, last: str | None = None, **headers: str) -> Any:
    """One request for events, at once."""
    more = {"last-event-id": last} if last else {}
    return desk.get(f"/automation-runs/{run_id}/events", headers={**STREAMED, **more, **headers})


def log(desk: Desk, run_id: str, number: int) -> None:
    """A step's log line at this moment."""
    entry = LogEntry(desk.services.ids.new(), desk.clock.now(), "a", "INFO", f"line {number}")
    desk.logs.write(run_id, [entry])


def test_the_whole_history_and_then_the_end(desk: Desk) -> None:
    """A completed run's stream has each event once, in order, with retry, and ends; then 204."""
    run_id = desk.run(step("a"), step("b", "a", when="false"))
    desk.clock.advance(5)
    answer = ask(desk, run_id)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.text.startswith("retry: 1000\n\n")
    found = read(answer.text)
    said = [(one.event, one.data.get("key"), one.data["status"]) for one in found]
    assert said == [
        ("run.status", None, "pending"),
        ("run.status", None, "running"),
        ("step.status", "a", "completed"),
        ("step.status", "b", "skipped"),
        ("run.status", None, "completed"),
        ("end", None, "completed"),
    ]
    assert all(one.data["runId"] == run_id and one.data["at"].endswith("Z") for one in found)
    assert found[2].data["attempt"] == 1
    assert found[2].data["error"] is None
    again = ask(desk, run_id, found[-1].id)
    assert (again.status, again.text) == (204, "")
    assert [one.event for one in read(ask(desk, run_id, found[-2].id).text)] == ["end"]


def test_resuming_after_any_event_loses_nothing_and_repeats_nothing(desk: Desk) -> None:
    """From whatever id a client resumes, it gets exactly the rest; by header and by query."""
    desk.runner.answers["no"] = lambda _: 1 / 0
    retry = {"maxAttempts": 2, "strategy": "fixed", "initialDelaySeconds": 120}
    run_id = desk.run(step("a"), step("p", "a", kind="python", config={"code": "no"}, retry=retry))
    for number in range(3):
        log(desk, run_id, number)
        desk.clock.advance(2)
    desk.pass_time(300)
    whole = read(ask(desk, run_id).text)
    ids = [one.id for one in whole]
    assert len(set(ids)) == len(ids)
    assert [one.event for one in whole].count("log") == 3
    for place, last in enumerate(ids):
        rest = read(ask(desk, run_id, last).text)
        assert rest == whole[place + 1 :]
        by_query = desk.get(f"/automation-runs/{run_id}/events", query={"lastEventId": last}, headers=STREAMED)
        assert read(by_query.text) == rest


def test_failures_and_retries_say_their_attempts(desk: Desk) -> None:
    """An attempt that will be repeated is pending with its error and when; the last one is failed; also after a resume."""
    desk.runner.answers["no"] = lambda _: 1 / 0
    retry = {"maxAttempts": 2, "strategy": "fixed", "initialDelaySeconds": 120}
    run_id = desk.run(step("p", kind="python", config={"code": "no"}, retry=retry))
    desk.pass_time(300)
    steps = [one for one in read(ask(desk, run_id).text) if one.event == "step.status"]
    assert [(one.data["status"], one.data["attempt"]) for one in steps] == [
        ("running", 1),
        ("pending", 1),
        ("running", 2),
        ("failed", 2),
    ]
    assert steps[1].data["error"]["type"] == "ZeroDivisionError"
    assert steps[1].data["retryAt"] == "2026-01-01T00:02:00.000Z"
    last = [one for one in read(ask(desk, run_id).text) if one.event == "run.status"][-1]
    assert last.data["error"] == {
        "type": "ZeroDivisionError",
        "message": steps[3].data["error"]["message"],
        "step": "p",
    }
    rest = [one for one in read(ask(desk, run_id, steps[2].id).text) if one.event == "step.status"]
    assert [one.data["attempt"] for one in rest] == [2]


@pytest.mark.parametrize("seed", range(5))
def test_a_client_that_polls_while_things_happen_gets_everything_once(desk: Desk, seed: int) -> None:
    """Whenever it asks between events and log lines, the pieces put together are the whole, without gaps or doubles."""
    chance = random.Random(seed)
    automation = desk.define(
        step("a"), step("w", "a", kind="wait", config={"seconds": 100}), step("g", "w", kind="approval_gate"), step("z", "g")
    )  # fmt: skip
    run_id = desk.post(f"/automations/{automation['id']}/run").json["id"]
    pieces: list[Said] = []
    lines = 0

    def poll() -> None:
        last = pieces[-1].id if pieces else None
        answer = ask(desk, run_id, last)
        pieces.extend(read(answer.text) if answer.status == 200 else [])

    moves = [
        desk.drive,
        lambda: desk.pass_time(110),
        lambda: desk.post(f"/automation-runs/{run_id}/steps/g/approve"),
        desk.drive,
    ]
    for move in moves:
        for _ in range(chance.randrange(4)):
            log(desk, run_id, lines)
            lines += 1
            desk.clock.advance(chance.choice([0, 0.4, 3]))
            if chance.random() < 0.6:
                poll()
        move()
    for _ in range(4):
        desk.clock.advance(2)
        poll()
    assert pieces[-1].event == "end"
    assert [one.data["message"] for one in pieces if one.event == "log"] == [f"line {n}" for n in range(lines)]
    numbers = [int(str(one.id).split("-")[0]) for one in pieces if one.event.endswith(".status")]
    assert numbers == sorted(set(numbers))
    whole = read(ask(desk, run_id).text)
    for name in {one.event for one in whole}:  # ids and the weave with the log differ by when it was read
        assert [one.data for one in pieces if one.event == name] == [one.data for one in whole if one.event == name]


def test_a_line_that_is_written_late_is_not_lost(desk: Desk) -> None:
    """Two steps write side by side: a line is shown only when none with an earlier id can come any more."""
    run_id = desk.run(GATE)
    seen = read(ask(desk, run_id).text)[-1].id
    early = LogEntry(desk.services.ids.new(), desk.clock.now(), "a", "INFO", "early")
    log(desk, run_id, 1)
    assert read(ask(desk, run_id, seen).text) == []
    desk.logs.write(run_id, [early])
    desk.clock.advance(1)
    assert [one.data["message"] for one in read(ask(desk, run_id, seen).text)] == ["early", "line 1"]


def test_long_histories_come_in_batches_that_lose_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the batch size the stream goes on where it stopped, and ends only after the last."""
    monkeypatch.setattr(stream, "BATCH", 3)
    run_id = desk.run(*[step(f"s{n}") for n in range(10)])
    for number in range(7):
        log(desk, run_id, number)
    desk.clock.advance(10)
    found: list[Said] = []
    while not found or found[-1].event != "end":
        piece = read(ask(desk, run_id, found[-1].id if found else None).text)
        assert piece
        found += piece
    assert [one.data["key"] for one in found if one.event == "step.status"] == [f"s{n}" for n in range(10)]
    assert sum(one.event == "log" for one in found) == 7


def test_a_piece_of_the_stream_stays_small_enough_to_carry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many long log lines come in several pieces, each within bounds; nothing is lost between them."""
    monkeypatch.setattr(stream, "PIECE_CHARACTERS", 5_000)
    run_id = desk.run(step("a"))
    ids, now = desk.services.ids, desk.clock.now()
    desk.logs.write(run_id, [LogEntry(ids.new(), now, "a", "INFO", f"{n} {'x' * 1000}") for n in range(24)])
    desk.clock.advance(10)
    found: list[Said] = []
    pieces = 0
    while not found or found[-1].event != "end":
        answer = ask(desk, run_id, found[-1].id if found else None)
        assert len(answer.text) < 8_000
        found += read(answer.text)
        pieces += 1
    assert pieces >= 5
    assert [one.data["message"].split()[0] for one in found if one.event == "log"] == [str(n) for n in range(24)]


def test_without_news_a_streaming_front_door_is_told_so_at_once(desk: Desk) -> None:
    """The answer is a comment and no time passes."""
    run_id = desk.run(GATE)
    last = read(ask(desk, run_id).text)[-1].id
    before = desk.clock.now()
    answer = ask(desk, run_id, last)
    assert (answer.status, answer.text) == (200, ": nothing new\n\n")
    assert desk.clock.now() == before


def test_a_long_poll_ends_with_a_heartbeat_when_nothing_comes(desk: Desk) -> None:
    """After up to 25 s, with an event without id, so that the client resumes where it stood."""
    run_id = desk.run(GATE)
    last = read(ask(desk, run_id).text)[-1].id
    before = desk.clock.now()
    answer = desk.get(f"/automation-runs/{run_id}/events", headers={"Last-Event-ID": str(last)})
    beat = read(answer.text)[0]
    assert (beat.event, beat.id, beat.data["status"]) == ("heartbeat", None, "running")
    assert timedelta(seconds=20) < desk.clock.now() - before <= timedelta(seconds=25)


def test_a_long_poll_ends_as_soon_as_something_happens(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer given three seconds into the poll ends it about then."""
    run_id = desk.run(GATE)
    last = read(ask(desk, run_id).text)[-1].id
    before, sleep = desk.clock.now(), desk.clock.sleep

    def sleep_and_answer(seconds: float) -> None:
        sleep(seconds)
        if desk.clock.now() - before > timedelta(seconds=3) and not answered:
            answered.append(True)
            desk.services.answer_step("default", run_id, "gate", approved=True, by="somebody")

    answered: list[bool] = []
    monkeypatch.setattr(desk.clock, "sleep", sleep_and_answer)
    found = read(desk.get(f"/automation-runs/{run_id}/events", headers={"Last-Event-ID": str(last)}).text)
    assert (found[0].event, found[0].data["status"]) == ("step.status", "completed")
    assert desk.clock.now() - before < timedelta(seconds=5)


def test_a_waiting_gate_says_what_it_waits_for(desk: Desk) -> None:
    """The step's status is pending, as in the list of steps."""
    found = [one for one in read(ask(desk, desk.run(GATE)).text) if one.event == "step.status"]
    assert (found[-1].data["key"], found[-1].data["status"]) == ("gate", "pending")


@pytest.mark.parametrize("bad", ["x", "1", "-1-0", "1-", "1-0.ended", "1-a b", "9" * 40 + "-0", "١-0"])
def test_an_id_of_no_stream_is_refused(desk: Desk, bad: str) -> None:
    """422 names the header or the query parameter."""
    run_id = desk.run(step("a"))
    answer = desk.get(f"/automation-runs/{run_id}/events", query={"lastEventId": bad}, headers=STREAMED)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["query", "lastEventId"]
    answer = ask(desk, run_id, bad)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["header", "Last-Event-ID"]


def test_the_newer_header_wins_over_the_first_requests_query(desk: Desk) -> None:
    """EventSource repeats its URL with every reconnect."""
    run_id = desk.run(step("a"))
    desk.clock.advance(5)
    end = read(ask(desk, run_id).text)[-1].id
    answer = desk.get(
        f"/automation-runs/{run_id}/events",
        query={"lastEventId": "1-0"},
        headers={**STREAMED, "Last-Event-ID": str(end)},
    )
    assert answer.status == 204


@pytest.mark.parametrize("place", [Cursor(), Cursor(7), Cursor(3, "0190-ab"), Cursor(12, "x", ended=True)])
def test_a_place_is_read_back_from_its_id(place: Cursor) -> None:
    """What an id says is what it was made of."""
    assert cursor(str(place)) == place
