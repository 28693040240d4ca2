"""EMR Serverless as the local cloud plays it: a job is `spark-submit --master local[*]`, in processes of its own.

A job runs in the thread of the execution that waits for it. At most QUINTET_SPARK_JOBS run at a time, the others stand in line. A driver's
output and its event log go where EMR Serverless puts them, so that whoever reads them can't tell the difference.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quintet_cli.cloud import spark_guard, spark_tools
from quintet_cli.cloud.spark_files import AccessDeniedError, SparkFiles
from quintet_cli.cloud.spark_tools import SparkMissingError, SparkTools
from quintet_cli.settings import ACCOUNT, REGION

GRACE_S = 5.0
MARK = "QUINTET_SPARK_OF"
"""The variable by which the processes of a data folder's jobs are known, should everything else be lost."""
PROCESSES = Path("/proc")
_GUARD = Path(spark_guard.__file__)
_LAST_LINES = 3
_TAIL_BYTES = 64 * 1024
# What a job may override, and what it may not. Java's first compiler alone halves what a small job costs (7 s of processor time in place of
# 14), and was no slower in one of 50 s.
_DEFAULTS = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.metrics.pollingInterval": "200ms",
}
_FIXED = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

Wait = Callable[[threading.Event, float | None], bool]
"""Waits for an event, so many seconds at most; true when it was set. Raises whatever stops the wait."""


class JobFault(Exception):
    """Why there was no job: the name that the state machine sees, and the reason."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(cause)
        self.name = name


class Line:
    """Lets so many in at a time, in the order of their coming."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._free = most
        self._waiting: deque[threading.Event] = deque()

    @contextlib.contextmanager
    def place(self, wait: Wait) -> Iterator[None]:
        """Hold a place while the block runs; wait for one before."""
        turn = self._take()
        if turn is not None:
            try:
                wait(turn, None)
            except BaseException:
                self._leave(turn)
                raise
        try:
            yield
        finally:
            self._give()

    def _take(self) -> threading.Event | None:
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            self._waiting.append(turn := threading.Event())
            return turn

    def _leave(self, turn: threading.Event) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        self._give()  # the place had just become this one's

    def _give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


