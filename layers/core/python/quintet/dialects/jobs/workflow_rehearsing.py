"""Rehearses a workflow: every check that defining it does, and what a payload would make of its steps."""

from collections.abc import Iterator, Sequence
from typing import Any

from quintet.dialects.jobs import workflow_steps
from quintet.dialects.jobs.errors import field_path, sentence
from quintet.dialects.jobs.workflow_graph import Rehearsal
from quintet.dialects.jobs.workflow_plans import DryRunView, FieldFault
from quintet.dialects.jobs.workflow_steps import StepIn
from quintet.domain.definition import Plan
from quintet.domain.errors import Invalid, Problem
from quintet.web.engine import Engine

_STEPS = ("steps",)


def rehearse(engine: Engine, project: str, steps: Sequence[Any], payload: Any) -> DryRunView:
    """What is wrong with the steps, what may surprise, and the order in which they would run."""
    try:
        read = workflow_steps.read(steps, _STEPS)
        problems = _problems(engine, project, read)
    except Invalid as error:
        problems, read = error.problems, []
    if problems:
        return DryRunView(valid=False, errors=_told(problems), warnings=[], order=[])
    order = Rehearsal(engine.expressions, payload)(read)
    return DryRunView(valid=True, errors=[], warnings=_told(_warnings(engine, project, read)), order=order)


def _problems(engine: Engine, project: str, steps: list[StepIn]) -> list[Problem]:
    named = workflow_steps.faults(engine, project, steps, _STEPS)
    if misused := workflow_steps.misused(steps, _STEPS):
        return [*misused, *named]
    plan = Plan(workflow_steps.to_plan(steps, _STEPS))
    checked = workflow_steps.wire_problems(Invalid(engine.checks.problems(plan)), plan.steps, _STEPS)
    return [*checked.problems, *named]


def _warnings(engine: Engine, project: str, steps: list[StepIn]) -> Iterator[Problem]:
    named = {name for step in steps for name in (step.job_id, step.workflow_id) if name}
    disabled = {job.id for job in engine.jobs.get_many(project, sorted(named)) if job.status != "active"}
    for index, step in enumerate(steps):
        for field in ("job_id", "workflow_id"):
            if getattr(step, field) in disabled:
                yield Problem((*_STEPS, index, field), "it is disabled: the step would fail")
        if step.type == "wait_for_event" and step.timeout_secs is None:
            yield Problem((*_STEPS, index, "timeout_secs"), "without one the step fails after 30 days")
        if step.type == "approval" and step.timeout_secs is None:
            yield Problem((*_STEPS, index, "timeout_secs"), "without one the step waits until the run ends")


def _told(problems: Sequence[Problem] | Iterator[Problem]) -> list[FieldFault]:
    return [FieldFault(field=field_path(p.place), message=sentence(p.message)) for p in problems]
