"""What jobs and projects run: the order of their members."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.dialects.etl.plans import Member, circle, in_order, job_source, plan_of, project_source, task_source
from quintet.domain import graph
from quintet.domain.definition import OnFailure


def members(**after: str) -> list[Member]:
    """Members by letters: `a="bc"` comes after b and c; a capital is a disabled one."""
    numbers = {name.lower(): place for place, name in enumerate(sorted(after, key=str.lower), 1)}
    return [
        Member(
            numbers[name.lower()],
            name.lower(),
            name.lower(),
            name.islower(),
            tuple(numbers.get(one, 99) for one in needed),
        )
        for name, needed in after.items()
    ]


def order(*given: Member) -> dict[str, str]:
    """Which members come before which, by letters."""
    names = {member.number: member.job_id for member in given}
    return {member.job_id: "".join(names[one] for one in needed) for member, needed in in_order(given)}


@pytest.mark.parametrize(
    ("given_", "demanded"),
    [
        ({"a": "", "b": "a", "c": "ab"}, {"a": "", "b": "a", "c": "ab"}),
        ({"a": "", "B": "a", "c": "B".lower()}, {"a": "", "c": "a"}),
        ({"A": "", "b": "a"}, {"b": ""}),
        ({"a": "", "B": "a", "C": "b", "d": "c"}, {"a": "", "d": "a"}),
        ({"a": "z", "b": "a"}, {"a": "", "b": "a"}),
        ({"a": "b", "b": "a"}, {"a": "b", "b": ""}),
        ({"a": "c", "b": "a", "c": "b"}, {"a": "c", "b": "a", "c": ""}),
        ({"A": "b", "B": "a", "c": "a"}, {"c": ""}),
    ],
)
def test_the_order_of_members(given_: dict[str, str], demanded: dict[str, str]) -> None:
    """As they depend on each other; through disabled ones; without those that are gone; of a circle one edge is left out."""
    assert order(*members(**given_)) == demanded


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_whatever_members_say_the_plan_is_sound(data: st.DataObject) -> None:
    """No cycles, nothing unknown, every enabled member once, and only enabled ones that it depends on directly or not."""
    count = data.draw(st.integers(0, 8))
    some = [
        Member(
            n, f"id{n}", f"n{n}", data.draw(st.booleans()), tuple(data.draw(st.lists(st.integers(1, 9), max_size=4)))
        )
        for n in range(1, count + 1)
    ]
    plan = plan_of(job_source(some))
    assert graph.problems(plan.steps) == []
    keys = {step.key for step in plan.steps} - {"nothing"}
    assert keys == {f"task_{member.number}" for member in some if member.enabled}


def test_what_fails_does_not_hold_up_the_rest() -> None:
    """Each call waits for its run, gets the input of the whole, and fails the whole at its end."""
    (step,) = plan_of(job_source(members(a=""))).steps
    assert (step.kind, step.on_failure, dict(step.config)) == (
        "subrun",
        OnFailure.FAIL_LATER,
        {"job_id": "a", "input": "{% input %}"},
    )


def test_a_project_calls_its_enabled_jobs_or_one_of_them() -> None:
    """And nothing when that one is disabled."""
    some = members(a="", B="", c="")
    assert [step.key for step in plan_of(project_source(some, None)).steps] == ["job_1", "job_3"]
    assert [step.key for step in plan_of(project_source(some, 3)).steps] == ["job_3"]
    assert [step.key for step in plan_of(project_source(some, 2)).steps] == ["nothing"]


def test_a_task_is_one_step_that_the_sweep_may_give_up() -> None:
    """Spark's own step only starts the job, within a minute."""
    known = {
        "number": 7,
        "taskType": "SPARK",
        "botId": "b",
        "output": 4,
        "input": None,
        "apiKey": "sealed",
        "dependsOn": [1],
    }
    plan = plan_of(task_source(known))
    (step,) = plan.steps
    assert plan.reaped
    assert (step.key, step.kind, step.timeout) == ("task", "task", 60.0)
    assert step.config == {"type": "SPARK", "task": 7, "program": "b", "output": 4}
    assert plan_of(task_source({**known, "taskType": "SQL"})).steps[0].timeout is None


def test_circles_are_told_by_their_way() -> None:
    """From one of them back to it."""
    assert circle({1: [2], 2: [3], 3: []}) is None
    assert circle({1: [1]}) == [1, 1]
    found = circle({1: [2], 2: [3], 3: [1]})
    assert found is not None
    assert found[0] == found[-1]
    assert {(1, 2), (2, 3), (3, 1)} == set(pairwise(found))
