"""Automations over HTTP: define, read, change, delete, run, versions, schedules."""

from typing import Any
from uuid import uuid4

import pytest
from automations_desk import Desk, step

from quintet.domain.definition import Plan, StepDef

SCHEDULE = {"cron": "30 6 * * *", "timezone": "Europe/Berlin"}


def patch(desk: Desk, automation_id: str, **changes: Any) -> Any:
    """PATCH an automation."""
    return desk.send("PATCH", f"/api/v1/automations/{automation_id}", changes)


def test_a_new_automation_is_shown_as_it_was_written(desk: Desk) -> None:
    """201 with every field; GET, the list and the first version agree."""
    config = {"steps": [step("a", retry={"maxAttempts": 3})], "timeoutSeconds": 60, "input": {"x": None}}
    body = {"name": "Näme", "description": "d", "config": config, "orchestratorType": "local", "triggerType": "manual"}
    made = desk.post("/automations", body)
    assert made.status == 201
    shown = made.json
    assert shown.pop("webhookSecret") is None
    assert shown["config"] == config
    assert {k: shown[k] for k in ("name", "description", "orchestratorType", "triggerType", "status")} == {
        "name": "Näme",
        "description": "d",
        "orchestratorType": "local",
        "triggerType": "manual",
        "status": "active",
    }
    assert desk.get(f"/automations/{shown['id']}").json == shown
    brief = {field: value for field, value in shown.items() if field != "config"}
    assert desk.get("/automations").json == {"items": [brief], "total": 1}
    versions = desk.get(f"/automations/{shown['id']}/versions").json
    assert versions["total"] == 1
    version = desk.get(f"/automations/{shown['id']}/versions/1").json
    assert version == {**versions["items"][0], "config": config}
    assert version["orchestratorType"] == "local"
    run = desk.post(f"/automations/{shown['id']}/run").json
    assert run["orchestratorType"] == "local"


def test_automations_are_listed_newest_first_by_status_and_project(desk: Desk) -> None:
    """Paging, the status filter, and nobody else's."""
    ids = []
    for _ in range(3):
        ids.append(desk.define(step("a"))["id"])
        desk.clock.advance(1)
    patch(desk, ids[1], status="paused")
    desk.add_key("other", "admin", project="elsewhere")
    assert [a["id"] for a in desk.get("/automations").json["items"]] == ids[::-1]
    page = desk.get("/automations", query={"limit": 1, "offset": 1}).json
    assert ([a["id"] for a in page["items"]], page["total"]) == ([ids[1]], 3)
    paused = desk.get("/automations", query={"status": "paused"}).json
    assert ([a["id"] for a in paused["items"]], paused["total"]) == ([ids[1]], 1)
    assert desk.get("/automations", key="other").json == {"items": [], "total": 0}


