"""Port Runs: runs held back: paused, waiting before their start, given another time."""

from dataclasses import replace
from datetime import datetime

import pytest

from quintet.domain.errors import AppendConflict
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change, Creation, Runs, SlotTaken

from .samples import a_run, after, created, progress

ONE = (Slot("one", 1),)
FAR = after(9999)


def _create(runs: Runs, status: RunStatus = RunStatus.QUEUED, slots: tuple[Slot, ...] = ONE) -> Run:
    started = after(0) if status is RunStatus.EXECUTING else None
    run = a_run(status, slots=slots, started_at=started)
    runs.create(Creation(run, created(), after(60), after(60)))
    return run


def _become(runs: Runs, run_id: str, status: RunStatus, due_at: datetime | None = None) -> Run:
    stored = runs.load(run_id)
    now = replace(stored.run, status=status, ended_at=after(9) if status.terminal else None)
    runs.append(run_id, len(stored.events), [progress(9)], Change(now, stored.run.status, due_at))
    return now


def test_a_paused_run_that_had_started_keeps_its_slots(runs: Runs) -> None:
    """Nobody takes its place while it is paused; its end gives the slots back."""
    run = _create(runs, RunStatus.EXECUTING)
    _become(runs, run.id, RunStatus.WAITING)
    _become(runs, run.id, RunStatus.PAUSED)
    with pytest.raises(SlotTaken):
        _create(runs, RunStatus.EXECUTING)
    _become(runs, run.id, RunStatus.CANCELED)
    _create(runs, RunStatus.EXECUTING)


def test_a_paused_queued_run_leaves_the_queue_and_comes_back(runs: Runs) -> None:
    """It holds no slot; resumed, it stands in the queue at its old place, and only admission starts it."""
    paused, behind = _create(runs), _create(runs)
    _become(runs, paused.id, RunStatus.PAUSED)
    assert runs.next_queued("one") == behind.id
    assert runs.wake(paused.id, FAR) is None
    with pytest.raises(SlotTaken):
        runs.admit(replace(paused, status=RunStatus.EXECUTING), 3, [progress(4)], FAR)
    _become(runs, paused.id, RunStatus.QUEUED)
    assert runs.next_queued("one") == paused.id
    assert runs.wake(paused.id, FAR) is None
    assert runs.admit(replace(paused, status=RunStatus.EXECUTING, started_at=after(3)), 4, [progress(5)], FAR) == 1
    assert runs.next_queued("one") == behind.id


def test_the_end_of_a_run_paused_before_its_start_frees_nobodys_slot(runs: Runs) -> None:
    """What it never held it does not give back."""
    queued = _create(runs)
    _create(runs, RunStatus.EXECUTING)
    _become(runs, queued.id, RunStatus.PAUSED)
    _become(runs, queued.id, RunStatus.CANCELED)
    with pytest.raises(SlotTaken):
        _create(runs, RunStatus.EXECUTING)


def test_a_started_run_that_queues_again_is_admitted_into_its_own_slot(runs: Runs) -> None:
    """It holds its slot while it stands in the queue: admission passes, and so does its end."""
    run = _create(runs, RunStatus.EXECUTING)
    assert runs.rest(run.id, 1, None)
    _become(runs, run.id, RunStatus.PAUSED)
    queued = _become(runs, run.id, RunStatus.QUEUED)
    assert runs.next_queued("one") == run.id
    assert runs.wake(run.id, FAR) is None
    assert runs.admit(replace(queued, status=RunStatus.EXECUTING), 4, [progress(5)], FAR) == 2
    _become(runs, run.id, RunStatus.PAUSED)
    _become(runs, run.id, RunStatus.QUEUED)
    _become(runs, run.id, RunStatus.CANCELED)
    _create(runs, RunStatus.EXECUTING)


