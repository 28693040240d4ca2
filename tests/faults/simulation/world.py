"""A world in which the whole engine runs in memory, in virtual time, with a fault possible at every port call.

One seed makes one history: which runs are asked for, what their steps come to, where processes die, which messages come twice, late or
never, and in which order everybody acts. Other actors run *inside* a port call of the present one, so that every interleaving a
distributed deployment could show between two port calls can happen here too.
"""

import heapq
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryJobs, MemoryLogs, MemoryRuns, SeededIds
from quintet.bootstrap import Services

MAX_NESTING = 3
READS = frozenset({"load", "get", "tail", "due", "page", "count", "counts", "browse", "ended", "spent", "beaten"})


class ProcessDied(BaseException):
    """The process that made this port call is gone; nothing of it runs any more."""


class PortFailed(Exception):
    """The port answered with an error: before its effect or after it."""


class World:
    """Virtual time, the actors waiting for it, and the faults of one seed."""

    def __init__(self, seed: int, *, fault_rate: float) -> None:
        self.random = random.Random(seed)
        self.fault_rate = fault_rate
        self.clock = ManualClock()
        self.ids = SeededIds(seed, self.clock)
        self.stores = {"runs": MemoryRuns(), "jobs": MemoryJobs(), "blobs": MemoryBlobs(), "logs": MemoryLogs()}
        self.queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self.sequence = 0
        self.nesting = 0
        self.calm = False
        self.trace: list[str] = []
        self.mapping: dict[tuple[str, int], int] = {}

    # --- time and actors -------------------------------------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Has an actor begin after some virtual seconds."""
        self.sequence += 1
        heapq.heappush(self.queue, (self.clock.now() + timedelta(seconds=seconds), self.sequence, act))

    def run_next(self, until: datetime | None = None) -> bool:
        """Runs the next actor that is due by `until` (None: whenever), moving time on to it."""
        if not self.queue or (until is not None and self.queue[0][0] > until):
            return False
        at, _, act = heapq.heappop(self.queue)
        self.clock.advance_to(at)
        self.nesting += 1
        try:
            act()
        except ProcessDied:
            self.trace.append("died")
        except PortFailed:
            self.trace.append("failed")
        finally:
            self.nesting -= 1
        return True

    def meanwhile(self) -> None:
        """What others may do while the present actor waits for a port."""
        if self.nesting < MAX_NESTING and self.random.random() < 0.25:
            self.run_next(until=self.clock.now() + timedelta(seconds=self.random.choice((0, 0, 1))))

    # --- faults ----------------------------------------------------------------------------------------------------------------

    def call(self, name: str, effect: Callable[[], Any], *, repeatable: bool) -> Any:
        """One port call, with the faults that networks, processes and services have."""
        self.meanwhile()
        if self.calm or self.random.random() >= self.fault_rate:
            return effect()
        kind = self.random.choice(("die before", "die after", "fail before", "fail after", "twice", "slow"))
        self.trace.append(f"{name}: {kind}")
        if kind == "die before":
            raise ProcessDied(name)
        if kind == "fail before":
            raise PortFailed(name)
        if kind == "slow":
            self._stall(self.random.choice((1.0, 20.0, 70.0)))
            return effect()
        found = effect()
        if kind == "die after":
            raise ProcessDied(name)
        if kind == "fail after":
            raise PortFailed(name)
        return effect() if kind == "twice" and repeatable else found

    def _stall(self, seconds: float) -> None:
        """Time passes while the call is under way; others act in it."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.nesting < MAX_NESTING and self.run_next(until=until):
            pass
        self.clock.advance_to(until)

    def wrap(self, name: str, repeatable: frozenset[str] = frozenset()) -> "Faulty":
        """A store as a process sees it."""
        return Faulty(self, name, self.stores[name], repeatable)

    # --- processes -------------------------------------------------------------------------------------------------------------

    def process(self, kinds: Any, expressions: Any) -> Services:
        """A fresh process: the product's own services over faulty ports."""
        return Services(
            clock=self.clock,
            ids=self.ids,
            runs=self.wrap("runs", READS | {"keep_snapshot", "beat"}),
            jobs=self.wrap("jobs", frozenset({"version", "get"})),
            blobs=self.wrap("blobs", frozenset({"put", "get"})),
            logs=self.stores["logs"],
            kinds=kinds,
            expressions=expressions,
            bursts=SimBursts(self, kinds, expressions),
            timers=SimTimers(self, kinds, expressions),
            carriers=SimCarriers(self, kinds, expressions),
            fanouts=SimFanouts(self, kinds, expressions),
            pool=lambda: SimPool(self),
        )

    def honest(self, kinds: Any, expressions: Any) -> Services:
        """A process without faults, for the checks."""
        return Services(
            clock=self.clock, ids=self.ids, kinds=kinds, expressions=expressions, **self.stores, **_silent(self)
        )


