"""Port Runs: waiting slots, held from a run's creation until its start or its end, and passed on from run to run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from quintet.domain.errors import AppendConflict, NotFound
from quintet.domain.events import Event, EventType
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import (
    AlreadyThere,
    Change,
    Claims,
    Creation,
    Guard,
    Rate,
    Replacement,
    Runs,
    SlotTaken,
)

from .samples import a_run, after, created, progress

ONE, TWO = Slot("one", 1), Slot("two", 2)
CAP = (Slot("cap", 1),)
CANCELED = [Event(EventType.RUN_CANCELED, after(7))]


def _wait(runs: Runs, *waits: Slot, status: RunStatus = RunStatus.QUEUED, **changes: Any) -> Run:
    run = a_run(status, waits=waits, **changes)
    runs.create(Creation(run, created(), due_at=after(60)))
    return run


def _become(runs: Runs, run: Run, status: RunStatus) -> None:
    stored = runs.load(run.id)
    now = replace(stored.run, status=status, ended_at=after(5) if status.terminal else None)
    runs.append(run.id, len(stored.events), [progress(9)], Change(now, stored.run.status))


def _admit(runs: Runs, run: Run) -> int:
    begun = replace(run, status=RunStatus.EXECUTING, started_at=after(3))
    return runs.admit(begun, len(runs.tail(run.id, 0)), [progress(8)], after(99))


def _replacing(runs: Runs, old: Run, *waits: Slot, claims: Claims | None = None, **changes: Any) -> Creation:
    stored = runs.load(old.id)
    ended = replace(stored.run, status=RunStatus.CANCELED, ended_at=after(7), updated_at=after(7))
    instead = Replacement(len(stored.events), CANCELED, Change(ended, stored.run.status))
    new = a_run(RunStatus.QUEUED, waits=waits, **changes)
    return Creation(new, created(), due_at=after(60), claims=claims or Claims(), replaces=instead)


def _holders(runs: Runs, *names: str) -> list[set[str]]:
    found = runs.holders(names)
    return [set(found[name]) for name in names]


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.DELAYED, RunStatus.WAITING, RunStatus.PAUSED])
def test_every_run_that_has_not_started_waits(runs: Runs, status: RunStatus) -> None:
    """Queued, delayed, behind dependencies, paused before its start: it takes its waiting slot, and a further one is refused whole."""
    run = _wait(runs, TWO, ONE, status=status)
    other = a_run(RunStatus.QUEUED, waits=(TWO, ONE))
    with pytest.raises(SlotTaken, match="one"):
        runs.create(Creation(other, created()))
    with pytest.raises(NotFound):
        runs.get(other.id)
    assert _holders(runs, "one", "two", "three") == [{run.id}, {run.id}, set()]
    assert runs.count("acme", None) == 1


def test_a_run_that_starts_at_once_takes_no_waiting_slot(runs: Runs) -> None:
    """It takes what it needs to be active, whatever it says of waiting."""
    run = a_run(slots=CAP, waits=(ONE,), started_at=after(0))
    runs.create(Creation(run, created(), after(60)))
    assert _holders(runs, "one", "cap") == [set(), {run.id}]


def test_admission_swaps_the_waiting_slot_for_the_others(runs: Runs) -> None:
    """In one write: refused, the run waits on and holds its place; admitted, it gives it back, and its face tells of it no more."""
    holder = a_run(slots=CAP, started_at=after(0))
    runs.create(Creation(holder, created(), after(60)))
    run = _wait(runs, ONE, slots=CAP)
    with pytest.raises(SlotTaken, match="cap"):
        _admit(runs, run)
    assert _holders(runs, "one") == [{run.id}]
    _become(runs, holder, RunStatus.COMPLETED)
    _admit(runs, run)
    assert _holders(runs, "one", "cap") == [set(), {run.id}]
    assert runs.get(run.id).waits == ()
    _wait(runs, ONE)


@pytest.mark.parametrize("end", [RunStatus.CANCELED, RunStatus.EXPIRED])
def test_an_end_before_the_start_gives_the_place_back(runs: Runs, end: RunStatus) -> None:
    """Whatever the run became on the way; between two states of waiting it keeps its place."""
    run = _wait(runs, ONE, status=RunStatus.DELAYED)
    for status in (RunStatus.WAITING, RunStatus.QUEUED, RunStatus.PAUSED, RunStatus.QUEUED):
        _become(runs, run, status)
        assert _holders(runs, "one") == [{run.id}]
    _become(runs, run, end)
    assert _holders(runs, "one") == [set()]


def test_the_end_of_a_started_run_gives_nobodys_place_back(runs: Runs) -> None:
    """It left the waiting slot at its admission; who holds it since keeps it."""
    first = _wait(runs, ONE)
    _admit(runs, first)
    second = _wait(runs, ONE)
    _become(runs, first, RunStatus.COMPLETED)
    assert _holders(runs, "one") == [{second.id}]


def test_a_run_takes_the_place_of_another(runs: Runs) -> None:
    """The old one ends and the new one is made in one write; of the slots that only the old one had, its place is given back."""
    old = _wait(runs, TWO, Slot("olds", 1), group="g")
    beside = _wait(runs, TWO)
    creation = _replacing(runs, old, TWO, Slot("news", 1), group="g")
    runs.create(creation)
    new = creation.run
    assert _holders(runs, "two", "olds", "news") == [{new.id, beside.id}, set(), {new.id}]
    stored = runs.load(old.id)
    assert (stored.run.status, stored.events[2:], stored.active) == (RunStatus.CANCELED, CANCELED, False)
    assert runs.load(new.id).run == new
    counts = runs.counts("acme", "g")
    assert (counts[RunStatus.QUEUED], counts[RunStatus.CANCELED]) == (1, 1)
    assert runs.count("acme", [RunStatus.QUEUED]) == 2
    assert old.id not in {lapse.run_id for lapse in runs.due(after(9999), 9)}


def test_a_run_that_has_changed_is_not_replaced(runs: Runs) -> None:
    """It was admitted, or paused, or ended since it was read: nothing is written, and the new run's caller hears of it."""
    for change in (
        lambda run: _admit(runs, run),
        lambda run: _become(runs, run, RunStatus.PAUSED),
        lambda run: runs.append(run.id, 2, [progress(3)]),
    ):
        old = _wait(runs, Slot(f"place of {len(runs.page('acme', None, 99, 0))}", 1))
        creation = _replacing(runs, old, *old.waits)
        change(old)
        was = runs.load(old.id)
        with pytest.raises(AppendConflict):
            runs.create(creation)
        assert runs.load(old.id) == was
        with pytest.raises(NotFound):
            runs.get(creation.run.id)


