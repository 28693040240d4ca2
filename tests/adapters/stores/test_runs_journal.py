"""Port Runs: creation, the journal, snapshots."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from quintet.domain.errors import AppendConflict, NotFound, TooLarge
from quintet.domain.events import Event, EventType
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import AlreadyThere, Change, Claims, Creation, Guard, Runs

from .conftest import Stores
from .samples import a_full_run, a_run, after, created, progress


def test_a_created_run_is_read_back_whole(runs: Runs) -> None:
    """Every field of a run and every event of its beginning survive storing."""
    run = replace(a_full_run(), attempt=3)
    runs.create(Creation(run, created({"input": {"größe": [1, 2.5, None]}}), lease_until=after(60), due_at=after(60)))
    stored = runs.load(run.id)
    assert stored.run == run == runs.get(run.id)
    assert (stored.run.attempt, runs.get(run.id).attempt) == (3, 3)  # runs compare equal without it
    assert (stored.epoch, stored.active, stored.lease_until) == (1, True, after(60))
    assert (stored.snapshot, stored.snapshot_number) == (None, 0)
    assert list(stored.events) == created({"input": {"größe": [1, 2.5, None]}})


def test_a_run_without_lease_rests(runs: Runs) -> None:
    """Without a lease no burst has the run."""
    run = a_run(RunStatus.DELAYED)
    runs.create(Creation(run, created(), due_at=after(5)))
    stored = runs.load(run.id)
    assert (stored.epoch, stored.active, stored.lease_until) == (0, False, None)


def test_an_unknown_run_is_not_found(runs: Runs) -> None:
    """Reading or waking a run that is not there says so; what only tries to hold it is told no."""
    for read in (runs.load, runs.get, lambda run_id: runs.wake(run_id, after(1))):
        with pytest.raises(NotFound):
            read("nobody")
    assert runs.tail("nobody", 0) == []
    assert runs.reclaim("nobody", 1, after(1)) is None
    assert not runs.renew("nobody", 1, after(1))
    assert not runs.rest("nobody", 1, None)
    runs.postpone("nobody", after(1))
    assert runs.due(after(9), 9) == []
    with pytest.raises(NotFound):
        runs.keep_snapshot("nobody", 1, {})


def test_the_same_run_is_created_once(runs: Runs) -> None:
    """A second creation names the run that is there and changes nothing."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    with pytest.raises(AlreadyThere) as refusal:
        runs.create(Creation(replace(run, priority=9), created(), lease_until=after(9)))
    assert refusal.value.run_id == run.id
    assert runs.get(run.id) == run
    assert runs.count("acme", None) == 1


def test_a_guard_lets_one_run_through(runs: Runs) -> None:
    """While a guard holds, another creation under its name names the first run; after its time it is free."""
    first, second, third = a_run(), a_run(), a_run(created_at=after(10))
    runs.create(Creation(first, created(), claims=Claims((Guard("hook#1", after(10)),))))
    with pytest.raises(AlreadyThere) as refusal:
        runs.create(Creation(second, created(), claims=Claims((Guard("hook#1", after(10)),))))
    assert refusal.value.run_id == first.id
    with pytest.raises(NotFound):
        runs.get(second.id)
    runs.create(Creation(third, created(), claims=Claims((Guard("hook#1"),))))
    with pytest.raises(AlreadyThere) as refusal:
        runs.create(Creation(replace(second, created_at=after(9999)), created(), claims=Claims((Guard("hook#1"),))))
    assert refusal.value.run_id == third.id


def test_racing_creations_under_one_guard_make_one_run(runs: Runs) -> None:
    """Of creations at once under one guard, one is made and the others are told which."""
    racing = [a_run() for _ in range(12)]

    def create(place: int) -> str:
        try:
            runs.create(Creation(racing[place], created(), claims=Claims((Guard("g", after(10)),))))
        except AlreadyThere as known:
            return known.run_id
        return racing[place].id

    with ThreadPoolExecutor(6) as pool:
        winners = set(pool.map(create, range(len(racing))))
    assert len(winners) == 1
    assert [run.id for run in runs.page("acme", None, 50, 0)] == list(winners)


def test_appended_events_follow_each_other(runs: Runs) -> None:
    """Load and tail give all events in order, from any number on."""
    run = a_run()
    runs.create(Creation(run, created()))
    runs.append(run.id, 2, [progress(3)])
    runs.append(run.id, 3, [progress(4), progress(5), progress(6)])
    runs.append(run.id, 6, [progress(7)])
    everything = [*created(), *(progress(number) for number in range(3, 8))]
    assert list(runs.load(run.id).events) == everything
    for number in range(9):
        assert runs.tail(run.id, number) == everything[number:]


