"""What time does to a run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.local_cloud.client import Client, step
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_run_out_of_time_fails_and_leaves_nothing_going(client: Client, endpoint: Endpoint) -> None:
    """Its time is over while a step waits and another one's call hangs: both are canceled."""
    endpoint.hold("/hanging")
    run_id = client.start(
        step("long", kind="wait", config={"seconds": 600}),
        step("hanging", kind="http_request", config={"url": f"{endpoint.url}/hanging"}),
        step("after", "long", "hanging"),
        config={"timeoutSeconds": 1},
    )
    run = client.ended(run_id)
    assert (run["status"], run["error"]["type"]) == ("failed", "Timeout")
    assert {one["status"] for one in client.steps(run_id).values()} == {"cancelled"}


def test_a_step_out_of_time_is_tried_again(client: Client, endpoint: Endpoint) -> None:
    """The first call hangs beyond the step's time; the second one, with the same Idempotency-Key, is answered."""
    endpoint.hold("/slow")
    retry = {"maxAttempts": 2, "strategy": "fixed", "initialDelaySeconds": 0.2}
    config = {"url": f"{endpoint.url}/slow"}
    run_id = client.start(step("slow", kind="http_request", config=config, timeoutSeconds=1, retry=retry))
    client.until(lambda: client.steps(run_id)["slow"]["error"] is not None or len(endpoint.calls) == 2)
    endpoint.release("/slow")
    assert client.ended(run_id)["status"] == "completed"
    assert list(endpoint.keys_of("/slow").values()) == [2]


@pytest.mark.parametrize(
    ("policy", "least"),
    [
        ({"strategy": "fixed", "initialDelaySeconds": 0.3}, [0.3, 0.3]),
        ({"strategy": "linear", "initialDelaySeconds": 0.2}, [0.2, 0.4]),
        ({"strategy": "exponential", "initialDelaySeconds": 0.2, "maxDelaySeconds": 0.3}, [0.2, 0.3]),
        ({"strategy": "custom", "delaysSeconds": [0.1, 1.2]}, [0.1, 1.2]),
    ],
)
def test_attempts_rest_as_long_as_the_policy_says(
    client: Client, endpoint: Endpoint, policy: dict[str, Any], least: list[float]
) -> None:
    """No attempt begins before its delay is over, also when the burst machine does the waiting (above a second)."""
    endpoint.failing["/fragile"] = 2
    config = {"url": f"{endpoint.url}/fragile"}
    run_id = client.start(step("a", kind="http_request", config=config, retry={"maxAttempts": 3, **policy}))
    assert client.ended(run_id)["status"] == "completed"
    told = [(data["status"], _at(data["at"])) for _, event, data in client.events(run_id) if event == "step.status"]
    begun = [at for status, at in told if status == "running"]
    over = [at for status, at in told if status == "pending"]
    assert [later - sooner >= timedelta(seconds=wanted)
            for sooner, later, wanted in zip(over, begun[1:], least, strict=True)] == [True, True]  # fmt: skip


def test_a_wait_beside_a_gate_is_a_message(client: Client, server: Server) -> None:
    """Nothing holds the run but items in a table and one message; at its moment the run wakes and does what the wait kept back."""
    run_id = client.start(
        step("pause", kind="wait", config={"seconds": 2}), step("next", "pause"), step("gate", kind="approval_gate")
    )
    client.until(lambda: client.steps(run_id)["next"]["status"] == "completed")
    pause = client.steps(run_id)["pause"]
    assert _at(pause["completedAt"]) - _at(pause["startedAt"]) >= timedelta(seconds=2)
    assert timers(server, run_id) == 0
    assert [event["d"]["epoch"] for event in server.journal(run_id) if event["t"] == "burst.claimed"] == [1, 2]
    client.good(client.post(f"/automation-runs/{run_id}/steps/gate/approve"))
    assert client.ended(run_id)["status"] == "completed"


def test_a_wait_of_more_than_a_quarter_of_an_hour_is_kept_by_the_park_machine(client: Client, server: Server) -> None:
    """A queue keeps nothing back for longer; the machine waits for months."""
    run_id = client.start(step("pause", kind="wait", config={"seconds": 1000}), step("gate", kind="approval_gate"))
    client.until(lambda: timers(server, run_id) == 1)
    client.good(client.post(f"/automation-runs/{run_id}/cancel"))


def timers(server: Server, run_id: str) -> int:
    """How many executions of the park machine wait for a run."""
    machine = server.variable("PARK_MACHINE_ARN")
    found = server.aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [one["name"].startswith(run_id) for one in found].count(True)


def test_a_schedule_fires_each_moment_once(client: Client, server: Server, every_minute: Any) -> None:
    """However often it ticks: one run a minute, due at the full minute, started then and not before, with the automation's input."""

    def runs() -> list[Any]:
        found = client.good(client.get("/automation-runs", params={"limit": 1000}))["items"]
        return [one for one in found if one["automationId"] == every_minute["id"]][::-1]

    for _ in range(3):
        server.call("tick")
    upcoming = _at(client.good(client.get(f"/automations/{every_minute['id']}"))["nextRunAt"])
    assert upcoming > datetime.now(UTC)
    assert {(one["triggerType"], one["triggerSourceType"]) for one in runs()} == {("schedule", "schedule")}
    for one in runs():
        if one["status"] == "pending":
            [reason] = client.good(client.get(f"/automation-runs/{one['id']}/waiting"))["reasons"]
            assert reason["reason"] == "delayed"
    client.until(lambda: runs()[0]["status"] == "completed", 75)
    client.good(client.patch(f"/automations/{every_minute['id']}", json={"status": "paused"}))
    first = runs()[0]
    assert client.steps(first["id"])["echo"]["result"] == {"got": "schedule"}
    minutes = [_at(one["startedAt"]).replace(second=0, microsecond=0) for one in runs() if one["startedAt"]]
    assert len(minutes) == len(set(minutes))
    # The first moment is the full minute after the automation was made.
    assert minutes[0] - _at(every_minute["createdAt"]) > timedelta()
    assert minutes[0] - _at(every_minute["createdAt"]) <= timedelta(minutes=1)
