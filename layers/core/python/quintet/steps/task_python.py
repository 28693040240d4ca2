"""The work of PYTHON and BACKGROUND_TASK tasks: main(input) over rows, in the runner."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from quintet.domain.execution import Metrics, broken, finished
from quintet.domain.outcome import Failed, Outcome
from quintet.services.ports.queries import QueryFault
from quintet.services.ports.steps import StepCall
from quintet.services.ports.world import Blobs, Clock
from quintet.services.programs import Programs
from quintet.services.stops import CODE, leash
from quintet.services.task_rows import EMPTY, LINES, Lines, TaskRows
from quintet.steps.python import MAX_MEMORY_MB
from quintet.steps.task_work import TaskWork, Unparked, query_failed
from quintet.steps.user_code import LEASH_SECONDS, Runner, error_of

KEPT_SECONDS = 60.0
"""Of an attempt, what is kept to make a dataset of the rows."""
_MB = 1024 * 1024


class PythonWork(Unparked):
    """The rows travel by links: the input's as JSON lines, the output's as JSON lines that are made Parquet then."""

    leaves: ClassVar[str | None] = CODE

    def __init__(self, runner: Runner, programs: Programs, rows: TaskRows, blobs: Blobs, clock: Clock) -> None:
        self._runner = runner
        self._programs = programs
        self._rows = rows
        self._blobs = blobs
        self._clock = clock

    def perform(self, call: StepCall, work: TaskWork) -> Outcome:
        """Calls main, and keeps its rows."""
        ends = self._clock.now() + timedelta(seconds=call.timeout)
        tied = leash(call.run.id, call.token)
        try:
            given = self._rows.lines(call.run.tenant, work.input, call.timeout / 2, tied)
        except QueryFault as fault:
            return query_failed(fault, "the input's rows")
        made = f"{self._rows.place(call.run.tenant, call.run.id, call.token)}made.{LINES}"
        timeout = (ends - self._clock.now()).total_seconds() - min(KEPT_SECONDS, call.timeout / 4)
        answer = self._runner.ask(call, self._payload(work, given, made, timeout), timeout, work.api_key)
        if isinstance(answer, Failed):
            return answer
        metrics = measured(answer)
        if not answer.get("ok"):
            return broken(error_of(answer), metrics)
        return self._kept(call, work, made, answer, metrics, (ends - self._clock.now()).total_seconds())

    def _payload(self, work: TaskWork, given: Lines | None, made: str, timeout: float) -> dict[str, Any]:
        seconds = math.ceil(timeout + LEASH_SECONDS)
        rows = given and {"link": self._blobs.link(given.blob, seconds), "count": given.count}
        return {
            "kind": "rows",
            "code": self._programs.source(work.program).decode(),
            "params": dict(work.params),
            "apiKey": work.api_key,
            "rows": rows,
            "output": self._blobs.upload_link(made, seconds),
            "memoryMb": MAX_MEMORY_MB,
            "timeout": math.ceil(timeout * 1000) / 1000,
        }

    def _kept(
        self, call: StepCall, work: TaskWork, made: str, answer: Mapping[str, Any], metrics: Metrics, left: float
    ) -> Outcome:
        rows = answer["result"]["rows"]
        if rows is None:
            return finished(work.output, None, metrics)
        if rows == 0:
            return finished(work.output, EMPTY, metrics)
        timeout = max(left, KEPT_SECONDS / 2)
        try:
            kept = self._rows.parquet((made,), LINES, work.prefix, timeout, leash(call.run.id, call.token))
        except QueryFault as fault:
            failed = query_failed(fault, "the rows that main gave")
            return broken(failed.error, metrics, cut=failed.cut)
        return finished(work.output, kept.content, metrics)


def measured(answer: Mapping[str, Any]) -> Metrics:
    """What the runner measured."""
    usage, counts = answer.get("usage") or {}, answer.get("counts") or {}
    peak = usage.get("maxRssMb")
    return Metrics(
        records_processed=counts.get("taken"),
        driver_memory_used_bytes=None if peak is None else round(peak * _MB),
        total_cpu_time_seconds=usage.get("cpuSeconds"),
        error_count=counts.get("errors"),
        warning_count=counts.get("warnings"),
    )
