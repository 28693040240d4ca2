"""A run's state as JSON and back, so that a long journal needs not be folded from its beginning."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from quintet.domain.definition import Graph, Plan
from quintet.domain.events import from_millis, to_millis
from quintet.domain.state import Claim, Frame, RunState, StepState
from quintet.domain.status import RunStatus, StepStatus

SHAPE = 4
"""Raised when what a snapshot holds changes: one of another shape is passed over, and the journal folded from its beginning."""

FIRST_AT = 256
"""No snapshot is worth its write before this many events."""


def worth_keeping(number: int, kept: int) -> bool:
    """True when half of the journal lies after the last snapshot: snapshots then cost O(events) in all, and so does a fold."""
    return number >= FIRST_AT and number >= 2 * kept


def to_dict(state: RunState) -> dict[str, Any]:
    """The state as JSON-ready data; the plan isn't in it."""
    return {
        "shape": SHAPE,
        "number": state.number,
        "status": str(state.status),
        "times": [
            _out(t)
            for t in (
                state.created_at,
                state.started_at,
                state.ended_at,
                state.changed_at,
                state.deadline,
                state.until,
                state.paused_at,
                state.alert_at,
            )
        ],
        "input": state.input,
        "given": dict(state.given),
        "attempts": state.attempts,
        "notes": dict(state.notes),
        "variables": dict(state.variables),
        "gathered": list(state.gathered),
        "error": state.error,
        "canceled_by": state.canceled_by,
        "claim": _claim_out(state.claim),
        "abandoned": state.abandoned,
        "frames": [[f.prefix, f.owner, f.index, f.open, f.dormant, f.failed_by] for f in state.frames.values()],
        "steps": [_step_out(step) for step in state.steps.values()],
        "indexes": [list(index) for index in _indexes(state)],
    }


def readable(data: Mapping[str, Any] | None) -> bool:
    """True for a snapshot that this code understands."""
    return data is not None and data.get("shape") == SHAPE


def from_dict(run_id: str, plan: Plan, data: Mapping[str, Any]) -> RunState:
    """The state that `to_dict` wrote."""
    state = RunState(run_id, plan, RunStatus(data["status"]), data["number"])
    times = [_in(value) for value in data["times"]]
    (
        state.created_at,
        state.started_at,
        state.ended_at,
        state.changed_at,
        state.deadline,
        state.until,
        state.paused_at,
        state.alert_at,
    ) = times
    state.input, state.error = data["input"], data["error"]
    state.attempts = data["attempts"]
    state.given, state.gathered = data["given"], list(data["gathered"])
    state.notes = dict(data["notes"])
    state.variables = dict(data["variables"])
    state.canceled_by, state.claim = data["canceled_by"], Claim(*data["claim"])
    state.abandoned = dict(data["abandoned"])
    for prefix, owner, index, open_, dormant, failed_by in data["frames"]:
        graph = plan.graph if owner is None else _body(state, owner)
        state.frames[prefix] = Frame(prefix, graph, owner, index, open_, dormant, failed_by)
        for step in graph.steps:
            state.steps[prefix + step.key] = StepState(prefix + step.key, step, prefix, len(step.depends_on))
    for packed in data["steps"]:
        _step_in(state, packed)
    for index, paths in zip(_indexes(state), data["indexes"], strict=True):
        index.update(dict.fromkeys(paths))
    state.fresh = dict(state.ready)
    return state


def _body(state: RunState, owner: str) -> Graph:
    step = state.steps[owner]
    return state.frames[step.prefix].graph.bodies[step.define.key]


def _indexes(state: RunState) -> tuple[dict[str, None], ...]:
    return (state.ready, state.running, state.waiting, state.turns, state.timed, state.failing)


def _out(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)


def _in(millis: int | None) -> datetime | None:
    return None if millis is None else from_millis(millis)


def _claim_out(claim: Claim) -> list[Any]:
    return [claim.epoch, claim.slice, claim.retry, claim.invocation]


_PLAIN = (
    "attempt",
    "token",
    "decision",
    "result",
    "error",
    "skip_reason",
    "carried",
    "carrier",
    "leaves",
    "reused_from",
    "progress",
    "trace",
    "items",
    "total",
    "opened",
    "closed",
    "broken",
)


def _step_out(step: StepState) -> list[Any]:
    plain = {name: getattr(step, name) for name in _PLAIN}
    extras = {
        name: value for name, value in plain.items() if value is not None and (value is not False or name == "result")
    }
    if step.wait:
        extras["wait"] = dict(step.wait)
    if step.attempted_at is not None:
        extras["attempted_at"] = _out(step.attempted_at)
    if step.due_at is not None:
        extras["due_at"] = _out(step.due_at)
    if step.alert_at is not None:
        extras["alert_at"] = _out(step.alert_at)
    if step.claim != Claim():
        extras["claim"] = _claim_out(step.claim)
    return [
        step.path,
        str(step.status),
        step.unmet,
        _out(step.started_at),
        _out(step.ended_at),
        _out(step.deadline),
        extras,
    ]


def _step_in(state: RunState, packed: list[Any]) -> None:
    path, status, unmet, started, ended, deadline, extras = packed
    step = state.steps[path]
    step.status, step.unmet = StepStatus(status), unmet
    step.started_at, step.ended_at, step.deadline = _in(started), _in(ended), _in(deadline)
    for name, value in extras.items():
        setattr(step, name, _READ[name](value) if name in _READ else value)


_READ: dict[str, Callable[[Any], Any]] = {
    "claim": lambda packed: Claim(*packed),
    "attempted_at": _in,
    "due_at": _in,
    "alert_at": _in,
}
