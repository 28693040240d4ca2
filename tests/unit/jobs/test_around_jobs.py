"""What is around jobs: dependencies, groups, projects, API keys."""

from typing import Any
from uuid import uuid4

import pytest
from jobs_desk import ADMIN, URL, Desk


def test_a_dependency_is_made_listed_and_deleted(desk: Desk) -> None:
    """As documented; `completed` unless said; deleting is idempotent; the same again is the same one."""
    up, down = desk.job("up")["id"], desk.job("down")["id"]
    made = desk.post(f"/jobs/{down}/dependencies", {"depends_on_job_id": up})
    assert made.status == 201
    edge = made.json
    assert edge == {
        "id": edge["id"],
        "job_id": down,
        "depends_on_job_id": up,
        "condition": "completed",
        "created_at": "2026-01-01T00:00:00.000Z",
    }
    assert desk.post(f"/jobs/{down}/dependencies", {"depends_on_job_id": up}).json == edge
    assert desk.get(f"/jobs/{down}/dependencies").json == [edge]
    assert desk.get("/jobs/down/dependencies?project_id=default&envelope=true").json == {
        "data": [edge],
        "has_more": False,
    }
    assert desk.get(f"/jobs/{up}/dependencies").json == []
    for _ in range(2):
        done = desk.delete(f"/jobs/{down}/dependencies/{edge['id']}")
        assert (done.status, done.text) == (204, "")
    assert desk.get(f"/jobs/{down}/dependencies").json == []


def test_a_dependency_that_can_not_be_is_refused(desk: Desk) -> None:
    """Itself, unknown, another project's, a cycle, another word: 400 with the field; an unknown job is 404."""
    desk.add_key("other", "admin", project="elsewhere")
    a, b, c = (desk.job(name)["id"] for name in "abc")
    foreign = desk.post("/jobs", {"name": "f", "endpoint_url": URL}, key="other").json["id"]
    for job_id, on in ((b, a), (c, b)):
        assert desk.post(f"/jobs/{job_id}/dependencies", {"depends_on_job_id": on, "condition": "any"}).status == 201
    for body, field in (
        ({"depends_on_job_id": a}, "depends_on_job_id"),
        ({"depends_on_job_id": str(uuid4())}, "depends_on_job_id"),
        ({"depends_on_job_id": foreign}, "depends_on_job_id"),
        ({"depends_on_job_id": c}, "depends_on_job_id"),
        ({"depends_on_job_id": b, "condition": "done"}, "condition"),
        ({}, "depends_on_job_id"),
    ):
        refused = desk.post(f"/jobs/{a}/dependencies", body)
        assert (refused.status, refused.fields) == (400, {field}), body
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x")):
        assert desk.send(method, f"/v1/jobs/{uuid4()}/dependencies{path}", {"depends_on_job_id": a}).status == 404


def test_a_downstream_job_is_triggered_with_what_its_upstream_came_to(desk: Desk) -> None:
    """When the condition holds."""
    up, down = desk.job("up")["id"], desk.job("down")["id"]
    desk.post(f"/jobs/{down}/dependencies", {"depends_on_job_id": up})
    run_id = desk.trigger(up)["id"]
    desk.drive()
    (followed,) = desk.get("/runs", query={"job_id": down}).json
    assert followed["triggered_by"] == "job_completion"
    payload = desk.get(f"/runs/{followed['id']}").json["payload"]
    assert payload["upstream"] == {"job_id": up, "run_id": run_id, "status": "completed", "result": {"ok": True}}


def test_a_group_is_made_changed_listed_and_deleted(desk: Desk) -> None:
    """A slug of its own; 409 when it is taken, and for a group that has jobs; other projects' are not there."""
    desk.add_key("other", "admin", project="elsewhere")
    made = desk.post("/job-groups", {"name": "My Group", "description": "d", "project_id": "default"})
    assert made.status == 201
    group = made.json
    assert group == {
        "id": group["id"],
        "project_id": "default",
        "name": "My Group",
        "slug": "my-group",
        "description": "d",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
    }
    path = f"/job-groups/{group['id']}"
    assert desk.get(path).json == group
    assert desk.get("/job-groups").json == [group]
    assert desk.post("/job-groups", {"name": "x", "slug": "my-group"}).status == 409
    desk.clock.advance(1)
    changed = desk.patch(path, {"name": "Ours", "description": None}).json
    assert (changed["name"], changed["slug"], "description" in changed) == ("Ours", "my-group", False)
    assert changed["updated_at"] > group["updated_at"]
    for body, field in (({"name": None}, "name"), ({"slug": "A"}, "slug"), ({"x": 1}, "x")):
        assert desk.patch(path, body).fields == {field}
    for method, below in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause-all"), ("GET", "/stats")):
        assert desk.send(method, f"/v1{path}{below}", {}, key="other").status == 404
    job_id = desk.job(group_id=group["id"])["id"]
    assert desk.delete(path).status == 409
    desk.delete(f"/jobs/{job_id}")
    assert desk.delete(path).status == 204
    assert desk.get(path).status == 404


