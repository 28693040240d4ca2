"""A desk to try the ETL API at: the real API and the real services, on the ports in memory."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

from tests.unit.jobs.jobs_desk import Endpoints, Guard, Pool, Starts

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.memory import (
    ManualClock,
    MemoryBlobs,
    MemoryCollections,
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
from quintet.bootstrap import Services
from quintet.dialects.etl.app import build
from quintet.services.ports.functions import FunctionFault
from quintet.services.ports.http import HttpAnswer, HttpFault, HttpRequest
from quintet.services.ports.keys import Key
from quintet.settings import Settings

ADMIN = "secret-of-admin"
API = "/webrobot/api"
RUNNER, SQL = "the-runner", "the-sql-function"
Run = Callable[[Mapping[str, Any]], dict[str, Any]]
"""What the runner function does with its payload."""


class Web(Endpoints):
    """Port HttpClient: `pages` by URL, else as endpoints answer."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.pages: dict[str, HttpAnswer | HttpFault] = {}

    def send(self, request: HttpRequest) -> HttpAnswer:
        page = self.pages.get(request.url)
        if page is None:
            return super().send(request)
        self.calls.append(request)
        if isinstance(page, HttpFault):
            raise page
        return page

    def page(
        self, url: str, body: bytes, content_type: str | None = "text/html", status: int = 200, **headers: str
    ) -> None:
        """Sets what a URL answers."""
        found = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            found["content-type"] = content_type
        self.pages[url] = HttpAnswer(status, found, body, url, {})


class FunctionsHere:
    """Port Functions: the SQL function is the real engine on this desk's blobs, the runner does what `runner` says."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.runner: Run = lambda _: {"ok": True, "value": None, "result": None, "logs": []}

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        self.calls.append((function, payload))
        given = json.loads(json.dumps(payload))  # what is no JSON does not come through to a function
        answers = {SQL: SqlEngine(self._blobs).run, RUNNER: self.runner}
        if function not in answers:
            raise FunctionFault("Unavailable", f"no function {function!r}")
        answer: dict[str, Any] = json.loads(json.dumps(answers[function](given)))
        return answer


class Parked:
    """Port Parking: notes what was started and what was stopped; `Desk.end_parked` ends it."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str, int, dict[str, Any]]] = []
        self.stopped: list[tuple[str, int]] = []

    def start(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        self.started.append((run_id, path, token, json.loads(json.dumps(dict(work)))))

    def stop(self, run_id: str, token: int) -> None:
        self.stopped.append((run_id, token))

    def at_work(self, run_id: str, token: int) -> bool:
        return (run_id, token) not in self.stopped and any((one[0], one[2]) == (run_id, token) for one in self.started)


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What an error says; its body is the one that this API has for errors."""
        body = self.json
        assert set(body) == {"error", "code", "timestamp"}, body
        assert body["code"] == self.status
        said: str = body["error"]
        return said


class Desk:
    """The API with everything behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.web, self.guard = Web(self.clock), Guard()
        self.bursts, self.timers, self.parked = Starts(), Starts(), Parked()
        projects = MemoryProjects()
        self.keys, self.blobs = MemoryKeys(projects), MemoryBlobs()
        self.functions = FunctionsHere(self.blobs)
        self._carried: list[tuple[Any, ...]] = []
        self.services = Services(
            settings=Settings(runner_function=RUNNER, sql_function=SQL),
            clock=self.clock,
            ids=SeededIds(1, self.clock),
            jobs=MemoryJobs(),
            group_store=MemoryGroups(),
            runs=MemoryRuns(),
            records=MemoryRecords(),
            keys=self.keys,
            project_store=projects,
            dependency_store=MemoryDependencies(),
            subscriptions=MemorySubscriptions(),
            collections=MemoryCollections(),
            logs=MemoryLogs(),
            blobs=self.blobs,
            vault=MemoryVault(),
            signing_secrets=MemorySigningSecrets(),
            deliveries=MemoryDeliveries(),
            delivery_queue=Starts(),
            guard_url=self.guard,
            http=self.web,
            functions=self.functions,
            parking=self.parked,
            bursts=self.bursts,
            timers=self.timers,
            carriers=SimpleNamespace(start=lambda *what: self._carried.append(what)),
            expressions=JsonataExpressions(),
            pool=Pool,
        )
        self.api = build(lambda: self.services)
        self.add_key(ADMIN, "admin")

    def add_key(self, secret: str, *scopes: str, project: str = "default", **fields: Any) -> Key:
        """A key that works."""
        key = Key(f"id-{secret}", project, project, secret, secret[:4], frozenset(scopes), self.clock.now())
        key = replace(key, **fields)
        self.keys.put(hashlib.sha256(secret.encode()).hexdigest(), key)
        return key

    # --- asking ----------------------------------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: str | bytes | None = None,
        key: str | None = ADMIN,
    ) -> Answer:
        """A request. `path` is whole, or begins below /webrobot/api; it is taken as the gateway hands it on, decoded. `raw` instead of
        `body` is sent as it is, bytes in base64, as gateways do."""
        found = {"content-type": "application/json"} | {name.lower(): value for name, value in (headers or {}).items()}
        if key is not None:
            found["x-api-key"] = key
        path = path if path.startswith(("/webrobot", "/api", "/health")) else API + path
        path, _, more = path.partition("?")
        asked = query if isinstance(query, str) else urlencode(query or {}, quote_via=quote)
        request = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "&".join(part for part in (more, asked) if part),
            "headers": found,
            "requestContext": {
                "requestId": "request-1",
                "stage": "$default",
                "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
            },
            "body": _sent(body, raw),
            "isBase64Encoded": isinstance(raw, bytes),
        }
        return _read(self.api.answer(request, SimpleNamespace(aws_request_id="lambda-1")))

    def get(self, path: str, **more: Any) -> Answer:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.send("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.send("PUT", path, body, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        return self.send("DELETE", path, **more)

    # --- the engine's work -----------------------------------------------------------------------------------------------------

    def drive(self) -> None:
        """Does every burst and carried step that was started, and those that follow from them."""
        while self.bursts.started or self._carried:
            while self._carried:
                self.services.carry(*self._carried.pop(0))
            if not self.bursts.started:
                break
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
        while due := sorted((at, run_id) for run_id, at in self.timers.started if at <= end):
            at, run_id = due[0]
            self.timers.started.remove((run_id, at))
            self.clock.advance_to(max(at, self.clock.now()))
            self.services.wake_run(run_id)
            self.drive()
        self.clock.advance_to(end)

    def tick(self) -> None:
        """Starts what is due now, as the rule does each minute, and does it."""
        self.services.tick()
        self.drive()

    def end_parked(self, ended: Mapping[str, Any]) -> None:
        """Ends the parked work that was started first, and does what follows."""
        run_id, path, token, _ = self.parked.started.pop(0)
        self.services.settle_parked(run_id, path, token, ended)
        self.drive()

    def now(self) -> datetime:
        """The moment it is on this desk."""
        return self.clock.now()


def _sent(body: Any, raw: str | bytes | None) -> str | None:
    if isinstance(raw, bytes):
        return base64.b64encode(raw).decode()
    return raw if raw is not None or body is None else json.dumps(body)


def _read(answer: dict[str, Any]) -> Answer:
    """What a client gets of a function's answer."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Answer(answer["statusCode"], headers, body)
