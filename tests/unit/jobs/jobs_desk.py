"""A desk to try the Jobs API at: the real API and the real services, on the ports in memory."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

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
from quintet.dialects.jobs.app import build
from quintet.services.ports.http import HttpAnswer, HttpRequest
from quintet.services.ports.keys import Key

ADMIN = "secret-of-admin"
URL = "https://example.com/work"
Reply = tuple[int, Any] | Callable[[HttpRequest], tuple[int, Any]]


class Starts:
    """Ports Bursts, Timers, DeliveryQueue: only note what was started."""

    def __init__(self) -> None:
        self.started: list[tuple[Any, ...]] = []

    def start(self, *what: Any) -> None:
        self.started.append(what)

    def start_many(self, bursts: Sequence[tuple[str, int]]) -> None:
        self.started += bursts

    def put(self, *what: Any) -> None:
        self.started.append(what)


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


class Endpoints:
    """Port HttpClient: answers by URL, each with its replies in turn, the last one for ever; 200 {"ok": true} where none is set."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.calls: list[HttpRequest] = []
        self.replies: dict[str, list[Reply]] = {}
        self.seconds = 0.0

    def send(self, request: HttpRequest) -> HttpAnswer:
        self.calls.append(request)
        replies = self.replies.get(request.url) or [(200, {"ok": True})]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        status, body = reply(request) if callable(reply) else reply
        self._clock.advance(self.seconds)
        headers = {"content-type": "application/json"}
        return HttpAnswer(status, headers, b"" if body is None else json.dumps(body).encode(), request.url, {})


class Guard:
    """Port UrlGuard: refuses every host that says so in its name."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def refusal(self, url: str) -> str | None:
        self.asked.append(url)
        if not url.startswith(("http://", "https://")):
            return "Must be an http or https URL"
        return "Leads to a closed network" if "internal" in url else None


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        body: dict[str, Any] = self.json["error"]
        return body

    @property
    def fields(self) -> set[str]:
        """The fields that an error names."""
        return {one["field"] for one in self.error["details"]}


class Desk:
    """The API with everything behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.endpoints, self.guard = Endpoints(self.clock), Guard()
        self.bursts, self.timers = Starts(), Starts()
        projects = MemoryProjects()
        self.keys, self.vault = MemoryKeys(projects), MemoryVault()
        self.services = Services(
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
            blobs=MemoryBlobs(),
            vault=self.vault,
            signing_secrets=MemorySigningSecrets(),
            deliveries=MemoryDeliveries(),
            delivery_queue=Starts(),
            guard_url=self.guard,
            http=self.endpoints,
            functions=SimpleNamespace(),
            parking=SimpleNamespace(),
            bursts=self.bursts,
            timers=self.timers,
            carriers=SimpleNamespace(start=self._carry),
            expressions=JsonataExpressions(),
            pool=Pool,
        )
        self._carried: list[tuple[Any, ...]] = []
        self.api = build(lambda: self.services)
        self.add_key(ADMIN, "admin")

    def _carry(self, *what: Any) -> None:
        self._carried.append(what)

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
    ) -> Answer:
        found = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
        if key is not None:
            found["authorization"] = f"Bearer {key}"
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
            "body": raw if raw is not None else None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = self.api.answer(request, SimpleNamespace(aws_request_id="lambda-1"))
        lower = {name.lower(): value for name, value in answer["headers"].items()}
        return Answer(answer["statusCode"], lower, answer.get("body") or "")

    def get(self, path: str, **more: Any) -> Answer:
        return self.send("GET", f"/v1{path}", **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.send("POST", f"/v1{path}", body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.send("PATCH", f"/v1{path}", body, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        return self.send("DELETE", f"/v1{path}", **more)

    def job(self, name: str = "a", **fields: Any) -> dict[str, Any]:
        """Creates a job and answers its JSON."""
        given = {"name": name, **({} if "tasks" in fields else {"endpoint_url": URL}), **fields}
        answer = self.post("/jobs", given)
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

    def trigger(self, job_id: str, **body: Any) -> dict[str, Any]:
        """Triggers a job; the run as it was answered."""
        answer = self.post(f"/jobs/{job_id}/trigger", body)
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

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

    def now(self) -> datetime:
        """The moment it is on this desk."""
        return self.clock.now()
