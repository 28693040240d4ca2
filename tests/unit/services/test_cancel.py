"""Canceling runs."""

from datetime import timedelta

import pytest
from engine_stage import PROJECT, Stage, ask, call, rest, step, url

from quintet.domain.definition import RetryPolicy, Strategy
from quintet.domain.errors import AppendConflict, Conflict, Throttled
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus


def test_a_waiting_run_is_canceled_with_everything_in_it(engine: Stage) -> None:
    """What had completed stays so; the rest is canceled; who and why are kept."""
    run_id = engine.trigger(engine.define(call("a"), rest("w", "a", seconds=500), call("b", "w")))
    engine.play(10)
    run = engine.services.cancel_run(PROJECT, run_id, "ada", "no longer needed")
    assert run.status is RunStatus.CANCELED
    assert engine.steps(run_id) == {"a": StepStatus.COMPLETED, "w": StepStatus.CANCELED, "b": StepStatus.CANCELED}
    assert engine.events(run_id)[-1].data == {"by": "ada", "reason": "no longer needed"}
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.http.count(url("b")) == 0


def test_a_working_burst_hears_of_a_cancel_in_seconds(engine: Stage) -> None:
    """The burst stops although its attempt is still under way; nothing more is started or written."""
    engine.http.on(url("a"), 200, seconds=50)
    run_id = engine.trigger(engine.define(call("a"), call("b", "a")))
    engine.later(10, lambda: engine.services.cancel_run(PROJECT, run_id, "ada"))
    start = engine.clock.now()
    engine.play()
    assert (engine.clock.now() - start).total_seconds() <= 12.0
    assert engine.events(run_id)[-1].type is EventType.RUN_CANCELED
    assert engine.http.count(url("b")) == 0


def test_a_cancel_and_an_attempts_end_at_one_moment(engine: Stage) -> None:
    """A cancel that wins the journal position before the burst's append stands, and the burst says no word."""
    run_id = engine.trigger(engine.define(call("a"), call("b", "a")))

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and engine.http.count(url("a")):
            engine.hooks.remove(hook)
            engine.services.cancel_run(PROJECT, run_id, "ada")

    engine.hooks.append(hook)
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.steps(run_id)["a"] is StepStatus.CANCELED


def test_a_run_resting_between_attempts_is_canceled(engine: Stage) -> None:
    """A retry that was due is not made."""
    engine.http.on(url("a"), 500)
    run_id = engine.trigger(engine.define(call("a", retry=RetryPolicy(5, Strategy.FIXED, 100.0))))
    engine.play(10)
    assert engine.reasons(run_id) == ["retry"]
    engine.services.cancel_run(PROJECT, run_id, "ada")
    engine.play()
    assert engine.http.count(url("a")) == 1


def test_a_backoff_within_the_burst_is_canceled(engine: Stage) -> None:
    """A run between two slices of a burst is active, yet a cancel ends it."""
    run_id = engine.trigger(engine.define(rest("w", seconds=15), call("a", "w")))
    engine.later(5, lambda: engine.services.cancel_run(PROJECT, run_id, "ada"))
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.http.count(url("a")) == 0


def test_a_delayed_run_is_canceled(engine: Stage) -> None:
    """It never starts."""
    run_id = engine.trigger(engine.define(call("a")), at=engine.clock.now() + timedelta(seconds=100))
    engine.services.cancel_run(PROJECT, run_id, "ada")
    engine.play()
    engine.sweep(times=3)
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.of(run_id).started_at is None
    assert engine.http.count(url("a")) == 0


def test_loops_and_maps_are_canceled_inside(engine: Stage) -> None:
    """No step of any iteration or item is left open."""
    inner = step("loop", kind="loop", config={"until": "false"}, body=(rest("w", seconds=50),))
    each = step("each", kind="map", config={"items": [1, 2, 3]}, body=(inner,))
    run_id = engine.trigger(engine.define(each))
    engine.play(120)
    engine.services.cancel_run(PROJECT, run_id, "ada")
    open_ = [path for path, status in engine.steps(run_id).items() if not status.settled]
    assert open_ == []
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED


@pytest.mark.parametrize("ended", ["completed", "failed", "canceled"])
def test_an_ended_run_cannot_be_canceled(engine: Stage, ended: str) -> None:
    """Terminal states don't change."""
    engine.http.on(url("a"), 400 if ended == "failed" else 200)
    job = engine.define(call("a"))
    run_id = engine.trigger(job)
    if ended == "canceled":
        engine.services.cancel_run(PROJECT, run_id, "ada")
    engine.play()
    before = engine.events(run_id)
    with pytest.raises(Conflict, match="already ended"):
        engine.services.cancel_run(PROJECT, run_id, "bob")
    assert engine.events(run_id) == before
    assert engine.status(run_id).value == ended


def test_a_run_that_never_stands_still_answers_busy(engine: Stage) -> None:
    """Whoever loses every append to other writers is told to come again, and nothing is half-done."""
    run_id = engine.run(ask("gate"))

    def always_lost(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append"):
            raise AppendConflict(run_id)

    engine.hooks.append(always_lost)
    with pytest.raises(Throttled) as busy:
        engine.services.cancel_run(PROJECT, run_id, "ada")
    engine.hooks.clear()
    assert busy.value.retry_after == 1
    assert engine.status(run_id) is RunStatus.WAITING
