"""Jobs over HTTP: define, read, list, delete, copy."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from jobs_desk import URL, Desk

FULL: dict[str, Any] = {
    "name": "Nightly Büro",
    "slug": "nightly",
    "description": "d",
    "cron": "30 2 * * 1-5",
    "timezone": "Europe/Berlin",
    "payload_schema": {"type": "object", "required": ["n"]},
    "result_schema": {"type": "object"},
    "tags": {"team": "ops", "env": "prod"},
    "endpoint_url": URL,
    "fallback_endpoint_url": "https://example.org/spare",
    "max_attempts": 5,
    "timeout_secs": 60,
    "max_concurrency": 2,
    "execution_window_cron": "* 0-6 * * *",
    "rate_limit_max": 10,
    "rate_limit_window_secs": 60,
    "max_concurrency_per_key": 1,
    "rate_limit_keys": [{"name": "customer.id", "max": 1, "window_secs": 5}],
    "default_run_metadata": {"from": "nightly"},
    "dedup_window_secs": 30,
    "enabled": True,
    "webhook_url": "https://example.org/done",
    "run_ttl_secs": 3600,
    "retry_strategy": "custom",
    "retry_delays_secs": [1, 2.5, 10],
    "environment_id": "prod-eu",
    "version_policy": "minor",
    "backwards_compatible": True,
    "skip_if_running": True,
    "debounce_window_secs": 5,
}


def listed(desk: Desk, **query: Any) -> list[str]:
    """The names of the jobs that a list answers."""
    answer = desk.get("/jobs", query=query)
    assert answer.status == 200, answer.text
    return [job["name"] for job in answer.json]


def test_a_job_is_shown_as_it_was_written(desk: Desk) -> None:
    """Every field comes back; GET and the list agree, but for what lists leave out; the version holds what versions hold."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    made = desk.job(**FULL, group_id=group, webhook_secret="a secret of mine")
    given = {name: made.pop(name) for name in [*FULL, "group_id"]}
    assert given == {**FULL, "group_id": group}
    assert str(UUID(made.pop("id")))
    assert made.pop("version_id").startswith("ver_")
    at = "2026-01-01T00:00:00.000Z"
    assert made == {
        "project_id": "default",
        "version": 1,
        "created_by": "secret-of-admin",
        "created_at": at,
        "updated_at": at,
    }
    whole = desk.get("/jobs").json[0]
    shown = desk.get(f"/jobs/{whole['id']}").json
    assert shown == {**whole, "result_schema": FULL["result_schema"]}


def test_a_job_that_says_little_has_the_defaults_and_nothing_else(desk: Desk) -> None:
    """What is unset is left out, not null."""
    made = desk.job("Ä b  C!")
    for name in ("id", "version_id", "created_at", "updated_at"):
        assert made.pop(name)
    assert made == {
        "project_id": "default",
        "name": "Ä b  C!",
        "slug": "a-b-c",
        "endpoint_url": URL,
        "max_attempts": 3,
        "timeout_secs": 300,
        "enabled": True,
        "version": 1,
        "version_policy": "pin",
        "retry_strategy": "exponential",
        "created_by": "secret-of-admin",
    }


def test_null_is_the_same_as_nothing_said(desk: Desk) -> None:
    """For every field but the name."""
    shown = desk.job("a", **dict.fromkeys(set(FULL) - {"name", "endpoint_url"}))
    again = desk.job("a")
    different = {"id", "slug", "version_id"}
    assert {k: v for k, v in shown.items() if k not in different} == {
        k: v for k, v in again.items() if k not in different
    }


def test_a_slug_is_made_free_unless_it_was_asked_for(desk: Desk) -> None:
    """Names may repeat; an asked slug that is taken is a conflict."""
    assert [desk.job("x")["slug"] for _ in range(7)][:3] == ["x", "x-2", "x-3"]
    assert desk.job("日本")["slug"] == "job"
    taken = desk.post("/jobs", {"name": "y", "slug": "x-2", "endpoint_url": URL})
    assert (taken.status, taken.error["code"]) == (409, "conflict")


