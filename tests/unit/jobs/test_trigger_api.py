"""Triggers of jobs over HTTP, in the order in which they are checked."""

import json
from typing import Any

import pytest
from jobs_desk import URL, Desk

PLAIN = {"id", "job_id", "project_id", "status", "attempt", "triggered_by", "priority", "job_version", "debug_mode"}
ALWAYS = PLAIN | {"lineage_depth", "created_at"}
"""What every JobRun has."""


def trigger(desk: Desk, job: dict[str, Any], body: Any = None, **more: Any) -> Any:
    """One trigger's answer, whatever it is."""
    return desk.post(f"/jobs/{job['id']}/trigger", body, **more)


def test_a_trigger_answers_the_run_and_its_token(desk: Desk) -> None:
    """What was asked for is shown, nothing that is unset, and the token serves the run side."""
    job = desk.job()
    asked = {
        "payload": {"n": 1, "nothing": None},
        "tags": {"env": "prod"},
        "metadata": {"ticket": "7"},
        "priority": 3,
        "ttl_secs": 60,
        "concurrency_key": "k",
        "idempotency_key": "once",
        "max_attempts_override": 5,
        "timeout_secs_override": 20,
        "retry_backoff": "linear",
        "retry_initial_delay_secs": 2,
        "retry_max_delay_secs": 9,
        "debug_mode": True,
    }
    answer = trigger(desk, job, asked)
    assert answer.status == 201
    run = answer.json
    shown = {name: run[name] for name in asked if name != "ttl_secs"}
    assert shown == {name: value for name, value in asked.items() if name != "ttl_secs"}
    assert run["expires_at"] == "2026-01-01T00:01:00.000Z"
    assert (run["status"], run["attempt"], run["triggered_by"], run["job_version"]) == ("executing", 1, "manual", 1)
    assert run["created_by"] == "secret-of-admin"
    assert run["job_version_id"] == job["version_id"]
    assert not {"result", "error", "finished_at", "batch_id", "scheduled_at"} & set(run)
    assert (run["idempotency_hit"], answer.headers["x-run-token"]) == (False, run["run_token"])
    assert desk.send("GET", f"/sdk/v1/runs/{run['id']}/payload", key=run["run_token"]).json == {
        "payload": asked["payload"]
    }
    kept = desk.get(f"/runs/{run['id']}").json
    assert kept == {
        name: value for name, value in run.items() if name not in ("payload_hash", "run_token", "idempotency_hit")
    } | {"heartbeat_at": kept["heartbeat_at"]}


def test_a_trigger_needs_no_body(desk: Desk) -> None:
    """Nothing, and an empty object, are a run without a payload; every field that is always there is."""
    job = desk.job()
    for body in (None, {}):
        run = trigger(desk, job, body).json
        assert set(run) >= ALWAYS
        assert "payload" not in run
        assert (run["priority"], run["debug_mode"], run["lineage_depth"]) == (0, False, 0)
    desk.drive()
    assert [json.loads(call.body or b"null") for call in desk.endpoints.calls] == [None, None]


def test_overrides_are_what_the_run_does(desk: Desk) -> None:
    """Attempts and rests of the trigger, not of the job."""
    job = desk.job(max_attempts=1)
    desk.endpoints.replies[URL] = [(500, None)]
    body = {"max_attempts_override": 3, "retry_backoff": "fixed", "retry_initial_delay_secs": 30}
    run = trigger(desk, job, body).json
    desk.drive()
    assert len(desk.endpoints.calls) == 1
    waiting = desk.get(f"/runs/{run['id']}").json
    assert waiting["next_retry_at"] == "2026-01-01T00:00:30.000Z"
    desk.pass_time(30)
    desk.pass_time(30)
    ended = desk.get(f"/runs/{run['id']}").json
    assert (ended["status"], ended["attempt"], len(desk.endpoints.calls)) == ("failed", 3, 3)
    assert ended["error"] == "HttpStatus: POST https://example.com/work answered 500"
    assert "next_retry_at" not in ended


