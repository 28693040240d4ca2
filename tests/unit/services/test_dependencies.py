"""Jobs that follow other jobs: edges, and the runs that wait for what they need."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from dependency_yard import FAILED, Yard

from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.services.dependencies import MAX_DEPENDENCIES


@pytest.fixture
def yard() -> Yard:
    """No jobs."""
    return Yard()


def place(fault: pytest.ExceptionInfo[Invalid]) -> list[tuple[str | int, ...]]:
    """Where the input is wrong."""
    return [problem.place for problem in fault.value.problems]


# --- edges ---------------------------------------------------------------------------------------------------------------------


def test_an_edge_is_listed_until_it_is_removed(yard: Yard) -> None:
    """Oldest first; adding it again gives the one that is there, removing it again does nothing."""
    first, second = yard.after("d", "a", "b")
    assert (first.job_id, first.depends_on_job_id, first.condition, first.created_at) == (
        "d",
        "a",
        "completed",
        yard.clock.now(),
    )
    assert yard.service.add("p", "d", "a", "completed") == first
    assert yard.service.of("p", "d") == [first, second]
    for _ in range(2):
        yard.service.remove("p", "d", first.id)
        assert yard.service.of("p", "d") == [second]


def test_the_same_edge_on_another_condition_is_a_conflict(yard: Yard) -> None:
    """The one that is there is neither changed nor passed off as what was asked."""
    yard.after("d", "a", condition="failed")
    with pytest.raises(Conflict, match="failed"):
        yard.service.add("p", "d", "a", "any")


@pytest.mark.parametrize(
    ("on", "condition", "places"),
    [
        ("d", "any", [("depends_on_job_id",)]),
        ("nobody", "any", [("depends_on_job_id",)]),
        ("foreign", "any", [("depends_on_job_id",)]),
        ("c", "done", [("condition",)]),
        ("nobody", "", [("depends_on_job_id",), ("condition",)]),
        ("up", "any", [("depends_on_job_id",)]),
        ("down", "any", [("depends_on_job_id",)]),
    ],
)
def test_a_wrong_edge_is_refused_with_its_place(
    yard: Yard, on: str, condition: str, places: list[tuple[str, ...]]
) -> None:
    """The job itself, unknown and foreign ones, short and long cycles, unknown conditions: nothing is written."""
    yard.job("foreign", project="q")
    yard.job("c")
    yard.after("up", "d")
    yard.after("middle", "d")
    yard.after("down", "middle")
    with pytest.raises(Invalid) as fault:
        yard.service.add("p", "d", on, condition)
    assert place(fault) == places
    assert yard.service.of("p", "d") == []


def test_edges_of_an_unknown_or_foreign_job_are_not_found(yard: Yard) -> None:
    """Adding, listing, removing."""
    yard.after("d", "a")
    for act in (
        lambda: yard.service.add("q", "d", "a", "any"),
        lambda: yard.service.add("p", "x", "a", "any"),
        lambda: yard.service.of("q", "d"),
        lambda: yard.service.remove("q", "d", "any"),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_job_has_at_most_fifty_dependencies(yard: Yard) -> None:
    """The one above is refused; one that is there already is still answered."""
    edges = yard.after("d", *(f"u{number}" for number in range(MAX_DEPENDENCIES)))
    yard.job("more")
    with pytest.raises(Invalid) as fault:
        yard.service.add("p", "d", "more", "any")
    assert place(fault) == [("depends_on_job_id",)]
    assert yard.service.add("p", "d", "u7", "completed") == edges[7]


def test_both_jobs_of_an_edge_are_followed_from_then_on(yard: Yard) -> None:
    """The upstream's runs are to be heard of, the downstream's to wait; nothing else of the jobs changes."""
    before = [yard.job("d"), yard.job("a")]
    yard.after("d", "a")
    for was in before:
        assert yard.jobs.get("p", was.id) == replace(was, terms=replace(was.terms, follows=True))


def test_racing_edges_never_close_a_cycle(yard: Yard) -> None:
    """Of edges that are added at once and would make a ring together, at least one is refused."""
    for ring in range(5):
        names = [f"r{ring}-{number}" for number in range(4)]
        for name in names:
            yard.job(name)

        def add(number: int, names: list[str] = names) -> bool:
            try:
                yard.service.add("p", names[number], names[(number + 1) % 4], "any")
            except Invalid:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(add, range(4))) == 3


def test_an_edge_that_closes_a_cycle_meanwhile_is_seen(yard: Yard) -> None:
    """The opposite edge, added between the look and the write, has the look repeated."""
    yard.job("a")
    yard.job("b")
    yard.just_before("store.add", lambda: yard.service.add("p", "b", "a", "any"))
    with pytest.raises(Invalid):
        yard.service.add("p", "a", "b", "any")
    assert yard.service.of("p", "a") == []


def test_racing_additions_of_one_edge_make_one(yard: Yard) -> None:
    """All get the same edge."""
    yard.job("d")
    yard.job("a")
    with ThreadPoolExecutor(5) as pool:
        made = list(pool.map(lambda _: yard.service.add("p", "d", "a", "any"), range(10)))
    assert {one.id for one in made} == {one.id for one in yard.service.of("p", "d")}
    assert len({one.id for one in made}) == 1


# --- runs that wait ------------------------------------------------------------------------------------------------------------


def test_unmet_are_those_whose_last_end_does_not_hold(yard: Yard) -> None:
    """None yet, or one of another kind; the last one counts, consumed by a join or not."""
    on_a, on_b = yard.after("d", "a", "b")
    job = yard.jobs.get("p", "d")
    assert yard.service.unmet(job) == [on_a, on_b]
    yard.end("a", 1)
    assert yard.service.unmet(job) == [on_b]
    yard.end("b", 1)
    assert yard.service.unmet(job) == []
    yard.end("a", 2, FAILED)
    assert yard.service.unmet(job) == [on_a]
    assert yard.service.unmet(yard.job("free")) == []


def test_what_ended_before_the_edge_counts_for_waiting_runs(yard: Yard) -> None:
    """The lists know it: the job's last ended run is taken over when the edge is made; it starts nothing."""
    yard.job("a")
    yard.latest["a"] = yard.run("a", 1)
    yard.after("d", "a")
    assert yard.service.unmet(yard.jobs.get("p", "d")) == []
    assert yard.starts == []