class Faulty:
    """A port whose every call may go wrong."""

    def __init__(self, world: World, name: str, store: Any, repeatable: frozenset[str]) -> None:
        self._world = world
        self._name = name
        self._store = store
        self._repeatable = repeatable

    def __getattr__(self, method: str) -> Any:
        effect = getattr(self._store, method)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._world.call(
                f"{self._name}.{method}", lambda: effect(*args, **kwargs), repeatable=method in self._repeatable
            )

        return call


class SimBursts:
    """The burst machine: Work, again after a fault or a backoff, at least once."""

    def __init__(self, world: World, kinds: Any, expressions: Any) -> None:
        self.world = world
        self.kinds = kinds
        self.expressions = expressions

    def start(self, run_id: str, epoch: int) -> None:
        """Starts one execution, or now and then two."""
        self.world.call("bursts.start", lambda: self._enqueue(run_id, epoch), repeatable=True)

    def start_many(self, bursts: Sequence[tuple[str, int]]) -> None:
        """Starts each; one that can't be started does not keep the others."""
        for run_id, epoch in bursts:
            with suppress(PortFailed):
                self.start(run_id, epoch)

    def _enqueue(self, run_id: str, epoch: int) -> None:
        self.world.later(0.0, lambda: self._work(run_id, epoch, 0, 0))

    def _work(self, run_id: str, epoch: int, slice_: int, retry: int) -> None:
        invocation = f"i{self.world.random.getrandbits(32):08x}"
        services = self.world.process(self.kinds, self.expressions)
        try:
            answer = services.advance(run_id, epoch, slice_, retry, invocation)
        except (ProcessDied, PortFailed):
            if retry < 2 and self.world.random.random() < 0.7:
                self.world.later(1.0, lambda: self._work(run_id, epoch, slice_, retry + 1))
            raise
        if answer.next == "wait":
            self.world.later(answer.seconds, lambda: self._work(run_id, epoch, answer.slice, 0))


class SimTimers:
    """The park machine."""

    def __init__(self, world: World, kinds: Any, expressions: Any) -> None:
        self.world = world
        self.kinds = kinds
        self.expressions = expressions

    def start(self, run_id: str, at: datetime) -> None:
        """Has the run woken then."""
        self.world.call("timers.start", lambda: self._enqueue(run_id, at), repeatable=True)

    def _enqueue(self, run_id: str, at: datetime) -> None:
        seconds = max((at - self.world.clock.now()).total_seconds(), 0.0)
        self.world.later(seconds, lambda: self.world.process(self.kinds, self.expressions).wake_run(run_id))


class SimCarriers:
    """The asynchronous carry function."""

    def __init__(self, world: World, kinds: Any, expressions: Any) -> None:
        self.world = world
        self.kinds = kinds
        self.expressions = expressions

    def start(self, run_id: str, path: str, attempt: int) -> None:
        """Starts the attempt elsewhere."""
        act = self._carry(run_id, path, attempt)
        self.world.call("carriers.start", lambda: self.world.later(0.1, act), repeatable=True)

    def _carry(self, run_id: str, path: str, attempt: int) -> Callable[[], None]:
        return lambda: self.world.process(self.kinds, self.expressions).carry(run_id, path, attempt)