def test_a_groups_jobs_are_paused_and_resumed(desk: Desk) -> None:
    """Triggers are refused meanwhile; jobs outside go on."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    inside, outside = desk.job("a", group_id=group)["id"], desk.job("b")["id"]
    assert desk.post(f"/job-groups/{group}/pause-all").json == {"updated": 1}
    refused = desk.post(f"/jobs/{inside}/trigger", {})
    assert (refused.status, refused.error["code"]) == (400, "bad_request")
    assert desk.trigger(outside)
    assert desk.post(f"/job-groups/{group}/resume-all").json == {"updated": 1}
    assert desk.trigger(inside)


def test_a_project_is_made_with_a_key_and_used_with_its_own(desk: Desk) -> None:
    """The maker sees it and may make its first key; that key sees only its own project."""
    made = desk.post("/projects", {"name": "New one", "description": "d"})
    assert made.status == 201
    project = made.json
    assert (project["name"], project["slug"], project["description"]) == ("New one", "new-one", "d")
    assert desk.get(f"/projects/{project['id']}").json == project
    assert [one["id"] for one in desk.get("/projects").json] == [project["id"], "default"]
    assert desk.patch(f"/projects/{project['id']}", {"name": "Renamed"}).json["name"] == "Renamed"
    key = desk.post("/api-keys", {"project_id": project["id"], "name": "first", "scopes": ["admin"]}).json
    job = desk.post("/jobs", {"name": "j", "endpoint_url": URL, "project_id": project["id"]}, key=key["key"])
    assert (job.status, job.json["project_id"]) == (201, project["id"])
    assert desk.get(f"/jobs/{job.json['id']}").status == 404
    assert [one["id"] for one in desk.get("/projects", key=key["key"]).json] == [project["id"]]
    assert desk.get("/projects/default", key=key["key"]).status == 404
    assert desk.delete(f"/projects/{project['id']}").status == 409
    assert desk.delete(f"/jobs/{job.json['id']}", key=key["key"]).status == 204
    assert desk.delete(f"/api-keys/{key['id']}").status == 204
    assert desk.delete(f"/projects/{project['id']}").status == 204
    assert desk.get(f"/projects/{project['id']}").status == 404
    default = desk.get("/projects/default").json
    assert default == {"id": "default", "name": "default", "slug": "default"}


def test_a_key_is_shown_once_and_may_do_what_it_was_given(desk: Desk) -> None:
    """Its secret is in the answer that makes it, and nowhere else."""
    body = {"name": "ci", "scopes": ["jobs:read"], "expires_at": "2026-02-01T00:00:00Z"}
    made = desk.post("/api-keys", body)
    assert made.status == 201
    secret = made.json["key"]
    shown = {name: value for name, value in made.json.items() if name != "key"}
    assert shown == {
        "id": made.json["id"],
        "project_id": "default",
        "name": "ci",
        "prefix": secret[:8],
        "scopes": ["jobs:read"],
        "created_at": "2026-01-01T00:00:00.000Z",
        "expires_at": "2026-02-01T00:00:00.000Z",
    }
    assert desk.get(f"/api-keys/{shown['id']}").json == shown
    listing = desk.get("/api-keys?project_id=default")
    assert shown in listing.json
    assert secret not in listing.text
    assert desk.get("/jobs", key=secret).status == 200
    refused = desk.post("/jobs", {"name": "a", "endpoint_url": URL}, key=secret)
    assert (refused.status, refused.error["code"]) == (403, "forbidden")
    assert "jobs:write" in refused.error["message"]
    desk.clock.advance(32 * 86_400)
    assert desk.get("/jobs", key=secret).status == 401


def test_a_key_is_rotated_and_revoked(desk: Desk) -> None:
    """The old secret is out within 30 s; revoking twice is as good as once; a revoked key can't be rotated."""
    made = desk.post("/api-keys", {"name": "ci", "scopes": ["jobs:read"]}).json
    rotated = desk.post(f"/api-keys/{made['id']}/rotate").json
    assert rotated["key"] != made["key"]
    assert {k: v for k, v in rotated.items() if k not in ("key", "prefix")} == {
        k: v for k, v in made.items() if k not in ("key", "prefix")
    }
    assert desk.get("/jobs", key=made["key"]).status == 401
    assert desk.get("/jobs", key=rotated["key"]).status == 200
    for _ in range(2):
        assert desk.delete(f"/api-keys/{made['id']}").status == 204
    desk.clock.advance(31)
    assert desk.get("/jobs", key=rotated["key"]).status == 401
    assert desk.get(f"/api-keys/{made['id']}").json["revoked_at"] == "2026-01-01T00:00:00.000Z"
    assert desk.post(f"/api-keys/{made['id']}/rotate").status == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a", "scopes": ["everything"]}, "scopes[0]"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": "admin"}, "scopes"),
        ({"name": "a", "expires_at": "2025-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "a", "expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"name": "a", "expires_at": 12}, "expires_at"),
        ({"name": "a", "key": "mine"}, "key"),
    ],
)
def test_a_bad_key_is_refused_with_the_field(desk: Desk, body: Any, field: str) -> None:
    """400."""
    refused = desk.post("/api-keys", body)
    assert (refused.status, refused.fields) == (400, {field}), refused.text


def test_a_key_gives_no_scope_that_it_lacks(desk: Desk) -> None:
    """Nor keys of other projects."""
    desk.add_key("manager", "api-keys:manage", "jobs:read")
    assert desk.post("/api-keys", {"name": "a", "scopes": ["admin"]}, key="manager").fields == {"scopes[0]"}
    assert desk.post("/api-keys", {"name": "a"}, key="manager").json["scopes"] == ["jobs:read"]
    assert desk.post("/api-keys", {"name": "a", "project_id": "elsewhere"}, key="manager").status == 404
    desk.add_key("other", "admin", project="elsewhere")
    made = desk.post("/api-keys", {"name": "a"}, key=ADMIN).json
    for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        assert desk.send(method, f"/v1/api-keys/{made['id']}{below}", key="other").status == 404
