"""What the sweep takes up."""

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, call, rest, url

from quintet.domain.definition import RetryPolicy, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.terms import FRUITLESS_BURSTS

TWICE = RetryPolicy(2, Strategy.FIXED, 1.0)


def test_a_burst_that_died_with_an_attempt_in_flight_is_followed_by_the_next(engine: Stage) -> None:
    """The attempt counts as crashed and follows the step's policy; what had completed is not done again."""
    run_id = engine.trigger(engine.define(call("a"), call("b", "a", retry=TWICE)))
    engine.die_at("before", "runs.append", 3)
    engine.play()
    assert engine.died
    assert engine.status(run_id) is RunStatus.EXECUTING
    engine.sweep()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert (engine.http.count(url("a")), engine.http.count(url("b"))) == (1, 2)
    failed = engine.events(run_id, EventType.STEP_FAILED)
    assert [event.data["error"]["type"] for event in failed] == ["Crashed"]


def test_a_lost_attempt_without_another_fails_its_run(engine: Stage) -> None:
    """At most one attempt is at most one: a crash is not retried behind the author's back."""
    run_id = engine.trigger(engine.define(call("a")))
    engine.die_at("before", "runs.append", 2)
    engine.sweep()
    assert engine.status(run_id) is RunStatus.CRASHED
    assert engine.http.count(url("a")) == 1


def test_a_lease_that_holds_is_left_alone(engine: Stage) -> None:
    """A burst at work is not disturbed, however long it takes."""
    engine.http.on(url("a"), 200, seconds=55)
    engine.http.on(url("b"), 200, seconds=55)
    run_id = engine.trigger(engine.define(call("a"), call("b", "a")))
    for seconds in range(5, 110, 5):
        engine.later(seconds, engine.services.sweep)
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.calls["bursts.start"] == 1
    assert (engine.http.count(url("a")), engine.http.count(url("b"))) == (1, 1)


def test_a_lost_timer_is_made_good(engine: Stage) -> None:
    """A parked run whose timer never fired goes on within the grace and a minute."""
    engine.lose.add("timers")
    run_id = engine.trigger(engine.define(rest("w", seconds=300), call("a", "w")))
    engine.sweep(times=7)
    assert engine.status(run_id) is RunStatus.COMPLETED
    duration = engine.of(run_id).duration
    assert duration is not None
    assert 300 <= duration <= 300 + 30 + 60


def test_after_a_restart_every_lease_counts_as_lapsed(engine: Stage) -> None:
    """When the machine itself was restarted, the first sweep waits for no lease."""
    engine.lose.add("bursts")
    run_id = engine.trigger(engine.define(call("a")))
    engine.lose.clear()
    assert engine.services.sweep() == {"seen": 0, "taken": 0, "failed": 0}
    engine.services.sweep(leases_lapsed=True)
    engine.play(0)
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_restart_starts_nothing_before_its_time(engine: Stage) -> None:
    """Delayed, queued and parked runs are none of its business."""
    job = engine.define(rest("w", seconds=400))
    parked = engine.trigger(job, concurrency_key="k")
    queued = engine.trigger(job, concurrency_key="k")
    engine.play(10)
    engine.services.sweep(leases_lapsed=True)
    engine.play(10)
    assert (engine.status(parked), engine.status(queued)) == (RunStatus.WAITING, RunStatus.QUEUED)
    engine.play()
    assert engine.of(parked).duration == 400


