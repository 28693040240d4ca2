"""Pause, resume, another time, version at the start, overrides."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_stage import PROJECT, Stage, ask, call, rest, url

from quintet.domain.definition import Overrides, Plan, RetryPolicy
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.events import EventType
from quintet.domain.run import VersionPolicy
from quintet.domain.status import RunStatus, StepStatus
from quintet.domain.terms import Terms
from quintet.services.ports.http import HttpAnswer, HttpRequest


def test_a_paused_run_begins_nothing_and_goes_on_when_resumed(engine: Stage) -> None:
    """What is under way ends and is kept; the next step waits for the resume."""
    engine.http.on(url("slow"), 200, seconds=50.0)
    run_id = engine.trigger(engine.define(call("slow", timeout=59.0), call("next", "slow")))
    engine.later(10, lambda: engine.services.hold.pause(PROJECT, run_id, "ann"))
    engine.sweep(times=4)
    assert engine.status(run_id) is RunStatus.PAUSED
    assert engine.steps(run_id) == {"slow": StepStatus.COMPLETED, "next": StepStatus.PENDING}
    assert engine.reasons(run_id) == ["paused"]
    engine.services.hold.resume(PROJECT, run_id, "bob")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert (engine.http.count(url("slow")), engine.http.count(url("next"))) == (1, 1)


def test_an_attempt_under_way_outlives_pause_and_resume(engine: Stage) -> None:
    """Resuming before it has ended neither repeats nor loses it."""
    engine.http.on(url("slow"), 200, seconds=50.0)
    run_id = engine.trigger(engine.define(call("slow", timeout=59.0), call("next", "slow")))
    engine.later(10, lambda: engine.services.hold.pause(PROJECT, run_id, "ann"))
    engine.later(15, lambda: engine.services.hold.resume(PROJECT, run_id, "ann"))
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("slow")) == 1


def test_a_waiting_run_can_be_paused(engine: Stage) -> None:
    """The answer that comes meanwhile counts, but nothing follows before the resume."""
    run_id = engine.trigger(engine.define(ask("ok"), call("next", "ok")))
    engine.play(120)
    engine.services.hold.pause(PROJECT, run_id, "ann")
    engine.services.answer_step(PROJECT, run_id, "ok", approved=True, by="bob")
    engine.sweep(times=2)
    assert engine.steps(run_id)["next"] is StepStatus.PENDING
    engine.services.hold.resume(PROJECT, run_id, "ann")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_the_time_of_a_pause_is_not_the_runs(engine: Stage) -> None:
    """The run's deadline moves by the length of the pause."""
    job = engine.define(rest("w", seconds=50), call("a", "w"), timeout=100.0)
    run_id = engine.trigger(job)
    engine.play(30)
    engine.services.hold.pause(PROJECT, run_id, "ann")
    engine.sweep(times=5)
    engine.services.hold.resume(PROJECT, run_id, "ann")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_paused_run_keeps_its_slot(engine: Stage) -> None:
    """What it has under way counts under the cap; the next comes in when it ends."""
    job = engine.define(rest("w", seconds=50), terms=Terms(max_concurrency=1))
    first, second = engine.submit(job).run.id, engine.submit(job).run.id
    engine.play(10)
    engine.services.hold.pause(PROJECT, first, "ann")
    engine.sweep(times=3)
    assert engine.status(second) is RunStatus.QUEUED
    engine.services.cancel_run(PROJECT, first, "ann")
    engine.play(1)
    assert engine.status(second) in {RunStatus.EXECUTING, RunStatus.WAITING}


def test_a_paused_queued_run_leaves_the_queue_and_comes_back(engine: Stage) -> None:
    """Those behind it pass; resumed, it stands in the queue again."""
    job = engine.define(rest("w", seconds=100), terms=Terms(max_concurrency=1))
    ids = [engine.submit(job).run.id for _ in range(3)]
    engine.services.hold.pause(PROJECT, ids[1], "ann")
    engine.play(150)
    assert [engine.of(run_id).started_at is not None for run_id in ids] == [True, False, True]
    assert engine.services.hold.resume(PROJECT, ids[1], "ann").status is RunStatus.QUEUED
    engine.play()
    assert engine.status(ids[1]) is RunStatus.COMPLETED


def test_only_what_can_be_paused_or_resumed_is(engine: Stage) -> None:
    """Delayed, ended and foreign runs are refused, and so is resuming what isn't paused."""
    delayed = engine.trigger(engine.define(call("a")), at=engine.clock.now() + timedelta(seconds=60))
    done = engine.run(call("b"))
    hold = engine.services.hold
    for run_id in (delayed, done):
        with pytest.raises(Conflict, match="can't be paused"):
            hold.pause(PROJECT, run_id, "ann")
        with pytest.raises(Conflict, match="can't be resumed"):
            hold.resume(PROJECT, run_id, "ann")
    with pytest.raises(NotFound):
        hold.pause("other", delayed, "ann")


