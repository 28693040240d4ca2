"""Translates what the core says of runs and steps into this API's shapes. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.dialects.jobs.definitions import CALL
from quintet.dialects.jobs.models_run_parts import EventView, LogView, StepRunView
from quintet.dialects.jobs.models_runs import JobRunView, TraceView
from quintet.dialects.jobs.words import step_run_id, triggered_by
from quintet.domain.events import Event, EventType, from_millis
from quintet.domain.rules import TIMEOUT
from quintet.domain.run import Run
from quintet.domain.state import Frame, RunState, StepState
from quintet.services.ports.world import LogEntry
from quintet.web.rendering import moment
from quintet.web.stream import attempt_number


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value as shown: itself, or, when it is too large to carry, a URL that reads it."""

    value: Any = None
    url: str | None = None


NOTHING = Value()


@dataclass(frozen=True, slots=True)
class Whole:
    """What a run's item does not hold."""

    state: RunState
    payload: Value = NOTHING
    result: Value = NOTHING
    heartbeat_at: datetime | None = None


def run_view(run: Run, whole: Whole | None = None) -> JobRunView:
    """A run as this API shows it; without its state, as lists do."""
    return JobRunView(**run_fields(run, whole))


def run_fields(run: Run, whole: Whole | None = None) -> dict[str, Any]:
    """The fields of a run's view."""
    asked = run.asked
    fields: dict[str, Any] = {
        "id": run.id,
        "job_id": run.job_id,
        "project_id": run.project,
        "status": run.status,
        "attempt": _attempt_of(run),
        "metadata": dict(asked.get("metadata") or {}) or None,
        "error": error_text(run.error),
        "triggered_by": triggered_by(run.started_by),
        "scheduled_at": run.scheduled_at,
        "started_at": run.started_at,
        "finished_at": run.ended_at,
        "expires_at": run.expires_at,
        "parent_run_id": parent_of(run),
        "priority": run.priority,
        "idempotency_key": asked.get("idempotency_key"),
        "job_version": run.version,
        "workflow_step_run_id": _called_by(run),
        "debug_mode": bool(asked.get("debug_mode", False)),
        "continuation_of": run.trigger.source_id if run.started_by == "retry" else None,
        "lineage_depth": int(asked.get("lineage_depth", 0)),
        "tags": dict(asked.get("tags") or {}) or None,
        "job_version_id": run.version_id,
        "created_by": asked.get("created_by") or (run.trigger.source_id if run.trigger.source_type == "user" else None),
        "batch_id": asked.get("batch_id"),
        "concurrency_key": run.concurrency_key,
        "created_at": run.created_at,
        **_overrides(run),
    }
    return fields if whole is None else {**fields, **_of_state(run, whole)}


def _overrides(run: Run) -> dict[str, Any]:
    asked = run.overrides
    return {
        "max_attempts_override": asked.max_attempts,
        "timeout_secs_override": _whole(asked.timeout),
        "retry_backoff": asked.strategy,
        "retry_initial_delay_secs": _whole(asked.initial_delay),
        "retry_max_delay_secs": _whole(asked.max_delay),
    }


def _of_state(run: Run, whole: Whole) -> dict[str, Any]:
    state = whole.state
    steps = [state.steps[path] for path in state.root.paths] if "" in state.frames else []
    fields: dict[str, Any] = {
        "attempt": max(_attempt_of(run), *(attempt_number(step) for step in steps)) if steps else _attempt_of(run),
        "payload": whole.payload.value,
        "payload_url": whole.payload.url,
        "result": whole.result.value,
        "result_url": whole.result.url,
        "heartbeat_at": whole.heartbeat_at,
        "next_retry_at": min((at for path in state.waiting if (at := next_retry_at(state.steps[path]))), default=None),
        "execution_trace": trace_view(steps[0].trace) if len(steps) == 1 else None,
    }
    if state.error is not None:  # the run's item holds only the beginning of it
        fields["error"] = error_text(state.error)
    return fields


def _attempt_of(run: Run) -> int:
    """As of the last change of the run's status; a run that has started is at its first attempt at least."""
    return max(run.attempt, 0 if run.started_at is None else 1)