def test_a_second_append_at_one_place_is_refused(runs: Runs) -> None:
    """Of two writers that read the same journal the second is told, and nothing of it is written."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    runs.append(run.id, 2, [progress(3)])
    with pytest.raises(AppendConflict):
        runs.append(run.id, 2, [progress(99)])
    failed = replace(run, status=RunStatus.FAILED)
    with pytest.raises(AppendConflict):
        runs.append(run.id, 2, [Event(EventType.RUN_FAILED, after(1))], Change(failed, RunStatus.EXECUTING))
    assert list(runs.load(run.id).events) == [*created(), progress(3)]
    assert runs.get(run.id).status is RunStatus.EXECUTING


def test_racing_appends_lose_nothing(runs: Runs) -> None:
    """Writers at once, each trying again after a conflict, all get in, each event once."""
    run = a_run()
    runs.create(Creation(run, created()))

    def write(writer: int) -> None:
        for turn in range(4):
            while True:
                base = len(runs.tail(run.id, 0))
                try:
                    runs.append(run.id, base, [progress(writer * 10 + turn), progress(1000 + writer * 10 + turn)])
                except AppendConflict:
                    continue
                break

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(write, range(5)))
    written = [event.data["done"] for event in runs.tail(run.id, 2)]
    assert sorted(written) == sorted(base + w * 10 + t for base in (0, 1000) for w in range(5) for t in range(4))
    assert all(second == first + 1000 for first, second in zip(written[::2], written[1::2], strict=True))


def test_large_appends_are_one(runs: Runs) -> None:
    """Events of a megabyte are appended whole, or refused whole."""
    run = a_run()
    runs.create(Creation(run, created({"input": "y" * 5000})))
    many = [progress(number, 90_000) for number in range(3, 15)]
    runs.append(run.id, 2, many)
    assert runs.tail(run.id, 2) == many
    with pytest.raises(AppendConflict):
        runs.append(run.id, 2, many)
    runs.append(run.id, 14, [progress(15)])
    assert runs.tail(run.id, 7) == [*many[5:], progress(15)]
    assert len(runs.load(run.id).events) == 15


def test_a_run_may_begin_with_much(runs: Runs) -> None:
    """A long beginning, as of a retry that reuses results, is stored with the run."""
    run = a_run()
    begin = [*created(), *(progress(number, 60_000) for number in range(3, 12))]
    runs.create(Creation(run, begin, lease_until=after(1)))
    assert list(runs.load(run.id).events) == begin
    assert runs.tail(run.id, 10) == begin[10:]
    with pytest.raises(AppendConflict):
        runs.append(run.id, 0, [progress(1)])


def test_an_event_above_the_stores_bound_is_refused(aws: Stores) -> None:
    """DynamoDB's bounds of an item and of a transaction are met with TooLarge, not with a fault of the store."""
    runs = aws.runs()
    run = a_run()
    runs.create(Creation(run, created()))
    with pytest.raises(TooLarge):
        runs.append(run.id, 2, [progress(3, 400_000)])
    with pytest.raises(TooLarge):
        runs.append(run.id, 2, [progress(number, 100_000) for number in range(3, 45)])
    assert runs.tail(run.id, 2) == []


def test_a_long_journal_is_read_whole(runs: Runs) -> None:
    """More journal items than one page of a Query come back in order."""
    run = a_run()
    runs.create(Creation(run, created()))
    for number in range(3, 90):
        runs.append(run.id, number - 1, [progress(number)])
    assert [event.data.get("done") for event in runs.load(run.id).events[2:]] == list(range(3, 90))
    assert [event.data["done"] for event in runs.tail(run.id, 5)] == list(range(6, 90))


def test_a_snapshot_stands_for_what_came_before(runs: Runs) -> None:
    """After a snapshot, load gives it with the later events; tail still knows the earlier ones."""
    run = a_run()
    runs.create(Creation(run, created()))
    for number in range(3, 9):
        runs.append(run.id, number - 1, [progress(number)])
    runs.keep_snapshot(run.id, 6, {"steps": {"load": [1, 2.5, None]}, "ü": "x" * 2000})
    stored = runs.load(run.id)
    assert stored.snapshot == {"steps": {"load": [1, 2.5, None]}, "ü": "x" * 2000}
    assert stored.snapshot_number == 6
    assert list(stored.events) == [progress(7), progress(8)]
    assert runs.tail(run.id, 2) == [progress(number) for number in range(3, 9)]


def test_an_older_snapshot_never_replaces_a_newer(runs: Runs) -> None:
    """Snapshots only move on."""
    run = a_run()
    runs.create(Creation(run, created()))
    runs.append(run.id, 2, [progress(3)])
    runs.keep_snapshot(run.id, 3, {"at": 3})
    runs.keep_snapshot(run.id, 2, {"at": 2})
    stored = runs.load(run.id)
    assert (stored.snapshot, stored.snapshot_number, list(stored.events)) == ({"at": 3}, 3, [])


def test_a_huge_snapshot_is_kept_in_parts(runs: Runs) -> None:
    """A snapshot above one item's bound comes back whole, and a smaller one after it too."""
    run = a_run()
    runs.create(Creation(run, created()))
    digits = "".join(f"{number * 2654435761 % 2**32:08x}" for number in range(120_000))  # hardly compressible
    runs.keep_snapshot(run.id, 1, {"big": digits})
    assert runs.load(run.id).snapshot == {"big": digits}
    runs.keep_snapshot(run.id, 2, {"small": 1})
    stored = runs.load(run.id)
    assert (stored.snapshot, stored.snapshot_number, list(stored.events)) == ({"small": 1}, 2, [])


def test_what_is_stored_cannot_be_changed_from_outside(runs: Runs) -> None:
    """Holding on to what was written or read changes nothing in the store."""
    run = a_run(error={"a": 1})
    data = {"input": {"deep": [1]}}
    runs.create(Creation(run, created(data)))
    data["input"]["deep"].append(2)
    runs.load(run.id).events[0].data["input"]["deep"].append(3)  # type: ignore[index] # what a careless reader would do
    assert runs.load(run.id).events[0].data == {"input": {"deep": [1]}}
