"""A history in which jobs with terms, dependencies, webhooks and reporting endpoints live among the others."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from simulation import trade
from simulation.customers import Customers
from simulation.endpoints import Endpoints
from simulation.history import CALM_SECONDS, PROJECT, STORM_SECONDS, History
from simulation.promises import Promises

from quintet.bootstrap import Services
from quintet.domain.dependency import JobDependency
from quintet.domain.job import Job
from quintet.domain.status import RunStatus
from quintet.services.terms import QUEUE_CHECK_BEHIND
from quintet.steps.endpoint import EndpointKind

ROOM_UNUSED = QUEUE_CHECK_BEHIND + timedelta(minutes=5)
"""How long a queued run may be passed over in the calm although there is room."""


class JobsHistory(History):
    """A few jobs of the Jobs API among the others, and their customers."""

    def __init__(self, seed: int, *, fault_rate: float = 0.04) -> None:
        super().__init__(seed, fault_rate=fault_rate)
        world = self.world
        self.endpoints = Endpoints(world, self.process)
        world.http = self.endpoints
        parts = self.honest
        self.kinds["endpoint"] = EndpointKind(
            self.expressions,
            http=self.endpoints,
            vault=parts.vault,
            tokens=world.tokens,
            signing_secrets=lambda _run: (),
            signatures=parts.signatures,
            schemas=parts.schemas,
            clock=world.clock,
        )
        self.honest = world.honest(self.kinds, self.expressions)
        self.jobs: list[str] = []
        self.edges: list[JobDependency] = []
        self.removed: set[str] = set()
        self.passed_over: dict[str, datetime] = {}
        self.customers = Customers(world, PROJECT, self.process, self._job)

    def _job(self, job_id: str) -> Job:
        return self.honest.jobs.get(PROJECT, job_id)

    def run(self) -> None:
        """The same with these jobs."""
        self._every(60, self._sweep_deliveries, STORM_SECONDS + CALM_SECONDS)
        for _ in range(self.world.random.randint(1, 3)):
            self._open_a_job()
        self.endpoints.spawned = self.jobs
        for _ in range(self.world.random.randint(0, 12)):
            self.world.later(self.world.random.uniform(0, STORM_SECONDS), self.customers.meddle)
        super().run()

    def _sweep_deliveries(self) -> None:
        self.process().webhooks.sweep(self.world.clock.now())

    # --- jobs ------------------------------------------------------------------------------------------------------------------

    def _open_a_job(self) -> None:
        chance = self.world.random
        follows = bool(self.jobs) and chance.random() < 0.6
        # One that follows others calls none: in a circle of both, runs would follow each other for ever.
        plan, terms = trade.plan(chance, None if follows else self.callee), trade.terms(chance)
        job = self.honest.define.define(
            PROJECT, "jobs", "job", plan, {"n": 0}, terms=terms, settings=trade.settings(chance)
        )
        self.world.witness.know(job)
        if follows:
            for upstream in chance.sample(self.jobs, min(len(self.jobs), chance.randint(1, 2))):
                condition = chance.choice(trade.CONDITIONS)
                self.edges.append(self.honest.dependencies.add(PROJECT, job.id, upstream, condition))
        self.jobs.append(job.id)
        if chance.random() < 0.3:
            self.callee = job.id
        for _ in range(chance.randint(1, 6)):
            order = chance.choice((self.customers.order, self.customers.order, self.customers.order_many))
            self._at_some_time(partial(order, job.id))
        if terms.queues:
            rush = chance.uniform(0, 300)
            for _ in range(chance.randint(3, 7)):
                self.world.later(rush + chance.uniform(0, 20), partial(self.customers.order, job.id))
        if chance.random() < 0.3:
            self._at_some_time(partial(self._revise, job.id))
        if self.edges and chance.random() < 0.1:
            self._at_some_time(partial(self._remove, chance.choice(self.edges)))

    def _at_some_time(self, act: Callable[[], object]) -> None:
        # Some come close together, as what is merged and limited does.
        self.world.later(self.world.random.choice((self.world.random.uniform(0, 40), 60.0, 300.0)), act)

    def _revise(self, job_id: str) -> None:
        plan = trade.plan(self.world.random, None)
        self.process().define.revise(PROJECT, job_id, {}, plan, {"n": self.world.sequence})

    def _remove(self, edge: JobDependency) -> None:
        self.removed.add(edge.id)
        self.process().dependencies.remove(PROJECT, edge.job_id, edge.id)

    # --- the calm --------------------------------------------------------------------------------------------------------------

    def _answer_everything(self) -> None:
        super()._answer_everything()
        self.customers.resume_all()
        self._look_for_passed_over()

    def _look_for_passed_over(self) -> None:
        """A queued run that there is room for is let in before long."""
        now, witness = self.world.clock.now(), self.world.witness
        roomy = {run.id for run in witness.live() if run.status is RunStatus.QUEUED and witness.has_room(run)}
        self.passed_over = {run_id: self.passed_over.get(run_id, now) for run_id in sorted(roomy)}
        for run_id, since in self.passed_over.items():
            assert now - since < ROOM_UNUSED, f"{run_id} has been queued since {since}, and there is room"

    # --- promises --------------------------------------------------------------------------------------------------------------

    def process(self) -> Services:
        """A fresh process of the product."""
        return self.world.process(self.kinds, self.expressions)

    def excused(self) -> set[str]:
        """The runs that wait for dependencies that don't hold."""
        waiting = [run for run in self.world.witness.live() if run.status is RunStatus.WAITING and not run.started_at]
        return {run.id for run in waiting if self.honest.dependencies.unmet(self._job(run.job_id))}

    def met(self) -> Counter[str]:
        """What happened in this history, counted."""
        witness, orders = self.world.witness, self.customers.orders
        found = Counter(
            {"debounced": "merged", "batched": "merged"}.get(order.how or "", order.how) for order in orders
        )
        found["refused late"] = self.endpoints.refused_late
        found["told"] = len(self.endpoints.told)
        found["followed"] = sum(run.trigger.type == "job_completion" for run in witness.runs.values())
        found["at its cap"] = witness.at_cap
        found["replaced"] = Promises(self).replaced()
        found.update(witness.queues.met)
        return Counter({str(what): count for what, count in found.items()})

    def check(self) -> None:
        """Every promise of every run, and those of the Jobs API."""
        super().check()
        Promises(self).check()
