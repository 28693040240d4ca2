"""The kind `task` over tools that remember what they were asked: real programs, rows that are made in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from quintet.adapters.memory.collections import MemoryCollections
from quintet.domain.dataset import Column, Content
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.outcome import Outcome
from quintet.services.ports.queries import Made, QueryFault
from quintet.services.ports.steps import StepCall
from quintet.services.programs import Programs
from quintet.steps.tools import TaskTools

PYTHON, SQL, JSON = "text/x-python", "application/sql", "application/json"
COLUMNS = (Column("n", "BIGINT"),)


@dataclass
class FakeFiles:
    """Port Files: writes what `lines` says (or b"made") under the asked name; `fault` is raised instead."""

    blobs: Any
    made: list[dict[str, Any]] = field(default_factory=list)
    faults: list[QueryFault] = field(default_factory=list)
    lines: bytes = b"made"
    rows: int = 2

    def make(
        self, sql: str, tables: Mapping[str, Content], into: str, format_: str = "parquet", timeout: float = 60.0,
        leash: str | None = None,
    ) -> Made:  # fmt: skip
        asked = {
            "sql": sql,
            "tables": dict(tables),
            "into": into,
            "format": format_,
            "timeout": timeout,
            "leash": leash,
        }
        self.made.append(asked)
        if self.faults:
            raise self.faults.pop(0)
        self.blobs.put(into, self.lines)
        content = Content(format_, (into,), COLUMNS, self.rows, len(self.lines))
        return Made(content, rows_read=5, cpu_seconds=0.25, memory_bytes=1000)

    def describe(self, format_: str, parts: Sequence[str], timeout: float = 60.0) -> Content:
        if self.faults:
            raise self.faults.pop(0)
        return Content(format_, tuple(parts), COLUMNS, self.rows, sum(self.blobs.size(part) for part in parts))


class Contents:
    """What datasets hold."""

    def __init__(self) -> None:
        self.held: dict[int, Content | None] = {}

    def content(self, project: str, number: int) -> Content:
        if project != "p1" or number not in self.held:
            raise NotFound("no dataset")
        found = self.held[number]
        if found is None:
            raise Conflict("nothing yet")
        return found


class Jobs:
    """As much of the port Jobs as steps ask."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}

    def get(self, project: str, job_id: str) -> Any:
        if project != "p1" or job_id not in self.settings:
            raise NotFound("no job")
        return SimpleNamespace(settings={"etl": self.settings[job_id]})


class TaskDesk:
    """One ETL job (number 3 of project 2) with one task (4), whose output is dataset 9."""

    def __init__(self, desk: Any) -> None:
        self.desk, self.blobs, self.jobs = desk, desk.blobs, Jobs()
        self.files, self.contents = FakeFiles(desk.blobs), Contents()
        guard = SimpleNamespace(refusal=lambda _url: None)
        self.programs = Programs(MemoryCollections(), desk.blobs, desk.vault, guard, desk.clock)
        self.kinds = desk.kinds_of(TaskTools(self.jobs, self.programs, self.contents, self.files, SimpleNamespace()))
        self.define_job()
        self.define_task()

    def define_job(self, **etl: Any) -> None:
        """The ETL job."""
        self.jobs.settings["etl-job"] = {"kind": "job", "number": 3, "project": 2, **etl}

    def define_task(self, api_key: str | None = None, **etl: Any) -> None:
        """The task."""
        kept = {"kind": "task", "number": 4, "job": 3, "project": 2, "parent": "etl-job", "output": 9, **etl}
        if api_key is not None:
            kept["apiKey"] = self.desk.vault.seal(api_key, "etl-task:2:4")
        self.jobs.settings["job-1"] = kept

    def program(self, body: bytes, type_: str, name: str = "prog") -> None:
        """Keeps a program."""
        self.programs.put("p1", name, type_, body)

    def give(self, lines: bytes, rows: int, format_: str = "jsonl", number: int = 7) -> Content:
        """Makes a dataset that holds what `lines` says, the ETL job's input."""
        blob = f"datasets/p1/{number}/up/part.{format_}"
        self.blobs.put(blob, lines)
        self.contents.held[number] = Content(format_, (blob,), COLUMNS, rows, len(lines))
        self.define_job(input=number)
        return self.contents.held[number]

    def config(self, type_: str, **more: Any) -> dict[str, Any]:
        """The step's config."""
        return {"type": type_, "task": 4, "program": "prog", "input": None, "output": 9, **more}

    def call(
        self,
        type_: str,
        *,
        params: Any = None,
        config: Mapping[str, Any] | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> StepCall:
        """One attempt."""
        given = None if params is None else {"params": params}
        call = self.desk.call("task", self.config(type_, **(config or {})), scope={"input": given})
        return replace(call, timeout=600.0, stopped=stopped)

    def enact(self, type_: str, **more: Any) -> Outcome:
        """What one attempt comes to."""
        return self.kinds["task"].enact(self.call(type_, **more))

    @staticmethod
    def fault(type_: str, message: str) -> QueryFault:
        """Why a query comes to nothing."""
        return QueryFault(type_, message)
