"""Folds a journal into a run's state, one event at a time, at a cost that grows only with the events."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from quintet.domain.definition import Graph, OnFailure, Plan
from quintet.domain.events import Event, EventType, from_millis, to_millis
from quintet.domain.state import PARKED, Claim, Frame, RunState, StepState, frame_prefix
from quintet.domain.status import RunStatus, StepStatus

ITEMS_OF = "items of "
CODE_OF = "code of "
PARKED_OF = "parked of "
"""How `abandoned` names what is no run: a fanned-out map, a process, work on another service; each followed by the attempt's token."""


def fold(run_id: str, plan: Plan, events: Iterable[Event]) -> RunState:
    """The state after all the events, from the beginning."""
    state = RunState(run_id, plan)
    return extend(state, events)


def extend(state: RunState, events: Iterable[Event]) -> RunState:
    """Applies further events to a state, in place."""
    for event in events:
        state.number += 1
        state.changed_at = event.at
        _APPLY[event.type](state, event)
    return state


def is_parked(event: Event) -> bool:
    """True for the event with which a step's work goes on at a service of its own: the step is at work, and waits for nothing else."""
    return event.type is EventType.STEP_WAITING and event.data.get("for") == PARKED


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_millis(value)


# --- the run -----------------------------------------------------------------------------------------------------------------


def _created(state: RunState, event: Event) -> None:
    state.created_at = event.at
    state.input = event.data.get("input")
    state.given = event.data.get("given", {})
    _open_frame(state, "", state.plan.graph, None, None)


def _delayed(state: RunState, event: Event) -> None:
    state.status = RunStatus.DELAYED
    state.until = _moment(event.data.get("until"))
    if "input" in event.data:
        state.input = event.data["input"]


def _gathered(state: RunState, event: Event) -> None:
    state.gathered.append(event.data.get("item"))


def _started(state: RunState, event: Event) -> None:
    state.status = RunStatus.EXECUTING
    state.started_at = state.started_at or event.at
    if "deadline" in event.data:
        state.deadline = _moment(event.data["deadline"])
    if state.plan.alert_after is not None:
        state.alert_at = event.at + timedelta(seconds=state.plan.alert_after)
    if "input" in event.data:
        state.input, state.gathered = event.data["input"], []


def _paused(state: RunState, event: Event) -> None:
    state.status = RunStatus.PAUSED
    state.paused_at = event.at


def _resumed(state: RunState, event: Event) -> None:
    state.status = RunStatus.EXECUTING
    if state.paused_at and state.deadline:
        state.deadline += event.at - state.paused_at  # the time of a pause is not the run's
    state.paused_at = None


def _becomes(status: RunStatus) -> Callable[[RunState, Event], None]:
    def apply(state: RunState, event: Event) -> None:
        state.status = status
        if status.terminal:
            _end(state, event)

    return apply


def _end(state: RunState, event: Event) -> None:
    state.ended_at = event.at
    state.error = event.data.get("error")
    state.canceled_by = event.data.get("by")
    for index in (state.ready, state.running, state.waiting, state.turns, state.timed, state.failing):
        index.clear()


def _noted(state: RunState, event: Event) -> None:
    state.notes.update(event.data.get("metadata", {}))


def _cleared(state: RunState, event: Event) -> None:
    until: int = event.data["until"]
    state.abandoned = {name: number for name, number in state.abandoned.items() if number > until}


def _set(state: RunState, event: Event) -> None:
    for name, value in event.data.get("values", {}).items():
        inside = f"{name}."
        for known in [known for known in state.variables if known.startswith(inside)]:
            del state.variables[known]  # set anew as a whole
        state.variables.pop(name, None)
        state.variables[name] = value  # at the end: later ones lie over earlier ones


def _claimed(state: RunState, event: Event) -> None:
    state.claim = Claim(event.data["epoch"], event.data["slice"], event.data["retry"], event.data["invocation"])


# --- steps -------------------------------------------------------------------------------------------------------------------


def _step(state: RunState, event: Event) -> StepState:
    if event.path is None:
        raise ValueError(f"event {event.type} names no step")
    return state.steps[event.path]


