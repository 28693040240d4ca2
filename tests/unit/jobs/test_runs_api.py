"""Runs over HTTP: list, read, cancel, replay, hold, and many at once."""

from typing import Any
from uuid import uuid4

import pytest
from jobs_desk import URL, Desk

from quintet.domain.definition import Plan, StepDef
from quintet.domain.run import Trigger
from quintet.web.api import Routes


def listed(desk: Desk, **query: Any) -> list[str]:
    """The ids of the runs that a list answers."""
    answer = desk.get("/runs", query=query)
    assert answer.status == 200, answer.text
    return [run["id"] for run in answer.json]


def ended(desk: Desk, job: dict[str, Any], **body: Any) -> dict[str, Any]:
    """A run that was triggered and enacted as far as it goes."""
    run = desk.trigger(job["id"], **body)
    desk.drive()
    return run


def test_a_completed_run_has_its_payload_and_result(desk: Desk) -> None:
    """Null inside them stays; the list leaves both out, and agrees in everything else."""
    desk.endpoints.replies[URL] = [(200, {"sum": 3, "rest": None})]
    run = ended(desk, desk.job(), payload={"a": 1, "b": None})
    whole = desk.get(f"/runs/{run['id']}").json
    assert (whole["status"], whole["payload"], whole["result"]) == (
        "completed",
        {"a": 1, "b": None},
        {"sum": 3, "rest": None},
    )
    assert whole["execution_trace"]["queue_wait_ms"] == 0
    assert all(isinstance(value, int) for value in whole["execution_trace"].values())
    only_whole = {"payload", "result", "execution_trace"}
    assert desk.get("/runs").json == [{name: value for name, value in whole.items() if name not in only_whole}]


def test_a_run_of_another_api_reads_well(desk: Desk) -> None:
    """Its result is that of its last steps, its attempts the most of any step."""
    steps = (
        StepDef("a", "set", config={"values": {"x": 1}}),
        StepDef("b", "set", depends_on=("a",), config={"values": {"y": 2}}),
        StepDef("c", "set", depends_on=("a",), config={"values": {"z": 3}}),
    )
    job = desk.services.define.define("default", "automations", "Other", Plan(steps), {"dialect": "automations"})
    theirs = desk.services.trigger_run(job, input={"n": 1}, trigger=Trigger("webhook", "webhook", "msg"))
    desk.drive()
    run = desk.get(f"/runs/{theirs.id}").json
    assert (run["status"], run["triggered_by"], run["attempt"], run["payload"]) == ("completed", "webhook", 1, {"n": 1})
    assert run["result"] == {"b": {"y": 2}, "c": {"z": 3}}
    assert "execution_trace" not in run
    assert [one["step_ref"] for one in desk.get(f"/runs/{theirs.id}/attempts").json] == ["a", "b", "c"]
    assert listed(desk) == listed(desk, job_id=job.id) == [theirs.id]


@pytest.mark.parametrize(
    ("type_", "word"),
    [
        ("manual", "manual"),
        ("schedule", "cron"),
        ("event", "workflow"),
        ("webhook", "webhook"),
        ("job_completion", "job_completion"),
    ],
)
def test_what_started_a_run_has_this_apis_words(desk: Desk, type_: str, word: str) -> None:
    """In the run, and in the filter."""
    job = desk.services.jobs.get("default", desk.job()["id"])
    run = desk.services.trigger_run(job, trigger=Trigger(type_, "api"))
    assert desk.get(f"/runs/{run.id}").json["triggered_by"] == word
    assert listed(desk, triggered_by=word) == [run.id]


def test_a_list_tells_the_attempt_that_the_run_itself_tells(desk: Desk) -> None:
    """Once it has ended; also where the runs that died are listed."""
    desk.endpoints.replies[URL] = [(503, None)]
    run = ended(desk, desk.job(retry_strategy="fixed", max_attempts=3))
    desk.pass_time(5)
    assert desk.get(f"/runs/{run['id']}").json["attempt"] == 3
    assert [one["attempt"] for path in ("/runs", "/runs/dlq") for one in desk.get(path).json] == [3, 3]


