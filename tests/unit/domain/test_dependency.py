"""Conditions of dependencies, and ways between jobs."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.domain.dependency import Condition, leads_to
from quintet.domain.status import TERMINAL, RunStatus

FAILURES = {RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CRASHED, RunStatus.SYSTEM_FAILED}


@pytest.mark.parametrize("status", list(RunStatus))
def test_conditions(status: RunStatus) -> None:
    """Each of the three takes the ends it names; a run that has not ended satisfies none."""
    assert Condition.COMPLETED.holds(status) == (status is RunStatus.COMPLETED)
    assert Condition.FAILED.holds(status) == (status in FAILURES)
    assert Condition.ANY.holds(status) == (status in TERMINAL)


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20), st.integers(0, 7), st.integers(0, 7))
def test_a_way_is_found_where_there_is_one(edges: set[tuple[int, int]], start: int, goal: int) -> None:
    """As a search of the whole graph from one end finds it, cycles or not."""
    onward, back = defaultdict(list), defaultdict(list)
    for one, other in edges:
        onward[str(one)].append(str(other))
        back[str(other)].append(str(one))
    reached = {str(start)}
    for _ in range(8):
        reached |= {other for one in reached for other in onward[one]}
    assert leads_to(str(start), str(goal), lambda node: onward[node], lambda node: back[node]) == (str(goal) in reached)


def test_a_job_that_nothing_follows_is_seen_at_once() -> None:
    """However long the chain above it is, one look at its own side is enough."""
    looked: list[str] = []

    def above(node: str) -> list[str]:
        looked.append(node)
        return [str(int(node) + 1)]

    assert not leads_to("0", "new", above, lambda _: [])
    assert len(looked) <= 1