def test_debug_mode_logs_what_is_sent_and_answered(desk: Desk) -> None:
    """And only then; the run's token is not in it."""
    job = desk.job()
    quiet, loud = trigger(desk, job, {"payload": 1}).json, trigger(desk, job, {"payload": 2, "debug_mode": True}).json
    desk.drive()
    desk.clock.advance(5)
    lines = {run["id"]: desk.get(f"/runs/{run['id']}/logs").json for run in (quiet, loud)}
    assert not [line for line in lines[quiet["id"]] if line["level"] == "debug"]
    said = "\n".join(line["message"] for line in lines[loud["id"]] if line["level"] == "debug")
    assert "X-Run-ID" in said
    assert loud["run_token"] not in said


# --- the order of checks -----------------------------------------------------------------------------------------------------------


def test_first_the_job_then_the_fields_then_the_payload(desk: Desk) -> None:
    """A job that is not there is 404 and a disabled one 400 whatever the body; bad fields are 400 whatever the payload, which is 422."""
    bad = {"priority": 11, "payload": "no"}
    assert desk.post("/jobs/none/trigger", bad).status == 404
    assert desk.post("/jobs/none/trigger", raw="{").status == 404
    job = desk.job(payload_schema={"type": "object"})
    desk.patch(f"/jobs/{job['id']}", {"enabled": False})
    off = trigger(desk, job, bad)
    assert (off.status, off.error["code"]) == (400, "bad_request")
    desk.patch(f"/jobs/{job['id']}", {"enabled": True})
    wrong = trigger(desk, job, bad)
    assert (wrong.status, wrong.error["code"], wrong.fields) == (400, "validation_failed", {"priority"})
    unfit = trigger(desk, job, {"payload": "no"})
    assert (unfit.status, unfit.error["code"], unfit.fields) == (422, "validation_failed", {"payload"})
    assert trigger(desk, job, {"payload": "no", "dry_run": True}).status == 422
    assert desk.get("/runs").json == []


def test_a_job_is_found_by_its_slug_too(desk: Desk) -> None:
    """Beside the project's id or without; another project is none."""
    job = desk.job(slug="nightly")
    for query in ("?project_id=default", ""):
        assert desk.post(f"/jobs/nightly/trigger{query}").json["job_id"] == job["id"]
    assert desk.post("/jobs/nightly/trigger?project_id=other").status == 404


BAD: list[tuple[Any, str]] = [
    ({"priority": -1}, "priority"),
    ({"priority": "3"}, "priority"),
    ({"priority": 1.5}, "priority"),
    ({"prioritty": 1}, "prioritty"),
    ({"tags": {"a": 1}}, "tags.a"),
    ({"tags": {str(n): "" for n in range(21)}}, "tags"),
    ({"tags": {"k": "v" * 257}}, "tags.k"),
    ({"metadata": {"k": None}}, "metadata.k"),
    ({"metadata": ["k"]}, "metadata"),
    ({"scheduled_at": "tomorrow"}, "scheduled_at"),
    ({"scheduled_at": 1767225600}, "scheduled_at"),
    ({"scheduled_at": "1767225600"}, "scheduled_at"),
    ({"scheduled_at": "2026-01-02T00:00:00"}, "scheduled_at"),
    ({"scheduled_at": "2027-02-01T00:00:00Z"}, "scheduled_at"),
    ({"scheduled_at": "9999-12-31T23:59:59Z"}, "scheduled_at"),
    ({"ttl_secs": 0}, "ttl_secs"),
    ({"concurrency_key": ""}, "concurrency_key"),
    ({"idempotency_key": "k" * 257}, "idempotency_key"),
    ({"max_attempts_override": 0}, "max_attempts_override"),
    ({"timeout_secs_override": 86_401}, "timeout_secs_override"),
    ({"retry_backoff": "custom"}, "retry_backoff"),
    ({"debug_mode": "yes"}, "debug_mode"),
    ({"dry_run": 1}, "dry_run"),
    ({"payload_ref": "../../x"}, "payload_ref"),
    ({"payload_ref": "0" * 36}, "payload_ref"),
    ([], "body"),
]


