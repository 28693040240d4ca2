"""What requests of one project can't reach in another, whatever their bodies name; and keys that have ended."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.contract import etl_things
from tests.contract.authorization_stage import REPORTING_URL, STRANGER, Stage
from tests.contract.route_table import MARK, ROUTES
from tests.unit.jobs.jobs_desk import URL

from quintet.web.gate import PUBLIC

NAMING = [route for route in ROUTES if route.scope != PUBLIC and route.parameters and route.name not in etl_things.OWN]
READS = [route for route in ROUTES if route.method == "GET" and not route.parameters]

# --- things that bodies name ---------------------------------------------------------------------------------------------------


def reaching(stage: Stage) -> Iterator[tuple[str, str, str, Any]]:
    """Requests of a stranger's own whose bodies name the owner's things: key, method, path, body."""
    things, endpoint = stage.things, {"name": "own", "endpoint_url": URL}
    approval = {"step_ref": "a", "step_type": "approval"}
    job = f"/v1/jobs/{stage.make('/v1/jobs', endpoint, key=STRANGER)['id']}"
    workflow = stage.make("/v1/workflows", {"name": "own", "steps": [approval]}, key=STRANGER)["id"]
    reporting = stage.make("/v1/jobs", {"name": "own", "endpoint_url": REPORTING_URL}, key=STRANGER)["id"]
    run = stage.make(f"/v1/jobs/{reporting}/trigger", key=STRANGER)
    stage.desk.drive()
    yield run["run_token"], "POST", f"/sdk/v1/runs/{run['id']}/spawn", {"job_id": things["job"]}
    for step in (
        {"step_ref": "a", "job_id": things["job"]},
        {"step_ref": "a", "step_type": "sub_workflow", "workflow_id": things["workflow"]},
    ):
        yield STRANGER, "POST", "/v1/workflows", {"name": "w", "steps": [step]}
        yield STRANGER, "PATCH", f"/v1/workflows/{workflow}", {"steps": [step]}
        yield STRANGER, "POST", "/v1/jobs", {"name": "j", "tasks": [step]}
    yield STRANGER, "POST", "/v1/jobs", {**endpoint, "group_id": things["group"]}
    yield STRANGER, "PATCH", job, {"group_id": things["group"]}
    yield STRANGER, "POST", f"{job}/dependencies", {"depends_on_job_id": things["job"]}
    yield STRANGER, "POST", f"{job}/trigger", {"payload_ref": things["upload"]}
    theirs = stage.ask("GET", f"/webrobot/api/datasets/{etl_things.LEFT}").json

    def make(method: str, path: str, body: Any = None) -> Any:
        answer = stage.ask(method, path, body, key=STRANGER)
        assert answer.status in (200, 201), (path, answer.text)
        return answer.json

    for method, path, body in etl_things.reaching(stage.desk, make, theirs):
        yield STRANGER, method, path, body


def test_bodies_reach_nothing_of_others() -> None:
    """Neither to run it, nor to wait for it, nor to join it; and the owner's own such requests pass."""
    stage = Stage()
    owners = stage.everything()
    for key, method, path, body in reaching(stage):
        answer = stage.ask(method, path, body, key=key)
        assert answer.status in (400, 404), (path, body, answer.text)
        assert MARK not in answer.text
    assert stage.everything() == owners
    own = f"/v1/jobs/{stage.things['job']}"
    assert stage.ask("POST", f"{own}/trigger", {"payload_ref": stage.things["upload"]}).status == 201
    assert (
        stage.ask("PATCH", f"/v1/jobs/{stage.things['spare_job']}", {"group_id": stage.things["group"]}).status == 200
    )
    tasks = [{"step_ref": "a", "job_id": stage.things["job"]}]
    assert stage.ask("POST", "/v1/jobs", {"name": "j", "tasks": tasks}).status == 201


def test_a_step_calls_no_job_of_others() -> None:
    """An automation may reckon the id of what it calls, so that it is judged when the step runs: the step fails, and nothing starts."""
    stage = Stage()
    owners = stage.everything()
    for called in ("automation", "job", "workflow"):
        step = {"key": "a", "kind": "call_automation", "config": {"automationId": stage.things[called]}}
        made = stage.make("/api/v1/automations", {"name": "a", "config": {"steps": [step]}}, key=STRANGER)
        run = stage.make(f"/api/v1/automations/{made['id']}/run", key=STRANGER)["id"]
        stage.desk.drive()
        ended = stage.ask("GET", f"/api/v1/automation-runs/{run}", key=STRANGER).json
        assert (ended["status"], MARK in str(ended)) == ("failed", False)
    assert stage.everything() == owners


