"""Port Runs: who drives a run, and what the sweep sees."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event as Signal

import pytest

from quintet.domain.errors import AppendConflict
from quintet.domain.events import Event, EventType
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change, Creation, Lapse, Runs

from .samples import a_run, after, created

FAR = after(9999)


def _created(runs: Runs, **changes: object) -> Run:
    run = a_run(**changes)  # type: ignore[arg-type] # any field of a run
    runs.create(Creation(run, created(), lease_until=after(60), due_at=after(60)))
    return run


def _end(runs: Runs, run: Run, base: int = 2) -> None:
    ended = replace(run, status=RunStatus.COMPLETED, ended_at=after(5))
    runs.append(run.id, base, [Event(EventType.RUN_COMPLETED, after(5))], Change(ended, run.status))


def test_a_resting_run_is_woken_under_a_new_epoch(runs: Runs) -> None:
    """Waking makes active once; the epoch counts on."""
    run = _created(runs)
    assert runs.rest(run.id, 1, after(30))
    stored = runs.load(run.id)
    assert (stored.active, stored.epoch, stored.lease_until) == (False, 1, None)
    assert runs.wake(run.id, after(90)) == 2
    stored = runs.load(run.id)
    assert (stored.active, stored.epoch, stored.lease_until) == (True, 2, after(90))


def test_a_wake_during_a_burst_is_not_lost(runs: Runs) -> None:
    """The burst is told at its rest that it must look again, once, and may rest then."""
    run = _created(runs)
    assert runs.wake(run.id, after(90)) is None
    assert runs.wake(run.id, after(90)) is None
    assert not runs.rest(run.id, 1, None)
    assert runs.rest(run.id, 1, None)
    assert runs.wake(run.id, after(90)) == 2
    assert runs.rest(run.id, 2, None)


def test_a_rest_said_twice_is_true_twice(runs: Runs) -> None:
    """A rest repeated after a lost answer is still a rest."""
    run = _created(runs)
    assert runs.rest(run.id, 1, None)
    assert runs.rest(run.id, 1, None)


def test_a_burst_of_an_old_epoch_has_no_say(runs: Runs) -> None:
    """Renew, rest and reclaim of an earlier epoch are refused and change nothing."""
    run = _created(runs)
    assert runs.reclaim(run.id, 1, after(120)) == 2
    assert not runs.renew(run.id, 1, FAR)
    assert not runs.rest(run.id, 1, None)
    assert runs.reclaim(run.id, 1, FAR) is None
    stored = runs.load(run.id)
    assert (stored.active, stored.epoch, stored.lease_until) == (True, 2, after(120))


def test_an_old_bursts_rest_does_not_swallow_a_wake(runs: Runs) -> None:
    """Dirty is cleared only for the burst that has the run."""
    run = _created(runs)
    assert runs.reclaim(run.id, 1, after(120)) == 2
    assert runs.wake(run.id, FAR) is None
    assert not runs.rest(run.id, 1, None)
    assert not runs.rest(run.id, 2, None)
    assert runs.rest(run.id, 2, None)


def test_a_new_burst_has_nothing_to_look_at_again(runs: Runs) -> None:
    """What the burst before was to look at, the next one has seen when it began."""
    run = _created(runs)
    assert runs.wake(run.id, FAR) is None
    assert runs.reclaim(run.id, 1, after(120)) == 2
    assert runs.rest(run.id, 2, None)


def test_an_ended_run_is_nobodys(runs: Runs) -> None:
    """After the end there is no burst, no lease, no due time and no more change."""
    run = _created(runs)
    _end(runs, run)
    stored = runs.load(run.id)
    assert (stored.active, stored.lease_until, stored.run.status) == (False, None, RunStatus.COMPLETED)
    assert runs.wake(run.id, FAR) is None
    assert runs.reclaim(run.id, 1, FAR) is None
    assert not runs.renew(run.id, 1, FAR)
    assert not runs.rest(run.id, 1, FAR)
    runs.postpone(run.id, after(1))
    assert runs.due(FAR, 10) == []
    failed = replace(run, status=RunStatus.FAILED)
    with pytest.raises(AppendConflict):
        runs.append(run.id, 3, [Event(EventType.RUN_FAILED, FAR)], Change(failed, RunStatus.COMPLETED))
    assert runs.get(run.id).status is RunStatus.COMPLETED


def test_of_racing_wakes_one_starts_a_burst(runs: Runs) -> None:
    """However many wake a resting run at once, one gets the epoch."""
    run = _created(runs)
    assert runs.rest(run.id, 1, None)
    with ThreadPoolExecutor(6) as pool:
        epochs = list(pool.map(lambda _: runs.wake(run.id, FAR), range(12)))
    assert [epoch for epoch in epochs if epoch is not None] == [2]


def test_of_racing_reclaims_one_wins(runs: Runs) -> None:
    """A lapsed run is taken by one sweep only."""
    run = _created(runs)
    with ThreadPoolExecutor(6) as pool:
        epochs = list(pool.map(lambda _: runs.reclaim(run.id, 1, FAR), range(12)))
    assert [epoch for epoch in epochs if epoch is not None] == [2]


def test_every_wake_is_followed_by_a_look(runs: Runs) -> None:
    """Wakers that leave a mark before they wake find it seen in the end, whichever way they race with rests."""
    run = _created(runs)
    marks: list[int] = []
    seen = 0
    over = Signal()

    def waker(number: int) -> list[int]:
        started = []
        for turn in range(5):
            marks.append(number * 100 + turn)
            epoch = runs.wake(run.id, FAR)
            if epoch is not None:
                started.append(epoch)
                bursts.append(epoch)
        return started

    def driver() -> None:
        nonlocal seen
        while not (over.is_set() and not bursts):
            if not bursts:
                over.wait(0.001)
                continue
            epoch = bursts.pop(0)
            while True:
                seen = len(marks)
                if runs.rest(run.id, epoch, None):
                    break

    bursts = [1]
    with ThreadPoolExecutor(4) as pool:
        driving = pool.submit(driver)
        wakers = [pool.submit(waker, number) for number in range(3)]
        for waking in wakers:
            waking.result()
        over.set()
        driving.result()
    assert seen == len(marks) == 15
    assert not runs.load(run.id).active


def test_the_sweep_sees_what_is_due(runs: Runs) -> None:
    """Runs appear when their lease or due time has come, oldest first, with what the sweep must know."""
    late, later, resting = _created(runs), _created(runs), _created(runs)
    assert runs.renew(late.id, 1, after(20))
    assert runs.renew(later.id, 1, after(40))
    assert runs.rest(resting.id, 1, after(30))
    assert runs.due(after(19), 10) == []
    assert runs.due(after(40), 10) == [
        Lapse(late.id, after(20), RunStatus.EXECUTING, 1, True, after(20)),
        Lapse(resting.id, after(30), RunStatus.EXECUTING, 1, False, None),
        Lapse(later.id, after(40), RunStatus.EXECUTING, 1, True, after(40)),
    ]
    assert [lapse.run_id for lapse in runs.due(after(40), 2)] == [late.id, resting.id]


def test_a_due_time_can_be_moved(runs: Runs) -> None:
    """Postponing moves a resting run; an active one keeps its lease's time."""
    active, resting = _created(runs), _created(runs)
    assert runs.rest(resting.id, 1, after(30))
    runs.postpone(resting.id, after(50))
    runs.postpone(active.id, after(1))
    assert [lapse.run_id for lapse in runs.due(after(49), 10)] == []
    assert [lapse.run_id for lapse in runs.due(after(60), 10)] == [resting.id, active.id]


