"""A desk to try the Automations API at: the real API and the real services, on the ports in memory."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.jsonschema import JsonSchemas
from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import (
    ManualClock,
    MemoryBlobs,
    MemoryDependencies,
    MemoryGroups,
    MemoryJobs,
    MemoryKeys,
    MemoryLogs,
    MemoryProjects,
    MemoryRecords,
    MemoryRuns,
    MemoryVault,
    SeededIds,
)
from quintet.adapters.memory.events import MemorySubscriptions
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.adapters.memory.webhooks import MemoryDeliveries
from quintet.adapters.signatures import StandardSignatures
from quintet.bootstrap import Services
from quintet.dialects.automations.app import build
from quintet.services.ports.keys import Key
from quintet.services.tokens import RunTokens
from quintet.steps.registry import step_kinds
from quintet.steps.tools import TaskTools, Tools

ADMIN = "secret-of-admin"


class Bursts:
    """Port Bursts that only notes what was started; `Desk.drive` does it."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []

    def start(self, run_id: str, epoch: int) -> None:
        self.started.append((run_id, epoch))


class Timers:
    """Port Timers that only notes them."""

    def __init__(self) -> None:
        self.set: list[tuple[str, datetime]] = []

    def start(self, run_id: str, at: datetime) -> None:
        self.set.append((run_id, at))


class Pool:
    """Port Pool that does each work when its outcome is asked for."""

    free = 16

    def __init__(self) -> None:
        self._work: list[tuple[str, Callable[[], object]]] = []

    def submit(self, key: str, work: Callable[[], object]) -> None:
        self._work.append((key, work))

    def wait(self, seconds: float) -> list[tuple[str, object]]:
        if not self._work:
            return []
        key, work = self._work.pop(0)
        try:
            return [(key, work())]
        except Exception as error:  # noqa: BLE001  # a pool hands on whatever the work raised
            return [(key, error)]

    def close(self) -> None:
        self._work.clear()


class Runner:
    """Port Functions: `code` is the name of what to answer with."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Mapping[str, Any]], Any]] = {}

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        try:
            value = self.answers[payload["code"]](payload)
        except Exception as error:  # noqa: BLE001  # a user's code may raise anything
            fault = {"type": type(error).__name__, "message": str(error)}
            return {"ok": False, "error": fault, "logs": []}
        return {"ok": True, "value": value, "result": value, "logs": []}


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Desk:
    """The API with everything behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bursts, self.timers, self.runner = Bursts(), Timers(), Runner()
        projects = MemoryProjects()
        self.keys, self.logs, self.blobs = MemoryKeys(projects), MemoryLogs(), MemoryBlobs()
        ids = SeededIds(1, self.clock)
        jobs = MemoryJobs()
        expressions = JsonataExpressions()
        self.services = Services(
            clock=self.clock,
            ids=ids,
            jobs=jobs,
            group_store=MemoryGroups(),
            runs=MemoryRuns(),
            records=MemoryRecords(),
            keys=self.keys,
            project_store=projects,
            dependency_store=MemoryDependencies(),
            subscriptions=MemorySubscriptions(),
            signing_secrets=MemorySigningSecrets(),
            deliveries=MemoryDeliveries(),
            delivery_queue=SimpleNamespace(put=lambda *_: None),
            logs=self.logs,
            blobs=self.blobs,
            vault=MemoryVault(),
            bursts=self.bursts,
            timers=self.timers,
            carriers=SimpleNamespace(start=lambda *_: None),
            expressions=expressions,
            pool=Pool,
            kinds=self._kinds(expressions),
        )
        self.api = build(lambda: self.services)
        self.add_key(ADMIN, "admin")
        self.lock = threading.Lock()

    def _kinds(self, expressions: JsonataExpressions) -> Any:
        return step_kinds(
            Tools(
                expressions=expressions,
                http=SimpleNamespace(),
                functions=self.runner,
                blobs=self.blobs,
                start_child=self._start_child,
                vault=MemoryVault(),
                run_tokens=RunTokens(MemorySigningSecrets(), MemoryVault(), Jwt()),
                signatures=StandardSignatures(),
                signing_secrets=lambda _run: (),
                schemas=JsonSchemas(),
                clock=self.clock,
                tasks=TaskTools(*[SimpleNamespace()] * 5),
            )
        )

    def _start_child(self, *args: Any, **more: Any) -> str:
        return self.services.start_child(*args, **more)

    def add_key(self, secret: str, *scopes: str, project: str = "default", **fields: Any) -> Key:
        key = Key(f"id-{secret}", project, project, secret, secret[:4], frozenset(scopes), self.clock.now())
        key = replace(key, **fields)
        self.keys.put(hashlib.sha256(secret.encode()).hexdigest(), key)
        return key

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: str | None = None,
        key: str | None = ADMIN,
        **event: Any,
    ) -> Answer:
        found = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
        if key is not None:
            found["authorization"] = f"Bearer {key}"
        text = raw if raw is not None else None if body is None else json.dumps(body)
        request = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query if isinstance(query, str) else urlencode(query or {}, quote_via=quote),
            "headers": found,
            "requestContext": {
                "requestId": "request-1",
                "stage": "$default",
                "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
            },
            "body": text,
            "isBase64Encoded": False,
            **event,
        }
        answer = self.api.answer(request, SimpleNamespace(aws_request_id="lambda-1"))
        lower = {name.lower(): value for name, value in answer["headers"].items()}
        return Answer(answer["statusCode"], lower, answer.get("body") or "")

    def get(self, path: str, **more: Any) -> Answer:
        return self.send("GET", f"/api/v1{path}", **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.send("POST", f"/api/v1{path}", body, **more)

    def define(
        self, *steps: Mapping[str, Any], config: Mapping[str, Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Defines an automation and answers its JSON."""
        body = {"name": "a", **fields, "config": {"steps": list(steps), **(config or {})}}
        answer = self.post("/automations", body)
        assert answer.status == 201, answer.text
        return answer.json

    def run(self, *steps: Mapping[str, Any], body: Any = None, **fields: Any) -> str:
        """Defines and runs an automation as far as it goes by itself; the run's id."""
        answer = self.post(f"/automations/{self.define(*steps, **fields)['id']}/run", body)
        assert answer.status == 201, answer.text
        self.drive()
        return answer.json["id"]

    def drive(self) -> None:
        """Does every burst that was started, and those that follow from them."""
        while self.bursts.started:
            run_id, epoch = self.bursts.started.pop(0)
            slice_ = 0
            while True:
                said = self.services.advance(run_id, epoch, slice_, 0, f"{epoch}.{slice_}")
                if said.next == "end":
                    break
                self.clock.sleep(said.seconds)
                slice_ = said.slice

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, and the timers in it go off."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while due := sorted((at, run_id) for run_id, at in self.timers.set if at <= end):
            at, run_id = due[0]
            self.timers.set.remove((run_id, at))
            self.clock.advance_to(at)
            self.services.wake_run(run_id)
            self.drive()
        self.clock.advance_to(end)


def step(key: str, *needed: str, kind: str = "set", **fields: Any) -> dict[str, Any]:
    """A step as an author writes it; without more, one that sets its own name as a value."""
    config = fields.pop("config", {"values": {"name": key}} if kind == "set" else {})
    return {"key": key, "kind": kind, "dependsOn": list(needed), "config": config, **fields}
