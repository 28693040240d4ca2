"""What is in a run, over HTTP: steps, attempts, events, log lines, children, outputs, checkpoints."""

from typing import Any

import pytest
from jobs_desk import URL, Desk

from quintet.services.ports.world import LogEntry

LISTS = ["events", "logs", "attempts", "children", "outputs", "checkpoints", "steps"]


def pages(desk: Desk, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        answer = desk.get(path, query=query)
        assert answer.status == 200, answer.text
        found.append(answer.json)
        if "x-next-cursor" not in answer.headers:
            return found
        cursor = answer.headers["x-next-cursor"]


def retried(desk: Desk) -> dict[str, Any]:
    """A run whose first attempt failed and whose second completed."""
    desk.endpoints.replies[URL] = [(503, {"busy": True}), (200, {"ok": 1})]
    run = desk.trigger(desk.job(retry_strategy="fixed", max_attempts=3)["id"], payload=1)
    desk.drive()
    desk.pass_time(5)
    return run


def test_every_attempt_is_kept(desk: Desk) -> None:
    """Number, times, status, error, trace, and when the next came."""
    run = retried(desk)
    first, second = desk.get(f"/runs/{run['id']}/attempts").json
    assert (first["attempt"], first["status"], first["step_ref"]) == (1, "failed", "call")
    assert first["error"].startswith("HttpStatus: ")
    assert first["next_retry_at"] == second["started_at"] == "2026-01-01T00:00:01.000Z"
    assert (second["attempt"], second["status"]) == (2, "completed")
    assert "error" not in second
    assert first["finished_at"] == "2026-01-01T00:00:00.000Z"
    assert first["execution_trace"].keys() >= {"queue_wait_ms", "dequeue_ms", "total_ms"}
    assert second["execution_trace"]["dequeue_ms"] == 0  # it began when the rest was over


def test_an_attempt_under_way_has_no_end(desk: Desk) -> None:
    """One that waits for its program's report says so."""
    desk.endpoints.replies[URL] = [(202, None)]
    run = desk.trigger(desk.job()["id"])
    assert desk.get(f"/runs/{run['id']}/attempts").json == []
    desk.drive()
    (only,) = desk.get(f"/runs/{run['id']}/attempts").json
    assert (only["status"], only["attempt"], "finished_at" in only) == ("waiting", 1, False)
    desk.delete(f"/runs/{run['id']}")
    (only,) = desk.get(f"/runs/{run['id']}/attempts").json
    assert (only["status"], "finished_at" in only) == ("canceled", True)


def test_events_tell_what_happened_without_the_payloads(desk: Desk) -> None:
    """In order, by their number in the journal; what only the engine needs is left out."""
    run = retried(desk)
    events = desk.get(f"/runs/{run['id']}/events").json
    assert [event["type"] for event in events] == [
        "run.created",
        "run.started",
        "step.started",
        "step.failed",
        "step.started",
        "step.completed",
        "run.completed",
    ]
    numbers = [int(event["id"]) for event in events]
    assert numbers == sorted(set(numbers))
    failed = events[3]
    assert (failed["step_ref"], failed["data"]["attempt"], failed["data"]["error"]["type"]) == ("call", 1, "HttpStatus")
    assert failed["data"]["retry_at"] == "2026-01-01T00:00:01.000Z"
    assert not any({"input", "result"} & set(event["data"]) for event in events)


def test_steps_of_a_dag(desk: Desk) -> None:
    """As written, with outputs and what they wait for; the ids are the same at every read."""
    tasks = [
        {"step_ref": "a", "step_type": "endpoint", "endpoint": URL},
        {"step_ref": "ok", "step_type": "approval", "depends_on": ["a"]},
        {"step_ref": "z", "step_type": "endpoint", "endpoint": URL, "depends_on": ["ok"]},
    ]
    run = desk.trigger(desk.job(tasks=tasks)["id"])
    desk.drive()
    steps = desk.get(f"/runs/{run['id']}/steps").json
    assert [(one["step_ref"], one["status"], one["depends_on"]) for one in steps] == [
        ("a", "completed", []),
        ("ok", "waiting", ["a"]),
        ("z", "pending", ["ok"]),
    ]
    assert steps[0]["output"] == {"ok": True}
    assert steps[1]["waiting_for"] == "input"
    assert "started_at" not in steps[2]
    assert [one["id"] for one in desk.get(f"/runs/{run['id']}/steps").json] == [one["id"] for one in steps]
    assert [[one["step_ref"] for one in page] for page in pages(desk, f"/runs/{run['id']}/steps", 2)] == [
        ["a", "ok"],
        ["z"],
    ]
    whole = desk.get(f"/runs/{run['id']}").json
    assert (whole["status"], whole["attempt"], "execution_trace" in whole) == ("waiting", 1, False)


def test_large_outputs_of_steps_are_linked_and_pages_stay_small(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends when its values come to the bound; none is lost."""
    monkeypatch.setattr("quintet.dialects.jobs.values.ANSWER_BYTES", 100_000)
    desk.endpoints.replies[URL] = [(200, "x" * 60_000)]
    desk.endpoints.replies[URL + "2"] = [(200, "x" * 70_000)]
    tasks = [{"step_ref": f"s{n}", "step_type": "endpoint", "endpoint": URL + "2" * (n == 3)} for n in range(5)]
    run = desk.trigger(desk.job(tasks=tasks)["id"])
    desk.drive()
    found = pages(desk, f"/runs/{run['id']}/steps", 50)
    assert [len(page) for page in found] == [2, 3]
    steps = [step for page in found for step in page]
    assert [step["step_ref"] for step in steps] == [f"s{n}" for n in range(5)]
    assert ["output" in step for step in steps] == [True, True, True, False, True]
    assert steps[3]["output_url"].startswith("memory:payloads/")
    whole = desk.get(f"/runs/{run['id']}").json
    assert set(whole["result"]) == {f"s{n}" for n in range(5)}


def test_log_lines_in_order(desk: Desk) -> None:
    """From the run side and from the engine; paged by line."""
    run = retried(desk)
    ids, now = desk.services.ids, desk.clock.now()
    desk.services.logs.write(run["id"], [LogEntry(ids.new(), now, None, "INFO", f"line {n}") for n in range(5)])
    lines = desk.get(f"/runs/{run['id']}/logs").json
    assert [line["message"] for line in lines][-5:] == [f"line {n}" for n in range(5)]
    assert lines[-1]["level"] == "info"
    assert [line for page in pages(desk, f"/runs/{run['id']}/logs", 2) for line in page] == lines


def test_children_are_what_was_spawned_and_called(desk: Desk) -> None:
    """Newest first; each names its parent."""
    child = desk.job("child", endpoint_url=URL + "2")
    tasks = [
        {"step_ref": "work", "step_type": "endpoint", "endpoint": URL},
        {"step_ref": "call", "step_type": "job", "job_id": child["id"]},
    ]
    desk.endpoints.replies[URL] = [(202, None)]
    run = desk.trigger(desk.job(tasks=tasks)["id"])
    desk.drive()
    spawned = desk.send(
        "POST",
        f"/sdk/v1/runs/{run['id']}/spawn",
        {"job_id": child["id"], "payload": 7, "priority": 2},
        key=run["run_token"],
    )
    assert spawned.status == 201, spawned.text
    children = desk.get(f"/runs/{run['id']}/children").json
    assert [(one["triggered_by"], one["parent_run_id"], one["job_id"]) for one in children] == [
        ("spawn", run["id"], child["id"]),
        ("workflow", run["id"], child["id"]),
    ]
    assert children[0]["id"] == spawned.json["id"]
    assert children[0]["priority"] == 2
    (called,) = [step for step in desk.get(f"/runs/{run['id']}/steps").json if step["step_ref"] == "call"]
    assert children[1]["workflow_step_run_id"] == called["id"]


def test_outputs_and_checkpoints(desk: Desk) -> None:
    """Outputs by name, the last one of each; checkpoints all, in order; large values by URL."""
    desk.endpoints.replies[URL] = [(202, None)]
    run = desk.trigger(desk.job()["id"])
    desk.drive()

    def say(what: str, body: Any) -> Any:
        answer = desk.send("POST", f"/sdk/v1/runs/{run['id']}/{what}", body, key=run["run_token"])
        assert answer.status in (201, 204), answer.text
        return answer

    for key, value in (("b", 1), ("a", {"x": None}), ("b", 2), ("c", "x" * 70_000)):
        say("output", {"output_key": key, "value": value})
    made = [say("checkpoint", {"source": "loop", "state": {"n": n}}).json["id"] for n in range(3)]
    outputs = desk.get(f"/runs/{run['id']}/outputs").json
    assert [(one["output_key"], one.get("value")) for one in outputs] == [("a", {"x": None}), ("b", 2), ("c", None)]
    assert outputs[2]["value_url"].startswith("memory:payloads/")
    checkpoints = desk.get(f"/runs/{run['id']}/checkpoints").json
    assert [(one["id"], one["source"], one["state"]["n"]) for one in checkpoints] == [
        (made[n], "loop", n) for n in range(3)
    ]
    for name, whole in (("outputs", outputs), ("checkpoints", checkpoints)):
        assert [one for page in pages(desk, f"/runs/{run['id']}/{name}", 1) for one in page] == whole


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("name", ["events", "attempts", "logs", "steps"])
def test_pages_put_together_are_the_whole(desk: Desk, name: str, limit: int) -> None:
    """Whatever their size."""
    run = retried(desk)
    found = [one for page in pages(desk, f"/runs/{run['id']}/{name}", limit) for one in page]
    assert found == desk.get(f"/runs/{run['id']}/{name}").json


@pytest.mark.parametrize("name", ["events", "attempts", "logs", "steps", "children"])
@pytest.mark.parametrize("cursor", ["-1", "x y", "١", "9" * 40, "é"])
def test_bad_cursors_are_refused(desk: Desk, name: str, cursor: str) -> None:
    """400 naming the parameter."""
    run = desk.trigger(desk.job()["id"])
    answer = desk.get(f"/runs/{run['id']}/{name}", query={"cursor": cursor})
    if (answer.status, name) != (200, "logs"):  # a line's id is any text of letters and digits
        assert (answer.status, answer.fields) == (400, {"cursor"}), answer.text


def test_a_run_that_has_not_begun_has_little_in_it(desk: Desk) -> None:
    """Its creation, its pending step, and nothing else."""
    run = desk.trigger(desk.job()["id"], scheduled_at="2026-01-01T01:00:00Z")
    found = {name: desk.get(f"/runs/{run['id']}/{name}").json for name in LISTS}
    assert [event["type"] for event in found.pop("events")] == ["run.created", "run.delayed"]
    assert [step["status"] for step in found.pop("steps")] == ["pending"]
    assert set(map(str, found.values())) == {"[]"}
