"""/v1/workflows: definitions, their checks, and what they come to before they run."""

from typing import Any

import pytest
from jobs_desk import Desk

GATE = {"step_ref": "gate", "step_type": "approval", "message": "Pay?", "approvers": ["ada"], "timeout_secs": 60}
CALL = {"step_ref": "call", "endpoint": "https://example.com/pay", "depends_on": ["gate"]}
STEPS = [GATE, CALL]


def made(desk: Desk, **fields: Any) -> dict[str, Any]:
    """Creates a workflow and answers its JSON."""
    answer = desk.post("/workflows", {"name": "Order", "steps": STEPS, **fields})
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def faults(desk: Desk, steps: list[dict[str, Any]]) -> dict[str, str]:
    """What is wrong with steps, by field."""
    answer = desk.post("/workflows", {"name": "Order", "steps": steps})
    assert (answer.status, answer.error["code"]) == (400, "validation_failed"), answer.text
    return {one["field"]: one["message"] for one in answer.error["details"]}


def test_a_workflow_is_shown_as_it_was_written(desk: Desk) -> None:
    """With the fields that a workflow always has; nothing that was not said."""
    shown = made(desk, description="of a shop", tags={"team": "shop"}, timeout_secs=3600)
    assert desk.get(f"/workflows/{shown['id']}").json == shown
    assert shown["steps"] == STEPS
    assert shown | {"id": "", "version_id": ""} == {
        "id": "",
        "project_id": "default",
        "name": "Order",
        "slug": "order",
        "description": "of a shop",
        "steps": STEPS,
        "tags": {"team": "shop"},
        "timeout_secs": 3600,
        "enabled": True,
        "version": 1,
        "version_id": "",
        "created_by": shown["created_by"],
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
    }


def test_a_workflow_is_found_by_slug_and_listed_by_tag(desk: Desk) -> None:
    """Slugs are unique among workflows only; lists have neither steps nor other jobs."""
    first, second = made(desk, tags={"team": "shop"}), made(desk)
    assert (first["slug"], second["slug"]) == ("order", "order-2")
    for query in ("?project_id=default", ""):
        assert desk.get(f"/workflows/order{query}").json["id"] == first["id"]
    assert desk.get("/workflows/order?project_id=other").status == 404
    assert desk.post("/workflows", {"name": "x", "slug": "order", "steps": STEPS}).status == 409
    job = desk.job("order")
    assert desk.get(f"/workflows/{job['id']}").status == 404
    listed = desk.get("/workflows").json
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    assert all("steps" not in one for one in listed)
    assert [one["id"] for one in desk.get("/workflows?tag_key=team&tag_value=shop").json] == [first["id"]]
    page = desk.get("/workflows?limit=1")
    following = desk.get(f"/workflows?limit=1&cursor={page.headers['x-next-cursor']}")
    assert [one["id"] for one in page.json + following.json] == [second["id"], first["id"]]


def test_a_change_makes_a_version_and_enabling_does_not(desk: Desk) -> None:
    """Versions stay readable with their steps; what is not named stays; null clears; the same again changes nothing."""
    first = made(desk, description="old")
    same = desk.patch(f"/workflows/{first['id']}", {"name": "Order", "steps": STEPS})
    assert same.json == first
    off = desk.patch(f"/workflows/{first['id']}", {"enabled": False}).json
    assert (off["enabled"], off["version"]) == (False, 1)
    changed = desk.patch(f"/workflows/{first['id']}", {"steps": [GATE], "description": None}).json
    assert (changed["version"], changed["steps"], changed["enabled"]) == (2, [GATE], False)
    assert "description" not in changed
    versions = desk.get(f"/workflows/{first['id']}/versions").json
    assert [one["version"] for one in versions] == [2, 1]
    oldest = desk.get(f"/workflows/{first['id']}/versions/{versions[1]['id']}").json
    assert (oldest["steps"], oldest["description"], oldest["workflow_id"]) == (STEPS, "old", first["id"])
    for field in ("name", "slug", "steps"):
        assert desk.patch(f"/workflows/{first['id']}", {field: None}).fields == {field}


def test_a_schedule_is_kept_while_it_stays_the_same(desk: Desk) -> None:
    """A change of something else does not skip a moment; switched off, there is none."""
    shown = made(desk, cron="30 9 * * *", timezone="Europe/Berlin")
    assert shown["next_run_at"] == "2026-01-01T08:30:00.000Z"
    assert desk.patch(f"/workflows/{shown['id']}", {"description": "x"}).json["next_run_at"] == shown["next_run_at"]
    assert "next_run_at" not in desk.patch(f"/workflows/{shown['id']}", {"enabled": False}).json
    moved = desk.patch(f"/workflows/{shown['id']}", {"enabled": True, "cron": "0 0 2 1 *", "timezone": None}).json
    assert moved["next_run_at"] == "2026-01-02T00:00:00.000Z"
    gone = desk.patch(f"/workflows/{shown['id']}", {"cron": None}).json
    assert "next_run_at" not in gone
    for fields in ({"cron": "x"}, {"cron": "* * * * *", "timezone": "Mars"}, {"timezone": "UTC"}):
        answer = desk.post("/workflows", {"name": "a", "steps": STEPS, **fields})
        assert answer.fields == {"cron"} if fields == {"cron": "x"} else {"timezone"}


