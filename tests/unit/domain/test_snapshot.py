"""A state survives being written and read at any point of its journal."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_journals import START, journals

from quintet.domain.definition import Plan, StepDef
from quintet.domain.events import Event, EventType, event_from_dict, event_to_dict
from quintet.domain.fold import extend, fold
from quintet.domain.rules import next_moment
from quintet.domain.snapshot import FIRST_AT, from_dict, to_dict, worth_keeping
from quintet.domain.state import RunState

FEW = settings(max_examples=150, deadline=None, derandomize=True, database=None)

Journal = tuple[Plan, list[Event]]


def through_json(state: RunState, plan: Plan) -> RunState:
    """The state as another process reads it."""
    return from_dict(state.run_id, plan, json.loads(json.dumps(to_dict(state))))


def same(one: RunState, other: RunState) -> None:
    """Everything that rules and readers look at is the same, order of the indexes included."""
    for name in (
        "status",
        "number",
        "created_at",
        "started_at",
        "ended_at",
        "changed_at",
        "deadline",
        "until",
        "input",
        "given",
        "notes",
        "abandoned",
    ):
        assert getattr(one, name) == getattr(other, name), name
    assert (one.error, one.canceled_by, one.claim) == (other.error, other.canceled_by, other.claim)
    for name in ("ready", "running", "waiting", "turns", "timed", "failing"):
        assert list(getattr(one, name)) == list(getattr(other, name)), name
    assert one.steps == other.steps
    faces = [[(f.prefix, f.owner, f.index, f.open, f.failed_by) for f in s.frames.values()] for s in (one, other)]
    assert faces[0] == faces[1]
    assert next_moment(one) == next_moment(other)


@FEW
@given(journals(), st.data())
def test_a_snapshot_anywhere_changes_nothing(journal: Journal, data: st.DataObject) -> None:
    """Folding on from a snapshot of any prefix ends where folding everything ends."""
    plan, events = journal
    whole = fold("r", plan, events)
    for cut in {1, len(events), *data.draw(st.sets(st.integers(1, len(events)), max_size=8))}:
        prefix = fold("r", plan, events[:cut])
        kept = through_json(prefix, plan)
        same(kept, prefix)
        same(extend(kept, events[cut:]), whole)


@FEW
@given(journals())
def test_events_survive_json(journal: Journal) -> None:
    """What the store keeps folds to the same state."""
    plan, events = journal
    stored = json.loads(json.dumps([event_to_dict(event) for event in events]))
    same(fold("r", plan, [event_from_dict(packed) for packed in stored]), fold("r", plan, events))


@pytest.mark.parametrize("result", [None, False, True, 0, 1.5, "", "x", [], [0], {}, {"a": None}])
def test_any_json_result_survives(result: Any) -> None:
    """Also those that Python takes for nothing."""
    plan = Plan((StepDef("a", "work"),))
    events = [
        Event(EventType.RUN_CREATED, START, None, {"input": result}),
        Event(EventType.RUN_STARTED, START),
        Event(EventType.STEP_STARTED, START, "a"),
        Event(EventType.STEP_COMPLETED, START, "a", {"result": result}),
    ]
    kept = through_json(fold("r", plan, events), plan)
    assert kept.steps["a"].result == result
    assert type(kept.steps["a"].result) is type(result)
    assert kept.input == result


def test_snapshots_double_so_that_all_together_cost_no_more_than_the_journal() -> None:
    """None for a short run; then each at twice the length of the one before."""
    kept, taken = 0, []
    for number in range(1, 10_000):
        if worth_keeping(number, kept):
            kept = number
            taken.append(number)
    assert taken == [FIRST_AT * 2**n for n in range(6)]
