"""A stage on which the whole engine plays in virtual time: the real services and step kinds over the ports in memory.

Bursts, timers and carriers are queued and played in order of time by `play`; endpoints and user code are actors with a script. Nothing
happens by chance or in threads, so that a history is the same every time.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from stage_kinds import JobKind, ProgramKind
from stage_world import (
    Endpoint,
    FanOut,
    Port,
    ProcessDied,
    Programs,
    Runner,
    Service,
    Spinning,
    VirtualPool,
    WatchedClock,
)

from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.jsonschema import JsonSchemas
from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import MemoryBlobs, MemoryJobs, MemoryLogs, MemoryRuns, MemoryVault, SeededIds
from quintet.adapters.memory.dependencies import MemoryDependencies
from quintet.adapters.memory.events import MemorySubscriptions
from quintet.adapters.memory.records import MemoryRecords
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.adapters.memory.webhooks import MemoryDeliveries
from quintet.adapters.signatures import StandardSignatures
from quintet.bootstrap import Services
from quintet.domain.definition import Plan, StepDef
from quintet.domain.events import Event, EventType
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.asks import Ask, Submitted
from quintet.services.hooks import JobSecrets
from quintet.services.tokens import RunTokens
from quintet.steps.registry import step_kinds
from quintet.steps.tools import Tools

PROJECT = "project"
MAX_NESTING = 3

__all__ = ["PROJECT", "ProcessDied", "Spinning", "Stage", "ask", "call", "parked", "program", "rest", "step", "url"]


class Stage:
    """The engine, its world, and the hands to play with both."""

    def __init__(self, *, kinds: Any = None, expressions: Any = None, pool_size: int | None = None) -> None:
        self.clock = WatchedClock()
        self.ids = SeededIds(7, self.clock)
        self.calls: Counter[str] = Counter()
        self.hooks: list[Callable[[str, str], None]] = []
        self.http = Endpoint(self)
        self.runner = Runner(self)
        self.programs = Programs(self)
        self.service = Service(self)
        self.parking = Port(self, "parking", self.service)
        self.stores: dict[str, Any] = {
            "runs": MemoryRuns(),
            "jobs": MemoryJobs(),
            "blobs": MemoryBlobs(),
            "logs": MemoryLogs(),
            "vault": MemoryVault(),
            "signing_secrets": MemorySigningSecrets(),
            "records": MemoryRecords(),
            "dependency_store": MemoryDependencies(),
            "deliveries": MemoryDeliveries(),
            "subscriptions": MemorySubscriptions(),
        }
        self.most_at_once = 0
        self.lose: set[str] = set()
        self.late: dict[str, float] = {}
        self.died: list[str] = []
        self.tolerant = False
        self.pool_size = pool_size
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = 0
        self._nesting = 0
        self._spent: list[float] | None = None
        self._invocations = 0
        self.expressions = expressions or JsonataExpressions()
        self.kinds = kinds or self._kinds()
        self.services = self.process()

    def _kinds(self) -> dict[str, Any]:
        """The product's own kinds, and two that leave work behind."""
        real = step_kinds(
            Tools(
                expressions=self.expressions,
                http=self.http,
                functions=self.runner,
                blobs=self.stores["blobs"],
                start_child=lambda *args: self.services.start_child(*args),  # noqa: PLW0108  # services are made after the kinds
                vault=self.stores["vault"],
                run_tokens=RunTokens(self.stores["signing_secrets"], self.stores["vault"], Jwt()),
                signatures=StandardSignatures(),
                signing_secrets=JobSecrets(self.stores["jobs"], self.clock),
                schemas=JsonSchemas(),
                clock=self.clock,
            )
        )
        return {**real, "program": ProgramKind(self.expressions, self), "job": JobKind(self.expressions, self)}

    def process(self) -> Services:
        """A process of the product over these ports."""
        ports = {name: Port(self, name, store) for name, store in self.stores.items()}
        return Services(
            clock=self.clock,
            ids=self.ids,
            expressions=self.expressions,
            kinds=self.kinds,
            pool=self._pool,
            bursts=_Starter(lambda run_id, epoch: self._start("bursts", 0.0, lambda: self._work(run_id, epoch, 0))),
            timers=_Starter(
                lambda run_id, at: self._start("timers", self._until(at), lambda: self.services.wake_run(run_id))
            ),
            carriers=_Starter(lambda *args: self._start("carriers", 0.0, lambda: self.services.carry(*args))),
            fanouts=FanOut(self),
            parking=self.parking,
            **ports,
        )

    def _pool(self) -> VirtualPool:
        pool = VirtualPool(self)
        if self.pool_size is not None:
            pool.SIZE = self.pool_size
        return pool

    def _until(self, at: datetime) -> float:
        return max((at - self.clock.now()).total_seconds(), 0.0)

    # --- time and actors -----------------------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Orders what happens at one moment."""
        self._numbers += 1
        return self._numbers

    def later(self, seconds: float, act: Callable[[], Any]) -> None:
        """Has something happen after some virtual seconds."""
        heapq.heappush(self._queue, (self.clock.now() + timedelta(seconds=seconds), self.next_number(), act))

    def play(self, seconds: float | None = None) -> None:
        """Plays what is queued: all of it, or what falls into the coming seconds, which then have passed."""
        until = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        while self._queue and (until is None or self._queue[0][0] <= until):
            self._next()
        if until is not None:
            self.clock.advance_to(until)

    def play_inside(self, until: datetime) -> None:
        """Others act while somebody waits."""
        while self._nesting < MAX_NESTING and self._queue and self._queue[0][0] <= until:
            self._next()
        self.clock.advance_to(until)

    def _next(self) -> None:
        at, _, act = heapq.heappop(self._queue)
        self.clock.advance_to(at)
        self._nesting += 1
        spent, self._spent = self._spent, None
        try:
            act()
        except ProcessDied as death:
            self.died.append(str(death))
        except Exception as error:
            if not self.tolerant:
                raise
            self.died.append(repr(error))
        finally:
            self._nesting -= 1
            self._spent = spent

    @contextmanager
    def measuring(self) -> Iterator[list[float]]:
        """Notes the seconds that what is enacted here takes."""
        before, self._spent = self._spent, [0.0]
        try:
            yield self._spent
        finally:
            self._spent = before

    def take(self, seconds: float) -> None:
        """The caller's work takes this long."""
        if self._spent is not None:
            self._spent[0] += seconds
        elif seconds:
            self.play_inside(self.clock.now() + timedelta(seconds=seconds))

    def _start(self, what: str, seconds: float, act: Callable[[], Any]) -> None:
        self.calls[f"{what}.start"] += 1
        self.disturb("before", f"{what}.start")
        if what not in self.lose:
            self.later(seconds + self.late.get(what, 0.0), act)
        self.disturb("after", f"{what}.start")

    def _work(self, run_id: str, epoch: int, slice_: int) -> None:
        self._invocations += 1
        answer = self.services.advance(run_id, epoch, slice_, 0, f"i{self._invocations}")
        if answer.next != "end":
            self.later(answer.seconds, lambda: self._work(run_id, epoch, answer.slice))

    def disturb(self, when: str, name: str) -> None:
        """Lets the hooks break a port call."""
        for hook in list(self.hooks):
            hook(when, name)

    def die_at(self, when: str, name: str | None, nth: int = 1) -> None:
        """The process that makes the nth call from now (None: of whatever port) dies before or after it."""
        left = [nth]

        def hook(at: str, called: str) -> None:
            if at == when and name in {called, None} and left[0]:
                left[0] -= 1
                if not left[0]:
                    self.hooks.remove(hook)
                    raise ProcessDied(f"{when} {name}")

        self.hooks.append(hook)

    def sweep(self, every: float = 60.0, times: int = 1) -> None:
        """Time passes, and the sweep comes by at its end, so many times."""
        for _ in range(times):
            self.play(every)
            self.services.sweep()
        self.play(0.0)

    # --- jobs and runs -------------------------------------------------------------------------------------------------------

    def define(
        self, *steps: StepDef, timeout: float | None = None, reaped: bool = False, name: str = "job", **fields: Any
    ) -> Job:
        """A job of these steps."""
        return self.services.define.define(
            PROJECT, "automations", name, Plan(steps, timeout, reaped), {"n": self.next_number()}, **fields
        )

    def trigger(self, job: Job, given: Any = None, **fields: Any) -> str:
        """Starts a run of a job; its id."""
        return self.services.trigger_run(job, input=given, **fields).id

    def submit(self, job: Job, given: Any = None, **fields: Any) -> Submitted:
        """Triggers a job through its terms."""
        return self.services.submit(job, Ask(input=given, **fields))

    def run(self, *steps: StepDef, given: Any = None, timeout: float | None = None, **fields: Any) -> str:
        """Defines a job, starts a run of it, and plays everything that follows."""
        run_id = self.trigger(self.define(*steps, timeout=timeout), given, **fields)
        self.play()
        return run_id

    def of(self, run_id: str) -> Run:
        """The run's item."""
        found: Run = self.stores["runs"].get(run_id)
        return found

    def status(self, run_id: str) -> RunStatus:
        """The run's status."""
        return self.of(run_id).status

    def state(self, run_id: str) -> RunState:
        """The run's folded journal."""
        return self.services.reading.state(PROJECT, run_id)[1]

    def steps(self, run_id: str) -> dict[str, StepStatus]:
        """The status of every step, those in loops and maps included."""
        return {path: step.status for path, step in self.state(run_id).steps.items()}

    def result(self, run_id: str, path: str) -> Any:
        """A step's result."""
        return self.services.payloads.get(self.state(run_id).steps[path].result)

    def events(self, run_id: str, *types: EventType) -> list[Event]:
        """The journal, or its events of some types."""
        found = self.stores["runs"].tail(run_id, 0)
        return [event for event in found if not types or event.type in types]

    def reasons(self, run_id: str) -> list[str]:
        """Why the run waits."""
        return [entry["reason"] for entry in self.services.reading.waiting(PROJECT, run_id)]


