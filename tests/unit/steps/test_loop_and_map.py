"""The moves of loops and maps."""

from typing import Any

import pytest

from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed, Opens
from quintet.services.ports.steps import ExpressionFailed

LOOP = StepDef("s", "loop", body=(StepDef("a", "set"),))
ONE = StepDef("s", "map", body=(StepDef("a", "set"), StepDef("b", "set", depends_on=("a",))))
TWO = StepDef("s", "map", body=(StepDef("a", "set"), StepDef("b", "set")))


def loop(desk: Any, config: dict[str, Any], **more: Any) -> Any:
    """A loop's next move."""
    return desk.kinds["loop"].turn(desk.call("loop", config, define=LOOP, **more))


def mapped(desk: Any, config: dict[str, Any], define: StepDef = ONE, **more: Any) -> Any:
    """A map's next move."""
    return desk.kinds["map"].turn(desk.call("map", config, define=define, **more))


@pytest.mark.parametrize("config", [{"while": "false"}, {"until": "true"}])
def test_the_first_iteration_always_runs(desk: Any, config: dict[str, Any]) -> None:
    """The test comes after the body."""
    assert loop(desk, config) == Opens((1,))


def test_an_open_iteration_is_waited_for(desk: Any) -> None:
    """Nothing opens beside it."""
    assert loop(desk, {"until": "true"}, opened=2, closed=1) == Opens()


@pytest.mark.parametrize(
    ("config", "goes_on"),
    [
        ({"while": "steps.a.n < 3"}, True),
        ({"while": "steps.a.n < 2"}, False),
        ({"until": "steps.a.n >= 3"}, True),
        ({"until": "last.a.n = 2 and iteration = 2"}, False),
        ({"while": "steps.outer and input.more"}, True),
        ({"while": "[]"}, False),
    ],
)
def test_the_test_sees_the_last_iteration(desk: Any, config: dict[str, Any], goes_on: bool) -> None:
    """`steps` holds the iteration's own results over the outer ones; `iteration` and `last` tell where it stands."""
    scope = {"input": {"more": True}, "steps": {"outer": 1, "a": {"n": -9}}}

    found = loop(desk, config, scope=scope, opened=2, closed=2, results=lambda index: {"a": {"n": index}})

    assert found == (Opens((3,)) if goes_on else Completed({"iterations": 2, "last": {"a": {"n": 2}}}))


def test_a_loop_has_a_limit(desk: Any) -> None:
    """One that would go on for ever fails, and trying again would not help."""
    found = loop(desk, {"while": "true", "max_iterations": 5}, opened=5, closed=5)

    assert (found.error.type, found.error.retryable) == ("LoopLimit", False)
    assert loop(desk, {"while": "true", "max_iterations": 6}, opened=5, closed=5) == Opens((6,))
    assert loop(desk, {"while": "true"}, opened=999, closed=999) == Opens((1000,))
    assert isinstance(loop(desk, {"while": "true"}, opened=1000, closed=1000), Failed)


def test_a_loop_whose_test_fails_fails(desk: Any) -> None:
    """A test is an expression like any other."""
    assert loop(desk, {"while": "1/0"}, opened=1, closed=1).error.type == "ExpressionFailed"


def test_a_broken_iteration_ends_the_loop(desk: Any) -> None:
    """With the inner step's error, even when the test would go on."""
    inner = {"type": "HttpStatus", "message": "answered 500", "details": {"status": 500}}

    found = loop(desk, {"while": "true"}, opened=2, closed=2, broken=1, failures={2: inner})

    assert isinstance(found, Failed)
    assert (found.error.type, found.error.message) == ("HttpStatus", "answered 500")
    assert found.error.details == {"status": 500, "index": 2}


def test_items_must_be_a_list_of_bearable_length(desk: Any) -> None:
    """What they are is known only when they are rendered."""
    items = desk.kinds["map"].items

    assert items(desk.call("map", {"items": [1, {"a": 2}]}, define=ONE)) == [1, {"a": 2}]
    for wrong in (None, "abc", {"a": 1}, [0] * 10_001):
        with pytest.raises(ExpressionFailed):
            items(desk.call("map", {"items": wrong}, define=ONE))
    for wrong_limit in ({"max_concurrency": 0}, {"tolerate_failures": "many"}):
        with pytest.raises(ExpressionFailed, match="must be"):
            items(desk.call("map", {"items": [1], **wrong_limit}, define=ONE))
    assert desk.kinds["loop"].items(desk.call("loop", {}, define=LOOP)) is None


def test_a_map_opens_up_to_its_concurrency(desk: Any) -> None:
    """First as many as may run beside each other, then one for each that ended."""
    config = {"max_concurrency": 3}

    assert mapped(desk, config, total=5) == Opens((0, 1, 2))
    assert mapped(desk, config, total=5, opened=3, closed=0) == Opens()
    assert mapped(desk, config, total=5, opened=3, closed=1) == Opens((3,))
    assert mapped(desk, config, total=5, opened=4, closed=3) == Opens((4,))
    assert mapped(desk, config, total=5, opened=5, closed=4) == Opens()
    assert mapped(desk, {}, total=50) == Opens(tuple(range(16)))


def test_a_maps_result_is_in_the_items_order(desk: Any) -> None:
    """One last step: its result; several: an object of theirs."""
    results = lambda index: {"a": index, "b": index * 10}  # noqa: E731  # reads best where it stands

    assert mapped(desk, {}, total=3, opened=3, closed=3, results=results) == Completed([0, 10, 20])
    assert mapped(desk, {}, TWO, total=2, opened=2, closed=2, results=results) == Completed(
        [{"a": 0, "b": 0}, {"a": 1, "b": 10}]
    )


def test_a_map_over_nothing_is_done(desk: Any) -> None:
    """No items, no frames."""
    assert mapped(desk, {}, total=0) == Completed([])


def test_a_map_tolerates_as_many_failures_as_it_says(desk: Any) -> None:
    """A tolerated failure is null in the result; one more fails the map at once, whatever is still open."""
    results = lambda index: {} if index == 1 else {"b": index}  # noqa: E731  # reads best where it stands

    broken = {1: {"type": "ValueError", "message": "bad"}}
    ended = {"total": 3, "opened": 3, "closed": 3, "broken": 1, "failures": broken}
    done = mapped(desk, {"tolerate_failures": 1}, results=results, **ended)
    partly = mapped(desk, {"tolerate_failures": 1}, TWO, results=lambda index: {"a": index}, **ended)
    failed = mapped(desk, {"tolerate_failures": 1}, total=9, opened=4, closed=2, broken=2, failures=broken)

    assert done == Completed([0, None, 2])
    assert partly == Completed([{"a": 0}, None, {"a": 2}])
    assert "bad" in failed.error.message
    assert failed.error.type == "ItemsFailed"
    assert failed.error.details == {"failed": 2, "total": 9}
    assert isinstance(mapped(desk, {}, total=3, opened=1, closed=1, broken=1), Failed)


def test_limits_that_rendered_to_nonsense_fail_the_map(desk: Any) -> None:
    """As every config that turns out wrong."""
    assert mapped(desk, {"max_concurrency": "many"}, total=3).error.type == "InvalidConfig"
