"""A local cloud of the bench's own: started through the launcher on a free port, in a data folder that goes with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.wire import AwsWire, Broken, Wire, signed

ROOT = Path(__file__).resolve().parents[1]
_READY_S = 90.0
_STOP_S = 20.0


@dataclass(frozen=True)
class Cloud:
    """A running local cloud: where its front door and its AWS endpoint are, and its process."""

    port: int
    aws_port: int
    home: Path
    pid: int

    def api(self) -> Wire:
        """A new connection to the API, with the admin key."""
        return Wire(self.port, {"x-api-key": "local-dev-key"})

    def aws(self, service: str) -> AwsWire:
        """A new connection to an emulated service."""
        return AwsWire(self.aws_port, service)

    def variables(self, function: str) -> dict[str, str]:
        """A deployed function's own environment."""
        wire = Wire(self.aws_port, {"authorization": signed("lambda")})
        configuration = wire.ask("GET", f"/2015-03-31/functions/quintet-{function}/configuration")
        wire.close()
        found: dict[str, str] = configuration["Environment"]["Variables"]
        return found

    def outputs(self) -> dict[str, str]:
        """The names of what is deployed, by the template's outputs."""
        record = json.loads((self.home / "control-plane.json").read_text())
        found: dict[str, str] = record["outputs"]
        return found


@contextmanager
def cloud(program: str = "quintet_cli", **environment: str) -> Iterator[Cloud]:
    """A cloud as `quintet run` starts it, without the watcher; `program` is the module that starts it."""
    port = _free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("QUINTET_", "AWS_"))}
    with tempfile.TemporaryDirectory(prefix="quintet-bench-") as home, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", program, "run", "--no-watch", "--root", str(ROOT)],
            env={**clean, "QUINTET_PORT": str(port), "QUINTET_HOME": home, **environment},
            cwd=ROOT,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            _await_ready(process, port, said)
            address = (Path(home) / "endpoint").read_text().strip()
            yield Cloud(port, int(address.rsplit(":", 1)[1]), Path(home), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(process: "subprocess.Popen[bytes]", port: int, said: IO[bytes]) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end and process.poll() is None:
        wire = Wire(port, {})
        try:
            wire.ask("GET", "/health/ready")
        except (OSError, Broken):
            time.sleep(0.1)
        else:
            return
        finally:
            wire.close()
    said.seek(0)
    raise Broken(f"the local cloud did not start: {said.read().decode(errors='replace')[-2000:]}")


def chain(length: int, kind: str = "set", config: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Steps in a row; without a kind ones that do nothing but set a value."""
    settings = {"values": {"done": True}} if config is None else dict(config)
    steps = []
    for place in range(length):
        before = [f"s{place - 1}"] if place else []
        steps.append({"key": f"s{place}", "kind": kind, "dependsOn": before, "config": settings})
    return steps


def define(api: Wire, name: str, steps: list[dict[str, Any]], **fields: Any) -> str:
    """The path that starts a run of a new automation with these steps."""
    body = {"name": name, "config": {"steps": steps, **fields}}
    return f"/api/v1/automations/{api.ask('POST', '/api/v1/automations', body)['id']}/run"
