"""What is started behind upstream runs: alone, in joins, under repeats and races."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from dependency_yard import CANCELED, COMPLETED, FAILED, Yard
from hypothesis import given
from hypothesis import strategies as st

from quintet.domain.errors import Conflict, Throttled
from quintet.domain.run import Run, Trigger
from quintet.domain.status import TERMINAL, RunStatus


@pytest.fixture
def yard() -> Yard:
    """No jobs."""
    return Yard()


# --- one upstream --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["completed", "failed", "any"])
@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_job_is_started_behind_each_run_that_satisfies_it(yard: Yard, condition: str, status: RunStatus) -> None:
    """Once for each such run however often it is heard of, with what became of it; not behind others."""
    (edge,) = yard.after("d", "a", condition=condition)
    runs = [yard.run("a", number, status) for number in range(2)]
    for run in (*runs, *runs):
        yard.hear(run)
    wanted = runs if edge.condition.holds(status) else []
    result = {"of": "a-0"} if status is COMPLETED else None
    assert [trigger for _, _, trigger in yard.triggered] == [Trigger("job_completion", "run", run.id) for run in wanted]
    if wanted:
        told = {"job_id": "a", "run_id": "a-0", "status": str(status), "result": result}
        assert yard.triggered[0][:2] == ("d", {"upstream": told})


def test_every_job_that_depends_on_another_is_told(yard: Yard) -> None:
    """One that can't be told keeps no other from it; when it was a passing trouble, hearing of the run again makes up for it."""
    for name in ("d", "e", "f"):
        yard.after(name, "a")
    troubles = {1: Throttled("busy", 1), 2: Conflict("not now")}
    calls: Counter[str] = Counter()

    def hook(when: str, call: str) -> None:
        calls[when + call] += 1
        if when + call == "beforetrigger" and calls[when + call] in troubles:
            raise troubles[calls[when + call]]

    yard.hook = hook
    run = yard.run("a", 1)
    with pytest.raises(Throttled):
        yard.hear(run)
    assert yard.starts == [("f", "a-1")]
    yard.hear(run)
    assert ("d", "a-1") in yard.starts
    assert len(yard.starts) == len(set(yard.starts))


def test_a_disabled_job_is_not_started(yard: Yard) -> None:
    """What it would have followed meanwhile is over when it is enabled."""
    yard.after("d", "a")
    job = yard.jobs.get("p", "d")
    yard.jobs.update(replace(job, status="disabled"), None, job)
    yard.end("a", 1)
    yard.jobs.update(job, None, replace(job, status="disabled"))
    assert yard.starts == []
    yard.end("a", 2)
    assert yard.starts == [("d", "a-2")]


def test_an_edge_of_a_deleted_job_leads_nowhere(yard: Yard) -> None:
    """It is removed when it is met, and the others are told."""
    yard.after("d", "a")
    yard.after("e", "a")
    yard.jobs.delete(yard.jobs.get("p", "d"))
    yard.end("a", 1)
    assert yard.starts == [("e", "a-1")]
    assert [one.job_id for one in yard.store.dependants("a")] == ["e"]


def test_a_large_result_reaches_the_job_whole(yard: Yard) -> None:
    """Alone and in a join."""
    yard.after("d", "a")
    yard.after("e", "a", "b")
    large = {"text": "x" * 100_000}
    for name in ("a", "b"):
        yard.service.heard(yard.run(name, 1), large)
    (_, alone, _), (_, joined, _) = yard.triggered
    assert alone["upstream"]["result"] == joined["upstream"]["result"] == large
    assert [one["result"] for one in joined["upstreams"]] == [large, large]


# --- several upstreams ---------------------------------------------------------------------------------------------------------


def test_a_join_starts_its_job_when_all_have_come(yard: Yard) -> None:
    """With the last one and all of them; then it begins anew, and repeats add nothing."""
    yard.after("d", "a", "b")
    first = yard.end("a", 1)
    yard.hear(first)
    assert yard.starts == []
    second = yard.end("b", 1)
    assert yard.starts == [("d", "b-1", "a-1", "b-1")]
    for run in (second, first, second):
        yard.hear(run)
    yard.end("b", 2)
    assert len(yard.starts) == 1
    yard.end("a", 2)
    assert yard.starts[1:] == [("d", "a-2", "a-2", "b-2")]


def test_the_newest_end_of_each_upstream_counts(yard: Yard) -> None:
    """A failure takes the place of an earlier success, a late word of an earlier run changes nothing."""
    yard.after("d", "a", "b")
    early = yard.run("a", 1)
    yard.end("a", 2, FAILED)
    yard.hear(early)
    yard.end("b", 1)
    assert yard.starts == []
    yard.end("a", 3)
    assert yard.starts == [("d", "a-3", "a-3", "b-1")]


