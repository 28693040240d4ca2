"""A desk for tasks: what tasks do is said by the tests, all else is real; calls of ports can be counted, and can kill the process."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from etl_desk import ADMIN, Answer, Desk

from quintet.dialects.etl.app import GROUPS, build
from quintet.domain.execution import Metrics, finished
from quintet.domain.outcome import Completed, Failed, Outcome, StepError, Waits
from quintet.domain.program import JSON, PYTHON, SQL
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, anything
from quintet.steps.kind import Kind
from quintet.web.api import Api
from quintet.web.engine import Engine

Behaviour = Callable[[StepCall], Outcome]
PROJECT = "/projects/id/1"
JOB = f"{PROJECT}/jobs/1"
TASKS = f"{JOB}/tasks"
TASK = f"{TASKS}/1"
FIGURES = Metrics(records_processed=10, records_output=7, total_cpu_time_seconds=1.6, error_count=0)


class ScriptedTask(Kind):
    """A `task` kind that does what the test says, task by task; else it completes with FIGURES."""

    name = "task"
    raw = frozenset({"type", "task", "program", "input", "output"})
    fields: ClassVar[Fields] = {name: Field(anything) for name in ("type", "task", "program", "input", "output")}

    def __init__(self) -> None:
        self.does: dict[int, Behaviour] = {}
        self.calls: list[StepCall] = []

    def problems(self, step: Any) -> list[Any]:
        """None: what a definition needs is the real kind's matter."""
        return []

    def leaves(self, step: Any) -> str | None:
        """A process."""
        return "code"

    def perform(self, call: StepCall) -> Outcome:
        """What the test says."""
        self.calls.append(call)
        return self.does.get(call.config["task"], completes)(call)

    @property
    def order(self) -> list[int]:
        """The tasks in the order in which they were performed."""
        return [call.config["task"] for call in self.calls]


def completes(call: StepCall) -> Completed:
    """Ends well, with FIGURES."""
    return finished(call.config["output"], None, FIGURES)


def fails(call: StepCall) -> Failed:
    """Ends badly."""
    return Failed(StepError("ValueError", "no such column", retryable=False))


def works_on(call: StepCall) -> Waits:
    """Does not end by itself."""
    return Waits("report")


def _never(name: str, before: bool) -> bool:
    """No call fails."""
    return False


class ProcessDied(BaseException):
    """The process ends in the middle of a request."""


class Counted:
    """A part whose calls are counted by the test's desk."""

    def __init__(self, desk: "TasksDesk", name: str, part: Any) -> None:
        self._desk, self._name, self._part = desk, name, part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name.startswith("_") or not callable(found):
            return found

        def called(*args: Any, **more: Any) -> Any:
            self._desk.heard(f"{self._name}.{name}", before=True)
            answer = found(*args, **more)
            self._desk.heard(f"{self._name}.{name}", before=False)
            return answer

        return called


