"""One local cloud for these tests, started as a person starts it, in a data folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from automations_client import Client, Endpoint  # found through the line above

ROOT = Path(__file__).parents[3]
_READY_S = 90.0


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The address of a running cloud with this checkout deployed."""
    port = _free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("QUINTET_", "AWS_"))}
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "quintet_cli", "run", "--no-watch", "--root", str(ROOT)],
            env={**clean, "QUINTET_PORT": str(port), "QUINTET_HOME": home},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}", said)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", url: str, said: object) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    said.seek(0)  # type: ignore[attr-defined]  # a file
    pytest.fail(f"the cloud did not start: {said.read().decode()}")  # type: ignore[attr-defined]  # a file


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client with the local cloud's key."""
    with Client(url) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A user's own HTTP endpoint."""
    with Endpoint() as endpoint:
        yield endpoint
