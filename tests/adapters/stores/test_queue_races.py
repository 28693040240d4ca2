"""Triggers of jobs with queue terms, from many threads at once, through the services."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from quintet.adapters.clock import SystemClock
from quintet.adapters.ids import SystemIds
from quintet.adapters.memory import MemoryBlobs
from quintet.bootstrap import Services
from quintet.domain.errors import Conflict, NoQueue, QueueFull
from quintet.domain.events import EventType
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.domain.terms import QueueStrategy, Terms
from quintet.services.asks import Ask, Submitted

from .conftest import Stores
from .samples import a_job, a_version


class _Nothing:
    """Starts nothing: what is let in stays active."""

    def start(self, *args: Any) -> None:
        """Starts nothing."""

    def start_many(self, many: Any) -> None:
        """Starts none."""


@dataclass(frozen=True)
class Desk:
    """The services over one implementation of the stores, and who triggers."""

    services: Services

    def job(self, **terms: Any) -> Job:
        """A job on these terms."""
        job = a_job(terms=Terms(**terms))
        self.services.jobs.create(job, a_version(job))
        return job

    def trigger(self, job: Job, **fields: Any) -> Run | None:
        """The run of a trigger; None when the queue refuses it."""
        try:
            return self.services.submit(job, Ask(**fields)).run
        except (QueueFull, NoQueue):
            return None

    def statuses(self) -> Counter[RunStatus]:
        """How many runs stand in each status."""
        return Counter(run.status for run in self.services.runs.page("acme", None, 1000, 0))

    def waiting(self, job: Job) -> frozenset[str]:
        """Who holds a place in the job's queue."""
        name = f"acme#wait#{job.id}"
        return self.services.runs.holders([name])[name]


@pytest.fixture
def desk(stores: Stores) -> Desk:
    """One project's desk."""
    nothing = _Nothing()
    fixed: dict[str, Any] = {"bursts": nothing, "timers": nothing, "clock": SystemClock(), "ids": SystemIds()}
    return Desk(Services(runs=stores.runs(), jobs=stores.jobs(), blobs=MemoryBlobs(), **fixed))


def _at_once(times: int, act: Callable[[int], Run | None]) -> list[Run]:
    with ThreadPoolExecutor(8) as pool:
        return [run for run in pool.map(act, range(times)) if run is not None]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_fifty_triggers_fill_job_and_queue_exactly(desk: Desk, concurrency: int) -> None:
    """So many run, so many wait, the rest is refused, and nothing is left of it."""
    job = desk.job(max_concurrency=concurrency, queue_limit=5)
    made = _at_once(50, lambda _: desk.trigger(job))
    assert len(made) == concurrency + 5
    assert desk.statuses() == {RunStatus.EXECUTING: concurrency, RunStatus.QUEUED: 5}
    assert len(desk.waiting(job)) == 5


def test_without_a_queue_as_many_run_as_may(desk: Desk) -> None:
    """Of fifty triggers two are taken, and nobody waits."""
    job = desk.job(max_concurrency=2, queue_limit=0)
    assert len(_at_once(50, lambda _: desk.trigger(job))) == 2
    assert desk.statuses() == {RunStatus.EXECUTING: 2}


def test_of_many_that_replace_one_stays(desk: Desk) -> None:
    """All are taken, one runs, one waits; each of the others was canceled for a run that came in its place."""
    job = desk.job(max_concurrency=1, queue_strategy=QueueStrategy.REPLACE)
    made = {run.id for run in _at_once(12, lambda _: desk.trigger(job))}
    assert len(made) == 12
    assert desk.statuses() == {RunStatus.EXECUTING: 1, RunStatus.QUEUED: 1, RunStatus.CANCELED: 10}
    canceled = desk.services.runs.page("acme", [RunStatus.CANCELED], 99, 0)
    replacing = [_replacer(desk, run) for run in canceled]
    assert len(set(replacing)) == 10
    assert set(replacing) <= made


def _replacer(desk: Desk, run: Run) -> str:
    (event,) = [event for event in desk.services.runs.tail(run.id, 0) if event.type is EventType.RUN_CANCELED]
    return str(event.data["reason"]).removeprefix("replaced by run ")


def test_partitions_race_for_the_whole_queue(desk: Desk) -> None:
    """Each partition has at most its one, and all together as many as the queue holds."""
    job = desk.job(max_concurrency=1, queue_strategy=QueueStrategy.PARTITIONED_REPLACE, queue_limit=3)
    desk.trigger(job)
    _at_once(24, lambda number: desk.trigger(job, queue_partition=str(number % 4)))
    waiting = desk.services.runs.page("acme", [RunStatus.QUEUED], 99, 0)
    partitions = [run.asked["queue_partition"] for run in waiting]
    assert len(partitions) == len(set(partitions)) == 3
    assert desk.waiting(job) == {run.id for run in waiting}


def test_ends_and_triggers_at_once(desk: Desk) -> None:
    """While runs end and others come, no more wait than may, and in the end all places are free."""
    job = desk.job(max_concurrency=1, queue_limit=2)

    def act(number: int) -> Run | None:
        if number % 3:
            return desk.trigger(job)
        for run in desk.services.runs.page("acme", [RunStatus.EXECUTING], 9, 0):
            try:
                desk.services.cancel_run("acme", run.id, "ada")
            except Conflict:
                continue
        return None

    _at_once(30, act)
    statuses = desk.statuses()
    assert statuses[RunStatus.EXECUTING] <= 1
    assert statuses[RunStatus.QUEUED] == len(desk.waiting(job)) <= 2
    while live := desk.services.runs.page("acme", [RunStatus.EXECUTING, RunStatus.QUEUED], 9, 0):
        desk.services.cancel_run("acme", live[0].id, "ada")
    assert desk.waiting(job) == frozenset()
    assert not any(desk.services.runs.holders([f"acme#job#{job.id}"]).values())


def test_many_triggers_in_bulk_beside_each_other(desk: Desk) -> None:
    """Bulk requests share the places as single triggers do."""
    job = desk.job(max_concurrency=2, queue_limit=5)

    def bulk(_: int) -> int:
        answers = desk.services.submit.many(job, [Ask() for _ in range(6)])
        return sum(isinstance(answer, Submitted) for answer in answers)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(bulk, range(6))) == 7
    assert desk.statuses() == {RunStatus.EXECUTING: 2, RunStatus.QUEUED: 5}
