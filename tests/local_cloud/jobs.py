"""A client of the Jobs API as its users write one."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from tests.local_cloud.server import Server

T = TypeVar("T")
ENDED = frozenset({"completed", "failed", "timed_out", "crashed", "system_failed", "canceled", "expired"})
SECONDS = 60.0
"""How long something may take that has no time of its own, on a machine that others use too."""


class JobsClient(httpx.Client):
    """A client of one cloud's Jobs API with its admin key."""

    def __init__(self, url: str) -> None:
        headers = {"authorization": "Bearer local-dev-key"}
        bounds = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        super().__init__(base_url=url, headers=headers, timeout=SECONDS, trust_env=False, limits=bounds)

    def good(self, response: httpx.Response, *statuses: int) -> Any:
        """The JSON of a response that has one of the statuses."""
        assert response.status_code in (statuses or (200,)), response.text
        return response.json()

    def job(self, url: str, **fields: Any) -> str:
        """A new job's id."""
        body = {"name": f"job {uuid4()}", "endpoint_url": url, **fields}
        return str(self.good(self.post("/v1/jobs", json=body), 201)["id"])

    def ask(self, job: str, headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        """The answer to a trigger."""
        return self.post(f"/v1/jobs/{job}/trigger", json=body, headers=headers)

    def trigger(self, job: str, **body: Any) -> Any:
        """A new run."""
        return self.good(self.ask(job, **body), 201)

    def bulk(self, job: str, items: Iterable[Mapping[str, Any]], **headers: str) -> Any:
        """The answer to many triggers in one request."""
        sent = {"items": list(items)}
        return self.good(self.post(f"/v1/jobs/{job}/trigger/bulk", json=sent, headers=headers), 201)

    def at_once(self, job: str, bodies: Sequence[Mapping[str, Any]], **headers: str) -> list[httpx.Response]:
        """The answers to triggers that set out at the same moment, a thread each, in their order."""
        return self.together([partial(self.ask, job, headers, **body) for body in bodies])

    def together(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """What works return that set out at the same moment, a thread each, in their order."""
        start = Barrier(len(works))

        def one(work: Callable[[], T]) -> T:
            start.wait()
            return work()

        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(one, works))

    def run(self, run_id: str, part: str = "") -> Any:
        """A run, or what is in it."""
        return self.good(self.get(f"/v1/runs/{run_id}{part}"))

    def runs(self, job: str, **query: Any) -> list[Any]:
        """All runs of a job, newest first."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            params = {"job_id": job, "limit": 100, **query, **({"cursor": cursor} if cursor else {})}
            answer = self.get("/v1/runs", params=params)
            found += self.good(answer)
            cursor = answer.headers.get("x-next-cursor")
            if cursor is None:
                return found

    def statuses(self, job: str) -> Counter[str]:
        """How many runs of a job stand in each status."""
        return Counter(run["status"] for run in self.runs(job))

    def until(self, holds: Callable[[], bool], seconds: float = SECONDS, every: float = 0.02) -> None:
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(every)

    def becomes(self, run_id: str, *statuses: str) -> Any:
        """The run once it has one of the statuses; without any, once it has ended."""
        wanted = statuses or ENDED
        end = time.monotonic() + SECONDS
        while (run := self.run(run_id))["status"] not in wanted:
            assert run["status"] not in ENDED, run
            assert time.monotonic() < end, run
            time.sleep(0.02)
        return run

    def all_end(self, job: str, total: int, seconds: float = SECONDS) -> list[Any]:
        """All runs of a job, newest first, once so many have ended."""
        found: list[Any] = []

        def ended() -> bool:
            # Ends fill the list from its old end: while the newest is under way the rest needs no look.
            found[:] = self.runs(job) if self._newest_ended(job) else []
            return len(found) == total and all(run["status"] in ENDED for run in found)

        self.until(ended, seconds, 0.2)
        return found

    def _newest_ended(self, job: str) -> bool:
        newest = self.good(self.get("/v1/runs", params={"job_id": job, "limit": 1}))
        return bool(newest) and newest[0]["status"] in ENDED

    def say(self, run_id: str, token: str, what: str, body: Any = None) -> httpx.Response:
        """A report of the run's program."""
        return self.post(f"/sdk/v1/runs/{run_id}/{what}", json=body, headers={"authorization": f"Bearer {token}"})


def holders(server: Server, job: str) -> list[str]:
    """The runs that hold a job's places, as the table has it."""
    return _held(server, f"default#job#{job}")


def key_holders(server: Server, concurrency_key: str) -> list[str]:
    """The runs that hold the places of a concurrency key."""
    return _held(server, f"default#key#{concurrency_key}")


def _held(server: Server, slot: str) -> list[str]:
    key = {"pk": {"S": f"SLOT#{slot}"}, "sk": {"S": "#SLOT"}}
    table = server.variable("RUNS_TABLE")
    item = server.aws("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    found: list[str] = item.get("holders", {}).get("SS", [])
    return found
