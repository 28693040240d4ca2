"""Port DependencyStore."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.dynamodb.dependencies import DynamoDependencies
from quintet.adapters.memory import MemoryBlobs, MemoryDependencies, MemoryJobs
from quintet.domain.dependency import Condition, JobDependency, UpstreamEnd
from quintet.domain.errors import Invalid
from quintet.domain.job import Job
from quintet.domain.run import Trigger
from quintet.domain.status import RunStatus
from quintet.services.dependencies import Dependencies
from quintet.services.payloads import Payloads
from quintet.services.ports.dependencies import DependencyStore, Firing

from .conftest import make_table
from .samples import CLOCK, IDS, NOW, a_job, a_run, a_version, after


@pytest.fixture(params=["memory", "aws"])
def store(request: pytest.FixtureRequest) -> DependencyStore:
    """An empty store of one implementation."""
    if request.param == "memory":
        return MemoryDependencies()
    request.getfixturevalue("aws")
    return DynamoDependencies(make_table("JobsTable"))


def edge(job_id: str, on: str, condition: Condition = Condition.COMPLETED) -> JobDependency:
    """An edge; later ones have greater ids."""
    return JobDependency(IDS.new(), job_id, on, condition, NOW)


def end(job_id: str, number: int, status: RunStatus = RunStatus.COMPLETED) -> UpstreamEnd:
    """How the job's run of that number ended, so many seconds after NOW."""
    return UpstreamEnd(job_id, f"{job_id}-run-{number}", status, after(number), {"n": number})


def add(store: DependencyStore, *edges: JobDependency) -> None:
    """Writes edges of project acme, one after another."""
    for one in edges:
        assert store.add("acme", one, store.revision("acme"))


def test_edges_are_found_from_both_ends(store: DependencyStore) -> None:
    """Whole, in the order of their making, and only at the two jobs they are of."""
    first, second, third = edge("d", "a"), edge("d", "b", Condition.FAILED), edge("e", "a", Condition.ANY)
    add(store, first, second, third)
    assert store.of("d") == [first, second]
    assert store.of("e") == [third]
    assert store.dependants("a") == [first, third]
    assert store.dependants("b") == [second]
    assert store.of("a") == store.dependants("d") == []


def test_an_edge_is_added_at_the_revision_that_was_looked_at(store: DependencyStore) -> None:
    """Past it nothing is written; another project counts by itself."""
    assert store.revision("acme") == 0
    assert store.add("acme", edge("d", "a"), 0)
    assert store.revision("acme") == 1
    assert not store.add("acme", edge("d", "b"), 0)
    assert not store.add("acme", edge("d", "b"), 5)
    assert [one.depends_on_job_id for one in store.of("d")] == ["a"]
    assert store.dependants("b") == []
    assert store.add("other", edge("x", "y"), 0)


def test_of_racing_edges_one_is_added_at_a_revision(store: DependencyStore) -> None:
    """Whoever looked at the same edges loses to the first."""
    edges = [edge(f"d{number}", "a") for number in range(10)]
    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(lambda one: store.add("acme", one, 0), edges)) == 1
    assert len(store.dependants("a")) == store.revision("acme") == 1


def test_an_edge_is_removed_for_good_and_no_other(store: DependencyStore) -> None:
    """Removing again does nothing, also when the jobs have a new edge by then."""
    first, other = edge("d", "a"), edge("d", "b")
    add(store, first, other)
    store.remove(first)
    store.remove(first)
    assert store.of("d") == [other]
    assert store.dependants("a") == []
    again = edge("d", "a", Condition.ANY)
    add(store, again)
    store.note("d", end("a", 1))
    store.remove(first)
    assert store.of("d") == [other, again]
    assert store.dependants("a") == [again]
    assert store.join("d").ends == {"a": end("a", 1)}