def test_a_run_at_rest_without_time_is_never_due(runs: Runs) -> None:
    """Waiting for somebody's answer costs the sweep nothing."""
    run = _created(runs)
    assert runs.rest(run.id, 1, None)
    assert runs.due(FAR, 10) == []
    assert runs.wake(run.id, after(70)) == 2
    assert [lapse.run_id for lapse in runs.due(after(70), 10)] == [run.id]


def test_many_due_runs_come_in_order(runs: Runs) -> None:
    """Order and limit hold over all parts of the time index."""
    made = [a_run() for _ in range(30)]
    for place, run in enumerate(made):
        runs.create(Creation(run, created(), due_at=after((place * 7) % 30)))
    expected = sorted(range(30), key=lambda place: (place * 7) % 30)
    assert [lapse.run_id for lapse in runs.due(FAR, 12)] == [made[place].id for place in expected[:12]]
    assert len(runs.due(FAR, 100)) == 30


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.DELAYED])
def test_only_admission_starts_a_run_that_was_not_let_in(runs: Runs, status: RunStatus) -> None:
    """Waking a queued or delayed run would pass by its cap, so it does nothing."""
    run = a_run(status, slots=(Slot("s", 1),))
    runs.create(Creation(run, created(), lease_until=after(60), due_at=after(5)))
    assert runs.wake(run.id, FAR) is None
    assert not runs.load(run.id).active
