"""Checks a plan before it is stored: structure, kinds, configs, expressions; every fault with its place."""

from difflib import get_close_matches
from typing import Any

from quintet.domain import graph
from quintet.domain.definition import Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Problem
from quintet.services.ports.steps import Expressions, StepKinds, as_template

MAX_ATTEMPTS = 100
MAX_DELAY_SECONDS = 86_400.0 * 30
MAX_RUN_SECONDS = 86_400.0 * 365


class Checks:
    """Finds what is wrong with a plan."""

    def __init__(self, kinds: StepKinds, expressions: Expressions) -> None:
        self._kinds = kinds
        self._expressions = expressions

    def problems(self, plan: Plan) -> list[Problem]:
        """Every fault of the plan; places begin with `steps`, then the index, then core field names."""
        found = graph.problems(plan.steps)
        if not plan.steps:
            found.append(Problem(("steps",), "at least one step is needed", "too_short"))
        if plan.timeout is not None and not 0 < plan.timeout <= MAX_RUN_SECONDS:
            found.append(
                Problem(("timeout",), f"must be above 0 and at most {MAX_RUN_SECONDS:g} seconds", "out_of_range")
            )
        return found + self._steps(plan.steps, ("steps",))

    def _steps(
        self, steps: tuple[StepDef, ...], place: graph.Place, outer: frozenset[str] = frozenset(), depth: int = 1
    ) -> list[Problem]:
        """`outer`: the keys of the frames around, which expressions see too."""
        found: list[Problem] = []
        visible = outer | {step.key for step in steps}
        for index, step in enumerate(steps):
            here = (*place, index)
            faults = self._step(step, here)
            found += faults or self._misread(step, visible | {inner.key for inner in step.body}, here)
            if depth < graph.MAX_DEPTH:  # deeper is a fault of its own, already found
                found += self._steps(step.body, (*here, "config", "steps"), visible, depth + 1)
        return found

    def _misread(self, step: StepDef, visible: frozenset[str], here: graph.Place) -> list[Problem]:
        """Expressions that read steps which don't exist: they would be null, and silently take the wrong branch."""
        kind = self._kinds[step.kind]
        texts: dict[str, Any] = {} if step.when is None else {"when": as_template(step.when)}
        for name, value in step.config.items():
            if name not in kind.raw:
                texts[name] = value
            elif not kind.sees_scope:
                texts[name] = as_template(value)
        found = []
        for name, value in texts.items():
            place = (*here, name) if name == "when" else (*here, "config", name)
            for key in sorted((self._expressions.reads(value) or frozenset()) - visible):
                close = get_close_matches(key, visible, 1)
                meant = f"; did you mean {close[0]!r}?" if close else ""
                found.append(Problem(place, f"reads steps.{key}, but there is no such step{meant}", "unknown_step"))
        return found

    def _step(self, step: StepDef, here: graph.Place) -> list[Problem]:
        found = _retry(step.retry, (*here, "retry"))
        if step.when is not None and (fault := self._expressions.fault(step.when)):
            found.append(Problem((*here, "when"), fault, "bad_expression"))
        if step.kind not in self._kinds:
            known = ", ".join(sorted(self._kinds))
            return [*found, Problem((*here, "kind"), f"unknown kind {step.kind!r}; known are {known}", "unknown_kind")]
        kind = self._kinds[step.kind]
        if step.timeout is not None and not 0 < step.timeout <= kind.max_timeout:
            message = f"must be above 0 and at most {kind.max_timeout:g} seconds for {step.kind}"
            found.append(Problem((*here, "timeout"), message, "out_of_range"))
        return found + [Problem((*here, "config", *p.place), p.message, p.type) for p in kind.problems(step)]


def _retry(policy: RetryPolicy, place: graph.Place) -> list[Problem]:
    found = []
    if not 1 <= policy.max_attempts <= MAX_ATTEMPTS:
        found.append(Problem((*place, "max_attempts"), f"must be 1 to {MAX_ATTEMPTS}", "out_of_range"))
    for name, value in (("initial_delay", policy.initial_delay), ("max_delay", policy.max_delay)):
        if value is not None and not 0 <= value <= MAX_DELAY_SECONDS:
            found.append(Problem((*place, name), f"must be 0 to {MAX_DELAY_SECONDS:g} seconds", "out_of_range"))
    for index, value in enumerate(policy.delays):
        if not 0 <= value <= MAX_DELAY_SECONDS:
            found.append(
                Problem((*place, "delays", index), f"must be 0 to {MAX_DELAY_SECONDS:g} seconds", "out_of_range")
            )
    if policy.strategy is Strategy.CUSTOM and not policy.delays:
        found.append(Problem((*place, "delays"), "the custom strategy needs at least one delay", "missing"))
    if not 0 <= policy.jitter <= 1:
        found.append(Problem((*place, "jitter"), "must be 0 to 1", "out_of_range"))
    return found
