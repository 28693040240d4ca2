"""The local cloud's process, started as a person starts it, with this checkout deployed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
_READY_S = 90.0
_REGION = "us-east-1"


class Server:
    """`quintet run` on a data folder; after `kill` or `stop` it can be started again, on the same folder and port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._said = home.with_name(f"{home.name}.said")

    @property
    def said(self) -> str:
        """All that the server has printed, over all its starts."""
        return self._said.read_text(errors="replace")

    def start(self) -> "Server":
        """Start the server and wait until it is ready."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("QUINTET_", "AWS_"))}
        with self._said.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "quintet_cli", "run", "--no-watch", "--root", str(ROOT)],
                env={**clean, "QUINTET_PORT": str(self.port), "QUINTET_HOME": str(self.home)},
                stdout=said,
                stderr=said,
            )
        end = time.monotonic() + _READY_S
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the local cloud did not start: {self.said}")
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def aws(self, service: str) -> Any:
        """A client of the emulated AWS, as any AWS tool would have it."""
        import boto3  # noqa: PLC0415 - slow, and for few tests

        return boto3.client(  # type: ignore[call-overload]  # the service's name is no literal here
            service,
            endpoint_url=(self.home / "endpoint").read_text().strip(),
            region_name=_REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def call(self, function: str, event: object = None) -> Any:
        """What a deployed function answers, called by the last word of its name."""
        name = next(one for one in self.variables_by_function if one.endswith(f"-{function}"))
        answer = self.aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}).encode())
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    @cached_property
    def variables_by_function(self) -> dict[str, dict[str, str]]:
        """Every deployed function's own environment."""
        found = self.aws("lambda").list_functions()["Functions"]
        return {one["FunctionName"]: one.get("Environment", {}).get("Variables", {}) for one in found}

    def variable(self, name: str) -> str:
        """A variable that the template sets, for instance the name of a table."""
        return next(found[name] for found in self.variables_by_function.values() if name in found)

    def journal(self, run_id: str) -> list[dict[str, Any]]:
        """A run's events, straight from the table: what is true whatever the API makes of it. Keys: t, at, p, d."""
        pages = self.aws("dynamodb").get_paginator("query").paginate(
            TableName=self.variable("RUNS_TABLE"),
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={":pk": {"S": f"RUN#{run_id}"}, ":low": {"S": "#META"}, ":high": {"S": "J~"}},
            ConsistentRead=True,
        )  # fmt: skip
        events: list[dict[str, Any]] = []
        for page in pages:
            for item in page["Items"]:
                text = item.get("head") if item["sk"]["S"] == "#META" else item.get("events")
                events += json.loads(text["S"]) if text else []
        return events

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code