def test_jobs_are_found_by_slug_and_project(desk: Desk) -> None:
    """In the key's own project, which may be named; another project is not there."""
    made = desk.job("x")
    assert desk.get("/jobs/x").json == made
    desk.add_key("other", "admin", project="elsewhere")
    assert desk.get("/jobs/x", key="other").status == 404
    assert desk.get("/jobs/x", query={"project_id": "default"}).json == made
    assert desk.get(f"/jobs/{made['id']}", query={"project_id": "default"}).json == made
    assert desk.get(f"/jobs/{made['id']}", query={"project_id": "elsewhere"}).status == 404
    assert desk.get("/jobs/y", query={"project_id": "default"}).status == 404
    assert desk.get(f"/jobs/{uuid4()}").status == 404
    assert desk.patch("/jobs/x?project_id=default", {"description": "d"}).json["version"] == 2


def test_other_projects_see_and_change_nothing(desk: Desk) -> None:
    """404 for all of it, and no way to create there."""
    desk.add_key("other", "admin", project="elsewhere")
    job_id = desk.job("x")["id"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/clone"), ("GET", "/versions")):
        assert desk.send(method, f"/v1/jobs/{job_id}{path}", {}, key="other").status == 404
    assert listed(desk) == ["x"]
    assert desk.get("/jobs", key="other").json == []
    assert desk.get("/jobs", query={"project_id": "default"}, key="other").status == 404
    body = {"name": "y", "endpoint_url": URL, "project_id": "default"}
    assert desk.post("/jobs", body, key="other").status == 404
    assert desk.post("/jobs", {**body, "project_id": "elsewhere"}, key="other").json["project_id"] == "elsewhere"


def test_lists_are_filtered_by_tag_group_and_slug(desk: Desk) -> None:
    """Tag by key or value, group, slug, and several of them together; newest first."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    for name, tags, fields in (
        ("a", {"env": "prod"}, {}),
        ("b", {"env": "test", "x": ""}, {"group_id": group}),
        ("c", {"env": "prod"}, {"group_id": group}),
        ("d", {}, {}),
    ):
        desk.job(name, tags=tags, **fields)
        desk.clock.advance(1)
    assert listed(desk) == ["d", "c", "b", "a"]
    assert listed(desk, tag_key="env") == ["c", "b", "a"]
    assert listed(desk, tag_key="env", tag_value="prod") == ["c", "a"]
    assert listed(desk, tag_key="no") == []
    assert listed(desk, group_id=group) == ["c", "b"]
    assert listed(desk, group_id=group, tag_key="env", tag_value="prod") == ["c"]
    assert listed(desk, slug="b") == ["b"]
    assert listed(desk, slug="b", tag_key="env", tag_value="prod") == []
    assert listed(desk, slug="zz") == []
    lonely = desk.get("/jobs", query={"tag_value": "prod"})
    assert (lonely.status, lonely.fields) == (400, {"tag_key"})


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_lists_go_on_by_cursor(desk: Desk, limit: int) -> None:
    """In headers for a bare array, in the envelope for those who ask for one; the link repeats the request."""
    for name in "abcde":
        desk.job(name, tags={"t": "v"})
        desk.clock.advance(1)
    seen: list[str] = []
    path = f"/v1/jobs?tag_key=t&limit={limit}"
    while path:
        answer = desk.send("GET", path)
        assert len(answer.json) <= limit
        seen += [job["name"] for job in answer.json]
        link = answer.headers.get("link", "")
        assert bool(link) is ("x-next-cursor" in answer.headers)
        path = link.removeprefix("<").removesuffix('>; rel="next"')
    assert seen == list("edcba")
    page = desk.get("/jobs", query={"limit": limit, "envelope": "true"})
    assert page.json["has_more"] is (limit < 5)
    assert page.json.get("next_cursor") == page.headers.get("x-next-cursor")
    asked = desk.get("/jobs", query={"limit": limit}, headers={"Accept": "application/vnd.quintet.page+json"})
    assert asked.json["data"] == page.json["data"]
    assert asked.headers["content-type"] == "application/vnd.quintet.page+json"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=zzz", "envelope=maybe"])
def test_bad_parameters_of_lists_are_named(desk: Desk, query: str) -> None:
    """400 validation_failed, whatever they are."""
    answer = desk.get("/jobs", query=query)
    assert (answer.status, answer.error["code"]) == (400, "validation_failed")
    assert answer.fields == {query.partition("=")[0]}


def test_a_job_is_deleted_once_none_of_its_runs_is_active(desk: Desk) -> None:
    """204; 409 before; the ended run stays readable, and the slug is free again."""
    job_id = desk.job("x")["id"]
    run_id = desk.trigger(job_id)["id"]
    refused = desk.delete(f"/jobs/{job_id}")
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    desk.drive()
    done = desk.delete(f"/jobs/{job_id}")
    assert (done.status, done.text) == (204, "")
    assert desk.get(f"/jobs/{job_id}").status == 404
    assert desk.delete(f"/jobs/{job_id}").status == 404
    assert desk.get(f"/runs/{run_id}").json["status"] == "completed"
    assert desk.job("x")["slug"] == "x"


def test_a_copy_is_a_new_job_with_the_same_definition(desk: Desk) -> None:
    """Name and slug by default or as asked; 409 when the slug is taken; disabled stays disabled; its secret signs too."""
    made = desk.job(**FULL, webhook_secret="a secret of mine")
    desk.patch(f"/jobs/{made['id']}", {"enabled": False})
    copy = desk.post(f"/jobs/{made['id']}/clone").json
    assert (copy["name"], copy["slug"], copy["version"], copy["enabled"]) == (
        "Nightly Büro copy",
        "nightly-copy",
        1,
        False,
    )
    own = {"id", "name", "slug", "version_id", "enabled", "created_at", "updated_at"}
    assert {k: v for k, v in copy.items() if k not in own} == {k: v for k, v in made.items() if k not in own}
    named = desk.post(f"/jobs/{made['id']}/clone", {"name": "n", "slug": "s"}).json
    assert (named["name"], named["slug"]) == ("n", "s")
    assert desk.post(f"/jobs/{made['id']}/clone", {"slug": "s"}).status == 409
    assert desk.post(f"/jobs/{made['id']}/clone").json["slug"] == "nightly-copy-2"
    (secret,) = desk.services.jobs.get("default", copy["id"]).settings["signing"]["secrets"]
    assert desk.vault.open(secret["sealed"], f"webhook:{copy['id']}") == "a secret of mine"


def test_what_another_api_defines_is_no_job(desk: Desk) -> None:
    """Its own routes show, change and start it; what concerns any job's runs serves it still."""
    made = desk.post(
        "/workflows", {"name": "w", "steps": [{"step_ref": "a", "step_type": "sleep", "duration_secs": 1}]}
    )
    job_id = made.json["id"]
    for method, tail in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/clone"),
        ("GET", "/versions"),
        ("GET", f"/versions/{made.json['version_id']}"),
        ("POST", "/trigger"),
        ("POST", "/trigger/bulk"),
        ("POST", "/payload-uploads"),
    ):
        answer = desk.send(method, f"/v1/jobs/{job_id}{tail}", None if method == "GET" else {})
        assert (answer.status, answer.error["code"]) == (404, "not_found"), (method, tail)
    assert desk.get(f"/workflows/{job_id}").json["version"] == 1
    assert desk.get(f"/jobs/{job_id}/health").json["total_runs"] == 0
    assert desk.get("/jobs").json == []
    after = desk.job("after")["id"]
    assert desk.post(f"/jobs/{after}/dependencies", {"depends_on_job_id": job_id}).status == 201
    assert desk.get(f"/jobs/{job_id}/dependencies").json == []