def parent_of(run: Run) -> str | None:
    """The run on whose behalf this one runs."""
    if run.trigger.source_type == "run" and run.started_by in ("spawn", "event"):
        return run.trigger.source_id
    return run.parent.run_id if run.parent else None


def _called_by(run: Run) -> str | None:
    return step_run_id(run.parent.run_id, run.parent.path) if run.parent else run.asked.get("workflow_step_run_id")


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def error_text(error: Mapping[str, Any] | None, path: str | None = None) -> str | None:
    """An error of a run, or of the step at `path`, as one line: `<type>: <message>`.

    An author who wrote no steps reads of none.
    """
    if error is None:
        return None
    message = error.get("message")
    if message == TIMEOUT.message and (path or error.get("step")) == CALL and not error.get("reported"):
        message = "the attempt's time is over"
    return ": ".join(str(part) for part in (error.get("type"), message) if part) or "failed"


def next_retry_at(step: StepState) -> datetime | None:
    """When a step that rests between two attempts begins the next one."""
    return from_millis(step.wait["until"]) if step.wait.get("for") == "retry" else None


def trace_view(trace: Mapping[str, float] | None) -> TraceView | None:
    """Where an attempt's time went; None when nothing was measured."""
    if not trace:
        return None
    return TraceView(**{name: round(value) for name, value in trace.items() if name in TraceView.model_fields})


# --- steps, events, lines --------------------------------------------------------------------------------------------------------


def in_order(state: RunState) -> list[StepState]:
    """The steps as written; each loop or map is followed by the steps of its iterations or items."""
    return list(_walk(state, state.root)) if "" in state.frames else []


def _walk(state: RunState, frame: Frame) -> Iterator[StepState]:
    for path in frame.paths:
        step = state.steps[path]
        yield step
        for index in range(step.opened + 1) if step.composite else ():
            if (inner := state.inside(path, index)) is not None:
                yield from _walk(state, inner)


def step_view(run_id: str, step: StepState, output: Value) -> StepRunView:
    """A step of a run."""
    return StepRunView(
        id=step_run_id(run_id, step.path),
        run_id=run_id,
        step_ref=step.path,
        name=step.define.name or step.define.key,
        kind=step.define.kind,
        status=step.status,
        attempt=attempt_number(step),
        depends_on=[step.prefix + key for key in step.define.depends_on],
        started_at=step.started_at,
        finished_at=step.ended_at,
        output=output.value,
        output_url=output.url,
        error=error_text(step.error, step.path),
        skip_reason=step.skip_reason,
        waiting_for=None if step.parked else step.wait.get("for"),
        next_retry_at=next_retry_at(step),
        child_run_id=step.wait.get("child"),
        progress=None if step.progress is None else dict(step.progress),
        execution_trace=trace_view(step.trace),
    )


UNSAID = frozenset({EventType.BURST_CLAIMED, EventType.STEP_CARRIED, EventType.RUN_CLEARED})
"""Events that only the engine needs."""

_TOLD = (
    *(
        "attempt",
        "error",
        "reason",
        "by",
        "for",
        "message",
        "decision",
        "child",
        "done",
        "total",
        "percent",
        "step",
        "eta",
    ),
    *("metadata", "version", "trace", "index", "reused_from"),
)
_TIMES = ("until", "deadline", "retry_at")


def event_view(run_id: str, number: int, event: Event) -> EventView:
    """An event of a run's journal, without the payloads in it."""
    data = {name: event.data[name] for name in _TOLD if name in event.data}
    data |= {name: moment(from_millis(event.data[name])) for name in _TIMES if name in event.data}
    return EventView(
        id=str(number), run_id=run_id, type=event.type, step_ref=event.path, data=data, created_at=event.at
    )


def log_view(run_id: str, line: LogEntry) -> LogView:
    """A line of a run's log."""
    return LogView(
        id=line.id,
        run_id=run_id,
        step_ref=line.path,
        level=line.level.lower(),
        message=line.message,
        data=line.data,
        created_at=line.at,
    )