def test_many_at_once_reach_nothing_of_others() -> None:
    """Each item is refused as one alone would be, or counts for nothing; a slug that another project has is free."""
    stage = Stage()
    owners, things = stage.everything(), stage.things
    for verb, count in (("cancel", "canceled"), ("replay", "replayed")):
        body = {"run_ids": [things["waiting_run"], things["run"]]}
        answer = stage.ask("POST", f"/v1/runs/bulk-{verb}", body, key=STRANGER).json
        assert (answer[count], {one["error"]["code"] for one in answer["results"]}) == (0, {"not_found"})
    for verb in ("enable", "disable"):
        for body in ({"ids": [things["job"]]}, {"job_ids": [things["job"]]}, {"tag_key": MARK}):
            answer = stage.ask("POST", f"/v1/jobs/batch-{verb}", body, key=STRANGER)
            assert answer.status == 404 or answer.json == {"updated": 0}
    told = stage.ask("POST", "/v1/events", {"event_key": MARK, "payload": 1}, key=STRANGER)
    assert told.json["delivered"] == 0
    batch = {"jobs": [{"name": "n", "endpoint_url": "https://example.com/", "group_id": things["group"]},
                      {"name": "n", "endpoint_url": "https://example.com/", "project_id": stage.project}]}  # fmt: skip
    assert len(stage.ask("POST", "/v1/jobs/batch", batch, key=STRANGER).json["errors"]) == 2
    assert stage.ask("POST", "/v1/jobs/batch", batch["jobs"], key=STRANGER).status in (400, 404)
    same = {"name": "n", "slug": MARK, "endpoint_url": "https://example.com/"}
    assert stage.ask("POST", "/v1/jobs", same, key=STRANGER).status == 201
    assert stage.everything() == owners


def test_whoever_is_refused_has_changed_nothing() -> None:
    """The owner reads the same after every route was tried with every key that must not pass."""
    stage = Stage()
    owners = stage.everything()
    for route in NAMING:
        for key in (None, "qk_unknown", STRANGER, stage.child, *stage.tokens.values()):
            for path in stage.things.all_paths(route):
                assert stage.send(route, path, key).status in (401, 404)
    assert stage.everything() == owners


# --- keys that have ended --------------------------------------------------------------------------------------------------------


def statuses(stage: Stage, secret: str) -> set[int]:
    """What every list of every API answers to a key."""
    return {stage.send(route, route.rule, secret).status for route in READS}


@pytest.mark.parametrize("change", ["revoke", "rotate"])
def test_a_revoked_or_rotated_secret_is_out_within_30_seconds(change: str) -> None:
    """On every API, also on those that have just seen it; the new secret is in at once."""
    stage = Stage()
    made = stage.make("/v1/api-keys", {"name": "k", "scopes": ["*"]})
    assert statuses(stage, made["key"]) == {200}
    if change == "revoke":
        assert stage.ask("DELETE", f"/v1/api-keys/{made['id']}").status == 204
    else:
        assert statuses(stage, stage.make(f"/v1/api-keys/{made['id']}/rotate")["key"]) == {200}
    stage.desk.clock.advance(30)
    assert statuses(stage, made["key"]) == {401}


def test_an_expired_key_is_out_at_that_moment() -> None:
    """Also where it was just seen."""
    stage = Stage()
    made = stage.make("/v1/api-keys", {"name": "k", "scopes": ["*"], "expires_at": "2026-01-01T00:01:00Z"})
    stage.desk.clock.advance((datetime(2026, 1, 1, 0, 0, 59, tzinfo=UTC) - stage.desk.now()).total_seconds())
    assert statuses(stage, made["key"]) == {200}
    stage.desk.clock.advance(1)
    assert statuses(stage, made["key"]) == {401}


def test_a_deleted_projects_keys_are_out() -> None:
    """A project with a key that works stays; once it is gone, there are no keys of it, nor new ones."""
    stage = Stage()
    project = stage.make("/v1/projects", {"name": "short"})["id"]
    body = {"project_id": project, "name": "k", "scopes": ["admin"]}
    made = stage.make("/v1/api-keys", body)
    assert statuses(stage, made["key"]) == {200}
    assert stage.ask("DELETE", f"/v1/projects/{project}").status == 409
    assert stage.ask("DELETE", f"/v1/api-keys/{made['id']}").status == 204
    assert stage.ask("DELETE", f"/v1/projects/{project}").status == 204
    stage.desk.clock.advance(30)
    assert statuses(stage, made["key"]) == {401}
    assert stage.ask("POST", "/v1/api-keys", body).status == 404
    assert stage.ask("GET", f"/v1/api-keys/{made['id']}").status == 404
    assert stage.ask("POST", f"/v1/api-keys/{made['id']}/rotate").status == 404
