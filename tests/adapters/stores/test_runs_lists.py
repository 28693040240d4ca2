"""Port Runs: lists and counters."""

from dataclasses import replace

import pytest

from quintet.domain.events import Event, EventType
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change, Creation, Runs

from .samples import a_run, after, created

CYCLE = [RunStatus.EXECUTING, RunStatus.WAITING, RunStatus.QUEUED]


@pytest.fixture
def made(runs: Runs) -> list[Run]:
    """Nine runs of `acme` in three statuses in turn, newest first, and one of another project."""
    mine = [a_run(CYCLE[place % 3]) for place in range(9)]
    for run in [*mine, a_run(project="other")]:
        runs.create(Creation(run, created()))
    return mine[::-1]


@pytest.mark.parametrize(
    "statuses", [None, [RunStatus.WAITING], CYCLE[:2], CYCLE, [RunStatus.FAILED], [], [*CYCLE, *CYCLE]]
)
def test_pages_are_cut_from_one_list(runs: Runs, made: list[Run], statuses: list[RunStatus] | None) -> None:
    """For every limit and offset a page is that part of the project's runs, newest first; the count is their number."""
    wanted = [run for run in made if statuses is None or run.status in statuses]
    assert runs.count("acme", statuses) == len(wanted)
    for limit, offset in [(100, 0), (1, 0), (2, 1), (3, 3), (4, 8), (5, 9), (5, 40), (0, 0)]:
        assert runs.page("acme", statuses, limit, offset) == wanted[offset : offset + limit]


def test_another_projects_runs_are_not_there(runs: Runs, made: list[Run]) -> None:
    """Lists and counts know one project."""
    assert len(runs.page("other", None, 100, 0)) == runs.count("other", None) == 1
    assert runs.page("nobody", None, 100, 0) == []
    assert runs.count("nobody", CYCLE) == 0
    assert runs.page("acme#waiting", None, 100, 0) == []


def test_a_project_may_be_called_anything(runs: Runs) -> None:
    """A name with the separator in it is read back as it was, from every list."""
    run = a_run(project="a#b")
    runs.create(Creation(run, created()))
    assert runs.page("a#b", None, 9, 0) == runs.page("a#b", [RunStatus.EXECUTING], 9, 0) == [run]


def test_counters_follow_every_change_of_status(runs: Runs) -> None:
    """Lists and counters agree after each step of a run's life."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    base = 2
    was = run
    for status in (RunStatus.WAITING, RunStatus.WAITING, RunStatus.EXECUTING, RunStatus.FAILED):
        now = replace(was, status=status, updated_at=after(base), error={"n": base})
        runs.append(run.id, base, [Event(EventType.STEP_PROGRESS, after(base), "a")], Change(now, was.status))
        base, was = base + 1, now
        for each in RunStatus:
            listed = runs.page("acme", [each], 10, 0)
            assert listed == ([now] if each is status else [])
            assert runs.count("acme", [each]) == len(listed)
    assert runs.page("acme", None, 10, 0) == [was]
    assert runs.count("acme", None) == 1


def test_many_runs_are_paged_without_holes(runs: Runs) -> None:
    """Pages one after another give each run once."""
    ids = []
    for place in range(60):
        run = a_run(CYCLE[place % 2])
        runs.create(Creation(run, created()))
        ids.append(run.id)
    for statuses in (None, CYCLE):
        seen = [run.id for offset in range(0, 70, 7) for run in runs.page("acme", statuses, 7, offset)]
        assert seen == ids[::-1]
