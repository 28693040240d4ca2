"""What a workflow's steps come to before any of them runs: their levels, their picture, and what a payload would make of them. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from quintet.dialects.jobs.workflow_plans import (
    GraphEdge,
    GraphNode,
    GraphView,
    PlanLevel,
    PlannedStep,
    PlanView,
    RehearsedStep,
)
from quintet.dialects.jobs.workflow_steps import StepIn
from quintet.domain.truth import truth
from quintet.services.ports.steps import ExpressionFailed, Expressions, as_template

_UNFORESEEABLE = re.compile(r"\brun\b|\$(?:now|millis|random|shuffle|eval)\b|\$\$")
"""What an expression reads that only a run has, or that differs from one moment to the next."""

Outcome = Literal["runs", "skipped", "unknown"]


def levels(steps: Sequence[StepIn]) -> list[list[StepIn]]:
    """The steps by how many others must end before them, one after another; those of one level may run at once."""
    depth: dict[str, int] = {}
    for step in _in_order(steps):
        depth[step.step_ref] = 1 + max((depth[ref] for ref in step.depends_on or ()), default=-1)
    found: list[list[StepIn]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in steps:
        found[depth[step.step_ref]].append(step)
    return found


def _in_order(steps: Sequence[StepIn]) -> Iterator[StepIn]:
    """Every step after those it depends on; the steps are known to form a DAG."""
    dependants: dict[str, list[StepIn]] = {step.step_ref: [] for step in steps}
    unmet = {step.step_ref: len(step.depends_on or ()) for step in steps}
    for step in steps:
        for ref in step.depends_on or ():
            dependants[ref].append(step)
    ready = [step for step in steps if not unmet[step.step_ref]]
    for step in ready:
        yield step
        for dependant in dependants[step.step_ref]:
            unmet[dependant.step_ref] -= 1
            if not unmet[dependant.step_ref]:
                ready.append(dependant)  # the list is the queue that is gone through


def plan_view(workflow_id: str, version: int, steps: Sequence[StepIn]) -> PlanView:
    """Which steps run at once, in order."""
    found = [
        PlanLevel(level=number, steps=[PlannedStep(step_ref=step.step_ref, **_shown(step)) for step in level])
        for number, level in enumerate(levels(steps))
    ]
    return PlanView(workflow_id=workflow_id, version=version, levels=found, total_steps=len(steps))


def _shown(step: StepIn) -> dict[str, Any]:
    return {
        "step_type": str(step.type),
        "name": step.name or step.step_ref,
        "depends_on": list(step.depends_on or ()),
        "condition": step.condition,
        "on_failure": step.on_failure or "fail_workflow",
    }


def graph_view(workflow_id: str, version: int, steps: Sequence[StepIn]) -> GraphView:
    """The nodes and edges."""
    nodes = []
    for number, level in enumerate(levels(steps)):
        for step in level:
            fields = {name: value for name, value in _shown(step).items() if name != "depends_on"}
            nodes.append(GraphNode(id=step.step_ref, level=number, **fields))
    edges = [GraphEdge(source=ref, target=step.step_ref) for step in steps for ref in step.depends_on or ()]
    return GraphView(workflow_id=workflow_id, version=version, nodes=nodes, edges=edges)


_SHAPES: Mapping[str, tuple[str, str]] = {
    "approval": ("{{", "}}"),
    "wait_for_event": ("([", "])"),
    "sleep": ("([", "])"),
    "sub_workflow": ("[[", "]]"),
}


def mermaid(steps: Sequence[StepIn]) -> str:
    """The picture as a Mermaid flowchart. Nodes are numbered, since some step_refs are words of its language."""
    numbers = {step.step_ref: f"s{number}" for number, step in enumerate(steps)}
    lines = ["flowchart TD"]
    for step in steps:
        begin, end = _SHAPES.get(str(step.type), ("[", "]"))
        label = f"{step.name or step.step_ref}".replace('"', "#quot;").replace("\n", " ")
        lines.append(f'  {numbers[step.step_ref]}{begin}"{label}<br/><small>{step.type}</small>"{end}')
    for step in steps:
        arrow = "-. if .->" if step.condition is not None else "-->"
        lines += [f"  {numbers[ref]} {arrow} {numbers[step.step_ref]}" for ref in step.depends_on or ()]
    return "\n".join(lines) + "\n"


class Rehearsal:
    """What a payload would make of the steps, as far as it can be told: provided that no step fails."""

    def __init__(self, expressions: Expressions, payload: Any) -> None:
        self._expressions = expressions
        self._payload = payload

    def __call__(self, steps: Sequence[StepIn]) -> list[RehearsedStep]:
        """The steps in the order of their levels, each with what would become of it."""
        outcomes: dict[str, Outcome] = {}
        found = []
        for number, level in enumerate(levels(steps)):
            for step in level:
                outcome, reason = self._outcome(step, outcomes)
                outcomes[step.step_ref] = outcome
                found.append(
                    RehearsedStep(
                        step_ref=step.step_ref,
                        step_type=str(step.type),
                        level=number,
                        depends_on=list(step.depends_on or ()),
                        condition=step.condition,
                        outcome=outcome,
                        reason=reason,
                    )
                )
        return found

    def _outcome(self, step: StepIn, outcomes: Mapping[str, Outcome]) -> tuple[Outcome, str | None]:
        before = [outcomes[ref] for ref in step.depends_on or ()]
        if before and all(one == "skipped" for one in before):
            return "skipped", "every step it depends on is skipped"
        wanted, reason = self._wanted(step)
        if wanted is False:
            return "skipped", reason
        if before and "runs" not in before:
            return "unknown", "whether the steps it depends on run can't be known"
        return ("runs", None) if wanted else ("unknown", reason)

    def _wanted(self, step: StepIn) -> tuple[bool | None, str | None]:
        """What the condition says; None when only a run can tell."""
        if step.condition is None:
            return True, None
        reads = self._expressions.reads(as_template(step.condition))
        if reads is None or reads or _UNFORESEEABLE.search(step.condition):
            what = f"the results of {', '.join(sorted(reads))}" if reads else "what only a run knows"
            return None, f"its condition depends on {what}"
        try:
            value = self._expressions.evaluate(step.condition, {"input": self._payload, "steps": {}})
        except ExpressionFailed as error:
            return None, f"its condition fails, and the step with it: {error}"
        return (True, None) if truth(value) else (False, "its condition is false for this payload")