def test_waiting_runs_are_released_when_all_holds(yard: Yard) -> None:
    """All of them, once, oldest first; a forgotten one is not."""
    yard.after("d", "a", "b")
    job = yard.jobs.get("p", "d")
    for run_id in ("r2", "r1", "r3"):
        yard.service.wait_for(job, run_id)
    assert yard.service.waiting(job) == ["r1", "r2", "r3"]
    yard.service.forget(job, "r2")
    yard.end("a", 1)
    yard.end("b", 1, FAILED)
    assert yard.released == []
    yard.end("b", 2)
    yard.end("b", 3)
    assert yard.released == ["r1", "r3"]
    assert yard.service.waiting(job) == []


def test_a_run_that_waits_for_nothing_is_released_at_once(yard: Yard) -> None:
    """What was met while it was made would never wake it."""
    yard.after("d", "a")
    yard.end("a", 1)
    yard.service.wait_for(yard.jobs.get("p", "d"), "r")
    assert yard.released == ["r"]
    assert yard.service.waiting(yard.jobs.get("p", "d")) == []


@pytest.mark.parametrize("act", ["remove", "drop"])
def test_a_taken_back_edge_lets_waiting_runs_go(yard: Yard, act: str) -> None:
    """Removed by hand, or with the upstream job."""
    first, _ = yard.after("d", "a", "b")
    job = yard.jobs.get("p", "d")
    yard.service.wait_for(job, "r")
    yard.end("b", 1)
    if act == "remove":
        yard.service.remove("p", "d", first.id)
    else:
        yard.jobs.delete(yard.jobs.get("p", "a"))
        yard.service.drop("p", "a")
    assert yard.released == ["r"]


def test_a_dropped_job_leaves_nothing(yard: Yard) -> None:
    """Neither edges on either side, nor waiting runs, nor what was heard."""
    yard.after("d", "a")
    yard.after("e", "d")
    job = yard.jobs.get("p", "d")
    yard.service.wait_for(job, "r")
    yard.jobs.delete(job)
    yard.service.drop("p", "d")
    assert yard.store.of("d") == yard.store.of("e") == yard.store.dependants("a") == yard.store.dependants("d") == []
    assert yard.store.waiting("d") == []


def test_no_wake_up_is_lost_between_registering_and_hearing(yard: Yard) -> None:
    """Wherever the upstream's end falls into the registering, the run is released."""
    for number in range(20):
        upstream, downstream = f"a{number}", f"d{number}"
        yard.after(downstream, upstream)
        job, run = yard.jobs.get("p", downstream), yard.run(upstream, 1)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(yard.service.wait_for, job, f"r{number}"), pool.submit(yard.hear, run)]
            assert [one.exception() for one in both] == [None, None]
        assert f"r{number}" in yard.released
