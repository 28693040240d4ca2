"""spark: runs a PySpark program on EMR Serverless, and makes a dataset of what it writes."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid5

from quintet.domain.definition import StepDef
from quintet.domain.errors import NotFound, Problem
from quintet.domain.jsontext import compact
from quintet.domain.outcome import Completed, Failed, Outcome, StepError, Waits
from quintet.domain.program import PYTHON
from quintet.domain.program_text import python_fault
from quintet.domain.state import PARKED
from quintet.services.ports.queries import QueryFault
from quintet.services.ports.steps import Expressions, StepCall
from quintet.services.programs import NAME, Programs
from quintet.steps.fields import Field, Fields, list_of, mapping_of, refuse, scalar, templated, text
from quintet.steps.kind import MINUTE, Kind
from quintet.steps.spark_job import SparkJob, conf_problem
from quintet.steps.spark_output import BadOutput
from quintet.steps.spark_parts import SparkParts

DATASETS = UUID("6b1d0c55-7a0e-5f0b-9a49-0a0f0f6b7e11")
DATASET_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HOUR = 3600.0


def _argument(value: Any) -> str | None:
    """A text, number or boolean, or the result of a step that made a dataset."""
    if isinstance(value, Mapping):
        return (
            None
            if isinstance(value.get("datasetId"), str)
            else "must be a value, or the result of a step that made a dataset"
        )
    return "must not be null" if value is None else scalar(value)


class _Refused(Exception):
    """An argument or program that can't be used."""


class SparkKind(Kind):
    """`program` (PySpark source, or the name of a stored program), `args`, `conf`; the result is {datasetId, metrics}. What could be a name
    is one: no such word is a program's text.

    The program is called with `args` and then `--output <address>`. A dataset among the args (its id, or the result of the step that made
    it) stands for the address of its rows. What is written below the output address is the dataset, whose record is like the sql kind's,
    with its files as `parts`; the step has no dataset (null) when nothing is.
    """

    name = "spark"
    default_timeout = 24 * HOUR
    max_timeout = 30 * 24 * HOUR
    attempt_seconds = MINUTE
    raw = frozenset({"program"})
    fields: ClassVar[Fields] = {
        "program": Field(text(256 * 1024), required=True),
        "args": Field(list_of(_argument, 500)),
        "conf": Field(mapping_of(scalar, 100)),
    }

    def __init__(self, expressions: Expressions, spark: SparkParts, stored: Programs) -> None:
        super().__init__(expressions)
        self._spark = spark
        self._stored = stored

    def leaves(self, step: StepDef) -> str:
        """The job on its own service."""
        return PARKED

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Programs that don't compile, and properties that are the deployment's."""
        found = []
        program, conf = step.config.get("program"), step.config.get("conf")
        if isinstance(program, str) and not NAME.fullmatch(program) and (fault := python_fault(program)):
            found.append(Problem(("program",), fault, "bad_code"))
        if isinstance(conf, Mapping) and not templated(conf):
            faults = ((name, conf_problem(str(name))) for name in conf)
            found += [Problem(("conf", name), fault, "bad_key") for name, fault in faults if fault]
        return found

    def perform(self, call: StepCall) -> Outcome:
        """Starts the job; the park machine tells its end."""
        whole = call.step.define.timeout or self.default_timeout
        try:
            job = SparkJob(self._entry(call), self._args(call), whole, self._conf(call))
        except (_Refused, BadOutput) as refused:
            return refuse(str(refused))
        if error := self._spark.jobs.start(call, job):
            return Failed(error)
        deadline = (call.step.attempted_at or call.now) + timedelta(seconds=whole)
        return Waits(PARKED, deadline=deadline, details={"message": "the Spark job to end"})

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """Describes what the job left."""
        end = self._spark.jobs.ended(call, ended)
        if end.error:
            return Failed(end.error)
        id_, prefix = self._dataset(call)
        metrics = end.metrics
        try:
            content = self._spark.outputs.content(prefix)
        except (BadOutput, QueryFault) as fault:
            return Failed(output_error(fault))
        if content is None:
            call.log("info", "the program left nothing at --output: there is no dataset")
            return Completed({"datasetId": None, "metrics": metrics.to_dict()})
        self._spark.outputs.record(call.run.tenant, id_, content, call.run.id, call.step.path)
        call.log("info", f"dataset {id_}: {content.row_count} rows, {content.size_bytes} bytes")
        metrics = replace(metrics, records_output=content.row_count, output_file_size_bytes=content.size_bytes)
        return Completed({"datasetId": id_, "metrics": metrics.to_dict()})

    def _dataset(self, call: StepCall) -> tuple[str, str]:
        """The id that the attempt's dataset gets, and the prefix of its files: the same however often it is asked for."""
        id_ = str(uuid5(DATASETS, f"{call.idempotency_key}:{call.token}"))
        return id_, f"datasets/{call.run.tenant}/{id_}/"

    def _entry(self, call: StepCall) -> str:
        program = call.config["program"]
        if not NAME.fullmatch(program):
            return self._spark.programs.of_source(call.run.tenant, program)
        try:
            found = self._stored.find(call.run.tenant, program)
            if found.type != PYTHON:
                raise _Refused(f"program: {program!r} is {found.type}, and Spark runs {PYTHON}")
            return self._spark.programs.of(found)
        except NotFound:
            raise _Refused(f"program: there is no stored program {program!r}") from None

    def _args(self, call: StepCall) -> tuple[str, ...]:
        given = [self._argument(call.run.tenant, value) for value in call.config.get("args") or ()]
        return (*given, "--output", self._spark.outputs.address(self._dataset(call)[1]))

    def _argument(self, project: str, value: Any) -> str:
        made = isinstance(value, Mapping)
        word = value["datasetId"] if made else value
        if not isinstance(word, str):
            return argument_text(word)
        address = self._spark.outputs.recorded(project, word) if DATASET_ID.fullmatch(word) else None
        if made and address is None:
            raise _Refused(f"args: there is no dataset {word}")
        return address or word

    def _conf(self, call: StepCall) -> dict[str, str]:
        conf = {str(name): argument_text(value) for name, value in (call.config.get("conf") or {}).items()}
        for name in conf:
            if fault := conf_problem(name):
                raise _Refused(f"conf: {name!r} {fault}")
        return conf


def output_error(fault: BadOutput | QueryFault) -> StepError:
    """What a step's failure says of an output that is no dataset; the job itself would write the same again."""
    if isinstance(fault, QueryFault) and fault.type == "Unavailable":
        return StepError("OutputNotRead", f"the output could not be looked into: {fault}")
    return StepError("BadOutput", str(fault), retryable=False)


def argument_text(value: Any) -> str:
    """A value as a program's argument: texts as they are, all else as JSON writes it."""
    if isinstance(value, str):
        return value
    return compact(value)