@pytest.mark.parametrize("racing", [2, 3])
def test_racing_sweeps_take_a_run_up_once(engine: Stage, racing: int) -> None:
    """Of several sweeps that see the same lapse one starts a burst."""
    engine.lose.add("bursts")
    run_id = engine.trigger(engine.define(call("a")))
    engine.lose.clear()
    engine.play(60)
    started, nested = engine.calls["bursts.start"], [racing - 1]

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.reclaim") and nested[0]:
            nested[0] -= 1
            engine.services.sweep()

    engine.hooks.append(hook)
    engine.services.sweep()
    engine.play()
    assert engine.calls["bursts.start"] - started == 1
    assert engine.http.count(url("a")) == 1
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_run_whose_bursts_die_before_they_write_is_given_up(engine: Stage) -> None:
    """After so many fruitless bursts the run has failed by the system, says so, and frees its slot."""
    engine.lose.add("bursts")
    job = engine.define(call("a"), call("b", "a"))
    run_id = engine.trigger(job, concurrency_key="k")
    engine.sweep(times=FRUITLESS_BURSTS + 1)
    assert engine.status(run_id) is RunStatus.EXECUTING
    engine.sweep(times=240)
    run = engine.of(run_id)
    assert run.status is RunStatus.SYSTEM_FAILED
    assert run.error is not None
    assert run.error["type"] == "SystemFailed"
    assert set(engine.steps(run_id).values()) == {StepStatus.CANCELED}
    engine.lose.clear()
    after = engine.trigger(job, concurrency_key="k")
    engine.play()
    assert engine.status(after) is RunStatus.COMPLETED


def test_a_burst_that_writes_something_is_not_fruitless(engine: Stage) -> None:
    """A run whose bursts die often, each after some progress, goes on."""
    steps = [call(f"s{i}", *([f"s{i - 1}"] if i else []), retry=RetryPolicy(3, Strategy.FIXED, 0.0)) for i in range(12)]
    run_id = engine.trigger(engine.define(*steps))
    appends = [0]

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "bursts.start"):
            appends[0] = 0
        if (when, name) == ("before", "runs.append"):
            appends[0] += 1
            if appends[0] == 3:
                raise ProcessDied(name)

    engine.hooks.append(hook)
    engine.sweep(times=300)
    assert len(engine.died) >= 5
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_run_it_fails_on_does_not_stop_the_sweep(engine: Stage) -> None:
    """Those behind it are taken up all the same."""
    engine.lose.add("bursts")
    job = engine.define(call("a"))
    ids = [engine.trigger(job) for _ in range(5)]
    engine.lose.clear()
    failing = ids[0]

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.reclaim"):
            engine.hooks.remove(hook)
            raise RuntimeError(f"the store fails for {failing}")

    engine.hooks.append(hook)
    engine.sweep()
    assert [engine.status(run_id) for run_id in ids[1:]] == [RunStatus.COMPLETED] * 4


def test_hundreds_of_lapses_are_taken_up_in_one_sweep(engine: Stage) -> None:
    """More than one page, each once."""
    engine.lose.add("bursts")
    job = engine.define(call("a"))
    for _ in range(250):
        engine.trigger(job)
    engine.lose.clear()
    engine.play(60)
    assert engine.services.sweep() == {"seen": 250, "taken": 250, "failed": 0}
    engine.play()
    assert engine.stores["runs"].count(PROJECT, [RunStatus.COMPLETED]) == 250
    assert engine.http.count(url("a")) == 250


@pytest.mark.parametrize("delay", [0.0, 0.5, 3.0])
def test_after_a_restart_carried_attempts_are_lost_at_once(engine: Stage, delay: float) -> None:
    """No carrier outlives the machine it ran on: the attempt fails and its policy goes on, long before its deadline or the next sweep."""
    run_id = engine.trigger(engine.define(call("a", timeout=600.0, retry=RetryPolicy(2, Strategy.FIXED, delay))))
    engine.hooks.append(lambda when, name: engine.lose.add("carriers") if name == "carriers.start" else None)
    engine.play(1)
    token = 1 + next(i for i, event in enumerate(engine.events(run_id)) if event.type is EventType.STEP_STARTED)
    engine.hooks.clear()
    engine.lose.clear()
    engine.services.journal.decide(
        run_id, lambda _opened, draft: draft.add(EventType.STEP_CARRIED, "a", carrier="dead")
    )
    assert token
    engine.services.sweep(leases_lapsed=True)
    engine.play(5)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("a")) == 1