def test_an_answer_about_one_run_is_the_whole_run(desk: Desk) -> None:
    """As it is read afterwards: pause, resume, another time, cancel, replay."""
    desk.endpoints.replies[URL] = [(200, {"sum": 3})]
    job = desk.job()
    paused = desk.trigger(job["id"], payload={"n": 1})
    run = desk.trigger(job["id"], payload={"n": 1}, scheduled_at="2026-01-02T00:00:00Z")
    later = {"scheduled_at": "2026-01-03T00:00:00Z"}
    for one, what, body in ((paused, "pause", None), (paused, "resume", None), (run, "reschedule", later)):
        path = f"/runs/{one['id']}"
        answer = desk.post(f"{path}/{what}", body).json
        assert answer["payload"] == {"n": 1}
        assert answer == desk.get(path).json
    answer = desk.delete(path).json
    assert (answer["status"], answer["payload"]) == ("canceled", {"n": 1})
    assert answer == desk.get(path).json
    again = desk.post(f"{path}/replay").json
    assert {"run_token", "payload_hash", "idempotency_hit"} <= again.keys()
    assert again["payload"] == {"n": 1}
    assert desk.get(f"/runs/{again['id']}").json.items() <= again.items()


def test_a_job_without_steps_has_errors_that_speak_of_none(desk: Desk) -> None:
    """In the run, its attempts and its list; what a program says stays as it said it."""
    desk.endpoints.replies[URL] = [(202, None)]
    late = ended(desk, desk.job(timeout_secs=10, max_attempts=1))
    desk.pass_time(11)
    said = "Timeout: the attempt's time is over"
    assert desk.get(f"/runs/{late['id']}").json["error"] == said
    assert [one["error"] for one in desk.get(f"/runs/{late['id']}/attempts").json] == [said]
    assert [one["error"] for one in desk.get("/runs/dlq").json] == [said]
    own = ended(desk, desk.job("b", max_attempts=1))
    error = {"class": "Timeout", "message": "the step's time is over"}
    desk.send("POST", f"/sdk/v1/runs/{own['id']}/fail", {"error": error}, key=own["run_token"])
    desk.drive()
    assert desk.get(f"/runs/{own['id']}").json["error"] == "Timeout: the step's time is over"


def test_a_large_result_is_linked(desk: Desk) -> None:
    """Above what an answer carries together with its payload."""
    desk.endpoints.replies[URL] = [(200, "x" * (1024 * 1024 + 1))]
    desk.endpoints.replies[URL + "2"] = [(200, "x" * 1000)]
    large, small = ended(desk, desk.job()), ended(desk, desk.job("b", endpoint_url=URL + "2"))
    assert desk.get(f"/runs/{small['id']}").json["result"] == "x" * 1000
    shown = desk.get(f"/runs/{large['id']}").json
    assert "result" not in shown
    assert shown["result_url"].startswith("memory:payloads/")


def test_a_run_that_failed_says_why_and_is_in_the_dlq(desk: Desk) -> None:
    """Class and message; the dead are listed by project or job, the others aren't."""
    good, bad, other = desk.job(), desk.job("b", endpoint_url=URL + "2"), desk.job("c", endpoint_url=URL + "2")
    desk.endpoints.replies[URL + "2"] = [(404, {"no": 1})]
    ended(desk, good)
    first, second = ended(desk, bad), ended(desk, other)
    assert desk.get(f"/runs/{first['id']}").json["error"].startswith("HttpStatus: ")
    assert [run["id"] for run in desk.get("/runs/dlq").json] == [second["id"], first["id"]]
    assert [run["id"] for run in desk.get("/runs/dlq", query={"job_id": bad["id"]}).json] == [first["id"]]
    assert desk.get("/runs/dlq", query={"job_id": good["id"]}).json == []


