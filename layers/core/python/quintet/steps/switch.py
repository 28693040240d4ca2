"""switch: evaluates one expression; later steps' `when` decide by its value."""

from typing import ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.services.ports.steps import ExpressionFailed, StepCall
from quintet.steps.fields import Field, Fields, text
from quintet.steps.kind import Kind


class SwitchKind(Kind):
    """`expression`; the result is {value}."""

    name = "switch"
    pure = True
    raw = frozenset({"expression"})
    fields: ClassVar[Fields] = {"expression": Field(text(), required=True)}

    def more_problems(self, step: StepDef) -> list[Problem]:
        """The expression's syntax."""
        return self.expression_problem(step, "expression")

    def perform(self, call: StepCall) -> Outcome:
        """The expression's value now."""
        try:
            return Completed({"value": self.expressions.evaluate(call.config["expression"], call.scope())})
        except ExpressionFailed as failure:
            return Failed(StepError("ExpressionFailed", str(failure), retryable=False))
