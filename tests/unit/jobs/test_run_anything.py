"""Whatever is sent to the routes of runs, the answer is one of this API's."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs_desk import URL, Desk

from quintet.dialects.jobs.models_runs import BulkItem

DESK = Desk()
DESK.endpoints.replies[URL] = [(202, None)]
JOB = DESK.job(slug="work", rate_limit_max=1000, rate_limit_window_secs=1, max_concurrency=3)["id"]
OTHER = DESK.job("b", max_attempts=1)["id"]
RUN = DESK.trigger(JOB, payload=1, tags={"a": "b"})
DESK.drive()
DONE = DESK.trigger(JOB)["id"]
DESK.delete(f"/runs/{DONE}")

SEGMENTS = st.sampled_from(
    ["runs", "jobs", "trigger", "bulk", "payload-uploads", "dlq", "bulk-cancel", "bulk-replay", "replay", "reschedule", "pause",
     "resume", "events", "logs", "attempts", "children", "outputs", "checkpoints", "steps", "stream", "log", "progress", "heartbeat",
     "annotate", "checkpoint", "output", "spawn", "payload", JOB, "work", RUN["id"], DONE, "1", "%00", "é", "..", "0" * 32, ""]
)  # fmt: skip
OTHER_FIELDS = (
    "payload_ref dry_run items run_ids message level data percent step eta_secs source state output_key value result error "
    "class job_id"
)
FIELDS = st.sampled_from([*BulkItem.model_fields, *OTHER_FIELDS.split()])
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(
        [JOB, RUN["id"], DONE, "2026-06-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "exponential", "info"]
    )
)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)
PARAMETERS = (
    "project_id job_id status triggered_by batch_id tag_key tag_value metadata_key metadata_value limit cursor "
    "envelope lastEventId"
)
QUERIES = st.text(max_size=20) | st.dictionaries(
    st.sampled_from(PARAMETERS.split()),
    st.text(max_size=5) | st.sampled_from(["1", "2", "true", "a", "b", "default", "waiting", JOB, "1-0"]),
    max_size=4,
)
REPORTS = "log progress heartbeat annotate checkpoint output spawn"


def in_shape(status: int, text: str) -> None:
    """Asserts that an answer is no fault of ours and has this API's form."""
    assert status < 500, text
    if status >= 400:
        body = json.loads(text)
        assert set(body) == {"error", "request_id"}
        assert set(body["error"]) <= {"code", "message", "details"}
        assert body["error"]["message"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PATCH", "PUT", "HEAD"]), st.lists(SEGMENTS, max_size=4), QUERIES, JSON
)
def test_any_request_gets_an_answer_in_shape(method: str, path: list[str], query: Any, body: Any) -> None:
    """Random paths, queries and bodies with a valid key."""
    if method == "DELETE" and path[:1] == ["jobs"]:
        return
    target = "/v1/" + "/".join(path)
    answer = DESK.send(method, target, body, query=query, headers={"x-quintet-stream": "1"})
    in_shape(answer.status, answer.text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["trigger", "trigger/bulk", "payload-uploads"]), JSON, st.text(max_size=5))
def test_any_trigger_is_made_or_refused_in_shape(path: str, body: Any, key: str) -> None:
    """What is made can be read back, with the payload that was given."""
    headers = {"idempotency-key": key} if key.isascii() and key.isprintable() else {}
    answer = DESK.post(f"/jobs/{JOB}/{path}", body, headers=headers)
    in_shape(answer.status, answer.text)
    if path == "trigger" and answer.status == 201 and not answer.json["idempotency_hit"]:
        read = DESK.get(f"/runs/{answer.json['id']}")
        assert read.status == 200
        assert read.json.get("payload") == (body or {}).get("payload")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(REPORTS.split()),
    st.dictionaries(FIELDS, JSON, max_size=4) | JSON,
)
def test_any_report_is_taken_or_refused_in_shape(what: str, body: Any) -> None:
    """By the run's token."""
    answer = DESK.send("POST", f"/sdk/v1/runs/{RUN['id']}/{what}", body, key=RUN["run_token"])
    in_shape(answer.status, answer.text)
    for part in ("", "/logs", "/events", "/steps", "/outputs", "/checkpoints", "/attempts"):
        assert DESK.get(f"/runs/{RUN['id']}{part}").status == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["fail", "complete"]),
    JSON | st.fixed_dictionaries({"error": JSON}) | st.fixed_dictionaries({"result": JSON}),
)
def test_any_end_is_taken_or_refused_in_shape(what: str, body: Any) -> None:
    """Of a run that is at work; one that was refused may still end."""
    run = DESK.trigger(OTHER)
    DESK.drive()
    answer = DESK.send("POST", f"/sdk/v1/runs/{run['id']}/{what}", body, key=run["run_token"])
    in_shape(answer.status, answer.text)
    DESK.drive()
    ended = DESK.get(f"/runs/{run['id']}").json
    if answer.status == 200 and what == "complete":
        assert (ended["status"], ended.get("result")) == ("completed", (body or {}).get("result"))
    else:
        assert ended["status"] == ("waiting" if answer.status == 400 else "failed")
