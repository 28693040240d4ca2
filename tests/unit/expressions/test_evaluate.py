"""What expressions come to: plain JSON, or ExpressionFailed."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.adapters.jsonata import JsonataExpressions
from quintet.services.ports.steps import ExpressionFailed


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 1", 2),
        ("input.n * 2.5", 5),
        ("input.n / 4", 0.5),
        ("$sum(steps.load.rows)", 6),
        ("steps.load.rows[-1]", 2),
        ("$sort(steps.load.rows)", [1, 2, 3]),
        ("steps.`two-words`", 7),
        ("input.big", 2**60),
        ("input.nothing", None),
        ("input.none", None),
        ("input.none = null", True),
        ("[1..5]", [1, 2, 3, 4, 5]),
        ("$count([1..5])", 5),
        ("{'a': 1.0, 'b': [null]}", {"a": 1, "b": [None]}),
        ("input.items[p >= $input.n].p", [2, 3]),
        ("input.items[p >= $$.input.n].p", [2, 3]),
        ("$contains('abc', /B/i)", True),
        ("$replace('hello', /l+/, 'L')", "heLo"),
        ("$split('a1b22c', /[0-9]+/)", ["a", "b", "c"]),
        ("$match('a1b2', /[0-9]/).match", ["1", "2"]),
        ("run.id & '/' & $string(input.n)", "r1/2"),
    ],
)
def test_values_are_plain_json(
    expressions: JsonataExpressions, scope: dict[str, Any], expression: str, value: Any
) -> None:
    """Sequences are lists, JSONata's null is None, and whole numbers are ints."""
    found = expressions.evaluate(expression, scope)

    assert found == value
    assert json.dumps(found) == json.dumps(value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 / 0", "division by zero"),
        ("'a' < 1", "same data type"),
        ("$error('boo')", "boo"),
        ("$sqrt(-1)", "negative"),
        ("$number('x')", "convert"),
        ("$power(10, 400)", "range"),
        ("nix(1)", "non-function"),
        ("function($x){$x}", "function"),
        ("{'f': $sum}", "function"),
        ("$eval('1 +')", "eval"),
        ("input.items{p: 1}", "string"),
        ("(", "Expected"),
        ("", "empty"),
        ("'" + "x" * 20_000 + "'", "at most"),
        ("/(a/.test", "expression"),
    ],
)
def test_every_fault_is_an_expression_failed(
    expressions: JsonataExpressions, scope: dict[str, Any], expression: str, reason: str
) -> None:
    """Whatever goes wrong inside the library, the caller sees one exception with a reason."""
    with pytest.raises(ExpressionFailed, match=reason):
        expressions.evaluate(expression, scope)


@pytest.mark.parametrize("wrong", [None, 5, [], {"a": 1}])
def test_what_is_no_text_is_no_expression(expressions: JsonataExpressions, wrong: Any) -> None:
    """A fault like any other, not a crash."""
    assert expressions.fault(wrong) == "an expression is a string"
    with pytest.raises(ExpressionFailed):
        expressions.evaluate(wrong, {})


def test_evaluation_leaves_the_scope_as_it_was(expressions: JsonataExpressions, scope: dict[str, Any]) -> None:
    """Transforms and nulls change copies only."""
    before = deepcopy(scope)

    expressions.evaluate("input ~> |items|{'p': 9}|", scope)
    expressions.evaluate("$append(input.items, [null])", scope)

    assert scope == before


def test_names_bound_by_one_evaluation_are_unknown_to_the_next(expressions: JsonataExpressions) -> None:
    """A cached expression starts afresh every time."""
    assert expressions.evaluate("($x := $exists($x) ? $x + 1 : 1; $x)", {}) == 1
    assert expressions.evaluate("($x := $exists($x) ? $x + 1 : 1; $x)", {}) == 1


def test_threads_get_their_own_answers(expressions: JsonataExpressions) -> None:
    """Many threads with the same and with different expressions never see each other's data."""

    def work(number: int) -> list[Any]:
        scope = {"input": {"n": number, "items": list(range(20))}}
        return [
            expressions.evaluate("$map(input.items, function($i){ $i + $$.input.n })", scope),
            expressions.evaluate(f"input.n + {number}", scope),
        ]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(60)))

    assert found == [[[i + number for i in range(20)], 2 * number] for number in range(60)]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(data=_json)
def test_a_variable_gives_back_any_json(data: Any) -> None:
    """What goes in as a whole comes out as it was."""
    assert JsonataExpressions().evaluate("$data", {"data": data}) == data


@settings(deadline=None)
@given(text=st.text(alphabet="ab.[]{}()$\"'/%*^@#<>=&|~:,0123456789 +-?", max_size=24))
def test_no_text_is_worse_than_a_fault(text: str) -> None:
    """Any text either has a fault, or evaluates to JSON, or fails as an expression."""
    expressions = JsonataExpressions()
    if expressions.fault(text) is not None:
        return
    with suppress(ExpressionFailed):
        json.dumps(expressions.evaluate(text, {"a": [1, {"b": None}]}))
