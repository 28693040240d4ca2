"""Steps that may take longer than a burst are carried outside it."""

from typing import Any

from engine_stage import Stage, call, rest, url

from quintet.domain.definition import RetryPolicy, StepDef, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus


def long(key: str, *needed: str, **fields: Any) -> StepDef:
    """A step that may take five minutes."""
    return call(key, *needed, timeout=300.0, **fields)


def test_a_step_of_minutes_is_carried_and_the_run_rests(engine: Stage) -> None:
    """The burst ends while the carrier works; the run is executing, not waiting."""
    engine.late["carriers"] = 250
    run_id = engine.trigger(engine.define(long("a"), call("b", "a")))
    engine.play(100)
    assert engine.status(run_id) is RunStatus.EXECUTING
    assert not engine.stores["runs"].load(run_id).active
    assert engine.state(run_id).steps["a"].carried
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.calls["carriers.start"] == 1


def test_a_minute_exactly_stays_in_the_burst(engine: Stage) -> None:
    """Only what may take longer than a minute has a carrier."""
    engine.run(call("a", timeout=60.0), call("b", timeout=61.0))
    assert engine.calls["carriers.start"] == 1


def test_a_carried_failure_follows_the_retry_policy(engine: Stage) -> None:
    """The next attempt has a carrier of its own."""
    engine.http.on(url("a"), 500, 200)
    run_id = engine.run(long("a", retry=RetryPolicy(2, Strategy.FIXED, 100.0)))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.calls["carriers.start"] == 2


def test_a_carrier_delivered_twice_does_its_step_once(engine: Stage) -> None:
    """A second delivery after the first has settled does nothing."""
    run_id = engine.trigger(engine.define(long("a"), rest("w", seconds=500)))
    engine.play(1)
    token = engine.events(run_id, EventType.STEP_STARTED)
    number = engine.events(run_id).index(token[0]) + 1
    engine.services.carry(run_id, "a", number)
    assert engine.http.count(url("a")) == 1


def test_a_call_that_died_with_its_machine_is_made_again(engine: Stage) -> None:
    """A restart loses what was called and had not begun: the first sweep calls anew, and so does a later one after a minute."""
    for restarted in (True, False):
        engine.lose.add("carriers")
        run_id = engine.trigger(engine.define(long("a")))
        engine.play(10)
        engine.lose.clear()
        if restarted:
            engine.services.sweep(leases_lapsed=True)
        else:
            engine.sweep(times=3)
        engine.play()
        assert engine.status(run_id) is RunStatus.COMPLETED
        assert engine.http.count(url("a")) == 1 + (not restarted)


def test_a_lost_carrier_is_given_up_at_its_deadline(engine: Stage) -> None:
    """A carrier that never answers times out after its timeout and the grace, at the sweep; the next attempt runs."""
    engine.lose.add("carriers")
    run_id = engine.trigger(engine.define(long("a", retry=RetryPolicy(2, Strategy.FIXED, 0.0))))
    engine.sweep(times=1)
    assert engine.steps(run_id) == {"a": StepStatus.RUNNING}
    engine.sweep(times=6)
    engine.lose.clear()
    engine.sweep(times=6)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("a")) == 1


def test_a_lost_carrier_and_a_lost_timer_are_found_by_the_sweep(engine: Stage) -> None:
    """Nothing of the chain needs to hold for the run to go on."""
    engine.lose |= {"carriers", "timers"}
    run_id = engine.trigger(engine.define(long("a")))
    engine.sweep(times=10)
    assert engine.status(run_id) is RunStatus.TIMED_OUT
    assert engine.steps(run_id) == {"a": StepStatus.FAILED}


def test_a_carrier_of_an_ended_run_leaves_it_alone(engine: Stage) -> None:
    """After a cancel the journal takes nothing more."""
    engine.http.on(url("a"), 200, seconds=100)
    run_id = engine.trigger(engine.define(long("a")))
    engine.later(50, lambda: engine.services.cancel_run("project", run_id, "ada"))
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.events(run_id)[-1].type is EventType.RUN_CANCELED


def test_more_carried_steps_than_the_pool_holds_all_start(engine: Stage) -> None:
    """Carriers take no place in the burst's pool: a hundred of them start at once."""
    engine.late["carriers"] = 100
    run_id = engine.trigger(engine.define(*[long(f"s{index}") for index in range(100)]))
    engine.play(10)
    assert len(engine.state(run_id).running) == 100
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.of(run_id).duration == 100.0