def test_the_last_end_of_a_job_is_its_latest(store: DependencyStore) -> None:
    """Whatever the order of hearing; of two at one moment the later run's. The result is not kept."""
    for number in (2, 3, 1):
        store.keep_last(end("a", number))
    tied = replace(end("b", 5), run_id="b-z")
    for one in (replace(end("b", 5), run_id="b-a"), tied, replace(end("b", 5), run_id="b-m")):
        store.keep_last(one)
    last = store.last(["a", "b", "nobody", "a"])
    assert last == {"a": replace(end("a", 3), result=None), "b": replace(tied, result=None)}
    assert store.last([]) == {}


def test_an_end_is_noted_once(store: DependencyStore) -> None:
    """A later end takes the place of an earlier one, never the other way round; a consumed one does not come back."""
    store.note("d", end("a", 2))
    store.note("d", end("a", 1))
    assert store.join("d").ends == {"a": end("a", 2)}
    store.note("d", end("a", 3, RunStatus.FAILED))
    store.note("d", end("b", 1))
    assert store.join("d").ends == {"a": end("a", 3, RunStatus.FAILED), "b": end("b", 1)}
    assert store.consume("d", [end("a", 3), end("b", 1)], Firing("a-run-3", {"x": 1}))
    for number in (1, 2, 3):
        store.note("d", end("a", number))
    assert store.join("d").ends == {}
    store.note("d", end("a", 4))
    assert store.join("d").ends == {"a": end("a", 4)}
    assert store.join("e").ends == {}


def test_an_end_stands_alone_or_in_a_join(store: DependencyStore) -> None:
    """Whichever comes first decides, for ever, for one downstream job."""
    assert store.stand_alone("d", end("a", 1))
    assert store.stand_alone("d", end("a", 1))
    store.note("d", end("a", 1))
    assert store.join("d").ends == {}
    store.note("d", end("a", 2))
    assert not store.stand_alone("d", end("a", 2))
    assert store.stand_alone("e", end("a", 2))


def test_ends_are_consumed_all_or_none(store: DependencyStore) -> None:
    """An end that is missing, or that is another run's by now, leaves all as it was."""
    store.note("d", end("a", 1))
    firing = Firing("b-run-1", {"upstream": None})
    assert not store.consume("d", [end("a", 1), end("b", 1)], firing)
    store.note("d", end("b", 2))
    assert not store.consume("d", [end("a", 1), end("b", 1)], firing)
    assert store.join("d").firings == []
    assert store.join("d").ends == {"a": end("a", 1), "b": end("b", 2)}
    assert store.consume("d", [end("a", 1), end("b", 2)], firing)
    assert (store.join("d").ends, store.join("d").firings) == ({}, [firing])
    store.fired("d", firing)
    store.fired("d", firing)
    assert store.join("d").firings == []


def test_racing_consumers_take_ends_once(store: DependencyStore) -> None:
    """Of many who find the same ends one gets them."""
    ends = [end(f"u{number}", number) for number in range(5)]
    for one in ends:
        store.note("d", one)
    with ThreadPoolExecutor(5) as pool:
        taken = list(pool.map(lambda number: store.consume("d", ends, Firing(f"r{number}", number)), range(10)))
    assert sum(taken) == 1
    assert [firing.input for firing in store.join("d").firings] == [taken.index(True)]


def test_fifty_large_ends_are_consumed_at_once(store: DependencyStore) -> None:
    """The most upstreams that a job may have, each with the largest result that lies beside it."""
    ends = [replace(end(f"u{number:02d}", 1), result="x" * 32_000) for number in range(50)]
    for one in ends:
        store.note("d", one)
    assert list(store.join("d").ends.values()) == ends
    assert store.consume("d", ends, Firing("u49-run-1", None))
    assert store.join("d").ends == {}


def test_a_new_edge_forgets_stale_ends(store: DependencyStore) -> None:
    """Only those that are named, and only when the edge is added."""
    for upstream in ("a", "b", "c"):
        store.note("d", end(upstream, 1))
    assert not store.add("acme", edge("d", "a"), 7, ["a", "b"])
    assert set(store.join("d").ends) == {"a", "b", "c"}
    assert store.add("acme", edge("d", "a"), 0, ["a", "b", "a"])
    assert set(store.join("d").ends) == {"c"}


