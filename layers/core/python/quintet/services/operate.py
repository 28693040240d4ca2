"""Settles steps by hand: skips them, completes them, has them tried again."""

from collections.abc import Callable
from typing import Any

from quintet.domain import rules
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import EventType, to_millis
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.state import StepState
from quintet.domain.status import RunStatus
from quintet.services.again import RetryRun
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import Runs
from quintet.services.terms import DUE_GRACE

BY_HAND = "by_hand"
"""The skip reason of a step that a person skipped: to what depends on it it is a step that its own condition skipped."""

Settle = Callable[[OpenRun, Draft, StepState], None]


class OperateStep:
    """Takes people's interventions; of racing ones, and of one racing the step's own end, exactly one is taken."""

    def __init__(self, runs: Runs, journal: Journal, endings: Endings, payloads: Payloads, retry_run: RetryRun) -> None:
        self._runs = runs
        self._journal = journal
        self._endings = endings
        self._payloads = payloads
        self._retry_run = retry_run

    def skip(self, project: str, run_id: str, path: str, *, by: str, reason: str | None = None) -> Run:
        """Skips a step that has not settled; an outcome of its live attempt comes too late. Raises NotFound, Conflict."""

        def settle(opened: OpenRun, draft: Draft, step: StepState) -> None:
            rules.cancel_inside(draft, step)
            draft.add(EventType.STEP_SKIPPED, path, reason=BY_HAND, by=by, message=reason)

        return self._operate(project, run_id, path, settle)

    def complete(self, project: str, run_id: str, path: str, output: Any, *, by: str, reason: str | None = None) -> Run:
        """Completes a step that has not settled, with a result as if it had come to it. Raises NotFound, Conflict."""
        result = self._payloads.put(output)

        def settle(opened: OpenRun, draft: Draft, step: StepState) -> None:
            rules.cancel_inside(draft, step)
            draft.add(EventType.STEP_COMPLETED, path, result=result, by=by, message=reason)

        return self._operate(project, run_id, path, settle)

    def retry(self, project: str, run_id: str, path: str, *, by: str) -> Run:
        """Ends a step's rest between two attempts; of an ended run, starts a new one from that step on, which is the answer.

        Raises NotFound, Conflict: a step that is at work, has settled, or has not been tried yet can't be retried.
        """
        opened = self._journal.open(run_id)
        step = _own_step(opened, project, path)
        if opened.state.status.terminal:
            if step.prefix:
                raise Conflict("an ended run can be retried from a step at its root only")
            return self._retry_run(project, run_id, "from_step", path, by)
        return self._operate(project, run_id, path, lambda _opened, draft, found: _end_rest(draft, found, by))

    def _operate(self, project: str, run_id: str, path: str, settle: Settle) -> Run:
        def decision(opened: OpenRun, draft: Draft) -> None:
            step = _own_step(opened, project, path)
            if opened.state.status.terminal:
                raise Conflict(f"run has already ended (it is {opened.state.status})")
            if rules.unstarted(opened.state):
                raise Conflict(f"run has not started yet (it is {opened.state.status})")
            if step.status.settled:
                raise Conflict(f"step {path!r} has already ended (it is {step.status})")
            # Should this process die between the append and the wake, the sweep finds the run by this.
            self._runs.postpone(run_id, draft.now + DUE_GRACE)
            settle(opened, draft, step)

        opened, _ = self._journal.decide(run_id, decision)
        if opened.state.status is RunStatus.PAUSED:  # no burst comes that would stop what the step had left at work
            self._endings.cancel_abandoned(opened.run, opened.state)
        self._endings.wake(run_id)
        return opened.run


def _own_step(opened: OpenRun, project: str, path: str) -> StepState:
    if opened.run.project != project or path not in opened.state.steps:
        raise NotFound("no such step")
    return opened.state.steps[path]


def _end_rest(draft: Draft, step: StepState, by: str) -> None:
    if step.wait.get("for") != "retry":
        raise Conflict(f"step {step.path!r} does not wait for its next attempt (it is {step.status})")
    if step.wait["until"] <= to_millis(draft.now):
        raise Conflict(f"the next attempt of step {step.path!r} is due already")
    draft.add(EventType.STEP_HURRIED, step.path, by=by)
