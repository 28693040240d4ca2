"""Work that is parked on a service of its own: its step holds nothing until the work ends, and hears of its end once."""

from datetime import timedelta
from typing import Any

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, ask, call, parked, url

from quintet.domain.definition import OnFailure, RetryPolicy, Strategy
from quintet.domain.errors import AppendConflict, Conflict
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus

HOUR = 3600.0
TWICE = RetryPolicy(2, Strategy.FIXED, 1.0)


def token_of(engine: Stage, run_id: str, path: str = "long") -> int:
    """The token of a step's live attempt."""
    return engine.state(run_id).steps[path].token


def settle(engine: Stage, run_id: str, token: int, path: str = "long", **ended: Any) -> None:
    """The park machine tells that the work has ended."""
    engine.services.settle_parked(run_id, path, token, ended)


def types(engine: Stage, run_id: str) -> list[EventType]:
    """The journal's event types."""
    return [event.type for event in engine.events(run_id)]


def test_a_step_completes_with_what_its_work_came_to(engine: Stage) -> None:
    """Hours later; what depends on it goes on."""
    run_id = engine.run(parked("long", seconds=5 * HOUR, said={"result": {"rows": 3}}), call("after", "long"))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "long") == {"rows": 3}
    assert engine.of(run_id).duration == 5 * HOUR
    assert (engine.calls["parking.start"], engine.calls["parking.stop"]) == (1, 0)


def test_a_run_whose_work_is_parked_holds_nothing(engine: Stage) -> None:
    """No burst, no timer, no lease; and it is executing, since its step is at work."""
    run_id = engine.trigger(engine.define(parked("long", seconds=HOUR, said={"message": "job 7 on the cluster"})))
    engine.play(60)
    assert not engine.stores["runs"].load(run_id).active
    assert (engine.calls["bursts.start"], engine.calls["timers.start"]) == (1, 0)
    assert engine.status(run_id) is RunStatus.EXECUTING
    assert engine.steps(run_id) == {"long": StepStatus.RUNNING}
    (reason,) = engine.services.reading.waiting(PROJECT, run_id)
    assert (reason["reason"], reason["step"], reason["until"]) == ("running", "long", None)
    assert reason["detail"] == "job 7 on the cluster"


def test_people_read_of_work_without_a_name_too(engine: Stage) -> None:
    """And until when its time is."""
    run_id = engine.trigger(engine.define(parked("long", seconds=HOUR, said={"deadline": 2 * HOUR})))
    engine.play(60)
    (reason,) = engine.services.reading.waiting(PROJECT, run_id)
    assert reason["detail"] == "the step's work on another service is under way"
    assert reason["until"] == reason["since"] + timedelta(seconds=2 * HOUR)


def test_a_run_beside_a_gate_is_executing_while_work_is_parked(engine: Stage) -> None:
    """With the gate alone it waits; the change is told once."""
    run_id = engine.trigger(engine.define(ask("gate"), parked("long", seconds=HOUR)))
    engine.play(60)
    assert engine.status(run_id) is RunStatus.EXECUTING
    engine.play(HOUR)
    assert engine.status(run_id) is RunStatus.WAITING
    assert engine.steps(run_id) == {"gate": StepStatus.WAITING, "long": StepStatus.COMPLETED}
    assert types(engine, run_id).count(EventType.RUN_WAITING) == 1


def test_failed_work_is_tried_again_by_its_steps_policy(engine: Stage) -> None:
    """Each attempt has work of its own; one that ended by itself is not stopped."""
    run_id = engine.run(parked("long", seconds=100.0, said={"fails": "Preempted"}, retry=RetryPolicy(3)))
    assert engine.status(run_id) is RunStatus.FAILED
    assert len({token for _, token in engine.service.begun}) == 3
    assert engine.service.stopped == []
    assert engine.of(run_id).error == {"type": "Preempted", "message": "as it was told", "step": "long"}


# --- its end, told late, twice, to nobody -----------------------------------------------------------------------------------------


def test_an_end_that_is_told_twice_counts_once(engine: Stage) -> None:
    """The second is refused, whatever it says, and noted."""
    run_id = engine.trigger(engine.define(parked("long"), ask("gate", "long")))
    engine.play(60)
    token = token_of(engine, run_id)
    settle(engine, run_id, token, result=1)
    engine.play(60)
    settle(engine, run_id, token, result=2)
    settle(engine, run_id, token, fails="Late")
    engine.play(60)
    assert engine.result(run_id, "long") == 1
    assert types(engine, run_id).count(EventType.STEP_COMPLETED) == 1
    late = engine.events(run_id, EventType.LATE_REFUSED)
    assert [event.data for event in late] == [{"token": token, "reason": "the step is completed"}] * 2