def test_a_removed_edge_takes_its_end_along(store: DependencyStore) -> None:
    """What was noted for it does not count for a later edge."""
    gone = edge("d", "a")
    add(store, gone, edge("d", "b"))
    store.note("d", end("a", 1))
    store.note("d", end("b", 1))
    store.remove(gone)
    assert set(store.join("d").ends) == {"b"}


def test_waiting_runs_are_listed_until_forgotten(store: DependencyStore) -> None:
    """Each once, oldest first, of one job."""
    runs = [IDS.new() for _ in range(3)]
    for run_id in (runs[2], runs[0], runs[1], runs[0]):
        store.wait("d", run_id)
    store.wait("e", "other")
    assert store.waiting("d") == runs
    store.forget("d", runs[1])
    store.forget("d", runs[1])
    assert store.waiting("d") == [runs[0], runs[2]]
    assert store.waiting("nobody") == []


def test_what_is_kept_for_a_job_is_dropped(store: DependencyStore) -> None:
    """All of it, however much, and nothing of other jobs."""
    for number in range(120):
        store.wait("d", f"run-{number:03d}")
    store.wait("e", "run")
    store.note("d", end("a", 1))
    store.note("d", end("b", 1))
    store.consume("d", [end("a", 1)], Firing("a-run-1", None))
    for job in ("d", "e"):
        store.keep_last(end(job, 1))
    store.drop("d")
    store.drop("d")
    assert store.waiting("d") == []
    assert (store.join("d").ends, store.join("d").firings) == ({}, [])
    assert set(store.last(["d", "e"])) == {"e"}
    assert store.waiting("e") == ["run"]


# --- the service on the store ------------------------------------------------------------------------------------------------


def _service(store: DependencyStore, jobs: MemoryJobs, started: list[str]) -> Dependencies:
    guards: set[str] = set()

    def trigger(job: Job, given: Any, trigger: Trigger, names: tuple[str, ...]) -> None:
        if not guards.issuperset(names):
            guards.update(names)
            started.append(f"{job.id} behind {trigger.source_id}")

    return Dependencies(
        store,
        jobs,
        Payloads(MemoryBlobs()),
        CLOCK,
        IDS,
        trigger=trigger,
        release=started.append,
        latest=lambda project, job_id: None,
    )


def _jobs(*names: str) -> MemoryJobs:
    jobs = MemoryJobs()
    for name in names:
        job = a_job(id=name)
        jobs.create(job, a_version(job))
    return jobs


def test_racing_ends_start_a_joined_job_once(store: DependencyStore) -> None:
    """However many hear of both runs at the same time; the run that waits is released."""
    started: list[str] = []
    jobs = _jobs("d", "a", "b")
    service = _service(store, jobs, started)
    for upstream in ("a", "b"):
        service.add("acme", "d", upstream, "completed")
    service.wait_for(jobs.get("acme", "d"), "waits")
    runs = [
        a_run(RunStatus.COMPLETED, id=f"{name}-1", job_id=name, ended_at=after(number))
        for number, name in enumerate(("a", "b"))
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda run: service.heard(run, None), runs * 4))
    assert [one for one in started if one != "waits"] == ["d behind b-1"]
    assert "waits" in started
    assert store.join("d").ends == {}
    assert (store.join("d").firings, store.waiting("d")) == ([], [])


def test_racing_edges_never_close_a_cycle(store: DependencyStore) -> None:
    """Of four edges that would make a ring, added at once, one is refused."""
    names = ["r0", "r1", "r2", "r3"]
    service = _service(store, _jobs(*names), [])

    def add(number: int) -> bool:
        try:
            service.add("acme", names[number], names[(number + 1) % 4], "any")
        except Invalid:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 3
