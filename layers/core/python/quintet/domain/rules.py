"""The decisions: given a run's state, what must happen next. Each rule adds its events to a draft; none does I/O.

A draft applies every event to its state at once, so that each rule sees what the rules before it decided. When its append loses
against another writer, the draft is thrown away and the decisions are taken again on the new state.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from quintet.domain import retry
from quintet.domain.definition import OnFailure
from quintet.domain.events import Event, EventType, from_millis, to_millis
from quintet.domain.fold import extend
from quintet.domain.outcome import StepError, Trace
from quintet.domain.state import Claim, Frame, RunState, StepState, frame_prefix
from quintet.domain.status import RunStatus, StepStatus

TIMEOUT = StepError("Timeout", "the step's time is over")
CRASHED = StepError("Crashed", "the attempt was lost with the process that ran it")
UNTOLD = StepError("Crashed", "the step's work on another service is over, and nobody told what it came to")


class Draft:
    """Events decided but not yet in the journal, already applied to the state."""

    def __init__(self, state: RunState, now: datetime) -> None:
        self.state = state
        self.now = now
        self.base = state.number
        self.events: list[Event] = []

    def add(self, type_: EventType, path: str | None = None, /, **data: Any) -> None:
        """Decides one event."""
        event = Event(type_, self.now, path, {key: value for key, value in data.items() if value is not None})
        extend(self.state, (event,))
        self.events.append(event)


def fence(state: RunState, path: str, token: int) -> str | None:
    """Why an attempt's outcome comes too late, or None when it still counts. Prevents the race of an old attempt against a new one."""
    step = state.steps.get(path)
    if state.status.terminal:
        return f"the run is {state.status}"
    if step is None:
        return "the step is no longer part of the run"
    if step.status.settled:
        return f"the step is {step.status}"
    if step.wait.get("for") == "retry":
        return f"attempt {step.attempt} has failed already"
    if step.token != token:
        return f"attempt {step.attempt} is the live one"
    return None


def fail(
    draft: Draft, path: str, error: StepError, chance: float = 0.5, trace: Trace | None = None, *, cut: bool = False
) -> None:
    """Fails an attempt: for a while, when its policy allows another attempt, or for good. `cut`: its own work was not heard to end."""
    step = draft.state.steps[path]
    cancel_inside(draft, step)
    delay = retry.delay(step.define.retry, step.attempt, chance, error.retry_after) if error.retryable else None
    retry_at = None if delay is None else to_millis(draft.now + timedelta(seconds=delay))
    told = {"error": error.to_dict(), "attempt": step.attempt, "retry_at": retry_at, "cut": cut or None, "trace": trace}
    draft.add(EventType.STEP_FAILED, path, **told)


def cancel_inside(draft: Draft, owner: StepState) -> None:
    """Cancels what is unsettled in the frames of a loop or map."""
    if owner.composite:
        for index in range(owner.opened + 1):
            if frame := draft.state.frames.get(frame_prefix(owner.path, index)):
                cancel_frame(draft, frame)


def cancel_frame(draft: Draft, frame: Frame, *, but_dormant: bool = False) -> None:
    """Cancels every unsettled step of a frame, innermost first; or all but its rescue steps."""
    for path in list(frame.paths):
        step = draft.state.steps[path]
        if not step.status.settled and not (but_dormant and step.dormant):
            cancel_inside(draft, step)
            draft.add(EventType.STEP_CANCELED, path)


def crash_lost(draft: Draft, claim: Claim) -> None:
    """Fails the attempts that an earlier claim left in flight. Prevents two live attempts of a step.

    Carried attempts live in an invocation of their own and answer by themselves or by their deadline.
    """
    state = draft.state
    for path in list(state.running):
        step = state.steps[path]
        if not step.carried and step.claim != claim:
            fail(draft, path, CRASHED, cut=True)


def overdue(draft: Draft) -> None:
    """Ends what is past its deadline: the run first, then steps; and completes the waits whose time has come."""
    state = draft.state
    if state.deadline and draft.now >= state.deadline:
        cancel_frame(draft, state.root)
        draft.add(EventType.RUN_TIMED_OUT, error={"type": "Timeout", "message": "the run's time is over"})
        return
    if state.alert_at and draft.now >= state.alert_at:
        draft.add(EventType.RUN_ALERTED)
    for path in list(state.timed):
        alert_at = state.steps[path].alert_at
        if alert_at and draft.now >= alert_at:
            draft.add(EventType.STEP_ALERTED, path)
    for path in list(state.timed):
        deadline = state.steps[path].deadline if path in state.timed else None
        if deadline and draft.now >= deadline:
            fail(draft, path, TIMEOUT, cut=True)
    for path in list(state.waiting):
        wait = state.steps[path].wait
        if wait.get("for") == "time" and draft.now >= from_millis(wait["until"]):
            draft.add(EventType.STEP_COMPLETED, path, result={})


def due_retries(state: RunState, now: datetime) -> Iterator[str]:
    """The steps whose rest between attempts is over."""
    for path in list(state.waiting):
        wait = state.steps[path].wait
        if wait.get("for") == "retry" and now >= from_millis(wait["until"]):
            yield path


def collapse(draft: Draft) -> None:
    """Ends the frames in which a step failed for good: the rest of an iteration is canceled, a failed root ends the run."""
    state = draft.state
    while state.failing:
        prefix = next(iter(state.failing))
        frame = state.frames[prefix]
        if frame.dormant and frame.owner is None:
            _release(draft, frame)
            continue
        cancel_frame(draft, frame)
        state.failing.pop(prefix, None)
        if frame.owner is None:
            _end_failed(draft, frame)
            return


