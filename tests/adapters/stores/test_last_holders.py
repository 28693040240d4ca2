"""Port Runs: who took a place of a slot last."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.domain.events import Event, EventType
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import AlreadyThere, Change, Creation, Runs, SlotTaken

from .conftest import Stores
from .samples import a_run, after, created

SOLO = (Slot("solo", 1, refuses=True),)
STARTED = [Event(EventType.RUN_STARTED, after(9))]


def _make(runs: Runs, status: RunStatus = RunStatus.EXECUTING, slots: tuple[Slot, ...] = SOLO) -> Run:
    run = a_run(status, slots=slots)
    runs.create(Creation(run, created(), lease_until=after(60), due_at=after(60)))
    return run


def _end(runs: Runs, run: Run) -> Run:
    stored = runs.load(run.id)
    over = replace(stored.run, status=RunStatus.COMPLETED, ended_at=after(5))
    runs.append(run.id, len(stored.events), [Event(EventType.RUN_COMPLETED, after(5))], Change(over, stored.run.status))
    return over


def _admit(runs: Runs, run: Run) -> None:
    runs.admit(replace(run, status=RunStatus.EXECUTING), 2, STARTED, after(99))


def _last(runs: Runs, slot: str = "solo") -> str:
    return runs.last_holders([slot])[slot].id


def test_the_last_is_known_while_it_runs_and_after(runs: Runs) -> None:
    """As it is now, from its creation on; nobody took the place of a slot that is not named in the answer."""
    first = _make(runs)
    assert runs.last_holders(["solo", "nobody's"]) == {"solo": runs.get(first.id)}
    over = _end(runs, first)
    assert runs.last_holders(["solo"]) == {"solo": over}
    second = _make(runs)
    assert _last(runs) == second.id


def test_who_was_refused_is_not_the_last(runs: Runs) -> None:
    """A run that was not made changes nothing; neither does one that waits for its turn or its time."""
    first = _make(runs)
    with pytest.raises(SlotTaken):
        _make(runs)
    _make(runs, RunStatus.QUEUED)
    _make(runs, RunStatus.DELAYED)
    assert _last(runs) == first.id


def test_a_run_is_the_last_from_its_admission_on(runs: Runs) -> None:
    """A delayed one that began before another was made, or after it."""
    delayed, queued = _make(runs, RunStatus.DELAYED), _make(runs, RunStatus.QUEUED)
    first = _make(runs)
    _end(runs, first)
    _admit(runs, queued)
    assert _last(runs) == queued.id
    with pytest.raises(SlotTaken):
        _admit(runs, delayed)
    assert _last(runs) == queued.id
    _end(runs, queued)
    _admit(runs, delayed)
    assert _last(runs) == delayed.id  # although it is the oldest


def test_of_a_wider_slot_the_one_that_came_last_is_the_last(runs: Runs) -> None:
    """Whoever ends, and when."""
    wide = (Slot("wide", 3),)
    made = [_make(runs, slots=wide) for _ in range(3)]
    assert _last(runs, "wide") == made[2].id
    _end(runs, made[2])
    assert _last(runs, "wide") == made[2].id
    _end(runs, made[0])
    fourth = _make(runs, slots=wide)
    assert _last(runs, "wide") == fourth.id


def test_of_many_made_at_once_the_last_in_order_is_the_last(runs: Runs) -> None:
    """In the order in which they were asked for, of those that were made."""
    wide = [a_run(slots=(Slot("wide", 3),)) for _ in range(5)]
    order = [wide[index] for index in (2, 4, 0, 1, 3)]
    answers = runs.create_many([Creation(run, created(), lease_until=after(60)) for run in order])
    made = [run for run, answer in zip(order, answers, strict=True) if answer is None]
    assert len(made) == 3
    assert _last(runs, "wide") == made[-1].id


def test_a_creation_that_is_repeated_moves_nothing(runs: Runs) -> None:
    """The run is there; somebody else came since."""
    wide = (Slot("wide", 2),)
    first, second = _make(runs, slots=wide), _make(runs, slots=wide)
    with pytest.raises(AlreadyThere):
        runs.create(Creation(first, created(), lease_until=after(60)))
    assert _last(runs, "wide") == second.id


def test_of_racing_creations_the_one_that_was_made_is_the_last(runs: Runs) -> None:
    """One of a dozen."""

    def create(_: int) -> str | None:
        try:
            return _make(runs).id
        except SlotTaken:
            return None

    with ThreadPoolExecutor(6) as pool:
        made = [run_id for run_id in pool.map(create, range(12)) if run_id]
    assert made == [_last(runs)]


@pytest.fixture
def asked(aws: Stores) -> Iterator[list[tuple[str, Any]]]:
    """The requests made of DynamoDB."""
    events = client("dynamodb").meta.events
    found: list[tuple[str, Any]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        found.append((model.name, params))

    events.register("provide-client-params.dynamodb", note)
    yield found
    events.unregister("provide-client-params.dynamodb", note)


def test_a_hundred_slots_cost_two_strongly_consistent_requests(aws: Stores, asked: list[tuple[str, Any]]) -> None:
    """One for the slots, one for the runs, however many of them are one and the same; none for no slot."""
    runs = aws.runs()
    slots = [Slot(f"s{index}", 9) for index in range(98)]
    shared = _make(runs, slots=tuple(slots[:50]))
    others = [_make(runs, slots=(slot,)) for slot in slots[50:]]
    asked.clear()
    found = runs.last_holders([slot.name for slot in slots] + ["nobody's", "s0"])
    assert [name for name, _ in asked] == ["BatchGetItem", "BatchGetItem"]
    assert all(one["ConsistentRead"] for _, params in asked for one in params["RequestItems"].values())
    assert {run.id for run in found.values()} == {shared.id, *(run.id for run in others)}
    assert len(found) == 98
    asked.clear()
    assert runs.last_holders([]) == {}
    assert asked == []


def test_slots_from_before_have_no_last(aws: Stores) -> None:
    """Items that were written without it are read as they are."""
    runs = aws.runs()
    run = _make(runs)
    table: Any = runs.table  # type: ignore[attr-defined]  # the store's own table
    table.put({"pk": {"S": "SLOT#old"}, "sk": {"S": "#SLOT"}, "holders": {"SS": [run.id]}})
    assert runs.last_holders(["old", "solo"]) == {"solo": run}
