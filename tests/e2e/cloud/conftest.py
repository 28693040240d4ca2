"""Starts the local cloud as a person does, on a small application of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

APP = Path(__file__).parent / "fixtures" / "app"
_READY_S = 60.0


class Cloud:
    """One `quintet run`: its process, what it said, and a client of its API."""

    def __init__(self, root: Path, home: Path, *arguments: str, port: int | None = None, **environ: str) -> None:
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[str] = []
        self.complained: list[str] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("QUINTET_", "AWS_"))}
        settings = {"QUINTET_PORT": str(self.port), "QUINTET_HOME": str(home), "PYTHONUNBUFFERED": "1", **environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "quintet_cli", "run", "--root", str(root), *arguments],
            env={**clean, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self.said.extend, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self.complained.extend, args=(self.process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.api = httpx.Client(base_url=self.url, trust_env=False, timeout=35)

    def ready(self) -> "Cloud":
        """Wait until the server says that it is ready."""
        self.until(lambda: self._answers_ready() or self.process.poll() is not None, _READY_S)
        assert self.process.poll() is None, self.complained
        return self

    def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, (self.said, self.complained)
            time.sleep(0.02)

    def until_said(self, text: str) -> str:
        """Wait for a line that holds a text."""
        self.until(lambda: any(text in line for line in list(self.said)))
        return next(line for line in self.said if text in line)

    def json(self, path: str) -> Any:
        """GET a path that answers 200."""
        response = self.api.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit code."""
        self.api.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return code

    def processes(self) -> list[int]:
        """The processes that live in the data folder: Lambda workers and what they started."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and str((entry / "cwd").readlink()).startswith(str(self.home)):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def _answers_ready(self) -> bool:
        try:
            return self.api.get("/health/ready").status_code == 200
        except httpx.HTTPError:
            return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the small application, for a test that changes it."""
    return _copy(APP, tmp_path / "app")


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkout that nobody changes, and a data folder that it is deployed in; tests take copies of the folder."""
    base = tmp_path_factory.mktemp("deployed")
    root = _copy(APP, base / "app")
    first = Cloud(root, base / "home", "--no-watch").ready()
    first.stop()
    return root, base / "home"


@pytest.fixture
def started() -> Iterator[list[Cloud]]:
    """The servers of a test; those that still run after it are ended."""
    clouds: list[Cloud] = []
    yield clouds
    for cloud in clouds:
        cloud.stop(signal.SIGKILL)


@pytest.fixture
def launch(checkout: Path, tmp_path: Path, started: list[Cloud]) -> Callable[..., Cloud]:
    """Start servers of the test's own checkout, which is deployed by the first one."""

    def start(*arguments: str, **options: Any) -> Cloud:
        started.append(Cloud(checkout, options.pop("home", tmp_path / "home"), *arguments, **options))
        return started[-1]

    return start


@pytest.fixture
def relaunch(deployed: tuple[Path, Path], tmp_path: Path, started: list[Cloud]) -> Callable[..., Cloud]:
    """Start servers on a copy of a data folder that holds a deployment already."""
    root, home = deployed
    _copy(home, tmp_path / "home")

    def start(*arguments: str, **options: Any) -> Cloud:
        started.append(Cloud(root, tmp_path / "home", "--no-watch", *arguments, **options))
        return started[-1]

    return start


@pytest.fixture(scope="session")
def cloud(deployed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One server for the tests that only ask."""
    root, home = deployed
    running = Cloud(root, _copy(home, tmp_path_factory.mktemp("cloud") / "home"), "--no-watch")
    try:
        yield running.ready()
    finally:
        running.stop()
