"""Steps that hold a body."""

import pytest
from engine_stage import Stage, call, rest, step, url

from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus


def loop(*body: StepDef, key: str = "loop", **config: object) -> StepDef:
    """A loop of steps."""
    return step(key, kind="loop", config=config, body=body)


def each(items: object, *body: StepDef, key: str = "each", **config: object) -> StepDef:
    """A map over items."""
    return step(key, kind="map", config={"items": items, **config}, body=body)


@pytest.mark.parametrize(
    ("test", "iterations"),
    [
        ({"until": "iteration = 3"}, 3),
        ({"while": "iteration < 3"}, 3),
        ({"until": "true"}, 1),
        ({"while": "false"}, 1),
        ({"until": "steps.count.n >= input.goal"}, 4),
        ({"until": "last.count.n >= input.goal"}, 4),
    ],
)
def test_a_loop_goes_on_until_its_test_says_so(engine: Stage, test: dict[str, str], iterations: int) -> None:
    """Do-while: the test is judged after each iteration, on that iteration's results."""
    count = step("count", config={"values": {"n": "{% iteration * 2 %}"}})
    run_id = engine.run(loop(count, **test), given={"goal": 7})
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "loop") == {"iterations": iterations, "last": {"count": {"n": 2 * iterations}}}


def test_an_iteration_sees_the_one_before(engine: Stage) -> None:
    """`last` is what the iteration before made; nothing in the first."""
    add = step("add", config={"values": {"sum": "{% (last.add.sum ? last.add.sum : 0) + iteration %}"}})
    run_id = engine.run(loop(add, until="iteration = 5"))
    assert engine.result(run_id, "loop")["last"] == {"add": {"sum": 15}}


def test_a_loop_without_end_fails_at_its_limit(engine: Stage) -> None:
    """It is no endless loop."""
    run_id = engine.run(loop(step("a"), until="false", max_iterations=4))
    error = engine.of(run_id).error
    assert error is not None
    assert error["type"] == "LoopLimit"


def test_a_failed_iteration_ends_the_loop(engine: Stage) -> None:
    """What was beside the failed step in that iteration is canceled, and no further iteration begins."""
    engine.http.on(url("a"), 200, 400)
    run_id = engine.run(loop(call("a"), rest("w", seconds=100), until="iteration = 5"))
    assert engine.status(run_id) is RunStatus.FAILED
    found = engine.steps(run_id)
    assert (found["loop[2].a"], found["loop[2].w"]) == (StepStatus.FAILED, StepStatus.CANCELED)
    assert "loop[3].a" not in found


def test_a_loop_tried_again_begins_anew(engine: Stage) -> None:
    """A second attempt of a loop has its own first iteration; steps inside count their attempts anew."""
    engine.http.on(url("a"), 200, 400, 200)
    again = step(
        "loop",
        kind="loop",
        config={"until": "iteration = 3"},
        body=(call("a"),),
        retry=RetryPolicy(2, Strategy.FIXED, 1.0),
    )
    run_id = engine.run(again)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("a")) == 2 + 3
    assert [event.data["index"] for event in engine.events(run_id, EventType.FRAME_OPENED)] == [1, 2, 1, 2, 3]


def test_a_map_keeps_the_items_order_whatever_ends_first(engine: Stage) -> None:
    """Results stand where their items stood."""
    for index in range(6):
        engine.http.on(url(f"{index}"), (200, index), seconds=6 - index)
    body = step("get", kind="http", config={"url": url("{% item %}")})
    run_id = engine.run(each("{% input %}", body), given=list(range(6)))
    assert [found["body"] for found in engine.result(run_id, "each")] == list(range(6))


def test_a_map_bounds_what_is_under_way(engine: Stage) -> None:
    """No more items at a time than it allows, and a freed place is taken at once."""
    for index in range(10):
        engine.http.on(url(f"{index}"), 200, seconds=10)
    body = step("get", kind="http", config={"url": url("{% item %}")})
    run_id = engine.run(each(list(range(10)), body, max_concurrency=3))
    assert engine.most_at_once == 3
    assert engine.of(run_id).duration == 40.0


def test_an_empty_map_completes(engine: Stage) -> None:
    """Nothing to do is done."""
    run_id = engine.run(each([], call("a")), call("after", "each"))
    assert engine.result(run_id, "each") == []
    assert engine.steps(run_id) == {"each": StepStatus.COMPLETED, "after": StepStatus.COMPLETED}


