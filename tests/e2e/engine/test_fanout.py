"""Maps over more items than a burst enacts at once: each item is a run of its own, started by the fan-out machine."""

from typing import Any

import pytest
from tests.local_cloud.client import Client, step
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server

from quintet.services.attempts import FANOUT_ABOVE

ITEMS = 100
RETRY = {"maxAttempts": 2, "strategy": "fixed", "initialDelaySeconds": 0.05}


def _each(endpoint: Endpoint, **config: Any) -> dict[str, Any]:
    """A map that calls a path for each item, tries it twice, and then says what came of it."""
    call = step("call", kind="http_request", config={"url": endpoint.url + "/item/{% item %}"}, retry=RETRY)
    said = step("said", "call", config={"values": {"item": "{% item %}", "path": "{% steps.call.body.path %}"}})
    return step("each", kind="map", config={"items": f"{{% [1..{ITEMS}] %}}", "steps": [call, said], **config})


def _executions(server: Server, run_id: str) -> list[str]:
    """How the fan-out machine's executions for a run stand."""
    machine = server.variable("FANOUT_MACHINE_ARN")
    found = server.aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [one["status"] for one in found if one["name"].startswith(run_id)]


def test_results_come_in_order_with_a_retried_and_a_tolerated_item(
    client: Client, endpoint: Endpoint, server: Server
) -> None:
    """100 items, one that needs its second attempt and one that fails for good within the tolerance: null in its place."""
    assert ITEMS > FANOUT_ABOVE
    endpoint.failing |= {"/item/7": 1, "/item/42": 9}
    after = step("after", "each", config={"values": {"good": "{% $count(steps.each[$ != null]) %}"}})
    run_id = client.start(_each(endpoint, tolerateFailures=1), after)
    run = client.ended(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    steps = client.steps(run_id)
    assert steps["each"]["result"] == [
        None if item == 42 else {"item": item, "path": f"/item/{item}"} for item in range(1, ITEMS + 1)
    ]
    assert steps["after"]["result"] == {"good": ITEMS - 1}
    twice = {f"/item/{item}" for item in (7, 42)}
    assert {path: endpoint.calls.count(path) for path in endpoint.calls} == {
        f"/item/{item}": 2 if f"/item/{item}" in twice else 1 for item in range(1, ITEMS + 1)
    }
    assert all(len(endpoint.keys_of(path)) == 1 for path in twice)
    client.until(lambda: _executions(server, run_id) == ["SUCCEEDED"])
    listed = client.good(client.get("/automation-runs", params={"limit": 1000}))["items"]
    assert [one["id"] for one in listed if one["automationId"] == run["automationId"]] == [run_id]


def test_more_failures_than_tolerated_fail_the_step(client: Client, endpoint: Endpoint) -> None:
    """The error counts them and quotes the first; the run fails at that step, and what comes after is not done."""
    endpoint.failing |= {"/item/3": 9, "/item/50": 9}
    run_id = client.start(_each(endpoint, tolerateFailures=1), step("after", "each"))
    run = client.ended(run_id)
    assert (run["status"], run["error"]["type"], run["error"]["step"]) == ("failed", "ItemsFailed", "each")
    assert "2 of 100 items failed; 1 tolerated; the first: GET" in run["error"]["message"]
    assert client.steps(run_id)["after"]["status"] == "cancelled"


@pytest.mark.parametrize("ends", ["cancel", "timeout"])
def test_the_end_of_the_run_is_the_end_of_the_machine_and_its_items(
    client: Client, endpoint: Endpoint, server: Server, ends: str
) -> None:
    """Items under way when the run is canceled, or out of time, do no further step; no other begins; no execution is left."""
    for item in range(1, ITEMS + 1):
        endpoint.hold(f"/item/{item}")
    config = {"timeoutSeconds": 3} if ends == "timeout" else {}
    run_id = client.start(_each(endpoint, maxConcurrency=5), config=config)
    client.until(lambda: len(endpoint.calls) == 5)
    if ends == "cancel":
        client.good(client.post(f"/automation-runs/{run_id}/cancel"))
    assert client.ended(run_id)["status"] == ("cancelled" if ends == "cancel" else "failed")
    client.until(lambda: _executions(server, run_id) == ["ABORTED"])
    # Nobody waits for the calls that hang.
    begun = [f"{run_id}.{_token(server, run_id)}.{int(path.rpartition('/')[2]) - 1}" for path in endpoint.calls]
    client.until(lambda: all(server.journal(item)[-1]["t"].startswith("run.c") for item in begun))
    for item in range(1, ITEMS + 1):
        endpoint.release(f"/item/{item}")
    assert {server.journal(item)[-1]["t"] for item in begun} == {"run.canceled"}
    assert not [
        event
        for item in begun
        for event in server.journal(item)
        if event.get("p") == "said" and event["t"] == "step.completed"
    ]
    assert client.steps(run_id)["each"]["status"] == "cancelled"
    assert len(endpoint.calls) == 5


def test_a_gate_in_a_large_map_is_answered_by_its_path(client: Client) -> None:
    """However many items the map has, each one's gate is listed and can be answered."""
    gates = step("each", kind="map", config={
        "items": f"{{% [1..{FANOUT_ABOVE + 1}] %}}", "maxConcurrency": FANOUT_ABOVE + 1,
        "steps": [step("ok", kind="approval_gate")],
    })  # fmt: skip
    run_id = client.start(gates)
    last = f"each[{FANOUT_ABOVE}].ok"
    client.until(lambda: client.steps(run_id, nested="true").get(last, {}).get("decisionId") is not None, 10)
    client.good(client.post(f"/automation-runs/{run_id}/steps/{last}/approve"))
    client.good(client.post(f"/automation-runs/{run_id}/cancel"))


def _token(server: Server, run_id: str) -> int:
    """The number of the event that started the map: part of its items' names."""
    return next(number for number, event in enumerate(server.journal(run_id), 1) if event["t"] == "step.started")
