"""/v1/workflow-runs and /v1/events: runs of workflows, and what people do to their steps."""

from typing import Any

import pytest
from jobs_desk import Desk

PAY = "https://example.com/pay"
GATE = {"step_ref": "gate", "step_type": "approval", "message": "Pay?"}
CALL = {"step_ref": "call", "endpoint": PAY, "depends_on": ["gate"]}


def started(desk: Desk, *steps: dict[str, Any], **body: Any) -> str:
    """A run of a workflow of these steps, driven as far as it goes; its id."""
    workflow = desk.post("/workflows", {"name": "Order", "steps": list(steps)})
    assert workflow.status == 201, workflow.text
    run = desk.post(f"/workflows/{workflow.json['id']}/trigger", body)
    assert run.status == 201, run.text
    desk.drive()
    return str(run.json["id"])


def run_of(desk: Desk, run_id: str) -> dict[str, Any]:
    """The run as it is read."""
    found: dict[str, Any] = desk.get(f"/workflow-runs/{run_id}").json
    return found


def steps_of(desk: Desk, run_id: str) -> dict[str, dict[str, Any]]:
    """The steps by step_ref."""
    return {step["step_ref"]: step for step in desk.get(f"/workflow-runs/{run_id}/steps").json}


def act(desk: Desk, run_id: str, step: str, verb: str, **body: Any) -> int:
    """Does something to a step, and drives what follows; the answer's status."""
    answer = desk.post(f"/workflow-runs/{run_id}/steps/{step}/{verb}", body or None)
    desk.drive()
    return answer.status


def test_a_workflow_runs_through_all_its_step_types(desk: Desk) -> None:
    """Approval, condition, sleep, job, sub_workflow, event and endpoint, each seeing what came before."""
    desk.endpoints.replies["https://example.com/work"] = [(200, {"sum": 8})]
    job = desk.job("a")["id"]
    inner = desk.post("/workflows", {"name": "inner", "steps": [{"step_ref": "only", "endpoint": PAY}]}).json["id"]
    run_id = started(
        desk,
        GATE | {"fields": {"amount": {"type": "integer", "required": True}}},
        {"step_ref": "no", "endpoint": PAY, "depends_on": ["gate"], "condition": "steps.gate.fields.amount > 100"},
        {"step_ref": "nap", "step_type": "sleep", "duration_secs": 90, "depends_on": ["gate"]},
        {
            "step_ref": "job",
            "job_id": job,
            "depends_on": ["nap"],
            "payload": {"amount": "{% steps.gate.fields.amount %}"},
        },
        {"step_ref": "sub", "step_type": "sub_workflow", "workflow_id": inner, "depends_on": ["job"]},
        {
            "step_ref": "event",
            "step_type": "wait_for_event",
            "event_key": "order-{% input.id %}",
            "depends_on": ["sub"],
        },
        {"step_ref": "call", "endpoint": PAY, "depends_on": ["event", "no"], "payload": "{% steps.event %}"},
        payload={"id": 7},
    )
    waiting = steps_of(desk, run_id)["gate"]["waiting"]
    assert (waiting["reason"], waiting["message"]) == ("approval", "Pay?")
    assert waiting["fields"]["required"] == ["amount"]
    assert act(desk, run_id, "gate", "approve", fields={"amount": "5"}) == 400
    assert act(desk, run_id, "gate", "approve", comment="fine", fields={"amount": 5}) == 200
    assert steps_of(desk, run_id)["nap"]["waiting"] == {"reason": "sleep", "until": "2026-01-01T00:01:30.000Z"}
    desk.pass_time(100)
    steps = steps_of(desk, run_id)
    assert steps["no"]["skip_reason"] == "condition"
    assert (steps["job"]["output"], steps["job"]["step_type"]) == ({"sum": 8}, "job")
    assert desk.get(f"/runs/{steps['job']['child_run_id']}").json["payload"] == {"amount": 5}
    assert desk.get(f"/workflow-runs/{steps['sub']['child_run_id']}").json["payload"] == {"id": 7}
    assert (steps["event"]["status"], steps["event"]["waiting"]["event_key"]) == ("waiting", "order-7")
    assert desk.post("/events", {"event_key": "order-7", "payload": {"paid": True}}).json == {
        "event_key": "order-7",
        "delivered": 1,
    }
    desk.drive()
    run = run_of(desk, run_id)
    assert (run["status"], run["output"], run["step_counts"]) == (
        "completed",
        {"ok": True},
        {"completed": 6, "skipped": 1},
    )
    assert desk.endpoints.calls[-1].body == b'{"paid":true}'
    assert desk.get(f"/runs/{run_id}").json["status"] == "completed"


