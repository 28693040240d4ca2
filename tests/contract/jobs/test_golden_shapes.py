"""Every documented endpoint and field: golden/document.json holds the published document's own requests and answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jobs_desk import URL, Answer, Desk

from quintet.dialects.jobs.models import JobVersionView, JobView
from quintet.dialects.jobs.models_admin import DependencyView
from quintet.dialects.jobs.models_runs import JobRunView

DOCUMENT = json.loads((Path(__file__).parent / "golden" / "document.json").read_text())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
WRITE_ONLY = {"webhook_secret"}
OURS = {
    "JobView": {
        "result_schema",
        "skip_if_running",
        "debounce_window_secs",
        "batch_window_secs",
        "batch_max_size",
        "tasks",
    },
    "run": {"payload_url", "result_url"},
    "health": {"job_id", "window", "since", "p99_duration_secs"},
    "trigger": {"payload_hash", "run_token", "idempotency_hit"},
    "bulk": {"batch_id"},
}
ALWAYS = {
    "job": {
        "id", "project_id", "name", "slug", "endpoint_url", "max_attempts", "timeout_secs", "enabled", "version",
        "created_at", "updated_at",
    },
    "run": {
        "id", "job_id", "project_id", "status", "attempt", "triggered_by", "priority", "job_version", "debug_mode",
        "lineage_depth", "created_at",
    },
    "version": {"id", "job_id", "version", "name", "slug", "endpoint_url", "max_attempts", "timeout_secs", "created_at"},
}  # fmt: skip
FREE = {"payload", "result", "payload_schema", "tags", "metadata", "default_run_metadata"}
"""What is inside these is its author's."""


def example(method: str, path: str) -> Any:
    """The document's answer of an endpoint."""
    (found,) = [one["answer"] for one in DOCUMENT if (one["method"], one["path"]) == (method, f"/v1/jobs{path}")]
    return found[0] if isinstance(found, list) else found


JOB, RUN, VERSION = example("POST", ""), example("POST", "/string/trigger"), example("GET", "/string/versions")


def fits(documented: Any, answer: Any, also: set[str], always: set[str], name: str = "") -> None:
    """Asserts that an answer has only fields of the example (and `also`), those that are `always` there, the example's types, no null."""
    assert answer is not None, name
    if name in FREE:
        return
    if isinstance(documented, dict):
        assert isinstance(answer, dict), name
        assert set(answer) <= set(documented) | also, name
        assert always <= set(answer), name
        for field in set(answer) & set(documented):
            fits(documented[field], answer[field], set(), set(), field)
    elif isinstance(documented, list):
        assert isinstance(answer, list), name
        for one in answer:
            fits(documented[0], one, set(), set(), f"{name}[]")
    elif isinstance(documented, str):
        assert isinstance(answer, str), name
        assert bool(TIME.fullmatch(documented)) is bool(TIME.fullmatch(answer)), name
    else:
        assert isinstance(answer, bool) is isinstance(documented, bool), name
        assert isinstance(answer, int | float), name


def test_the_documented_endpoints_are_all_here(desk: Desk) -> None:
    """All seventeen, each with its method."""
    assert len(DOCUMENT) == 17
    for one in DOCUMENT:
        answer = desk.send(one["method"], one["path"], one["body"], query=one["query"])
        assert answer.status in (400, 404), one["path"]
        assert answer.error["message"] != "Not found", one["path"]


@pytest.mark.parametrize(
    ("view", "documented", "ours"),
    [
        (JobView, JOB, OURS["JobView"]),
        (JobVersionView, VERSION, set()),
        (JobRunView, RUN, OURS["run"]),
        (DependencyView, example("POST", "/string/dependencies"), set()),
    ],
)
def test_each_shape_has_the_documented_fields(view: Any, documented: dict[str, Any], ours: set[str]) -> None:
    """All of them, and no others than those that this product adds; secrets are write-only."""
    assert set(view.model_fields) == set(documented) - WRITE_ONLY | ours