def test_a_place_that_is_gone_can_not_be_taken_over(runs: Runs) -> None:
    """The old run has ended, and another has its place."""
    old = _wait(runs, ONE)
    creation = _replacing(runs, old, ONE)
    _become(runs, old, RunStatus.CANCELED)
    there = _wait(runs, ONE)
    with pytest.raises(SlotTaken, match="one"):
        runs.create(creation)
    assert _holders(runs, "one") == [{there.id}]


def test_who_replaces_needs_room_in_what_the_other_did_not_hold(runs: Runs) -> None:
    """One place is made, not two."""
    old = _wait(runs, ONE)
    _wait(runs, Slot("whole", 1))
    with pytest.raises(SlotTaken, match="whole"):
        runs.create(_replacing(runs, old, ONE, Slot("whole", 1)))
    assert runs.get(old.id).status is RunStatus.QUEUED


def test_a_trigger_that_is_known_replaces_nobody(runs: Runs) -> None:
    """Guards and rates come first: a repeated trigger finds its run, and the waiting one stays."""
    claims = Claims((Guard("key"),), (Rate("r", 1, 60),))
    old = a_run(RunStatus.QUEUED, waits=(ONE,))
    runs.create(Creation(old, created(), claims=claims))
    with pytest.raises(AlreadyThere) as known:
        runs.create(_replacing(runs, old, ONE, claims=claims))
    assert known.value.run_id == old.id
    again = _replacing(runs, old, ONE, id=old.id)
    with pytest.raises(AlreadyThere):
        runs.create(again)
    assert _holders(runs, "one") == [{old.id}]


def test_many_creations_fill_a_waiting_slot_exactly(runs: Runs) -> None:
    """The first that fit wait; the others hear that there is no place. One that replaces another does so among them."""
    old = _wait(runs, Slot("three", 3))
    many = [Creation(a_run(RunStatus.QUEUED, waits=(Slot("three", 3),)), created()) for _ in range(4)]
    many.insert(1, _replacing(runs, old, Slot("three", 3)))
    answers = runs.create_many(many)
    assert [type(answer).__name__ for answer in answers] == [
        "NoneType",
        "NoneType",
        "NoneType",
        "SlotTaken",
        "SlotTaken",
    ]
    assert _holders(runs, "three") == [{one.run.id for one in many[:3]}]


def _at_once(acts: int, act: Callable[[int], bool]) -> int:
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(act, range(acts)))


def test_fifty_racing_creations_fill_a_waiting_slot_exactly(runs: Runs) -> None:
    """Of fifty runs at once for five places, five wait."""

    def wait(_: int) -> bool:
        try:
            _wait(runs, Slot("part", 30), Slot("five", 5))
        except SlotTaken:
            return False
        return True

    assert _at_once(50, wait) == 5
    assert [len(held) for held in _holders(runs, "five", "part")] == [5, 5]


def test_of_racing_replacements_one_takes_the_place(runs: Runs) -> None:
    """Of many that would replace the same run, one does; of several places each goes from hand to hand by itself."""
    olds = [_wait(runs, Slot("three", 3)) for _ in range(3)]
    made: list[str] = []

    def take_over(number: int) -> bool:
        creation = _replacing(runs, olds[number % 3], Slot("three", 3))
        try:
            runs.create(creation)
        except (AppendConflict, SlotTaken):
            return False
        made.append(creation.run.id)
        return True

    assert _at_once(12, take_over) == 3
    assert _holders(runs, "three") == [set(made)]
    assert {runs.get(old.id).status for old in olds} == {RunStatus.CANCELED}


def test_an_admission_and_a_replacement_of_one_run(runs: Runs) -> None:
    """It starts, or makes room: never both, and the place is held by the new run, or by nobody."""
    for _ in range(6):
        old = _wait(runs, ONE)
        creation = _replacing(runs, old, ONE)

        def act(number: int, old: Run = old, creation: Creation = creation) -> bool:
            try:
                runs.create(creation) if number else _admit(runs, old)
            except (AppendConflict, SlotTaken):
                return False
            return True

        assert _at_once(2, act) == 1
        started = runs.get(old.id).status is RunStatus.EXECUTING
        assert _holders(runs, "one") == [set() if started else {creation.run.id}]
        if not started:
            _become(runs, creation.run, RunStatus.CANCELED)
