"""Templates mean what this API says, evaluated by the engine's own expressions."""

from typing import Any

import pytest

from quintet.adapters.jsonata import JsonataExpressions
from quintet.dialects.workflowsvc.templates import Names, expression, translate
from quintet.domain.errors import Problem

NAMES = Names({"fetch": ("fetch", "body"), "calc": ("calc", ""), "odd name": ("odd_name", "")})
SCOPE: dict[str, Any] = {
    "input": {"x": 1, "list": [{"a": "A"}, 2], "odd-key": True, "text": "t", "none": None},
    "variables": {"v": [1, 2]},
    "steps": {"fetch": {"status": 200, "body": {"y": {"z": 7}}}, "calc": {"n": 1.5}, "odd_name": {"k": "v"}},
    "run": {"id": "run-1"},
}


def rendered(value: Any) -> Any:
    """What the engine makes of a value with templates."""
    faults: list[Problem] = []
    made = translate(value, NAMES, (), faults)
    assert not faults, faults
    return JsonataExpressions().render(made, SCOPE)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${workflow.input.x}", 1),
        ("${workflow.input}", SCOPE["input"]),
        ("${workflow.input.list[0].a}", "A"),
        ("${workflow.input.list}", [{"a": "A"}, 2]),
        ("${workflow.input.odd-key}", True),
        ("${workflow.input.none}", None),
        ("${workflow.input.missing}", None),
        ("${workflow.variables.v}", [1, 2]),
        ("${workflow.workflowId}", "run-1"),
        ("${fetch.output.y.z}", 7),
        ("${fetch.output}", {"y": {"z": 7}}),
        ("${calc.output.n}", 1.5),
        ("${odd name.output.k}", "v"),
        ("x=${workflow.input.x}, t=${workflow.input.text}!", "x=1, t=t!"),
        ("plain", "plain"),
        ("{% input.x %} and %} stay ${workflow.input.x}", "{% input.x %} and %} stay 1"),
        ({"a": ["${workflow.input.x}", {"b": "${calc.output.n}"}]}, {"a": [1, {"b": 1.5}]}),
        (5, 5),
        ("$ {x} $x {y}", "$ {x} $x {y}"),
    ],
)
def test_a_template_is_what_it_names(template: Any, expected: Any) -> None:
    """Whole ones keep their JSON type; in text they are text; what is no template stays as it is."""
    assert rendered(template) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nobody.output",
        "fetch",
        "fetch.input.x",
        "workflow.nothing",
        "workflow.input..x",
        "a`b.output",
        "[0]",
        "workflow.input.x.",
    ],
)
def test_what_names_nothing_is_said_with_its_place(path: str) -> None:
    """The place of the string, and the template itself."""
    faults: list[Problem] = []
    translate({"a": ["${" + path + "}"]}, NAMES, ("_inputParams",), faults)
    assert [fault.place for fault in faults] == [("_inputParams", "a", 0)]
    assert "${" + path + "}" in faults[0].message


def test_conditions_hold_templates_and_jsonata() -> None:
    """Both may stand in one condition."""
    faults: list[Problem] = []
    text = expression("${fetch.output.y.z} > 5 and iteration < 3", NAMES, (), faults)
    assert not faults
    assert JsonataExpressions().evaluate(text, {**SCOPE, "iteration": 2}) is True
