"""The end of the whole server in the middle of its work, and its next start on the same data."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from tests.local_cloud.client import Client, step
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server

from quintet.services.attempts import FANOUT_ABOVE

RETRY = {"maxAttempts": 5, "strategy": "fixed", "initialDelaySeconds": 0.1}
ITEMS = FANOUT_ABOVE + 16


class Work:
    """Runs of every shape, begun and held in the middle."""

    def __init__(self, client: Client, endpoint: Endpoint) -> None:
        self.client = client
        self.endpoint = endpoint
        self.chain = client.start(*self._chain("chain", "/held"))
        self.waits = client.start(step("pause", kind="wait", config={"seconds": 3}), self._call("late", "pause"))
        gate = step("gate", "before", kind="approval_gate")
        self.gated = client.start(self._call("before"), gate, self._call("approved", "gate"))
        parked = [step("far", kind="wait", config={"seconds": 3600}), step("near", kind="wait", config={"seconds": 4})]
        self.parked = client.start(*parked, self._call("woken", "near"))
        child = client.define(*self._chain("child", "/held"))
        call = step("call", kind="call_automation", config={"automationId": child["id"]})
        self.parent = client.start(call, self._call("told", "call"))
        item = self._call("item", path="/items/{% item %}")
        items = {"items": f"{{% [1..{ITEMS}] %}}", "steps": [item, step("said", "item")]}
        self.map = client.start(step("each", kind="map", config=items))

    def begin(self) -> None:
        """Waits until every run is where it is to be cut off."""
        self.client.until(lambda: self.endpoint.calls.count("/held") == 2)
        self.client.until(lambda: self.client.steps(self.gated)["gate"]["decisionId"] is not None)
        self.client.until(lambda: sum(path.startswith("/items/") for path in self.endpoint.calls) > FANOUT_ABOVE // 2)

    def _chain(self, name: str, held: str) -> list[dict[str, Any]]:
        one, three = self._call(f"{name}1"), self._call(f"{name}3", f"{name}2")
        return [one, self._call(f"{name}2", f"{name}1", path=held), three, step("end", f"{name}3")]

    def _call(self, key: str, *needed: str, path: str | None = None) -> dict[str, Any]:
        config = {"url": f"{self.endpoint.url}{path or f'/{key}'}"}
        return step(key, *needed, kind="http_request", config=config, retry=RETRY)


@contextmanager
def asking(client: Client, endpoint: Endpoint) -> Iterator[list[str]]:
    """Runs being started all the while by four clients, until one is not answered; the ids of those that were acknowledged."""
    config = {"url": f"{endpoint.url}/asked/{{% input.n %}}"}
    automation = client.define(step("a", kind="http_request", config=config, retry=RETRY), step("b", "a"))
    acknowledged: list[str] = []
    numbers = iter(range(1_000_000))

    def ask() -> None:
        with Client(str(client.base_url).removesuffix("/api/v1/")) as own:
            while True:
                try:
                    answer = own.post(f"/automations/{automation['id']}/run", json={"input": {"n": next(numbers)}})
                except httpx.HTTPError:
                    return
                if answer.status_code != 201:
                    return
                acknowledged.append(answer.json()["id"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield acknowledged
    for thread in threads:
        thread.join()


def judge(server: Server, endpoint: Endpoint, run_id: str) -> Counter[str]:
    """Asserts of a run's journal that no attempt followed a step's end, and that each ended once; how often each step was begun."""
    begun: Counter[str] = Counter()
    ended: set[str] = set()
    for event in server.journal(run_id):
        path = event.get("p", "")
        if event["t"] == "step.started":
            assert path not in ended, (run_id, path)
            begun[path] += 1
        elif event["t"] == "step.completed":
            assert path not in ended, (run_id, path)
            ended.add(path)
    return begun


def _all_complete(client: Client, ids: list[str]) -> None:
    for run_id in ids:
        client.until(lambda run_id=run_id: client.run(run_id)["status"] == "completed", 60)  # type: ignore[misc]  # bound now


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_work_cut_off_in_the_middle_is_done_after_the_next_start(
    server: Server, client: Client, endpoint: Endpoint, end: str
) -> None:
    """By kill -9 or SIGTERM: every acknowledged run is there and completes by itself, without one step done again that was done."""
    before = [client.run(one["id"]) for one in client.good(client.get("/automation-runs"))["items"]]
    endpoint.hold("/held")
    work = Work(client, endpoint)
    work.begin()
    with asking(client, endpoint) as acknowledged:
        client.until(lambda: len(acknowledged) >= 20)
        known = [(run_id, client.steps(run_id)) for run_id in (work.chain, work.gated)]
        done_before = Counter(endpoint.calls)
        server.kill() if end == "kill" else server.stop()
    endpoint.release("/held")
    server.start()

    # What was there is there, as it was.
    for one in before:
        assert client.run(one["id"]) == one
    for run_id, steps in known:
        now = client.steps(run_id)
        assert {key: now[key] for key, was in steps.items() if was["status"] == "completed"} == {
            key: was for key, was in steps.items() if was["status"] == "completed"
        }
    assert {client.run(run_id)["id"] for run_id in acknowledged} == set(acknowledged)

    # It goes on by itself; only the gate needs its person.
    client.until(lambda: client.steps(work.parked)["near"]["status"] == "completed")
    assert client.steps(work.parked)["far"]["status"] == "pending"
    client.good(client.post(f"/automation-runs/{work.gated}/steps/gate/approve"))
    wanted = [work.chain, work.waits, work.gated, work.parent, work.map, *acknowledged]
    _all_complete(client, wanted)
    assert client.steps(work.map)["each"]["result"] == [{"name": "said"}] * ITEMS
    client.until(lambda: client.steps(work.parked)["far"]["status"] == "pending" and "/woken" in endpoint.calls)

    # Nothing that was done is done again: one key a step, and no call but an attempt's.
    for path in ("/chain1", "/before", "/child1"):
        assert endpoint.calls.count(path) == done_before[path] == 1
    for run_id in wanted:
        judge(server, endpoint, run_id)
    token = next(number for number, event in enumerate(server.journal(work.map), 1) if event["t"] == "step.started")
    for index in range(ITEMS):
        begun = judge(server, endpoint, f"{work.map}.{token}.{index}")
        [times] = endpoint.keys_of(f"/items/{index + 1}").values()
        assert times <= begun["item"], index
    assert set(endpoint.keys_of("/held").values()) == {2}
    for path in ("/chain3", "/approved", "/woken", "/told", "/late", "/child3"):
        assert len(endpoint.keys_of(path)) == 1
    client.good(client.post(f"/automation-runs/{work.parked}/cancel"))
