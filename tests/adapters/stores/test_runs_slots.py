"""Port Runs: slots, queues, admission."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from quintet.domain.errors import AppendConflict, NotFound
from quintet.domain.events import Event, EventType
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change, Creation, Runs, SlotTaken

from .samples import a_run, after, created, progress

ONE = (Slot("one", 1),)
STARTED = [Event(EventType.RUN_STARTED, after(9))]


def _create(
    runs: Runs, status: RunStatus = RunStatus.EXECUTING, slots: tuple[Slot, ...] = ONE, priority: int = 0
) -> Run:
    run = a_run(status, slots=slots, priority=priority)
    runs.create(Creation(run, created(), lease_until=after(60), due_at=after(60)))
    return run


def _end(runs: Runs, run: Run, status: RunStatus = RunStatus.COMPLETED) -> None:
    stored = runs.load(run.id)
    change = Change(replace(stored.run, status=status, ended_at=after(5)), stored.run.status)
    runs.append(run.id, len(stored.events), [Event(EventType.RUN_COMPLETED, after(5))], change)


def _admit(runs: Runs, run: Run) -> int:
    return runs.admit(replace(run, status=RunStatus.EXECUTING), 2, STARTED, after(99))


def test_a_full_slot_refuses(runs: Runs) -> None:
    """A run whose slot is full is not created, nor counted."""
    _create(runs)
    other = a_run(slots=ONE)
    with pytest.raises(SlotTaken):
        runs.create(Creation(other, created(), lease_until=after(1)))
    with pytest.raises(NotFound):
        runs.get(other.id)
    assert runs.count("acme", None) == 1


def test_a_refused_run_holds_none_of_its_slots(runs: Runs) -> None:
    """Slots are taken all or none."""
    _create(runs)
    with pytest.raises(SlotTaken):
        _create(runs, slots=(Slot("wide", 1), *ONE))
    _create(runs, slots=(Slot("wide", 1),))


def test_an_end_gives_the_slots_back(runs: Runs) -> None:
    """The transaction that ends a run frees its slots."""
    first = _create(runs)
    _end(runs, first)
    second = _create(runs)
    assert runs.get(second.id).status is RunStatus.EXECUTING


def test_the_end_of_a_queued_run_frees_nobodys_slot(runs: Runs) -> None:
    """A queued run holds nothing, and leaves the queue when it ends."""
    _create(runs)
    queued = _create(runs, RunStatus.QUEUED)
    _end(runs, queued, RunStatus.CANCELED)
    assert runs.next_queued("one") is None
    with pytest.raises(SlotTaken):
        _create(runs)


def test_fifty_racing_creations_fill_a_slot_exactly(runs: Runs) -> None:
    """Of fifty runs at once for a slot of three, three are made."""

    def create(_: int) -> bool:
        try:
            _create(runs, slots=(Slot("three", 3),))
        except SlotTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(50)))
    assert sum(made) == 3
    assert runs.count("acme", None) == 3
    assert runs.count("acme", [RunStatus.EXECUTING]) == len(runs.page("acme", [RunStatus.EXECUTING], 50, 0)) == 3


def test_a_queue_is_ordered_by_priority_then_age(runs: Runs) -> None:
    """The highest priority comes first, among equals the oldest."""
    _create(runs)
    low, old_high, new_high = (_create(runs, RunStatus.QUEUED, priority=priority) for priority in (1, 50, 50))
    for expected in (old_high, new_high, low):
        assert runs.next_queued("one") == expected.id
        _end(runs, expected, RunStatus.CANCELED)
    assert runs.next_queued("one") is None


def test_a_queued_run_is_admitted_into_a_free_slot(runs: Runs) -> None:
    """Admission takes the slot, leaves the queue, appends and makes active, all at once."""
    first = _create(runs)
    queued = _create(runs, RunStatus.QUEUED)
    with pytest.raises(SlotTaken):
        _admit(runs, queued)
    assert runs.get(queued.id).status is RunStatus.QUEUED
    _end(runs, first)
    assert _admit(runs, queued) == 1
    stored = runs.load(queued.id)
    assert (stored.active, stored.epoch, stored.lease_until) == (True, 1, after(99))
    assert (stored.run.status, list(stored.events)) == (RunStatus.EXECUTING, [*created(), *STARTED])
    assert runs.next_queued("one") is None
    assert runs.count("acme", [RunStatus.QUEUED]) == 0
    with pytest.raises(SlotTaken):
        _create(runs)
    _end(runs, queued)
    _create(runs)


def test_a_run_is_admitted_once(runs: Runs) -> None:
    """However many admit a queued run at once, one does."""
    queued = _create(runs, RunStatus.QUEUED)

    def admit(_: int) -> int | None:
        try:
            return _admit(runs, queued)
        except (AppendConflict, SlotTaken):
            return None

    with ThreadPoolExecutor(6) as pool:
        epochs = list(pool.map(admit, range(12)))
    assert [epoch for epoch in epochs if epoch is not None] == [1]
    assert runs.count("acme", None) == runs.count("acme", [RunStatus.EXECUTING]) == 1


def test_racing_admissions_keep_the_cap(runs: Runs) -> None:
    """Of many queued runs admitted at once into two places, two come in."""
    queued = [_create(runs, RunStatus.QUEUED, slots=(Slot("two", 2),)) for _ in range(10)]

    def admit(run: Run) -> bool:
        try:
            _admit(runs, run)
        except SlotTaken:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        admitted = list(pool.map(admit, queued))
    assert sum(admitted) == 2
    assert runs.count("acme", [RunStatus.QUEUED]) == 8


def test_admission_of_a_run_that_changed_is_refused(runs: Runs) -> None:
    """A journal that grew is an AppendConflict; a run that is no longer queued is a SlotTaken."""
    queued = _create(runs, RunStatus.QUEUED)
    runs.append(queued.id, 2, [progress(3)])
    with pytest.raises(AppendConflict):
        _admit(runs, queued)
    started = replace(queued, status=RunStatus.EXECUTING)
    assert runs.admit(started, 3, STARTED, after(99)) == 1
    with pytest.raises(AppendConflict):
        runs.admit(started, 3, STARTED, after(99))
    with pytest.raises(SlotTaken):
        runs.admit(started, 4, STARTED, after(99))


def test_a_run_stands_in_the_queue_of_the_slot_that_is_full(runs: Runs) -> None:
    """A run with two slots moves to the queue of the one that kept it out, so that this one's next free place finds it."""
    holder = _create(runs, slots=(Slot("b", 1),))
    queued = _create(runs, RunStatus.QUEUED, slots=(Slot("a", 1), Slot("b", 1)))
    assert runs.next_queued("a") == queued.id
    with pytest.raises(SlotTaken):
        _admit(runs, queued)
    assert (runs.next_queued("a"), runs.next_queued("b")) == (None, queued.id)
    _end(runs, holder)
    assert _admit(runs, queued) == 1


def test_a_delayed_run_holds_no_slot_until_it_is_admitted(runs: Runs) -> None:
    """A delayed run leaves its slots to others; when it is to start and they are full, it stands in the queue."""
    delayed = _create(runs, RunStatus.DELAYED)
    holder = _create(runs)
    assert runs.next_queued("one") is None
    with pytest.raises(SlotTaken):
        _admit(runs, delayed)
    assert runs.next_queued("one") == delayed.id
    _end(runs, holder)
    assert _admit(runs, delayed) == 1
    assert runs.next_queued("one") is None
    assert runs.count("acme", [RunStatus.DELAYED]) == 0


def test_a_slot_named_twice_is_one(runs: Runs) -> None:
    """A run that names a slot twice takes one place."""
    _create(runs, slots=(Slot("pair", 2), Slot("pair", 2)))
    _create(runs, slots=(Slot("pair", 2),))
    with pytest.raises(SlotTaken):
        _create(runs, slots=(Slot("pair", 2),))
