"""What is wrong with a job is said field by field, before anything is stored."""

from typing import Any

import pytest
from jobs_desk import URL, Desk

TASK = {"step_ref": "a", "step_type": "sleep", "duration_secs": 1}
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 256}, "name"),
    ({"name": None}, "name"),
    ({"name": 1}, "name"),
    ({"slug": "Upper"}, "slug"),
    ({"slug": "a\n"}, "slug"),
    ({"slug": "x" * 129}, "slug"),
    ({"endpoint_url": None}, "endpoint_url"),
    ({"endpoint_url": "x" * 2049}, "endpoint_url"),
    ({"endpoint_url": "ftp://example.com"}, "endpoint_url"),
    ({"endpoint_url": "https://internal.example.com"}, "endpoint_url"),
    ({"endpoint_url": "https://example.com/{% input.x %}"}, "endpoint_url"),
    ({"fallback_endpoint_url": "https://internal.example.com"}, "fallback_endpoint_url"),
    ({"webhook_url": "https://internal.example.com"}, "webhook_url"),
    ({"webhook_secret": "short"}, "webhook_secret"),
    ({"max_attempts": 0}, "max_attempts"),
    ({"max_attempts": 101}, "max_attempts"),
    ({"max_attempts": "3"}, "max_attempts"),
    ({"max_attempts": True}, "max_attempts"),
    ({"max_attempts": 3.0}, "max_attempts"),
    ({"timeout_secs": 0}, "timeout_secs"),
    ({"timeout_secs": 86_401}, "timeout_secs"),
    ({"enabled": "yes"}, "enabled"),
    ({"enabled": 1}, "enabled"),
    ({"tags": {f"k{n}": "v" for n in range(21)}}, "tags"),
    ({"tags": {"x" * 65: "v"}}, "tags." + "x" * 65),
    ({"tags": {"k": "v" * 257}}, "tags.k"),
    ({"tags": {"k": 1}}, "tags.k"),
    ({"tags": {"a=b": "c"}}, "tags.a=b"),
    ({"tags": ["k"]}, "tags"),
    ({"default_run_metadata": {"k": {}}}, "default_run_metadata.k"),
    ({"cron": "* * * *"}, "cron"),
    ({"cron": "0 0 0 * * *"}, "cron"),
    ({"cron": "61 * * * *"}, "cron"),
    ({"cron": "0 0 30 2 *"}, "cron"),
    ({"execution_window_cron": "x"}, "execution_window_cron"),
    ({"timezone": "Europe/Nowhere"}, "timezone"),
    ({"timezone": "../etc/passwd"}, "timezone"),
    ({"cron": "0 0 * * *", "timezone": "Mars"}, "timezone"),
    ({"payload_schema": {"type": "strange"}}, "payload_schema"),
    ({"payload_schema": "object"}, "payload_schema"),
    ({"payload_schema": {"$ref": "https://example.com/schema"}}, "payload_schema"),
    ({"payload_schema": {"description": "x" * 65_536}}, "payload_schema"),
    ({"result_schema": {"minimum": "x"}}, "result_schema"),
    ({"rate_limit_max": 1}, "rate_limit_window_secs"),
    ({"rate_limit_window_secs": 1}, "rate_limit_max"),
    ({"rate_limit_keys": [{"name": "a", "max": 1}]}, "rate_limit_keys[0].window_secs"),
    ({"rate_limit_keys": [{"name": "a", "max": 0, "window_secs": 1}]}, "rate_limit_keys[0].max"),
    ({"rate_limit_keys": [{"name": "a", "max": 1, "window_secs": 1, "x": 1}]}, "rate_limit_keys[0].x"),
    ({"rate_limit_keys": [{"name": "a", "max": 1, "window_secs": 1}] * 2}, "rate_limit_keys[1].name"),
    ({"max_concurrency": 0}, "max_concurrency"),
    ({"max_concurrency_per_key": 1001}, "max_concurrency_per_key"),
    ({"retry_strategy": "random"}, "retry_strategy"),
    ({"retry_strategy": "custom"}, "retry_delays_secs"),
    ({"retry_strategy": "custom", "retry_delays_secs": []}, "retry_delays_secs"),
    ({"retry_strategy": "custom", "retry_delays_secs": [1, -1]}, "retry_delays_secs[1]"),
    ({"retry_strategy": "custom", "retry_delays_secs": ["1"]}, "retry_delays_secs[0]"),
    ({"retry_delays_secs": [1]}, "retry_delays_secs"),
    ({"version_policy": "newest"}, "version_policy"),
    ({"batch_max_size": 2}, "batch_max_size"),
    ({"batch_window_secs": 2, "debounce_window_secs": 2}, "batch_window_secs"),
    ({"run_ttl_secs": -1}, "run_ttl_secs"),
    ({"group_id": "none"}, "group_id"),
    ({"environment_id": "a\r\nX-Evil: 1"}, "environment_id"),
    ({"id": "mine"}, "id"),
    ({"version": 3}, "version"),
    ({"endpointUrl": URL}, "endpointUrl"),
    ({"tasks": [TASK]}, "endpoint_url"),
    ({"endpoint_url": None, "tasks": []}, "tasks"),
    ({"endpoint_url": None, "tasks": [TASK], "max_attempts": 3}, "max_attempts"),
    ({"endpoint_url": None, "tasks": [TASK], "result_schema": {"type": "object"}}, "result_schema"),
    ({"endpoint_url": None, "tasks": [{**TASK, "depends_on": ["b"]}]}, "tasks[0].depends_on[0]"),
    ({"endpoint_url": None, "tasks": [{**TASK, "step_type": "jump"}]}, "tasks[0].step_type"),
    ({"endpoint_url": None, "tasks": [{**TASK, "condition": "1 +"}]}, "tasks[0].condition"),
    ({"endpoint_url": None, "tasks": [{"step_ref": "a", "endpoint": "https://internal"}]}, "tasks[0].endpoint"),
    ({"endpoint_url": None, "tasks": [{"step_ref": "a", "job_id": "none"}]}, "tasks[0].job_id"),
]


