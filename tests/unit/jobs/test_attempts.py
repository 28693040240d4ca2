"""The attempts that are read out of a journal."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from quintet.dialects.jobs.attempts import Attempt, attempts
from quintet.domain.definition import Plan
from quintet.domain.events import Event, EventType, to_millis
from quintet.domain.fold import fold
from quintet.domain.status import StepStatus

sys.path.insert(0, str(Path(__file__).parents[1] / "domain"))

from random_journals import journals  # found through the line above

START = datetime(2026, 1, 1, tzinfo=UTC)


def read(*events: tuple[EventType, str | None, dict[str, Any]]) -> list[Attempt]:
    """The attempts of a journal, one event a second."""
    made = [Event(type_, START + timedelta(seconds=n), path, data) for n, (type_, path, data) in enumerate(events, 1)]
    return attempts(enumerate(made, 1))


@settings(max_examples=150)
@given(journals())
def test_they_agree_with_what_the_run_has_come_to(played: tuple[Plan, list[Event]]) -> None:
    """Of every step: the last attempt's number is the step's, and its end is the step's, unless that came while it rested."""
    plan, events = played
    state = fold("r", plan, events)
    found = attempts(enumerate(events, 1))
    assert [one.began for one in found] == sorted({one.began for one in found})
    last = {one.path: one for one in found}
    for path, step in state.steps.items():
        if not step.attempt:
            continue
        attempt = last[path]
        assert attempt.number == step.attempt
        if step.status in (StepStatus.RUNNING, StepStatus.COMPLETED):
            assert attempt.status is step.status
        elif step.status is StepStatus.WAITING:
            assert attempt.status is (StepStatus.FAILED if step.wait["for"] == "retry" else StepStatus.WAITING)
        else:
            assert attempt.status in (StepStatus.FAILED, step.status)
        assert (attempt.ended_at is None) == (attempt.status in (StepStatus.RUNNING, StepStatus.WAITING))


def test_what_was_taken_over_or_done_by_hand_is_no_attempt() -> None:
    """A result of the run before, a skip, a completion by hand; a retry by hand only moves when the next one comes."""
    retry_at = to_millis(START + timedelta(seconds=60))
    found = read(
        (EventType.RUN_CREATED, None, {}),
        (EventType.STEP_COMPLETED, "old", {"result": 1, "reused_from": "r0"}),
        (EventType.STEP_SKIPPED, "never", {"reason": "by_hand", "by": "ada"}),
        (EventType.STEP_COMPLETED, "forced", {"result": 1, "by": "ada"}),
        (EventType.STEP_STARTED, "a", {"attempt": 1}),
        (EventType.STEP_FAILED, "a", {"attempt": 1, "error": {"type": "X", "message": "no"}, "retry_at": retry_at}),
        (EventType.STEP_HURRIED, "a", {"by": "ada"}),
        (EventType.STEP_STARTED, "a", {"attempt": 2}),
    )
    assert [(one.path, one.number, one.status) for one in found] == [
        ("a", 1, StepStatus.FAILED),
        ("a", 2, StepStatus.RUNNING),
    ]
    assert found[0].retry_at == START + timedelta(seconds=7)


def test_kinds_that_are_done_at_once_have_one() -> None:
    """Without a beginning in the journal."""
    (only,) = read((EventType.STEP_COMPLETED, "set", {"result": 1}))
    assert (only.number, only.status, only.started_at) == (1, StepStatus.COMPLETED, only.ended_at)


def test_the_runs_end_ends_what_was_under_way() -> None:
    """A run that the engine gave up leaves no attempt running."""
    (only,) = read((EventType.STEP_STARTED, "a", {"attempt": 1}), (EventType.RUN_SYSTEM_FAILED, None, {}))
    assert (only.status, only.ended_at) == (StepStatus.CANCELED, START + timedelta(seconds=2))
