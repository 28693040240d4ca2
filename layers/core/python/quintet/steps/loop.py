"""loop: enacts its body again and again while, or until, an expression is true (do-while: at least once)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Completed, Failed, Opens, Outcome, StepError
from quintet.domain.truth import truth
from quintet.services.ports.steps import ExpressionFailed, StepCall
from quintet.steps.broken import failure_of
from quintet.steps.fields import Field, Fields, number, rendered_fault, text
from quintet.steps.kind import YEAR, Kind

MAX_ITERATIONS = 1000


class LoopKind(Kind):
    """`while` or `until`, `max_iterations`, and a body; the result is {iterations, last}, `last` being the last iteration's results.

    Iterations count from 1. The test sees the run's scope with the iteration's own results in `steps`, `iteration` and `last`.
    """

    name = "loop"
    raw = frozenset({"while", "until"})
    default_timeout = YEAR
    max_timeout = YEAR
    body_needed = True
    fields: ClassVar[Fields] = {
        "while": Field(text()),
        "until": Field(text()),
        "max_iterations": Field(number(1, 100_000, whole=True)),
    }

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Exactly one test, with good syntax."""
        given = [name for name in ("while", "until") if step.config.get(name) is not None]
        if len(given) != 1:
            return [Problem((), "needs while or until" if not given else "has both while and until", "bad_value")]
        return self.expression_problem(step, given[0])

    def items(self, call: StepCall) -> list[Any] | None:
        """A loop goes over nothing."""
        return None

    def perform(self, call: StepCall) -> Outcome:
        """The first move."""
        return self.turn(call)

    def turn(self, call: StepCall) -> Outcome:
        """Opens the next iteration, or ends the loop."""
        step = call.step
        if step.broken:
            return Failed(failure_of(call, step.closed))
        if step.closed < step.opened:
            return Opens()
        return rendered_fault(call.config, self.fields) or (self._judge(call) if step.closed else Opens((1,)))

    def _judge(self, call: StepCall) -> Outcome:
        """What the test says after an iteration."""
        done = call.step.closed
        results = call.results(done)
        try:
            again = self._again(call, results)
        except ExpressionFailed as failure:
            return Failed(StepError("ExpressionFailed", str(failure), retryable=False))
        if not again:
            return Completed({"iterations": done, "last": dict(results)})
        limit = int(call.config.get("max_iterations") or MAX_ITERATIONS)
        if done >= limit:
            message = f"the loop did not end within {limit} iterations"
            return Failed(StepError("LoopLimit", message, retryable=False, details={"iterations": done}))
        return Opens((done + 1,))

    def _again(self, call: StepCall, results: Mapping[str, Any]) -> bool:
        scope = dict(call.scope())
        scope["steps"] = {**scope.get("steps", {}), **results}
        scope["iteration"] = call.step.closed
        scope["last"] = dict(results)
        if (test := call.config.get("while")) is not None:
            return truth(self.expressions.evaluate(test, scope))
        return not truth(self.expressions.evaluate(call.config["until"], scope))
