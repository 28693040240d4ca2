"""JSONata expressions that are parsed once.

Fault: every evaluation parses its expression again and, when the result is null, parses a second one only to tell null from
undefined; that is most of the time a small execution takes.

Repair: parsed expressions are kept and lent to one evaluation at a time (they hold state while they run).

Asserted: the parsing lines of `_evaluate_jsonata`.
"""

from typing import Any

import jsonata
from jsonata.utils import Utils
from ministack.services import stepfunctions

from .source import rewrite

_TIMEOUT_MS = 1000  # AWS's limit of one evaluation
_KEPT = 2000
_parsed: dict[str, list[Any]] = {}


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """The expression's value; JSON null is None.

    Raises:
        _ExecutionError: the value is undefined, which JSON can't carry.
    """
    spare = _parsed.get(expression)
    try:
        parsed = spare.pop() if spare else _parse(expression)
    except IndexError:  # another thread took the last one
        parsed = _parse(expression)
    parsed.environment.set_runtime_bounds(_TIMEOUT_MS, None)
    jsonata.Jsonata.CURRENT.jsonata = parsed
    value = parsed.evaluate(None, bindings)
    if len(_parsed) >= _KEPT:
        _parsed.clear()
    _parsed.setdefault(expression, []).append(parsed)
    if value is None:
        raise stepfunctions._ExecutionError(
            "States.QueryEvaluationError", f"JSONata expression did not return a result: {expression}"
        )
    return Utils.convert_nulls(value)


def _parse(expression: str) -> Any:
    parsed = jsonata.Jsonata.jsonata(expression, timeout=_TIMEOUT_MS)
    stepfunctions._register_sfn_jsonata_functions(parsed)
    parsed.set_output_convert_nulls(False)
    return parsed


def repair() -> None:
    """Evaluate kept expressions."""
    rewrite(
        stepfunctions,
        "_evaluate_jsonata",
        (
            "        expr = jsonata.Jsonata.jsonata(expression, timeout=1000)\n"
            "        _register_sfn_jsonata_functions(expr)\n"
            "        value = expr.evaluate(None, bindings)\n",
            "        value = quintet_evaluate(expression, bindings)\n",
        ),
        quintet_evaluate=evaluate,
    )