def test_a_trigger_says_what_was_asked(desk: Desk) -> None:
    """Its fields are the run's, and an idempotency key makes it one run."""
    workflow = desk.post("/workflows", {"name": "Order", "steps": [GATE]}).json
    asked = {"payload": [1], "tags": {"team": "shop"}, "metadata": {"a": "b"}, "idempotency_key": "k"}
    first = desk.post(f"/workflows/{workflow['id']}/trigger", asked).json
    again = desk.post(f"/workflows/{workflow['id']}/trigger", asked).json
    assert (first["idempotency_hit"], again["idempotency_hit"], again["id"]) == (False, True, first["id"])
    assert {name: first[name] for name in asked} == asked
    assert (first["workflow_id"], first["workflow_version"]) == (workflow["id"], 1)
    assert desk.post(f"/workflows/{workflow['id']}/trigger", asked | {"payload": [2]}).status == 409
    assert desk.post(f"/workflows/{workflow['id']}/trigger", {"priority": 3}).fields == {"priority"}
    later = desk.post(f"/workflows/{workflow['id']}/trigger", {"scheduled_at": "2026-01-02T00:00:00Z"}).json
    assert (later["status"], later["scheduled_at"]) == ("delayed", "2026-01-02T00:00:00.000Z")
    desk.patch(f"/workflows/{workflow['id']}", {"enabled": False})
    assert desk.post(f"/workflows/{workflow['id']}/trigger").error["code"] == "bad_request"
    assert desk.post("/workflows/nothing/trigger").status == 404


def test_runs_are_listed_by_workflow_and_status(desk: Desk) -> None:
    """Runs of jobs are not among them; retried ones and those started by other workflows are."""
    inner = desk.post("/workflows", {"name": "inner", "steps": [{"step_ref": "only", "endpoint": PAY}]}).json["id"]
    desk.endpoints.replies[PAY] = [(400, None), (200, {})]
    outer = started(desk, {"step_ref": "sub", "step_type": "sub_workflow", "workflow_id": inner})
    desk.trigger(desk.job("a")["id"])
    again = desk.post(f"/workflow-runs/{outer}/retry").json["id"]
    desk.drive()
    child = steps_of(desk, again)["sub"]["child_run_id"]
    assert {one["id"] for one in desk.get("/workflow-runs").json} >= {outer, again, child}
    assert len(desk.get("/workflow-runs").json) == 4
    assert {one["workflow_id"] for one in desk.get(f"/workflow-runs?workflow_id={inner}").json} == {inner}
    assert [
        one["id"]
        for one in desk.get(f"/workflow-runs?workflow_id={run_of(desk, outer)['workflow_id']}&status=failed").json
    ] == [outer]
    assert run_of(desk, again)["continuation_of"] == outer
    page = desk.get("/workflow-runs?limit=3&envelope=true").json
    assert page["has_more"] is True
    assert len(desk.get(f"/workflow-runs?limit=3&cursor={page['next_cursor']}").json) == 1


