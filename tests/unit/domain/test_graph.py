"""What is wrong with a DAG is said with its place, all of it."""

import json

import pytest

from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef, Strategy, plan_from_dict, plan_to_dict
from quintet.domain.graph import MAX_DEPTH, MAX_STEPS, problems, topological


def step(key: str, *needed: str, body: tuple[StepDef, ...] = ()) -> StepDef:
    """A step with nothing but its place in the graph."""
    return StepDef(key, "loop" if body else "set", depends_on=needed, body=body)


def found(*steps: StepDef) -> list[tuple[tuple[str | int, ...], str]]:
    """Places and types of the problems."""
    return [(problem.place, problem.type) for problem in problems(steps)]


@pytest.mark.parametrize(
    ("steps", "faults"),
    [
        ((step("a"), step("b", "a")), []),
        ((step("b", "a"), step("a")), []),
        ((step("a"), step("a")), [(("steps", 1, "key"), "duplicate_key")]),
        ((step("a", "x"),), [(("steps", 0, "dependsOn", 0), "unknown_dependency")]),
        ((step("b"), step("a", "b", "x")), [(("steps", 1, "dependsOn", 1), "unknown_dependency")]),
        ((step("a", "a"),), [(("steps", 0, "dependsOn", 0), "cycle")]),
        ((step("b"), step("a", "b", "b")), [(("steps", 1, "dependsOn", 1), "duplicate_dependency")]),
        ((step("a", "b"), step("b", "a")), [(("steps", 0, "dependsOn"), "cycle")]),
        ((step(""),), [(("steps", 0, "key"), "bad_key")]),
        ((step("-a"),), [(("steps", 0, "key"), "bad_key")]),
        ((step("a b"),), [(("steps", 0, "key"), "bad_key")]),
        ((step("a.b"),), [(("steps", 0, "key"), "bad_key")]),
        ((step("a[0]"),), [(("steps", 0, "key"), "bad_key")]),
        ((step("é"),), [(("steps", 0, "key"), "bad_key")]),
        ((step("a\n"),), [(("steps", 0, "key"), "bad_key")]),
        ((step("k" * 65),), [(("steps", 0, "key"), "bad_key")]),
        ((step("k" * 64), step("_1-b")), []),
        (
            (step("l", body=(step("x", "y"),)),),
            [(("steps", 0, "config", "steps", 0, "dependsOn", 0), "unknown_dependency")],
        ),
        (
            (step("a"), step("l", body=(step("x", "a"),))),
            [(("steps", 1, "config", "steps", 0, "dependsOn", 0), "unknown_dependency")],
        ),
        (
            (step("l", body=(step("x", "y"), step("y", "x"))),),
            [(("steps", 0, "config", "steps", 0, "dependsOn"), "cycle")],
        ),
        ((step("a"), step("l", body=(step("a"),))), []),
    ],
)
def test_every_fault_has_its_place(steps: tuple[StepDef, ...], faults: list[tuple[tuple[str | int, ...], str]]) -> None:
    """Keys, dependencies and cycles, in bodies as in the run itself; a body sees only its own steps."""
    got = found(*steps)
    if faults and faults[0][1] == "cycle" and len(steps) == 2:
        # Which step of a cycle is named is open, but it is one of them.
        assert [(place[0], place[2:], type_) for place, type_ in got] == [("steps", ("dependsOn",), "cycle")]
        return
    if faults and faults[0][1] == "cycle" and steps[0].body:
        assert [(place[:4], place[5:], type_) for place, type_ in got] == [
            (("steps", 0, "config", "steps"), ("dependsOn",), "cycle")
        ]
        return
    assert got == faults


def test_all_faults_are_named_at_once() -> None:
    """One refusal tells everything that is to be mended."""
    steps = (step("a", "x"), step("a"), step("c", "c"), step("l", body=(step(""),)))
    assert {place for place, _ in found(*steps)} == {
        ("steps", 0, "dependsOn", 0),
        ("steps", 1, "key"),
        ("steps", 2, "dependsOn", 0),
        ("steps", 3, "config", "steps", 0, "key"),
    }


