"""Port Runs: lists by cursor, counts of groups, how runs ended."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.adapters.cursors import to_cursor
from quintet.adapters.dynamodb.claims import label_key
from quintet.adapters.dynamodb.items import meta_item
from quintet.adapters.dynamodb.runs import DynamoRuns
from quintet.adapters.dynamodb.table import key
from quintet.domain.errors import Invalid
from quintet.domain.run import Run, Trigger
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change, Claims, Creation, Ended, RunList, RunPage, Runs

from .conftest import Stores, make_table
from .samples import a_run, after, created, progress

STATUSES = [RunStatus.EXECUTING, RunStatus.QUEUED, RunStatus.FAILED, RunStatus.COMPLETED]
TRIGGERS = [Trigger(), Trigger("schedule"), Trigger("manual", "run", "r-1")]
EVEN = ("tag:env=prod", "batch:b")


@pytest.fixture
def made(runs: Runs) -> list[Run]:
    """Thirty runs of `acme` of two jobs in four states by three triggers, newest first; others of another project and of a map."""
    mine = []
    for place in range(30):
        run = a_run(job_id=f"job-{place % 2}", trigger=TRIGGERS[place % 3], started_at=after(0))
        runs.create(Creation(run, created(), claims=Claims(labels=EVEN if place % 4 == 0 else ())))
        status = STATUSES[place * 7 % 4]
        if status is not RunStatus.EXECUTING:
            run = replace(run, status=status, ended_at=after(place) if status.terminal else None)
            runs.append(run.id, 2, [progress(3)], Change(run, RunStatus.EXECUTING))
        mine.append(run)
    for other in (a_run(project="other", job_id="job-0"), a_run(project="acme/x/1", job_id="job-0", item=1)):
        runs.create(Creation(other, created(), claims=Claims(labels=EVEN)))
    return mine[::-1]


LISTS = [
    RunList("acme", job_id, label, statuses, trigger_type)
    for job_id, label, statuses, trigger_type in product(
        (None, "job-1"),
        (None, "tag:env=prod"),
        (
            None,
            frozenset({RunStatus.QUEUED}),
            frozenset({RunStatus.FAILED, RunStatus.EXECUTING}),
            frozenset({RunStatus.COMPLETED, RunStatus.FAILED}),
            frozenset[RunStatus](),
        ),
        (None, "retry"),
    )
]


def _pages(runs: Runs, wanted: RunList, limit: int) -> Iterator[RunPage]:
    cursor = None
    while True:
        page = runs.browse(wanted, limit, cursor)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


@pytest.mark.parametrize("limit", [1, 4, 50])
def test_every_list_is_paged_without_holes(runs: Runs, made: list[Run], limit: int) -> None:
    """Whatever is asked together, the pages one after the other are the list, newest first."""
    labelled = {run.id for place, run in enumerate(reversed(made)) if place % 4 == 0}
    for wanted in LISTS:
        expected = [
            run
            for run in made
            if wanted.job_id in (None, run.job_id)
            and (wanted.label is None or run.id in labelled)
            and (wanted.statuses is None or run.status in wanted.statuses)
            and wanted.trigger_type in (None, run.started_by)
        ]
        pages = list(_pages(runs, wanted, limit))
        assert [run for page in pages for run in page.runs] == expected
        assert all(len(page.runs) <= limit for page in pages)


def test_a_whole_list_ends_without_a_cursor(runs: Runs, made: list[Run]) -> None:
    """A list that ends with a full page says so; its cursor is url-safe text."""
    assert runs.browse(RunList("acme"), 30).cursor is None
    cursor = runs.browse(RunList("acme"), 29).cursor
    assert cursor is not None
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert runs.browse(RunList("acme"), 29, cursor) == RunPage([made[-1]])
    assert runs.browse(RunList("acme"), 0).runs == []


def test_lists_know_one_project(runs: Runs, made: list[Run]) -> None:
    """Neither the same job's, nor the same label's, nor a map's own runs of another project are there."""
    assert {run.project for run in runs.browse(RunList("other"), 50).runs} == {"other"}
    assert [run.project for run in runs.browse(RunList("other", label="batch:b"), 50).runs] == ["other"]
    assert runs.browse(RunList("nobody", job_id="job-0"), 50) == RunPage([])
    assert runs.browse(RunList("acme#batch", label="b"), 50).runs == []


def test_a_label_of_a_project_is_not_anothers(runs: Runs) -> None:
    """Names with the separator in them don't open another project's list."""
    run = a_run(project="a")
    runs.create(Creation(run, created(), claims=Claims(labels=("b#c",))))
    assert runs.browse(RunList("a#b", label="c"), 9).runs == []
    assert runs.browse(RunList("a", label="b#c"), 9).runs == [run]


def test_runs_made_meanwhile_do_not_shift_the_pages(runs: Runs, made: list[Run]) -> None:
    """A cursor stays where it is, whatever is added in front of it."""
    first = runs.browse(RunList("acme"), 3)
    runs.create(Creation(a_run(), created()))
    second = runs.browse(RunList("acme"), 3, first.cursor)
    assert [*first.runs, *second.runs] == made[:6]


