"""The example of a job does what its page says, on the local cloud."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.local_cloud.server import ROOT, Server

EXAMPLE = ROOT / "examples/jobs"
STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 60.0


def _environment(server: Server) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QUINTET_")}
    return {**clean, "QUINTET_PORT": str(server.port)}


@pytest.fixture
def endpoint(server: Server) -> Iterator[str]:
    """The port of the example's endpoint, started as its page says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, str(EXAMPLE / "endpoint.py"), port]
    process = subprocess.Popen(command, env=_environment(server), stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for(port: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", int(port))) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the example's endpoint did not start")


def _start(server: Server, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(EXAMPLE / "start.py"), *arguments]
    return subprocess.run(
        command, env=_environment(server), capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False
    )


def _promised() -> object:
    """What the example's page says that it ends with."""
    (block,) = re.findall(r"^```json\n(.*?)^```$", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return json.loads(block)


def _default_text() -> str:
    """The text that start.py sends when it is given none."""
    (written,) = re.findall(r"^TEXT = (.+)$", Path(EXAMPLE / "start.py").read_text(), re.MULTILINE)
    return str(json.loads(written))


def test_the_job_ends_as_its_page_says_each_time(server: Server, endpoint: str) -> None:
    """The first session creates the job, the second one finds it; both end as the page says."""
    for _ in range(2):
        done = _start(server, _default_text(), endpoint)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout.splitlines()[-1]) == _promised()


def test_the_endpoint_refuses_a_call_that_is_not_signed(server: Server, endpoint: str) -> None:
    """A call without a signature, or with another one, is answered 401."""
    body = json.dumps({"text": "to be"})
    signed = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,bm8="}
    run = {"X-Run-ID": "1", "X-Run-Token": "2"}
    for headers in (run, run | signed):
        answer = httpx.post(f"http://localhost:{endpoint}/count-words", content=body, headers=headers, trust_env=False)
        assert answer.status_code == 401