def test_lists_find_runs_by_what_they_were_triggered_with(desk: Desk) -> None:
    """Each filter alone and together; an unknown value finds nothing."""
    one, two = desk.job(), desk.job("b")
    plain = desk.trigger(one["id"])["id"]
    tagged = desk.trigger(one["id"], tags={"env": "prod", "team": "x"}, metadata={"m": "1"})["id"]
    other = desk.trigger(two["id"], tags={"env": "dev"}, metadata={"m": "1"})["id"]
    later = desk.trigger(two["id"], tags={"env": "prod"}, scheduled_at="2026-01-01T01:00:00Z")["id"]
    assert listed(desk) == [later, other, tagged, plain]
    assert listed(desk, project_id="default") == [later, other, tagged, plain]
    assert listed(desk, job_id=one["id"]) == [tagged, plain]
    assert listed(desk, status="delayed") == [later]
    assert listed(desk, status="delayed", job_id=one["id"]) == []
    assert listed(desk, triggered_by="manual", job_id=two["id"]) == [later, other]
    assert listed(desk, triggered_by="cron") == []
    assert listed(desk, tag_key="env") == [later, other, tagged]
    assert listed(desk, tag_key="env", tag_value="prod") == [later, tagged]
    assert listed(desk, tag_key="env", tag_value="prod", job_id=one["id"]) == [tagged]
    assert listed(desk, metadata_key="m", metadata_value="1") == [other, tagged]
    assert listed(desk, metadata_key="m", metadata_value="1", tag_key="team") == [tagged]
    assert listed(desk, metadata_key="m", metadata_value="1", tag_key="env", tag_value="dev") == [other]
    assert listed(desk, batch_id="none") == []
    assert listed(desk, tag_key="nobody") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tag_value": "x"}, "tag_key"),
        ({"metadata_value": "x"}, "metadata_key"),
        ({"status": "running"}, "status"),
        ({"triggered_by": "schedule"}, "triggered_by"),
        ({"limit": 101}, "limit"),
        ({"limit": 0}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
    ],
)
def test_bad_filters_are_named(desk: Desk, query: dict[str, Any], field: str) -> None:
    """400 validation_failed."""
    answer = desk.get("/runs", query=query)
    assert (answer.status, answer.fields) == (400, {field})


def test_lists_go_on_by_cursor(desk: Desk) -> None:
    """Every run once, over pages of any size, with the headers of all lists; the envelope has the same."""
    job = desk.job()
    runs = [desk.trigger(job["id"], tags={"odd": str(n % 2)})["id"] for n in range(7)][::-1]
    for query in (
        {},
        {"job_id": job["id"]},
        {"tag_key": "odd", "tag_value": "1"},
        {"tag_key": "odd"},
        {"status": "executing"},
    ):
        found: list[str] = []
        cursor: str | None = None
        while True:
            answer = desk.get("/runs", query={**query, "limit": 2, **({"cursor": cursor} if cursor else {})})
            assert len(answer.json) <= 2
            found += [run["id"] for run in answer.json]
            if "x-next-cursor" not in answer.headers:
                break
            cursor = answer.headers["x-next-cursor"]
            assert 'rel="next"' in answer.headers["link"]
        assert found == (runs[1::2] if "tag_value" in query else runs)
    page = desk.get("/runs", query={"envelope": "true", "limit": 7}).json
    assert [run["id"] for run in page["data"]] == runs


def test_a_filter_that_no_index_knows_looks_on(desk: Desk) -> None:
    """Runs that carry a tag are found behind a page of others that don't."""
    job = desk.job()
    wanted = desk.trigger(job["id"], tags={"rare": "1"})["id"]
    for _ in range(5):
        desk.trigger(job["id"])
    assert listed(desk, tag_key="rare", limit=1) == [wanted]


def test_cancel_is_final(desk: Desk) -> None:
    """200 with the canceled run, which stays readable; again 409; its endpoint's next call is refused."""
    job = desk.job()
    desk.endpoints.replies[URL] = [(202, None)]
    run = ended(desk, job)
    answer = desk.delete(f"/runs/{run['id']}")
    assert (answer.status, answer.json["status"]) == (200, "canceled")
    assert desk.delete(f"/runs/{run['id']}").status == 409
    assert desk.get(f"/runs/{run['id']}").json["status"] == "canceled"
    assert desk.send("POST", f"/sdk/v1/runs/{run['id']}/heartbeat", key=run["run_token"]).status == 409