def test_only_another_definition_makes_a_new_version(desk: Desk) -> None:
    """Renaming keeps the version; a new config makes one; old runs keep theirs; the same config again makes none."""
    made = desk.define(step("a"))
    old_run = desk.post(f"/automations/{made['id']}/run").json
    renamed = patch(desk, made["id"], name="b", description=None).json
    assert (renamed["name"], renamed["versionNumber"], renamed["versionId"]) == ("b", 1, made["versionId"])
    config = {"steps": [step("a"), step("b")]}
    desk.clock.advance(1)
    changed = patch(desk, made["id"], config=config).json
    assert (changed["versionNumber"], changed["config"], changed["name"]) == (2, config, "b")
    assert changed["updatedAt"] > made["updatedAt"]
    assert patch(desk, made["id"], config=config).json["versionNumber"] == 2
    versions = desk.get(f"/automations/{made['id']}/versions").json
    assert [v["versionNumber"] for v in versions["items"]] == [2, 1]
    assert versions["total"] == 2
    assert desk.get(f"/automations/{made['id']}/versions/1").json["config"] == made["config"]
    assert desk.get(f"/automations/{made['id']}/versions/3").status == 404
    assert desk.get(f"/automations/{made['id']}/versions/0").status == 422
    assert desk.get(f"/automations/{made['id']}/versions", query={"limit": 1, "offset": 1}).json["items"] == [
        versions["items"][1]
    ]
    assert desk.get(f"/automation-runs/{old_run['id']}").json["versionNumber"] == 1
    assert desk.post(f"/automations/{made['id']}/run").json["versionNumber"] == 2


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"name": None}, ["body", "name"]),
        ({"name": ""}, ["body", "name"]),
        ({"config": None}, ["body", "config"]),
        ({"config": {"steps": [{"key": "a", "kind": "zzz"}]}}, ["body", "config", "steps", 0, "kind"]),
        ({"status": "gone"}, ["body", "status"]),
        ({"triggerType": "schedule"}, ["body", "config", "schedule"]),
        ({"colour": "red"}, ["body", "colour"]),
    ],
)
def test_a_faulty_change_changes_nothing(desk: Desk, changes: dict[str, Any], loc: list[Any]) -> None:
    """422 names the place, and the automation is as before."""
    made = desk.define(step("a"))
    answer = patch(desk, made["id"], **changes)
    assert answer.status == 422, answer.text
    assert answer.json["detail"][0]["loc"] == loc
    made.pop("webhookSecret")
    assert desk.get(f"/automations/{made['id']}").json == made


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body", "name"]),
        (None, ["body"]),
        ([], ["body"]),
        ({"name": "a"}, ["body", "config"]),
        ({"name": "a", "config": {}}, ["body", "config", "steps"]),
        ({"name": "a" * 256, "config": {"steps": [step("a")]}}, ["body", "name"]),
        ({"name": "a", "config": {"steps": [step("a")]}, "orchestratorType": "spark"}, ["body", "orchestratorType"]),
        ({"name": "a", "config": {"steps": [step("a")], "timeoutSeconds": 0}}, ["body", "config", "timeoutSeconds"]),
    ],
)
def test_a_faulty_body_is_refused(desk: Desk, body: Any, loc: list[Any]) -> None:
    """422 names the place."""
    answer = desk.post("/automations", body)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == loc


def test_the_runs_input_goes_over_the_default(desk: Desk) -> None:
    """Without input the default is used, an object merges into it, anything else replaces it."""
    echo = step("a", config={"values": {"got": "{% input %}"}})
    made = desk.define(echo, config={"input": {"x": 1, "y": 1}})

    def got(body: Any) -> Any:
        run_id = desk.post(f"/automations/{made['id']}/run", body).json["id"]
        desk.drive()
        return desk.get(f"/automation-runs/{run_id}/result").json["outputs"]["a"]["got"]

    assert got(None) == {"x": 1, "y": 1}
    assert got({}) == {"x": 1, "y": 1}
    assert got({"input": {"y": 2}}) == {"x": 1, "y": 2}
    assert got({"input": [1]}) == [1]
    assert got({"input": None}) == {"x": 1, "y": 1}


def test_a_deleted_automation_is_gone_and_its_runs_stay(desk: Desk) -> None:
    """204 without a body; then 404 everywhere but at its runs."""
    made = desk.define(step("a"))
    run = desk.post(f"/automations/{made['id']}/run").json
    desk.drive()
    gone = desk.send("DELETE", f"/api/v1/automations/{made['id']}")
    assert (gone.status, gone.text) == (204, "")
    assert desk.get(f"/automations/{made['id']}").status == 404
    assert desk.send("DELETE", f"/api/v1/automations/{made['id']}").status == 404
    assert desk.post(f"/automations/{made['id']}/run").status == 404
    assert desk.get("/automations").json["total"] == 0
    assert desk.get(f"/automation-runs/{run['id']}").json["status"] == "completed"
    assert desk.get(f"/automation-runs/{run['id']}/steps").json["completedCount"] == 1


def test_a_paused_automation_does_not_run(desk: Desk) -> None:
    """409 while paused, and again active it runs."""
    made = desk.define(step("a"))
    assert patch(desk, made["id"], status="paused").json["status"] == "paused"
    assert desk.post(f"/automations/{made['id']}/run").status == 409
    patch(desk, made["id"], status="active")
    assert desk.post(f"/automations/{made['id']}/run").status == 201