def whole_job(desk: Desk) -> dict[str, Any]:
    """A job of which every documented field is set."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    body: dict[str, Any] = {
        name: value
        for name, value in JOB.items()
        if name not in {"id", "version", "version_id", "created_by", "updated_by", "created_at", "updated_at"}
    }
    body |= {"project_id": "default", "group_id": group, "slug": "s", "cron": "0 0 * * *", "timezone": "UTC"}
    body |= dict.fromkeys(("endpoint_url", "fallback_endpoint_url", "webhook_url"), URL)
    body |= {name: 7 for name, value in JOB.items() if value == 0 and not isinstance(value, bool) and name in body}
    body |= {"retry_strategy": "custom", "retry_delays_secs": [1], "execution_window_cron": "* * * * *"}
    body |= {"rate_limit_keys": [{"name": "a", "max": 1, "window_secs": 1}], "payload_schema": {"type": "object"}}
    body |= {"webhook_secret": "a secret of mine"}
    made = desk.post("/jobs", body)
    assert made.status == 201, made.text
    shown = made.json
    assert {name: shown[name] for name in body if name not in WRITE_ONLY} == {
        name: value for name, value in body.items() if name not in WRITE_ONLY
    }
    return desk.patch(f"/jobs/{shown['id']}", {"description": "changed"}).json


def test_a_job_with_everything_has_every_documented_field(desk: Desk) -> None:
    """But its secret; alone, in a list, in a batch, changed, copied."""
    job = whole_job(desk)
    assert set(job) == set(JOB) - WRITE_ONLY
    path = f"/jobs/{job['id']}"
    answers = [desk.get(path), desk.patch(path, {}), desk.post(f"{path}/clone")]
    jobs = [one.json for one in answers] + desk.get("/jobs").json
    jobs += desk.post("/jobs/batch", [{"name": "b", "endpoint_url": URL}]).json
    for one in jobs:
        fits(JOB, one, set(), ALWAYS["job"])


def test_versions_have_the_documented_fields(desk: Desk) -> None:
    """In the list and alone."""
    job = whole_job(desk)
    versions = desk.get(f"/jobs/{job['id']}/versions").json
    assert set(versions[0]) == set(VERSION) - WRITE_ONLY
    for one in versions:
        fits(VERSION, one, set(), ALWAYS["version"])
        assert desk.get(f"/jobs/{job['id']}/versions/{one['id']}").json == one


def test_triggers_answer_with_a_documented_run(desk: Desk) -> None:
    """And what this product adds; in bulk as documented, too."""
    job_id = desk.job(tags={"a": "b"})["id"]
    body = {
        "payload": {"n": 1},
        "tags": {"k": "v"},
        "metadata": {"k": "v"},
        "scheduled_at": "2026-01-01T00:01:00Z",
        "priority": 3,
        "ttl_secs": 600,
        "concurrency_key": "c",
        "idempotency_key": "i",
        "max_attempts_override": 2,
        "timeout_secs_override": 9,
        "debug_mode": True,
    }
    later = desk.post(f"/jobs/{job_id}/trigger", body)
    fits(RUN, later.json, OURS["trigger"], ALWAYS["run"] | OURS["trigger"])
    assert {name: later.json[name] for name in ("priority", "concurrency_key", "idempotency_key", "debug_mode", "tags")} == {
        "priority": 3, "concurrency_key": "c", "idempotency_key": "i", "debug_mode": True, "tags": {"k": "v"}
    }  # fmt: skip
    at_once = desk.trigger(job_id)["id"]
    desk.drive()
    done = desk.get(f"/runs/{at_once}").json
    fits(RUN, done, set(), ALWAYS["run"] | {"result", "started_at", "finished_at", "execution_trace", "job_version_id"})
    bulk = desk.post(f"/jobs/{job_id}/trigger/bulk", {"items": [{}, {"payload": 1}]})
    fits(example("POST", "/string/trigger/bulk"), bulk.json, OURS["bulk"], {"results", "total", "created"})
    for one in bulk.json["results"]:
        assert set(one) == {"id", "status", "run_token", "idempotency_hit"}


def test_health_and_dependencies_have_the_documented_fields(desk: Desk) -> None:
    """Every one always."""
    up, down = desk.job("up")["id"], desk.job("down")["id"]
    health = example("GET", "/string/health")
    fits(health, desk.get(f"/jobs/{up}/health").json, OURS["health"], set(health) | OURS["health"])
    edge = example("POST", "/string/dependencies")
    made = desk.post(f"/jobs/{down}/dependencies", {"depends_on_job_id": up})
    for one in [made.json, *desk.get(f"/jobs/{down}/dependencies").json]:
        fits(edge, one, set(), set(edge))


def test_statuses_are_those_of_the_contract(desk: Desk) -> None:
    """201 for what is made, 204 for what is deleted, 200 for the rest."""
    job = desk.job()
    other = desk.job("other")

    def ask(method: str, below: str, body: Any = None) -> Answer:
        return desk.send(method, f"/v1/jobs{below}", body)

    path = f"/{job['id']}"
    edge = ask("POST", f"{path}/dependencies", {"depends_on_job_id": other["id"]})
    assert edge.status == 201
    for method, below, body, status in (
        ("GET", "", None, 200),
        ("POST", "/batch", [{"name": "b", "endpoint_url": URL}], 201),
        ("POST", "/batch", {"jobs": [{"name": "b", "endpoint_url": URL}]}, 201),
        ("POST", "/batch-disable", {"job_ids": [job["id"]]}, 200),
        ("POST", "/batch-enable", {"ids": [job["id"]]}, 200),
        ("PATCH", path, {}, 200),
        ("POST", f"{path}/clone", {}, 201),
        ("DELETE", f"{path}/dependencies/{edge.json['id']}", None, 204),
        ("POST", f"{path}/trigger", {"dry_run": True}, 200),
        ("DELETE", path, None, 204),
    ):
        assert ask(method, below, body).status == status, (method, below)