def test_a_failed_item_fails_the_map(engine: Stage) -> None:
    """Without tolerance one failure ends it, and items under way are canceled."""
    engine.http.on(url("1"), 400)
    body = (step("get", kind="http", config={"url": url("{% item %}")}), rest("w", "get", seconds=100))
    run_id = engine.run(each([0, 1, 2], *body))
    assert engine.status(run_id) is RunStatus.FAILED
    assert engine.of(run_id).duration == 0
    found = engine.steps(run_id)
    assert (found["each[0].w"], found["each[2].w"]) == (StepStatus.CANCELED, StepStatus.CANCELED)


def test_tolerated_failures_leave_a_gap(engine: Stage) -> None:
    """Within the tolerance the map completes, null where an item failed."""
    engine.http.on(url("1"), 400)
    body = step("get", kind="http", config={"url": url("{% item %}")})
    run_id = engine.run(each([0, 1, 2], body, tolerate_failures=1))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert [found and found["status"] for found in engine.result(run_id, "each")] == [200, None, 200]


def test_items_that_are_no_list_fail_the_step(engine: Stage) -> None:
    """And say so."""
    run_id = engine.run(each("{% input.nothing %}", call("a")), given={})
    error = engine.of(run_id).error
    assert error is not None
    assert error["message"].startswith("items must be a list")


def test_bodies_nest(engine: Stage) -> None:
    """A loop in a map in a loop: every frame has its own steps, paths and positions."""
    inner = loop(
        step("s", config={"values": {"at": "{% item & '/' & iteration %}"}}), key="inner", until="iteration = 2"
    )
    run_id = engine.run(loop(each(["x", "y"], inner), key="outer", until="iteration = 2"))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "outer[2].each[1].inner[2].s") == {"at": "y/2"}
    assert sum(path.endswith(".s") for path in engine.steps(run_id)) == 8


def test_conditions_and_policies_hold_inside_bodies(engine: Stage) -> None:
    """A body is a DAG as the run is."""
    engine.http.on(url("bad"), 400)
    body = (
        call("bad", on_failure=OnFailure.SKIP_DEPENDANTS),
        call("after", "bad"),
        call("odd", when="item % 2 = 1"),
        step("sum", "odd", "after", "always"),
        step("always"),
    )
    run_id = engine.run(each([1, 2], *body))
    found = engine.steps(run_id)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert [found[f"each[{i}].odd"] for i in (0, 1)] == [StepStatus.COMPLETED, StepStatus.SKIPPED]
    assert {found[f"each[{i}].{key}"] for i in (0, 1) for key in ("after", "sum")} == {StepStatus.SKIPPED}


def test_a_loop_that_waits_goes_on_over_many_bursts(engine: Stage) -> None:
    """Each iteration parks the run, and the loop's place is found again in the journal."""
    run_id = engine.run(loop(rest("w", seconds=100), call("a", "w"), until="iteration = 5"))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.calls["bursts.start"] == 6
    assert engine.of(run_id).duration == 500.0


def test_a_loops_timeout_ends_what_is_inside(engine: Stage) -> None:
    """The bound of the whole loop holds over its iterations."""
    bounded = step("loop", kind="loop", config={"until": "false"}, body=(rest("w", seconds=40),), timeout=100.0)
    run_id = engine.run(bounded)
    run = engine.of(run_id)
    assert (run.status, run.duration) == (RunStatus.TIMED_OUT, 100.0)
    assert run.error is not None
    assert run.error["type"] == "Timeout"
    assert engine.steps(run_id)["loop[3].w"] is StepStatus.CANCELED


@pytest.mark.parametrize("kind", ["loop", "map"])
def test_dependants_of_a_failed_loop_are_skipped(engine: Stage, kind: str) -> None:
    """A failed loop or map blocks what depends on it as any other step does."""
    engine.http.on(url("bad"), 400)
    config = {"until": "true"} if kind == "loop" else {"items": [1]}
    failing = step("body", kind=kind, config=config, body=(call("bad"),), on_failure=OnFailure.SKIP_DEPENDANTS)
    run_id = engine.run(failing, step("after", "body"), call("later", "body"))
    found = engine.steps(run_id)
    assert (found["after"], found["later"]) == (StepStatus.SKIPPED, StepStatus.SKIPPED)
    assert engine.http.count(url("later")) == 0