def test_a_schedule_has_a_next_moment_in_its_time_zone(desk: Desk) -> None:
    """06:30 in Berlin is 05:30 UTC in winter; paused there is none; another cron moves it; manual has none."""
    made = desk.define(step("a"), config={"schedule": SCHEDULE}, triggerType="schedule")
    assert made["nextRunAt"] == "2026-01-01T05:30:00.000Z"
    assert patch(desk, made["id"], status="paused").json["nextRunAt"] is None
    assert patch(desk, made["id"], status="active").json["nextRunAt"] == "2026-01-01T05:30:00.000Z"
    later = {"steps": [step("a")], "schedule": {"cron": "0 0 1 7 *"}}
    assert patch(desk, made["id"], config=later).json["nextRunAt"] == "2026-07-01T00:00:00.000Z"
    plain = patch(desk, made["id"], config={"steps": [step("a")]}, triggerType="manual").json
    assert (plain["nextRunAt"], plain["triggerType"]) == (None, "manual")


def test_a_scheduled_automation_runs_by_itself(desk: Desk) -> None:
    """The tick fires it at its moment, once, as a schedule's run."""
    made = desk.define(step("a"), config={"schedule": {"cron": "*/5 * * * *"}}, triggerType="schedule")
    desk.clock.advance(270)
    desk.services.tick()
    desk.services.tick()
    desk.pass_time(60)
    page = desk.get("/automation-runs").json
    assert page["total"] == 1
    run = page["items"][0]
    assert (run["status"], run["automationId"]) == ("completed", made["id"])
    assert (run["triggerType"], run["triggerSourceType"]) == ("schedule", "schedule")
    assert run["startedAt"] == "2026-01-01T00:05:00.000Z"
    assert desk.get(f"/automations/{made['id']}").json["nextRunAt"] == "2026-01-01T00:10:00.000Z"


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"triggerType": "schedule"}, ["schedule"]),
        ({"triggerType": "schedule", "config": {"schedule": {"cron": "* * *"}}}, ["schedule", "cron"]),
        ({"triggerType": "schedule", "config": {"schedule": {"cron": "99 * * * *"}}}, ["schedule", "cron"]),
        ({"triggerType": "schedule", "config": {"schedule": {"cron": "0 0 31 2 *"}}}, ["schedule", "cron"]),
        (
            {"triggerType": "schedule", "config": {"schedule": {"cron": "* * * * *", "timezone": "Mars/Base"}}},
            ["schedule", "timezone"],
        ),
        (
            {"triggerType": "schedule", "config": {"schedule": {"cron": "* * * * *", "timezone": "../../etc/passwd"}}},
            ["schedule", "timezone"],
        ),
        ({"config": {"schedule": SCHEDULE}}, ["schedule"]),
        ({"config": {"webhook": {"path": "x"}}}, ["webhook"]),
        ({"triggerType": "webhook", "config": {"webhook": {"path": "a/b"}}}, ["webhook", "path"]),
    ],
)
def test_a_faulty_trigger_is_refused(desk: Desk, fields: dict[str, Any], loc: list[str]) -> None:
    """422 names the place, and nothing is made."""
    config = {"steps": [step("a")], **fields.pop("config", {})}
    answer = desk.post("/automations", {"name": "a", "config": config, **fields})
    assert answer.status == 422, answer.text
    assert answer.json["detail"][0]["loc"] == ["body", "config", *loc]
    assert desk.get("/automations").json["total"] == 0


def test_another_apis_job_can_be_read_and_run_but_not_changed(desk: Desk) -> None:
    """One engine: its definition is shown in this API's words."""
    plan = Plan(
        (StepDef("a", "set", config={"values": {}}), StepDef("b", "http", config={"url": "u", "expect_status": [200]}))
    )
    job = desk.services.jobs
    made = desk.services.define.define("default", "pipelines", "theirs", Plan(plan.steps[:1]), {"tasks": []})
    shown = desk.get(f"/automations/{made.id}").json
    assert shown["config"] == {"steps": [{"key": "a", "kind": "set", "config": {"values": {}}}]}
    assert job.get("default", made.id).dialect == "pipelines"
    assert desk.post(f"/automations/{made.id}/run").status == 201
    assert patch(desk, made.id, name="x").status == 409
    assert desk.send("DELETE", f"/api/v1/automations/{made.id}").status == 409