class SparkService:
    """The jobs of one local cloud."""

    def __init__(self, mark: str, most: int, endpoint: str) -> None:
        """`mark` is the data folder, whose jobs are this service's own; `endpoint` is where S3 answers."""
        self._mark = mark
        self._endpoint = endpoint
        self._line = Line(most)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False
        # Only this process holds the writing end: the pipe ends with it, however that is.
        self._lifeline, self._held = os.pipe()

    def run(self, asked: Mapping[str, Any], wait: Wait) -> dict[str, Any]:
        """Run a job (StartJobRun's fields) to its end; what GetJobRun says of it then. Raises JobFault when there was no job."""
        try:
            tools = spark_tools.find()
        except SparkMissingError as missing:
            raise JobFault("SparkUnavailable", str(missing)) from None
        try:
            submit = asked["JobDriver"]["SparkSubmit"]
            entry, arguments = str(submit["EntryPoint"]), [str(one) for one in submit.get("EntryPointArguments", ())]
        except (KeyError, TypeError) as error:
            raise JobFault("EMRServerless.ValidationException", f"the request lacks {error}") from None
        with self._line.place(wait):
            folder = Path(tempfile.mkdtemp(prefix="spark-"))
            try:
                return _Job(self, asked, tools, folder, self._s3()).run(entry, arguments, wait)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def start(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
        """Start a command under a guard."""
        guard = [sys.executable, "-I", "-S", str(_GUARD), str(self._lifeline), str(GRACE_S), "--", *command]
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err, self._lock:
            if self._closed:
                raise JobFault("SparkUnavailable", "the local cloud is stopping")
            process = subprocess.Popen(
                guard, cwd=folder, env={**environment, MARK: self._mark}, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                pass_fds=(self._lifeline,), start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Have a job's processes end: asked first, and made after GRACE_S."""
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE_S + 2)
        except subprocess.TimeoutExpired:
            _kill(process)
        self.forget(process)

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """The process has ended."""
        with self._lock:
            self._running.discard(process)

    def close(self) -> None:
        """Make every job end, now."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            _kill(process)

    def clear_up(self) -> None:
        """Kill what a launcher and its guards left that were killed; where processes can't be listed, nothing."""
        mark = f"{MARK}={self._mark}".encode()
        for entry in PROCESSES.glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in entry.read_bytes().split(b"\0"):
                    os.kill(int(entry.parent.name), signal.SIGKILL)

    def _s3(self) -> Any:
        # Imported here: most launchers never run a Spark job.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        once = Config(retries={"total_max_attempts": 1})
        # The emulator takes a key for its account, and checks no signature.
        session = boto3.session.Session(ACCOUNT, "local", region_name=REGION)
        return session.client("s3", endpoint_url=self._endpoint, config=once)


class _Job:
    """One job from its start to its end."""

    def __init__(
        self, service: SparkService, asked: Mapping[str, Any], tools: SparkTools, folder: Path, s3: Any
    ) -> None:
        self._service = service
        self._asked = asked
        self._tools = tools
        self._folder = folder
        self._files = SparkFiles(s3, folder / "s3")
        self._id = uuid.uuid4().hex[:16]

    def run(self, entry: str, arguments: Sequence[str], wait: Wait) -> dict[str, Any]:
        try:
            program = self._files.local(entry)
            local = [self._files.local(one) for one in arguments]
        except AccessDeniedError as denied:
            return self._ended("FAILED", f"Access Denied: {denied}")
        for name in ("events", "scratch"):
            (self._folder / name).mkdir()
        process = self._service.start(self._command(program, local), self._environment(), self._folder)
        over = threading.Event()

        def watch() -> None:
            process.wait()
            over.set()

        threading.Thread(target=watch, daemon=True, name="spark-job").start()
        minutes = self._asked.get("ExecutionTimeoutMinutes")
        try:
            in_time = wait(over, None if not minutes else float(minutes) * 60)
        except BaseException:
            self._service.end(process)
            with contextlib.suppress(Exception):
                self._keep_logs()
            raise
        if not in_time:
            self._service.end(process)
        self._service.forget(process)
        return self._conclude(process.wait(), minutes if not in_time else None)

    def _conclude(self, code: int, late: object) -> dict[str, Any]:
        self._keep_logs()
        if late:
            return self._ended("CANCELLED", f"The job was canceled after its {late} minutes.")
        if code:
            return self._ended(
                "FAILED", f"Job failed, please check the driver's logs. ExitCode: {code}. {self._last_words()}".strip()
            )
        try:
            self._files.keep()
        except AccessDeniedError as denied:
            return self._ended("FAILED", f"Access Denied: {denied}")
        return self._ended("SUCCESS", "")

    def _command(self, program: str, arguments: Sequence[str]) -> list[str]:
        conf = {**_DEFAULTS, **_properties(self._asked), **_FIXED}
        conf |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{self._folder / 'events'}"}
        conf |= {"spark.eventLog.rolling.enabled": "false", "spark.eventLog.compress": "false"}
        given = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
        name = str(self._asked.get("Name") or self._id)
        return [self._tools.submit, "--master", "local[*]", "--name", name, *given, program, *arguments]

    def _environment(self) -> dict[str, str]:
        scratch = str(self._folder / "scratch")
        java = f'-Djava.io.tmpdir="{scratch}"'
        return {**self._tools.environment, "TMPDIR": scratch, "SPARK_LOCAL_DIRS": scratch, "SPARK_SUBMIT_OPTS": java}

    def _keep_logs(self) -> None:
        """Put the logs where the request says, laid out as the service does."""
        monitoring = (self._asked.get("ConfigurationOverrides") or {}).get("MonitoringConfiguration") or {}
        address = (monitoring.get("S3MonitoringConfiguration") or {}).get("LogUri")
        if not address:
            return
        below = f"{str(address).rstrip('/')}/applications/{self._asked.get('ApplicationId')}/jobs/{self._id}"
        for stream in ("stdout", "stderr"):
            self._files.keep_log(self._folder / stream, f"{below}/SPARK_DRIVER/{stream}.gz")
        for log in sorted((self._folder / "events").glob("[!.]*")):
            self._files.keep_log(log, f"{below}/sparklogs/{log.name.removesuffix('.inprogress')}")

    def _last_words(self) -> str:
        """The end of what the driver said, without Java's traces."""
        said = []
        for stream in ("stdout", "stderr"):
            with (self._folder / stream).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = self._files.told(file.read()).decode(errors="replace").splitlines()
            said += [line for line in lines if line.strip() and not line.startswith(("\t", " "))][-_LAST_LINES:]
        return " | ".join(said)[:1000]

    def _ended(self, state: str, details: str) -> dict[str, Any]:
        named = {name: self._asked[name] for name in ("ApplicationId", "Name") if name in self._asked}
        return {**named, "JobRunId": self._id, "State": state, "StateDetails": details, "ReleaseLabel": "local"}


def _kill(guard: subprocess.Popen[bytes]) -> None:
    """Kill a job and its guard; where processes can't be listed, the guard is asked to."""
    if PROCESSES.is_dir():
        spark_guard.kill_session(guard.pid)
        guard.kill()
    else:
        guard.terminate()
    guard.wait()


def _properties(asked: Mapping[str, Any]) -> dict[str, str]:
    found = (asked.get("ConfigurationOverrides") or {}).get("ApplicationConfiguration") or ()
    defaults = [one for one in found if one.get("Classification") == "spark-defaults"]
    return {str(name): str(value) for one in defaults for name, value in (one.get("Properties") or {}).items()}