def test_a_delayed_run_gets_another_time(engine: Stage) -> None:
    """Earlier or later, it starts then and only then; any other run is refused."""
    job = engine.define(call("a"))
    begun = engine.clock.now()
    later, sooner = (engine.trigger(job, at=begun + timedelta(seconds=60)) for _ in range(2))
    engine.services.hold.reschedule(PROJECT, later, begun + timedelta(seconds=300))
    moved = engine.services.hold.reschedule(PROJECT, sooner, begun + timedelta(seconds=5))
    assert moved.scheduled_at == begun + timedelta(seconds=5)
    engine.play(10)
    assert [engine.status(run_id) for run_id in (later, sooner)] == [RunStatus.DELAYED, RunStatus.COMPLETED]
    engine.sweep(times=4)
    assert engine.status(later) is RunStatus.DELAYED
    engine.sweep(times=2)
    assert engine.status(later) is RunStatus.COMPLETED
    with pytest.raises(Conflict, match="can't be rescheduled"):
        engine.services.hold.reschedule(PROJECT, later, begun)


def test_a_time_after_the_expiry_is_refused(engine: Stage) -> None:
    """A run can't be moved beyond its own end."""
    job = engine.define(call("a"), terms=Terms(ttl=100))
    run_id = engine.submit(job, at=engine.clock.now() + timedelta(seconds=50)).run.id
    with pytest.raises(Invalid, match="expired"):
        engine.services.hold.reschedule(PROJECT, run_id, engine.clock.now() + timedelta(seconds=200))


@pytest.mark.parametrize(
    ("policy", "compatible", "called"),
    [
        (VersionPolicy.PIN, True, "old"),
        (VersionPolicy.LATEST, False, "new"),
        (VersionPolicy.MINOR, True, "new"),
        (VersionPolicy.MINOR, False, "old"),
    ],
)
def test_the_version_at_the_start_follows_the_policy(
    engine: Stage, policy: VersionPolicy, compatible: bool, called: str
) -> None:
    """A run that waited for its start enacts the version its policy names then, and says which."""
    job = engine.define(call("old"), terms=Terms(policy=policy, follows=True))
    run_id = engine.submit(job, at=engine.clock.now() + timedelta(seconds=60)).run.id
    engine.services.define.revise(
        PROJECT,
        job.id,
        {"terms": Terms(policy=policy, compatible=compatible, follows=True)},
        Plan((call("new"),)),
        {"n": 2},
    )
    engine.play()
    assert engine.http.count(url(called)) == 1
    assert engine.http.count(url("old")) + engine.http.count(url("new")) == 1
    assert engine.of(run_id).version == (2 if called == "new" else 1)
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_run_has_its_own_attempts_and_time(engine: Stage) -> None:
    """Overrides hold for that run alone."""
    engine.http.on(url("a"), 500)
    job = engine.define(replace(call("a"), retry=RetryPolicy(max_attempts=1)))
    engine.submit(job)
    engine.play()
    assert engine.http.count(url("a")) == 1
    engine.submit(job, overrides=Overrides(max_attempts=4, initial_delay=0.0))
    engine.play()
    assert engine.http.count(url("a")) == 5


def test_a_run_of_one_step_ends_as_the_step_did(engine: Stage) -> None:
    """Its time-out is the run's; among several steps it is a failure."""
    engine.http.on(url("slow"), 200, seconds=100.0)
    slow = replace(call("slow"), timeout=10.0)
    assert engine.status(engine.run(slow)) is RunStatus.TIMED_OUT
    assert engine.status(engine.run(slow, call("b"))) is RunStatus.FAILED


def test_pauses_are_in_the_journal(engine: Stage) -> None:
    """Who paused and who resumed can be read there."""
    run_id = engine.trigger(engine.define(ask("ok")))
    engine.play(120)
    engine.services.hold.pause(PROJECT, run_id, "ann")
    engine.services.hold.resume(PROJECT, run_id, "bob")
    told = engine.events(run_id, EventType.RUN_PAUSED, EventType.RUN_RESUMED)
    assert [event.data["by"] for event in told] == ["ann", "bob"]


def test_a_canceled_run_stops_waiting_for_its_calls(engine: Stage) -> None:
    """Whoever has the call in hand, burst or carrier, is told that nobody waits for it any more."""
    told: dict[str, list[bool]] = {"inline": [], "carried": []}
    for name, timeout in (("inline", 30.0), ("carried", 600.0)):

        def answer(request: HttpRequest, name: str = name) -> HttpAnswer:
            assert request.stopped is not None
            told[name].append(request.stopped())
            engine.take(10.0)
            told[name].append(request.stopped())
            return HttpAnswer(200, {}, b"", request.url, {})

        engine.http.answer = answer
        run_id = engine.trigger(engine.define(call("a", timeout=timeout)))
        engine.later(5.0, lambda run_id=run_id: engine.services.cancel_run(PROJECT, run_id, "ann"))
        engine.play()
        assert engine.status(run_id) is RunStatus.CANCELED
    assert told["carried"] == [False, True]
    assert told["inline"][0] is False