def test_no_wake_starts_a_burst_for_a_paused_run(runs: Runs) -> None:
    """Wakes come to nothing while it is paused, and start a burst when it goes on; it is due as any resting run is."""
    run = _create(runs, RunStatus.EXECUTING)
    _become(runs, run.id, RunStatus.PAUSED)
    assert runs.wake(run.id, FAR) is None
    assert runs.rest(run.id, 1, after(30))  # the wake is not told: there is nothing to look at
    assert runs.wake(run.id, FAR) is None
    assert [(lapse.run_id, lapse.status) for lapse in runs.due(after(30), 9)] == [(run.id, RunStatus.PAUSED)]
    runs.postpone(run.id, after(90))
    assert runs.due(after(89), 9) == []
    _become(runs, run.id, RunStatus.EXECUTING)
    assert runs.wake(run.id, FAR) == 2


def test_a_run_that_waits_before_its_start_holds_nothing(runs: Runs) -> None:
    """Neither slots nor a burst, whatever lease it was made with; released, it stands in the queue."""
    waiting = _create(runs, RunStatus.WAITING)
    stored = runs.load(waiting.id)
    assert (stored.active, stored.epoch, stored.lease_until) == (False, 0, None)
    assert runs.wake(waiting.id, FAR) is None
    assert runs.next_queued("one") is None
    holder = _create(runs, RunStatus.EXECUTING)
    _become(runs, waiting.id, RunStatus.QUEUED)
    assert runs.next_queued("one") == waiting.id
    _become(runs, waiting.id, RunStatus.EXPIRED)
    with pytest.raises(SlotTaken):
        _create(runs, RunStatus.EXECUTING)
    _become(runs, holder.id, RunStatus.COMPLETED)
    _create(runs, RunStatus.EXECUTING)


def test_a_delayed_run_is_given_another_time(runs: Runs) -> None:
    """Its due time moves with the change, its face is rewritten, and it leaves a queue that it stood in."""
    _create(runs, RunStatus.EXECUTING)
    delayed = _create(runs, RunStatus.DELAYED)
    with pytest.raises(SlotTaken):
        runs.admit(replace(delayed, status=RunStatus.EXECUTING), 2, [progress(3)], FAR)
    assert runs.next_queued("one") == delayed.id
    later = replace(delayed, scheduled_at=after(500))
    runs.append(delayed.id, 2, [progress(3)], Change(later, RunStatus.DELAYED, after(530)))
    assert runs.get(delayed.id) == later
    assert runs.next_queued("one") is None
    assert [lapse.run_id for lapse in runs.due(after(529), 9)] != [delayed.id]
    assert delayed.id in [lapse.run_id for lapse in runs.due(after(530), 9)]
    assert runs.count("acme", [RunStatus.DELAYED]) == 1


def test_a_change_without_due_time_keeps_the_one_there_is(runs: Runs) -> None:
    """Only an ended run loses its due time by a change that names none."""
    run = _create(runs, RunStatus.DELAYED)
    _become(runs, run.id, RunStatus.QUEUED)
    assert [lapse.run_id for lapse in runs.due(after(60), 9)] == [run.id]
    _become(runs, run.id, RunStatus.CANCELED)
    assert runs.due(FAR, 9) == []


def test_a_change_of_the_same_status_is_one_of_the_face(runs: Runs) -> None:
    """Counters, queue and slots stay; one that meant another status is refused."""
    queued = _create(runs)
    told = replace(queued, asked={"tags": {"a": "b"}}, priority=3)
    runs.append(queued.id, 2, [progress(3)], Change(told, RunStatus.QUEUED))
    assert runs.get(queued.id) == told
    assert runs.next_queued("one") == queued.id
    assert runs.count("acme", None) == runs.count("acme", [RunStatus.QUEUED]) == 1
    with pytest.raises(AppendConflict):
        runs.append(queued.id, 3, [progress(4)], Change(told, RunStatus.EXECUTING))


def test_admission_may_take_another_version(runs: Runs) -> None:
    """The run is kept as it was admitted: the version that its policy chose at the start."""
    queued = _create(runs)
    newest = replace(queued, status=RunStatus.EXECUTING, started_at=after(1), version=9, version_id="version-9")
    runs.admit(newest, 2, [progress(3)], FAR)
    assert runs.get(queued.id) == newest
