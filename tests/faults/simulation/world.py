"""A world in which the whole engine runs in memory, in virtual time, with a fault possible at every port call.

One seed makes one history: which runs are asked for, what their steps come to, where processes die, which messages come twice, late or
never, and in which order everybody acts. Other actors run *inside* a port call of the present one, so that every interleaving a
distributed deployment could show between two port calls can happen here too.
"""

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from simulation.faults import PortFailed, ProcessDied
from simulation.leavings import Leavings, SimParking
from simulation.machines import (
    MAX_NESTING,
    SimBursts,
    SimCarriers,
    SimDeliveries,
    SimFanouts,
    SimPool,
    SimTimers,
    silent,
)
from simulation.witness import Witness, WitnessedRuns

from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import (
    ManualClock,
    MemoryBlobs,
    MemoryDependencies,
    MemoryJobs,
    MemoryLogs,
    MemoryRecords,
    MemoryRuns,
    MemoryVault,
    SeededIds,
)
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.adapters.memory.webhooks import MemoryDeliveries
from quintet.adapters.signatures import StandardSignatures
from quintet.bootstrap import Services
from quintet.services.ports.http import HttpClient
from quintet.services.tokens import RunTokens
from quintet.services.webhooks import CompletionWebhooks
from quintet.settings import Settings

__all__ = ["Faulty", "PortFailed", "ProcessDied", "World"]

READS = frozenset(
    {"load", "get", "tail", "due", "page", "count", "counts", "browse", "ended", "spent", "beaten", "holders"}
)
EDGE_READS = frozenset({"revision", "of", "dependants", "last", "join", "waiting"})
EDGE_WRITES = frozenset({"keep_last", "note", "fired", "wait", "forget"})
"""What says the same when it is said twice."""
LIMITS = Settings(zombie_hours=2.0)


def no_settling(*_: Any) -> None:
    """There is no process yet that hears of parked work."""
    raise AssertionError


class World:
    """Virtual time, the actors waiting for it, and the faults of one seed."""

    def __init__(self, seed: int, *, fault_rate: float) -> None:
        self.random = random.Random(seed)
        self.fault_rate = fault_rate
        self.clock = ManualClock()
        self.ids = SeededIds(seed, self.clock)
        self.witness = Witness(self.clock.now)
        self.stores: dict[str, Any] = {
            "runs": WitnessedRuns(MemoryRuns(), self.witness),
            "jobs": MemoryJobs(),
            "blobs": MemoryBlobs(),
            "logs": MemoryLogs(),
            "records": MemoryRecords(),
            "vault": MemoryVault(),
            "dependency_store": MemoryDependencies(),
            "deliveries": MemoryDeliveries(),
        }
        self.http: HttpClient | None = None
        self.kinds: dict[str, Any] = {}
        self.tokens = RunTokens(MemorySigningSecrets(), self.stores["vault"], Jwt())
        self.queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self.sequence = 0
        self.nesting = 0
        self.calm = False
        self.trace: list[str] = []
        self.mapping: dict[tuple[str, int], int] = {}
        self.leavings = Leavings(self)
        self.settle: Callable[..., None] = no_settling

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
            self.stall(self.random.choice((1.0, 20.0, 70.0)))
            return effect()
        found = effect()
        if kind == "die after":
            raise ProcessDied(name)
        if kind == "fail after":
            raise PortFailed(name)
        return effect() if kind == "twice" and repeatable else found

    def stall(self, seconds: float) -> None:
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
        made = Services(
            clock=self.clock,
            ids=self.ids,
            runs=self.wrap("runs", READS | {"keep_snapshot", "beat"}),
            jobs=self.wrap("jobs", frozenset({"version", "get"})),
            blobs=self.wrap("blobs", frozenset({"put", "get"})),
            dependency_store=self.wrap("dependency_store", EDGE_READS | EDGE_WRITES),
            deliveries=self.wrap("deliveries", frozenset({"find", "body", "due"})),
            records=self.wrap("records", frozenset({"put", "page"})),
            logs=self.stores["logs"],
            vault=self.stores["vault"],
            run_tokens=self.tokens,
            kinds=kinds,
            expressions=expressions,
            bursts=SimBursts(self, kinds, expressions),
            timers=SimTimers(self, kinds, expressions),
            carriers=SimCarriers(self, kinds, expressions),
            fanouts=SimFanouts(self, kinds, expressions),
            parking=SimParking(self),
            settings=LIMITS,
            delivery_queue=SimDeliveries(self, kinds, expressions),
            pool=lambda: SimPool(self),
        )
        return self._telling(made)

    def honest(self, kinds: Any, expressions: Any) -> Services:
        """A process without faults, for the checks."""
        made = Services(
            clock=self.clock,
            ids=self.ids,
            kinds=kinds,
            expressions=expressions,
            settings=LIMITS,
            **self.stores,
            **silent(self),
        )
        return self._telling(made)

    def _telling(self, made: Services) -> Services:
        """The process with an endpoint of this world to tell of ended runs."""
        if self.http is not None:
            made.webhooks = CompletionWebhooks(
                made.deliveries,
                made.delivery_queue,
                made.jobs,
                made.vault,
                StandardSignatures(),
                self.http,
                made.payloads,
                made.clock,
                made.ids,
            )
        return made


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
