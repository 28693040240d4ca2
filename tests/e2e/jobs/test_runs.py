"""Runs of the Jobs API on the whole deployment, over HTTP: triggers, reports of the run side, live events, large payloads."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

Reply = Callable[[dict[str, str], bytes], tuple[int, Any]]


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


class Work:
    """A user's endpoint; `reply` says what it answers, `calls` what came: headers by lower-case name, and body."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.reply: Reply = lambda _headers, _body: (200, {"done": True})
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/work"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        work = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                work.calls.append((headers, body))
                status, answer = work.reply(headers, body)
                text = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


class Jobs(httpx.Client):
    """A client of the Jobs API with the local cloud's key."""

    def __init__(self, url: str) -> None:
        headers = {"authorization": "Bearer local-dev-key"}
        super().__init__(base_url=url, headers=headers, timeout=40, trust_env=False)

    def good(self, response: httpx.Response, *statuses: int) -> Any:
        """The JSON of a response that has one of the statuses."""
        assert response.status_code in (statuses or (200,)), response.text
        return response.json()

    def job(self, work: Work, **fields: Any) -> str:
        """A new job's id."""
        body = {"name": f"job {time.monotonic_ns()}", "endpoint_url": work.url, **fields}
        return str(self.good(self.post("/v1/jobs", json=body), 201)["id"])

    def trigger(self, job: str, **body: Any) -> Any:
        """A new run."""
        return self.good(self.post(f"/v1/jobs/{job}/trigger", json=body), 201)

    def run(self, run_id: str, part: str = "") -> Any:
        """A run, or what is in it."""
        return self.good(self.get(f"/v1/runs/{run_id}{part}"))

    def until(self, run_id: str, *statuses: str) -> Any:
        """The run once it has one of the statuses."""
        end = time.monotonic() + 30
        while (run := self.run(run_id))["status"] not in statuses:
            assert time.monotonic() < end, run
            time.sleep(0.02)
        return run

    def say(self, run: Any, what: str, body: Any = None) -> httpx.Response:
        """A report of the run's program."""
        headers = {"authorization": f"Bearer {run['run_token']}"}
        return self.post(f"/sdk/v1/runs/{run['id']}/{what}", json=body, headers=headers)

    def events(self, run_id: str, last: str | None = None) -> Iterator[tuple[str, str, Any]]:
        """The live stream's (id, event, data)."""
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        with self.stream("GET", f"/v1/runs/{run_id}/stream", headers=headers) as response:
            assert response.status_code == 200
            found: dict[str, str] = {}
            for line in response.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    found[name] = value
                elif "data" in found:
                    yield found.get("id", ""), found["event"], json.loads(found["data"])
                    found = {}


@pytest.fixture
def work() -> Iterator[Work]:
    """A user's endpoint."""
    work = Work()
    yield work
    work.close()


@pytest.fixture
def jobs(url: str) -> Iterator[Jobs]:
    """A client of the Jobs API."""
    with Jobs(url) as jobs:
        yield jobs


def test_an_endpoint_is_called_with_the_payload_and_its_answer_is_the_result(jobs: Jobs, work: Work) -> None:
    """Every phase of the call is measured; what came says which run it was."""
    run = jobs.trigger(jobs.job(work), payload={"n": [1, None]}, tags={"env": "e2e"})
    done = jobs.until(run["id"], "completed")
    assert (done["result"], done["attempt"]) == ({"done": True}, 1)
    phases = {"queue_wait_ms", "dequeue_ms", "dispatch_ms", "connect_ms", "ttfb_ms", "transfer_ms", "total_ms"}
    assert set(done["execution_trace"]) == phases
    (call,) = work.calls
    assert json.loads(call[1]) == {"n": [1, None]}
    assert (call[0]["x-run-id"], call[0]["x-job-id"], call[0]["x-attempt"]) == (run["id"], run["job_id"], "1")
    assert [one["id"] for one in jobs.good(jobs.get("/v1/runs", params={"tag_key": "env", "tag_value": "e2e"}))] == [
        run["id"]
    ]


def test_fifty_racing_triggers_of_one_key_are_one_run_and_one_call(jobs: Jobs, work: Work) -> None:
    """All answer 201 with the same run; exactly one was first."""
    job = jobs.job(work)

    def one(_: int) -> Any:
        headers = {"Idempotency-Key": "once"}
        return jobs.good(jobs.post(f"/v1/jobs/{job}/trigger", json={"payload": {"n": 1}}, headers=headers), 201)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(one, range(50)))
    assert len({answer["id"] for answer in answers}) == 1
    assert [answer["idempotency_hit"] for answer in answers].count(False) == 1
    jobs.until(answers[0]["id"], "completed")
    assert len(jobs.good(jobs.get("/v1/runs", params={"job_id": job}))) == 1
    assert len(work.calls) == 1