@pytest.mark.parametrize(("fields", "place"), FAULTS, ids=lambda part: str(part)[:60])
def test_a_bad_field_is_named_by_its_path(desk: Desk, fields: dict[str, Any], place: str) -> None:
    """400 validation_failed for creating and for changing, and nothing is stored or changed."""
    refused = desk.post("/jobs", {"name": "a", "endpoint_url": URL, **fields})
    assert (refused.status, refused.error["code"]) == (400, "validation_failed"), refused.text
    assert refused.fields == {place}
    assert refused.error["message"].startswith(place)
    assert desk.get("/jobs").json == []
    made = desk.job()
    refused = desk.patch(f"/jobs/{made['id']}", fields)
    assert (refused.status, refused.fields) == (400, {place}), refused.text
    assert desk.get(f"/jobs/{made['id']}").json == made


def test_all_faults_are_said_at_once(desk: Desk) -> None:
    """Those of fields by themselves; then those of fields together and of what they name."""
    alone = desk.post("/jobs", {"name": 1, "max_attempts": 0, "tags": {"k": 1}})
    assert alone.fields == {"name", "max_attempts", "tags.k"}
    together = desk.post(
        "/jobs",
        {"name": "a", "retry_strategy": "custom", "cron": "x", "timezone": "y", "webhook_url": "z", "group_id": "g"},
    )
    assert together.fields == {"endpoint_url", "retry_delays_secs", "cron", "timezone", "webhook_url", "group_id"}


def test_a_body_that_is_no_object_is_a_fault_of_the_body(desk: Desk) -> None:
    """Malformed JSON, other JSON, nothing at all, another content type."""
    for raw in ("{", "[]", '"a"', "null", '{"name": NaN}', '{"name": "a", "name": "b"}', "", '{"name": "\\ud800"}'):
        answer = desk.post("/jobs", raw=raw)
        assert (answer.status, answer.error["code"], answer.fields) == (400, "validation_failed", {"body"}), raw
    typed = desk.post("/jobs", {"name": "a", "endpoint_url": URL}, headers={"content-type": "text/plain"})
    assert (typed.status, typed.fields) == (400, {"body"})


def test_a_body_above_a_mebibyte_is_too_large(desk: Desk) -> None:
    """413 payload_too_large."""
    answer = desk.post("/jobs", {"name": "a" * 1024 * 1024})
    assert (answer.status, answer.error["code"]) == (413, "payload_too_large")


def test_a_url_is_not_looked_up_again_unless_it_changes(desk: Desk) -> None:
    """A guard may have to ask the network; a batch names the same host again and again."""
    made = desk.job(webhook_url=URL)
    assert desk.guard.asked == [URL]
    desk.patch(f"/jobs/{made['id']}", {"description": "x"})
    assert desk.guard.asked == [URL]
