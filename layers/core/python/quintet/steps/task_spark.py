"""SPARK: a task's PySpark program on EMR Serverless."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quintet.domain.errors import NotFound
from quintet.domain.execution import broken, finished
from quintet.domain.outcome import Failed, Outcome, Waits
from quintet.domain.state import PARKED
from quintet.services.ports.queries import QueryFault
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import refuse
from quintet.steps.spark import argument_text, output_error
from quintet.steps.spark_job import SparkJob
from quintet.steps.spark_output import BadOutput
from quintet.steps.spark_parts import SparkParts
from quintet.steps.task_work import TaskEnd, TaskWork

PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
OURS = ("input", "output")


class SparkWork:
    """Calls the program with `--input <address>` (left out where there are no rows), `--output <address>`, and `--<name> <value>` for each
    parameter. What it writes below the output address is the task's output.

    It has no deadline but the rule for zombies; `hours` end a job that nobody looks after any more. The task's own key is not handed to
    it: a program's arguments and properties stand in Spark's event log.
    """

    leaves: str | None = PARKED

    def __init__(self, spark: SparkParts, hours: float) -> None:
        self._spark = spark
        self._hours = hours

    def perform(self, call: StepCall, work: TaskWork) -> Outcome:
        """Starts the job; the park machine tells its end."""
        if fault := _fault(work.params):
            return refuse(fault)
        try:
            entry = self._spark.programs.of(work.program)
        except NotFound:
            return refuse(f"the program {work.program.name!r} is gone")
        job = SparkJob(entry, self._args(work), self._hours * 3600)
        if error := self._spark.jobs.start(call, job):
            return Failed(error)
        return Waits(PARKED, details={"message": "the Spark job to end"})

    def conclude(self, call: StepCall, end: TaskEnd, ended: Mapping[str, Any]) -> Outcome:
        """Describes what the job left."""
        job = self._spark.jobs.ended(call, ended)
        if job.error:
            return broken(job.error, job.metrics)
        try:
            content = self._spark.outputs.content(end.prefix)
        except (BadOutput, QueryFault) as fault:
            return broken(output_error(fault), job.metrics)
        if content is None:
            call.log("info", "the program left nothing at --output: the task's dataset stays as it was")
            return finished(end.output, None, job.metrics)
        # What lies there counts, not what tasks wrote: some of it may have been written twice, or elsewhere.
        metrics = replace(job.metrics, records_output=None, output_file_size_bytes=None)
        return finished(end.output, content, metrics)

    def _args(self, work: TaskWork) -> tuple[str, ...]:
        parts = work.input.parts if work.input is not None else ()
        given = ("--input", self._spark.outputs.reads(parts)) if parts else ()
        named = (
            word
            for name, value in work.params.items()
            if value is not None
            for word in (f"--{name}", argument_text(value))
        )
        return (*given, "--output", self._spark.outputs.address(work.prefix), *named)


def _fault(params: Mapping[str, Any]) -> str | None:
    """What is wrong with the parameters of a start."""
    for name in params:
        if not PARAMETER.fullmatch(name):
            return f"params: {name!r} can't be an argument's name (a letter, and up to 63 letters, digits, - and _)"
        if name in OURS:
            return f"params: --{name} is set by the task itself"
    return None