class TasksDesk(Desk):
    """A desk with a project 1, a job 1 in it, and programs `etl` (Python), `query` (SQL) and `hook` (JSON)."""

    def __init__(self, *, quick: bool = False) -> None:
        """`quick`: with the API of the quick desk before, which knows its routes already; it has the same key as that one."""
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.dies: Callable[[str, bool], bool] = _never
        self.fails: Callable[[str, bool], bool] = _never
        self.scripted = ScriptedTask()
        self._act: tuple[str | int, Callable[[], object]] | None = None
        self._passed = 0
        if quick:
            _Quick.desk = self
            self.api = _Quick.apis()[0]
        parts = self.services.__dict__
        for name in ("jobs", "runs", "collections", "blobs"):
            parts[name] = Counted(self, name, parts[name])
        parts["kinds"] = {**self.services.kinds, "task": self.scripted}
        for name, type_, body in (
            ("etl", PYTHON, "def main(input): ..."),
            ("query", SQL, "SELECT 1"),
            ("hook", JSON, HOOK),
        ):
            answer = self.send("PUT", f"/bots/{name}", raw=body, headers={"content-type": type_})
            assert answer.status == 201, answer.text
        assert self.post("/projects", {"name": "shop"}).status == 201
        assert self.post(f"{PROJECT}/jobs", {"name": "nightly"}).status == 201

    # --- what happens in the middle of a request -------------------------------------------------------------------------------

    def interrupt(self, at: str | int, act: Callable[[], object]) -> None:
        """Has others act, once, before a port's call: the first of that name, or the one of that place from now on."""
        self._act, self._passed = (at, act), 0

    def interrupted(self) -> bool:
        """True when they did; they don't any more."""
        waiting, self._act = self._act, None
        return waiting is None

    def heard(self, name: str, *, before: bool) -> None:
        """Counts a port's call; has others act before it, or ends the process, where the test says so."""
        if before:
            self.calls[name] += 1
            self._passed += 1
            if self._act is not None and self._act[0] in (name, self._passed):
                act, self._act = self._act[1], None
                with self._request_apart():
                    act()
        if self.dies(name, before):
            self.dies = _never
            raise ProcessDied(name)
        if self.fails(name, before):
            self.fails = _never
            raise RuntimeError(f"{name} failed")

    @contextmanager
    def _request_apart(self) -> Iterator[None]:
        """Lets requests be made in the middle of another, as in a process of their own."""
        ours, event, context = self.api, BaseRouter.current_event, BaseRouter.lambda_context
        groups = [(group, group.api_resolver, group.context) for group in GROUPS]
        self.api = _Quick.apis()[1] if _Quick.desk is self else build(lambda: self.services)
        try:
            yield
        finally:
            self.api, BaseRouter.current_event, BaseRouter.lambda_context = ours, event, context
            for group, api, known in groups:
                group.api_resolver, group.context = api, known

    # --- tasks -----------------------------------------------------------------------------------------------------------------

    def task(self, name: str = "t", job: str = JOB, **fields: Any) -> dict[str, Any]:
        """Creates a task that runs program `etl`; its JSON."""
        answer = self.post(f"{job}/tasks", {"name": name, "taskType": "PYTHON", "botId": "etl", **fields})
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

    def read(self, path: str = TASK) -> dict[str, Any]:
        """What is read at a path."""
        answer = self.get(path)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def log(self, path: str = TASK) -> dict[str, Any]:
        """A task's execution log."""
        found: dict[str, Any] = json.loads(self.read(path)["executionLog"])
        return found

    def start(self, path: str = TASK, body: Any = None) -> dict[str, Any]:
        """Starts a task; the answer's JSON. Nothing works on it until `drive`."""
        answer = self.post(f"{path}/start", body)
        assert answer.status == 200, answer.text
        made: dict[str, Any] = answer.json
        return made

    def finish(self, path: str = TASK) -> None:
        """Has a task that works on end well, and does what follows."""
        self.services.operate_step.complete("default", self.run_of(path), "task", {}, by="test")
        self.drive()

    def run_of(self, path: str = TASK) -> str:
        """The id of a task's last run."""
        found: str = self.read(path)["executionReferenceId"]
        return found

    def costs(self, path: str, **more: Any) -> tuple[Answer, Counter[str]]:
        """A request, and the calls of ports that it took."""
        self.get("/projects", key=more.get("key", ADMIN))  # the key is known from then on
        self.calls.clear()
        answer = self.get(path, **more)
        return answer, Counter(self.calls)


class _Quick:
    """Two APIs that serve the quick desk which was made last: what they have found out about their routes, they keep."""

    desk: TasksDesk | None = None
    _made: ClassVar[list[Api]] = []

    @classmethod
    def apis(cls) -> list[Api]:
        """The one of the desk, and one for requests in the middle of others."""
        while len(cls._made) < 2:
            cls._made.append(build(cls._services))
        return cls._made

    @classmethod
    def _services(cls) -> Engine:
        assert cls.desk is not None
        return cls.desk.services


HOOK = json.dumps({"url": "https://example.com/hook"})


def statuses(tasks: list[Mapping[str, Any]]) -> dict[str, str]:
    """How tasks stand, by name."""
    return {task["name"]: task["executionStatus"] for task in tasks}