def test_a_scheduled_workflow_runs_by_itself(desk: Desk) -> None:
    """The tick triggers it; its run is listed like any other."""
    shown = made(desk, cron="0 1 * * *", steps=[CALL | {"depends_on": []}])
    desk.clock.advance(3600)
    desk.services.tick()
    desk.drive()
    (run,) = desk.get("/workflow-runs").json
    assert (run["workflow_id"], run["triggered_by"], run["status"]) == (shown["id"], "cron", "completed")


FAULTS: list[tuple[list[dict[str, Any]], str]] = [
    ([CALL], "steps[0].depends_on[0]"),
    ([GATE | {"depends_on": ["gate"]}], "steps[0].depends_on[0]"),
    ([GATE | {"depends_on": ["call"]}, CALL], "steps[0].depends_on"),
    ([GATE, GATE], "steps[1].step_ref"),
    ([GATE | {"step_ref": "a b"}], "steps[0].step_ref"),
    ([{"step_ref": "a"}], "steps[0].step_type"),
    ([{"step_ref": "a", "step_type": "job"}], "steps[0].job_id"),
    ([{"step_ref": "a", "job_id": "nothing"}], "steps[0].job_id"),
    ([{"step_ref": "a", "step_type": "sub_workflow", "workflow_id": "nothing"}], "steps[0].workflow_id"),
    ([{"step_ref": "a", "step_type": "wait_for_event"}], "steps[0].event_key"),
    ([{"step_ref": "a", "step_type": "sleep"}], "steps[0].duration_secs"),
    (
        [{"step_ref": "a", "step_type": "sleep", "duration_secs": 1, "until": "2026-01-01T00:00:00Z"}],
        "steps[0].duration_secs",
    ),
    ([{"step_ref": "a", "step_type": "sleep", "until": "tomorrow"}], "steps[0].until"),
    ([{"step_ref": "a", "step_type": "sleep", "duration_secs": 1, "payload": {}}], "steps[0].payload"),
    ([{"step_ref": "a", "endpoint": "https://internal/x"}], "steps[0].endpoint"),
    ([{"step_ref": "a", "endpoint": "https://example.com", "job_id": "x"}], "steps[0].endpoint"),
    ([GATE | {"condition": "input.("}], "steps[0].condition"),
    ([GATE | {"condition": "steps.nothing"}], "steps[0].condition"),
    ([GATE | {"message": "{% steps.nothing %}"}], "steps[0].message"),
    ([GATE | {"fields": {"n": {"type": "no"}}}], "steps[0].fields"),
    ([GATE | {"retry_strategy": "custom", "max_attempts": 2}], "steps[0].retry_delays_secs"),
    ([GATE | {"retry_delays_secs": [1], "max_attempts": 2}], "steps[0].retry_delays_secs"),
    ([GATE | {"retry_strategy": "fixed"}], "steps[0].retry_strategy"),
    ([GATE | {"max_attempts": 0}], "steps[0].max_attempts"),
    ([GATE | {"on_failure": "explode"}], "steps[0].on_failure"),
    ([GATE | {"tiemout_secs": 1}], "steps[0].tiemout_secs"),
    ([], "steps"),
]


@pytest.mark.parametrize(("steps", "field"), FAULTS)
def test_every_fault_of_a_step_has_its_place(desk: Desk, steps: list[dict[str, Any]], field: str) -> None:
    """By this API's own names; nothing is stored."""
    assert field in faults(desk, steps)
    assert desk.get("/workflows").json == []


def test_a_job_is_no_workflow_and_a_workflow_no_job(desk: Desk) -> None:
    """Each is named by its own field."""
    job, workflow = desk.job("a")["id"], made(desk)["id"]
    assert faults(desk, [{"step_ref": "a", "job_id": workflow}]).keys() == {"steps[0].job_id"}
    sub = {"step_ref": "a", "step_type": "sub_workflow"}
    assert faults(desk, [sub | {"workflow_id": job}]).keys() == {"steps[0].workflow_id"}
    made(desk, steps=[{"step_ref": "a", "job_id": job}, sub | {"step_ref": "b", "workflow_id": workflow}])


def test_a_workflow_with_active_runs_is_not_deleted(desk: Desk) -> None:
    """Afterwards it is; its runs stay readable."""
    shown = made(desk)
    run = desk.post(f"/workflows/{shown['id']}/trigger").json
    desk.drive()
    assert desk.delete(f"/workflows/{shown['id']}").status == 409
    desk.post(f"/workflow-runs/{run['id']}/cancel")
    assert desk.delete(f"/workflows/{shown['id']}").status == 204
    assert desk.get(f"/workflows/{shown['id']}").status == 404
    assert desk.get(f"/workflow-runs/{run['id']}").json["status"] == "canceled"
    assert [one["step_type"] for one in desk.get(f"/workflow-runs/{run['id']}/steps").json] == ["approval", "endpoint"]


