"""Opens a run's journal, folds it, and commits what was decided."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from quintet.domain import rules, snapshot
from quintet.domain.definition import Overrides, Plan
from quintet.domain.errors import AppendConflict, Throttled
from quintet.domain.fold import extend, fold
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.runs import Change, Runs
from quintet.services.ports.world import Clock
from quintet.services.terms import DUE_GRACE, QUEUE_CHECK, RESTING_CHECK

T = TypeVar("T")
log = logging.getLogger(__name__)

KEPT_PLANS = 256

DECIDE_TRIES = 60
"""Lost appends before giving up; each one means that another writer made progress."""
RESTS = (0.0, 0.005, 0.02, 0.05, 0.1)
"""Seconds between them, over and over: a busy burst appends every few milliseconds."""


@dataclass(slots=True)
class OpenRun:
    """A run with its folded state, as of the last read or commit."""

    run: Run
    epoch: int
    state: RunState
    snapshot_number: int


class Journal:
    """Reads and writes runs as folded states."""

    def __init__(self, runs: Runs, jobs: Jobs, clock: Clock) -> None:
        self._runs = runs
        self._jobs = jobs
        self._clock = clock
        self._plans: dict[tuple[str, int], Plan] = {}
        self._altered: dict[tuple[str, int, Overrides], Plan] = {}
        self._bodies: dict[tuple[str, int, str], Plan] = {}

    def open(self, run_id: str) -> OpenRun:
        """Reads and folds a run. Raises NotFound."""
        stored = self._runs.load(run_id)
        plan = self.plan_of(stored.run)
        if stored.snapshot is None:
            state = fold(run_id, plan, stored.events)
        elif snapshot.readable(stored.snapshot):
            state = extend(snapshot.from_dict(run_id, plan, stored.snapshot), stored.events)
        else:
            state = fold(run_id, plan, self._runs.tail(run_id, 0))
        return OpenRun(stored.run, stored.epoch, state, stored.snapshot_number)

    def plan_of(self, run: Run) -> Plan:
        """What a run enacts: its version's plan, or for an item of a map the map's body."""
        if run.item is None or run.parent is None:
            return self._overridden(run)
        place = (run.job_id, run.version, run.parent.path)
        if place not in self._bodies:
            if len(self._bodies) >= KEPT_PLANS:
                self._bodies.pop(next(iter(self._bodies)))
            self._bodies[place] = self.plan(run.job_id, run.version).body_of(run.parent.path)
        return self._bodies[place]

    def _overridden(self, run: Run) -> Plan:
        plan = self.plan(run.job_id, run.version)
        if run.overrides == Overrides():
            return plan
        place = (run.job_id, run.version, run.overrides)
        if place not in self._altered:
            if len(self._altered) >= KEPT_PLANS:
                self._altered.pop(next(iter(self._altered)))
            self._altered[place] = plan.overridden(run.overrides)
        return self._altered[place]

    def plan(self, job_id: str, version: int) -> Plan:
        """A version's plan; versions never change, so it is read once a process."""
        found = self._plans.get((job_id, version))
        if found is None:
            if len(self._plans) >= KEPT_PLANS:
                self._plans.pop(next(iter(self._plans)))
            found = self._plans[job_id, version] = self._jobs.version(job_id, version).plan
        return found

    def refresh(self, opened: OpenRun) -> bool:
        """Applies what others appended since; True when there was anything."""
        events = self._runs.tail(opened.run.id, opened.state.number)
        extend(opened.state, events)
        if events:
            opened.run = as_run(opened.run, opened.state)
        return bool(events)

    def ended(self, run_id: str) -> bool:
        """True when the run has ended: the cheapest look there is."""
        return self._runs.get(run_id).status.terminal

    def commit(self, opened: OpenRun, draft: Draft) -> None:
        """Appends a draft's events. Raises AppendConflict, after which `opened` must be opened anew."""
        if not draft.events:
            return
        run = as_run(opened.run, opened.state)
        change = None
        if run != replace(opened.run, updated_at=run.updated_at):
            change = change_of(opened, draft)
        self._runs.append(run.id, draft.base, draft.events, change)
        opened.run = run
        if not run.status.terminal and snapshot.worth_keeping(opened.state.number, opened.snapshot_number):
            self._keep_snapshot(opened)

    def _keep_snapshot(self, opened: OpenRun) -> None:
        # Only a shortcut: a commit that succeeded must not fail by it. The next try comes when the journal has doubled.
        try:
            self._runs.keep_snapshot(opened.run.id, opened.state.number, snapshot.to_dict(opened.state))
        except Exception:
            log.exception("no snapshot of run %s", opened.run.id)
        opened.snapshot_number = opened.state.number

    def decide(self, run_id: str, decision: Callable[[OpenRun, Draft], T]) -> tuple[OpenRun, T]:
        """Opens a run, decides, commits; decides again on the new state when another writer was first. Raises Throttled if always."""
        for tried in range(DECIDE_TRIES):
            self._clock.sleep(RESTS[tried % len(RESTS)])
            opened = self.open(run_id)
            draft = Draft(opened.state, self._clock.now())
            value = decision(opened, draft)
            try:
                self.commit(opened, draft)
            except AppendConflict:
                continue
            return opened, value
        raise Throttled("the run is busy", retry_after=1)


def change_of(opened: OpenRun, draft: Draft) -> Change:
    """What a draft makes of the run's item."""
    run = as_run(opened.run, opened.state)
    return Change(run, opened.run.status, _due(run, opened.run.status, opened.state, draft.now))


def _brief(error: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """As much of an error as a run's item carries, which is written in transactions and listed: the whole is with the step."""
    if error is None:
        return None
    return {
        **{name: error[name] for name in ("type", "step") if name in error},
        "message": str(error.get("message", ""))[:500],
    }


def _due(run: Run, was: RunStatus, state: RunState, now: datetime) -> datetime | None:
    """When the sweep looks at a run whose item changes: an ended one, to repeat what follows its end; an unstarted one, to let it in."""
    if run.status.terminal:
        return now + DUE_GRACE if state.abandoned or run.follows else None
    if not rules.unstarted(state):
        # Should whoever resumes a run die before its wake, the sweep finds it by this.
        return now + DUE_GRACE if was is RunStatus.PAUSED and run.status is not RunStatus.PAUSED else None
    if run.status is RunStatus.DELAYED and state.until is not None:
        look = state.until + DUE_GRACE
    else:
        look = now + (QUEUE_CHECK if run.status is RunStatus.QUEUED else RESTING_CHECK)
    return look if run.expires_at is None else min(look, run.expires_at)


def _annotated(asked: Mapping[str, Any], notes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was asked for, with what programs have noted since laid over its metadata."""
    if not notes:
        return asked
    noted = {**asked.get("metadata", {}), **notes}
    return {**asked, "metadata": {name: value for name, value in noted.items() if value is not None}}


def as_run(run: Run, state: RunState) -> Run:
    """The run's item as its state now demands it."""
    return replace(
        run,
        status=state.status,
        started_at=state.started_at,
        ended_at=state.ended_at,
        error=_brief(state.error),
        scheduled_at=state.until or run.scheduled_at,
        attempt=state.attempts,
        asked=_annotated(run.asked, state.notes),
        updated_at=state.changed_at or run.updated_at,
    )
