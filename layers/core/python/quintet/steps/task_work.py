"""What the works of tasks share: what a work is given, and what the engine asks of it. Its end: see domain/execution.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from quintet.domain.dataset import Content
from quintet.domain.outcome import Failed, Outcome, StepError
from quintet.domain.program import Program
from quintet.services.ports.queries import QueryFault
from quintet.services.ports.steps import StepCall


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """Where an attempt's output goes: the number of the dataset that takes it, and the prefix of the blobs that it may hold."""

    type: str
    task: int
    output: int
    prefix: str


@dataclass(frozen=True, slots=True)
class TaskWork(TaskEnd):
    """One attempt of a task, resolved: the program as it is now, the rows it reads (None: none), the parameters of its start and the task's
    own key, opened. `job` and `project` are the numbers of the ETL job and project that the task is of."""

    program: Program
    input: Content | None
    params: Mapping[str, Any]
    api_key: str | None
    job: int
    project: int


class Work(Protocol):
    """What tasks of one type do."""

    @property
    def leaves(self) -> str | None:
        """What an attempt leaves at work elsewhere, as in StepKind: code, parked or None."""
        ...

    def perform(self, call: StepCall, work: TaskWork) -> Outcome:
        """Does one attempt, within `call.timeout`. Never raises for what the program or its data did: that is Failed."""
        ...

    def conclude(self, call: StepCall, end: TaskEnd, ended: Mapping[str, Any]) -> Outcome:
        """What an attempt comes to whose parked work has ended; only those that leave `parked` are asked."""
        ...


class Unparked:
    """A work that never parks anything."""

    def conclude(self, call: StepCall, end: TaskEnd, ended: Mapping[str, Any]) -> Outcome:
        """Nothing asks for it."""
        raise TypeError(f"{end.type} tasks park no work")


def query_failed(fault: QueryFault, what: str = "") -> Failed:
    """Why a query came to nothing. One that nobody answered may still be at work."""
    type_ = "SqlUnavailable" if fault.type == "Unavailable" else fault.type
    message = f"{what}: {fault}" if what else str(fault)
    return Failed(StepError(type_, message, retryable=False), cut=fault.type in ("Unavailable", "Timeout"))
