"""Runs of plain DAGs, from trigger to end."""

from itertools import pairwise

import pytest
from engine_stage import Stage, call, rest, step, url

from quintet.domain.definition import OnFailure, RetryPolicy, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.ports.http import HttpFault


def test_a_dag_runs_in_order_of_its_dependencies(engine: Stage) -> None:
    """Every step starts after all it depends on, whatever order it was written in."""
    run_id = engine.run(call("d", "b", "c"), call("b", "a"), call("c", "a"), call("a"))
    assert engine.status(run_id) is RunStatus.COMPLETED
    called = [request.url for request in engine.http.calls]
    assert called[0] == url("a")
    assert called[-1] == url("d")
    assert sorted(called) == [url(key) for key in "abcd"]


def test_a_slow_branch_holds_up_nobody(engine: Stage) -> None:
    """The next step of a fast branch starts while a slow one is still under way."""
    engine.http.on(url("slow"), 200, seconds=40)
    run_id = engine.run(call("slow"), call("fast"), call("next", "fast"), call("join", "slow", "next"))
    started = {event.path: event.at for event in engine.events(run_id, EventType.STEP_STARTED)}
    assert started["next"] == started["slow"]
    assert (started["join"] - started["slow"]).total_seconds() == 40


def test_expressions_see_input_and_results(engine: Stage) -> None:
    """A template reads the run's input and what earlier steps made."""
    run_id = engine.run(
        step("a", config={"values": {"n": "{% input.n + 1 %}"}}),
        step("b", "a", config={"values": {"n": "{% steps.a.n * 2 %}", "text": "is {% steps.a.n %}"}}),
        given={"n": 4},
    )
    assert engine.result(run_id, "b") == {"n": 10, "text": "is 5"}


def test_an_expression_that_fails_fails_its_step_for_good(engine: Stage) -> None:
    """A template that can't be evaluated is the author's fault: no further attempt."""
    broken = step("a", config={"values": {"n": "{% $error('no') %}"}}, retry=RetryPolicy(5))
    run_id = engine.run(broken)
    assert engine.status(run_id) is RunStatus.FAILED
    error = engine.of(run_id).error
    assert error is not None
    assert error["type"] == "ExpressionFailed"
    assert engine.state(run_id).steps["a"].attempt == 1


@pytest.mark.parametrize(
    ("condition", "found"), [("input.n > 1", StepStatus.COMPLETED), ("input.n > 9", StepStatus.SKIPPED)]
)
def test_a_condition_decides_whether_a_step_runs(engine: Stage, condition: str, found: StepStatus) -> None:
    """A step whose condition is false is skipped, and the run completes."""
    run_id = engine.run(call("a", when=condition), given={"n": 2})
    assert engine.steps(run_id) == {"a": found}
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_switch_chooses_a_branch(engine: Stage) -> None:
    """Of two branches, the one that the switch names runs; what joins them runs too."""
    run_id = engine.run(
        step("which", kind="switch", config={"expression": "input.n > 1 ? 'many' : 'one'"}),
        call("many", "which", when="steps.which.value = 'many'"),
        call("one", "which", when="steps.which.value = 'one'"),
        call("join", "many", "one"),
        given={"n": 3},
    )
    found = engine.steps(run_id)
    assert (found["many"], found["one"], found["join"]) == (
        StepStatus.COMPLETED,
        StepStatus.SKIPPED,
        StepStatus.COMPLETED,
    )


def test_a_failed_step_is_tried_again_after_its_delay(engine: Stage) -> None:
    """Attempts follow each other at the delays of the policy, under one idempotency key."""
    engine.http.on(url("a"), 500, 503, 200)
    run_id = engine.run(call("a", retry=RetryPolicy(3, Strategy.EXPONENTIAL, 4.0)))
    started = [event.at for event in engine.events(run_id, EventType.STEP_STARTED)]
    assert [(b - a).total_seconds() for a, b in pairwise(started)] == [4.0, 8.0]
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert len({request.headers["Idempotency-Key"] for request in engine.http.calls}) == 1


def test_an_endpoints_own_wish_lengthens_the_delay(engine: Stage) -> None:
    """Retry-After is kept to when it asks for more than the policy."""
    engine.http.on(url("a"), (429, {"$headers": {"retry-after": "120"}}), 200)
    run_id = engine.run(call("a", retry=RetryPolicy(2, Strategy.FIXED, 1.0)))
    first, second = (event.at for event in engine.events(run_id, EventType.STEP_STARTED))
    assert (second - first).total_seconds() == 120


