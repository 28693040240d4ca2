"""What the Automations API says of a step whose work is parked on a service of its own: it is running."""

from datetime import UTC, datetime, timedelta

import pytest

from quintet.dialects.automations.stream import AutomationWords
from quintet.dialects.automations.views import step_view, steps_view
from quintet.dialects.automations.words import StepWord
from quintet.domain.definition import Plan, StepDef
from quintet.domain.events import Event, EventType
from quintet.domain.fold import fold
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


def test_its_step_is_running_and_counted_so() -> None:
    """A gate is pending until somebody answers."""
    state = fold(RUN, PLAN, EVENTS)
    shown = [state.steps["spark"], state.steps["gate"]]
    assert [step_view(RUN, step, (None, False)).status for step in shown] == [StepWord.RUNNING, StepWord.PENDING]
    view = steps_view(RUN, state, shown, lambda _: (None, False))
    assert (view.running_count, view.pending_count) == (1, 1)


@pytest.mark.parametrize(
    ("event", "status", "waits"), [(PARKED, StepWord.RUNNING, None), (GATE, StepWord.PENDING, "input")]
)
def test_its_stream_says_so(event: Event, status: StepWord, waits: str | None) -> None:
    """At the moment when its work is handed over; it waits for nothing that a reader could do."""
    said = AutomationWords(RUN).happened(event, AttemptNumbers(lambda _: 1))
    assert said is not None
    assert said.data["status"] is status
    assert said.data.get("waitingFor") == waits
    assert ("waitingFor" in said.data) == (waits is not None)


def test_what_is_only_the_engines_is_not_said() -> None:
    """That something was stopped is no news of the run."""
    cleared = Event(EventType.RUN_CLEARED, START, None, {"until": 3})
    assert AutomationWords(RUN).happened(cleared, AttemptNumbers(lambda _: 1)) is None
