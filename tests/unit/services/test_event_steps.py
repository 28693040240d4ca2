"""Steps that wait for an event."""

from typing import Any

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, call, step, url

from quintet.adapters.memory.events import MemorySubscriptions
from quintet.domain.definition import RetryPolicy, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.ports.events import Subscriptions
from quintet.steps.event import EventKind


@pytest.fixture
def subscriptions() -> Subscriptions:
    """Who waits for what."""
    return MemorySubscriptions()


@pytest.fixture
def engine(engine: Stage, subscriptions: Subscriptions) -> Stage:
    """The stage with the kind and its store."""
    engine.stores["subscriptions"] = subscriptions
    engine.services = engine.process()
    port: Any = engine.services.subscriptions
    engine.kinds = {**engine.kinds, "event": EventKind(engine.expressions, port)}
    engine.services = engine.process()
    return engine


def wait_for(event_key: str, key: str = "wait", **fields: Any) -> Any:
    """A step that waits for an event."""
    return step(key, kind="event", config={"event_key": event_key}, **fields)


def start(engine: Stage, *steps: Any, given: Any = None) -> str:
    """A run of these steps, some seconds after its start."""
    run_id = engine.trigger(engine.define(*steps), given)
    engine.play(5)
    return run_id


def publish(engine: Stage, event_key: str, payload: Any = None, project: str = PROJECT) -> int:
    """Publishes, and plays what follows."""
    delivered = engine.services.publish_event(project, event_key, payload)
    engine.play(1)
    return delivered


def test_an_event_completes_every_step_that_waits_for_it(engine: Stage, subscriptions: Subscriptions) -> None:
    """In all runs of the project, with the payload as result; nobody else, and only once."""
    waiting = [start(engine, wait_for("paid"), call("after", "wait")) for _ in range(40)]
    other = start(engine, wait_for("refunded"))
    assert engine.status(waiting[0]) is RunStatus.WAITING
    assert publish(engine, "paid", project="elsewhere") == 0
    assert publish(engine, "paid", {"amount": 3}) == 40
    for run_id in waiting:
        assert engine.status(run_id) is RunStatus.COMPLETED
        assert engine.result(run_id, "wait") == {"amount": 3}
    assert engine.http.count(url("after")) == 40
    assert engine.status(other) is RunStatus.WAITING
    assert publish(engine, "paid", {"amount": 4}) == 0
    assert list(subscriptions.of(PROJECT, "paid")) == []


def test_the_key_may_come_from_the_input(engine: Stage) -> None:
    """A template, rendered when the step's turn comes."""
    run_id = start(engine, wait_for("order-{% input.id %}"), given={"id": 7})
    assert publish(engine, "order-8") == 0
    assert publish(engine, "order-7", "done") == 1
    assert engine.result(run_id, "wait") == "done"


def test_an_event_is_not_kept_for_later_subscribers(engine: Stage) -> None:
    """Nobody waited when it came."""
    assert publish(engine, "paid") == 0
    run_id = start(engine, wait_for("paid"))
    assert engine.status(run_id) is RunStatus.WAITING


def test_an_event_between_subscription_and_wait_is_not_lost(engine: Stage) -> None:
    """The attempt is in the journal before it subscribes, so the event completes it; the wait comes too late and is refused."""
    told: list[int] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("after", "subscriptions.add"):
            told.append(engine.services.publish_event(PROJECT, "paid", 1))

    engine.hooks.append(hook)
    run_id = start(engine, wait_for("paid"), call("after", "wait"))
    assert told == [1]
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "wait") == 1
    assert [event.path for event in engine.events(run_id, EventType.LATE_REFUSED)] == ["wait"]


def test_a_wait_that_nobody_ends_times_out(engine: Stage, subscriptions: Subscriptions) -> None:
    """After its timeout, or 30 days; the event then finds nobody, and what it finds is removed."""
    run_id = start(engine, wait_for("paid", timeout=90))
    engine.play(90)
    assert engine.status(run_id) is RunStatus.TIMED_OUT
    endless = engine.trigger(engine.define(wait_for("paid")))
    engine.sweep(every=86_400.0, times=29)
    assert engine.status(endless) is RunStatus.WAITING
    engine.sweep(every=86_400.0, times=2)
    assert engine.status(endless) is RunStatus.TIMED_OUT
    assert publish(engine, "paid") == 0
    assert list(subscriptions.of(PROJECT, "paid")) == []


