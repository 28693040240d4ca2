"""Steps that only a failure releases, failures that let the rest go on, and steps that end their run."""

from typing import Any

import pytest
from engine_stage import Stage, call, rest, url

from quintet.domain.definition import OnFailure, StepDef
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus


def rescue(**fields: Any) -> StepDef:
    """A step that is enacted when another has failed."""
    return call("rescue", rescue=True, **fields)


def ends(key: str, status: str, *needed: str) -> StepDef:
    """A step that ends its run."""
    return StepDef(key, "terminate", depends_on=needed, config={"status": status, "reason": "enough", "output": 7})


def test_without_a_failure_a_rescue_step_is_skipped(engine: Stage) -> None:
    """The run completes with the result of its other steps."""
    run_id = engine.run(call("a"), rescue())
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.steps(run_id) == {"a": StepStatus.COMPLETED, "rescue": StepStatus.SKIPPED}
    assert engine.http.count(url("rescue")) == 0


def test_a_failure_cancels_the_rest_and_releases_the_rescue_step(engine: Stage) -> None:
    """The rescue step runs before the run fails by the first failure."""
    engine.http.on(url("a"), 400)
    run_id = engine.run(call("a"), rest("b", seconds=1000), call("c", "a"), rescue())
    assert engine.status(run_id) is RunStatus.FAILED
    steps = engine.steps(run_id)
    assert steps["a"] is StepStatus.FAILED and steps["rescue"] is StepStatus.COMPLETED
    assert steps["b"] is StepStatus.CANCELED
    assert (engine.state(run_id).error or {})["step"] == "a"


def test_a_failing_rescue_step_changes_nothing_of_the_failure(engine: Stage) -> None:
    """The run's error is still the first one."""
    engine.http.on(url("a"), 400)
    engine.http.on(url("rescue"), 400)
    run_id = engine.run(call("a"), rescue())
    assert engine.status(run_id) is RunStatus.FAILED
    assert (engine.state(run_id).error or {})["step"] == "a"
    assert engine.steps(run_id)["rescue"] is StepStatus.FAILED


def test_a_rescue_step_sees_what_failed(engine: Stage) -> None:
    """Its templates read the failed step and its error."""
    engine.http.on(url("a"), 400)
    seen = StepDef(
        "rescue", "set", rescue=True, config={"values": {"who": "{% failed.step %}", "why": "{% failed.error.type %}"}}
    )
    run_id = engine.run(call("a"), seen)
    assert engine.state(run_id).steps["rescue"].result["who"] == "a"
    assert engine.state(run_id).steps["rescue"].result["why"]


def test_a_canceled_run_releases_no_rescue_step(engine: Stage) -> None:
    """Rescue is for failures."""
    run_id = engine.trigger(engine.define(rest("a", seconds=1000), rescue()))
    engine.play(1)
    engine.services.cancel_run("project", run_id, "me")
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED
    assert engine.http.count(url("rescue")) == 0


def test_a_draining_failure_lets_the_rest_end_first(engine: Stage) -> None:
    """What does not depend on the failed step completes; what does is skipped; then the run fails."""
    engine.http.on(url("a"), 400)
    run_id = engine.run(
        call("a", on_failure=OnFailure.FAIL_LATER), rest("b", seconds=100), call("c", "b"), call("d", "a"), rescue()
    )
    assert engine.status(run_id) is RunStatus.FAILED
    steps = engine.steps(run_id)
    assert steps["c"] is StepStatus.COMPLETED and steps["d"] is StepStatus.SKIPPED
    assert steps["rescue"] is StepStatus.COMPLETED
    assert (engine.state(run_id).error or {})["step"] == "a"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("completed", RunStatus.COMPLETED), ("failed", RunStatus.FAILED), ("canceled", RunStatus.CANCELED)],
)
def test_a_step_ends_its_run(engine: Stage, status: str, expected: RunStatus) -> None:
    """What is under way or to come is canceled, also from inside a loop."""
    run_id = engine.run(rest("b", seconds=1000), call("a"), ends("end", status, "a"), call("later", "end"))
    assert engine.status(run_id) is expected
    steps = engine.steps(run_id)
    assert steps["end"] is StepStatus.COMPLETED and steps["b"] is StepStatus.CANCELED
    assert engine.http.count(url("later")) == 0
    assert engine.stores["runs"].load(run_id).active is False


def test_a_step_ends_its_run_from_inside_a_loop(engine: Stage) -> None:
    """The loop and its iteration are canceled with the rest."""
    loop = StepDef("loop", "loop", config={"while": "true"}, body=(call("a"), ends("end", "completed", "a")))
    run_id = engine.run(loop)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("a")) == 1


def test_variables_are_seen_by_every_later_step(engine: Stage) -> None:
    """What a step sets everywhere, later steps read, also those that don't depend on it; dotted names lie inside others."""

    read = StepDef("read", "set", depends_on=("b",), config={"values": {"all": "{% variables %}"}})
    run_id = engine.run(
        StepDef("a", "set", config={"values": {"x": {"deep": 1}, "y": 1}, "everywhere": True}),
        StepDef("b", "set", depends_on=("a",), config={"values": {"x.other": 2, "y": 2}, "everywhere": True}),
        read,
    )
    assert engine.state(run_id).steps["read"].result == {"all": {"x": {"deep": 1, "other": 2}, "y": 2}}


def test_a_late_step_is_said_late_and_goes_on(engine: Stage) -> None:
    """Alerts come once an attempt, at their time, and change nothing else."""
    engine.late["carriers"] = 50
    slow = call("a", timeout=300.0, alert_after=20.0)
    run_id = engine.trigger(engine.define(slow, rest("w", seconds=100, alert_after=30.0)))
    engine.play()
    alerts = engine.events(run_id, EventType.STEP_ALERTED)
    began = engine.state(run_id).created_at
    assert began is not None
    assert sorted((event.path, round((event.at - began).total_seconds())) for event in alerts) == [("a", 20), ("w", 30)]
    assert engine.status(run_id) is RunStatus.COMPLETED
