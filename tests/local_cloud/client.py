"""A client of the Automations API as its users write one."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx


def step(key: str, *needed: str, kind: str = "set", **fields: Any) -> dict[str, Any]:
    """A step as an author writes it; without more, one that sets its own name as a value."""
    config = fields.pop("config", {"values": {"name": key}} if kind == "set" else {})
    return {"key": key, "kind": kind, "dependsOn": list(needed), "config": config, **fields}


class Client(httpx.Client):
    """A client of one cloud with its admin key."""

    def __init__(self, url: str) -> None:
        headers = {"authorization": "Bearer local-dev-key"}
        super().__init__(base_url=f"{url}/api/v1", headers=headers, timeout=40, trust_env=False)

    def define(self, *steps: Mapping[str, Any], config: Mapping[str, Any] | None = None, **fields: Any) -> Any:
        """A new automation."""
        body = {"name": "e2e", **fields, "config": {"steps": list(steps), **(config or {})}}
        return self.good(self.post("/automations", json=body), 201)

    def start(self, *steps: Mapping[str, Any], body: Any = None, **fields: Any) -> str:
        """A new run of a new automation; its id."""
        automation = self.define(*steps, **fields)
        return str(self.good(self.post(f"/automations/{automation['id']}/run", json=body or {}), 201)["id"])

    def good(self, response: httpx.Response, status: int = 200) -> Any:
        """The JSON of a response that has this status."""
        assert response.status_code == status, response.text
        return response.json()

    def run(self, run_id: str) -> Any:
        """A run."""
        return self.good(self.get(f"/automation-runs/{run_id}"))

    def steps(self, run_id: str, **query: Any) -> dict[str, Any]:
        """A run's steps by key."""
        found = self.good(self.get(f"/automation-runs/{run_id}/steps", params=query))
        return {one["key"]: one for one in found["steps"]}

    def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.02)

    def ended(self, run_id: str) -> Any:
        """The run once it has ended."""
        self.until(lambda: self.run(run_id)["status"] not in ("pending", "running"))
        return self.run(run_id)

    def events(self, run_id: str, last: str | None = None) -> Iterator[tuple[str, str, Any]]:
        """The live stream's (id, event, data), as a browser's EventSource reads it."""
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        with self.stream("GET", f"/automation-runs/{run_id}/events", headers=headers) as response:
            assert response.status_code == 200
            found: dict[str, str] = {}
            for line in response.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    found[name] = value
                elif "data" in found:
                    yield found.get("id", ""), found["event"], json.loads(found["data"])
                    found = {}
