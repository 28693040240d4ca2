"""The machines around the engine: bursts, timers, carriers, fan-outs, queues and pools, in virtual time."""

import heapq
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from simulation.faults import PortFailed, ProcessDied

if TYPE_CHECKING:
    from simulation.world import World

MAX_NESTING = 3
LONGEST_QUEUED = 900.0


class SimBursts:
    """The burst machine: Work, again after a fault or a backoff, at least once."""

    def __init__(self, world: "World", kinds: Any, expressions: Any) -> None:
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

    def __init__(self, world: "World", kinds: Any, expressions: Any) -> None:
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

    def __init__(self, world: "World", kinds: Any, expressions: Any) -> None:
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

    def __init__(self, world: "World", kinds: Any, expressions: Any) -> None:
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


class SimDeliveries:
    """The queue of webhook deliveries: a message whose handling failed comes again, a few times."""

    def __init__(self, world: "World", kinds: Any, expressions: Any) -> None:
        self.world = world
        self.kinds = kinds
        self.expressions = expressions

    def put(self, delivery_id: str, turn: int, seconds: float) -> None:
        """Has the turn taken then, or after the longest delay of a queue."""
        self.world.call("delivery_queue.put", lambda: self._enqueue(delivery_id, turn, seconds), repeatable=True)

    def _enqueue(self, delivery_id: str, turn: int, seconds: float) -> None:
        self.world.later(min(seconds, LONGEST_QUEUED), lambda: self._deliver(delivery_id, turn, 0))

    def _deliver(self, delivery_id: str, turn: int, retry: int) -> None:
        try:
            self.world.process(self.kinds, self.expressions).webhooks.deliver(delivery_id, turn)
        except (ProcessDied, PortFailed):
            if retry < 2:
                self.world.later(30.0, lambda: self._deliver(delivery_id, turn, retry + 1))
            raise


class SimPool:
    """Attempts beside each other in virtual time: each ends after the seconds its kind says."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.under_way: list[tuple[datetime, int, str, Any]] = []

    def submit(self, key: str, work: Callable[[], Any]) -> None:
        """Enacts at once; its outcome is heard when its time has passed."""
        self.world.leavings.in_pool = programs = []
        try:
            outcome = work()
        except Exception as error:  # noqa: BLE001  # as the product's pool hands it on
            outcome = error
        finally:
            self.world.leavings.in_pool = None
        seconds = max(programs) if programs else self.world.random.choice((0.0, 0.3, 2.0, 9.0))
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


class Silent:
    """Starts and sends nothing."""

    def start(self, *args: Any) -> None:
        """Starts nothing."""

    def start_many(self, many: Any) -> None:
        """Starts none."""

    def put(self, *args: Any) -> None:
        """Sends nothing."""

    stop = put

    def at_work(self, *args: Any) -> bool:
        """Says that all is well."""
        return True


def silent(world: "World") -> dict[str, Any]:
    """What a process has that only looks."""
    return {
        "bursts": Silent(),
        "timers": Silent(),
        "carriers": Silent(),
        "fanouts": Silent(),
        "parking": Silent(),
        "delivery_queue": Silent(),
        "pool": lambda: SimPool(world),
    }
