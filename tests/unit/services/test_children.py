"""Runs that call runs."""

from typing import Any

import pytest
from engine_stage import PROJECT, Stage, call, rest, step, url

from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy
from quintet.domain.events import EventType
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.children import MAX_DEPTH


def sub(job: Job, *needed: str, given: object = None, wait: bool = True, **fields: Any) -> StepDef:
    """A step that calls a job."""
    config = {"job_id": job.id, "input": given, "wait": wait}
    return step("sub", *needed, kind="subrun", config=config, **fields)


def children(engine: Stage, job: Job) -> list[Run]:
    """The runs of the called job."""
    return [run for run in engine.stores["runs"].page(PROJECT, None, 100, 0) if run.job_id == job.id]


def test_a_parent_goes_on_with_its_childs_result(engine: Stage) -> None:
    """The child gets its input, and its last step's result is the parent step's own."""
    child = engine.define(rest("w", seconds=100), step("out", "w", config={"values": {"n": "{% input.n * 2 %}"}}))
    run_id = engine.trigger(engine.define(sub(child, given={"n": "{% input.n %}"}), call("after", "sub")), {"n": 21})
    engine.play(50)
    assert engine.status(run_id) is RunStatus.WAITING
    assert engine.reasons(run_id) == ["child"]
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "sub") == {"n": 42}
    (found,) = children(engine, child)
    assert (found.depth, found.trigger.source_id) == (1, run_id)


def test_a_child_with_several_last_steps_gives_each_by_key(engine: Stage) -> None:
    """Its outputs are told apart by their keys."""
    child = engine.define(step("a"), step("b"))
    run_id = engine.run(sub(child))
    assert engine.result(run_id, "sub") == {"a": {"name": "a"}, "b": {"name": "b"}}


def test_not_waiting_goes_on_at_once(engine: Stage) -> None:
    """The step's result is the child's id; neither ends with the other."""
    child = engine.define(rest("w", seconds=500))
    run_id = engine.trigger(engine.define(sub(child, wait=False)))
    engine.play(1)
    (found,) = children(engine, child)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "sub") == {"runId": found.id}
    assert found.status is RunStatus.WAITING
    engine.play()
    assert engine.status(found.id) is RunStatus.COMPLETED


def test_a_failing_child_fails_the_step(engine: Stage) -> None:
    """The error names the child and what happened to it."""
    engine.http.on(url("bad"), 400)
    child = engine.define(call("bad"))
    run_id = engine.run(sub(child))
    (found,) = children(engine, child)
    error = engine.of(run_id).error
    assert error is not None
    assert error["type"] == "ChildRun"
    assert found.id in error["message"]
    assert "answered 400" in error["message"]


def test_a_failing_child_is_run_again_by_the_steps_policy(engine: Stage) -> None:
    """Each attempt has a child of its own."""
    engine.http.on(url("bad"), 400, 200)
    child = engine.define(call("bad"))
    run_id = engine.run(sub(child, retry=RetryPolicy(2, Strategy.FIXED, 1.0)))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert sorted(run.status for run in children(engine, child)) == [RunStatus.COMPLETED, RunStatus.FAILED]


def test_an_unknown_job_fails_the_step(engine: Stage) -> None:
    """Also one of another project; no attempt can mend it."""
    run_id = engine.run(step("sub", kind="subrun", config={"job_id": "nothing"}, retry=RetryPolicy(3)))
    error = engine.of(run_id).error
    assert error is not None
    assert error["type"] == "JobNotFound"
    assert engine.state(run_id).steps["sub"].attempt == 1


def test_a_job_that_calls_itself_ends(engine: Stage) -> None:
    """Below the greatest depth the call is refused, and the failure comes up through all parents."""
    job_id = engine.ids.new()
    engine.define(step("sub", kind="subrun", config={"job_id": job_id}), job_id=job_id)
    job = engine.services.jobs.get(PROJECT, job_id)
    run_id = engine.trigger(job)
    engine.play()
    assert engine.status(run_id) is RunStatus.FAILED
    found = children(engine, job)
    assert max(run.depth for run in found) == MAX_DEPTH
    assert {run.status for run in found} == {RunStatus.FAILED}


