"""The world around the engine on its stage: stores that can be disturbed, endpoints and programs with a script, a pool in virtual time."""

import heapq
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from quintet.adapters.memory import ManualClock
from quintet.services.ports.http import HttpAnswer, HttpRequest
from quintet.services.stops import leash

if TYPE_CHECKING:
    from engine_stage import Stage

MAX_IDLE = 2_000
"""Looks at an unmoving clock in a row, after which the engine counts as spinning."""


class ProcessDied(BaseException):
    """The process that made this port call is gone."""


class Spinning(AssertionError):
    """The engine looks again and again although time stands still and nothing has happened."""


class WatchedClock(ManualClock):
    """Notices who sleeps without time passing."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = 0

    def sleep(self, seconds: float) -> None:
        """Lets the time pass at once."""
        self.look(seconds)
        self.advance(seconds)

    def look(self, seconds: float) -> None:
        """Counts a look that costs no time."""
        self.idle = 0 if seconds > 0 else self.idle + 1
        if self.idle > MAX_IDLE:
            raise Spinning


class Port:
    """A store as a process sees it: every call is counted and can be disturbed."""

    def __init__(self, stage: "Stage", name: str, store: Any) -> None:
        self._stage = stage
        self._name = name
        self._store = store

    def __getattr__(self, method: str) -> Any:
        effect = getattr(self._store, method)
        name = f"{self._name}.{method}"

        def call(*args: Any, **kwargs: Any) -> Any:
            self._stage.calls[name] += 1
            self._stage.disturb("before", name)
            found = effect(*args, **kwargs)
            self._stage.disturb("after", name)
            return found

        return call


class Endpoint:
    """Port HttpClient with a script for every URL: a status, (status, body), or what a function of the request answers."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.script: dict[str, list[Any]] = {}
        self.seconds: dict[str, float] = {}
        self.calls: list[HttpRequest] = []
        self.answer: Callable[[HttpRequest], HttpAnswer] | None = None

    def on(self, url: str, *replies: Any, seconds: float = 0.0) -> None:
        """Answers with these in turn, the last one for ever, each after some virtual seconds."""
        self.script[url] = list(replies)
        self.seconds[url] = seconds

    def count(self, url: str) -> int:
        """How often a URL was called."""
        return sum(request.url == url for request in self.calls)

    def send(self, request: HttpRequest) -> HttpAnswer:
        """The next reply; 200 and an empty object for what has no script."""
        if self.answer:
            return self.answer(request)
        self.calls.append(request)
        self._stage.take(self.seconds.get(request.url, 0.0))
        replies = self.script.get(request.url, [200])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(reply):
            reply = reply(request)
        if isinstance(reply, Exception):
            raise reply
        status, body = reply if isinstance(reply, tuple) else (reply, {})
        headers = {"content-type": "application/json"}
        if isinstance(body, dict) and "$headers" in body:
            headers |= body["$headers"]
        return HttpAnswer(status, headers, json.dumps(body).encode(), request.url, {"total_ms": 1.0})


class Runner:
    """Port Functions for python steps: `code` names the function of the input that plays it."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.programs: dict[str, Callable[[Any], Any]] = {}
        self.seconds: dict[str, float] = {}
        self.calls: list[str] = []

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """What the program makes of its input."""
        code = payload["code"]
        self.calls.append(code)
        self._stage.take(self.seconds.get(code, 0.0))
        try:
            value = self.programs[code](payload["input"])
        except Exception as error:  # noqa: BLE001  # whatever the program raises is its answer
            return {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}, "logs": []}
        return {"ok": True, "result": value, "logs": []}


class Programs:
    """Processes that somebody runs: each ends after its seconds, or when its leash is there, at which it is looked before it begins and
    every second."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.begun: list[tuple[str, int]] = []
        self.live: set[tuple[str, int]] = set()
        self.stopped: list[tuple[str, int]] = []

    def run(self, run_id: str, token: int, seconds: float) -> None:
        """Begins one, unless its leash is there already; it takes its caller so long."""
        if self._leashed(run_id, token):
            return
        self.begun.append((run_id, token))
        self.live.add((run_id, token))
        self._look(run_id, token, self._stage.clock.now() + timedelta(seconds=seconds))
        self._stage.take(seconds)

    def _look(self, run_id: str, token: int, ends: datetime) -> None:
        left = (ends - self._stage.clock.now()).total_seconds()
        if self._leashed(run_id, token):
            self.live.discard((run_id, token))
            self.stopped.append((run_id, token))
        elif left <= 0:
            self.live.discard((run_id, token))
        else:
            self._stage.later(min(left, 1.0), lambda: self._look(run_id, token, ends))

    def _leashed(self, run_id: str, token: int) -> bool:
        return bool(self._stage.stores["blobs"].names(leash(run_id, token), 1))


