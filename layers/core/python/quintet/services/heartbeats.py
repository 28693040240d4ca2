"""Steps that wait for their endpoint's report, and what becomes of those whose endpoint has fallen silent."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from quintet.domain import rules
from quintet.domain.events import from_millis
from quintet.domain.outcome import StepError
from quintet.domain.rules import Draft
from quintet.domain.state import RunState, StepState
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.runs import Runs

REPORT = "report"
"""What such a step waits for."""
HEARTBEAT = timedelta(seconds=60)
"""How long an endpoint that reports by itself may be silent. A sign of life counts for every such step of its run."""

LOST = StepError("HeartbeatLost", f"no sign of life for {HEARTBEAT.total_seconds():g} seconds", retryable=False)


def reporting(state: RunState) -> Iterator[StepState]:
    """The steps that wait for a report and whose endpoint must give signs of life; agents of tasks need not."""
    waits = (state.steps[path] for path in state.waiting)
    return (step for step in waits if step.wait.get("for") == REPORT and "since" in step.wait)


def silent_at(state: RunState, beaten: datetime | None = None) -> datetime | None:
    """When the first of the waiting steps will have been silent too long, unless a sign comes; None when none waits."""
    return min((_last_sign(step, beaten) + HEARTBEAT for step in reporting(state)), default=None)


def _last_sign(step: StepState, beaten: datetime | None) -> datetime:
    since = from_millis(step.wait["since"])
    return since if beaten is None else max(since, beaten)


class Heartbeats:
    """Listens for the endpoints that a resting run waits for."""

    def __init__(self, runs: Runs, journal: Journal) -> None:
        self._runs = runs
        self._journal = journal

    def check(self, opened: OpenRun, now: datetime) -> datetime | None:
        """Fails the steps whose endpoint has been silent too long; when to look again, None when no step waits for a report."""
        silent = silent_at(opened.state)
        if silent is None or now < silent:
            return silent
        beaten = self._runs.beaten(opened.run.id)
        silent = silent_at(opened.state, beaten)
        if silent is None or now < silent:
            return silent
        self._fail_silent(opened, beaten)
        return silent_at(opened.state, beaten)

    def _fail_silent(self, opened: OpenRun, beaten: datetime | None) -> None:
        def decision(current: OpenRun, draft: Draft) -> None:
            for step in list(reporting(current.state)):
                if _last_sign(step, beaten) + HEARTBEAT <= draft.now:
                    rules.fail(draft, step.path, LOST, cut=True)

        self._journal.decide(opened.run.id, decision)
        self._journal.refresh(opened)
