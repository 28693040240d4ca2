"""Processes that die while they pass a run's end on."""

from collections.abc import Iterator
from typing import Any

import pytest
from dependency_yard import Yard
from hypothesis import given
from hypothesis import strategies as st
from stage_world import ProcessDied

from quintet.domain.run import Run
from quintet.services.ports.dependencies import Join


def _story(yard: Yard) -> list[Run]:
    """One follower alone, one in a join, each with a run that waits; the runs that are heard of."""
    yard.after("alone", "a")
    yard.after("joined", "a", "b")
    for name in ("alone", "joined"):
        yard.service.wait_for(yard.jobs.get("p", name), f"waits-{name}")
    return [yard.run("a", 1), yard.run("b", 1), yard.run("b", 2), yard.run("a", 2)]


def _tell(yard: Yard, runs: list[Run]) -> int:
    """Each run is heard of until somebody who hears lives to the end; how often one died."""
    died = 0
    for run in runs:
        while True:
            try:
                yard.hear(run)
            except ProcessDied:
                died += 1
            else:
                break
    return died


def _calls() -> Iterator[tuple[str, int]]:
    yard = Yard()
    runs = _story(yard)
    count = [0]

    def hook(when: str, call: str) -> None:
        count[0] += when == "before"

    yard.hook = hook
    _tell(yard, runs)
    for nth in range(1, count[0] + 1):
        yield from (("before", nth), ("after", nth))


WANTED = {("alone", "a-1"), ("alone", "a-2"), ("joined", "b-1", "a-1", "b-1"), ("joined", "a-2", "a-2", "b-2")}


@pytest.mark.parametrize(("when", "nth"), list(_calls()))
def test_a_death_at_any_port_call_loses_and_doubles_nothing(when: str, nth: int) -> None:
    """Who hears of the run again starts what was not started, and only that; waiting runs are released."""
    yard = Yard()
    runs = _story(yard)
    left = [nth]

    def hook(at: str, call: str) -> None:
        if at == when:
            left[0] -= 1
            if left[0] == 0:
                raise ProcessDied(call)

    yard.hook = hook
    assert _tell(yard, runs) == 1
    assert sorted(yard.starts) == sorted(WANTED)
    assert set(yard.released) == {"waits-alone", "waits-joined"}
    assert yard.store.join("joined") == Join({}, [])
    assert all(yard.store.waiting(name) == [] for name in ("alone", "joined"))


@given(st.sets(st.integers(1, 120), max_size=12), st.randoms(use_true_random=False))
def test_many_deaths_and_repeats_lose_and_double_nothing(deaths: set[int], chance: Any) -> None:
    """Processes die again and again, and runs are heard of again after others: the same starts, each once."""
    yard = Yard()
    runs = _story(yard)
    calls = [0]

    def hook(at: str, call: str) -> None:
        calls[0] += 1
        if calls[0] in deaths:
            raise ProcessDied(call)

    yard.hook = hook
    for place_, run in enumerate(runs):
        _tell(yard, [run])
        _tell(yard, chance.sample(runs[: place_ + 1], k=chance.randint(0, place_ + 1)))
    assert sorted(yard.starts) == sorted(WANTED)
    assert set(yard.released) == {"waits-alone", "waits-joined"}
    assert yard.store.join("joined") == Join({}, [])