ROUTES = [
    ("GET", "", "jobs:read"),
    ("POST", "", "jobs:write"),
    ("GET", "/{id}", "jobs:read"),
    ("PATCH", "/{id}", "jobs:write"),
    ("DELETE", "/{id}", "jobs:write"),
    ("POST", "/{id}/run", "jobs:trigger"),
    ("GET", "/{id}/versions", "jobs:read"),
    ("GET", "/{id}/versions/1", "jobs:read"),
]


@pytest.mark.parametrize(("method", "tail", "scope"), ROUTES)
def test_every_automation_route_refuses_what_it_must(desk: Desk, method: str, tail: str, scope: str) -> None:
    """401 without a key, 403 naming the scope, 422 for a bad id, 404 for another project's."""
    made = desk.define(step("a"))
    path = f"/api/v1/automations{tail}"
    body = {"name": "n", "config": {"steps": [step("a")]}} if tail in ("", "/{id}") and method != "GET" else None
    desk.add_key("weak", "runs:read", "runs:write")
    desk.add_key("right", scope)
    desk.add_key("other", scope, project="elsewhere")
    mine = path.format(id=made["id"])
    assert desk.send(method, mine, body, key=None).status == 401
    assert desk.send(method, mine, body, key="weak").json == {"detail": f"This key lacks the scope '{scope}'"}
    if tail:
        assert desk.send(method, path.format(id="x"), body).json["detail"][0]["loc"] == ["path", "automation_id"]
        assert desk.send(method, mine, body, key="other").status == 404
        assert desk.send(method, path.format(id=uuid4()), body).status == 404
    assert desk.send(method, mine, body, key="right").status in (200, 201, 204)


@pytest.mark.parametrize(
    ("raw", "headers", "status", "said"),
    [
        ("{", {}, 422, "json_invalid"),
        ('{"name": NaN}', {}, 422, "NaN is no JSON"),
        ('{"name": "a", "name": "b"}', {}, 422, "duplicate key"),
        ("[" * 100_000, {}, 422, "nested deeper"),
        ('{"name": "' + "a" * (1024 * 1024) + '"}', {}, 422, "larger than"),
        ('{"name": "a"}', {"content-type": "text/plain"}, 422, "Content-Type"),
        ('{"name": "a"}', {"content-type": "multipart/form-data"}, 422, "Content-Type"),
    ],
)
def test_bad_bodies(desk: Desk, raw: str, headers: dict[str, str], status: int, said: str) -> None:
    """Refused in shape, whatever the body is."""
    answer = desk.post("/automations", raw=raw, headers=headers)
    assert answer.status == status
    assert said in answer.text
    assert "detail" in answer.json


def test_bytes_that_are_no_utf_8(desk: Desk) -> None:
    """A binary body, as the gateway hands it over in base64, is refused in shape."""
    answer = desk.post("/automations", raw="/////w==", isBase64Encoded=True)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/merge-patch+json", ""])
def test_json_may_come_under_other_names(desk: Desk, kind: str) -> None:
    """With a charset, as +json, or without any content type."""
    answer = desk.post("/automations", {"name": "a", "config": {"steps": [step("a")]}}, headers={"content-type": kind})
    assert answer.status == 201


def test_keys_come_as_header_and_cookie_too(desk: Desk) -> None:
    """X-API-Key and the cookie work; a change by cookie from another site's page doesn't."""
    made = desk.define(step("a"))
    key = {"X-API-Key": "secret-of-admin"}
    assert desk.get("/automations", key=None, headers=key).status == 200
    cookie = {"cookies": ["vai_token=secret-of-admin"]}
    assert desk.get("/automations", key=None, **cookie).status == 200
    path = f"/automations/{made['id']}/run"
    assert desk.post(path, key=None, headers={"host": "q.test", "origin": "https://q.test"}, **cookie).status == 201
    forged = desk.post(path, key=None, headers={"host": "q.test", "origin": "https://evil.test"}, **cookie)
    assert forged.status == 403
    bad = desk.get("/automations", key="wrong")
    assert (bad.status, bad.json) == (401, {"detail": "Invalid API key"})


def test_an_event_automation_is_refused(desk: Desk) -> None:
    """Nothing would ever fire it: better said than stored."""
    config = {"steps": [{"key": "a", "kind": "set", "config": {"values": {"x": 1}}}]}
    answer = desk.post("/automations", {"name": "e", "config": config, "triggerType": "event"})
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["body", "triggerType"]