@pytest.mark.parametrize(("body", "field"), BAD, ids=lambda value: json.dumps(value)[:40])
def test_bad_fields_are_named(desk: Desk, body: Any, field: str) -> None:
    """400 validation_failed, and no run."""
    answer = trigger(desk, desk.job(), body)
    assert (answer.status, answer.error["code"]) == (400, "validation_failed"), answer.text
    assert any(name.startswith(field) for name in answer.fields), answer.fields
    assert desk.get("/runs").json == []


def test_a_body_above_one_mebibyte_is_too_large(desk: Desk) -> None:
    """413, which says the bound."""
    answer = trigger(desk, desk.job(), {"payload": "x" * 1024 * 1024})
    assert (answer.status, answer.error["code"]) == (413, "payload_too_large")
    assert "1048576" in answer.error["message"]


def test_a_dry_run_says_what_would_be_and_starts_nothing(desk: Desk) -> None:
    """200 with the job, the payload and its hash, times and warnings; not even a rate is used up."""
    job = desk.job(rate_limit_max=1, rate_limit_window_secs=60, run_ttl_secs=30)
    body = {
        "payload": {"b": 1, "a": 2},
        "scheduled_at": "2026-01-01T01:00:00+01:00",
        "dry_run": True,
        "idempotency_key": "k",
    }
    first, second = trigger(desk, job, body), trigger(desk, job, body)
    assert first.status == second.status == 200
    assert first.json["job"] == desk.get(f"/jobs/{job['id']}").json
    assert first.json["payload"] == body["payload"]
    assert first.json["expires_at"] == "2026-01-01T00:00:30.000Z"
    assert first.json["scheduled_at"] == "2026-01-01T00:00:00.000Z"
    assert isinstance(first.json["validation_warnings"], list)
    assert "run_token" not in first.json
    assert desk.get("/runs").json == []
    real = trigger(desk, job, {"payload": {"a": 2, "b": 1}})
    assert (real.status, real.json["payload_hash"]) == (201, first.json["payload_hash"])
    would = trigger(desk, job, {"dry_run": True}).json["validation_warnings"]
    assert any("rate limit" in warning for warning in would)


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Idempotency-Key", None])
def test_a_key_stands_for_its_run(desk: Desk, name: str | None) -> None:
    """By either header or the body: the same run, 201, a hit, for ever; another payload is 409, another job's key its own."""
    job, other = desk.job(), desk.job("b")

    def again(to: dict[str, Any], payload: Any) -> Any:
        key = {"idempotency_key": "k"} if name is None else {}
        return trigger(desk, to, {"payload": payload, **key}, headers={} if name is None else {name: "k"})

    first = again(job, {"n": 1}).json
    desk.drive()
    desk.clock.advance(86_400 * 400)
    second = again(job, {"n": 1})
    assert (second.status, second.json["id"], second.json["idempotency_hit"]) == (201, first["id"], True)
    assert second.json["status"] == "completed"
    assert second.json["run_token"]
    assert again(job, {"n": 2}).status == 409
    assert again(other, {"n": 2}).json["id"] != first["id"]
    assert len(desk.get("/runs").json) == 2


def test_keys_that_differ_are_refused(desk: Desk) -> None:
    """Two headers, or header and body; the same in all places is one."""
    job = desk.job()
    both = {"Idempotency-Key": "a", "X-Idempotency-Key": "b"}
    assert trigger(desk, job, {}, headers=both).fields == {"X-Idempotency-Key"}
    assert trigger(desk, job, {"idempotency_key": "b"}, headers={"Idempotency-Key": "a"}).fields == {"idempotency_key"}
    assert trigger(desk, job, {}, headers={"Idempotency-Key": "k" * 257}).fields == {"idempotency-key"}
    same = {"Idempotency-Key": "a", "X-Idempotency-Key": "a"}
    assert trigger(desk, job, {"idempotency_key": "a"}, headers=same).json["idempotency_key"] == "a"