def test_replay_is_a_new_run_of_the_same(desk: Desk) -> None:
    """Payload, tags, metadata and overrides are taken along; it says what it continues; 409 while the first is under way."""
    job = desk.job()
    body = {
        "payload": {"n": 1},
        "tags": {"a": "b"},
        "metadata": {"c": "d"},
        "timeout_secs_override": 7,
        "idempotency_key": "k",
    }
    run = desk.trigger(job["id"], **body)
    assert desk.post(f"/runs/{run['id']}/replay").status == 409
    desk.drive()
    answer = desk.post(f"/runs/{run['id']}/replay")
    assert answer.status == 201
    again = answer.json
    assert (again["continuation_of"], again["lineage_depth"], again["triggered_by"]) == (run["id"], 1, "retry")
    assert (again["tags"], again["metadata"], again["timeout_secs_override"]) == ({"a": "b"}, {"c": "d"}, 7)
    assert "idempotency_key" not in again
    assert again["run_token"] == answer.headers["x-run-token"] != run["run_token"]
    desk.drive()
    assert desk.get(f"/runs/{again['id']}").json["payload"] == {"n": 1}
    third = desk.post(f"/runs/{again['id']}/replay").json
    assert (third["continuation_of"], third["lineage_depth"]) == (again["id"], 2)
    assert listed(desk, triggered_by="retry") == [third["id"], again["id"]]


def test_a_delayed_run_gets_another_time(desk: Desk) -> None:
    """Later or sooner; 400 for no time or one too far ahead, 409 for a run that isn't delayed."""
    job = desk.job()
    run = desk.trigger(job["id"], scheduled_at="2026-01-01T01:00:00Z")
    where = f"/runs/{run['id']}/reschedule"
    moved = desk.post(where, {"scheduled_at": "2026-01-01T02:00:00Z"})
    assert (moved.status, moved.json["scheduled_at"], moved.json["status"]) == (
        200,
        "2026-01-01T02:00:00.000Z",
        "delayed",
    )
    for bad in ({}, {"scheduled_at": "soon"}, {"scheduled_at": "2028-01-01T00:00:00Z"}, None):
        assert desk.post(where, bad).status == 400
    desk.pass_time(3700)
    assert desk.get(f"/runs/{run['id']}").json["status"] == "delayed"
    desk.post(where, {"scheduled_at": "2026-01-01T01:30:00Z"})
    desk.pass_time(1800)
    assert desk.get(f"/runs/{run['id']}").json["status"] == "completed"
    assert desk.post(where, {"scheduled_at": "2026-01-02T00:00:00Z"}).status == 409


def test_a_paused_run_waits_to_be_resumed(desk: Desk) -> None:
    """409 for what can't be paused, or isn't."""
    job = desk.job(max_attempts=2)
    desk.endpoints.replies[URL] = [(503, None), (200, 1)]
    run = ended(desk, job, retry_initial_delay_secs=100)
    assert desk.post(f"/runs/{run['id']}/resume").status == 409
    assert desk.post(f"/runs/{run['id']}/pause").json["status"] == "paused"
    assert desk.post(f"/runs/{run['id']}/pause").status == 409
    desk.pass_time(200)
    assert len(desk.endpoints.calls) == 1
    assert desk.post(f"/runs/{run['id']}/resume").json["status"] == "executing"
    desk.drive()
    assert desk.get(f"/runs/{run['id']}").json["status"] == "completed"
    assert desk.post(f"/runs/{run['id']}/pause").status == 409


def test_many_are_canceled_each_with_its_answer(desk: Desk) -> None:
    """In their order: done, ended before, not there, no id at all, twice the same."""
    job = desk.job()
    done = ended(desk, job)["id"]
    live = desk.trigger(job["id"])["id"]
    unknown = str(uuid4())
    answer = desk.post("/runs/bulk-cancel", {"run_ids": [live, done, unknown, "x", live]})
    assert answer.status == 200
    found = [(one["run_id"], one.get("status"), one.get("error", {}).get("code")) for one in answer.json["results"]]
    assert found == [
        (live, "canceled", None),
        (done, None, "conflict"),
        (unknown, None, "not_found"),
        ("x", None, "not_found"),
        (live, None, "conflict"),
    ]
    assert (answer.json["total"], answer.json["canceled"]) == (5, 1)


def test_what_no_time_is_left_for_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's time ends before the list does: the rest may be asked for again."""
    job = desk.job()
    runs = [desk.trigger(job["id"])["id"] for _ in range(4)]
    left = iter([20.0, 10.0, 4.9, 4.8])
    monkeypatch.setattr(Routes, "remaining_seconds", property(lambda _: next(left)))
    answer = desk.post("/runs/bulk-cancel", {"run_ids": runs}).json
    assert [one.get("status") or one["error"]["code"] for one in answer["results"]] == [
        *["service_unavailable"] * 2,
        *["canceled"] * 2,
    ]
    assert answer["canceled"] == 2


