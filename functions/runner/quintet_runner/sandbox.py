"""Runs one piece of code to its end: the runner's side."""

import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from quintet_runner.leash import Leash
from quintet_runner.processes import children, end_strays, harden, kill_session
from quintet_runner.streams import Stream
from quintet_runner.verdict import STOPPED, End, python_answer, shell_answer
from quintet_runner.watch import Watch

PROGRAM = Path(__file__).with_name("program.py")
INTERRUPT_SECONDS = 2.0
"""What the code has after SIGINT to clean up."""
SHELL_MEMORY_MB = 1024
PYTHON_MEMORY_MB = 256
DEFAULT_TIMEOUT = 60.0


def run(event: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a python or shell step, or a task's code over rows: {kind: python | shell | rows, code | script, input, env, memoryMb, timeout
    (seconds), leash (a link that finds something once the code must end)}; for what rows need see transfers.py.

    Answers {ok, result | exitCode | error {type, message, traceback?}, stdout, stderr, usage {wallSeconds, cpuSeconds, maxRssMb}}.
    """
    harden()
    folder = Path(tempfile.mkdtemp(prefix="step-"))
    try:
        with Leash(event.get("leash")) as leash:
            if event["kind"] != "rows":
                return Attempt(event, folder, leash).run()
            from quintet_runner.transfers import run_rows  # noqa: PLC0415 - only rows pay for it

            return run_rows(event, folder, leash)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Attempt:
    """One process. `files` are open in it, under the numbers that they have here, and named in its request."""

    def __init__(
        self, event: Mapping[str, Any], folder: Path, leash: Leash, files: Mapping[str, IO[bytes]] | None = None
    ) -> None:
        self.event = event
        self.folder = folder
        self.leash = leash
        self.files = {name: file.fileno() for name, file in (files or {}).items()}
        self.shell = event["kind"] == "shell"
        self.timeout = float(event.get("timeout") or DEFAULT_TIMEOUT)
        self.memory_mb = int(event.get("memoryMb") or (SHELL_MEMORY_MB if self.shell else PYTHON_MEMORY_MB))
        self.streams = (Stream(), Stream())
        self.stopped: str | None = None

    def run(self) -> dict[str, Any]:
        """Runs it to its end, which is that of everything it started."""
        known = children()
        began = time.monotonic()
        with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as report:
            request.write(json.dumps(self._request()).encode())
            request.flush()
            request.seek(0)
            process = self._start(request, report)
            status, usage = self._follow(process)
            end_strays(known)
            report.seek(0)
            written = report.read()
        end = End(status, self.stopped, self.timeout, self.memory_mb)
        answer = shell_answer(end, written) if self.shell else python_answer(end, written)
        return {
            **answer,
            "stdout": self.streams[0].text,
            "stderr": self.streams[1].text,
            "usage": {
                "wallSeconds": round(time.monotonic() - began, 4),
                "cpuSeconds": round(usage.ru_utime + usage.ru_stime, 4),
                "maxRssMb": round(usage.ru_maxrss / 1024, 1),
            },
        }

    def _request(self) -> dict[str, Any]:
        """What the code's process is told; the folder of a script is above its working folder, where it is in nobody's way."""
        self.folder.chmod(0o755)
        work = self.folder / "work"
        work.mkdir()
        request = {
            "kind": self.event["kind"],
            "folder": str(work),
            "parent": os.getpid(),
            "memoryMb": self.memory_mb,
            "cpuSeconds": math.ceil(self.timeout * (os.cpu_count() or 1)) + 1,
            "files": self.files,
        }
        if not self.shell:
            return {**request, "code": self.event["code"], "input": self.event.get("input")}
        script = self.folder / "script"
        script.write_text("\n".join(self.event["script"]) + "\n")
        return {**request, "script": str(script), "env": {**_clean(work), **self.event.get("env", {})}}

    def _start(self, request: IO[bytes], report: IO[bytes]) -> subprocess.Popen[bytes]:
        fds = (request.fileno(), report.fileno())
        # -I and -S: neither the environment, nor the current folder, nor site-packages have a say in what is imported.
        command = [sys.executable, "-I", "-S", "-X", "utf8", str(PROGRAM), *map(str, fds)]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(*fds, *self.files.values()),
            env=_clean(self.folder / "work"),
            cwd=self.folder / "work",
            start_new_session=True,
        )

    def _follow(self, process: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage]:
        """Reads what is printed until the process ends or must be ended; its status and usage."""
        with Watch(process, self.streams, self.leash) as watch:
            deadline = time.monotonic() + self.timeout
            while not watch.ended and not self.stopped:
                watch.turn(deadline - time.monotonic())
                if any(stream.flooded for stream in self.streams):
                    self.stopped = "OutputLimit"
                elif watch.pulled and not watch.ended:
                    self.stopped = STOPPED
                elif time.monotonic() >= deadline and not watch.ended:
                    self.stopped = "Timeout"
            if self.stopped == STOPPED or (self.stopped == "Timeout" and self.shell):
                kill_session(process.pid, signal.SIGINT)
                grace = time.monotonic() + INTERRUPT_SECONDS
                while not watch.ended and time.monotonic() < grace:
                    watch.turn(grace - time.monotonic())
            kill_session(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.drain()
        return status, usage


def _clean(work: Path) -> dict[str, str]:
    """The whole environment of the code: nothing of the runner's own."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(work),
        "TMPDIR": str(work),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }
