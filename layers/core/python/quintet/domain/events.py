"""What can happen to a run: the journal's vocabulary.

An event is written once and never changed. `number` is its place in the run's journal (1, 2, 3, ... without gaps) and what clients
resume a stream from. Payloads in `data` are JSON, or `{"$ref": ...}` for one kept outside the journal (services/payloads.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

VERSION = 1
"""The shape of events that this code writes and the newest it reads; a later shape is marked `v` where it is stored."""


class EventType(StrEnum):
    """Every event a journal can hold. Names are stored: never rename, only add."""

    RUN_CREATED = (
        "run.created"  # input; given {steps, item, index} for an item of a map; marks of a run that triggers merge into
    )
    RUN_DELAYED = (
        "run.delayed"  # until; again with another time, or with another input (and its trigger's marks): moved
    )
    RUN_GATHERED = "run.gathered"  # item: one more payload of a batch; marks of its trigger
    RUN_QUEUED = "run.queued"  # slots
    RUN_STARTED = "run.started"  # deadline; version when it is not the one of the trigger; input of a batch
    RUN_WAITING = "run.waiting"  # for: what a run waits for that has not started
    RUN_RESUMED = "run.resumed"  # by, after a pause
    RUN_PAUSED = "run.paused"  # by
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"  # error
    RUN_TIMED_OUT = "run.timed_out"  # error
    RUN_CRASHED = "run.crashed"  # error
    RUN_SYSTEM_FAILED = "run.system_failed"  # error
    RUN_CANCELED = "run.canceled"  # by, reason
    RUN_EXPIRED = "run.expired"
    RUN_NOTED = "run.noted"  # metadata: what a program that works on the run says of it; null takes a name out
    RUN_CLEARED = "run.cleared"  # until: what the events up to this number had left at work elsewhere is stopped
    RUN_ALERTED = "run.alerted"  # it takes longer than its plan says, and goes on
    RUN_SET = "run.set"  # values: variables of the run by (dotted) name
    BURST_CLAIMED = "burst.claimed"  # epoch, slice, retry, invocation
    STEP_STARTED = "step.started"  # attempt, carried, deadline, leaves, total/items for a map
    STEP_CARRIED = "step.carried"  # carrier: the invocation that took the attempt
    STEP_WAITING = "step.waiting"  # for, until, deadline, decision, message, child, trace, ...
    STEP_COMPLETED = "step.completed"  # result, reused_from, trace
    STEP_FAILED = "step.failed"  # error, retry_at (absent: final), cut (its own work was not heard to end), trace
    STEP_HURRIED = "step.hurried"  # by: the rest before its next attempt is over
    STEP_SKIPPED = "step.skipped"  # reason; by, message when done by hand
    STEP_CANCELED = "step.canceled"
    STEP_ALERTED = "step.alerted"  # the same of a step's attempt
    STEP_RELEASED = "step.released"  # a rescue step: another has failed
    STEP_PROGRESS = "step.progress"  # done, total; reported: percent, message, step, eta (seconds)
    FRAME_OPENED = "frame.opened"  # index: an iteration of a loop, an item of a map
    LATE_REFUSED = "late.refused"  # what came too late, and why it was refused


@dataclass(frozen=True, slots=True)
class Event:
    """One fact of a run; `path` names the step it is about."""

    type: EventType
    at: datetime
    path: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event as compact JSON-ready data; `at` in milliseconds since 1970."""
    packed: dict[str, Any] = {"t": str(event.type), "at": to_millis(event.at)}
    if event.path is not None:
        packed["p"] = event.path
    if event.data:
        packed["d"] = dict(event.data)
    return packed


def event_from_dict(packed: Mapping[str, Any]) -> Event:
    """The event that `event_to_dict` wrote. Raises ValueError for one of a later version of this code."""
    if packed.get("v", 1) > VERSION:
        raise ValueError(f"an event of version {packed['v']}; this code reads up to {VERSION}")
    return Event(EventType(packed["t"]), from_millis(packed["at"]), packed.get("p"), packed.get("d", {}))


def to_millis(at: datetime) -> int:
    """Milliseconds since 1970, rounded."""
    return round(at.timestamp() * 1000)


def from_millis(millis: int) -> datetime:
    """The aware UTC time of that many milliseconds since 1970."""
    return datetime.fromtimestamp(millis / 1000, UTC)
