"""task: does what a task is, by its type."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.domain.dataset import Content
from quintet.domain.definition import StepDef
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.outcome import Failed, Outcome, StepError
from quintet.domain.program import TYPES, Program
from quintet.services.datasets import Datasets
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.secrets import Vault
from quintet.services.ports.steps import Expressions, StepCall
from quintet.services.programs import Programs
from quintet.steps.fields import Field, Fields, number, one_of, text
from quintet.steps.kind import FUNCTION_SECONDS, Kind
from quintet.steps.task_work import TaskEnd, TaskWork, Work

_id = number(1, 10**15, whole=True)


class TaskKind(Kind):
    """`type`, `task` (its number), `program` (name or id), `input` (a dataset's number; else the one of the task's ETL job), `output`.

    The run's input is {"params": {...}} or nothing. What else counts is read when the attempt begins: the program, the input's content,
    the task's key. The result is {dataset, metrics, answer}; see domain/execution.py.
    """

    name = "task"
    sees_scope = True
    sees_steps = False
    raw = frozenset({"type", "task", "program", "input", "output"})
    default_timeout = FUNCTION_SECONDS
    attempt_seconds = FUNCTION_SECONDS
    fields: ClassVar[Fields] = {
        "type": Field(one_of(*TYPES), required=True),
        "task": Field(_id, required=True),
        "program": Field(text(128)),
        "input": Field(_id),
        "output": Field(_id, required=True),
    }

    def __init__(
        self,
        expressions: Expressions,
        jobs: Jobs,
        programs: Programs,
        datasets: Datasets,
        vault: Vault,
        works: Mapping[str, Work],
    ) -> None:
        super().__init__(expressions)
        self._jobs = jobs
        self._programs = programs
        self._datasets = datasets
        self._vault = vault
        self._works = works

    def leaves(self, step: StepDef) -> str | None:
        """What the work of the task's type leaves."""
        return self._works[step.config["type"]].leaves

    def perform(self, call: StepCall) -> Outcome:
        """One attempt of the task's work."""
        try:
            work = self._resolve(call)
        except _NotReady as fault:
            return Failed(StepError(fault.type, str(fault), retryable=False))
        return self._works[work.type].perform(call, work)

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """What the attempt's parked work came to."""
        return self._works[call.config["type"]].conclude(call, _end(call), ended)

    def _resolve(self, call: StepCall) -> TaskWork:
        etl = self._settings(call.run.tenant, call.run.job_id)
        if etl is None:
            raise _NotReady("NoTask", "the task is no longer there")
        given = call.scope().get("input")
        params = given.get("params") if isinstance(given, Mapping) else None
        end = _end(call)
        return TaskWork(
            end.type,
            end.task,
            end.output,
            end.prefix,
            program=self._program(call),
            input=self._input(call, etl),
            params=params if isinstance(params, Mapping) else {},
            api_key=self._api_key(etl),
            job=int(etl["job"]),
            project=int(etl["project"]),
        )

    def _settings(self, project: str, job_id: str | None) -> Mapping[str, Any] | None:
        try:
            found = self._jobs.get(project, job_id or "").settings.get("etl")
        except NotFound:
            return None
        return found if isinstance(found, Mapping) else None

    def _program(self, call: StepCall) -> Program:
        named, type_ = call.config.get("program"), call.config["type"]
        if not named:
            raise _NotReady("NoProgram", "the task names no program (botId)")
        try:
            program = self._programs.find(call.run.tenant, str(named))
        except NotFound:
            raise _NotReady("NoProgram", f"there is no program {named}") from None
        if program.type != TYPES[type_]:
            message = f"program {program.name} is {program.type}; {type_} tasks run {TYPES[type_]}"
            raise _NotReady("WrongProgram", message)
        return program

    def _input(self, call: StepCall, etl: Mapping[str, Any]) -> Content | None:
        """What the task reads: its own input, else that of its ETL job as it is now."""
        project, given = call.run.tenant, call.config.get("input")
        if given is None:
            job = self._settings(project, etl.get("parent"))
            given = None if job is None else job.get("input")
        if given is None:
            return None
        try:
            return self._datasets.content(project, int(given))
        except NotFound:
            raise _NotReady("NoInput", f"there is no dataset {given}, which the task reads") from None
        except Conflict:
            raise _NotReady("NoInput", f"dataset {given}, which the task reads, has no rows yet") from None

    def _api_key(self, etl: Mapping[str, Any]) -> str | None:
        sealed = etl.get("apiKey")
        if not sealed:
            return None
        try:
            return self._vault.open(str(sealed), f"etl-task:{etl['project']}:{etl['number']}")
        except Invalid:
            raise _NotReady("BadApiKey", "the task's apiKey can't be opened: set it anew") from None


class _NotReady(Exception):
    """Something that the task names is not there, or not what it must be."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


def _end(call: StepCall) -> TaskEnd:
    config, output = call.config, int(call.config["output"])
    prefix = f"datasets/{call.run.tenant}/{output}/{call.run.id}-{call.token}/"
    return TaskEnd(config["type"], int(config["task"]), output, prefix)