def test_a_step_is_skipped_by_hand(desk: Desk) -> None:
    """What depends on it alone is skipped too; a second skip comes too late."""
    run_id = started(desk, GATE, CALL)
    assert act(desk, run_id, "gate", "skip", reason="holiday") == 200
    assert act(desk, run_id, "gate", "skip") == 409
    steps = steps_of(desk, run_id)
    assert (steps["gate"]["skip_reason"], steps["call"]["skip_reason"]) == ("by_hand", "upstream_skipped")
    assert run_of(desk, run_id)["status"] == "completed"
    (entry,) = [
        one for one in desk.get(f"/workflow-runs/{run_id}/timeline").json if one["summary"].startswith("skipped by")
    ]
    assert (entry["summary"], entry["by"]) == ("skipped by hand: holiday", run_of(desk, run_id)["created_by"])


def test_a_step_is_completed_by_hand(desk: Desk) -> None:
    """With an output that others see."""
    run_id = started(desk, GATE, CALL | {"payload": "{% steps.gate %}"})
    assert act(desk, run_id, "gate", "force-complete", output={"n": 1}) == 200
    assert steps_of(desk, run_id)["gate"]["output"] == {"n": 1}
    assert desk.endpoints.calls[-1].body == b'{"n":1}'
    assert act(desk, run_id, "gate", "force-complete", output=2) == 409


def test_a_rejection_fails_the_step(desk: Desk) -> None:
    """And the workflow, unless the step's on_failure says otherwise."""
    run_id = started(desk, GATE, CALL)
    assert act(desk, run_id, "gate", "approve", approved=False, comment="no") == 200
    run = run_of(desk, run_id)
    assert (run["status"], run["failed_step"]) == ("failed", "gate")
    assert run["error"].startswith("Rejected: rejected by ")
    assert act(desk, run_id, "gate", "approve") == 409


def test_a_resting_step_is_retried_at_once(desk: Desk) -> None:
    """Its policy would have let it rest for minutes; a step that does not rest is refused."""
    desk.endpoints.replies[PAY] = [(500, None), (200, {"ok": 1})]
    call = {
        "step_ref": "call",
        "endpoint": PAY,
        "max_attempts": 2,
        "retry_strategy": "fixed",
        "retry_initial_delay_secs": 600,
    }
    run_id = started(desk, call, GATE)
    step = steps_of(desk, run_id)["call"]
    assert (step["status"], step["waiting"]["reason"], step["attempt"]) == ("waiting", "retry", 1)
    assert act(desk, run_id, "gate", "retry") == 409
    assert act(desk, run_id, "call", "retry") == 200
    step = steps_of(desk, run_id)["call"]
    assert (step["status"], step["attempt"], step["output"]) == ("completed", 2, {"ok": 1})
    timeline = [
        one["summary"] for one in desk.get(f"/workflow-runs/{run_id}/timeline").json if one.get("step_ref") == "call"
    ]
    assert timeline[1].startswith("failed: HttpStatus")
    assert timeline[2:] == ["tried again at once", "started", "completed"]


def test_an_ended_run_is_retried_from_a_step_or_from_its_failures(desk: Desk) -> None:
    """As a new run, which takes over what came before."""
    desk.endpoints.replies[PAY] = [(400, None), (200, {})]
    run_id = started(desk, GATE, CALL)
    assert desk.post(f"/workflow-runs/{run_id}/retry").status == 409
    act(desk, run_id, "gate", "approve")
    assert run_of(desk, run_id)["status"] == "failed"
    assert desk.post(f"/workflow-runs/{run_id}/retry", {"from_step": "nothing"}).fields == {"from_step"}
    by_step = desk.post(f"/workflow-runs/{run_id}/steps/call/retry")
    assert by_step.status == 201
    desk.drive()
    for again in (by_step.json["id"], desk.post(f"/workflow-runs/{run_id}/retry").json["id"]):
        desk.drive()
        run = run_of(desk, again)
        assert (run["status"], run["continuation_of"]) == ("completed", run_id)
        assert steps_of(desk, again)["gate"]["output"]["approved"] is True
    whole = desk.post(f"/workflow-runs/{run_id}/retry", {"from_step": "gate"}).json["id"]
    desk.drive()
    assert steps_of(desk, whole)["gate"]["status"] == "waiting"