def test_an_event_at_the_deadline_is_too_late(engine: Stage) -> None:
    """Whether or not the engine has looked at the clock before it came."""
    engine.lose = {"timers"}
    run_id = start(engine, wait_for("paid", timeout=90))
    engine.clock.advance(90)
    assert publish(engine, "paid") == 0
    engine.sweep(times=2)
    assert engine.status(run_id) is RunStatus.TIMED_OUT


def test_an_event_reaches_only_the_live_attempt(engine: Stage, subscriptions: Subscriptions) -> None:
    """An attempt that timed out left a subscription behind, which delivers nothing."""
    again = RetryPolicy(2, Strategy.FIXED, 600.0)
    run_id = engine.trigger(engine.define(wait_for("paid", timeout=90, retry=again)))
    engine.play(100)
    assert publish(engine, "paid", "early") == 0
    engine.play(650)
    assert publish(engine, "paid", "late") == 1
    assert engine.result(run_id, "wait") == "late"
    assert list(subscriptions.of(PROJECT, "paid")) == []


@pytest.mark.parametrize("settled", ["cancel", "skip"])
def test_a_settled_step_hears_nothing(engine: Stage, subscriptions: Subscriptions, settled: str) -> None:
    """Its subscription goes with the next event of the key."""
    run_id = start(engine, wait_for("paid"))
    if settled == "cancel":
        engine.services.cancel_run(PROJECT, run_id, "ada")
    else:
        engine.services.operate_step.skip(PROJECT, run_id, "wait", by="ada")
    engine.play()
    assert publish(engine, "paid") == 0
    assert engine.steps(run_id) == {"wait": StepStatus.CANCELED if settled == "cancel" else StepStatus.SKIPPED}
    assert list(subscriptions.of(PROJECT, "paid")) == []


@pytest.mark.parametrize(
    "point", [("after", "runs.append"), ("before", "runs.wake"), ("before", "subscriptions.remove")]
)
def test_a_publisher_that_dies_is_made_up_for(engine: Stage, point: tuple[str, str]) -> None:
    """The sweep wakes those who were told; the caller, who got no answer, publishes again for the others; nobody hears twice."""
    waiting = [start(engine, wait_for("paid"), call("after", "wait")) for _ in range(3)]
    engine.die_at(*point, nth=2)
    with pytest.raises(ProcessDied):
        engine.services.publish_event(PROJECT, "paid", "first")
    publish(engine, "paid", "second")
    engine.sweep(times=3)
    assert {engine.status(run_id) for run_id in waiting} == {RunStatus.COMPLETED}
    assert engine.http.count(url("after")) == 3
    for run_id in waiting:
        assert len([one for one in engine.events(run_id, EventType.STEP_COMPLETED) if one.path == "wait"]) == 1


def test_a_store_that_fails_for_one_run_does_not_keep_the_event_from_others(engine: Stage) -> None:
    """All are tried, then the error is raised; the same event again reaches the one that is left."""
    for _ in range(3):
        start(engine, wait_for("paid"))
    left = [1]

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and left and left.pop():
            raise OSError("the store is away")

    engine.hooks.append(hook)
    with pytest.raises(OSError, match="the store is away"):
        engine.services.publish_event(PROJECT, "paid")
    engine.hooks.clear()
    engine.play(1)
    assert publish(engine, "paid") == 1


def test_a_paused_run_hears_events(engine: Stage) -> None:
    """The step completes; what depends on it waits for the run to go on."""
    run_id = start(engine, wait_for("paid"), call("after", "wait"))
    engine.services.hold.pause(PROJECT, run_id, "ada")
    assert publish(engine, "paid") == 1
    assert engine.steps(run_id) == {"wait": StepStatus.COMPLETED, "after": StepStatus.PENDING}
    engine.services.hold.resume(PROJECT, run_id, "ada")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