def test_a_last_failed_attempt_fails_the_run(engine: Stage) -> None:
    """When no attempt is left the run fails with the step's error, and nothing else starts."""
    engine.http.on(url("a"), 500)
    run_id = engine.run(call("a", retry=RetryPolicy(3, Strategy.FIXED, 1.0)), call("b", "a"))
    assert engine.http.count(url("a")) == 3
    assert engine.http.count(url("b")) == 0
    run = engine.of(run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert (run.error["type"], run.error["step"]) == ("HttpStatus", "a")
    assert engine.steps(run_id)["b"] is StepStatus.CANCELED


def test_what_trying_again_cannot_mend_is_tried_once(engine: Stage) -> None:
    """A 404 has no second attempt."""
    engine.http.on(url("a"), 404)
    engine.run(call("a", retry=RetryPolicy(5)))
    assert engine.http.count(url("a")) == 1


@pytest.mark.parametrize(
    ("policy", "run", "after", "beside"),
    [
        (OnFailure.FAIL, RunStatus.FAILED, StepStatus.CANCELED, StepStatus.CANCELED),
        (OnFailure.FAIL_LATER, RunStatus.FAILED, StepStatus.SKIPPED, StepStatus.COMPLETED),
        (OnFailure.SKIP_DEPENDANTS, RunStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.COMPLETED),
        (OnFailure.CONTINUE, RunStatus.COMPLETED, StepStatus.COMPLETED, StepStatus.COMPLETED),
    ],
)
def test_a_failure_means_what_its_policy_says(
    engine: Stage, policy: OnFailure, run: RunStatus, after: StepStatus, beside: StepStatus
) -> None:
    """Fail the run, now or when all else has ended, skip what depends on the step, or go on as if nothing had happened."""
    engine.http.on(url("bad"), 400)
    run_id = engine.run(call("bad", on_failure=policy), call("after", "bad"), rest("beside", seconds=100))
    assert engine.status(run_id) is run
    found = engine.steps(run_id)
    assert (found["bad"], found["after"], found["beside"]) == (StepStatus.FAILED, after, beside)


def test_a_short_wait_stays_with_its_burst_and_a_long_one_lets_it_go(engine: Stage) -> None:
    """A wait of seconds costs no new burst; a long one parks the run, which then holds nothing."""
    engine.run(rest("short", seconds=15))
    assert (engine.calls["bursts.start"], engine.calls["timers.start"]) == (1, 0)
    run_id = engine.trigger(engine.define(rest("long", seconds=3600)))
    engine.play(10)
    assert engine.status(run_id) is RunStatus.WAITING
    assert not engine.stores["runs"].load(run_id).active
    before = engine.clock.now()
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert (engine.clock.now() - before).total_seconds() == 3590
    assert engine.calls["bursts.start"] == 3


def test_a_run_that_takes_too_long_times_out(engine: Stage) -> None:
    """The run's own time bound ends it at its second, with everything in it."""
    run_id = engine.run(rest("long", seconds=3600), call("after", "long"), timeout=90.0)
    run = engine.of(run_id)
    assert run.status is RunStatus.TIMED_OUT
    assert run.duration == 90.0
    assert set(engine.steps(run_id).values()) == {StepStatus.CANCELED}


def test_a_run_times_out_while_an_attempt_is_under_way(engine: Stage) -> None:
    """A slow endpoint doesn't keep a run alive beyond its bound, and its answer counts no more."""
    engine.http.on(url("slow"), 200, seconds=50)
    run_id = engine.run(call("slow"), timeout=20.0)
    run = engine.of(run_id)
    assert (run.status, run.duration) == (RunStatus.TIMED_OUT, 20.0)
    assert engine.events(run_id)[-1].type is EventType.RUN_TIMED_OUT


def test_an_endpoint_that_does_not_answer_in_time_is_tried_again(engine: Stage) -> None:
    """The step's timeout reaches the client, and its fault follows the retry policy."""
    engine.http.on(url("a"), HttpFault("Timeout", "no answer", retryable=True), 200)
    run_id = engine.run(call("a", timeout=5.0, retry=RetryPolicy(2, Strategy.FIXED, 1.0)))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert {request.timeout for request in engine.http.calls} == {5.0}


def test_an_attempt_that_never_returns_is_given_up(engine: Stage) -> None:
    """An attempt silent beyond its timeout and the grace counts as timed out; its outcome, come late, is refused and noted."""
    engine.http.on(url("a"), 200, seconds=100)
    run_id = engine.run(call("a", timeout=10.0, on_failure=OnFailure.CONTINUE), rest("other", seconds=300))
    assert engine.state(run_id).steps["a"].error == {"type": "Timeout", "message": "the step's time is over"}
    refused = engine.events(run_id, EventType.LATE_REFUSED)
    assert [event.path for event in refused] == ["a"]
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_fault_inside_a_kind_is_an_error_of_the_step(engine: Stage) -> None:
    """What a kind did not foresee fails the attempt, not the engine."""
    engine.http.on(url("a"), ValueError("unforeseen"), 200)
    run_id = engine.run(call("a", retry=RetryPolicy(2, Strategy.FIXED, 1.0)))
    assert engine.status(run_id) is RunStatus.COMPLETED
    failed = engine.events(run_id, EventType.STEP_FAILED)
    assert failed[0].data["error"]["type"] == "EngineFault"


def test_the_pool_bounds_what_runs_at_once(engine: Stage) -> None:
    """Of 200 ready steps no more than the pool holds run at a time, and all run."""
    for index in range(200):
        engine.http.on(url(f"s{index}"), 200, seconds=1 + index % 3)
    run_id = engine.run(*[call(f"s{index}") for index in range(200)])
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.most_at_once == 64


def test_a_retry_that_is_due_waits_for_a_place_in_the_pool_without_spinning(engine: Stage) -> None:
    """A full pool and a due retry: the burst waits for a place, not for time."""
    engine.pool_size = 2
    engine.http.on(url("x"), 500, 200)
    engine.http.on(url("a"), 200, seconds=50)
    engine.http.on(url("b"), 200, seconds=50)
    run_id = engine.run(call("x", retry=RetryPolicy(2, Strategy.FIXED, 1.0)), call("a"), call("b"))
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_an_old_slice_hands_over_and_a_due_retry_runs_in_the_next_burst(engine: Stage) -> None:
    """A burst near its end starts nothing new: it hands over to a new burst under a new epoch, at once."""
    for key in "abc":
        engine.http.on(url(key), 200, seconds=50)
    engine.http.on(url("d"), 500, 200, seconds=51)
    run_id = engine.run(
        call("a"), call("b", "a"), call("c", "b"), call("d", "c", retry=RetryPolicy(2, Strategy.FIXED, 0.5))
    )
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert [event.data["epoch"] for event in engine.events(run_id, EventType.BURST_CLAIMED)] == [1, 2]
    assert engine.of(run_id).duration == 252.5
