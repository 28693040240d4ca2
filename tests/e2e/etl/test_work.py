"""Tasks that really run in the local cloud: code over rows, a stop that ends the process, an agent that reports back."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest

BIG = 12345678901234567890123


class Etl:
    """A client of one job of a new project."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(headers={"X-API-Key": "local-dev-key"}, timeout=60, trust_env=False)
        project = self.good("POST", "/projects", json={"name": f"work-{uuid4()}"})["id"]
        data = {"name": "in", "format": "parquet", "rows": [{"n": 1, "s": "é"}, {"n": BIG, "s": None}]}
        dataset = self.good("POST", "/datasets", json=data)["id"]
        jobs = f"/projects/id/{project}/jobs"
        self.job = f"{jobs}/{self.good('POST', jobs, json={'name': 'j', 'inputDatasetId': dataset})['id']}"

    def good(self, method: str, path: str, **more: Any) -> Any:
        """The JSON of a good answer."""
        answer = self.http.request(method, f"{self.url}/webrobot/api{path}", **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def start(self, type_: str, program: str, content_type: str = "text/x-python", **params: Any) -> str:
        """Keeps a program, makes a task of it, starts that; its path."""
        name = f"p-{uuid4()}"
        self.good("PUT", f"/bots/{name}", content=program.encode(), headers={"content-type": content_type})
        task = {"name": name, "taskType": type_, "botId": name}
        path = f"{self.job}/tasks/{self.good('POST', f'{self.job}/tasks', json=task)['id']}"
        self.good("POST", f"{path}/start", json={"params": params})
        return path

    def ended(self, path: str) -> Any:
        """A task once it has ended."""
        until = time.monotonic() + 60
        while (task := self.good("GET", path))["executionStatus"] == "RUNNING":
            assert time.monotonic() < until, "it does not end"
            time.sleep(0.05)
        return task

    def rows(self, path: str) -> Any:
        """The rows of a task's output."""
        return self.good("POST", f"/datasets/query/task/{path.rpartition('/')[2]}", json={})["results"]


@pytest.fixture
def etl(url: str) -> Iterator[Etl]:
    """A job whose input has two rows."""
    made = Etl(url)
    yield made
    made.http.close()


def test_code_over_rows(etl: Etl) -> None:
    """Rows reach the runner and come back exactly, though it may reach nothing by itself; what it used was measured."""
    code = "def main(input):\n    print('by', input.params['by'])\n    return [{**r, 'm': r['n'] * input.params['by']} for r in input.rows]"

    path = etl.start("PYTHON", code, by=2)
    task = etl.ended(path)

    assert task["executionStatus"] == "COMPLETED", task["executionLog"]
    assert etl.rows(path) == [{"n": 1, "s": "é", "m": 2}, {"n": BIG, "s": None, "m": 2 * BIG}]
    log = json.loads(task["executionLog"])
    assert (log["recordsProcessed"], log["recordsOutput"], log["executorCount"]) == (2, 2, None)
    assert log["totalCpuTimeSeconds"] > 0
    assert log["driverMemoryUsedBytes"] > 5_000_000


def test_a_stop_ends_the_process(etl: Etl) -> None:
    """The connection over which the code gives signs of life closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        code = """
import socket, time
def main(input):
    with socket.create_connection(("127.0.0.1", input.params["port"])) as heard:
        while True:
            heard.sendall(b".")
            time.sleep(0.05)
"""
        path = etl.start("BACKGROUND_TASK", code, port=listener.getsockname()[1])
        heard, _ = listener.accept()
        with heard:
            heard.settimeout(30)
            assert heard.recv(1) == b"."
            assert etl.good("POST", f"{path}/stop")["executionStatus"] == "FAILED"
            until = time.monotonic() + 25
            while heard.recv(4096):
                assert time.monotonic() < until, "the process goes on"


def test_an_agent_reports_back(etl: Etl) -> None:
    """It is given the rows, a token, a place to write to and one to report to; what it wrote is the output."""
    called: list[dict[str, str]] = []
    rows: list[Any] = []
    came = threading.Event()

    class Agent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            rows.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            called.append(dict(self.headers))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            came.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        program = json.dumps({"url": f"http://127.0.0.1:{server.server_port}/"})
        path = etl.start("AUTONOMOUS_AGENT", program, "application/json")
        assert came.wait(30)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    [headers] = called
    token = {"X-Run-Token": headers["X-Run-Token"]}
    assert httpx.put(headers["X-Quintet-Output-Url"], content=b'{"z":1}\n', trust_env=False).status_code == 200
    report = {
        "status": "success",
        "outputDatasetPath": headers["X-Quintet-Output-Path"],
        "outputDatasetFormat": "jsonl",
    }
    reported = httpx.post(
        etl.url + headers["X-Quintet-Callback"], json=report, headers=token, timeout=60, trust_env=False
    )

    assert (reported.status_code, reported.json()["executionId"]) == (200, headers["X-Quintet-Execution"])
    assert etl.ended(path)["executionStatus"] == "COMPLETED"
    assert rows == [{"n": 1, "s": "é"}, {"n": BIG, "s": None}]
    assert etl.rows(path) == [{"z": 1}]
