"""What all step kinds share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Outcome
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.fields import Fields, config_problems, rendered_fault

MINUTE = 60.0
FUNCTION_SECONDS = 14 * MINUTE
"""The longest a step may take that runs in a function: a minute below Lambda's own limit."""
YEAR = 366 * 24 * 3600.0


class Kind(ABC):
    """Checks the config, before and after it is rendered, and refuses a body; a kind says the rest. See the port StepKind."""

    name: str
    pure: bool = False
    sees_scope: bool = False
    sees_steps: bool = True
    starts_child: bool = False
    attempt_seconds: float = float("inf")
    raw: frozenset[str] = frozenset()
    default_timeout: float = MINUTE
    max_timeout: float = FUNCTION_SECONDS
    fields: ClassVar[Fields]
    body_needed: bool = False

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions

    def problems(self, step: StepDef) -> list[Problem]:
        """The faults of a step's config, with places from the config's root."""
        found = config_problems(step, self.fields, self.expressions, self.raw)
        if self.body_needed and not step.body:
            found.append(Problem(("steps",), "required: at least one step", "missing"))
        if step.body and not self.body_needed:
            found.append(Problem(("steps",), f"{step.kind} has no body", "unknown_field"))
        return found + self.more_problems(step)

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Faults that no single field shows."""
        return []

    def enact(self, call: StepCall) -> Outcome:
        """Does one attempt, unless the rendered config is wrong."""
        return rendered_fault(call.config, self.fields) or self.perform(call)

    def leaves(self, step: StepDef) -> str | None:
        """What an attempt leaves at work elsewhere; see the port."""
        return None

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """What an attempt comes to whose parked work has ended; only kinds that park work are asked."""
        raise TypeError(f"{call.step.define.kind} parks no work")

    @abstractmethod
    def perform(self, call: StepCall) -> Outcome:
        """Does one attempt on a config that passed its checks."""

    def expression_problem(self, step: StepDef, field: str) -> list[Problem]:
        """The syntax fault of a raw expression field."""
        expression = step.config.get(field)
        fault = self.expressions.fault(expression) if isinstance(expression, str) and expression.strip() else None
        return [Problem((field,), f"bad expression: {fault}", "bad_expression")] if fault else []
