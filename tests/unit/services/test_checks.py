"""What is refused before a job is stored, beyond its structure."""

import pytest
from engine_stage import Stage, call, step

from quintet.domain.definition import Plan, StepDef
from quintet.domain.errors import Invalid, Problem


def loop(*body: StepDef, until: str) -> StepDef:
    """A loop over a body."""
    return StepDef("loop", "loop", config={"until": until}, body=body)


def problems(engine: Stage, *steps: StepDef) -> list[Problem]:
    """The faults of a plan of these steps."""
    return engine.services.checks.problems(Plan(steps))


def test_expressions_that_read_no_step_are_refused(engine: Stage) -> None:
    """A misspelt key is named with its place and what may have been meant."""
    (found,) = problems(engine, call("fetch"), step("b", "fetch", when="steps.fecth.status = 200"))
    assert found.place == ("steps", 1, "when")
    assert found.message == "reads steps.fecth, but there is no such step; did you mean 'fetch'?"
    (found,) = problems(engine, step("a", config={"values": {"x": "{% steps.nobody.x %}"}}))
    assert (found.place, found.type) == (("steps", 0, "config", "values"), "unknown_step")


def test_bodies_see_the_steps_around_them_and_loops_their_own(engine: Stage) -> None:
    """But the steps around see nothing inside."""
    inner = step("inner", config={"values": {"x": "{% steps.outer %}"}})
    assert problems(engine, step("outer"), loop(inner, until="steps.inner.x = 1")) == []
    (found,) = problems(engine, loop(inner, until="true"), step("outer", when="steps.inner"))
    assert found.place == ("steps", 1, "when")


def test_defining_such_a_job_stores_nothing(engine: Stage) -> None:
    """The fault comes before anything is written."""
    with pytest.raises(Invalid):
        engine.define(step("a", when="steps.b"))
    assert engine.services.jobs.count("project", "automations", None) == 0
