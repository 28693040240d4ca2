"""What the Jobs API says of a step whose work is parked on a service of its own: it is at work."""

from datetime import UTC, datetime, timedelta

import pytest

from quintet.dialects.jobs.attempts import attempts
from quintet.dialects.jobs.stream import JobWords
from quintet.dialects.jobs.views_runs import NOTHING, UNSAID, step_view
from quintet.dialects.jobs.workflow_timeline import timeline
from quintet.domain.definition import Plan, StepDef
from quintet.domain.events import Event, EventType
from quintet.domain.fold import fold
from quintet.domain.status import StepStatus
from quintet.web.stream import AttemptNumbers

RUN = "019b76da-a800-7001-9ac3-55266f03675a"
START = datetime(2026, 1, 1, tzinfo=UTC)
PARKED = Event(EventType.STEP_WAITING, START + timedelta(seconds=5), "spark", {"for": "parked"})
GATE = Event(EventType.STEP_WAITING, START + timedelta(seconds=5), "gate", {"for": "input"})
EVENTS = [
    Event(EventType.RUN_CREATED, START, None, {}),
    Event(EventType.RUN_STARTED, START),
    Event(EventType.STEP_STARTED, START, "spark", {"attempt": 1, "leaves": "parked"}),
    PARKED,
    GATE,
]
PLAN = Plan((StepDef("spark", "spark"), StepDef("gate", "input")))


@pytest.mark.parametrize(
    ("key", "status", "waiting_for"), [("spark", StepStatus.RUNNING, None), ("gate", StepStatus.WAITING, "input")]
)
def test_its_step_and_attempt_are_running(key: str, status: StepStatus, waiting_for: str | None) -> None:
    """Unlike one that waits for somebody."""
    view = step_view(RUN, fold("r", PLAN, EVENTS).steps[key], NOTHING)
    assert (view.status, view.waiting_for) == (status, waiting_for)
    (attempt,) = [one for one in attempts(enumerate(EVENTS, 1)) if one.path == key]
    assert attempt.status is status


@pytest.mark.parametrize(("event", "status"), [(PARKED, "running"), (GATE, "waiting")])
def test_its_stream_says_so(event: Event, status: str) -> None:
    """At the moment when its work is handed over."""
    said = JobWords("r").happened(event, AttemptNumbers(lambda _: 1))
    assert said is not None
    assert said.data["status"] == status
    assert said.data.get("waiting_for") == (None if event is PARKED else "input")


def test_its_timeline_tells_it_in_words() -> None:
    """What is only the engine's is not told at all."""
    cleared = Event(EventType.RUN_CLEARED, START, None, {"until": 3})
    told = [entry.summary for entry in timeline(enumerate([*EVENTS, cleared], 1))]
    assert told == ["created", "started", "started", "works on a service of its own", "waits for an approval"]
    assert EventType.RUN_CLEARED in UNSAID
    assert JobWords("r").happened(cleared, AttemptNumbers(lambda _: 1)) is None