def test_a_cycle_is_named_beside_other_faults() -> None:
    """A fault elsewhere doesn't hide a cycle."""
    types = {type_ for _, type_ in found(step("a", "b"), step("b", "a"), step("bad key"))}
    assert types == {"cycle", "bad_key"}
    types = {type_ for _, type_ in found(step("a", "b"), step("b", "a"), step("l", body=(step("x", "y"),)))}
    assert types == {"cycle", "unknown_dependency"}


def test_a_cycle_names_its_way_around() -> None:
    """Every step of it, and the first again."""
    (problem,) = problems((step("d", "c"), step("a", "c"), step("b", "a"), step("c", "b")))
    around = problem.message.removeprefix("cycle: ").split(" -> ")
    assert around[0] == around[-1]
    assert set(around) == {"a", "b", "c"}


def test_the_place_uses_the_apis_own_words() -> None:
    """Where a body stands and how it is called is the caller's business."""
    (problem,) = problems((step("l", body=(step("x", "y"),)),), ("jobs", 3), "tasks")
    assert problem.place == ("jobs", 3, 0, "config", "tasks", 0, "dependsOn", 0)


def nested(depth: int) -> StepDef:
    """A step that holds a step that holds ..., `depth` bodies in all."""
    inner = step("x")
    for level in range(depth):
        inner = step(f"l{level}", body=(inner,))
    return inner


def test_bodies_nest_so_deep_and_no_deeper() -> None:
    """The greatest depth is allowed, one more is refused at its place."""
    assert found(nested(MAX_DEPTH - 1)) == []
    ((place, type_),) = found(nested(MAX_DEPTH))
    assert type_ == "too_deep"
    assert len(place) == 1 + 3 * MAX_DEPTH


def test_absurd_nesting_is_refused_not_a_crash() -> None:
    """Thousands of levels are a fault in the input, not in the stack."""
    assert "too_deep" in {type_ for _, type_ in found(nested(5000))}


@pytest.mark.parametrize("shape", ["chain", "chain backwards", "fan", "layers"])
def test_the_greatest_number_of_steps(shape: str) -> None:
    """As many as are allowed, in every shape, are no problem; one more is."""
    count = MAX_STEPS
    match shape:
        case "chain":
            steps = [step(f"s{i}", *([f"s{i - 1}"] if i else [])) for i in range(count)]
        case "chain backwards":
            steps = [step(f"s{i}", *([f"s{i + 1}"] if i < count - 1 else [])) for i in range(count)]
        case "fan":
            steps = [step("root"), *[step(f"s{i}", "root") for i in range(count - 1)]]
        case _:
            steps = [
                step(f"s{i}", *[f"s{j}" for j in range(max(0, i // 50 * 50 - 50), i // 50 * 50)]) for i in range(count)
            ]
    assert found(*steps) == []
    assert [type_ for _, type_ in found(*steps, step("more"))] == ["too_long"]


def test_steps_in_bodies_count() -> None:
    """The bound is on all steps together."""
    body = tuple(step(f"b{i}") for i in range(MAX_STEPS // 2))
    assert found(step("one", body=body), step("two", body=body[:-1])) == [(("steps",), "too_long")]


def test_a_long_cycle_is_found() -> None:
    """Also one through every step."""
    count = MAX_STEPS
    ((_, type_),) = found(*[step(f"s{i}", f"s{(i + 1) % count}") for i in range(count)])
    assert type_ == "cycle"


def test_topological_order_puts_dependencies_first() -> None:
    """Whatever the written order."""
    steps = (step("d", "b", "c"), step("c", "a"), step("b", "a"), step("a"))
    order = [item.key for item in topological(steps)]
    assert (order[0], order[-1]) == ("a", "d")


def test_a_plan_survives_json() -> None:
    """Every field, defaults or not."""
    full = StepDef(
        "a",
        "http",
        name="A",
        when="x",
        config={"url": "u"},
        retry=RetryPolicy(3, Strategy.CUSTOM, 2.0, 9.0, (1.0, 2.0), 0.5),
        timeout=7.0,
        on_failure=OnFailure.CONTINUE,
    )
    plan = Plan((full, step("b", "a"), step("l", body=(full, step("c", "a")))), 90.0)
    assert plan_from_dict(json.loads(json.dumps(plan_to_dict(plan)))) == plan
    assert [found_.key for found_ in plan.walk()] == ["a", "b", "l", "a", "c"]