def test_an_end_after_the_run_is_refused_and_noted_in_its_log(engine: Stage) -> None:
    """The journal of an ended run takes nothing more; its log says what came."""
    run_id = engine.trigger(engine.define(parked("long")))
    engine.play(60)
    token = token_of(engine, run_id)
    engine.services.cancel_run(PROJECT, run_id, "ada")
    before = engine.events(run_id)
    settle(engine, run_id, token, result=1)
    engine.play(60)
    assert engine.events(run_id) == before
    assert engine.status(run_id) is RunStatus.CANCELED
    (line,) = engine.stores["logs"].read(run_id, None, 10)
    assert (line.path, line.level) == ("long", "warning")
    assert line.message == "the end of the step's work came too late and was refused: the run is canceled"


def test_the_end_of_an_attempt_before_the_live_one_is_refused(engine: Stage) -> None:
    """Its token is old; the live attempt goes on."""
    run_id = engine.trigger(engine.define(parked("long", said={"deadline": 100.0}, retry=TWICE)))
    engine.play(60)
    old = token_of(engine, run_id)
    engine.play(60)
    settle(engine, run_id, old, result="old")
    engine.play(1)
    (late,) = engine.events(run_id, EventType.LATE_REFUSED)
    assert late.data == {"token": old, "reason": "attempt 2 is the live one"}
    settle(engine, run_id, token_of(engine, run_id), result="new")
    engine.play()
    assert engine.result(run_id, "long") == "new"


def test_an_end_in_the_rest_between_two_attempts_is_refused(engine: Stage) -> None:
    """The attempt has failed; the next one is not begun sooner by it."""
    run_id = engine.trigger(
        engine.define(parked("long", said={"deadline": 100.0}, retry=RetryPolicy(2, Strategy.FIXED, 500.0)))
    )
    engine.play(200)
    settle(engine, run_id, token_of(engine, run_id), result=1)
    engine.play(60)
    (late,) = engine.events(run_id, EventType.LATE_REFUSED)
    assert late.data["reason"] == "attempt 1 has failed already"
    assert len(engine.service.begun) == 1


def test_the_end_of_an_unknown_runs_work_is_nobodys_concern(engine: Stage) -> None:
    """Nothing is written, and the machine is not told to try again."""
    settle(engine, "019b76da-a800-7001-9ac3-55266f03675a", 4)
    assert set(engine.calls) == {"runs.load"}


@pytest.mark.parametrize("path", ["no", "long[0].no"])
def test_the_end_of_an_unknown_steps_work_is_refused(engine: Stage, path: str) -> None:
    """A step of an iteration that is no more, for one."""
    run_id = engine.trigger(engine.define(parked("long")))
    engine.play(60)
    settle(engine, run_id, token_of(engine, run_id), path)
    (late,) = engine.events(run_id, EventType.LATE_REFUSED)
    assert late.data["reason"] == "the step is no longer part of the run"


def test_what_can_not_be_read_fails_the_step(engine: Stage) -> None:
    """A fault of our own, which trying again would not mend; the work has ended, so nothing is stopped."""
    run_id = engine.run(parked("long", seconds=60.0, said={"breaks": True}, retry=TWICE))
    assert engine.status(run_id) is RunStatus.FAILED
    error = engine.of(run_id).error
    assert error is not None
    assert error["type"] == "EngineFault"
    assert "can't be read" not in error["message"]
    assert (engine.service.told, engine.service.stopped) == (1, [])


def test_work_that_ends_before_its_step_waits_for_it_counts(engine: Stage) -> None:
    """The machine may be faster than the burst that handed the work over."""
    run_id = engine.trigger(engine.define(parked("long", said={"result": 1}), call("after", "long")))

    def hook(when: str, name: str) -> None:
        if (when, name) == ("after", "parking.start"):
            settle(engine, run_id, token_of(engine, run_id), result="quick")

    engine.hooks.append(hook)
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "long") == "quick"
    assert engine.service.stopped == []


