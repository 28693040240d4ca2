"""The step kinds over tools that remember what they were asked."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from task_desk import TaskDesk  # found through the line above

from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.jsonschema import JsonSchemas
from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryVault
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.adapters.signatures import StandardSignatures
from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Outcome
from quintet.domain.run import Run
from quintet.domain.state import StepState
from quintet.domain.status import RunStatus
from quintet.services.ports.http import HttpAnswer, HttpRequest
from quintet.services.ports.steps import StepCall, StepKind
from quintet.services.tokens import RunTokens
from quintet.steps.registry import step_kinds
from quintet.steps.tools import TaskTools, Tools

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Desk:
    """The kinds, their fake tools, and short ways to check and enact a step."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.answer: HttpAnswer | Exception = HttpAnswer(200, {}, b"", "http://x.example/", {})
        self.answers: list[HttpAnswer | Exception] = []
        self.called: list[tuple[str, Mapping[str, Any], float]] = []
        self.reply: dict[str, Any] | Exception = {"ok": True, "result": {}}
        self.children: list[tuple[str, Any]] = []
        self.child: str | Exception = "child-1"
        self.blobs = MemoryBlobs()
        self.vault = MemoryVault()
        self.secrets: dict[str, list[str]] = {}
        self.run_tokens = RunTokens(MemorySigningSecrets(), self.vault, Jwt())
        self.clock = ManualClock(NOW)
        self.expressions = JsonataExpressions()
        self.signatures = StandardSignatures()
        self.logged: list[tuple[str, str]] = []
        self.kinds = self.kinds_of(None)

    def kinds_of(self, tasks: TaskTools | None) -> Mapping[str, StepKind]:
        """The kinds, with what the works of tasks use besides."""
        return step_kinds(
            Tools(
                expressions=self.expressions,
                http=SimpleNamespace(send=self._send),
                functions=SimpleNamespace(call=self._call),
                blobs=self.blobs,
                start_child=self._start_child,
                vault=self.vault,
                run_tokens=self.run_tokens,
                signatures=self.signatures,
                signing_secrets=self._signing_secrets,
                schemas=JsonSchemas(),
                clock=self.clock,
                runner_function="runner",
                sql_function="sql",
                tasks=tasks,
            )
        )

    def _send(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        return _give(self.answers.pop(0) if self.answers else self.answer)

    def _call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        self.called.append((function, payload, timeout))
        return _give(self.reply)

    def _signing_secrets(self, run: Run) -> list[str]:
        return self.secrets.get(run.job_id, [])

    def _start_child(self, _call: StepCall, job_id: str, given: Any) -> str:
        self.children.append((job_id, given))
        return _give(self.child)

    def problems(
        self, kind: str, config: Mapping[str, Any], *, body: tuple[StepDef, ...] = (), timeout: float | None = None
    ) -> list[Problem]:
        """The faults of a definition."""
        return self.kinds[kind].problems(StepDef("s", kind, config=config, body=body, timeout=timeout))

    def places(self, kind: str, config: Mapping[str, Any], **more: Any) -> set[tuple[str | int, ...]]:
        """Where a definition's faults are."""
        return {problem.place for problem in self.problems(kind, config, **more)}

    def call(
        self,
        kind: str,
        config: Mapping[str, Any],
        *,
        scope: Mapping[str, Any] | None = None,
        define: StepDef | None = None,
        results: Callable[[int], Mapping[str, Any]] = lambda _index: {},
        failures: Mapping[int, Mapping[str, Any]] | None = None,
        project: str = "p1",
        run: Mapping[str, Any] | None = None,
        **state: Any,
    ) -> StepCall:
        """One attempt of a step, as the engine would put it."""
        of = replace(Run("run-1", project, "job-1", 1, "v1", RunStatus.EXECUTING, NOW, NOW), **(run or {}))
        step = StepState("s", define or StepDef("s", kind, config=config), "", 0, **state)
        given: dict[str, Any] = {
            "run": of,
            "step": step,
            "attempt": 1,
            "token": 7,
            "child": None,
            "config": config,
            "scope": lambda: dict(scope or {"input": {}, "steps": {}, "run": {"id": "run-1"}}),
            "timeout": 5.0,
            "now": NOW,
            "log": lambda level, message: self.logged.append((level, message)),
            "results": results,
            "failure": (failures or {}).get,
            "stopped": None,
        }
        return StepCall(**{name: given[name] for name in StepCall.__dataclass_fields__})

    def enact(self, kind: str, config: Mapping[str, Any], **more: Any) -> Outcome:
        """What one attempt comes to."""
        found: StepKind = self.kinds[kind]
        return found.enact(self.call(kind, config, **more))


def _give(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


@pytest.fixture
def desk() -> Desk:
    """Kinds over fake tools."""
    return Desk()


@pytest.fixture
def tasks(desk: Desk) -> TaskDesk:
    """The kind `task` over fake tools."""
    return TaskDesk(desk)