def _end_failed(draft: Draft, root: Frame) -> None:
    """Ends the run by the step that failed its root frame."""
    failed = draft.state.steps[root.failed_by or ""]
    error = {**(failed.error or {}), "step": failed.path}
    alone = len(root.graph.steps) == 1 and not error.get("reported")
    draft.add(
        _END_OF_ONE.get(error.get("type", ""), EventType.RUN_FAILED) if alone else EventType.RUN_FAILED, error=error
    )


def _release(draft: Draft, frame: Frame) -> None:
    """Cancels what the failure leaves behind, and lets the rescue steps begin: the run ends by the failure once they have settled."""
    cancel_frame(draft, frame, but_dormant=True)
    for path in [path for path in frame.paths if draft.state.steps[path].dormant]:
        draft.add(EventType.STEP_RELEASED, path)
    draft.state.failing.pop(frame.prefix, None)


_END_OF_ONE = {
    "Timeout": EventType.RUN_TIMED_OUT,
    "HttpTimeout": EventType.RUN_TIMED_OUT,
    "HeartbeatLost": EventType.RUN_CRASHED,
    "Crashed": EventType.RUN_CRASHED,
}
"""How a run of a single step ends by that step's error; one of several steps has failed, whatever the step's error was."""


def skip_blocked(draft: Draft) -> None:
    """Skips the ready steps that can't run because of what became of their dependencies."""
    state = draft.state
    while state.fresh:
        path = next(iter(state.fresh))
        del state.fresh[path]
        if path in state.ready and (reason := blocked(state, state.steps[path])):
            draft.add(EventType.STEP_SKIPPED, path, reason=reason)


def blocked(state: RunState, step: StepState) -> str | None:
    """Why a step whose dependencies have all settled is skipped, or None when it can run.

    A failed dependency blocks unless its policy is `continue`, and so does one that was skipped for that reason; dependencies skipped by
    their own condition block only when none is left that did run.
    """
    needed = [state.steps[step.prefix + key] for key in step.define.depends_on]
    for dependency in needed:
        if dependency.status is StepStatus.FAILED and dependency.define.on_failure is not OnFailure.CONTINUE:
            return "upstream_failed"
        if dependency.status is StepStatus.CANCELED or dependency.skip_reason == "upstream_failed":
            return "upstream_failed"
    if needed and all(dependency.status is StepStatus.SKIPPED for dependency in needed):
        return "upstream_skipped"
    return None


def conclude(draft: Draft) -> None:
    """Completes the run when every root step has settled, but for those that only a failure would have released."""
    state, root = draft.state, draft.state.root
    if root.open != root.dormant or root.failed_by is not None or state.status.terminal:
        return
    for path in [path for path in root.paths if state.steps[path].dormant]:
        draft.add(EventType.STEP_SKIPPED, path, reason="no_failure")
    draft.add(EventType.RUN_COMPLETED)


def terminate(draft: Draft, end: EventType, error: dict[str, Any] | None, by: str) -> None:
    """Ends the run at a step's word."""
    cancel_frame(draft, draft.state.root)
    draft.add(end, error=error, by=by if end is EventType.RUN_CANCELED else None)


def expire(draft: Draft) -> None:
    """Ends a run that has not started by its time."""
    cancel_frame(draft, draft.state.root)
    draft.add(EventType.RUN_EXPIRED)


def give_up(draft: Draft, older: timedelta) -> None:
    """Ends a run that has been at work for longer than anybody waits (a zombie)."""
    cancel_frame(draft, draft.state.root)
    hours = older.total_seconds() / 3600
    error = {"type": "Zombie", "message": f"given up: it was running for more than {hours:g} hours"}
    draft.add(EventType.RUN_CRASHED, error=error)


def unstarted(state: RunState) -> bool:
    """True for a run that only admission starts: delayed, queued, or waiting for what must come before its start."""
    return state.started_at is None and not state.status.terminal


def cancel_run(draft: Draft, by: str, reason: str | None = None) -> None:
    """Cancels the run and everything in it that hasn't settled."""
    cancel_frame(draft, draft.state.root)
    draft.add(EventType.RUN_CANCELED, by=by, reason=reason)


def next_moment(state: RunState, *, carried: bool = True) -> datetime | None:
    """When time alone will next change this run, or None when only something from outside can.

    Without `carried` the deadlines of carried attempts are left out, which are rarely met: the sweep is timer enough for them.
    """
    moments = [moment for moment in (state.deadline, state.alert_at) if moment]
    steps = (state.steps[path] for path in state.timed)
    for step in steps:
        moments += [step.alert_at] if step.alert_at else []
        moments += [step.deadline] if step.deadline and (carried or not step.carried) else []
    moments += [from_millis(until) for path in state.waiting if (until := state.steps[path].wait.get("until"))]
    return min(moments, default=None)


def outputs(state: RunState) -> dict[str, Any]:
    """The stored results of the completed ones of its last steps: what the run as a whole produced."""
    done = (key for key in sinks(state) if state.steps[key].status is StepStatus.COMPLETED)
    return {key: state.steps[key].result for key in done}


def sinks(state: RunState) -> list[str]:
    """The keys of the root steps that nothing depends on."""
    graph = state.plan.graph
    return [step.key for step in graph.steps if not graph.dependants[step.key] and not step.rescue]


def resting_status(state: RunState) -> RunStatus:
    """What a run is called while no burst drives it: executing when an attempt is in flight elsewhere, else waiting."""
    at_work = state.running or any(state.steps[path].parked for path in state.waiting)
    return RunStatus.EXECUTING if at_work else RunStatus.WAITING