@pytest.mark.parametrize("first", ["end", "cancel"])
def test_an_end_that_races_a_cancel_is_one_or_the_other(engine: Stage, first: str) -> None:
    """Whichever is written first; the other finds it so."""
    run_id = engine.trigger(engine.define(parked("long"), ask("gate", "long")))
    engine.play(60)
    token = token_of(engine, run_id)
    acts = {
        "end": lambda: settle(engine, run_id, token, result=1),
        "cancel": lambda: engine.services.cancel_run(PROJECT, run_id, "ada"),
    }

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append"):
            engine.hooks.remove(hook)
            acts[first]()

    engine.hooks.append(hook)
    acts["cancel" if first == "end" else "end"]()
    engine.play(60)
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.steps(run_id)["long"] is (StepStatus.COMPLETED if first == "end" else StepStatus.CANCELED)
    assert engine.service.stopped == ([(run_id, token)] if first == "cancel" else [])


# --- deaths ------------------------------------------------------------------------------------------------------------------


def end_whatever_dies(when: str, nth: int, *, told_again: bool) -> bool:
    """The work ends, and the process that is told dies at that port call; False when it came to its end before."""
    engine = Stage()
    run_id = engine.trigger(engine.define(parked("long"), call("after", "long")))
    engine.play(60)
    token = token_of(engine, run_id)
    engine.die_at(when, None, nth)
    try:
        settle(engine, run_id, token, result={"rows": 3})
    except ProcessDied:
        died = True
    else:
        died = False
    engine.hooks.clear()
    booked = engine.events(run_id, EventType.STEP_COMPLETED) != []
    if told_again:
        settle(engine, run_id, token, result={"rows": 3})
    engine.service.live.clear()
    engine.sweep(times=1 if told_again else 12)
    if booked or told_again:
        assert engine.status(run_id) is RunStatus.COMPLETED
        assert engine.result(run_id, "long") == {"rows": 3}
        assert types(engine, run_id).count(EventType.STEP_COMPLETED) == 2
    else:
        assert engine.status(run_id) is RunStatus.FAILED
    return died


@pytest.mark.parametrize("told_again", [True, False])
def test_wherever_the_process_that_is_told_dies_the_end_counts_once(told_again: bool) -> None:
    """The machine tells it again; should it give up, what was booked goes on, and what was not counts as lost."""
    for when in ("before", "after"):
        nth = 1
        while end_whatever_dies(when, nth, told_again=told_again):
            nth += 1
        assert nth > 4


def test_a_run_that_lost_only_the_wake_goes_on_within_two_minutes(engine: Stage) -> None:
    """What was booked is not left until the next look at a run that nobody was expected to wake."""
    run_id = engine.trigger(engine.define(parked("long"), call("after", "long")))
    engine.play(6 * HOUR)
    engine.sweep()
    engine.die_at("before", "runs.wake")
    with pytest.raises(ProcessDied):
        settle(engine, run_id, token_of(engine, run_id))
    engine.sweep(times=2)
    assert engine.status(run_id) is RunStatus.COMPLETED


# --- time and restarts -------------------------------------------------------------------------------------------------------


def test_a_deadline_ends_the_step_and_stops_the_work(engine: Stage) -> None:
    """At its second, by a timer of its own; a result that comes after it is refused."""
    run_id = engine.trigger(
        engine.define(
            parked("long", seconds=2 * HOUR, said={"deadline": HOUR}, on_failure=OnFailure.CONTINUE), ask("gate")
        )
    )
    engine.play(HOUR - 1)
    assert engine.steps(run_id)["long"] is StepStatus.RUNNING
    token = token_of(engine, run_id)
    engine.play(2)
    assert engine.steps(run_id)["long"] is StepStatus.FAILED
    assert engine.service.stopped == [(run_id, token)]
    settle(engine, run_id, token, result=1)
    engine.play(2 * HOUR)
    assert engine.steps(run_id)["long"] is StepStatus.FAILED


def test_a_lost_timer_does_not_keep_work_for_ever(engine: Stage) -> None:
    """The sweep sees the deadline too."""
    engine.lose.add("timers")
    run_id = engine.trigger(engine.define(parked("long", said={"deadline": 300.0})))
    engine.sweep(times=7)
    assert engine.status(run_id) is RunStatus.TIMED_OUT
    assert engine.service.live == set()