@pytest.mark.parametrize(
    "cursor", ["", "x", "%%%", to_cursor("job", "r-1"), to_cursor("project", "r-1") + "A", "ü" * 9]
)
def test_a_bad_cursor_is_refused(runs: Runs, cursor: str) -> None:
    """Anything but a cursor of this kind of list is the caller's fault, at `cursor`."""
    with pytest.raises(Invalid) as refusal:
        runs.browse(RunList("acme"), 3, cursor)
    assert [problem.place for problem in refusal.value.problems] == [("cursor",)]


def test_groups_are_counted(runs: Runs) -> None:
    """A group's counts follow every change of its runs' status; the project counts them too."""
    run = a_run(group="g")
    for one in (run, a_run(group="g"), a_run(RunStatus.QUEUED, group="h"), a_run(), a_run(project="other", group="g")):
        runs.create(Creation(one, created()))
    failed = replace(run, status=RunStatus.FAILED, ended_at=after(1))
    runs.append(run.id, 2, [progress(3)], Change(failed, RunStatus.EXECUTING))
    nothing = dict.fromkeys(RunStatus, 0)
    assert runs.counts("acme", "g") == nothing | {RunStatus.EXECUTING: 1, RunStatus.FAILED: 1}
    assert runs.counts("acme", "h") == nothing | {RunStatus.QUEUED: 1}
    assert runs.counts("acme") == nothing | {RunStatus.EXECUTING: 2, RunStatus.QUEUED: 1, RunStatus.FAILED: 1}
    assert runs.counts("acme", "nobody") == nothing


def test_how_a_jobs_runs_ended_is_known_by_time(runs: Runs) -> None:
    """Only followed runs that ended from the first moment on and before the last, oldest first, with how long they took."""

    def ended(at: float, status: RunStatus = RunStatus.COMPLETED, **changes: Any) -> Run:
        run = a_run(**{"job_id": "j", "follows": True, "started_at": after(1), **changes})
        runs.create(Creation(run, created()))
        over = replace(run, status=status, ended_at=after(at))
        runs.append(run.id, 2, [progress(3)], Change(over, RunStatus.EXECUTING))
        return over

    late, early = ended(9.25), ended(5, RunStatus.FAILED)
    expired = ended(6, RunStatus.EXPIRED, started_at=None)
    ended(4.999)
    ended(10)
    ended(7, follows=False)
    ended(7, job_id="k")
    ended(7, project="acme/x/1", item=1)
    assert list(runs.ended("j", after(5), after(10))) == [
        Ended(early.id, RunStatus.FAILED, after(5), 4.0),
        Ended(expired.id, RunStatus.EXPIRED, after(6), None),
        Ended(late.id, RunStatus.COMPLETED, after(9.25), 8.25),
    ]
    assert list(runs.ended("nobody", after(0), after(99))) == []


# --- what a page costs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(aws: Stores) -> tuple[DynamoRuns, list[Run]]:
    """Twelve hundred runs of one job under one label, newest first, every hundredth of which has failed, by a schedule."""
    runs = DynamoRuns(make_table("RunsTable"))
    made = [
        a_run(
            RunStatus.COMPLETED if place % 100 else RunStatus.FAILED, trigger=Trigger() if place % 100 else TRIGGERS[1]
        )
        for place in range(1200)
    ]
    runs.table.put_many([meta_item(run, None, None) for run in made])
    runs.table.put_many([key(label_key("acme", "tag:a"), run.id) for run in made])
    return runs, made[::-1]


def _cost(act: Any) -> tuple[int, int]:
    """The requests, and the entries they looked at."""
    seen: list[int] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        seen.append(parsed.get("ScannedCount", 0) or sum(map(len, parsed["Responses"].values())))

    events = client("dynamodb").meta.events
    events.register("after-call.dynamodb", note)
    try:
        act()
    finally:
        events.unregister("after-call.dynamodb", note)
    return len(seen), sum(seen)


def test_the_first_page_costs_what_a_late_one_does(many: tuple[DynamoRuns, list[Run]]) -> None:
    """A page looks at its own entries and the one behind, wherever it stands in the list, and never at what lies before."""
    runs, made = many
    for wanted, cost in [
        (RunList("acme"), (1, 3)),
        (RunList("acme", statuses=frozenset({RunStatus.COMPLETED})), (1, 3)),
        (RunList("acme", job_id="job-1"), (2, 6)),
        (RunList("acme", label="tag:a"), (2, 6)),
    ]:
        assert _cost(lambda wanted=wanted: runs.browse(wanted, 2)) == cost
        for place in (2, 600, 1190):
            cursor = to_cursor(_kind(wanted), made[place].id)
            assert _cost(lambda wanted=wanted, cursor=cursor: runs.browse(wanted, 2, cursor)) == cost


def test_a_page_examines_a_bounded_number(many: tuple[DynamoRuns, list[Run]]) -> None:
    """A list with few hits gives short pages with a cursor, and all of it in the end; runs are looked up a thousand at most."""
    runs, _ = many
    rare = RunList("acme", trigger_type="schedule")
    assert [len(page.runs) for page in _pages(runs, rare, 15)] == [10, 2]
    found: list[RunPage] = []
    _, looked_at = _cost(lambda: found.append(runs.browse(replace(rare, label="tag:a"), 15)))
    assert looked_at <= 2 * 1100
    assert (len(found[0].runs), found[0].cursor is None) == (10, False)


def _kind(wanted: RunList) -> str:
    if wanted.label:
        return "label"
    return "job" if wanted.job_id else "status" if wanted.statuses else "project"
