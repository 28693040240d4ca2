"""A bench to run examples on: the real API's translation, engine, expressions, runner and DuckDB, with stores in memory."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.jsonschema import JsonSchemas
from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryJobs, MemoryLogs, MemoryRuns, SeededIds
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.adapters.memory.world import MemoryVault
from quintet.adapters.signatures import StandardSignatures
from quintet.bootstrap import Services
from quintet.dialects.automations.definitions import to_plan
from quintet.dialects.automations.models import CreateBody
from quintet.domain.definition import Plan
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.services.tokens import RunTokens
from quintet.steps.registry import step_kinds
from quintet.steps.tools import Tools

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"

# The runner function is no package that is installed: in Lambda its folder is where Python begins to look.
if str(ROOT / "functions/runner") not in sys.path:
    sys.path.append(str(ROOT / "functions/runner"))
run_code = import_module("quintet_runner.sandbox").run


def automation(name: str) -> dict[str, Any]:
    """An example's definition, the body of POST /api/v1/automations."""
    body: dict[str, Any] = json.loads((EXAMPLES / name / "automation.json").read_text())
    return body


def plan_of(body: Mapping[str, Any]) -> Plan:
    """The plan that the Automations API makes of a definition. Raises ValidationError, Invalid."""
    return to_plan(CreateBody.model_validate(body).config)


class Started:
    """Ports Bursts, Timers and Carriers that note what was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def start(self, *what: Any) -> None:
        self.calls.append(what)


class OneByOne:
    """Port Pool that does each work when its outcome is asked for."""

    free = 16

    def __init__(self) -> None:
        self._work: list[tuple[str, Callable[[], object]]] = []

    def submit(self, key: str, work: Callable[[], object]) -> None:
        self._work.append((key, work))

    def wait(self, seconds: float) -> list[tuple[str, object]]:
        key, work = self._work.pop(0)
        return [(key, work())]

    def close(self) -> None:
        self._work.clear()


class LocalFunctions:
    """Port Functions that calls the functions' own code in this process."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._sql = SqlEngine(blobs)

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        # What crosses to a function is JSON, both ways.
        event = json.loads(json.dumps(payload))
        answer: dict[str, Any] = json.loads(json.dumps(self._sql.run(event) if function == "sql" else run_code(event)))
        return answer


class Bench:
    """Runs definitions to their end, or as far as they go by themselves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bursts, self.timers, self.carriers = Started(), Started(), Started()
        self.blobs = MemoryBlobs()
        expressions = JsonataExpressions()
        self.services = Services(
            clock=self.clock,
            ids=SeededIds(1, self.clock),
            jobs=MemoryJobs(),
            runs=MemoryRuns(),
            logs=MemoryLogs(),
            blobs=self.blobs,
            bursts=self.bursts,
            timers=self.timers,
            carriers=self.carriers,
            expressions=expressions,
            pool=OneByOne,
            kinds=step_kinds(
                Tools(
                    expressions=expressions,
                    http=SimpleNamespace(),
                    functions=LocalFunctions(self.blobs),
                    blobs=self.blobs,
                    start_child=self._no_child,
                    vault=MemoryVault(),
                    run_tokens=RunTokens(MemorySigningSecrets(), MemoryVault(), Jwt()),
                    signatures=StandardSignatures(),
                    signing_secrets=lambda _run: (),
                    schemas=JsonSchemas(),
                    clock=self.clock,
                    runner_function="runner",
                    sql_function="sql",
                )
            ),
        )

    @staticmethod
    def _no_child(*_args: Any) -> str:
        raise AssertionError("no example starts other automations")

    def define(self, body: Mapping[str, Any]) -> Job:
        """Stores a definition after every check. Raises Invalid."""
        settings = {"input": body["config"]["input"]} if "input" in body["config"] else {}
        source = {"dialect": "automations", "config": body["config"], "orchestratorType": "dag"}
        return self.services.define.define(
            "default", "automations", body["name"], plan_of(body), source, settings=settings
        )

    def run(self, body: Mapping[str, Any], given: Any = None) -> str:
        """Defines and runs; the run's id."""
        job = self.define(body)
        run = self.services.trigger_run(job, input=job.settings.get("input") if given is None else given)
        self.drive()
        return run.id

    def drive(self) -> None:
        """Does every burst, wait, carried step and timer that was asked for, moving time on."""
        while self.bursts.calls or self.carriers.calls:
            if self.carriers.calls:
                self.services.carry(*self.carriers.calls.pop(0))
                continue
            run_id, epoch = self.bursts.calls.pop(0)
            said = self.services.advance(run_id, epoch, 0, 0, f"{epoch}.0")
            while said.next == "wait":
                self.clock.sleep(said.seconds)
                said = self.services.advance(run_id, epoch, said.slice, 0, f"{epoch}.{said.slice}")

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, and the timers in it go off."""
        end: datetime = self.clock.now() + timedelta(seconds=seconds)
        while due := sorted((at, run_id) for run_id, at in self.timers.calls if at <= end):
            at, run_id = due[0]
            self.timers.calls.remove((run_id, at))
            self.clock.advance_to(at)
            self.services.wake_run(run_id)
            self.drive()
        self.clock.advance_to(end)

    def state(self, run_id: str) -> tuple[Run, RunState]:
        """The run as it stands."""
        return self.services.reading.state("default", run_id)

    def result(self, run_id: str, key: str) -> Any:
        """A step's result."""
        return self.services.payloads.get(self.state(run_id)[1].steps[key].result)
