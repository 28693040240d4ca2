"""Templates: expressions inside the strings of JSON data."""

from typing import Any

import pytest

from quintet.adapters.jsonata import JsonataExpressions
from quintet.services.ports.steps import ExpressionFailed


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("{% input.n %}", 2),
        ("{%input.items%}", [{"p": 1}, {"p": 2}, {"p": 3}]),
        ("n={% input.n %}!", "n=2!"),
        ("{% input.n %}{% input.n %}", "22"),
        ("<{% input.none %}>", "<>"),
        ("{% steps.load %} {% true %}", '{"rows":[3,1,2]} true'),
        ("plain", "plain"),
        ("%} and { %", "%} and { %"),
        (["{% 1 %}", {"a": "{% {'b': 2} %}"}, 3, None], [1, {"a": {"b": 2}}, 3, None]),
        ("{% {'x': 'a%}b'} %}", {"x": "a%}b"}),
    ],
)
def test_render(expressions: JsonataExpressions, scope: dict[str, Any], template: Any, rendered: Any) -> None:
    """A whole-string expression keeps its JSON type, others become text inside the string."""
    assert expressions.render(template, scope) == rendered


def test_render_copies(expressions: JsonataExpressions, scope: dict[str, Any]) -> None:
    """The template itself stays as it was."""
    template = {"a": ["{% input.n %}"]}

    rendered = expressions.render(template, scope)
    rendered["a"].append(1)

    assert template == {"a": ["{% input.n %}"]}


def test_faults_have_places(expressions: JsonataExpressions) -> None:
    """Every bad template of a config is named with its keys and indexes."""
    faults = expressions.template_faults({"ok": "{% 1 %}", "a": [0, {"b": "{% ( %}"}], "c": "x {% y", "d": "{%  %}"})

    assert {fault.place: fault.type for fault in faults} == {
        ("a", 1, "b"): "bad_expression",
        ("c",): "bad_template",
        ("d",): "bad_expression",
    }


def test_a_failing_expression_fails_the_rendering(expressions: JsonataExpressions, scope: dict[str, Any]) -> None:
    """One bad value spoils the config, with the reason."""
    with pytest.raises(ExpressionFailed, match="division"):
        expressions.render({"a": "x{% 1/0 %}"}, scope)


def test_deep_templates_are_refused(expressions: JsonataExpressions) -> None:
    """Neither the check nor the rendering follows nesting without end."""
    deep: Any = "{% 1 %}"
    for _ in range(5000):
        deep = [deep]

    assert [fault.type for fault in expressions.template_faults(deep)] == ["too_deep"]
    with pytest.raises(ExpressionFailed, match="deeper"):
        expressions.render(deep, {})


@pytest.mark.parametrize(
    ("expression", "keys"),
    [
        ("steps.a.x", {"a"}),
        ("$steps.a", {"a"}),
        ("$$.steps.a", {"a"}),
        ("$.steps.a", {"a"}),
        ("steps[0].a.b", {"a"}),
        ("steps.`a-b`.c", {"a-b"}),
        ("steps.'q'.c", {"q"}),
        ("steps.a ? steps.b : steps.c", {"a", "b", "c"}),
        ("{'k': steps.a, 'l': [-steps.b]}", {"a", "b"}),
        ("steps.a ~> $sum", {"a"}),
        ("$x := steps.a", {"a"}),
        ("input.x + steps.a.x[steps.b = 1]", {"a", "b"}),
        ("$map(steps.a, function($v){ $v & $$.steps.c })", {"a", "c"}),
        ("$sum(steps.a.x^(y))", {"a"}),
        ("input.items[$ > 3]", set()),
        ("iteration > 3 and last.x = 1", set()),
        ("steps", None),
        ("$", None),
        ("$$", None),
        ("*", None),
        ("**", None),
        ("$.*", None),
        ("steps.*", None),
        ("steps.(a)", None),
        ("(steps).a", None),
        ("steps.a.%", None),
        ("steps{a: b}", None),
        ("$lookup(steps, 'a')", None),
        ("$keys($)", None),
        ("$eval('steps.a')", None),
        ("($f := $eval; $f('steps.a'))", None),
        ("$map([$$], function($r){ $r.steps.a })", None),
    ],
)
def test_reads(expressions: JsonataExpressions, expression: str, keys: set[str] | None) -> None:
    """The steps an expression names are found; where they can't be told, it may read any."""
    assert expressions.reads({"v": ["x {% " + expression + " %}"]}) == keys


def test_reads_joins_all_templates(expressions: JsonataExpressions) -> None:
    """A config reads what any of its templates reads."""
    assert expressions.reads(["{% steps.a %}", {"k": "{% steps.b %} {% steps.c %}"}, 1, "steps.d"]) == {"a", "b", "c"}
