"""The kinds that run Spark jobs, over tools that remember what they were asked, and a service that has ended its jobs."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryCollections, MemoryVault
from quintet.domain.dataset import Column, Content
from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Outcome
from quintet.domain.program import PYTHON, Program
from quintet.domain.run import Run
from quintet.domain.state import StepState
from quintet.domain.status import RunStatus
from quintet.services.ports.queries import QueryFault
from quintet.services.ports.steps import StepCall
from quintet.services.programs import Programs
from quintet.steps.spark import SparkKind
from quintet.steps.spark_job import SparkJobs
from quintet.steps.spark_logs import SparkLogs
from quintet.steps.spark_output import SparkOutputs
from quintet.steps.spark_parts import SparkParts
from quintet.steps.spark_program import SparkPrograms
from quintet.steps.task_spark import SparkWork
from quintet.steps.task_work import TaskWork

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS = (Path(__file__).parent / "event_logs" / "cluster.jsonl").read_bytes()
JOB = {"ApplicationId": "app", "JobRunId": "job", "State": "SUCCESS", "StateDetails": ""}
LOGS = "spark-logs/run-1-7/applications/app/jobs/job/"
PREFIX = "datasets/p1/5/run-1-7/"


class Desk:
    """A kind and a work that share blobs, a parking place and a way to look into files."""

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.clock = ManualClock(NOW)
        self.parked: list[dict[str, Any]] = []
        self.described: list[tuple[str, tuple[str, ...]]] = []
        self.refusal: QueryFault | None = None
        self.logged: list[tuple[str, str]] = []
        self.programs = Programs(MemoryCollections(), self.blobs, MemoryVault(), SimpleNamespace(), self.clock)
        parts = SparkParts(
            SparkJobs(SimpleNamespace(start=self._park), SparkLogs(self.blobs, self.clock)),
            SparkPrograms(self.blobs),
            SparkOutputs(self.blobs, SimpleNamespace(describe=self._describe)),
        )
        self.kind = SparkKind(JsonataExpressions(), parts, self.programs)
        self.work = SparkWork(parts, 24.0)

    # --- what a program finds and what it leaves ------------------------------------------------------------------------------

    def ran(self, stdout: str = "", stderr: str = "", events: bytes | None = EVENTS) -> None:
        """Puts the logs of a job where EMR Serverless writes them."""
        for stream, text in (("stdout", stdout), ("stderr", stderr)):
            self.blobs.put(f"{LOGS}SPARK_DRIVER/{stream}.gz", gzip.compress(text.encode()))
        if events is not None:
            self.blobs.put(f"{LOGS}sparklogs/eventlog_v2_job/events_1_job", events)
            self.blobs.put(f"{LOGS}sparklogs/eventlog_v2_job/appstatus_job", b"")

    def wrote(self, prefix: str, *names: str, body: bytes = b"rows") -> None:
        """Puts files below an output address."""
        for name in names:
            self.blobs.put(f"{prefix}{name}", body)

    # --- the kind ---------------------------------------------------------------------------------------------------------------

    def problems(self, **config: Any) -> list[Problem]:
        """The faults of a definition."""
        return self.kind.problems(StepDef("s", "spark", config=config))

    def call(self, config: Mapping[str, Any] | None = None, timeout: float | None = None, **run: Any) -> StepCall:
        """An attempt as the engine would put it."""
        of = replace(Run("run-1", "p1", "job-1", 1, "v1", RunStatus.EXECUTING, NOW, NOW), **run)
        step = StepState("s", StepDef("s", "spark", config=dict(config or {}), timeout=timeout), "", 0)
        return StepCall(
            run=of,
            step=step,
            attempt=1,
            token=7,
            child=None,
            config=dict(config or {}),
            scope=dict,
            timeout=60.0,
            now=NOW,
            log=lambda level, message: self.logged.append((level, message)),
            results=lambda _index: {},
            failure=lambda _index: None,
        )

    def start(self, timeout: float | None = None, **config: Any) -> Outcome:
        """What the start of an attempt comes to."""
        return self.kind.enact(self.call(config, timeout))

    def end(self, ended: Mapping[str, Any], **config: Any) -> Outcome:
        """What the end of its job comes to."""
        return self.kind.conclude(self.call(config), ended)

    @property
    def output(self) -> str:
        """The prefix that the last parked job writes to."""
        args: list[str] = self.parked[-1]["args"]
        return args[args.index("--output") + 1].removeprefix("s3://memory/") + "/"

    # --- the work of tasks ------------------------------------------------------------------------------------------------------

    def task(self, content: Content | None = None, **params: Any) -> TaskWork:
        """A task's attempt, with a program of its own."""
        program = Program(1, "p1", "bot", PYTHON, 1, "sha", NOW, NOW)
        self.blobs.put(program.blob, b"print(1)")
        return TaskWork(
            type="SPARK",
            task=3,
            job=2,
            project=1,
            program=program,
            input=content,
            output=5,
            prefix=PREFIX,
            params=params,
            api_key="its-key",
        )

    # --- tools ----------------------------------------------------------------------------------------------------------------------

    def _park(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        assert (run_id, path, token) == ("run-1", "s", 7)
        self.parked.append(json.loads(json.dumps(work)))

    def _describe(self, format_: str, parts: Sequence[str], _timeout: float) -> Content:
        self.described.append((format_, tuple(parts)))
        if self.refusal:
            raise self.refusal
        return Content(format_, tuple(parts), (Column("k", "BIGINT"),), 10, 100)


def succeeded() -> dict[str, Any]:
    """What the park machine tells of a job that ended well."""
    return {"ok": True, "job": JOB}


def failed(state: str = "FAILED", details: str = "Job failed. ExitCode: 1.") -> dict[str, Any]:
    """What it tells of one that did not."""
    cause = json.dumps({**JOB, "State": state, "StateDetails": details})
    return {"ok": False, "error": "States.TaskFailed", "cause": cause}
