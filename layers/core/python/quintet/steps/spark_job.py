"""A Spark job as parked work: how it is handed to the park machine, and what its end tells."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quintet.domain.driver_log import raised, stderr_lines
from quintet.domain.execution import Metrics
from quintet.domain.outcome import StepError
from quintet.services.ports.steps import StepCall
from quintet.services.ports.world import Parking
from quintet.steps.spark_logs import JobLogs, SparkLogs
from quintet.steps.told import tell

MAX_WORK = 200_000
"""Bytes of JSON: the input of an execution holds 256 KiB."""
DEFAULTS = {"spark.log.level": "WARN"}
"""What a job's conf may change."""
FIXED = {"spark.eventLog.enabled": "true", "spark.eventLog.logStageExecutorMetrics": "true"}
"""What our metrics rest on."""
CONF_NAME = re.compile(r"spark\.[A-Za-z0-9._-]{1,200}")
RESERVED = ("spark.master", "spark.submit.", "spark.eventLog.", "spark.app.id", "spark.ui.")
"""Properties that say where a job runs and where its log goes: the deployment's own."""
PERMANENT = {
    "SparkDisabled": "SparkDisabled",
    "SparkUnavailable": "SparkUnavailable",
    "EMRServerless.ValidationException": "SparkRefused",
    "EMRServerless.AccessDeniedException": "SparkRefused",
}
"""By name of the park machine's error, the type of a failure that trying again can't mend."""
_PART = re.compile(r'"(ApplicationId|JobRunId|State|StateDetails)":"([^"\\]*)"')
_STATES = {"FAILED": "SparkFailed", "CANCELLED": "SparkCanceled", "CANCELLING": "SparkCanceled"}


@dataclass(frozen=True, slots=True)
class SparkJob:
    """What is to run: the program's address, its arguments, Spark properties, and how long at most (seconds)."""

    entry: str
    args: tuple[str, ...]
    seconds: float
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SparkEnd:
    """What a job came to: its metrics, and what broke it, None for one that succeeded."""

    metrics: Metrics
    error: StepError | None = None


class SparkJobs:
    """Parks Spark jobs and reads their ends."""

    def __init__(self, parking: Parking, logs: SparkLogs) -> None:
        self._parking = parking
        self._logs = logs

    def start(self, call: StepCall, job: SparkJob) -> StepError | None:
        """Hands a job to the park machine; why it can't be, when that is so."""
        work = {
            "kind": "spark",
            "name": f"{call.run.id} {call.step.path}"[:256],
            "entry": job.entry,
            "args": list(job.args),
            "conf": {**DEFAULTS, **job.conf, **FIXED},
            "logs": self._logs.address(call.run.id, call.token),
            # The engine holds the deadline; this one is for a job that the engine has lost.
            "minutes": math.ceil(job.seconds / 60) + 5,
        }
        if (size := len(json.dumps(work))) > MAX_WORK:
            message = f"program, arguments and conf are {size} bytes; at most {MAX_WORK} are allowed"
            return StepError("InvalidConfig", message, retryable=False)
        self._parking.start(call.run.id, call.step.path, call.token, work)
        return None

    def ended(self, call: StepCall, ended: Mapping[str, Any]) -> SparkEnd:
        """What became of the job; its driver's output becomes log lines of the step."""
        job = _job_of(ended)
        logs = JobLogs()
        if job:
            logs = self._logs.read(call.run.id, call.token, job["ApplicationId"], job["JobRunId"])
            _tell(call, logs)
        if ended.get("ok"):
            return SparkEnd(logs.metrics)
        return SparkEnd(logs.metrics, _error(ended, job, logs))


def conf_problem(name: str) -> str | None:
    """Why a job must not set this Spark property; None when it may."""
    if not CONF_NAME.fullmatch(name):
        return "is no name of a Spark property (spark.<name>)"
    if name.startswith(RESERVED):
        return "is set by the deployment"
    return None


def _job_of(ended: Mapping[str, Any]) -> dict[str, str]:
    """The job's own record as far as the machine heard it; empty for one that never was."""
    job = ended.get("job") if ended.get("ok") else _named_in(str(ended.get("cause")))
    if not isinstance(job, Mapping) or not job.get("JobRunId") or not job.get("ApplicationId"):
        return {}
    return {name: value for name, value in job.items() if isinstance(value, str)}


def _named_in(cause: str) -> Any:
    """The job in an error's cause, which is cut at 32 KiB: then what still stands there of it."""
    try:
        return json.loads(cause)
    except (ValueError, RecursionError):
        return dict(_PART.findall(cause))


def _error(ended: Mapping[str, Any], job: Mapping[str, str], logs: JobLogs) -> StepError:
    name, cause = str(ended.get("error") or "no error named"), str(ended.get("cause") or "")
    if not job:
        type_ = PERMANENT.get(name, "SparkNotStarted")
        message = cause or name
        return StepError(type_, message if name in PERMANENT else f"{name}: {message}", retryable=name not in PERMANENT)
    state, said = job.get("State", ""), job.get("StateDetails") or "the job has failed"
    message = raised(logs.stdout) or raised(logs.stderr) or said
    details = {"state": state, "stateDetails": said, "jobRunId": job["JobRunId"], "failedTasks": logs.failed_tasks}
    return StepError(_STATES.get(state, "SparkFailed"), message, details={**details, "metrics": logs.metrics.to_dict()})


def _tell(call: StepCall, logs: JobLogs) -> None:
    tell(call, "info", logs.stdout)
    lines: list[str] = []
    level = ""
    for found, line in stderr_lines(logs.stderr):
        if lines and found != level:
            tell(call, level, "\n".join(lines))
            lines = []
        level = found
        lines.append(line)
    tell(call, level, "\n".join(lines))