def test_a_program_reports_while_its_run_is_streamed(jobs: Jobs, work: Work) -> None:
    """202; progress, notes and log lines come live; complete ends it; a client that returns gets exactly the rest."""
    work.reply = lambda _headers, _body: (202, None)
    run = jobs.trigger(jobs.job(work))
    jobs.until(run["id"], "waiting", "executing")
    seen = []
    for event in jobs.events(run["id"]):
        seen.append(event)
        if event[1] == "step.status" and event[2]["status"] == "waiting":
            break
    assert jobs.say(run, "progress", {"percent": 30}).status_code == 204
    assert jobs.say(run, "log", {"message": "hello"}).status_code == 204
    assert jobs.say(run, "annotate", {"host": "a"}).status_code == 204
    assert jobs.say(run, "output", {"output_key": "rows", "value": 3}).status_code == 204
    assert jobs.run(run["id"])["heartbeat_at"]
    sent = {"id": run["id"], "run_token": work.calls[0][0]["x-run-token"]}
    assert jobs.say(sent, "complete", {"result": [1, 2]}).status_code == 200
    seen += list(jobs.events(run["id"], seen[-1][0]))
    assert Counter(event[1] for event in seen)["end"] == 1
    whole = list(jobs.events(run["id"]))
    assert sorted(json.dumps(event[2]) for event in seen) == sorted(json.dumps(event[2]) for event in whole)
    assert {"step.progress", "run.metadata", "log"} <= {event[1] for event in whole}
    again = jobs.get(f"/v1/runs/{run['id']}/stream", headers={"last-event-id": whole[-1][0]})
    assert (again.status_code, again.content) == (204, b"")
    assert jobs.until(run["id"], "completed")["result"] == [1, 2]
    assert jobs.run(run["id"], "/outputs")[0]["value"] == 3
    assert jobs.say(run, "heartbeat").status_code == 409


def test_a_canceled_run_refuses_its_programs_next_call(jobs: Jobs, work: Work) -> None:
    """The program learns of it by 409."""
    work.reply = lambda _headers, _body: (202, None)
    run = jobs.trigger(jobs.job(work))
    jobs.until(run["id"], "waiting")
    assert jobs.good(jobs.delete(f"/v1/runs/{run['id']}"))["status"] == "canceled"
    for what, body in (("heartbeat", None), ("complete", {"result": 1})):
        assert jobs.say(run, what, body).status_code == 409


def test_a_large_payload_is_uploaded_and_reaches_the_endpoint(jobs: Jobs, work: Work) -> None:
    """By a link of the deployment itself; the run links to it."""
    job = jobs.job(work)
    large = {"rows": ["x" * 1000] * 3000}
    place = jobs.good(jobs.post(f"/v1/jobs/{job}/payload-uploads"), 201)
    assert httpx.put(place["upload_url"], content=json.dumps(large), trust_env=False).status_code == 200
    run = jobs.trigger(job, payload_ref=place["payload_ref"])
    done = jobs.until(run["id"], "completed", "failed")
    assert json.loads(work.calls[0][1]) == large
    assert "payload" not in done
    assert httpx.get(done["payload_url"], trust_env=False).json() == large


def test_a_failing_endpoint_is_tried_again_and_the_run_can_be_replayed(jobs: Jobs, work: Work) -> None:
    """Every attempt is kept; the dead are listed; a replay is a new run of the same payload."""
    work.reply = lambda _headers, _body: (503, {"busy": True})
    job = jobs.job(work, max_attempts=2, retry_strategy="custom", retry_delays_secs=[0])
    run = jobs.trigger(job, payload=7)
    failed = jobs.until(run["id"], "failed")
    assert (failed["attempt"], failed["error"].split(":")[0]) == (2, "HttpStatus")
    assert [one["status"] for one in jobs.run(run["id"], "/attempts")] == ["failed", "failed"]
    assert run["id"] in [one["id"] for one in jobs.good(jobs.get("/v1/runs/dlq", params={"job_id": job}))]
    work.reply = lambda _headers, body: (200, json.loads(body) + 1)
    again = jobs.good(jobs.post(f"/v1/runs/{run['id']}/replay"), 201)
    assert jobs.until(again["id"], "completed")["result"] == 8
    assert again["continuation_of"] == run["id"]


def test_many_runs_of_one_request_keep_to_the_limit(jobs: Jobs, work: Work) -> None:
    """Never more than three at once; all come to their end, and are found by their batch."""
    at_work, most, lock = 0, 0, threading.Lock()

    def reply(_headers: dict[str, str], _body: bytes) -> tuple[int, Any]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.005)
        with lock:
            at_work -= 1
        return 200, None

    work.reply = reply
    job = jobs.job(work, max_concurrency=3)
    items = [{"payload": n} for n in range(40)]
    answer = jobs.good(jobs.post(f"/v1/jobs/{job}/trigger/bulk", json={"items": items}), 201)
    assert (answer["created"], answer["total"]) == (40, 40)
    for one in answer["results"]:
        jobs.until(one["id"], "completed")
    assert 1 <= most <= 3
    assert sorted(json.loads(body) for _, body in work.calls) == list(range(40))
    listed = jobs.good(jobs.get("/v1/runs", params={"batch_id": answer["batch_id"], "limit": 100}))
    assert len(listed) == 40
