"""Automations that call automations."""

import pytest
from tests.local_cloud.client import Client, step

GATE = step("gate", kind="approval_gate")


def _call(automation_id: str, **config: object) -> dict[str, object]:
    return step("call", kind="call_automation", config={"automationId": automation_id, **config})


def _child(client: Client, automation_id: str) -> str:
    """The one run of an automation, once it is there."""
    found: list[str] = []

    def there() -> bool:
        page = client.good(client.get("/automation-runs", params={"automation_id": automation_id}))
        found[:] = [one["id"] for one in page["items"] if one["automationId"] == automation_id]
        return bool(found)

    client.until(there)
    assert len(found) == 1
    return found[0]


def test_a_called_automations_result_is_the_steps(client: Client) -> None:
    """The child gets the input, the parent its result; the child says who called it."""
    child = client.define(step("double", config={"values": {"twice": "{% input.n * 2 %}"}}))
    after = step("after", "call", config={"values": {"got": "{% steps.call.twice %}"}})
    run_id = client.start(_call(child["id"], input={"n": "{% input.n + 1 %}"}), after, body={"input": {"n": 20}})
    run = client.ended(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    assert client.steps(run_id)["after"]["result"] == {"got": 42}
    called = client.run(_child(client, child["id"]))
    assert (called["status"], called["triggerSourceType"], called["triggerSourceId"]) == ("completed", "run", run_id)


def test_a_failed_child_fails_the_step(client: Client) -> None:
    """The error names the child's run and what was wrong there."""
    child = client.define(step("bad", config={"values": {"x": "{% $error('no good') %}"}}))
    run = client.ended(client.start(_call(child["id"])))
    assert (run["status"], run["error"]["step"], run["error"]["type"]) == ("failed", "call", "ChildRun")
    assert _child(client, child["id"]) in run["error"]["message"]
    assert "no good" in run["error"]["message"]


def test_a_child_that_waits_is_waited_for(client: Client) -> None:
    """The parent says for which run it waits, and goes on when that is approved."""
    child = client.define(GATE)
    run_id = client.start(_call(child["id"]), step("after", "call"))
    child_run = _child(client, child["id"])
    client.until(lambda: client.steps(child_run)["gate"]["decisionId"] is not None)
    client.until(lambda: client.good(client.get(f"/automation-runs/{run_id}/waiting"))["waiting"])
    [reason] = client.good(client.get(f"/automation-runs/{run_id}/waiting"))["reasons"]
    assert (reason["reason"], reason["step"], child_run in reason["detail"]) == ("child", "call", True)
    client.good(client.post(f"/automation-runs/{child_run}/steps/gate/approve"))
    assert client.ended(run_id)["status"] == "completed"


@pytest.mark.parametrize("ends", ["cancel", "timeout"])
def test_the_end_of_the_parent_is_the_end_of_the_child(client: Client, ends: str) -> None:
    """A canceled run, and one whose time is over, leaves no child going."""
    child = client.define(GATE)
    config = {"timeoutSeconds": 3} if ends == "timeout" else {}
    run_id = client.start(_call(child["id"]), config=config)
    child_run = _child(client, child["id"])
    if ends == "cancel":
        client.until(lambda: client.good(client.get(f"/automation-runs/{run_id}/waiting"))["waiting"])
        client.good(client.post(f"/automation-runs/{run_id}/cancel"))
    assert client.ended(run_id)["status"] == ("cancelled" if ends == "cancel" else "failed")
    client.until(lambda: client.run(child_run)["status"] == "cancelled")


def test_a_call_that_does_not_wait_goes_on_at_once(client: Client) -> None:
    """The result names the child's run, which outlives its caller."""
    child = client.define(GATE)
    run_id = client.start(_call(child["id"], wait=False))
    assert client.ended(run_id)["status"] == "completed"
    child_run = client.steps(run_id)["call"]["result"]["runId"]
    assert client.run(child_run)["status"] == "running"
    client.good(client.post(f"/automation-runs/{child_run}/cancel"))