class Service:
    """Port Parking: a service whose jobs take the `seconds` of their work; their ends are told, again after a fault, unless one `dies`."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.begun: list[tuple[str, int]] = []
        self.live: set[tuple[str, int]] = set()
        self.stopped: list[tuple[str, int]] = []
        self.barred: set[tuple[str, int]] = set()
        self.told = 0

    def start(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        """Begins the work, once, and never after it was stopped."""
        work = json.loads(json.dumps(dict(work)))
        if (run_id, token) in self.barred:
            return
        self.barred.add((run_id, token))
        self.begun.append((run_id, token))
        self.live.add((run_id, token))
        if work.get("seconds") is not None:
            self._stage.later(work["seconds"], lambda: self.end(run_id, path, token, work))

    def stop(self, run_id: str, token: int) -> None:
        """Stops it, or keeps it from beginning."""
        self.barred.add((run_id, token))
        self.stopped.append((run_id, token))
        self.live.discard((run_id, token))

    def at_work(self, run_id: str, token: int) -> bool:
        """True from its start to its end."""
        return (run_id, token) in self.live

    def end(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        """The job ends, unless it was stopped before."""
        if (run_id, token) not in self.live:
            return
        if work.get("dies"):
            self.live.discard((run_id, token))
        else:
            self._tell(run_id, path, token, work)

    def _tell(self, run_id: str, path: str, token: int, ended: Mapping[str, Any], tries: int = 3) -> None:
        self.told += 1
        try:
            self._stage.services.settle_parked(run_id, path, token, ended)
        except (ProcessDied, Exception):
            if tries:
                self._stage.later(1.0, lambda: self._tell(run_id, path, token, ended, tries - 1))
            else:
                self.live.discard((run_id, token))
            raise
        self.live.discard((run_id, token))


class VirtualPool:
    """Port Pool: each work's outcome is heard when its virtual seconds have passed; others act meanwhile."""

    SIZE = 64

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._under_way: list[tuple[datetime, int, str, object]] = []

    def submit(self, key: str, work: Callable[[], object]) -> None:
        """Enacts, and notes when it ends."""
        with self._stage.measuring() as spent:
            try:
                outcome = work()
            except Exception as error:  # noqa: BLE001  # as the product's pool hands it on
                outcome = error
        entry = (self._stage.clock.now() + timedelta(seconds=spent[0]), self._stage.next_number(), key, outcome)
        heapq.heappush(self._under_way, entry)
        self._stage.most_at_once = max(self._stage.most_at_once, len(self._under_way))

    def wait(self, seconds: float) -> list[tuple[str, object]]:
        """Lets time pass until the first ends."""
        now = self._stage.clock.now()
        until = min(
            now + timedelta(seconds=seconds),
            *(entry[0] for entry in self._under_way[:1]),
            datetime.max.replace(tzinfo=UTC),
        )
        self._stage.play_inside(until)
        ended = []
        while self._under_way and self._under_way[0][0] <= self._stage.clock.now():
            _, _, key, outcome = heapq.heappop(self._under_way)
            ended.append((key, outcome))
        if not ended:
            self._stage.clock.look((self._stage.clock.now() - now).total_seconds())
        return ended

    @property
    def free(self) -> int:
        """As many as the product's own pool has."""
        return self.SIZE - len(self._under_way)

    def close(self) -> None:
        """Nobody hears what is still under way."""
        self._under_way.clear()


class FanOut:
    """Port Fanouts: so many items at a time, each played to its end, and a wake when the last has ended."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._waiting: dict[tuple[str, int], list[tuple[int, Any]]] = {}
        self._left: dict[tuple[str, int], int] = {}

    def start(self, run_id: str, path: str, token: int, manifest: str, concurrency: int) -> None:
        """Begins the first items, unless the map is under way."""
        self._stage.calls["fanouts.start"] += 1
        if (run_id, token) in self._left:
            return
        items = json.loads(self._stage.stores["blobs"].get(manifest))
        self._waiting[run_id, token] = list(enumerate(items))
        self._left[run_id, token] = len(items)
        for _ in range(concurrency):
            self._next(run_id, path, token)

    def stop(self, run_id: str, token: int) -> None:
        """Begins no further items."""
        self._waiting.pop((run_id, token), None)

    def _next(self, run_id: str, path: str, token: int) -> None:
        if waiting := self._waiting.get((run_id, token)):
            index, item = waiting.pop(0)
            self._stage.later(0.0, lambda: self._item(run_id, path, token, index, item, 0))

    def _item(self, run_id: str, path: str, token: int, index: int, item: Any, slice_: int) -> None:
        name = f"item {index} {slice_}"
        answer = self._stage.services.advance_item(run_id, path, token, index, item, slice_, 0, name)
        if answer.next != "end":
            again = answer.slice
            self._stage.later(answer.seconds, lambda: self._item(run_id, path, token, index, item, again))
            return
        self._left[run_id, token] -= 1
        self._next(run_id, path, token)
        if not self._left[run_id, token]:
            self._stage.later(0.0, lambda: self._stage.services.wake_run(run_id))
