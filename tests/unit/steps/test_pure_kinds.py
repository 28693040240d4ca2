"""set, switch, wait, input and subrun."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quintet.domain.definition import StepDef
from quintet.domain.errors import Conflict, NotFound, Throttled
from quintet.domain.outcome import Completed, Failed, Waits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_set_gives_its_values(desk: Any) -> None:
    """The result is the rendered values."""
    assert desk.enact("set", {"values": {"a": 1, "b": [None]}}) == Completed({"a": 1, "b": [None]})


def test_a_config_that_rendered_to_nonsense_fails_for_good(desk: Any) -> None:
    """A template can turn out as anything: the attempt says which field is wrong, and is not repeated."""
    outcome = desk.enact("set", {"values": 5})

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == ("InvalidConfig", False)
    assert "values" in outcome.error.message


def test_switch_evaluates_over_the_scope(desk: Any) -> None:
    """The value keeps its type; a failing expression fails the step for good."""
    scope = {"input": {"n": 4}, "steps": {"a": {"x": "y"}}}

    assert desk.enact("switch", {"expression": "input.n > 3"}, scope=scope) == Completed({"value": True})
    assert desk.enact("switch", {"expression": "steps.a"}, scope=scope) == Completed({"value": {"x": "y"}})
    failed = desk.enact("switch", {"expression": "1/0"}, scope=scope)
    assert (failed.error.type, failed.error.retryable) == ("ExpressionFailed", False)


def test_wait_waits_for_seconds_or_a_moment(desk: Any) -> None:
    """A wait names its end; a moment without an offset is UTC."""
    assert desk.enact("wait", {"seconds": 90}) == Waits("time", until=NOW + timedelta(seconds=90))
    assert desk.enact("wait", {"until": "2026-03-01T14:00:00+01:00"}) == Waits("time", until=NOW + timedelta(hours=1))
    assert desk.enact("wait", {"until": "2026-03-01T13:00:00"}) == Waits("time", until=NOW + timedelta(hours=1))


@pytest.mark.parametrize(("timeout", "deadline"), [(60.0, timedelta(seconds=60)), (120.0, None)])
def test_a_waits_timeout_counts_when_it_comes_first(desk: Any, timeout: float, deadline: timedelta | None) -> None:
    """A step's time holds for waits too; one that is longer than the wait changes nothing."""
    define = StepDef("s", "wait", config={"seconds": 90}, timeout=timeout)
    at = None if deadline is None else NOW + deadline

    assert desk.enact("wait", {"seconds": 90}, define=define) == Waits(
        "time", until=NOW + timedelta(seconds=90), deadline=at
    )


@pytest.mark.parametrize("config", [{"seconds": 0}, {"until": "2020-01-01T00:00:00Z"}])
def test_a_wait_for_the_past_is_over(desk: Any, config: dict[str, Any]) -> None:
    """Nothing to wait for completes at once."""
    assert desk.enact("wait", config) == Completed({})


@pytest.mark.parametrize("config", [{"until": "9999-12-31T23:59:59Z"}, {"until": "soon"}, {"seconds": "1"}, {}])
def test_a_wait_that_makes_no_sense_fails_for_good(desk: Any, config: dict[str, Any]) -> None:
    """Rendered to no time, or one too far."""
    outcome = desk.enact("wait", config)

    assert isinstance(outcome, Failed) and not outcome.error.retryable


def test_input_waits_for_an_answer(desk: Any) -> None:
    """The wait tells readers everything they need to answer, and when it is too late."""
    fields = {"n": {"type": "integer", "required": True}}
    config = {"message": "go?", "approvers": ["ada"], "fields": fields, "timeout_seconds": 60}

    outcome = desk.enact("input", config)

    assert isinstance(outcome, Waits)
    assert (outcome.for_, outcome.until, outcome.deadline) == ("input", None, NOW + timedelta(seconds=60))
    assert outcome.details["message"] == "go?"
    assert outcome.details["approvers"] == ["ada"]
    assert outcome == desk.enact("input", config)


def test_input_without_a_timeout_takes_the_steps(desk: Any) -> None:
    """A gate may wait for ever; a step timeout bounds it."""
    define = StepDef("s", "input", timeout=30.0)

    assert desk.enact("input", {}).deadline is None
    assert desk.enact("input", {}, define=define).deadline == NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("answer", "places"),
    [
        ({"n": 3}, set()),
        ({"n": 3, "color": "red", "tags": ["a"]}, set()),
        ({}, {("fields", "n")}),
        ({"n": "3"}, {("fields", "n")}),
        ({"n": True}, {("fields", "n")}),
        ({"n": 11}, {("fields", "n")}),
        ({"n": 3, "color": "blue"}, {("fields", "color")}),
        ({"n": 3, "tags": [1]}, {("fields", "tags", 0)}),
        ({"n": 3, "more": 1}, {("fields", "more")}),
    ],
)
def test_answers_are_checked_against_the_fields(
    desk: Any, answer: dict[str, Any], places: set[tuple[str | int, ...]]
) -> None:
    """Missing, mistyped, out of range and unknown fields are named."""
    fields = {
        "n": {"type": "integer", "required": True, "maximum": 10},
        "color": {"type": "string", "enum": ["red"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    details = desk.enact("input", {"fields": fields}).details

    assert {problem.place for problem in desk.kinds["input"].answer_problems(details, answer)} == places


def test_subrun_waits_for_its_child(desk: Any) -> None:
    """The child's id is in the wait; without waiting the id is the result."""
    assert desk.enact("subrun", {"job_id": "j", "input": {"a": 1}}) == Waits("child", details={"child": "child-1"})
    assert desk.enact("subrun", {"job_id": "j", "wait": False}) == Completed({"runId": "child-1"})
    assert desk.children == [("j", {"a": 1}), ("j", None)]


@pytest.mark.parametrize(
    ("raised", "type_", "retryable"),
    [(NotFound("x"), "JobNotFound", False), (Conflict("x"), "ChildRefused", False), (Throttled("x", 5), "Throttled", True)],
)  # fmt: skip
def test_a_child_that_does_not_start_fails_the_step(desk: Any, raised: Exception, type_: str, retryable: bool) -> None:
    """What may pass is tried again, what may not is final."""
    desk.child = raised

    outcome = desk.enact("subrun", {"job_id": "j"})

    assert (outcome.error.type, outcome.error.retryable) == (type_, retryable)