class _Starter:
    """A port that only starts things."""

    def __init__(self, start: Callable[..., None]) -> None:
        self.start = start

    def start_many(self, many: Iterable[tuple[Any, ...]]) -> None:
        """Starts each."""
        for one in many:
            self.start(*one)


def step(key: str, *needed: str, kind: str = "set", config: Mapping[str, Any] | None = None, **fields: Any) -> StepDef:
    """A step; without more, one that sets its own name as a value."""
    if config is None:
        config = {"values": {"name": key}} if kind == "set" else {}
    return StepDef(key, kind, depends_on=tuple(needed), config=config, **fields)


def call(key: str, *needed: str, **fields: Any) -> StepDef:
    """An http step that calls the endpoint of its own name."""
    return step(key, *needed, kind="http", config={"url": url(key)}, **fields)


def ask(key: str, *needed: str, config: Mapping[str, Any] | None = None, **fields: Any) -> StepDef:
    """A step that waits for an answer."""
    return step(key, *needed, kind="input", config=config or {}, **fields)


def rest(key: str, *needed: str, seconds: float, **fields: Any) -> StepDef:
    """A step that waits some seconds."""
    return step(key, *needed, kind="wait", config={"seconds": seconds}, **fields)


def program(
    key: str, *needed: str, seconds: float = 0.0, said: Mapping[str, Any] | None = None, **fields: Any
) -> StepDef:
    """A step whose program works so long and then comes to what is `said`."""
    return step(key, *needed, kind="program", config={**(said or {}), "seconds": seconds}, **fields)


def parked(
    key: str, *needed: str, seconds: float | None = None, said: Mapping[str, Any] | None = None, **fields: Any
) -> StepDef:
    """A step whose work on a service takes so long (None: for ever); `said`: how it ends, and what else its kind understands."""
    return step(key, *needed, kind="job", config={**(said or {}), "seconds": seconds}, **fields)


def url(key: str) -> str:
    """The endpoint that `call` calls."""
    return f"https://service.example/{key}"