def test_a_rate_limit_tells_what_is_left(desk: Desk) -> None:
    """X-RateLimit-* on every answer; above it 429 with Retry-After, and a known key is still a hit."""
    job = desk.job(rate_limit_max=2, rate_limit_window_secs=60)
    first = trigger(desk, job, {"idempotency_key": "k"})
    assert [first.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")] == ["2", "1"]
    assert trigger(desk, job).headers["x-ratelimit-remaining"] == "0"
    refused = trigger(desk, job)
    assert (refused.status, refused.error["code"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert trigger(desk, job, {"idempotency_key": "k"}).json["id"] == first.json["id"]
    desk.clock.advance(61)
    assert trigger(desk, job).status == 201
    assert "x-ratelimit-limit" not in trigger(desk, desk.job("b")).headers


def test_the_same_payload_within_the_window_is_the_same_run(desk: Desk) -> None:
    """Dedup answers the run that is there, as a hit."""
    job = desk.job(dedup_window_secs=60)
    first = trigger(desk, job, {"payload": {"a": 1, "b": 2}}).json
    second = trigger(desk, job, {"payload": {"b": 2, "a": 1}})
    assert (second.status, second.json["id"], second.json["idempotency_hit"]) == (201, first["id"], True)
    assert trigger(desk, job, {"payload": {}}).json["id"] != first["id"]
    desk.clock.advance(61)
    assert trigger(desk, job, {"payload": {"a": 1, "b": 2}}).json["id"] != first["id"]


def test_debounced_triggers_answer_when_the_run_fires(desk: Desk) -> None:
    """202; the last payload is the run's."""
    job = desk.job(debounce_window_secs=10)
    first = trigger(desk, job, {"payload": 1})
    assert (first.status, first.json["debounced"], first.json["fire_at"]) == (202, True, "2026-01-01T00:00:10.000Z")
    assert "run_token" not in first.json
    desk.clock.advance(4)
    second = trigger(desk, job, {"payload": 2}).json
    assert (second["id"], second["fire_at"]) == (first.json["id"], "2026-01-01T00:00:14.000Z")
    desk.pass_time(11)
    run = desk.get(f"/runs/{first.json['id']}").json
    assert (run["status"], run["triggered_by"], run["payload"]) == ("completed", "debounce", 2)


def test_batched_triggers_become_one_run(desk: Desk) -> None:
    """202; the run gets all payloads."""
    job = desk.job(batch_window_secs=10)
    answers = [trigger(desk, job, {"payload": n}) for n in range(3)]
    assert {(one.status, one.json["batched"], one.json["id"]) for one in answers} == {
        (202, True, answers[0].json["id"])
    }
    desk.pass_time(11)
    run = desk.get(f"/runs/{answers[0].json['id']}").json
    assert (run["status"], run["triggered_by"], run["payload"]) == ("completed", "batch", {"items": [0, 1, 2]})


def test_a_later_start_is_a_delayed_run(desk: Desk) -> None:
    """A time in the past is now."""
    job = desk.job()
    later = trigger(desk, job, {"scheduled_at": "2026-01-01T02:00:00+01:00"}).json
    assert (later["status"], later["scheduled_at"], later["attempt"]) == ("delayed", "2026-01-01T01:00:00.000Z", 0)
    assert trigger(desk, job, {"scheduled_at": "2020-01-01T00:00:00Z"}).json["status"] == "executing"
    desk.pass_time(3601)
    assert desk.get(f"/runs/{later['id']}").json["status"] == "completed"


# --- payloads too large for a request ----------------------------------------------------------------------------------------------


def upload(desk: Desk, job: dict[str, Any], body: bytes) -> str:
    """Asks for a place and puts the body there, as its link would."""
    answer = desk.post(f"/jobs/{job['id']}/payload-uploads")
    assert answer.status == 201
    assert answer.json["expires_at"] == "2026-01-01T00:15:00.000Z"
    name = answer.json["upload_url"].removeprefix("memory:").partition("?")[0]
    desk.services.blobs.put(name, body)
    ref: str = answer.json["payload_ref"]
    return ref


def test_a_large_payload_comes_by_reference(desk: Desk) -> None:
    """The endpoint gets it; the run links to it in place of showing it."""
    job = desk.job()
    large = {"rows": ["x" * 1000] * 1500}
    ref = upload(desk, job, json.dumps(large).encode())
    answer = trigger(desk, job, {"payload_ref": ref})
    assert answer.status == 201
    told = desk.send("GET", f"/sdk/v1/runs/{answer.json['id']}/payload", key=answer.json["run_token"]).json
    assert list(told) == ["payload_url"]
    desk.drive()
    assert json.loads(desk.endpoints.calls[0].body or b"") == large
    run = desk.get(f"/runs/{answer.json['id']}").json
    assert "payload" not in run
    assert run["payload_url"].startswith("memory:payloads/")


def test_an_upload_is_its_jobs_alone_and_must_be_json(desk: Desk) -> None:
    """Another job's reference, no JSON, nothing there, and a payload beside it are 400."""
    job, other = desk.job(), desk.job("b")
    good, bad = upload(desk, job, b"[1]"), upload(desk, job, b"[1")
    for to, body in (
        (other, {"payload_ref": good}),
        (job, {"payload_ref": bad}),
        (job, {"payload_ref": good, "payload": 1}),
    ):
        answer = trigger(desk, to, body)
        assert (answer.status, answer.fields) == (400, {"payload_ref"})
    assert trigger(desk, job, {"payload_ref": good}).status == 201


def test_an_upload_above_the_bound_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """413 at the trigger."""
    monkeypatch.setattr("quintet.dialects.jobs.routes.trigger.UPLOAD_BYTES", 100)
    job = desk.job()
    assert trigger(desk, job, {"payload_ref": upload(desk, job, b'"' + b"x" * 98 + b'"')}).status == 201
    assert trigger(desk, job, {"payload_ref": upload(desk, job, b'"' + b"x" * 99 + b'"')}).status == 413


# --- many --------------------------------------------------------------------------------------------------------------------------


def bulk(desk: Desk, job: dict[str, Any], items: Any, **more: Any) -> Any:
    """A bulk trigger's answer."""
    return desk.post(f"/jobs/{job['id']}/trigger/bulk", {"items": items}, **more)


def test_many_runs_of_one_request(desk: Desk) -> None:
    """201; each item's answer in its place, faults of one beside it, and all that were made found by the batch."""
    job = desk.job(payload_schema={"type": "integer"})
    items = [
        {"payload": 1, "tags": {"n": "1"}},
        {"payload": "x"},
        {"payload": 3, "scheduled_at": "2039-01-01T00:00:00Z"},
        {"payload": 4, "idempotency_key": "k"},
        {"payload": 4, "idempotency_key": "k"},
        {"payload": 5, "idempotency_key": "k"},
        {"payload": 6, "priority": 9, "scheduled_at": "2026-01-01T00:00:10Z"},
    ]
    answer = bulk(desk, job, items)
    assert answer.status == 201
    results = answer.json["results"]
    assert (answer.json["total"], answer.json["created"], len(results)) == (7, 3, 7)
    codes = [one["error"]["code"] if "error" in one else None for one in results]
    assert codes == [None, "validation_failed", "validation_failed", None, None, "conflict", None]
    assert results[3]["id"] == results[4]["id"]
    assert [results[n]["idempotency_hit"] for n in (0, 3, 4, 6)] == [False, False, True, False]
    assert all(one["run_token"] for one in results if "error" not in one)
    assert results[6]["status"] == "delayed"
    listed = desk.get("/runs", query={"batch_id": answer.json["batch_id"]}).json
    assert {run["id"] for run in listed} == {results[n]["id"] for n in (0, 3, 6)}
    assert {run["batch_id"] for run in listed} == {answer.json["batch_id"]}
    assert desk.get("/runs", query={"tag_key": "n", "tag_value": "1"}).json[0]["id"] == results[0]["id"]


def test_a_bulk_request_with_a_key_may_be_repeated(desk: Desk) -> None:
    """The same header makes the same runs and batch; an item's own key stays its own."""
    job = desk.job()
    items = [{"payload": 1}, {"payload": 1}, {"payload": 2, "idempotency_key": "own"}]
    first = bulk(desk, job, items, headers={"Idempotency-Key": "k"}).json
    second = bulk(desk, job, items, headers={"X-Idempotency-Key": "k"}).json
    assert first["created"] == 3
    assert second["created"] == 0
    assert second["batch_id"] == first["batch_id"]
    assert [one["id"] for one in second["results"]] == [one["id"] for one in first["results"]]


@pytest.mark.parametrize(
    "body", [{"items": []}, {"items": [{}] * 501}, {"items": {}}, {}, {"items": [{}], "dry_run": 1}, []]
)
def test_bad_bulk_bodies_are_refused_whole(desk: Desk, body: Any) -> None:
    """No items, none in them, too many, no list, fields beside them: 400, and no run."""
    answer = desk.post(f"/jobs/{desk.job()['id']}/trigger/bulk", body)
    assert (answer.status, answer.error["code"]) == (400, "validation_failed")
    assert desk.get("/runs").json == []


def test_a_bad_bulk_item_is_answered_in_its_place(desk: Desk) -> None:
    """Unknown and bad fields are named, in each item by itself; the others are made."""
    bad: list[tuple[Any, set[str]]] = [
        ({"nope": 1}, {"nope"}),
        ({"priority": 99, "tags": {"a": 1}}, {"priority", "tags.a"}),
        ({"dry_run": True}, {"dry_run"}),
        ({"payload_ref": "x"}, {"payload_ref"}),
        (1, {"item"}),
        (None, {"item"}),
    ]
    items = [{"payload": 0}, *(item for item, _ in bad), {"payload": 1, "priority": 2}]
    answer = bulk(desk, desk.job(), items, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.json["total"], answer.json["created"]) == (201, len(items), 2)
    first, *refused, last = answer.json["results"]
    assert {first["id"], last["id"]} == {run["id"] for run in desk.get("/runs").json}
    assert [one["error"]["code"] for one in refused] == ["validation_failed"] * len(bad)
    assert [{fault["field"] for fault in one["error"]["details"]} for one in refused] == [fields for _, fields in bad]
    assert all("id" not in one for one in refused)


def test_five_hundred_runs_and_four_mebibytes(desk: Desk) -> None:
    """As many as may be are made at once; a larger body than that of one trigger is taken."""
    job = desk.job()
    answer = bulk(desk, job, [{"payload": "x" * 8000}] * 500)
    assert (answer.status, answer.json["created"]) == (201, 500)
    assert len({one["id"] for one in answer.json["results"]}) == 500
    assert bulk(desk, job, [{"payload": "x" * 8500}] * 500).status == 413


def test_bulk_triggers_of_a_debounced_job_say_so(desk: Desk) -> None:
    """One run; each item tells when it fires."""
    job = desk.job(debounce_window_secs=10)
    answer = bulk(desk, job, [{"payload": 1}, {"payload": 2}]).json
    assert answer["created"] == 0
    assert [(one["debounced"], one["fire_at"]) for one in answer["results"]] == [(True, "2026-01-01T00:00:10.000Z")] * 2
    assert len({one["id"] for one in answer["results"]}) == 1


def test_slots_hold_for_bulk_triggers_too(desk: Desk) -> None:
    """Of ten runs of a job with two places two execute, the rest is queued."""
    job = desk.job(max_concurrency=2)
    bulk(desk, job, [{}] * 10)
    found = [run["status"] for run in desk.get("/runs").json]
    assert sorted(found) == ["executing"] * 2 + ["queued"] * 8
    desk.drive()
    assert {run["status"] for run in desk.get("/runs").json} == {"completed"}


@pytest.mark.parametrize("path", ["trigger", "trigger/bulk", "payload-uploads"])
def test_triggers_need_their_scope(desk: Desk, path: str) -> None:
    """401 without a key, 403 that names the scope, 404 for another project's job, before anything about the body."""
    job = desk.job()
    desk.add_key("reader", "jobs:read", "runs:read", "runs:write", "jobs:write")
    desk.add_key("stranger", "admin", project="other")
    where = f"/jobs/{job['id']}/{path}"
    assert desk.post(where, {"no": 1}, key=None).status == 401
    refused = desk.post(where, {"no": 1}, key="reader")
    assert (refused.status, "jobs:trigger" in refused.error["message"]) == (403, True)
    assert desk.post(where, {"no": 1}, key="stranger").status == 404
    desk.add_key("trigger", "jobs:trigger")
    assert desk.post(where, {"items": [{}]} if "bulk" in path else None, key="trigger").status == 201
