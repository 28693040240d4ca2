"""A running emulator and the few things every repair's test does with it."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

_EMULATOR = Path(__file__).with_name("emulator.py")
_CREDENTIALS = {"aws_access_key_id": "000000000000", "aws_secret_access_key": "test", "region_name": "us-east-1"}
ROLE = "arn:aws:iam::000000000000:role/test"


class Cloud:
    """An emulator process over one data folder; `kill` and `start` it again as a crash would."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self._environment = {**os.environ, **environment}
        # MiniStack is a hundred thousand lines: compiling it at each start would take most of these tests' time.
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}

    def start(self) -> "Cloud":
        """Start the process and wait until it answers."""
        log = (self.home / "emulator.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, str(_EMULATOR), str(self.port), str(self.home)], env=self._environment,
            stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.home / "emulator.log").read_text()[-4000:]) from None
                time.sleep(0.02)
            else:
                return self

    def kill(self) -> None:
        """`kill -9`: nothing is saved."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM: a clean exit."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(15)

    def client(self, service: str) -> Any:
        """One boto3 client a service, without retries that would hide a fault."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, max_pool_connections=64, read_timeout=60)
            self._clients[service] = boto3.client(service, endpoint_url=self.url, config=config, **_CREDENTIALS)
        return self._clients[service]

    def function(self, name: str, source: str, **settings: Any) -> str:
        """Create a Python function from its source; answers its ARN."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handler.py", source)
        settings = {"Timeout": 10, "MemorySize": 256, **settings}
        created = self.client("lambda").create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="handler.handler",
            Code={"ZipFile": package.getvalue()}, **settings,
        )  # fmt: skip
        arn: str = created["FunctionArn"]
        return arn

    def invoke(self, name: str, event: Any = None) -> tuple[Any, dict[str, Any]]:
        """A function's decoded answer and the whole response."""
        response = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}))
        return json.loads(response["Payload"].read()), response

    def machine(self, name: str, definition: dict[str, Any], kind: str = "STANDARD") -> str:
        """Create a state machine in JSONata; answers its ARN."""
        definition = {"QueryLanguage": "JSONata", **definition}
        created = self.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=ROLE, type=kind
        )
        arn: str = created["stateMachineArn"]
        return arn

    def execute(self, machine: str, payload: Any = None, *, wait: float = 20) -> dict[str, Any]:
        """Start an execution and wait for its end; answers DescribeExecution."""
        return self.ended(self.start_machine(machine, payload), wait)

    def start_machine(self, machine: str, payload: Any = None) -> str:
        """Start an execution; answers its ARN."""
        states = self.client("stepfunctions")
        arn: str = states.start_execution(stateMachineArn=machine, input=json.dumps(payload or {}))["executionArn"]
        return arn

    def ended(self, execution: str, wait: float = 20) -> dict[str, Any]:
        """Wait until the execution is over; answers DescribeExecution."""
        deadline = time.monotonic() + wait
        while True:
            found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            assert time.monotonic() < deadline, f"{execution} still runs after {wait} s"
            time.sleep(0.01)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One emulator for all tests that only look at what it answers."""
    running = Cloud(tmp_path_factory.mktemp("cloud"), QUINTET_WORKERS="2", LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.05")
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def new_cloud(tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """Makes emulators of a test's own, and ends those that still run."""
    made: list[Cloud] = []

    def make(**environment: str) -> Cloud:
        made.append(Cloud(tmp_path, **environment))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.stop()
