"""Workflows of the Jobs API on the whole deployment, over HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

GATE = {"step_ref": "gate", "step_type": "approval", "message": "Pay?"}


class Works(ThreadingHTTPServer):
    """A job's endpoint: notes what it is sent, and answers it; `failing` says how often a path fails first."""

    daemon_threads = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.failing: dict[str, int] = {}
        works = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
                works.sent.append((self.path, payload))
                left = works.failing.get(self.path, 0)
                works.failing[self.path] = left - 1
                body = json.dumps({"path": self.path, "payload": payload}).encode()
                self.send_response(503 if left > 0 else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def count(self, path: str) -> int:
        """How often a path was called."""
        return sum(called == path for called, _ in self.sent)


class Api(httpx.Client):
    """A client of one cloud's Jobs API with its admin key."""

    def __init__(self, url: str) -> None:
        headers = {"authorization": "Bearer local-dev-key"}
        super().__init__(base_url=f"{url}/v1", headers=headers, timeout=40, trust_env=False)

    def good(self, response: httpx.Response, *statuses: int) -> Any:
        """The JSON of a response that has one of these statuses."""
        assert response.status_code in (statuses or (200, 201)), response.text
        return response.json()

    def begin(self, *steps: dict[str, Any], payload: Any = None) -> str:
        """A run of a new workflow; its id."""
        workflow = self.good(self.post("/workflows", json={"name": "e2e", "steps": list(steps)}), 201)
        return str(self.good(self.post(f"/workflows/{workflow['id']}/trigger", json={"payload": payload}), 201)["id"])

    def run(self, run_id: str) -> Any:
        """A run."""
        return self.good(self.get(f"/workflow-runs/{run_id}"))

    def step(self, run_id: str, ref: str) -> Any:
        """A step of a run."""
        steps = self.good(self.get(f"/workflow-runs/{run_id}/steps"))
        return next(step for step in steps if step["step_ref"] == ref)

    def act(self, run_id: str, ref: str, verb: str, **body: Any) -> httpx.Response:
        """Does something to a step."""
        return self.post(f"/workflow-runs/{run_id}/steps/{ref}/{verb}", json=body)

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds."""
        end = monotonic() + 30
        while not holds():
            assert monotonic() < end, "it did not come to that"
            sleep(0.05)

    def waits(self, run_id: str, ref: str, reason: str) -> None:
        """Waits until a step waits for something."""
        self.until(lambda: self.step(run_id, ref).get("waiting", {}).get("reason") == reason)

    def ended(self, run_id: str) -> Any:
        """The run once it has ended."""
        self.until(lambda: "finished_at" in self.run(run_id))
        return self.run(run_id)


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    """A client with the local cloud's key."""
    with Api(url) as api:
        yield api


@pytest.fixture
def works() -> Iterator[Works]:
    """A job's endpoint."""
    with Works() as works:
        thread = threading.Thread(target=works.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield works
        works.shutdown()
        thread.join()


def test_a_workflow_of_every_step_type_runs_to_its_end(api: Api, works: Works) -> None:
    """Approval, condition, sleep, job, sub_workflow, event and endpoint; the same run is read below /v1/runs."""
    job = api.good(api.post("/jobs", json={"name": "e2e job", "endpoint_url": f"{works.url}/job"}), 201)["id"]
    inner = {"name": "inner", "steps": [{"step_ref": "only", "endpoint": f"{works.url}/inner"}]}
    sub = api.good(api.post("/workflows", json=inner), 201)["id"]
    run_id = api.begin(
        GATE,
        {"step_ref": "no", "endpoint": f"{works.url}/no", "depends_on": ["gate"], "condition": "input.n > 3"},
        {"step_ref": "nap", "step_type": "sleep", "duration_secs": 1, "depends_on": ["gate"]},
        {"step_ref": "job", "job_id": job, "depends_on": ["nap"], "payload": {"n": "{% input.n + 1 %}"}},
        {"step_ref": "sub", "step_type": "sub_workflow", "workflow_id": sub, "depends_on": ["nap"]},
        {
            "step_ref": "paid",
            "step_type": "wait_for_event",
            "event_key": "{% 'paid-' & run.id %}",
            "depends_on": ["job", "sub"],
        },
        {
            "step_ref": "last",
            "endpoint": f"{works.url}/last",
            "depends_on": ["paid", "no"],
            "payload": "{% steps.paid %}",
        },
        payload={"n": 1},
    )
    api.waits(run_id, "gate", "approval")
    api.good(api.act(run_id, "gate", "approve", comment="fine"))
    api.waits(run_id, "paid", "event")
    assert works.sent == [("/job", {"n": 2}), ("/inner", {"n": 1})] or works.sent == [
        ("/inner", {"n": 1}),
        ("/job", {"n": 2}),
    ]
    told = api.good(api.post("/events", json={"event_key": f"paid-{run_id}", "payload": {"amount": 5}}))
    assert told["delivered"] == 1
    run = api.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", {"path": "/last", "payload": {"amount": 5}})
    assert run["step_counts"] == {"completed": 6, "skipped": 1}
    assert works.count("/no") == 0
    assert api.good(api.get(f"/runs/{run_id}"))["status"] == "completed"
    assert api.good(api.get(f"/runs/{api.step(run_id, 'job')['child_run_id']}"))["parent_run_id"] == run_id
    timeline = api.good(api.get(f"/workflow-runs/{run_id}/timeline?limit=100"))
    nap = [entry for entry in timeline if entry.get("step_ref") == "nap"][-1]
    assert nap["duration_secs"] >= 1
    assert run_id in [one["id"] for one in api.good(api.get("/workflow-runs"))]


def test_steps_are_skipped_completed_and_retried_by_hand(api: Api, works: Works) -> None:
    """What comes after them goes on at once; a second hand comes too late."""
    works.failing["/rest"] = 1
    rests = {"max_attempts": 2, "retry_strategy": "fixed", "retry_initial_delay_secs": 600}
    run_id = api.begin(
        GATE,
        {"step_ref": "event", "step_type": "wait_for_event", "event_key": "never"},
        {"step_ref": "rest", "endpoint": f"{works.url}/rest", **rests},
        {
            "step_ref": "last",
            "endpoint": f"{works.url}/last",
            "depends_on": ["gate", "event", "rest"],
            "payload": "{% steps.event %}",
        },
    )
    api.waits(run_id, "gate", "approval")
    api.waits(run_id, "event", "event")
    api.waits(run_id, "rest", "retry")
    api.good(api.act(run_id, "gate", "skip", reason="not today"))
    assert api.act(run_id, "gate", "approve").status_code == 409
    api.good(api.act(run_id, "event", "force-complete", output={"n": 1}))
    api.good(api.act(run_id, "rest", "retry"), 200)
    run = api.ended(run_id)
    assert (run["status"], run["step_counts"]) == ("completed", {"completed": 3, "skipped": 1})
    assert works.sent[-1] == ("/last", {"n": 1})
    assert works.count("/rest") == 2
    assert api.good(api.post("/events", json={"event_key": "never"}))["delivered"] == 0


def test_of_racing_hands_exactly_one_is_taken(api: Api) -> None:
    """Twelve people at once: one 200, eleven 409."""
    run_id = api.begin(GATE)
    api.waits(run_id, "gate", "approval")
    statuses: list[int] = []
    verbs = ("approve", "skip", "force-complete")
    threads = [
        threading.Thread(target=lambda n=number: statuses.append(api.act(run_id, "gate", verbs[n % 3]).status_code))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 11
    assert api.ended(run_id)["status"] == "completed"


def test_a_paused_run_goes_on_when_it_is_resumed(api: Api, works: Works) -> None:
    """Nothing begins while it is held."""
    run_id = api.begin(GATE, {"step_ref": "call", "endpoint": f"{works.url}/call", "depends_on": ["gate"]})
    api.waits(run_id, "gate", "approval")
    assert api.good(api.post(f"/workflow-runs/{run_id}/pause"))["status"] == "paused"
    api.good(api.act(run_id, "gate", "approve"))
    assert api.step(run_id, "gate")["status"] == "completed"
    assert (api.run(run_id)["status"], works.sent) == ("paused", [])
    api.good(api.post(f"/workflow-runs/{run_id}/resume"))
    assert api.ended(run_id)["status"] == "completed"
    assert works.count("/call") == 1


def test_a_failed_run_is_retried_from_its_failure(api: Api, works: Works) -> None:
    """The new run takes over what had completed."""
    works.failing["/call"] = 1
    call = {"step_ref": "call", "endpoint": f"{works.url}/call", "depends_on": ["gate"], "max_attempts": 1}
    run_id = api.begin(GATE, call)
    api.waits(run_id, "gate", "approval")
    api.good(api.act(run_id, "gate", "approve"))
    failed = api.ended(run_id)
    assert (failed["status"], failed["failed_step"]) == ("failed", "call")
    again = api.good(api.post(f"/workflow-runs/{run_id}/retry"), 201)
    assert again["continuation_of"] == run_id
    assert api.ended(again["id"])["status"] == "completed"
    assert works.count("/call") == 2


def test_an_event_reaches_all_that_wait_for_it(api: Api, works: Works) -> None:
    """Twenty runs, one event, each told once."""
    step = {"step_ref": "wait", "step_type": "wait_for_event", "event_key": "go-all"}
    call = {"step_ref": "call", "endpoint": f"{works.url}/call", "depends_on": ["wait"]}
    workflow = api.good(api.post("/workflows", json={"name": "many", "steps": [step, call]}), 201)["id"]
    runs = [api.good(api.post(f"/workflows/{workflow}/trigger", json={}), 201)["id"] for _ in range(20)]
    for run_id in runs:
        api.waits(run_id, "wait", "event")
    assert api.good(api.post("/events", json={"event_key": "go-all", "payload": 1}))["delivered"] == 20
    assert {api.ended(run_id)["status"] for run_id in runs} == {"completed"}
    assert works.count("/call") == 20