DIAMOND = [
    {"step_ref": "end", "endpoint": "https://example.com", "depends_on": ["left", "right"]},
    {"step_ref": "begin", "endpoint": "https://example.com"},
    {"step_ref": "left", "endpoint": "https://example.com", "depends_on": ["begin"], "condition": "input.n > 3"},
    {"step_ref": "right", "name": 'the "right" one', "endpoint": "https://example.com", "depends_on": ["begin"]},
]


def test_a_plan_says_which_steps_run_at_once(desk: Desk) -> None:
    """Level by level, in whatever order they were written."""
    shown = made(desk, steps=DIAMOND)
    plan = desk.get(f"/workflows/{shown['id']}/plan").json
    assert [[step["step_ref"] for step in level["steps"]] for level in plan["levels"]] == [
        ["begin"],
        ["left", "right"],
        ["end"],
    ]
    assert (plan["total_steps"], plan["version"]) == (4, 1)


def test_a_graph_has_nodes_and_edges_and_a_picture(desk: Desk) -> None:
    """The picture's node names are no words of its language, and labels are quoted."""
    shown = made(desk, steps=DIAMOND)
    graph = desk.get(f"/workflows/{shown['id']}/graph").json
    assert {node["id"]: node["level"] for node in graph["nodes"]} == {"begin": 0, "left": 1, "right": 1, "end": 2}
    assert {(edge["source"], edge["target"]) for edge in graph["edges"]} == {
        ("begin", "left"), ("begin", "right"), ("left", "end"), ("right", "end")
    }  # fmt: skip
    picture = desk.get(f"/workflows/{shown['id']}/graph?format=mermaid")
    assert picture.headers["content-type"].startswith("text/plain")
    assert picture.text.splitlines() == [
        "flowchart TD",
        '  s0["end<br/><small>endpoint</small>"]',
        '  s1["begin<br/><small>endpoint</small>"]',
        '  s2["left<br/><small>endpoint</small>"]',
        '  s3["the #quot;right#quot; one<br/><small>endpoint</small>"]',
        "  s2 --> s0",
        "  s3 --> s0",
        "  s1 -. if .-> s2",
        "  s1 --> s3",
    ]


def test_a_dry_run_says_what_a_payload_comes_to(desk: Desk) -> None:
    """Conditions on the payload are tried; what hangs on results can't be known; nothing is started."""
    on_result = {
        "step_ref": "maybe",
        "endpoint": "https://example.com",
        "depends_on": ["begin"],
        "condition": "steps.begin.ok",
    }
    behind = {"step_ref": "behind", "endpoint": "https://example.com", "depends_on": ["maybe"]}
    after_left = {"step_ref": "after", "endpoint": "https://example.com", "depends_on": ["left"]}
    by_run = {"step_ref": "late", "endpoint": "https://example.com", "condition": "$now() > '2026'"}
    shown = made(desk, steps=[*DIAMOND, on_result, behind, after_left, by_run])
    said = desk.post(f"/workflows/{shown['id']}/dry-run", {"payload": {"n": 1}}).json
    assert (said["valid"], said["errors"]) == (True, [])
    assert {step["step_ref"]: step["outcome"] for step in said["order"]} == {
        "begin": "runs",
        "late": "unknown",
        "left": "skipped",
        "right": "runs",
        "maybe": "unknown",
        "end": "runs",
        "behind": "unknown",
        "after": "skipped",
    }
    more = desk.post(f"/workflows/{shown['id']}/dry-run", {"payload": {"n": 4}}).json
    assert {step["step_ref"] for step in more["order"] if step["outcome"] == "runs"} == {
        "begin",
        "left",
        "right",
        "end",
        "after",
    }
    assert desk.get("/workflow-runs").json == []
    assert desk.endpoints.calls == []


def test_a_dry_run_tells_the_faults_of_other_steps(desk: Desk) -> None:
    """Malformed ones too: that is what it is for."""
    shown = made(desk)
    for steps, field in FAULTS:
        said = desk.post(f"/workflows/{shown['id']}/dry-run", {"steps": steps}).json
        assert said["valid"] is False, steps
        assert field in {fault["field"] for fault in said["errors"]}
        assert said["order"] == []


def test_a_dry_run_warns_of_what_may_surprise(desk: Desk) -> None:
    """A disabled job, waits without an end."""
    job = desk.job("a", enabled=False)["id"]
    endless = {"step_ref": "event", "step_type": "wait_for_event", "event_key": "x"}
    shown = made(desk, steps=[{"step_ref": "a", "job_id": job}, endless])
    said = desk.post(f"/workflows/{shown['id']}/dry-run", {}).json
    assert {fault["field"] for fault in said["warnings"]} == {"steps[0].job_id", "steps[1].timeout_secs"}