def test_a_paused_run_begins_no_step_until_it_is_resumed(desk: Desk) -> None:
    """The timeline says how long it was held."""
    run_id = started(desk, GATE, CALL)
    assert desk.post(f"/workflow-runs/{run_id}/pause").json["status"] == "paused"
    assert desk.post(f"/workflow-runs/{run_id}/pause").status == 409
    act(desk, run_id, "gate", "approve")
    assert (run_of(desk, run_id)["status"], desk.endpoints.calls) == ("paused", [])
    desk.clock.advance(60)
    assert desk.post(f"/workflow-runs/{run_id}/resume").status == 200
    desk.drive()
    assert run_of(desk, run_id)["status"] == "completed"
    (entry,) = [
        one
        for one in desk.get(f"/workflow-runs/{run_id}/timeline").json
        if one["event"] == "run.resumed" and "by" in one
    ]
    assert entry["duration_secs"] == 60


def test_a_canceled_run_cancels_what_its_steps_started(desk: Desk) -> None:
    """Their runs too."""
    inner = desk.post("/workflows", {"name": "inner", "steps": [GATE]}).json["id"]
    run_id = started(desk, {"step_ref": "sub", "step_type": "sub_workflow", "workflow_id": inner})
    child = steps_of(desk, run_id)["sub"]["child_run_id"]
    assert desk.post(f"/workflow-runs/{run_id}/cancel").json["status"] == "canceled"
    assert run_of(desk, child)["status"] == "canceled"
    assert desk.post(f"/workflow-runs/{run_id}/cancel").status == 409


def test_a_timeline_is_paged(desk: Desk) -> None:
    """Its parts make up the whole."""
    run_id = started(desk, GATE)
    whole = desk.get(f"/workflow-runs/{run_id}/timeline").json
    assert [one["event"] for one in whole] == ["run.created", "run.started", "step.waiting", "run.waiting"]
    first = desk.get(f"/workflow-runs/{run_id}/timeline?limit=3")
    rest = desk.get(f"/workflow-runs/{run_id}/timeline?limit=3&cursor={first.headers['x-next-cursor']}")
    assert first.json + rest.json == whole
    assert "x-next-cursor" not in rest.headers
    assert desk.get(f"/workflow-runs/{run_id}/timeline?cursor=x").status == 400


@pytest.mark.parametrize("verb", ["approve", "skip", "force-complete", "retry"])
def test_steps_that_are_not_there_are_not_found(desk: Desk, verb: str) -> None:
    """Nor those of runs that aren't, or that another project owns."""
    run_id = started(desk, GATE)
    missing = "019b76da-0000-7000-8000-000000000000"
    for place in (f"{run_id}/steps/nothing", f"{missing}/steps/gate", "x/steps/gate"):
        assert desk.post(f"/workflow-runs/{place}/{verb}").status == 404


def test_an_event_reaches_steps_of_its_own_project_only(desk: Desk) -> None:
    """The project may be named; another one is not found; a key is needed."""
    run_id = started(desk, {"step_ref": "event", "step_type": "wait_for_event", "event_key": "paid"})
    assert desk.post("/events", {"event_key": "paid", "project_id": "other"}).status == 404
    assert desk.post("/events", {"event_key": "refunded"}).json == {"event_key": "refunded", "delivered": 0}
    for body in ({}, {"event_key": ""}, {"event_key": "x" * 257}, {"event_key": 1}, {"event_key": "x", "other": 1}):
        assert desk.post("/events", body).status == 400
    assert desk.post("/events", {"event_key": "paid", "project_id": "default"}).json["delivered"] == 1
    desk.drive()
    assert run_of(desk, run_id)["status"] == "completed"