def test_many_that_wait_for_one_place_are_canceled_before_it_is_given_up(desk: Desk) -> None:
    """None of them starts on the way."""
    job = desk.job(max_concurrency=1)
    runs = [desk.trigger(job["id"])["id"] for _ in range(5)]
    assert desk.post("/runs/bulk-cancel", {"run_ids": runs}).json["canceled"] == 5
    assert ["started_at" in desk.get(f"/runs/{run}").json for run in runs] == [True, False, False, False, False]


def test_many_are_replayed_each_with_its_answer(desk: Desk) -> None:
    """The new run's id beside the old one's."""
    job = desk.job()
    done = ended(desk, job)["id"]
    live = desk.trigger(job["id"])["id"]
    answer = desk.post("/runs/bulk-replay", {"run_ids": [done, live]}).json
    assert (answer["total"], answer["replayed"]) == (2, 1)
    first, second = answer["results"]
    assert desk.get(f"/runs/{first['id']}").json["continuation_of"] == first["run_id"] == done
    assert (second["run_id"], second["error"]["code"]) == (live, "conflict")


@pytest.mark.parametrize("path", ["bulk-cancel", "bulk-replay"])
@pytest.mark.parametrize(
    "body", [None, {}, {"run_ids": []}, {"run_ids": ["x"] * 101}, {"run_ids": [1]}, {"ids": ["x"]}]
)
def test_bad_bulk_bodies_are_refused(desk: Desk, path: str, body: Any) -> None:
    """400."""
    assert desk.post(f"/runs/{path}", body).status == 400


PATHS = [
    ("GET", "/runs", "runs:read"),
    ("GET", "/runs/dlq", "runs:read"),
    ("GET", "/runs/{id}", "runs:read"),
    ("DELETE", "/runs/{id}", "runs:write"),
    *(("POST", f"/runs/{{id}}/{name}", "runs:write") for name in ("replay", "reschedule", "pause", "resume")),
    ("POST", "/runs/bulk-cancel", "runs:write"),
    ("POST", "/runs/bulk-replay", "runs:write"),
    *(
        ("GET", f"/runs/{{id}}/{name}", "runs:read")
        for name in ("events", "logs", "attempts", "children", "outputs", "checkpoints", "steps", "stream")
    ),
]


@pytest.mark.parametrize(("method", "path", "scope"), PATHS)
def test_every_route_refuses_what_it_must(desk: Desk, method: str, path: str, scope: str) -> None:
    """401 without a key, 403 naming the scope, 404 for another project's run, one that is not there, and what is no id."""
    run = desk.trigger(desk.job()["id"])
    body = {"scheduled_at": "2026-01-02T00:00:00Z"} if "reschedule" in path else None
    here = "/v1" + path.format(id=run["id"])
    assert desk.send(method, here, body, key=None).status == 401
    desk.add_key("other scope", *({"runs:read", "runs:write", "jobs:trigger", "jobs:read", "jobs:write"} - {scope}))
    refused = desk.send(method, here, body, key="other scope")
    assert (refused.status, scope in refused.error["message"]) == (403, True)
    desk.add_key("stranger", "admin", project="other")
    if "{id}" in path:
        assert desk.send(method, here, body, key="stranger").status == 404
        for unknown in (str(uuid4()), "x", "x" * 64):
            assert desk.send(method, "/v1" + path.format(id=unknown), body).status == 404
    elif method == "GET":
        assert desk.send(method, here, key="stranger").json == []
        assert desk.send(method, here + "?project_id=other").status == 404
    assert desk.get(f"/runs/{run['id']}").json["status"] == "executing"


def test_no_read_shows_a_run_token(desk: Desk) -> None:
    """Neither the run, nor anything in it, nor its stream."""
    desk.endpoints.replies[URL] = [(500, None), (200, {"ok": 1})]
    run = ended(desk, desk.job(), debug_mode=True)
    desk.pass_time(60)
    for method, path, _ in PATHS:
        if method == "GET":
            text = desk.get(path.format(id=run["id"]), headers={"x-quintet-stream": "1"}).text
            assert "run_token" not in text
            assert run["run_token"].split(".")[2] not in text