class SimFanouts:
    """The fan-out machine: a child burst for each item, and a wake at the end."""

    def __init__(self, world: World, kinds: Any, expressions: Any) -> None:
        self.world = world
        self.kinds = kinds
        self.expressions = expressions

    def start(self, run_id: str, path: str, token: int, manifest: str, concurrency: int) -> None:
        """Starts the map, once while it runs."""
        self.world.call("fanouts.start", lambda: self._enqueue(run_id, path, token, manifest), repeatable=True)

    def stop(self, run_id: str, token: int) -> None:
        """Items ask by themselves whether their map is still waited for."""

    def _enqueue(self, run_id: str, path: str, token: int, manifest: str) -> None:
        if self.world.mapping.get((run_id, token), 0):
            return
        items = json.loads(self.world.stores["blobs"].get(manifest))
        self.world.mapping[run_id, token] = len(items)
        for index, item in enumerate(items):
            self.world.later(0.1, partial(self._item, run_id, path, token, index, item, 0, 0))

    def _item(self, run_id: str, path: str, token: int, index: int, item: Any, slice_: int, retry: int) -> None:
        invocation = f"i{self.world.random.getrandbits(32):08x}"
        again = partial(self._item, run_id, path, token, index, item)
        try:
            services = self.world.process(self.kinds, self.expressions)
            answer = services.advance_item(run_id, path, token, index, item, slice_, retry, invocation)
        except (ProcessDied, PortFailed):
            if retry < 2 and self.world.random.random() < 0.7:
                self.world.later(1.0, lambda: again(slice_, retry + 1))
            else:
                self._ended(run_id, token)
            raise
        if answer.next == "wait":
            self.world.later(answer.seconds, lambda: again(answer.slice, 0))
        else:
            self._ended(run_id, token)

    def _ended(self, run_id: str, token: int) -> None:
        self.world.mapping[run_id, token] -= 1
        if not self.world.mapping[run_id, token]:
            self.world.later(0.1, lambda: self.world.process(self.kinds, self.expressions).wake_run(run_id))


class SimPool:
    """Attempts beside each other in virtual time: each ends after the seconds its kind says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.under_way: list[tuple[datetime, int, str, Any]] = []

    def submit(self, key: str, work: Callable[[], Any]) -> None:
        """Enacts at once; its outcome is heard when its time has passed."""
        outcome = work()
        seconds = self.world.random.choice((0.0, 0.3, 2.0, 9.0))
        self.world.sequence += 1
        ends = self.world.clock.now() + timedelta(seconds=seconds)
        heapq.heappush(self.under_way, (ends, self.world.sequence, key, outcome))

    def wait(self, seconds: float) -> list[tuple[str, object]]:
        """Lets time pass, and others act in it, until the first ends."""
        limit = self.world.clock.now() + timedelta(seconds=seconds)
        until = min(limit, self.under_way[0][0]) if self.under_way else limit
        while self.world.nesting < MAX_NESTING and self.world.run_next(until=until):
            pass
        self.world.clock.advance_to(until)
        ended = []
        while self.under_way and self.under_way[0][0] <= self.world.clock.now():
            _, _, key, outcome = heapq.heappop(self.under_way)
            ended.append((key, outcome))
        return ended

    @property
    def free(self) -> int:
        """A small pool meets its bound in small histories."""
        return 4 - len(self.under_way)

    def close(self) -> None:
        """Nothing is left running: attempts end with their slice."""


class _Silent:
    def start(self, *args: Any) -> None:
        """Starts nothing."""


def _silent(world: World) -> dict[str, Any]:
    return {
        "bursts": _Silent(),
        "timers": _Silent(),
        "carriers": _Silent(),
        "fanouts": _Silent(),
        "pool": lambda: SimPool(world),
    }
