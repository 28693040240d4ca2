"""Expressions that would take all time or memory are stopped."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from quintet.adapters import jsonata_engine
from quintet.adapters.jsonata import JsonataExpressions
from quintet.services.ports.steps import ExpressionFailed

SHARED = "$reduce([1..40], function($a, $i){ {'l': $a, 'r': $a} }, {'x': 1})"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound in use is 1 s; these tests need not wait that long for it."""
    monkeypatch.setattr(jsonata_engine.Compiled.run, "__defaults__", (0.2,))
    monkeypatch.setattr(jsonata_engine, "MAX_SECONDS", 0.2)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("($f := function($x){ $f($x) }; $f(1))", "ran for more than"),
        ("($f := function($x){ 1 + $f($x) }; $f(1))", "deeper than 200"),
        ("[1..1000000000]", "range"),
        ("[1..100001]", "range of 100001"),
        ("$eval('[1..100001]')", "range of 100001"),
        ("true and $count([1..100001]) > 0", "range of 100001"),
        ("[1..100000].[1..100000]", "list elements|ran for"),
        ("$reduce([1..40], function($a, $i){ $append($a, $a) }, [1])", "list elements|ran for"),
        ("$pad('x', 1000000000)", "longer than"),
        ("$pad('x', -1e9)", "longer than"),
        ("$reduce([1..40], function($a, $i){ $a & $a }, 'xxxx')", "longer than|characters"),
        ("$replace($pad('', 100000), ' ', $pad('', 1000))", "longer than"),
        ("$string(" + SHARED + ")", "parts|ran for"),
        ("'' & " + SHARED, "parts|ran for"),
        ("$count((" + SHARED + ").**)", "ran for"),
        ("(" + SHARED + ") = (" + SHARED + ")", "parts|ran for"),
        (SHARED, "parts|ran for|larger"),
        ("$match(input.text, /(\\w+\\s?)*[!?]/)", "took too long"),
        ("$contains(input.text, /(a|a)*[bc]/)", "took too long"),
    ],
)
def test_runaways_are_stopped(
    expressions: JsonataExpressions, scope: dict[str, Any], expression: str, reason: str
) -> None:
    """Endless recursion, huge ranges, doubled texts, shared data and bad regular expressions meet a bound."""
    scope["input"]["text"] = "a" * 5000

    with pytest.raises(ExpressionFailed, match=reason):
        expressions.evaluate(expression, scope)


def test_a_stopped_expression_leaves_no_trace_function(expressions: JsonataExpressions, scope: dict[str, Any]) -> None:
    """The watch over one evaluation ends with it."""
    before = sys.gettrace()

    with pytest.raises(ExpressionFailed):
        expressions.evaluate("($f := function($x){ $f($x) }; $f(1))", scope)

    assert sys.gettrace() is before
    assert expressions.evaluate("input.n", scope) == 2


@pytest.mark.parametrize(
    "expression",
    ["input.deep", "$string(input.deep)", "**", "input.deep = input.deep", "$boolean(input.deep)", "input.deep.x",
     "$clone(input)", "input.*", "$distinct([input.deep, input.deep])", "input.deep & ''"],
)  # fmt: skip
def test_deeply_nested_data_fails_the_expression_only(expressions: JsonataExpressions, expression: str) -> None:
    """A hundred thousand levels crash nothing, whichever function walks into them."""
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    scope = {"input": {"deep": deep, "x": 5}}

    with pytest.raises(ExpressionFailed, match=r"deep|parts|ran for"):
        expressions.evaluate(expression, scope)

    assert expressions.evaluate("input.x", scope) == 5


def test_threads_have_stacks_deep_enough(expressions: JsonataExpressions) -> None:
    """The same data in a pool's thread, whose stack is smaller than the main one's may be."""
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]

    def evaluate(expression: str) -> str:
        try:
            return str(expressions.evaluate(expression, {"input": {"deep": deep}}))
        except ExpressionFailed:
            return "failed"

    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(evaluate, ["$string(input.deep)", "**", "$clone(input)", "$distinct([input, input])"] * 2)
        )

    assert found == ["failed"] * 8


def test_a_large_result_is_refused(expressions: JsonataExpressions) -> None:
    """What an expression gives is bounded as step results are."""
    with pytest.raises(ExpressionFailed, match="larger"):
        expressions.evaluate("[input, input, input]", {"input": "x" * 2_000_000})


def test_deeply_nested_expressions_are_faults(expressions: JsonataExpressions) -> None:
    """Brackets without end are refused, not crashed on."""
    assert expressions.fault("(" * 10_000)
    assert expressions.fault("[" * 10_000 + "]" * 10_000) is not None