def _step_started(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _leave(state, step)
    step.status = StepStatus.RUNNING
    step.attempt = event.data.get("attempt", step.attempt + 1)
    state.attempts = max(state.attempts, step.attempt)
    step.token = state.number
    step.started_at = step.started_at or event.at
    step.attempted_at = event.at
    step.due_at = _moment(step.wait["until"]) if step.wait.get("for") == "retry" else None
    step.trace = None
    step.deadline = _moment(event.data.get("deadline"))
    step.carried = bool(event.data.get("carried"))
    step.carrier = None
    step.leaves = event.data.get("leaves")
    step.claim = state.claim
    step.wait = {"child": event.data["child"]} if "child" in event.data else {}
    step.error = None
    step.progress = None
    if "total" in event.data:
        step.total, step.items = event.data["total"], event.data.get("items")
    if step.composite:
        _drop_frames(state, step)
        state.turns[step.path] = None
    else:
        state.running[step.path] = None
    _alert_later(state, step, event)
    if step.deadline:
        state.timed[step.path] = None


def _alert_later(state: RunState, step: StepState, event: Event) -> None:
    """An attempt has begun: it is late after the time that its step says."""
    if step.define.alert_after is not None:
        step.alert_at = event.at + timedelta(seconds=step.define.alert_after)
        state.timed[step.path] = None


def _step_alerted(state: RunState, event: Event) -> None:
    step = _step(state, event)
    step.alert_at = None
    if not step.deadline:
        state.timed.pop(step.path, None)


def _alerted(state: RunState, event: Event) -> None:
    state.alert_at = None


def _drop_frames(state: RunState, step: StepState) -> None:
    """A new attempt of a loop or map begins with no iterations; those of the attempt before leave the state."""
    for index in range(step.opened + 1):
        prefix = frame_prefix(step.path, index)
        state.failing.pop(prefix, None)
        frame = state.frames.pop(prefix, None)
        for path in frame.paths if frame else ():
            inner = state.steps.pop(path)
            _leave(state, inner)
            if inner.composite:
                _drop_frames(state, inner)
    step.opened = step.closed = step.broken = 0


def _step_waiting(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _leave(state, step)
    # A step that waits from the beginning makes its attempt by waiting; one that ran first (a child run) is within its attempt.
    if step.status is not StepStatus.RUNNING:
        step.attempt += 1
        state.attempts = max(state.attempts, step.attempt)
        step.token = state.number
        step.attempted_at = event.at
        _alert_later(state, step, event)
    step.status = StepStatus.RUNNING if is_parked(event) else StepStatus.WAITING
    step.started_at = step.started_at or event.at
    step.wait = {name: value for name, value in event.data.items() if name != "trace"}
    step.trace = event.data.get("trace", step.trace)
    step.decision = event.data.get("decision", step.decision)
    step.deadline = _moment(event.data.get("deadline"))
    state.waiting[step.path] = None
    if step.deadline or step.alert_at:
        state.timed[step.path] = None


def _step_completed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    if "by" in event.data:  # completed by hand, while it may have waited for a child run
        _abandon(state, step)
    step.result = event.data.get("result")
    step.trace = event.data.get("trace", step.trace)
    step.reused_from = event.data.get("reused_from")
    step.attempt = max(step.attempt, 1)
    state.attempts = max(state.attempts, 1)
    step.error = None
    step.started_at = step.started_at or event.at
    _settle(state, step, StepStatus.COMPLETED, event)


def _step_failed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    if "cut" not in event.data:  # its work ended by itself
        step.leaves = None
    _abandon(state, step)
    step.error = event.data.get("error")
    step.trace = event.data.get("trace", step.trace)
    step.started_at = step.started_at or event.at
    if "retry_at" in event.data:
        _leave(state, step)
        step.status = StepStatus.WAITING
        step.deadline = step.alert_at = None
        step.wait = {"for": "retry", "until": event.data["retry_at"]}
        state.waiting[step.path] = None
        return
    frame = state.frame_of(step)
    if step.define.on_failure.fatal:
        frame.failed_by = frame.failed_by or step.path
    if step.define.on_failure is OnFailure.FAIL:
        state.failing[frame.prefix] = None
    _settle(state, step, StepStatus.FAILED, event)


def _step_hurried(state: RunState, event: Event) -> None:
    step = _step(state, event)
    step.wait = {**step.wait, "until": to_millis(event.at)}


def _step_skipped(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _abandon(state, step)  # one skipped by hand may have waited for a child run
    step.skip_reason = event.data.get("reason")
    _settle(state, step, StepStatus.SKIPPED, event)


def _step_canceled(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _abandon(state, step)
    _settle(state, step, StepStatus.CANCELED, event)


def _step_released(state: RunState, event: Event) -> None:
    step = _step(state, event)
    step.unmet = 0
    state.frame_of(step).dormant -= 1
    state.ready[step.path] = None
    state.fresh[step.path] = None


def _abandon(state: RunState, step: StepState) -> None:
    if child := step.wait.get("child"):
        state.abandoned[child] = state.number
    if step.wait.get("for") == "items":
        state.abandoned[f"{ITEMS_OF}{step.token}"] = state.number
    if step.leaves is not None:
        state.abandoned[f"{step.leaves} of {step.token}"] = state.number
        step.leaves = None


def _step_carried(state: RunState, event: Event) -> None:
    _step(state, event).carrier = event.data["carrier"]


def _step_progress(state: RunState, event: Event) -> None:
    _step(state, event).progress = dict(event.data)


def _nothing(state: RunState, event: Event) -> None:
    """A note for readers: changes no state."""


# --- frames ------------------------------------------------------------------------------------------------------------------


def _frame_opened(state: RunState, event: Event) -> None:
    owner = _step(state, event)
    index: int = event.data["index"]
    body = state.frame_of(owner).graph.bodies[owner.define.key]
    owner.opened += 1
    _open_frame(state, frame_prefix(owner.path, index), body, owner.path, index)


def _open_frame(state: RunState, prefix: str, graph: Graph, owner: str | None, index: int | None) -> None:
    state.frames[prefix] = Frame(
        prefix, graph, owner, index, len(graph.steps), sum(step.rescue for step in graph.steps)
    )
    for define in graph.steps:
        step = StepState(prefix + define.key, define, prefix, unmet=len(define.depends_on) + define.rescue)
        state.steps[step.path] = step
        if not step.unmet:
            state.ready[step.path] = None
            state.fresh[step.path] = None


def _leave(state: RunState, step: StepState) -> None:
    for index in (state.ready, state.running, state.waiting, state.turns, state.timed):
        index.pop(step.path, None)


def _settle(state: RunState, step: StepState, status: StepStatus, event: Event) -> None:
    _leave(state, step)
    step.status = status
    step.ended_at = event.at
    step.deadline = step.alert_at = None
    step.leaves = None
    step.wait = {}
    frame = state.frame_of(step)
    frame.open -= 1
    for key in frame.graph.dependants[step.define.key]:
        dependant = state.steps[frame.prefix + key]
        dependant.unmet -= 1
        if not dependant.unmet and dependant.status is StepStatus.PENDING:
            state.ready[dependant.path] = None
            state.fresh[dependant.path] = None
    if step.dormant:
        frame.dormant -= 1
        step.unmet = 0
    if frame.failed_by and frame.open == frame.dormant:
        state.failing[frame.prefix] = None  # all that could go on beside the failed step has ended
    if not frame.open:
        _close(state, frame)


def _close(state: RunState, frame: Frame) -> None:
    if frame.owner is None:
        return
    state.failing.pop(frame.prefix, None)
    owner = state.steps[frame.owner]
    owner.closed += 1
    owner.broken += frame.failed_by is not None
    if not owner.status.settled:
        state.turns[owner.path] = None


_APPLY: dict[EventType, Callable[[RunState, Event], Any]] = {
    EventType.RUN_CREATED: _created,
    EventType.RUN_DELAYED: _delayed,
    EventType.RUN_GATHERED: _gathered,
    EventType.RUN_QUEUED: _becomes(RunStatus.QUEUED),
    EventType.RUN_STARTED: _started,
    EventType.RUN_WAITING: _becomes(RunStatus.WAITING),
    EventType.RUN_RESUMED: _resumed,
    EventType.RUN_PAUSED: _paused,
    EventType.RUN_COMPLETED: _becomes(RunStatus.COMPLETED),
    EventType.RUN_FAILED: _becomes(RunStatus.FAILED),
    EventType.RUN_TIMED_OUT: _becomes(RunStatus.TIMED_OUT),
    EventType.RUN_CRASHED: _becomes(RunStatus.CRASHED),
    EventType.RUN_SYSTEM_FAILED: _becomes(RunStatus.SYSTEM_FAILED),
    EventType.RUN_CANCELED: _becomes(RunStatus.CANCELED),
    EventType.RUN_EXPIRED: _becomes(RunStatus.EXPIRED),
    EventType.RUN_NOTED: _noted,
    EventType.RUN_CLEARED: _cleared,
    EventType.RUN_SET: _set,
    EventType.RUN_ALERTED: _alerted,
    EventType.BURST_CLAIMED: _claimed,
    EventType.STEP_STARTED: _step_started,
    EventType.STEP_CARRIED: _step_carried,
    EventType.STEP_WAITING: _step_waiting,
    EventType.STEP_COMPLETED: _step_completed,
    EventType.STEP_FAILED: _step_failed,
    EventType.STEP_HURRIED: _step_hurried,
    EventType.STEP_SKIPPED: _step_skipped,
    EventType.STEP_CANCELED: _step_canceled,
    EventType.STEP_RELEASED: _step_released,
    EventType.STEP_ALERTED: _step_alerted,
    EventType.STEP_PROGRESS: _step_progress,
    EventType.FRAME_OPENED: _frame_opened,
    EventType.LATE_REFUSED: _nothing,
}
