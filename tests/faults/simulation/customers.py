"""Those who trigger jobs and have a hand in their runs, and what they were answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulation.faults import PortFailed, ProcessDied
from simulation.world import World

from quintet.bootstrap import Services
from quintet.domain.errors import Conflict, NoQueue, NotFound, QueueFull, QuintetError, Throttled
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.asks import Ask, Submitted


@dataclass(slots=True)
class Order:
    """One trigger, its repeats by the same caller included."""

    job: Job
    ask: Ask
    began: datetime
    ended: datetime | None = None
    how: str | None = None
    run_id: str | None = None
    errors: int = 0
    turned_away: bool = False
    """By the terms of the job's queue."""

    @property
    def accepted(self) -> bool:
        """True when its caller was told so."""
        return self.run_id is not None


@dataclass(slots=True)
class Move:
    """One change of a run's time; `ended` None: nobody knows whether it was made."""

    run_id: str
    at: datetime
    began: datetime
    ended: datetime | None = None


@dataclass(slots=True)
class Customers:
    """People and programs with an API key."""

    world: World
    project: str
    process: Callable[[], Services]
    job_now: Callable[[str], Job]
    orders: list[Order] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    # --- triggers --------------------------------------------------------------------------------------------------------------

    def order(self, job_id: str) -> None:
        """Triggers a job once; after a fault perhaps again, as the same or as another."""
        self._send(self._new(self.job_now(job_id)))

    def order_many(self, job_id: str) -> None:
        """Triggers a job in bulk."""
        job = self.job_now(job_id)
        orders = [self._new(job) for _ in range(self.world.random.randint(2, 6))]
        try:
            answers = self.process().submit.many(job, [order.ask for order in orders])
        except (ProcessDied, PortFailed):
            for order in orders:
                order.errors += 1
            raise
        for order, answer in zip(orders, answers, strict=True):
            self._take(order, answer)

    def _new(self, job: Job) -> Order:
        chance, now = self.world.random, self.world.clock.now()
        merges = job.terms.debounce_window is not None or job.terms.batch_window is not None
        payload: Any = {"n": len(self.orders), "user": chance.choice((1, 2, None))}
        key = chance.choice((None, None, f"k{len(self.orders)}", "shared"))
        alike = not merges and job.terms.dedup_window is not None
        if key == "shared" and chance.random() < (0.3 if alike else 0.7):
            payload = {"n": -2, "user": 1}
        elif alike and chance.random() < 0.6:
            payload = {"n": -1, "user": None}
        at = None if merges else chance.choice((None, None, None, now + timedelta(seconds=chance.uniform(0, 200))))
        ask = Ask(
            input=payload,
            at=at,
            priority=chance.choice((0, 0, 5, 10)),
            ttl=chance.choice((None, None, None, 30, 200)),
            concurrency_key=chance.choice((None, "a", "b")),
            debounce_key=chance.choice((None, "x")),
            batch_key=chance.choice((None, "x")),
            queue_partition=chance.choice((None, "a", "a", "b")),
            idempotency_key=key,
        )
        order = Order(job, ask, now)
        self.orders.append(order)
        return order

    def _send(self, order: Order) -> None:
        try:
            answer: Submitted | QuintetError = self.process().submit(order.job, order.ask)
        except QuintetError as refused:
            answer = refused
        except (ProcessDied, PortFailed):
            order.errors += 1
            if order.ask.idempotency_key is not None and self.world.random.random() < 0.8:
                self.world.later(self.world.random.choice((0.0, 2.0, 30.0)), lambda: self._send(order))
            raise
        self._take(order, answer)

    def _take(self, order: Order, answer: Submitted | QuintetError) -> None:
        if isinstance(answer, Submitted):
            order.run_id, order.how, order.ended = answer.run.id, answer.how, self.world.clock.now()
        elif isinstance(answer, (QueueFull, NoQueue)):
            order.turned_away = True
            self.world.witness.turned_away(order.job, order.began, answer)
        elif not isinstance(answer, (Conflict, Throttled)):
            self.world.witness.note(f"a trigger of job {order.job.id} was refused: {answer!r}")

    # --- runs ------------------------------------------------------------------------------------------------------------------

    def meddle(self) -> None:
        """Does something to one of the runs that have not ended."""
        chance = self.world.random
        live = [run for run in self.world.witness.live() if run.project == self.project and run.asked]
        if not live:
            return
        run = chance.choice(sorted(live, key=lambda one: one.id))
        if run.status is RunStatus.DELAYED and chance.random() < 0.7:
            self._move(run)
        elif run.status is RunStatus.PAUSED:
            self._resume(run.id)
        elif chance.random() < 0.3:
            self._try(lambda: self.process().cancel_run(self.project, run.id, "somebody"))
        else:
            self._try(lambda: self.process().hold.pause(self.project, run.id, "somebody"))
            self.world.later(chance.uniform(0, 300), lambda: self._resume(run.id))

    def resume_all(self) -> None:
        """In the calm nobody leaves a run paused."""
        for run in self.world.witness.live():
            if run.status is RunStatus.PAUSED:
                self._resume(run.id)

    def _resume(self, run_id: str) -> None:
        self._try(lambda: self.process().hold.resume(self.project, run_id, "somebody"))

    def _move(self, run: Run) -> None:
        now = self.world.clock.now()
        move = Move(run.id, now + timedelta(seconds=self.world.random.uniform(-10, 300)), now)
        try:
            self.process().hold.reschedule(self.project, run.id, move.at)
        except QuintetError:
            return
        except (ProcessDied, PortFailed):
            self.moves.append(move)
            raise
        move.ended = self.world.clock.now()
        self.moves.append(move)

    @staticmethod
    def _try(act: Callable[[], object]) -> None:
        try:
            act()
        except (Conflict, NotFound):
            return
