"""map: enacts its body once for every item of a list, many at a time."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed, Opens, Outcome, StepError
from quintet.services.ports.steps import ExpressionFailed, StepCall
from quintet.steps.fields import Field, Fields, number, rendered_fault
from quintet.steps.kind import YEAR, Kind

MAX_CONCURRENCY = 16
MAX_ITEMS = 10_000


class MapKind(Kind):
    """`items`, `max_concurrency`, `tolerate_failures`, and a body; the result is a list in the items' order.

    A member is the item's output: the result of the body's last step, or {key: result} when several steps end the body; null for an item
    that failed within the tolerance. Items count from 0.
    """

    name = "map"
    default_timeout = YEAR
    max_timeout = YEAR
    body_needed = True
    fields: ClassVar[Fields] = {
        "items": Field(lambda value: None if isinstance(value, (list, tuple)) else "must be a list", required=True),
        "max_concurrency": Field(number(1, 1000, whole=True)),
        "tolerate_failures": Field(number(0, 1_000_000, whole=True)),
    }

    def items(self, call: StepCall) -> list[Any]:
        """The items. Raises ExpressionFailed when they are no list, or too many, or a limit turned out as none."""
        if fault := self._limit_fault(call):
            raise ExpressionFailed(fault.error.message)
        found = call.config.get("items")
        if not isinstance(found, (list, tuple)):
            raise ExpressionFailed(f"items must be a list, not {type(found).__name__}")
        if len(found) > MAX_ITEMS:
            raise ExpressionFailed(f"{len(found)} items; at most {MAX_ITEMS} are allowed")
        return list(found)

    def perform(self, call: StepCall) -> Outcome:
        """The first move."""
        return self.turn(call)

    def turn(self, call: StepCall) -> Outcome:
        """Opens further items up to the concurrency, or ends the map."""
        step = call.step
        if fault := self._limit_fault(call):
            return fault
        tolerated = int(call.config.get("tolerate_failures") or 0)
        total = step.total or 0
        if step.broken > tolerated:
            return Failed(_too_many(call, tolerated))
        if step.closed >= total:
            return Completed(gathered(call))
        room = int(call.config.get("max_concurrency") or MAX_CONCURRENCY) - (step.opened - step.closed)
        return Opens(tuple(range(step.opened, min(total, step.opened + max(room, 0)))))

    def _limit_fault(self, call: StepCall) -> Failed | None:
        limits = {name: value for name, value in call.config.items() if name != "items"}
        return rendered_fault(limits, {name: field for name, field in self.fields.items() if name != "items"})


def gathered(call: StepCall) -> list[Any]:
    """The outputs of every item, in order; the seam at which a fan-out's stored item results come in instead."""
    last = sinks(call.step.define)
    return [_output(call, index, last) for index in range(call.step.total or 0)]


def sinks(define: StepDef) -> list[str]:
    """The body's steps that nothing in the body depends on."""
    needed = {key for inner in define.body for key in inner.depends_on}
    return [inner.key for inner in define.body if inner.key not in needed]


def _output(call: StepCall, index: int, last: list[str]) -> Any:
    if call.step.broken and call.failure(index) is not None:
        return None
    results: Mapping[str, Any] = call.results(index)
    return results.get(last[0]) if len(last) == 1 else {key: results[key] for key in last if key in results}


def _too_many(call: StepCall, tolerated: int) -> StepError:
    step = call.step
    failed = next((found for i in range(step.opened) if (found := call.failure(i)) is not None), None)
    message = f"{step.broken} of {step.total} items failed; {tolerated} tolerated"
    if failed:
        message += f"; the first: {failed.get('message')}"
    return StepError("ItemsFailed", message, details={"failed": step.broken, "total": step.total})
