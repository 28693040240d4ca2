"""Runs that share a concurrency key run one at a time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, call, rest

from quintet.domain.events import Event, EventType
from quintet.domain.run import Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Creation

KEY = f"{PROJECT}#key#k"


def started(engine: Stage, *run_ids: str) -> list[str]:
    """The runs in the order they started."""
    return sorted((i for i in run_ids if engine.of(i).started_at), key=lambda i: (engine.of(i).started_at, i))


def test_a_second_run_of_a_key_waits_and_says_so(engine: Stage) -> None:
    """It stands in the queue, and the reason is the key."""
    job = engine.define(rest("w", seconds=100))
    first, second = (engine.trigger(job, concurrency_key="k") for _ in range(2))
    engine.play(10)
    assert engine.status(first) is RunStatus.WAITING
    assert engine.status(second) is RunStatus.QUEUED
    (reason,) = engine.services.reading.waiting(PROJECT, second)
    assert (reason["reason"], reason["detail"]) == ("concurrency", "another run holds 'k' (at most 1)")


def test_a_queue_moves_in_order_and_at_once(engine: Stage) -> None:
    """Each end admits the next at that very moment, oldest first."""
    job = engine.define(rest("w", seconds=100))
    ids = [engine.trigger(job, concurrency_key="k") for _ in range(5)]
    engine.play()
    assert {engine.status(run_id) for run_id in ids} == {RunStatus.COMPLETED}
    begin = engine.of(ids[0]).started_at
    assert begin is not None
    assert [engine.of(run_id).started_at for run_id in ids] == [begin + timedelta(seconds=100 * n) for n in range(5)]


def test_keys_do_not_wait_for_each_other(engine: Stage) -> None:
    """Another key, another project, or no key: no queue."""
    job = engine.define(rest("w", seconds=100))
    ids = [engine.trigger(job, concurrency_key=key) for key in ("a", "b", None, None)]
    other = engine.services.trigger_run(replace(job, project="other"), concurrency_key="a").id
    engine.play(10)
    assert {engine.status(run_id) for run_id in [*ids, other]} == {RunStatus.WAITING}


def test_the_higher_priority_goes_first(engine: Stage) -> None:
    """Within a queue the priority counts before the age."""
    job = engine.define(rest("w", seconds=100))
    first = engine.trigger(job, concurrency_key="k")
    engine.play(1)
    runs, queued = engine.stores["runs"], []
    for priority in (0, 5, 9, 5):
        run = replace(
            engine.of(first), id=engine.ids.new(), status=RunStatus.QUEUED, started_at=None, priority=priority
        )
        now = engine.clock.now()
        events = [Event(EventType.RUN_CREATED, now), Event(EventType.RUN_QUEUED, now)]
        runs.create(Creation(run, events, due_at=now + timedelta(seconds=60)))
        queued.append(run.id)
    engine.play()
    low, five, nine, later_five = queued
    assert started(engine, *queued) == [nine, five, later_five, low]


@pytest.mark.parametrize("end", ["fail", "cancel", "time out"])
def test_every_end_frees_the_slot(engine: Stage, end: str) -> None:
    """A failed, canceled or timed-out run lets in the next as a completed one does."""
    broken = rest("w", seconds=100) if end != "fail" else call("bad")
    engine.http.on("https://service.example/bad", 400)
    job = engine.define(broken, timeout=20.0 if end == "time out" else None)
    first = engine.trigger(job, concurrency_key="k")
    second = engine.trigger(engine.define(call("a")), concurrency_key="k")
    if end == "cancel":
        engine.play(5)
        engine.services.cancel_run(PROJECT, first, "ada")
    engine.play()
    assert engine.status(first) is not RunStatus.COMPLETED
    assert engine.status(second) is RunStatus.COMPLETED


def test_a_queued_run_can_be_canceled(engine: Stage) -> None:
    """It leaves the queue without having started, and the one behind it moves up."""
    job = engine.define(rest("w", seconds=100))
    first, second, third = (engine.trigger(job, concurrency_key="k") for _ in range(3))
    engine.play(5)
    engine.services.cancel_run(PROJECT, second, "ada")
    assert engine.status(second) is RunStatus.CANCELED
    assert engine.status(third) is RunStatus.QUEUED
    engine.play()
    assert engine.of(second).started_at is None
    assert [engine.status(run_id) for run_id in (first, third)] == [RunStatus.COMPLETED] * 2


def test_a_forgotten_queue_is_taken_up_by_the_sweep(engine: Stage) -> None:
    """A process that dies between a run's end and the next one's admission holds up the queue for a minute, not for ever."""
    job = engine.define(rest("w", seconds=10))
    first, second = (engine.trigger(job, concurrency_key="k") for _ in range(2))
    engine.die_at("before", "runs.next_queued")
    engine.play(30)
    assert engine.died
    assert (engine.status(first), engine.status(second)) == (RunStatus.COMPLETED, RunStatus.QUEUED)
    engine.sweep(times=2)
    engine.play()
    assert engine.status(second) is RunStatus.COMPLETED


@pytest.mark.parametrize("call_", ["runs.admit", "bursts.start"])
def test_an_admission_that_dies_is_taken_up(engine: Stage, call_: str) -> None:
    """Whether it was admitted or not, the run runs."""
    job = engine.define(rest("w", seconds=10))
    engine.trigger(job, concurrency_key="k")
    second = engine.trigger(job, concurrency_key="k")
    engine.play(5)
    engine.die_at("before", call_)
    engine.sweep(times=3)
    engine.play()
    assert engine.status(second) is RunStatus.COMPLETED


def test_a_slot_freed_while_a_run_queues_up_is_not_missed(engine: Stage) -> None:
    """Between the refusal and its place in the queue the slot may be freed: the run looks once more."""
    job = engine.define(rest("w", seconds=100))
    first = engine.trigger(job, concurrency_key="k")
    engine.play(5)
    seen: list[str] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.create"):
            seen.append(name)
            if len(seen) == 2:  # the first was refused; now it queues up
                engine.services.cancel_run(PROJECT, first, "ada")

    engine.hooks.append(hook)
    second = engine.trigger(job, concurrency_key="k")
    engine.play(1)
    assert len(seen) == 2
    assert engine.of(second).started_at is not None


def test_two_admissions_at_once_let_in_one(engine: Stage) -> None:
    """However many try, no more than the limit are active."""
    job = engine.define(rest("w", seconds=100))
    ids = [engine.trigger(job, concurrency_key="k") for _ in range(4)]
    engine.play(5)
    for run_id in ids:
        engine.services.wake_run(run_id)
    engine.play(5)
    assert [engine.status(run_id) for run_id in ids] == [RunStatus.WAITING, *[RunStatus.QUEUED] * 3]


def test_a_run_needs_all_its_slots(engine: Stage) -> None:
    """A run under two caps starts when both have room, and frees both."""
    job = engine.define(rest("w", seconds=100))
    one, two = Slot("one", 1), Slot("two", 2)
    holder = engine.trigger(job)
    engine.play(1)
    runs = engine.stores["runs"]
    now = engine.clock.now()
    base = replace(engine.of(holder), status=RunStatus.QUEUED, started_at=None)
    events = [Event(EventType.RUN_CREATED, now), Event(EventType.RUN_QUEUED, now)]
    first = replace(base, id=engine.ids.new(), slots=(one,))
    second = replace(base, id=engine.ids.new(), slots=(two, one))
    for run in (first, second):
        runs.create(Creation(run, events, due_at=now))
        engine.services.wake_run(run.id)
    engine.play(10)
    assert [engine.status(run.id) for run in (first, second)] == [RunStatus.WAITING, RunStatus.QUEUED]
    engine.play()
    assert [engine.status(run.id) for run in (first, second)] == [RunStatus.COMPLETED] * 2
    assert engine.of(second.id).started_at == engine.of(first.id).ended_at


def test_a_delayed_run_before_a_full_slot_says_so(engine: Stage) -> None:
    """When its moment has come and the slot is full, the reason is the slot, no longer the delay."""
    job = engine.define(rest("w", seconds=1000))
    engine.trigger(job, concurrency_key="k")
    second = engine.trigger(job, concurrency_key="k", at=engine.clock.now() + timedelta(seconds=100))
    engine.play(200)
    assert engine.reasons(second) == ["concurrency"]
    engine.play()
    assert engine.status(second) is RunStatus.COMPLETED


def test_a_trigger_that_dies_in_the_queue_is_no_ghost(engine: Stage) -> None:
    """A process that dies right after queueing leaves a run that the slot's end lets in."""
    job = engine.define(rest("w", seconds=100))
    first = engine.trigger(job, concurrency_key="k")
    second = engine.trigger(job, concurrency_key="k")
    run_id = engine.ids.new()
    engine.die_at("after", "runs.create")
    with pytest.raises(ProcessDied):
        engine.trigger(job, concurrency_key="k", run_id=run_id)
    engine.play()
    assert {engine.status(known) for known in (first, second, run_id)} == {RunStatus.COMPLETED}
