"""Checks a DAG of steps and says every fault with its place, before anything is stored."""

import re
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from quintet.domain.definition import Plan, StepDef
from quintet.domain.errors import Problem

MAX_STEPS = 2500
MAX_DEPTH = 8
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")

Place = tuple[str | int, ...]


def problems(steps: Sequence[StepDef], place: Place = ("steps",), body_field: str = "steps") -> list[Problem]:
    """Every structural fault of the steps and their bodies; `body_field` is what the API calls a body."""
    found = _frame(steps, place, body_field, 1)
    total = sum(1 for _ in Plan(tuple(steps)).walk())
    if total > MAX_STEPS:
        found.append(Problem(place, f"{total} steps; at most {MAX_STEPS} are allowed", "too_long"))
    return found


def _frame(steps: Sequence[StepDef], place: Place, body_field: str, depth: int) -> list[Problem]:
    if depth > MAX_DEPTH:
        return [Problem(place, f"bodies nest deeper than {MAX_DEPTH}", "too_deep")]
    found: list[Problem] = []
    keys: set[str] = set()
    for index, step in enumerate(steps):
        if not KEY.fullmatch(step.key):
            message = "a key is 1 to 64 of letters, digits, _ and - and does not begin with -"
            found.append(Problem((*place, index, "key"), message, "bad_key"))
        if step.key in keys:
            found.append(Problem((*place, index, "key"), f"duplicate step key {step.key!r}", "duplicate_key"))
        keys.add(step.key)
    for index, step in enumerate(steps):
        found += _dependencies(step, keys, (*place, index, "dependsOn"))
        found += _rescue(step, steps, (*place, index), depth)
        if step.body:
            found += _frame(step.body, (*place, index, "config", body_field), body_field, depth + 1)
    return found + _cycle(steps, place)


def _rescue(step: StepDef, steps: Sequence[StepDef], place: Place, depth: int) -> list[Problem]:
    """A rescue step stands at the root, beside the order of the others."""
    if not step.rescue:
        return []
    found = []
    if depth > 1:
        found.append(Problem((*place, "rescue"), "only a step at the root can be a rescue", "bad_value"))
    if step.depends_on:
        found.append(Problem((*place, "dependsOn"), "a rescue step depends on nothing", "bad_value"))
    if dependant := next((other for other in steps if step.key in other.depends_on), None):
        found.append(Problem((*place, "key"), f"step {dependant.key!r} can't depend on a rescue step", "bad_value"))
    return found


def _dependencies(step: StepDef, keys: set[str], place: Place) -> list[Problem]:
    found = []
    for position, needed in enumerate(step.depends_on):
        if needed == step.key:
            found.append(Problem((*place, position), f"step {step.key!r} depends on itself", "cycle"))
        elif needed not in keys:
            found.append(Problem((*place, position), f"unknown step {needed!r}", "unknown_dependency"))
        elif needed in step.depends_on[:position]:
            found.append(Problem((*place, position), f"step {needed!r} is named twice", "duplicate_dependency"))
    return found


def _cycle(steps: Sequence[StepDef], place: Place) -> list[Problem]:
    known = {step.key for step in steps}
    edges = {step.key: [key for key in step.depends_on if key in known and key != step.key] for step in steps}
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        nodes = list(reversed(error.args[1]))
        index = next(i for i, step in enumerate(steps) if step.key == nodes[0])
        return [Problem((*place, index, "dependsOn"), f"cycle: {' -> '.join(nodes)}", "cycle")]
    return []


def topological(steps: Sequence[StepDef]) -> list[StepDef]:
    """The steps with every dependency before its dependants; ties keep their written order."""
    by_key = {step.key: step for step in steps}
    return [by_key[key] for key in TopologicalSorter({s.key: s.depends_on for s in steps}).static_order()]