def test_cancel_reaches_children_and_grandchildren(engine: Stage) -> None:
    """Canceling a run cancels all that it waits for, inside loops and maps too."""
    grandchild = engine.define(rest("w", seconds=5000))
    child = engine.define(sub(grandchild))
    each = step("each", kind="map", config={"items": [1, 2]}, body=(sub(child),))
    run_id = engine.trigger(engine.define(each))
    engine.play(10)
    engine.services.cancel_run(PROJECT, run_id, "ada")
    assert {run.status for run in children(engine, child)} == {RunStatus.CANCELED}
    assert {run.status for run in children(engine, grandchild)} == {RunStatus.CANCELED}
    assert len(children(engine, grandchild)) == 2
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED


def test_a_canceled_child_fails_its_parents_step(engine: Stage) -> None:
    """The parent hears of it."""
    child = engine.define(rest("w", seconds=5000))
    run_id = engine.trigger(engine.define(sub(child, on_failure=OnFailure.CONTINUE), call("after", "sub")))
    engine.play(10)
    (found,) = children(engine, child)
    engine.services.cancel_run(PROJECT, found.id, "ada")
    engine.play()
    assert engine.steps(run_id) == {"sub": StepStatus.FAILED, "after": StepStatus.COMPLETED}


def test_a_timed_out_parent_cancels_its_child(engine: Stage) -> None:
    """Nothing of a run goes on after its time is over."""
    child = engine.define(rest("w", seconds=5000))
    run_id = engine.trigger(engine.define(sub(child), timeout=100.0))
    engine.play(200)
    assert engine.status(run_id) is RunStatus.TIMED_OUT
    assert [run.status for run in children(engine, child)] == [RunStatus.CANCELED]


def test_a_failed_parent_cancels_its_child(engine: Stage) -> None:
    """Nothing of a run goes on after it has failed."""
    engine.http.on(url("bad"), 400, seconds=50)
    child = engine.define(rest("w", seconds=5000))
    run_id = engine.trigger(engine.define(sub(child), call("bad")))
    engine.play(200)
    assert engine.status(run_id) is RunStatus.FAILED
    assert [run.status for run in children(engine, child)] == [RunStatus.CANCELED]


def test_a_subrun_step_that_times_out_cancels_its_child(engine: Stage) -> None:
    """A child nobody waits for any more doesn't go on beside its successor."""
    child = engine.define(rest("w", seconds=5000))
    run_id = engine.trigger(
        engine.define(sub(child, timeout=50.0, on_failure=OnFailure.CONTINUE), rest("w", seconds=400))
    )
    engine.play(200)
    assert engine.steps(run_id)["sub"] is StepStatus.FAILED
    assert [run.status for run in children(engine, child)] == [RunStatus.CANCELED]


def test_a_child_that_ends_while_the_parents_burst_is_dead_is_heard_of(engine: Stage) -> None:
    """The parent's next burst asks after its children."""
    child = engine.define(rest("w", seconds=100), step("out", "w"))
    run_id = engine.trigger(engine.define(sub(child)))
    engine.play(50)

    # The child's burst dies after its end is in its journal and before the parent hears of it.
    def hook(when: str, name: str) -> None:
        found = children(engine, child)
        if (when, name) == ("after", "runs.append") and found[0].status is RunStatus.COMPLETED:
            engine.hooks.remove(hook)
            engine.die_at("before", "runs.load")

    engine.hooks.append(hook)
    engine.play()
    assert engine.died
    assert engine.status(run_id) is RunStatus.WAITING
    engine.sweep(times=7)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "sub") == {"name": "out"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call_", ["runs.create", "bursts.start", "runs.append", "runs.rest"])
def test_a_parent_that_dies_while_it_calls_makes_no_second_live_child(engine: Stage, when: str, call_: str) -> None:
    """Wherever the parent's burst dies, it ends, and at most the child it waits for completes beside it."""
    child = engine.define(rest("w", seconds=100))
    run_id = engine.trigger(engine.define(sub(child, retry=RetryPolicy(3, Strategy.FIXED, 1.0))))
    engine.die_at(when, call_, 2 if call_ == "runs.append" else 1)
    engine.sweep(times=12)
    assert engine.died
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert all(run.status.terminal for run in children(engine, child))


def test_a_late_child_settles_nothing_twice(engine: Stage) -> None:
    """A child of an attempt that timed out ends unheard."""
    child = engine.define(rest("w", seconds=300))
    run_id = engine.run(sub(child, timeout=50.0, retry=RetryPolicy(2, Strategy.FIXED, 100.0)))
    assert engine.status(run_id) is RunStatus.TIMED_OUT
    assert len(engine.events(run_id, EventType.STEP_FAILED)) == 2
    assert not engine.events(run_id, EventType.STEP_COMPLETED)