def test_a_restart_fails_no_run_whose_work_goes_on(engine: Stage) -> None:
    """However often the engine's machine is restarted: the work is on another."""
    run_id = engine.trigger(engine.define(parked("long", seconds=3 * HOUR), call("after", "long")))
    for _ in range(4):
        engine.play(1800)
        engine.services.sweep(leases_lapsed=True)
        engine.play(0)
        assert engine.steps(run_id)["long"] is StepStatus.RUNNING
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert len(engine.service.begun) == 1


@pytest.mark.parametrize(("retry", "status"), [(RetryPolicy(), RunStatus.CRASHED), (TWICE, RunStatus.COMPLETED)])
def test_work_that_was_lost_in_a_restart_fails_its_attempt_at_once(
    engine: Stage, retry: RetryPolicy, status: RunStatus
) -> None:
    """Its policy decides what follows."""
    run_id = engine.trigger(engine.define(parked("long", seconds=HOUR, retry=retry)))
    engine.play(20)
    engine.service.live.clear()
    engine.services.sweep(leases_lapsed=True)
    engine.play()
    assert engine.status(run_id) is status
    (failed,) = engine.events(run_id, EventType.STEP_FAILED)
    assert failed.data["error"]["type"] == "Crashed"


def test_work_that_ended_without_a_word_is_found_by_the_sweep(engine: Stage) -> None:
    """Somebody stopped the machine, or it could not tell: the run does not wait for ever."""
    run_id = engine.trigger(engine.define(parked("long", seconds=100.0, said={"dies": True})))
    engine.sweep(times=7)
    run = engine.of(run_id)
    assert run.status is RunStatus.CRASHED
    assert run.error is not None
    assert run.error["message"] == "the step's work on another service is over, and nobody told what it came to"


def test_an_end_that_is_being_told_while_the_sweep_looks_counts(engine: Stage) -> None:
    """What the sweep found is decided anew on what was written meanwhile."""
    run_id = engine.trigger(engine.define(parked("long", seconds=100.0, said={"dies": True})))
    engine.play(200)
    token = token_of(engine, run_id)

    def hook(when: str, name: str) -> None:
        if (when, name) == ("after", "parking.at_work"):
            engine.hooks.remove(hook)
            settle(engine, run_id, token, result=1)

    engine.hooks.append(hook)
    engine.sweep(times=7)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.events(run_id, EventType.STEP_FAILED) == []


def test_long_work_is_looked_at_ever_less_often(engine: Stage) -> None:
    """A day of work costs a few dozen looks, not one a minute."""
    run_id = engine.trigger(engine.define(parked("long", seconds=24 * HOUR)))
    engine.play(60)
    loads = engine.calls["runs.load"]
    engine.sweep(times=23 * 60)
    assert engine.status(run_id) is RunStatus.EXECUTING
    assert engine.calls["runs.load"] - loads <= 40
    assert engine.calls["parking.at_work"] <= 40


def test_a_service_that_can_not_be_asked_fails_no_run(engine: Stage) -> None:
    """The sweep comes back."""

    def fail(when: str, name: str) -> None:
        if (when, name) == ("before", "parking.at_work"):
            raise RuntimeError("throttled")

    engine.hooks.append(fail)
    run_id = engine.trigger(engine.define(parked("long", seconds=HOUR)))
    engine.sweep(times=20)
    assert engine.status(run_id) is RunStatus.EXECUTING
    engine.hooks.clear()
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_busy_run_hears_of_its_work_all_the_same(engine: Stage) -> None:
    """Appends that are lost to other writers are decided again."""
    run_id = engine.trigger(engine.define(parked("long"), call("after", "long")))
    engine.play(60)
    lost = [3]

    def lose(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and lost[0]:
            lost[0] -= 1
            raise AppendConflict(run_id)

    engine.hooks.append(lose)
    settle(engine, run_id, token_of(engine, run_id))
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("after")) == 1


def test_work_of_a_paused_run_ends_and_the_run_goes_on_when_resumed(engine: Stage) -> None:
    """What was under way may end; nothing begins."""
    run_id = engine.trigger(engine.define(parked("long", seconds=100.0), call("after", "long")))
    engine.play(60)
    engine.services.hold.pause(PROJECT, run_id, "ada")
    engine.play(600)
    engine.sweep(times=3)
    assert engine.steps(run_id) == {"long": StepStatus.COMPLETED, "after": StepStatus.PENDING}
    with pytest.raises(Conflict):
        engine.services.operate_step.skip(PROJECT, run_id, "long", by="ada")
    engine.services.hold.resume(PROJECT, run_id, "ada")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