def test_each_upstream_has_its_own_condition(yard: Yard) -> None:
    """One must complete, one fail, one just end."""
    yard.after("d", "a")
    yard.after("d", "b", condition="failed")
    yard.after("d", "c", condition="any")
    yard.end("c", 1, CANCELED)
    yard.end("b", 1)
    yard.end("a", 1)
    assert yard.starts == []
    yard.end("b", 2, FAILED)
    assert yard.starts == [("d", "b-2", "a-1", "b-2", "c-1")]


def test_a_run_that_started_its_job_alone_joins_nothing_later(yard: Yard) -> None:
    """Also when its end is heard of again after another upstream came to it; and what a join took starts nothing alone."""
    yard.after("d", "a")
    alone = yard.end("a", 1)
    (second,) = yard.after("d", "b")
    yard.hear(alone)
    yard.end("b", 1)
    assert yard.starts == [("d", "a-1")]
    joined = yard.end("a", 2)
    assert yard.starts[1:] == [("d", "a-2", "a-2", "b-1")]
    yard.service.remove("p", "d", second.id)
    yard.hear(joined)
    assert len(yard.starts) == 2
    yard.end("a", 3)
    assert yard.starts[2:] == [("d", "a-3")]


def test_what_was_gathered_before_an_edge_came_back_is_forgotten(yard: Yard) -> None:
    """A removed edge's end does not count for a new edge between the same jobs."""
    (first, _) = yard.after("d", "a", "b")
    yard.end("a", 1)
    yard.service.remove("p", "d", first.id)
    yard.after("d", "a")
    yard.end("b", 1)
    assert yard.starts == []
    yard.end("a", 2)
    assert yard.starts == [("d", "a-2", "b-1", "a-2")]


def test_a_late_note_along_a_removed_edge_is_forgotten(yard: Yard) -> None:
    """Who looked at the edges before one was removed may still note an end for it: it is not the new edge's."""
    (first, _) = yard.after("d", "a", "b")
    run = yard.run("a", 1)
    yard.just_before("store.note", lambda: yard.service.remove("p", "d", first.id))
    yard.hear(run)
    yard.after("d", "a")
    yard.end("b", 1)
    assert yard.starts == []


def test_what_was_gathered_before_an_upstream_stood_alone_is_forgotten(yard: Yard) -> None:
    """Newer runs started the job since then: the old end joins nothing."""
    (_, second) = yard.after("d", "a", "b")
    yard.end("a", 1)
    yard.service.remove("p", "d", second.id)
    yard.end("a", 2)
    yard.after("d", "b")
    yard.end("b", 1)
    assert yard.starts == [("d", "a-2")]


def test_who_comes_second_to_a_complete_join_takes_nothing(yard: Yard) -> None:
    """Between the look at the join and the taking of its ends another took them, and a newer end came."""
    yard.after("d", "a", "b")
    yard.end("a", 1)
    last, newer = yard.run("b", 1), yard.run("a", 2)

    def others() -> None:
        yard.hear(last)
        yard.hear(newer)

    yard.just_before("store.consume", others)
    yard.hear(last)
    assert yard.starts == [("d", "b-1", "a-1", "b-1")]
    assert set(yard.store.join("d").ends) == {"a"}


def test_racing_ends_start_a_join_once(yard: Yard) -> None:
    """Many hear of both runs at once, again and again: each pair starts the job once."""
    yard.after("d", "a", "b")
    for number in range(10):
        runs = [yard.run("a", number), yard.run("b", number)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(yard.hear, runs * 3))
        assert yard.starts[number:] == [("d", f"b-{number}", f"a-{number}", f"b-{number}")]


class Model:
    """What a join is to do: the newest unused end of each upstream, each run heard once."""

    def __init__(self, upstreams: str) -> None:
        self.ends: dict[str, Run] = {}
        self.heard: set[str] = set()
        self.starts: list[set[str]] = []
        self.upstreams = upstreams

    def hear(self, run: Run) -> None:
        """Notes a run, and starts when all hold."""
        if run.id in self.heard:
            return
        self.heard.add(run.id)
        there = self.ends.get(run.job_id)
        if there is None or there.ended_at < run.ended_at:  # type: ignore[operator]  # all have ended
            self.ends[run.job_id] = run
        if all(name in self.ends and self.ends[name].status is COMPLETED for name in self.upstreams):
            self.starts.append({one.id for one in self.ends.values()})
            self.ends = {}


@given(st.data())
def test_a_join_does_what_its_model_says(data: st.DataObject) -> None:
    """For any order of ends, of any status, with repeats and late words."""
    yard, model = Yard(), Model("abc")
    yard.after("d", *"abc")
    runs = [
        yard.run(data.draw(st.sampled_from("abc")), number, data.draw(st.sampled_from([COMPLETED, COMPLETED, FAILED])))
        for number in range(data.draw(st.integers(1, 12)))
    ]
    for run in data.draw(st.lists(st.sampled_from(runs), max_size=25)):
        yard.hear(run)
        model.hear(run)
    assert [set(start[2:]) for start in yard.starts] == model.starts
